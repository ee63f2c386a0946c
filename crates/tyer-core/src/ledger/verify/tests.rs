//! One broken ledger for each rule of the audit.

mod allowances;
mod roles;
mod rosters;
mod ssh;
mod together;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::story::{LEDGER, ORIGIN, Story, audit, person, request, subject};
use super::*;
use crate::assertion::authenticator::Authenticator;
use crate::freeze::{Freeze, Scope};
use crate::hold::Standing::{Controller, Owner, Peer};
use crate::intent::{Effect, Environment, FreezeId, HoldId, Narrowing, Timestamp, Upstream};
use crate::sshsig::signer::Signer;
use crate::statement::Decision;
use crate::verdict::{LeafIndex, Needs, Outcome};

/// Writes on after the founding (leaves 0 to 5: founded, alice, bob, carol invited, enrolled and
/// confirmed) and compares all findings.
fn check<T>(write: impl Fn(&mut Story) -> T, expect: &Expect) {
    let mut story = Story::founded();
    write(&mut story);
    findings(&story.audit(), expect);
}

fn check_from_nothing<T>(write: impl Fn(&mut Story) -> T, expect: &Expect) {
    let mut story = Story::new();
    write(&mut story);
    findings(&story.audit(), expect);
}

fn findings(report: &Report, expect: &Expect) {
    let lines: Vec<String> = report.findings.iter().map(Finding::to_string).collect();
    expect.assert_eq(&lines.join("\n"));
}

fn whole() -> Story {
    let mut story = Story::founded();
    story.executed("H-1");
    story.held("H-2");
    story.reject("H-2", "alice");
    let lease = story.write(What::ReadLease {
        request: request(Effect::Read, None),
        uses: 10,
        until: story.now.plus(1000),
    });
    story.write(What::LeaseClosed { leaf: LeafIndex(lease), uses: 9, failed: 0 });
    story.write(What::Frozen { by: "operator".into(), reason: "incident".into() });
    let signed = story.sign("carol", Decision::Thaw { frozen: story.now });
    story.write(What::Thawed { by: person("carol"), signed });
    configure(&mut story, Digest([6; 32]), &["alice", "carol"]);
    story.clear(None, Vec::new());
    story
}

fn configure(story: &mut Story, digest: Digest, people: &[&str]) {
    let part = "upstream orders".to_owned();
    let decision = || Decision::Configure { part: part.clone(), digest };
    let signed = people.iter().map(|who| story.sign(who, decision())).collect();
    story.write(What::Configured { part: part.clone(), digest, signed });
}

#[test]
fn an_honest_ledger_is_clean() {
    let report = whole().audit();
    findings(&report, &expect![[""]]);
    assert!(report.is_clean());
    assert_eq!(report.signatures, 11);
    assert_eq!(report.unsettled, [18]);
    assert_eq!((report.origin.as_str(), report.size), (LEDGER, 19));
    assert_eq!(report.root, whole().head().root);
    assert_eq!(report.proves, Proves::SelfConsistencyOnly);
    expect!["without an older checkpoint or a witness this proves self-consistency only"]
        .assert_eq(&report.proves.to_string());
    let kinds: Vec<String> =
        report.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    expect!["approved 2, cleared 2, configured 1, confirmed 1, enrolled 3, founded 1, frozen 1, held 2, invited 1, lease_closed 1, read_lease 1, rejected 1, settled 1, thawed 1"].assert_eq(&kinds.join(", "));
}

