//! `tyer approve` and `tyer reject`: holds answered from a terminal, signed with an SSH key.
//!
//! The signature is made by the user's own `ssh-keygen`, so that agents, passphrases and security keys with
//! their PINs work as they do everywhere; Tyer never sees a private key. What is signed is the canonical JSON of
//! the statement, under the namespace `tyer`: for several holds one statement that names each.

mod afar;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{Args, ValueHint};
use serde_json::{Value, json};
use tyer_core::record::PublicKey;
use tyer_core::sshsig::{self, NAMESPACE};
use tyer_core::statement::{Decision, Statement, Subject};

use self::afar::Afar;
use super::call::{Authorities, Call, id};
use super::failure::{Exit, Failure};
use super::holds::card;
use super::plain::one_line;
use super::print::{self, at};

/// Approve holds with an SSH key, after showing their cards
///
/// The key must be added and confirmed on the console's page of people, and counts only where a policy takes
/// people by any key, unless its maker attests to it. What is signed is the statement's canonical JSON, by
/// `ssh-keygen -Y sign -n tyer`. Several holds are approved together by one signature if they are of one shape, and
/// none of them is dangerous in production.
#[derive(Debug, Args)]
pub(super) struct Approve {
    /// Their short ids, such as H-42
    #[arg(value_name = "HOLD", value_parser = id, required = true, num_args = 1..)]
    holds: Vec<String>,
    #[command(flatten)]
    answer: Answer,
    /// Words to keep beside it
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
}

/// Reject a hold with an SSH key, after showing its card
#[derive(Debug, Args)]
pub(super) struct Reject {
    /// Its short id, such as H-42
    #[arg(value_name = "HOLD", value_parser = id)]
    hold: String,
    #[command(flatten)]
    answer: Answer,
    /// Why; the agent reads it
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, Args)]
struct Answer {
    /// The key's file, private or public [default: the one key of the SSH agent that counts here]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ssh_key: Option<PathBuf>,
    /// The SSH agent's socket
    #[arg(long, env = "SSH_AUTH_SOCK", value_name = "SOCKET", value_hint = ValueHint::FilePath)]
    ssh_agent: Option<PathBuf>,
    /// The console's address, to answer from another machine; the key then signs twice, once to see the cards
    /// [default: the socket of the data directory]
    #[arg(long, env = "TYER_URL", value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    authorities: Authorities,
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

/// What is to be answered, and how.
struct Task<'a> {
    holds: &'a [String],
    decision: &'static str,
    comment: &'a str,
}

impl Approve {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let (holds, comment) = (self.holds.as_slice(), self.comment.trim());
        self.answer.run(call, &Task { holds, decision: "approve", comment })
    }
}

impl Reject {
    /// Which hold.
    pub(super) fn hold(&self) -> &str {
        &self.hold
    }

    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let reason = self.reason.trim();
        if reason.is_empty() {
            return Err(Failure::usage("a rejection needs a reason", "the agent reads it"));
        }
        let holds = std::slice::from_ref(&self.hold);
        self.answer.run(call, &Task { holds, decision: "reject", comment: reason })
    }
}

impl Answer {
    fn run(&self, call: &Call, task: &Task<'_>) -> Result<Exit, Failure> {
        if !self.yes && (call.json || !std::io::stdin().is_terminal()) {
            let next = "read the card with `tyer show`, then say `--yes`";
            return Err(Failure::usage("nobody can be asked here", next));
        }
        match &self.url {
            None => self.here(call, task),
            Some(url) => self.elsewhere(call, task, &Afar::new(url, &self.authorities.file)?),
        }
    }

    /// Over the socket of the data directory, whose owner sees every card.
    fn here(&self, call: &Call, task: &Task<'_>) -> Result<Exit, Failure> {
        let card = |hold: &String| Ok(call.get(&format!("/api/v1/holds/{hold}"))?.body);
        let cards = task.holds.iter().map(card).collect::<Result<Vec<Value>, Failure>>()?;
        show(call, &cards)?;
        let chosen = self.choose(|| Ok(call.get("/api/v1/people")?.body))?;
        self.agree(task, &chosen)?;
        let (decision, key) = (task.decision, &chosen.key.credential);
        let wish = match task.holds {
            [hold] => json!({ "hold": hold, "decision": decision, "key": key }),
            several => json!({ "holds": several, "decision": decision, "key": key }),
        };
        let prepared = call.post("/api/v1/ssh/statements", &wish)?.body;
        let statement = statement(&prepared, (&cards, task.decision))?;
        let body = self.signed(task, &chosen, &statement)?;
        call.post("/api/v1/ssh/decisions", &body)?;
        let state = |hold: &String| {
            // Approved and used meanwhile is as good.
            let hold = call.get(&format!("/api/v1/holds/{hold}")).ok();
            hold.map(|hold| at(&hold.body, "/state"))
        };
        let states: Vec<Option<String>> = task.holds.iter().map(state).collect();
        tell(call, task, (&statement, &chosen.key), &states)
    }

