//! Scripts of what happens to a hold, and the properties that no script can break.
//!
//! A script is words: `+bob` approves as a peer, `+olga*` as an owner, `+alice=` as the controller, a
//! trailing `~` signs another card and `^` in somebody else's name; `$` signs by a software key, `%` by an
//! unattested one; `-bob` rejects; `?` presents the same
//! request, decided `allow`, or as `?deny`, `?hold`, `?other` (another request), `?session` (granted to
//! another session), `?lapsed`; `|bob` breaks the glass, by hardware key unless `$`, `%` or `?` (a passkey), with `_` for no reason;
//! `x` abandons; `.` only looks at the clock; `@5` sets it.

mod allowed;
mod explored;
mod teams;
mod together;

use proptest::prelude::*;

use super::*;
use crate::facts::Facts;
use crate::intent::{
    Act, Acts, Effect, Environment, Intent, Kind, Principal, Resource, Reversibility, Upstream,
};
use crate::people::{Known, People};
use crate::roster::Roster;
use crate::statement::{Decision, Statement, Subject};
use crate::verdict::{Basis, Reason, Refusal};

pub(super) const OPEN_MS: i64 = 1000;
const GRANT_MS: i64 = 100;

pub(super) fn held(needs: Needs) -> Hold {
    let act = Act {
        effect: Effect::Destroy,
        resource: Resource::new(Kind::Relation, "customers"),
        reversibility: Reversibility::Irreversible,
        local: false,
        why: "drops a table".to_owned(),
        tie: None,
    };
    let intent = Intent {
        principal: Principal {
            session: SessionId::new("s-1"),
            agent: "kiro".to_owned(),
            human: false,
            controller: PersonId::new("alice"),
            also: Vec::new(),
        },
        upstream: Upstream::new("orders"),
        environment: Environment::production(),
        acts: Acts::new(act, []),
        digest: Digest::of(b"request"),
        shape: Digest::of(b"shape"),
        text: "DROP TABLE customers".to_owned(),
        redacted: "DROP TABLE customers".to_owned(),
    };
    let card = Card {
        hold: HoldId::new("H-1"),
        intent,
        purpose: String::new(),
        facts: Facts::default(),
        roster: Roster::of(&needs, &teams::all()),
        needs,
        policies: Vec::new(),
        policy_set: Digest::of(b"policies"),
        taken: Timestamp(0),
        allowance: None,
    };
    Hold::open(card, Lifetimes::new(OPEN_MS, GRANT_MS), Timestamp(0))
}

fn approval(hold: &Hold, word: &str, now: Timestamp) -> Approval {
    let name: String = word.chars().filter(char::is_ascii_alphabetic).collect();
    let standing = match word {
        _ if word.contains('*') => Standing::Owner,
        _ if word.contains('=') => Standing::Controller,
        _ => Standing::Peer,
    };
    let card = if word.contains('~') { Digest::of(b"another card") } else { hold.card().digest() };
    let subject = Subject {
        hold: hold.id().clone(),
        request: hold.card().intent.digest,
        card,
        policy_set: hold.card().policy_set,
    };
    let statement = Statement {
        origin: "https://tyer.example.com".to_owned(),
        what: Decision::Approve(subject),
        person: if word.contains('^') { "mallory".to_owned() } else { name.clone() },
        root: Digest::of(b"root"),
        size: 1,
        nonce: String::new(),
        expires: Timestamp(i64::MAX),
    };
    let signed = Signed {
        statement,
        credential: String::new(),
        authenticator_data: String::new(),
        client_data: String::new(),
        signature: String::new(),
    };
    let assurance = match word {
        _ if word.contains('$') => Assurance::Software,
        _ if word.contains('%') => Assurance::Unattested,
        _ => Assurance::Passkey,
    };
    let (person, comment) = (PersonId::new(name), String::new());
    Approval { person, standing, at: now, comment, signed, assurance }
}

