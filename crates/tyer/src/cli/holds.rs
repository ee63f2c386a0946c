//! `tyer holds list` and `tyer show`: what waits for people, and the whole card of one hold.

mod facts;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::call::{Call, id};
use super::failure::{Exit, Failure};
use super::plain::{block, one_line};
use super::print::{self, at};

/// Holds: requests that wait for people
#[derive(Debug, Args)]
pub(super) struct Holds {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the holds that can still be answered or used, the gravest first
    List {
        /// Also those that are over, the newest first
        #[arg(long)]
        all: bool,
        /// Only those that are over and older than this one
        #[arg(long, value_name = "HOLD", value_parser = id, requires = "all")]
        before: Option<String>,
    },
    /// Leave a note beside a hold, and hand it over to people; it changes nothing about who counts
    Note {
        /// Its short id, such as H-42
        #[arg(value_parser = id)]
        hold: String,
        /// The words
        #[arg(long, value_name = "TEXT")]
        note: String,
        /// Whom to hand it over to, such as bob,dan
        #[arg(long, value_name = "PEOPLE", value_delimiter = ',')]
        to: Vec<String>,
    },
    /// Look at a hold again later: it moves below in your list alone, and lives no longer for it
    Later {
        /// Its short id, such as H-42
        #[arg(value_parser = id)]
        hold: String,
        /// When: 09:00 is the next one, 2026-12-20T18:00 a day and a time, `now` takes it back
        #[arg(long, value_name = "TIME")]
        at: String,
        /// The time zone of `--at`
        #[arg(long, default_value = "UTC", value_name = "NAME")]
        zone: String,
        /// Words to leave beside it
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
    },
    /// List what became of holds and those who control them have not seen yet
    Answered {
        /// Only what this person has not seen
        #[arg(long = "for", value_name = "PERSON", value_parser = id)]
        person: Option<String>,
    },
}

/// Show the whole card of a hold
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Its short id, such as H-42
    #[arg(value_name = "HOLD", value_parser = id)]
    hold: String,
}

impl Holds {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let (all, before) = match &self.action {
            Action::List { all, before } => (all, before),
            Action::Note { hold, note, to } => {
                let path = format!("/api/v1/holds/{hold}/notes");
                let answer = call.post(&path, &json!({ "text": note, "to": to }))?;
                return call.print(&answer, |_| print::line(format!("left beside {hold}")));
            }
            Action::Later { hold, at: time, zone, note } => {
                let path = format!("/api/v1/holds/{hold}/later");
                let body = json!({ "at": time, "zone": zone, "note": note });
                return call.print(&call.post(&path, &body)?, |later| {
                    match at(later, "/until").as_str() {
                        "-" => print::line(format!("{hold} is back")),
                        until => print::line(format!("{hold} stands under later until {until}")),
                    }
                });
            }
            Action::Answered { person } => {
                let whose = person.as_ref().map(|person| format!("?person={person}"));
                let path = format!("/api/v1/answers{}", whose.unwrap_or_default());
                return call.print(&call.get(&path)?, answered);
            }
        };
        let state = if *all { "all" } else { "open" };
        let before = before.as_ref().map(|hold| format!("&before={hold}")).unwrap_or_default();
        call.print(&call.get(&format!("/api/v1/holds?state={state}{before}"))?, table)
    }
}

impl Show {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let answer = call.get(&format!("/api/v1/holds/{}", self.hold))?;
        call.print(&answer, |hold| {
            card(hold)?;
            if matches!(at(hold, "/state").as_str(), "open" | "approved" | "active") {
                print::line(format!("answer     {}", call.page(&format!("/holds/{}", self.hold))?))?;
            }
            Ok(())
        })
    }
}

/// One line for each, and who has not seen it.
fn answered(answer: &Value) -> Result<(), Failure> {
    let all = print::list(answer, "answers");
    if all.is_empty() {
        print::note("everything that people answered has been seen");
    }
    for it in all {
        let [hold, agent, session, words, whom] =
            ["/hold", "/agent", "/session", "/words", "/unseen_by"].map(|key| at(it, key));
        print::line(one_line(&format!("{hold} of {agent} ({session}), for {whom}: {words}")))?;
    }
    Ok(())
}

pub(super) fn table(answer: &Value) -> Result<(), Failure> {
    let row = |hold: &Value| {
        let columns = [
            "/hold",
            "/state",
            "/effect",
            "/agent",
            "/controller",
            "/upstream",
            "/ends",
            "/what/0",
            "/fate",
        ];
        let mut row: Vec<String> = columns.iter().map(|column| at(hold, column)).collect();
        if hold.get("put_off").is_some_and(Value::is_string)
            && let Some(state) = row.get_mut(1)
        {
            state.push_str(", later");
        }
        row
    };
    let rows: Vec<Vec<String>> = print::list(answer, "holds").iter().map(row).collect();
    if rows.is_empty() {
        print::note("nothing waits for people");
        return Ok(());
    }
    let headings =
        ["HOLD", "STATE", "WORST", "AGENT", "FOR", "UPSTREAM", "ENDS", "WHAT", "WHAT BECAME OF IT"];
    print::table(&headings, &rows)?;
    if answer.pointer("/older").is_some() {
        let older = at(answer, "/older");
        print::note(format!("older ones: tyer holds list --all --before {older}"));
    }
    Ok(())
}

