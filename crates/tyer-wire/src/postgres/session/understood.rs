//! What texts were understood as: drivers send the same few over and over.
//!
//! A text's understanding depends on nothing but the text, so remembering it decides nothing. One that holds
//! for every text of an outline is remembered by that: many drivers put their values into the text.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::quality::RandomState;
use tyer_core::intent::{Act, Acts, Digest, Effect, Kind, Reversibility};
use tyer_core::limits::UNDERSTOOD_BYTES_MAX;

use super::kept::of_understanding;
use crate::postgres::understand::{Outline, Understanding, understand_outlined};

/// Texts that the server has shown to be no reads, of one connection.
const BELIED_MAX: usize = 256;
/// Texts of one connection that are found again without a look at their outline.
const RECENT: usize = 32;
/// How long they are at most, in bytes.
const RECENT_BYTES_MAX: usize = 32 * 1024;
/// How much of each end of a text is hashed: the whole is compared anyway.
const HASHED_BYTES: usize = 512;

/// The understandings of one connection's texts; when they are too many, all are forgotten.
#[derive(Debug, Default)]
pub struct Understood {
    by_text: HashMap<Arc<str>, Arc<Understanding>>,
    by_outline: HashMap<String, Arc<Understanding>>,
    recent: Recent,
    bytes: usize,
    /// Texts, or their outlines, that the server has shown to be no reads.
    belied: HashSet<Digest>,
    /// Functions that the operator takes for reads, by schema and name, whatever their arguments.
    vouched: Arc<BTreeSet<String>>,
}

impl Understood {
    /// The same where the operator takes these functions for reads: `schema.name`. A call that is not written so is
    /// none of them.
    #[must_use]
    pub fn vouching(self, functions: Arc<BTreeSet<String>>) -> Self {
        Self { vouched: functions, ..self }
    }

    /// What the text would do.
    pub fn of(&mut self, sql: &str) -> Arc<Understanding> {
        let hash = self.recent.hash(sql);
        if let Some(known) = self.recent.find(hash, sql) {
            return Arc::clone(known);
        }
        let known = self.not_recent(sql);
        self.recent.keep(hash, sql, &known);
        known
    }

    fn not_recent(&mut self, sql: &str) -> Arc<Understanding> {
        if let Some(known) = self.by_text.get(sql) {
            return Arc::clone(known);
        }
        let outline = Outline::of(sql);
        if let Some(known) = outline.as_ref().and_then(|outline| self.by_outline.get(&outline.text)) {
            return Arc::clone(known);
        }
        let (fresh, holds) = understand_outlined(sql, outline.as_ref());
        let fresh = Arc::new(self.vouched(fresh));
        let bytes = sql.len() + of_understanding(&fresh);
        if bytes <= UNDERSTOOD_BYTES_MAX {
            self.make_room(bytes);
            match outline.filter(|_| holds) {
                Some(outline) => self.by_outline.insert(outline.text, Arc::clone(&fresh)),
                None => self.by_text.insert(sql.into(), Arc::clone(&fresh)),
            };
        }
        fresh
    }

    fn vouched(&self, understanding: Understanding) -> Understanding {
        // A procedure may commit what was done before it: nobody vouches for CALL.
        let is_vouched = |act: &Act| {
            act.effect == Effect::Execute
                && act.resource.kind == Kind::Function
                && act.why.starts_with("runs the function ")
                && self.vouched.contains(&act.resource.name)
        };
        if self.vouched.is_empty() || !understanding.acts.iter().any(is_vouched) {
            return understanding;
        }
        let read = |act: &Act| match is_vouched(act) {
            true => Act {
                effect: Effect::Read,
                reversibility: Reversibility::Reversible,
                why: format!(
                    "runs the function {}, which the operator takes for a read",
                    act.resource.name
                ),
                ..act.clone()
            },
            false => act.clone(),
        };
        let mut acts = understanding.acts.iter().map(read);
        match acts.next() {
            Some(first) => Understanding { acts: Acts::new(first, acts), ..understanding },
            None => understanding.clone(),
        }
    }

    /// The server has shown that a text does not only read, and so does no text of its outline.
    pub(super) fn distrust(&mut self, sql: &str) {
        if self.belied.len() >= BELIED_MAX {
            // What is forgotten is read as before, and refused by the server as before.
            self.belied.clear();
        }
        self.belied.insert(key(sql));
    }

    /// What such a text is taken for, besides what it was understood as.
    pub(super) fn belied(&self, sql: &str, known: Arc<Understanding>) -> Arc<Understanding> {
        if self.belied.is_empty() || !self.belied.contains(&key(sql)) {
            return known;
        }
        let opaque =
            Act::opaque("writes, as the database has said, though it was understood as a read");
        let acts = Acts::new(opaque, known.acts.iter().cloned());
        Arc::new(Understanding { acts, ..Understanding::clone(&known) })
    }

    fn make_room(&mut self, bytes: usize) {
        if self.bytes + bytes > UNDERSTOOD_BYTES_MAX {
            self.by_text.clear();
            self.by_outline.clear();
            self.recent.places.clear();
            self.bytes = 0;
        }
        self.bytes += bytes;
    }
}

/// Texts that came more than once lately, each in the one place that its hash gives it.
#[derive(Debug, Default)]
struct Recent {
    hasher: RandomState,
    places: Vec<Place>,
}

/// The hash of the text that came last, and the text itself once it came again.
#[derive(Clone, Debug, Default)]
struct Place {
    hash: u64,
    known: Option<(Box<str>, Arc<Understanding>)>,
}

