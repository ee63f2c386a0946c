//! Tables of decisions, flaws found at load, and the properties that the design rests on.

mod teams;

use cedar_policy::PolicySet;
use proptest::prelude::*;

use super::*;
use crate::facts::RelationFacts;
use crate::intent::{
    Act, Acts, Environment, Kind, PersonId, Principal, Resource, Reversibility, SessionId, Upstream,
};
use crate::limits::APPROVALS_MAX;

const NOW: Timestamp = Timestamp(1_000_000);

/// Enough people for every need in these tests.
const CROWD: Approvals = Approvals {
    controller: true,
    peers: 8,
    owners: 8,
    signers: 8,
    hardware: 8,
    waited: 0,
    teams: BTreeSet::new(),
    glass: false,
    on_hours: 0,
};
const NOBODY: Approvals = Approvals {
    controller: false,
    peers: 0,
    owners: 0,
    signers: 0,
    hardware: 0,
    waited: 0,
    teams: BTreeSet::new(),
    glass: false,
    on_hours: 0,
};

/// By passkeys only.
fn passkeys(controller: bool, peers: u32, owners: u32) -> Approvals {
    Approvals { controller, peers, owners, signers: peers, ..NOBODY }
}

fn act(effect: Effect, name: &str) -> Act {
    Act {
        effect,
        resource: Resource::new(Kind::Relation, name),
        reversibility: Reversibility::Reversible,
        local: false,
        why: "for a test".to_owned(),
        tie: None,
    }
}

fn local(effect: Effect) -> Act {
    Act { local: true, ..act(effect, "pg_temp.t") }
}

fn intent(environment: &str, acts: &[Act]) -> Intent {
    let mut acts = acts.iter().cloned();
    Intent {
        principal: Principal {
            session: SessionId::new("s-1"),
            agent: "kiro".to_owned(),
            human: false,
            controller: PersonId::new("alice"),
            also: Vec::new(),
        },
        upstream: Upstream::new("orders"),
        environment: Environment::new(environment),
        acts: Acts::new(acts.next().expect("at least one act"), acts),
        digest: Digest::of(b"request"),
        shape: Digest::of(b"shape"),
        text: String::new(),
        redacted: String::new(),
    }
}

/// A situation that owns what a [`Situation`] borrows.
#[derive(Clone, Debug)]
struct Around {
    frozen: bool,
    given: Approvals,
    possible: Approvals,
    speakers: Vec<BTreeSet<TeamId>>,
    asked: bool,
    narrowing: Narrowing,
    facts: Facts,
}

impl Default for Around {
    fn default() -> Self {
        Self {
            frozen: false,
            given: NOBODY,
            possible: CROWD,
            speakers: Vec::new(),
            asked: false,
            narrowing: Narrowing::default(),
            facts: Facts::default(),
        }
    }
}

impl Around {
    fn situation(&self) -> Situation<'_> {
        Situation {
            now: NOW,
            frozen: self.frozen,
            narrowing: &self.narrowing,
            given: self.given.clone(),
            possible: self.possible.clone(),
            speakers: &self.speakers,
            asked: self.asked,
            facts: &self.facts,
        }
    }
}

/// A given set of approvals: `g` the glass is broken, `c` the controller, then peers, then owners, then signers if they are more than the
/// peers, then hardware keys.
fn given(text: &str) -> Approvals {
    let (glass, text) = text.strip_prefix('g').map_or((false, text), |rest| (true, rest));
    let (controller, counts) = text.strip_prefix('c').map_or((false, text), |rest| (true, rest));
    let mut counts = counts.split_whitespace().map(|count| count.parse().expect("a count"));
    let mut next = || counts.next().unwrap_or(0);
    let (peers, owners, signers, hardware) = (next(), next(), next(), next());
    Approvals { controller, peers, owners, signers: signers.max(peers), hardware, glass, ..NOBODY }
}

fn words(decision: &Decision) -> String {
    match &decision.verdict {
        Verdict::Allow(_) => "allow".to_owned(),
        Verdict::Hold(needs) => {
            let controller = if needs.controller { "c " } else { "" };
            let keys = match (needs.signers, needs.hardware) {
                (0, 0) => String::new(),
                (signers, hardware) => format!(" {signers} {hardware}"),
            };
            format!("hold {controller}{} {}{keys}", needs.peers, needs.owners)
        }
        Verdict::Deny(refusal) => format!("deny {}", refusal.reason.as_str()),
    }
}

fn own(text: &str) -> Policies {
    let source = Source { name: "own.cedar".to_owned(), text: text.to_owned() };
    Policies::load(&[source]).unwrap_or_else(|error| panic!("{error}"))
}

fn preset(preset: Preset) -> Policies {
    Policies::preset(preset).unwrap_or_else(|error| panic!("{error}"))
}

/// `flags` are any of `freeze`, `local` and `asked`; `approvals` as in [`given`].
fn check(set: &Policies, effect: Effect, place: (&str, &str), approvals: &str, expect: &str) {
    let (environment, flags) = place;
    let around = Around {
        frozen: flags.contains("freeze"),
        asked: flags.contains("asked"),
        given: given(approvals),
        ..Around::default()
    };
    let act = if flags.contains("local") { local(effect) } else { act(effect, "public.t") };
    let decision = set.decide(&intent(environment, &[act]), &around.situation());
    let case = format!("{effect} in {environment} {flags} with {approvals:?}");
    assert_eq!(words(&decision), expect, "{case}: {decision:?}");
}

