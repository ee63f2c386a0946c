//! What became of holds, for those who control them to see: kept until they have, and bounded.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tyer_core::hold::{Hold, State};
use tyer_core::intent::{HoldId, PersonId, SessionId, Timestamp, Upstream};
use tyer_core::limits::{UNSEEN_MS, UNSEEN_PER_PERSON};

use crate::clock;
use crate::store::{Change, Table};

/// What breaking the glass is, in words.
const ALONE: &str = "let it through alone, by breaking the glass";

/// One person's word about a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) person: PersonId,
    pub(crate) at: Timestamp,
    /// A comment, or the reason of a rejection.
    pub(crate) words: String,
    /// They let it through alone, by breaking the glass.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) alone: bool,
}

/// What became of a hold, and which of its controllers have not seen it yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answered {
    pub(crate) hold: HoldId,
    pub(crate) session: SessionId,
    pub(crate) agent: String,
    pub(crate) upstream: Upstream,
    /// The gravest of what was asked, in words.
    pub(crate) what: String,
    /// `approved`, `rejected` or `expired`.
    pub(crate) how: String,
    pub(crate) at: Timestamp,
    pub(crate) said: Vec<Said>,
    pub(crate) unseen_by: BTreeSet<PersonId>,
}

/// All that somebody has not seen yet.
#[derive(Debug, Default)]
pub(crate) struct Answers(BTreeMap<HoldId, Answered>);

/// What changes among them.
#[derive(Debug, Default)]
pub(crate) struct Told(BTreeMap<HoldId, Option<Answered>>);

impl Answers {
    /// What the hold's new state is to tell its controllers, if it is an answer.
    pub(crate) fn of(&self, hold: &Hold, now: Timestamp) -> Told {
        let Some(answered) = answered(hold, now) else { return Told::default() };
        let told = self.0.get(&answered.hold);
        if answered.unseen_by.is_empty() || told.is_some_and(|told| told.how == answered.how) {
            return Told::default();
        }
        let mut told = Told::default();
        for person in &answered.unseen_by {
            told.make_room(self, person);
        }
        told.0.insert(answered.hold.clone(), Some(answered));
        told
    }

    /// What a person's having seen those holds' answers changes.
    pub(crate) fn seen(&self, person: &PersonId, holds: &[HoldId]) -> Told {
        let mut told = Told::default();
        for answered in holds.iter().filter_map(|hold| self.0.get(hold)) {
            told.forget(answered, person);
        }
        told
    }

    /// What is old enough to be forgotten, seen or not.
    pub(crate) fn past(&self, now: Timestamp) -> Told {
        let past = self.0.values().filter(|answered| now >= answered.at.plus(UNSEEN_MS));
        Told(past.map(|answered| (answered.hold.clone(), None)).collect())
    }

    /// Takes in what has become durable.
    pub(crate) fn take_in(&mut self, told: Told) {
        for (hold, answered) in told.0 {
            match answered {
                Some(answered) => drop(self.0.insert(hold, answered)),
                None => drop(self.0.remove(&hold)),
            }
        }
    }

    pub(super) fn insert(&mut self, answered: Answered) {
        self.0.insert(answered.hold.clone(), answered);
    }

    /// The newest first.
    pub(crate) fn newest(&self) -> Vec<&Answered> {
        let mut all: Vec<&Answered> = self.0.values().collect();
        all.sort_by_key(|answered| std::cmp::Reverse(answered.at));
        all
    }
}

impl Told {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Both.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The same as documents.
    pub(crate) fn put(&self, change: Change) -> Change {
        self.0.iter().fold(change, |change, (hold, answered)| match answered {
            Some(answered) => change.put(Table::Answered, hold.as_str(), answered),
            None => change.remove(Table::Answered, hold.as_str()),
        })
    }

    /// Whoever does not look loses the oldest.
    fn make_room(&mut self, answers: &Answers, person: &PersonId) {
        let unseen = answers.newest().into_iter().filter(|it| it.unseen_by.contains(person));
        for old in unseen.skip(UNSEEN_PER_PERSON - 1) {
            self.forget(old, person);
        }
    }

