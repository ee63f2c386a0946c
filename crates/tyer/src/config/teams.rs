//! Teams by name: people one of whom a policy can ask for, as `context.approvals.teams.contains("payments")`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use tyer_core::intent::{Digest, PersonId, TeamId};
use tyer_core::limits::NAME_CHARS_MAX;
use tyer_core::roster::{team_digest, team_part};

use super::ConfigError;

/// Everybody in each team.
pub(crate) type Teams = BTreeMap<TeamId, BTreeSet<PersonId>>;

/// A team as the file describes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTeam {
    /// Who is in it.
    members: BTreeSet<PersonId>,
}

/// The teams of the file.
pub(super) fn teams(path: &Path, raw: BTreeMap<String, RawTeam>) -> Result<Teams, ConfigError> {
    let team = |(name, raw): (String, RawTeam)| {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(plain) {
            return Err(ConfigError::Value {
                path: path.to_owned(),
                key: format!("team.{name}"),
                message: "names are letters, digits, `-` and `_`".to_owned(),
            });
        }
        Ok((TeamId::new(name), raw.members))
    };
    raw.into_iter().map(team).collect()
}

/// The part of each, and the digest of what it says.
pub(super) fn parts(teams: &Teams) -> impl Iterator<Item = (String, Digest)> {
    teams.iter().map(|(team, members)| (team_part(team), team_digest(members)))
}
