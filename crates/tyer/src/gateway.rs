//! THE pipeline: [`Gateway::submit`] turns a request into a clearance or a refusal, and
//! [`Gateway::settle`] records what came of it.
//!
//! Doors and the console call the gateway; it calls neither and knows no protocol. Everything that
//! changes is durable before it is seen: a change is committed by the sequencer together with its leaf,
//! and only then applied to the [`World`]. INVARIANT: `Clearance::assertion` is called in this file,
//! once, after the leaf is durable.

pub(crate) mod access_keys;
pub(crate) mod afar;
pub(crate) mod allowances;
mod answers;
pub(crate) mod beside;
mod bounds;
mod cards;
pub(crate) mod carried;
pub(crate) mod configuration;
mod drift;
pub(crate) mod exceeded;
pub(crate) mod freeze;
pub(crate) mod glass;
pub(crate) mod holds;
pub(crate) mod keys;
pub(crate) mod kill;
pub(crate) mod leases;
mod news;
mod outcomes;
mod owed;
mod pace;
pub(crate) mod passkeys;
pub(crate) mod people;
mod presented;
pub(crate) mod proofs;
pub(crate) mod requests;
pub(crate) mod roles;
mod sequences;
pub(crate) mod sessions;
mod standing;
pub(crate) mod statements;
pub(crate) mod together;
mod told;
pub(crate) mod world;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, MutexGuard, RwLock, broadcast};
use tyer_core::facts::Facts;
use tyer_core::freeze::Spell;
use tyer_core::intent::{HoldId, Intent, Timestamp, Upstream};
use tyer_core::limits::LEASE_TEXT_BYTES_MAX;
use tyer_core::names::Meant;
use tyer_core::policy::{Asks, Decision, Memo, Situation};
use tyer_core::record::{ApprovalRecord, Record, What};
use tyer_core::sequence::History;
use tyer_core::verdict::{
    Approvals, Basis, Clearance, Grant, LeafIndex, Needs, Outcome, Reason, Refusal, Verdict,
};

use crate::clock;
use crate::config::{Config, Mode};
use crate::gateway::allowances::may_be_allowed;
use crate::gateway::leases::Leases;
pub(crate) use crate::gateway::news::News;
use crate::gateway::news::wait_for_news;
use crate::gateway::outcomes::Taken;
pub(crate) use crate::gateway::requests::{About, Here, Patience, Request};
use crate::gateway::sequences::{Noted, Sequences};
use crate::gateway::told::{not_recorded, unrecorded};
use crate::gateway::world::World;
use crate::sequencer::Sequencer;
use crate::store::{Change, StoreError, Table};
use crate::upstream::{Gathered, Upstreams};

/// Bytes of a request's text, parameters included, that is decided at all.
const TEXT_BYTES_MAX: usize = 4 * tyer_core::limits::REQUEST_BYTES_MAX;
/// The interlock's heart: one for the process.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) config: Config,
    pub(crate) upstreams: Upstreams,
    pub(crate) sequencer: Sequencer,
    world: Mutex<World>,
    /// Held shared from a decision to its durable leaf, and alone while a freeze begins, so that no
    /// decision from before a freeze is recorded after it.
    pub(super) gate: RwLock<()>,
    leases: Leases,
    /// Spares evaluating policies again for inputs that are equal in everything.
    memo: std::sync::Mutex<Memo>,
    pub(crate) connections: sessions::Connections,
    /// Leaves that cleared something whose outcome has not been seen.
    unsettled: std::sync::Mutex<BTreeMap<LeafIndex, Option<Taken>>>,
    owed: owed::Owed,
    sequences: Sequences,
    /// What the calendar says now.
    spell: std::sync::Mutex<Option<Spell>>,
    news: broadcast::Sender<News>,
}

