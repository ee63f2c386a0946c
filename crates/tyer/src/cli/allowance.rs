//! `tyer allowance`: asked once for many requests of one shape, so that people are not asked each time.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::Reject;
use super::call::{Call, id};
use super::duration;
use super::failure::{Exit, Failure};
use super::holds::card;
use super::print::{self, at};

/// Allowances: asked once for many requests of one shape
#[derive(Debug, Args)]
pub(super) struct Allowance {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Ask(Ask),
    /// List those that are asked for or can be used
    List,
    /// Show what one covers
    Show {
        /// Its short id, such as H-43
        #[arg(value_name = "HOLD", value_parser = id)]
        hold: String,
    },
    /// Revoke one with an SSH key: what is not used yet is asked each time again
    Revoke(Reject),
}

/// Ask people for an allowance for requests like a held one
#[derive(Debug, Args)]
struct Ask {
    /// The held request that stands for all of its shape, such as H-42
    #[arg(value_name = "HOLD", value_parser = id)]
    hold: String,
    /// How many requests at most
    #[arg(long)]
    count: u32,
    /// For how long after the last approval, such as 2h
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse)]
    lasts: Duration,
    /// How many at most within any such time, such as 5/1m
    #[arg(long, value_name = "N/TIME", value_parser = pace)]
    pace: Option<(u32, Duration)>,
    /// For every session of the agent, not only this one
    #[arg(long)]
    whole_agent: bool,
}

impl Allowance {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        match &self.action {
            Action::Ask(ask) => ask.run(call),
            Action::List => call.print(&call.get("/api/v1/allowances")?, table),
            Action::Show { hold } => call.print(&call.get(&format!("/api/v1/holds/{hold}"))?, |hold| {
                is_allowance(hold)?;
                card(hold)
            }),
            Action::Revoke(reject) => {
                let hold = call.get(&format!("/api/v1/holds/{}", reject.hold()))?;
                is_allowance(&hold.body)?;
                reject.run(call)
            }
        }
    }
}

impl Ask {
    fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let pace = self.pace.map(|(uses, time)| json!({ "uses": uses, "seconds": time.as_secs() }));
        let body = json!({
            "count": self.count,
            "lasts_seconds": self.lasts.as_secs(),
            "pace": pace,
            "whole_agent": self.whole_agent,
        });
        let answer = call.post(&format!("/api/v1/holds/{}/allowance", self.hold), &body)?;
        call.print(&answer, |asked| {
            card(asked)?;
            print::line(format!("answer     {}", call.page(&format!("/holds/{}", at(asked, "/hold")))?))
        })
    }
}

fn is_allowance(hold: &Value) -> Result<(), Failure> {
    if hold.get("allowance").is_some_and(Value::is_object) {
        return Ok(());
    }
    let next = "see `tyer allowance list`, or `tyer show` for a hold of one request";
    Err(Failure::failed(format!("{} is no allowance", at(hold, "/hold")), next))
}

fn table(answer: &Value) -> Result<(), Failure> {
    let row = |hold: &Value| {
        let columns = [
            "/hold",
            "/state",
            "/agent",
            "/controller",
            "/upstream",
            "/allowance/left",
            "/allowance/count",
            "/ends",
            "/allowance/shape",
        ];
        columns.iter().map(|column| at(hold, column)).collect()
    };
    let rows: Vec<Vec<String>> = print::list(answer, "allowances").iter().map(row).collect();
    if rows.is_empty() {
        print::note("there is no allowance");
        return Ok(());
    }
    let columns = ["HOLD", "STATE", "AGENT", "FOR", "UPSTREAM", "LEFT", "OF", "ENDS", "SHAPE"];
    print::table(&columns, &rows)
}

/// Reads `5/1m`.
fn pace(text: &str) -> Result<(u32, Duration), String> {
    let unknown = || format!("`{text}` is no pace; write a number and a time, such as 5/1m");
    let (uses, time) = text.split_once('/').ok_or_else(unknown)?;
    Ok((uses.parse().map_err(|_| unknown())?, duration::parse(time)?))
}
