//! What somebody may decide: the role that the configuration gives them, a part of it that two people confirm.
//!
//! An operator decides everything, an approver answers holds and ends freezes and gives nobody power, and an auditor
//! reads all and decides nothing. Whoever has been given none is an operator.

use serde::{Deserialize, Serialize};

use crate::intent::{Digest, PersonId};
use crate::record::canonical;
use crate::statement::Decision;

/// What the names of parts of the configuration begin with that give somebody a role.
pub const ROLE_PART: &str = "role ";

/// What somebody may decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Nothing; they read everything.
    Auditor,
    /// What is asked of people, and nothing that gives anybody power.
    Approver,
    /// Everything.
    #[default]
    Operator,
}

impl Role {
    /// Every one, the least first.
    pub const ALL: [Self; 3] = [Self::Auditor, Self::Approver, Self::Operator];

    /// The word used in the configuration and by the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::Approver => "approver",
            Self::Operator => "operator",
        }
    }

    /// Whether somebody of that role may decide such a thing at all.
    #[must_use]
    pub fn may(self, decision: &Decision) -> bool {
        match decision {
            Decision::SignIn | Decision::Enrol { .. } | Decision::Look { .. } => true,
            Decision::Approve(_)
            | Decision::ApproveAll { .. }
            | Decision::Reject(_)
            | Decision::Review { .. }
            | Decision::Kill { .. }
            | Decision::Link { .. }
            | Decision::EndFreeze { .. }
            | Decision::Thaw { .. }
            | Decision::MakeKey
            | Decision::AddKey { .. }
            | Decision::AddPasskey
            | Decision::RemovePasskey { .. }
            | Decision::RemoveKey { .. } => self >= Self::Approver,
            Decision::BreakGlass { .. }
            | Decision::Invite { .. }
            | Decision::Confirm { .. }
            | Decision::Configure { .. }
            | Decision::ConfirmKey { .. }
            | Decision::Recover { .. }
            | Decision::ConfirmPasskey { .. } => self >= Self::Operator,
        }
    }

    /// The digest of the part of the configuration that gives somebody this role.
    #[must_use]
    pub fn digest(self) -> Digest {
        Digest::of(&canonical(&serde_json::json!({ "role": self })))
    }
}

/// The name of the part that gives that person a role.
#[must_use]
pub fn role_part(person: &PersonId) -> String {
    format!("{ROLE_PART}{person}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_the_one_before_may_and_more() {
        let person = PersonId::new("dave");
        let check = |decision: Decision, expect: [bool; 3]| {
            assert_eq!(Role::ALL.map(|role| role.may(&decision)), expect, "{decision:?}");
        };
        let (all, some, one) = ([true; 3], [false, true, true], [false, false, true]);
        check(Decision::SignIn, all);
        check(Decision::AddPasskey, some);
        check(Decision::Link { person: person.clone(), other: PersonId::new("erin") }, some);
        check(Decision::Invite { person: person.clone() }, one);
        check(Decision::Recover { person }, one);
        check(Decision::Configure { part: "policy".to_owned(), digest: Digest::of(b"") }, one);
    }

    #[test]
    fn the_words_are_those_of_the_file() {
        for role in Role::ALL {
            assert_eq!(serde_json::to_string(&role).expect("a word"), format!("\"{}\"", role.as_str()));
        }
        assert_ne!(Role::Auditor.digest(), Role::Operator.digest());
    }
}
