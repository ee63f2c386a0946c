//! Patterns of several steps, of one session or of one person's sessions: the last thing that happened to each resource, followed through its names.

use std::collections::BTreeSet;

use super::identity::{Sure, covers, guards, same};
use super::{Before, Mark, Note, Pattern, Sequence, Step, Verb};
use crate::intent::Resource;

/// Where a session stands.
#[derive(Debug, Default)]
struct Past {
    /// The last that happened to a resource; the newest last.
    last: Vec<Fate>,
    disarmed: Vec<(Resource, Option<Before>)>,
    /// What a resource was called before it got out of the way: its name now, and then.
    moved: Vec<(Resource, Resource)>,
}

#[derive(Clone, Debug)]
struct Fate {
    resource: Resource,
    end: End,
    before: Option<Before>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Made,
    /// One of its kind was made that has no name of its own.
    Another,
    /// Something that was not made here has come to be called so.
    Named,
    Destroyed,
}

/// The patterns that these steps complete, with each other or with earlier ones.
pub(super) fn completes(earlier: Vec<Note>, steps: &[Step]) -> BTreeSet<Sequence> {
    let mut past = Past::default();
    for note in earlier {
        for step in &note.steps {
            let before = Before { at: note.at, why: step.why.clone() };
            past.take(step, Some(before));
        }
    }
    steps.iter().flat_map(|step| past.take(step, None)).collect()
}

/// Whether these steps change where a session stands.
pub(super) fn adds<'a>(earlier: impl Iterator<Item = &'a Note>, steps: &[Step]) -> bool {
    let mut past = Past::default();
    // What may still be taken back is not relied on.
    for step in earlier.filter(|note| note.done).flat_map(|note| &note.steps) {
        past.take(step, None);
    }
    steps.iter().any(|step| match &step.verb {
        Verb::Create | Verb::Copy(_) => !past.is_last(&step.resource, End::Made),
        Verb::Another => !past.is_last(&step.resource, End::Another),
        Verb::Destroy => !past.is_last(&step.resource, End::Destroyed),
        Verb::Disarm => !past.disarmed.iter().any(|(guard, _)| *guard == step.resource),
        Verb::Rename(_) => true,
        Verb::Lessen | Verb::Copies(_) => false,
    })
}

/// The notes without which a session would stand elsewhere: where names did not change, what happened to a resource
/// before the last thing does not matter.
pub(super) fn needed(notes: &[(&Mark, &Note)]) -> BTreeSet<Mark> {
    let renames = |note: &Note| note.steps.iter().any(|step| matches!(step.verb, Verb::Rename(_)));
    let all = notes.iter().map(|(mark, _)| **mark).collect();
    if notes.iter().any(|(_, note)| renames(note)) {
        return all;
    }
    let mut seen: BTreeSet<(&Resource, bool)> = BTreeSet::new();
    let mut needed = BTreeSet::new();
    for (mark, note) in notes.iter().rev() {
        let mut is_new = !note.done;
        for step in note.steps.iter().rev() {
            let is_guard = step.verb == Verb::Disarm;
            // Only what is certain makes something older superfluous.
            is_new |= if note.done {
                seen.insert((&step.resource, is_guard))
            } else {
                !seen.contains(&(&step.resource, is_guard))
            };
        }
        if is_new {
            needed.insert(**mark);
        }
    }
    needed
}

impl Past {
    /// Goes on by a step, and says what it completes.
    fn take(&mut self, step: &Step, before: Option<Before>) -> Vec<Sequence> {
        match &step.verb {
            Verb::Create | Verb::Copy(_) => self.created(&step.resource, before),
            Verb::Another => self.exchanged(&step.resource, before),
            Verb::Copies(_) => Vec::new(),
            Verb::Rename(name) => self.renamed(&step.resource, name, before),
            Verb::Disarm => {
                self.disarmed.push((step.resource.clone(), before));
                Vec::new()
            }
            Verb::Lessen => self.unguarded(&step.resource),
            Verb::Destroy => self.destroyed(&step.resource, before),
        }
    }

    fn created(&mut self, resource: &Resource, before: Option<Before>) -> Vec<Sequence> {
        let mut found = Vec::new();
        if let Some(fate) = self.destroys(resource) {
            found.push(recreates(resource, fate.before.clone()));
        }
        self.settle(resource, End::Made, before);
        found
    }

