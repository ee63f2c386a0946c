//! Members by whose names an operation may be graver than its verb: each has a rule, or an exception with a reason.

use std::collections::BTreeSet;

use tyer_core::intent::Effect;

use super::super::class::class;
use super::super::rules::{Beside, RULES};
use crate::aws::table::{self, Operation};

/// What the sweep of the models found, which `./dev aws-table` writes.
const FOUND: &str = include_str!("../../../../testdata/aws/grave-members.tsv");
const EXCEPTIONS: &str = include_str!("../../../../testdata/aws/grave-members-exceptions.tsv");

struct Exception {
    services: &'static str,
    operations: &'static str,
    part: String,
}

impl Exception {
    fn is_of(&self, operation: Operation, member: &str) -> bool {
        let folder = operation.api().folder();
        let is_named = |it: &str| match it.strip_suffix('*') {
            Some(start) => operation.name().starts_with(start),
            None => operation.name() == it,
        };
        (self.services == "*" || self.services.split(',').any(|it| it == folder))
            && self.operations.split(',').any(is_named)
            && last(member).contains(&self.part)
    }
}

fn last(member: &str) -> String {
    member.rsplit('.').next().unwrap_or(member).to_lowercase()
}

fn exceptions() -> Vec<Exception> {
    let lines = EXCEPTIONS.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [of, part, reason] = fields.as_slice() else { panic!("{line}") };
            assert!(!part.is_empty() && reason.len() >= 8, "{line}");
            let (services, operations) = of.split_once(':').unwrap_or_else(|| panic!("{line}"));
            Exception { services, operations, part: part.to_lowercase() }
        })
        .collect()
}

/// Whether a rule looks at that member, at what is in it or at what it is in.
fn has_rule(operation: Operation, member: &str) -> bool {
    let member = member.to_lowercase();
    let is_about = |path: &str| {
        let path = path.trim_start_matches('!').split('=').next().unwrap_or_default().to_lowercase();
        let within =
            |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|it| it.starts_with('.'));
        let is_below_any = path.strip_prefix("*.").is_some_and(|rest| member.ends_with(rest));
        path == member || within(&path, &member) || within(&member, &path) || is_below_any
    };
    let mut rules = RULES.beside(operation);
    rules.any(|rule| match rule {
        Beside::When(condition, said) => {
            said.effect > Effect::Change && condition.split(", ").any(is_about)
        }
        Beside::Kept(condition, ..) => condition.split(", ").any(is_about),
        Beside::Only(..) | Beside::Made(..) | Beside::Named(..) => false,
    })
}

/// Whatever the models have by such a name is looked at: in requests of what writes, in answers of what reads.
#[test]
fn what_its_members_say_makes_an_operation_graver_or_there_is_a_reason() {
    let exceptions = exceptions();
    assert!(exceptions.len() < 250);
    let (mut used, mut seen, mut left) = (BTreeSet::new(), 0, Vec::new());
    for line in FOUND.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, direction, members] = fields.as_slice() else { panic!("{line}") };
        let (folder, name) = name.split_once(':').unwrap_or_else(|| panic!("{line}"));
        let api = table::apis().find(|api| api.folder() == folder);
        let operation = api.and_then(|api| api.operation(name)).unwrap_or_else(|| panic!("{line}"));
        let effect = class(operation).effect;
        let is_looked_at = match *direction {
            "in" => effect > Effect::Read && effect <= Effect::Change,
            _ => effect == Effect::Read,
        };
        for member in members.split(' ').filter(|_| is_looked_at) {
            seen += 1;
            if has_rule(operation, member) {
                continue;
            }
            let why: Vec<usize> =
                (0..exceptions.len()).filter(|at| exceptions[*at].is_of(operation, member)).collect();
            if why.is_empty() {
                left.push(format!("{operation:?} {direction} {member}"));
            }
            used.extend(why);
        }
    }
    assert_eq!(left, [""; 0], "neither a rule nor an exception");
    assert!(seen > 500, "{seen}");
    let unused: Vec<String> = (exceptions.iter().enumerate())
        .filter(|(at, _)| !used.contains(at))
        .map(|(_, it)| format!("{}:{} {}", it.services, it.operations, it.part))
        .collect();
    assert_eq!(unused, [""; 0], "exceptions that nothing needs");
}
