//! What became of each test, and which differences are known.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What became of each test, by its id.
#[derive(Debug, Default)]
pub(crate) struct Outcomes(BTreeMap<String, Outcome>);

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// In the words of what ran it; `passed` is one of them.
    pub(crate) state: String,
    /// What it said of a failure.
    pub(crate) why: String,
}

impl Outcomes {
    pub(crate) fn insert(&mut self, id: &str, state: &str, why: &str) {
        let outcome = Outcome { state: state.to_owned(), why: why.to_owned() };
        self.0.insert(id.to_owned(), outcome);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn passed(&self) -> usize {
        self.0.values().filter(|outcome| outcome.state == "passed").count()
    }

    /// The first failures, for a person to read.
    pub(crate) fn failures(&self) -> String {
        let failed = self.0.iter().filter(|(_, outcome)| outcome.state.starts_with("failed")).take(10);
        failed.map(|(id, Outcome { state, why })| format!("\n{id}: {state} {why}")).collect()
    }

    fn get(&self, id: &str) -> Outcome {
        let absent = || Outcome { state: "absent".to_owned(), why: String::new() };
        self.0.get(id).cloned().unwrap_or_else(absent)
    }
}

/// The list of a suite: lines `differs ID -- REASON` and `flaky ID -- EVIDENCE`. A flaky test's outcome is a race; it
/// isn't compared.
#[derive(Debug)]
pub(crate) struct Listed {
    differs: Vec<String>,
    flaky: Vec<String>,
}

impl Listed {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let mut listed = Self { differs: Vec::new(), flaky: Vec::new() };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (entry, reason) =
                line.split_once(" -- ").unwrap_or_else(|| panic!("no reason: {line}"));
            assert!(!reason.trim().is_empty(), "no reason: {line}");
            match entry.split_once(' ') {
                Some(("differs", id)) => listed.differs.push(id.to_owned()),
                Some(("flaky", id)) => listed.flaky.push(id.to_owned()),
                _ => panic!("neither `differs` nor `flaky`: {line}"),
            }
        }
        listed
    }

    /// What is wrong: differences that are not listed, and listed ones that there are not.
    pub(crate) fn compare(&self, direct: &Outcomes, door: &Outcomes) -> Vec<String> {
        let mut ids: Vec<&String> = direct.0.keys().chain(door.0.keys()).collect();
        ids.sort();
        ids.dedup();
        let differs = |id: &str| direct.get(id).state != door.get(id).state;
        let known = |id: &String| self.differs.contains(id) || self.flaky.contains(id);
        let new = ids.iter().filter(|id| !known(id) && differs(id)).map(|id| {
            let (was, is) = (direct.get(id), door.get(id));
            let why = if is.why.is_empty() { was.why } else { is.why };
            format!("{id}: {} directly, {} through the door: {why}", was.state, is.state)
        });
        let gone = self.differs.iter().filter(|id| !differs(id));
        new.chain(gone.map(|id| format!("{id}: listed, but it no longer differs"))).collect()
    }
}

#[test]
fn the_lists_are_kept_true() {
    let of = |outcomes: &[(&str, &str)]| {
        let mut all = Outcomes::default();
        outcomes.iter().for_each(|(id, state)| all.insert(id, state, ""));
        all
    };
    let check = |list: &str, door: &[(&str, &str)], wrong: usize| {
        let direct = of(&[("a", "passed"), ("b", "passed"), ("c", "failed")]);
        let found = Listed::parse(list).compare(&direct, &of(door));
        assert_eq!(found.len(), wrong, "{list}: {found:?}");
    };
    let same = [("a", "passed"), ("b", "passed"), ("c", "failed")];
    let broken = [("a", "passed"), ("b", "failed"), ("c", "failed")];
    check("", &same, 0);
    check("", &broken, 1);
    check("", &same[..2], 1);
    check("", &[], 3);
    check("differs b -- because", &broken, 0);
    check("# a comment\n\ndiffers b -- because", &same, 1);
    check("flaky b -- seen", &broken, 0);
    check("flaky b -- seen", &same, 0);
}
