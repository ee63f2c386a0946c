//! Copies of resources, and who removed the last one that is known or what they are of, whichever session it was.

use std::collections::BTreeSet;

use super::identity::{Sure, covers, is_open, same};
use super::{Before, Mark, Note, Pattern, Refused, Sequence, Step, Verb};
use crate::intent::{PersonId, Resource, Timestamp};
use crate::limits::BACKUP_MS;

/// Which copies there are, and what was removed.
#[derive(Debug, Default)]
struct Copies {
    known: Vec<Copy>,
    /// The newest last.
    gone: Vec<Gone>,
    /// What was destroyed itself.
    lost: Vec<Lost>,
}

#[derive(Clone, Debug)]
struct Copy {
    of: Resource,
    copy: Resource,
    /// The notes that it rests on.
    marks: Vec<Mark>,
}

#[derive(Debug)]
struct Gone {
    copy: Copy,
    /// Whether it was certainly this copy.
    sure: Sure,
    /// Nothing for the request that is looked at.
    by: Option<By>,
}

#[derive(Debug)]
struct Lost {
    resource: Resource,
    by: By,
    marks: Vec<Mark>,
}

/// Who removed something, when, and in which words.
#[derive(Clone, Debug)]
struct By {
    controller: PersonId,
    at: Timestamp,
    why: String,
}

/// The patterns that these steps of a controller complete, and the one for which they are refused. `unsaid` is since when
/// the controller has destroyed more than is remembered.
pub(super) fn removes<'a>(
    (earlier, unsaid): (impl Iterator<Item = (&'a Mark, &'a Note)>, Option<Timestamp>),
    steps: &[Step],
    (controller, now): (&PersonId, Timestamp),
) -> (BTreeSet<Sequence>, Option<Refused>) {
    let mut copies = Copies::of(earlier);
    copies.lost.extend(unsaid.map(|at| {
        let (controller, why) = (controller.clone(), "destroys more than Tyer remembers".to_owned());
        Lost { resource: Resource::upstream(), by: By { controller, at, why }, marks: Vec::new() }
    }));
    let counts = |by: &By| by.controller == *controller && now < by.at.plus(BACKUP_MS);
    // What goes in one request goes together, in whatever order it is written.
    steps.iter().for_each(|step| copies.take(step, None, None));
    let (mut found, mut refused) = (BTreeSet::new(), None);
    for step in steps.iter().filter(|step| matches!(step.verb, Verb::Destroy | Verb::Lessen)) {
        for gone in copies.last_gone() {
            let sure = covers(&step.resource, &gone.copy.of).min(gone.sure);
            if sure == Sure::No || !gone.by.as_ref().is_none_or(counts) {
                continue;
            }
            let before = gone.by.as_ref().map(|by| Before { at: by.at, why: by.why.clone() });
            let pattern = Pattern::BackupThenDestroy;
            let sequence = Sequence { pattern, resource: gone.copy.of.clone(), before };
            if step.verb == Verb::Destroy && sure == Sure::Yes {
                refused
                    .get_or_insert_with(|| Refused { sequence: sequence.clone(), takes_backup: false });
            }
            found.insert(sequence);
        }
    }
    // What it is of went before, and this takes what it could be had back from.
    for gone in copies.last_gone().filter(|gone| gone.by.is_none()) {
        for lost in copies.lost.iter().filter(|lost| counts(&lost.by)) {
            let sure = covers(&lost.resource, &gone.copy.of).min(gone.sure);
            if sure == Sure::No {
                continue;
            }
            let before = Some(Before { at: lost.by.at, why: lost.by.why.clone() });
            let pattern = Pattern::BackupThenDestroy;
            let sequence = Sequence { pattern, resource: gone.copy.of.clone(), before };
            if sure == Sure::Yes {
                refused
                    .get_or_insert_with(|| Refused { sequence: sequence.clone(), takes_backup: true });
            }
            found.insert(sequence);
        }
    }
    (found, refused)
}

/// Whether these steps make a copy, or touch one or what it is of.
pub(super) fn concerns<'a>(
    earlier: impl Iterator<Item = (&'a Mark, &'a Note)>,
    steps: &[Step],
) -> bool {
    let mut copies = None;
    let mut earlier = Some(earlier);
    steps.iter().any(|step| match &step.verb {
        Verb::Copy(_) | Verb::Copies(_) => true,
        Verb::Create | Verb::Another | Verb::Disarm => false,
        Verb::Rename(_) | Verb::Lessen | Verb::Destroy => {
            let copies = copies.get_or_insert_with(|| Copies::of(earlier.take().into_iter().flatten()));
            copies.concerns(step)
        }
    })
}

/// The notes that something can still rest on.
pub(super) fn needed<'a>(
    notes: impl Iterator<Item = (&'a Mark, &'a Note)>,
    now: Timestamp,
) -> BTreeSet<Mark> {
    let copies = Copies::of(notes);
    let lately = |gone: &&Gone| gone.by.as_ref().is_none_or(|by| now < by.at.plus(BACKUP_MS));
    let gone = copies.gone.iter().filter(lately).map(|gone| &gone.copy);
    let copied = copies.known.iter().chain(gone).flat_map(|copy| copy.marks.iter().copied());
    let lost = copies.lost.iter().filter(|lost| now < lost.by.at.plus(BACKUP_MS));
    copied.chain(lost.flat_map(|lost| lost.marks.iter().copied())).collect()
}

