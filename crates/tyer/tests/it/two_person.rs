//! Tricks against the rule of two people, one a test; docs/two-person-rule.md lists them all.

use serde_json::{Value, json};
use xtask::approver::Approver;
use xtask::instance::Shape;

use crate::bed::{Bed, ask, needing};

/// Two people are asked for this, one for the other.
const DELETE: &str = "DELETE FROM payments";
const INSERT: &str = "INSERT INTO traces VALUES (1)";

/// A bed with a table in which each execution leaves a row.
async fn traced(shape: Shape) -> Bed {
    let bed = Bed::new(shape).await;
    bed.truth("CREATE TABLE traces (id int); ALTER TABLE traces OWNER TO tyer");
    bed
}

fn traces(bed: &Bed) -> String {
    bed.truth("SELECT count(*) FROM traces")
}

/// The assertion of one signed statement beside the nonce of another.
fn crossed(signed: &Value, nonce_of: &Value) -> Value {
    let mut crossed = signed.clone();
    crossed["nonce"] = nonce_of["statement"]["nonce"].clone();
    crossed
}

async fn why(approver: &mut Approver, decision: &Value) -> String {
    approver.send(decision).await.expect_err("it is refused").to_string()
}

#[tokio::test]
async fn a_signature_is_for_its_decision_request_and_card() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    let other = ask(&agent, "DELETE FROM payments WHERE id > 0").await.unwrap_err().hold();
    assert_ne!(hold, other);
    // What was signed, and for what it is handed in.
    for (wish, taken_for) in [
        (json!({ "reject": hold }), json!({ "approve": hold })),
        (json!({ "approve": other }), json!({ "approve": hold })),
        (json!({ "sign_in": true }), json!({ "approve": hold })),
        (json!({ "approve": hold }), json!({ "approve": hold })),
    ] {
        let signed = bed.alice.statement(&wish).await.expect("a statement");
        let signed = bed.alice.signed(&signed, "words").expect("a signature");
        let target = bed.alice.statement(&taken_for).await.expect("a statement");
        let why = why(&mut bed.alice, &crossed(&signed, &target)).await;
        assert!(why.contains("over another statement"), "{wish}: {why}");
    }
    assert_eq!(bed.hold(&hold).await["given"]["peers"], 0);
    assert_eq!(bed.hold(&hold).await["state"], "open");
    bed.verify();
}

#[tokio::test]
async fn a_signature_is_its_persons_whoever_hands_it_in() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    // Whoever has stolen alice's cookie gets a statement for her, and has no passkey of hers.
    let statement = bed.alice.statement(&json!({ "approve": hold })).await.expect("a statement");
    let by_bob = bed.bob.signed(&statement, "").expect("bob's signature");
    assert!(why(&mut bed.alice, &by_bob).await.contains("not enrolled here"));
    // Nor is a signature taken that comes with another's cookie.
    let statement = bed.bob.statement(&json!({ "approve": hold })).await.expect("a statement");
    let by_bob = bed.bob.signed(&statement, "").expect("bob's signature");
    assert!(why(&mut bed.alice, &by_bob).await.contains("made for somebody else"));
    bed.bob.send(&by_bob).await.expect("it is bob's");
    let card = bed.hold(&hold).await;
    assert_eq!(card["approvals"][0]["person"], "bob", "{card}");
    assert_eq!(card["given"]["peers"], 1);
    // And is good once.
    assert!(why(&mut bed.bob, &by_bob).await.contains("used already"));
    bed.verify();
}

#[tokio::test]
async fn an_approval_is_for_its_session_and_lives_through_a_restart_once() {
    let mut bed = traced(Shape::default()).await;
    let (login, other) = (bed.session(&[]), bed.session(&[]));
    let agent = bed.connect(&login).await;
    let hold = ask(&agent, INSERT).await.unwrap_err().hold();
    let unused = bed.bob.statement(&json!({ "approve": hold })).await.expect("a statement");
    bed.alice.approve(&hold).await.expect("alice");
    let elsewhere = bed.connect(&other).await;
    assert_ne!(ask(&elsewhere, INSERT).await.unwrap_err().hold(), hold, "another session");
    assert_eq!(traces(&bed), "0");
    bed.tyer.kill();
    bed.tyer.resume().expect("a restart");
    // A statement from before it is worthless, the approval is not.
    let unused = bed.bob.signed(&unused, "").expect("a signature");
    assert!(why(&mut bed.bob, &unused).await.contains("took too long or was used already"));
    let agent = bed.connect(&login).await;
    ask(&agent, INSERT).await.expect("it runs");
    assert_ne!(ask(&agent, INSERT).await.unwrap_err().hold(), hold, "and once");
    assert_eq!(traces(&bed), "1");
    bed.verify();
}

