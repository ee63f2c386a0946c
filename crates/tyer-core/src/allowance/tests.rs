//! Which allowances there can be, and what each covers.

use proptest::prelude::*;

use super::*;
use crate::ceilings::Ceilings;
use crate::facts::{Counted, RelationFacts};
use crate::intent::{
    Act, Acts, Environment, Kind, PersonId, Resource, Reversibility, SessionId, Upstream,
};
use crate::sequence::{Pattern, Sequence};

fn act(effect: Effect, name: &str) -> Act {
    Act {
        effect,
        resource: Resource::new(Kind::Relation, name),
        reversibility: Reversibility::Reversible,
        local: false,
        why: "does something".to_owned(),
        tie: None,
    }
}

fn facts(rows: u64) -> Facts {
    let relation = RelationFacts {
        name: "public.notes".to_owned(),
        rows: Some(100),
        identity: Some(7),
        counted: Some(Counted::Exactly(rows)),
        ..RelationFacts::default()
    };
    let facts = Facts { relations: vec![relation], ..Facts::default() };
    Facts { ceilings: Ceilings::of(&facts), ..facts }
}

/// A held change of one row of notes.
pub(crate) fn card(effect: Effect, environment: &str) -> Card {
    let principal = Principal {
        session: SessionId::new("s-1"),
        agent: "kiro".to_owned(),
        human: false,
        controller: PersonId::new("alice"),
        also: Vec::new(),
    };
    let intent = Intent {
        principal,
        upstream: Upstream::new("orders"),
        environment: Environment::new(environment),
        acts: Acts::new(act(effect, "notes"), []),
        digest: Digest::of(b"request"),
        shape: Digest::of(b"shape"),
        text: "UPDATE notes SET n = 1 WHERE id = 1".to_owned(),
        redacted: "UPDATE notes SET n = ? WHERE id = ?".to_owned(),
    };
    Card {
        hold: HoldId::new("H-1"),
        intent,
        purpose: String::new(),
        facts: facts(1),
        needs: Needs { peers: 1, ..Needs::default() },
        policies: Vec::new(),
        policy_set: Digest::of(b"policies"),
        taken: Timestamp(0),
        roster: crate::roster::Roster::default(),
        allowance: None,
    }
}

pub(crate) fn wish(count: u32) -> Wish {
    let (whose, by) = (Whose::Session, "alice".to_owned());
    Wish { whose, count, lasts_ms: 3_600_000, pace: None, by }
}

fn asked(card: &Card, wish: Wish) -> Result<Card, AskError> {
    Terms::asked(card, HoldId::new("H-2"), wish)
}

#[test]
fn there_is_none_for_what_is_grave_unbounded_or_part_of_more() {
    let check = |change: fn(&mut Card, &mut Wish), expect: Option<AskError>| {
        let (mut card, mut wish) = (card(Effect::Change, "production"), wish(20));
        change(&mut card, &mut wish);
        assert_eq!(asked(&card, wish).err(), expect, "{card:?}");
    };
    let acts = |card: &mut Card, effect| card.intent.acts = Acts::new(act(effect, "notes"), []);
    check(|_, _| {}, None);
    check(|card, _| card.facts.ceilings = None, Some(AskError::Unbounded));
    check(|card, _| card.facts.ceilings = Some(Ceilings::of_code()), Some(AskError::Unbounded));
    let no_figure = |card: &mut Card, _: &mut Wish| {
        let ceilings = card.facts.ceilings.as_mut().unwrap();
        ceilings.relations[0].rows = None;
    };
    check(no_figure, Some(AskError::Unbounded));
    let no_others = |card: &mut Card, _: &mut Wish| {
        card.facts.ceilings.as_mut().unwrap().others = None;
    };
    check(no_others, Some(AskError::Unbounded));
    check(|card, _| card.needs.waited = 1, Some(AskError::Waits));
    let sequence = |card: &mut Card, _: &mut Wish| {
        let resource = Resource::new(Kind::Relation, "notes");
        let pattern = Pattern::Recreate;
        card.facts.sequences = vec![Sequence { pattern, resource, before: None }];
    };
    check(sequence, Some(AskError::Sequence));
    let again = |card: &mut Card, wish: &mut Wish| *card = asked(card, wish.clone()).unwrap();
    check(again, Some(AskError::Allowance(HoldId::new("H-2"))));
    check(|_, wish| wish.count = 0, Some(AskError::Count));
    check(|_, wish| wish.count = 1_000, None);
    check(|_, wish| wish.count = 1_001, Some(AskError::Count));
    check(|_, wish| wish.lasts_ms = 999, Some(AskError::Lasts));
    check(|_, wish| wish.lasts_ms = ALLOWANCE_MS_MAX, None);
    check(|_, wish| wish.lasts_ms = ALLOWANCE_MS_MAX + 1, Some(AskError::Lasts));
    check(|_, wish| wish.pace = Some(Pace { uses: 1, within_ms: 1_000 }), None);
    check(|_, wish| wish.pace = Some(Pace { uses: 0, within_ms: 1_000 }), Some(AskError::Pace));
    check(|_, wish| wish.pace = Some(Pace { uses: 1, within_ms: 999 }), Some(AskError::Pace));
    for effect in Effect::ALL {
        for environment in ["production", "prod-eu", "", "staging"] {
            let mut card = card(effect, environment);
            acts(&mut card, effect);
            let never = effect.is_dangerous() && environment != "staging";
            let expect = never.then_some(AskError::Dangerous(effect));
            assert_eq!(asked(&card, wish(1)).err(), expect, "{effect} in {environment}");
        }
    }
}

