//! `tyer propose sql FILE`: an agent's way to have a file of statements held as one unit and run from the
//! stored text. Presenting the same text again continues the same hold.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tyer_core::limits::REQUEST_BYTES_MAX;

use super::call::{Authorities, Call, accepted, waiting};
use super::duration;
use super::failure::{Exit, Failure};
use super::plain::one_line;
use super::print::{self, at};
use crate::local::{Answer, Client};
use crate::secret::Secret;

/// How long one request waits at the server.
const ONE_WAIT: Duration = Duration::from_secs(20);
/// The least time between two requests.
const PAUSE: Duration = Duration::from_secs(1);

/// Propose work: it is held as one unit, and runs once people have agreed
///
/// Ends with 0 when it ran, 1 when the database failed it, 3 while people are needed, 4 when it is
/// refused. Presenting the same text again continues the same hold.
#[derive(Debug, Args)]
pub(super) struct Propose {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Sql(Sql),
}

/// Propose a file of SQL to the session's upstream
#[derive(Debug, Args)]
struct Sql {
    /// The file; `-` is standard input
    file: PathBuf,
    /// How long to wait for people, such as 10m
    #[arg(long, value_name = "LENGTH", default_value = "0s", value_parser = duration::parse)]
    wait: Duration,
    /// The session, as `tyer session new` printed it
    #[arg(long, env = "PGUSER", value_name = "SESSION")]
    user: String,
    /// The session's password; better by the environment than by the flag
    #[arg(long, env = "PGPASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    password: String,
    /// The console's address [default: the socket of the data directory]
    #[arg(long, env = "TYER_URL", value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    authorities: Authorities,
}

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Held,
    Ended(Exit),
}

impl Propose {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let What::Sql(proposal) = &self.what;
        proposal.run(call)
    }
}

impl Sql {
    fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let text = read(&self.file)?;
        let client = self.client(call)?;
        let until = Instant::now() + self.wait;
        waiting(async {
            let mut told = None;
            loop {
                let begun = Instant::now();
                let answer = self.present(call, &client, &text, until).await?;
                let stand = stand(&answer);
                if stand != Stand::Held || Instant::now() >= until {
                    return tell(call, answer, stand);
                }
                let hold = at(&answer.body, "/hold");
                if told.as_ref() != Some(&hold) {
                    print::note(one_line(&needs(&answer.body)));
                    told = Some(hold);
                }
                let pause = PAUSE.saturating_sub(begun.elapsed());
                tokio::time::sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
            }
        })?
    }

    async fn present(
        &self,
        call: &Call,
        client: &Client,
        text: &str,
        until: Instant,
    ) -> Result<Answer, Failure> {
        let wait = until.saturating_duration_since(Instant::now()).min(ONE_WAIT);
        let body = json!({ "sql": text, "wait_seconds": wait.as_secs() });
        client.send("POST", "/api/v1/proposals", Some(&body)).await.map_err(|error| {
            if error.is_absent() {
                return call.unreachable(&error);
            }
            // It may have run; presenting it again could run it twice.
            let next = "look whether it ran before presenting it again: `tyer ledger tail`, or ask your controller";
            Failure::told(Exit::Unreachable, "unknown", error.to_string(), next)
        })
    }

    fn client(&self, call: &Call) -> Result<Client, Failure> {
        let client = match &self.url {
            Some(url) => Client::of_address(url, &self.authorities.file).map_err(|error| {
                Failure::usage(error.to_string(), "take TYER_URL from `tyer session new`")
            })?,
            None => Client::of_socket(&call.data),
        };
        Ok(client.with_login(&self.user, Secret::new(self.password.clone())))
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let name = file.display();
    let read = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    let text = read.map_err(|error| Failure::failed(format!("cannot read {name}: {error}"), ""))?;
    if text.len() > REQUEST_BYTES_MAX {
        let message =
            format!("{name} is longer than {REQUEST_BYTES_MAX} bytes, too long to be understood");
        return Err(Failure::failed(message, "split it"));
    }
    Ok(text)
}

