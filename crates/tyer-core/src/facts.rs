//! The frozen facts that an approver sees and signs: the card.
//!
//! Age, countdown and votes stand beside the card, never in it, so that its digest stays the same while
//! people look at it. What is not known is said; nothing is guessed. Before an approved request runs, the facts
//! are taken again, and [`Facts::drift`] says in what they differ from those that people agreed to.

use serde::{Deserialize, Serialize};

use crate::allowance::Terms;
use crate::ceilings::{Beyond, Ceilings, Measured, tolerated};
use crate::figures::grouped;
use crate::intent::{Digest, HoldId, Intent, Timestamp};
use crate::locks::{self, Lock};
use crate::names::{self, Named};
use crate::roster::Roster;
use crate::sequence::Sequence;
use crate::verdict::Needs;

/// What is known about the consequences of an intent, taken where it would run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Relations that would lose or change rows.
    pub relations: Vec<RelationFacts>,
    /// What the names of relations in it mean, of those that it reads too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Named>,
    /// What could not be found out, in words.
    pub unknown: Vec<String>,
    /// In what they differ from the facts that people had agreed to before, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    /// What the request did to rows when it was tried and taken back, because that was more than was agreed to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measured: Vec<Measured>,
    /// What it did then that counters of rows do not show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beyond: Vec<Beyond>,
    /// What it may do at most once people have agreed; `None` where nothing bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceilings: Option<Ceilings>,
    /// What a loss could be made good from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety: Option<Safety>,
    /// What the request comes to with others, or by several of its own steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sequences: Vec<Sequence>,
    /// What it keeps others from doing meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<Lock>,
    /// Code of the upstream's own that the request may run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub code: Vec<Code>,
    /// What the upstream says of what is touched, where that is no table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub things: Vec<Thing>,
}

/// What the upstream says of a stack, a machine, a bucket or the like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// What it is and its name.
    pub name: String,
    /// What is so, in words; each is agreed to.
    pub is: Vec<String>,
    /// What is so just now and changes by itself, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub now: Vec<String>,
}

/// A function, trigger, rule or policy that may run, or what a view stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code {
    /// What it is and its qualified name, such as `function public.wipe(integer)`.
    pub name: String,
    /// What tells one body under that name from another.
    pub version: Digest,
}

/// What is known about one relation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationFacts {
    /// Its qualified name.
    pub name: String,
    /// Rows it holds, as the upstream estimates.
    pub rows: Option<u64>,
    /// Rows the request would touch, as the upstream's planner estimates.
    pub touched: Option<u64>,
    /// Size in bytes with indexes.
    pub bytes: Option<u64>,
    /// Relations whose foreign keys would cascade or block, such as `orders (cascade)`.
    pub dependents: Vec<String>,
    /// What the upstream itself knows it by: one that was removed and made again has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<u64>,
    /// Another server has its rows, or some of them: nobody here can count what happens to them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
    /// Rows the request would touch, counted with its own condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
    /// Tables that are part of it: their rows are its rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Tables that lose or change rows together with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cascades: Vec<Cascade>,
    /// Who else uses it at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_use: Option<InUse>,
}

/// Rows that were counted, up to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// This many.
    Exactly(u64),
    /// The bound was met: this many or more.
    AtLeast(u64),
}

/// A partition or a table that inherits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its qualified name.
    pub name: String,
    /// What the upstream itself knows it by.
    pub identity: u64,
}

/// A table that loses or changes rows because another one does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cascade {
    /// Its qualified name.
    pub name: String,
    /// What the upstream itself knows it by.
    pub identity: u64,
    /// What happens to its rows.
    pub how: How,
    /// Rows it holds, as the upstream estimates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Rows of it that are touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
}

/// What happens to the rows of a table because of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Those that refer to what goes are deleted.
    Deleted,
    /// Their references change: to the new value, to nothing, or to the default.
    Changed,
    /// All of them go.
    Emptied,
    /// The table goes.
    Dropped,
}

/// Sessions of others that use a relation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InUse {
    /// How many.
    pub sessions: u64,
    /// What they call themselves, as far as they do; bounded.
    pub applications: Vec<String>,
}