#[test]
fn ask() {
    let set = preset(Preset::Ask);
    let check = |effect, place, approvals, expect| check(&set, effect, place, approvals, expect);
    check(Effect::Read, ("staging", ""), "", "hold c 0 0");
    check(Effect::Read, ("staging", ""), "c", "allow");
    check(Effect::Read, ("staging", "asked"), "", "allow");
    check(Effect::Read, ("staging", "freeze"), "", "hold c 0 0");
    check(Effect::Read, ("production", ""), "", "hold c 0 0");
    check(Effect::Read, ("production", ""), "2 2", "hold c 0 0");
    check(Effect::Read, ("production", "asked"), "", "allow");
    check(Effect::Create, ("staging", ""), "", "hold c 0 0");
    check(Effect::Create, ("staging", "asked"), "", "hold c 0 0");
    check(Effect::Change, ("staging", ""), "c", "allow");
    check(Effect::Change, ("staging", "freeze"), "c", "deny frozen");
    check(Effect::Destroy, ("staging", ""), "", "hold c 0 0");
    check(Effect::Destroy, ("staging", ""), "c", "allow");
    check(Effect::Opaque, ("staging", ""), "", "hold c 0 0");
    check(Effect::Change, ("production", ""), "", "hold 1 0");
    check(Effect::Change, ("production", ""), "c", "hold 1 0");
    check(Effect::Change, ("production", ""), "1", "allow");
    check(Effect::Change, ("production", "freeze"), "1", "deny frozen");
    for effect in Effect::ALL.into_iter().filter(|effect| effect.is_dangerous()) {
        check(effect, ("production", ""), "", "hold 2 1");
        check(effect, ("production", ""), "c", "hold 2 1");
        check(effect, ("production", ""), "1 1", "hold 2 1");
        check(effect, ("production", ""), "3", "hold 2 1");
        check(effect, ("production", ""), "2 1", "allow");
        check(effect, ("production", "freeze"), "c8 8", "deny frozen");
        check(effect, ("production", "local"), "", "allow");
        check(effect, ("production", "local freeze"), "", "allow");
    }
    check(Effect::Read, ("production", "local"), "", "allow");
}

#[test]
fn guarded() {
    let set = preset(Preset::Guarded);
    let check = |effect, place, approvals, expect| check(&set, effect, place, approvals, expect);
    check(Effect::Read, ("staging", ""), "", "allow");
    check(Effect::Read, ("production", ""), "", "allow");
    check(Effect::Read, ("production", "freeze"), "", "allow");
    check(Effect::Create, ("staging", ""), "", "allow");
    check(Effect::Change, ("staging", ""), "", "allow");
    check(Effect::Destroy, ("staging", ""), "", "allow");
    check(Effect::Grant, ("test", ""), "", "allow");
    check(Effect::Destroy, ("staging", "freeze"), "", "deny frozen");
    check(Effect::Opaque, ("staging", ""), "", "hold c 0 0");
    check(Effect::Opaque, ("staging", ""), "c", "allow");
    check(Effect::Opaque, ("staging", "freeze"), "c", "deny frozen");
    check(Effect::Change, ("production", ""), "", "hold 1 0");
    check(Effect::Change, ("production", ""), "1", "allow");
    check(Effect::Change, ("production", "freeze"), "1", "deny frozen");
    for effect in Effect::ALL.into_iter().filter(|effect| effect.is_dangerous()) {
        check(effect, ("production", ""), "", "hold 2 1");
        check(effect, ("production", ""), "1 1", "hold 2 1");
        check(effect, ("production", ""), "2", "hold 2 1");
        check(effect, ("production", ""), "2 1", "allow");
        check(effect, ("production", "freeze"), "2 1", "deny frozen");
        check(effect, ("production", "local freeze"), "", "allow");
    }
}

