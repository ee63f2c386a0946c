//! How much an approved request may do at most: the rows of each relation that its card says, and the stated
//! tolerance.
//!
//! The executor counts what was done before it makes it last, cascades and triggers included, and takes it all
//! back if [`Ceilings::exceeded`] says anything. What nobody could estimate has no ceiling, and the card says so.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::facts::{Cascade, Counted, Facts};
use crate::figures::grouped;
use crate::limits::{DRIFT_ROWS_MIN, DRIFT_ROWS_PERCENT};

/// What a request may do at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ceilings {
    /// The relations of the card.
    pub relations: Vec<Ceiling>,
    /// Rows of any other relation; `None` is no ceiling.
    pub others: Option<u64>,
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
            relations.push(Ceiling { name: relation.name.clone(), identity, rows });
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
                    relations.push(Ceiling { name, identity, rows: Some(tolerated(rows)) });
                }
            }
        }
        for rows in &facts.measured {
            if !relations.iter().any(|ceiling| ceiling.identity == rows.identity) {
                let (name, identity) = (rows.name.clone(), rows.identity);
                relations.push(Ceiling { name, identity, rows: Some(tolerated(rows.rows())) });
            }
        }
        Some(Self { relations, others })
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
        let most = |rows: Option<u64>| match rows {
            Some(rows) => format!("at most {} rows", grouped(rows)),
            None => "any number of rows, since nothing could be estimated".to_owned(),
        };
        let each = self.relations.iter().map(|ceiling| (ceiling.name.as_str(), ceiling.rows));
        each.chain([("any other table, by cascades or triggers", self.others)])
            .map(|(name, rows)| format!("{name}: {}", most(rows)))
            .collect()
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
    use crate::facts::{How, RelationFacts};

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