#[test]
fn changed_dropped_and_reordered_leaves_are_found() {
    let story = whole();
    let (latest, count) = (story.checkpoint(), story.leaves.len());
    let broken = "the leaves are not those that the checkpoint was signed over";
    let root_differs = |leaves: &[Vec<u8>]| {
        let report = audit(leaves, &latest, &[]);
        report.findings.iter().any(|finding| finding.leaf.is_none() && finding.what.contains(broken))
    };
    assert!(!root_differs(&story.leaves));
    for at in 0..count {
        let mut changed = story.leaves.clone();
        let mut record = Record::decode(&changed[at]).unwrap();
        record.at = Timestamp(record.at.0 + 1);
        changed[at] = record.encode();
        assert!(root_differs(&changed), "changed {at}");

        let mut dropped = story.leaves.clone();
        dropped.remove(at);
        assert!(!audit(&dropped, &latest, &[]).is_clean(), "dropped {at}");
        dropped.push(story.leaves[0].clone());
        assert!(root_differs(&dropped), "replaced {at}");

        if at > 0 {
            let mut swapped = story.leaves.clone();
            swapped.swap(at - 1, at);
            assert!(root_differs(&swapped), "swapped {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_flipped_bit_of_a_copy_is_found(leaf: prop::sample::Index, bit: prop::sample::Index) {
        let mut story = Story::founded();
        story.executed("H-1");
        let latest = story.checkpoint();
        let leaf = leaf.index(story.leaves.len());
        let bit = bit.index(story.leaves[leaf].len() * 8);
        story.leaves[leaf][bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!audit(&story.leaves, &latest, &[]).is_clean());
    }
}

/// A ledger with its checkpoint after the founding, a ledger of another past, and the latest of each.
struct Copies {
    leaves: Vec<Vec<u8>>,
    early: String,
    late: String,
    forked: Vec<Vec<u8>>,
    rewritten: String,
}

impl Copies {
    fn made() -> Self {
        let mut story = Story::founded();
        let early = story.checkpoint();
        story.executed("H-1");
        let mut other = Story::new();
        other.write(What::Founded { origin: LEDGER.to_owned() });
        other.founder("mallory");
        let (late, rewritten) = (story.checkpoint(), other.checkpoint());
        Self { leaves: story.leaves, early, late, forked: other.leaves, rewritten }
    }
}

fn check_copy(leaves: &[Vec<u8>], latest: &str, older: &[&str], expect: &Expect) {
    let report = audit(leaves, latest, older);
    let lines: Vec<String> = report.findings.iter().map(Finding::to_string).collect();
    expect.assert_eq(&format!("{}\n{}", report.proves, lines.join("\n")));
}

#[test]
fn older_checkpoints_are_extended() {
    let Copies { leaves, early, late, forked, rewritten } = &Copies::made();
    check_copy(
        leaves,
        late,
        &[],
        &expect![[r#"
        without an older checkpoint or a witness this proves self-consistency only
    "#]],
    );
    check_copy(
        leaves,
        late,
        &[early],
        &expect![[r#"
        the ledger extends the older checkpoint over 6 leaves
    "#]],
    );
    check_copy(
        leaves,
        late,
        &[late, early],
        &expect![[r#"
        the ledger extends the older checkpoint over 11 leaves
    "#]],
    );
    check_copy(
        leaves,
        late,
        &[rewritten],
        &expect![[r#"
        without an older checkpoint or a witness this proves self-consistency only
        the ledger does not extend the older checkpoint over 2 leaves: its past was rewritten after that checkpoint was made"#]],
    );
    check_copy(
        leaves,
        late,
        &[rewritten, early],
        &expect![[r#"
        the ledger extends the older checkpoint over 6 leaves
        the ledger does not extend the older checkpoint over 2 leaves: its past was rewritten after that checkpoint was made"#]],
    );
    check_copy(
        leaves,
        late,
        &["nonsense"],
        &expect![[r#"
        without an older checkpoint or a witness this proves self-consistency only
        older checkpoint: the checkpoint is malformed"#]],
    );
    check_copy(
        leaves,
        early,
        &[late],
        &expect![[r#"
        the ledger extends the older checkpoint over 11 leaves
        leaf 6: no checkpoint covers this leaf and those after it"#]],
    );
    check_copy(
        forked,
        rewritten,
        &[early],
        &expect![[r#"
        without an older checkpoint or a witness this proves self-consistency only
        the ledger does not extend the older checkpoint over 6 leaves: its past was rewritten after that checkpoint was made"#]],
    );
}

#[test]
fn the_latest_checkpoint_is_over_the_copy() {
    let Copies { leaves, early, late, rewritten, .. } = &Copies::made();
    check_copy(
        leaves,
        early,
        &[],
        &expect![[r#"
        without an older checkpoint or a witness this proves self-consistency only
        leaf 6: no checkpoint covers this leaf and those after it"#]],
    );
    check_copy(
        &leaves[..4],
        early,
        &[],
        &expect![[r#"
        without an older checkpoint or a witness this proves self-consistency only
        the checkpoint is over 6 leaves, but the copy has 4"#]],
    );
    check_copy(
        leaves,
        rewritten,
        &[],
        &expect![[r#"
        without an older checkpoint or a witness this proves self-consistency only
        the leaves are not those that the checkpoint was signed over: at least one was changed, dropped, added or moved"#]],
    );
    check_copy(
        leaves,
        &late.replace("time 1", "time 2"),
        &[],
        &expect![[r#"
        without an older checkpoint or a witness this proves self-consistency only
        latest checkpoint: the checkpoint is not signed by the ledger's key"#]],
    );
    check_copy(
        &[],
        late,
        &[],
        &expect![[r#"
        without an older checkpoint or a witness this proves self-consistency only
        the ledger has no leaves
        the checkpoint is over 11 leaves, but the copy has 0"#]],
    );
}

#[test]
fn leaves_that_are_no_records() {
    check(
        |story| story.write_bytes(b"{}"),
        &expect!["leaf 6: the leaf is not a record of a known kind"],
    );
    let spaced = br#"{"at":5, "by":"y","kind":"frozen","reason":"x","v":1}"#;
    check(|story| story.write_bytes(spaced), &expect!["leaf 6: the leaf is not in canonical form"]);
    let key = Story::new().key.verifier();
    let story = Story::founded();
    let audit = Audit::new(key.as_str()).unwrap().leaf(1, &story.leaves[0]);
    let report = audit.finish(&story.checkpoint(), &[]);
    findings(
        &report,
        &expect![[r#"
        leaf 0: the copy has leaf 1 where this one belongs
        the checkpoint is over 6 leaves, but the copy has 1"#]],
    );
}

#[test]
fn the_first_leaf_founds() {
    check_from_nothing(
        |story| story.founder("alice"),
        &expect!["leaf 0: the first leaf does not found the ledger"],
    );
    let other = || What::Founded { origin: "other.example.com/ledger".into() };
    check_from_nothing(
        |story| story.write(other()),
        &expect!["leaf 0: this is the ledger of other.example.com/ledger, not of the key"],
    );
    check(
        |story| story.write(other()),
        &expect!["leaf 6: a ledger is founded once, by its first leaf"],
    );
}

#[test]
fn people_enter_by_the_rules() {
    check(
        |story| story.founder("mallory"),
        &expect!["leaf 6: mallory enrolled without an invitation, which only the first two people can"],
    );
    check(
        |story| story.enrol("mallory", Some("alice"), false),
        &expect!["leaf 6: mallory was not invited by alice"],
    );
    let invited_by_another = |story: &mut Story| {
        story.invite("dave", "alice");
        story.enrol("dave", Some("bob"), false);
    };
    check(invited_by_another, &expect!["leaf 7: dave was not invited by bob"]);
    let counting_at_once = |story: &mut Story| {
        story.invite("dave", "alice");
        story.enrol("dave", Some("alice"), true);
        story.held("H-1");
        story.approve("H-1", "dave", Peer);
    };
    check(
        counting_at_once,
        &expect![[r#"
            leaf 7: dave was invited and cannot count before somebody confirmed them
            leaf 9: dave did not count yet when the hold was opened"#]],
    );
    let confirmed_by = |by: &'static str| {
        move |story: &mut Story| {
            story.invite("dave", "alice");
            story.enrol("dave", Some("alice"), false);
            story.confirm("dave", by);
            story.invite("erin", "dave");
        }
    };
    check(confirmed_by("bob"), &expect![[""]]);
    check(
        confirmed_by("alice"),
        &expect![[r#"
        leaf 8: alice invited dave and cannot also confirm them
        leaf 9: dave signed before being confirmed, so it does not count"#]],
    );
    check(
        confirmed_by("dave"),
        &expect![[r#"
        leaf 8: dave confirmed themself
        leaf 9: dave signed before being confirmed, so it does not count"#]],
    );
    check(|story| story.confirm("carol", "bob"), &expect!["leaf 6: bob confirmed carol before"]);
}

#[test]
fn passkeys_enter_by_the_rules() {
    let second_passkey = |story: &mut Story| {
        story.people.remove("bob");
        let authenticator = Authenticator::eddsa("bob's other");
        let key = authenticator.public();
        story.people.insert("bob".into(), authenticator);
        let enrolled =
            What::Enrolled { person: person("bob"), key, invited_by: None, signed: None, counts: true };
        story.write(enrolled);
        story.held("H-1");
        story.approve("H-1", "bob", Owner);
    };
    check(
        second_passkey,
        &expect![[r#"
        leaf 6: bob enrolled without an invitation, which only the first two people can
        leaf 8: bob signed before being confirmed, so it does not count"#]],
    );
    let shared_passkey = |story: &mut Story| {
        story.invite("dave", "alice");
        let key = story.people["bob"].public();
        let (person, invited_by) = (person("dave"), Some(person("alice")));
        story.write(What::Enrolled { person, key, invited_by, signed: None, counts: false });
    };
    check(shared_passkey, &expect!["leaf 7: the passkey of dave was enrolled before"]);
    let unproven = |story: &mut Story| {
        story.invite("dave", "alice");
        let key = Authenticator::eddsa("dave").public();
        let signed = Some(story.sign("bob", Decision::Enrol { person: person("dave") }));
        let (person, invited_by) = (person("dave"), Some(person("alice")));
        story.write(What::Enrolled { person, key, invited_by, signed, counts: false });
    };
    check(unproven, &expect!["leaf 7: bob signed in place of dave"]);
    let unreadable = |story: &mut Story| {
        story.invite("dave", "alice");
        let key = crate::record::PublicKey::passkey("AAAA", "AAAA");
        let (person, invited_by) = (person("dave"), Some(person("alice")));
        story.write(What::Enrolled { person, key, invited_by, signed: None, counts: false });
    };
    check(unreadable, &expect!["leaf 7: the passkey of dave: the public key cannot be read"]);
    let reluctant = |story: &mut Story| {
        story.write(What::Founded { origin: LEDGER.to_owned() });
        story.enrol("alice", None, false);
    };
    check_from_nothing(reluctant, &expect!["leaf 1: alice is a founder and counts at once"]);
    // Confirming somebody confirms one passkey, not the name.
    let other_credential = |story: &mut Story| {
        story.invite("dave", "alice");
        story.enrol("dave", Some("alice"), false);
        let decision = Decision::Confirm { person: person("dave"), credential: Digest([9; 32]) };
        let signed = story.sign("bob", decision);
        story.write(What::Confirmed { person: person("dave"), by: person("bob"), signed });
    };
    check(other_credential, &expect!["leaf 8: dave has no such passkey that waits for confirmation"]);
}

/// Compares all findings of what is written on after a founding with hardware (leaves 0 to 12).
fn check_glass<T>(write: impl Fn(&mut Story) -> T, expect: &Expect) -> Vec<HoldId> {
    let mut story = Story::with_hardware();
    write(&mut story);
    let report = story.audit();
    findings(&report, expect);
    report.unreviewed
}

#[test]
fn glass_is_broken_by_one_and_reviewed_by_two() {
    let broken = |story: &mut Story| {
        story.held("H-1");
        let broken = story.break_glass("H-1", "bob", "the shop is down");
        let leaf = story.clear(Some("H-1"), Vec::new());
        story.settle(leaf);
        broken
    };
    assert_eq!(check_glass(broken, &expect![[""]]), [HoldId::new("H-1")]);
    let reviewed = |story: &mut Story| {
        let broken = broken(story);
        story.review("H-1", "carol", &broken);
        story.review("H-1", "dave", &broken);
    };
    assert_eq!(check_glass(reviewed, &expect![[""]]), []);
    let by_whom = |story: &mut Story| {
        let broken = broken(story);
        for who in ["bob", "alice", "carol", "carol"] {
            story.review("H-1", who, &broken);
        }
        story.review("H-2", "dave", &broken);
    };
    check_glass(
        by_whom,
        &expect![[r#"
            leaf 17: bob broke the glass or has signed already, under whatever name; it needs somebody else
            leaf 18: alice controls the session; a review is another person's
            leaf 20: carol broke the glass or has signed already, under whatever name; it needs somebody else
            leaf 21: H-2 was never let through on one person's word"#]],
    );
    // The one who broke it and the one who controls the session stand behind erin, and nobody else does.
    let made_together = |story: &mut Story| {
        story.joined("erin", "carol", "bob");
        story.confirm("erin", "alice");
        story.joined("frank", "carol", "erin");
        let broken = broken(story);
        story.review("H-1", "erin", &broken);
        story.review("H-1", "frank", &broken);
        story.confirm("frank", "dave");
        story.review("H-1", "frank", &broken);
    };
    assert_eq!(
        check_glass(
            made_together,
            &expect![[r#"
                leaf 24: erin was confirmed only by whoever broke the glass, by people who control the session, or by whom these vouched for
                leaf 25: frank was confirmed only by whoever broke the glass, by people who control the session, or by whom these vouched for"#]],
        ),
        [HoldId::new("H-1")]
    );
    let of_another = |story: &mut Story| {
        let mut broken = broken(story);
        broken.signed.statement.nonce = "b3RoZXI".to_owned();
        story.review("H-1", "carol", &broken);
    };
    check_glass(of_another, &expect!["leaf 17: carol signed another decision"]);
}

#[test]
fn glass_is_not_broken_where_nothing_that_was_confirmed_allows_it() {
    let unconfirmed = |story: &mut Story| {
        let (part, digest) = ("break_glass".to_owned(), crate::glass::absent());
        let decision = || Decision::Configure { part: part.clone(), digest };
        let signed = ["alice", "bob"].iter().map(|who| story.sign(who, decision())).collect();
        story.write(What::Configured { part: part.clone(), digest, signed });
        story.held("H-1");
        story.break_glass("H-1", "bob", "the shop is down");
    };
    check_glass(
        unconfirmed,
        &expect!["leaf 15: bob let it through alone, which nothing that was confirmed allows"],
    );
}

#[test]
fn glass_is_not_broken_otherwise() {
    let by_passkey = |story: &mut Story| {
        story.held("H-1");
        story.break_glass("H-1", "carol", "the shop is down");
        story.clear(Some("H-1"), Vec::new());
    };
    check_glass(
        by_passkey,
        &expect![[r#"
            leaf 14: the key beside the signature of carol is not the enrolled one
            leaf 15: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 0 by peers, 0 of them owners"#]],
    );
    let without_reason = |story: &mut Story| {
        story.held("H-1");
        story.break_glass("H-1", "bob", " ");
        story.clear(Some("H-1"), Vec::new());
    };
    check_glass(
        without_reason,
        &expect![[r#"
            leaf 14: bob let it through without saying why
            leaf 15: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 0 by peers, 0 of them owners"#]],
    );
    let of_another_hold = |story: &mut Story| {
        story.held("H-1");
        story.held("H-2");
        let approval = story.break_glass("H-1", "bob", "the shop is down");
        story.write(What::GlassBroken { hold: HoldId::new("H-2"), approval });
        story.clear(Some("H-2"), Vec::new());
    };
    check_glass(
        of_another_hold,
        &expect![[r#"
            leaf 16: bob signed another decision
            leaf 17: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 0 by peers, 0 of them owners"#]],
    );
    let an_approval = |story: &mut Story| {
        story.held("H-1");
        let mut approval = story.approval("H-1", "bob", Owner);
        story.write(What::GlassBroken { hold: HoldId::new("H-1"), approval: approval.clone() });
        approval.key.attested = Some(Digest([3; 32]));
        story.write(What::GlassBroken { hold: HoldId::new("H-1"), approval });
    };
    check_glass(
        an_approval,
        &expect![[r#"
            leaf 14: bob let it through alone by less than an attested hardware key
            leaf 15: bob let it through without saying why"#]],
    );
    let as_an_approval = |story: &mut Story| {
        story.held("H-1");
        let approval = story.break_glass("H-1", "bob", "the shop is down");
        story.write(What::Approved { hold: HoldId::new("H-1"), approval });
    };
    check_glass(as_an_approval, &expect!["leaf 15: bob signed another decision"]);
    let late_and_twice = |story: &mut Story| {
        story.held("H-1");
        story.break_glass("H-1", "bob", "the shop is down");
        story.break_glass("H-1", "bob", "the shop is down");
        story.now = story.now.plus(16 * 60_000);
        story.clear(Some("H-1"), Vec::new());
    };
    check_glass(
        late_and_twice,
        &expect![[r#"
            leaf 15: it had been let through on one person's word before
            leaf 16: it ran after its approvals had lapsed"#]],
    );
}

#[test]
fn hardware_is_attested_by_a_leaf() {
    let claimed = |story: &mut Story| {
        story.ask("bob", "bob");
        let authenticator = Authenticator::eddsa("other");
        let key = authenticator.public();
        story.people.insert("other".into(), authenticator);
        let key = crate::record::PublicKey { attested: Some(Digest([3; 32])), ..key };
        let (person, invited_by) = (person("bob"), Some(person("bob")));
        story.write(What::Enrolled { person, key, invited_by, signed: None, counts: false });
        story.confirm_passkey("bob", ("other", &[]), "alice");
    };
    check(
        claimed,
        &expect![[r#"
        leaf 7: no leaf shows who attests to the passkey of bob
        leaf 8: bob has no further passkey that waits for confirmation"#]],
    );
    // Beside an approval, a key cannot say more of itself than where it was enrolled.
    let beside_an_approval = |story: &mut Story| {
        story.held_for("H-9", Needs { peers: 1, hardware: 1, ..Needs::default() });
        let mut approval = story.approval("H-9", "bob", Owner);
        approval.key.attested = Some(Digest([3; 32]));
        story.write(What::Approved { hold: HoldId::new("H-9"), approval: approval.clone() });
        story.clear(Some("H-9"), vec![approval]);
    };
    check(
        beside_an_approval,
        &expect![[r#"
        leaf 7: the key beside the signature of bob is not the enrolled one
        leaf 8: the key beside the signature of bob is not the enrolled one
        leaf 8: it ran without the people that it needed (one person other than the controller, by a hardware key): what counts is 0 by peers, 0 of them owners"#]],
    );
    let enrol = |what: Decision, key: &'static str| {
        move |story: &mut Story| {
            let statement = story.statement("bob", what.clone());
            let registration = Authenticator::eddsa("other").creation(&statement).registration();
            let key = Authenticator::eddsa(key).public().digest();
            let (person, root) = (person("bob"), Digest([3; 32]));
            story.write(What::Attested { person, key, root, statement, registration });
        }
    };
    let bob = || Decision::Enrol { person: person("bob") };
    check(enrol(bob(), "other"), &expect![[""]]);
    check(
        enrol(bob(), "another"),
        &expect!["leaf 6: the attestation of bob: it is for another passkey"],
    );
    check(
        enrol(Decision::Enrol { person: person("carol") }, "other"),
        &expect!["leaf 6: the attestation of bob: it is for another passkey"],
    );
    check(
        enrol(Decision::SignIn, "other"),
        &expect!["leaf 6: the attestation of bob: the statement is not about becoming a person"],
    );
    let twice = |story: &mut Story| {
        enrol(bob(), "other")(story);
        enrol(bob(), "other")(story);
    };
    check(twice, &expect!["leaf 7: the passkey of bob was attested to before"]);
}

/// Alice's session asks for what one peer may let through, and the person approves by that authenticator.
fn approved_by(story: &mut Story, authenticator: &str, who: &str) -> crate::record::ApprovalRecord {
    story.held_for("H-9", Needs { peers: 1, ..Needs::default() });
    let approval = story.approval_by(authenticator, "H-9", who);
    story.write(What::Approved { hold: HoldId::new("H-9"), approval: approval.clone() });
    approval
}

#[test]
fn further_passkeys_count_once_another_has_confirmed_them() {
    let added = |by: &'static str| {
        move |story: &mut Story| {
            story.ask("bob", "bob");
            story.enrol_more("bob", "other", "bob");
            story.confirm_passkey("bob", ("other", &[]), by);
            approved_by(story, "other", "bob");
            story.held("H-8");
            story.approve("H-8", "bob", Owner);
        }
    };
    check(added("alice"), &expect![[""]]);
    check(
        added("bob"),
        &expect![[r#"
        leaf 8: bob confirmed a passkey of their own
        leaf 10: bob signed with a passkey that nobody confirmed"#]],
    );
    let early = |story: &mut Story| {
        story.ask("bob", "bob");
        story.enrol_more("bob", "other", "bob");
        approved_by(story, "other", "bob");
    };
    check(early, &expect!["leaf 9: bob signed with a passkey that nobody confirmed"]);
    let unasked = |story: &mut Story| story.enrol_more("bob", "other", "bob");
    check(unasked, &expect!["leaf 6: bob was not invited by bob"]);
    let twice_by_one_link = |story: &mut Story| {
        story.ask("bob", "bob");
        story.enrol_more("bob", "other", "bob");
        story.enrol_more("bob", "third", "bob");
    };
    check(twice_by_one_link, &expect!["leaf 8: bob was not invited by bob"]);
    let asked_by_another = |story: &mut Story| {
        let signed = story.sign("carol", Decision::AddPasskey);
        story.write(What::PasskeyAsked { person: person("bob"), by: person("bob"), signed });
        let signed = story.sign("carol", Decision::AddPasskey);
        story.write(What::PasskeyAsked { person: person("bob"), by: person("carol"), signed });
        story.enrol_more("bob", "other", "carol");
    };
    check(
        asked_by_another,
        &expect![[r#"
        leaf 6: bob signed with a passkey that they did not enrol
        leaf 7: carol signed another decision
        leaf 8: bob was not invited by carol"#]],
    );
}

#[test]
fn further_passkeys_are_confirmed_as_such_by_another_human() {
    let confirmed_as_a_person = |story: &mut Story| {
        story.ask("bob", "bob");
        story.enrol_more("bob", "other", "bob");
        let credential = story.people["other"].public().digest();
        let signed = story.sign("alice", Decision::Confirm { person: person("bob"), credential });
        story.write(What::Confirmed { person: person("bob"), by: person("alice"), signed });
    };
    check(
        confirmed_as_a_person,
        &expect!["leaf 8: bob has no such passkey that waits for confirmation"],
    );
    let under_another_name = |story: &mut Story| {
        story.joined("bobby", "alice", "carol");
        story.link("bob", "bobby", "carol");
        story.ask("bob", "bob");
        story.enrol_more("bob", "other", "bob");
        story.confirm_passkey("bob", ("other", &[]), "bobby");
    };
    check(under_another_name, &expect!["leaf 12: bobby confirmed a passkey of their own"]);
    let gone = |story: &mut Story| {
        story.ask("bob", "bob");
        story.enrol_more("bob", "other", "bob");
        story.remove_passkey("bob", "bob", "alice");
        story.confirm_passkey("bob", ("other", &[]), "alice");
    };
    check(gone, &expect!["leaf 9: bob asked for the passkey of bob and does not count any more"]);
    let of_another = |story: &mut Story| {
        story.ask("bob", "bob");
        story.enrol_more("bob", "other", "bob");
        let key = story.people["other"].public().digest();
        let what = Decision::ConfirmPasskey { person: person("carol"), key, replaces: Vec::new() };
        let signed = story.sign("alice", what);
        story.write(What::PasskeyConfirmed { person: person("bob"), by: person("alice"), signed });
        let signed = story.sign("alice", Decision::ConfirmKey { person: person("bob"), key });
        story.write(What::PasskeyConfirmed { person: person("bob"), by: person("alice"), signed });
        let signed = story.sign("alice", Decision::ConfirmKey { person: person("bob"), key });
        story.write(What::PasskeyRemoved { person: person("bob"), by: person("alice"), signed });
    };
    check(
        of_another,
        &expect![[r#"
        leaf 8: alice confirmed a passkey of carol, not of bob
        leaf 9: alice signed another decision
        leaf 10: alice signed another decision"#]],
    );
}

#[test]
fn lost_passkeys_are_replaced_by_two_others() {
    let recovered = |by: &'static str, asker: &'static str| {
        move |story: &mut Story| {
            story.ask("bob", asker);
            story.enrol_more("bob", "new", asker);
            story.confirm_passkey("bob", ("new", &["bob"]), by);
            story.held("H-8");
            let new = story.approval_by("new", "H-8", "bob");
            story.write(What::Approved { hold: HoldId::new("H-8"), approval: new });
            story.held("H-7");
            story.approve("H-7", "bob", Owner);
        }
    };
    check(recovered("carol", "alice"), &expect!["leaf 12: bob signed with a passkey that was removed"]);
    check(
        recovered("alice", "carol"),
        &expect![[r#"
        leaf 10: bob was confirmed only by people who control the session, or whom they vouched for; somebody else has to confirm them first, and was counted as a peer
        leaf 12: bob was confirmed only by people who control the session, or whom they vouched for; somebody else has to confirm them first, and was counted as a peer"#]],
    );
    check(
        recovered("alice", "alice"),
        &expect![[r#"
        leaf 8: alice asked for the passkey of bob and cannot also confirm it
        leaf 10: bob signed with a passkey that nobody confirmed"#]],
    );
    check(
        recovered("bob", "alice"),
        &expect![[r#"
        leaf 8: bob confirmed a passkey of their own
        leaf 10: bob signed with a passkey that nobody confirmed"#]],
    );
    // What a lost passkey had approved is not used after it.
    let approved_before = |story: &mut Story| {
        let approval = approved_by(story, "bob", "bob");
        recovered("carol", "alice")(story);
        story.clear(Some("H-9"), vec![approval]);
    };
    check(
        approved_before,
        &expect![[r#"
        leaf 14: bob signed with a passkey that was removed
        leaf 15: bob signed with a passkey that was removed
        leaf 15: it ran without the people that it needed (one person other than the controller): what counts is 0 by peers, 0 of them owners"#]],
    );
}

#[test]
fn nobody_replaces_passkeys_alone_under_two_names() {
    let by_one_under_two_names = |story: &mut Story| {
        story.joined("ali", "alice", "carol");
        story.link("alice", "ali", "carol");
        story.ask("bob", "ali");
        story.enrol_more("bob", "new", "ali");
        story.confirm_passkey("bob", ("new", &["bob"]), "alice");
    };
    check(
        by_one_under_two_names,
        &expect!["leaf 12: alice asked for the passkey of bob and cannot also confirm it"],
    );
    let by_themself_under_another_name = |story: &mut Story| {
        story.joined("bobby", "alice", "carol");
        story.ask("bob", "bobby");
        story.enrol_more("bob", "new", "bobby");
        story.link("bob", "bobby", "carol");
        story.confirm_passkey("bob", ("new", &["bob"]), "alice");
        story.ask("bob", "bobby");
    };
    check(
        by_themself_under_another_name,
        &expect![[r#"
        leaf 12: bobby is bob, whom another has to recover
        leaf 13: bobby is bob, whom another has to recover"#]],
    );
    let keeping_the_old_one = |story: &mut Story| {
        story.ask("bob", "carol");
        story.enrol_more("bob", "new", "carol");
        story.confirm_passkey("bob", ("new", &[]), "alice");
    };
    check(
        keeping_the_old_one,
        &expect!["leaf 8: the passkeys that alice replaced are not those that bob had"],
    );
    let of_nobody = |story: &mut Story| story.ask("mallory", "alice");
    check(of_nobody, &expect!["leaf 6: mallory has not enrolled yet"]);
}

#[test]
fn whoever_was_recovered_is_vouched_for_by_the_confirmer() {
    // A recovered founder is who the confirmer says, and no peer for what the confirmer controls.
    let by_the_controller = |story: &mut Story| {
        story.ask("bob", "carol");
        story.enrol_more("bob", "new", "carol");
        story.confirm_passkey("bob", ("new", &["bob"]), "alice");
        let approval = approved_by(story, "new", "bob");
        story.clear(Some("H-9"), vec![approval]);
    };
    check(
        by_the_controller,
        &expect![[r#"
        leaf 10: bob was confirmed only by people who control the session, or whom they vouched for; somebody else has to confirm them first, and was counted as a peer
        leaf 11: bob was confirmed only by people who control the session, or whom they vouched for; somebody else has to confirm them first, and was counted as a peer
        leaf 11: it ran without the people that it needed (one person other than the controller): what counts is 0 by peers, 0 of them owners"#]],
    );
    let and_backed_by_another = |story: &mut Story| {
        story.ask("bob", "alice");
        story.enrol_more("bob", "new", "alice");
        story.confirm_passkey("bob", ("new", &["bob"]), "carol");
        let credential = story.people["new"].public().digest();
        let signed = story.sign("alice", Decision::Confirm { person: person("bob"), credential });
        story.write(What::Confirmed { person: person("bob"), by: person("alice"), signed });
        let signed = story.sign("carol", Decision::Confirm { person: person("bob"), credential });
        story.write(What::Confirmed { person: person("bob"), by: person("carol"), signed });
    };
    check(and_backed_by_another, &expect!["leaf 10: carol confirmed bob before"]);
}

#[test]
fn passkeys_that_were_removed_count_no_more() {
    let removed = |by: &'static str| {
        move |story: &mut Story| {
            let approval = approved_by(story, "bob", "bob");
            story.remove_passkey("bob", "bob", by);
            story.clear(Some("H-9"), vec![approval]);
            story.invite("dave", "bob");
            story.ask("bob", "bob");
        }
    };
    check(
        removed("bob"),
        &expect![[r#"
        leaf 9: bob signed with a passkey that was removed
        leaf 9: it ran without the people that it needed (one person other than the controller): what counts is 0 by peers, 0 of them owners
        leaf 10: bob signed with a passkey that was removed
        leaf 11: bob signed with a passkey that was removed"#]],
    );
    check(
        removed("carol"),
        &expect![[r#"
        leaf 9: bob signed with a passkey that was removed
        leaf 9: it ran without the people that it needed (one person other than the controller): what counts is 0 by peers, 0 of them owners
        leaf 10: bob signed with a passkey that was removed
        leaf 11: bob signed with a passkey that was removed"#]],
    );
    let with_their_ssh_key = |story: &mut Story| {
        story.key("bob", "alice");
        story.held_for("H-7", Needs { signers: 1, ..Needs::default() });
        story.remove_passkey("bob", "bob", "carol");
        story.approve_by_key("H-7", "bob", Owner);
    };
    check(
        with_their_ssh_key,
        &expect![
            "leaf 10: bob was confirmed only by people who control the session, or whom they vouched for; somebody else has to confirm them first, and was counted as a peer"
        ],
    );
    let last_two = |story: &mut Story| {
        story.remove_passkey("carol", "carol", "carol");
        story.remove_passkey("carol", "carol", "bob");
        story.remove_passkey("alice", "alice", "bob");
        story.remove_passkey("bob", "bob", "bob");
        story.invite("dave", "bob");
    };
    check(
        last_two,
        &expect![[r#"
        leaf 7: carol has no such passkey
        leaf 8: alice is one of the last two who count, and was removed
        leaf 9: bob is one of the last two who count, and was removed"#]],
    );
    let of_one_human = |story: &mut Story| {
        story.link("bob", "carol", "alice");
        story.remove_passkey("carol", "carol", "alice");
        story.remove_passkey("alice", "alice", "bob");
    };
    check(of_one_human, &expect!["leaf 8: alice is one of the last two who count, and was removed"]);
}

#[test]
fn passkeys_go_and_come_one_by_one() {
    let not_their_last = |story: &mut Story| {
        story.ask("bob", "bob");
        story.enrol_more("bob", "other", "bob");
        story.confirm_passkey("bob", ("other", &[]), "alice");
        story.remove_passkey("carol", "carol", "alice");
        story.remove_passkey("bob", "bob", "alice");
        approved_by(story, "other", "bob");
        let signed = story.sign_by("other", "bob", Decision::AddPasskey);
        story.write(What::PasskeyAsked { person: person("bob"), by: person("bob"), signed });
    };
    check(not_their_last, &expect![[""]]);
    // What a stolen passkey began is not enrolled once it was removed.
    let begun = |story: &mut Story| {
        story.ask("bob", "bob");
        story.remove_passkey("bob", "bob", "alice");
        story.enrol_more("bob", "other", "bob");
    };
    check(begun, &expect!["leaf 8: bob was not invited by bob"]);
    let recovered = |story: &mut Story| {
        story.remove_passkey("bob", "bob", "alice");
        story.ask("bob", "carol");
        story.enrol_more("bob", "new", "carol");
        story.confirm_passkey("bob", ("new", &[]), "alice");
        story.remove_passkey("carol", "carol", "alice");
        story.invite("dave", "alice");
        story.enrol("dave", Some("alice"), false);
        let credential = story.people["dave"].public().digest();
        let what = Decision::Confirm { person: person("dave"), credential };
        let signed = story.sign_by("new", "bob", what);
        story.write(What::Confirmed { person: person("dave"), by: person("bob"), signed });
    };
    check(recovered, &expect![""]);
}

#[test]
fn ssh_keys_enter_by_the_rules() {
    let bob = || Signer::ed25519("bob's key");
    check(|story| story.key("bob", "alice"), &expect![""]);
    check(|story| story.key("bob", "bob"), &expect!["leaf 7: bob confirmed a key of their own"]);
    let stranger = |story: &mut Story| {
        story.people.insert("mallory".into(), Authenticator::eddsa("mallory"));
        story.add_key("mallory", bob());
    };
    check(stranger, &expect!["leaf 6: mallory signed before enrolling"]);
    let unconfirmed = |story: &mut Story| {
        story.invite("dave", "alice");
        story.enrol("dave", Some("alice"), false);
        story.add_key("dave", bob());
    };
    check(unconfirmed, &expect!["leaf 8: dave signed before being confirmed, so it does not count"]);
    let signed_by_another = |story: &mut Story| {
        let key = bob().public();
        let signed = story.sign("carol", Decision::AddKey { key: key.ssh.clone() });
        story.write(What::KeyAdded { person: person("bob"), key, signed, proof: None });
    };
    check(signed_by_another, &expect!["leaf 6: bob signed with a passkey that they did not enrol"]);
    let another_key_than_signed = |story: &mut Story| {
        let signed = story.sign("bob", Decision::AddKey { key: Signer::p256().public().ssh });
        let key = bob().public();
        story.write(What::KeyAdded { person: person("bob"), key, signed, proof: None });
    };
    check(another_key_than_signed, &expect!["leaf 6: bob signed another decision"]);
    let twice = |story: &mut Story| {
        story.key("bob", "alice");
        story.add_key("bob", bob());
        story.add_key("carol", bob());
        story.add_key("carol", bob().sk("ssh:"));
        story.add_key("carol", Signer::ed25519("bob"));
    };
    check(
        twice,
        &expect![[r#"
            leaf 8: the SSH key of bob was added before
            leaf 9: the SSH key of carol was added before
            leaf 10: the SSH key of carol was added before
            leaf 11: the SSH key of carol was added before"#]],
    );
    let confirmed_twice = |story: &mut Story| {
        story.key("bob", "alice");
        story.confirm_key("bob", "carol");
    };
    check(confirmed_twice, &expect!["leaf 8: bob has no such SSH key that waits for confirmation"]);
}

#[test]
fn ssh_keys_are_confirmed_by_passkeys_of_others() {
    let bob = || Signer::ed25519("bob's key");
    let another_confirmed = |story: &mut Story| {
        story.add_key("bob", bob());
        story.add_key("carol", Signer::p256());
        let key = story.keys["carol"].public().digest();
        let signed = story.sign("alice", Decision::ConfirmKey { person: person("carol"), key });
        story.write(What::KeyConfirmed { person: person("bob"), by: person("alice"), signed });
    };
    check(another_confirmed, &expect!["leaf 8: bob has no such SSH key that waits for confirmation"]);
    let by_an_ssh_key = |story: &mut Story| {
        story.key("carol", "alice");
        story.add_key("bob", bob());
        let key = bob().public().digest();
        let statement = story.statement("carol", Decision::ConfirmKey { person: person("bob"), key });
        let signed = story.keys["carol"].sign(&statement);
        story.write(What::KeyConfirmed { person: person("bob"), by: person("carol"), signed });
    };
    check(
        by_an_ssh_key,
        &expect![
            "leaf 9: the signature of carol: an SSH key approves and rejects, and decides nothing else"
        ],
    );
    let passkey_of_an_ssh_key = |story: &mut Story| {
        story.add_key("bob", Signer::ed25519("dave"));
        story.invite("dave", "alice");
        story.enrol("dave", Some("alice"), false);
    };
    check(passkey_of_an_ssh_key, &expect!["leaf 8: the passkey of dave was enrolled before"]);
}

#[test]
fn ssh_keys_that_were_removed_count_no_more() {
    let removed = |by: &'static str| {
        move |story: &mut Story| {
            story.key("bob", "alice");
            story.held_for("H-1", Needs { signers: 1, ..Needs::default() });
            let approval = story.approve_by_key("H-1", "bob", Owner);
            story.remove_key("bob", by);
            story.clear(Some("H-1"), vec![approval]);
            story.held_for("H-2", Needs { signers: 1, ..Needs::default() });
            story.approve_by_key("H-2", "bob", Owner);
            story.add_key("bob", Signer::ed25519("bob's key"));
            story.confirm_key("bob", "carol");
            story.remove_key("bob", "carol");
        }
    };
    check(
        removed("bob"),
        &expect![[r#"
        leaf 11: bob signed with an SSH key that was removed
        leaf 11: it ran without the people that it needed (one person other than the controller, by any of their keys): what counts is 0 by peers, 0 of them owners
        leaf 13: bob signed with an SSH key that was removed
        leaf 14: the SSH key of bob was added before
        leaf 15: bob has no such SSH key that waits for confirmation
        leaf 16: bob has no such SSH key"#]],
    );
    check(
        removed("carol"),
        &expect![[r#"
        leaf 11: bob signed with an SSH key that was removed
        leaf 11: it ran without the people that it needed (one person other than the controller, by any of their keys): what counts is 0 by peers, 0 of them owners
        leaf 13: bob signed with an SSH key that was removed
        leaf 14: the SSH key of bob was added before
        leaf 15: bob has no such SSH key that waits for confirmation
        leaf 16: bob has no such SSH key"#]],
    );
    let stranger = |story: &mut Story| {
        story.key("bob", "alice");
        story.people.insert("mallory".into(), Authenticator::eddsa("mallory"));
        story.remove_key("bob", "mallory");
    };
    check(stranger, &expect!["leaf 8: mallory signed before enrolling"]);
    let before_it_counted = |story: &mut Story| {
        story.add_key("bob", Signer::p256());
        story.remove_key("bob", "alice");
        story.confirm_key("bob", "alice");
    };
    check(before_it_counted, &expect!["leaf 8: bob has no such SSH key that waits for confirmation"]);
    let another_decision = |story: &mut Story| {
        story.key("bob", "alice");
        let key = story.keys["bob"].public().digest();
        let signed = story.sign("carol", Decision::ConfirmKey { person: person("bob"), key });
        story.write(What::KeyRemoved { person: person("bob"), by: person("carol"), signed });
    };
    check(another_decision, &expect!["leaf 8: carol signed another decision"]);
}

/// Bob's and carol's SSH keys count; H-1 asks for one person by any key. Then one thing is changed in the approval
/// that bob's key signed, before it is written and used.
fn by_key(change: impl Fn(&Story, &mut crate::record::ApprovalRecord)) -> impl Fn(&mut Story) {
    move |story: &mut Story| {
        story.key("bob", "alice");
        story.key("carol", "alice");
        story.held_for("H-1", Needs { signers: 1, ..Needs::default() });
        let mut approval = story.by_key("H-1", "bob", Owner);
        change(story, &mut approval);
        story.write(What::Approved { hold: HoldId::new("H-1"), approval });
    }
}

#[test]
fn ssh_signatures_are_checked_again() {
    use crate::sshsig::signer::Parts;
    check(by_key(|_, _| {}), &expect![""]);
    let resigned = |change: fn(&mut Parts)| {
        by_key(move |story, it| {
            let mut parts = Parts::of(&it.signed.statement);
            change(&mut parts);
            it.signed = story.keys["bob"].sign_parts(&it.signed.statement, &parts);
        })
    };
    check(
        resigned(|parts| parts.namespace = "git"),
        &expect![
            "leaf 11: the signature of bob: the SSH signature was made in another namespace than `tyer`"
        ],
    );
    check(
        resigned(|parts| parts.message.push(b' ')),
        &expect!["leaf 11: the signature of bob: the SSH signature does not verify"],
    );
    check(
        resigned(|parts| parts.hash[1] = "sha256"),
        &expect!["leaf 11: the signature of bob: the SSH signature does not verify"],
    );
    check(
        by_key(|_, it| it.signed.signature = "AAAA".into()),
        &expect!["leaf 11: the signature of bob: the SSH signature cannot be read"],
    );
    check(
        by_key(|_, it| it.signed.statement.nonce = "b3RoZXI".into()),
        &expect!["leaf 11: the signature of bob: the SSH signature does not verify"],
    );
    check(
        by_key(|_, it| it.signed.client_data = "AAAA".into()),
        &expect!["leaf 11: the signature of bob: the SSH signature cannot be read"],
    );
    check(
        by_key(|story, it| it.key = story.keys["carol"].public()),
        &expect!["leaf 11: the key beside the signature of bob is not the enrolled one"],
    );
    check(
        by_key(|story, it| it.signed.signature = story.by_key("H-1", "carol", Peer).signed.signature),
        &expect!["leaf 11: the signature of bob: the signature is by another SSH key"],
    );
    check(
        by_key(|story, it| {
            let carol = story.by_key("H-1", "carol", Peer);
            (it.signed.credential, it.key) = (carol.signed.credential, carol.key);
        }),
        &expect!["leaf 11: bob signed with a passkey that they did not enrol"],
    );
    check(
        by_key(|story, it| {
            let mut statement = it.signed.statement.clone();
            statement.expires = story.now.plus(-20_000);
            it.signed = story.keys["bob"].sign(&statement);
        }),
        &expect!["leaf 11: bob signed after the statement had expired"],
    );
    let unconfirmed = |story: &mut Story| {
        story.add_key("bob", Signer::ed25519("bob's key"));
        story.held_for("H-1", Needs { signers: 1, ..Needs::default() });
        let approval = story.by_key("H-1", "bob", Owner);
        story.write(What::Approved { hold: HoldId::new("H-1"), approval });
    };
    check(unconfirmed, &expect!["leaf 8: bob signed with an SSH key that nobody confirmed"]);
}

#[test]
fn ssh_keys_count_for_what_they_prove() {
    let ran = |needs: Needs, who: &'static [(&'static str, bool)]| {
        move |story: &mut Story| {
            story.key("bob", "alice");
            story.key("carol", "alice");
            story.held_for("H-1", needs.clone());
            let mut approvals = Vec::new();
            for (who, key) in who {
                let standing = if *who == "bob" { Owner } else { Peer };
                let approval = match key {
                    true => story.by_key("H-1", who, standing),
                    false => story.approval("H-1", who, standing),
                };
                story.write(What::Approved { hold: HoldId::new("H-1"), approval: approval.clone() });
                approvals
                    .retain(|before: &crate::record::ApprovalRecord| before.person != approval.person);
                approvals.push(approval);
            }
            story.clear(Some("H-1"), approvals);
        }
    };
    let any = |signers: u32| Needs { signers, ..Needs::default() };
    let two = Needs { peers: 2, owners: 1, ..Needs::default() };
    check(ran(any(1), &[("bob", true)]), &expect![""]);
    check(ran(any(1), &[("bob", false)]), &expect![""]);
    check(ran(any(2), &[("bob", true), ("carol", false)]), &expect![""]);
    // One human is one approval; a better key takes the place of a weaker one.
    check(ran(two.clone(), &[("bob", true), ("carol", false), ("bob", false)]), &expect![""]);
    check(
        ran(any(2), &[("bob", true), ("bob", false)]),
        &expect![
            "leaf 13: it ran without the people that it needed (two different people other than the controller, by any of their keys): what counts is 1 by peers, 1 of them owners"
        ],
    );
    check(
        ran(any(1), &[("bob", false), ("bob", true)]),
        &expect!["leaf 12: bob approved hold H-1 before"],
    );
    check(
        ran(two.clone(), &[("bob", true), ("carol", true)]),
        &expect![
            "leaf 13: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 0 by peers, 0 of them owners, 2 by less than a passkey"
        ],
    );
    check(
        ran(two.clone(), &[("bob", true), ("carol", false)]),
        &expect![
            "leaf 13: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 1 by peers, 0 of them owners, 1 by less than a passkey"
        ],
    );
    check(
        ran(Needs { peers: 1, hardware: 1, ..Needs::default() }, &[("bob", false)]),
        &expect![
            "leaf 12: it ran without the people that it needed (one person other than the controller, by a hardware key): what counts is 1 by peers, 1 of them owners"
        ],
    );
}

#[test]
fn signatures_say_what_the_leaf_says() {
    // An invitation of dave by alice, with a statement that was changed before it was signed.
    let invited = |change: fn(&Story, &mut crate::statement::Statement)| {
        move |story: &mut Story| {
            let mut statement = story.statement("alice", Decision::Invite { person: person("dave") });
            change(story, &mut statement);
            let signed = story.people["alice"].sign(&statement);
            story.write(What::Invited { person: person("dave"), by: person("alice"), signed });
        }
    };
    check(invited(|_, _| {}), &expect![[""]]);
    check(invited(|_, it| it.person = "bob".into()), &expect!["leaf 6: bob signed in place of alice"]);
    check(
        invited(|_, it| it.what = Decision::Invite { person: person("erin") }),
        &expect!["leaf 6: alice signed another decision"],
    );
    check(
        invited(|_, it| it.what = Decision::Enrol { person: person("dave") }),
        &expect!["leaf 6: alice signed another decision"],
    );
    check(
        invited(|story, it| it.expires = story.now.plus(-20_000)),
        &expect!["leaf 6: alice signed after the statement had expired"],
    );
    check(
        invited(|_, it| it.origin = "https://evil.example.com".into()),
        &expect![
            "leaf 6: it was signed at https://evil.example.com, all before at https://tyer.example.com"
        ],
    );
    check(
        invited(|_, it| it.root = Digest([0; 32])),
        &expect!["leaf 6: alice signed on top of another ledger than this one"],
    );
    check(
        invited(|_, it| it.size += 1),
        &expect!["leaf 6: alice signed on top of another ledger than this one"],
    );
    // A statement may be older than the ledger is now.
    let earlier = |story: &mut Story| {
        let signed = story.sign("alice", Decision::Invite { person: person("dave") });
        story.held("H-1");
        story.write(What::Invited { person: person("dave"), by: person("alice"), signed });
    };
    check(earlier, &expect![[""]]);
    let forged = |story: &mut Story| {
        let mut signed = story.sign("alice", Decision::Invite { person: person("dave") });
        signed.signature = story.sign("alice", Decision::SignIn).signature;
        story.write(What::Invited { person: person("dave"), by: person("alice"), signed });
    };
    check(forged, &expect!["leaf 6: the signature of alice: the signature does not verify"]);
    let stranger = |story: &mut Story| {
        story.people.insert("mallory".into(), Authenticator::eddsa("mallory"));
        story.invite("dave", "mallory");
    };
    check(stranger, &expect!["leaf 6: mallory signed before enrolling"]);
    let exchanged_key = |story: &mut Story| {
        story.people.insert("bob".into(), Authenticator::eddsa("bob's new one"));
        story.invite("dave", "bob");
    };
    check(exchanged_key, &expect!["leaf 6: bob signed with a passkey that they did not enrol"]);
}

#[test]
fn the_first_good_signature_sets_the_origin() {
    let enrolled_elsewhere = |story: &mut Story| {
        story.write(What::Founded { origin: LEDGER.to_owned() });
        story.origin = "https://evil.example.com".to_owned();
        let authenticator = Authenticator::eddsa("mallory");
        let key = authenticator.public();
        story.people.insert("mallory".into(), authenticator);
        let mut signed = story.sign("mallory", Decision::Enrol { person: person("mallory") });
        signed.signature = story.sign("mallory", Decision::SignIn).signature;
        story.write(What::Enrolled {
            person: person("mallory"),
            key,
            invited_by: None,
            signed: Some(signed),
            counts: true,
        });
        story.origin = ORIGIN.to_owned();
        story.founder("alice");
    };
    check_from_nothing(
        enrolled_elsewhere,
        &expect!["leaf 1: the signature of mallory: the signature does not verify"],
    );
    let nowhere = |story: &mut Story| {
        story.write(What::Founded { origin: LEDGER.to_owned() });
        let authenticator = Authenticator::eddsa("alice");
        let mut statement = story.statement("alice", Decision::Enrol { person: person("alice") });
        let mut signed = authenticator.sign(&statement);
        statement.origin = "http://tyer.example.com".to_owned();
        signed.statement = statement;
        let (key, signed) = (authenticator.public(), Some(signed));
        let (person, invited_by) = (person("alice"), None);
        story.write(What::Enrolled { person, key, invited_by, signed, counts: true });
    };
    check_from_nothing(
        nowhere,
        &expect![
            "leaf 1: http://tyer.example.com: a console's origin is https://host[:port], or http for localhost"
        ],
    );
}

#[test]
fn approvals_are_for_the_hold() {
    // An approval of hold H-1 by bob, changed before it is written.
    let approved = |change: fn(&mut Story, &mut crate::record::ApprovalRecord)| {
        move |story: &mut Story| {
            story.held("H-1");
            let mut approval = story.approval("H-1", "bob", Owner);
            change(story, &mut approval);
            story.write(What::Approved { hold: HoldId::new("H-1"), approval });
        }
    };
    fn over(story: &Story, change: fn(&mut crate::statement::Subject)) -> crate::statement::Signed {
        let mut subject = subject("H-1");
        change(&mut subject);
        story.sign("bob", Decision::Approve(subject))
    }
    check(approved(|_, _| {}), &expect![[""]]);
    check(
        approved(|s, it| it.signed = over(s, |it| it.hold = HoldId::new("H-2"))),
        &expect!["leaf 7: bob signed another decision"],
    );
    check(
        approved(|s, it| it.signed = over(s, |it| it.request = Digest([0; 32]))),
        &expect!["leaf 7: bob signed another decision"],
    );
    check(
        approved(|s, it| it.signed = over(s, |it| it.card = Digest([0; 32]))),
        &expect!["leaf 7: bob signed another decision"],
    );
    check(
        approved(|s, it| it.signed = over(s, |it| it.policy_set = Digest([0; 32]))),
        &expect!["leaf 7: bob signed another decision"],
    );
    check(
        approved(|s, it| it.signed = s.sign("bob", Decision::Reject(subject("H-1")))),
        &expect!["leaf 7: bob signed another decision"],
    );
    check(
        approved(|s, it| it.key = s.people["carol"].public()),
        &expect!["leaf 7: the key beside the signature of bob is not the enrolled one"],
    );
    check(
        approved(|_, it| it.person = person("carol")),
        &expect!["leaf 7: carol signed with a passkey that they did not enrol"],
    );
    check(
        approved(|_, it| it.standing = Controller),
        &expect!["leaf 7: bob was counted as the controller, who is alice"],
    );
    check(
        approved(|s, it| *it = s.approval("H-1", "alice", Peer)),
        &expect!["leaf 7: alice controls the session and was counted as a peer"],
    );
    check(approved(|s, it| *it = s.approval("H-1", "alice", Controller)), &expect![[""]]);
    check(
        approved(|_, it| it.at = it.at.plus(4_000_000)),
        &expect!["leaf 7: bob approved after the hold had expired"],
    );
    check(
        approved(|_, it| it.at = it.at.plus(20_000)),
        &expect!["leaf 7: the approval of bob is dated after its leaf"],
    );
    check(|story| story.approve("H-9", "bob", Owner), &expect!["leaf 6: hold H-9 was never opened"]);
}

#[test]
fn answers_are_given_once_and_as_written() {
    let twice = |story: &mut Story| {
        story.held("H-1");
        story.approve("H-1", "bob", Owner);
        story.approve("H-1", "bob", Peer);
    };
    check(twice, &expect!["leaf 8: bob approved hold H-1 before"]);
    let rejected_with_another_key = |story: &mut Story| {
        story.held("H-1");
        let signed = story.sign("bob", Decision::Reject(subject("H-1")));
        let (hold, key) = (HoldId::new("H-1"), story.people["carol"].public());
        story.write(What::Rejected { hold, person: person("bob"), reason: "no".into(), signed, key });
    };
    check(
        rejected_with_another_key,
        &expect!["leaf 7: the key beside the signature of bob is not the enrolled one"],
    );
    let rejected_with = |decision: fn() -> Decision| {
        move |story: &mut Story| {
            story.held("H-1");
            let signed = story.sign("bob", decision());
            let (hold, key) = (HoldId::new("H-1"), story.people["bob"].public());
            story.write(What::Rejected {
                hold,
                person: person("bob"),
                reason: "no".into(),
                signed,
                key,
            });
        }
    };
    check(rejected_with(|| Decision::Reject(subject("H-1"))), &expect![[""]]);
    check(
        rejected_with(|| Decision::Approve(subject("H-1"))),
        &expect!["leaf 7: bob signed another decision"],
    );
}

/// Approvals of H-1 by these people, written first.
fn approvals(
    story: &mut Story,
    who: &[(&str, crate::hold::Standing)],
) -> Vec<crate::record::ApprovalRecord> {
    story.held("H-1");
    who.iter().map(|(who, standing)| story.approve("H-1", who, *standing)).collect()
}

#[test]
fn what_runs_was_agreed_to() {
    let ran = |who: &'static [(&'static str, crate::hold::Standing)]| {
        move |story: &mut Story| {
            let approvals = approvals(story, who);
            story.clear(Some("H-1"), approvals);
        }
    };
    check(ran(&[("bob", Owner), ("carol", Peer)]), &expect![[""]]);
    check(
        ran(&[]),
        &expect![
            "leaf 7: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 0 by peers, 0 of them owners"
        ],
    );
    check(
        ran(&[("bob", Owner)]),
        &expect![
            "leaf 8: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 1 by peers, 1 of them owners"
        ],
    );
    check(
        ran(&[("bob", Peer), ("carol", Peer)]),
        &expect![
            "leaf 9: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 2 by peers, 0 of them owners"
        ],
    );
    check(
        ran(&[("bob", Owner), ("alice", Controller)]),
        &expect![
            "leaf 9: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 1 by peers, 1 of them owners, and the controller's own"
        ],
    );
    check(
        ran(&[("bob", Owner), ("alice", Peer)]),
        &expect![[r#"
            leaf 8: alice controls the session and was counted as a peer
            leaf 9: alice controls the session and was counted as a peer
            leaf 9: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 1 by peers, 1 of them owners"#]],
    );
}

#[test]
fn only_good_approvals_count_once() {
    let one_counted_twice = |story: &mut Story| {
        let given = approvals(story, &[("bob", Owner)]);
        story.clear(Some("H-1"), vec![given[0].clone(), given[0].clone()]);
    };
    check(
        one_counted_twice,
        &expect![[r#"
            leaf 8: bob is counted twice
            leaf 8: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 1 by peers, 1 of them owners"#]],
    );
    let does_not_count_yet = |story: &mut Story| {
        story.invite("dave", "alice");
        story.enrol("dave", Some("alice"), false);
        let given = approvals(story, &[("bob", Owner), ("dave", Peer)]);
        story.clear(Some("H-1"), given);
    };
    check(
        does_not_count_yet,
        &expect![[r#"
            leaf 10: dave did not count yet when the hold was opened
            leaf 11: dave did not count yet when the hold was opened
            leaf 11: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 1 by peers, 1 of them owners"#]],
    );
    let forged = |story: &mut Story| {
        let mut given = approvals(story, &[("bob", Owner), ("carol", Peer)]);
        given[1].signed.signature = given[0].signed.signature.clone();
        story.clear(Some("H-1"), given);
    };
    check(
        forged,
        &expect![[r#"
            leaf 9: the signature of carol: the signature does not verify
            leaf 9: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 1 by peers, 1 of them owners"#]],
    );
}

#[test]
fn nobody_counts_as_another_person_who_is_not() {
    let ran = |before: fn(&mut Story)| {
        move |story: &mut Story| {
            before(story);
            let given = approvals(story, &[("bob", Owner), ("dave", Peer)]);
            story.clear(Some("H-1"), given);
        }
    };
    check(ran(|story| story.joined("dave", "alice", "bob")), &expect![[""]]);
    let mine = ran(|story| story.joined("dave", "bob", "alice"));
    check(
        mine,
        &expect![[r#"
        leaf 11: dave was confirmed only by people who control the session, or whom they vouched for; somebody else has to confirm them first, and was counted as a peer
        leaf 12: dave was confirmed only by people who control the session, or whom they vouched for; somebody else has to confirm them first, and was counted as a peer
        leaf 12: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 1 by peers, 1 of them owners"#]],
    );
    // Whoever stands behind them as well makes them count.
    let also_by_carol = ran(|story| {
        story.joined("dave", "bob", "alice");
        story.confirm("dave", "carol");
    });
    check(also_by_carol, &expect![[""]]);
    let by_the_inviter = ran(|story| {
        story.joined("dave", "bob", "alice");
        story.confirm("dave", "bob");
    });
    check(by_the_inviter, &expect![[""]]);
    let linked = ran(|story| {
        story.joined("dave", "alice", "bob");
        story.link("dave", "alice", "carol");
    });
    check(
        linked,
        &expect![[r#"
        leaf 12: dave is the same human as alice, who controls the session, and was counted as a peer
        leaf 13: dave is the same human as alice, who controls the session, and was counted as a peer
        leaf 13: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 1 by peers, 1 of them owners"#]],
    );
}

#[test]
fn one_human_counts_once_and_nobody_for_what_was_held_before() {
    let ran = |before: fn(&mut Story)| {
        move |story: &mut Story| {
            before(story);
            let given = approvals(story, &[("bob", Owner), ("dave", Peer)]);
            story.clear(Some("H-1"), given);
        }
    };
    let one_human = ran(|story| {
        story.joined("dave", "alice", "carol");
        story.link("bob", "dave", "carol");
    });
    check(
        one_human,
        &expect![[r#"
            leaf 12: bob approved hold H-1 before
            leaf 13: dave is counted twice
            leaf 13: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 1 by peers, 1 of them owners"#]],
    );
    let by_a_second_self = ran(|story| {
        story.joined("erin", "bob", "carol");
        story.link("erin", "alice", "bob");
        story.joined("dave", "alice", "erin");
    });
    check(
        by_a_second_self,
        &expect![[r#"
        leaf 12: erin invited dave and cannot also confirm them
        leaf 15: dave did not count yet when the hold was opened
        leaf 16: dave did not count yet when the hold was opened
        leaf 16: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 1 by peers, 1 of them owners"#]],
    );
    let too_late = |story: &mut Story| {
        story.held("H-1");
        story.joined("dave", "alice", "bob");
        let given = vec![story.approve("H-1", "bob", Owner), story.approve("H-1", "dave", Peer)];
        story.clear(Some("H-1"), given);
    };
    check(
        too_late,
        &expect![[r#"
        leaf 11: dave did not count yet when the hold was opened
        leaf 12: dave did not count yet when the hold was opened
        leaf 12: it ran without the people that it needed (two different people other than the controller, one of them an owner): what counts is 1 by peers, 1 of them owners"#]],
    );
    let linked_to_a_stranger = |story: &mut Story| story.link("dave", "bob", "carol");
    check(linked_to_a_stranger, &expect!["leaf 6: dave and bob are not two people"]);
    let confirmed_twice = |story: &mut Story| story.confirm("carol", "bob");
    check(confirmed_twice, &expect!["leaf 6: bob confirmed carol before"]);
    let confirmed_oneself = |story: &mut Story| {
        story.joined("dave", "alice", "bob");
        story.link("dave", "carol", "bob");
        story.confirm("dave", "carol");
    };
    check(confirmed_oneself, &expect!["leaf 10: carol confirmed themself"]);
}

#[test]
fn nothing_runs_before_people_had_their_time() {
    let ran_after = |seconds: i64| {
        move |story: &mut Story| {
            let needs = Needs { peers: 2, owners: 1, waited: 60, ..Needs::default() };
            story.held_for("H-1", needs);
            let opened = story.now;
            let given = vec![story.approve("H-1", "bob", Owner), story.approve("H-1", "carol", Peer)];
            // A leaf takes a second.
            story.now = opened.plus((seconds - 1) * 1000);
            story.clear(Some("H-1"), given);
        }
    };
    check(ran_after(60), &expect![[""]]);
    check(ran_after(59), &expect!["leaf 9: it ran before people had had the time to stop it"]);
    check(ran_after(60 + 15 * 60), &expect![[""]]);
    check(ran_after(60 + 16 * 60), &expect!["leaf 9: it ran after its approvals had lapsed"]);
}

#[test]
fn a_session_keeps_those_who_control_it() {
    let opened = |also: &'static [&'static str]| {
        move |story: &mut Story| {
            let mut principal = request(Effect::Read, None).principal;
            principal.also = also.iter().map(|name| person(name)).collect();
            story.write(What::SessionOpened {
                principal,
                upstream: Upstream::new("orders"),
                narrowing: Narrowing::default(),
                until: story.now.plus(3_600_000),
                purpose: String::new(),
                by: "operator".to_owned(),
            });
            story.executed("H-1");
        }
    };
    check(opened(&[]), &expect![[""]]);
    check(
        opened(&["bob"]),
        &expect![[r#"
        leaf 7: it says of session s-1 that others control it
        leaf 10: it says of session s-1 that others control it"#]],
    );
}

#[test]
fn what_runs_was_held() {
    let enough = [("bob", Owner), ("carol", Peer)];
    let another_request = |story: &mut Story| {
        let given = approvals(story, &enough);
        let mut request = request(Effect::Destroy, Some("H-1"));
        request.digest = Digest([0; 32]);
        story.write(What::Cleared { request, approvals: given });
    };
    check(another_request, &expect!["leaf 9: it is not the request of hold H-1"]);
    let another_upstream = |story: &mut Story| {
        let given = approvals(story, &enough);
        let mut request = request(Effect::Destroy, Some("H-1"));
        request.upstream = Upstream::new("payments");
        story.write(What::Cleared { request, approvals: given });
    };
    check(another_upstream, &expect!["leaf 9: it is not the request of hold H-1"]);
    let another_session = |story: &mut Story| {
        let given = approvals(story, &enough);
        let mut request = request(Effect::Destroy, Some("H-1"));
        request.principal.controller = person("mallory");
        story.write(What::Cleared { request, approvals: given });
    };
    check(another_session, &expect!["leaf 9: it is not the request of hold H-1"]);
    check(|story| story.clear(Some("H-9"), Vec::new()), &expect!["leaf 6: hold H-9 was never opened"]);
    let no_hold = |story: &mut Story| {
        let given = approvals(story, &enough);
        story.clear(None, given);
    };
    check(no_hold, &expect!["leaf 9: it carries approvals, but names no hold"]);
    let lapsed = |story: &mut Story| {
        let given = approvals(story, &enough);
        story.now = story.now.plus(1_000_000);
        story.clear(Some("H-1"), given);
    };
    check(lapsed, &expect!["leaf 9: it ran after its approvals had lapsed"]);
}

#[test]
fn a_grant_comes_back_only_from_what_failed() {
    let failed = || Outcome::Failed { code: "40000".to_owned() };
    let done = || Outcome::done("DELETE 4".to_owned(), Some(4));
    let again = |outcome: fn() -> Outcome, returned: bool| {
        move |story: &mut Story| {
            let given = approvals(story, &[("bob", Owner), ("carol", Peer)]);
            let leaf = LeafIndex(story.clear(Some("H-1"), given.clone()));
            story.write(What::Settled { leaf, outcome: outcome(), returned });
            story.clear(Some("H-1"), given);
        }
    };
    check(again(failed, true), &expect![""]);
    check(again(failed, false), &expect!["leaf 11: hold H-1 had ended before: cleared"]);
    check(
        again(done, true),
        &expect![[r#"
            leaf 10: the grant of H-1 came back from what was not seen to fail
            leaf 11: hold H-1 had ended before: cleared"#]],
    );
    let from_nowhere = |story: &mut Story| {
        let leaf = LeafIndex(story.clear(None, Vec::new()));
        story.write(What::Settled { leaf, outcome: failed(), returned: true });
    };
    check(from_nowhere, &expect!["leaf 7: a grant came back that no hold had given"]);
}

#[test]
fn what_is_only_observed_needs_nobody_except_in_a_freeze() {
    let observed = |effect: Effect, hold: Option<&str>| {
        let mut request = request(effect, hold);
        request.basis.observed = Some(crate::verdict::Observed::Allow);
        request
    };
    let freeze = |story: &mut Story| {
        story.write(What::Frozen { by: "operator".into(), reason: String::new() });
    };
    let clear = move |story: &mut Story| {
        let request = observed(Effect::Destroy, None);
        story.write(What::Cleared { request, approvals: Vec::new() });
    };
    let read = move |story: &mut Story| {
        let request = observed(Effect::Read, None);
        let until = story.now.plus(600_000);
        story.write(What::ReadLease { request, uses: 10, until });
    };
    check(clear, &expect![""]);
    check(read, &expect![""]);
    let both_frozen = move |story: &mut Story| {
        freeze(story);
        clear(story);
        read(story);
    };
    check(
        both_frozen,
        &expect![[r#"
            leaf 7: it was only observed, but during a freeze
            leaf 8: it was only observed, but during a freeze"#]],
    );
    let thawed = move |story: &mut Story| {
        freeze(story);
        let signed = story.sign("bob", Decision::Thaw { frozen: story.now });
        story.write(What::Thawed { by: person("bob"), signed });
        clear(story);
    };
    check(thawed, &expect![""]);
    let with_a_hold = move |story: &mut Story| {
        let approvals = approvals(story, &[("bob", Owner), ("carol", Peer)]);
        let request = observed(Effect::Destroy, Some("H-1"));
        story.write(What::Cleared { request, approvals });
    };
    check(with_a_hold, &expect!["leaf 9: it was only observed, but names a hold"]);
}

#[test]
fn holds_end_once() {
    let after = |end: fn(&mut Story, Vec<crate::record::ApprovalRecord>)| {
        move |story: &mut Story| {
            let given = approvals(story, &[("bob", Owner), ("carol", Peer)]);
            end(story, given.clone());
            story.clear(Some("H-1"), given);
        }
    };
    check(
        after(|story, given| assert!(story.clear(Some("H-1"), given) > 0)),
        &expect!["leaf 10: hold H-1 had ended before: cleared"],
    );
    check(
        after(|story, _| story.reject("H-1", "alice")),
        &expect!["leaf 10: hold H-1 had ended before: rejected"],
    );
    let ended = |story: &mut Story, _| {
        story.write(What::HoldEnded { hold: HoldId::new("H-1"), how: "expired".into() });
    };
    check(after(ended), &expect!["leaf 10: hold H-1 had ended before: expired"]);
    let approved_afterwards = |story: &mut Story| {
        story.held("H-1");
        story.reject("H-1", "bob");
        story.approve("H-1", "carol", Peer);
        story.reject("H-1", "carol");
        story.write(What::HoldEnded { hold: HoldId::new("H-1"), how: "expired".into() });
    };
    check(
        approved_afterwards,
        &expect![[r#"
            leaf 8: hold H-1 had ended before: rejected
            leaf 9: hold H-1 had ended before: rejected
            leaf 10: hold H-1 had ended before: rejected"#]],
    );
    let opened_twice = |story: &mut Story| {
        story.held("H-1");
        story.held("H-1");
    };
    check(opened_twice, &expect!["leaf 7: hold H-1 was opened before"]);
    let too_long = |story: &mut Story| {
        let card = crate::record::CardRecord {
            hold: HoldId::new("H-1"),
            card: Digest([1; 32]),
            request: request(Effect::Destroy, None),
            purpose: String::new(),
            needs: Needs::default(),
            taken: story.now,
            roster: crate::roster::Roster::default(),
            allowance: None,
            shape: None,
        };
        let expires = story.now.plus(200_000_000);
        story.write(What::Held { card: Box::new(card), expires });
    };
    check(too_long, &expect!["leaf 6: the hold stays open longer than a hold may"]);
}

#[test]
fn outcomes_follow_what_ran() {
    let settled_twice = |story: &mut Story| {
        let leaf = story.clear(None, Vec::new());
        story.settle(leaf);
        story.settle(leaf);
    };
    check(
        settled_twice,
        &expect!["leaf 8: it settles leaf 6, which cleared nothing or was settled before"],
    );
    check(
        |story| story.settle(2),
        &expect!["leaf 6: it settles leaf 2, which cleared nothing or was settled before"],
    );
    check(
        |story| story.settle(7),
        &expect!["leaf 6: it settles leaf 7, which cleared nothing or was settled before"],
    );
    let close = |story: &mut Story, leaf: u64, uses: u64| {
        story.write(What::LeaseClosed { leaf: LeafIndex(leaf), uses, failed: 0 });
    };
    let lease = |story: &mut Story, effect: Effect| {
        story.write(What::ReadLease { request: request(effect, None), uses: 10, until: story.now })
    };
    check(
        |story| story.write(What::Misread { leaf: LeafIndex(2), code: "25006".into() }),
        &expect!["leaf 6: it names leaf 2, which opened no read lease"],
    );
    check(
        |story| close(story, 2, 1),
        &expect!["leaf 6: it closes leaf 2, which opened no read lease or was closed before"],
    );
    let closed_twice = |story: &mut Story| {
        let leaf = lease(story, Effect::Read);
        close(story, leaf, 10);
        close(story, leaf, 10);
    };
    check(
        closed_twice,
        &expect!["leaf 8: it closes leaf 6, which opened no read lease or was closed before"],
    );
    let too_many = |story: &mut Story| {
        let leaf = lease(story, Effect::Read);
        close(story, leaf, 11);
    };
    check(too_many, &expect!["leaf 7: the lease of leaf 6 carried 11 reads of 10"]);
    check(
        |story| lease(story, Effect::Change),
        &expect!["leaf 6: a read lease carries change on relation:orders"],
    );
}

#[test]
fn a_freeze_ends_by_a_person() {
    let thaw = |story: &mut Story, who: &str, frozen: Timestamp| {
        let signed = story.sign(who, Decision::Thaw { frozen });
        story.write(What::Thawed { by: person(who), signed });
    };
    let freeze = |story: &mut Story| {
        story.write(What::Frozen { by: "operator".into(), reason: String::new() });
        story.now
    };
    check(
        |story| thaw(story, "bob", story.now),
        &expect!["leaf 6: it ends a freeze that did not hold then"],
    );
    let another_freeze = |story: &mut Story| {
        let frozen = freeze(story);
        thaw(story, "bob", frozen.plus(1));
    };
    check(another_freeze, &expect!["leaf 7: it ends a freeze that did not hold then"]);
    let thawed_twice = |story: &mut Story| {
        let frozen = freeze(story);
        thaw(story, "bob", frozen);
        thaw(story, "carol", frozen);
    };
    check(thawed_twice, &expect!["leaf 8: it ends a freeze that did not hold then"]);
    let thawed_without_saying_so = |story: &mut Story| {
        freeze(story);
        let signed = story.sign("bob", Decision::SignIn);
        story.write(What::Thawed { by: person("bob"), signed });
    };
    check(thawed_without_saying_so, &expect!["leaf 7: bob signed another decision"]);
}

fn start(story: &mut Story, change: fn(&mut Freeze)) -> Freeze {
    let mut freeze = Freeze::of_everything(story.now.plus(1000), "operator", "incident");
    freeze.id = FreezeId::new("F-1");
    change(&mut freeze);
    story.write(What::FreezeStarted { freeze: freeze.clone() });
    freeze
}

fn end(story: &mut Story, freeze: &Freeze, who: &[&str]) {
    let signed = who.iter().map(|who| story.sign(who, freeze.ending())).collect();
    story.write(What::FreezeEnded { freeze: freeze.id.clone(), signed });
}

#[test]
fn a_freeze_is_ended_early_by_two_people() {
    fn ended(who: &'static [&'static str]) -> impl Fn(&mut Story) {
        move |story| {
            let freeze = start(story, |_| {});
            end(story, &freeze, who);
        }
    }
    check(ended(&["bob", "carol"]), &expect![[""]]);
    check(ended(&["bob"]), &expect!["leaf 7: the freeze F-1 was ended early by 1 people of two"]);
    check(
        ended(&["bob", "bob"]),
        &expect!["leaf 7: the freeze F-1 was ended early by 1 people of two"],
    );
    check(
        ended(&[]),
        &expect!["leaf 7: it ends a freeze F-1 that did not hold then, or nobody signed that"],
    );
    let by_one_who_does_not_count = |story: &mut Story| {
        story.invite("dave", "alice");
        story.enrol("dave", Some("alice"), false);
        let freeze = start(story, |_| {});
        end(story, &freeze, &["bob", "dave"]);
    };
    check(
        by_one_who_does_not_count,
        &expect![[r#"
        leaf 9: dave signed before being confirmed, so it does not count
        leaf 9: the freeze F-1 was ended early by 1 people of two"#]],
    );
}

#[test]
fn one_human_under_two_names_ends_no_freeze() {
    let linked = |who: &'static [&'static str]| {
        move |story: &mut Story| {
            story.link("bob", "carol", "alice");
            let freeze = start(story, |_| {});
            end(story, &freeze, who);
        }
    };
    check(
        linked(&["bob", "carol"]),
        &expect!["leaf 8: the freeze F-1 was ended early by 1 people of two"],
    );
    check(linked(&["alice", "carol"]), &expect![[""]]);
}

#[test]
fn people_sign_against_exactly_one_freeze() {
    let another = |story: &mut Story| {
        let freeze = start(story, |_| {});
        let other = Freeze { reason: "nothing".to_owned(), ..freeze };
        end(story, &other, &["bob", "carol"]);
    };
    check(
        another,
        &expect!["leaf 7: it ends a freeze F-1 that did not hold then, or nobody signed that"],
    );
    let two_freezes = |story: &mut Story| {
        let freeze = start(story, |_| {});
        let other = start(story, |freeze| freeze.id = FreezeId::new("F-2"));
        let signed = vec![story.sign("bob", freeze.ending()), story.sign("carol", other.ending())];
        story.write(What::FreezeEnded { freeze: freeze.id, signed });
    };
    check(
        two_freezes,
        &expect![[r#"
        leaf 8: carol signed another decision
        leaf 8: the freeze F-1 was ended early by 1 people of two"#]],
    );
    let twice = |story: &mut Story| {
        let freeze = start(story, |_| {});
        end(story, &freeze, &["bob", "carol"]);
        end(story, &freeze, &["bob", "carol"]);
    };
    check(
        twice,
        &expect!["leaf 8: it ends a freeze F-1 that did not hold then, or nobody signed that"],
    );
    let past = |story: &mut Story| {
        let freeze = start(story, |freeze| freeze.until = Some(freeze.since.plus(500)));
        end(story, &freeze, &["bob", "carol"]);
    };
    check(past, &expect!["leaf 7: it ends a freeze F-1 that did not hold then, or nobody signed that"]);
    let altered = |story: &mut Story| {
        let freeze = start(story, |_| {});
        let mut signed: Vec<_> = ["bob", "carol"].map(|who| story.sign(who, freeze.ending())).into();
        signed[1].signature = signed[0].signature.clone();
        story.write(What::FreezeEnded { freeze: freeze.id, signed });
    };
    check(
        altered,
        &expect![[r#"
        leaf 7: the signature of carol: the signature does not verify
        leaf 7: the freeze F-1 was ended early by 1 people of two"#]],
    );
    let as_one_did_before = |story: &mut Story| {
        let freeze = start(story, |_| {});
        let signed = story.sign("bob", Decision::Thaw { frozen: freeze.since });
        story.write(What::Thawed { by: person("bob"), signed });
    };
    check(as_one_did_before, &expect!["leaf 7: it ends a freeze that did not hold then"]);
    let alone = |story: &mut Story| {
        story.write(What::Founded { origin: LEDGER.to_owned() });
        story.founder("alice");
        let freeze = start(story, |_| {});
        end(story, &freeze, &["alice"]);
        let freeze = start(story, |_| {});
        end(story, &freeze, &[]);
    };
    check_from_nothing(
        alone,
        &expect!["leaf 5: it ends a freeze F-1 that did not hold then, or nobody signed that"],
    );
}

#[test]
fn a_freeze_of_the_first_form_is_ended_by_two_people_too() {
    let first = |story: &mut Story| {
        story.write(What::Frozen { by: "operator".into(), reason: "incident".into() });
        let freeze = Freeze::of_everything(story.now, "operator", "incident");
        end(story, &freeze, &["bob", "carol"]);
    };
    check(first, &expect![[""]]);
}

#[test]
fn what_is_left_beside_a_hold_is_by_people_and_within_its_time() {
    let noted = |by: &'static str, to: &'static [&'static str]| {
        move |story: &mut Story| {
            story.held("H-1");
            story.write(What::Noted {
                hold: HoldId::new("H-1"),
                by: by.into(),
                text: "look".into(),
                to: to.iter().map(|name| person(name)).collect(),
            });
        }
    };
    check(noted("bob", &["alice", "carol"]), &expect![[""]]);
    check(noted("operator", &[]), &expect![[""]]);
    check(noted("mallory", &[]), &expect!["leaf 7: mallory did not count when H-1 was written beside"]);
    check(
        noted("operator", &["operator"]),
        &expect!["leaf 7: operator did not count when H-1 was written beside"],
    );
    let put_off = |hold: &'static str, after: Option<i64>| {
        move |story: &mut Story| {
            story.held("H-1");
            let until = after.map(|after| story.now.plus(after));
            story.write(What::PutOff { hold: HoldId::new(hold), by: "bob".into(), until });
        }
    };
    check(put_off("H-1", Some(60_000)), &expect![[""]]);
    check(put_off("H-1", None), &expect![[""]]);
    check(put_off("H-2", None), &expect!["leaf 7: hold H-2 was never opened"]);
    let expect = expect!["leaf 7: H-1 was put off to a time that it does not have"];
    check(put_off("H-1", Some(0)), &expect);
    check(put_off("H-1", Some(2 * crate::limits::HOLD_MS_MAX)), &expect);
}

#[test]
fn a_kill_saw_no_more_than_there_was() {
    let killed = |closed: u32, unseen: u64| {
        move |story: &mut Story| {
            story.write(What::Killed {
                what: "everything".into(),
                by: "operator".into(),
                sessions: 1,
                open: 2,
                closed,
                holds: 0,
                seen: 0,
                unseen: vec![LeafIndex(unseen)],
                more: 0,
                signed: None,
            })
        }
    };
    check(killed(2, 5), &expect![[""]]);
    check(killed(3, 5), &expect!["leaf 6: 3 of 2 connections were seen to close"]);
    check(killed(2, 6), &expect!["leaf 6: leaf 6 was under way before it was there"]);
}

#[test]
fn a_kill_by_passkey_is_signed_by_whoever_it_says_for_what_it_says() {
    let killed = |by: &'static str, signer: &'static str, what: &'static str| {
        move |story: &mut Story| {
            let signed = story.sign(signer, Decision::Kill { what: what.into() });
            story.write(What::Killed {
                what: "agent kiro".into(),
                by: by.into(),
                sessions: 1,
                open: 0,
                closed: 0,
                holds: 0,
                seen: 0,
                unseen: Vec::new(),
                more: 0,
                signed: Some(Box::new(signed)),
            })
        }
    };
    check(killed("bob", "bob", "agent kiro"), &expect![[""]]);
    check(
        killed("alice", "bob", "agent kiro"),
        &expect!["leaf 6: alice signed with a passkey that they did not enrol"],
    );
    check(killed("bob", "bob", "everything"), &expect!["leaf 6: bob signed another decision"]);
}

#[test]
fn freezes_start_when_they_say() {
    let started = |story: &mut Story| {
        start(story, |freeze| freeze.until = Some(freeze.since.plus(1)));
    };
    check(started, &expect![[""]]);
    let twice = |story: &mut Story| {
        let freeze = start(story, |_| {});
        story.write(What::FreezeStarted { freeze });
    };
    check(twice, &expect!["leaf 7: the freeze F-1 had started before"]);
    let too_early = |story: &mut Story| {
        start(story, |freeze| freeze.since = freeze.since.plus(3_600_000));
    };
    check(too_early, &expect!["leaf 6: the freeze F-1 is said before it starts"]);
    let backwards = |story: &mut Story| {
        start(story, |freeze| freeze.until = Some(freeze.since));
    };
    check(backwards, &expect!["leaf 6: the freeze F-1 ends before it starts"]);
}

#[test]
fn what_is_only_observed_is_bound_by_the_freezes_that_cover_it() {
    let clear = |story: &mut Story| {
        let mut request = request(Effect::Destroy, None);
        request.basis.observed = Some(crate::verdict::Observed::Allow);
        story.write(What::Cleared { request, approvals: Vec::new() });
    };
    let during = |change: fn(&mut Freeze)| {
        move |story: &mut Story| {
            start(story, change);
            clear(story);
        }
    };
    let bound = "leaf 7: it was only observed, but during a freeze";
    let check_bound = |change: fn(&mut Freeze), is_bound: bool| {
        let mut story = Story::founded();
        during(change)(&mut story);
        let found: Vec<String> = story.audit().findings.iter().map(ToString::to_string).collect();
        assert_eq!(found, if is_bound { vec![bound.to_owned()] } else { Vec::new() });
    };
    check_bound(|_| {}, true);
    check_bound(|freeze| freeze.scope = Scope::Environment(Environment::production()), true);
    check_bound(|freeze| freeze.scope = Scope::Environment(Environment::new("staging")), false);
    check_bound(|freeze| freeze.scope = Scope::Upstream(Upstream::new("orders")), true);
    check_bound(|freeze| freeze.scope = Scope::Upstream(Upstream::new("other")), false);
    check_bound(|freeze| freeze.until = Some(freeze.since.plus(1001)), true);
    check_bound(|freeze| freeze.until = Some(freeze.since.plus(1000)), false);
    let ended = |story: &mut Story| {
        let freeze = start(story, |_| {});
        end(story, &freeze, &["bob", "carol"]);
        clear(story);
    };
    check(ended, &expect![[""]]);
    let one_of_two = |story: &mut Story| {
        let freeze = start(story, |_| {});
        start(story, |freeze| freeze.id = FreezeId::new("F-2"));
        end(story, &freeze, &["bob", "carol"]);
        clear(story);
    };
    check(one_of_two, &expect!["leaf 9: it was only observed, but during a freeze"]);
}

#[test]
fn configuration_needs_two_people() {
    check(|story| configure(story, Digest([6; 32]), &["alice", "bob"]), &expect![[""]]);
    check(
        |story| configure(story, Digest([6; 32]), &["alice"]),
        &expect!["leaf 6: upstream orders was changed with the consent of 1 of two people"],
    );
    check(
        |story| configure(story, Digest([6; 32]), &["alice", "alice"]),
        &expect!["leaf 6: upstream orders was changed with the consent of 1 of two people"],
    );
    check(
        |story| configure(story, Digest([6; 32]), &[]),
        &expect!["leaf 6: upstream orders was changed with the consent of 0 of two people"],
    );
    let before_there_were_two = |story: &mut Story| {
        story.write(What::Founded { origin: LEDGER.to_owned() });
        configure(story, Digest([6; 32]), &[]);
        story.founder("alice");
        story.founder("bob");
        configure(story, Digest([6; 32]), &[]);
        configure(story, Digest([7; 32]), &[]);
    };
    check_from_nothing(
        before_there_were_two,
        &expect!["leaf 5: upstream orders was changed with the consent of 0 of two people"],
    );
    let confirmed_an_hour_apart = |story: &mut Story| {
        let (part, digest) = ("upstream orders".to_owned(), Digest([6; 32]));
        let decision = Decision::Configure { part: part.clone(), digest };
        let first = story.sign("alice", decision.clone());
        story.now = story.now.plus(3_600_000);
        let second = story.sign("bob", decision);
        story.write(What::Configured { part, digest, signed: vec![first, second] });
    };
    check(confirmed_an_hour_apart, &expect![[""]]);
    let confirmed_something_else = |story: &mut Story| {
        let decision = Decision::Configure { part: "listener".into(), digest: Digest([6; 32]) };
        let signed = vec![story.sign("alice", decision.clone()), story.sign("bob", decision)];
        let (part, digest) = ("upstream orders".to_owned(), Digest([6; 32]));
        story.write(What::Configured { part, digest, signed });
    };
    check(
        confirmed_something_else,
        &expect![[r#"
            leaf 6: alice signed another decision
            leaf 6: bob signed another decision
            leaf 6: upstream orders was changed with the consent of 0 of two people"#]],
    );
}

#[test]
fn findings_are_bounded() {
    let mut story = Story::founded();
    for _ in 0..1_005 {
        story.settle(0);
    }
    let report = story.audit();
    assert_eq!((report.findings.len(), report.more), (FINDINGS_MAX, 5));
}
