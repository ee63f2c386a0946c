//! Every order of events of an allowance's life, over the code that runs; and defects that are put in and found.
//!
//! Words are those of the scripts, and: `u` is a request that it covers, `u#` one of another shape, `u$` one with the
//! grant of another request, `u^` one that was decided by other policies, `ud` one that is denied and `uh` one that
//! needs more people; `s1` has seen the first use stand, `b1` nothing of it left; `r` is a restart.

use std::collections::{BTreeSet, HashSet, VecDeque};

use super::*;
use crate::allowance::tests::{card, wish};
use crate::allowance::{Pace, Terms, Used, Wish};

const COUNT: u32 = 2;
const LASTS_MS: i64 = 3_000;

const TIMES: [i64; 5] = [0, OPEN_MS - 1, OPEN_MS, LASTS_MS, LASTS_MS + OPEN_MS - 1];
const EVENTS: [&str; 20] = [
    "+bob", "+bob~", "+bob$", "+alice", "+alice=", "-carol", "u", "u#", "u$", "u^", "ud", "uh", "s1",
    "b1", "s2", "b2", "?", "x", ".", "r",
];

fn allowance(pace: Option<Pace>) -> Hold {
    let wish = Wish { lasts_ms: LASTS_MS, pace, ..wish(COUNT) };
    let card = Terms::asked(&card(Effect::Change, "production"), HoldId::new("H-2"), wish);
    Hold::open(card.expect("there can be one"), Lifetimes::new(OPEN_MS, GRANT_MS), Timestamp(0))
}

/// What an onlooker who knows the rules, and not the hold, makes of what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Onlooker {
    until: Option<i64>,
    out: BTreeSet<u64>,
    stand: u32,
    last: u64,
    at: Vec<i64>,
    is_over: bool,
}

impl Onlooker {
    fn taken(&self) -> u32 {
        self.stand + u32::try_from(self.out.len()).expect("a few")
    }

    /// Whether a grant has to leave, which it may only if so.
    fn lets(&self, pace: Option<Pace>, word: &str, now: i64) -> bool {
        let is_in_pace = pace.is_none_or(|pace| {
            let within = self.at.iter().filter(|at| now < **at + pace.within_ms).count();
            within < pace.uses as usize
        });
        let is_live = !self.is_over && self.until.is_some_and(|until| now < until);
        word == "u" && is_live && self.taken() < COUNT && is_in_pace
    }

    fn sees(&mut self, pace: Option<Pace>, word: &str, now: i64) {
        self.is_over |= now >= self.until.unwrap_or(OPEN_MS);
        if self.is_over {
            return;
        }
        match word {
            "+bob" if self.until.is_none() => self.until = Some(now + LASTS_MS),
            "-carol" | "x" => self.is_over = true,
            "u" if self.lets(pace, word, now) => {
                self.last += 1;
                self.out.insert(self.last);
                self.at.push(now);
            }
            "s1" | "s2" | "b1" | "b2" if self.until.is_some() => {
                let number = if word.ends_with('1') { 1 } else { 2 };
                if self.out.remove(&number) && word.starts_with('s') {
                    self.stand += 1;
                }
                self.is_over |= self.stand == COUNT;
            }
            "r" => {
                self.stand += u32::try_from(self.out.len()).expect("a few");
                self.out.clear();
            }
            _ => {}
        }
    }
}

fn used(hold: &Hold, word: &str, now: Timestamp) -> Event {
    let mut intent = hold.card().intent.clone();
    intent.digest = Digest::of(b"other values");
    let (mut digest, later) = (intent.digest, now.plus(GRANT_MS_MAX));
    let set = if word == "u^" { b"stricter" } else { b"policies" };
    match word {
        "u#" => intent.shape = Digest::of(b"another digit"),
        "u$" => digest = Digest::of(b"another request"),
        _ => {}
    }
    let basis = Basis {
        policies: Vec::new(),
        policy_set: Digest::of(set),
        hold: None,
        observed: None,
        used: None,
    };
    let verdict = match word {
        "ud" => Verdict::Deny(Refusal::new(Reason::Frozen, "", "")),
        "uh" => Verdict::Hold(Needs { peers: 3, ..Needs::default() }),
        _ => Verdict::Allow(Grant::decided(digest, SessionId::new("s-1"), later, basis)),
    };
    let facts = hold.card().facts.clone();
    Event::Use(Box::new(Use { intent, facts, verdict }))
}

type Step = fn(Hold, Event, Timestamp) -> Next;

fn next(step: Step, hold: &Hold, word: &str, now: i64) -> (Hold, Option<Grant>) {
    let now = Timestamp(now);
    let settled =
        |number: &str, is_undone| Event::Settled(number.parse().expect("a number"), is_undone);
    let stored = serde_json::to_string(hold).expect("a hold is JSON");
    let hold: Hold = serde_json::from_str(&stored).expect("it reads back");
    let event = match word.split_at(1) {
        ("u", _) => used(&hold, word, now),
        ("s", number) => settled(number, false),
        ("b", number) => settled(number, true),
        // What was out when the program stopped counts as used.
        ("r", _) => Event::Used,
        _ => event(&hold, word, now),
    };
    match step(hold, event, now) {
        Next::Stays(hold, _) | Next::Refuses(hold, _) => (hold, None),
        Next::Releases(hold, grant) => (hold, Some(grant)),
    }
}

