//! Who speaks for which team at a hold, and who could still give what is missing.

use super::*;
use crate::freeze::Zone;
use crate::hours::{Hours, Shift};
use crate::intent::TeamId;

/// The teams of the tests. Alice is the controller.
pub(super) fn all() -> Roster {
    let members = |names: &str| names.split_whitespace().map(PersonId::new).collect();
    let team = |(name, names): (&str, &str)| (TeamId::new(name), members(names));
    let teams = [("payments", "alice bob carol"), ("sre", "alice carol dave")].map(team).into();
    // Time begins on a Thursday at midnight. Bob is at work for an hour then, carol for another one later.
    let works = |(name, shift): (&str, &str)| {
        let shifts = vec![Shift::parse(shift).expect("a window")];
        (PersonId::new(name), Hours::new(Zone::default(), shifts).expect("hours"))
    };
    let hours =
        [("alice", "Thu 00:00-01:00"), ("bob", "Thu 00:00-01:00"), ("carol", "Thu 03:00-04:00")];
    Roster { teams, hours: hours.map(works).into() }
}

fn asks(peers: u32, owners: u32, teams: &str) -> Needs {
    let teams = teams.split_whitespace().map(TeamId::new).collect();
    Needs { peers, owners, teams, ..Needs::default() }
}

#[test]
fn each_team_is_spoken_for_by_a_person_of_its_own() {
    let check = |needs: Needs, script: &str, expect: &str| {
        let (mut hold, mut came) = (held(needs), Vec::new());
        for word in script.split_whitespace() {
            let (next, what, _) = step(hold, word, Timestamp(0));
            hold = next;
            came.push(what);
        }
        assert_eq!(came.join(" "), expect, "{script}");
    };
    let both = || asks(2, 0, "payments sre");
    check(both(), "+bob +dave ?", "open approved released");
    check(both(), "+dave +bob ?", "open approved released");
    check(both(), "+carol +bob ?", "open approved released");
    check(both(), "+carol +dave ?", "open approved released");
    // Carol is in both and speaks for one of them.
    check(
        both(),
        "+carol ? +erin ? +dave ?",
        "open !not-approved open !not-approved approved released",
    );
    // Whoever controls the request speaks for none, and who is in no team for none.
    check(both(), "+alice +bob +erin ?", "!controller open open !not-approved");
    let with_controller = || Needs { controller: true, ..both() };
    check(with_controller(), "+alice= +bob ? +dave ?", "open open !not-approved approved released");
    // A weaker key speaks for nobody.
    let signers = || Needs { signers: 3, ..both() };
    check(signers(), "+dave$ +bob +erin ? +dave ?", "open open open !not-approved approved released");
    // An owner may speak for a team as well.
    check(asks(2, 1, "sre"), "+bob +dave ? +olga* ?", "open open !not-approved approved released");
    check(asks(2, 1, "sre"), "+bob +dave* ?", "open approved released");
}

