//! Command lines, exit codes, founding and offline verification.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::CommandFactory as _;

use super::*;

/// Parses a command line as the shell would hand it over.
fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("tyer").chain(line.split_whitespace()))
}

fn run(data: &Path, line: &str) -> Result<Exit, Failure> {
    let cli = parse(line).expect(line);
    cli.command.run(&Call { data: data.to_owned(), json: cli.json })
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn command_lines() {
    let check = |line: &str, is_good: bool| assert_eq!(parse(line).is_ok(), is_good, "{line}");
    check("init --people alice,bob", true);
    check("init", true);
    check(
        "init --people alice,bob --upstream orders --address db:5432 --database orders --user tyer --password-env PW",
        true,
    );
    check("init --upstream orders --address db:5432 --database orders --user tyer", false);
    check("init --upstream orders --database orders --user tyer --password-env PW", false);
    check(
        "init --upstream o --address a:1 --database d --user u --password-env PW --password-file F",
        false,
    );
    check("init --address db:5432", false);
    check("init --preset yolo", false);
    check("init --tls prefer", false);
    check("serve", true);
    check("--data /d --json people list", true);
    check("people list --json --data /d", true);
    check("people invite carol", true);
    check("people invite ../carol", false);
    check("people", false);
    check("session new --agent kiro --for alice --upstream orders", true);
    check(
        "session new --agent kiro --for alice --upstream orders --human --may read,change --on orders.* --until 2h",
        true,
    );
    check("session new --agent kiro --for alice --upstream orders --may read,wreck", false);
    check("session new --agent kiro --for alice --upstream orders --until 2", false);
    check("session new --agent kiro --upstream orders", false);
    check("session end s-1", true);
    check("session kill", false);
    check("holds list --all", true);
    check("holds answered --for carol", true);
    check("hold note H-42 --note look --to bob,dan", true);
    check("hold note H-42", false);
    check("hold later H-42 --at 09:00 --zone Europe/Berlin --note tired", true);
    check("hold later H-42", false);
    check("session show s-1", true);
    check("show H-42", true);
    check("show H-42/../7", false);
    check("show ..", false);
    check("propose sql f.sql --user s-1 --password p --wait 10m", true);
    check("propose sql f.sql --user s-1 --password p --wait soon", false);
    check("ledger tail -n 5 --follow", true);
    check("ledger show 7", true);
    check("ledger show seven", false);
    check("ledger verify --store x --older a --older b --key k", true);
    check("ledger receipt 7 --reveal", true);
    check("ledger checkpoint", true);
    check("freeze --reason launch", true);
    check("freeze --environment production --until 2026-12-20T18:00 --zone Europe/Berlin", true);
    check("freeze --environment production --upstream orders", false);
    check("kill s-1", true);
    check("kill --agent kiro", true);
    check("kill --upstream orders", true);
    check("kill --everything", true);
    check("kill", false);
    check("kill s-1 --everything", false);
    check("freeze list", true);
    check("freeze list --reason launch", false);
    check("thaw", true);
    check("thaw F-1", true);
    check("policy check a.cedar b.cedar", true);
    check("understand sql --jsonl", true);
    check("understand smoke-signals", false);
    check("doctor", true);
    check("completions bash", true);
    check("completions tcl", false);
    check("", false);
}

#[test]
fn the_help_names_every_exit_code() {
    let help = Cli::command().render_help().to_string();
    use Exit::{Done, Failed, Found, Held, Refused, Unreachable, Usage};
    for (exit, code, words) in [
        (Done, 0, "done"),
        (Failed, 1, "failed"),
        (Usage, 2, "wrong usage"),
        (Held, 3, "held"),
        (Refused, 4, "refused"),
        (Found, 5, "a verification found something"),
        (Unreachable, 6, "the server cannot be reached"),
    ] {
        assert_eq!(exit as u8, code);
        assert!(help.contains(&format!("  {code}  {words}")), "{code} {words}");
    }
}

#[test]
fn without_a_server_commands_end_with_six_and_say_how_to_start_one() {
    let directory = tempfile::tempdir().expect("a directory");
    for line in [
        "people list",
        "session list",
        "holds list",
        "show H-1",
        "ledger tail",
        "ledger show 1",
        "freeze",
        "freeze list",
    ] {
        let failure = run(directory.path(), line).expect_err(line);
        assert_eq!(failure.exit(), Exit::Unreachable, "{line}");
        assert!(
            failure.to_json()["error"]["next"].as_str().expect("a next step").contains("tyer serve")
        );
    }
}

#[test]
fn an_api_error_becomes_an_exit_code_and_keeps_its_words() {
    let check = |status: u16, expect: Exit| {
        let body = serde_json::json!({ "error": { "code": "c", "message": "m", "next": "n" } });
        let answer = crate::local::Answer { status, text: body.to_string(), body: body.clone() };
        let failure = call::accepted(answer).expect_err("an error");
        assert_eq!((failure.exit(), failure.to_json()), (expect, body), "{status}");
    };
    check(400, Exit::Failed);
    check(401, Exit::Refused);
    check(403, Exit::Refused);
    check(404, Exit::Failed);
    check(503, Exit::Failed);
}

const INIT: &str = "init --people alice,bob";

#[test]
fn init_makes_everything_private_and_refuses_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("tyer-data");
    assert_eq!(run(&data, INIT).expect("made"), Exit::Done);
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for name in ["tyer.toml", "tyer.db", "ledger.key", "ledger.vkey", "door.crt", "door.key"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
    let config = crate::config::Config::load(&data).expect("a configuration");
    assert!(config.upstreams.is_empty() && !config.console.allow_loopback_approvals);
    let people = crate::founding::people(&data).expect("people");
    let ids: Vec<&str> = people.iter().map(|person| person.id.as_str()).collect();
    assert_eq!(ids, ["alice", "bob"]);
    assert!(people.iter().all(|person| person.founder && person.link.is_some() && !person.counts()));

    // Nobody has enrolled, so links are renewed; the rest stays.
    let key = fs::read(data.join("ledger.key")).expect("a key");
    assert_eq!(run(&data, INIT).expect("renewed"), Exit::Done);
    let renewed = crate::founding::people(&data).expect("people");
    assert!(people.iter().zip(&renewed).all(|(old, new)| old.link != new.link && old.id == new.id));
    assert_eq!(fs::read(data.join("ledger.key")).expect("a key"), key);

    // Not while a server runs.
    let lock = crate::serve::lock(&data).expect("the lock");
    assert_eq!(run(&data, INIT).expect_err("locked").exit(), Exit::Failed);
    drop(lock);

    enrol_everybody(&data);
    let failure = run(&data, INIT).expect_err("refused");
    assert_eq!(failure.exit(), Exit::Failed);
    assert!(failure.to_string().contains("already"), "{failure}");
}

/// Gives everybody a passkey, straight in the store.
fn enrol_everybody(data: &Path) {
    let mut store = crate::store::sqlite::Sqlite::open(&data.join("tyer.db")).expect("the store");
    let mut change = crate::store::Change::default();
    for mut person in crate::founding::people(data).expect("people") {
        let key = tyer_core::record::PublicKey::passkey("c", "k");
        person.keys.push(crate::gateway::world::Passkey::new(key, None));
        let id = person.id.clone();
        change = change.put(crate::store::Table::Person, id.as_str(), &person);
    }
    let seal = |_: &crate::store::sqlite::Stored<'_>| Ok(crate::store::sqlite::Sealed::default());
    store.apply(&[change], seal).expect("enrolled");
}

#[test]
fn init_needs_two_different_people_and_an_empty_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let check = |line: &str, expect: Exit| {
        let data = directory.path().join("none");
        assert_eq!(run(&data, line).expect_err(line).exit(), expect, "{line}");
        assert!(!data.exists(), "{line}");
    };
    check("init", Exit::Usage);
    check("init --people alice", Exit::Usage);
    check("init --people alice,alice", Exit::Usage);
    check("init --people alice,bob,carol", Exit::Usage);
    check("init --people alice,b/ob", Exit::Usage);
    check("init --people alice,bob --console-origin http://tyer.example.com", Exit::Usage);
    check("init --people alice,bob --console-origin http://127.0.0.1:7780", Exit::Usage);
    let upstream =
        "--upstream orders --address db:5432 --database orders --user tyer --password-env PW";
    check(&format!("{INIT} {upstream} --tls disable --authorities ca.pem"), Exit::Usage);
    fs::write(directory.path().join("precious"), "x").expect("a file");
    assert_eq!(run(directory.path(), INIT).expect_err("not empty").exit(), Exit::Failed);
}