/// Wherever people are asked, the glass stands in for them; never where nobody could agree, and never for time.
#[test]
fn glass_stands_in_for_people_and_nothing_else() {
    for which in [Preset::Ask, Preset::Guarded] {
        let set = preset(which);
        for effect in Effect::ALL {
            for environment in ["production", "staging", ""] {
                check(&set, effect, (environment, ""), "g", "allow");
                let frozen = if effect == Effect::Read { "allow" } else { "deny frozen" };
                check(&set, effect, (environment, "freeze"), "g", frozen);
            }
        }
    }
    let permit = |when: &str| {
        own(&format!("@id(\"p\") permit (principal, action, resource) when {{ {when} }};"))
    };
    check(&permit("context.approvals.peers >= 2"), Effect::Change, ("test", ""), "g", "hold 2 0");
    // Nobody is asked to break it.
    check(&permit("context.approvals.glass"), Effect::Change, ("test", ""), "", "deny policy");
    let waits = own("@id(\"p\") permit (principal, action, resource) when { context.approvals.glass };
        @id(\"w\") forbid (principal, action, resource) unless { context.waited >= 60 };");
    check(&waits, Effect::Change, ("test", ""), "g", "deny policy");
}

#[test]
fn what_is_not_known_is_production() {
    let set = preset(Preset::Guarded);
    for environment in ["production", "", "prod-eu", "Staging", "staging ", "stagging", "live"] {
        check(&set, Effect::Change, (environment, ""), "", "hold 1 0");
    }
    for environment in
        ["ci", "demo", "dev", "development", "preview", "qa", "sandbox", "staging", "test"]
    {
        check(&set, Effect::Change, (environment, ""), "", "allow");
    }
    // Whoever compares the word instead of asking for the attribute gets the same answer.
    let set = own(r#"@id("p") permit (principal, action, resource);
        @id("f") forbid (principal, action, resource) when { resource.environment == "production" };"#);
    check(&set, Effect::Read, ("prod-eu", ""), "", "deny policy");
    check(&set, Effect::Read, ("staging", ""), "", "allow");
}

#[test]
fn all_acts_together() {
    let check = |which: Preset, acts: &[Act], expect: &str, policies: &[&str]| {
        let decision =
            preset(which).decide(&intent("production", acts), &Around::default().situation());
        assert_eq!(words(&decision), expect, "{acts:?}");
        assert_eq!(decision.basis.policies, policies, "{acts:?}");
    };
    let (read, change) = (act(Effect::Read, "a"), act(Effect::Change, "a"));
    let destroy = act(Effect::Destroy, "b");
    let free = local(Effect::Create);
    check(Preset::Guarded, &[read.clone(), free.clone()], "allow", &["guarded/local", "guarded/read"]);
    check(
        Preset::Guarded,
        &[read.clone(), change.clone()],
        "hold 1 0",
        &["guarded/production-write", "guarded/read"],
    );
    check(
        Preset::Guarded,
        &[change.clone(), destroy.clone()],
        "hold 2 1",
        &["guarded/production-dangerous", "guarded/production-write"],
    );
    check(Preset::Ask, &[read.clone(), change], "hold c 1 0", &["ask/production-write", "ask/read"]);
    check(
        Preset::Ask,
        &[read, destroy, free],
        "hold c 2 1",
        &["ask/local", "ask/production-dangerous", "ask/production-write", "ask/read"],
    );
}

#[test]
fn a_grant_is_for_this_request_and_lapses() {
    let set = preset(Preset::Guarded);
    let decision =
        set.decide(&intent("staging", &[act(Effect::Read, "t")]), &Around::default().situation());
    let Verdict::Allow(grant) = decision.verdict else { panic!("{decision:?}") };
    assert_eq!((grant.digest(), grant.session().as_str()), (Digest::of(b"request"), "s-1"));
    assert!(grant.is_live(NOW.plus(GRANT_MS_MAX - 1)) && !grant.is_live(NOW.plus(GRANT_MS_MAX)));
    assert_eq!(grant.basis(), &decision.basis);
    assert_eq!((decision.basis.policy_set, decision.basis.hold), (set.hash(), None));
}

#[test]
fn what_was_permitted_is_decided_again_only_for_equal_inputs() {
    let (set, asks, around) =
        (preset(Preset::Guarded), intent("staging", &[act(Effect::Change, "t")]), Around::default());
    let mut memo = Memo::default();
    assert!(set.decide_again(&memo, Asks::from(&asks), &around.situation()).is_none());
    assert_eq!(words(&set.decide_noting(&mut memo, &asks, &around.situation())), "allow");
    let again = |set: &Policies, asks: &Intent, around: &Around| {
        set.decide_again(&memo, Asks::from(asks), &around.situation()).is_some()
    };
    assert!(again(&set, &asks, &around));
    let frozen = Around { frozen: true, ..Around::default() };
    assert!(!again(&set, &asks, &frozen), "a freeze");
    let narrowed = Narrowing { may: vec![Effect::Read], on: Vec::new() };
    assert!(!again(&set, &asks, &Around { narrowing: narrowed, ..Around::default() }), "a narrowing");
    assert!(!again(&set, &asks, &Around { given: CROWD, ..Around::default() }), "approvals");
    assert!(!again(&preset(Preset::Ask), &asks, &around), "another set");
    assert!(!again(&set, &intent("production", &[act(Effect::Change, "t")]), &around), "elsewhere");
    assert!(!again(&set, &intent("staging", &[act(Effect::Destroy, "t")]), &around), "another act");
    let mut other = asks.clone();
    other.principal.human = true;
    assert!(!again(&set, &other, &around), "a human");
}

#[test]
fn refusals() {
    let set = preset(Preset::Guarded);
    let check = |effect, around: &Around, expect: &str, message: &str, policies: &[&str]| {
        let decision = set.decide(&intent("production", &[act(effect, "t")]), &around.situation());
        let Verdict::Deny(refusal) = &decision.verdict else { panic!("{decision:?}") };
        assert_eq!(refusal.reason.as_str(), expect);
        assert!(refusal.message.contains(message), "{}", refusal.message);
        assert!(!refusal.next.is_empty());
        assert_eq!(
            (&refusal.policies, &decision.basis.policies),
            (&strings(policies), &strings(policies))
        );
    };
    let around = Around::default();
    let alone = Around { possible: passkeys(true, 1, 1), ..around.clone() };
    check(
        Effect::Destroy,
        &alone,
        "nobody_can",
        "two different people other than the controller, one of them an owner",
        &["guarded/production-write"],
    );
    let no_owner = Around { possible: passkeys(true, 9, 0), ..around.clone() };
    check(Effect::Destroy, &no_owner, "nobody_can", "an owner", &["guarded/production-write"]);
    let frozen = Around { frozen: true, ..around.clone() };
    check(Effect::Change, &frozen, "frozen", "frozen", &["guarded/freeze"]);
    let frozen_alone = Around { frozen: true, ..alone };
    check(Effect::Destroy, &frozen_alone, "frozen", "frozen", &["guarded/freeze"]);
    let narrowing = Narrowing { may: vec![Effect::Read], on: Vec::new() };
    let narrowed = Around { narrowing, given: CROWD, ..around };
    check(Effect::Change, &narrowed, "narrowed", "change relation:t", &[]);
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[test]
fn who_is_asked() {
    let check = |text: &str, possible: &str, expect: &str| {
        let set = own(&format!("@id(\"p\") permit (principal, action, resource) when {{ {text} }};"));
        let around = Around { possible: given(possible), ..Around::default() };
        let decision =
            set.decide(&intent("production", &[act(Effect::Change, "t")]), &around.situation());
        assert_eq!(words(&decision), expect, "{text} with {possible}");
    };
    check("context.approvals.peers > 2", "3", "hold 3 0");
    check("context.approvals.controller == true", "c", "hold c 0 0");
    check("context.approvals.controller || context.approvals.peers >= 1", "c8", "hold c 0 0");
    check("context.approvals.controller || context.approvals.peers >= 1", "8", "hold 1 0");
    check("context.approvals.owners >= 2", "8 2", "hold 2 2");
    check("context.approvals.owners >= 1 || context.approvals.peers >= 2", "8 8", "hold 1 1");
    check("context.approvals.owners >= 1 || context.approvals.peers >= 3", "8 0", "hold 3 0");
    check("context.approvals.owners >= 1 || context.approvals.peers >= 3", "2 0", "deny nobody_can");
    check("context.approvals.owners >= 1 && context.approvals.peers >= 8", "8 8", "hold 8 1");
    check("context.approvals.peers >= 0", "", "allow");
    check("context.approvals.signers >= 1", "8", "hold 0 0 1 0");
    check("context.approvals.signers >= 1 || context.approvals.peers >= 1", "8", "hold 0 0 1 0");
    check("context.approvals.signers >= 2 || context.approvals.peers >= 1", "8", "hold 1 0");
    check("context.approvals.signers >= 3 && context.approvals.peers >= 2", "8", "hold 2 0 3 0");
    check("context.approvals.signers >= 2 && context.approvals.peers >= 2", "8", "hold 2 0");
    check("context.approvals.signers >= 3 && context.approvals.owners >= 1", "8 8", "hold 1 1 3 0");
    check("context.approvals.signers >= 3", "2", "deny nobody_can");
    // Nobody has an attested key.
    check("context.approvals.hardware >= 1", "8 8", "deny nobody_can");
    check("context.approvals.hardware >= 1", "8 8 0 1", "hold 1 0 0 1");
    check("context.approvals.hardware > 0 && context.approvals.peers >= 2", "8 8 0 1", "hold 2 0 0 1");
    check("context.approvals.hardware >= 1 || context.approvals.peers >= 3", "8 8", "hold 3 0");
    check("resource.kind == \"role\" && context.approvals.peers >= 1", "8", "deny policy");
    check("context.freeze && context.approvals.peers >= 1", "8", "deny policy");
}

#[test]
fn the_principal_and_the_resource_as_policies_see_them() {
    let check = |condition: &str, expect: &str| {
        let set =
            own(&format!("@id(\"p\") permit (principal, action, resource) when {{ {condition} }};"));
        let relation = |name: &str, touched| RelationFacts {
            name: name.to_owned(),
            rows: Some(9),
            touched,
            ..RelationFacts::default()
        };
        let relations = vec![
            relation("public.t", Some(4)),
            relation("audit.t", Some(6)),
            relation("at", Some(99)),
            relation("public.u", None),
        ];
        let facts = Facts { relations, ..Facts::default() };
        let around = Around { facts, ..Around::default() };
        let name = if condition.contains("unknown") { "u" } else { "t" };
        let decision =
            set.decide(&intent("staging", &[act(Effect::Change, name)]), &around.situation());
        assert_eq!(words(&decision), expect, "{condition}");
    };
    check("principal == Agent::\"kiro\"", "allow");
    check("principal is Agent && principal.controller == Human::\"alice\"", "allow");
    check("principal.controller.controller == Human::\"alice\"", "allow");
    check("principal is Human", "deny policy");
    check(
        "resource.upstream == \"orders\" && resource.kind == \"relation\" && resource.name == \"t\"",
        "allow",
    );
    check("resource.environment == \"staging\" && !resource.production", "allow");
    check("context.reversibility == \"reversible\"", "allow");
    check("context has rows && context.rows == 6", "allow");
    check("context has rows && \"unknown\" != \"\"", "deny policy");
}

#[test]
fn time_used_so_that_it_alone_might_allow() {
    let check = |text: &str, expected: &str| {
        let source = Source { name: "own.cedar".to_owned(), text: text.to_owned() };
        let found = Policies::load(&[source]).map(drop).unwrap_err().to_string();
        assert!(found.contains(expected), "{text}: {found}");
    };
    let when = |ask: &str| format!("@id(\"p\") permit (principal, action, resource) when {{ {ask} }};");
    let unless =
        |ask: &str| format!("@id(\"p\") forbid (principal, action, resource) unless {{ {ask} }};");
    check(&when("context.waited >= 43201"), "outside 0 to 43200 seconds");
    check(&when("context.waited >= -1"), "outside 0 to 43200 seconds");
    check(&when("context.waited >= 60"), "time alone");
    check(&when("context.approvals.peers >= 1 || context.waited >= 60"), "time alone");
    check(&when("context.approvals.peers >= 0 && context.waited >= 60"), "time alone");
    check(&when("context.freeze || context.waited > 60 && resource.production"), "time alone");
    check(&when("context.approvals.peers > -1 && context.waited >= 60"), "time alone");
    check(&unless("context.approvals.peers >= 2 || context.waited >= 3600"), "time alone");
    check(&when("context.waited <= 60"), "might not help");
    check(&when("context.waited == 60"), "might not help");
    check(&unless("context.waited < 60"), "might not help");
}

#[test]
fn time_is_asked_for_as_people_are() {
    let check = |when: &str, given: &str, waited: u32, expect: &str| {
        let set = own(&format!("@id(\"p\") permit (principal, action, resource) when {{ {when} }};"));
        let asks = intent("production", &[act(Effect::Destroy, "t")]);
        let given = Approvals { waited, ..self::given(given) };
        let decision = set.decide(&asks, &Around { given, ..Around::default() }.situation());
        assert_eq!(words(&decision), expect, "{when}");
        match decision.verdict {
            Verdict::Hold(needs) => needs.waited,
            _ => 0,
        }
    };
    let both = "context.approvals.peers >= 1 && context.waited >= 600";
    assert_eq!(check(both, "0", 0, "hold 1 0"), 600);
    assert_eq!(check(both, "1", 599, "hold 1 0"), 600);
    assert_eq!(check(both, "0", 600, "hold 1 0"), 600);
    assert_eq!(check(both, "1", 600, "allow"), 0);
    // Fewest people first, then the shortest time.
    let either = "context.approvals.peers >= 2 || context.approvals.peers >= 1 && context.waited > 59";
    assert_eq!(check(either, "0", 0, "hold 1 0"), 60);
    assert_eq!(check(either, "2", 0, "allow"), 0);
    // What is permitted anyway is put off.
    let put_off =
        "true }; @id(\"f\") forbid (principal, action, resource) unless { context.waited >= 60";
    assert_eq!(check(put_off, "0", 0, "hold 0 0"), 60);
    assert_eq!(check(put_off, "0", 60, "allow"), 0);
}

#[test]
fn a_human_session_is_no_agent() {
    let set = own(
        "@id(\"p\") permit (principal is Human, action, resource) when { principal == principal.controller };",
    );
    let mut asks = intent("staging", &[act(Effect::Read, "t")]);
    assert_eq!(words(&set.decide(&asks, &Around::default().situation())), "deny policy");
    asks.principal.human = true;
    asks.principal.agent = "alice".to_owned();
    assert_eq!(words(&set.decide(&asks, &Around::default().situation())), "allow");
    asks.principal.agent = "bob".to_owned();
    assert_eq!(words(&set.decide(&asks, &Around::default().situation())), "deny policy");
}

/// Overflows on every request, whatever it is.
const FAILS: &str =
    "if resource.production then 9223372036854775807 + N == 0 else N + 9223372036854775807 == 0";

#[test]
fn an_error_is_a_refusal() {
    let check = |policy: &str| {
        let policy = policy.replace("FAILS", &FAILS.replace('N', "(if context.asked then 1 else 2)"));
        let all = "@id(\"all\") permit (principal, action, resource);";
        let set = own(&format!("{all}\n@id(\"bad\") {policy}"));
        let acts = [act(Effect::Read, "t"), act(Effect::Destroy, "t")];
        let decision = set.decide(&intent("staging", &acts), &Around::default().situation());
        assert_eq!(words(&decision), "deny policy_error", "{policy}");
        assert_eq!(decision.basis.policies, ["bad"], "{policy}");
        let Verdict::Deny(refusal) = decision.verdict else { panic!("no refusal") };
        assert_eq!(refusal.policies, ["bad"]);
        let told = format!("{} {}", refusal.message, refusal.next);
        assert!(!told.contains("overflow") && !told.contains("bad"), "{told}");
    };
    check("permit (principal, action, resource) when { FAILS };");
    check("forbid (principal, action, resource) when { FAILS };");
    check("forbid (principal, action == Action::\"destroy\", resource) when { FAILS };");
    check(
        "forbid (principal, action, resource) when { FAILS } unless { context.approvals.peers >= 1 };",
    );
}

#[test]
fn flaws() {
    let check = |text: &str, at: &str, says: &str| {
        let source = Source { name: "own.cedar".to_owned(), text: text.to_owned() };
        let error = Policies::load(&[source]).err().map(|error| error.to_string()).unwrap_or_default();
        let place = format!("own.cedar:{at}: ");
        let found = error.lines().any(|line| line.starts_with(&place) && line.contains(says));
        assert!(found, "{text} should say {says} at {at}: {error}");
    };
    check("", "1:1", "there are no policies");
    check("\npermit (principal, action, resource) whem { true };", "2:38", "not Cedar");
    check("@id(\"a\")\npermit (principal, action, resource)", "2:37", "not Cedar");
    check("// no id\n  permit (principal, action, resource);", "2:3", "put @id(");
    check("@id(\"\") permit (principal, action, resource);", "1:1", "put @id(");
    check("@id(\"a b\") permit (principal, action, resource);", "1:1", "`a b` is not an id");
    let twice = "@id(\"a\") permit (principal, action, resource);\n@id(\"a\") permit (principal, action, resource);";
    check(twice, "2:1", "already used at own.cedar:1");
    check("@id(\"a\") permit (principal == ?principal, action, resource);", "1:1", "templates");
    check(
        "@id(\"a\")\npermit (principal, action, resource)\nwhen { resource.nmae == \"x\" };",
        "3:8",
        "`a` does not fit the schema",
    );
    check(
        "@id(\"a\") permit (principal, action == Action::\"delete\", resource);",
        "1:39",
        "fit the schema",
    );
    check(
        "@id(\"a\") permit (principal, action, resource) when { context.rows > 1 };",
        "1:54",
        "fit the schema",
    );
    check("@id(\"a\") permit (principal, action, resource) when { false };", "1:1", "fit the schema");
    check(
        "@id(\"a\") permit (principal, action == Action::\"write\", resource);",
        "1:1",
        "fit the schema",
    );
}

/// Loads one policy with the id `a`, which fails with these words or not at all.
fn loads(policy: &str, says: &str) {
    let text = format!("\n@id(\"a\") {policy};");
    let source = Source { name: "own.cedar".to_owned(), text };
    let error = Policies::load(&[source]).err().map(|error| error.to_string()).unwrap_or_default();
    if says.is_empty() {
        assert_eq!(error, "", "{policy}");
    } else {
        assert!(
            error.starts_with("own.cedar:2:1: policy `a`") && error.contains(says),
            "{policy}: {error}"
        );
    }
}

#[test]
fn approvals_used_so_that_more_might_not_help() {
    let when = |condition: &str| format!("permit (principal, action, resource) when {{ {condition} }}");
    let unless =
        |condition: &str| format!("forbid (principal, action, resource) unless {{ {condition} }}");
    for fine in [
        "context.approvals.peers >= 1",
        "context[\"approvals\"][\"peers\"] > 0",
        "(context.approvals.peers >= 2 && context.approvals.owners >= 1) || context.approvals.controller",
        "resource.production && (!context.freeze || context.approvals.controller == true)",
        "context.approvals.signers >= 2 || context.approvals.hardware > 0 || context.approvals.on_hours >= 1",
        "context.approvals.teams.contains(\"payments\") && context.approvals.teams.containsAll([\"a\", \"b\"])",
        "context.approvals.peers >= 2 || context.approvals.glass == true",
    ] {
        loads(&when(fine), "");
        loads(&unless(fine), "");
        loads(&format!("forbid (principal, action, resource) when {{ {fine} }}"), "might not help");
        loads(&format!("permit (principal, action, resource) unless {{ {fine} }}"), "might not help");
    }
    for bad in [
        "context.approvals.peers == 1",
        "context.approvals.peers != 1",
        "context.approvals.peers < 1",
        "context.approvals.peers <= 1",
        "1 <= context.approvals.peers",
        "!(context.approvals.peers >= 1)",
        "!context.approvals.controller",
        "!context.approvals.glass",
        "context.approvals.glass != true",
        "context.approvals.controller == false",
        "context.approvals.controller == context.freeze",
        "context.approvals.peers >= context.approvals.owners",
        "context.approvals.signers <= 1",
        "context.approvals.hardware == 0",
        "!context.approvals.teams.contains(\"payments\")",
        "context.approvals.teams.contains(resource.upstream)",
        "context.approvals.teams.containsAll([\"a\", resource.upstream])",
        "context.approvals.teams.isEmpty()",
        "[\"a\"].containsAll(context.approvals.teams)",
        "context.approvals.teams.containsAny([\"a\"])",
        "context.approvals.peers + 1 >= 2",
        "if context.approvals.controller then false else true",
        "if context.freeze then context.approvals.controller else true",
        "context.approvals == {controller: false, peers: 0, owners: 0, signers: 0, hardware: 0, glass: true, on_hours: 0, teams: [\"a\"]}",
        "[context.approvals.peers].contains(0)",
        "context.freeze && context has approvals",
        "context.freeze && context has approvals.peers",
        "context.freeze && context == context",
        "{a: context}.a.approvals.peers >= 1",
        "(context.approvals.peers >= 1) == false",
        "(if context.freeze then context else context).approvals.peers >= 1",
    ] {
        loads(&when(bad), "might not help");
        loads(&unless(bad), "might not help");
    }
    loads(&when("context.approvals.peers >= 9"), "outside 0 to 8");
    loads(&when("context.approvals.peers > 8"), "outside 0 to 8");
    loads(&when("context.approvals.owners >= -1"), "outside 0 to 8");
    loads(&when("context.approvals.signers >= 9 || context.approvals.hardware > 8"), "outside 0 to 8");
    loads(&when("context.approvals.peers > 9223372036854775807"), "outside 0 to 8");
    let nine = (0..9).map(|at| format!("\"t{at}\"")).collect::<Vec<_>>().join(", ");
    loads(&when(&format!("context.approvals.teams.containsAll([{nine}])")), "outside 0 to 8");
}

#[test]
fn the_hash_is_of_the_meaning() {
    let (one, two) = (
        "@id(\"a\") permit (principal, action, resource);",
        "@id(\"b\") forbid (principal, action, resource) when { context.freeze };",
    );
    let base = own(&format!("{one}{two}"));
    assert_eq!(own(&format!("{two}\n// comment\n{one}")).hash(), base.hash());
    let sources = [two, one].map(|text| Source { name: "x".to_owned(), text: text.to_owned() });
    assert_eq!(Policies::load(&sources).map(|set| set.hash()).ok(), Some(base.hash()));
    assert_ne!(own(one).hash(), base.hash());
    assert_ne!(own(&format!("{one}{two}").replace("freeze", "asked")).hash(), base.hash());
    assert_ne!(own(&format!("{one}{two}").replace("\"b\"", "\"c\"")).hash(), base.hash());
    assert_ne!(preset(Preset::Ask).hash(), preset(Preset::Guarded).hash());
    assert_eq!(base.ids().collect::<Vec<_>>(), ["a", "b"]);
    assert!(!format!("{base:?}").contains("freeze"));
}

#[test]
fn a_set_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Policies>();
}

#[test]
fn presets_by_name() {
    assert_eq!("ask".parse(), Ok(Preset::Ask));
    assert_eq!("guarded".parse(), Ok(Preset::Guarded));
    assert_eq!("observe".parse::<Preset>(), Err(NotAPreset));
}

/// The same set with every policy in every slice.
fn unsliced(set: &Policies) -> Policies {
    let mut all = PolicySet::new();
    let mut thresholds = Thresholds::default();
    for slice in set.slices.values() {
        thresholds.merge(&slice.thresholds);
        for policy in
            slice.policies.policies().filter(|policy| set.ids().any(|id| policy.id().to_string() == id))
        {
            // A policy of several slices is added once.
            drop(all.add(policy.clone()));
        }
    }
    let slice = || Slice { policies: all.clone(), thresholds: thresholds.clone(), asking: Vec::new() };
    let slices = Effect::ALL.into_iter().map(|effect| (effect, slice())).collect();
    let (schema, ids, unknown) = (set.schema.clone(), set.ids.clone(), Vec::new());
    Policies { schema, slices, ids, hash: set.hash, unknown }
}

fn effects() -> impl Strategy<Value = Effect> {
    prop::sample::select(Effect::ALL.to_vec())
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let one = (effects(), "[ab]", any::<bool>(), 0..3_u8).prop_map(|(effect, name, local, grade)| {
        let reversibility = match grade {
            0 => Reversibility::Reversible,
            1 => Reversibility::Recoverable,
            _ => Reversibility::Irreversible,
        };
        Act { local, reversibility, ..act(effect, &name) }
    });
    prop::collection::vec(one, 1..4)
}

fn approvals() -> impl Strategy<Value = Approvals> {
    (any::<(bool, bool)>(), 0..=4_u32, 0..=4_u32, 0..=2_u32, 0..=2_u32, 0..=900_u32).prop_map(
        |((controller, glass), peers, owners, weaker, hardware, waited)| Approvals {
            glass,
            controller,
            peers,
            owners: owners.min(peers),
            signers: peers + weaker,
            hardware: hardware.min(peers),
            waited,
            ..NOBODY
        },
    )
}

fn environments() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["production", "staging", "test", "", "eu"]).prop_map(ToOwned::to_owned)
}

