//! `tyer ledger`: what was recorded, and whether it still is what was recorded.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tyer_core::intent::Digest;
use tyer_core::ledger::receipt::Receipt;
use tyer_core::record::commit;

use super::call::Call;
use super::failure::{Exit, Failure};
use super::plain::one_line;
use super::print::{self, at};
use super::signature;
use super::verify::{self, Verify};

/// How often `--follow` looks for new leaves.
const FOLLOW: Duration = Duration::from_millis(500);
/// Leaves that are asked for at once.
const LEAVES_AT_ONCE: u64 = 500;

/// The ledger: look at it, verify it, take receipts
#[derive(Debug, Args)]
pub(super) struct Ledger {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the newest leaves, one sentence each
    Tail {
        /// How many
        #[arg(short = 'n', long = "lines", default_value_t = 20)]
        lines: u64,
        /// Go on with new ones as they come
        #[arg(short, long)]
        follow: bool,
    },
    /// Show one leaf completely
    Show {
        /// Where it stands
        index: u64,
    },
    /// Verify a copy of the ledger offline: every leaf, every signature, the checkpoint
    ///
    /// Needs no server. Without an older checkpoint or a witness it proves self-consistency only.
    Verify(Verify),
    /// Print a leaf with the proof that it is in the ledger
    Receipt {
        /// Where it stands
        index: u64,
        /// Add what opens the leaf's commitment, after checking it: salt and full text
        #[arg(long)]
        reveal: bool,
    },
    /// Write out the SSH signature of an approval or rejection, for ssh-keygen to verify
    ///
    /// Makes `message`, `message.sig` and `allowed_signers` in the directory, and prints the command.
    Signature {
        /// Where the leaf stands
        index: u64,
        /// The directory; made if it is not there
        #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
        to: PathBuf,
    },
    /// Print the latest signed checkpoint, to be kept elsewhere
    Checkpoint,
}

impl Ledger {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        match &self.action {
            Action::Tail { lines, follow } => tail(call, *lines, *follow),
            Action::Show { index } => show(call, *index),
            Action::Verify(verify) => verify.run(call),
            Action::Receipt { index, reveal } => receipt(call, *index, *reveal),
            Action::Signature { index, to } => signature::write(call, *index, to),
            Action::Checkpoint => verify::checkpoint(call),
        }
    }
}

fn tail(call: &Call, lines: u64, follow: bool) -> Result<Exit, Failure> {
    let size = |status: &Value| status.pointer("/ledger/size").and_then(Value::as_u64);
    let end = size(&call.get("/api/v1/status")?.body)
        .ok_or_else(|| Failure::failed("the server did not say how long its ledger is", ""))?;
    let mut next = end.saturating_sub(lines);
    loop {
        let answer = call.get(&format!("/api/v1/ledger?from={next}&count={LEAVES_AT_ONCE}"))?;
        let leaves = print::list(&answer.body, "leaves");
        let Some(last) = leaves.last().and_then(|leaf| leaf.get("index")).and_then(Value::as_u64)
        else {
            if !follow {
                return Ok(Exit::Done);
            }
            std::thread::sleep(FOLLOW);
            continue;
        };
        for leaf in leaves {
            if call.json { print::json(leaf)? } else { sentence(leaf)? }
        }
        next = last.saturating_add(1).max(next);
    }
}

fn sentence(leaf: &Value) -> Result<(), Failure> {
    let (index, moment, kind) = (at(leaf, "/index"), at(leaf, "/at"), at(leaf, "/kind"));
    print::line(one_line(&format!("{index:>6}  {moment}  {kind:<14}  {}", at(leaf, "/words"))))
}

fn show(call: &Call, index: u64) -> Result<Exit, Failure> {
    let answer = call.get(&format!("/api/v1/ledger/{index}"))?;
    call.print(&answer, |leaf| {
        sentence(leaf)?;
        let text = serde_json::to_string_pretty(leaf.get("leaf").unwrap_or(leaf)).unwrap_or_default();
        print::line(super::plain::block(&text))
    })
}

fn receipt(call: &Call, index: u64, reveal: bool) -> Result<Exit, Failure> {
    let query = if reveal { "?reveal=1" } else { "" };
    let answer = call.get(&format!("/api/v1/ledger/{index}/receipt{query}"))?;
    let text = answer.body.get("receipt").and_then(Value::as_str).unwrap_or_default();
    let broken = |why: &str| Failure::told(Exit::Found, "found", why, "run `tyer ledger verify`");
    let receipt = Receipt::from_text(text).map_err(|error| broken(&error.to_string()))?;
    if !reveal {
        print::line(text.trim_end())?;
        return Ok(Exit::Done);
    }
    let opened = |key: &str| answer.body.pointer(&format!("/reveal/{key}")).and_then(Value::as_str);
    let (salt, full) = (opened("salt").unwrap_or_default(), opened("text").unwrap_or_default());
    if !opens(&receipt.leaf, salt, full) {
        return Err(broken("the text that is kept is not the one that the leaf commits to"));
    }
    print::note("the text opens the leaf's commitment");
    print::json(&json!({ "receipt": text, "reveal": { "salt": salt, "text": full } }))?;
    Ok(Exit::Done)
}

/// Whether salt and text are what the leaf commits to.
fn opens(leaf: &[u8], salt: &str, text: &str) -> bool {
    let leaf: Value = serde_json::from_slice(leaf).unwrap_or_default();
    let places = ["/request/commitment", "/card/request/commitment"];
    let commitment = places.iter().find_map(|place| leaf.pointer(place)).and_then(Value::as_str);
    match (commitment, Digest::try_from(salt.to_owned())) {
        (Some(commitment), Ok(salt)) => commit(&salt.0, text).to_string() == commitment,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commitment_opens_for_its_own_text_only() {
        let salt = Digest::of(b"salt");
        let commitment = commit(&salt.0, "DELETE FROM orders");
        let salt = salt.to_string();
        for leaf in [
            json!({ "request": { "commitment": commitment } }),
            json!({ "card": { "request": { "commitment": commitment } } }),
        ] {
            let leaf = leaf.to_string();
            assert!(opens(leaf.as_bytes(), &salt, "DELETE FROM orders"));
            assert!(!opens(leaf.as_bytes(), &salt, "DELETE FROM orders WHERE id = 1"));
            assert!(!opens(leaf.as_bytes(), &Digest::of(b"other").to_string(), "DELETE FROM orders"));
        }
        assert!(!opens(b"{}", &salt, "DELETE FROM orders"));
    }
}
