//! `tyer approve` and `tyer reject`: a hold answered from a terminal, signed with an SSH key.
//!
//! The signature is made by the user's own `ssh-keygen`, so that agents, passphrases and security keys with
//! their PINs work as they do everywhere; Tyer never sees a private key. What is signed is the canonical JSON of
//! the statement, under the namespace `tyer`.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{Args, ValueHint};
use serde_json::{Value, json};
use tyer_core::record::PublicKey;
use tyer_core::sshsig::{self, NAMESPACE};
use tyer_core::statement::{Decision, Statement};

use super::call::{Call, id};
use super::failure::{Exit, Failure};
use super::holds::card;
use super::plain::one_line;
use super::print::{self, at};

/// Approve a hold with an SSH key, after showing its card
///
/// The key must be added and confirmed on the console's page of people, and counts only where a policy takes
/// people by any key. What is signed is the statement's canonical JSON, by `ssh-keygen -Y sign -n tyer`.
#[derive(Debug, Args)]
pub(super) struct Approve {
    #[command(flatten)]
    answer: Answer,
    /// Words to keep beside it
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
}

/// Reject a hold with an SSH key, after showing its card
#[derive(Debug, Args)]
pub(super) struct Reject {
    #[command(flatten)]
    answer: Answer,
    /// Why; the agent reads it
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, Args)]
struct Answer {
    /// Its short id, such as H-42
    #[arg(value_name = "HOLD", value_parser = id)]
    hold: String,
    /// The key's file, private or public [default: the one key of the SSH agent that counts here]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ssh_key: Option<PathBuf>,
    /// The SSH agent's socket
    #[arg(long, env = "SSH_AUTH_SOCK", value_name = "SOCKET", value_hint = ValueHint::FilePath)]
    ssh_agent: Option<PathBuf>,
    /// Do not ask; needed where there is no terminal, and with --json
    #[arg(long)]
    yes: bool,
}

/// By which OpenSSH's programs find the agent.
const AGENT: &str = "SSH_AUTH_SOCK";

/// The key to sign with, and what `ssh-keygen` finds it by.
struct Chosen {
    key: PublicKey,
    file: PathBuf,
    /// Holds the file of a key that only the agent has.
    _written: Option<tempfile::NamedTempFile>,
}

impl Approve {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        self.answer.run(call, "approve", self.comment.trim())
    }
}

impl Reject {
    /// Which hold.
    pub(super) fn hold(&self) -> &str {
        &self.answer.hold
    }

    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let reason = self.reason.trim();
        if reason.is_empty() {
            return Err(Failure::usage("a rejection needs a reason", "the agent reads it"));
        }
        self.answer.run(call, "reject", reason)
    }
}

impl Answer {
    fn run(&self, call: &Call, decision: &str, comment: &str) -> Result<Exit, Failure> {
        if !self.yes && (call.json || !std::io::stdin().is_terminal()) {
            let next = "read the card with `tyer show`, then say `--yes`";
            return Err(Failure::usage("nobody can be asked here", next));
        }
        let shown = call.get(&format!("/api/v1/holds/{}", self.hold))?.body;
        if !call.json {
            card(&shown)?;
        }
        let chosen = self.choose(call)?;
        if !self.yes && !agreed(decision, &self.hold, &chosen.key)? {
            return Err(Failure::told(Exit::Refused, "cancelled", "nothing was signed", ""));
        }
        let wish = json!({ "hold": self.hold, "decision": decision, "key": chosen.key.credential });
        let prepared = call.post("/api/v1/ssh/statements", &wish)?.body;
        let statement = statement(&prepared, (&shown, decision))?;
        let signature = self.sign(&chosen.file, &statement.canonical())?;
        let body = json!({ "nonce": statement.nonce, "signature": signature, "comment": comment });
        call.post("/api/v1/ssh/decisions", &body)?;
        self.tell(call, decision, (&statement, &chosen.key))
    }

