//! Approvals by SSH keys, with the real ssh-keygen, ssh-agent and a terminal.

mod afar;
mod hardware;
mod lists;
mod proofs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::approver::Approver;
use xtask::instance::Shape;

use crate::bed::{Bed, ask, program, record};

/// Changes ask for anybody, what is made for two, what is dangerous for passkeys.
const POLICIES: &str = r#"
@id("own/read")
permit (principal, action == Action::"read", resource);
@id("own/local")
permit (principal, action, resource) when { context.local };
@id("own/change")
permit (principal, action == Action::"change", resource) when { context.approvals.signers >= 1 };
@id("own/create")
permit (principal, action == Action::"create", resource) when { context.approvals.signers >= 2 };
@id("own/dangerous")
permit (principal, action in Action::"dangerous", resource)
when { context.approvals.peers >= 1 && context.approvals.signers >= 2 };
@id("own/hardware")
forbid (principal, action == Action::"grant", resource) unless { context.approvals.hardware >= 1 };
"#;

const CHANGE: &str = "UPDATE customers SET name = name WHERE id = 1";

/// A Tyer with policies that take SSH keys.
pub(crate) fn shape() -> Shape {
    let files = vec![("own.cedar", POLICIES.to_owned())];
    Shape { policy: "files = [\"own.cedar\"]", files, ..Shape::default() }
}

/// SSH keys in a directory of their own.
pub(crate) struct Keys(TempDir);

impl Keys {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    /// Makes a key; `kind` is what follows `-t`.
    pub(crate) fn make(&self, name: &str, kind: &str) -> PathBuf {
        let file = self.0.path().join(name);
        let mut words = kind.split(' ');
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-N", "", "-C", "me@home", "-t"]).args(words.by_ref()).arg("-f").arg(&file);
        assert!(command.status().expect("ssh-keygen").success(), "{kind}");
        file
    }

    /// An agent with these keys; it ends when it is dropped.
    fn agent(&self, files: &[&Path]) -> Agent {
        let socket = self.0.path().join("agent");
        let child =
            Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn();
        let agent = Agent { child: child.expect("ssh-agent"), socket };
        for _ in 0..200 {
            if agent.socket.exists() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        for file in files {
            let mut add = Command::new("ssh-add");
            let added = add.arg("-q").arg(file).env("SSH_AUTH_SOCK", &agent.socket).status();
            assert!(added.expect("ssh-add").success());
        }
        agent
    }
}

/// A hold that bob can answer by an SSH key of his.
struct Asked {
    bed: Bed,
    keys: Keys,
    file: PathBuf,
    agent: tokio_postgres::Client,
    hold: String,
}

async fn asked() -> Asked {
    let mut bed = Bed::new(shape()).await;
    let keys = Keys::new();
    let file = keys.make("bob", "ed25519");
    register(&mut bed.bob, &mut bed.alice, &file).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, CHANGE).await.unwrap_err().hold();
    Asked { bed, keys, file, agent, hold }
}

struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.child.kill();
        let _code = self.child.wait();
    }
}

fn line(file: &Path) -> String {
    fs::read_to_string(file.with_extension("pub")).expect("a public key")
}

/// The fingerprint as `ssh-keygen` says it.
fn fingerprint(file: &Path) -> String {
    let said = Command::new("ssh-keygen").arg("-lf").arg(file).output().expect("ssh-keygen");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    said.split(' ').nth(1).expect("a fingerprint").to_owned()
}

async fn add(owner: &mut Approver, file: &Path) {
    let statement = adding(owner, &line(file)).await;
    let proof = json!({ "signature": sign(file, "tyer", &[], message(&statement)) });
    add_with(owner, &statement, proof).await.expect("a key is added");
}

/// What somebody signs to add that key.
async fn adding(owner: &mut Approver, line: &str) -> Value {
    owner.statement(&json!({ "add_key": line })).await.expect("a statement")
}

