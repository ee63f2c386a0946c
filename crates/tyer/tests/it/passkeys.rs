//! Passkeys beyond a person's first: further ones, new ones in place of lost ones, and removed ones.

use serde_json::{Value, json};
use xtask::approver::Approver;
use xtask::instance::Shape;

use crate::bed::{Bed, ask, connect};

const DELETE: &str = "DELETE FROM payments";

/// The token of the link that a decision has made.
fn token(effected: &Value) -> &str {
    let url = effected.pointer("/invited/url").and_then(Value::as_str).expect("a link");
    url.rsplit('/').next().expect("a token")
}

/// The digests of a person's passkeys, with how each stands: `counts`, `waits` or `removed`.
async fn passkeys(by: &mut Approver, name: &str) -> Vec<(String, &'static str)> {
    let (_, answer) = by.http().get("/api/v1/people").await.expect("people");
    let people = answer.get("people").and_then(Value::as_array).expect("people").clone();
    let person = people.into_iter().find(|person| person.get("name") == Some(&json!(name)));
    let person = person.expect("the person");
    let list = person.get("passkey_list").and_then(Value::as_array).expect("passkeys");
    let word = |passkey: &Value| {
        let is =
            |field: &str| passkey.get(field).is_some_and(|it| *it != json!(false) && !it.is_null());
        if is("removed_by") {
            "removed"
        } else if is("counts") {
            "counts"
        } else {
            "waits"
        }
    };
    let digest = |passkey: &Value| passkey.get("digest").and_then(Value::as_str).map(str::to_owned);
    list.iter().map(|passkey| (digest(passkey).expect("a digest"), word(passkey))).collect()
}

/// How a person's passkeys stand, the first first.
async fn stand(by: &mut Approver, name: &str, expect: &[&str]) {
    let words: Vec<&str> = passkeys(by, name).await.into_iter().map(|(_, word)| word).collect();
    assert_eq!(words, expect, "{name}");
}

async fn digest(by: &mut Approver, name: &str, at: usize) -> String {
    passkeys(by, name).await.remove(at).0
}

async fn refused(by: &mut Approver, wish: Value, expect: &str) {
    let said = by.decide(&wish, "").await.expect_err("a refusal").to_string();
    assert!(said.contains(expect), "{wish}: {said}");
}

#[tokio::test]
async fn a_further_passkey_counts_once_another_person_has_confirmed_it() {
    let mut bed = Bed::new(Shape::default()).await;
    let link = bed.bob.decide(&json!({ "add_passkey": true }), "").await.expect("a link");
    let console = bed.tyer.console;
    let mut other = Approver::enrol_only("bob", token(&link), console).await.expect("enrolled");
    assert!(Approver::enrol_only("bob", token(&link), console).await.is_err(), "a link works once");
    stand(&mut bed.alice, "bob", &["counts", "waits"]).await;
    let said = other.sign_in().await.expect_err("it does nothing yet").to_string();
    assert!(said.contains("not enrolled here"), "{said}");
    let new = json!({ "confirm_passkey": digest(&mut bed.alice, "bob", 1).await });
    refused(&mut bed.bob, new.clone(), "somebody other than bob has to confirm it").await;
    bed.alice.decide(&new, "").await.expect("alice confirms");
    refused(&mut bed.carol, new, "waits to be confirmed").await;
    stand(&mut bed.alice, "bob", &["counts", "counts"]).await;
    other.sign_in().await.expect("it signs in");
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    other.approve(&hold).await.expect("and approves");
    assert!(bed.bob.approve(&hold).await.is_err(), "one human is one vote by whichever passkey");
    bed.alice.approve(&hold).await.expect("alice approves");
    ask(&agent, DELETE).await.expect("it runs");
    bed.verify();
}

#[tokio::test]
async fn two_others_replace_lost_passkeys() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    bed.bob.approve(&hold).await.expect("bob approves with what he will lose");
    refused(&mut bed.bob, json!({ "recover": "bob" }), "two other people").await;
    refused(&mut bed.alice, json!({ "recover": "nobody" }), "has not enrolled yet").await;
    let link = bed.alice.decide(&json!({ "recover": "bob" }), "").await.expect("a link");
    let mut new = Approver::enrol_only("bob", token(&link), bed.tyer.console).await.expect("enrolled");
    stand(&mut bed.alice, "bob", &["counts", "waits"]).await;
    let confirm = json!({ "confirm_passkey": digest(&mut bed.alice, "bob", 1).await });
    refused(&mut bed.alice, confirm.clone(), "alice asked for it").await;
    refused(&mut bed.bob, confirm.clone(), "somebody other than bob").await;
    assert!(new.sign_in().await.is_err(), "it does nothing yet");
    bed.carol.decide(&confirm, "").await.expect("carol confirms");
    stand(&mut bed.alice, "bob", &["removed", "counts"]).await;
    bed.until(&hold, "abandoned").await;
    let (status, _) = bed.bob.http().get("/api/v1/people").await.expect("an answer");
    assert_eq!(status, 401, "who was signed in by the lost passkey is signed out");
    assert!(bed.bob.sign_in().await.is_err(), "and does not sign in by it again");
    new.sign_in().await.expect("the new one does");
    // Carol alone says who bob is now: he is no peer for what she controls.
    let more = "DELETE FROM payments WHERE id > 0";
    let said = ask(&agent, more).await.unwrap_err().message;
    assert!(said.contains("two different people other than the controller"), "{said}");
    bed.alice.decide(&json!({ "confirm": "bob" }), "").await.expect("alice stands behind bob, too");
    let hold = ask(&agent, more).await.unwrap_err().hold();
    new.approve(&hold).await.expect("then he is");
    bed.verify();
}

