//! What a role of an upstream may be able to do that no role of Tyer's should: a closed list, in the words
//! that the configuration allows it by.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A power beyond those of an ordinary role. With one, what an agent is cleared to run could do more than was
/// understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Power {
    /// Everything, every other power included.
    Superuser,
    /// Reads the whole cluster's changes.
    Replication,
    /// Row security does not bind it.
    Bypassrls,
    /// Makes roles and memberships; before PostgreSQL 16, those of the server's own powers too.
    Createrole,
    /// Runs programs on the server.
    ExecuteServerProgram,
    /// Reads files of the server.
    ReadServerFiles,
    /// Writes files of the server.
    WriteServerFiles,
}

impl Power {
    /// Every one, the greatest first.
    pub(crate) const ALL: [Self; 7] = [
        Self::Superuser,
        Self::Replication,
        Self::Bypassrls,
        Self::Createrole,
        Self::ExecuteServerProgram,
        Self::ReadServerFiles,
        Self::WriteServerFiles,
    ];

    /// The word in the configuration.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Superuser => "superuser",
            Self::Replication => "replication",
            Self::Bypassrls => "bypassrls",
            Self::Createrole => "createrole",
            Self::ExecuteServerProgram => "execute_server_program",
            Self::ReadServerFiles => "read_server_files",
            Self::WriteServerFiles => "write_server_files",
        }
    }

    /// Whether a list of allowed powers covers it: a superuser has every other one.
    pub(crate) fn is_allowed(self, allowed: &BTreeSet<Self>) -> bool {
        allowed.contains(&self) || allowed.contains(&Self::Superuser)
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_file() {
        for power in Power::ALL {
            let word = format!("\"{power}\"");
            assert_eq!(serde_json::to_string(&power).expect("a word"), word);
            assert_eq!(serde_json::from_str::<Power>(&word).expect("a power"), power);
        }
    }

    #[test]
    fn only_a_superuser_covers_others() {
        let check = |allowed: &[Power], power: Power, expect: bool| {
            assert_eq!(
                power.is_allowed(&allowed.iter().copied().collect()),
                expect,
                "{allowed:?} {power}"
            );
        };
        check(&[], Power::Createrole, false);
        check(&[Power::Createrole], Power::Createrole, true);
        check(&[Power::Createrole], Power::Superuser, false);
        check(&[Power::Bypassrls], Power::Replication, false);
        check(&[Power::Superuser], Power::WriteServerFiles, true);
    }
}
