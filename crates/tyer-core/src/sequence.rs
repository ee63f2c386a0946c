//! What requests come to together: harm in several steps, none of which shows it.
//!
//! A [`History`] is told what was cleared and what came of it, and says of a new intent which patterns it
//! completes: within its session, with what other sessions of one of its controllers did in the last day, or, for
//! backups, in the last seven. What has one name everywhere is followed from door to door. It
//! knows no protocol: only effects, resources, and what an act says of another resource.
//!
//! INVARIANT: whatever does not fit counts as if it could complete a pattern: a session that did more than is
//! remembered is told so with each further create or destroy; a controller of whose copies not everything is remembered
//! destroys nothing at that upstream for as long as it could matter, and one who destroyed more than is remembered removes
//! no last backup there.

mod backups;
mod forget;
mod identity;
mod losses;
mod past;
mod risk;

use std::collections::{BTreeMap, BTreeSet};

pub use risk::Risk;
use serde::{Deserialize, Serialize};

use crate::intent::{
    Act, Effect, Intent, PersonId, Principal, Resource, SessionId, Tie, Timestamp, Upstream,
};
use crate::limits::{
    BACKUP_MS, COPIES_BYTES_MAX, LOSSES_BYTES_MAX, SEQUENCE_BYTES_MAX, SEQUENCE_MS,
    SESSION_SEQUENCE_BYTES_MAX,
};
use crate::verdict::LeafIndex;

/// Characters of an earlier step's words that are kept.
const WHY_CHARS_MAX: usize = 200;

/// What several steps come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// A resource is destroyed and made anew or loaded again, in either order.
    Recreate,
    /// A resource is destroyed and another of its kind is made, in either order.
    Exchange,
    /// A protection of a resource is switched off and the resource is destroyed.
    DisarmThenDestroy,
    /// The last known backup of a resource is removed and the resource is destroyed, in either order.
    BackupThenDestroy,
    /// The session did more than is remembered, so what this completes cannot be told.
    Untold,
}

impl Pattern {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Recreate,
        Self::Exchange,
        Self::DisarmThenDestroy,
        Self::BackupThenDestroy,
        Self::Untold,
    ];

    /// The word used in policies and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recreate => "recreate",
            Self::Exchange => "exchange",
            Self::DisarmThenDestroy => "disarm_then_destroy",
            Self::BackupThenDestroy => "backup_then_destroy",
            Self::Untold => "untold",
        }
    }
}

/// A pattern that an intent completes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Sequence {
    /// Which.
    pub pattern: Pattern,
    /// What is lost.
    pub resource: Resource,
    /// The step before; nothing if the intent itself has all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
}

/// An earlier step of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Before {
    /// When it was cleared.
    pub at: Timestamp,
    /// What it was, in the words of its act.
    pub why: String,
}

impl Sequence {
    /// In a sentence for people; `say` puts a moment into words.
    pub fn in_words(&self, say: impl Fn(Timestamp) -> String) -> String {
        let name = &self.resource;
        let with = match &self.before {
            Some(before) => format!("With what was done at {} ({}), this", say(before.at), before.why),
            None => "By itself this request".to_owned(),
        };
        let what = match self.pattern {
            Pattern::Recreate => {
                format!(
                    "deletes and recreates {name}: its data, grants and dependents do not come back"
                )
            }
            Pattern::Exchange => {
                format!(
                    "destroys {name} and makes another of its kind: what it held does not come along"
                )
            }
            Pattern::DisarmThenDestroy => {
                format!("destroys {name} after a protection was switched off")
            }
            Pattern::BackupThenDestroy => {
                format!("destroys {name} and removes the last backup of it that is known")
            }
            Pattern::Untold => {
                return format!(
                    "This session did more than Tyer remembers: whether {name} is deleted and recreated \
                     cannot be told"
                );
            }
        };
        format!("{with} {what}")
    }
}

/// What an intent completes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Every pattern, without repetitions.
    pub sequences: BTreeSet<Sequence>,
    /// The one for which the intent is refused, whatever policies say: a resource and its last known backup certainly go
    /// together, or one within seven days after the other, by the same controller.
    pub refused: Option<Refused>,
}

/// For what an intent is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What it completes.
    pub sequence: Sequence,
    /// Whether the resource went before, and this removes its backup.
    pub takes_backup: bool,
}