#[test]
fn it_needs_the_same_people_and_at_least_one_peer() {
    let check = |needs: Needs, expect: Needs| {
        let card = Card { needs, ..card(Effect::Change, "staging") };
        assert_eq!(asked(&card, wish(1)).unwrap().needs, expect);
    };
    let needs = |controller, peers, owners, signers| Needs {
        controller,
        peers,
        owners,
        signers,
        ..Needs::default()
    };
    check(needs(true, 0, 0, 0), needs(true, 1, 0, 0));
    check(needs(false, 2, 1, 0), needs(false, 2, 1, 0));
    check(needs(false, 0, 0, 1), needs(false, 1, 0, 0));
    check(needs(false, 0, 0, 3), needs(false, 1, 0, 3));
}

#[test]
fn what_people_sign_says_all_of_it() {
    let pace = Some(Pace { uses: 5, within_ms: 60_000 });
    let words = |wish: Wish| {
        let card = asked(&card(Effect::Change, "production"), wish).unwrap();
        card.allowance.as_ref().unwrap().in_words(&card).join("\n")
    };
    expect_test::expect![[r"
        up to 20 requests of this shape at orders, by every session of kiro for alice
        for 1 hour after the last approval
        at most 5 within any 1 minute
        names and effects are exactly these; values may differ within what one use may do
        public.notes: at most 11 rows a use, 220 altogether"]]
    .assert_eq(&words(Wish { whose: Whose::Agent, pace, ..wish(20) }));
    expect_test::expect![[r"
        up to 1 request of this shape at orders, by session s-1 of kiro for alice
        for 1 hour after the last approval
        names and effects are exactly these; values may differ within what one use may do
        public.notes: at most 11 rows a use, 11 altogether"]]
    .assert_eq(&words(wish(1)));
    let digest = |wish: Wish| asked(&card(Effect::Change, "production"), wish).unwrap().digest();
    let digests = [
        wish(20),
        wish(21),
        Wish { whose: Whose::Agent, ..wish(20) },
        Wish { lasts_ms: 1_000, ..wish(20) },
        Wish { pace, ..wish(20) },
    ];
    let distinct: BTreeSet<_> = digests.into_iter().map(digest).collect();
    assert_eq!(distinct.len(), 5, "a signature is for one set of terms");
}

#[test]
fn it_covers_exactly_what_the_card_is_for() {
    let check_of = |whose: Whose, change: fn(&mut Intent, &mut Facts), expect: Result<(), &str>| {
        let card = asked(&card(Effect::Change, "production"), Wish { whose, ..wish(20) }).unwrap();
        let (mut intent, mut facts) = (card.intent.clone(), card.facts.clone());
        change(&mut intent, &mut facts);
        let covered = covers(&card, card.allowance.as_ref().unwrap(), &intent, &facts);
        let covered = covered.map_err(|why| why.to_string());
        assert_eq!(covered, expect.map_err(ToOwned::to_owned), "{intent:?}");
    };
    let check = |change, expect| check_of(Whose::Session, change, expect);
    let (never, shape) = (
        Err("what is dangerous in production, or not bounded, is asked each time"),
        Err("it is of another shape"),
    );
    let elsewhere = Err("it is of another session, agent, controller or upstream");
    check(|_, _| {}, Ok(()));
    check(|intent, _| intent.digest = Digest::of(b"other values"), Ok(()));
    check(|intent, _| intent.shape = Digest::of(b"another digit"), shape);
    check(|intent, _| intent.acts = Acts::new(act(Effect::Change, "notes_2026"), []), shape);
    check(|intent, _| intent.acts = Acts::new(act(Effect::Read, "notes"), []), shape);
    let more = |intent: &mut Intent, _: &mut Facts| {
        intent.acts = Acts::new(act(Effect::Change, "notes"), [act(Effect::Create, "log")]);
    };
    check(more, shape);
    check(|intent, _| intent.acts = Acts::new(act(Effect::Destroy, "notes"), []), never);
    check(|intent, _| intent.upstream = Upstream::new("other"), elsewhere);
    check(|intent, _| intent.environment = Environment::new("staging"), elsewhere);
    let session = |intent: &mut Intent, _: &mut Facts| {
        intent.principal.session = SessionId::new("s-2");
        intent.principal.also = vec![PersonId::new("dan")];
    };
    check(session, elsewhere);
    check_of(Whose::Agent, session, Ok(()));
    for whose in [Whose::Session, Whose::Agent] {
        check_of(whose, |it, _| it.principal.controller = PersonId::new("bob"), elsewhere);
        check_of(whose, |it, _| it.principal.agent = "other".to_owned(), elsewhere);
        check_of(whose, |it, _| it.principal.human = true, elsewhere);
    }
    check(|_, now| *now = facts(11), Ok(()));
    check(
        |_, now| *now = facts(12),
        Err("it is not what the card says: 12 rows of public.notes, not 1"),
    );
    check(
        |_, now| now.relations[0].identity = Some(8),
        Err("it is not what the card says: public.notes was removed and made again"),
    );
    check(
        |_, now| now.ceilings = None,
        Err("it is not what the card says: it cannot be counted and taken back in the same way"),
    );
}

proptest! {
    /// However a card came about, and whatever it says: nothing dangerous in production is covered.
    #[test]
    fn nothing_dangerous_in_production_is_ever_covered(
        effects in proptest::collection::vec(0_usize..9, 1..4),
        carded in proptest::collection::vec(0_usize..9, 1..4),
        environments in (0_usize..5, 0_usize..5),
        count in any::<u32>(),
        whole_agent in any::<bool>(),
    ) {
        let acts = |effects: &[usize]| {
            let all: Vec<Act> = effects.iter().map(|at| act(Effect::ALL[*at], "notes")).collect();
            Acts::new(all[0].clone(), all[1..].to_vec())
        };
        let environment = |at: usize| ["production", "prod", "", "staging", "test"][at];
        let whose = if whole_agent { Whose::Agent } else { Whose::Session };
        let terms = Terms {
            like: HoldId::new("H-1"),
            shape: Digest::of(b"shape"),
            whose,
            count,
            lasts_ms: i64::MAX,
            pace: None,
            by: "alice".to_owned(),
        };
        let mut card = card(Effect::Change, environment(environments.0));
        card.intent.acts = acts(&carded);
        card.allowance = Some(terms.clone());
        let mut intent = card.intent.clone();
        (intent.acts, intent.environment) = (acts(&effects), Environment::new(environment(environments.1)));
        for (intent, says) in [(&intent, &card), (&card.intent, &card)] {
            if covers(says, &terms, intent, &card.facts).is_ok() {
                prop_assert!(!intent.acts.worst().is_dangerous() || environment(environments.1) == "staging"
                    || environment(environments.1) == "test" || environments.0 > 2);
                prop_assert!(!is_barred(intent));
            }
        }
        prop_assert!(terms.until(Timestamp(0)) <= Timestamp(ALLOWANCE_MS_MAX));
        prop_assert!(terms.uses() <= ALLOWANCE_USES_MAX);
    }

    /// However uses are taken and come back: no more are out and standing than there are, none comes back twice, and
    /// no window has more than the pace lets it.
    #[test]
    fn no_more_uses_than_there_are(
        count in 1_u32..6,
        pace in proptest::option::of((1_u32..4, 1_i64..20)),
        words in proptest::collection::vec((0_u8..4, 0_u64..8, 0_i64..8), 0..60),
    ) {
        let pace = pace.map(|(uses, within_ms)| Pace { uses, within_ms });
        let terms = Terms {
            like: HoldId::new("H-1"),
            shape: Digest::of(b"shape"),
            whose: Whose::Session,
            count,
            lasts_ms: 1_000,
            pace,
            by: String::new(),
        };
        let mut uses = Uses::none(Timestamp(1_000));
        let (mut now, mut stand, mut taken_at) = (0, BTreeSet::new(), Vec::new());
        for (word, number, later) in words {
            now += later;
            match word {
                0 | 1 => {
                    if uses.may_take(&terms, Timestamp(now)).is_ok() {
                        let (next, used) = uses.take(&terms, Timestamp(now));
                        prop_assert!(stand.insert(used.number), "a number twice");
                        taken_at.push(now);
                        uses = next;
                    }
                }
                2 => {
                    let was_out = uses.out.contains(&number);
                    uses = uses.settled(number, true);
                    if was_out {
                        stand.remove(&number);
                    }
                }
                _ => uses = uses.settled(number, false),
            }
            prop_assert_eq!(u32::try_from(stand.len()).unwrap(), uses.taken);
            prop_assert!(uses.taken <= count);
            if let Some(Pace { uses: most, within_ms }) = pace {
                for at in &taken_at {
                    let within = taken_at.iter().filter(|it| (*at..at + within_ms).contains(it)).count();
                    prop_assert!(within <= most as usize);
                }
            }
        }
    }
}
