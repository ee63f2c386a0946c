//! Why reads of the regression scripts would be held.

use std::collections::{BTreeMap, BTreeSet};

use tyer_core::intent::{Act, Effect, Kind};
use tyer_wire::postgres::understand::Understanding;
use xtask::cluster::Cluster;

/// How many texts are printed for each reason.
const SAMPLES: usize = 3;

/// What the server came with, by name.
pub(super) struct BuiltIn(BTreeSet<String>);

/// Reads that would be held, by reason.
#[derive(Default)]
pub(super) struct Held {
    reasons: BTreeMap<String, Vec<String>>,
    /// Code that the scripts themselves made: its reads are held on purpose.
    pub(super) own: usize,
    /// What is no read, though nothing was written that a transaction shows: sequences, locks, notifications,
    /// statistics, upkeep, and changes that found no rows.
    pub(super) changing: usize,
    /// Everything else.
    pub(super) other: usize,
}

impl BuiltIn {
    pub(super) fn of(cluster: &Cluster) -> Self {
        let names = cluster
            .query(
                "SELECT 'f ' || proname FROM pg_proc WHERE oid < 16384
                 UNION SELECT 'o ' || oprname FROM pg_operator WHERE oid < 16384
                 UNION SELECT 't ' || typname FROM pg_type WHERE oid < 16384
                 UNION SELECT 'c ' || opcname FROM pg_opclass WHERE oid < 16384",
            )
            .expect("the built-in names");
        Self(names.lines().map(|name| name.trim().to_owned()).collect())
    }

    /// Whether an act runs code that the server did not come with.
    fn is_own_code(&self, act: &Act) -> bool {
        let name = act.resource.name.as_str();
        let kind = match (act.effect, act.resource.kind) {
            (Effect::Execute, Kind::Function) => "f",
            (Effect::Execute, Kind::Type) => "t",
            (Effect::Execute, Kind::Object) => "c",
            _ => return false,
        };
        let (kind, name) = match name.split_once(' ') {
            Some(("operator", name)) => (if kind == "f" { "o" } else { "c" }, name),
            _ => (kind, name),
        };
        let last = name.trim_start_matches("class ").trim_start_matches("pg_catalog.");
        !self.0.contains(&format!("{kind} {}", last.trim_matches('"')))
    }
}

/// Whether an act changes something for others.
fn changes(act: &Act) -> bool {
    let notifies = act.effect == Effect::Execute && act.resource.name.starts_with("channel ");
    notifies
        || matches!(act.effect, Effect::Create | Effect::Change | Effect::Replace | Effect::Destroy)
}

impl Held {
    /// Counts a read, if it would be held.
    pub(super) fn add(&mut self, built_in: &BuiltIn, found: &Understanding, sql: &str) {
        let holding: Vec<&Act> =
            found.acts.iter().filter(|act| !act.local && act.effect != Effect::Read).collect();
        let Some(first) = holding.first() else { return };
        if let Some(act) = holding.iter().find(|act| changes(act)) {
            self.changing += 1;
            return self
                .reasons
                .entry(format!("no read: {}", act.why))
                .or_default()
                .push(sql.to_owned());
        }
        let has_own = holding.iter().any(|act| built_in.is_own_code(act));
        // A cursor over such code is opaque for that very reason.
        let follows = |act: &Act| act.why.starts_with("declares a cursor over code");
        let rest = holding.iter().find(|act| !built_in.is_own_code(act) && !follows(act));
        let reason = match rest {
            Some(act) => {
                self.other += 1;
                act.why.clone()
            }
            None if has_own => {
                self.own += 1;
                format!("their own {}", first.resource.kind.as_str())
            }
            None => {
                self.other += 1;
                first.why.clone()
            }
        };
        self.reasons.entry(reason).or_default().push(sql.to_owned());
    }

    /// The reasons, the most frequent first, with examples.
    pub(super) fn told(&self) -> String {
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, texts)| usize::MAX - texts.len());
        let mut told = String::new();
        for (reason, texts) in reasons {
            told += &format!("{:6} {reason}\n", texts.len());
            for sql in texts.iter().take(SAMPLES) {
                let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
                told += &format!("           {}\n", sql.chars().take(110).collect::<String>());
            }
        }
        told
    }
}
