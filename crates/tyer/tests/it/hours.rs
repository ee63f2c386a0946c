//! Working hours: a policy that asks for somebody who is at work, and who that could still be.

use serde_json::json;
use xtask::instance::Shape;

use crate::bed::{Bed, ask};

const UPDATE: &str = "UPDATE customers SET name = name WHERE id = 1";
const POLICY: &str = r#"
    @id("reads") permit (principal, action == Action::"read", resource);
    @id("writes") permit (principal, action in Action::"write", resource)
    when { context.approvals.peers >= 2 && context.approvals.on_hours >= 1 };"#;

fn shape(sections: &'static str) -> Shape {
    let files = vec![("hours.cedar", POLICY.to_owned())];
    Shape { policy: "files = [\"hours.cedar\"]", files, sections, ..Shape::default() }
}

/// The whole week but for a minute that no test waits for.
const ALWAYS: &str = "[\"Mon-Sun 00:01-00:00\", \"Mon-Sun 00:00-00:01\"]";

#[tokio::test]
async fn one_of_two_has_to_be_at_work() {
    let sections: &'static str = Box::leak(
        format!("[person.bob]\nzone = \"Europe/Berlin\"\nhours = {ALWAYS}\n").into_boxed_str(),
    );
    let mut bed = Bed::new(shape(sections)).await;
    let agent = bed.agent().await;
    let held = ask(&agent, UPDATE).await.unwrap_err();
    let words = "two different people other than the controller, one of them in their working hours";
    assert!(held.message.contains(words), "{held:?}");
    let hold = held.hold();
    bed.alice.approve(&hold).await.expect("alice, who has no hours");
    let said = bed.hold(&hold).await;
    assert_eq!((&said["given"]["on_hours"], &said["given"]["peers"]), (&json!(0), &json!(1)));
    assert_eq!(said["still"]["people"], json!(["bob"]));
    bed.bob.approve(&hold).await.expect("bob, who is at work");
    ask(&agent, UPDATE).await.expect("it runs");
    bed.verify();
}

#[tokio::test]
async fn who_is_not_at_work_is_a_peer_and_no_more() {
    // Bob works in half a day's time, for an hour, whatever the time is.
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(12);
    let hours = |hours: i64| {
        let at = later + jiff::SignedDuration::from_hours(hours);
        at.strftime("%H:00").to_string()
    };
    let text =
        format!("[person.bob]\nzone = \"UTC\"\nhours = [\"Mon-Sun {}-{}\"]\n", hours(0), hours(1));
    let sections: &'static str = Box::leak(text.into_boxed_str());
    let mut bed = Bed::new(shape(sections)).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, UPDATE).await.unwrap_err().hold();
    let said = bed.hold(&hold).await;
    assert_eq!(said["still"]["people"], json!(["alice", "bob"]));
    assert_eq!(said["still"]["later"][0]["person"], "bob");
    assert_eq!(said["still"]["from"], said["still"]["later"][0]["from"]);
    let shown = bed.tyer.run(&["show", &hold]).expect("the card");
    assert!(
        shown.contains("alice, bob, bob at work from 20") && shown.contains("not all of it before 20"),
        "{shown}"
    );
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob, in his free time");
    let said = bed.hold(&hold).await;
    assert_eq!((&said["state"], &said["given"]["on_hours"]), (&json!("open"), &json!(0)));
    // He may say so again when he is.
    assert_eq!((&said["still"]["people"], &said["still"]["enough"]), (&json!([]), &json!(true)));
    assert_eq!(said["still"]["later"][0]["person"], "bob");
    assert!(bed.bob.approve(&hold).await.is_err(), "not before");
    assert_eq!(ask(&agent, UPDATE).await.unwrap_err().hold(), hold);
    bed.verify();
}
