//! People and what they guard: links, invitations, the configuration.

use serde_json::{Value, json};
use xtask::approver::Approver;
use xtask::instance::Shape;

use crate::bed::{Bed, ask, connect};

#[tokio::test]
async fn links_work_once_and_invited_people_count_after_confirmation() {
    let mut bed = Bed::new(Shape::default()).await;
    let used = bed.tyer.link("alice").expect("a link").to_owned();
    assert!(Approver::enrol("alice", &used, bed.tyer.console).await.is_err(), "a link works once");
    let invited = bed.alice.decide(&json!({ "invite": "dave" }), "").await.expect("an invitation");
    let url = invited.pointer("/invited/url").and_then(Value::as_str).expect("a link").to_owned();
    let token = url.rsplit('/').next().expect("a token");
    let mut dave = Approver::enrol("dave", token, bed.tyer.console).await.expect("dave enrols");
    let agent = bed.agent().await;
    let hold = ask(&agent, "DELETE FROM payments").await.unwrap_err().hold();
    let refused = dave.approve(&hold).await.expect_err("not confirmed yet").to_string();
    assert!(refused.contains("only people who count decide"), "{refused}");
    assert!(dave.decide(&json!({ "confirm": "dave" }), "").await.is_err(), "not by himself");
    assert!(bed.alice.decide(&json!({ "confirm": "dave" }), "").await.is_err(), "not by the inviter");
    bed.bob.decide(&json!({ "confirm": "dave" }), "").await.expect("by somebody else");
    let refused = dave.approve(&hold).await.expect_err("not for what was held before").to_string();
    assert!(refused.contains("did not count yet when this hold was opened"), "{refused}");
    let hold = ask(&agent, "DELETE FROM payments WHERE id > 0").await.unwrap_err().hold();
    dave.approve(&hold).await.expect("dave counts now");
    bed.verify();
}

#[tokio::test]
async fn a_changed_security_part_closes_the_door_until_two_have_confirmed() {
    let mut bed = Bed::new(Shape::default()).await;
    let login = bed.session(&[]);
    bed.tyer.kill();
    let shape = Shape { environment: "staging", ..Shape::default() };
    bed.tyer.configure(&bed.cluster, &shape).expect("a changed configuration");
    bed.tyer.resume().expect("a restart");
    let closed = connect(bed.tyer.door, &login.session, &login.password).await.map(drop);
    assert_eq!(crate::bed::Refused::of(&closed.unwrap_err()).code, "57P03");
    let part = json!({ "configure": "upstream orders" });
    bed.alice.sign_in().await.expect("sign-in");
    bed.bob.sign_in().await.expect("sign-in");
    bed.alice.decide(&part, "").await.expect("alice confirms");
    assert!(bed.alice.decide(&part, "").await.is_err(), "one person is not two");
    assert!(connect(bed.tyer.door, &login.session, &login.password).await.is_err(), "still closed");
    bed.bob.decide(&part, "").await.expect("bob confirms");
    let agent = bed.connect(&login).await;
    assert!(
        ask(&agent, "UPDATE customers SET name = name WHERE id = 1").await.is_ok(),
        "staging flows"
    );
    bed.verify();
}
