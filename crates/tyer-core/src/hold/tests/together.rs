//! Holds that are answered together, and those that never are.

use super::*;
use crate::allowance::{Terms, Whose};

/// A hold of that id, of a change in staging unless altered.
fn one(id: &str, alter: impl FnOnce(&mut Card)) -> Hold {
    let mut card = held(Needs { peers: 1, ..Needs::default() }).card().clone();
    let act = card.intent.acts.iter().next().unwrap().clone();
    card.hold = HoldId::new(id);
    card.intent.acts = Acts::new(Act { effect: Effect::Change, why: id.to_owned(), ..act }, []);
    card.intent.digest = Digest::of(id.as_bytes());
    alter(&mut card);
    Hold::open(card, Lifetimes::new(OPEN_MS, GRANT_MS), Timestamp(0))
}

fn destroys(card: &mut Card) {
    let act = card.intent.acts.iter().next().unwrap().clone();
    card.intent.acts = Acts::new(Act { effect: Effect::Destroy, ..act }, []);
}

fn allows(card: &mut Card) {
    card.allowance = Some(Terms {
        like: HoldId::new("H-1"),
        shape: card.intent.shape,
        whose: Whose::Session,
        count: 2,
        lasts_ms: 1_000,
        pace: None,
        by: "alice".to_owned(),
    });
}

fn ids(holds: &[Hold]) -> String {
    match together(&holds.iter().collect::<Vec<_>>()) {
        Ok(subjects) => subjects.iter().map(|one| one.hold.as_str()).collect::<Vec<_>>().join(" "),
        Err(apart) => apart.to_string(),
    }
}

#[test]
fn only_open_holds_that_are_alike_and_not_grave_are_listed() {
    let check = |alter: fn(&mut Card), expect: &str| {
        assert_eq!(ids(&[one("H-10", |_| {}), one("H-9", alter)]), expect);
    };
    let unlike = "H-10 and H-9 are not of one shape, session and policy set with the same needs";
    check(|_| {}, "H-9 H-10");
    check(|card| card.intent.shape = Digest::of(b"other"), unlike);
    check(|card| card.intent.principal.session = SessionId::new("s-2"), unlike);
    check(|card| card.intent.upstream = Upstream::new("other"), unlike);
    check(|card| card.intent.environment = Environment::new("staging"), unlike);
    check(|card| card.needs.peers = 2, unlike);
    check(|card| card.policy_set = Digest::of(b"other"), unlike);
    check(|card| card.hold = HoldId::new("H-10"), "H-10 is in the list twice");
    check(destroys, "H-9 is dangerous in production, and approved by itself or not at all");
    check(
        |card| {
            destroys(card);
            card.intent.environment = Environment::new("who knows");
        },
        "H-9 is dangerous in production, and approved by itself or not at all",
    );
    check(allows, "H-9 asks for an allowance, and is approved by itself or not at all");
    let staging = |card: &mut Card| {
        destroys(card);
        card.intent.environment = Environment::new("staging");
    };
    assert_eq!(ids(&[one("H-1", staging), one("H-2", staging)]), "H-1 H-2");
    let many = |count: usize| -> Vec<Hold> {
        (0..count).map(|number| one(&format!("H-{number}"), |_| {})).collect()
    };
    let count = "from 2 to 20 requests are approved together";
    assert_eq!((ids(&many(0)), ids(&many(1))), (count.to_owned(), count.to_owned()));
    assert_eq!(ids(&many(20)).split(' ').count(), 20);
    assert_eq!(ids(&many(21)), count);
    let Next::Stays(rejected, _) = one("H-9", |_| {})
        .step(Event::Reject { by: PersonId::new("bob"), reason: "no".into() }, Timestamp(1))
    else {
        panic!("it is rejected")
    };
    assert_eq!(ids(&[one("H-1", |_| {}), rejected]), "H-9 does not wait for people any more");
}

/// What becomes of a hold that bob approves by a list of these.
fn signed(hold: Hold, subjects: Vec<Subject>) -> String {
    let mut approval = approval(&hold, "bob", Timestamp(1));
    approval.signed.statement.what = Decision::ApproveAll { subjects };
    match hold.step(Event::Approve(Box::new(approval)), Timestamp(1)) {
        Next::Stays(hold, _) => hold.state_word().to_owned(),
        Next::Releases(..) => "released".to_owned(),
        Next::Refuses(_, error) => error.to_string(),
    }
}

#[test]
fn a_list_counts_for_each_hold_in_it_and_for_no_other() {
    let plain = |id: &str| one(id, |_| {});
    let list = |ids: &[&str]| ids.iter().map(|id| plain(id).subject()).collect::<Vec<_>>();
    let other = "the signature is not for this hold and card";
    let check = |hold: &str, subjects: Vec<Subject>, expect: &str| {
        assert_eq!(signed(plain(hold), subjects), expect, "{hold}");
    };
    check("H-1", list(&["H-1", "H-2"]), "approved");
    check("H-2", list(&["H-1", "H-2"]), "approved");
    check("H-3", list(&["H-1", "H-2"]), other);
    check("H-1", list(&["H-1"]), other);
    check("H-1", list(&["H-2", "H-1"]), other);
    check("H-1", list(&["H-1", "H-1"]), other);
    check("H-1", list(&["H-1", "H-2", "H-2"]), other);
    check("H-1", (1..=21).flat_map(|it| list(&[&format!("H-{it}")])).collect(), other);
    let altered = |alter: fn(&mut Subject)| {
        let mut subjects = list(&["H-1", "H-2"]);
        alter(&mut subjects[0]);
        subjects
    };
    check("H-1", altered(|it| it.card = Digest::of(b"other")), other);
    check("H-1", altered(|it| it.request = Digest::of(b"other")), other);
    check("H-1", altered(|it| it.policy_set = Digest::of(b"other")), other);
}

#[test]
fn what_is_grave_or_an_allowance_is_never_approved_by_a_list() {
    let check = |alter: fn(&mut Card), expect: &str| {
        let (hold, other) = (one("H-1", alter), one("H-2", |_| {}));
        let subjects = vec![hold.subject(), other.subject()];
        let said = signed(hold, subjects);
        assert!(said.contains(expect), "{said}");
    };
    check(destroys, "dangerous in production");
    check(allows, "asks for an allowance");
    check(|_| {}, "approved");
}
