//! What each person may decide, as the parts of the configuration that were confirmed say.

use std::collections::BTreeSet;

use super::meaning::Meaning;
use crate::intent::PersonId;
use crate::roles::{ROLE_PART, Role, role_part};
use crate::statement::Decision;

impl Meaning {
    /// The role that was confirmed for a person; an operator's unless another was.
    pub(super) fn role(&self, person: &PersonId) -> Role {
        let given = self.part(&role_part(person));
        Role::ALL.into_iter().find(|role| given == Some(role.digest())).unwrap_or_default()
    }

    /// Whether the person's role lets them decide such a thing.
    pub(super) fn may_decide(&self, person: &PersonId, decision: &Decision) -> Result<(), String> {
        let role = self.role(person);
        if role.may(decision) {
            return Ok(());
        }
        Err(format!("{person} is no more than an {} and may not decide that", role.as_str()))
    }

    /// Nobody confirms their own role, under no name.
    pub(super) fn own_role(&self, part: &str, counted: &BTreeSet<PersonId>) -> Option<String> {
        let person = PersonId::new(part.strip_prefix(ROLE_PART)?);
        let among = self.people().among();
        let own = counted.iter().find(|signer| among.are_one(signer, &person))?;
        Some(format!("{own} confirmed a role of their own"))
    }
}