#[tokio::test]
async fn an_approval_that_is_used_on_many_connections_at_once_runs_once() {
    let mut bed = traced(Shape::default()).await;
    let login = bed.session(&[]);
    let first = bed.connect(&login).await;
    let hold = ask(&first, INSERT).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    let mut agents = vec![first];
    for _ in 1..8 {
        agents.push(bed.connect(&login).await);
    }
    let at_once =
        agents.into_iter().map(|agent| tokio::spawn(async move { ask(&agent, INSERT).await.is_ok() }));
    let mut ran = 0;
    for one in at_once.collect::<Vec<_>>() {
        ran += usize::from(one.await.expect("a task"));
    }
    assert_eq!((ran, traces(&bed).as_str()), (1, "1"));
    bed.verify();
}

#[tokio::test]
async fn an_approval_is_decided_again_by_the_policies_of_its_release() {
    let mut bed = traced(needing(1)).await;
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    let hold = ask(&agent, INSERT).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.until(&hold, "approved").await;
    bed.tyer.kill();
    let stricter = needing(2);
    std::fs::write(bed.tyer.directory().join("own.cedar"), &stricter.files[0].1).expect("a policy");
    bed.tyer.resume().expect("a restart");
    for person in [&mut bed.alice, &mut bed.bob] {
        person.sign_in().await.expect("sign-in");
        person.decide(&json!({ "configure": "policy" }), "").await.expect("a confirmation");
    }
    let agent = bed.connect(&login).await;
    let refused = ask(&agent, INSERT).await.unwrap_err();
    assert!(refused.message.contains("two different people"), "{refused:?}");
    assert_eq!(traces(&bed), "0");
    // A new card says in what it differs from the one that alice signed.
    assert_ne!(refused.hold(), hold);
    let differences = bed.hold(&refused.hold()).await["facts"]["differences"].to_string();
    for said in [
        format!("{hold} was approved for something else"),
        "other policies hold now: it needs two different people other than the controller, and needed one \
         person other than the controller"
            .to_owned(),
    ] {
        assert!(differences.contains(&said), "{differences}");
    }
    bed.bob.approve(&refused.hold()).await.expect("bob");
    assert!(ask(&agent, INSERT).await.is_err(), "what alice signed was for other policies");
    bed.alice.approve(&refused.hold()).await.expect("alice");
    ask(&agent, INSERT).await.expect("two are enough");
    assert_eq!(traces(&bed), "1");
    bed.verify();
}

#[tokio::test]
async fn an_operators_shell_makes_nobody_who_counts() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    // The socket in the data directory: the operator reads, and decides nothing.
    for (path, body) in [
        ("/api/v1/statements", json!({ "approve": hold })),
        ("/api/v1/statements", json!({ "invite": "puppet" })),
        ("/api/v1/statements", json!({ "confirm": "puppet" })),
        ("/api/v1/decisions", json!({ "nonce": "x", "assertion": {} })),
    ] {
        let (status, said) = bed.tyer.http().post(path, &body).await.expect("an answer");
        assert!(!status.is_success(), "{path} {body}: {said}");
    }
    for words in [["people", "invite", "puppet"], ["people", "confirm", "puppet"]] {
        let said = bed.tyer.output(&words).expect("it runs");
        assert!(String::from_utf8_lossy(&said.stdout).contains("/people"), "only the console's page");
    }
    let listed = bed.tyer.run(&["--json", "people", "list"]).expect("the people");
    assert!(!listed.contains("puppet"), "{listed}");
    assert_eq!(bed.hold(&hold).await["state"], "open");
    bed.verify();
}

#[tokio::test]
async fn a_flood_of_requests_is_bounded_and_hides_nothing_grave() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let (mut held, mut refused) = (Vec::new(), 0);
    for n in 0..1_000 {
        let answer = ask(&agent, &format!("UPDATE customers SET name = 'n{n}' WHERE id = {n}")).await;
        let answer = answer.unwrap_err();
        if answer.message.contains("H-") {
            held.push(answer.hold());
        } else {
            let words = ["too many requests of yours wait", "kiro of carol has asked "];
            assert!(words.iter().any(|words| answer.message.contains(words)), "{answer:?}");
            refused += 1;
        }
    }
    held.dedup();
    assert_eq!((held.len(), refused), (20, 980));
    // Asked again, a request joins the hold that it has.
    let again = ask(&agent, "UPDATE customers SET name = 'n0' WHERE id = 0").await.unwrap_err().hold();
    assert_eq!(again, held[0]);
    // Another session of the same controller still gets a grave one through, and it stands first.
    let other = bed.agent().await;
    let grave = ask(&other, DELETE).await.unwrap_err().hold();
    let (_, listed) = bed.alice.http().get("/api/v1/holds").await.expect("the holds");
    assert_eq!(listed["holds"][0]["hold"], json!(grave), "the gravest first");
    bed.verify();
}