impl Gateway {
    /// The heart over a loaded world. Whatever was cleared and not settled when the last process ended
    /// is recorded as unknown first.
    pub(crate) async fn start(
        config: Config,
        upstreams: Upstreams,
        sequencer: Sequencer,
        (world, history): (World, History),
        unsettled: Vec<LeafIndex>,
    ) -> Result<Arc<Self>, StoreError> {
        let (news, _) = broadcast::channel(news::NEWS_MAX);
        let gateway = Self {
            config,
            upstreams,
            sequencer,
            world: Mutex::new(world),
            gate: RwLock::new(()),
            leases: Leases::default(),
            memo: std::sync::Mutex::default(),
            connections: sessions::Connections::default(),
            unsettled: std::sync::Mutex::new(unsettled.iter().map(|leaf| (*leaf, None)).collect()),
            owed: owed::Owed::default(),
            sequences: Sequences::of(history),
            spell: std::sync::Mutex::default(),
            news,
        };
        for leaf in unsettled {
            let why = "Tyer stopped before the outcome was seen".to_owned();
            gateway.settle(leaf, Outcome::Unknown { why }).await?;
        }
        gateway.spend_taken().await?;
        gateway.void_allowances().await?;
        gateway.compare_configuration().await?;
        gateway.begin_roles().await?;
        Ok(Arc::new(gateway))
    }