/// What is remembered of one cleared request: the acts that can be part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    principal: Principal,
    upstream: Upstream,
    at: Timestamp,
    steps: Vec<Step>,
    /// Its failing takes nothing back that it has done.
    stands: bool,
    /// What came of it was seen, and it was not taken back.
    #[serde(skip)]
    done: bool,
    leaf: Option<LeafIndex>,
}

/// Something that can be part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    verb: Verb,
    resource: Resource,
    why: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verb {
    Create,
    /// Makes the resource as a copy of this one.
    Copy(Resource),
    /// Makes one of its kind that has no name of its own yet.
    Another,
    /// Calls the resource this from now on.
    Rename(Resource),
    /// Removes all copies of this one that are kept with it.
    Copies(Resource),
    Disarm,
    /// Some of what it holds goes.
    Lessen,
    Destroy,
}

/// Which note a request has made; given back with what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(u64);

/// What was cleared, as far as later requests can complete a pattern with it.
#[derive(Clone, Debug, Default)]
pub struct History {
    notes: BTreeMap<Mark, Note>,
    /// What the notes take.
    bytes: usize,
    next: u64,
    by_leaf: BTreeMap<LeafIndex, Mark>,
    sessions: BTreeMap<SessionId, BTreeSet<Mark>>,
    /// Notes of the last day by who controlled the session, which may be over.
    controllers: BTreeMap<PersonId, BTreeSet<Mark>>,
    /// Notes about copies and what became of them, whichever session made them.
    backups: BTreeMap<Upstream, BTreeSet<Mark>>,
    /// Notes about what was destroyed and may have copies that nobody told of.
    losses: BTreeMap<Upstream, BTreeSet<Mark>>,
    /// Sessions of which not everything is remembered.
    untold: BTreeSet<SessionId>,
    /// Controllers of whose removals not everything is remembered, until when.
    unknown: BTreeMap<(Upstream, PersonId), Timestamp>,
    /// Controllers who destroyed more than is remembered, until when that matters.
    unsaid: BTreeMap<(Upstream, PersonId), Timestamp>,
}

impl History {
    /// A history of the notes that were kept, in the order of their leaves. They count as done.
    #[must_use]
    pub fn of(notes: impl IntoIterator<Item = (LeafIndex, Note)>, now: Timestamp) -> Self {
        let mut history = Self::default();
        for (leaf, note) in notes {
            let note = Note { leaf: Some(leaf), done: true, ..note };
            history.add(note, now);
        }
        history
    }

    /// The patterns that an intent completes, by itself or with what was cleared before.
    #[must_use]
    pub fn look(&self, intent: &Intent, now: Timestamp) -> Found {
        let steps = steps(intent.acts.iter());
        if steps.is_empty() {
            return Found::default();
        }
        let session = &intent.principal.session;
        let mut sequences = past::completes(self.before(intent, now), &steps);
        if self.untold.contains(session) {
            let told = |step: &&Step| matches!(step.verb, Verb::Create | Verb::Another | Verb::Destroy);
            let told = steps.iter().filter(told);
            sequences.extend(told.map(|step| Sequence {
                pattern: Pattern::Untold,
                resource: step.resource.clone(),
                before: None,
            }));
        }
        let by = &intent.principal.controller;
        let who = (intent.upstream.clone(), by.clone());
        let told = [self.backups.get(&intent.upstream), self.losses.get(&intent.upstream)];
        let told: BTreeSet<Mark> = told.into_iter().flatten().flatten().copied().collect();
        let unsaid = self.unsaid.get(&who).filter(|until| now < **until);
        let earlier = (self.noted(Some(&told)), unsaid.map(|until| until.plus(-BACKUP_MS)));
        let (named, mut refused) = backups::removes(earlier, &steps, (by, now));
        sequences.extend(named);
        let unknown = self.unknown.get(&who);
        if refused.is_none() && unknown.is_some_and(|until| now < *until) {
            let destroyed = steps.iter().find(|step| step.verb == Verb::Destroy);
            let sequence = destroyed.map(|step| Sequence {
                pattern: Pattern::BackupThenDestroy,
                resource: step.resource.clone(),
                before: None,
            });
            sequences.extend(sequence.clone());
            refused = sequence.map(|sequence| Refused { sequence, takes_backup: false });
        }
        Found { sequences, refused }
    }