impl Recent {
    fn hash(&self, sql: &str) -> u64 {
        let bytes = sql.as_bytes();
        let head = bytes.get(..HASHED_BYTES).unwrap_or(bytes);
        let tail = bytes.len().checked_sub(HASHED_BYTES).and_then(|from| bytes.get(from..));
        self.hasher.hash_one((bytes.len(), head, tail))
    }

    fn find(&self, hash: u64, sql: &str) -> Option<&Arc<Understanding>> {
        let (text, known) = self.places.get(at(hash))?.known.as_ref()?;
        (**text == *sql).then_some(known)
    }

    fn keep(&mut self, hash: u64, sql: &str, known: &Arc<Understanding>) {
        if sql.len() > RECENT_BYTES_MAX {
            return;
        }
        self.places.resize(RECENT, Place::default());
        let Some(place) = self.places.get_mut(at(hash)) else { return };
        // Texts that differ each time are not worth a copy.
        let came_before = place.hash == hash;
        *place = Place { hash, known: came_before.then(|| (sql.into(), Arc::clone(known))) };
    }
}

fn at(hash: u64) -> usize {
    usize::try_from(hash % RECENT as u64).unwrap_or_default()
}

/// All texts of an outline are understood alike.
fn key(sql: &str) -> Digest {
    Outline::of(sql)
        .map_or_else(|| Digest::of(sql.as_bytes()), |outline| Digest::of(outline.text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::understand::understand;

    #[test]
    fn a_text_is_understood_once_and_the_memory_is_bounded() {
        let mut understood = Understood::default();
        let first = understood.of("DROP TABLE t");
        assert_eq!(*first, understand("DROP TABLE t"));
        assert!(Arc::ptr_eq(&first, &understood.of("DROP TABLE t")));
        assert!(!Arc::ptr_eq(&first, &understood.of("DROP TABLE T")));
        for n in 0..UNDERSTOOD_BYTES_MAX / size_of::<Understanding>() {
            understood.of(&format!("SELECT a{n}"));
            assert!(understood.bytes <= UNDERSTOOD_BYTES_MAX);
        }
        assert!(!Arc::ptr_eq(&first, &understood.of("DROP TABLE t")), "forgotten");
        let long = format!("SELECT '{}'", "x".repeat(UNDERSTOOD_BYTES_MAX));
        assert!(!Arc::ptr_eq(&understood.of(&long), &understood.of(&long)), "too long to be kept");
    }

    #[test]
    fn functions_that_the_operator_vouches_for_read() {
        let listed = BTreeSet::from(["app.full_name".to_owned(), "pg_temp.f".to_owned()]);
        let mut understood = Understood::default().vouching(Arc::new(listed));
        let mut check = |sql: &str, expect: Effect| {
            assert_eq!(understood.of(sql).acts.worst(), expect, "{sql}");
            assert_eq!(understood.of(sql).is_enforceable(), expect == Effect::Read, "{sql}");
        };
        check("SELECT app.full_name(id) FROM people WHERE id = 1", Effect::Read);
        check("SELECT \"app\".\"full_name\"(id) FROM people", Effect::Read);
        check("SELECT full_name(id) FROM people", Effect::Execute);
        check("SELECT \"App\".full_name(id) FROM people", Effect::Execute);
        check("SELECT other.full_name(id) FROM people", Effect::Execute);
        check("SELECT app.full_name(app.wipe(id)) FROM people", Effect::Execute);
        check("DELETE FROM people WHERE app.full_name(id) = 'x'", Effect::Destroy);
        check("CALL app.full_name(1)", Effect::Execute);
        check(
            "CREATE OR REPLACE FUNCTION app.full_name(int) RETURNS text LANGUAGE sql AS ''",
            Effect::Replace,
        );
    }

    #[test]
    fn what_came_lately_is_found_as_it_was_understood() {
        let mut understood = Understood::default();
        let texts = |n: usize| format!("SELECT a FROM t{} WHERE id = {}", n % 70, n % 100);
        for n in 0..2_000 {
            let sql = texts(n);
            assert_eq!(*understood.of(&sql), understand(&sql), "{sql}");
            assert_eq!(*understood.of(&sql), understand(&sql), "{sql}");
            assert_eq!(*understood.of(&sql), understand(&sql), "{sql}");
        }
        assert_eq!(understood.recent.places.len(), RECENT);
        // They differ only where nothing is hashed.
        let middle = |name: &str| format!("SELECT 1{0} + {name}{0}", " ".repeat(2 * HASHED_BYTES));
        for _ in 0..3 {
            for sql in [middle("a"), middle("b")] {
                assert_eq!(*understood.of(&sql), understand(&sql));
            }
        }
        let long = format!("SELECT '{}'", "x".repeat(RECENT_BYTES_MAX));
        (0..3).for_each(|_| drop(understood.of(&long)));
        let is_long =
            |place: &Place| place.known.as_ref().is_some_and(|(text, _)| text.len() > RECENT_BYTES_MAX);
        assert!(!understood.recent.places.iter().any(is_long));
    }

    #[test]
    fn texts_that_differ_in_plain_constants_are_understood_once() {
        let mut understood = Understood::default();
        let first = understood.of("SELECT a FROM t WHERE id = 1");
        assert!(Arc::ptr_eq(&first, &understood.of("SELECT a FROM t WHERE id = 22")));
        assert!(!Arc::ptr_eq(&first, &understood.of("SELECT a FROM t WHERE id = '1'")));
        assert!(!Arc::ptr_eq(&first, &understood.of("SELECT b FROM t WHERE id = 1")));
        let set = understood.of("SET statement_timeout = 1");
        let off = understood.of("SET statement_timeout = 0");
        assert_eq!(*off, understand("SET statement_timeout = 0"));
        assert_ne!(*set, *off);
    }
}