/// The file that a statement is.
fn message(statement: &Value) -> &str {
    statement["message"].as_str().expect("a message")
}

/// Adds a key by the statement about it, with what shows that it is one's own; or what is wrong.
async fn add_with(owner: &mut Approver, statement: &Value, proof: Value) -> Result<(), String> {
    let mut decision = owner.signed(statement, "").expect("a signature");
    decision["key"] = proof;
    owner.send(&decision).await.map(drop).map_err(|refused| refused.to_string())
}

/// Adds the key, which somebody else confirms.
pub(crate) async fn register(owner: &mut Approver, other: &mut Approver, file: &Path) {
    add(owner, file).await;
    let confirm = json!({ "confirm_key": fingerprint(file) });
    other.decide(&confirm, "").await.expect("and confirmed");
}

/// `ssh-keygen -Y sign` over that message.
pub(crate) fn sign(file: &Path, namespace: &str, more: &[&str], message: &str) -> String {
    let input = file.with_extension("message");
    fs::write(&input, message).expect("a message");
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(file).args(more);
    let output =
        command.stdin(fs::File::open(&input).expect("the message")).output().expect("ssh-keygen");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a signature")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Bed {
    fn approve_by(&self, file: &Path, hold: &str) -> Output {
        let file = file.to_str().expect("a name");
        self.tyer.output(&["approve", hold, "--ssh-key", file, "--yes"]).expect("tyer approve")
    }

    /// Statement and message for that key to sign.
    pub(crate) async fn prepared(&self, file: &Path, hold: &str, decision: &str) -> (String, String) {
        let wish = json!({ "hold": hold, "decision": decision, "key": fingerprint(file) });
        let mut operator = self.tyer.operator();
        let (status, body) = operator.post("/api/v1/ssh/statements", &wish).await.expect("an answer");
        assert!(status.is_success(), "{body}");
        let of =
            |pointer: &str| body.pointer(pointer).and_then(Value::as_str).expect("text").to_owned();
        (of("/statement/nonce"), of("/message"))
    }

    /// Hands a signature in: nothing, or what is wrong.
    pub(crate) async fn hand_in(&self, nonce: &str, signature: &str) -> Result<(), String> {
        let body = json!({ "nonce": nonce, "signature": signature });
        let mut operator = self.tyer.operator();
        let (status, body) = operator.post("/api/v1/ssh/decisions", &body).await.expect("an answer");
        if status.is_success() { Ok(()) } else { Err(body["error"]["message"].to_string()) }
    }
}

#[tokio::test]
async fn an_ssh_key_releases_what_asks_for_anybody() {
    let mut bed = Bed::new(shape()).await;
    let keys = Keys::new();
    let agent = bed.agent().await;
    for (name, kind) in [("ed", "ed25519"), ("ec", "ecdsa -b 256"), ("rsa", "rsa -b 3072")] {
        let file = keys.make(name, kind);
        let hold = ask(&agent, &format!("{CHANGE} -- {name}")).await.unwrap_err();
        assert!(
            hold.message.contains("one person other than the controller, by any of their keys"),
            "{hold:?}"
        );
        let hold = hold.hold();
        let unknown = bed.approve_by(&file, &hold);
        assert_eq!(unknown.status.code(), Some(4), "{}", text(&unknown.stderr));
        add(&mut bed.bob, &file).await;
        let confirm = json!({ "confirm_key": fingerprint(&file) });
        assert!(bed.bob.decide(&confirm, "").await.is_err(), "not by the owner");
        let unconfirmed = bed.approve_by(&file, &hold);
        assert_eq!(unconfirmed.status.code(), Some(4), "{}", text(&unconfirmed.stderr));
        assert!(
            text(&unconfirmed.stderr).contains("waits to be confirmed"),
            "{}",
            text(&unconfirmed.stderr)
        );
        assert!(ask(&agent, &format!("{CHANGE} -- {name}")).await.is_err(), "nothing was approved");
        bed.alice.decide(&confirm, "").await.expect("by another person");
        let approved = bed.approve_by(&file, &hold);
        assert!(approved.status.success(), "{}", text(&approved.stderr));
        // The card comes first, with what it would do and all of the request.
        let said = text(&approved.stdout);
        let (card, end) = said.split_once("| UPDATE customers").expect("the card");
        assert!(card.contains("public.customers") && end.contains("approved H-"), "{said}");
        let card = bed.hold(&hold).await;
        let approval = &card["approvals"][0];
        assert_eq!((&approval["person"], &approval["assurance"]), (&json!("bob"), &json!("software")));
        assert!(ask(&agent, &format!("{CHANGE} -- {name}")).await.is_ok(), "{kind}");
    }
    bed.verify();
    verified_by_ssh_keygen(&bed);
}