    /// Remembers an intent that is about to be cleared. `None` if no pattern can need it. The note is what to keep
    /// with its leaf; `stands` says that its failing would take nothing back.
    pub fn note(&mut self, intent: &Intent, stands: bool, now: Timestamp) -> Option<(Mark, Note)> {
        let (principal, upstream) = (intent.principal.clone(), intent.upstream.clone());
        let steps = steps(intent.acts.iter());
        let note = Note { principal, upstream, at: now, steps, stands, done: false, leaf: None };
        let mark = self.add(note, now)?;
        self.notes.get(&mark).map(|note| (mark, note.clone()))
    }

    /// The note's leaf is durable.
    pub fn recorded(&mut self, mark: Mark, leaf: LeafIndex) {
        if let Some(note) = self.notes.get_mut(&mark) {
            note.leaf = Some(leaf);
            self.by_leaf.insert(leaf, mark);
        }
    }

    /// What was noted was never cleared.
    pub fn withdrawn(&mut self, mark: Mark) {
        self.remove(mark);
    }

    /// What a leaf cleared was seen to be done, or nobody knows.
    pub fn done(&mut self, leaf: LeafIndex) {
        if let Some(note) = self.by_leaf.remove(&leaf).and_then(|mark| self.notes.get_mut(&mark)) {
            note.done = true;
        }
    }

    /// What a leaf cleared failed, so that nothing of it stands. Says whether its note is forgotten.
    pub fn failed(&mut self, leaf: LeafIndex) -> bool {
        let Some(mark) = self.by_leaf.remove(&leaf) else { return false };
        match self.notes.get_mut(&mark) {
            Some(note) if note.stands => {
                note.done = true;
                false
            }
            _ => {
                self.remove(mark);
                true
            }
        }
    }

    /// A session's steps can complete nothing any more, but for those about backups.
    pub fn session_ended(&mut self, session: &SessionId) {
        self.sessions.remove(session);
        self.untold.remove(session);
    }

    /// Every session that has notes.
    pub fn sessions(&self) -> impl Iterator<Item = &SessionId> {
        self.sessions.keys()
    }

    /// What was done before in the session, and by others of its controllers, in its order; elsewhere only what has one
    /// name everywhere.
    fn before(&self, intent: &Intent, now: Timestamp) -> Vec<Note> {
        let own = self.sessions.get(&intent.principal.session).into_iter().flatten();
        let others = intent.principal.controllers().filter_map(|person| self.controllers.get(person));
        let marks: BTreeSet<Mark> = own.chain(others.flatten()).copied().collect();
        let is_recent = |note: &&Note| {
            note.principal.session == intent.principal.session || now < note.at.plus(SEQUENCE_MS)
        };
        let notes = self.noted(Some(&marks)).map(|(_, note)| note).filter(is_recent);
        notes.map(|note| note.seen_from(intent)).collect()
    }

