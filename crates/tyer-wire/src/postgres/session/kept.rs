//! How much a connection has Tyer keep: texts, types and understandings of prepared statements, and the
//! values that are bound.
//!
//! One of them may be planned, confirmed and in flight at once, and is then the same memory. So it is weighed where
//! it lies and not where it is named: it counts once, for as long as anything refers to it, whatever happens to
//! the names meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tyer_core::limits::KEPT_BYTES_MAX;

use super::question::Text;
use crate::postgres::identity::Value;
use crate::postgres::understand::{Lock, Naming, Understanding};

/// What one connection keeps, in bytes.
#[derive(Debug, Default)]
pub(super) struct Kept(Arc<AtomicUsize>);

/// A part of what is kept; it counts until it is dropped.
#[derive(Debug)]
pub(super) struct Weight {
    bytes: usize,
    of: Arc<AtomicUsize>,
}

impl Kept {
    /// Room for that many bytes more, if there is.
    pub(super) fn room(&self, bytes: usize) -> Option<Weight> {
        let all = self.0.load(Ordering::Relaxed).saturating_add(bytes);
        (all <= KEPT_BYTES_MAX).then(|| {
            self.0.store(all, Ordering::Relaxed);
            Weight { bytes, of: Arc::clone(&self.0) }
        })
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Weight {
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes of a prepared statement.
pub(super) fn of_prepared(text: &Text, types: &[u32], understanding: &Understanding) -> usize {
    text.bytes() + size_of_val(types) + of_understanding(understanding)
}

/// Bytes of what a text means.
pub(super) fn of_understanding(understanding: &Understanding) -> usize {
    let Understanding { acts, redacted, syntax_error, controls, namings, executes, .. } = understanding;
    let Understanding { relations, locks, .. } = understanding;
    let acts = acts.iter().map(|act| size_of_val(act) + act.resource.name.len() + act.why.len());
    let names = executes.iter().chain(relations).map(|name| size_of_val(name) + name.len());
    let bodies = namings.iter().map(|naming| match naming {
        Naming::Prepare(name, body) => {
            name.len() + body.types.len() + body.sql.len() + of_understanding(&body.understanding)
        }
        Naming::Forget(name) => name.len(),
        Naming::ForgetAll | Naming::Fetch => 0,
    });
    let texts = redacted.len() + syntax_error.as_ref().map_or(0, String::len);
    size_of_val(understanding)
        + texts
        + size_of_val(controls.as_slice())
        + size_of_val(namings.as_slice())
        + acts.chain(names).chain(bodies).chain(locks.iter().map(Lock::bytes)).sum::<usize>()
}

/// Bytes of bound values.
pub(super) fn of_values(values: &[Value]) -> usize {
    let bytes = values.iter().map(|value| value.bytes.as_ref().map_or(0, Vec::len));
    size_of_val(values) + bytes.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back() {
        let kept = Kept::default();
        let half = kept.room(KEPT_BYTES_MAX / 2).unwrap();
        let other = kept.room(KEPT_BYTES_MAX / 2).unwrap();
        assert!(kept.room(usize::MAX).is_none() && kept.room(2).is_none());
        drop(half);
        assert_eq!(kept.bytes(), other.bytes());
        drop(other);
        assert_eq!(kept.bytes(), 0);
    }
}