/// What OpenSSH says of the signatures in the ledger.
fn verified_by_ssh_keygen(bed: &Bed) {
    let approved = bed.leaves_of("approved");
    assert_eq!(approved.len(), 3);
    for leaf in approved {
        good_by_ssh_keygen(bed, &leaf, "approve");
    }
    let passkey = bed.leaves_of("confirmed")[0]["index"].to_string();
    assert!(bed.tyer.run(&["ledger", "signature", &passkey, "/nowhere"]).is_err());
}

/// OpenSSH says that the leaf's signature is bob's over that decision, and over nothing else.
fn good_by_ssh_keygen(bed: &Bed, leaf: &Value, decision: &str) {
    let index = leaf["index"].to_string();
    let out = tempfile::tempdir().expect("a directory");
    let said = bed.tyer.run(&["ledger", "signature", &index, &out.path().to_string_lossy()]);
    let command = said.expect("a signature");
    let verify = |command: &str| {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).current_dir(out.path()).output().expect("sh")
    };
    let good = verify(&command);
    assert!(
        good.status.success() && text(&good.stdout).contains("Good \"tyer\" signature for bob"),
        "{good:?}"
    );
    assert!(!verify(&command.replace("-I bob", "-I alice")).status.success());
    assert!(!verify(&command.replace("-n tyer", "-n git")).status.success());
    let message = fs::read_to_string(out.path().join("message")).expect("the message");
    let statement: Value = serde_json::from_str(&message).expect("JSON");
    assert_eq!(statement["statement"]["what"]["decision"], decision);
    fs::write(out.path().join("message"), message.replace(decision, "reject")).expect("another");
    assert!(!verify(&command).status.success());
}

#[tokio::test]
async fn ssh_keys_count_for_nothing_dangerous() {
    let mut bed = Bed::new(Shape::default()).await;
    let keys = Keys::new();
    let (of_bob, of_alice, of_carol) =
        (keys.make("bob", "ed25519"), keys.make("alice", "ed25519"), keys.make("carol", "ed25519"));
    register(&mut bed.bob, &mut bed.alice, &of_bob).await;
    register(&mut bed.alice, &mut bed.bob, &of_alice).await;
    register(&mut bed.carol, &mut bed.bob, &of_carol).await;
    let agent = bed.agent().await;
    for request in ["DELETE FROM payments", CHANGE] {
        let hold = ask(&agent, request).await.unwrap_err().hold();
        for file in [&of_bob, &of_alice] {
            let refused = bed.approve_by(file, &hold);
            assert_eq!(refused.status.code(), Some(1), "{}", text(&refused.stderr));
            let said = text(&refused.stderr);
            assert!(said.contains("a software SSH key counts for nothing here: this needs"), "{said}");
        }
        let controller = bed.approve_by(&of_carol, &hold);
        assert!(text(&controller.stderr).contains("carol controls the session"), "{controller:?}");
        assert!(ask(&agent, request).await.is_err(), "nothing was approved");
        assert_eq!(bed.hold(&hold).await["approvals"], json!([]));
    }
    // The passkeys of the same people do count afterwards.
    bed.alice.approve("H-1").await.expect("alice");
    bed.bob.approve("H-1").await.expect("bob");
    assert!(ask(&agent, "DELETE FROM payments").await.is_ok());
    bed.verify();
}

