//! People who look at cards by SSH key from where nobody is signed in: one signature, for those cards, once.
//!
//! The statement names nobody, so that nobody learns from it whose a key is. Nothing is handed out that could be used
//! again: whoever wants to look again signs again.

use tyer_core::intent::{HoldId, PersonId};
use tyer_core::limits::TOGETHER_MAX;
use tyer_core::sshsig;
use tyer_core::statement::{Decision, Signed, Statement};

use super::Gateway;
use super::people::counting;
use super::statements::{DecisionError, remember, take};
use crate::clock;

/// Who looks at what, by which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) by: PersonId,
    /// The key's fingerprint.
    pub(crate) key: String,
    pub(crate) holds: Vec<HoldId>,
}

impl Gateway {
    /// A statement for whoever wants to look at these holds to sign.
    pub(crate) async fn prepare_look(&self, holds: Vec<HoldId>) -> Result<Statement, DecisionError> {
        if holds.is_empty() || holds.len() > TOGETHER_MAX {
            return Err(DecisionError::Stale);
        }
        let statement = self.statement(None, Decision::Look { holds })?;
        remember(&mut *self.world().await, statement.clone());
        Ok(statement)
    }

    /// Who signed that, with a key that counts, of a person who does; `armored` is what `ssh-keygen -Y sign` made.
    pub(crate) async fn look(&self, nonce: &str, armored: &str) -> Result<Look, DecisionError> {
        let (signature, credential) = sshsig::take_armored(armored)
            .map_err(|error| DecisionError::Signature(error.to_string()))?;
        let mut world = self.world().await;
        let statement = take(&mut world, nonce, clock::now())?;
        let Decision::Look { holds } = statement.what.clone() else { return Err(DecisionError::Stale) };
        let (authenticator_data, client_data) = (String::new(), String::new());
        let key = credential.clone();
        let signed = Signed { statement, credential, authenticator_data, client_data, signature };
        let by = self.signer(&world, &signed)?;
        counting(&world, &by)?;
        Ok(Look { by, key, holds })
    }
}
