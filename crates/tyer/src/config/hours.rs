//! Working hours of people, which policies can ask for as `context.approvals.on_hours`: the `[person.NAME]` sections.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use tyer_core::freeze::Zone;
use tyer_core::hours::{Hours, Shift, person_part};
use tyer_core::intent::{Digest, PersonId};

use super::ConfigError;
use crate::gateway::people::is_name;

/// When a person works, as the file says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPerson {
    /// On whose clocks.
    zone: Zone,
    /// When, such as `Mon-Fri 09:00-17:00`.
    hours: Vec<Shift>,
}

/// The working hours of the file.
pub(super) fn hours(
    path: &Path,
    raw: BTreeMap<String, RawPerson>,
) -> Result<BTreeMap<PersonId, Hours>, ConfigError> {
    let person = |(name, raw): (String, RawPerson)| {
        let refuse = |key: &str, message: String| ConfigError::Value {
            path: path.to_owned(),
            key: format!("person.{name}{key}"),
            message,
        };
        if !is_name(&name) {
            return Err(refuse("", "this cannot be a person's name".to_owned()));
        }
        let hours = Hours::new(raw.zone, raw.hours);
        let hours = hours.map_err(|error| refuse(".hours", error.to_string()))?;
        Ok((PersonId::new(name), hours))
    };
    raw.into_iter().map(person).collect()
}

/// The part of each, and the digest of what it says.
pub(super) fn parts(hours: &BTreeMap<PersonId, Hours>) -> impl Iterator<Item = (String, Digest)> + '_ {
    hours.iter().map(|(person, hours)| (person_part(person), hours.digest()))
}