#[tokio::test]
async fn one_human_is_one_approval_by_whichever_key() {
    let mut bed = Bed::new(shape()).await;
    let keys = Keys::new();
    let (one, other) = (keys.make("one", "ed25519"), keys.make("other", "ecdsa"));
    register(&mut bed.bob, &mut bed.alice, &one).await;
    register(&mut bed.bob, &mut bed.alice, &other).await;
    let agent = bed.agent().await;
    let create = "CREATE TABLE notes (id int)";
    let hold = ask(&agent, create).await.unwrap_err().hold();
    assert!(bed.approve_by(&one, &hold).status.success());
    let again = bed.approve_by(&other, &hold);
    assert!(text(&again.stderr).contains("bob has already approved"), "{again:?}");
    bed.bob.approve(&hold).await.expect("a better key takes the weaker one's place");
    assert_eq!(bed.hold(&hold).await["given"]["signers"], 1);
    let after = bed.approve_by(&one, &hold);
    assert!(text(&after.stderr).contains("bob has already approved"), "{after:?}");
    assert!(ask(&agent, create).await.is_err(), "one human is not two");
    bed.alice.approve(&hold).await.expect("alice");
    assert!(ask(&agent, create).await.is_ok(), "two are");
    // One peer by passkey, and two people by any key: bob's two keys are not two people.
    let drop = "DELETE FROM payments";
    let hold = ask(&agent, drop).await.unwrap_err().hold();
    bed.bob.approve(&hold).await.expect("bob");
    assert!(!bed.approve_by(&one, &hold).status.success());
    assert!(ask(&agent, drop).await.is_err());
    let of_alice = keys.make("alice", "ed25519");
    register(&mut bed.alice, &mut bed.bob, &of_alice).await;
    assert!(bed.approve_by(&of_alice, &hold).status.success());
    assert!(ask(&agent, drop).await.is_ok());
    // No key is attested, so nobody can give what asks for that.
    let refused = ask(&agent, "GRANT SELECT ON payments TO PUBLIC").await.unwrap_err();
    let needs = "one of them by a hardware key, and there are not enough of them";
    assert!(refused.message.contains(needs), "{refused:?}");
    bed.verify();
}

#[tokio::test]
async fn a_key_belongs_to_one_person_for_ever() {
    let mut bed = Bed::new(shape()).await;
    let keys = Keys::new();
    let file = keys.make("bob", "ed25519");
    let add = |line: String| json!({ "add_key": line });
    add_is_refused(&mut bed.alice, &keys.make("weak", "rsa -b 2048"), "RSA of 3072 bits or more").await;
    add_is_refused(&mut bed.alice, &keys.make("large", "ecdsa -b 384"), "only keys of these kinds")
        .await;
    for wrong in ["", "ssh-ed25519 AAAA", "no key at all"] {
        assert!(bed.bob.decide(&add(wrong.to_owned()), "").await.is_err(), "{wrong}");
    }
    register(&mut bed.bob, &mut bed.alice, &file).await;
    add_is_refused(&mut bed.bob, &file, "a key belongs to one person").await;
    add_is_refused(&mut bed.alice, &file, "a key belongs to one person").await;
    let confirm = json!({ "confirm_key": fingerprint(&file) });
    assert!(bed.alice.decide(&confirm, "").await.is_err(), "confirmed once");
    // What is added counts after a restart as well.
    let agent = bed.agent().await;
    let hold = ask(&agent, CHANGE).await.unwrap_err().hold();
    bed.tyer.resume().expect("a restart");
    assert!(bed.approve_by(&file, &hold).status.success());
    bed.verify();
}