#[test]
fn init_writes_the_first_upstream() {
    let directory = tempfile::tempdir().expect("a directory");
    let password = directory.path().join("pass\"word");
    fs::write(&password, "s3cret\n").expect("a file");
    let data = directory.path().join("tyer-data");
    let line = format!(
        "{INIT} --demo --preset guarded --console-origin http://localhost:7999 --upstream orders \
         --address 127.0.0.1:5432 --database orders --user tyer --password-file {} --tls disable \
         --listen 127.0.0.1:6444 --environment staging --owner alice --owner bob",
        password.display()
    );
    assert_eq!(run(&data, &line).expect("made"), Exit::Done);
    let config = crate::config::Config::load(&data).expect("a configuration");
    assert_eq!(config.console.origin, "http://localhost:7999");
    assert_eq!(config.console.listen.to_string(), "127.0.0.1:7999");
    assert!(config.console.allow_loopback_approvals);
    let orders = config.upstreams.values().next().expect("the upstream");
    assert_eq!(orders.postgres().expect("a database").password.reveal(), "s3cret");
    assert_eq!((orders.environment.as_str(), orders.owners.len()), ("staging", 2));
    assert_eq!(orders.listen.to_string(), "127.0.0.1:6444");
}

#[test]
fn verification_finds_what_was_done_to_the_ledger() {
    use rusqlite::Connection;
    use tyer_core::record::{Record, What};
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("tyer-data");
    run(&data, INIT).expect("made");
    add_leaves(&data, 5);
    let older = directory.path().join("older");
    fs::write(&older, head(&data).checkpoint).expect("a file");
    add_leaves(&data, 5);
    assert_eq!(run(&data, "ledger verify").expect("verified"), Exit::Done);
    let against = format!("ledger verify --older {}", older.display());
    assert_eq!(run(&data, &against).expect("verified"), Exit::Done);
    assert_eq!(run(&data, "ledger checkpoint").expect("a checkpoint"), Exit::Done);

    let frozen = |reason: &str| {
        let what = What::Frozen { by: "mallory".to_owned(), reason: reason.to_owned() };
        Record::new(tyer_core::intent::Timestamp(1), what).encode()
    };
    type Tamper<'a> = (&'a str, &'a dyn Fn(&Connection));
    let tampers: [Tamper<'_>; 4] = [
        ("changed", &|copy| {
            copy.execute("UPDATE leaf SET body = ?1 WHERE position = 3", [frozen("other")])
                .expect("changed");
        }),
        ("dropped", &|copy| {
            copy.execute("DELETE FROM leaf WHERE position = 3", []).expect("dropped");
        }),
        ("dropped at the end", &|copy| {
            copy.execute("DELETE FROM leaf WHERE position = 10", []).expect("dropped");
        }),
        ("reordered", &|copy| {
            copy.execute_batch(
                "UPDATE leaf SET position = -1 WHERE position = 0;
                 UPDATE leaf SET position = 0 WHERE position = 4;
                 UPDATE leaf SET position = 4 WHERE position = -1;",
            )
            .expect("reordered");
        }),
    ];
    for (what, tamper) in tampers {
        let copy = directory.path().join(what);
        fs::create_dir(&copy).expect("a directory");
        let to = copy.join("tyer.db");
        let source = Connection::open(data.join("tyer.db")).expect("the store");
        source.execute("VACUUM INTO ?1", [to.to_str().expect("text")]).expect("a copy");
        fs::copy(data.join("ledger.vkey"), copy.join("ledger.vkey")).expect("the key");
        let verify = |path: &Path| {
            let store = Some(path.to_owned());
            let call = Call { data: data.clone(), json: false };
            verify::Verify { store, older: Vec::new(), key: None, attestation_roots: None }
                .run(&call)
                .expect("verified")
        };
        assert_eq!(verify(&copy), Exit::Done, "the copy before it is {what}");
        tamper(&Connection::open(&to).expect("the copy"));
        assert_eq!(verify(&copy), Exit::Found, "{what}, by the directory");
        assert_eq!(verify(&to), Exit::Found, "{what}, by the file");
    }

    // A ledger that was rewritten with its own key agrees with itself, but not with what was kept.
    let rewritten = directory.path().join("rewritten");
    run(&rewritten, INIT).expect("made");
    add_leaves(&rewritten, 10);
    assert_eq!(run(&rewritten, "ledger verify").expect("verified"), Exit::Done);
    assert_eq!(run(&rewritten, &against).expect("verified"), Exit::Found);
    let key = data.join("ledger.vkey");
    let other_key = format!("ledger verify --key {}", key.display());
    assert_eq!(run(&rewritten, &other_key).expect("verified"), Exit::Found);
    assert_eq!(run(&data, "ledger verify --key nonsense").expect_err("no key").exit(), Exit::Failed);
}

