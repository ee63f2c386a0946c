//! Tests of the whole: what each statement would do, and what holds for every text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use expect_test::expect_file;
use proptest::prelude::*;
use tyer_core::intent::Reversibility;

use super::*;

const CASES: &str = include_str!("../../../testdata/postgres/understand/cases.txt");
const SCENARIOS: &str = include_str!("../../../testdata/scenarios.jsonl");

/// The statements of the golden file.
fn cases() -> impl Iterator<Item = &'static str> {
    CASES.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', ' ']))
}

/// Acts as sorted lines, so that they compare as sets.
fn lines(acts: &Acts) -> BTreeSet<String> {
    acts.iter().map(line).collect()
}

fn line(act: &Act) -> String {
    let local = if act.local { " local" } else { "" };
    format!("{} {} {}{local}: {}", act.effect, act.resource, act.reversibility.as_str(), act.why)
}

fn worst(sql: &str) -> Effect {
    understand(sql).acts.worst()
}

/// Whether reads flow and nothing else, as under the guarded preset in production.
fn flows(sql: &str) -> bool {
    understand(sql).acts.iter().all(|act| act.local || act.effect == Effect::Read)
}

#[test]
fn golden() {
    let mut found = String::new();
    for text in CASES.lines().filter(|line| !line.starts_with("  ")) {
        writeln!(found, "{text}").unwrap();
        if !text.is_empty() && !text.starts_with('#') {
            for act in understand(text).acts.iter() {
                writeln!(found, "  {}", line(act)).unwrap();
            }
        }
    }
    expect_file!["../../../testdata/postgres/understand/cases.txt"].assert_eq(&found);
    assert!(cases().count() >= 250, "{} cases", cases().count());
}

#[test]
fn scenarios_flow_or_are_held_as_expected() {
    let mut steps = 0;
    for scenario in SCENARIOS.lines() {
        let scenario: serde_json::Value = serde_json::from_str(scenario).unwrap();
        let expected = scenario["expected"].as_array().unwrap();
        for (step, expect) in scenario["steps"].as_array().unwrap().iter().zip(expected) {
            let sql = step.as_str().unwrap();
            let is_held = expect != "allow";
            assert_eq!(!flows(sql), is_held, "{}: {sql}: {:?}", scenario["id"], understand(sql).acts);
            steps += 1;
        }
    }
    assert!(steps >= 37, "{steps} steps");
}