    fn forget(&mut self, answered: &Answered, person: &PersonId) {
        let now = self.0.remove(&answered.hold).unwrap_or_else(|| Some(answered.clone()));
        let left = now.map(|mut answered| {
            answered.unseen_by.remove(person);
            answered
        });
        self.0.insert(answered.hold.clone(), left.filter(|left| !left.unseen_by.is_empty()));
    }
}

fn answered(hold: &Hold, now: Timestamp) -> Option<Answered> {
    let how = match hold.state_word() {
        // An allowance that people agreed to.
        "active" => "approved",
        word => word,
    };
    if !matches!(how, "approved" | "rejected" | "expired") {
        return None;
    }
    let intent = &hold.card().intent;
    let principal = &intent.principal;
    let said = said(hold, Some(now));
    let controllers = principal.also.iter().chain([&principal.controller]);
    // Whoever has said so themself knows.
    let unseen = controllers.filter(|person| said.iter().all(|said| said.person != **person));
    let gravest = intent.acts.iter().max_by_key(|act| act.effect);
    Some(Answered {
        hold: hold.id().clone(),
        session: principal.session.clone(),
        agent: principal.agent.clone(),
        upstream: intent.upstream.clone(),
        what: gravest.map(|act| act.why.clone()).unwrap_or_default(),
        how: how.to_owned(),
        at: now,
        unseen_by: unseen.cloned().collect(),
        said,
    })
}

/// What people said about a hold: its rejection, else the approvals. `at` is when it came to where it stands.
fn said(hold: &Hold, at: Option<Timestamp>) -> Vec<Said> {
    if let State::Rejected { by, reason, .. } = hold.state() {
        let at = at.unwrap_or_else(|| hold.opened());
        return vec![Said { person: by.clone(), at, words: reason.clone(), alone: false }];
    }
    let said = hold.approvals().iter().map(|approval| Said {
        person: approval.person.clone(),
        at: approval.at,
        words: approval.comment.clone(),
        alone: false,
    });
    let alone = hold.broken_by().map(|broken| Said {
        person: broken.person.clone(),
        at: broken.at,
        words: ALONE.to_owned(),
        alone: true,
    });
    said.chain(alone).collect()
}

/// What became of a hold that nobody can answer any more, for people: `bob rejected it at ...: the books`.
/// `at` is when, where that is known.
pub(crate) fn fate(hold: &Hold, at: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let has_run_out = hold.is_live() && now >= hold.ends();
    match hold.state_word() {
        _ if has_run_out => Some(in_words("expired", &said(hold, None), Some(hold.ends()))),
        "open" | "approved" | "active" => None,
        word => Some(in_words(word, &said(hold, at), at)),
    }
}

/// The same for a state's word and what people said.
pub(crate) fn in_words(how: &str, said: &[Said], at: Option<Timestamp>) -> String {
    let at = at.map_or_else(String::new, |at| format!(" at {}", clock::civil(at)));
    let agreed = agreed(said);
    match (how, said) {
        ("rejected", said) => {
            let (by, reason) = said.first().map_or(("", ""), |it| (it.person.as_str(), &it.words));
            format!("{by} rejected it{at}: {reason}")
        }
        ("approved", _) => {
            format!("{agreed}{at}; it runs once, when the agent presents the same request again")
        }
        ("expired", []) => format!("nobody answered in time: it ran out{at}, and nothing was executed"),
        ("expired", _) => format!("it ran out{at}, though {agreed}; nothing was executed"),
        ("abandoned", _) => format!("it was taken back{at}; nothing was executed"),
        ("taken", _) => "people agreed, and it runs now".to_owned(),
        ("spent", []) => format!("it was used{at}"),
        ("spent", _) => format!("{agreed}, and it was used{at}"),
        (other, _) => format!("it is {other}{at}"),
    }
}

