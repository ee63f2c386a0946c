//! Freezes: what they cover, the calendar, and the two people who end one early.

use serde_json::{Value, json};
use xtask::instance::Shape;

use crate::bed::{Bed, ask, record};

const UPDATE: &str = "UPDATE customers SET name = name WHERE id = 1";
const STAGING: Shape = Shape {
    preset: "guarded",
    policy: "",
    environment: "staging",
    owners: &["bob"],
    wait_seconds: 0,
    holds: "",
    tls: "disable",
    upstream: "",
    sections: BOOKS,
    files: Vec::new(),
    within: None,
};
/// Another upstream, which nobody asks for anything.
const BOOKS: &str = r#"
[upstream.books]
protocol = "postgres"
listen = "127.0.0.1:0"
address = "127.0.0.1:1"
database = "books"
user = "tyer"
password = { file = "orders.password" }
tls = "disable"
environment = "production"
"#;
/// All of this century.
const CALENDAR: &str = r#"
[[freeze]]
name = "century"
reason = "the books are closed"
environment = "staging"
zone = "Europe/Berlin"
from = "2001-01-01T00:00"
until = "2101-01-01T00:00"
"#;

fn freezes(bed: &Bed) -> Vec<Value> {
    let said = bed.tyer.run(&["--json", "freeze", "list"]).expect("the freezes");
    let all: Value = serde_json::from_str(&said).expect("JSON");
    all["freezes"].as_array().expect("a list").clone()
}

fn freeze(bed: &Bed, more: &[&str]) -> Value {
    let arguments: Vec<&str> = ["--json", "freeze"].iter().chain(more).copied().collect();
    serde_json::from_str(&bed.tyer.run(&arguments).expect("a freeze")).expect("JSON")
}

#[tokio::test]
async fn a_freeze_binds_what_it_covers_until_two_people_end_it() {
    let mut bed = Bed::new(STAGING).await;
    let agent = bed.agent().await;
    ask(&agent, UPDATE).await.expect("staging flows");
    freeze(&bed, &["--upstream", "books"]);
    freeze(&bed, &["--environment", "production"]);
    ask(&agent, UPDATE).await.expect("neither covers orders");
    let made = freeze(
        &bed,
        &[
            "--upstream",
            "orders",
            "--reason",
            "the audit",
            "--until",
            "2100-06-01T08:00",
            "--zone",
            "Asia/Tokyo",
        ],
    );
    assert_eq!((&made["freeze"], &made["by"]), (&json!("F-3"), &json!("operator")), "{made}");
    let refused = ask(&agent, UPDATE).await.unwrap_err();
    assert_eq!(refused.code, "25006", "{refused:?}");
    for words in
        ["upstream orders", "F-3", "by operator", "the audit", "Tue 2100-06-01 08:00 (Asia/Tokyo)"]
    {
        assert!(refused.message.contains(words), "{words}: {refused:?}");
    }
    ask(&agent, "SELECT 1 FROM customers LIMIT 1").await.expect("reads flow");
    assert_eq!(freezes(&bed).len(), 3);
    for wrong in [
        ["--environment", "nowhere"],
        ["--upstream", "nothing"],
        ["--until", "2001-01-01T00:00"],
        ["--until", "soon"],
    ] {
        let output = bed.tyer.output(&["freeze", wrong[0], wrong[1]]).expect("tyer");
        assert_eq!(output.status.code(), Some(1), "{wrong:?}");
    }
    let page = bed.tyer.run(&["thaw", "F-3"]).expect("a page");
    assert!(page.trim_end().ends_with("/freezes"), "{page}");

    bed.alice.thaw("F-3").await.expect("alice signs");
    let twice = bed.alice.thaw("F-3").await.expect_err("once each").to_string();
    assert!(twice.contains("alice has signed already"), "{twice}");
    assert_eq!(ask(&agent, UPDATE).await.unwrap_err().code, "25006", "one of two");
    assert_eq!(freezes(&bed)[2]["signed_by"], json!(["alice"]));
    // A signature is for one freeze; what is another by now is not ended by it.
    let statement = bed.bob.statement(&json!({ "thaw": "F-2" })).await.expect("a statement");
    assert_eq!(statement["statement"]["what"]["freeze"], "F-2");
    bed.bob.answer(&statement, "").await.expect("bob signs for F-2");
    assert_eq!(ask(&agent, UPDATE).await.unwrap_err().code, "25006", "two people for two freezes");
    bed.tyer.resume().expect("a restart");
    let agent = bed.agent().await;
    assert_eq!(ask(&agent, UPDATE).await.unwrap_err().code, "25006", "it outlives the program");
    bed.carol.sign_in().await.expect("sign-in");
    bed.carol.thaw("F-3").await.expect("carol signs");
    ask(&agent, UPDATE).await.expect("two of two");
    assert!(bed.carol.thaw("F-3").await.is_err(), "it has ended");
    assert_eq!(freezes(&bed).len(), 2, "the others go on");
    assert_eq!(freeze(&bed, &["--upstream", "orders"])["freeze"], "F-4", "no id comes twice");

    let ended = bed.leaves_of("freeze_ended");
    let signers: Vec<&Value> = record(&ended[0])["signed"]
        .as_array()
        .expect("signatures")
        .iter()
        .map(|signed| &signed["statement"]["person"])
        .collect();
    assert_eq!(signers, ["alice", "carol"]);
    bed.verify();
}

