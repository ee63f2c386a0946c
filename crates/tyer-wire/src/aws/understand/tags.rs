//! Tags that say where something stands.

use serde_json::Value;
use tyer_core::intent::{Act, Effect, Reversibility};

use super::Terms;
use super::acts::object;
use super::class::{behind_verb, verb_of};
use super::subject::{Asked, Subject};
use crate::aws::table::Level;
use crate::line::one_line;

/// How many characters of a key stand in words.
const KEY_CHARS_MAX: usize = 80;

/// What changing these tags weakens: an environment is told by some of them.
pub(super) fn disarms(asked: Asked<'_>, terms: &Terms<'_>, subjects: &[Subject]) -> Vec<Act> {
    let name = asked.operation.name();
    let is_tagging = asked.operation.level() == Some(Level::Tagging)
        || matches!(verb_of(name), Some("Tag" | "Untag"))
        || behind_verb(name).starts_with("Tags") && verb_of(name) != Some("List");
    if !is_tagging {
        return Vec::new();
    }
    // One that gives all tags anew takes those away that it does not name.
    let is_all = name.ends_with("Tagging") && name.starts_with("Put")
        || name.ends_with("Tagging") && name.starts_with("Delete");
    let mut keys = Vec::new();
    collect(&asked.decoded.parameters, false, &mut keys);
    let told = keys.iter().find(|key| says_where(key, terms.environment_tags));
    let why = match (told, is_all) {
        (Some(key), _) => {
            let key: String = one_line(key).chars().take(KEY_CHARS_MAX).collect();
            format!("changes the tag {key}, which says where it stands ({})", asked.decoded.name())
        }
        (None, true) => {
            format!(
                "sets or removes every tag, also those that say where it stands ({})",
                asked.decoded.name()
            )
        }
        (None, false) => return Vec::new(),
    };
    let act = |subject: &Subject| Act {
        effect: Effect::Disarm,
        resource: object(&subject.arn),
        reversibility: Reversibility::Reversible,
        local: false,
        why: why.clone(),
        tie: None,
    };
    subjects.iter().take(SUBJECTS_MAX).map(act).collect()
}

/// As many resources as acts are made of; the gravity of the rest is the same.
const SUBJECTS_MAX: usize = 50;

/// Whether a key, or what stands last in it, is one of those, whatever its case.
#[must_use]
pub fn says_where(key: &str, those: &[String]) -> bool {
    let key = key.trim();
    let last = key.rsplit([':', '/', '.', '-', '_']).next().unwrap_or(key);
    those.iter().any(|it| key.eq_ignore_ascii_case(it) || last.eq_ignore_ascii_case(it))
}

/// The keys of tags, however an operation writes them: as a list of keys, a list of pairs, or a map.
fn collect(value: &Value, is_below: bool, keys: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                let lower = name.to_ascii_lowercase();
                let is_key = matches!(lower.as_str(), "key" | "tagkey");
                match inner {
                    Value::String(key) if is_below && is_key => keys.push(key.clone()),
                    _ if is_below
                        && !matches!(lower.as_str(), "value" | "tagvalue")
                        && inner.is_string() =>
                    {
                        keys.push(name.clone());
                    }
                    _ => collect(inner, is_below || lower.contains("tag"), keys),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::String(key) if is_below => keys.push(key.clone()),
                    _ => collect(item, is_below, keys),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
