//! Reads that a lease carries: decided like everything else, but on the spot, since there is nothing to wait
//! for. Whatever is in the way of that sends a request the long way, through [`Gateway::submit`].

use tyer_core::facts::Facts;
use tyer_core::intent::{Acts, Digest, Effect, SessionId};
use tyer_core::policy::{Asks, Situation};
use tyer_core::verdict::{Approvals, Clearance};

use super::leases::LeaseKey;
use super::{Gateway, TEXT_BYTES_MAX, assert_recorded};
use crate::clock;

/// A request as a door understood it, borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read<'a> {
    pub(crate) session: &'a SessionId,
    pub(crate) acts: &'a Acts,
    pub(crate) digest: Digest,
    pub(crate) shape: Digest,
    pub(crate) redacted: &'a str,
    /// Bytes of its text, parameters included.
    pub(crate) bytes: usize,
}

/// Whether requests of these acts share the leaf of a lease.
pub(super) fn is_leased(acts: &Acts) -> bool {
    acts.worst() <= Effect::Read || acts.all_local()
}

impl Gateway {
    /// Decides a request that a live lease carries. `None` says nothing: it has to be submitted.
    pub(crate) fn carry(&self, read: &Read<'_>) -> Option<Clearance> {
        if !is_leased(read.acts) || read.bytes > TEXT_BYTES_MAX {
            return None;
        }
        // Whoever has one of these may be changing what decisions rest on.
        let _gate = self.gate.try_read().ok()?;
        let world = self.world.try_lock().ok()?;
        let now = clock::now();
        let session = world.sessions.get(read.session)?;
        if session.ended.is_some() || now >= session.until || self.observes(&session.upstream) {
            return None;
        }
        // People may have been asked about it, and have said no.
        if world.holds.values().any(|hold| hold.card().intent.digest == read.digest) {
            return None;
        }
        let asks = Asks {
            principal: &session.principal,
            upstream: &session.upstream,
            environment: &self.config.upstreams.get(&session.upstream)?.environment,
            acts: read.acts,
            digest: read.digest,
        };
        let situation = Situation {
            now,
            frozen: world.freeze.is_some(),
            narrowing: &session.narrowing,
            given: Approvals::default(),
            possible: Approvals::default(),
            asked: session.asked.contains(&read.shape),
            facts: &Facts::default(),
        };
        let grant = self.config.policies.decide_again(&self.memo(), asks, &situation)?;
        let key = LeaseKey {
            session: read.session.clone(),
            shape: read.shape,
            redacted: read.redacted.to_owned(),
            observed: None,
        };
        let leaf = self.leases.carry(&key, now)?;
        Some(assert_recorded(grant, leaf))
    }
}
