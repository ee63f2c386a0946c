//! The calendar of freezes: the `[[freeze]]` tables of the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tyer_core::freeze::{Calendar, Entry, LocalTime, Scope, Window, Zone};
use tyer_core::intent::{Digest, Environment, Upstream};
use tyer_core::limits::{COMMENT_CHARS_MAX, NAME_CHARS_MAX};

use super::{ConfigError, UpstreamConfig, part_digest};

/// The calendar's part of the configuration.
pub(crate) const PART: &str = "freezes";

/// One entry as it is written: either `from` and `until`, or `every`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFreeze {
    name: String,
    reason: String,
    environment: Option<String>,
    upstream: Option<String>,
    zone: Zone,
    from: Option<LocalTime>,
    until: Option<LocalTime>,
    #[serde(default)]
    every: Vec<Window>,
}

/// The digest of a calendar without freezes.
pub(crate) fn no_freezes() -> Digest {
    part_digest::<[RawFreeze; 0]>(&[])
}

/// The calendar of the file, before these upstreams.
pub(super) fn calendar(
    path: &Path,
    raw: Vec<RawFreeze>,
    upstreams: &BTreeMap<Upstream, UpstreamConfig>,
) -> Result<Calendar, ConfigError> {
    let (mut names, mut entries) = (BTreeSet::new(), Vec::new());
    for raw in raw {
        let name = raw.name.clone();
        let refuse = |(key, message): (&str, String)| ConfigError::Value {
            path: path.to_owned(),
            key: format!("freeze.{name}.{key}"),
            message,
        };
        if !names.insert(name.clone()) {
            return Err(refuse(("name", "another freeze has this name".to_owned())));
        }
        entries.push(entry(raw, upstreams).map_err(refuse)?);
    }
    Ok(Calendar::new(entries))
}

/// The entry, or the key that is wrong and why.
fn entry(
    raw: RawFreeze,
    upstreams: &BTreeMap<Upstream, UpstreamConfig>,
) -> Result<Entry, (&'static str, String)> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if raw.name.is_empty() || raw.name.len() > NAME_CHARS_MAX || !raw.name.chars().all(plain) {
        return Err(("name", "names are letters, digits, `-` and `_`".to_owned()));
    }
    let length = raw.reason.chars().count();
    if raw.reason.trim().is_empty() || length > COMMENT_CHARS_MAX {
        return Err(("reason", format!("say why, in at most {COMMENT_CHARS_MAX} characters")));
    }
    let scope = scope(raw.environment, raw.upstream, upstreams)?;
    let windows = match (raw.from, raw.until, raw.every) {
        (Some(from), Some(until), every) if every.is_empty() => {
            let window = Window::once(from, until);
            vec![window.ok_or_else(|| ("until", "it does not come after `from`".to_owned()))?]
        }
        (None, None, every) if !every.is_empty() => every,
        _ => return Err(("every", "give either `from` and `until`, or `every`".to_owned())),
    };
    Ok(Entry { name: raw.name, reason: raw.reason, scope, zone: raw.zone, windows })
}

/// What a freeze of these names covers, or the name that nothing has.
pub(crate) fn scope(
    environment: Option<String>,
    upstream: Option<String>,
    upstreams: &BTreeMap<Upstream, UpstreamConfig>,
) -> Result<Scope, (&'static str, String)> {
    match (environment, upstream) {
        (None, None) => Ok(Scope::Everything),
        (Some(_), Some(_)) => {
            Err(("upstream", "give an environment or an upstream, not both".to_owned()))
        }
        (Some(environment), None) => {
            let scope = Scope::Environment(Environment::new(environment.clone()));
            let is_covered = |up: &UpstreamConfig| {
                up.environments().any(|environment| scope.covers(environment, &up.name))
            };
            if upstreams.values().any(is_covered) {
                Ok(scope)
            } else {
                Err(("environment", format!("no upstream stands in `{environment}`")))
            }
        }
        (None, Some(upstream)) => {
            let upstream = Upstream::new(upstream);
            if upstreams.contains_key(&upstream) {
                Ok(Scope::Upstream(upstream))
            } else {
                Err(("upstream", format!("there is no upstream `{upstream}`")))
            }
        }
    }
}
