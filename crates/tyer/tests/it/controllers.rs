//! Whoever controls what asks is never another person for it: as its agent's owner, under another name, or through
//! people whom nobody else stands behind.

use serde_json::json;
use xtask::approver::Approver;
use xtask::instance::Shape;

use crate::bed::{Bed, ask, connect, invited};

/// One peer is asked for this, two for the other.
const UPDATE: &str = "UPDATE customers SET name = name WHERE id = 1";
const DELETE: &str = "DELETE FROM payments";

async fn refused(approver: &mut Approver, hold: &str) -> String {
    approver.approve(hold).await.expect_err("it does not count").to_string()
}

#[tokio::test]
async fn whoever_owns_the_agent_is_no_peer_for_it() {
    let sections = "[agent.kiro]\nowners = [\"alice\", \"erin\"]\n";
    let mut bed = Bed::new(Shape { sections, ..Shape::default() }).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, UPDATE).await.unwrap_err().hold();
    assert_eq!(bed.hold(&hold).await["also"], json!(["alice", "erin"]));
    let why = refused(&mut bed.alice, &hold).await;
    assert!(why.contains("alice controls the session"), "{why}");
    bed.bob.approve(&hold).await.expect("bob is a peer");
    ask(&agent, UPDATE).await.expect("it runs");
    // Without her there are not two others.
    let refused = ask(&agent, DELETE).await.unwrap_err();
    assert!(refused.message.contains("two different people"), "{refused:?}");
    // Of another agent she is a peer.
    let other = bed.tyer.session("other", "carol", &[]).expect("a session");
    let other = bed.connect(&other).await;
    let hold = ask(&other, UPDATE).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice is a peer here");
    bed.verify();
    // Taking it out of the file closes the doors until two people have agreed to it.
    bed.tyer.kill();
    bed.tyer.configure(&bed.cluster, &Shape::default()).expect("a changed configuration");
    bed.tyer.resume().expect("a restart");
    let refused = bed.tyer.session("kiro", "carol", &[]).expect_err("two have to agree first");
    assert!(refused.to_string().contains("two people have to confirm"), "{refused}");
    let elsewhere = bed.tyer.session("other", "carol", &[]).expect("a session");
    let (user, password) = (&elsewhere.session, &elsewhere.password);
    assert!(connect(bed.tyer.door, user, password).await.is_err(), "the door is closed");
    for person in [&mut bed.alice, &mut bed.bob] {
        person.sign_in().await.expect("sign-in");
        person.decide(&json!({ "configure": "agent kiro" }), "").await.expect("a confirmation");
    }
    let agent = bed.agent().await;
    let hold = ask(&agent, UPDATE).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice is a peer now");
    bed.verify();
}

#[tokio::test]
async fn names_of_people_are_nobody_elses() {
    let mut bed = Bed::new(Shape::default()).await;
    for name in ["operator", "Calendar", "tyer", "Alice", "BOB", "carol"] {
        let refused = bed.alice.decide(&json!({ "invite": name }), "").await;
        assert!(refused.is_err(), "{name}");
    }
}

#[tokio::test]
async fn two_names_are_one_human() {
    let mut bed = Bed::new(Shape::default()).await;
    let mut dave = invited(&mut bed.alice, "dave", bed.tyer.console).await;
    bed.bob.decide(&json!({ "confirm": "dave" }), "").await.expect("bob confirms dave");
    assert!(bed.bob.decide(&json!({ "link": ["dave", "dave"] }), "").await.is_err());
    assert!(bed.bob.decide(&json!({ "link": ["dave", "nobody"] }), "").await.is_err());
    let agent = bed.agent().await;
    // Both agree to something, and only then it is said that they are one.
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    bed.bob.approve(&hold).await.expect("bob");
    dave.approve(&hold).await.expect("dave");
    assert_eq!(bed.hold(&hold).await["state"], "approved");
    bed.alice.decide(&json!({ "link": ["dave", "bob"] }), "").await.expect("alice says so");
    assert_eq!(ask(&agent, DELETE).await.unwrap_err().hold(), hold, "one human is not two");
    assert_eq!(bed.hold(&hold).await["given"]["peers"], 1, "and is shown as one");
    bed.alice.approve(&hold).await.expect("alice is the second");
    ask(&agent, DELETE).await.expect("it runs");
    let hold = ask(&agent, "DELETE FROM payments WHERE id > 0").await.unwrap_err().hold();
    bed.bob.approve(&hold).await.expect("bob");
    let why = refused(&mut dave, &hold).await;
    assert!(why.contains("dave and bob are one human"), "{why}");
    // Whoever is the controller under another name is no peer.
    bed.alice.decide(&json!({ "link": ["carol", "dave"] }), "").await.expect("alice says so");
    let hold = ask(&agent, UPDATE).await.unwrap_err().hold();
    for approver in [&mut dave, &mut bed.bob] {
        let why = refused(approver, &hold).await;
        assert!(why.contains("the same human as carol"), "{why}");
    }
    bed.alice.approve(&hold).await.expect("alice");
    ask(&agent, UPDATE).await.expect("it runs");
    bed.verify();
}

#[tokio::test]
async fn people_of_the_controllers_own_making_count_once_others_stand_behind_them() {
    let mut bed = Bed::new(Shape::default()).await;
    let mut dave = invited(&mut bed.alice, "dave", bed.tyer.console).await;
    bed.carol.decide(&json!({ "confirm": "dave" }), "").await.expect("carol confirms dave");
    // Dave in turn vouches for somebody.
    let mut erin = invited(&mut bed.alice, "erin", bed.tyer.console).await;
    dave.decide(&json!({ "confirm": "erin" }), "").await.expect("dave confirms erin");
    let agent = bed.agent().await;
    let hold = ask(&agent, UPDATE).await.unwrap_err().hold();
    for approver in [&mut dave, &mut erin] {
        let why = refused(approver, &hold).await;
        assert!(why.contains("confirmed only by people who control the session"), "{why}");
    }
    assert!(bed.carol.decide(&json!({ "confirm": "dave" }), "").await.is_err(), "once is enough");
    assert!(dave.decide(&json!({ "confirm": "dave" }), "").await.is_err(), "not oneself");
    bed.bob.decide(&json!({ "confirm": "dave" }), "").await.expect("bob stands behind dave, too");
    erin.approve(&hold).await.expect("and so behind whom dave vouches for");
    ask(&agent, UPDATE).await.expect("it runs");
    bed.verify();
}