    fn tell(
        &self,
        call: &Call,
        decision: &str,
        (statement, key): (&Statement, &PublicKey),
    ) -> Result<Exit, Failure> {
        let hold = call.get(&format!("/api/v1/holds/{}", self.hold)).map(|answer| answer.body);
        // Approved and used meanwhile is as good.
        let state = hold.map_or_else(|_| "-".to_owned(), |hold| at(&hold, "/state"));
        let (person, fingerprint) = (&statement.person, &key.credential);
        if call.json {
            print::json(&json!({
                "hold": self.hold, "decision": decision, "person": person, "key": fingerprint, "state": state,
            }))?;
        } else {
            let done = if decision == "approve" { "approved" } else { "rejected" };
            print::line(format!("{done} {} as {person}; it is {state} now", self.hold))?;
        }
        Ok(Exit::Done)
    }

    fn choose(&self, call: &Call) -> Result<Chosen, Failure> {
        if let Some(file) = &self.ssh_key {
            return Ok(Chosen { key: public_of(file)?, file: file.clone(), _written: None });
        }
        let Some(socket) = &self.ssh_agent else {
            return Err(Failure::usage(
                "no key is named and no SSH agent runs",
                "name one with `--ssh-key`",
            ));
        };
        let people = call.get("/api/v1/people")?.body;
        let key = one_of(&agent_keys(socket)?, &people)?;
        let mut written = tempfile::Builder::new().prefix("tyer-").suffix(".pub").tempfile()?;
        writeln!(written, "{}", key.ssh)?;
        Ok(Chosen { key, file: written.path().to_owned(), _written: Some(written) })
    }

    /// Has `ssh-keygen` sign the message; it may ask at the terminal for a passphrase, a PIN or a touch.
    fn sign(&self, file: &Path, message: &[u8]) -> Result<String, Failure> {
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "sign", "-n", NAMESPACE, "-f"]).arg(file);
        command.envs(self.ssh_agent.iter().map(|socket| (AGENT, socket)));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| absent("ssh-keygen", &error))?;
        if let Some(mut stdin) = child.stdin.take() {
            // If it does not read, it ends with an error of its own.
            stdin.write_all(message).ok();
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let next = "see what it said";
            return Err(Failure::failed("ssh-keygen did not sign, so nothing was decided", next));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The statement that came, if it is about the card that was shown; nothing else is ever signed.
fn statement(prepared: &Value, (shown, decision): (&Value, &str)) -> Result<Statement, Failure> {
    let changed = || Failure::failed("the card has changed", "read it again");
    let statement = prepared.get("statement").cloned().unwrap_or_default();
    let statement: Statement = serde_json::from_value(statement).map_err(|_| changed())?;
    let subject = match &statement.what {
        Decision::Approve(subject) if decision == "approve" => subject,
        Decision::Reject(subject) if decision == "reject" => subject,
        _ => return Err(changed()),
    };
    let same = subject.hold.as_str() == at(shown, "/hold")
        && subject.card.to_string() == at(shown, "/card_digest")
        && subject.request.to_string() == at(shown, "/request_digest")
        && subject.policy_set.to_string() == at(shown, "/policy_set");
    if same { Ok(statement) } else { Err(changed()) }
}

fn agreed(decision: &str, hold: &str, key: &PublicKey) -> Result<bool, Failure> {
    let mut asked = std::io::stderr().lock();
    write!(asked, "{decision} {hold} with {}? [y/N] ", key.credential)?;
    asked.flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// The public side of a key's file.
fn public_of(file: &Path) -> Result<PublicKey, Failure> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".pub");
    let candidates = [file.to_owned(), PathBuf::from(beside)];
    let texts = candidates.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    // A private key is no line of a public one, whatever else it is.
    let mut lines = texts.filter(|text| !text.contains("PRIVATE KEY"));
    let text = match lines.next() {
        Some(text) => text,
        // It may ask for a passphrase.
        None => said(Command::new("ssh-keygen").arg("-y").arg("-f").arg(file), "ssh-keygen")?,
    };
    sshsig::read_key(&text).map_err(|error| {
        Failure::failed(format!("{}: {error}", file.display()), "name another key with `--ssh-key`")
    })
}