/// The card in the order of the console's.
pub(super) fn card(hold: &Value) -> Result<(), Failure> {
    let say = |label: &str, text: &str| print::line(format!("{label:<10} {}", one_line(text)));
    let of = |pointer: &str| at(hold, pointer);
    say("hold", &format!("{} ({})", of("/hold"), of("/state")))?;
    let asker = if hold.pointer("/human") == Some(&Value::Bool(true)) { "human" } else { "agent" };
    let also: String =
        print::list(hold, "also").iter().map(|also| format!(" and {}", at(also, ""))).collect();
    let (agent, controller) = (of("/agent"), of("/controller"));
    say("who", &format!("{asker} {agent} for {controller}{also}, session {}", of("/session")))?;
    if hold.get("pace").is_some_and(Value::is_string) {
        say("pace", &of("/pace"))?;
    }
    say("where", &format!("{} ({})", of("/upstream"), of("/environment")))?;
    say("purpose", &of("/purpose"))?;
    allowance(hold)?;
    for act in print::list(hold, "acts") {
        let (effect, resource) = (at(act, "/effect"), at(act, "/resource"));
        say(
            "would",
            &format!("{effect} {resource}, {}: {}", at(act, "/reversibility"), at(act, "/why")),
        )?;
    }
    for name in hold.pointer("/facts/names").and_then(Value::as_array).into_iter().flatten() {
        say("name", name.as_str().unwrap_or_default())?;
    }
    for (label, text) in hold.get("facts").map(facts::lines).unwrap_or_default() {
        say(label, &text)?;
    }
    for (label, list) in [("differs", "differences"), ("comes to", "sequences")] {
        said(hold, label, list)?;
    }
    if hold.pointer("/facts/risk").is_some_and(Value::is_string) {
        say("risk", &of("/facts/risk"))?;
    }
    for (label, list) in [("unknown", "unknown"), ("at most", "ceilings")] {
        said(hold, label, list)?;
    }
    say("needs", &of("/needs/words"))?;
    if hold.pointer("/still/words").is_some() {
        say("still can", &of("/still/words"))?;
    }
    say("policies", &of("/policies"))?;
    for approval in print::list(hold, "approvals") {
        let (who, standing) = (at(approval, "/person"), at(approval, "/standing"));
        let (by, moment) = (at(approval, "/signed_by"), at(approval, "/at"));
        say(
            "approved",
            &format!("{who} ({standing}) by {by} at {moment}: {}", at(approval, "/comment")),
        )?;
    }
    for (label, text) in beside(hold) {
        say(label, &text)?;
    }
    if hold.pointer("/fate").is_some_and(Value::is_string) {
        say("outcome", &of("/fate"))?;
    }
    say("opened", &of("/opened"))?;
    if hold.pointer("/needs/waited").and_then(Value::as_u64).is_some_and(|waited| waited > 0) {
        say("not before", &of("/not_before"))?;
    }
    say("ends", &of("/ends"))?;
    say("request", &of("/request_digest"))?;
    print::line("the request, exactly:")?;
    for text in block(&of("/text")).lines() {
        print::line(format!("  | {text}"))?;
    }
    Ok(())
}

/// A list of facts in words.
fn said(hold: &Value, label: &str, list: &str) -> Result<(), Failure> {
    let all = hold.pointer(&format!("/facts/{list}")).and_then(Value::as_array);
    for text in all.into_iter().flatten() {
        print::line(format!("{label:<10} {}", one_line(text.as_str().unwrap_or_default())))?;
    }
    Ok(())
}

/// What it covers beyond one request.
fn allowance(hold: &Value) -> Result<(), Failure> {
    for covers in hold.pointer("/allowance/covers").and_then(Value::as_array).into_iter().flatten() {
        print::line(format!("covers     {}", one_line(covers.as_str().unwrap_or_default())))?;
    }
    if hold.pointer("/allowance/until").is_some_and(Value::is_string) {
        let (left, count) = (at(hold, "/allowance/left"), at(hold, "/allowance/count"));
        print::line(format!("left       {left} of {count}, until {}", at(hold, "/allowance/until")))?;
    }
    Ok(())
}

/// What people left beside a hold.
fn beside(hold: &Value) -> Vec<(&'static str, String)> {
    let note = |note: &Value| {
        let [by, moment, text] = ["/by", "/at", "/text"].map(|key| at(note, key));
        let to = match at(note, "/to").as_str() {
            "-" => String::new(),
            to => format!(", hands it over to {to}"),
        };
        ("note", format!("{by} at {moment}{to}: {text}"))
    };
    let again = |later: &Value| {
        ("later", format!("{} looks again at {}", at(later, "/by"), at(later, "/until")))
    };
    let notes = print::list(hold, "notes").iter().map(note);
    notes.chain(print::list(hold, "later").iter().map(again)).collect()
}
