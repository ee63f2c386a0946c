//! The rules of `data/aws-stack-changes.tsv`, read once: what changes of a change set do. What no rule names may replace.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::rules::{Said, lines};

const TEXT: &str = include_str!("../../../data/aws-stack-changes.tsv");

pub(super) static STACKED: LazyLock<Stacked> = LazyLock::new(|| Stacked::read(TEXT));

/// Any kind whose property no other rule names.
const ANY: &str = "*";

/// Every rule.
#[derive(Debug, Default)]
pub(super) struct Stacked {
    alters: HashMap<(&'static str, &'static str), Said>,
    adds: HashMap<&'static str, Said>,
    /// Lines that say nothing, or something twice; a test sees to it that there are none.
    pub(super) broken: Vec<&'static str>,
}

impl Stacked {
    pub(super) fn read(text: &'static str) -> Self {
        let mut rules = Self::default();
        for line in lines(text) {
            if rules.take(line).is_none() {
                rules.broken.push(line);
            }
        }
        rules
    }

    fn take(&mut self, line: &'static str) -> Option<()> {
        match line.split('\t').collect::<Vec<_>>().as_slice() {
            ["alters", kinds, properties, effect, words] => {
                let said = Said::read(effect, words)?;
                let mut all =
                    kinds.split(',').flat_map(|kind| properties.split(',').map(move |it| (kind, it)));
                all.all(|key| self.alters.insert(key, said).is_none()).then_some(())
            }
            ["adds", kinds, effect, words] => {
                let said = Said::read(effect, words)?;
                kinds.split(',').all(|kind| self.adds.insert(kind, said).is_none()).then_some(())
            }
            _ => None,
        }
    }

    /// What altering a property in place does.
    pub(super) fn alters(&self, kind: &str, property: &str) -> Option<Said> {
        self.alters.get(&(kind, property)).or_else(|| self.alters.get(&(ANY, property))).copied()
    }

    /// What adding one of that kind does.
    pub(super) fn adds(&self, kind: &str) -> Option<Said> {
        self.adds.get(kind).copied()
    }

    /// Every rule for a property in place.
    #[cfg(test)]
    pub(super) fn all_alters(&self) -> impl Iterator<Item = (&str, &str, Said)> {
        self.alters.iter().map(|((kind, property), said)| (*kind, *property, *said))
    }

    /// Every rule for what is added.
    #[cfg(test)]
    pub(super) fn all_adds(&self) -> impl Iterator<Item = (&str, Said)> {
        self.adds.iter().map(|(kind, said)| (*kind, *said))
    }
}