#[test]
fn a_hold_without_teams_is_stored_as_before() {
    let text = serde_json::to_string(&held(asks(1, 0, ""))).expect("a hold is JSON");
    assert!(!text.contains("team") && !text.contains("roster"), "{text}");
    let hold = held(asks(1, 0, "sre"));
    let text = serde_json::to_string(&hold).expect("a hold is JSON");
    assert!(text.contains(r#""roster":{"teams":{"sre":["alice","carol","dave"]}}"#), "{text}");
    assert_eq!(serde_json::from_str::<Hold>(&text).expect("and reads back"), hold);
}

/// Everybody that there is, by passkey: `who` as in scripts; `one` is a name of which `bob` is another.
fn still(needs: Needs, script: &str, who: &str) -> String {
    still_of(held(needs), script, who)
}

fn still_of(hold: Hold, script: &str, who: &str) -> String {
    let known = |one_with: &[&str]| Known {
        counts: true,
        founder: true,
        one_with: one_with.iter().copied().map(PersonId::new).collect(),
        ..Known::default()
    };
    let name = |word: &str| -> PersonId {
        PersonId::new(word.chars().filter(char::is_ascii_alphabetic).collect::<String>())
    };
    let person = |word: &str| (name(word), known(if word == "one" { &["bob"] } else { &[] }));
    let words = || who.split_whitespace().chain(["alice="]);
    let people: People = words().map(person).collect();
    let electorate =
        words().filter(|word| !word.contains('!')).map(|word| (name(word), Standing::Owner));
    let mut hold = hold.among(electorate.collect());
    for word in script.split_whitespace() {
        hold = step(hold, word, Timestamp(0)).0;
    }
    let able = |word: &str| Able {
        person: name(word),
        standing: match word {
            _ if word.contains('*') => Standing::Owner,
            _ if word.contains('=') => Standing::Controller,
            _ => Standing::Peer,
        },
        assurance: if word.contains('#') { Assurance::Hardware } else { Assurance::Passkey },
    };
    let Some(still) = hold.still(&people, &words().map(able).collect::<Vec<_>>(), Timestamp(0)) else {
        return "over".to_owned();
    };
    let names: Vec<&str> = still.people.iter().map(PersonId::as_str).collect();
    let later: Vec<String> =
        still.later.iter().map(|(from, person)| format!(" {person}@{}", from.0)).collect();
    let from = still.from.map(|from| format!(" from {}", from.0)).unwrap_or_default();
    let end = if still.is_enough { "" } else { " ..." };
    format!("{}{}{from}{end}", names.join(" "), later.concat())
}

#[test]
fn who_could_still_give_what_is_missing() {
    let check = |needs: Needs, script: &str, who: &str, expect: &str| {
        assert_eq!(still(needs, script, who), expect, "{script} of {who}");
    };
    check(asks(1, 0, ""), "", "bob carol", "bob carol");
    check(asks(1, 0, ""), "+bob", "bob carol", "over");
    check(asks(2, 0, ""), "+bob", "bob carol", "carol");
    check(asks(2, 0, ""), "+bob", "bob", " ...");
    // Whoever came later, and another name of who has agreed.
    check(asks(2, 0, ""), "+bob", "bob erin!", " ...");
    check(asks(2, 0, ""), "+bob", "bob one", " ...");
    check(asks(1, 0, ""), "", "bob one", "bob");
    // The controller, where their own agreement is asked for.
    check(Needs { controller: true, ..asks(1, 0, "") }, "", "bob", "alice bob");
    check(Needs { controller: true, ..asks(1, 0, "") }, "+alice=", "bob", "bob");
    // Once only an owner is missing, others do not help.
    check(asks(2, 1, ""), "", "bob carol olga*", "bob carol olga");
    check(asks(2, 1, ""), "+bob", "bob carol olga*", "olga");
    check(asks(2, 1, ""), "+bob", "bob carol", " ...");
    check(asks(2, 1, ""), "+olga*", "bob carol olga*", "bob carol");
    check(Needs { hardware: 1, ..asks(1, 0, "") }, "", "bob carol#", "carol");
    // Teams, of which one human speaks for one.
    check(asks(2, 0, "payments sre"), "", "bob carol dave erin", "bob carol dave");
    check(asks(2, 0, "payments sre"), "+bob", "bob carol dave erin", "carol dave");
    check(asks(2, 0, "payments sre"), "+carol", "bob carol dave erin", "bob dave");
    check(asks(2, 0, "payments sre"), "+carol", "carol erin", " ...");
    check(asks(3, 0, "sre"), "+dave", "bob dave erin", "bob erin");
    check(asks(1, 0, "sre"), "", "bob erin", " ...");
}

#[test]
fn who_is_at_work_counts_by_when_they_agreed() {
    const LATER: Timestamp = Timestamp(3 * 3_600_000);
    let counted = |script: &[(&str, Timestamp)]| {
        let needs = Needs { on_hours: 2, ..asks(2, 0, "") };
        // Long enough to see the day pass.
        let card = held(needs).card().clone();
        let mut hold = Hold::open(card, Lifetimes::default(), Timestamp(0));
        for (word, at) in script {
            hold = step(hold, word, *at).0;
        }
        (hold.counted().on_hours, hold.state_word())
    };
    let now = Timestamp(0);
    assert_eq!(counted(&[("+bob", now)]), (1, "open"));
    assert_eq!(counted(&[("+bob", now), ("+carol", now)]), (1, "open"));
    assert_eq!(counted(&[("+bob", now), ("+carol", LATER)]), (2, "approved"));
    assert_eq!(counted(&[("+bob", LATER), ("+carol", LATER)]), (1, "open"));
    // Whoever agreed in their free time can say so again at work, and is still one human.
    assert_eq!(counted(&[("+carol", now), ("+bob", now), ("+carol", LATER)]), (2, "approved"));
    assert_eq!(counted(&[("+carol", now), ("+carol", LATER)]), (1, "open"));
    // Whoever has no hours never is, nor do the controller's count.
    assert_eq!(counted(&[("+bob", now), ("+dave", now)]), (1, "open"));
    assert_eq!(counted(&[("+bob", now), ("+alice", now)]), (1, "open"));
}

#[test]
fn who_could_only_later_is_told_when() {
    let check = |needs: Needs, script: &str, who: &str, expect: &str| {
        let needs = Needs { on_hours: 1, ..needs };
        let card = held(needs).card().clone();
        let hold = Hold::open(card, Lifetimes::default(), Timestamp(0));
        assert_eq!(still_of(hold, script, who), expect, "{script} of {who}");
    };
    check(asks(1, 0, ""), "", "bob carol dave", "bob carol@10800000");
    check(asks(1, 0, ""), "", "carol dave", " carol@10800000 from 10800000");
    check(asks(2, 0, ""), "", "bob dave", "bob dave");
    check(asks(2, 0, ""), "+dave +carol", "carol dave", " carol@10800000 from 10800000");
    check(asks(2, 0, ""), "+dave", "carol dave", " carol@10800000 from 10800000");
    check(asks(1, 0, ""), "", "dave", " ...");
    // After the hold has expired is too late.
    let short = held(Needs { on_hours: 1, ..asks(1, 0, "") });
    assert_eq!(still_of(short, "", "carol"), " ...");
}
