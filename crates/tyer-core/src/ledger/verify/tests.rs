use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::story::{LEDGER, Story, audit, person, request, subject};
use super::*;
use crate::assertion::authenticator::Authenticator;
use crate::hold::Standing::{Controller, Owner, Peer};
use crate::intent::{Effect, HoldId, Timestamp};
use crate::statement::Decision;
use crate::verdict::LeafIndex;

/// Writes on after the founding (leaves 0 to 5: founded, alice, bob, carol invited, enrolled and
/// confirmed) and compares all findings.
fn check(write: impl Fn(&mut Story), expect: Expect) {
    let mut story = Story::founded();
    write(&mut story);
    findings(&story.audit(), &expect);
}

fn check_from_nothing(write: impl Fn(&mut Story), expect: Expect) {
    let mut story = Story::new();
    write(&mut story);
    findings(&story.audit(), &expect);
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
    assert_eq!(report.unsettled, [17]);
    assert_eq!((report.origin.as_str(), report.size), (LEDGER, 18));
    assert_eq!(report.root, whole().head().root);
    assert_eq!(report.proves, Proves::SelfConsistencyOnly);
    expect![[""]].assert_eq(&report.proves.to_string());
    let kinds: Vec<String> =
        report.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    expect![[""]].assert_eq(&kinds.join(", "));
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

#[test]
fn copies_and_checkpoints() {
    let mut story = Story::founded();
    let early = story.checkpoint();
    story.executed("H-1");
    let late = story.checkpoint();
    let mut other = Story::new();
    other.write(What::Founded { origin: LEDGER.to_owned() });
    other.founder("mallory");
    let (rewritten, forked) = (other.checkpoint(), other.leaves.clone());
    let check = |leaves: &[Vec<u8>], latest: &str, older: &[&str], expect: Expect| {
        let report = audit(leaves, latest, older);
        let lines: Vec<String> = report.findings.iter().map(Finding::to_string).collect();
        expect.assert_eq(&format!("{}\n{}", report.proves, lines.join("\n")));
    };
    let leaves = &story.leaves;
    check(leaves, &late, &[], expect![[""]]);
    check(leaves, &late, &[&early], expect![[""]]);
    check(leaves, &late, &[&late, &early], expect![[""]]);
    check(leaves, &late, &[&rewritten], expect![[""]]);
    check(leaves, &late, &[&rewritten, &early], expect![[""]]);
    check(leaves, &late, &["nonsense"], expect![[""]]);
    check(leaves, &early, &[], expect![[""]]);
    check(leaves, &early, &[&late], expect![[""]]);
    check(&leaves[..4], &early, &[], expect![[""]]);
    check(leaves, &rewritten, &[], expect![[""]]);
    check(&forked, &rewritten, &[&early], expect![[""]]);
    check(leaves, &late.replace("time 1", "time 2"), &[], expect![[""]]);
    check(&[], &late, &[], expect![[""]]);
}

#[test]
fn leaves_that_are_no_records() {
    check(|story| drop(story.write_bytes(b"{}")), expect![[""]]);
    let spaced = br#"{"at":5, "by":"y","kind":"frozen","reason":"x","v":1}"#;
    check(|story| drop(story.write_bytes(spaced)), expect![[""]]);
    let key = Story::new().key.verifier();
    let story = Story::founded();
    let audit = Audit::new(key.as_str()).unwrap().leaf(1, &story.leaves[0]);
    let report = audit.finish(&story.checkpoint(), &[]);
    findings(&report, &expect![[""]]);
}

#[test]
fn the_first_leaf_founds() {
    check_from_nothing(|story| story.founder("alice"), expect![[""]]);
    let other = || What::Founded { origin: "other.example.com/ledger".into() };
    check_from_nothing(|story| drop(story.write(other())), expect![[""]]);
    check(|story| drop(story.write(other())), expect![[""]]);
}

#[test]
fn people_enter_by_the_rules() {
    check(|story| story.founder("mallory"), expect![[""]]);
    check(|story| story.enrol("mallory", Some("alice"), false), expect![[""]]);
    let invited_by_another = |story: &mut Story| {
        story.invite("dave", "alice");
        story.enrol("dave", Some("bob"), false);
    };
    check(invited_by_another, expect![[""]]);
    let counting_at_once = |story: &mut Story| {
        story.invite("dave", "alice");
        story.enrol("dave", Some("alice"), true);
        story.held("H-1");
        story.approve("H-1", "dave", Peer);
    };
    check(counting_at_once, expect![[""]]);
    let confirmed_by = |by: &'static str| {
        move |story: &mut Story| {
            story.invite("dave", "alice");
            story.enrol("dave", Some("alice"), false);
            story.confirm("dave", by);
            story.invite("erin", "dave");
        }
    };
    check(confirmed_by("bob"), expect![[""]]);
    check(confirmed_by("alice"), expect![[""]]);
    check(confirmed_by("dave"), expect![[""]]);
    check(|story| story.confirm("carol", "bob"), expect![[""]]);
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
    check(second_passkey, expect![[""]]);
    let shared_passkey = |story: &mut Story| {
        story.invite("dave", "alice");
        let key = story.people["bob"].public();
        let (person, invited_by) = (person("dave"), Some(person("alice")));
        story.write(What::Enrolled { person, key, invited_by, signed: None, counts: false });
    };
    check(shared_passkey, expect![[""]]);
    let unproven = |story: &mut Story| {
        story.invite("dave", "alice");
        let key = Authenticator::eddsa("dave").public();
        let signed = Some(story.sign("bob", Decision::Enrol { person: person("dave") }));
        let (person, invited_by) = (person("dave"), Some(person("alice")));
        story.write(What::Enrolled { person, key, invited_by, signed, counts: false });
    };
    check(unproven, expect![[""]]);
    let unreadable = |story: &mut Story| {
        story.invite("dave", "alice");
        let key = crate::record::PublicKey { credential: "AAAA".into(), cose: "AAAA".into() };
        let (person, invited_by) = (person("dave"), Some(person("alice")));
        story.write(What::Enrolled { person, key, invited_by, signed: None, counts: false });
    };
    check(unreadable, expect![[""]]);
    let reluctant = |story: &mut Story| {
        story.write(What::Founded { origin: LEDGER.to_owned() });
        story.enrol("alice", None, false);
    };
    check_from_nothing(reluctant, expect![[""]]);
    // Confirming somebody confirms one passkey, not the name.
    let other_credential = |story: &mut Story| {
        story.invite("dave", "alice");
        story.enrol("dave", Some("alice"), false);
        let decision = Decision::Confirm { person: person("dave"), credential: Digest([9; 32]) };
        let signed = story.sign("bob", decision);
        story.write(What::Confirmed { person: person("dave"), by: person("bob"), signed });
    };
    check(other_credential, expect![[""]]);
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
    check(invited(|_, _| {}), expect![[""]]);
    check(invited(|_, it| it.person = "bob".into()), expect![[""]]);
    check(invited(|_, it| it.what = Decision::Invite { person: person("erin") }), expect![[""]]);
    check(invited(|_, it| it.what = Decision::Enrol { person: person("dave") }), expect![[""]]);
    check(invited(|story, it| it.expires = story.now.plus(-20_000)), expect![[""]]);
    check(invited(|_, it| it.origin = "https://evil.example.com".into()), expect![[""]]);
    check(invited(|_, it| it.root = Digest([0; 32])), expect![[""]]);
    check(invited(|_, it| it.size += 1), expect![[""]]);
    // A statement may be older than the ledger is now.
    let earlier = |story: &mut Story| {
        let signed = story.sign("alice", Decision::Invite { person: person("dave") });
        story.held("H-1");
        story.write(What::Invited { person: person("dave"), by: person("alice"), signed });
    };
    check(earlier, expect![[""]]);
    let forged = |story: &mut Story| {
        let mut signed = story.sign("alice", Decision::Invite { person: person("dave") });
        signed.signature = story.sign("alice", Decision::SignIn).signature;
        story.write(What::Invited { person: person("dave"), by: person("alice"), signed });
    };
    check(forged, expect![[""]]);
    let stranger = |story: &mut Story| {
        story.people.insert("mallory".into(), Authenticator::eddsa("mallory"));
        story.invite("dave", "mallory");
    };
    check(stranger, expect![[""]]);
    let exchanged_key = |story: &mut Story| {
        story.people.insert("bob".into(), Authenticator::eddsa("bob's new one"));
        story.invite("dave", "bob");
    };
    check(exchanged_key, expect![[""]]);
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
    let over = |story: &Story, change: fn(&mut crate::statement::Subject)| {
        let mut subject = subject("H-1");
        change(&mut subject);
        story.sign("bob", Decision::Approve(subject))
    };
    check(approved(|_, _| {}), expect![[""]]);
    check(approved(move |s, it| it.signed = over(s, |it| it.hold = HoldId::new("H-2"))), expect![[""]]);
    check(approved(move |s, it| it.signed = over(s, |it| it.request = Digest([0; 32]))), expect![[""]]);
    check(approved(move |s, it| it.signed = over(s, |it| it.card = Digest([0; 32]))), expect![[""]]);
    check(
        approved(move |s, it| it.signed = over(s, |it| it.policy_set = Digest([0; 32]))),
        expect![[""]],
    );
    check(approved(|s, it| it.signed = s.sign("bob", Decision::Reject(subject("H-1")))), expect![[""]]);
    check(approved(|s, it| it.key = s.people["carol"].public()), expect![[""]]);
    check(approved(|_, it| it.person = person("carol")), expect![[""]]);
    check(approved(|_, it| it.standing = Controller), expect![[""]]);
    check(approved(|s, it| *it = s.approval("H-1", "alice", Peer)), expect![[""]]);
    check(approved(|s, it| *it = s.approval("H-1", "alice", Controller)), expect![[""]]);
    check(approved(|_, it| it.at = it.at.plus(4_000_000)), expect![[""]]);
    check(approved(|_, it| it.at = it.at.plus(20_000)), expect![[""]]);
    check(|story| drop(story.approve("H-9", "bob", Owner)), expect![[""]]);
    let twice = |story: &mut Story| {
        story.held("H-1");
        story.approve("H-1", "bob", Owner);
        story.approve("H-1", "bob", Peer);
    };
    check(twice, expect![[""]]);
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
    check(rejected_with(|| Decision::Reject(subject("H-1"))), expect![[""]]);
    check(rejected_with(|| Decision::Approve(subject("H-1"))), expect![[""]]);
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
    let enough = [("bob", Owner), ("carol", Peer)];
    let ran = |who: &'static [(&'static str, crate::hold::Standing)]| {
        move |story: &mut Story| {
            let approvals = approvals(story, who);
            story.clear(Some("H-1"), approvals);
        }
    };
    check(ran(&[("bob", Owner), ("carol", Peer)]), expect![[""]]);
    check(ran(&[]), expect![[""]]);
    check(ran(&[("bob", Owner)]), expect![[""]]);
    check(ran(&[("bob", Peer), ("carol", Peer)]), expect![[""]]);
    check(ran(&[("bob", Owner), ("alice", Controller)]), expect![[""]]);
    check(ran(&[("bob", Owner), ("alice", Peer)]), expect![[""]]);
    let one_counted_twice = |story: &mut Story| {
        let given = approvals(story, &[("bob", Owner)]);
        story.clear(Some("H-1"), vec![given[0].clone(), given[0].clone()]);
    };
    check(one_counted_twice, expect![[""]]);
    let does_not_count_yet = |story: &mut Story| {
        story.invite("dave", "alice");
        story.enrol("dave", Some("alice"), false);
        let given = approvals(story, &[("bob", Owner), ("dave", Peer)]);
        story.clear(Some("H-1"), given);
    };
    check(does_not_count_yet, expect![[""]]);
    let forged = |story: &mut Story| {
        let mut given = approvals(story, &[("bob", Owner), ("carol", Peer)]);
        given[1].signed.signature = given[0].signed.signature.clone();
        story.clear(Some("H-1"), given);
    };
    check(forged, expect![[""]]);
    let another_request = |story: &mut Story| {
        let given = approvals(story, &enough);
        let mut request = request(Effect::Destroy, Some("H-1"));
        request.digest = Digest([0; 32]);
        story.write(What::Cleared { request, approvals: given });
    };
    check(another_request, expect![[""]]);
    let another_session = |story: &mut Story| {
        let given = approvals(story, &enough);
        let mut request = request(Effect::Destroy, Some("H-1"));
        request.principal.controller = person("mallory");
        story.write(What::Cleared { request, approvals: given });
    };
    check(another_session, expect![[""]]);
    check(|story| drop(story.clear(Some("H-9"), Vec::new())), expect![[""]]);
    let no_hold = |story: &mut Story| {
        let given = approvals(story, &enough);
        story.clear(None, given);
    };
    check(no_hold, expect![[""]]);
    let lapsed = |story: &mut Story| {
        let given = approvals(story, &enough);
        story.now = story.now.plus(1_000_000);
        story.clear(Some("H-1"), given);
    };
    check(lapsed, expect![[""]]);
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
    check(after(|story, given| drop(story.clear(Some("H-1"), given))), expect![[""]]);
    check(after(|story, _| story.reject("H-1", "alice")), expect![[""]]);
    let ended = |story: &mut Story, _| {
        story.write(What::HoldEnded { hold: HoldId::new("H-1"), how: "expired".into() });
    };
    check(after(ended), expect![[""]]);
    let approved_afterwards = |story: &mut Story| {
        story.held("H-1");
        story.reject("H-1", "bob");
        story.approve("H-1", "carol", Peer);
        story.reject("H-1", "carol");
        story.write(What::HoldEnded { hold: HoldId::new("H-1"), how: "expired".into() });
    };
    check(approved_afterwards, expect![[""]]);
    let opened_twice = |story: &mut Story| {
        story.held("H-1");
        story.held("H-1");
    };
    check(opened_twice, expect![[""]]);
    let too_long = |story: &mut Story| {
        let card = crate::record::CardRecord {
            hold: HoldId::new("H-1"),
            card: Digest([1; 32]),
            request: request(Effect::Destroy, None),
            purpose: String::new(),
            needs: crate::verdict::Needs::default(),
            taken: story.now,
        };
        let expires = story.now.plus(200_000_000);
        story.write(What::Held { card: Box::new(card), expires });
    };
    check(too_long, expect![[""]]);
}

