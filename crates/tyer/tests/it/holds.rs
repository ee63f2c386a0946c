//! How holds end without running: rejected, expired, lapsed, frozen; and who cannot answer them.

use serde_json::json;
use xtask::instance::Shape;

use crate::bed::{Bed, ask};

const DELETE: &str = "DELETE FROM payments";

#[tokio::test]
async fn rejected_is_refused_with_the_reason() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    assert!(bed.bob.reject(&hold, "").await.is_err(), "a rejection needs a reason");
    bed.bob.reject(&hold, "the books").await.expect("bob rejects");
    let refused = ask(&agent, DELETE).await.unwrap_err();
    assert!(
        refused.message.contains("bob rejected") && refused.message.contains("the books"),
        "{refused:?}"
    );
    assert!(bed.alice.approve(&hold).await.is_err(), "a rejected hold takes no approval");
    // Asking from another session of the same controller does not help.
    let elsewhere = bed.agent().await;
    assert!(ask(&elsewhere, DELETE).await.unwrap_err().message.contains("the books"));
    assert_ne!(bed.truth("SELECT count(*) FROM payments"), "0");
    bed.verify();
}

#[tokio::test]
async fn an_open_hold_expires() {
    let mut bed = Bed::new(Shape { holds: "expire_seconds = 2", ..Shape::default() }).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    bed.until(&hold, "expired").await;
    assert!(bed.alice.approve(&hold).await.is_err(), "too late");
    assert_ne!(ask(&agent, DELETE).await.unwrap_err().hold(), hold, "a new hold");
    bed.verify();
}

#[tokio::test]
async fn approvals_lapse() {
    let mut bed = Bed::new(Shape { holds: "lapse_seconds = 2", ..Shape::default() }).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    bed.until(&hold, "expired").await;
    assert_ne!(ask(&agent, DELETE).await.unwrap_err().hold(), hold);
    assert_ne!(bed.truth("SELECT count(*) FROM payments"), "0");
}

#[tokio::test]
async fn the_controller_never_counts() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    let refused = bed.carol.approve(&hold).await.expect_err("carol controls the session").to_string();
    assert!(refused.contains("controls the session"), "{refused}");
    bed.bob.approve(&hold).await.expect("bob");
    assert_eq!(ask(&agent, DELETE).await.unwrap_err().hold(), hold, "one peer is not two");
    // As a controller of nothing here, she is a peer like others.
    let other = bed.tyer.session("kiro", "alice", &[]).expect("a session for alice");
    let other = bed.connect(&other).await;
    let hold = ask(&other, DELETE).await.unwrap_err().hold();
    bed.carol.approve(&hold).await.expect("carol is a peer here");
    assert!(bed.alice.approve(&hold).await.is_err(), "alice controls this one");
    bed.bob.approve(&hold).await.expect("bob");
    ask(&other, DELETE).await.expect("it runs");
    bed.verify();
}

#[tokio::test]
async fn two_peers_without_an_owner_are_not_enough() {
    let mut bed = Bed::new(Shape { owners: &["carol"], ..Shape::default() }).await;
    let login = bed.tyer.session("kiro", "nobody-yet", &[]);
    assert!(login.is_err(), "a controller is a person that is known");
    // Everyone who owns the upstream controls the session: nobody can give the owner's approval.
    let agent = bed.agent().await;
    let refused = ask(&agent, DELETE).await.unwrap_err();
    assert!(refused.message.contains("an owner"), "{refused:?}");
    assert!(
        !refused.message.contains("held as"),
        "a need that nobody can meet is no hold: {refused:?}"
    );
    let other = bed.tyer.session("kiro", "alice", &[]).expect("a session for alice");
    let other = bed.connect(&other).await;
    let hold = ask(&other, DELETE).await.unwrap_err().hold();
    bed.bob.approve(&hold).await.expect("bob");
    assert_eq!(ask(&other, DELETE).await.unwrap_err().hold(), hold);
    bed.carol.approve(&hold).await.expect("carol owns it");
    ask(&other, DELETE).await.expect("it runs");
}

#[tokio::test]
async fn a_freeze_refuses_writes_even_when_they_were_approved() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    bed.tyer.run(&["freeze", "--reason", "launch"]).expect("a freeze");
    let refused = ask(&agent, DELETE).await.unwrap_err();
    assert_eq!(refused.code, "25006", "{refused:?}");
    assert!(ask(&agent, "SELECT count(*) FROM payments").await.is_ok(), "reads flow");
    // The command line cannot thaw; nor can a statement that somebody else signs.
    bed.tyer.run(&["thaw", "F-1"]).ok();
    assert!(ask(&agent, DELETE).await.unwrap_err().message.contains("frozen"));
    bed.carol.thaw("F-1").await.expect("carol signs");
    assert!(ask(&agent, DELETE).await.unwrap_err().message.contains("frozen"), "one of two");
    bed.bob.thaw("F-1").await.expect("bob signs");
    // They had agreed before the freeze: what they are asked now says that there was one.
    let anew = ask(&agent, DELETE).await.unwrap_err().hold();
    assert_ne!(anew, hold);
    let differences = bed.hold(&anew).await["facts"]["differences"].to_string();
    for said in [hold.as_str(), "changes to everything were frozen since (F-1, by operator): launch"] {
        assert!(differences.contains(said), "{differences}");
    }
    assert_eq!(bed.hold(&hold).await["state"], "abandoned");
    bed.alice.approve(&anew).await.expect("alice");
    bed.bob.approve(&anew).await.expect("bob");
    ask(&agent, DELETE).await.expect("agreed to since");
    bed.verify();
}