/// By hardware key unless the word says which; `_` gives no reason.
fn breaking(hold: &Hold, word: &str, now: Timestamp) -> Approval {
    let mut broken = approval(hold, word, now);
    if broken.assurance == Assurance::Passkey && !word.contains('?') {
        broken.assurance = Assurance::Hardware;
    }
    if let Decision::Approve(subject) = broken.signed.statement.what.clone() {
        let reason = if word.contains('_') { " " } else { "the shop is down" }.to_owned();
        broken.signed.statement.what = Decision::BreakGlass { subject, reason };
    }
    broken
}

fn allow(digest: Digest, session: &str, lapses: Timestamp) -> Verdict {
    let basis = Basis {
        policies: Vec::new(),
        policy_set: Digest::of(b"policies"),
        hold: None,
        observed: None,
        used: None,
    };
    Verdict::Allow(Grant::decided(digest, SessionId::new(session), lapses, basis))
}

fn present(how: &str, now: Timestamp) -> Event {
    let (same, later) = (Digest::of(b"request"), now.plus(GRANT_MS_MAX));
    let verdict = match how {
        "deny" => Verdict::Deny(Refusal::new(Reason::Frozen, "", "")),
        "hold" => Verdict::Hold(Needs { peers: 3, ..Needs::default() }),
        "other" => allow(Digest::of(b"other"), "s-1", later),
        "session" => allow(same, "s-2", later),
        "lapsed" => allow(same, "s-1", now),
        _ => allow(same, "s-1", later),
    };
    Event::Present { digest: if how == "other" { Digest::of(b"other") } else { same }, verdict }
}

fn event(hold: &Hold, word: &str, now: Timestamp) -> Event {
    let name = word.get(1..).unwrap_or_default();
    match word.chars().next() {
        Some('+') => Event::Approve(Box::new(approval(hold, name, now))),
        Some('|') => Event::BreakGlass(Box::new(breaking(hold, name, now))),
        Some('-') => Event::Reject { by: PersonId::new(name), reason: "no".to_owned() },
        Some('?') => present(name, now),
        Some('x') => Event::Abandon,
        Some('<') => Event::Undone,
        Some('!') => Event::Used,
        _ => Event::Tick,
    }
}

/// What came of one step, in a few words.
fn step(hold: Hold, word: &str, now: Timestamp) -> (Hold, String, Option<Grant>) {
    let event = event(&hold, word, now);
    match hold.step(event, now) {
        Next::Stays(hold, Changed::No) => (hold, "same".to_owned(), None),
        Next::Stays(hold, Changed::Yes) => {
            let state = hold.state_word().to_owned();
            (hold, state, None)
        }
        Next::Releases(hold, grant) => (hold, "released".to_owned(), Some(grant)),
        Next::Refuses(hold, error) => {
            let error = match error {
                StepError::Closed(state) => format!("!{state}"),
                StepError::Twice(_) => "!twice".to_owned(),
                StepError::Controller(_) => "!controller".to_owned(),
                StepError::NotController(_) => "!not-controller".to_owned(),
                StepError::CameLater(_) => "!came-later".to_owned(),
                StepError::NotHardware(_) => "!not-hardware".to_owned(),
                StepError::Many => "!many".to_owned(),
                StepError::NoReason => "!no-reason".to_owned(),
                StepError::OtherCard => "!other-card".to_owned(),
                StepError::CountsForNothing(..) => "!nothing".to_owned(),
                StepError::Uncovered(_) => "!uncovered".to_owned(),
                StepError::OtherRequest => "!other-request".to_owned(),
                StepError::NotYet(_) => "!not-yet".to_owned(),
                StepError::NotApproved => "!not-approved".to_owned(),
                StepError::RefusedNow(_) => "!refused-now".to_owned(),
                StepError::NeedsMore(_) => "!needs-more".to_owned(),
                StepError::Apart(_) => "!apart".to_owned(),
            };
            (hold, error, None)
        }
    }
}

fn run(needs: (bool, u32, u32), script: &str) -> (Hold, String) {
    let (controller, peers, owners) = needs;
    let mut hold = held(Needs { controller, peers, owners, ..Needs::default() });
    let (mut now, mut came) = (Timestamp(0), Vec::new());
    for word in script.split_whitespace() {
        if let Some(time) = word.strip_prefix('@') {
            now = Timestamp(time.parse().expect("a time"));
            continue;
        }
        let (next, what, _) = step(hold, word, now);
        hold = next;
        came.push(what);
    }
    (hold, came.join(" "))
}