#[tokio::test]
async fn a_removed_key_and_what_it_approved_count_no_more() {
    let mut bed = Bed::new(shape()).await;
    let keys = Keys::new();
    let (file, other) = (keys.make("bob", "ed25519"), keys.make("other", "ed25519"));
    register(&mut bed.bob, &mut bed.alice, &file).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, CHANGE).await.unwrap_err().hold();
    assert!(bed.approve_by(&file, &hold).status.success());
    let remove = json!({ "remove_key": fingerprint(&file) });
    bed.carol.decide(&remove, "").await.expect("anybody who counts removes");
    let anew = ask(&agent, CHANGE).await.expect_err("the approval went with its key").hold();
    assert_ne!(anew, hold);
    assert_eq!(bed.approve_by(&file, &anew).status.code(), Some(4));
    assert!(bed.alice.decide(&remove, "").await.is_err(), "removed once");
    assert!(bed.alice.decide(&json!({ "confirm_key": fingerprint(&file) }), "").await.is_err());
    add_is_refused(&mut bed.bob, &file, "a key belongs to one person").await;
    register(&mut bed.bob, &mut bed.alice, &other).await;
    assert!(bed.approve_by(&other, &anew).status.success());
    assert!(ask(&agent, CHANGE).await.is_ok());
    bed.verify();
}

#[tokio::test]
async fn a_grant_that_comes_back_is_not_used_without_its_keys() {
    let Asked { mut bed, keys: _keys, file, agent, hold } = asked().await;
    assert!(bed.approve_by(&file, &hold).status.success());
    for sql in ["BEGIN", CHANGE] {
        assert!(ask(&agent, sql).await.is_ok(), "{sql}");
    }
    // Its grant is out meanwhile.
    bed.carol.decide(&json!({ "remove_key": fingerprint(&file) }), "").await.expect("carol removes it");
    assert!(ask(&agent, "ROLLBACK").await.is_ok());
    bed.until(&hold, "approved").await;
    let anew = ask(&agent, CHANGE).await.expect_err("not by a key that is gone").hold();
    assert_ne!(anew, hold);
    bed.until(&hold, "abandoned").await;
    bed.verify();
}

async fn add_is_refused(owner: &mut Approver, file: &Path, expect: &str) {
    let refused = owner.decide(&json!({ "add_key": line(file) }), "").await;
    let said = refused.expect_err("not this one").to_string();
    assert!(said.contains(expect), "{said}");
}