    /// Over the console's address, where the key signs that it looks at the cards, and then the answer.
    fn elsewhere(&self, call: &Call, task: &Task<'_>, afar: &Afar) -> Result<Exit, Failure> {
        let chosen = self.choose(|| Ok(Value::Null))?;
        let look = afar.look(task.holds)?;
        let signature = self.sign(&chosen.file, &look.canonical())?;
        let (cards, prepared) = afar.cards(&look, &signature, task.decision)?;
        show(call, &cards)?;
        self.agree(task, &chosen)?;
        let statement = statement(&prepared, (&cards, task.decision))?;
        afar.own(&statement)?;
        let body = self.signed(task, &chosen, &statement)?;
        afar.post("/api/v1/ssh/decisions", &body)?;
        let states = vec![None; task.holds.len()];
        tell(call, task, (&statement, &chosen.key), &states)
    }

    fn agree(&self, task: &Task<'_>, chosen: &Chosen) -> Result<(), Failure> {
        if self.yes || agreed(task, &chosen.key)? {
            return Ok(());
        }
        Err(Failure::told(Exit::Refused, "cancelled", "nothing was signed", ""))
    }

    /// The answer as it is handed in.
    fn signed(
        &self,
        task: &Task<'_>,
        chosen: &Chosen,
        statement: &Statement,
    ) -> Result<Value, Failure> {
        let signature = self.sign(&chosen.file, &statement.canonical())?;
        Ok(json!({ "nonce": statement.nonce, "signature": signature, "comment": task.comment }))
    }

