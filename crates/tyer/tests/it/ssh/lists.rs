//! Lists of holds of one shape, which an SSH key approves by one signature.

use super::*;
use crate::together::{held, noted, one};

fn answered(bed: &Bed, file: &Path, holds: &[&str]) -> Output {
    let file = file.to_str().expect("a name");
    let arguments = [&["approve"][..], holds, &["--ssh-key", file, "--yes"]].concat();
    bed.tyer.output(&arguments).expect("tyer approve")
}

async fn given(bed: &mut Bed, hold: &str) -> Value {
    bed.hold(hold).await["given"]["signers"].clone()
}

#[tokio::test]
async fn an_ssh_key_sees_the_whole_list_and_signs_it_once() {
    let mut bed = noted(shape()).await;
    let keys = Keys::new();
    let file = keys.make("bob", "ed25519");
    register(&mut bed.bob, &mut bed.alice, &file).await;
    let agent = bed.agent().await;
    for id in 1..=4 {
        held(&agent, &one(id)).await;
    }
    let approved = answered(&bed, &file, &["H-3", "H-1", "H-2"]);
    let said = text(&approved.stdout);
    assert!(approved.status.success(), "{approved:?}");
    let (shown, done) = said.split_once("approved H-").expect("what was done stands last");
    for (at, id) in [3, 1, 2].into_iter().enumerate() {
        assert!(shown.contains(&format!("----- {} of 3 -----", at + 1)), "{said}");
        assert!(shown.contains(&format!("| {}", one(id))), "{said}");
        assert!(shown.contains(&format!("hold       H-{id} (open)")), "{said}");
    }
    assert!(done.contains("as bob; it is approved now"), "{said}");
    assert!(!said.contains(&one(4)), "nothing else was shown");
    for id in 1..=3 {
        ask(&agent, &one(id)).await.unwrap_or_else(|refused| panic!("{id}: {refused:?}"));
    }
    assert_eq!(held(&agent, &one(4)).await, "H-4", "nor approved");
    let leaves = bed.leaves_of("approved");
    assert_eq!(leaves.len(), 3);
    let signed = |leaf: &Value| record(leaf)["approval"]["signed"].clone();
    assert!(leaves.iter().all(|leaf| signed(leaf) == signed(&leaves[0])), "one signature");
    assert_eq!(signed(&leaves[0])["statement"]["what"]["subjects"].as_array().map(Vec::len), Some(3));
    for leaf in &leaves {
        good_by_ssh_keygen(&bed, leaf, "approve_all");
    }
    bed.verify();
}

#[tokio::test]
async fn lists_that_an_ssh_key_does_not_approve() {
    let mut bed = noted(shape()).await;
    let keys = Keys::new();
    let (file, of_carol) = (keys.make("bob", "ed25519"), keys.make("carol", "ed25519"));
    register(&mut bed.bob, &mut bed.alice, &file).await;
    register(&mut bed.carol, &mut bed.bob, &of_carol).await;
    let agent = bed.agent().await;
    for id in 1..=3 {
        held(&agent, &one(id)).await;
    }
    held(&agent, "UPDATE notes SET n = 1 WHERE id >= 4").await;
    for id in 5..=6 {
        held(&agent, &format!("DELETE FROM notes WHERE id = {id}")).await;
    }
    bed.alice.reject("H-3", "not this one").await.expect("alice");
    for (file, list, expect) in [
        (&file, ["H-1", "H-4"], "are not of one shape, session"),
        (&file, ["H-1", "H-1"], "twice"),
        (&file, ["H-5", "H-6"], "is dangerous in production"),
        (&file, ["H-1", "H-3"], "alice rejected it"),
        (&of_carol, ["H-1", "H-2"], "carol controls the session"),
    ] {
        let refused = answered(&bed, file, &list);
        let said = text(&refused.stderr);
        assert!(!refused.status.success() && said.contains(expect), "{list:?}: {said}");
    }
    for hold in ["H-1", "H-2", "H-4", "H-5", "H-6"] {
        assert_eq!(bed.hold(hold).await["approvals"], json!([]), "{hold}");
    }
    // Rejections are each for themselves.
    let both = json!({ "holds": ["H-1", "H-2"], "decision": "reject", "key": fingerprint(&file) });
    let (status, body) = bed.tyer.operator().post("/api/v1/ssh/statements", &both).await.expect("it");
    assert_eq!(status, 400, "{body}");
    let rejects = bed.tyer.output(&["reject", "H-1", "H-2", "--yes", "--reason", "no"]).expect("tyer");
    assert_eq!(rejects.status.code(), Some(2), "{rejects:?}");
    bed.verify();
}

#[tokio::test]
async fn the_ssh_signature_of_a_list_is_good_once_and_for_no_other() {
    let mut bed = noted(shape()).await;
    let keys = Keys::new();
    let file = keys.make("bob", "ed25519");
    register(&mut bed.bob, &mut bed.alice, &file).await;
    let agent = bed.agent().await;
    for id in 1..=3 {
        held(&agent, &one(id)).await;
    }
    let prepared = async |holds: &[&str]| {
        let wish = json!({ "holds": holds, "decision": "approve", "key": fingerprint(&file) });
        let (status, body) =
            bed.tyer.operator().post("/api/v1/ssh/statements", &wish).await.expect("an answer");
        assert!(status.is_success(), "{body}");
        (body["statement"]["nonce"].as_str().expect("it").to_owned(), message(&body).to_owned())
    };
    let (nonce, listed) = prepared(&["H-1", "H-2"]).await;
    let signature = sign(&file, "tyer", &[], &listed);
    for other in [&["H-1"][..], &["H-3"], &["H-1", "H-2"], &["H-1", "H-2", "H-3"], &["H-2", "H-3"]] {
        let (another, _) = prepared(other).await;
        let refused = bed.hand_in(&another, &signature).await.expect_err("for another");
        assert!(refused.contains("does not verify"), "{other:?}: {refused}");
    }
    bed.hand_in(&nonce, &signature).await.expect("the list that was signed");
    assert!(bed.hand_in(&nonce, &signature).await.expect_err("replayed").contains("used already"));
    assert_eq!(given(&mut bed, "H-2").await, 1);
    assert_eq!(given(&mut bed, "H-3").await, 0);
    bed.verify();
}

#[tokio::test]
async fn a_list_by_a_software_key_counts_for_nothing_in_the_shipped_policies() {
    let mut bed = noted(Shape::default()).await;
    let keys = Keys::new();
    let file = keys.make("bob", "ed25519");
    register(&mut bed.bob, &mut bed.alice, &file).await;
    let agent = bed.agent().await;
    for id in 1..=2 {
        held(&agent, &one(id)).await;
    }
    let refused = answered(&bed, &file, &["H-1", "H-2"]);
    let said = text(&refused.stderr);
    assert!(said.contains("a software SSH key counts for nothing here"), "{said}");
    assert!(said.contains("nothing of the list was approved"), "{said}");
    assert_eq!(bed.hold("H-1").await["approvals"], json!([]));
    bed.verify();
}