    /// Those of these notes that are remembered, in their order.
    fn noted<'a>(
        &'a self,
        marks: Option<&'a BTreeSet<Mark>>,
    ) -> impl Iterator<Item = (&'a Mark, &'a Note)> {
        marks.into_iter().flatten().filter_map(|mark| self.notes.get_key_value(mark))
    }

    fn add(&mut self, note: Note, now: Timestamp) -> Option<Mark> {
        let (session, upstream) = (note.principal.session.clone(), note.upstream.clone());
        let (of_session, of_upstream) = (self.sessions.get(&session), self.backups.get(&upstream));
        let is_untold = self.untold.contains(&session);
        let in_session =
            !is_untold && past::adds(self.noted(of_session).map(|(_, note)| note), &note.steps);
        let of_backups = backups::concerns(self.noted(of_upstream), &note.steps);
        let of_losses = !of_backups && losses::concerns(&note.steps);
        let (bytes, is_full) = (note.bytes(), self.bytes + note.bytes() > SEQUENCE_BYTES_MAX);
        let held = |marks| self.noted(marks).map(|(_, note)| note.bytes()).sum::<usize>();
        let has_room = !is_full && held(of_session) + bytes <= SESSION_SEQUENCE_BYTES_MAX;
        let has_copies_room = !is_full && held(of_upstream) + bytes <= COPIES_BYTES_MAX;
        let lost = held(self.losses.get(&upstream));
        let has_losses_room = !is_full && lost + bytes <= LOSSES_BYTES_MAX;
        let who = || (upstream.clone(), note.principal.controller.clone());
        if in_session && !has_room {
            self.untold.insert(session.clone());
        }
        if of_backups && !has_copies_room {
            // Whoever did this destroys nothing there for as long as it could matter.
            self.unknown.insert(who(), now.plus(BACKUP_MS));
        }
        if of_losses && !has_losses_room {
            self.unsaid.insert(who(), now.plus(BACKUP_MS));
        }
        let (in_backups, in_losses) = (of_backups && has_copies_room, of_losses && has_losses_room);
        if !(in_session && has_room || in_backups || in_losses) {
            return None;
        }
        let mark = Mark(self.next);
        self.next += 1;
        let kept = [(in_backups, &mut self.backups), (in_losses, &mut self.losses)];
        for (_, set) in kept.into_iter().filter(|(is_of, _)| *is_of) {
            set.entry(upstream.clone()).or_default().insert(mark);
        }
        if in_session && has_room {
            self.sessions.entry(session).or_default().insert(mark);
            for person in note.principal.controllers() {
                self.controllers.entry(person.clone()).or_default().insert(mark);
            }
        }
        self.bytes += bytes;
        self.notes.insert(mark, note);
        Some(mark)
    }

    fn remove(&mut self, mark: Mark) {
        let Some(note) = self.notes.remove(&mark) else { return };
        self.bytes -= note.bytes();
        let of_session = self.sessions.get_mut(&note.principal.session);
        let of_upstream = self.backups.get_mut(&note.upstream);
        let people = note.principal.controllers();
        for person in people {
            if let Some(marks) = self.controllers.get_mut(person) {
                marks.remove(&mark);
            }
        }
        let of_losses = self.losses.get_mut(&note.upstream);
        for marks in of_session.into_iter().chain(of_upstream).chain(of_losses) {
            marks.remove(&mark);
        }
    }
}

impl Note {
    /// As far as it matters for a request. What becomes of copies that another session has made is for `backups`.
    fn seen_from(&self, intent: &Intent) -> Self {
        let mut seen = self.clone();
        if self.upstream != intent.upstream {
            seen.steps.retain(|step| identity::is_global(&step.resource));
        }
        if self.principal.session != intent.principal.session {
            seen.steps.retain(|step| !matches!(step.verb, Verb::Copy(_)));
        }
        seen
    }

    fn bytes(&self) -> usize {
        let of = |step: &Step| {
            let named = match &step.verb {
                Verb::Copy(other) | Verb::Rename(other) | Verb::Copies(other) => other.name.len(),
                Verb::Create | Verb::Another | Verb::Disarm | Verb::Lessen | Verb::Destroy => 0,
            };
            size_of::<Step>() + step.resource.name.len() + step.why.len() + named
        };
        size_of::<Self>() + self.steps.iter().map(of).sum::<usize>()
    }
}

/// What of an intent's acts can be part of a pattern, in their order.
fn steps<'a>(acts: impl Iterator<Item = &'a Act>) -> Vec<Step> {
    acts.filter(|act| !act.local).flat_map(step).collect()
}

fn step(act: &Act) -> Vec<Step> {
    let step = |verb| Step {
        verb,
        resource: act.resource.clone(),
        why: act.why.chars().take(WHY_CHARS_MAX).collect(),
    };
    match (act.effect, &act.tie) {
        (_, Some(Tie::Becomes(name))) => vec![step(Verb::Rename(name.clone()))],
        (Effect::Create, Some(Tie::CopyOf(of))) => vec![step(Verb::Copy(of.clone()))],
        (Effect::Create, Some(Tie::Unnamed)) => vec![step(Verb::Another)],
        (Effect::Create, _) => vec![step(Verb::Create)],
        (Effect::Disarm, _) => vec![step(Verb::Disarm)],
        (Effect::Destroy, Some(Tie::CopiesOf(of))) => vec![step(Verb::Copies(of.clone()))],
        (Effect::Destroy, Some(Tie::Part)) => vec![step(Verb::Lessen)],
        (Effect::Destroy, _) => vec![step(Verb::Destroy)],
        // The effect itself says that it is made anew; what it was is gone.
        (Effect::Replace, _) => vec![step(Verb::Lessen)],
        (Effect::Read | Effect::Change | Effect::Execute | Effect::Opaque | Effect::Grant, _) => {
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests;