/// `alice and bob approved it, and carol let it through alone, by breaking the glass`.
fn agreed(said: &[Said]) -> String {
    let names = |alone: bool| {
        let of = said.iter().filter(|said| said.alone == alone);
        of.map(|said| said.person.as_str()).collect::<Vec<_>>().join(" and ")
    };
    match (names(false), names(true)) {
        (people, alone) if alone.is_empty() => format!("{people} approved it"),
        (people, alone) if people.is_empty() => format!("{alone} {ALONE}"),
        (people, alone) => format!("{people} approved it, and {alone} {ALONE}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(1_795_442_400_000);

    fn answered(number: usize, for_whom: &[&str]) -> Answered {
        Answered {
            hold: HoldId::new(format!("H-{number}")),
            session: SessionId::new("s-1"),
            agent: "kiro".to_owned(),
            upstream: Upstream::new("orders"),
            what: "removes every row".to_owned(),
            how: "rejected".to_owned(),
            at: AT.plus(i64::try_from(number).unwrap()),
            said: Vec::new(),
            unseen_by: for_whom.iter().map(|name| PersonId::new(*name)).collect(),
        }
    }

    #[test]
    fn what_became_of_a_hold_is_a_sentence() {
        let said = |names: &[&str]| {
            let said = |name: &&str| Said {
                person: PersonId::new(*name),
                at: AT,
                words: "the books".to_owned(),
                alone: *name == "glass",
            };
            names.iter().map(said).collect::<Vec<_>>()
        };
        let check = |how: &str, names: &[&str], expect: &str| {
            assert_eq!(in_words(how, &said(names), Some(AT)), expect);
        };
        check("rejected", &["bob"], "bob rejected it at 2026-11-23 14:00:00Z: the books");
        check(
            "expired",
            &[],
            "nobody answered in time: it ran out at 2026-11-23 14:00:00Z, and nothing was executed",
        );
        check(
            "expired",
            &["bob"],
            "it ran out at 2026-11-23 14:00:00Z, though bob approved it; nothing was executed",
        );
        check("abandoned", &[], "it was taken back at 2026-11-23 14:00:00Z; nothing was executed");
        check(
            "spent",
            &["alice", "bob"],
            "alice and bob approved it, and it was used at 2026-11-23 14:00:00Z",
        );
        check(
            "spent",
            &["glass"],
            "glass let it through alone, by breaking the glass, and it was used at 2026-11-23 14:00:00Z",
        );
        check(
            "approved",
            &["alice", "glass"],
            "alice approved it, and glass let it through alone, by breaking the glass at 2026-11-23 14:00:00Z; \
             it runs once, when the agent presents the same request again",
        );
        assert_eq!(in_words("spent", &[], None), "it was used");
    }

    #[test]
    fn each_controller_sees_it_for_themself_and_then_it_is_gone() {
        let mut answers = Answers::default();
        answers.insert(answered(1, &["carol", "dan"]));
        let ids = [HoldId::new("H-1"), HoldId::new("H-9")];
        answers.take_in(answers.seen(&PersonId::new("carol"), &ids));
        let left: Vec<_> = answers.newest()[0].unseen_by.iter().map(PersonId::as_str).collect();
        assert_eq!(left, ["dan"]);
        answers.take_in(answers.seen(&PersonId::new("eve"), &ids));
        assert_eq!(answers.newest().len(), 1);
        answers.take_in(answers.seen(&PersonId::new("dan"), &ids));
        assert!(answers.newest().is_empty());
    }

    #[test]
    fn whoever_does_not_look_loses_the_oldest() {
        let mut answers = Answers::default();
        for number in 0..UNSEEN_PER_PERSON {
            answers.insert(answered(number, &["carol"]));
        }
        let mut told = Told::default();
        told.make_room(&answers, &PersonId::new("carol"));
        assert_eq!(told.0.len(), 1);
        assert_eq!(told.0.get(&HoldId::new("H-0")), Some(&None));
        assert!(answers.past(AT.plus(UNSEEN_MS - 1)).is_empty());
        assert_eq!(answers.past(AT.plus(UNSEEN_MS)).0.len(), 1);
    }
}
