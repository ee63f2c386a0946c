//! Statements: what people are handed to sign, and what their signatures set off.
//!
//! Every decision of a person goes this way: the gateway fills in the statement (so that nobody signs
//! digests that a browser made up), the person's passkey signs its digest, and the signature is verified
//! against the key that was enrolled before anything happens. A statement is good once and for minutes.

use tyer_core::assertion;
use tyer_core::intent::{Digest, HoldId, PersonId, Timestamp};
use tyer_core::limits::CHALLENGE_MS;
use tyer_core::record::PublicKey;
use tyer_core::statement::{Decision, Signed, Statement};

use crate::clock;
use crate::gateway::Gateway;
use crate::gateway::configuration::ConfirmError;
use crate::gateway::freeze::ThawError;
use crate::gateway::holds::AnswerError;
use crate::gateway::people::PeopleError;
use crate::gateway::world::World;
use crate::secret::{self, NoRandomness};

/// Statements that may wait to be signed; the oldest give way.
const STATEMENTS_MAX: usize = 1_000;

/// What a person wants to decide, by name only; the gateway fills in the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Approve(HoldId),
    Reject(HoldId),
    Invite(PersonId),
    Confirm(PersonId),
    Link(PersonId, PersonId),
    Thaw,
    Configure(String),
    SignIn,
}

/// A passkey's answer to a statement; byte strings are base64url.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assertion {
    pub(crate) credential: String,
    pub(crate) authenticator_data: String,
    pub(crate) client_data: String,
    pub(crate) signature: String,
}

/// A person's word: a statement whose signature was verified against that person's enrolled key.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) signed: Signed,
    pub(super) by: PersonId,
    /// Their own words beside it.
    pub(super) comment: String,
    pub(super) now: Timestamp,
}