prop_compose! {
    fn arounds()(
        frozen: bool, asked: bool, given in approvals(), possible in approvals(),
        touched in prop::option::of(0..20_u64),
    ) -> Around {
        let name = "public.a".to_owned();
        let relation = RelationFacts { name, touched, ..RelationFacts::default() };
        let facts = Facts { relations: vec![relation], ..Facts::default() };
        Around { frozen, asked, given, possible, facts, ..Around::default() }
    }
}

/// Policies of any kind that loading accepts, some of which fail while they are evaluated.
fn sets() -> impl Strategy<Value = String> {
    let scope = prop::sample::select(vec![
        "action",
        "action == Action::\"read\"",
        "action == Action::\"opaque\"",
        "action in Action::\"write\"",
        "action in Action::\"dangerous\"",
        "action in [Action::\"read\", Action::\"create\"]",
        "action in [Action::\"dangerous\", Action::\"change\"]",
    ]);
    let condition = prop::sample::select(vec![
        "when { resource.production }",
        "when { context.freeze || context.asked }",
        "when { context has rows && context.rows > 10 }",
        "when { context has rows && context.rows * 9223372036854775807 > 10 }",
        "when { context.local && resource.name == \"a\" }",
        "when { principal is Agent }",
    ]);
    let count = 0..=APPROVALS_MAX;
    let of = prop::sample::select(vec!["peers", "owners", "signers", "hardware"]);
    let also = prop::sample::select(vec![
        "",
        "",
        " || context.approvals.controller",
        " && context.waited >= 600",
        " && context.waited > 59",
    ]);
    let ask = (count, of, also)
        .prop_map(|(count, who, also)| format!("{{ context.approvals.{who} >= {count}{also} }}"));
    let policy = (any::<bool>(), scope, condition, prop::option::of(ask));
    prop::collection::vec(policy, 1..8).prop_map(|policies| {
        let line =
            |(number, (permit, scope, condition, ask)): (usize, (bool, &str, &str, Option<String>))| {
                let (effect, clause) = if permit { ("permit", "when") } else { ("forbid", "unless") };
                let ask = ask.map(|ask| format!("{clause} {ask}")).unwrap_or_default();
                // Time alone permits nothing.
                let ask = if permit {
                    ask.replace("|| context.waited", "&& context.waited").replace(">= 0 &&", ">= 1 &&")
                } else {
                    ask
                };
                format!(
                    "@id(\"p{number}\") {effect} (principal, {scope}, resource) {condition} {ask};\n"
                )
            };
        policies.into_iter().enumerate().map(line).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn slices_never_change_a_decision(
        text in sets(), environment in environments(), acts in acts(), around in arounds(),
    ) {
        let set = own(&text);
        let asks = intent(&environment, &acts);
        let sliced = set.decide(&asks, &around.situation());
        let whole = unsliced(&set).decide(&asks, &around.situation());
        prop_assert_eq!(words(&sliced), words(&whole));
        prop_assert_eq!(sliced.basis, whole.basis);
    }

    #[test]
    fn deciding_again_gives_the_grant_of_deciding_anew(
        texts in prop::collection::vec(sets(), 1..3),
        asked in prop::collection::vec((any::<prop::sample::Index>(), environments(), acts(), arounds()), 1..6),
        again in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index)>(), 1..12),
    ) {
        let sets: Vec<Policies> = texts.iter().map(|text| own(text)).collect();
        let mut memo = Memo::default();
        for (set, environment, acts, around) in &asked {
            let decision = set.get(&sets)
                .decide_noting(&mut memo, &intent(environment, acts), &around.situation());
            drop(decision);
        }
        // Parts of different questions in all combinations: most were asked by nobody.
        for (one, other) in again {
            let ((set, environment, acts, around), (_, elsewhere, others, later)) =
                (one.get(&asked), other.get(&asked));
            let set = set.get(&sets);
            let mixed = Around { frozen: later.frozen, asked: later.asked, ..around.clone() };
            for (environment, acts, around) in [
                (environment, acts, around),
                (elsewhere, acts, around),
                (environment, others, around),
                (environment, acts, later),
                (environment, acts, &mixed),
            ] {
                let mut asks = intent(environment, acts);
                asks.digest = Digest::of(b"another request of the same acts");
                asks.principal.session = SessionId::new("s-2");
                let later = Situation { now: NOW.plus(5), ..around.situation() };
                if let Some(grant) = set.decide_again(&memo, Asks::from(&asks), &later) {
                    let anew = set.decide(&asks, &later).verdict;
                    prop_assert!(matches!(&anew, Verdict::Allow(fresh) if *fresh == grant), "{anew:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_allowed_when_a_policy_fails(
        text in sets(), environment in environments(), acts in acts(), around in arounds(), permit: bool,
    ) {
        let effect = if permit { "permit" } else { "forbid" };
        let fails = FAILS.replace('N', "(if context.asked then 1 else 2)");
        let bad = format!("@id(\"bad\") {effect} (principal, action, resource) when {{ {fails} }};");
        let decision = own(&format!("{text}{bad}")).decide(&intent(&environment, &acts), &around.situation());
        prop_assert_eq!(words(&decision), "deny policy_error");
        prop_assert!(decision.basis.policies.contains(&"bad".to_owned()));
    }

    #[test]
    fn more_approvals_never_hurt(
        which in prop::sample::select(vec![Preset::Ask, Preset::Guarded]),
        environment in environments(), acts in acts(), around in arounds(), more in approvals(),
    ) {
        let (set, asks) = (preset(which), intent(&environment, &acts));
        let before = set.decide(&asks, &around.situation());
        let given = Approvals {
            controller: around.given.controller || more.controller,
            peers: around.given.peers + more.peers,
            owners: around.given.owners + more.owners,
            signers: around.given.signers + more.signers,
            hardware: around.given.hardware + more.hardware,
            waited: around.given.waited + more.waited,
            on_hours: around.given.on_hours + more.on_hours,
            teams: BTreeSet::new(),
            glass: around.given.glass || more.glass,
        };
        let after = set.decide(&asks, &Around { given, ..around }.situation());
        if words(&before) == "allow" {
            prop_assert_eq!(words(&after), "allow");
        }
    }

    /// Whoever a hold asks for suffices, one fewer does not, and they can all be reached.
    #[test]
    fn a_hold_asks_for_exactly_enough(
        text in sets(), environment in environments(), acts in acts(), around in arounds(),
    ) {
        let (set, asks) = (own(&text), intent(&environment, &acts));
        let decision = set.decide(&asks, &around.situation());
        let Verdict::Hold(needs) = decision.verdict else { return Ok(()) };
        let less = || needs.clone();
        prop_assert!(needs.met_by(&reachable(&around.situation())));
        prop_assert!(needs.owners <= needs.peers && needs.hardware <= needs.peers);
        prop_assert!(needs.signers == 0 || needs.signers > needs.peers);
        prop_assert!(!needs.met_by(&around.given));
        let with = |needs: Needs| {
            let given = supposed(&needs);
            words(&set.decide(&asks, &Around { given, ..around.clone() }.situation()))
        };
        prop_assert_eq!(with(needs.clone()), "allow");
        if needs.controller {
            prop_assert_ne!(with(Needs { controller: false, ..less() }), "allow");
        }
        if needs.owners > 0 {
            prop_assert_ne!(with(Needs { owners: needs.owners - 1, ..less() }), "allow");
        }
        if needs.hardware > 0 {
            prop_assert_ne!(with(Needs { hardware: needs.hardware - 1, ..less() }), "allow");
        }
        if needs.signers > 0 {
            prop_assert_ne!(with(Needs { signers: needs.signers - 1, ..less() }), "allow");
        }
        if needs.waited > 0 {
            prop_assert_ne!(with(Needs { waited: needs.waited - 1, ..less() }), "allow");
        }
        if needs.peers > needs.owners.max(needs.hardware) {
            prop_assert_ne!(with(Needs { peers: needs.peers - 1, ..less() }), "allow");
        }
    }
}

#[test]
fn software_keys_count_for_nothing_in_the_shipped_policies() {
    let weak = Approvals { signers: 8, ..NOBODY };
    for which in [Preset::Ask, Preset::Guarded] {
        let set = preset(which);
        for effect in Effect::ALL {
            for environment in ["production", "staging"] {
                let asks = intent(environment, &[act(effect, "public.t")]);
                let with = |given| {
                    words(&set.decide(&asks, &Around { given, ..Around::default() }.situation()))
                };
                assert_eq!(with(weak.clone()), with(NOBODY), "{effect} in {environment}");
                let [one, two] = [passkeys(false, 1, 0), passkeys(false, 2, 0)];
                assert_eq!(
                    with(Approvals { signers: 8, ..one.clone() }),
                    with(one),
                    "{effect} in {environment}"
                );
                assert_eq!(
                    with(Approvals { signers: 8, ..two.clone() }),
                    with(two),
                    "{effect} in {environment}"
                );
            }
        }
    }
}

#[test]
fn what_is_only_observed_runs_and_the_verdict_is_written_down() {
    let policies = Policies::preset(Preset::Guarded).expect("the preset");
    let check = |effect: Effect, around: &Around, expect: Result<Observed, Reason>| {
        let intent = intent("production", &[act(effect, "orders")]);
        let decided = policies.decide(&intent, &around.situation());
        let observed = policies.observe_only(&intent, decided, NOW);
        match (observed.verdict, expect) {
            (Verdict::Allow(grant), Ok(expect)) => {
                assert_eq!(grant.basis().observed, Some(expect), "{effect}");
                assert_eq!(
                    (grant.digest(), grant.session()),
                    (intent.digest, &intent.principal.session)
                );
            }
            (Verdict::Deny(refusal), Err(reason)) => assert_eq!(refusal.reason, reason, "{effect}"),
            (verdict, expect) => panic!("{effect}: {verdict:?} and not {expect:?}"),
        }
    };
    let two = Needs { peers: 2, owners: 1, ..Needs::default() };
    let one = Needs { peers: 1, ..Needs::default() };
    check(Effect::Read, &Around::default(), Ok(Observed::Allow));
    check(Effect::Create, &Around::default(), Ok(Observed::Hold { needs: one }));
    check(Effect::Destroy, &Around::default(), Ok(Observed::Hold { needs: two }));
    let alone = Around { possible: NOBODY, ..Around::default() };
    check(Effect::Destroy, &alone, Ok(Observed::Deny { reason: Reason::NobodyCan }));
    let frozen = Around { frozen: true, ..Around::default() };
    check(Effect::Destroy, &frozen, Err(Reason::Frozen));
    let may = vec![Effect::Read];
    let narrowed = Around { narrowing: Narrowing { may, ..Narrowing::default() }, ..Around::default() };
    check(Effect::Create, &narrowed, Err(Reason::Narrowed));
}
