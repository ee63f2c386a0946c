//! One operator lets a held request through alone, when nobody else can be had; everybody is told, and two others sign
//! it off.

use serde_json::{Value, json};
use xtask::approver::Approver;
use xtask::instance::Shape;

use crate::attestation::{Maker, further};
use crate::bed::{Bed, ask, invited};

const DELETE: &str = "DELETE FROM payments";

const POLICY: &str = "[attestation]\nroots = [\"maker.pem\"]\n\n[break_glass]\nopen_reviews = 1";

/// A place where bob, an owner, has a hardware key.
async fn bed() -> (Bed, Approver) {
    let maker = Maker::new();
    let files = vec![("maker.pem", maker.root.clone())];
    let mut bed = Bed::new(Shape { policy: POLICY, files, ..Shape::default() }).await;
    let (hardware, attested) = further(&mut bed, &maker).await;
    assert!(attested);
    (bed, hardware)
}

fn breaking(hold: &str) -> Value {
    json!({ "break_glass": { "hold": hold, "reason": "the shop is down, and nobody answers" } })
}

fn finding(hold: &str, words: &str) -> Value {
    json!({ "review": { "hold": hold, "finding": words } })
}

fn reviews(bed: &Bed) -> Vec<Value> {
    let listed = bed.tyer.run(&["--json", "reviews"]).expect("reviews");
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    listed["reviews"].as_array().expect("a list").clone()
}

fn unreviewed(bed: &Bed) -> Value {
    let verified = bed.tyer.run(&["--json", "ledger", "verify"]).expect("verify");
    serde_json::from_str::<Value>(&verified).expect("JSON")["unreviewed"].clone()
}

#[tokio::test]
async fn one_operator_lets_one_request_through_and_two_others_review_it() {
    let (mut bed, mut bob) = bed().await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    bob.decide(&breaking(&hold), "").await.expect("the glass is broken");
    assert_eq!(bed.hold(&hold).await["broken"]["reason"], "the shop is down, and nobody answers");
    // Everybody is told, wherever they look.
    let (_, status) = bed.alice.http().get("/api/v1/status").await.expect("how it stands");
    assert!(status["reviews"].to_string().contains("nobody answers"), "{status}");
    assert_eq!(reviews(&bed)[0]["by"], "bob");
    ask(&agent, DELETE).await.expect("it runs");
    let again = ask(&agent, DELETE).await.unwrap_err().hold();
    assert_ne!(again, hold, "it was for one request, once");
    assert_eq!(unreviewed(&bed), json!([hold]));
    // While nobody has reviewed that, there is no second one.
    let second = bob.decide(&breaking(&again), "").await.unwrap_err().to_string();
    assert!(second.contains("that comes first"), "{second}");
    let own = bob.decide(&finding(&hold, "fine"), "").await.unwrap_err().to_string();
    assert!(own.contains("broke the glass or has signed already"), "{own}");
    let empty = bed.alice.decide(&finding(&hold, " "), "").await.unwrap_err().to_string();
    assert!(empty.contains("say what you found"), "{empty}");
    let controls = bed.carol.decide(&finding(&hold, "fine"), "").await.unwrap_err().to_string();
    assert!(controls.contains("controls the session"), "{controls}");
    bed.alice.decide(&finding(&hold, "four orders; nobody hurt"), "").await.expect("alice reviews it");
    let twice = bed.alice.decide(&finding(&hold, "fine"), "").await.unwrap_err().to_string();
    assert!(twice.contains("has signed already"), "{twice}");
    assert_eq!(reviews(&bed)[0]["findings"][0]["text"], "four orders; nobody hurt");
    let mut dave = invited(&mut bed.carol, "dave", bed.tyer.console).await;
    // Whom only the one stands behind who broke the glass does not review it.
    bed.bob.decide(&json!({ "confirm": "dave" }), "").await.expect("bob confirms");
    let theirs = dave.decide(&finding(&hold, "agreed"), "").await.unwrap_err().to_string();
    assert!(theirs.contains("confirmed only by whoever broke the glass"), "{theirs}");
    // Nor does whom that one and who controls the session stand behind, though each is known to others.
    bed.alice.decide(&json!({ "confirm": "carol" }), "").await.expect("alice stands behind carol");
    bed.carol.decide(&json!({ "confirm": "dave" }), "").await.expect("carol confirms");
    let theirs = dave.decide(&finding(&hold, "agreed"), "").await.unwrap_err().to_string();
    assert!(theirs.contains("by people who control the session"), "{theirs}");
    bed.alice.decide(&json!({ "confirm": "dave" }), "").await.expect("alice confirms");
    dave.decide(&finding(&hold, "agreed"), "").await.expect("dave reviews it");
    assert_eq!(reviews(&bed), Vec::<Value>::new());
    assert_eq!(unreviewed(&bed), json!([]));
    let late = bed.alice.decide(&finding(&hold, "fine"), "").await.unwrap_err().to_string();
    assert!(late.contains("waits for no review"), "{late}");
    bob.decide(&breaking(&again), "").await.expect("now they may");
    bed.verify();
}