fn check(needs: (bool, u32, u32), script: &str, expect: &str) {
    assert_eq!(run(needs, script).1, expect, "{needs:?}: {script}");
}

const ONE: (bool, u32, u32) = (false, 1, 0);
const TWO: (bool, u32, u32) = (false, 2, 1);
const OWN: (bool, u32, u32) = (true, 0, 0);

#[test]
fn it_does_not_run_before_people_had_their_time() {
    let check = |needs: &Needs, script: &str, expect: &str| {
        let (mut hold, mut now, mut came) = (held(needs.clone()), Timestamp(0), Vec::new());
        for word in script.split_whitespace() {
            if let Some(time) = word.strip_prefix('@') {
                now = Timestamp(time.parse().unwrap());
                continue;
            }
            let (next, what, _) = step(hold, word, now);
            (hold, _) = (next, came.push(what));
        }
        assert_eq!(came.join(" "), expect, "{script}");
    };
    // Grants live 100 ms, holds a second; times are in whole seconds.
    let one = Needs { peers: 1, waited: 2, ..Needs::default() };
    check(&one, "+bob ? @1999 ? @2000 ?", "approved !not-yet !not-yet released");
    check(&one, "? +bob @2099 ?", "!not-approved approved released");
    check(&one, "+bob @2100 ?", "approved expired");
    check(&one, "+bob @1500 -olga @2000 ?", "approved rejected !rejected");
    check(&one, "+bob @2050 ? < @2099 ?", "approved released approved released");
    check(&one, "@1000 +bob", "expired");
    // Nobody is asked, and anybody can stop it.
    let nobody = Needs { waited: 2, ..Needs::default() };
    check(&nobody, "? @2000 ?", "!not-yet released");
    check(&nobody, "@1 -bob @2000 ?", "rejected !rejected");
    check(&nobody, "@2100 ?", "expired");
}

#[test]
fn only_who_counted_when_it_was_opened_counts_and_as_no_more() {
    let check = |word: &str, expect: &str| {
        let then =
            [("bob", Standing::Peer), ("olga", Standing::Owner), ("alice", Standing::Controller)];
        let hold = held(Needs { controller: false, peers: 1, owners: 1, ..Needs::default() })
            .among(then.map(|(name, standing)| (PersonId::new(name), standing)).into());
        let (hold, came, _) = step(hold, word, Timestamp(0));
        let owners = hold.counted().owners;
        assert_eq!(format!("{came} {owners}"), expect, "{word}");
    };
    check("+bob", "open 0");
    check("+bob*", "open 0");
    check("+olga*", "approved 1");
    check("+carol", "!came-later 0");
    check("+carol*", "!came-later 0");
}

#[test]
fn whoever_else_controls_it_is_no_peer_either() {
    let mut hold = held(Needs { peers: 1, ..Needs::default() });
    hold.card.intent.principal.also = vec![PersonId::new("erin")];
    let (hold, came, _) = step(hold, "+erin", Timestamp(0));
    assert_eq!(came, "!controller");
    let (hold, came, _) = step(hold, "+erin=", Timestamp(0));
    assert_eq!(came, "!controller");
    assert_eq!(step(hold, "+bob", Timestamp(0)).1, "approved");
    // Nor does anybody agree in the controller's place.
    let mut hold = held(Needs { controller: true, ..Needs::default() });
    hold.card.intent.principal.also = vec![PersonId::new("erin")];
    let (hold, came, _) = step(hold, "+erin=", Timestamp(0));
    assert_eq!(came, "!not-controller");
    assert_eq!(step(hold, "+alice=", Timestamp(0)).1, "approved");
}

