//! Ledgers with allowances that were not kept to: each defect is named with its leaf.

use super::*;
use crate::allowance::{Pace, Terms, Used, Whose};
use crate::ceilings::{Ceiling, Ceilings};
use crate::intent::Environment;
use crate::record::{ApprovalRecord, CardRecord, RequestRecord};

const SHAPE: Digest = Digest([7; 32]);

/// The request that alice's agent makes, of that effect, with another value each time.
fn change(effect: Effect, environment: &str) -> RequestRecord {
    let orders =
        Ceiling { name: "public.orders".into(), identity: 7, rows: Some(11), elsewhere: false };
    let ceilings = Ceilings { relations: vec![orders], others: Some(11), ..Ceilings::default() };
    let mut request = request(effect, None);
    request.environment = Environment::new(environment);
    request.facts.ceilings = Some(ceilings);
    request
}

fn terms() -> Terms {
    Terms {
        like: HoldId::new("H-1"),
        shape: SHAPE,
        whose: Whose::Session,
        count: 2,
        lasts_ms: 60_000,
        pace: Some(Pace { uses: 1, within_ms: 1_500 }),
        by: "alice".into(),
    }
}

fn parks(story: &mut Story, hold: &str, request: RequestRecord, allowance: Option<Terms>) {
    let card = CardRecord {
        hold: HoldId::new(hold),
        card: Digest::of(hold.as_bytes()),
        request,
        purpose: String::new(),
        needs: Needs { peers: 1, ..Needs::default() },
        taken: story.now,
        roster: crate::roster::Roster::default(),
        allowance,
        shape: None,
    };
    let expires = story.now.plus(3_600_000);
    story.write(What::Held { card: Box::new(card), expires });
}

/// A ledger in which bob has agreed to an allowance of two changes, at leaf 8.
struct Allowed {
    story: Story,
    approval: ApprovalRecord,
    number: u64,
}

impl Allowed {
    fn with(request: &RequestRecord, terms: Terms) -> Self {
        let mut story = Story::founded();
        parks(&mut story, "H-1", request.clone(), None);
        parks(&mut story, "H-2", request.clone(), Some(terms));
        let approval = story.approve("H-2", "bob", Peer);
        Self { story, approval, number: 0 }
    }

    fn new() -> Self {
        Self::with(&change(Effect::Change, "production"), terms())
    }

    /// One use, changed before it is written; each takes two seconds.
    fn runs(&mut self, alter: impl FnOnce(&mut RequestRecord, &mut Vec<ApprovalRecord>)) -> u64 {
        self.number += 1;
        self.story.now = self.story.now.plus(1_000);
        let mut request = change(Effect::Change, "production");
        request.digest = Digest::of(&self.number.to_be_bytes());
        request.basis.hold = Some(HoldId::new("H-2"));
        let at = self.story.now.plus(900);
        request.basis.used = Some(Used { number: self.number, at, shape: SHAPE });
        let mut approvals = vec![self.approval.clone()];
        alter(&mut request, &mut approvals);
        self.story.write(What::Cleared { request, approvals })
    }

    fn settles(&mut self, leaf: u64, returned: bool) {
        let outcome = match returned {
            true => Outcome::Failed { code: "57014".into() },
            false => Outcome::done("UPDATE 1".into(), Some(1)),
        };
        self.story.write(What::Settled { leaf: LeafIndex(leaf), outcome, returned });
    }
}

fn check(write: impl FnOnce(&mut Allowed), expect: &Expect) {
    let mut allowed = Allowed::new();
    write(&mut allowed);
    findings(&allowed.story.audit(), expect);
}

#[test]
fn what_was_agreed_to_is_fine() {
    let twice = |it: &mut Allowed| {
        for _ in 0..2 {
            let leaf = it.runs(|_, _| {});
            it.settles(leaf, false);
        }
        it.story.write(What::HoldEnded { hold: HoldId::new("H-2"), how: "spent".into() });
    };
    check(twice, &expect![""]);
    let came_back = |it: &mut Allowed| {
        let leaf = it.runs(|_, _| {});
        it.settles(leaf, true);
        it.runs(|_, _| {});
        it.runs(|_, _| {});
    };
    check(came_back, &expect![""]);
}

