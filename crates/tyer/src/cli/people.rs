//! `tyer people`: who there is. Inviting and confirming are signed with a passkey, so they are done in the
//! console; here they only say where.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::call::{Call, id};
use super::failure::{Exit, Failure};
use super::print::{self, at};

/// People: who there is, and where to invite or confirm somebody
#[derive(Debug, Args)]
pub(super) struct People {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List everybody, and whether their word counts
    List,
    /// Print the console's page on which a passkey invites somebody
    Invite {
        /// Who
        #[arg(value_parser = id)]
        name: String,
    },
    /// Print the console's page on which a passkey confirms somebody whom another person invited
    Confirm {
        /// Who
        #[arg(value_parser = id)]
        name: String,
    },
}

impl People {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        match &self.action {
            Action::List => call.print(&call.get("/api/v1/people")?, table),
            Action::Invite { name } => page(call, &format!("invite {name}"), "/people"),
            Action::Confirm { name } => page(call, &format!("confirm {name}"), "/people"),
        }
    }
}

/// Says on which page of the console a passkey does something.
pub(super) fn page(call: &Call, what: &str, path: &str) -> Result<Exit, Failure> {
    let page = call.page(path)?;
    if call.json {
        print::json(&json!({ "page": page }))?;
    } else {
        print::note(format!(
            "only a person with a passkey can {what}; do it on this page of the console:"
        ));
        print::line(page)?;
    }
    Ok(Exit::Done)
}

fn table(answer: &Value) -> Result<(), Failure> {
    let row = |person: &Value| {
        let columns = [
            "/name",
            "/counts",
            "/waiting_for",
            "/founder",
            "/invited_by",
            "/confirmed_by",
            "/passkeys",
        ];
        let mut row: Vec<String> = columns.iter().map(|column| at(person, column)).collect();
        let keys = print::list(person, "ssh_keys");
        row.push(keys.iter().filter(|key| at(key, "/counts") == "yes").count().to_string());
        row
    };
    let rows: Vec<Vec<String>> = print::list(answer, "people").iter().map(row).collect();
    let headings = [
        "NAME",
        "COUNTS",
        "WAITS FOR",
        "FOUNDER",
        "INVITED BY",
        "CONFIRMED BY",
        "PASSKEYS",
        "SSH KEYS",
    ];
    print::table(&headings, &rows)
}
