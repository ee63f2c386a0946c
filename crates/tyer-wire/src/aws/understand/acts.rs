//! The acts of one request, from its class, its subjects and the rules.

use std::collections::HashSet;

use tyer_core::intent::{Act, Acts, Effect, Kind, Resource, Reversibility, Tie};

use super::Terms;
use super::class::{Class, Evidence, behind_verb, class, verb_of};
use super::condition::{Compare, holds};
use super::rules::{Beside, RULES, Said};
use super::subject::{Asked, Extent, Subject};
use super::{plan, tags};
use crate::aws::table::{Level, Operation};
use crate::line::one_line;

/// How many resources a request may name before the rest is told as a number.
const SUBJECTS_MAX: usize = 50;
/// How many characters of a name that the request gives stand in words.
const NAME_CHARS_MAX: usize = 80;

/// What the request would do.
pub(super) fn of(asked: Asked<'_>, terms: &Terms<'_>) -> Acts {
    let class = class(asked.operation);
    let beside: Vec<Beside> = RULES.beside(asked.operation).collect();
    if asked.decoded.extra.is_empty()
        && let Some(said) = only(asked, &beside)
    {
        return acts(asked, asked.subjects(false), said, |_| None);
    }
    let is_tagging = asked.operation.level() == Some(Level::Tagging);
    let makes =
        !is_tagging && (class.effect == Effect::Create || verb_is(asked.operation, Effect::Create));
    let subjects = subjects(asked, class, makes);
    let said = Said { effect: class.effect, reversibility: class.reversibility, words: class.words };
    let mut found = when(asked, &beside, (&subjects, class.effect));
    let made = made(asked, &beside);
    let base = match class.evidence {
        Evidence::Nothing => vec![Act::opaque(format!("{} {}", asked.decoded.name(), class.words))],
        _ => based(asked, subjects.clone(), said),
    };
    // What makes a copy says so; that it makes something is said by that.
    let is_saved = made.iter().any(|act| matches!(&act.tie, Some(Tie::CopyOf(_))));
    let base = base.into_iter().filter(|act| act.effect != Effect::Create || !is_saved);
    let base: Vec<Act> = base.map(|act| spared(act, is_saved)).collect();
    found.extend(also(asked, class, &subjects));
    found.extend(tags::disarms(asked, terms, &subjects));
    found.extend(made);
    found.extend(base);
    found.extend(kept(asked, &beside));
    if class.effect.is_write() && !asked.decoded.extra.is_empty() {
        found.push(Act::opaque(extra(&asked.decoded.extra)));
    }
    let mut found = plan::eased(asked, found).into_iter();
    let first = found.next().unwrap_or_else(|| Act::opaque("does nothing that can be told"));
    Acts::new(first, found)
}

/// What it is about, and, where nothing is made or removed, whatever else it names.
fn subjects(asked: Asked<'_>, class: Class, makes: bool) -> Vec<Subject> {
    let mut subjects = asked.subjects(makes);
    if !makes && class.effect != Effect::Destroy {
        for other in asked.others() {
            subjects.push(other);
        }
    }
    let mut seen = HashSet::new();
    subjects.retain(|subject| seen.insert(subject.arn.clone()));
    subjects
}

/// All that it does, where a rule says so.
fn only(asked: Asked<'_>, beside: &[Beside]) -> Option<Said> {
    beside.iter().find_map(|rule| match rule {
        Beside::Only(condition, said)
            if holds(condition, &asked.decoded.parameters, Compare::Exactly) =>
        {
            Some(*said)
        }
        _ => None,
    })
}

/// What its parameters add.
fn when(asked: Asked<'_>, beside: &[Beside], (subjects, base): (&[Subject], Effect)) -> Vec<Act> {
    let parameters = &asked.decoded.parameters;
    let said = beside.iter().filter_map(|rule| match rule {
        Beside::When(condition, said) if holds(condition, parameters, Compare::Loosely) => Some(*said),
        _ => None,
    });
    said.flat_map(|said| {
        // What is not removed as such loses something.
        let is_part = said.effect == Effect::Destroy && base != Effect::Destroy;
        let tie = |subject: &Subject| (is_part || subject.extent == Extent::Part).then_some(Tie::Part);
        let tie = move |subject: &Subject| tie(subject).filter(|_| said.effect == Effect::Destroy);
        listed(asked, subjects.to_vec(), said, tie)
    })
    .collect()
}

fn based(asked: Asked<'_>, subjects: Vec<Subject>, said: Said) -> Vec<Act> {
    listed(asked, subjects, said, |subject| match (said.effect, subject.extent) {
        (Effect::Destroy, Extent::Part) => Some(Tie::Part),
        (Effect::Create, Extent::Unnamed) => Some(Tie::Unnamed),
        _ => None,
    })
}

/// What permissions are about that are made or removed with what has them.
fn also(asked: Asked<'_>, class: Class, subjects: &[Subject]) -> Vec<Act> {
    let is_level = class.evidence == Evidence::Level;
    if !is_level || asked.operation.level() != Some(Level::Permissions) {
        return Vec::new();
    }
    let whole = subjects.iter().filter(|subject| subject.extent != Extent::Part).cloned().collect();
    let verb = verb_of(asked.operation.name()).and_then(|verb| RULES.verb(verb));
    match verb {
        Some(said) if matches!(said.effect, Effect::Create | Effect::Destroy) => {
            based(asked, whole, said)
        }
        _ => Vec::new(),
    }
}

