//! What an operation does, whatever its parameters, and what says so.

use tyer_core::intent::{Effect, Reversibility};

use super::rules::{RULES, Said, usual};
use crate::aws::table::{Level, Operation, Trait};

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// Its effect; parameters may make it graver.
    pub effect: Effect,
    /// Whether that can be taken back.
    pub reversibility: Reversibility,
    /// What says so.
    pub evidence: Evidence,
    /// In words, as `deletes`.
    pub words: &'static str,
}

/// What an effect is known from, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// It is written in `aws-effects.tsv`, with a reason.
    Written,
    /// The level of access that is published for it; within writing, its verb.
    Level,
    /// The model, which says that it reads.
    Model,
    /// Its verb alone.
    Verb,
    /// Nothing.
    Nothing,
}

impl Evidence {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written down with a reason",
            Self::Level => "published level of access",
            Self::Model => "read-only by the model",
            Self::Verb => "verb alone",
            Self::Nothing => "nothing",
        }
    }
}

/// What the operation does.
#[must_use]
pub fn class(operation: Operation) -> Class {
    let verb = verb_of(operation.name()).and_then(|verb| RULES.verb(verb));
    let said = |said: Said, evidence| Class {
        effect: said.effect,
        reversibility: said.reversibility,
        evidence,
        words: said.words,
    };
    let plain =
        |effect, evidence, words| Class { effect, reversibility: usual(effect), evidence, words };
    if let Some(it) = RULES.is(operation) {
        return said(it, Evidence::Written);
    }
    let unknown = plain(Effect::Opaque, Evidence::Nothing, "does what nothing published tells to");
    match (operation.level(), verb) {
        (Some(Level::List | Level::Read), _) => plain(Effect::Read, Evidence::Level, "looks at"),
        (Some(Level::Tagging), _) => plain(Effect::Change, Evidence::Level, "changes"),
        (Some(Level::Permissions), _) => {
            plain(Effect::Grant, Evidence::Level, "changes who may use, or what may be done by,")
        }
        (Some(Level::Write), Some(it)) if it.effect == Effect::Read => {
            plain(Effect::Change, Evidence::Level, "is published as writing to")
        }
        (Some(Level::Write), Some(it)) => said(it, Evidence::Level),
        (None, _) if hands_out(operation.name()) => {
            plain(Effect::Grant, Evidence::Verb, "may hand out secrets of")
        }
        (None, _) if operation.is(Trait::ReadOnly) => plain(Effect::Read, Evidence::Model, "looks at"),
        (None, Some(it)) => said(it, Evidence::Verb),
        (Some(Level::Write) | None, None) => unknown,
    }
}

/// Whether the name says that a secret comes back.
pub(super) fn hands_out(name: &str) -> bool {
    const ENDS: [&str; 10] = [
        "Credentials",
        "Credential",
        "Token",
        "Password",
        "SecretValue",
        "Secret",
        "PresignedUrl",
        "PresignedURL",
        "EmbedUrl",
        "PrivateKey",
    ];
    let is_given =
        ["Get", "BatchGet", "Create", "Generate", "Export"].iter().any(|it| name.starts_with(it));
    is_given && ENDS.iter().any(|end| name.ends_with(end))
}

/// What its name begins with, without what says only how many or by whom.
pub(super) fn verb_of(name: &str) -> Option<&str> {
    let verb = word(name)?;
    match verb {
        "Batch" | "Admin" | "Bulk" | "Transact" | "Global" => name.get(verb.len()..).and_then(word),
        _ => Some(verb),
    }
}

/// What stands behind the verb.
pub(super) fn behind_verb(name: &str) -> &str {
    let verb = verb_of(name).unwrap_or_default();
    let at = name.find(verb).map_or(0, |at| at + verb.len());
    name.get(at..).unwrap_or_default()
}

/// The first word of a name in which every word begins with a capital.
fn word(name: &str) -> Option<&str> {
    let mut letters = name.char_indices().skip(1);
    let end = letters.find(|(_, c)| !(c.is_ascii_lowercase() || c.is_ascii_digit()));
    let word = name.get(..end.map_or(name.len(), |(at, _)| at))?;
    (!word.is_empty()).then_some(word)
}
