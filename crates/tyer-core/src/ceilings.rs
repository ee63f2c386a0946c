//! How much an approved request may do at most: the rows of each relation that its card says, and the stated
//! tolerance.
//!
//! The executor counts what was done before it makes it last, cascades and triggers included, and takes it all
//! back if [`Ceilings::exceeded`] says anything. What nobody could estimate has no ceiling, and the card says so.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::facts::{Cascade, Counted, Facts, How};
use crate::figures::grouped;
use crate::limits::{DRIFT_ROWS_MIN, DRIFT_ROWS_PERCENT};
use crate::names::Named;

/// Relations that a leaf lists with what was done to their rows.
const RECORDED_MAX: usize = 40;

/// What a request may do at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ceilings {
    /// The relations of the card.
    pub relations: Vec<Ceiling>,
    /// Rows of any other relation; `None` is no ceiling.
    pub others: Option<u64>,
    /// What may be emptied, altered or removed as a whole, which no counter of rows shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub whole: Vec<Relation>,
    /// Nothing is agreed to by name, and so nothing is too much: what is done is counted for the record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_counts: bool,
    /// What its names have to mean. The card has them among its facts, and they come with the grant.
    #[serde(skip)]
    pub names: Vec<Named>,
}

/// What a request may do to one relation at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ceiling {
    /// Its qualified name.
    pub name: String,
    /// What the upstream itself knows it by.
    pub identity: u64,
    /// Rows, its partitions' and heirs' included; `None` is no ceiling.
    pub rows: Option<u64>,
    /// There is none because another server has them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
}

/// A relation, and nothing more of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Relation {
    /// Its qualified name.
    pub name: String,
    /// What the upstream itself knows it by.
    pub identity: u64,
}

/// What a request did to a relation beyond its counted rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beyond {
    /// Which.
    pub relation: Relation,
    /// What it did.
    pub what: Deed,
}

/// What can be done to a relation that no counter of rows shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// It was emptied or written anew.
    Emptied,
    /// It is not there any more.
    Removed,
    /// It was altered, or at least kept from everybody else.
    Altered,
    /// Rows were written that another server has.
    Elsewhere,
}

impl Beyond {
    /// What was done and should not have been, in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        let name = &self.relation.name;
        match self.what {
            Deed::Emptied => format!("empty or rewrite {name}, which nobody agreed to"),
            Deed::Removed => format!("remove {name}, which nobody agreed to"),
            Deed::Altered => format!("alter {name} or keep it from everybody, which nobody agreed to"),
            Deed::Elsewhere => {
                format!("write {name}, whose rows another server has and nobody can count")
            }
        }
    }
}

/// What a request did to the rows of one relation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Its qualified name.
    pub name: String,
    /// What the upstream itself knows it by.
    pub identity: u64,
    /// Rows that were inserted.
    pub created: u64,
    /// Rows that were changed.
    pub changed: u64,
    /// Rows that were deleted.
    pub destroyed: u64,
}

impl Measured {
    /// Rows that it touched. One that moves to another partition is deleted here and inserted there.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.created.max(self.changed.saturating_add(self.destroyed))
    }

    /// What was done, in words: `public.orders: 1 changed, 4 deleted`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let counts =
            [(self.created, "inserted"), (self.changed, "changed"), (self.destroyed, "deleted")];
        let some = counts.iter().filter(|(rows, _)| *rows > 0);
        let some: Vec<String> = some.map(|(rows, how)| format!("{rows} {how}")).collect();
        format!("{}: {}", self.name, some.join(", "))
    }

    /// The most as far as a leaf has room for them, and the sum of the others.
    #[must_use]
    pub fn recorded(mut all: Vec<Self>) -> Vec<Self> {
        if all.len() <= RECORDED_MAX {
            return all;
        }
        all.sort_by_key(|it| std::cmp::Reverse(it.rows()));
        let rest = all.split_off(RECORDED_MAX);
        let name = format!("{} more", rest.len());
        let sum = Self { name, ..Self::default() };
        all.push(rest.into_iter().fold(sum, |sum, it| Self {
            created: sum.created.saturating_add(it.created),
            changed: sum.changed.saturating_add(it.changed),
            destroyed: sum.destroyed.saturating_add(it.destroyed),
            ..sum
        }));
        all
    }
}

