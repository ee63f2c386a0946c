//! Read leases: one durable leaf that carries many reads of one shape in one session.
//!
//! A lease is bounded in uses, in time and in number. A crash loses only its counts, never the leaf.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tyer_core::intent::{Digest, SessionId, Timestamp};
use tyer_core::limits::{LEASE_USES_MAX, LEASES_MAX};
use tyer_core::verdict::{LeafIndex, Observed, Outcome};

/// Which reads a lease carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LeaseKey {
    pub(crate) session: SessionId,
    pub(crate) shape: Digest,
    pub(crate) redacted: String,
    /// What the policies said, where they are only observed: the lease's leaf says so of each read.
    pub(crate) observed: Option<Observed>,
}

/// The open leases of this process.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    by_key: HashMap<LeaseKey, LeafIndex>,
    by_leaf: BTreeMap<LeafIndex, Lease>,
}

#[derive(Debug)]
struct Lease {
    key: LeaseKey,
    until: Timestamp,
    uses: u64,
    failed: u64,
}

/// The totals of a lease that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) leaf: LeafIndex,
    pub(crate) uses: u64,
    pub(crate) failed: u64,
}

impl Leases {
    /// Counts one more read on a live lease, if there is one.
    pub(crate) fn carry(&self, key: &LeaseKey, now: Timestamp) -> Option<LeafIndex> {
        let mut open = self.lock();
        let leaf = *open.by_key.get(key)?;
        let lease = open.by_leaf.get_mut(&leaf)?;
        if now >= lease.until || lease.uses >= LEASE_USES_MAX {
            return None;
        }
        lease.uses += 1;
        Some(leaf)
    }

    /// Opens a lease with its first read. A lease that it replaces carries no more reads and is closed
    /// when its time is over. If there are too many, the oldest is closed and returned.
    pub(crate) fn open(&self, key: LeaseKey, leaf: LeafIndex, until: Timestamp) -> Option<Closed> {
        let mut open = self.lock();
        open.by_key.insert(key.clone(), leaf);
        open.by_leaf.insert(leaf, Lease { key, until, uses: 1, failed: 0 });
        let oldest = open.by_leaf.keys().next().copied();
        oldest.filter(|_| open.by_leaf.len() > LEASES_MAX).and_then(|oldest| open.close(oldest))
    }

    /// Counts what came of a read.
    pub(crate) fn settle(&self, leaf: LeafIndex, outcome: &Outcome) {
        if let Some(lease) = self.lock().by_leaf.get_mut(&leaf)
            && !matches!(outcome, Outcome::Done { .. })
        {
            lease.failed += 1;
        }
    }

    /// Closes and returns the leases that ran out by `now`.
    pub(crate) fn expired(&self, now: Timestamp) -> Vec<Closed> {
        let mut open = self.lock();
        // A little grace, so that a read that is under way still finds its lease.
        let over = |lease: &Lease| now >= lease.until.plus(tyer_core::limits::LEASE_MS);
        let leaves: Vec<_> =
            open.by_leaf.iter().filter(|(_, lease)| over(lease)).map(|(leaf, _)| *leaf).collect();
        leaves.into_iter().filter_map(|leaf| open.close(leaf)).collect()
    }

    /// Closes and returns the leases of a session that ended.
    pub(crate) fn of_session(&self, session: &SessionId) -> Vec<Closed> {
        let mut open = self.lock();
        let of = |lease: &Lease| lease.key.session == *session;
        let leaves: Vec<_> =
            open.by_leaf.iter().filter(|(_, lease)| of(lease)).map(|(leaf, _)| *leaf).collect();
        leaves.into_iter().filter_map(|leaf| open.close(leaf)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Counts stay right whatever a panicking holder was doing.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn close(&mut self, leaf: LeafIndex) -> Option<Closed> {
        let lease = self.by_leaf.remove(&leaf)?;
        if self.by_key.get(&lease.key) == Some(&leaf) {
            self.by_key.remove(&lease.key);
        }
        Some(Closed { leaf, uses: lease.uses, failed: lease.failed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_gives_way() {
        let (leases, until) = (Leases::default(), Timestamp(1_000));
        let key = |number: u64| LeaseKey {
            session: SessionId::new("s-1"),
            shape: Digest([0; 32]),
            redacted: format!("SELECT {number}"),
            observed: None,
        };
        let carries = |number: u64| leases.carry(&key(number), Timestamp(0)).is_some();
        let full = u64::try_from(LEASES_MAX).unwrap();
        for number in 0..full {
            assert_eq!(leases.open(key(number), LeafIndex(number), until), None);
        }
        assert!(carries(0) && carries(full - 1));
        let closed = Closed { leaf: LeafIndex(0), uses: 2, failed: 0 };
        assert_eq!(leases.open(key(full), LeafIndex(full), until), Some(closed));
        assert!(!carries(0) && carries(1) && carries(full));
    }
}
