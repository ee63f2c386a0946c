//! `tyer understand`: what requests would do, without a data directory, an upstream or a server.

mod stream;

use std::io::Read as _;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::Value;
use tyer_core::intent::{Act, Acts};
use tyer_core::limits::REQUEST_BYTES_MAX;
use tyer_core::locks::{Blocks, Work};
use tyer_wire::aws;
use tyer_wire::aws::resources::Owner;
use tyer_wire::aws::understand::{ENVIRONMENT_TAGS, Terms};
use tyer_wire::postgres::understand::{Lock, understand};

use super::call::Call;
use super::failure::{Exit, Failure};
use super::plain::one_line;
use super::print;

/// Explain what requests would do, without connecting to anything
///
/// Reads one request on standard input. With --jsonl it reads {"id": ..., "request": "..."} a line and
/// writes {"id", "effects": [{"effect", "resource", "reversibility", "why"}], "worst"} for each, in order,
/// as they come. Requests to AWS are `service:Operation {parameters as JSON}`, one line of
/// `METHOD URL | Header: value | body`, or a whole HTTP request. What keeps others waiting has "locks": [{"on", "mode", "blocks", "work"}] too. A line that is not such JSON gets "id": null, an "error" and the worst "opaque", and the
/// exit code is 1 at the end.
#[derive(Debug, Args)]
pub(super) struct Understand {
    /// The protocol of the requests
    #[arg(value_enum)]
    protocol: Protocol,
    /// One JSON request a line
    #[arg(long)]
    jsonl: bool,
    /// The account that requests to AWS are for
    #[arg(long, default_value = "*", value_name = "ID")]
    account: String,
    /// The region of requests to AWS that name none
    #[arg(long, default_value = "us-east-1", value_name = "REGION")]
    region: String,
}

/// What is understood.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Protocol {
    /// PostgreSQL's SQL
    Sql,
    /// Requests to the AWS API
    Aws,
}

impl Understand {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        if self.jsonl {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            let (input, output) = (&mut std::io::stdin(), &mut std::io::stdout());
            let ended = stream::explain_lines(self, input, output, threads)?;
            return Ok(if ended.any_malformed { Exit::Failed } else { Exit::Done });
        }
        let mut request = Vec::new();
        // One byte beyond the limit is enough to see that it is exceeded.
        let limit = u64::try_from(REQUEST_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        std::io::stdin().take(limit).read_to_end(&mut request)?;
        let explained = self.explain(&request);
        if call.json {
            print::json(&explained.line(&Value::Null))?;
        } else {
            tell(&explained)?;
        }
        Ok(Exit::Done)
    }

    /// Explains one request, whatever it is.
    fn explain(&self, request: &[u8]) -> Explained {
        match std::str::from_utf8(request) {
            _ if request.len() > REQUEST_BYTES_MAX => opaque("is longer than what is understood"),
            Ok(text) => match self.protocol {
                Protocol::Sql => {
                    let understood = understand(text);
                    Explained { acts: understood.acts, locks: understood.locks }
                }
                Protocol::Aws => self.explain_aws(text),
            },
            Err(_) => opaque("is not UTF-8"),
        }
    }

    fn explain_aws(&self, text: &str) -> Explained {
        let decoded = match aws::written::read(text, &self.region) {
            Ok(decoded) => decoded,
            Err(why) => return opaque(&why.to_string()),
        };
        let partition = aws::table::partition(&decoded.region).unwrap_or("aws");
        let owner = Owner { account: &self.account, partition };
        let environment_tags = ENVIRONMENT_TAGS.map(str::to_owned);
        let terms = Terms { owner, environment_tags: &environment_tags };
        Explained { acts: aws::understand::understand(&decoded, &terms), locks: Vec::new() }
    }
}

/// What one request would do.
#[derive(Debug)]
struct Explained {
    acts: Acts,
    locks: Vec<Lock>,
}

/// The form of one line of output.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a Value,
    #[serde(flatten)]
    explained: Shown<'a>,
}

/// What a line says beside the id.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    effects: Vec<ShownAct<'a>>,
    worst: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locks: Vec<ShownLock>,
}

#[derive(Serialize)]
struct ShownLock {
    on: String,
    mode: &'static str,
    blocks: &'static str,
    work: &'static str,
}

#[derive(Serialize)]
struct ShownAct<'a> {
    effect: &'static str,
    resource: String,
    reversibility: &'static str,
    why: &'a str,
}

impl Explained {
    fn line<'a>(&'a self, id: &'a Value) -> Line<'a> {
        Line { id, explained: self.shown(None) }
    }

    fn shown<'a>(&'a self, error: Option<&'a str>) -> Shown<'a> {
        let show = |act: &'a Act| ShownAct {
            effect: act.effect.as_str(),
            resource: act.resource.to_string(),
            reversibility: act.reversibility.as_str(),
            why: &act.why,
        };
        Shown {
            error,
            effects: self.acts.iter().map(show).collect(),
            worst: self.acts.worst().as_str(),
            locks: self.locks.iter().flat_map(shown_locks).collect(),
        }
    }
}

fn shown_locks(lock: &Lock) -> impl Iterator<Item = ShownLock> {
    lock.in_words().map(|(on, mode, work)| ShownLock {
        on,
        mode: mode.as_str(),
        blocks: mode.blocks().as_str(),
        work: work.as_str(),
    })
}

fn opaque(why: &str) -> Explained {
    Explained { acts: Acts::new(Act::opaque(why), []), locks: Vec::new() }
}

fn tell(explained: &Explained) -> Result<(), Failure> {
    print::line(format!("worst: {}", explained.acts.worst()))?;
    let rows = explained.acts.iter().map(|act| {
        let (effect, reversibility) = (act.effect.to_string(), act.reversibility.as_str().to_owned());
        vec![effect, one_line(&act.resource.to_string()), reversibility, one_line(&act.why)]
    });
    print::table(&["EFFECT", "RESOURCE", "REVERSIBILITY", "WHY"], &rows.collect::<Vec<_>>())?;
    let locks = explained.locks.iter().flat_map(Lock::in_words).map(|(on, mode, work)| {
        let blocks = match mode.blocks() {
            Blocks::Definitions => "changes of the definition",
            Blocks::Writes => "writes",
            Blocks::ReadsAndWrites => "reads and writes",
        };
        let long = match work {
            Work::Untold => "for as long as it takes",
            work => work.in_words(),
        };
        vec![mode.as_str().to_owned(), one_line(&on), blocks.to_owned(), long.to_owned()]
    });
    let locks: Vec<_> = locks.collect();
    if locks.is_empty() {
        return Ok(());
    }
    print::line("")?;
    print::table(&["LOCK", "ON", "BLOCKS", "HOW LONG"], &locks)
}

#[cfg(test)]
mod tests;
