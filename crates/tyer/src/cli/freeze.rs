//! `tyer freeze` and `thaw`: anybody at the data directory can stop all changes; only a passkey lets them
//! go on.

use clap::Args;
use serde_json::json;

use super::call::Call;
use super::failure::{Exit, Failure};
use super::plain::one_line;
use super::print::{self, at};

/// Freeze all changes everywhere, at once
#[derive(Debug, Args)]
pub(super) struct Freeze {
    /// Why, for everybody to read
    #[arg(long, default_value = "")]
    reason: String,
}

/// Print the console's page on which a passkey ends the freeze
#[derive(Debug, Args)]
pub(super) struct Thaw {}

impl Freeze {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let answer = call.post("/api/v1/freeze", &json!({ "reason": self.reason }))?;
        call.print(&answer, |freeze| {
            let (since, by) = (at(freeze, "/since"), at(freeze, "/by"));
            print::line(one_line(&format!(
                "changes are frozen since {since} by {by}: {}",
                at(freeze, "/reason")
            )))?;
            print::line("reads go on; `tyer thaw` says where a person ends the freeze")
        })
    }
}

impl Thaw {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let Self {} = self;
        super::people::page(call, "end the freeze", "/freeze")
    }
}