#[test]
fn outcomes_follow_what_ran() {
    let settled_twice = |story: &mut Story| {
        let leaf = story.clear(None, Vec::new());
        story.settle(leaf);
        story.settle(leaf);
    };
    check(settled_twice, expect![[""]]);
    check(|story| story.settle(2), expect![[""]]);
    check(|story| story.settle(7), expect![[""]]);
    let close = |story: &mut Story, leaf: u64, uses: u64| {
        story.write(What::LeaseClosed { leaf: LeafIndex(leaf), uses, failed: 0 });
    };
    let lease = |story: &mut Story, effect: Effect| {
        story.write(What::ReadLease { request: request(effect, None), uses: 10, until: story.now })
    };
    check(|story| close(story, 2, 1), expect![[""]]);
    let closed_twice = |story: &mut Story| {
        let leaf = lease(story, Effect::Read);
        close(story, leaf, 10);
        close(story, leaf, 10);
    };
    check(closed_twice, expect![[""]]);
    let too_many = |story: &mut Story| {
        let leaf = lease(story, Effect::Read);
        close(story, leaf, 11);
    };
    check(too_many, expect![[""]]);
    check(|story| drop(lease(story, Effect::Change)), expect![[""]]);
}

#[test]
fn freezes_and_configuration_need_people() {
    let thaw = |story: &mut Story, who: &str, frozen: Timestamp| {
        let signed = story.sign(who, Decision::Thaw { frozen });
        story.write(What::Thawed { by: person(who), signed });
    };
    let freeze = |story: &mut Story| {
        story.write(What::Frozen { by: "operator".into(), reason: String::new() });
        story.now
    };
    check(|story| thaw(story, "bob", story.now), expect![[""]]);
    let another_freeze = |story: &mut Story| {
        let frozen = freeze(story);
        thaw(story, "bob", frozen.plus(1));
    };
    check(another_freeze, expect![[""]]);
    let thawed_twice = |story: &mut Story| {
        let frozen = freeze(story);
        thaw(story, "bob", frozen);
        thaw(story, "carol", frozen);
    };
    check(thawed_twice, expect![[""]]);
    let thawed_without_saying_so = |story: &mut Story| {
        freeze(story);
        let signed = story.sign("bob", Decision::SignIn);
        story.write(What::Thawed { by: person("bob"), signed });
    };
    check(thawed_without_saying_so, expect![[""]]);
    check(|story| configure(story, Digest([6; 32]), &["alice", "bob"]), expect![[""]]);
    check(|story| configure(story, Digest([6; 32]), &["alice"]), expect![[""]]);
    check(|story| configure(story, Digest([6; 32]), &["alice", "alice"]), expect![[""]]);
    check(|story| configure(story, Digest([6; 32]), &[]), expect![[""]]);
    let before_there_were_two = |story: &mut Story| {
        story.write(What::Founded { origin: LEDGER.to_owned() });
        configure(story, Digest([6; 32]), &[]);
        story.founder("alice");
        story.founder("bob");
        configure(story, Digest([6; 32]), &[]);
        configure(story, Digest([7; 32]), &[]);
    };
    check_from_nothing(before_there_were_two, expect![[""]]);
    let confirmed_an_hour_apart = |story: &mut Story| {
        let (part, digest) = ("upstream orders".to_owned(), Digest([6; 32]));
        let decision = Decision::Configure { part: part.clone(), digest };
        let first = story.sign("alice", decision.clone());
        story.now = story.now.plus(3_600_000);
        let second = story.sign("bob", decision);
        story.write(What::Configured { part, digest, signed: vec![first, second] });
    };
    check(confirmed_an_hour_apart, expect![[""]]);
    let confirmed_something_else = |story: &mut Story| {
        let decision = Decision::Configure { part: "listener".into(), digest: Digest([6; 32]) };
        let signed = vec![story.sign("alice", decision.clone()), story.sign("bob", decision)];
        let (part, digest) = ("upstream orders".to_owned(), Digest([6; 32]));
        story.write(What::Configured { part, digest, signed });
    };
    check(confirmed_something_else, expect![[""]]);
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