#[test]
fn nobody_agrees_late_and_nobody_who_does_not_count_lengthens_it() {
    let needs = Needs { peers: 1, waited: 2, ..Needs::default() };
    let hold = step(held(needs), "+bob", Timestamp(OPEN_MS - 1)).0;
    let (hold, came, _) = step(hold, "+carol", Timestamp(OPEN_MS));
    assert_eq!(came, "!past its time for approvals");
    let people = |carol: &str| -> People {
        let known = |one_with: &str| Known {
            counts: true,
            founder: true,
            one_with: one_with.split_whitespace().map(PersonId::new).collect(),
            ..Known::default()
        };
        let all = [("alice", known("")), ("bob", known("")), ("carol", known(carol))];
        all.into_iter().map(|(name, known)| (PersonId::new(name), known)).collect()
    };
    assert!(!hold.has_lapsed_among(&people(""), Timestamp(2_099)));
    assert!(hold.has_lapsed_among(&people(""), Timestamp(2_100)));
    let hold = held(Needs { peers: 1, ..Needs::default() });
    let hold = step(hold, "+bob", Timestamp(0)).0;
    let hold = step(hold, "+carol", Timestamp(99)).0;
    assert!(!hold.has_lapsed_among(&people(""), Timestamp(100)));
    assert!(hold.has_lapsed_among(&people("alice"), Timestamp(100)), "of bob's alone nothing is left");
}

#[test]
fn what_is_known_later_of_those_who_agreed_counts_too() {
    let known = |founder: bool, one_with: &str| Known {
        counts: true,
        founder,
        one_with: one_with.split_whitespace().map(PersonId::new).collect(),
        ..Known::default()
    };
    let check = |bob: Known, carol: Known, expect: u32| {
        let needs = Needs { peers: 2, ..Needs::default() };
        let hold = step(held(needs), "+bob", Timestamp(0)).0;
        let hold = step(hold, "+carol", Timestamp(0)).0;
        let people = [("bob", bob), ("carol", carol), ("alice", known(true, ""))];
        let people = people.into_iter().map(|(name, known)| (PersonId::new(name), known)).collect();
        assert_eq!(hold.counted().peers, 2);
        assert_eq!(hold.counted_among(&people, Timestamp(0)).peers, expect);
        assert_eq!(hold.counting(&people).len(), expect as usize);
    };
    check(known(true, ""), known(true, ""), 2);
    check(known(true, ""), known(true, "bob"), 1);
    check(known(true, "dan"), known(true, "dan"), 1);
    check(known(true, "alice"), known(true, ""), 1);
    check(known(true, ""), known(false, ""), 1);
}

#[test]
fn who_counts() {
    check(ONE, "? +bob ?", "!not-approved approved released");
    check(TWO, "+bob +carol ? +olga* ?", "open open !not-approved approved released");
    check(TWO, "+olga* +olga* +olga ?", "open !twice !twice !not-approved");
    check(TWO, "+olga* +oscar* ?", "open approved released");
    check(ONE, "+alice +alice* ?", "!controller !controller !not-approved");
    check(ONE, "+alice= ?", "!controller !not-approved");
    check(TWO, "+alice= +olga* ? +bob ?", "!controller open !not-approved approved released");
    check(OWN, "+bob +olga* ? +alice= ?", "open open !not-approved approved released");
    check(OWN, "+bob= ?", "!not-controller !not-approved");
    check((true, 1, 0), "+alice= ? +bob ?", "open !not-approved approved released");
}

/// A hold that asks for people by any key, for peers, and for owners.
fn check_keys([signers, peers, owners]: [u32; 3], script: &str, expect: &str) {
    let mut hold = held(Needs { signers, peers, owners, ..Needs::default() });
    let mut came = Vec::new();
    for word in script.split_whitespace() {
        let (next, what, _) = step(hold, word, Timestamp(0));
        hold = next;
        came.push(what);
    }
    assert_eq!(came.join(" "), expect, "{signers} {peers} {owners}: {script}");
}