/// What a loss could be made good from. What is missing is not known, and [`Facts::unknown`] says why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Safety {
    /// When the upstream's log was last archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<Timestamp>,
    /// When the last backup was made, by the operator's own question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<Timestamp>,
    /// The replicas that follow; none at all is an empty list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Vec<Replica>>,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// What it calls itself.
    pub name: String,
    /// The upstream's word for what it does, such as `streaming`.
    pub state: String,
    /// By how many milliseconds it is behind; not known while nothing happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_ms: Option<u64>,
    /// By how many bytes of the log it is behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_bytes: Option<u64>,
}

impl Facts {
    /// In what these facts are worse than those that people agreed to, or may be; nothing if the request may run
    /// on that agreement. Rows may grow by a tenth, or by ten.
    #[must_use]
    pub fn drift(&self, approved: &Self) -> Vec<String> {
        let now = |name: &str| self.relations.iter().find(|relation| relation.name == name);
        let before = |name: &str| approved.relations.iter().any(|relation| relation.name == name);
        let mut differences = names::differences(&approved.names, &self.names);
        for agreed in &approved.relations {
            match now(&agreed.name) {
                Some(relation) => relation.drift(agreed, &mut differences),
                None => differences.push(format!("{} could not be found again", agreed.name)),
            }
        }
        let new = self.relations.iter().filter(|relation| !before(&relation.name));
        differences.extend(new.map(|relation| format!("{} was not known before", relation.name)));
        locks::drift(self, approved, &mut differences);
        code_drift(&self.code, &approved.code, &mut differences);
        things_drift(&self.things, &approved.things, &mut differences);
        let is_agreed = |now: &Sequence| {
            approved
                .sequences
                .iter()
                .any(|then| (then.pattern, &then.resource) == (now.pattern, &now.resource))
        };
        let new = self.sequences.iter().filter(|sequence| !is_agreed(sequence));
        differences.extend(new.map(|sequence| {
            format!(
                "with what was done since, it comes to {} of {}",
                sequence.pattern.as_str(),
                sequence.resource
            )
        }));
        differences
    }
}

/// Whatever runs other than people agreed to. What is gone may have been a safeguard.
fn code_drift(now: &[Code], agreed: &[Code], differences: &mut Vec<String>) {
    for then in agreed {
        match now.iter().find(|code| code.name == then.name) {
            Some(code) if code.version == then.version => {}
            Some(_) => differences.push(format!("{} was replaced", then.name)),
            None => differences.push(format!("{} is not there any more", then.name)),
        }
    }
    let is_new = |code: &&Code| agreed.iter().all(|then| then.name != code.name);
    differences.extend(now.iter().filter(is_new).map(|code| format!("{} may run too", code.name)));
}

/// Whatever is otherwise with what is touched. What is no longer so may have been a safeguard.
fn things_drift(now: &[Thing], agreed: &[Thing], differences: &mut Vec<String>) {
    for then in agreed {
        let Some(thing) = now.iter().find(|thing| thing.name == then.name) else {
            differences.push(format!("{} could not be looked at again", then.name));
            continue;
        };
        let other = |these: &[String], those: &[String], words: &str| -> Vec<String> {
            let lone = these.iter().filter(|it| !those.contains(it));
            lone.map(|it| format!("{}: {words} {it}", then.name)).collect()
        };
        differences.extend(other(&thing.is, &then.is, "by now"));
        differences.extend(other(&then.is, &thing.is, "no longer"));
    }
    let is_new = |thing: &&Thing| agreed.iter().all(|then| then.name != thing.name);
    let new = now.iter().filter(is_new);
    differences.extend(new.map(|thing| format!("{} is touched too", thing.name)));
}

impl Counted {
    /// The number, if all were counted.
    #[must_use]
    pub fn exact(self) -> Option<u64> {
        match self {
            Self::Exactly(rows) => Some(rows),
            Self::AtLeast(_) => None,
        }
    }
}

