//! Allowances: asked once for many requests of one shape, used, counted, and ended by whatever ends them.

use serde_json::{Value, json};
use tokio_postgres::Client;
use xtask::instance::{Login, Shape};

use crate::bed::{Bed, ask, needing, record};
use crate::ssh::{Keys, register};

/// A bed with notes of a hundred rows, and what carol's agent changes there by itself only if somebody agrees.
async fn noted(shape: Shape) -> Bed {
    let bed = Bed::new(shape).await;
    for sql in [
        "CREATE TABLE notes (id int PRIMARY KEY, n int)",
        "INSERT INTO notes SELECT g, 0 FROM generate_series(1, 100) g",
        "CREATE TABLE notes_2025 AS TABLE notes",
        "CREATE TABLE notes_2026 AS TABLE notes",
    ] {
        bed.truth(sql);
    }
    for table in ["notes", "notes_2025", "notes_2026"] {
        bed.truth(&format!("ALTER TABLE {table} OWNER TO tyer"));
        bed.truth(&format!("ANALYZE {table}"));
    }
    bed
}

fn one(id: u32) -> String {
    format!("UPDATE notes SET n = {id} WHERE id = {id}")
}

/// How many rows were changed.
fn changed(bed: &Bed) -> String {
    bed.truth("SELECT count(*) FROM notes WHERE n > 0")
}

async fn held(agent: &Client, sql: &str) -> String {
    ask(agent, sql).await.expect_err(sql).hold()
}

/// The hold by which people are asked for an allowance.
fn asked(bed: &Bed, hold: &str, more: &[&str]) -> String {
    let mut words = vec!["--json", "allowance", "ask", hold, "--for", "2h"];
    words.extend(more);
    let said = bed.tyer.run(&words).expect("an allowance is asked for");
    let asked: Value = serde_json::from_str(&said).expect("JSON");
    asked["hold"].as_str().expect("a hold").to_owned()
}

fn refused(bed: &Bed, hold: &str, more: &[&str]) -> String {
    let mut words = vec!["allowance", "ask", hold, "--for", "2h"];
    words.extend(more);
    bed.tyer.run(&words).expect_err("no allowance").to_string()
}

/// An agent, its login, and an allowance for so many of its changes, which alice has agreed to.
async fn allowed(bed: &mut Bed, count: &str, more: &[&str]) -> (Client, Login, String) {
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    let hold = held(&agent, &one(1)).await;
    let mut words = vec!["--count", count];
    words.extend(more);
    let allowance = asked(bed, &hold, &words);
    bed.alice.approve(&allowance).await.expect("alice");
    (agent, login, allowance)
}

async fn left(bed: &mut Bed, allowance: &str) -> u64 {
    bed.hold(allowance).await["allowance"]["left"].as_u64().expect("a count")
}