#[test]
fn keys_count_for_what_they_prove() {
    check_keys([1, 0, 0], "+bob$ ?", "approved released");
    check_keys([1, 0, 0], "+bob% ?", "approved released");
    check_keys([1, 0, 0], "+bob ?", "approved released");
    // Less than a passkey counts for nothing that is asked for.
    check_keys([0, 1, 0], "+bob$ +bob% ? +bob ?", "!nothing !nothing !not-approved approved released");
    check_keys([0, 2, 1], "+olga*$ +bob% ?", "!nothing !nothing !not-approved");
    check(OWN, "+alice=$ +alice=% ? +alice= ?", "!nothing !nothing !not-approved approved released");
    // The controller counts by no key.
    check_keys(
        [1, 0, 0],
        "+alice$ +alice=$ +alice*$ ?",
        "!controller !controller !controller !not-approved",
    );
    // One human is one approval, by whichever key; a better one takes the place of a weaker one.
    check_keys(
        [2, 0, 0],
        "+bob$ +bob$ +bob% +bob +bob$ +bob% +bob ?",
        "open !twice open open !twice !twice !twice !not-approved",
    );
    check_keys([2, 0, 0], "+bob$ +bob ? +carol% ?", "open open !not-approved approved released");
    check_keys([2, 1, 0], "+bob$ +carol$ ? +bob ?", "open open !not-approved approved released");
    check_keys([3, 2, 1], "+bob$ +olga* +carol ?", "open open approved released");
    check_keys([3, 2, 1], "+bob +olga*$ +carol ?", "open open open !not-approved");
    check_keys([3, 2, 1], "+bob +olga*$ +carol +olga* ?", "open open open approved released");
}

