//! What texts were understood as: drivers send the same few over and over.
//!
//! A text's understanding depends on nothing but the text, so remembering it decides nothing.

use std::collections::HashMap;
use std::sync::Arc;

use tyer_core::limits::UNDERSTOOD_BYTES_MAX;

use crate::postgres::understand::{Understanding, understand};

/// The understandings of one connection's texts; when they are too many, all are forgotten.
#[derive(Debug, Default)]
pub(super) struct Understood {
    by_text: HashMap<Arc<str>, Arc<Understanding>>,
    bytes: usize,
}

impl Understood {
    /// What the text would do.
    pub(super) fn of(&mut self, sql: &str) -> Arc<Understanding> {
        if let Some(known) = self.by_text.get(sql) {
            return Arc::clone(known);
        }
        let fresh = Arc::new(understand(sql));
        let bytes = sql.len() + size_of::<Understanding>();
        if bytes <= UNDERSTOOD_BYTES_MAX {
            if self.bytes + bytes > UNDERSTOOD_BYTES_MAX {
                self.by_text.clear();
                self.bytes = 0;
            }
            self.bytes += bytes;
            self.by_text.insert(sql.into(), Arc::clone(&fresh));
        }
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_understood_once_and_the_memory_is_bounded() {
        let mut understood = Understood::default();
        let first = understood.of("DROP TABLE t");
        assert_eq!(*first, understand("DROP TABLE t"));
        assert!(Arc::ptr_eq(&first, &understood.of("DROP TABLE t")));
        assert!(!Arc::ptr_eq(&first, &understood.of("DROP TABLE T")));
        for n in 0..UNDERSTOOD_BYTES_MAX / size_of::<Understanding>() {
            understood.of(&format!("SELECT {n}"));
            assert!(understood.bytes <= UNDERSTOOD_BYTES_MAX);
        }
        assert!(!Arc::ptr_eq(&first, &understood.of("DROP TABLE t")), "forgotten");
        let long = format!("SELECT '{}'", "x".repeat(UNDERSTOOD_BYTES_MAX));
        assert!(!Arc::ptr_eq(&understood.of(&long), &understood.of(&long)), "too long to be kept");
    }
}
