//! What people left beside a hold, as outsiders see it and ask for it.

use serde::{Deserialize, Serialize};
use tyer_core::hold::Note;

use super::Moment;
use crate::gateway::beside::Later;

/// Words that somebody left.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NoteBody {
    /// A person, or `operator`.
    pub(crate) by: String,
    pub(crate) at: Moment,
    pub(crate) text: String,
    /// To whom the hold was handed over with them.
    pub(crate) to: Vec<String>,
}

impl NoteBody {
    pub(crate) fn of(note: &Note) -> Self {
        Self {
            by: note.by.clone(),
            at: Moment(note.at),
            text: note.text.clone(),
            to: note.to.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Who looks at a hold again, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LaterBody {
    pub(crate) by: String,
    pub(crate) until: Moment,
}

/// A note to leave.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoteRequestBody {
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) to: Vec<String>,
}

/// When to look again.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LaterRequestBody {
    /// `09:00`, `2026-12-20T18:00` or `now`.
    at: String,
    /// `UTC` unless it is said.
    zone: Option<String>,
    #[serde(default)]
    note: String,
}

impl From<LaterRequestBody> for Later {
    fn from(body: LaterRequestBody) -> Self {
        let zone = body.zone.unwrap_or_else(|| "UTC".to_owned());
        Self { at: body.at.trim().to_owned(), zone, note: body.note }
    }
}
