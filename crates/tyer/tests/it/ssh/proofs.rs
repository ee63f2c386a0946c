//! Whoever adds an SSH key has it: it signs the very statement by which it is added.

use super::*;

#[tokio::test]
async fn whoever_adds_a_key_shows_that_they_have_it() {
    let mut bed = Bed::new(shape()).await;
    let keys = Keys::new();
    let (of_bob, of_alice) = (keys.make("bob", "ed25519"), keys.make("alice", "ecdsa -b 256"));
    let bobs = line(&of_bob);
    // Bob's own, which he does not hand in yet.
    let own = adding(&mut bed.bob, &bobs).await;
    let bob_signed = sign(&of_bob, "tyer", &[], message(&own));
    assert_eq!(own["statement"]["what"], json!({ "decision": "add_key", "key": own_line(&bobs) }));
    assert_eq!(own["statement"]["person"], "bob");
    // Alice has seen his public key, and what he signed.
    for (proof, expect) in [
        (Value::Null, "adding a key takes its own signature"),
        (json!({ "signature": "" }), "cannot be read"),
        (json!({ "signature": bob_signed }), "does not verify"),
    ] {
        let statement = adding(&mut bed.alice, &bobs).await;
        let refused = add_with(&mut bed.alice, &statement, proof).await.expect_err("not hers");
        assert!(refused.contains(expect), "{refused}");
    }
    let statement = adding(&mut bed.alice, &bobs).await;
    let by_hers = json!({ "signature": sign(&of_alice, "tyer", &[], message(&statement)) });
    let refused = add_with(&mut bed.alice, &statement, by_hers).await.expect_err("by another");
    assert!(refused.contains("by another SSH key"), "{refused}");
    // Nor is it proven by what bob has signed for something else, or at another time.
    let statement = adding(&mut bed.bob, &bobs).await;
    let for_git = json!({ "signature": sign(&of_bob, "git", &[], message(&statement)) });
    let refused = add_with(&mut bed.bob, &statement, for_git).await.expect_err("for git");
    assert!(refused.contains("another namespace"), "{refused}");
    let again = add_with(&mut bed.bob, &statement, json!({ "signature": bob_signed })).await;
    assert!(again.expect_err("used").contains("used already"));
    let statement = adding(&mut bed.bob, &bobs).await;
    let replayed = add_with(&mut bed.bob, &statement, json!({ "signature": bob_signed })).await;
    let replayed = replayed.expect_err("replayed");
    assert!(replayed.contains("does not verify"), "{replayed}");
    assert!(bed.leaves_of("key_added").is_empty());
    // It is his.
    add_with(&mut bed.bob, &own, json!({ "signature": bob_signed })).await.expect("bob's own");
    let leaf = bed.leaves_of("key_added").remove(0);
    assert!(record(&leaf)["proof"].is_string(), "{leaf}");
    good_by_ssh_keygen(&bed, &leaf, "add_key");
    bed.verify();
    let said = bed.tyer.run(&["--json", "ledger", "verify"]).expect("verify");
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said["unproven_keys"], json!([]));
}

/// The key without its comment.
fn own_line(line: &str) -> String {
    line.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_tampered_proof_of_an_ssh_key_is_found_and_its_leaf_named() {
    let mut bed = Bed::new(shape()).await;
    let keys = Keys::new();
    add(&mut bed.bob, &keys.make("bob", "ed25519")).await;
    let leaf = bed.leaves_of("key_added").remove(0);
    let proof = record(&leaf)["proof"].as_str().expect("a proof").to_owned();
    let said = tampered(&mut bed, &proof);
    let expect = format!(
        "leaf {}: the proof of the SSH key of bob: the SSH signature does not verify",
        leaf["index"]
    );
    assert!(said.contains(&expect), "{said}");
}
