//! Who acts for whom in each session, as its first leaf says: no later leaf may say otherwise.

use std::collections::BTreeMap;

use crate::intent::{Principal, SessionId};
use crate::record::{RequestRecord, What};

#[derive(Debug, Default)]
pub(super) struct Sessions(BTreeMap<SessionId, Principal>);

impl Sessions {
    /// Takes a leaf; what is wrong with it is returned in words. Who owns an agent is said when its session is
    /// opened, and by nothing that an outsider could compare it with.
    pub(super) fn take(&mut self, what: &What) -> Result<(), String> {
        if let What::SessionOpened { principal, .. } = what {
            self.0.insert(principal.session.clone(), principal.clone());
        }
        let Some(RequestRecord { principal, .. }) = request_of(what) else { return Ok(()) };
        match self.0.get(&principal.session) {
            Some(opened) if opened != principal => {
                Err(format!("it says of session {} that others control it", principal.session))
            }
            _ => Ok(()),
        }
    }
}

/// The request that a leaf is about.
fn request_of(what: &What) -> Option<&RequestRecord> {
    match what {
        What::Held { card, .. } => Some(&card.request),
        What::Cleared { request, .. }
        | What::ReadLease { request, .. }
        | What::Refused { request, .. } => Some(request),
        _ => None,
    }
}
