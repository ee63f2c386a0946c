//! PostgreSQL's own regression scripts: what each statement wrote against what was understood of it.

use tyer_core::intent::Effect;
use tyer_wire::postgres::understand::understand;

use super::relay;
use crate::suites::regress;

/// Statements that are understood as reads and write all the same, each with the reason.
const WRITES: &str = include_str!("regress.txt");

/// Of a hundred reads so many may be held. Measured: 2,169 of 16,896.
const HELD_MAX: usize = 14;

#[test]
fn no_statement_of_the_regression_scripts_writes_more_than_was_understood() {
    let cluster = regress::cluster();
    let mut seat = regress::seat(&cluster);
    let login = format!(
        "host=127.0.0.1 port={} user={} password={} dbname=postgres",
        seat.port, seat.user, seat.password
    );
    let (port, ran) = relay::start(seat.port, &login);
    seat.port = port;
    let outcomes = regress::run_by(&seat, 1);
    assert!(outcomes.passed() > 150, "{}", outcomes.failures());
    let listed: Vec<(&str, &str)> = WRITES
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(" -- "))
        .collect();
    let ran = ran.lock().expect("a lock");
    let (mut wrong, mut used) = (Vec::new(), vec![false; listed.len()]);
    let (mut reads, mut held, mut unseen) = (0_usize, 0_usize, 0_usize);
    for one in ran.iter() {
        let found = understand(&one.sql);
        let is_read = found.acts.iter().all(|act| act.effect == Effect::Read);
        match one.wrote {
            None => unseen += 1,
            Some(true) if is_read && found.controls.is_empty() => {
                let sql = one.sql.split_whitespace().collect::<Vec<_>>().join(" ");
                match listed.iter().position(|(text, _)| sql.starts_with(text)) {
                    Some(at) => used[at] = true,
                    None => wrong.push(format!("{sql} -- {}", one.tag)),
                }
            }
            Some(false) if one.tag.starts_with("SELECT") && !one.failed => {
                reads += 1;
                held +=
                    usize::from(!found.acts.iter().all(|act| act.local || act.effect == Effect::Read));
            }
            Some(_) => {}
        }
    }
    println!(
        "{} texts, {unseen} behind a write of their transaction; {held} of {reads} reads held",
        ran.len()
    );
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{} wrote:\n{}", wrong.len(), wrong.join("\n"));
    let stale: Vec<_> = listed
        .iter()
        .zip(&used)
        .filter(|(it, used)| !**used && !it.1.starts_with("may "))
        .map(|(it, _)| it.0)
        .collect();
    assert!(stale.is_empty(), "listed without need: {stale:?}");
    assert!(reads > 10_000 && held * 100 < reads * HELD_MAX, "{held} of {reads} reads would be held");
}