    /// Something without a name is made; it may stand in for what was destroyed.
    fn exchanged(&mut self, kind: &Resource, before: Option<Before>) -> Vec<Sequence> {
        let gone = self.destroys(kind);
        let found = gone.map(|fate| exchanges(&fate.resource, fate.before.clone()));
        let found = found.into_iter().collect();
        self.settle(kind, End::Another, before);
        found
    }

    fn destroyed(&mut self, resource: &Resource, before: Option<Before>) -> Vec<Sequence> {
        let mut found = self.unguarded(resource);
        let made = self.last_of(resource).and_then(|fate| match fate.end {
            End::Made => Some(recreates(resource, fate.before.clone())),
            End::Another => Some(exchanges(resource, fate.before.clone())),
            End::Named | End::Destroyed => None,
        });
        found.extend(made);
        // Something else has taken the name that it had before.
        for (_, name) in self.moved.iter().filter(|(now, _)| same(now, resource)) {
            let taken = self.last_of(name).filter(|fate| fate.end != End::Destroyed);
            found.extend(taken.map(|fate| recreates(name, fate.before.clone())));
        }
        self.settle(resource, End::Destroyed, before);
        found
    }

    fn renamed(&mut self, from: &Resource, to: &Resource, before: Option<Before>) -> Vec<Sequence> {
        let mut found = Vec::new();
        if let Some(fate) = self.destroys(to) {
            found.push(recreates(to, fate.before.clone()));
        }
        let first = self.moved.iter().position(|(now, _)| same(now, from));
        let then = first.map_or_else(|| from.clone(), |at| self.moved.remove(at).1);
        self.moved.push((to.clone(), then));
        let made = self.last_of(from).filter(|fate| fate.end == End::Made).cloned();
        self.last.retain(|fate| !same(&fate.resource, from));
        let guards: Vec<_> =
            self.disarmed.iter().filter(|(guard, _)| same(guard, from)).cloned().collect();
        self.disarmed.extend(guards.into_iter().map(|(_, before)| (to.clone(), before)));
        match made {
            Some(made) => self.settle(to, End::Made, made.before),
            None => self.settle(to, End::Named, before),
        }
        found
    }

    /// What was disarmed of what goes now.
    fn unguarded(&self, resource: &Resource) -> Vec<Sequence> {
        let guard = self.disarmed.iter().rev().find(|(guard, _)| guards(guard, resource));
        let sequence = guard.map(|(_, before)| Sequence {
            pattern: Pattern::DisarmThenDestroy,
            resource: resource.clone(),
            before: before.clone(),
        });
        sequence.into_iter().collect()
    }

    fn settle(&mut self, resource: &Resource, end: End, before: Option<Before>) {
        self.last.retain(|fate| fate.resource != *resource);
        self.last.push(Fate { resource: resource.clone(), end, before });
    }

    fn last_of(&self, resource: &Resource) -> Option<&Fate> {
        self.last.iter().rev().find(|fate| same(&fate.resource, resource))
    }

    /// What destroyed this resource, or what held it, unless it was made since.
    fn destroys(&self, resource: &Resource) -> Option<&Fate> {
        let mut fates = self.last.iter().rev();
        let last = fates.find(|fate| {
            same(&fate.resource, resource)
                || fate.end == End::Destroyed && covers(&fate.resource, resource) != Sure::No
        });
        last.filter(|fate| fate.end == End::Destroyed)
    }

    fn is_last(&self, resource: &Resource, end: End) -> bool {
        let mut fates = self.last.iter().rev();
        fates
            .find(|fate| same(&fate.resource, resource) || covers(&fate.resource, resource) != Sure::No)
            .is_some_and(|fate| fate.end == end && fate.resource == *resource)
    }
}

fn exchanges(resource: &Resource, before: Option<Before>) -> Sequence {
    Sequence { pattern: Pattern::Exchange, resource: resource.clone(), before }
}

fn recreates(resource: &Resource, before: Option<Before>) -> Sequence {
    Sequence { pattern: Pattern::Recreate, resource: resource.clone(), before }
}
