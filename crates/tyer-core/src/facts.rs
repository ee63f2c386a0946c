//! The frozen facts that an approver sees and signs: the card.
//!
//! Age, countdown and votes stand beside the card, never in it, so that its digest stays the same while
//! people look at it. What is not known is said; nothing is guessed. Before an approved request runs, the facts
//! are taken again, and [`Facts::drift`] says in what they differ from those that people agreed to.

use serde::{Deserialize, Serialize};

use crate::ceilings::{Ceilings, Measured, tolerated};
use crate::intent::{Digest, HoldId, Intent, Timestamp};
use crate::verdict::Needs;

/// What is known about the consequences of an intent, taken where it would run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Relations that would lose or change rows.
    pub relations: Vec<RelationFacts>,
    /// What could not be found out, in words.
    pub unknown: Vec<String>,
    /// In what they differ from the facts that people had agreed to before, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    /// What the request did to rows when it was tried and taken back, because that was more than was agreed to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measured: Vec<Measured>,
    /// What it may do at most once people have agreed; `None` where nothing bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceilings: Option<Ceilings>,
}

/// What is known about one relation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl Facts {
    /// In what these facts are worse than those that people agreed to, or may be; nothing if the request may run
    /// on that agreement. Rows may grow by a tenth, or by ten.
    #[must_use]
    pub fn drift(&self, approved: &Self) -> Vec<String> {
        let now = |name: &str| self.relations.iter().find(|relation| relation.name == name);
        let before = |name: &str| approved.relations.iter().any(|relation| relation.name == name);
        let mut differences = Vec::new();
        for agreed in &approved.relations {
            match now(&agreed.name) {
                Some(relation) => relation.drift(agreed, &mut differences),
                None => differences.push(format!("{} could not be found again", agreed.name)),
            }
        }
        let new = self.relations.iter().filter(|relation| !before(&relation.name));
        differences.extend(new.map(|relation| format!("{} was not known before", relation.name)));
        differences
    }
}

impl RelationFacts {
    fn drift(&self, agreed: &Self, differences: &mut Vec<String>) {
        let name = &self.name;
        if agreed.identity.is_some() && self.identity != agreed.identity {
            differences.push(format!("{name} was removed and made again"));
        }
        // How many it holds says how many go, where nothing better is known.
        let (rows, agreed_rows) = match agreed.touched {
            Some(touched) => (self.touched, Some(touched)),
            None => (self.rows, agreed.rows),
        };
        match (rows, agreed_rows) {
            (Some(rows), Some(agreed)) if rows > tolerated(agreed) => {
                differences.push(format!("about {rows} rows of {name}, not {agreed}"));
            }
            (None, Some(agreed)) => {
                differences
                    .push(format!("how many rows of {name} is not known any more; it was {agreed}"));
            }
            _ => {}
        }
        let new = self.dependents.iter().filter(|dependent| !agreed.dependents.contains(dependent));
        differences.extend(new.map(|dependent| format!("{dependent} has come to depend on {name}")));
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
        let relation = RelationFacts { name, rows, touched, bytes: Some(8_192), dependents, identity };
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
}
