//! Holds that have ended: out of memory, still found, and read back as they were.

use tyer_core::facts::{Card, Facts};
use tyer_core::hold::{Event, Lifetimes, Next};
use tyer_core::intent::{Act, Acts, Environment, Principal};
use tyer_core::limits::{HOLD_MS_MAX, REJECTED_MS};
use tyer_core::verdict::Needs;

use super::*;
use crate::gateway::world::World;
use crate::store::sqlite::{Sealed, Sqlite};

const NOW: Timestamp = Timestamp(1_000_000);

fn intent(session: &str, controller: &str, text: &str) -> Intent {
    Intent {
        principal: Principal {
            session: SessionId::new(session),
            agent: "kiro".to_owned(),
            human: false,
            controller: PersonId::new(controller),
            also: Vec::new(),
        },
        upstream: Upstream::new("orders"),
        environment: Environment::production(),
        acts: Acts::new(Act::opaque("does something"), []),
        digest: Digest::of(text.as_bytes()),
        shape: Digest::of(b"shape"),
        text: text.to_owned(),
        redacted: text.to_owned(),
    }
}

fn hold(id: &str, intent: Intent) -> Hold {
    let card = Card {
        hold: HoldId::new(id),
        intent,
        purpose: String::new(),
        facts: Facts::default(),
        needs: Needs { controller: true, ..Needs::default() },
        policies: Vec::new(),
        policy_set: Digest::of(b"policies"),
        taken: NOW,
        roster: tyer_core::roster::Roster::default(),
        allowance: None,
    };
    Hold::open(card, Lifetimes::default(), NOW)
}

fn stepped(hold: Hold, event: Event, now: Timestamp) -> Hold {
    match hold.step(event, now) {
        Next::Stays(hold, _) => hold,
        other => panic!("{other:?}"),
    }
}

fn no(reason: &str) -> Event {
    Event::Reject { by: PersonId::new("bob"), reason: reason.to_owned() }
}

#[test]
fn what_has_ended_is_let_go() {
    let mut holds = Holds::default();
    let asked = intent("s-1", "alice", "DELETE FROM t");
    let (digest, session) = (asked.digest, asked.principal.session.clone());
    let first = hold("H-1", asked.clone());
    holds.insert(first.clone());
    holds.insert(hold("H-2", intent("s-2", "alice", "DELETE FROM t")));
    assert_eq!(holds.of_request(&session, digest).map(Hold::id), Some(&HoldId::new("H-1")));
    assert!(holds.concern(digest) && !holds.concern(Digest::of(b"other")));
    holds.insert(stepped(first, Event::Tick, NOW.plus(HOLD_MS_MAX)));
    assert_eq!(holds.of_request(&session, digest), None);
    assert_eq!(holds.iter().count(), 1);
    assert!(holds.concern(digest), "another session's waits");
    holds.insert(stepped(hold("H-2", asked), Event::Abandon, NOW));
    assert!(!holds.concern(digest) && holds.iter().next().is_none());
    assert!(holds.by_request.is_empty() && holds.rejected.is_empty());
}

#[test]
fn a_rejection_binds_the_controller_until_it_lapses_also_after_a_restart() {
    let asked = intent("s-1", "alice", "DELETE FROM t");
    let rejected = stepped(hold("H-1", asked.clone()), no("not on a Friday"), NOW);
    let directory = tempfile::tempdir().unwrap();
    let mut store = Sqlite::open(&directory.path().join("store")).unwrap();
    let mut apply = |change: Change| {
        store.apply(&[change], |_| Ok(Sealed::default())).unwrap();
    };
    apply(put(Change::default(), &hold("H-1", asked.clone()), None));
    apply(put(Change::default(), &rejected, None));
    apply(put(Change::default(), &hold("H-2", intent("s-2", "alice", "SELECT 1")), None));
    assert_eq!(store.documents(Table::Hold).unwrap().len(), 1, "what has ended lies elsewhere");
    let mut holds = World::load(&store).unwrap().holds;
    assert_eq!(holds.iter().count(), 1);
    let last = NOW.plus(REJECTED_MS - 1);
    let check = |session: &str, controller: &str, text: &str, now: Timestamp, expect: bool| {
        let found = holds.rejected(&intent(session, controller, text), now);
        assert_eq!(found.is_some(), expect, "{session} {controller} {text} {now:?}");
    };
    check("s-1", "alice", "DELETE FROM t", NOW, true);
    check("s-9", "alice", "DELETE FROM t", last, true);
    check("s-9", "alice", "DELETE FROM t", NOW.plus(REJECTED_MS), false);
    check("s-1", "bob", "DELETE FROM t", NOW, false);
    check("s-1", "alice", "DELETE FROM u", NOW, false);
    assert!(holds.concern(asked.digest));
    holds.forget_lapsed(last);
    assert!(holds.lapsed(last).is_empty() && holds.concern(asked.digest));
    let over = NOW.plus(REJECTED_MS);
    assert_eq!(holds.lapsed(over), [HoldId::new("H-1")]);
    holds.forget_lapsed(over);
    assert!(!holds.concern(asked.digest));
}
