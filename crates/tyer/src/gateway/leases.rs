//! Read leases: one durable leaf that carries many reads of one shape in one session.
//!
//! A lease is bounded in uses, in time and in number. A crash loses only its counts, never the leaf.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tyer_core::intent::{Digest, SessionId, Timestamp};
use tyer_core::limits::{LEASE_USES_MAX, LEASES_MAX};
use tyer_core::verdict::{LeafIndex, Observed, Outcome};

/// Which reads a lease carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LeaseKey<'a> {
    pub(crate) session: &'a SessionId,
    pub(crate) shape: Digest,
    pub(crate) redacted: &'a str,
    /// What the policies said, where they are only observed: the lease's leaf says so of each read.
    pub(crate) observed: Option<&'a Observed>,
}

/// The open leases of this process.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// Those that carry reads, by the hash of their key: looking one up copies nothing.
    carrying: HashMap<u64, Vec<LeafIndex>>,
    hashes: RandomState,
    by_leaf: BTreeMap<LeafIndex, Lease>,
}

#[derive(Debug)]
struct Lease {
    session: SessionId,
    shape: Digest,
    redacted: String,
    observed: Option<Observed>,
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
    pub(crate) fn carry(&self, key: LeaseKey<'_>, now: Timestamp) -> Option<LeafIndex> {
        let mut open = self.lock();
        let leaf = open.carrying(key)?;
        let lease = open.by_leaf.get_mut(&leaf)?;
        if now >= lease.until || lease.uses >= LEASE_USES_MAX {
            return None;
        }
        lease.uses += 1;
        Some(leaf)
    }

    /// Opens a lease with its first read. A lease that it replaces carries no more reads and is closed
    /// when its time is over. If there are too many, the oldest is closed and returned.
    pub(crate) fn open(&self, key: LeaseKey<'_>, leaf: LeafIndex, until: Timestamp) -> Option<Closed> {
        let mut open = self.lock();
        if let Some(replaced) = open.carrying(key) {
            open.stop(replaced);
        }
        let place = open.hashes.hash_one(key);
        open.carrying.entry(place).or_default().push(leaf);
        open.by_leaf.insert(leaf, Lease::of(key, until));
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
        let of = |lease: &Lease| lease.session == *session;
        let leaves: Vec<_> =
            open.by_leaf.iter().filter(|(_, lease)| of(lease)).map(|(leaf, _)| *leaf).collect();
        leaves.into_iter().filter_map(|leaf| open.close(leaf)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Counts stay right whatever a panicking holder was doing.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// With its first read.
    fn of(key: LeaseKey<'_>, until: Timestamp) -> Self {
        Self {
            session: key.session.clone(),
            shape: key.shape,
            redacted: key.redacted.to_owned(),
            observed: key.observed.cloned(),
            until,
            uses: 1,
            failed: 0,
        }
    }

    fn key(&self) -> LeaseKey<'_> {
        let Self { session, shape, redacted, observed, .. } = self;
        LeaseKey { session, shape: *shape, redacted, observed: observed.as_ref() }
    }
}

impl Open {
    fn carrying(&self, key: LeaseKey<'_>) -> Option<LeafIndex> {
        let leaves = self.carrying.get(&self.hashes.hash_one(key))?;
        let is_it = |leaf: &&LeafIndex| self.by_leaf.get(leaf).is_some_and(|it| it.key() == key);
        leaves.iter().find(is_it).copied()
    }

    /// Lets a lease carry no more reads.
    fn stop(&mut self, leaf: LeafIndex) {
        let Some(lease) = self.by_leaf.get(&leaf) else { return };
        let place = self.hashes.hash_one(lease.key());
        if let Some(leaves) = self.carrying.get_mut(&place) {
            leaves.retain(|other| *other != leaf);
            if leaves.is_empty() {
                self.carrying.remove(&place);
            }
        }
    }

    fn close(&mut self, leaf: LeafIndex) -> Option<Closed> {
        self.stop(leaf);
        let lease = self.by_leaf.remove(&leaf)?;
        Some(Closed { leaf, uses: lease.uses, failed: lease.failed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key<'a>(session: &'a SessionId, redacted: &'a str) -> LeaseKey<'a> {
        LeaseKey { session, shape: Digest([0; 32]), redacted, observed: None }
    }

    #[test]
    fn the_oldest_gives_way() {
        let (leases, until) = (Leases::default(), Timestamp(1_000));
        let (session, redacted) = (SessionId::new("s-1"), |number: u64| format!("SELECT {number}"));
        let carries =
            |number: u64| leases.carry(key(&session, &redacted(number)), Timestamp(0)).is_some();
        let open =
            |number: u64| leases.open(key(&session, &redacted(number)), LeafIndex(number), until);
        let full = u64::try_from(LEASES_MAX).unwrap();
        for number in 0..full {
            assert_eq!(open(number), None);
        }
        assert!(carries(0) && carries(full - 1));
        let closed = Closed { leaf: LeafIndex(0), uses: 2, failed: 0 };
        assert_eq!(open(full), Some(closed));
        assert!(!carries(0) && carries(1) && carries(full));
        assert_eq!(leases.of_session(&session).len(), LEASES_MAX);
        assert!(leases.lock().carrying.is_empty());
    }

    #[test]
    fn one_that_is_replaced_carries_no_more_and_keeps_its_totals() {
        let (leases, session) = (Leases::default(), SessionId::new("s-1"));
        let key = key(&session, "SELECT");
        assert_eq!(leases.open(key, LeafIndex(1), Timestamp(10)), None);
        assert_eq!(leases.carry(key, Timestamp(10)), None, "its time is over");
        assert_eq!(leases.open(key, LeafIndex(2), Timestamp(20)), None);
        assert_eq!(leases.carry(key, Timestamp(10)), Some(LeafIndex(2)));
        let closed = |leaf, uses| Closed { leaf: LeafIndex(leaf), uses, failed: 0 };
        assert_eq!(leases.of_session(&session), [closed(1, 1), closed(2, 2)]);
    }
}
