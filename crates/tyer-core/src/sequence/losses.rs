//! What was destroyed and may have copies that nobody told of: only what has one name everywhere is asked about later.

use std::collections::BTreeSet;

use super::identity::is_global;
use super::{Mark, Note, Step, Verb};
use crate::intent::Timestamp;
use crate::limits::BACKUP_MS;

/// Whether these steps destroy such a thing.
pub(super) fn concerns(steps: &[Step]) -> bool {
    steps.iter().any(is_loss)
}

/// The notes that matter still: of each thing the last time that a person's session destroyed it.
pub(super) fn needed<'a>(
    notes: impl Iterator<Item = (&'a Mark, &'a Note)>,
    now: Timestamp,
) -> BTreeSet<Mark> {
    let notes: Vec<_> = notes.filter(|(_, note)| now < note.at.plus(BACKUP_MS)).collect();
    let (mut seen, mut needed) = (BTreeSet::new(), BTreeSet::new());
    for (mark, note) in notes.into_iter().rev() {
        for step in note.steps.iter().filter(|step| is_loss(step)) {
            if !note.done || seen.insert((&note.principal.controller, &step.resource)) {
                needed.insert(*mark);
            }
        }
    }
    needed
}

fn is_loss(step: &Step) -> bool {
    step.verb == Verb::Destroy && is_global(&step.resource)
}
