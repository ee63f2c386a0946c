//! What texts were understood as: drivers send the same few over and over.
//!
//! A text's understanding depends on nothing but the text, so remembering it decides nothing. One that holds
//! for every text of an outline is remembered by that: many drivers put their values into the text.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tyer_core::intent::{Act, Acts, Digest};
use tyer_core::limits::UNDERSTOOD_BYTES_MAX;

use super::kept::of_understanding;
use crate::postgres::understand::{Outline, Understanding, understand_outlined};

/// Texts that the server has shown to be no reads, of one connection.
const BELIED_MAX: usize = 256;

/// The understandings of one connection's texts; when they are too many, all are forgotten.
#[derive(Debug, Default)]
pub struct Understood {
    by_text: HashMap<Arc<str>, Arc<Understanding>>,
    by_outline: HashMap<String, Arc<Understanding>>,
    bytes: usize,
    /// Texts, or their outlines, that the server has shown to be no reads.
    belied: HashSet<Digest>,
}

impl Understood {
    /// What the text would do.
    pub fn of(&mut self, sql: &str) -> Arc<Understanding> {
        if let Some(known) = self.by_text.get(sql) {
            return Arc::clone(known);
        }
        let outline = Outline::of(sql);
        if let Some(known) = outline.as_ref().and_then(|outline| self.by_outline.get(&outline.text)) {
            return Arc::clone(known);
        }
        let (fresh, holds) = understand_outlined(sql, outline.as_ref());
        let fresh = Arc::new(fresh);
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
            self.bytes = 0;
        }
        self.bytes += bytes;
    }
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
