//! Every order of events of a hold's life, over the code that runs.
//!
//! Breadth first from an open hold: each event at each moment, earlier ones included, until no state is new.
//! States are the same if their stored form is, and what a witness outside the hold has seen. Invariants are
//! looked at after every event. Defects that are put in for it show that they would be found.
//!
//! Words are those of the scripts, and more: of signatures, `#` names another hold, `&` another request,
//! `:` another policy set and `/` is one that rejects; `?swapped` presents another request with the grant of this
//! one, `?granted` this one with the grant of another; `r` is a restart.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::*;

/// The edges of what a hold looks at, and what lies just before them.
const TIMES: [i64; 6] = [0, GRANT_MS - 1, GRANT_MS, OPEN_MS - 1, OPEN_MS, OPEN_MS + GRANT_MS - 1];

const EVENTS: [&str; 28] = [
    "+alice", "+alice*", "+alice=", "+bob", "+bob=", "+olga*", "+bob~", "+bob^", "+bob#", "+bob&",
    "+bob$", "+bob:", "+bob/", "-bob", "-alice", "?", "?deny", "?hold", "?other", "?session",
    "?lapsed", "?swapped", "?granted", "x", "<", "!", ".", "r",
];

/// The glass is broken, also by what does not break it.
const GLASS: [&str; 5] = ["|bob", "|bob~", "|bob^", "|bob?", "|bob_"];

fn with_glass() -> Vec<&'static str> {
    EVENTS.into_iter().chain(GLASS).collect()
}

/// What is explored: the code, or the code with a defect.
#[derive(Clone, Copy)]
struct Rules {
    step: fn(Hold, Event, Timestamp) -> Next,
    reread: fn(&Hold) -> Hold,
}

const RULES: Rules = Rules { step: Hold::step, reread };

fn reread(hold: &Hold) -> Hold {
    serde_json::from_str(&stored(hold)).expect("what is stored reads back")
}

fn stored(hold: &Hold) -> String {
    serde_json::to_string(hold).expect("a hold is JSON")
}

/// What an onlooker who knows the rules, and not the hold, makes of what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Onlooker {
    /// Who has agreed, and whether as an owner.
    yes: BTreeMap<String, bool>,
    lapses: Option<i64>,
    /// Who let it through alone.
    broke: Option<&'static str>,
    /// A grant is out.
    is_out: bool,
    /// Something ran, or may have.
    has_run: bool,
    /// Nothing can come of it any more: it ran, expired, lapsed, was rejected or taken back.
    is_over: bool,
}

impl Onlooker {
    fn sees(&mut self, needs: &Needs, word: &str, now: i64) {
        let ends = self.lapses.unwrap_or(OPEN_MS);
        self.is_over |= !self.is_out && now >= ends;
        if self.is_over {
            return;
        }
        match (word, self.is_out) {
            ("?", false) => self.is_out = self.broke.is_some() || self.is_enough(needs),
            ("|bob", false) if self.lapses.is_none() => {
                (self.broke, self.lapses) = (Some("bob"), Some(now.saturating_add(GRANT_MS)));
            }
            ("-bob" | "-alice" | "x", false) => self.is_over = true,
            ("<", true) => {
                self.is_out = false;
                self.is_over = now >= ends;
            }
            ("!" | "r", true) => {
                (self.is_out, self.has_run, self.is_over) = (false, true, true);
            }
            ("+bob" | "+carol" | "+olga*", false) => self.agrees(needs, word, now),
            ("+alice=", false) if needs.controller => self.agrees(needs, word, now),
            _ => {}
        }
    }

    fn agrees(&mut self, needs: &Needs, word: &str, now: i64) {
        let name: String = word.chars().filter(char::is_ascii_alphabetic).collect();
        // Nobody agrees once its time for that is over, whatever was agreed to in time.
        if now >= OPEN_MS || self.yes.contains_key(&name) {
            return;
        }
        self.yes.insert(name, word.contains('*'));
        if self.is_enough(needs) {
            self.lapses = Some(now.saturating_add(GRANT_MS));
        }
    }

    fn peers(&self) -> u32 {
        u32::try_from(self.yes.keys().filter(|name| *name != "alice").count()).expect("a few")
    }

    fn is_enough(&self, needs: &Needs) -> bool {
        let owners = self.yes.values().filter(|owner| **owner).count();
        (self.yes.contains_key("alice") || !needs.controller)
            && self.peers() >= needs.peers
            && owners >= needs.owners as usize
    }
}