#[tokio::test]
async fn it_covers_as_many_as_it_says_and_no_more() {
    let mut bed = noted(Shape::default()).await;
    let agent = bed.agent().await;
    let hold = held(&agent, &one(1)).await;
    let allowance = asked(&bed, &hold, &["--count", "20"]);
    assert_eq!(held(&agent, &one(1)).await, hold, "nobody has agreed yet");
    assert_eq!(asked(&bed, &hold, &["--count", "20"]), allowance, "asking again joins");
    let card = bed.hold(&allowance).await;
    assert_eq!((&card["state"], &card["allowance"]["like"]), (&json!("open"), &json!(hold)), "{card}");
    let covers = card["allowance"]["covers"].to_string();
    assert!(covers.contains("up to 20 requests") && covers.contains("220 altogether"), "{covers}");
    bed.alice.approve(&allowance).await.expect("alice");
    for id in 1..=20 {
        ask(&agent, &one(id)).await.unwrap_or_else(|refused| panic!("{id}: {refused:?}"));
    }
    assert_eq!(bed.hold(&hold).await["state"], "abandoned", "what was asked by itself is overtaken");
    let next = held(&agent, &one(21)).await;
    assert_ne!(next, allowance);
    assert_eq!(changed(&bed), "20");
    assert_eq!(bed.hold(&allowance).await["state"], "spent");
    let cleared = bed.leaves_of("cleared");
    let numbers =
        cleared.iter().filter_map(|leaf| record(leaf).pointer("/request/basis/used/number")?.as_u64());
    assert_eq!(numbers.collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    bed.verify();
}

#[tokio::test]
async fn another_digit_in_a_name_is_another_shape() {
    let mut bed = noted(Shape::default()).await;
    let agent = bed.agent().await;
    let of = |year: u32, id: u32| format!("UPDATE notes_{year} SET n = 1 WHERE id = {id}");
    let hold = held(&agent, &of(2025, 1)).await;
    let allowance = asked(&bed, &hold, &["--count", "5"]);
    bed.alice.approve(&allowance).await.expect("alice");
    ask(&agent, &of(2025, 2)).await.expect("of its shape");
    for other in [
        of(2026, 2),
        "UPDATE notes_2025 SET n = 1 WHERE id >= 2".to_owned(),
        "UPDATE notes_2025 SET id = 1 WHERE n = 2".to_owned(),
        "UPDATE notes_2025 SET n = 1 WHERE id = 2; SELECT 1".to_owned(),
        "UPDATE public.notes_2025 SET n = 1 WHERE id = 2".to_owned(),
        "UPDATE notes_2025 SET n = 1 WHERE id = abs(2)".to_owned(),
    ] {
        held(&agent, &other).await;
    }
    assert_eq!(left(&mut bed, &allowance).await, 4);
    // Nor is it one where the name has come to mean another table.
    bed.truth(
        "ALTER TABLE notes_2025 RENAME TO notes_2024; ALTER TABLE notes_2026 RENAME TO notes_2025",
    );
    held(&agent, &of(2025, 3)).await;
    assert_eq!(bed.truth("SELECT count(*) FROM notes_2025 WHERE n = 1"), "0");
    bed.verify();
}

#[tokio::test]
async fn values_may_differ_within_what_one_use_may_do() {
    let mut bed = noted(Shape::default()).await;
    let agent = bed.agent().await;
    let below = |id: u32| format!("UPDATE notes SET n = 1 WHERE id < {id}");
    let hold = held(&agent, &below(3)).await;
    let allowance = asked(&bed, &hold, &["--count", "9"]);
    bed.alice.approve(&allowance).await.expect("alice");
    ask(&agent, &below(6)).await.expect("five rows of the twelve");
    held(&agent, &below(90)).await;
    assert_eq!(changed(&bed), "5");
    assert_eq!(left(&mut bed, &allowance).await, 8);
    bed.verify();
}

#[tokio::test]
async fn the_last_use_is_taken_once_however_many_want_it() {
    let mut bed = noted(Shape::default()).await;
    let (first, login, allowance) = allowed(&mut bed, "2", &[]).await;
    ask(&first, &one(1)).await.expect("the first of two");
    let mut agents = vec![first];
    for _ in 1..8 {
        agents.push(bed.connect(&login).await);
    }
    let at_once = agents
        .into_iter()
        .zip(2..)
        .map(|(agent, id)| tokio::spawn(async move { ask(&agent, &one(id)).await.is_ok() }));
    let mut ran = 0;
    for one in at_once.collect::<Vec<_>>() {
        ran += usize::from(one.await.expect("a task"));
    }
    assert_eq!((ran, changed(&bed).as_str()), (1, "2"));
    assert_eq!(bed.hold(&allowance).await["state"], "spent");
    bed.verify();
}

#[tokio::test]
async fn it_lives_through_a_restart_and_gains_nothing_by_it() {
    let mut bed = noted(Shape::default()).await;
    let (agent, login, allowance) = allowed(&mut bed, "3", &[]).await;
    ask(&agent, &one(1)).await.expect("one of three");
    // One is out when the program is killed: nobody sees what comes of it.
    ask(&agent, "BEGIN").await.expect("a transaction");
    ask(&agent, &one(2)).await.expect("two of three");
    bed.tyer.kill();
    bed.tyer.resume().expect("a restart");
    bed.alice.sign_in().await.expect("alice");
    assert_eq!(left(&mut bed, &allowance).await, 1);
    let agent = bed.connect(&login).await;
    ask(&agent, &one(3)).await.expect("three of three");
    held(&agent, &one(4)).await;
    bed.verify();
}

#[tokio::test]
async fn a_use_that_was_rolled_back_comes_back_once() {
    let mut bed = noted(Shape::default()).await;
    let (agent, _, allowance) = allowed(&mut bed, "2", &[]).await;
    for _ in 0..3 {
        ask(&agent, "BEGIN").await.expect("a transaction");
        ask(&agent, &one(1)).await.expect("a use");
        assert_eq!(left(&mut bed, &allowance).await, 1);
        ask(&agent, "ROLLBACK").await.expect("the end of it");
        assert_eq!(left(&mut bed, &allowance).await, 2);
    }
    ask(&agent, &one(1)).await.expect("a use that stands");
    ask(&agent, &one(2)).await.expect("and the last one");
    held(&agent, &one(3)).await;
    assert_eq!(changed(&bed), "2");
    bed.verify();
}

#[tokio::test]
async fn it_is_no_faster_than_its_pace() {
    let mut bed = noted(Shape::default()).await;
    let (agent, _, allowance) = allowed(&mut bed, "9", &["--pace", "2/2s"]).await;
    ask(&agent, &one(1)).await.expect("the first");
    ask(&agent, &one(2)).await.expect("the second");
    held(&agent, &one(3)).await;
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    ask(&agent, &one(4)).await.expect("in time again");
    assert_eq!(left(&mut bed, &allowance).await, 6);
    bed.verify();
}

#[tokio::test]
async fn anybody_who_counts_revokes_it_and_a_freeze_binds_it() {
    let mut bed = noted(Shape::default()).await;
    let (agent, _, allowance) = allowed(&mut bed, "9", &[]).await;
    ask(&agent, &one(1)).await.expect("a use");
    bed.tyer.run(&["freeze", "--reason", "release"]).expect("a freeze");
    let frozen = ask(&agent, &one(2)).await.unwrap_err();
    assert!(frozen.message.contains("frozen"), "{frozen:?}");
    bed.alice.thaw("F-1").await.expect("alice");
    bed.bob.thaw("F-1").await.expect("bob");
    // They had agreed to it before the freeze.
    held(&agent, &one(2)).await;
    assert_eq!(bed.hold(&allowance).await["state"], "abandoned");
    let (agent, _, allowance) = allowed(&mut bed, "9", &[]).await;
    ask(&agent, &one(2)).await.expect("another one");
    let no_reason = bed.carol.reject(&allowance, "").await.expect_err("a reason is owed");
    assert!(no_reason.to_string().contains("reason"), "{no_reason}");
    bed.carol.reject(&allowance, "that is enough").await.expect("carol");
    let hold = held(&agent, &one(3)).await;
    held(&agent, &one(1)).await;
    let card = bed.hold(&allowance).await;
    assert_eq!((&card["state"], &card["rejected"]["by"]), (&json!("rejected"), &json!("carol")));
    bed.alice.approve(&allowance).await.expect_err("it is over");
    assert_ne!(hold, allowance);
    assert_eq!(changed(&bed), "2");
    bed.verify();
}

#[tokio::test]
async fn never_for_what_is_dangerous_in_production_nor_for_what_nothing_bounds() {
    let bed = noted(Shape::default()).await;
    let agent = bed.agent().await;
    for (sql, why) in [
        ("DELETE FROM notes WHERE id = 1", "destroy in production"),
        ("TRUNCATE notes", "destroy in production"),
        ("SELECT pg_reload_conf()", "in production"),
        ("GRANT SELECT ON notes TO tyer", "grant in production"),
    ] {
        let hold = held(&agent, sql).await;
        let said = refused(&bed, &hold, &["--count", "2"]);
        assert!(said.contains(why), "{sql}: {said}");
    }
    let hold = held(&agent, &one(1)).await;
    for (more, why) in [
        (&["--count", "0"][..], "1 to 1000"),
        (&["--count", "1001"][..], "1 to 1000"),
        (&["--count", "2", "--pace", "0/1m"][..], "pace"),
        (&["--count", "2", "--for", "9h"][..], "8 hours"),
    ] {
        let mut words = vec!["allowance", "ask", hold.as_str()];
        if !more.contains(&"--for") {
            words.extend(["--for", "2h"]);
        }
        words.extend(more);
        let said = bed.tyer.run(&words).expect_err("no allowance").to_string();
        assert!(said.contains(why), "{more:?}: {said}");
    }
    let allowance = asked(&bed, &hold, &["--count", "2"]);
    assert!(refused(&bed, &allowance, &["--count", "2"]).contains("such an allowance itself"));
    assert!(refused(&bed, "H-99", &["--count", "2"]).contains("no hold"));
    bed.verify();
}

#[tokio::test]
async fn the_controller_asks_and_another_person_agrees() {
    let mut bed = noted(Shape::default()).await;
    let agent = bed.agent().await;
    let hold = held(&agent, &one(1)).await;
    let body = json!({ "count": 2, "lasts_seconds": 60 });
    let path = format!("/api/v1/holds/{hold}/allowance");
    let (status, said) = bed.bob.http().post(&path, &body).await.expect("an answer");
    assert_eq!((status.as_u16(), &said["error"]["code"]), (403, &json!("forbidden")), "{said}");
    let (status, asked) = bed.carol.http().post(&path, &body).await.expect("an answer");
    assert_eq!((status.as_u16(), &asked["allowance"]["by"]), (201, &json!("carol")), "{asked}");
    let allowance = asked["hold"].as_str().expect("a hold").to_owned();
    let own = bed.carol.approve(&allowance).await.expect_err("she controls it");
    assert!(own.to_string().contains("controls the session"), "{own}");
    held(&agent, &one(1)).await;
    // A signature for the request is none for the allowance, and the other way round.
    for (signed_for, handed_in_for) in [(&hold, &allowance), (&allowance, &hold)] {
        let signed = bed.alice.statement(&json!({ "approve": signed_for })).await.expect("a statement");
        let mut signed = bed.alice.signed(&signed, "").expect("a signature");
        let other = bed.alice.statement(&json!({ "approve": handed_in_for })).await.expect("another");
        signed["nonce"] = other["statement"]["nonce"].clone();
        let why = bed.alice.send(&signed).await.expect_err("it is for something else").to_string();
        assert!(why.contains("over another statement"), "{why}");
    }
    bed.alice.approve(&allowance).await.expect("alice");
    ask(&agent, &one(1)).await.expect("covered");
    bed.verify();
}

#[tokio::test]
async fn it_ends_with_its_session_or_with_its_agents_kill() {
    let mut bed = noted(Shape::default()).await;
    let (agent, login, allowance) = allowed(&mut bed, "9", &[]).await;
    let elsewhere = bed.agent().await;
    held(&elsewhere, &one(2)).await;
    ask(&agent, &one(2)).await.expect("its own session");
    bed.tyer.run(&["session", "end", &login.session]).expect("the end");
    assert_eq!(bed.hold(&allowance).await["state"], "abandoned");
    // One of the whole agent goes on with another session of it for the same controller.
    let (_, login, allowance) = allowed(&mut bed, "9", &["--whole-agent"]).await;
    bed.tyer.run(&["session", "end", &login.session]).expect("the end");
    ask(&elsewhere, &one(3)).await.expect("another session of the agent");
    let alices = bed.tyer.session("kiro", "alice", &[]).expect("a session");
    let alices = bed.connect(&alices).await;
    held(&alices, &one(4)).await;
    let other = bed.tyer.session("other", "carol", &[]).expect("a session");
    let other = bed.connect(&other).await;
    held(&other, &one(4)).await;
    assert_eq!(left(&mut bed, &allowance).await, 8);
    let killed = bed.tyer.run(&["--json", "kill", "--agent", "kiro"]).expect("the kill");
    assert!(killed.contains(&format!("\"{allowance}\"")), "{killed}");
    assert_eq!(bed.hold(&allowance).await["state"], "abandoned");
    assert_eq!(changed(&bed), "2");
    bed.verify();
}

#[tokio::test]
async fn it_is_void_once_the_policies_are_others() {
    let mut bed = noted(needing(1)).await;
    let (agent, login, allowance) = allowed(&mut bed, "9", &[]).await;
    ask(&agent, &one(1)).await.expect("a use");
    bed.tyer.kill();
    let stricter = needing(2);
    std::fs::write(bed.tyer.directory().join("own.cedar"), &stricter.files[0].1).expect("a policy");
    bed.tyer.resume().expect("a restart");
    for person in [&mut bed.alice, &mut bed.bob] {
        person.sign_in().await.expect("a sign-in");
        person.decide(&json!({ "configure": "policy" }), "").await.expect("a confirmation");
    }
    assert_eq!(bed.hold(&allowance).await["state"], "abandoned");
    let agent = bed.connect(&login).await;
    held(&agent, &one(2)).await;
    assert_eq!(changed(&bed), "1");
    bed.verify();
}

#[tokio::test]
async fn an_approval_that_counts_no_more_carries_nothing() {
    let mut bed = noted(Shape::default()).await;
    let (agent, _, allowance) = allowed(&mut bed, "9", &[]).await;
    ask(&agent, &one(1)).await.expect("a use");
    // Alice and carol turn out to be one human.
    bed.bob.decide(&json!({ "link": ["alice", "carol"] }), "").await.expect("bob");
    held(&agent, &one(2)).await;
    assert_eq!(left(&mut bed, &allowance).await, 8);
    assert_eq!(changed(&bed), "1");
    bed.verify();
}

/// How `tyer allowance revoke` ends, and what it says.
fn revoked(bed: &Bed, key: &str, hold: &str, reason: &str) -> (Option<i32>, String) {
    let words = ["allowance", "revoke", hold, "--ssh-key", key, "--yes", "--reason", reason];
    let output = bed.tyer.output(&words).expect("tyer allowance revoke");
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    (output.status.code(), said.concat())
}

#[tokio::test]
async fn it_is_revoked_by_an_ssh_key_with_a_reason() {
    let mut bed = noted(Shape::default()).await;
    let keys = Keys::new();
    let file = keys.make("bob", "ed25519");
    register(&mut bed.bob, &mut bed.alice, &file).await;
    let (agent, _, allowance) = allowed(&mut bed, "9", &[]).await;
    ask(&agent, &one(1)).await.expect("a use");
    let key = file.to_str().expect("a name");
    let hold = held(&agent, "UPDATE notes SET n = 1 WHERE id >= 99").await;
    let (code, said) = revoked(&bed, key, &hold, "no");
    assert!(code == Some(1) && said.contains(&format!("{hold} is no allowance")), "{code:?} {said}");
    let (code, said) = revoked(&bed, key, &allowance, " ");
    assert!(code == Some(2) && said.contains("needs a reason"), "{code:?} {said}");
    ask(&agent, &one(2)).await.expect("it goes on");
    let (code, said) = revoked(&bed, key, &allowance, "that is enough");
    assert_eq!(code, Some(0), "{said}");
    // What it covers was shown.
    assert!(said.contains("up to 9 requests of this shape"), "{said}");
    let card = bed.hold(&allowance).await;
    assert_eq!((&card["state"], &card["rejected"]["by"]), (&json!("rejected"), &json!("bob")));
    assert_eq!(card["rejected"]["reason"], "that is enough");
    held(&agent, &one(3)).await;
    assert_eq!(changed(&bed), "2");
    let (code, said) = revoked(&bed, key, &allowance, "again");
    assert_ne!(code, Some(0), "it is over: {said}");
    bed.verify();
}

/// What can be used waits for nobody, so it takes no room from what does.
#[tokio::test]
async fn those_that_can_be_used_are_not_among_the_twenty_that_wait() {
    let mut bed = noted(Shape::default()).await;
    let agent = bed.agent().await;
    let hold = held(&agent, &one(1)).await;
    for count in 1..=20 {
        let allowance = asked(&bed, &hold, &["--count", &count.to_string()]);
        bed.alice.approve(&allowance).await.expect("alice");
    }
    let said = refused(&bed, &hold, &["--count", "21"]);
    assert!(said.contains("there are 20 allowances of this session"), "{said}");
    for id in 81..100 {
        held(&agent, &format!("UPDATE notes SET n = 1 WHERE id >= {id}")).await;
    }
    let many = ask(&agent, "UPDATE notes SET n = 1 WHERE id >= 80").await.unwrap_err();
    assert!(many.message.contains("wait for people already"), "{many:?}");
    bed.verify();
}

/// What might have been covered and was not is a question to people like any other.
#[tokio::test]
async fn what_it_does_not_cover_counts_for_the_pace() {
    let mut bed = noted(Shape::default()).await;
    let agent = bed.agent().await;
    let below = |id: u32| format!("UPDATE notes SET n = 1 WHERE id < {id}");
    let hold = held(&agent, &below(3)).await;
    let allowance = asked(&bed, &hold, &["--count", "9"]);
    bed.alice.approve(&allowance).await.expect("alice");
    for id in 40..69 {
        let refused = ask(&agent, &below(id)).await.unwrap_err();
        assert!(!refused.message.contains("has asked"), "{id}: {refused:?}");
    }
    let slowed = ask(&agent, &below(69)).await.unwrap_err();
    assert!(slowed.message.contains("kiro of carol has asked 31 times in 10 minutes"), "{slowed:?}");
    assert_eq!(bed.leaves_of("slowed").len(), 1);
    ask(&agent, &below(4)).await.expect("what it covers is not slowed");
    assert_eq!(left(&mut bed, &allowance).await, 8);
    bed.verify();
}

/// What an agent is allowed outlives its sessions, and a kill finds it without one.
#[tokio::test]
async fn the_kill_of_an_agent_without_a_session_takes_back_what_it_is_allowed() {
    let mut bed = noted(Shape::default()).await;
    let (agent, login, allowance) = allowed(&mut bed, "9", &["--whole-agent"]).await;
    ask(&agent, &one(1)).await.expect("a use");
    bed.tyer.run(&["session", "end", &login.session]).expect("the end");
    assert_eq!(bed.hold(&allowance).await["state"], "active");
    let killed = bed.tyer.run(&["--json", "kill", "--agent", "kiro"]).expect("the kill");
    let killed: Value = serde_json::from_str(&killed).expect("JSON");
    assert_eq!((&killed["sessions"], &killed["holds"]), (&json!([]), &json!([allowance])), "{killed}");
    assert_eq!(bed.hold(&allowance).await["state"], "abandoned");
    let leaf = bed.leaves_of("killed").pop().expect("a leaf");
    let counts = ["what", "sessions", "holds"].map(|key| record(&leaf)[key].clone());
    assert_eq!(counts, [json!("agent kiro"), json!(0), json!(1)]);
    let nothing = bed.tyer.output(&["kill", "--agent", "kiro"]).expect("an answer");
    assert_eq!(nothing.status.code(), Some(1), "there is nothing of it any more");
    let agent = bed.agent().await;
    held(&agent, &one(2)).await;
    assert_eq!(changed(&bed), "1");
    bed.verify();
}