    /// `people` says who is known here; nothing if that is not known.
    fn choose(&self, people: impl FnOnce() -> Result<Value, Failure>) -> Result<Chosen, Failure> {
        if let Some(file) = &self.ssh_key {
            return Ok(Chosen { key: public_of(file)?, file: file.clone(), _written: None });
        }
        let Some(socket) = &self.ssh_agent else {
            return Err(Failure::usage(
                "no key is named and no SSH agent runs",
                "name one with `--ssh-key`",
            ));
        };
        let key = one_of(&agent_keys(socket)?, &people()?)?;
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

/// The cards one after the other, whole.
fn show(call: &Call, cards: &[Value]) -> Result<(), Failure> {
    if call.json {
        return Ok(());
    }
    for (before, shown) in cards.iter().enumerate() {
        if cards.len() > 1 {
            print::line(format!("----- {} of {} -----", before.saturating_add(1), cards.len()))?;
        }
        card(shown)?;
    }
    Ok(())
}

fn tell(
    call: &Call,
    task: &Task<'_>,
    (statement, key): (&Statement, &PublicKey),
    states: &[Option<String>],
) -> Result<Exit, Failure> {
    let (person, fingerprint, decision) = (&statement.person, &key.credential, task.decision);
    if call.json {
        print::json(&match (task.holds, states) {
            ([hold], [state]) => json!({
                "hold": hold, "decision": decision, "person": person, "key": fingerprint, "state": state,
            }),
            (holds, _) => json!({
                "holds": holds, "decision": decision, "person": person, "key": fingerprint, "states": states,
            }),
        })?;
        return Ok(Exit::Done);
    }
    let done = if decision == "approve" { "approved" } else { "rejected" };
    for (hold, state) in task.holds.iter().zip(states) {
        let now = state.as_ref().map(|state| format!("; it is {state} now")).unwrap_or_default();
        print::line(format!("{done} {hold} as {person}{now}"))?;
    }
    Ok(Exit::Done)
}

/// The statement that came, if it is about the cards that were shown, all of them; nothing else is ever signed.
fn statement(prepared: &Value, (shown, decision): (&[Value], &str)) -> Result<Statement, Failure> {
    let changed = || Failure::failed("the card has changed", "read it again");
    let statement = prepared.get("statement").cloned().unwrap_or_default();
    let statement: Statement = serde_json::from_value(statement).map_err(|_| changed())?;
    let subjects = match (&statement.what, decision, shown) {
        (Decision::Approve(subject), "approve", [_]) | (Decision::Reject(subject), "reject", [_]) => {
            std::slice::from_ref(subject)
        }
        (Decision::ApproveAll { subjects }, "approve", _) => subjects.as_slice(),
        _ => return Err(changed()),
    };
    let is_shown = |subject: &Subject| shown.iter().any(|card| is_of(subject, card));
    let is_named = |card: &Value| subjects.iter().any(|subject| is_of(subject, card));
    let all =
        subjects.len() == shown.len() && subjects.iter().all(is_shown) && shown.iter().all(is_named);
    if all { Ok(statement) } else { Err(changed()) }
}

fn is_of(subject: &Subject, card: &Value) -> bool {
    subject.hold.as_str() == at(card, "/hold")
        && subject.card.to_string() == at(card, "/card_digest")
        && subject.request.to_string() == at(card, "/request_digest")
        && subject.policy_set.to_string() == at(card, "/policy_set")
}

fn agreed(task: &Task<'_>, key: &PublicKey) -> Result<bool, Failure> {
    let mut asked = std::io::stderr().lock();
    write!(asked, "{} {} with {}? [y/N] ", task.decision, task.holds.join(" "), key.credential)?;
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

/// The only key of these that counts here, or the only one if that is not known.
fn one_of(keys: &[PublicKey], people: &Value) -> Result<PublicKey, Failure> {
    let all = print::list(people, "people").iter().flat_map(|person| print::list(person, "ssh_keys"));
    let counting: Vec<&str> = all
        .filter(|key| key.get("counts") == Some(&Value::Bool(true)))
        .filter_map(|key| key.get("fingerprint").and_then(Value::as_str))
        .collect();
    let may_count = |key: &&PublicKey| people.is_null() || counting.contains(&key.credential.as_str());
    let known: Vec<&PublicKey> = keys.iter().filter(may_count).collect();
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
        // From afar nobody says which count.
        check(std::slice::from_ref(&key), &Value::Null, Some(ED25519));
        check(&[key.clone(), key.clone()], &Value::Null, None);
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
            let found = statement(&prepared, (std::slice::from_ref(&shown), "approve"));
            assert_eq!(found.is_ok(), expect, "{prepared}");
        };
        let [card, request, set, other] = [digest(1), digest(2), digest(3), digest(9)];
        check("approve", ["H-1", &card, &request, &set], true);
        check("reject", ["H-1", &card, &request, &set], false);
        check("approve", ["H-2", &card, &request, &set], false);
        check("approve", ["H-1", &other, &request, &set], false);
        check("approve", ["H-1", &card, &other, &set], false);
        check("approve", ["H-1", &card, &request, &other], false);
        assert!(statement(&json!({}), (std::slice::from_ref(&shown), "approve")).is_err());
    }

    #[test]
    fn the_whole_list_that_was_shown_is_signed_for_and_no_other() {
        let digest = |byte: u8| tyer_core::intent::Digest([byte; 32]).to_string();
        let shown = |hold: &str| {
            json!({
                "hold": hold, "card_digest": digest(1), "request_digest": digest(2), "policy_set": digest(3),
            })
        };
        let subject = |hold: &str, card: u8| json!({ "hold": hold, "card": digest(card), "request": digest(2), "policy_set": digest(3) });
        let check = |decision: &str, subjects: &[Value], expect: bool| {
            let prepared = json!({ "statement": {
                "origin": "https://tyer.example.com", "person": "bob", "root": digest(0), "size": 1, "nonce": "n",
                "expires": 1, "what": { "decision": "approve_all", "subjects": subjects },
            } });
            let found = statement(&prepared, (&[shown("H-2"), shown("H-1")], decision));
            assert_eq!(found.is_ok(), expect, "{prepared}");
        };
        check("approve", &[subject("H-1", 1), subject("H-2", 1)], true);
        check("reject", &[subject("H-1", 1), subject("H-2", 1)], false);
        check("approve", &[subject("H-1", 1), subject("H-2", 9)], false);
        check("approve", &[subject("H-1", 1)], false);
        check("approve", &[subject("H-1", 1), subject("H-1", 1)], false);
        check("approve", &[subject("H-1", 1), subject("H-2", 1), subject("H-3", 1)], false);
        check("approve", &[], false);
    }
}
