//! Reads that a lease carries: decided like everything else, but on the spot, since there is nothing to wait
//! for. Whatever is in the way of that sends a request the long way, through [`Gateway::submit`].

use tyer_core::facts::Facts;
use tyer_core::intent::{Acts, Digest, Effect, Environment, Intent, SessionId, Timestamp};
use tyer_core::limits::{LEASE_MS, LEASE_USES_MAX};
use tyer_core::policy::{Asks, Situation};
use tyer_core::record::{Record, What};
use tyer_core::verdict::{Approvals, Clearance, Grant, Refusal};

use super::leases::{Closed, LeaseKey};
use super::{Attempt, Gateway, Request, TEXT_BYTES_MAX, assert_recorded, unrecorded};
use crate::clock;
use crate::store::{Change, Table};

/// A request as a door understood it, borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read<'a> {
    pub(crate) session: &'a SessionId,
    pub(crate) acts: &'a Acts,
    /// Where what it is about stands, if that isn't the same for all of the upstream.
    pub(crate) environment: Option<&'a Environment>,
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
        // People may be asked about it, or have said no.
        if world.holds.concern(read.digest) {
            return None;
        }
        let upstream = self.config.upstreams.get(&session.upstream)?;
        let environment = read.environment.unwrap_or(&upstream.environment);
        let asks = Asks {
            principal: &session.principal,
            upstream: &session.upstream,
            environment,
            acts: read.acts,
            digest: read.digest,
        };
        let situation = Situation {
            now,
            frozen: self.is_frozen(&world, (environment, &session.upstream), now),
            narrowing: &session.narrowing,
            given: Approvals::default(),
            possible: Approvals::default(),
            speakers: &[],
            asked: session.asked.contains(&read.shape),
            facts: &Facts::default(),
        };
        let grant = self.config.policies.decide_again(&self.memo(), asks, &situation)?;
        let key = LeaseKey {
            session: read.session,
            shape: read.shape,
            redacted: read.redacted,
            observed: None,
        };
        let leaf = self.leases.carry(key, now)?;
        assert_recorded(grant, leaf, now)
    }

    /// Clears a read by the lease that carries it, or by a new one and its leaf.
    pub(super) async fn clear_read(
        &self,
        request: &Request,
        intent: &Intent,
        grant: Grant,
        now: Timestamp,
    ) -> Result<Attempt, Refusal> {
        let observed = grant.basis().observed.clone();
        let key = LeaseKey {
            session: &request.session,
            shape: request.shape,
            redacted: &request.redacted,
            observed: observed.as_ref(),
        };
        if let Some(leaf) = self.leases.carry(key, now) {
            return Ok(
                assert_recorded(grant, leaf, now).map_or(Attempt::Lapsed(leaf), Attempt::Cleared)
            );
        }
        let until = now.plus(LEASE_MS);
        let (record, private) = self.request_record(intent, Facts::default(), grant.basis())?;
        let what = What::ReadLease { request: record, uses: LEASE_USES_MAX, until };
        let change =
            Change::default().leaf(&Record::new(now, what)).put_at_leaf(Table::Private, &private);
        let leaf = self.sequencer.commit(change).await.map_err(|error| unrecorded(&error))?;
        let Some(clearance) = assert_recorded(grant, leaf, clock::now()) else {
            self.close_lease(Closed { leaf, uses: 0, failed: 0 }).await;
            return Ok(Attempt::Lapsed(leaf));
        };
        if let Some(closed) = self.leases.open(key, leaf, until) {
            self.close_lease(closed).await;
        }
        Ok(Attempt::Cleared(clearance))
    }

    /// Closes leases that ran out; called now and then.
    pub(crate) async fn close_leases(&self, now: Timestamp) {
        for closed in self.leases.expired(now) {
            self.close_lease(closed).await;
        }
    }

    pub(super) async fn close_lease(&self, closed: Closed) {
        let what = What::LeaseClosed { leaf: closed.leaf, uses: closed.uses, failed: closed.failed };
        let change = Change::default().leaf(&Record::new(clock::now(), what));
        if let Err(error) = self.record(change).await {
            tracing::error!(%error, "the totals of a read lease are not recorded yet");
        }
    }
}