impl Cascade {
    fn drift(&self, agreed: &Self, differences: &mut Vec<String>) {
        let now = Figure { counted: self.counted, estimate: self.rows };
        let before = Figure { counted: agreed.counted, estimate: agreed.rows };
        now.drift(before, &self.name, differences);
    }
}

impl RelationFacts {
    /// Rows the request would touch: counted, else estimated. What was counted only up to a bound is at least that.
    #[must_use]
    pub fn figure(&self) -> Option<u64> {
        match self.counted {
            Some(Counted::Exactly(rows)) => Some(rows),
            Some(Counted::AtLeast(rows)) => self.touched.or(self.rows).map(|about| about.max(rows)),
            None => self.touched,
        }
    }

    /// How many in a hundred of its rows would be touched, as far as both are known.
    #[must_use]
    pub fn share_percent(&self) -> Option<u64> {
        let (touched, rows) = (self.figure()?, self.rows.filter(|rows| *rows > 0)?);
        Some(u64::try_from(u128::from(touched) * 100 / u128::from(rows)).unwrap_or(100).min(100))
    }

    fn drift(&self, agreed: &Self, differences: &mut Vec<String>) {
        let name = &self.name;
        let again = format!("{name} was removed and made again");
        if agreed.identity.is_some()
            && self.identity != agreed.identity
            && !differences.contains(&again)
        {
            differences.push(again);
        }
        // How many it holds says how many go, where nothing better is known.
        let (now, before) = match agreed.touched {
            Some(touched) => (self.touched, Some(touched)),
            None => (self.rows, agreed.rows),
        };
        let now = Figure { counted: self.counted, estimate: now };
        now.drift(Figure { counted: agreed.counted, estimate: before }, name, differences);
        let new = self.dependents.iter().filter(|dependent| !agreed.dependents.contains(dependent));
        differences.extend(new.map(|dependent| format!("{dependent} has come to depend on {name}")));
        for cascade in &self.cascades {
            let same = |it: &&Cascade| it.name == cascade.name && it.how == cascade.how;
            match agreed.cascades.iter().find(same) {
                Some(agreed) => cascade.drift(agreed, differences),
                None => differences.push(format!("{} is touched with {name} too", cascade.name)),
            }
        }
    }
}

/// How many rows, as well as it is known.
#[derive(Clone, Copy)]
struct Figure {
    counted: Option<Counted>,
    estimate: Option<u64>,
}

impl Figure {
    fn drift(self, agreed: Self, name: &str, differences: &mut Vec<String>) {
        let exact = agreed.counted.and_then(Counted::exact);
        let Some(limit) = exact.or(agreed.estimate) else { return };
        let said = match (self.counted, self.estimate) {
            (Some(Counted::Exactly(rows)), _) => (rows > tolerated(limit)).then(|| grouped(rows)),
            // Beyond the bound anything is possible that the estimate does not deny.
            (Some(Counted::AtLeast(rows)), estimate) => {
                let about = estimate.filter(|about| exact.is_none() && *about > rows);
                let is_more = exact.is_some() || about.unwrap_or(rows) > tolerated(limit);
                let least = || format!("at least {}", grouped(rows));
                is_more.then(|| about.map_or_else(least, |about| format!("about {}", grouped(about))))
            }
            (None, Some(rows)) if exact.is_none() => {
                (rows > tolerated(limit)).then(|| format!("about {}", grouped(rows)))
            }
            (None, _) => {
                differences.push(format!(
                    "how many rows of {name} is not known any more; it was {}",
                    grouped(limit)
                ));
                None
            }
        };
        differences.extend(said.map(|rows| format!("{rows} rows of {name}, not {}", grouped(limit))));
    }
}

/// Everything an approver signs for: who, what, where, consequences, and what the policies ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The hold it belongs to.
    pub hold: HoldId,
    /// The intent: principal, upstream, acts, the complete request.
    pub intent: Intent,
    /// Why the session exists, in the words of whoever made it.
    pub purpose: String,
    /// The consequences.
    pub facts: Facts,
    /// Who must agree.
    pub needs: Needs,
    /// The policies that ask for them, by id.
    pub policies: Vec<String>,
    /// The policy set that was asked.
    pub policy_set: Digest,
    /// When the facts were taken.
    pub taken: Timestamp,
    /// Who is what, as far as the needs ask for it.
    #[serde(default, skip_serializing_if = "Roster::is_empty")]
    pub roster: Roster,
    /// What it covers beyond this one request, if it is an allowance for more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowance: Option<Terms>,
}

