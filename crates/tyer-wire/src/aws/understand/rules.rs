//! The rules of `data/aws-effects.tsv`, read once. A line that cannot be read is kept apart; a test refuses it.

use std::collections::HashMap;
use std::sync::LazyLock;

use tyer_core::intent::{Effect, Reversibility};

use crate::aws::table::Operation;

const TEXT: &str = include_str!("../../../data/aws-effects.tsv");

pub(super) static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::read(TEXT));

/// Every rule.
#[derive(Debug, Default)]
pub(super) struct Rules {
    verbs: HashMap<&'static str, Said>,
    is: HashMap<Key, Said>,
    beside: HashMap<Key, Vec<Beside>>,
    nouns: HashMap<Key, &'static str>,
    names: HashMap<Key, &'static str>,
    /// Lines that say nothing; a test sees to it that there are none.
    pub(super) broken: Vec<&'static str>,
}

/// Botocore's name of the service, and the operation; `*` for all of them.
type Key = (&'static str, &'static str);

/// An effect and the words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) effect: Effect,
    pub(super) reversibility: Reversibility,
    pub(super) words: &'static str,
}

/// What an operation does beside its effect.
#[derive(Clone, Copy, Debug)]
pub(super) enum Beside {
    /// It does this too, where that holds.
    When(&'static str, Said),
    /// It does nothing but this, where that holds.
    Only(&'static str, Said),
    /// It makes this as a copy of that.
    Made(Place, Place, &'static str),
    /// Copies that are kept with this go, where that holds.
    Kept(&'static str, Place, &'static str),
    /// It has that called this.
    Named(Place, Place, &'static str),
}

/// A type of resources, and the member that says which one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: &'static str,
    pub(super) member: &'static str,
}

impl Rules {
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
        let fields: Vec<&'static str> = line.split('\t').collect();
        match fields.as_slice() {
            ["verb", verb, "", effect, words] => {
                let said = Said::read(effect, words)?;
                self.verbs.insert(verb, said).is_none().then_some(())
            }
            ["noun", of, noun] => operations(of).try_for_each(|key| {
                let is_new = self.nouns.insert(key, noun).is_none();
                is_new.then_some(())
            }),
            ["name", service, noun, arn] => {
                self.names.insert((service, noun), arn).is_none().then_some(())
            }
            ["is", of, "", effect, words] => {
                let said = Said::read(effect, words)?;
                operations(of).try_for_each(|key| self.is.insert(key, said).is_none().then_some(()))
            }
            [what, of, one, other, words] => {
                let beside = beside(what, one, other, words)?;
                operations(of).for_each(|key| self.beside.entry(key).or_default().push(beside));
                Some(())
            }
            _ => None,
        }
    }

    /// What is written of the operation.
    pub(super) fn is(&self, operation: Operation) -> Option<Said> {
        self.is.get(&key(operation)).copied()
    }

    /// What it does beside that.
    pub(super) fn beside(&self, operation: Operation) -> impl Iterator<Item = Beside> {
        let of = |key: Key| self.beside.get(&key).into_iter().flatten().copied();
        of(key(operation)).chain(of((operation.api().folder(), "*")))
    }

    /// What an operation does whose name begins so.
    pub(super) fn verb(&self, verb: &str) -> Option<Said> {
        self.verbs.get(verb).copied()
    }

    /// What is written that an operation is about.
    pub(super) fn noun(&self, operation: Operation) -> Option<&'static str> {
        self.nouns.get(&key(operation)).copied()
    }

    /// How a service names such a thing.
    pub(super) fn name(&self, folder: &str, noun: &str) -> Option<&'static str> {
        self.names.get(&(folder, noun)).copied()
    }

    /// Every operation that some rule names.
    #[cfg(test)]
    pub(super) fn named(&self) -> impl Iterator<Item = Key> {
        self.is.keys().chain(self.beside.keys()).chain(self.nouns.keys()).copied()
    }
}

/// The lines of such a file that say something.
pub(super) fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn beside(what: &str, one: &'static str, other: &'static str, words: &'static str) -> Option<Beside> {
    let has_words = !words.trim().is_empty();
    match what {
        "when" if !one.is_empty() => Some(Beside::When(one, Said::read(other, words)?)),
        "only" if !one.is_empty() => Some(Beside::Only(one, Said::read(other, words)?)),
        "made" if has_words => Some(Beside::Made(Place::read(one)?, Place::read(other)?, words)),
        "kept" if has_words => Some(Beside::Kept(one, Place::read(other)?, words)),
        "named" if has_words => Some(Beside::Named(Place::read(one)?, Place::read(other)?, words)),
        _ => None,
    }
}

impl Beside {
    /// Its words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::When(_, said) | Self::Only(_, said) => said.words,
            Self::Made(.., words) | Self::Kept(.., words) | Self::Named(.., words) => words,
        }
    }
}

impl Said {
    pub(super) fn read(effect: &str, words: &'static str) -> Option<Self> {
        let (effect, reversibility) = effect.split_once('/').unwrap_or((effect, ""));
        let effect = Effect::parse(effect)?;
        let all = [Reversibility::Reversible, Reversibility::Recoverable, Reversibility::Irreversible];
        let reversibility = match reversibility {
            "" => usual(effect),
            word => all.into_iter().find(|it| it.as_str() == word)?,
        };
        (!words.trim().is_empty()).then_some(Self { effect, reversibility, words })
    }
}

impl Place {
    fn read(text: &'static str) -> Option<Self> {
        let (kind, member) = text.split_once('=')?;
        (!kind.is_empty()).then_some(Self { kind, member })
    }
}

/// The reversibility that an effect usually has.
pub(super) fn usual(effect: Effect) -> Reversibility {
    match effect {
        Effect::Read | Effect::Create | Effect::Grant | Effect::Disarm => Reversibility::Reversible,
        Effect::Change | Effect::Replace => Reversibility::Recoverable,
        Effect::Execute | Effect::Opaque | Effect::Destroy => Reversibility::Irreversible,
    }
}

fn key(operation: Operation) -> Key {
    (operation.api().folder(), operation.name())
}

fn operations(text: &'static str) -> impl Iterator<Item = Key> {
    let (services, names) = text.split_once(':').unwrap_or_default();
    services.split(',').flat_map(move |service| names.split(',').map(move |name| (service, name)))
}
