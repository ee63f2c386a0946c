//! What is understood of SQL against what a real server does with it.

mod compare;
mod held;
mod regress;
mod relay;
mod rows;

use std::collections::BTreeMap;

use tyer_core::intent::Effect;
use tyer_wire::postgres::understand::understand;
use xtask::cluster::Cluster;

/// Functions of the server that may write, or that not everybody may call, and that are still only reads.
const READS: &str = include_str!("meaning/functions.txt");

/// Every function that the server itself declares volatile, or lets only some roles call, is understood as more than a read
/// or stands in the list with a reason.
#[test]
fn every_volatile_function_is_decided() {
    let listed: BTreeMap<&str, &str> = READS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        .collect();
    let cluster = Cluster::start().expect("a cluster");
    cluster.load_orders().expect("a database");
    let names = cluster
        .query(
            "SELECT DISTINCT proname FROM pg_proc
             WHERE pronamespace = 'pg_catalog'::regnamespace
                 AND (provolatile = 'v' OR proacl IS NOT NULL) ORDER BY 1",
        )
        .expect("the functions");
    let is_read = |name: &&str| {
        let found = understand(&format!("SELECT pg_catalog.{name}()"));
        assert_eq!(found.syntax_error, None, "{name}");
        found.acts.worst() == Effect::Read
    };
    let reads: Vec<&str> = names.lines().map(str::trim).filter(is_read).collect();
    let unknown: Vec<_> = reads.iter().filter(|name| !listed.contains_key(*name)).collect();
    assert!(unknown.is_empty(), "understood as reads, and nobody said why: {unknown:?}");
    assert!(names.lines().count() > 150, "{}", names.lines().count());
    let stale: Vec<_> = listed.keys().filter(|name| !reads.contains(name)).collect();
    assert!(stale.is_empty(), "listed without need: {stale:?}");
}