#[tokio::test]
async fn signatures_that_are_not_accepted() {
    let mut bed = Bed::new(shape()).await;
    let keys = Keys::new();
    let (of_bob, of_alice) = (keys.make("bob", "ed25519"), keys.make("alice", "ed25519"));
    register(&mut bed.bob, &mut bed.alice, &of_bob).await;
    register(&mut bed.alice, &mut bed.bob, &of_alice).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, CHANGE).await.unwrap_err().hold();
    let (_, of_another) = bed.prepared(&of_bob, &hold, "approve").await;
    let (_, rejection) = bed.prepared(&of_bob, &hold, "reject").await;
    type Made<'a> = &'a dyn Fn(&str) -> String;
    let flipped = |armored: String| other_letter(&armored, armored.len() / 2);
    let table: [(&str, Made<'_>, &str); 11] = [
        ("another namespace", &|it| sign(&of_bob, "git", &[], it), "another namespace"),
        ("another message", &|it| sign(&of_bob, "tyer", &[], &format!("{it}\n")), "does not verify"),
        ("another statement", &|_| sign(&of_bob, "tyer", &[], &of_another), "does not verify"),
        ("a rejection", &|_| sign(&of_bob, "tyer", &[], &rejection), "does not verify"),
        ("another's key", &|it| sign(&of_alice, "tyer", &[], it), "not enrolled here"),
        (
            "a key of nobody",
            &|it| sign(&keys.make("new", "ed25519"), "tyer", &[], it),
            "not enrolled here",
        ),
        ("a flipped letter", &|it| flipped(sign(&of_bob, "tyer", &[], it)), ""),
        ("nothing", &|_| String::new(), "cannot be read"),
        ("no signature", &|it| it.to_owned(), "cannot be read"),
        (
            "cut short",
            &|it| sign(&of_bob, "tyer", &[], it).replace("U1NIU0lH", "U1NIU0lI"),
            "cannot be read",
        ),
        ("two", &|it| sign(&of_bob, "tyer", &[], it).repeat(2), "cannot be read"),
    ];
    for (case, made, expect) in table {
        let (nonce, message) = bed.prepared(&of_bob, &hold, "approve").await;
        let refused = bed.hand_in(&nonce, &made(&message)).await.expect_err(case);
        assert!(refused.contains(expect), "{case}: {refused}");
        if refused.contains("cannot be read") {
            continue;
        }
        // Whatever else came with it, a statement is used up.
        let late = bed.hand_in(&nonce, &sign(&of_bob, "tyer", &[], &message)).await.expect_err(case);
        assert!(late.contains("used already"), "{case}: {late}");
    }
    assert!(ask(&agent, CHANGE).await.is_err(), "nothing was approved");
    // The other hash that the format knows is as good; a signature is good once.
    let (nonce, message) = bed.prepared(&of_bob, &hold, "approve").await;
    let signature = sign(&of_bob, "tyer", &["-O", "hashalg=sha256"], &message);
    bed.hand_in(&nonce, &signature).await.expect("sha256");
    assert!(bed.hand_in(&nonce, &signature).await.is_err(), "replayed");
    let (fresh, _) = bed.prepared(&of_bob, &hold, "approve").await;
    assert!(bed.hand_in(&fresh, &signature).await.is_err(), "replayed with another statement");
    bed.verify();
}

/// The text with another letter there.
fn other_letter(text: &str, at: usize) -> String {
    let letter = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
    let mut other = text.to_owned();
    other.replace_range(at..=at, letter);
    other
}

/// Writes one text over another in every leaf of a store.
const TAMPER: &str = "
import sqlite3, sys
store = sqlite3.connect('tyer.db')
one, other = (word.encode() for word in sys.argv[1:])
leaves = store.execute('SELECT position, body FROM leaf').fetchall()
changed = [(body.replace(one, other), position) for position, body in leaves if one in body]
assert changed
store.executemany('UPDATE leaf SET body = ? WHERE position = ?', changed)
store.commit()
";

#[tokio::test]
async fn a_tampered_ssh_signature_is_found_and_its_leaf_named() {
    let mut bed = Bed::new(shape()).await;
    let file = Keys::new();
    let file = (file.make("bob", "ed25519"), file);
    register(&mut bed.bob, &mut bed.alice, &file.0).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, CHANGE).await.unwrap_err().hold();
    assert!(bed.approve_by(&file.0, &hold).status.success());
    let leaf = bed.leaves_of("approved").remove(0);
    let signature =
        record(&leaf)["approval"]["signed"]["signature"].as_str().expect("a signature").to_owned();
    drop(agent);
    let said = tampered(&mut bed, &signature);
    let expect =
        format!("leaf {}: the signature of bob: the SSH signature does not verify", leaf["index"]);
    assert!(said.contains(&expect), "{said}");
}

/// What the audit finds once a letter near the end of that signature is another.
fn tampered(bed: &mut Bed, signature: &str) -> String {
    bed.tyer.kill();
    let copy = tempfile::tempdir().expect("a directory");
    for entry in fs::read_dir(bed.tyer.directory()).expect("the data").filter_map(Result::ok) {
        if entry.path().is_file() {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("a copy");
        }
    }
    let (_, end) = signature.split_at(signature.len() - 20);
    let changed = other_letter(end, 0);
    let python =
        Command::new("python3").args(["-c", TAMPER, end, &changed]).current_dir(&copy).status();
    assert!(python.expect("python3").success());
    let path = copy.path().to_string_lossy().into_owned();
    let found = bed.tyer.output(&["ledger", "verify", "--store", &path]).expect("verify");
    assert_eq!(found.status.code(), Some(5));
    text(&found.stdout)
}