    /// The world, to look at.
    pub(crate) async fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().await
    }

    /// Decides a request and, if it may run, makes that durable. A request that needs people is held;
    /// the wait is bounded by `patience`, and presenting the same request again later continues it.
    pub(crate) async fn submit(
        &self,
        request: Request,
        mut patience: Patience,
    ) -> Result<Clearance, Refusal> {
        if request.text.len() > TEXT_BYTES_MAX {
            let message =
                format!("a request of {} bytes is too long to be decided", request.text.len());
            return Err(Refusal::new(Reason::TooMany, message, "split it, or send the rows by COPY"));
        }
        let deadline = tokio::time::Instant::now() + patience.wait;
        let (mut news, mut again) = (self.news(), None);
        loop {
            match self.attempt(&request, again.take()).await? {
                Attempt::Cleared(clearance) => return Ok(clearance),
                Attempt::Again => {}
                Attempt::Look(upstream, agreed) => {
                    let about = &request.about;
                    again = Some(self.upstreams.facts(&upstream, about, agreed).await);
                }
                Attempt::Lapsed(leaf) => return Err(self.lapsed(leaf).await),
                Attempt::Waits(hold, needs) => {
                    let until = self.thinks_until(&hold).await;
                    let refusal = || match until {
                        Some(until) => self.held_until(&hold, until),
                        None => self.held(&hold, &needs),
                    };
                    if *patience.gone.borrow() {
                        return Err(refusal());
                    }
                    tokio::select! {
                        () = tokio::time::sleep_until(deadline) => return Err(refusal()),
                        () = clock::reaches(until) => {}
                        _ = patience.gone.wait_for(|gone| *gone) => return Err(refusal()),
                        () = wait_for_news(&mut news, &hold) => {}
                    }
                }
            }
        }
    }

    /// `again`: the facts of a request whose hold is approved, taken just now.
    async fn attempt(&self, request: &Request, again: Option<Gathered>) -> Result<Attempt, Refusal> {
        let gate = self.gate.read().await;
        let mut world = self.world.lock().await;
        // Whatever it waited for, it is decided as of now.
        let now = clock::now();
        let intent = self.intent(&world, request, now)?;
        let observes = self.observes_now(&world, &intent, now);
        if let Some((refusal, basis)) = self.rejected(&world, &intent, now).filter(|_| !observes) {
            world.paces.rejected(&request.session, now);
            drop(world);
            return Err(self.refuse((&intent, Facts::default()), &basis, refusal, now).await);
        }
        let (facts, refusal) = self.comes_to(&intent, now);
        // Where policies are only observed it is only named.
        if let Some(refusal) = refusal.filter(|_| !observes) {
            drop(world);
            let basis = self.config.policies.unasked();
            return Err(self.refuse((&intent, facts), &basis, refusal, now).await);
        }
        let live =
            world.holds.of_request(&request.session, request.digest).map(|hold| hold.id().clone());
        let mut decision = self.decide(&world, &intent, (&facts, Approvals::default()), now);
        if observes {
            decision = self.config.policies.observe_only(&intent, decision, now);
        }
        match decision.verdict {
            Verdict::Allow(grant) => {
                let noted = self.sequences.note(&intent, request.transactional, now);
                drop(world);
                self.clear_unheld(request, &intent, grant, (facts, noted)).await
            }
            Verdict::Deny(refusal) => {
                drop(world);
                Err(self.refuse((&intent, facts), &decision.basis, refusal, now).await)
            }
            Verdict::Hold(needs) => match live.filter(|id| !may_be_allowed(&world, (id, &intent), now))
            {
                Some(hold) => {
                    match Box::pin(self.drifted(&mut world, (&intent, request), &hold, again)).await {
                        Some(attempt) => attempt,
                        None => Box::pin(self.present(&mut world, (&intent, request), hold, now)).await,
                    }
                }
                None => {
                    // Before the facts are taken, which costs the database more than a look.
                    if !world.holds.may_allow(&intent, now) {
                        Box::pin(self.paced(&mut world, &intent, now)).await?;
                        holds::within_bounds(&world, &intent)?;
                    }
                    drop((world, gate));
                    tracing::debug!(needs = needs.in_words(), "a request needs people");
                    Box::pin(self.open_hold(request, intent)).await
                }
            },
        }
    }

    /// Whether the policies only observe at this upstream, except during a freeze.
    pub(crate) fn observes(&self, upstream: &Upstream) -> bool {
        self.config.upstreams.get(upstream).is_some_and(|upstream| upstream.mode == Mode::Observe)
    }

    /// What the request means for its session, if that session still runs.
    fn intent(&self, world: &World, request: &Request, now: Timestamp) -> Result<Intent, Refusal> {
        let session =
            world.sessions.get(&request.session).filter(|s| s.ended.is_none() && now < s.until);
        let ended = || {
            Refusal::new(
                Reason::Ended,
                "this session has ended",
                "ask your controller for a new session",
            )
        };
        let session = session.ok_or_else(ended)?;
        let upstream = self.config.upstreams.get(&session.upstream).ok_or_else(ended)?;
        Ok(Intent {
            principal: session.principal.clone(),
            upstream: session.upstream.clone(),
            environment: request.environment.clone().unwrap_or_else(|| upstream.environment.clone()),
            acts: request.acts.clone(),
            digest: request.digest,
            shape: request.shape,
            text: request.text.clone(),
            redacted: request.redacted.clone(),
        })
    }

    fn decide(
        &self,
        world: &World,
        intent: &Intent,
        (facts, given): (&Facts, Approvals),
        now: Timestamp,
    ) -> Decision {
        let place = (&intent.environment, &intent.upstream);
        let session = world.sessions.get(&intent.principal.session);
        let default = tyer_core::intent::Narrowing::default();
        let situation = Situation {
            now,
            frozen: self.is_frozen(world, place, now),
            narrowing: session.map_or(&default, |session| &session.narrowing),
            given,
            possible: Approvals::default(),
            speakers: &[],
            asked: session.is_some_and(|session| session.asked.contains(&intent.shape)),
            facts,
        };
        let (policies, mut memo) = (&self.config.policies, self.memo());
        if let Some(grant) = policies.decide_again(&memo, Asks::from(intent), &situation) {
            let basis = grant.basis().clone();
            return Decision { verdict: Verdict::Allow(grant), basis };
        }
        let speakers = self.speakers(world, intent);
        let possible = self.possible(world, intent);
        let situation = Situation { possible, speakers: &speakers, ..situation };
        self.naming(policies.decide_noting(&mut memo, intent, &situation), world, place, now)
    }

    fn memo(&self) -> std::sync::MutexGuard<'_, Memo> {
        // An entry is put in whole or not at all.
        self.memo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Clears what policies allow by themselves: reads by lease, all else by a leaf of its own.
    async fn clear_unheld(
        &self,
        request: &Request,
        intent: &Intent,
        grant: Grant,
        (facts, noted): (Facts, Noted),
    ) -> Result<Attempt, Refusal> {
        if carried::is_leased(&intent.acts) && request.redacted.len() <= LEASE_TEXT_BYTES_MAX {
            return self.clear_read(request, intent, grant, clock::now()).await;
        }
        self.clear(Change::default(), intent, grant, (facts, Vec::new(), noted)).await
    }

    /// Makes the leaf of an execution durable, with whatever belongs to the same change.
    async fn clear(
        &self,
        change: Change,
        intent: &Intent,
        grant: Grant,
        (facts, approvals, noted): (Facts, Vec<ApprovalRecord>, Noted),
    ) -> Result<Attempt, Refusal> {
        let (request, private) = self.request_record(intent, facts, grant.basis())?;
        let record = Record::new(clock::now(), What::Cleared { request, approvals });
        let change = change
            .leaf(&record)
            .put_at_leaf(Table::Private, &private)
            .put_at_leaf(Table::Unsettled, &intent.principal.session);
        let leaf = self.sequencer.commit(noted.keep(change)).await;
        self.sequences.recorded(&noted, leaf.as_ref().copied());
        let leaf = leaf.map_err(|error| unrecorded(&error))?;
        self.unsettled().insert(leaf, None);
        Ok(assert_recorded(grant, leaf, clock::now()).map_or(Attempt::Lapsed(leaf), Attempt::Cleared))
    }

    fn unsettled(&self) -> std::sync::MutexGuard<'_, BTreeMap<LeafIndex, Option<Taken>>> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records what came of a clearance. For a read carried by a lease, only counts. What cannot be
    /// recorded now is kept, by the sequencer or where a hold waits for it, and tried again.
    pub(crate) async fn settle(&self, leaf: LeafIndex, outcome: Outcome) -> Result<(), StoreError> {
        // Not kept locked while it is awaited.
        let known = self.unsettled().remove(&leaf);
        let Some(taken) = known else {
            self.leases.settle(leaf, &outcome);
            return match outcome {
                Outcome::Misread { code } => {
                    let what = What::Misread { leaf, code };
                    self.record(Change::default().leaf(&Record::new(clock::now(), what))).await
                }
                _ => Ok(()),
            };
        };
        let Some(taken) = taken else { return self.record(self.settled(leaf, outcome, false)).await };
        let recorded = self.settle_hold(leaf, outcome.clone(), taken.clone()).await;
        if recorded.is_err() {
            self.unsettled().insert(leaf, Some(taken));
            self.owed.keep(leaf, outcome);
        }
        recorded
    }

    /// Records what has been seen and changes nothing else. If that fails now, the sequencer tries again.
    async fn record(&self, change: Change) -> Result<(), StoreError> {
        self.sequencer.commit_soon(change).await?;
        self.sequencer.flush().await
    }

    /// Records a refusal and hands it back. A refusal stands even if it cannot be recorded.
    async fn refuse(
        &self,
        (intent, facts): (&Intent, Facts),
        basis: &Basis,
        refusal: Refusal,
        now: Timestamp,
    ) -> Refusal {
        // The full text is not kept: an agent that is refused must not be able to fill the disk.
        let Ok((request, _)) = self.request_record(intent, facts, basis) else {
            return refusal;
        };
        let record = Record::new(now, What::Refused { request, reason: refusal.reason });
        let change = Change::default().leaf(&record);
        if let Err(error) = self.sequencer.commit(change).await {
            tracing::error!(%error, "a refusal was not recorded");
        }
        refusal
    }

    /// The leaf of an outcome, and what no longer has to be kept.
    fn settled(&self, leaf: LeafIndex, outcome: Outcome, returned: bool) -> Change {
        let change = self.sequences.settled(leaf, &outcome, Change::default());
        let record = Record::new(clock::now(), What::Settled { leaf, outcome, returned });
        change.leaf(&record).remove(Table::Unsettled, &leaf.0.to_string())
    }
}

enum Attempt {
    Cleared(Clearance),
    /// The world has changed meanwhile.
    Again,
    /// People have agreed, to names that mean this; the consequences at this upstream have to be looked at again.
    Look(Upstream, Option<Arc<Meant>>),
    /// Its leaf is durable, and its grant lapsed before that.
    Lapsed(LeafIndex),
    Waits(HoldId, Needs),
}

/// The only place where a clearance is made: its callers have just seen `leaf` become durable. That may have
/// taken its time, and a grant that lapsed meanwhile clears nothing.
fn assert_recorded(grant: Grant, leaf: LeafIndex, now: Timestamp) -> Option<Clearance> {
    grant.is_live(now).then(|| Clearance::assertion(grant, leaf))
}

#[cfg(test)]
mod tests;
