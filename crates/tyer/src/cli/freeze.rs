//! `tyer freeze` and `thaw`: anybody at the data directory can stop changes; only passkeys let them go on.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::{Exit, Failure};
use super::plain::one_line;
use super::print::{self, at};

/// Freeze changes at once: everywhere, or as far as is said
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Freeze {
    #[command(subcommand)]
    action: Option<Action>,
    /// Why, for everybody to read
    #[arg(long, default_value = "")]
    reason: String,
    /// Only what stands there
    #[arg(long, conflicts_with = "upstream")]
    environment: Option<String>,
    /// Only this upstream
    #[arg(long)]
    upstream: Option<String>,
    /// Until then, such as 2026-12-20T18:00; until people end it if left out
    #[arg(long)]
    until: Option<String>,
    /// The time zone of `--until`
    #[arg(long, default_value = "UTC", value_name = "NAME")]
    zone: String,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the freezes that hold, and those that will within seven days
    List,
}

/// Print the console's page on which passkeys end a freeze
#[derive(Debug, Args)]
pub(super) struct Thaw {
    /// Which, such as F-1
    freeze: Option<String>,
}

impl Freeze {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        if let Some(Action::List) = self.action {
            return call.print(&call.get("/api/v1/freezes")?, table);
        }
        let body = json!({
            "reason": self.reason,
            "environment": self.environment,
            "upstream": self.upstream,
            "until": self.until,
            "zone": self.zone,
        });
        let answer = call.post("/api/v1/freeze", &body)?;
        call.print(&answer, |freeze| {
            let [id, covers, since, by, reason] =
                ["/freeze", "/covers", "/since", "/by", "/reason"].map(|key| at(freeze, key));
            let until = match freeze["until_local"].as_str() {
                Some(until) => format!("until {until}"),
                None => "until people end it".to_owned(),
            };
            print::line(one_line(&format!(
                "{id}: changes to {covers} are frozen since {since} by {by}, {until}: {reason}"
            )))?;
            print::line(one_line(&format!(
                "reads go on; `tyer thaw {id}` says where people end it early"
            )))
        })
    }
}

fn table(answer: &Value) -> Result<(), Failure> {
    let row = |freeze: &Value| {
        let columns =
            ["/freeze", "/holds", "/covers", "/since", "/until_local", "/by", "/signed_by", "/reason"];
        columns.iter().map(|column| at(freeze, column)).collect()
    };
    let rows: Vec<Vec<String>> = print::list(answer, "freezes").iter().map(row).collect();
    print::table(
        &["FREEZE", "HOLDS", "COVERS", "SINCE", "UNTIL", "BY", "END SIGNED BY", "REASON"],
        &rows,
    )
}

impl Thaw {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let what = match &self.freeze {
            Some(freeze) => format!("end {freeze} early, together with a second one"),
            None => "end a freeze early, together with a second one".to_owned(),
        };
        super::people::page(call, &what, "/freezes")
    }
}