#[test]
fn each_use_is_within_what_was_agreed_to() {
    let check_use = |alter: fn(&mut RequestRecord, &mut Vec<ApprovalRecord>), expect: &Expect| {
        check(
            |it| {
                it.runs(alter);
            },
            expect,
        );
    };
    check_use(
        |it, _| it.basis.used.as_mut().unwrap().shape = Digest([8; 32]),
        &expect!["leaf 9: it is of another shape than the allowance"],
    );
    check_use(
        |it, _| it.acts[0].resource.name = "orders_2026".into(),
        &expect!["leaf 9: it is of another shape than the allowance"],
    );
    check_use(
        |it, _| it.acts[0].effect = Effect::Destroy,
        &expect!["leaf 9: an allowance let something dangerous through in production"],
    );
    check_use(
        |it, _| it.facts.ceilings.as_mut().unwrap().others = None,
        &expect!["leaf 9: it ran under other ceilings than those of the allowance"],
    );
    check_use(
        |it, _| it.upstream = Upstream::new("payments"),
        &expect!["leaf 9: it is of another session, agent, controller or upstream than the allowance"],
    );
    check_use(
        |it, _| it.basis.used.as_mut().unwrap().number = 2,
        &expect!["leaf 9: it is use 2 of the allowance, and not the next one"],
    );
    check_use(
        |it, _| it.basis.used.as_mut().unwrap().at = it.basis.used.unwrap().at.plus(60_000),
        &expect!["leaf 9: its use was not taken when its leaf says"],
    );
    check_use(
        |it, _| it.basis.used = None,
        &expect!["leaf 9: it does not say which use of the allowance it is"],
    );
    check_use(
        |_, approvals| approvals.clear(),
        &expect![
            "leaf 9: it ran without the people that it needed (one person other than the controller): what counts is 0 by peers, 0 of them owners"
        ],
    );
    let altered = |_: &mut RequestRecord, approvals: &mut Vec<ApprovalRecord>| {
        approvals[0].signed.signature = "AAAA".into();
    };
    check_use(
        altered,
        &expect![[r"
            leaf 9: the signature of bob: the signature does not verify
            leaf 9: it ran without the people that it needed (one person other than the controller): what counts is 0 by peers, 0 of them owners"]],
    );
}

#[test]
fn there_are_no_more_uses_than_were_agreed_to() {
    let three = |it: &mut Allowed| {
        for _ in 0..3 {
            let leaf = it.runs(|_, _| {});
            it.settles(leaf, false);
        }
    };
    check(three, &expect!["leaf 13: it is one use more than the 2 of the allowance"]);
    let fast = |it: &mut Allowed| {
        it.runs(|_, _| {});
        it.runs(|request, _| {
            let used = request.basis.used.as_mut().unwrap();
            used.at = used.at.plus(-900);
        });
    };
    check(fast, &expect!["leaf 10: it came faster than the allowance lets it"]);
    let late = |it: &mut Allowed| {
        it.story.now = it.story.now.plus(60_000);
        it.runs(|_, _| {});
    };
    check(late, &expect!["leaf 9: the allowance was over by then"]);
    let revoked = |it: &mut Allowed| {
        it.story.reject("H-2", "carol");
        it.runs(|_, _| {});
    };
    check(revoked, &expect!["leaf 10: hold H-2 had ended before: rejected"]);
    let twice = |it: &mut Allowed| {
        let leaf = it.runs(|_, _| {});
        it.settles(leaf, true);
        it.settles(leaf, true);
    };
    check(twice, &expect!["leaf 11: it settles leaf 9, which cleared nothing or was settled before"]);
    let no_allowance = |it: &mut Allowed| {
        let approval = it.story.approve("H-1", "bob", Peer);
        it.runs(|request, approvals| {
            request.basis.hold = Some(HoldId::new("H-1"));
            *approvals = vec![approval];
        });
    };
    check(no_allowance, &expect!["leaf 10: it is a use of hold H-1, which is no allowance"]);
}

#[test]
fn there_are_only_allowances_that_there_can_be() {
    let check = |request: &RequestRecord, alter: fn(&mut Terms), expect: &Expect| {
        let mut terms = terms();
        alter(&mut terms);
        let allowed = Allowed::with(request, terms);
        findings(&allowed.story.audit(), expect);
    };
    let usual = change(Effect::Change, "production");
    check(&usual, |_| {}, &expect![""]);
    check(
        &change(Effect::Destroy, "production"),
        |_| {},
        &expect!["leaf 7: H-2 is an allowance for something dangerous in production"],
    );
    check(&change(Effect::Destroy, "staging"), |_| {}, &expect![""]);
    let mut unbounded = usual.clone();
    unbounded.facts.ceilings = None;
    check(&unbounded, |_| {}, &expect!["leaf 7: H-2 is an allowance for what nothing bounds"]);
    let more = expect!["leaf 7: H-2 is an allowance for more than there may be"];
    check(&usual, |terms| terms.count = 1_001, &more);
    check(&usual, |terms| terms.lasts_ms = 8 * 3_600_000 + 1, &more);
    check(
        &usual,
        |terms| terms.like = HoldId::new("H-9"),
        &expect!["leaf 7: H-2 is an allowance like no request that was held"],
    );
}
