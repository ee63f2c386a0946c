//! `tyer kill`: ends sessions at once, and says what was seen of their end and what was not.

use clap::Args;
use serde_json::{Value, json};

use super::call::{Call, id};
use super::failure::{Exit, Failure};
use super::plain::one_line;
use super::print::{self, at};

/// Kill a session, all of an agent, all of an upstream, or everything; ends with 5 if something was not seen to end
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Kill {
    /// This session
    #[arg(value_parser = id)]
    session: Option<String>,
    /// Every session of this agent
    #[arg(long)]
    agent: Option<String>,
    /// Every session at this upstream
    #[arg(long)]
    upstream: Option<String>,
    /// Every session
    #[arg(long)]
    everything: bool,
}

impl Kill {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let body = match self {
            Self { session: Some(session), .. } => json!({ "session": session }),
            Self { agent: Some(agent), .. } => json!({ "agent": agent }),
            Self { upstream: Some(upstream), .. } => json!({ "upstream": upstream }),
            Self { everything, .. } => json!({ "everything": everything }),
        };
        let answer = call.post("/api/v1/kill", &body)?;
        call.print(&answer, told)?;
        let all = print::list(&answer.body, "not_seen").is_empty();
        Ok(if all { Exit::Done } else { Exit::Found })
    }
}

fn told(kill: &Value) -> Result<(), Failure> {
    for killed in print::list(kill, "sessions") {
        let [session, agent, open, closed] =
            ["/session", "/agent", "/open", "/closed"].map(|key| at(killed, key));
        print::line(one_line(&format!(
            "{session} of {agent}: {closed} of {open} connections were seen to close; credentials refused: {}",
            at(killed, "/refused")
        )))?;
    }
    print::line(one_line(&format!("held requests taken back: {}", at(kill, "/holds"))))?;
    print::line(format!("leaves under way whose outcome was seen: {}", at(kill, "/seen")))?;
    for words in print::list(kill, "not_seen") {
        print::line(one_line(&format!("not seen: {}", words.as_str().unwrap_or_default())))?;
    }
    Ok(())
}