#[tokio::test]
async fn the_agents_key_signs_and_rejections_have_reasons() {
    let mut bed = Bed::new(shape()).await;
    let keys = Keys::new();
    let (of_bob, stray) = (keys.make("bob", "ed25519"), keys.make("stray", "ed25519"));
    register(&mut bed.bob, &mut bed.alice, &of_bob).await;
    let running = keys.agent(&[&of_bob, &stray]);
    let agent = bed.agent().await;
    // The agent alone has the key from now on.
    fs::remove_file(&of_bob).expect("the private key");
    let data = bed.tyer.directory().to_string_lossy().into_owned();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(program());
        command.args(["--data", &data]).args(arguments).stdin(Stdio::null());
        command.env("SSH_AUTH_SOCK", &running.socket).output().expect("tyer")
    };
    let hold = ask(&agent, CHANGE).await.unwrap_err().hold();
    let unasked = run(&["approve", &hold]);
    assert_eq!(unasked.status.code(), Some(2), "{unasked:?}");
    let approved = run(&["--json", "approve", &hold, "--yes"]);
    let said: Value = serde_json::from_slice(&approved.stdout).expect("JSON");
    assert_eq!((&said["person"], &said["state"]), (&json!("bob"), &json!("approved")), "{approved:?}");
    assert_eq!(said["key"], json!(fingerprint(&of_bob.with_extension("pub"))));
    assert!(ask(&agent, CHANGE).await.is_ok());
    let create = "CREATE TABLE notes (id int)";
    let hold = ask(&agent, create).await.unwrap_err().hold();
    let [without, blank] =
        [run(&["reject", &hold, "--yes"]), run(&["reject", &hold, "--yes", "--reason", " "])];
    assert_eq!((without.status.code(), blank.status.code()), (Some(2), Some(2)));
    let rejected = run(&["reject", &hold, "--yes", "--reason", "not on a Friday"]);
    assert!(rejected.status.success(), "{rejected:?}");
    let told = ask(&agent, create).await.unwrap_err();
    assert!(
        told.message.contains("bob rejected this request") && told.message.contains("not on a Friday"),
        "{told:?}"
    );
    let gone = run(&["approve", &hold, "--yes"]);
    assert!(!gone.status.success(), "it has ended");
    let unknown = run(&["approve", "H-99", "--yes"]);
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    bed.verify();
}

#[tokio::test]
async fn at_a_terminal_the_card_is_shown_and_the_question_asked() {
    let Asked { bed, keys: _keys, file, agent, hold } = asked().await;
    let data = bed.tyer.directory().to_string_lossy().into_owned();
    let command = format!("{} --data {data} approve {hold} --ssh-key {}", program(), file.display());
    let answer = |word: &str| {
        let script = format!("(sleep 1; echo {word}) | script -qec '{command}' /dev/null");
        let output = Command::new("sh").arg("-c").arg(script).output().expect("script");
        (output.status.success(), text(&output.stdout))
    };
    let (_, said) = answer("n");
    assert!(
        said.contains("| UPDATE customers") && said.contains(&format!("approve {hold} with SHA256:")),
        "{said}"
    );
    assert!(said.contains("nothing was signed"), "{said}");
    assert!(ask(&agent, CHANGE).await.is_err());
    let (_, said) = answer("y");
    assert!(said.contains(&format!("approved {hold} as bob")), "{said}");
    assert!(ask(&agent, CHANGE).await.is_ok());
    bed.verify();
}