/// Why a decision is not accepted. Texts are for the person who made it.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum DecisionError {
    /// The statement is unknown, used or too old.
    #[error("this took too long or was used already; look at the page again and repeat it")]
    Stale,
    /// The signature does not hold.
    #[error("the passkey's signature does not hold: {0}")]
    Signature(String),
    /// The key belongs to nobody, or to somebody else.
    #[error("this passkey is not enrolled here")]
    UnknownKey,
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error(transparent)]
    People(#[from] PeopleError),
    #[error(transparent)]
    Thaw(#[from] ThawError),
    #[error(transparent)]
    Confirm(#[from] ConfirmError),
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// What a decision set off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effected {
    /// It is done.
    Done,
    /// An enrolment link was made; the token is shown once.
    Invited { token: String },
    /// This person has signed in.
    SignedIn(PersonId),
}

impl Gateway {
    /// A statement for `person` (nobody yet, when signing in) to sign.
    pub(crate) async fn prepare(
        &self,
        person: Option<&PersonId>,
        wish: Wish,
    ) -> Result<Statement, DecisionError> {
        let mut world = self.world().await;
        let what = match wish {
            Wish::Approve(hold) => Self::hold_decision(&world, &hold, true)?,
            Wish::Reject(hold) => Self::hold_decision(&world, &hold, false)?,
            Wish::Invite(person) => Decision::Invite { person },
            Wish::Confirm(person) => Self::confirmation(&world, &person)?,
            Wish::Link(person, other) => Decision::Link { person, other },
            Wish::Thaw => Self::thawing(&world)?,
            Wish::Configure(part) => Self::configuring(&world, &part)?,
            Wish::SignIn => Decision::SignIn,
        };
        let statement = self.statement(person, what)?;
        remember(&mut world, statement.clone());
        Ok(statement)
    }

    /// A statement over where the ledger stands now.
    pub(super) fn statement(
        &self,
        person: Option<&PersonId>,
        what: Decision,
    ) -> Result<Statement, NoRandomness> {
        let head = self.sequencer.head();
        Ok(Statement {
            origin: self.config.console.origin.clone(),
            what,
            person: person.map(ToString::to_string).unwrap_or_default(),
            root: head.as_ref().map_or(Digest([0; 32]), |head| head.root),
            size: head.map_or(0, |head| head.size),
            nonce: secret::token()?,
            expires: clock::now().plus(CHALLENGE_MS),
        })
    }

    /// Verifies a signed statement and does what it says. `comment` is the person's own words: a reason
    /// when rejecting.
    pub(crate) async fn decide_signed(
        &self,
        nonce: &str,
        assertion: Assertion,
        comment: String,
    ) -> Result<Effected, DecisionError> {
        let now = clock::now();
        let mut world = self.world().await;
        let statement = take(&mut world, nonce, now)?;
        let signed = Signed {
            statement,
            credential: assertion.credential,
            authenticator_data: assertion.authenticator_data,
            client_data: assertion.client_data,
            signature: assertion.signature,
        };
        let by = self.signer(&world, &signed)?;
        let what = signed.statement.what.clone();
        let word = Word { signed, by, comment, now };
        match what {
            Decision::Approve(subject) => self.approve(&mut world, word, &subject).await?,
            Decision::Reject(subject) => self.reject(&mut world, word, &subject).await?,
            Decision::Invite { person: guest } => {
                let token = self.invite(&mut world, word, guest).await?;
                return Ok(Effected::Invited { token });
            }
            Decision::Confirm { person: guest, credential } => {
                self.confirm(&mut world, word, guest, credential).await?;
            }
            Decision::Link { person, other } => {
                self.link_names(&mut world, word, (person, other)).await?;
            }
            Decision::Thaw { frozen } => self.thaw(&mut world, word, frozen).await?,
            Decision::Configure { part, digest } => {
                self.confirm_part(&mut world, word, part, digest).await?;
            }
            Decision::SignIn => return Ok(Effected::SignedIn(word.by)),
            Decision::Enrol { .. } => return Err(DecisionError::Stale),
        }
        Ok(Effected::Done)
    }

    /// The person whose enrolled key signed; must be the person the statement was made for.
    fn signer(&self, world: &World, signed: &Signed) -> Result<PersonId, DecisionError> {
        let enrolled = world.people.values().find_map(|person| {
            let key = person.keys.iter().find(|key| key.credential == signed.credential)?;
            Some((person.id.clone(), key.clone()))
        });
        let (person, key) = enrolled.ok_or(DecisionError::UnknownKey)?;
        let named = &signed.statement.person;
        let anonymous = signed.statement.what == Decision::SignIn && named.is_empty();
        if !anonymous && named != person.as_str() {
            return Err(DecisionError::UnknownKey);
        }
        assertion::verify(&self.config.console.relying_party, signed, &key)
            .map_err(|error| DecisionError::Signature(error.to_string()))?;
        Ok(person)
    }

    /// The enrolled key of a person by its credential id.
    pub(super) fn key_of(
        &self,
        world: &World,
        person: &PersonId,
        credential: &str,
    ) -> Option<PublicKey> {
        let keys = &world.people.get(person)?.keys;
        keys.iter().find(|key| key.credential == credential).cloned()
    }
}

/// Keeps a statement until it is signed or too old.
pub(super) fn remember(world: &mut World, statement: Statement) {
    let now = clock::now();
    world.statements.retain(|_, kept| now < kept.expires);
    while world.statements.len() >= STATEMENTS_MAX {
        let oldest =
            world.statements.values().min_by_key(|kept| kept.expires).map(|kept| kept.nonce.clone());
        let Some(oldest) = oldest else { break };
        world.statements.remove(&oldest);
    }
    world.statements.insert(statement.nonce.clone(), statement);
}

/// Takes a statement out, so that it is good once.
pub(super) fn take(world: &mut World, nonce: &str, now: Timestamp) -> Result<Statement, DecisionError> {
    let statement = world.statements.remove(nonce).ok_or(DecisionError::Stale)?;
    if now < statement.expires { Ok(statement) } else { Err(DecisionError::Stale) }
}
