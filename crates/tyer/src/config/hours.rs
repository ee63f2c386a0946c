//! People's working hours, which policies can ask for as `context.approvals.on_hours`, and their roles: the
//! `[person.NAME]` sections.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use tyer_core::freeze::Zone;
use tyer_core::hours::{Hours, Shift, person_part};
use tyer_core::intent::{Digest, PersonId};
use tyer_core::roles::{Role, role_part};

use super::ConfigError;
use crate::gateway::people::is_name;

/// When a person works and what they may decide, as the file says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPerson {
    /// On whose clocks.
    zone: Option<Zone>,
    /// When, such as `Mon-Fri 09:00-17:00`.
    hours: Option<Vec<Shift>>,
    /// What they may decide.
    pub(super) role: Option<Role>,
}

/// The working hours of the file.
pub(super) fn hours(
    path: &Path,
    raw: &BTreeMap<String, RawPerson>,
) -> Result<BTreeMap<PersonId, Hours>, ConfigError> {
    let person = |(name, raw): (&String, &RawPerson)| {
        let refuse = |key: &str, message: String| ConfigError::Value {
            path: path.to_owned(),
            key: format!("person.{name}{key}"),
            message,
        };
        if !is_name(name) {
            return Err(refuse("", "this cannot be a person's name".to_owned()));
        }
        let hours = match (raw.zone.clone(), raw.hours.clone()) {
            (None, None) => return Ok(None),
            (Some(zone), Some(hours)) => Hours::new(zone, hours),
            _ => return Err(refuse("", "`zone` and `hours` stand together".to_owned())),
        };
        let hours = hours.map_err(|error| refuse(".hours", error.to_string()))?;
        Ok(Some((PersonId::new(name.clone()), hours)))
    };
    raw.iter().filter_map(|it| person(it).transpose()).collect()
}

/// The roles of the file.
pub(super) fn roles(raw: &BTreeMap<String, RawPerson>) -> BTreeMap<PersonId, Role> {
    raw.iter().filter_map(|(name, raw)| Some((PersonId::new(name.clone()), raw.role?))).collect()
}

/// The parts of each, and the digests of what they say.
pub(super) fn parts(
    hours: &BTreeMap<PersonId, Hours>,
    roles: &BTreeMap<PersonId, Role>,
) -> impl Iterator<Item = (String, Digest)> {
    let hours = hours.iter().map(|(person, hours)| (person_part(person), hours.digest()));
    let roles = roles.iter().map(|(person, role)| (role_part(person), role.digest()));
    hours.chain(roles)
}
