//! A thousand requests that need people, within a minute: what one agent asks costs nobody else anything.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xtask::instance::{Login, Shape};

use crate::bed::{Bed, Refused, ask, record};

/// Sessions of one controller, and how many different requests each of them makes.
const SESSIONS: usize = 5;
const EACH: usize = 200;
/// What an answer may take while that goes on, on a machine that does other things too.
const SOON: Duration = Duration::from_secs(5);

/// Memory of the program, in KiB.
fn memory(bed: &Bed) -> u64 {
    let status = format!("/proc/{}/status", bed.tyer.process().expect("it runs"));
    let status = std::fs::read_to_string(status).expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a size");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

async fn flood(bed: &Bed, login: &Login, number: usize) -> tokio::task::JoinHandle<Vec<Refused>> {
    let client = bed.connect(login).await;
    tokio::spawn(async move {
        let mut refused = Vec::new();
        for n in 0..EACH {
            let sql = format!("UPDATE customers SET name = 'n{n}' WHERE id = {number}");
            refused.push(ask(&client, &sql).await.unwrap_err());
        }
        refused
    })
}

#[tokio::test]
async fn a_thousand_holds_in_a_minute_slow_and_name_whoever_asks_and_nobody_else() {
    let mut bed = Bed::new(Shape::default()).await;
    let logins: Vec<Login> = (0..SESSIONS).map(|_| bed.session(&[])).collect();
    let calm = bed.tyer.session("calm", "alice", &[]).expect("a session");
    let other = bed.connect(&calm).await;
    let before = memory(&bed);
    let began = Instant::now();
    let mut floods = Vec::new();
    for (number, login) in logins.iter().enumerate() {
        floods.push(flood(&bed, login, number).await);
    }
    // Meanwhile somebody else asks, reads, and people look.
    let mut slowest = Duration::ZERO;
    let mut held = Vec::new();
    for n in 0..5 {
        let at = Instant::now();
        let sql = format!("UPDATE customers SET name = 'calm{n}' WHERE id = {n}");
        held.push(ask(&other, &sql).await.unwrap_err().hold());
        ask(&other, "SELECT count(*) FROM payments").await.expect("reads flow");
        for path in ["/api/v1/holds", "/api/v1/sessions", "/"] {
            let (status, _) = bed.bob.http().get(path).await.expect("an answer");
            assert!(status.is_success(), "{path}: {status}");
        }
        slowest = slowest.max(at.elapsed());
    }
    let mut refused: Vec<Refused> = Vec::new();
    for flood in floods {
        refused.extend(flood.await.expect("a flood"));
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert!(slowest < SOON, "{slowest:?}");
    assert_eq!(refused.len(), 1_000);
    let (held_theirs, slowed): (Vec<&Refused>, Vec<&Refused>) =
        refused.iter().partition(|it| it.message.contains("held as H-"));
    assert!(held_theirs.len() <= 50, "{}", held_theirs.len());
    let slowed: Vec<_> =
        slowed.into_iter().filter(|it| it.message.contains("kiro of carol has asked ")).collect();
    assert!(slowed.len() >= 800, "{}", slowed.len());
    assert!(
        slowed.iter().all(|it| it.hint.contains("come again in ") && it.code == "54000"),
        "{:?}",
        slowed[0]
    );
    assert!(memory(&bed) < before + 100 * 1024, "{} KiB, then {} KiB", before, memory(&bed));
    named(&mut bed, &logins[0], &held).await;

    // What needs nobody, and what people have agreed to, goes on.
    let agent = bed.connect(&logins[0]).await;
    ask(&agent, "SELECT count(*) FROM payments").await.expect("reads flow");
    let first = "UPDATE customers SET name = 'n0' WHERE id = 0";
    let hold = ask(&agent, first).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    ask(&agent, first).await.expect("it runs");
    bed.verify();
}

/// The queue, the cards, the sessions and one leaf each name those who are slowed, and nobody else.
async fn named(bed: &mut Bed, slowed: &Login, calm: &[String]) {
    let (_, holds) = bed.bob.http().get("/api/v1/holds").await.expect("the holds");
    let holds = holds["holds"].as_array().cloned().expect("holds");
    assert_eq!(holds.len(), 50 + calm.len());
    for hold in &holds {
        let is_calm = calm.iter().any(|id| hold["hold"] == id.as_str());
        let pace = hold["pace"].as_str().unwrap_or_default();
        assert_eq!(pace.starts_with("kiro of carol has asked "), !is_calm, "{hold}");
    }
    let (_, sessions) = bed.bob.http().get("/api/v1/sessions").await.expect("the sessions");
    let all = sessions["sessions"].as_array().expect("sessions").iter();
    let named: Vec<&Value> = all.filter(|session| session["pace"].is_string()).collect();
    assert_eq!(named.len(), SESSIONS, "{sessions}");
    let words = format!("{} times in 10 minutes, 0 were rejected", EACH);
    let said = bed.tyer.run(&["session", "show", &slowed.session]).expect("the session");
    assert!(said.contains("kiro of carol has asked ") && said.contains(&words), "{said}");
    let hold = holds.iter().find(|hold| hold["session"] == slowed.session.as_str()).expect("a hold");
    let said = bed.tyer.run(&["show", hold["hold"].as_str().expect("an id")]).expect("the card");
    assert!(said.contains("kiro of carol has asked "), "{said}");
    let leaves = bed.leaves_of("slowed");
    assert_eq!(leaves.len(), SESSIONS, "once each");
    let leaf = record(&leaves[0]);
    assert_eq!((&leaf["asked"], &leaf["rejected"]), (&json!(31), &json!(0)), "{leaf}");
}

#[tokio::test]
async fn whoever_is_slowed_is_heard_again_at_the_time_that_was_said() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let sql = |n: usize| format!("UPDATE customers SET name = 'n{n}' WHERE id = 1");
    let hold = ask(&agent, &sql(0)).await.unwrap_err().hold();
    bed.bob.reject(&hold, "no").await.expect("bob rejects");
    // What was rejected counts as well.
    for _ in 0..14 {
        assert!(ask(&agent, &sql(0)).await.unwrap_err().message.contains("bob rejected"));
    }
    for n in 1..15 {
        ask(&agent, &sql(n)).await.unwrap_err().hold();
    }
    let refused = ask(&agent, &sql(20)).await.unwrap_err();
    assert!(
        refused.message.contains("kiro of carol has asked 16 times in 10 minutes, 15 were rejected"),
        "{refused:?}"
    );
    assert!(refused.hint.contains("come again in 2 s"), "{refused:?}");
    let again = ask(&agent, &sql(21)).await.unwrap_err();
    assert!(again.message.contains("not asked again before"), "{again:?}");
    // What is held already is presented as often as one likes.
    ask(&agent, &sql(1)).await.unwrap_err().hold();
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    ask(&agent, &sql(20)).await.unwrap_err().hold();
    assert!(ask(&agent, &sql(22)).await.unwrap_err().message.contains("not asked again before"));
    assert_eq!(bed.leaves_of("slowed").len(), 1);
    bed.verify();
}
