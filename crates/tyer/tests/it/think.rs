//! Time to think better of it: what people have agreed to waits, and anybody can stop it meanwhile.

use std::time::Duration;

use xtask::instance::Shape;

use crate::bed::{Bed, ask};

const UPDATE: &str = "UPDATE customers SET name = name WHERE id = 1";

/// Writes ask one person and three seconds.
fn shape(wait_seconds: u64) -> Shape {
    let policy = "
        @id(\"reads\") permit (principal, action == Action::\"read\", resource);
        @id(\"writes\") permit (principal, action in Action::\"write\", resource)
        when { context.approvals.peers >= 1 && context.waited >= 3 };";
    let files = vec![("slow.cedar", policy.to_owned())];
    Shape { policy: "files = [\"slow.cedar\"]", files, wait_seconds, ..Shape::default() }
}

#[tokio::test]
async fn what_is_approved_waits_for_its_time() {
    let mut bed = Bed::new(shape(0)).await;
    let agent = bed.agent().await;
    let refused = ask(&agent, UPDATE).await.unwrap_err();
    assert!(refused.message.contains("3 seconds to think better of it"), "{refused:?}");
    let hold = refused.hold();
    bed.alice.approve(&hold).await.expect("alice");
    let refused = ask(&agent, UPDATE).await.unwrap_err();
    assert!(refused.message.contains(&format!("{hold} may run from 20")), "{refused:?}");
    assert_eq!(refused.code, "55000");
    bed.until(&hold, "approved").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    ask(&agent, UPDATE).await.expect("it runs");
    // Whoever waits at the door is let through when the time has come.
    bed.verify();
}

#[tokio::test]
async fn whoever_waits_is_let_through_in_time_and_whoever_rejects_stops_it() {
    let mut bed = Bed::new(shape(30)).await;
    let agent = bed.agent().await;
    let (waits, approves) = (ask(&agent, UPDATE), async {
        bed.until("H-1", "open").await;
        bed.bob.approve("H-1").await.expect("bob");
    });
    let (ran, ()) = tokio::join!(waits, approves);
    ran.expect("it runs");
    let other = "UPDATE customers SET name = name WHERE id = 2";
    let (waits, stops) = (ask(&agent, other), async {
        bed.until("H-2", "open").await;
        bed.bob.approve("H-2").await.expect("bob");
        bed.alice.reject("H-2", "not on a Friday").await.expect("alice stops it");
    });
    let (stopped, ()) = tokio::join!(waits, stops);
    assert!(stopped.unwrap_err().message.contains("not on a Friday"));
    bed.verify();
}
