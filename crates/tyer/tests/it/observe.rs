//! An upstream that is only observed: everything runs, the ledger says what the policies said, a freeze
//! still binds, and two people must agree to it.

use serde_json::json;
use xtask::instance::Shape;

use crate::bed::{Bed, ask, record};
use crate::proposals::propose;

const OBSERVED: Shape = Shape {
    policy: "",
    preset: "ask",
    environment: "production",
    owners: &["bob"],
    wait_seconds: 0,
    holds: "",
    upstream: "mode = \"observe\"",
    tls: "disable",
    sections: "",
    files: Vec::new(),
    within: None,
};

#[tokio::test]
async fn everything_runs_and_leaves_say_what_would_have_been() {
    let bed = Bed::new(OBSERVED).await;
    let agent = bed.agent().await;
    assert_eq!(ask(&agent, "SELECT count(*) FROM payments").await.unwrap(), ["60000", "#1"]);
    assert_eq!(ask(&agent, "DELETE FROM payments").await.unwrap(), ["#60000"]);
    assert_eq!(bed.truth("SELECT count(*) FROM payments"), "0");
    let cleared = bed.leaves_of("cleared");
    let basis = &record(&cleared[0])["request"]["basis"];
    assert_eq!(basis["observed"]["is"], "hold", "{basis}");
    assert_eq!(basis["observed"]["needs"]["peers"], 2, "{basis}");
    let read = &bed.leaves_of("read_lease")[0];
    assert_eq!(record(read)["request"]["basis"]["observed"]["needs"]["controller"], true, "{read}");
    let tail = bed.tyer.run(&["ledger", "tail"]).expect("the ledger");
    assert!(tail.contains("only observed; it would have been held"), "{tail}");
    let (_, ready) = bed.tyer.http().get("/readyz").await.expect("an answer");
    assert!(ready["unsafe"].to_string().contains("only_observes orders"), "{ready}");
    bed.tyer.run(&["freeze", "--reason", "the release"]).expect("a freeze");
    let refused = ask(&agent, "DELETE FROM orders").await.unwrap_err();
    assert_eq!(refused.code, "25006", "{refused:?}");
    bed.verify();
}

/// A proposal is treated as a text at the door: the database itself refuses what is no SQL, and the ledger has it.
#[tokio::test]
async fn a_proposal_is_observed_like_a_text_at_the_door() {
    let bed = Bed::new(OBSERVED).await;
    let login = bed.session(&[]);
    let refused = propose(&bed, &login, "DELETE FROM payments; FROBNICATE orders");
    assert_eq!(refused.status.code(), Some(1), "the database failed it: {refused:?}");
    let settled = bed.leaves_of("settled");
    assert!(settled.iter().any(|leaf| leaf.to_string().contains("42601")), "{settled:?}");
    assert_eq!(bed.truth("SELECT count(*) FROM payments"), "60000");
    let done = propose(&bed, &login, "DELETE FROM payments");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(bed.truth("SELECT count(*) FROM payments"), "0");
    bed.tyer.run(&["freeze", "--reason", "the release"]).expect("a freeze");
    assert_ne!(propose(&bed, &login, "DELETE FROM orders").status.code(), Some(0));
    bed.verify();
}

#[tokio::test]
async fn two_people_switch_it_on() {
    let mut bed = Bed::new(Shape { upstream: "", ..OBSERVED }).await;
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    assert_eq!(ask(&agent, "DELETE FROM payments").await.unwrap_err().code, "55000");
    bed.tyer.kill();
    bed.tyer.configure(&bed.cluster, &OBSERVED).expect("the file changed by hand");
    bed.tyer.resume().expect("a restart");
    let closed = |bed: &Bed| crate::bed::connect(bed.tyer.door, &login.session, &login.password);
    let refused = closed(&bed).await.expect_err("the door is closed").to_string();
    let part = json!({ "configure": "upstream orders" });
    bed.alice.sign_in().await.expect("sign-in");
    bed.alice.decide(&part, "").await.expect("one of two");
    assert!(closed(&bed).await.is_err(), "one is not enough: {refused}");
    bed.bob.sign_in().await.expect("sign-in");
    bed.bob.decide(&part, "").await.expect("two of two");
    let agent = bed.connect(&login).await;
    assert_eq!(ask(&agent, "DELETE FROM payments").await.unwrap(), ["#60000"]);
    bed.verify();
}