/// What an answer says of the proposal.
fn stand(answer: &Answer) -> Stand {
    let word = |pointer: &str| answer.body.pointer(pointer).and_then(Value::as_str);
    let is_held = answer.status == 202
        || word("/error/code") == Some("held")
        || (answer.status == 200 && word("/state") == Some("held"));
    if is_held {
        return Stand::Held;
    }
    if !(200..300).contains(&answer.status) {
        // Not a session; policies, people or the freeze say no; not supported; too many open holds.
        let is_refused = matches!(answer.status, 401 | 403 | 422 | 429);
        return Stand::Ended(if is_refused { Exit::Refused } else { Exit::Failed });
    }
    let outcome = word("/outcome/is").or_else(|| word("/state"));
    Stand::Ended(if outcome == Some("done") { Exit::Done } else { Exit::Failed })
}

fn needs(body: &Value) -> String {
    let first = ["/needs/words", "/needs", "/message", "/error/message"]
        .iter()
        .find_map(|pointer| body.pointer(pointer).and_then(Value::as_str));
    first.unwrap_or("people are needed").to_owned()
}

fn tell(call: &Call, answer: Answer, stand: Stand) -> Result<Exit, Failure> {
    match stand {
        Stand::Held => {
            call.print(&answer, |body| {
                print::line(one_line(&needs(body)))?;
                print::line("present the same text again after approval")
            })?;
            Ok(Exit::Held)
        }
        Stand::Ended(exit) => {
            let answer = accepted(answer).map_err(|failure| match failure {
                Failure::Told { code, message, next, .. } => Failure::told(exit, code, message, next),
                other @ Failure::ReaderGone => other,
            })?;
            call.print(&answer, outcome)?;
            Ok(exit)
        }
    }
}

fn outcome(body: &Value) -> Result<(), Failure> {
    let of = |pointer: &str| at(body, pointer);
    let text = match of("/outcome/is").as_str() {
        "done" => format!("done: {}", of("/outcome/tag")),
        "failed" => {
            format!(
                "the database failed it with {} ({}); nothing of it stays",
                of("/outcome/code"),
                of("/message")
            )
        }
        "misread" => format!(
            "it was understood as a read, and the database refused it as a write with {}; nothing was written",
            of("/outcome/code")
        ),
        "unknown" => format!("nobody knows what came of it: {}", of("/outcome/why")),
        _ => body.to_string(),
    };
    print::line(one_line(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_answers_end() {
        let check = |status: u16, body: Value, expect: Stand| {
            let answer = Answer { status, text: body.to_string(), body };
            assert_eq!(stand(&answer), expect, "{answer:?}");
        };
        check(200, json!({ "outcome": { "is": "done", "tag": "DELETE 3" } }), Stand::Ended(Exit::Done));
        check(
            200,
            json!({ "outcome": { "is": "failed", "code": "42601" } }),
            Stand::Ended(Exit::Failed),
        );
        check(
            200,
            json!({ "outcome": { "is": "unknown", "why": "lost" } }),
            Stand::Ended(Exit::Failed),
        );
        check(200, json!({}), Stand::Ended(Exit::Failed));
        check(202, json!({ "hold": "H-1", "error": { "code": "held" } }), Stand::Held);
        check(403, json!({ "error": { "code": "held" } }), Stand::Held);
        check(403, json!({ "error": { "code": "frozen" } }), Stand::Ended(Exit::Refused));
        check(401, json!({ "error": { "code": "unauthorised" } }), Stand::Ended(Exit::Refused));
        check(503, json!({ "error": { "code": "not_recorded" } }), Stand::Ended(Exit::Failed));
        check(422, json!({ "error": { "code": "unsupported" } }), Stand::Ended(Exit::Refused));
        check(429, json!({ "error": { "code": "too_many" } }), Stand::Ended(Exit::Refused));
        check(400, Value::Null, Stand::Ended(Exit::Failed));
    }
}