#[tokio::test]
async fn one_human_under_two_names_does_not_end_a_freeze() {
    let mut bed = Bed::new(STAGING).await;
    let agent = bed.agent().await;
    bed.alice.decide(&json!({ "link": ["bob", "carol"] }), "").await.expect("alice says so");
    freeze(&bed, &[]);
    bed.bob.thaw("F-1").await.expect("bob signs");
    let refused = bed.carol.thaw("F-1").await.expect_err("bob under another name").to_string();
    assert!(refused.contains("under whatever name"), "{refused}");
    assert_eq!(ask(&agent, UPDATE).await.unwrap_err().code, "25006", "one of two");
    bed.alice.thaw("F-1").await.expect("alice signs");
    ask(&agent, UPDATE).await.expect("two of two");
    bed.verify();
}

#[tokio::test]
async fn the_calendar_freezes_and_two_people_end_that_time_only() {
    let mut bed = Bed::new(Shape { sections: CALENDAR, ..STAGING }).await;
    let agent = bed.agent().await;
    let refused = ask(&agent, UPDATE).await.unwrap_err();
    assert_eq!(refused.code, "25006", "{refused:?}");
    for words in ["the books are closed", "by calendar", "Sat 2101-01-01 00:00 (Europe/Berlin)"] {
        assert!(refused.message.contains(words), "{words}: {refused:?}");
    }
    let id = "century@2001-01-01T00:00";
    let started = bed.leaves_of("freeze_started");
    assert_eq!(started.len(), 1, "{started:?}");
    assert_eq!(record(&started[0])["freeze"]["id"], id);
    bed.alice.thaw(id).await.expect("alice signs");
    assert_eq!(ask(&agent, UPDATE).await.unwrap_err().code, "25006", "one of two");
    bed.bob.thaw(id).await.expect("bob signs");
    ask(&agent, UPDATE).await.expect("two of two");
    bed.tyer.resume().expect("a restart");
    let agent = bed.agent().await;
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    ask(&agent, UPDATE).await.expect("that time is over");
    assert_eq!(bed.leaves_of("freeze_started").len(), 1);
    bed.verify();
}

#[tokio::test]
async fn the_calendar_is_changed_by_two_people() {
    let mut bed = Bed::new(Shape { sections: CALENDAR, ..STAGING }).await;
    let login = bed.session(&[]);
    let part = json!({ "configure": "freezes" });
    let later = CALENDAR.replace("2101", "2102").leak();
    // Made shorter, and taken out altogether.
    for sections in [later, ""] {
        bed.tyer.kill();
        bed.tyer.configure(&bed.cluster, &Shape { sections, ..STAGING }).expect("changed by hand");
        bed.tyer.resume().expect("a restart");
        for (person, count) in [(&mut bed.alice, 0), (&mut bed.bob, 1)] {
            let closed = crate::bed::connect(bed.tyer.door, &login.session, &login.password).await;
            assert!(closed.is_err(), "{count} of two people have confirmed {sections:?}");
            person.sign_in().await.expect("sign-in");
            person.decide(&part, "").await.expect("a confirmation");
        }
        let agent = bed.connect(&login).await;
        // What has begun goes on until its end, or until two people end it.
        assert_eq!(ask(&agent, UPDATE).await.unwrap_err().code, "25006", "{sections:?}");
    }
    bed.verify();
}

#[tokio::test]
async fn an_approved_request_of_a_killed_session_never_runs() {
    let mut bed = Bed::new(Shape::default()).await;
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    let delete = "DELETE FROM payments";
    let hold = ask(&agent, delete).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    bed.tyer.run(&["session", "kill", &login.session]).expect("a kill");
    assert!(ask(&agent, delete).await.is_err());
    bed.until(&hold, "abandoned").await;
    let other = bed.agent().await;
    let again = ask(&other, delete).await.unwrap_err().hold();
    assert_ne!(again, hold, "another session asks anew");
    assert_ne!(bed.truth("SELECT count(*) FROM payments"), "0");
    bed.verify();
}