/// What must never be, at any event.
fn broken(
    (was, is): (&Onlooker, &Onlooker),
    (pace, word, now): (Option<Pace>, &str, i64),
    (hold, grant): (&Hold, Option<&Grant>),
) -> Option<&'static str> {
    let taken = hold.allows().map_or(is.taken(), |(_, uses)| uses.taken);
    let expected = Used { number: is.last, at: Timestamp(now), shape: Digest::of(b"shape") };
    let is_right = |grant: &Grant| {
        grant.basis().used == Some(expected)
            && grant.basis().hold == Some(HoldId::new("H-2"))
            && grant.digest() == Digest::of(b"other values")
            && !grant.is_live(Timestamp(is.until.unwrap_or_default()))
    };
    let rules = [
        (grant.is_some() && !was.lets(pace, word, now), "a grant that must not leave"),
        (grant.is_none() && was.lets(pace, word, now), "no grant though one may leave"),
        (grant.is_some_and(|grant| !is_right(grant)), "a grant for something else"),
        (taken != is.taken(), "other uses than were taken"),
        (is.taken() > COUNT, "more uses than were agreed to"),
        (hold.has_ended() != is.is_over, "whether it is over is not what happened"),
        (matches!(hold.state, State::Approved { .. } | State::Taken { .. }), "it became a lone hold"),
    ];
    rules.into_iter().find_map(|(is_broken, what)| is_broken.then_some(what))
}

/// Goes through every order of events, or as far as the first that breaks an invariant: how many grants there were in
/// how many states, or what broke and the way there.
fn explore(step: Step, pace: Option<Pace>) -> Result<(usize, usize), String> {
    let (mut known, mut grants) = (HashSet::new(), 0);
    let mut next_ones = VecDeque::from([(allowance(pace), Onlooker::default(), String::new())]);
    while let Some((was, seen, way)) = next_ones.pop_front() {
        for (now, word) in TIMES.iter().flat_map(|now| EVENTS.map(|word| (*now, word))) {
            let (hold, grant) = next(step, &was, word, now);
            let mut sees = seen.clone();
            sees.sees(pace, word, now);
            let way = format!("{way} @{now} {word}");
            // What is over by its time lets nothing out, whatever was seen before.
            let mut before = seen.clone();
            before.is_over |= now >= before.until.unwrap_or(OPEN_MS);
            if let Some(what) = broken((&before, &sees), (pace, word, now), (&hold, grant.as_ref())) {
                return Err(format!("{what}:{way}"));
            }
            grants += usize::from(grant.is_some());
            let stored = serde_json::to_string(&hold).expect("a hold is JSON");
            // Once it is over nothing may come of it: no use in telling how it came about apart.
            if known.insert((Digest::of(stored.as_bytes()), sees.clone())) && !sees.is_over {
                next_ones.push_back((hold, sees, way));
            }
        }
    }
    Ok((grants, known.len()))
}

const SLOW: Option<Pace> = Some(Pace { uses: 1, within_ms: 1_000 });

#[test]
fn no_order_of_events_gives_an_allowance_more_than_was_agreed_to() {
    for pace in [None, SLOW] {
        let (grants, states) = explore(Hold::step, pace).expect("no order that breaks anything");
        assert!(grants > 20 && states > 100, "{grants} grants, {states} states");
    }
}

#[test]
fn defects_of_an_allowance_are_found() {
    let check = |step: Step, pace: Option<Pace>, expect: &str| {
        let found = explore(step, pace).expect_err(expect);
        assert!(found.starts_with(expect), "{expect}: {found}");
    };
    fn changed(mut hold: Hold, event: Event, now: Timestamp, change: fn(&mut Uses)) -> Next {
        if let State::Active(uses) = &mut hold.state {
            change(uses);
        }
        hold.step(event, now)
    }
    let uncounted: Step = |hold, event, now| changed(hold, event, now, |uses| uses.taken = 0);
    check(uncounted, None, "other uses than were taken");
    let hasty: Step = |hold, event, now| changed(hold, event, now, |uses| uses.recent.clear());
    check(hasty, SLOW, "a grant that must not leave");
    let twice: Step = |hold, event, now| match event {
        Event::Settled(number, true) => changed(hold, Event::Settled(number, true), now, |uses| {
            uses.out.extend([1, 2]);
        }),
        event => hold.step(event, now),
    };
    check(twice, None, "other uses than were taken");
    let endless: Step =
        |hold, event, now| changed(hold, event, now, |uses| uses.until = Timestamp(i64::MAX));
    check(endless, None, "");
    let deaf: Step = |hold, event, now| match event {
        Event::Reject { .. } => hold.step(Event::Tick, now),
        event => hold.step(event, now),
    };
    check(deaf, None, "whether it is over is not what happened");
    let any_shape: Step = |hold, event, now| match event {
        Event::Use(mut it) => {
            it.intent.shape = Digest::of(b"shape");
            hold.step(Event::Use(it), now)
        }
        event => hold.step(event, now),
    };
    check(any_shape, None, "a grant that must not leave");
}

#[test]
fn whoever_controls_another_session_of_the_agent_carries_no_use_of_it() {
    let hold = allowance(None);
    let (hold, _) = next(Hold::step, &hold, "+bob", 0);
    let founder = || Known { counts: true, founder: true, ..Known::default() };
    let names = ["alice", "bob", "carol"].map(PersonId::new);
    let people: People = names.into_iter().map(|name| (name, founder())).collect();
    let check = |also: &[&str], expect: u32| {
        let also = also.iter().map(|name| PersonId::new(*name)).collect();
        let principal = Principal { also, ..hold.card().intent.principal.clone() };
        assert_eq!(hold.counted_for(&people, &principal).peers, expect, "{principal:?}");
    };
    check(&[], 1);
    check(&["carol"], 1);
    check(&["bob"], 0);
}