#[tokio::test]
async fn glass_is_not_broken_by_less() {
    let (mut bed, mut bob) = bed().await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    let check = |refused: Result<Value, _>, expect: &str| {
        let refused: xtask::approver::ApproverError = refused.expect_err(expect);
        assert!(refused.to_string().contains(expect), "{expect}: {refused}");
    };
    check(bed.bob.decide(&breaking(&hold), "").await, "by an attested hardware key only");
    check(bed.alice.decide(&breaking(&hold), "").await, "by an attested hardware key only");
    let silent = json!({ "break_glass": { "hold": hold, "reason": " " } });
    check(bob.decide(&silent, "").await, "needs a reason");
    assert!(ask(&agent, DELETE).await.is_err());
    // What was signed to let one through approves nothing, and lets no other one through.
    let other = ask(&agent, "DELETE FROM orders").await.unwrap_err().hold();
    let statement = bob.statement(&breaking(&hold)).await.expect("a statement");
    let mut signed = bob.signed(&statement, "").expect("signed");
    let for_other = bob.statement(&breaking(&other)).await.expect("a statement");
    signed["nonce"] = for_other["statement"]["nonce"].clone();
    check(bob.send(&signed).await, "signature");
    // A freeze binds whoever breaks glass, and what they broke.
    bob.decide(&breaking(&hold), "").await.expect("the glass is broken");
    bed.tyer.run(&["freeze", "--reason", "launch"]).expect("a freeze");
    assert_eq!(ask(&agent, DELETE).await.unwrap_err().code, "25006");
    for person in [&mut bed.alice, &mut bed.carol] {
        person.thaw("F-1").await.expect("thawed");
    }
    assert!(ask(&agent, DELETE).await.is_err(), "it was before the freeze");
    bed.verify();
}

#[tokio::test]
async fn what_one_let_through_can_be_stopped() {
    let (mut bed, mut bob) = bed().await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    bob.decide(&breaking(&hold), "").await.expect("the glass is broken");
    bed.alice.reject(&hold, "wait for me").await.expect("alice stops it");
    assert!(ask(&agent, DELETE).await.unwrap_err().message.contains("wait for me"));
    assert_eq!(unreviewed(&bed), json!([hold]), "that it was broken is reviewed all the same");
    bed.verify();
}

#[tokio::test]
async fn what_one_let_through_lapses_with_their_key() {
    let (mut bed, mut bob) = bed().await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    bob.decide(&breaking(&hold), "").await.expect("the glass is broken");
    assert_eq!(bed.hold(&hold).await["state"], "approved");
    let (_, people) = bed.alice.http().get("/api/v1/people").await.expect("people");
    let of_bob = people["people"][1]["passkey_list"].as_array().expect("passkeys");
    let hardware = of_bob.iter().find(|it| it["attested"] == true).expect("a hardware key");
    let remove = json!({ "remove_passkey": hardware["digest"] });
    bed.alice.decide(&remove, "").await.expect("alice removes it");
    assert_eq!(bed.hold(&hold).await["state"], "abandoned");
    let before = bed.truth("SELECT count(*) FROM payments");
    assert_ne!(ask(&agent, DELETE).await.unwrap_err().hold(), hold);
    assert_eq!(bed.truth("SELECT count(*) FROM payments"), before);
    assert_eq!(unreviewed(&bed), json!([hold]), "that it was broken is reviewed all the same");
    bed.verify();
}

#[tokio::test]
async fn without_the_section_nobody_breaks_glass() {
    let maker = Maker::new();
    let files = vec![("maker.pem", maker.root.clone())];
    let policy = "[attestation]\nroots = [\"maker.pem\"]";
    let mut bed = Bed::new(Shape { policy, files, ..Shape::default() }).await;
    let (mut bob, _) = further(&mut bed, &maker).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    let refused = bob.decide(&breaking(&hold), "").await.unwrap_err().to_string();
    assert!(refused.contains("no [break_glass]"), "{refused}");
    // Nor does it count that somebody wrote it, before two have confirmed it.
    let files = vec![("maker.pem", maker.root.clone())];
    assert!(bed.restarts(&Shape { policy: POLICY, files, ..Shape::default() }), "it starts");
    bob.sign_in().await.expect("a sign-in");
    let refused = bob.decide(&breaking(&hold), "").await.unwrap_err().to_string();
    assert!(refused.contains("no [break_glass]"), "{refused}");
}