impl Ceilings {
    /// The ceilings of a card with these facts; none where the card names no relation that the upstream knows.
    /// What was measured before says more than an estimate.
    #[must_use]
    pub fn of(facts: &Facts) -> Option<Self> {
        let measured = |identity: u64| facts.measured.iter().find(|rows| rows.identity == identity);
        let mut relations: Vec<Ceiling> = Vec::new();
        for relation in &facts.relations {
            let Some(identity) = relation.identity else { continue };
            let figure = relation.figure().or(relation.rows);
            let rows = measured(identity).map(Measured::rows).or(figure).map(tolerated);
            let elsewhere = relation.elsewhere;
            let rows = rows.filter(|_| !elsewhere);
            relations.push(Ceiling { name: relation.name.clone(), identity, rows, elsewhere });
        }
        if relations.is_empty() {
            return None;
        }
        // A trigger may do for each row what the request does to it.
        let others = relations.iter().map(|ceiling| ceiling.rows).collect::<Option<Vec<_>>>();
        let others = others.and_then(|rows| rows.into_iter().max());
        for cascade in facts.relations.iter().flat_map(|relation| &relation.cascades) {
            let Cascade { name, identity, counted, .. } = cascade;
            let figure = measured(*identity).map(Measured::rows).or(counted.and_then(Counted::exact));
            // One that was not counted is one of the others.
            let Some(rows) = figure else { continue };
            match relations.iter_mut().find(|ceiling| ceiling.identity == *identity) {
                Some(ceiling) => ceiling.rows = ceiling.rows.map(|own| own.saturating_add(rows)),
                None => {
                    let (name, identity) = (name.clone(), *identity);
                    let rows = Some(tolerated(rows));
                    relations.push(Ceiling { name, identity, rows, elsewhere: false });
                }
            }
        }
        for rows in &facts.measured {
            if !relations.iter().any(|ceiling| ceiling.identity == rows.identity) {
                let (name, identity) = (rows.name.clone(), rows.identity);
                let rows = Some(tolerated(rows.rows()));
                relations.push(Ceiling { name, identity, rows, elsewhere: false });
            }
        }
        let along = facts.relations.iter().flat_map(|relation| &relation.cascades);
        let along = along.filter(|it| matches!(it.how, How::Emptied | How::Dropped));
        let along = along.map(|it| Relation { name: it.name.clone(), identity: it.identity });
        let tried = facts.beyond.iter().map(|it| it.relation.clone());
        let whole: BTreeSet<Relation> = along.chain(tried).collect();
        let whole = whole.into_iter().collect();
        Some(Self { relations, others, whole, ..Self::default() })
    }

    /// Of code that nobody saw through: nothing is bounded, and what it does to rows is recorded.
    #[must_use]
    pub fn of_code() -> Self {
        Self { only_counts: true, ..Self::default() }
    }

