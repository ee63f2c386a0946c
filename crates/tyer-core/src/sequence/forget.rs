//! What a history need not remember any longer.

use std::collections::{BTreeMap, BTreeSet};

use super::{History, Mark, Note, backups, losses, past};
use crate::intent::{Timestamp, Upstream};
use crate::limits::SEQUENCE_MS;
use crate::verdict::LeafIndex;

impl History {
    /// Forgets what can complete nothing any more, and returns the leaves whose notes need not be kept.
    pub fn forget(&mut self, now: Timestamp) -> Vec<LeafIndex> {
        self.unknown.retain(|_, until| now < *until);
        self.unsaid.retain(|_, until| now < *until);
        let lost = self.losses.iter();
        let lost = lost
            .map(|(upstream, marks)| (upstream.clone(), losses::needed(self.noted(Some(marks)), now)));
        let lost: BTreeMap<_, _> = lost.filter(|(_, marks)| !marks.is_empty()).collect();
        let backups = self
            .backups
            .iter()
            .map(|(upstream, marks)| (upstream.clone(), backups::needed(self.noted(Some(marks)), now)));
        let backups: BTreeMap<_, _> = backups.filter(|(_, marks)| !marks.is_empty()).collect();
        let sessions = self.sessions.iter().map(|(session, marks)| {
            (session.clone(), past::needed(&self.noted(Some(marks)).collect::<Vec<_>>()))
        });
        let sessions = sessions.filter(|(_, marks)| !marks.is_empty()).collect();
        let controllers = self
            .controllers
            .iter()
            .map(|(person, marks)| (person.clone(), self.needed_of(marks, now)))
            .filter(|(_, marks)| !marks.is_empty())
            .collect();
        (self.backups, self.losses) = (backups, lost);
        (self.sessions, self.controllers) = (sessions, controllers);
        let kept = self.sessions.values().chain(self.controllers.values());
        let needed: BTreeSet<Mark> =
            kept.chain(self.backups.values()).chain(self.losses.values()).flatten().copied().collect();
        let pending: BTreeSet<Mark> = self.by_leaf.values().copied().collect();
        let mut leaves = Vec::new();
        self.notes.retain(|mark, note| {
            let keep = needed.contains(mark) || pending.contains(mark) || note.leaf.is_none();
            if !keep {
                leaves.extend(note.leaf);
            }
            keep
        });
        self.bytes = self.notes.values().map(Note::bytes).sum();
        leaves
    }

    /// Which of a controller's notes a later session of theirs can need.
    fn needed_of(&self, marks: &BTreeSet<Mark>, now: Timestamp) -> BTreeSet<Mark> {
        let mut by_upstream: BTreeMap<&Upstream, Vec<(&Mark, &Note)>> = BTreeMap::new();
        for (mark, note) in self.noted(Some(marks)).filter(|(_, note)| now < note.at.plus(SEQUENCE_MS))
        {
            by_upstream.entry(&note.upstream).or_default().push((mark, note));
        }
        by_upstream.values().flat_map(|notes| past::needed(notes)).collect()
    }
}
