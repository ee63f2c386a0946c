//! SSH keys that were added, or attested to, and lists that they signed.

use super::*;
use crate::assertion::attestation::Roots;
use crate::assertion::attestation::sk::tests::{Forge, SECRET};
use crate::record::{ApprovalRecord, PublicKey};
use crate::statement::Signed;

const KEY: &str = "bob's key";

/// Adds bob's key with that proof.
fn adds(story: &mut Story, proof: impl FnOnce(&Story, &Signed) -> Option<String>) {
    let key = Signer::ed25519(KEY).public();
    let signed = story.sign("bob", Decision::AddKey { key: key.ssh.clone() });
    let proof = proof(story, &signed);
    story.write(What::KeyAdded { person: person("bob"), key, signed, proof });
}

#[test]
fn whoever_added_a_key_had_it() {
    let proven = |signer: Signer| {
        move |_: &Story, signed: &Signed| Some(signer.sign(&signed.statement).signature)
    };
    check(|story| adds(story, proven(Signer::ed25519(KEY))), &expect![""]);
    check(
        |story| adds(story, proven(Signer::ed25519("somebody else's"))),
        &expect!["leaf 6: the proof of the SSH key of bob: the signature is by another SSH key"],
    );
    // Signed for another name, or on another day.
    let for_another = |story: &Story, signed: &Signed| {
        let statement = story.statement("carol", signed.statement.what.clone());
        Some(Signer::ed25519(KEY).sign(&statement).signature)
    };
    check(
        |story| adds(story, for_another),
        &expect!["leaf 6: the proof of the SSH key of bob: the SSH signature does not verify"],
    );
    let replayed = |_: &Story, signed: &Signed| {
        let mut statement = signed.statement.clone();
        statement.nonce = "b3RoZXI".to_owned();
        Some(Signer::ed25519(KEY).sign(&statement).signature)
    };
    check(
        |story| adds(story, replayed),
        &expect!["leaf 6: the proof of the SSH key of bob: the SSH signature does not verify"],
    );
    // What is not proven is not taken, so it cannot be confirmed either.
    let confirmed = |story: &mut Story| {
        adds(story, replayed);
        story.keys.insert("bob".to_owned(), Signer::ed25519(KEY));
        story.confirm_key("bob", "alice");
    };
    check(
        confirmed,
        &expect![[r#"
            leaf 6: the proof of the SSH key of bob: the SSH signature does not verify
            leaf 7: bob has no such SSH key that waits for confirmation"#]],
    );
}

#[test]
fn leaves_from_before_proofs_are_named_and_none_follow() {
    let mut story = Story::founded();
    adds(&mut story, |_, _| None);
    let report = story.audit();
    assert!(report.is_clean(), "{:?}", report.findings);
    assert_eq!(report.unproven, [6]);
    story.key("carol", "alice");
    assert_eq!(story.audit().unproven, [6]);
    check(
        |story| {
            story.key("carol", "alice");
            adds(story, |_, _| None);
        },
        &expect!["leaf 8: bob has not shown that the SSH key is theirs"],
    );
}

/// Bob's security key, whose maker attests to it as the forge says; then he adds it and it approves.
fn attested(story: &mut Story, change: impl FnOnce(&mut Forge)) -> Roots {
    let statement = story.statement("bob", Decision::MakeKey);
    let mut forge = Forge::over(statement.clone());
    change(&mut forge);
    let person = person("bob");
    let (attestation, roots) = forge.made();
    let root = forge.root.unwrap_or_else(|| roots.only());
    let key = forge.key.clone();
    story.write(What::KeyAttested {
        person: person.clone(),
        key: key.clone(),
        root,
        statement: forge.statement,
        attestation,
    });
    let signer = || Signer::ed25519(SECRET).sk("ssh:");
    let key = PublicKey { attested: Some(root), ..signer().public() };
    let signed = story.sign("bob", Decision::AddKey { key: key.ssh.clone() });
    let proof = Some(signer().sign(&signed.statement).signature);
    story.write(What::KeyAdded { person, key: key.clone(), signed, proof });
    story.keys.insert("bob".to_owned(), signer());
    story.confirm_key("bob", "alice");
    story.held_for("H-1", Needs { peers: 1, hardware: 1, ..Needs::default() });
    let approval = ApprovalRecord { key, ..story.by_key("H-1", "bob", Owner) };
    story.write(What::Approved { hold: HoldId::new("H-1"), approval: approval.clone() });
    let leaf = story.clear(Some("H-1"), vec![approval]);
    story.settle(leaf);
    roots
}

fn check_attested(change: impl Fn(&mut Forge), expect: &Expect) {
    let mut story = Story::founded();
    let roots = attested(&mut story, &change);
    let key = story.key.verifier();
    let mut audit = Audit::new(key.as_str()).unwrap().trusting(roots);
    for (index, leaf) in story.leaves.iter().enumerate() {
        audit = audit.leaf(index as u64, leaf);
    }
    let report = audit.finish(&story.checkpoint(), &[]);
    let first: Vec<String> = report.findings.iter().take(2).map(ToString::to_string).collect();
    expect.assert_eq(&first.join("\n"));
}

#[test]
fn a_security_keys_attestation_is_checked_again() {
    check_attested(|_| {}, &expect![""]);
    let others = |forge: &mut Forge| forge.key = Signer::ed25519("carol").sk("ssh:").public();
    check_attested(
        others,
        &expect![[r#"
            leaf 6: the attestation of bob: the attestation is for another key
            leaf 7: no leaf shows who attests to the SSH key of bob"#]],
    );
    check_attested(
        |forge| forge.other_root = true,
        &expect![[r#"
            leaf 6: the attestation of bob: the attestation does not lead to a root that is trusted here
            leaf 7: no leaf shows who attests to the SSH key of bob"#]],
    );
    check_attested(
        |forge| forge.root = Some(Digest([3; 32])),
        &expect![[r#"
            leaf 6: the attestation of bob: it leads to another root than it names
            leaf 7: no leaf shows who attests to the SSH key of bob"#]],
    );
    let carols = |forge: &mut Forge| {
        forge.statement.person = "carol".to_owned();
        forge.challenge = forge.statement.canonical();
    };
    check_attested(
        carols,
        &expect![[r#"
            leaf 6: the attestation of bob: it was made for somebody else
            leaf 7: no leaf shows who attests to the SSH key of bob"#]],
    );
    let replayed = |forge: &mut Forge| forge.statement.nonce = "b3RoZXI".to_owned();
    check_attested(
        replayed,
        &expect![[r#"
            leaf 6: the attestation of bob: the attestation is not over this key
            leaf 7: no leaf shows who attests to the SSH key of bob"#]],
    );
    let elsewhere = |forge: &mut Forge| {
        forge.statement.size = 2;
        forge.challenge = forge.statement.canonical();
    };
    check_attested(
        elsewhere,
        &expect![[r#"
            leaf 6: the attestation of bob: it was made on top of another ledger than this one
            leaf 7: no leaf shows who attests to the SSH key of bob"#]],
    );
}

#[test]
fn without_roots_an_attestation_is_read_and_named() {
    let mut story = Story::founded();
    attested(&mut story, |_| {});
    let report = story.audit();
    assert!(report.is_clean(), "{:?}", report.findings);
    assert_eq!(report.unchecked, [6]);
    let mut story = Story::founded();
    attested(&mut story, |forge| forge.application = "ssh:other");
    let said = story.audit().findings[0].to_string();
    assert_eq!(
        said,
        "leaf 6: the attestation of bob: the attested key was made for another application"
    );
}

#[test]
fn one_ssh_signature_counts_for_each_hold_of_its_list() {
    let listed = |dropped: bool| {
        move |story: &mut Story| {
            story.key("bob", "alice");
            let needs = || Needs { signers: 1, ..Needs::default() };
            for hold in ["H-1", "H-2"] {
                together::parks(story, hold, |card| card.needs = needs());
            }
            let subjects = [subject("H-1"), subject("H-2")];
            let listed = if dropped { &subjects[1..] } else { &subjects[..] };
            let what = Decision::ApproveAll { subjects: listed.to_vec() };
            let signed = story.keys["bob"].sign(&story.statement("bob", what));
            for hold in ["H-1", "H-2"] {
                let approval = story.by_key(hold, "bob", Owner);
                let approval = ApprovalRecord { signed: signed.clone(), ..approval };
                story.write(What::Approved { hold: HoldId::new(hold), approval });
            }
        }
    };
    check(listed(false), &expect![""]);
    check(
        listed(true),
        &expect![[r#"
            leaf 10: bob signed a list in which H-1 is not
            leaf 11: bob signed another card of H-2, or no list as it has to be"#]],
    );
    // A dangerous one, which is in no list in production.
    let dangerous = |story: &mut Story| {
        story.key("bob", "alice");
        for hold in ["H-1", "H-2"] {
            story.held_for(hold, Needs { signers: 1, ..Needs::default() });
        }
        let what = Decision::ApproveAll { subjects: vec![subject("H-1"), subject("H-2")] };
        let signed = story.keys["bob"].sign(&story.statement("bob", what));
        let approval = ApprovalRecord { signed, ..story.by_key("H-1", "bob", Owner) };
        story.write(What::Approved { hold: HoldId::new("H-1"), approval });
    };
    check(
        dangerous,
        &expect!["leaf 10: bob approved H-1, which is dangerous in production, together with others"],
    );
}