#[tokio::test]
async fn a_signature_is_good_once_and_for_its_own_hold() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let first = ask(&agent, DELETE).await.unwrap_err().hold();
    let statement = bed.alice.statement(&json!({ "approve": first })).await.expect("a statement");
    // Bob signs what was made for alice.
    assert!(bed.bob.answer(&statement, "").await.is_err(), "somebody else's statement");
    let statement = bed.alice.statement(&json!({ "approve": first })).await.expect("a statement");
    bed.alice.answer(&statement, "").await.expect("alice");
    assert!(bed.alice.answer(&statement, "").await.is_err(), "used");
    let (status, _) = bed
        .tyer
        .http()
        .post("/api/v1/statements", &json!({ "approve": first }))
        .await
        .expect("an answer");
    assert!(!status.is_success(), "nobody is signed in: {status}");
    bed.verify();
}

/// What people agreed to is what may happen: if it has become something else, they are asked anew.
#[tokio::test]
async fn an_approval_does_not_carry_what_came_after_it() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    bed.truth("CREATE TABLE parts (id int, old bool); ALTER TABLE parts OWNER TO tyer");
    bed.truth("INSERT INTO parts SELECT n, n <= 120 FROM generate_series(1, 400) n");
    bed.truth("ANALYZE parts");
    let delete = "DELETE FROM parts WHERE old";
    let mut hold = approved(&mut bed, &agent, delete).await;
    for (meanwhile, difference) in [
        (
            "INSERT INTO parts SELECT n, true FROM generate_series(1, 9000) n; ANALYZE parts",
            "rows of public.parts, not 1",
        ),
        (
            "CREATE TABLE uses (id int); CREATE VIEW seen AS SELECT * FROM parts",
            "seen (reads it) has come to depend on",
        ),
        (
            "DROP TABLE parts CASCADE; CREATE TABLE parts (id int, old bool); ALTER TABLE parts OWNER TO tyer",
            "public.parts was removed and made again",
        ),
    ] {
        for statement in meanwhile.split("; ") {
            bed.truth(statement);
        }
        let refused = ask(&agent, delete).await.unwrap_err();
        assert_ne!(refused.hold(), hold, "{meanwhile}");
        assert!(bed.alice.approve(&hold).await.is_err(), "the hold of before has ended");
        hold = refused.hold();
        let shown = bed.hold(&hold).await["facts"]["differences"].to_string();
        assert!(shown.contains("was approved for something else"), "{shown}");
        assert!(shown.contains(difference), "{shown}");
        bed.alice.approve(&hold).await.expect("alice");
        bed.bob.approve(&hold).await.expect("bob");
    }
    // A few rows more are within what was agreed to.
    bed.truth("INSERT INTO parts VALUES (1, true), (2, true), (3, false)");
    assert_eq!(ask(&agent, delete).await, Ok(vec!["#2".to_owned()]));
    bed.verify();
}

async fn approved(bed: &mut Bed, agent: &tokio_postgres::Client, sql: &str) -> String {
    let hold = ask(agent, sql).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    hold
}

/// An agreement outlives a database that does not answer for a moment.
#[tokio::test]
async fn what_cannot_be_looked_at_waits_and_its_hold_stays() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let hold = approved(&mut bed, &agent, DELETE).await;
    bed.truth("ALTER ROLE tyer CONNECTION LIMIT 1");
    let refused = ask(&agent, DELETE).await.unwrap_err();
    assert!(refused.message.contains("could not be looked at"), "{refused:?}");
    assert_eq!(refused.hold(), hold);
    bed.truth("ALTER ROLE tyer CONNECTION LIMIT -1");
    assert!(ask(&agent, DELETE).await.is_ok(), "the same approval");
    bed.verify();
}

/// Planning runs functions, so nothing is planned where there are any that it might run.
#[tokio::test]
async fn the_facts_of_a_card_run_nothing_of_the_database() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let delete = "DELETE FROM payments WHERE id = length('seven'::varchar)";
    let touched = |card: &serde_json::Value| card["facts"]["relations"][0]["touched"].clone();
    let hold = ask(&agent, delete).await.unwrap_err().hold();
    assert!(touched(&bed.hold(&hold).await).is_u64());
    bed.bob.reject(&hold, "first try").await.expect("bob rejects");
    for (own, delete) in [
        ("CREATE FUNCTION length(varchar) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'", delete),
        (
            "DROP FUNCTION length(varchar); CREATE FUNCTION same(bigint, int) RETURNS bool LANGUAGE sql AS 'SELECT true'; \
             CREATE OPERATOR === (FUNCTION = same, LEFTARG = bigint, RIGHTARG = int)",
            "DELETE FROM payments WHERE id === 7",
        ),
    ] {
        own.split("; ").for_each(|statement| drop(bed.truth(statement.trim())));
        let refused = ask(&agent, &format!("{delete} -- {}", own.len())).await.unwrap_err();
        let card = bed.hold(&refused.hold()).await;
        assert!(touched(&card).is_null(), "{card}");
        assert!(card["facts"]["unknown"].to_string().contains("might run"), "{card}");
    }
    // What the statement does not mention is in no way of planning it.
    let hold = ask(&agent, "DELETE FROM payments WHERE id = 8").await.unwrap_err().hold();
    assert!(touched(&bed.hold(&hold).await).is_u64());
}