/// Freezes and the like, through the sequencer as the server does it.
fn add_leaves(data: &Path, count: i64) {
    use tyer_core::record::{Record, What};
    let store = crate::store::sqlite::Sqlite::open(&data.join("tyer.db")).expect("the store");
    let signer = crate::serve::signer(data, &store).expect("the key");
    let sequencer = crate::sequencer::Sequencer::start(store, signer).expect("the sequencer");
    let committed = call::waiting(async {
        for _ in 0..count {
            let what = What::Frozen { by: "operator".to_owned(), reason: "launch".to_owned() };
            let record = Record::new(crate::clock::now(), what);
            sequencer.commit(crate::store::Change::default().leaf(&record)).await.expect("a leaf");
        }
    });
    committed.expect("leaves");
}

fn head(data: &Path) -> crate::store::Head {
    crate::audit::LedgerCopy::open(data)
        .and_then(|copy| copy.head())
        .expect("readable")
        .expect("leaves")
}

#[test]
fn policies_are_checked_with_the_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let check = |text: &str, expect: Exit| {
        let file = directory.path().join("mine.cedar");
        fs::write(&file, text).expect("a file");
        let line = format!("policy check {}", file.display());
        assert_eq!(run(directory.path(), &line).expect("checked"), expect, "{text}");
    };
    check("@id(\"reads\") permit (principal, action == Action::\"read\", resource);", Exit::Done);
    check("permit (principal, action, resource);", Exit::Failed);
    check("@id(\"x\") permit (principal, action == Action::\"fly\", resource);", Exit::Failed);
    check("not cedar", Exit::Failed);
    assert_eq!(run(directory.path(), "policy check").expect_err("no directory").exit(), Exit::Failed);
    let data = directory.path().join("tyer-data");
    run(&data, INIT).expect("made");
    assert_eq!(run(&data, "policy check").expect("checked"), Exit::Done);
}

#[test]
fn the_doctor_sees_what_is_wrong() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("tyer-data");
    assert_eq!(run(&data, "doctor").expect("looked"), Exit::Failed);
    run(&data, INIT).expect("made");
    assert_eq!(run(&data, "doctor").expect("looked"), Exit::Done);
    fs::set_permissions(data.join("ledger.key"), fs::Permissions::from_mode(0o644)).expect("opened");
    assert_eq!(run(&data, "doctor").expect("looked"), Exit::Failed);
    fs::set_permissions(data.join("ledger.key"), fs::Permissions::from_mode(0o600)).expect("closed");
    fs::write(data.join("ledger.key"), "short").expect("broken");
    assert_eq!(run(&data, "doctor").expect("looked"), Exit::Failed);
}