#[tokio::test]
async fn nobody_recovers_or_confirms_alone_under_two_names() {
    let mut bed = Bed::new(Shape::default()).await;
    let invited = bed.bob.decide(&json!({ "invite": "ali" }), "").await.expect("an invitation");
    let mut ali = Approver::enrol("ali", token(&invited), bed.tyer.console).await.expect("ali");
    bed.carol.decide(&json!({ "confirm": "ali" }), "").await.expect("a confirmation");
    let link = ali.decide(&json!({ "recover": "bob" }), "").await.expect("a link");
    Approver::enrol_only("bob", token(&link), bed.tyer.console).await.expect("enrolled");
    bed.carol.decide(&json!({ "link": ["alice", "ali"] }), "").await.expect("one human");
    let confirm = json!({ "confirm_passkey": digest(&mut bed.alice, "bob", 1).await });
    refused(&mut bed.alice, confirm, "alice asked for it").await;
    refused(&mut ali, json!({ "recover": "alice" }), "two other people").await;
    // Whoever asked has to count still.
    let remove = json!({ "remove_passkey": digest(&mut bed.alice, "ali", 0).await });
    bed.bob.decide(&remove, "").await.expect("ali is removed");
    let confirm = json!({ "confirm_passkey": digest(&mut bed.alice, "bob", 1).await });
    refused(&mut bed.carol, confirm, "may not do so any more").await;
    bed.verify();
}

#[tokio::test]
async fn a_removed_passkey_and_what_it_approved_count_no_more() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    bed.bob.approve(&hold).await.expect("bob approves");
    let begun = bed.bob.decide(&json!({ "add_passkey": true }), "").await.expect("a link");
    let bobs = json!({ "remove_passkey": digest(&mut bed.alice, "bob", 0).await });
    let stale = bed.bob.statement(&json!({ "invite": "dave" })).await.expect("a statement");
    bed.carol.decide(&bobs, "").await.expect("carol removes bob's only passkey");
    stand(&mut bed.alice, "bob", &["removed"]).await;
    bed.until(&hold, "abandoned").await;
    assert!(ask(&agent, DELETE).await.is_err(), "it waits again");
    assert!(bed.bob.answer(&stale, "").await.is_err(), "what it signs is not accepted");
    assert!(bed.bob.sign_in().await.is_err());
    let by_link = Approver::enrol_only("bob", token(&begun), bed.tyer.console).await;
    assert!(by_link.is_err(), "what it began is not enrolled");
    refused(&mut bed.carol, bobs, "there is no passkey").await;
    // Nobody could let anybody in again.
    for name in ["alice", "carol"] {
        let last = json!({ "remove_passkey": digest(&mut bed.alice, name, 0).await });
        refused(&mut bed.alice, last, "one of the last two people who count").await;
    }
    // Bob comes back by two others.
    let link = bed.alice.decide(&json!({ "recover": "bob" }), "").await.expect("a link");
    let mut new = Approver::enrol_only("bob", token(&link), bed.tyer.console).await.expect("enrolled");
    let confirm = json!({ "confirm_passkey": digest(&mut bed.alice, "bob", 1).await });
    bed.carol.decide(&confirm, "").await.expect("carol confirms");
    new.sign_in().await.expect("bob is back");
    let alices = json!({ "remove_passkey": digest(&mut bed.alice, "alice", 0).await });
    new.decide(&alices, "").await.expect("and there are three again");
    bed.verify();
}

#[tokio::test]
async fn a_removed_passkeys_confirmation_of_the_configuration_is_taken_back() {
    let mut bed = Bed::new(Shape::default()).await;
    let login = bed.session(&[]);
    bed.tyer.kill();
    let shape = Shape { environment: "staging", ..Shape::default() };
    bed.tyer.configure(&bed.cluster, &shape).expect("a changed configuration");
    bed.tyer.resume().expect("a restart");
    for person in [&mut bed.alice, &mut bed.bob, &mut bed.carol] {
        person.sign_in().await.expect("sign-in");
    }
    let part = json!({ "configure": "upstream orders" });
    bed.bob.decide(&part, "").await.expect("bob confirms");
    let bobs = json!({ "remove_passkey": digest(&mut bed.alice, "bob", 0).await });
    bed.alice.decide(&bobs, "").await.expect("his passkey is removed");
    bed.alice.decide(&part, "").await.expect("alice confirms");
    assert!(connect(bed.tyer.door, &login.session, &login.password).await.is_err(), "still closed");
    bed.carol.decide(&part, "").await.expect("carol confirms");
    bed.connect(&login).await;
    bed.verify();
}

#[tokio::test]
async fn a_passkey_that_counts_before_it_was_confirmed_is_found_and_its_leaf_named() {
    let mut bed = Bed::new(Shape::default()).await;
    let link = bed.alice.decide(&json!({ "recover": "bob" }), "").await.expect("a link");
    Approver::enrol_only("bob", token(&link), bed.tyer.console).await.expect("enrolled");
    let confirm = json!({ "confirm_passkey": digest(&mut bed.alice, "bob", 1).await });
    bed.carol.decide(&confirm, "").await.expect("carol confirms");
    bed.verify();
    let kinds: Vec<usize> =
        ["passkey_asked", "passkey_confirmed"].map(|kind| bed.leaves_of(kind).len()).into();
    assert_eq!(kinds, [1, 1]);
    let said = bed.tyer.run(&["ledger", "tail"]).expect("the ledger");
    assert!(said.contains("alice lets bob enrol a new passkey in place of lost ones"), "{said}");
    assert!(said.contains("carol confirmed a passkey of bob"), "{said}");
}
