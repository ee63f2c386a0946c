//! Agents by name, where more people than its controller control an agent's sessions.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tyer_core::intent::PersonId;

/// An agent as the file describes it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAgent {
    /// Who owns it, can give it new credentials or act in its name.
    owners: BTreeSet<String>,
}

impl RawAgent {
    pub(super) fn owners(self) -> BTreeSet<PersonId> {
        self.owners.into_iter().map(PersonId::new).collect()
    }
}
