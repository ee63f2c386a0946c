//! How a command ends: the exit codes, and errors that say what to do next.

use std::process::ExitCode;

use serde_json::{Value, json};

/// Every way to end; the number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It is done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// It was asked wrongly.
    Usage = 2,
    /// It waits for people.
    Held = 3,
    /// It was refused.
    Refused = 4,
    /// A verification found something.
    Found = 5,
    /// The server cannot be reached.
    Unreachable = 6,
}

/// What `--help` says about the codes.
pub(super) const EXIT_CODES: &str = "Exit codes:
  0  done
  1  failed
  2  wrong usage
  3  held: people are needed
  4  refused
  5  a verification found something
  6  the server cannot be reached";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command does not reach its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nobody reads the output any more, as in `tyer ledger tail | head`; that is no error.
    #[error("nobody reads the output any more")]
    ReaderGone,
    /// Something to tell.
    #[error("{message}")]
    Told {
        /// How the program ends.
        exit: Exit,
        /// A word for programs.
        code: String,
        /// What is wrong.
        message: String,
        /// What to do; empty if there is nothing.
        next: String,
    },
}

impl Failure {
    /// Something failed.
    pub(super) fn failed(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::told(Exit::Failed, "failed", message, next)
    }

    /// The arguments make no sense together.
    pub(super) fn usage(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::told(Exit::Usage, "usage", message, next)
    }

    /// Any ending with something to tell.
    pub(super) fn told(
        exit: Exit,
        code: impl Into<String>,
        message: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self::Told { exit, code: code.into(), message: message.into(), next: next.into() }
    }

    /// How the program ends.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::ReaderGone => Exit::Done,
            Self::Told { exit, .. } => *exit,
        }
    }

    /// The form of the API's errors.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::ReaderGone => {
                json!({ "error": { "code": "reader_gone", "message": self.to_string() } })
            }
            Self::Told { code, message, next, .. } => {
                json!({ "error": { "code": code, "message": message, "next": next } })
            }
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::ReaderGone;
        }
        Self::failed(error.to_string(), "")
    }
}