impl Copies {
    fn of<'a>(notes: impl Iterator<Item = (&'a Mark, &'a Note)>) -> Self {
        let mut copies = Self::default();
        for (mark, note) in notes {
            for step in &note.steps {
                let by = By {
                    controller: note.principal.controller.clone(),
                    at: note.at,
                    why: step.why.clone(),
                };
                copies.take(step, Some(*mark), Some(&by));
            }
        }
        copies
    }

    fn take(&mut self, step: &Step, mark: Option<Mark>, by: Option<&By>) {
        match &step.verb {
            Verb::Copy(of) => self.copied(of, &step.resource, mark),
            Verb::Rename(to) => self.renamed(&step.resource, to, mark),
            // Rows that go make a copy one that cannot be relied on.
            Verb::Lessen => self.removed(&step.resource, mark, by),
            Verb::Destroy => {
                self.removed(&step.resource, mark, by);
                self.destroyed(&step.resource, mark, by);
            }
            Verb::Copies(of) => self.kept_gone(of, &step.resource, (mark, by)),
            Verb::Create | Verb::Another | Verb::Disarm => {}
        }
    }

    fn copied(&mut self, of: &Resource, copy: &Resource, mark: Option<Mark>) {
        self.restored(of, copy);
        // One that has no name yet is another than all that are known.
        self.known.retain(|known| is_open(copy) || !same(&known.copy, copy));
        // A copy of a copy is one of what that is of.
        let further = self.known.iter().filter(|known| same(&known.copy, of)).map(|known| {
            let marks = known.marks.iter().copied().chain(mark).collect();
            Copy { of: known.of.clone(), copy: copy.clone(), marks }
        });
        let first = Copy { of: of.clone(), copy: copy.clone(), marks: mark.into_iter().collect() };
        let made: Vec<Copy> = further.chain([first]).collect();
        self.known.extend(made);
    }

    fn renamed(&mut self, from: &Resource, to: &Resource, mark: Option<Mark>) {
        self.restored(from, to);
        // Whatever has the name of what was destroyed may be all that is known by it.
        for lost in self.lost.iter_mut().filter(|lost| same(&lost.resource, from)) {
            lost.resource = to.clone();
            lost.marks.extend(mark);
        }
        let rename = |copy: &mut Copy| {
            for name in [&mut copy.of, &mut copy.copy] {
                if same(name, from) {
                    *name = to.clone();
                    copy.marks.extend(mark);
                }
            }
        };
        self.known.iter_mut().for_each(rename);
        self.gone.iter_mut().map(|gone| &mut gone.copy).for_each(rename);
        // A copy that has taken the place of what it was of is no copy any more.
        self.known.retain(|known| !same(&known.of, &known.copy));
    }

    /// The last time counts. What a request that is looked at destroys goes with what else it does.
    fn destroyed(&mut self, resource: &Resource, mark: Option<Mark>, by: Option<&By>) {
        let Some(by) = by.cloned() else { return };
        let is_again = |lost: &Lost| lost.resource == *resource && lost.by.controller == by.controller;
        self.lost.retain(|lost| !is_again(lost));
        let (resource, marks) = (resource.clone(), mark.into_iter().collect());
        self.lost.push(Lost { resource, by, marks });
    }

    /// What was destroyed is there again once a copy of it has its name.
    fn restored(&mut self, copy: &Resource, name: &Resource) {
        let is_copy = |known: &Copy| same(&known.copy, copy) && same(&known.of, name);
        if self.known.iter().any(is_copy) {
            self.lost.retain(|lost| lost.resource != *name);
        }
    }

    /// Copies that are kept with the resource go, whether or not they were heard of before.
    fn kept_gone(&mut self, of: &Resource, kept: &Resource, (mark, by): (Option<Mark>, Option<&By>)) {
        let (of, marks) = (of.clone(), mark.into_iter().collect());
        let copy = Copy { of, copy: kept.clone(), marks };
        self.gone.push(Gone { copy, sure: Sure::Yes, by: by.cloned() });
    }

    fn removed(&mut self, resource: &Resource, mark: Option<Mark>, by: Option<&By>) {
        let mut kept = Vec::new();
        for mut copy in std::mem::take(&mut self.known) {
            let sure = covers(resource, &copy.copy);
            if sure == Sure::No {
                kept.push(copy);
            } else {
                copy.marks.extend(mark);
                self.gone.push(Gone { copy, sure, by: by.cloned() });
            }
        }
        self.known = kept;
    }

    /// The last removal of each resource's copies, where no other copy is known.
    fn last_gone(&self) -> impl Iterator<Item = &Gone> {
        let has_copy = |of: &Resource| self.known.iter().any(|known| same(&known.of, of));
        let is_last = |at: usize, of: &Resource| {
            !self.gone.iter().skip(at + 1).any(|later| is_again(&later.copy.of, of))
        };
        let gone = self.gone.iter().enumerate();
        gone.filter(move |(at, gone)| !has_copy(&gone.copy.of) && is_last(*at, &gone.copy.of))
            .map(|(_, gone)| gone)
    }

    fn concerns(&self, step: &Step) -> bool {
        let touches = |name: &Resource| covers(&step.resource, name) != Sure::No;
        let renames = matches!(step.verb, Verb::Rename(_));
        let is_whole = renames || step.verb == Verb::Destroy;
        self.known.iter().any(|known| touches(&known.copy) || is_whole && touches(&known.of))
            || renames && self.gone.iter().any(|gone| touches(&gone.copy.of))
            || renames && self.lost.iter().any(|lost| touches(&lost.resource))
    }
}

/// Whether copies of the same thing went later. What may have been a copy of it does not stand for what was one.
fn is_again(later: &Resource, of: &Resource) -> bool {
    same(later, of) && (!is_open(later) || is_open(of))
}