/// Copies that it makes, and names that it gives.
fn made(asked: Asked<'_>, beside: &[Beside]) -> Vec<Act> {
    let found = beside.iter().filter_map(|rule| {
        let (effect, new, old, words) = match rule {
            Beside::Made(new, old, words) => (Effect::Create, asked.at(*new)?, asked.at(*old)?, words),
            Beside::Named(new, old, words) => (Effect::Change, asked.at(*new)?, asked.at(*old)?, words),
            Beside::When(..) | Beside::Only(..) | Beside::Kept(..) => return None,
        };
        let (of, new) = (object(&old.arn), object(&new.arn));
        let why = why(asked, words, &old);
        let reversibility = Reversibility::Reversible;
        Some(match effect {
            Effect::Create => Act {
                effect,
                resource: new,
                reversibility,
                local: false,
                why,
                tie: Some(Tie::CopyOf(of)),
            },
            _ => Act {
                effect,
                resource: of,
                reversibility,
                local: false,
                why,
                tie: Some(Tie::Becomes(new)),
            },
        })
    });
    found.collect()
}

/// Copies that go with it.
fn kept(asked: Asked<'_>, beside: &[Beside]) -> Vec<Act> {
    let parameters = &asked.decoded.parameters;
    let found = beside.iter().filter_map(|rule| match rule {
        Beside::Kept(condition, place, words) if holds(condition, parameters, Compare::Loosely) => {
            let of = asked.at(*place)?;
            Some(Act {
                effect: Effect::Destroy,
                resource: object(&format!("{}:automated-backups", of.arn)),
                reversibility: Reversibility::Irreversible,
                local: false,
                why: why(asked, words, &of),
                tie: Some(Tie::CopiesOf(object(&of.arn))),
            })
        }
        _ => None,
    });
    found.collect()
}

/// What is lost can be had back from what is copied first.
fn spared(act: Act, is_saved: bool) -> Act {
    let is_lost = act.effect == Effect::Destroy && act.reversibility == Reversibility::Irreversible;
    match is_saved && is_lost {
        true => Act { reversibility: Reversibility::Recoverable, ..act },
        false => act,
    }
}

fn acts(
    asked: Asked<'_>,
    subjects: Vec<Subject>,
    said: Said,
    tie: impl Fn(&Subject) -> Option<Tie>,
) -> Acts {
    let mut found = listed(asked, subjects, said, tie).into_iter();
    let first = found.next().unwrap_or_else(|| Act::opaque("is about nothing that can be told"));
    Acts::new(first, found)
}

/// One act for each, and one for those that are too many.
fn listed(
    asked: Asked<'_>,
    mut subjects: Vec<Subject>,
    said: Said,
    tie: impl Fn(&Subject) -> Option<Tie>,
) -> Vec<Act> {
    let (count, rest) = (subjects.len(), subjects.split_off(subjects.len().min(SUBJECTS_MAX)));
    let act = |resource, why, tie| {
        let (effect, reversibility) = (said.effect, said.reversibility);
        Act { effect, resource, reversibility, local: false, why, tie }
    };
    let one =
        |subject: &Subject| act(object(&subject.arn), why(asked, said.words, subject), tie(subject));
    let mut found: Vec<Act> = subjects.iter().map(one).collect();
    if let Some(next) = rest.first() {
        let left = rest.len();
        let why = format!("and {left} more like these, {count} in all ({})", asked.decoded.name());
        found.push(act(object(&any_like(&next.arn)), why, tie(next)));
    }
    found
}

/// The ARN of whatever is beside a resource.
fn any_like(arn: &str) -> String {
    let at = arn.rfind(['/', ':']).map_or(0, |at| at + 1);
    format!("{}*", arn.get(..at).unwrap_or_default())
}

/// `removes stack orders (cloudformation:DeleteStack)`.
fn why(asked: Asked<'_>, words: &str, subject: &Subject) -> String {
    let operation = asked.decoded.name();
    let is_sentence = RULES.is(asked.operation).is_some_and(|it| it.words == words)
        || RULES.beside(asked.operation).any(|rule| rule.words() == words);
    let name: String = one_line(&subject.name).chars().take(NAME_CHARS_MAX).collect();
    let is_cut = name.chars().count() == NAME_CHARS_MAX;
    let name = if is_cut { format!("{name}…") } else { name };
    let what = match (name.as_str(), subject.extent, noun(asked.operation)) {
        ("*", _, "") => "something".to_owned(),
        ("*", _, noun) => noun.to_owned(),
        ("", _, _) => format!("a new {}", subject.kind),
        (name, Extent::Part, noun) if !noun.is_empty() => format!("{noun} of {} {name}", subject.kind),
        (name, ..) => format!("{} {name}", subject.kind),
    };
    if is_sentence {
        format!("{words}: {what} ({operation})")
    } else {
        format!("{words} {what} ({operation})")
    }
}

fn noun(operation: Operation) -> &'static str {
    behind_verb(operation.name())
}

/// Names that no model knows.
fn extra(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(3)
        .map(|name| one_line(name).chars().take(NAME_CHARS_MAX).collect())
        .collect();
    let more = if names.len() > shown.len() { ", …" } else { "" };
    format!("has parameters that no published model knows: {}{more}", shown.join(", "))
}

fn verb_is(operation: Operation, effect: Effect) -> bool {
    verb_of(operation.name()).and_then(|verb| RULES.verb(verb)).is_some_and(|it| it.effect == effect)
}

/// A resource by its ARN.
pub(super) fn object(arn: &str) -> Resource {
    Resource::new(Kind::Object, arn)
}