impl Card {
    /// The card's identity: the digest of its canonical form, which is its JSON with sorted keys.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.canonical())
    }

    /// The canonical bytes of the card.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        crate::record::canonical(&serde_json::json!({ "card": self, "v": 1 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(rows: Option<u64>, touched: Option<u64>, dependents: &[&str], identity: u64) -> Facts {
        let dependents = dependents.iter().map(|name| (*name).to_owned()).collect();
        let name = "public.orders".to_owned();
        let identity = Some(identity);
        let bytes = Some(8_192);
        let relation = RelationFacts {
            name,
            rows,
            touched,
            bytes,
            dependents,
            identity,
            ..RelationFacts::default()
        };
        Facts { relations: vec![relation], ..Facts::default() }
    }

    fn check(approved: &Facts, now: &Facts, expect: &[&str]) {
        assert_eq!(now.drift(approved), expect, "{approved:?} {now:?}");
    }

    #[test]
    fn what_has_become_worse_is_said_and_nothing_else() {
        let agreed = orders(Some(1_000), Some(120), &["items (cascade)"], 7);
        let with = |rows, touched| orders(Some(rows), touched, &["items (cascade)"], 7);
        check(&agreed, &agreed, &[]);
        check(&agreed, &with(9_000_000, Some(132)), &[]);
        check(&agreed, &with(1_000, Some(1)), &[]);
        check(&agreed, &orders(Some(1_000), Some(120), &[], 7), &[]);
        check(&agreed, &with(1_000, Some(133)), &["about 133 rows of public.orders, not 120"]);
        let gone = "how many rows of public.orders is not known any more; it was 120";
        check(&agreed, &with(1_000, None), &[gone]);
        let again = orders(Some(1_000), Some(120), &["items (cascade)"], 8);
        check(&agreed, &again, &["public.orders was removed and made again"]);
        let more = orders(Some(1_000), Some(120), &["items (cascade)", "trigger spy"], 7);
        check(&agreed, &more, &["trigger spy has come to depend on public.orders"]);
        check(&agreed, &Facts::default(), &["public.orders could not be found again"]);
        check(&Facts::default(), &agreed, &["public.orders was not known before"]);
    }

    #[test]
    fn without_an_estimate_of_what_goes_the_size_counts() {
        let all = |rows| orders(rows, None, &[], 7);
        check(&all(Some(5)), &all(Some(15)), &[]);
        check(&all(Some(5)), &all(Some(16)), &["about 16 rows of public.orders, not 5"]);
        check(&all(Some(1_000_000)), &all(Some(1_100_000)), &[]);
        check(&all(None), &all(Some(16)), &[]);
        check(&all(Some(u64::MAX)), &all(Some(u64::MAX)), &[]);
    }

    fn counted(counted: Counted, estimate: u64) -> Facts {
        let mut facts = orders(Some(1_000_000), Some(estimate), &[], 7);
        facts.relations[0].counted = Some(counted);
        facts
    }

    #[test]
    fn what_was_counted_is_compared_with_what_is_counted() {
        use Counted::{AtLeast, Exactly};
        let agreed = counted(Exactly(120), 7);
        check(&agreed, &counted(Exactly(132), 9_000), &[]);
        check(&agreed, &counted(Exactly(133), 7), &["133 rows of public.orders, not 120"]);
        let bound = "at least 100,000 rows of public.orders, not 120";
        check(&agreed, &counted(AtLeast(100_000), 7), &[bound]);
        check(
            &counted(Exactly(99_999), 7),
            &counted(AtLeast(100_000), 7),
            &["at least 100,000 rows of public.orders, not 99,999"],
        );
        let gone = "how many rows of public.orders is not known any more; it was 120";
        check(&agreed, &orders(Some(1_000_000), Some(7), &[], 7), &[gone]);
        // Where no number was agreed to, the estimate was.
        let about = counted(AtLeast(100_000), 500_000);
        check(&about, &counted(AtLeast(100_000), 550_000), &[]);
        check(
            &about,
            &counted(AtLeast(100_000), 550_001),
            &["about 550,001 rows of public.orders, not 500,000"],
        );
        check(&about, &counted(Exactly(90_000), 9), &[]);
        check(
            &orders(None, Some(5), &[], 7),
            &counted(Exactly(16), 5),
            &["16 rows of public.orders, not 5"],
        );
    }

    #[test]
    fn tables_that_go_along_are_compared_too() {
        let along = |name: &str, how, counted| {
            let mut facts = counted_of(120);
            let name = name.to_owned();
            let cascade = Cascade { name, identity: 8, how, rows: Some(50), counted };
            facts.relations[0].cascades = vec![cascade];
            facts
        };
        let agreed = along("public.items", How::Deleted, Some(Counted::Exactly(30)));
        check(&agreed, &agreed, &[]);
        check(&agreed, &counted_of(120), &[]);
        check(
            &agreed,
            &along("public.items", How::Deleted, Some(Counted::Exactly(41))),
            &["41 rows of public.items, not 30"],
        );
        let too = "public.items is touched with public.orders too";
        check(&counted_of(120), &agreed, &[too]);
        check(&agreed, &along("public.items", How::Changed, Some(Counted::Exactly(30))), &[too]);
    }

    fn counted_of(rows: u64) -> Facts {
        counted(Counted::Exactly(rows), rows)
    }

    #[test]
    fn whatever_is_otherwise_with_a_thing_is_a_difference() {
        let thing = |name: &str, is: &[&str], now: &str| Thing {
            name: name.to_owned(),
            is: is.iter().map(|it| (*it).to_owned()).collect(),
            now: vec![now.to_owned()],
        };
        let of = |things: Vec<Thing>| Facts { things, ..Facts::default() };
        let agreed = of(vec![thing("stack a", &["it is protected", "1 queue"], "busy")]);
        check(&agreed, &agreed, &[]);
        check(&agreed, &of(vec![thing("stack a", &["1 queue", "it is protected"], "idle")]), &[]);
        let other = of(vec![thing("stack a", &["1 queue", "2 databases"], "busy")]);
        check(&agreed, &other, &["stack a: by now 2 databases", "stack a: no longer it is protected"]);
        check(&agreed, &of(Vec::new()), &["stack a could not be looked at again"]);
        let more = of(vec![agreed.things[0].clone(), thing("stack b", &[], "")]);
        check(&agreed, &more, &["stack b is touched too"]);
    }

    #[test]
    fn other_code_than_was_agreed_to_is_a_difference() {
        let runs = |code: &[(&str, u8)]| {
            let code = code.iter().map(|(name, version)| Code {
                name: (*name).to_owned(),
                version: Digest([*version; 32]),
            });
            Facts { code: code.collect(), ..Facts::default() }
        };
        let agreed = runs(&[("function f()", 1), ("policy p of t", 1)]);
        check(&agreed, &agreed, &[]);
        check(&agreed, &runs(&[("policy p of t", 1), ("function f()", 1)]), &[]);
        let other = runs(&[("function f()", 2), ("policy p of t", 1)]);
        check(&agreed, &other, &["function f() was replaced"]);
        check(&agreed, &runs(&[("function f()", 1)]), &["policy p of t is not there any more"]);
        let more = runs(&[("function f()", 1), ("policy p of t", 1), ("trigger g of t", 1)]);
        check(&agreed, &more, &["trigger g of t may run too"]);
    }

    #[test]
    fn a_share_is_said_where_both_numbers_are_known() {
        let check = |rows, touched, expect| {
            assert_eq!(orders(rows, touched, &[], 7).relations[0].share_percent(), expect);
        };
        check(Some(1_000), Some(120), Some(12));
        check(Some(1_000), Some(5_000), Some(100));
        check(Some(0), Some(5), None);
        check(None, Some(5), None);
        check(Some(5), None, None);
        check(Some(u64::MAX), Some(u64::MAX), Some(100));
    }
}
