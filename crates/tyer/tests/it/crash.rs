//! `kill -9` at the moments that matter: nothing runs without a leaf, nothing twice, nothing is lost.

use std::time::Duration;

use xtask::instance::Shape;

use crate::bed::{Bed, ask, record};
use crate::proxy::Proxy;

const DELETE: &str = "DELETE FROM payments";

#[tokio::test]
async fn a_hold_survives_and_is_released_after_the_restart() {
    let mut bed = Bed::new(Shape::default()).await;
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.tyer.kill();
    assert!(ask(&agent, "SELECT 1").await.is_err(), "the connection is gone");
    bed.tyer.resume().expect("a restart");
    bed.bob.sign_in().await.expect("sign-ins end with the process");
    bed.alice.sign_in().await.expect("sign-ins end with the process");
    let agent = bed.connect(&login).await;
    assert_eq!(
        ask(&agent, DELETE).await.unwrap_err().hold(),
        hold,
        "the same hold, still one approval short"
    );
    bed.bob.approve(&hold).await.expect("bob");
    bed.tyer.kill();
    bed.tyer.resume().expect("another restart");
    let agent = bed.connect(&login).await;
    ask(&agent, DELETE).await.expect("approved before the restart, run after it");
    bed.alice.sign_in().await.expect("sign-ins end with the process");
    assert_ne!(ask(&agent, DELETE).await.unwrap_err().hold(), hold, "once");
    bed.verify();
}

#[tokio::test]
async fn killed_between_the_leaf_and_the_execution() {
    let shape = Shape::default();
    let mut bed = Bed::new(shape.clone()).await;
    let proxy = Proxy::before(bed.cluster.port()).await;
    bed.tyer.kill();
    bed.tyer.behind(&shape, proxy.port).expect("a configuration");
    bed.tyer.resume().expect("a restart");
    for person in [&mut bed.alice, &mut bed.bob] {
        person.sign_in().await.expect("sign-in");
    }
    for person in [&mut bed.alice, &mut bed.bob] {
        let part = serde_json::json!({ "configure": "upstream orders" });
        person.decide(&part, "").await.expect("the changed address is confirmed");
    }
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    let before = bed.truth("SELECT count(*) FROM payments");
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    // The transaction that Tyer opens for it: what its names mean was looked up before.
    proxy.stall_before(b"\x01tyer\0BEGIN\0");
    let running = tokio::spawn(async move { ask(&agent, DELETE).await });
    for _ in 0..200 {
        if !bed.leaves_of("cleared").is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(bed.leaves_of("cleared").len(), 1, "the leaf is durable before anything is sent");
    bed.tyer.kill();
    assert!(running.await.expect("the agent").is_err());
    bed.tyer.resume().expect("a restart");
    let settled = bed.leaves_of("settled");
    assert_eq!(settled.len(), 1);
    assert_eq!(record(&settled[0])["outcome"]["is"], "unknown", "{}", settled[0]);
    let agent = bed.connect(&login).await;
    assert_ne!(
        ask(&agent, DELETE).await.unwrap_err().hold(),
        hold,
        "the grant was taken with the leaf"
    );
    assert_eq!(bed.truth("SELECT count(*) FROM payments"), before, "nothing ran");
    bed.verify();
}

#[tokio::test]
async fn a_lost_upstream_is_an_unknown_outcome_and_a_clear_error() {
    let mut bed = Bed::new(Shape { environment: "staging", ..Shape::default() }).await;
    let agent = bed.agent().await;
    let slow =
        "UPDATE customers SET name = name WHERE id IN (SELECT 1 FROM generate_series(1, 300000000))";
    let running = tokio::spawn(async move { ask(&agent, slow).await });
    for _ in 0..200 {
        if !bed.leaves_of("cleared").is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    bed.cluster.halt();
    let refused = running.await.expect("the agent").unwrap_err();
    assert!(!refused.message.is_empty(), "{refused:?}");
    let unknown = |leaf: &serde_json::Value| record(leaf)["outcome"]["is"] == "unknown";
    for _ in 0..100 {
        if bed.leaves_of("settled").iter().any(unknown) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let settled = bed.leaves_of("settled");
    assert!(settled.iter().any(|leaf| record(leaf)["outcome"]["is"] != "done"), "{settled:?}");
    bed.cluster.resume().expect("the database is back");
    let agent = bed.agent().await;
    assert!(ask(&agent, "SELECT 1").await.is_ok(), "and so is the door");
    bed.verify();
}
