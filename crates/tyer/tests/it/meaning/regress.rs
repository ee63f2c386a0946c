//! PostgreSQL's own regression scripts: what each statement did against what was understood of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tyer_core::intent::Effect;
use tyer_wire::postgres::understand::{Naming, Understanding, understand_among};

use super::compare::{By, compare};
use super::held::{BuiltIn, Held};
use super::relay::{self, Ran};
use crate::suites::regress;

/// Statements that did more than was understood, each with the reason why that is right.
const MORE: &str = include_str!("regress.txt");

/// Of a thousand reads without code of the scripts' own so many may be held. Measured: 183 of 15,253.
const HELD_MAX: usize = 15;

/// What a connection knows: its prepared statements, and what its open transaction was understood as.
#[derive(Default)]
struct Known {
    bodies: HashMap<String, Arc<Understanding>>,
    transaction: usize,
    earlier: Vec<Understanding>,
}

impl Known {
    /// What a text would do here.
    fn understand(&mut self, ran: &Ran) -> Understanding {
        if self.transaction != ran.transaction {
            self.earlier.clear();
            self.transaction = ran.transaction;
        }
        let found = understand_among(&ran.sql, self.bodies.clone());
        if found.hides() {
            self.bodies.clear();
        }
        for naming in found.namings.iter().filter(|_| !ran.failed) {
            match naming {
                Naming::Prepare(name, body) => {
                    self.bodies.insert(name.clone(), Arc::clone(&body.understanding));
                }
                Naming::Forget(name) => drop(self.bodies.remove(name)),
                Naming::ForgetAll => self.bodies.clear(),
                Naming::Fetch => {}
            }
        }
        found
    }
}

/// What the run comes to.
#[derive(Default)]
struct Report {
    texts: usize,
    /// Nobody could say what they did to rows.
    unseen: usize,
    compared: usize,
    by: BTreeMap<By, usize>,
    wrong: Vec<String>,
    reads: usize,
    held: Held,
}

impl Report {
    fn add(&mut self, known: &mut Known, built_in: &BuiltIn, ran: &Ran) {
        let found = known.understand(ran);
        self.texts += 1;
        self.unseen += usize::from(ran.did.is_none());
        let is_read = found.acts.iter().all(|act| act.effect == Effect::Read);
        let writes_unsaid = ran.wrote == Some(true) && is_read && found.controls.is_empty();
        // What was deferred takes effect when the transaction ends, or when it is told to.
        let settles = !found.controls.is_empty() || ran.tags.iter().any(|tag| tag == "SET CONSTRAINTS");
        let mut all = vec![&found];
        if settles {
            all.extend(&known.earlier);
        }
        let compared = compare(ran, &all);
        self.compared += usize::from(!compared.by.is_empty());
        compared.by.iter().for_each(|by| *self.by.entry(*by).or_default() += 1);
        let mut beyond = compared.beyond;
        if writes_unsaid && beyond.is_empty() {
            beyond.push("it wrote something".to_owned());
        }
        let sql = ran.sql.split_whitespace().collect::<Vec<_>>().join(" ");
        self.wrong.extend(beyond.into_iter().map(|what| format!("{sql} -- {what}")));
        if ran.wrote == Some(false)
            && ran.tags.iter().any(|tag| tag.starts_with("SELECT"))
            && !ran.failed
        {
            self.reads += 1;
            self.held.add(built_in, &found, &ran.sql);
        }
        known.earlier.push(found);
    }

    /// What is wrong and not listed, and what is listed without need.
    fn unlisted(mut self) -> (Vec<String>, Vec<&'static str>) {
        let listed: Vec<(&str, &str)> = MORE
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(" -- "))
            .collect();
        let mut used = vec![false; listed.len()];
        self.wrong.retain(|wrong| match listed.iter().position(|(text, _)| wrong.starts_with(text)) {
            Some(at) => {
                used[at] = true;
                false
            }
            None => true,
        });
        self.wrong.sort();
        self.wrong.dedup();
        let stale = listed.iter().zip(&used);
        let stale = stale.filter(|(it, used)| !**used && !it.1.starts_with("may "));
        (self.wrong, stale.map(|(it, _)| it.0).collect())
    }
}

#[test]
fn no_statement_of_the_regression_scripts_does_more_than_was_understood() {
    let cluster = regress::cluster();
    let built_in = BuiltIn::of(&cluster);
    let mut seat = regress::seat(&cluster);
    let login = format!(
        "host=127.0.0.1 port={} user={} password={} dbname=postgres",
        seat.port, seat.user, seat.password
    );
    let (port, ran) = relay::start(seat.port, &login);
    seat.port = port;
    let outcomes = regress::run_by(&seat, 1);
    assert!(outcomes.passed() > 150, "{}", outcomes.failures());
    let mut report = Report::default();
    let mut known: BTreeMap<i32, Known> = BTreeMap::new();
    for one in ran.lock().expect("a lock").iter() {
        report.add(known.entry(one.connection).or_default(), &built_in, one);
    }
    let Held { own, changing, other, .. } = report.held;
    let reads = report.reads - changing;
    println!(
        "{} texts, {} of which could not be looked at; rows were changed by {}: {:?}",
        report.texts, report.unseen, report.compared, report.by
    );
    println!(
        "{reads} reads: {own} held for code of the scripts' own, {other} of the others held; {changing} \
         more change what no transaction shows:"
    );
    println!("{}", report.held.told());
    let (texts, unseen, compared) = (report.texts, report.unseen, report.compared);
    let (wrong, stale) = report.unlisted();
    assert!(wrong.is_empty(), "{} did more:\n{}", wrong.len(), wrong.join("\n"));
    assert!(stale.is_empty(), "listed without need: {stale:?}");
    assert!(compared > 5_000 && unseen * 20 < texts, "{compared} compared, {unseen} not of {texts}");
    let others = reads - own;
    assert!(reads > 10_000 && other * 1000 < others * HELD_MAX, "{other} of {others} would be held");
}