    /// Whether there is a ceiling to everything.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let each = self.relations.iter().all(|ceiling| ceiling.rows.is_some());
        each && self.others.is_some() && !self.only_counts
    }

    /// The same for a request that does more than to rows: what it names may be dealt with as a whole, which is these
    /// names.
    #[must_use]
    pub fn entirely(mut self, named: &[Named]) -> Self {
        for means in named.iter().filter_map(|named| named.means.as_ref()) {
            let name = means.qualified.clone();
            let relation = Relation { name, identity: means.identity };
            if !self.whole.contains(&relation) {
                self.whole.push(relation);
            }
        }
        self
    }

    /// What was done beyond rows that may not be. `above` is as for [`Ceilings::exceeded`].
    #[must_use]
    pub fn beyond(
        &self,
        done: &[(u64, Deed)],
        above: &BTreeMap<u64, BTreeSet<u64>>,
    ) -> Vec<(u64, Deed)> {
        let whole = |identity: &u64| self.whole.iter().any(|it| it.identity == *identity);
        let written =
            |identity: &u64| self.relations.iter().any(|it| it.identity == *identity && it.elsewhere);
        let may = |(identity, what): &(u64, Deed)| {
            let ups = || above.get(identity).into_iter().flatten();
            let is_written = *what == Deed::Elsewhere && (written(identity) || ups().any(written));
            self.only_counts || is_written || whole(identity) || ups().any(whole)
        };
        done.iter().filter(|deed| !may(deed)).copied().collect()
    }

    /// In what more was done than may be, in words with both numbers. `above` gives the partitioned tables and
    /// ancestors of a relation, by identity.
    #[must_use]
    pub fn exceeded(&self, measured: &[Measured], above: &BTreeMap<u64, BTreeSet<u64>>) -> Vec<String> {
        let mut sums: BTreeMap<usize, Measured> = BTreeMap::new();
        let mut found = Vec::new();
        for rows in measured {
            let is =
                |identity: u64| self.relations.iter().position(|ceiling| ceiling.identity == identity);
            let heirs = || above.get(&rows.identity).into_iter().flatten().find_map(|up| is(*up));
            match is(rows.identity).or_else(heirs) {
                Some(at) => {
                    let sum = sums.entry(at).or_default();
                    sum.created = sum.created.saturating_add(rows.created);
                    sum.changed = sum.changed.saturating_add(rows.changed);
                    sum.destroyed = sum.destroyed.saturating_add(rows.destroyed);
                }
                None if self.others.is_some_and(|most| rows.rows() > most) => {
                    found.push(in_words(rows.rows(), &rows.name, self.others.unwrap_or_default()));
                }
                None => {}
            }
        }
        for (at, sum) in sums {
            let Some(ceiling) = self.relations.get(at) else { continue };
            let sum = sum.rows();
            if let Some(most) = ceiling.rows.filter(|most| sum > *most) {
                found.push(in_words(sum, &ceiling.name, most));
            }
        }
        found
    }

    /// The ceilings in words, for the card: `public.orders: at most 132 rows`.
    #[must_use]
    pub fn in_words(&self) -> Vec<String> {
        if self.only_counts {
            return vec![
                "nothing: it runs code, and what it does is counted for the record".to_owned(),
            ];
        }
        let most = |rows: Option<u64>, elsewhere: bool| match rows {
            Some(rows) => format!("at most {} rows", grouped(rows)),
            None if elsewhere => "any number of rows, since another server has them".to_owned(),
            None => "any number of rows, since nothing could be estimated".to_owned(),
        };
        let each = self.relations.iter();
        let each = each.map(|it| format!("{}: {}", it.name, most(it.rows, it.elsewhere)));
        let others = most(self.others, false);
        let others = format!("any other table, by cascades or triggers: {others}");
        let whole = self.whole.iter();
        let whole = whole.map(|it| format!("{}: it may be emptied, altered or removed", it.name));
        each.chain([others]).chain(whole).collect()
    }
}

fn in_words(did: u64, name: &str, most: u64) -> String {
    let (did, most) = (grouped(did), grouped(most));
    format!("{did} rows of {name}, where at most {most} were agreed to")
}