/// One event and what came of it.
struct Step<'a> {
    needs: &'a Needs,
    word: &'a str,
    now: i64,
    before: (&'a Hold, &'a Onlooker),
    after: (&'a Hold, &'a Onlooker),
    grant: Option<&'a Grant>,
}

/// What must never be, at any event.
fn broken(step: &Step<'_>) -> Option<&'static str> {
    let ((was, seen), (is, sees)) = (step.before, step.after);
    let is_taken = |hold: &Hold| matches!(hold.state, State::Taken { .. });
    let same = (&was.card, was.opened, was.expires, was.lifetimes);
    let rules = [
        (step.grant.is_some() && seen.is_out, "a second grant is out"),
        (step.grant.is_some() && seen.has_run, "a second execution"),
        (step.grant.is_some() && sees.is_over, "a grant leaves what is over"),
        (
            step.grant.is_some() && seen.broke.is_none() && !seen.is_enough(step.needs),
            "a grant without enough people",
        ),
        (is.counted().glass != sees.broke.is_some(), "whose word it is alone is not what happened"),
        (step.grant.is_some() && step.word != "?", "a grant for what was not decided"),
        (
            step.grant.is_some_and(|grant| !is_right(grant, sees, step.now)),
            "a grant for something else",
        ),
        (step.grant.is_none() && !seen.is_out && sees.is_out, "no grant though all agreed"),
        (sees.is_out != is_taken(is), "who has the grant is not what happened"),
        (was.has_ended() && was.state != is.state, "what has ended goes on"),
        (sees.is_over != is.has_ended(), "whether it is over is not what happened"),
        (is.counted().peers > sees.peers(), "somebody counts who is no peer"),
        (is.counted().controller && !step.needs.controller, "the controller counts unasked"),
        (same != (&is.card, is.opened, is.expires, is.lifetimes), "the card or its time has changed"),
    ];
    rules.into_iter().find_map(|(is_broken, what)| is_broken.then_some(what))
}

/// Whether a grant is for the request, session and hold, and for no longer than the approvals.
fn is_right(grant: &Grant, sees: &Onlooker, now: i64) -> bool {
    let lapses = sees.lapses.unwrap_or_default();
    grant.digest() == Digest::of(b"request")
        && grant.session().as_str() == "s-1"
        && grant.basis().hold == Some(HoldId::new("H-1"))
        && grant.is_live(Timestamp(now))
        && !grant.is_live(Timestamp(lapses))
}

fn agreement(hold: &Hold, word: &str) -> Event {
    // The moment inside an approval is for people to read.
    let mut approval = approval(hold, word.trim_start_matches('+'), Timestamp(0));
    let Decision::Approve(subject) = &mut approval.signed.statement.what else { panic!("no subject") };
    match word.chars().last() {
        Some('#') => subject.hold = HoldId::new("H-2"),
        Some('&') => subject.request = Digest::of(b"other"),
        Some(':') => subject.policy_set = Digest::of(b"other"),
        _ => {}
    }
    if word.ends_with('/') {
        approval.signed.statement.what = Decision::Reject(subject.clone());
    }
    Event::Approve(Box::new(approval))
}

fn happens(hold: &Hold, word: &str, now: i64) -> Event {
    let (this, other) = (Digest::of(b"request"), Digest::of(b"other"));
    let later = Timestamp(now).plus(GRANT_MS_MAX);
    match word {
        "?swapped" => Event::Present { digest: other, verdict: allow(this, "s-1", later) },
        "?granted" => Event::Present { digest: this, verdict: allow(other, "s-1", later) },
        _ if word.starts_with('+') => agreement(hold, word),
        _ => event(hold, word, Timestamp(now)),
    }
}

/// The next hold, and the grant that left.
fn next(rules: Rules, hold: &Hold, word: &str, now: i64) -> (Hold, Option<Grant>) {
    let (hold, event) = if word == "r" {
        // What was out when the program stopped counts as used.
        ((rules.reread)(hold), Event::Used)
    } else {
        (hold.clone(), happens(hold, word, now))
    };
    match (rules.step)(hold, event, Timestamp(now)) {
        Next::Stays(hold, _) | Next::Refuses(hold, _) => (hold, None),
        Next::Releases(hold, grant) => (hold, Some(grant)),
    }
}

/// How much there was.
#[derive(Debug, Default)]
struct Explored {
    states: usize,
    events: usize,
    grants: usize,
    /// The words of the states that were met.
    met: BTreeSet<&'static str>,
}

/// Goes through every order of events, or as far as the first that breaks an invariant: what, and the way there.
fn explore(needs: (bool, u32, u32), words: &[&str], rules: Rules) -> Result<Explored, String> {
    let (controller, peers, owners) = needs;
    let needs = Needs { controller, peers, owners, ..Needs::default() };
    let mut explored = Explored::default();
    let mut known = HashSet::new();
    let mut level = vec![(held(needs.clone()), Onlooker::default(), String::new())];
    while !level.is_empty() {
        let mut following = Vec::new();
        for (was, seen, way) in &level {
            for (now, word) in TIMES.iter().flat_map(|now| words.iter().map(move |word| (*now, *word)))
            {
                let (hold, grant) = next(rules, was, word, now);
                let mut sees = seen.clone();
                sees.sees(&needs, word, now);
                let after = (&hold, &sees);
                let needs = &needs;
                let step = Step { needs, word, now, before: (was, seen), after, grant: grant.as_ref() };
                let way = || format!("{way} @{now} {word}");
                if let Some(what) = broken(&step) {
                    return Err(format!("{what}:{}", way()));
                }
                explored.events += 1;
                explored.grants += usize::from(grant.is_some());
                if known.insert((Digest::of(stored(&hold).as_bytes()), sees.clone())) {
                    assert_eq!(reread(&hold), hold, "what is stored is another hold:{}", way());
                    explored.met.insert(hold.state_word());
                    following.push((hold, sees, way()));
                }
            }
        }
        level = following;
    }
    explored.states = known.len();
    Ok(explored)
}

fn check(needs: (bool, u32, u32), words: &[&str]) {
    let explored = explore(needs, words, RULES).expect("no order that breaks anything");
    let all = ["abandoned", "approved", "expired", "open", "rejected", "spent", "taken"];
    assert_eq!(explored.met.iter().copied().collect::<Vec<_>>(), all, "{needs:?}");
    assert!(explored.grants > 0 && explored.states > 100, "{needs:?}: {explored:?}");
}

#[test]
fn no_order_of_events_breaks_an_invariant() {
    for needs in [ONE, OWN, (true, 1, 0)] {
        check(needs, &with_glass());
    }
}

#[test]
fn no_order_of_events_breaks_an_invariant_where_two_of_three_are_needed() {
    let with_carol: Vec<&str> = EVENTS.into_iter().chain(["+carol"]).collect();
    check(TWO, &with_carol);
}

#[test]
fn more_people_than_there_are_never_get_a_grant() {
    let explored = explore((false, 4, 1), &EVENTS, RULES).expect("nothing that breaks anything");
    assert_eq!(explored.grants, 0);
    assert!(!explored.met.contains("approved"), "{explored:?}");
    let explored = explore((false, 4, 1), &with_glass(), RULES).expect("nothing that breaks anything");
    assert!(explored.grants > 0, "one breaks the glass");
}

/// The same event for a hold that was changed first.
fn with(change: impl FnOnce(&mut Hold), mut hold: Hold, event: Event, now: Timestamp) -> Next {
    change(&mut hold);
    hold.step(event, now)
}

/// The same event, the hold that comes of it changed.
fn then(change: impl FnOnce(&mut Hold), next: Next) -> Next {
    match next {
        Next::Stays(mut hold, changed) => {
            change(&mut hold);
            Next::Stays(hold, changed)
        }
        Next::Refuses(mut hold, error) => {
            change(&mut hold);
            Next::Refuses(hold, error)
        }
        Next::Releases(mut hold, grant) => {
            change(&mut hold);
            Next::Releases(hold, grant)
        }
    }
}

/// As if the request and the verdict over it were as they should be.
fn believing(hold: Hold, event: Event, now: Timestamp) -> Next {
    let event = match event {
        Event::Present { .. } => present("", now),
        event => event,
    };
    hold.step(event, now)
}

fn check_planted(needs: (bool, u32, u32), rules: Rules, expect: &str) {
    let found = explore(needs, &EVENTS, rules).expect_err(expect);
    assert!(found.starts_with(&format!("{expect}: @")), "{expect}: {found}");
}

fn check_step(needs: (bool, u32, u32), step: fn(Hold, Event, Timestamp) -> Next, expect: &str) {
    check_planted(needs, Rules { step, ..RULES }, expect);
}

#[test]
fn a_defect_of_time_is_found() {
    let over = "whether it is over is not what happened";
    check_step(ONE, |hold, event, _| hold.step(event, Timestamp(0)), over);
    let no_expiry = |hold: Hold, event: Event, now: Timestamp| {
        let open = matches!(hold.state, State::Open);
        hold.step(event, if open { Timestamp(now.0.min(OPEN_MS - 1)) } else { now })
    };
    check_step(ONE, no_expiry, over);
    let one_too_late = |hold: Hold, event: Event, now: Timestamp| {
        let late = matches!(hold.state, State::Approved { lapses } if lapses == now);
        hold.step(event, if late { Timestamp(now.0 - 1) } else { now })
    };
    check_step(ONE, one_too_late, over);
    let late_release = |hold: Hold, event: Event, now: Timestamp| {
        let lapses = hold.ends();
        let presents =
            matches!(event, Event::Present { .. }) && matches!(hold.state, State::Approved { .. });
        hold.step(event, if presents { Timestamp(now.0.min(lapses.0 - 1)) } else { now })
    };
    check_step(ONE, late_release, "a grant leaves what is over");
    let renewed = |hold: Hold, event: Event, now: Timestamp| {
        let undone = matches!(event, Event::Undone);
        let renew = |hold: &mut Hold| match &mut hold.state {
            State::Approved { lapses } if undone => *lapses = now.plus(GRANT_MS),
            _ => {}
        };
        then(renew, hold.step(event, now))
    };
    check_step(ONE, renewed, "a grant for something else");
}

#[test]
fn a_defect_of_who_counts_is_found() {
    let alone = |hold: Hold, event: Event, now: Timestamp| {
        let agree = |hold: &mut Hold| {
            if matches!(hold.state, State::Open) && !hold.approvals.is_empty() {
                hold.state = State::Approved { lapses: now.plus(GRANT_MS) };
            }
        };
        then(agree, hold.step(event, now))
    };
    check_step(TWO, alone, "a grant without enough people");
    let twice = |hold: Hold, event: Event, now: Timestamp| {
        let event = match event {
            Event::Approve(mut given) if hold.approvals.iter().any(|it| it.person == given.person) => {
                let name = format!("{}2", given.person);
                given.signed.statement.person.clone_from(&name);
                given.person = PersonId::new(name);
                Event::Approve(given)
            }
            event => event,
        };
        hold.step(event, now)
    };
    check_step(TWO, twice, "somebody counts who is no peer");
    let controller = |hold: Hold, event: Event, now: Timestamp| {
        let nobody = |hold: &mut Hold| hold.card.intent.principal.controller = PersonId::new("nobody");
        let alice = |hold: &mut Hold| hold.card.intent.principal.controller = PersonId::new("alice");
        let event = match event {
            Event::Approve(mut given) => {
                let mut other = hold.clone();
                nobody(&mut other);
                if let Decision::Approve(subject) = &mut given.signed.statement.what {
                    subject.card = other.card.digest();
                }
                Event::Approve(given)
            }
            event => event,
        };
        then(alice, with(nobody, hold, event, now))
    };
    check_step(ONE, controller, "the controller counts unasked");
    let any_signature = |hold: Hold, event: Event, now: Timestamp| {
        let event = match event {
            Event::Approve(given) => {
                let (person, standing) = (given.person.clone(), given.standing);
                let good = approval(&hold, person.as_str(), Timestamp(0));
                Event::Approve(Box::new(Approval { standing, ..good }))
            }
            event => event,
        };
        hold.step(event, now)
    };
    check_step(ONE, any_signature, "somebody counts who is no peer");
}

#[test]
fn a_defect_of_the_glass_is_found() {
    let check = |step: fn(Hold, Event, Timestamp) -> Next, expect: &str| {
        let found = explore(TWO, &with_glass(), Rules { step, ..RULES }).expect_err(expect);
        assert!(found.starts_with(&format!("{expect}: @")), "{expect}: {found}");
    };
    let any_key = |hold: Hold, event: Event, now: Timestamp| {
        let event = match event {
            Event::BreakGlass(mut given) => {
                given.assurance = Assurance::Hardware;
                Event::BreakGlass(given)
            }
            event => event,
        };
        hold.step(event, now)
    };
    check(any_key, "whose word it is alone is not what happened");
    let unsigned = |hold: Hold, event: Event, now: Timestamp| {
        let event = match event {
            Event::BreakGlass(given) => {
                let good = breaking(&hold, given.person.as_str(), Timestamp(0));
                Event::BreakGlass(Box::new(Approval { assurance: given.assurance, ..good }))
            }
            event => event,
        };
        hold.step(event, now)
    };
    check(unsigned, "whose word it is alone is not what happened");
    let forgotten = |hold: Hold, event: Event, now: Timestamp| {
        then(|hold: &mut Hold| hold.glass = None, hold.step(event, now))
    };
    check(forgotten, "whose word it is alone is not what happened");
}

#[test]
fn a_defect_of_what_is_released_is_found() {
    check_step(ONE, believing, "a grant for what was not decided");
    let stays = |hold: Hold, event: Event, now: Timestamp| {
        let approved = hold.state.clone();
        match hold.step(event, now) {
            Next::Releases(hold, grant) => Next::Releases(Hold { state: approved, ..hold }, grant),
            next => next,
        }
    };
    check_step(ONE, stays, "who has the grant is not what happened");
    let again = |hold: Hold, event: Event, now: Timestamp| {
        let presents = matches!(event, Event::Present { .. });
        let back = |hold: &mut Hold| match hold.state {
            State::Taken { lapses } if presents => hold.state = State::Approved { lapses },
            _ => {}
        };
        with(back, hold, event, now)
    };
    check_step(ONE, again, "a second grant is out");
    let used_comes_back = |hold: Hold, event: Event, now: Timestamp| {
        hold.step(if matches!(event, Event::Used) { Event::Undone } else { event }, now)
    };
    check_step(ONE, used_comes_back, "whether it is over is not what happened");
    let back_twice = |hold: Hold, event: Event, now: Timestamp| {
        let undone = matches!(event, Event::Undone);
        let out = |hold: &mut Hold| {
            if undone && matches!(hold.state, State::Spent) {
                hold.state = State::Taken { lapses: now.plus(GRANT_MS) };
            }
        };
        with(out, hold, event, now)
    };
    check_step(ONE, back_twice, "what has ended goes on");
    let longer = |hold: Hold, event: Event, now: Timestamp| match hold.step(event, now) {
        Next::Releases(hold, grant) => {
            let basis = grant.basis().clone();
            let (digest, session) = (grant.digest(), grant.session().clone());
            Next::Releases(hold, Grant::decided(digest, session, now.plus(GRANT_MS_MAX), basis))
        }
        next => next,
    };
    check_step(ONE, longer, "a grant for something else");
}

#[test]
fn a_defect_of_the_end_is_found() {
    let deaf = |hold: Hold, event: Event, now: Timestamp| {
        hold.step(if matches!(event, Event::Reject { .. }) { Event::Tick } else { event }, now)
    };
    let over = "whether it is over is not what happened";
    check_step(ONE, deaf, over);
    let kept = |hold: Hold, event: Event, now: Timestamp| {
        hold.step(if matches!(event, Event::Abandon) { Event::Tick } else { event }, now)
    };
    check_step(ONE, kept, over);
    let revived = |hold: Hold, event: Event, now: Timestamp| {
        let agrees = matches!(event, Event::Approve(_));
        let open = |hold: &mut Hold| {
            if agrees && hold.has_ended() {
                hold.state = State::Open;
            }
        };
        with(open, hold, event, now)
    };
    check_step(ONE, revived, "what has ended goes on");
}

#[test]
fn a_defect_of_what_is_stored_is_found() {
    let forgets_that_it_is_out = |hold: &Hold| match hold.state {
        State::Taken { lapses } => Hold { state: State::Approved { lapses }, ..hold.clone() },
        _ => hold.clone(),
    };
    let rules = Rules { reread: forgets_that_it_is_out, ..RULES };
    check_planted(ONE, rules, "whether it is over is not what happened");
    let forgets_the_end = |hold: &Hold| match hold.state {
        State::Rejected { .. } => Hold { state: State::Open, ..hold.clone() },
        _ => hold.clone(),
    };
    check_planted(ONE, Rules { reread: forgets_the_end, ..RULES }, "what has ended goes on");
    let forgets_when = |hold: &Hold| Hold { expires: Timestamp(i64::MAX), ..hold.clone() };
    check_planted(ONE, Rules { reread: forgets_when, ..RULES }, "the card or its time has changed");
}
