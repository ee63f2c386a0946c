//! Ledgers in which several holds were approved by one signature, or should not have been.

use super::*;
use crate::allowance::{Terms, Whose};
use crate::record::{ApprovalRecord, CardRecord, RequestRecord};
use crate::statement::Subject;

pub(super) fn parks(story: &mut Story, hold: &str, alter: impl FnOnce(&mut CardRecord)) {
    let mut card = CardRecord {
        hold: HoldId::new(hold),
        card: Digest::of(hold.as_bytes()),
        request: request(Effect::Change, None),
        purpose: String::new(),
        needs: Needs { peers: 1, ..Needs::default() },
        taken: story.now,
        roster: crate::roster::Roster::default(),
        allowance: None,
        shape: Some(Digest([7; 32])),
    };
    alter(&mut card);
    let expires = story.now.plus(3_600_000);
    story.write(What::Held { card: Box::new(card), expires });
}

/// bob's approval of that hold by a list of those.
fn listed(story: &Story, hold: &str, subjects: &[Subject]) -> ApprovalRecord {
    let what = Decision::ApproveAll { subjects: subjects.to_vec() };
    ApprovalRecord { signed: story.sign("bob", what), ..story.approval(hold, "bob", Peer) }
}

fn approves(story: &mut Story, hold: &str, subjects: &[Subject]) -> ApprovalRecord {
    let approval = listed(story, hold, subjects);
    story.write(What::Approved { hold: HoldId::new(hold), approval: approval.clone() });
    approval
}

fn runs(story: &mut Story, hold: &str, approval: ApprovalRecord) {
    let cleared: RequestRecord = request(Effect::Change, Some(hold));
    let leaf = story.write(What::Cleared { request: cleared, approvals: vec![approval] });
    story.settle(leaf);
}

fn both() -> [Subject; 2] {
    [subject("H-1"), subject("H-2")]
}

/// H-1 as altered at leaf 6, and H-2, and then bob's approval of H-1 by a list of both.
fn check_card(alter: fn(&mut CardRecord), expect: &Expect) {
    check(
        |story| {
            parks(story, "H-1", alter);
            parks(story, "H-2", |_| {});
            approves(story, "H-1", &both());
        },
        expect,
    );
}

#[test]
fn one_signature_counts_for_each_hold_in_its_list() {
    check(
        |story| {
            parks(story, "H-1", |_| {});
            parks(story, "H-2", |_| {});
            let what = Decision::ApproveAll { subjects: both().to_vec() };
            let signed = story.sign("bob", what);
            let approvals = ["H-1", "H-2"].map(|hold| {
                let approval = story.approval(hold, "bob", Peer);
                let approval = ApprovalRecord { signed: signed.clone(), ..approval };
                let what = What::Approved { hold: HoldId::new(hold), approval: approval.clone() };
                story.write(what);
                (hold, approval)
            });
            for (hold, approval) in approvals {
                runs(story, hold, approval);
            }
        },
        &expect![""],
    );
}

#[test]
fn a_hold_is_in_the_list_as_it_was_opened() {
    let check_list = |subjects: fn() -> Vec<Subject>, expect: &Expect| {
        check(
            |story| {
                for hold in ["H-1", "H-2", "H-3"] {
                    parks(story, hold, |_| {});
                }
                approves(story, "H-1", &subjects());
            },
            expect,
        );
    };
    check_list(|| both().to_vec(), &expect![""]);
    check_list(
        || vec![subject("H-2"), subject("H-3")],
        &expect!["leaf 9: bob signed a list in which H-1 is not"],
    );
    check_list(
        || vec![Subject { card: Digest([9; 32]), ..subject("H-1") }, subject("H-2")],
        &expect!["leaf 9: bob signed another card of H-1, or no list as it has to be"],
    );
    check_list(
        || vec![subject("H-1"), Subject { card: Digest([9; 32]), ..subject("H-2") }],
        &expect!["leaf 9: bob approved H-1 together with H-2, which is not of its kind"],
    );
    check_list(
        || vec![subject("H-2"), subject("H-1")],
        &expect!["leaf 9: bob signed another card of H-1, or no list as it has to be"],
    );
    check_list(
        || vec![subject("H-1"), subject("H-7")],
        &expect!["leaf 9: bob approved H-1 together with H-7, which is not of its kind"],
    );
}

#[test]
fn what_is_approved_together_is_of_one_kind_and_not_grave() {
    check_card(|_| {}, &expect![""]);
    check_card(
        |card| card.request = request(Effect::Destroy, None),
        &expect!["leaf 8: bob approved H-1, which is dangerous in production, together with others"],
    );
    check_card(
        |card| card.needs.owners = 1,
        &expect!["leaf 8: bob approved H-1 together with H-2, which is not of its kind"],
    );
    check_card(
        |card| card.request.acts[0].resource.name = "customers".into(),
        &expect!["leaf 8: bob approved H-1 together with H-2, which is not of its kind"],
    );
    check_card(
        |card| card.request.environment = Environment::new("staging"),
        &expect!["leaf 8: bob approved H-1 together with H-2, which is not of its kind"],
    );
    check_card(
        |card| card.request.principal.session = crate::intent::SessionId::new("s-other"),
        &expect!["leaf 8: bob approved H-1 together with H-2, which is not of its kind"],
    );
    check_card(
        |card| card.shape = Some(Digest([8; 32])),
        &expect!["leaf 8: bob approved H-1 together with H-2, which is not of its kind"],
    );
    // Leaves of earlier versions keep no shape.
    check_card(|card| card.shape = None, &expect![""]);
}

#[test]
fn all_of_a_list_wait_for_people() {
    let rejected = |story: &mut Story| {
        parks(story, "H-1", |_| {});
        parks(story, "H-2", |_| {});
        story.reject("H-2", "carol");
        approves(story, "H-1", &both());
    };
    check(
        rejected,
        &expect!["leaf 9: bob approved H-1 together with H-2, which did not wait for people any more"],
    );
    let expired = |story: &mut Story| {
        parks(story, "H-1", |_| {});
        story.now = story.now.plus(3_590_000);
        parks(story, "H-2", |_| {});
        story.now = story.now.plus(20_000);
        approves(story, "H-2", &both());
    };
    check(
        expired,
        &expect!["leaf 8: bob approved H-2 together with H-1, which did not wait for people any more"],
    );
}

#[test]
fn an_allowance_is_not_approved_by_a_list() {
    let terms = Terms {
        like: HoldId::new("H-2"),
        shape: Digest([7; 32]),
        whose: Whose::Session,
        count: 2,
        lasts_ms: 60_000,
        pace: None,
        by: "alice".to_owned(),
    };
    let mut story = Story::founded();
    parks(&mut story, "H-2", |_| {});
    parks(&mut story, "H-1", |card| card.allowance = Some(terms));
    approves(&mut story, "H-1", &both());
    let report = story.audit();
    let last = report.findings.last().unwrap().to_string();
    assert_eq!(last, "leaf 8: bob approved H-1, an allowance, together with others");
}

#[test]
fn a_clearing_is_held_to_the_list_as_well() {
    check(
        |story| {
            for hold in ["H-1", "H-2", "H-3"] {
                parks(story, hold, |_| {});
            }
            let approval = approves(story, "H-1", &both());
            runs(story, "H-3", approval);
        },
        &expect![[r#"
            leaf 10: bob signed a list in which H-3 is not
            leaf 10: it ran without the people that it needed (one person other than the controller): what counts is 0 by peers, 0 of them owners"#]],
    );
}