#[test]
fn what_was_stored_before_there_were_other_keys_is_a_passkeys() {
    let (hold, _) = run((false, 2, 0), "+bob");
    let text = serde_json::to_string(&hold).expect("a hold is JSON");
    assert!(!text.contains("assurance") && !text.contains("signers"), "{text}");
    let (hold, _, _) = step(hold, "+carol$", Timestamp(0));
    assert_eq!(hold.counted().peers, 1);
    let mut hold = held(Needs { signers: 2, ..Needs::default() });
    (hold, _, _) = step(hold, "+carol$", Timestamp(0));
    let text = serde_json::to_string(&hold).expect("a hold is JSON");
    assert!(text.contains(r#""assurance":"software""#), "{text}");
    assert_eq!(serde_json::from_str::<Hold>(&text).expect("and reads back"), hold);
}

#[test]
fn what_was_signed() {
    check(ONE, "+bob~ ?", "!other-card !not-approved");
    check(ONE, "+bob^ ?", "!other-card !not-approved");
    check(ONE, "+bob~ +bob ?", "!other-card approved released");
    let signed_for_another = |change: fn(&mut Subject)| {
        let hold = held(Needs { peers: 1, ..Needs::default() });
        let mut approval = approval(&hold, "bob", Timestamp(0));
        let Decision::Approve(subject) = &mut approval.signed.statement.what else {
            panic!("no subject")
        };
        change(subject);
        let next = hold.step(Event::Approve(Box::new(approval)), Timestamp(0));
        assert!(matches!(next, Next::Refuses(_, StepError::OtherCard)), "{next:?}");
    };
    signed_for_another(|subject| subject.hold = HoldId::new("H-2"));
    signed_for_another(|subject| subject.request = Digest::of(b"other"));
    signed_for_another(|subject| subject.policy_set = Digest::of(b"other"));
    let hold = held(Needs { peers: 1, ..Needs::default() });
    let mut rejection = approval(&hold, "bob", Timestamp(0));
    if let Decision::Approve(subject) = rejection.signed.statement.what.clone() {
        rejection.signed.statement.what = Decision::Reject(subject);
    }
    let next = hold.step(Event::Approve(Box::new(rejection)), Timestamp(0));
    assert!(matches!(next, Next::Refuses(_, StepError::OtherCard)), "{next:?}");
}

#[test]
fn what_is_presented() {
    check(ONE, "+bob ? ? +carol ! ? +carol", "approved released !taken !taken spent !spent !spent");
    check(ONE, "+bob ?other ?", "approved !other-request released");
    check(ONE, "+bob ?session ?", "approved !other-request released");
    check(ONE, "+bob ?lapsed ?", "approved !other-request released");
    check(ONE, "+bob ?deny ?", "approved !refused-now released");
    check(ONE, "+bob ?hold +carol ?", "approved !needs-more approved released");
}

#[test]
fn time() {
    check(ONE, "@999 . +bob", "same approved");
    check(ONE, "@1000 . +bob ?", "expired !expired !expired");
    // Expiry is looked at first: a late yes changes nothing but that.
    check(ONE, "@1000 +bob ?", "expired !expired");
    check(TWO, "+bob @1000 +olga* ?", "open expired !expired");
    check(ONE, "@1000 -bob", "expired");
    check(ONE, "+bob @99 ?", "approved released");
    check(ONE, "+bob @100 ?", "approved expired");
    check(ONE, "+bob @100 +carol ?", "approved expired !expired");
    // The grant lapses a while after the last approval.
    check(ONE, "+bob @90 +carol @189 ?", "approved approved released");
    check(ONE, "+bob @90 +carol @190 ?", "approved approved expired");
    check(ONE, "@999 +bob @1098 ?", "approved released");
}

#[test]
fn a_grant_lapses_with_the_approvals() {
    let (hold, _) = run(ONE, "@50 +bob");
    assert_eq!(hold.ends(), Timestamp(150));
    let (hold, _, grant) = step(hold, "?", Timestamp(120));
    let grant = grant.expect("a grant");
    assert!(grant.is_live(Timestamp(149)) && !grant.is_live(Timestamp(150)));
    assert_eq!(grant.basis().hold.as_ref(), Some(hold.id()));
}

#[test]
fn no_and_never_mind() {
    check(ONE, "-bob +carol ? -carol", "rejected !rejected !rejected !rejected");
    check(ONE, "+bob -carol ?", "approved rejected !rejected");
    check(ONE, "-alice +bob", "rejected !rejected");
    check(ONE, "-bob x @5000 . ?", "rejected same same !rejected");
    check(ONE, "+bob ? -carol", "approved released !taken");
    check(ONE, "x +bob ? x", "abandoned !abandoned !abandoned same");
    check(ONE, "+bob x ?", "approved abandoned !abandoned");
    let (hold, _) = run(ONE, "@7 -bob @5000 .");
    let State::Rejected { by, until, .. } = hold.state() else { panic!("{hold:?}") };
    assert_eq!((by.as_str(), *until), ("bob", Timestamp(7 + REJECTED_MS)));
}

#[test]
fn a_grant_comes_back_from_what_was_rolled_back() {
    check(ONE, "+bob ? < ? ! ?", "approved released approved released spent !spent");
    check(ONE, "+bob ? < < ?", "approved released approved same released");
    check(ONE, "+bob ? ! < ?", "approved released spent same !spent");
    check(ONE, "+bob < ! ?", "approved same same released");
    check(ONE, "+bob ? < -carol ?", "approved released approved rejected !rejected");
    check(ONE, "+bob ? x < ?", "approved released same approved released");
    // Its time goes on while it is out, and is not renewed.
    let late = (GRANT_MS - 1, GRANT_MS);
    check(ONE, &format!("+bob ? @{} < ?", late.0), "approved released approved released");
    check(ONE, &format!("+bob ? @{} < ?", late.1), "approved released spent !spent");
    check(ONE, &format!("+bob ? @5 < @{} ?", late.1), "approved released approved expired");
}

#[test]
fn lifetimes_stay_within_the_limits() {
    let check = |open: i64, grant: i64, expect: (i64, i64)| {
        let lifetimes = Lifetimes::new(open, grant);
        assert_eq!((lifetimes.open_ms, lifetimes.grant_ms), expect);
    };
    check(i64::MAX, i64::MAX, (HOLD_MS_MAX, GRANT_MS_MAX));
    check(0, -5, (1, 1));
    check(5, 6, (5, 6));
}

#[test]
fn what_was_stored_cannot_make_a_controller_a_peer() {
    let (mut hold, _) = run((false, 8, 8), "+bob +olga*");
    let mut forged = approval(&hold, "alice*", Timestamp(0));
    hold.approvals.push(forged.clone());
    let counted =
        Approvals { controller: true, peers: 2, owners: 1, signers: 2, ..Approvals::default() };
    assert_eq!(hold.counted(), counted);
    forged.person = PersonId::new("bob");
    hold.approvals.push(forged);
    assert_eq!(hold.counted(), counted);
    let text = serde_json::to_string(&hold).expect("a hold is JSON");
    assert_eq!(serde_json::from_str::<Hold>(&text).expect("and reads back"), hold);
}

/// What a script says that happened, kept apart from the hold's own bookkeeping.
#[derive(Default)]
struct Witness {
    /// A grant is out.
    is_out: bool,
    used: bool,
    refused: bool,
    said_yes: Vec<(String, bool)>,
    last_yes: Option<i64>,
}

impl Witness {
    fn sees(&mut self, word: &str, now: i64) {
        let name: String = word.chars().filter(char::is_ascii_alphabetic).collect();
        match word.chars().next() {
            Some('+') if !word.contains(['~', '^']) => {
                self.said_yes.retain(|(known, owner)| *known != name || *owner);
                if !self.said_yes.iter().any(|(known, _)| *known == name) {
                    self.said_yes.push((name, word.contains('*')));
                }
                self.last_yes = Some(now);
            }
            // While a grant is out there is nothing to refuse any more.
            Some('-' | 'x') if !self.is_out => self.refused = true,
            Some('<') => self.is_out = false,
            Some('!') => {
                self.used |= self.is_out;
                self.is_out = false;
            }
            _ => {}
        }
    }

    /// Whether those who said yes could be enough, counting generously.
    fn could_be_enough(&self, needs: &Needs) -> bool {
        let others = self.said_yes.iter().filter(|(name, _)| name != "alice");
        let owners = others.clone().filter(|(_, owner)| *owner).count();
        let controller = self.said_yes.iter().any(|(name, _)| name == "alice");
        others.count() >= needs.peers as usize
            && owners >= needs.owners as usize
            && (controller || !needs.controller)
    }
}

fn words() -> impl Strategy<Value = Vec<(String, i64)>> {
    let people = prop::sample::select(vec!["alice", "bob", "carol", "olga", "oscar"]);
    let yes = (people, prop::sample::select(vec!["", "", "*", "*", "=", "~", "^"]))
        .prop_map(|(name, how)| format!("+{name}{how}"));
    let rest = prop::sample::select(vec![
        "?", "?", "?", "?deny", "?hold", "?other", "?session", "?lapsed", ".", "-bob", "x", "<", "!",
    ])
    .prop_map(ToOwned::to_owned);
    let pause = prop_oneof![4 => 0..20_i64, 1 => 0..400_i64];
    prop::collection::vec((prop_oneof![3 => yes, 2 => rest], pause), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn at_most_one_grant_at_a_time_and_only_in_time_and_by_enough_people(
        controller: bool, peers in 0..4_u32, owners in 0..3_u32, words in words(),
    ) {
        prop_assume!(controller || peers > 0);
        let needs = Needs { controller, peers: peers.max(owners), owners, ..Needs::default() };
        let (mut hold, mut seen, mut now) = (held(needs.clone()), Witness::default(), 0_i64);
        for (word, pause) in words {
            now += pause;
            let (was, ended) = (hold.state().clone(), hold.ends().0 <= now);
            seen.sees(&word, now);
            let (next, _, grant) = step(hold, &word, Timestamp(now));
            hold = next;
            if let Some(grant) = grant {
                prop_assert!(!seen.is_out && !seen.used, "one at a time, and none after one was used");
                seen.is_out = true;
                let approved = matches!(was, State::Approved { .. });
                prop_assert!(approved && !ended && !seen.refused);
                prop_assert!(seen.could_be_enough(&needs));
                prop_assert!(now < OPEN_MS + 5 * GRANT_MS);
                prop_assert!(seen.last_yes.is_some_and(|yes| now < yes + GRANT_MS));
                prop_assert!(grant.is_live(Timestamp(now)));
                prop_assert_eq!(grant.digest(), Digest::of(b"request"));
            }
            let over = matches!(was, State::Rejected { .. } | State::Expired | State::Abandoned | State::Spent);
            prop_assert!(!over || *hold.state() == was, "{:?} became {:?}", was, hold.state());
            let out = matches!(was, State::Taken { .. }) || matches!(hold.state(), State::Taken { .. });
            prop_assert!(!ended || over || out || *hold.state() == State::Expired);
        }
    }
}