/// The keys of the agent that could be anybody's here.
fn agent_keys(socket: &Path) -> Result<Vec<PublicKey>, Failure> {
    let text = said(Command::new("ssh-add").arg("-L").env(AGENT, socket), "ssh-add")?;
    Ok(text.lines().filter_map(|line| sshsig::read_key(line).ok()).collect())
}

/// The only key of these that counts here.
fn one_of(keys: &[PublicKey], people: &Value) -> Result<PublicKey, Failure> {
    let all = print::list(people, "people").iter().flat_map(|person| print::list(person, "ssh_keys"));
    let counting: Vec<&str> = all
        .filter(|key| key.get("counts") == Some(&Value::Bool(true)))
        .filter_map(|key| key.get("fingerprint").and_then(Value::as_str))
        .collect();
    let known: Vec<&PublicKey> =
        keys.iter().filter(|key| counting.contains(&key.credential.as_str())).collect();
    match known.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Failure::failed(
            "the SSH agent has no key that counts here",
            "add one on the console's page of people, have it confirmed, or name one with `--ssh-key`",
        )),
        _ => Err(Failure::usage(
            "the SSH agent has several keys that count here",
            "name one with `--ssh-key`",
        )),
    }
}

fn said(command: &mut Command, name: &str) -> Result<String, Failure> {
    let output = command
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| absent(name, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Err(Failure::failed(format!("{name} failed: {}", one_line(text.trim())), "see what it said"))
}

fn absent(name: &str, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{name} does not run: {error}"), "install OpenSSH's client")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0TJK0kRF1MP9Mhpl0OfFQbyBoG2FwRXm5P9v0RYo7j";

    #[test]
    fn the_agents_only_key_that_counts_is_taken() {
        let key = sshsig::read_key(ED25519).expect("a key");
        let people = |counts: bool| json!({ "people": [{ "ssh_keys": [{ "fingerprint": key.credential, "counts": counts }] }] });
        let check = |keys: &[PublicKey], people: &Value, expect: Option<&str>| {
            let found = one_of(keys, people).ok().map(|key| key.ssh);
            assert_eq!(found.as_deref(), expect);
        };
        check(std::slice::from_ref(&key), &people(true), Some(ED25519));
        check(std::slice::from_ref(&key), &people(false), None);
        check(&[], &people(true), None);
        check(&[key.clone(), key.clone()], &people(true), None);
    }

    #[test]
    fn only_the_card_that_was_shown_is_signed_for() {
        let digest = |byte: u8| tyer_core::intent::Digest([byte; 32]).to_string();
        let shown = json!({
            "hold": "H-1", "card_digest": digest(1), "request_digest": digest(2), "policy_set": digest(3),
        });
        let check = |decision: &str, [hold, card, request, set]: [&str; 4], expect: bool| {
            let what = json!({
                "decision": decision, "hold": hold, "card": card, "request": request, "policy_set": set,
            });
            let prepared = json!({ "statement": {
                "origin": "https://tyer.example.com", "what": what, "person": "bob", "root": digest(0),
                "size": 1, "nonce": "n", "expires": 1,
            } });
            let found = statement(&prepared, (&shown, "approve"));
            assert_eq!(found.is_ok(), expect, "{prepared}");
        };
        let [card, request, set, other] = [digest(1), digest(2), digest(3), digest(9)];
        check("approve", ["H-1", &card, &request, &set], true);
        check("reject", ["H-1", &card, &request, &set], false);
        check("approve", ["H-2", &card, &request, &set], false);
        check("approve", ["H-1", &other, &request, &set], false);
        check("approve", ["H-1", &card, &other, &set], false);
        check("approve", ["H-1", &card, &request, &other], false);
        assert!(statement(&json!({}), (&shown, "approve")).is_err());
    }
}