/// Rows up to which an agreement to this many holds.
#[must_use]
pub fn tolerated(rows: u64) -> u64 {
    let share = rows / 100 * DRIFT_ROWS_PERCENT + rows % 100 * DRIFT_ROWS_PERCENT / 100;
    rows.saturating_add(share.max(DRIFT_ROWS_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::RelationFacts;
    use crate::names::Meaning;

    fn facts(relations: &[(u64, Option<u64>, Option<u64>)]) -> Facts {
        let relation = |(identity, rows, touched): &(u64, Option<u64>, Option<u64>)| RelationFacts {
            name: format!("public.t{identity}"),
            rows: *rows,
            touched: *touched,
            identity: (*identity != 0).then_some(*identity),
            ..RelationFacts::default()
        };
        Facts { relations: relations.iter().map(relation).collect(), ..Facts::default() }
    }

    fn did(identity: u64, (created, changed, destroyed): (u64, u64, u64)) -> Measured {
        Measured { name: format!("public.t{identity}"), identity, created, changed, destroyed }
    }

    #[test]
    fn the_best_figure_bounds_each_relation() {
        let check = |facts: &Facts, expect: &[&str]| {
            let words = Ceilings::of(facts).map(|ceilings| ceilings.in_words());
            assert_eq!(words.unwrap_or_default(), expect, "{facts:?}");
        };
        let other = "any other table, by cascades or triggers: at most";
        check(
            &facts(&[(7, Some(1_000), Some(120))]),
            &["public.t7: at most 132 rows", &format!("{other} 132 rows")],
        );
        check(
            &facts(&[(7, Some(1_000), None)]),
            &["public.t7: at most 1,100 rows", &format!("{other} 1,100 rows")],
        );
        let none = "any number of rows, since nothing could be estimated";
        check(
            &facts(&[(7, None, None), (8, None, Some(5))]),
            &[
                &format!("public.t7: {none}"),
                "public.t8: at most 15 rows",
                &format!("any other table, by cascades or triggers: {none}"),
            ],
        );
        // What was counted says more than an estimate, and bounds what goes along too.
        let along = |identity, counted| Cascade {
            name: format!("public.t{identity}"),
            identity,
            how: How::Deleted,
            rows: Some(9_000),
            counted,
        };
        let mut counted = facts(&[(7, Some(1_000), Some(120))]);
        counted.relations[0].counted = Some(Counted::Exactly(50));
        counted.relations[0].cascades =
            vec![along(8, Some(Counted::Exactly(500))), along(9, Some(Counted::AtLeast(500)))];
        check(
            &counted,
            &["public.t7: at most 60 rows", "public.t8: at most 550 rows", &format!("{other} 60 rows")],
        );
        check(&facts(&[(0, Some(5), Some(5))]), &[]);
        check(&Facts::default(), &[]);
        let measured = vec![did(7, (0, 0, 500)), did(9, (3, 0, 0))];
        check(
            &Facts { measured, ..facts(&[(7, Some(1_000), Some(120))]) },
            &[
                "public.t7: at most 550 rows",
                "public.t9: at most 13 rows",
                &format!("{other} 550 rows"),
            ],
        );
    }

    #[test]
    fn what_was_done_fits_a_leaf() {
        let all: Vec<Measured> = (1..=43).map(|identity| did(identity, (0, identity, 1))).collect();
        assert_eq!(Measured::recorded(all[..40].to_vec()), all[..40]);
        let recorded = Measured::recorded(all);
        let words = |at: usize| recorded.get(at).map(Measured::in_words).unwrap_or_default();
        assert_eq!(recorded.len(), 41);
        assert_eq!(words(0), "public.t43: 43 changed, 1 deleted");
        assert_eq!(words(40), "3 more: 6 changed, 3 deleted");
    }

    #[test]
    fn where_another_server_has_the_rows_there_is_no_ceiling() {
        let mut facts = facts(&[(7, Some(9), Some(9))]);
        facts.relations[0].elsewhere = true;
        let ceilings = Ceilings::of(&facts).expect("a known relation");
        assert_eq!(
            ceilings.in_words(),
            [
                "public.t7: any number of rows, since another server has them",
                "any other table, by cascades or triggers: any number of rows, since nothing could be estimated",
            ]
        );
        let above = BTreeMap::from([(71, BTreeSet::from([7]))]);
        let done =
            [(7, Deed::Elsewhere), (71, Deed::Elsewhere), (8, Deed::Elsewhere), (7, Deed::Emptied)];
        assert_eq!(ceilings.beyond(&done, &above), [(8, Deed::Elsewhere), (7, Deed::Emptied)]);
        assert!(Ceilings::of_code().beyond(&done, &above).is_empty());
        assert_eq!(Ceilings::of_code().in_words().len(), 1);
    }

    #[test]
    fn what_is_beyond_rows_is_agreed_to_by_name() {
        let agreed = facts(&[(7, None, Some(120))]);
        let above = BTreeMap::from([(71, BTreeSet::from([70, 7]))]);
        let check = |facts: &Facts, entirely: bool, done: &[(u64, Deed)], expect: &[u64]| {
            let ceilings = Ceilings::of(facts).expect("a known relation");
            let means = Meaning {
                qualified: "public.t7".into(),
                identity: 7,
                kind: "table".into(),
                rules: None,
                own: false,
            };
            let named = [Named { name: "t7".into(), means: Some(means) }];
            let ceilings = if entirely { ceilings.entirely(&named) } else { ceilings };
            let beyond: Vec<u64> = ceilings.beyond(done, &above).into_iter().map(|it| it.0).collect();
            assert_eq!(beyond, expect, "{facts:?} {done:?}");
        };
        let done = [(7, Deed::Emptied), (8, Deed::Removed), (71, Deed::Altered)];
        check(&agreed, false, &done, &[7, 8, 71]);
        check(&agreed, true, &done, &[8]);
        let relation = Relation { name: "public.t8".into(), identity: 8 };
        let beyond = Beyond { relation, what: Deed::Removed };
        assert_eq!(beyond.in_words(), "remove public.t8, which nobody agreed to");
        let tried = Facts { beyond: vec![beyond], ..agreed.clone() };
        check(&tried, false, &done, &[7, 71]);
        check(&tried, true, &done, &[]);
        let mut cascades = agreed;
        cascades.relations[0].cascades = vec![Cascade {
            name: "public.t8".into(),
            identity: 8,
            how: How::Emptied,
            rows: None,
            counted: None,
        }];
        check(&cascades, true, &done, &[]);
        cascades.relations[0].cascades[0].how = How::Deleted;
        check(&cascades, true, &done, &[8]);
    }

    #[test]
    fn more_than_was_agreed_to_is_said_with_both_numbers() {
        let ceilings = Ceilings::of(&facts(&[(7, None, Some(120))])).expect("a known relation");
        let above = BTreeMap::from([(71, BTreeSet::from([70, 7])), (72, BTreeSet::from([7]))]);
        let check = |measured: &[Measured], expect: &[&str]| {
            assert_eq!(ceilings.exceeded(measured, &above), expect, "{measured:?}");
        };
        check(&[], &[]);
        check(&[did(7, (0, 0, 132))], &[]);
        check(&[did(7, (0, 0, 133))], &["133 rows of public.t7, where at most 132 were agreed to"]);
        check(&[did(7, (0, 100, 33))], &["133 rows of public.t7, where at most 132 were agreed to"]);
        // A row that moves to another partition is one row.
        check(&[did(71, (0, 0, 130)), did(72, (130, 0, 0))], &[]);
        check(
            &[did(71, (0, 0, 100)), did(72, (0, 33, 0))],
            &["133 rows of public.t7, where at most 132 were agreed to"],
        );
        check(&[did(8, (132, 132, 0))], &[]);
        check(&[did(8, (0, 0, 133))], &["133 rows of public.t8, where at most 132 were agreed to"]);
        check(
            &[did(8, (u64::MAX, u64::MAX, u64::MAX))],
            &[&format!("{} rows of public.t8, where at most 132 were agreed to", grouped(u64::MAX))],
        );
    }

    #[test]
    fn tolerance_never_overflows_nor_shrinks() {
        for (rows, expect) in
            [(0, 10), (5, 15), (100, 110), (120, 132), (1_000_000, 1_100_000), (u64::MAX, u64::MAX)]
        {
            assert_eq!(tolerated(rows), expect);
        }
    }
}
