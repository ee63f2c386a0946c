//! What every route of console and API shares.

use axum::http::HeaderMap;
use std::sync::Arc;
use tokio::sync::watch;
use tyer_core::intent::{Environment, HoldId, PersonId, Upstream};
use tyer_core::policy::counts_as_production;
use tyer_core::verdict::{LeafIndex, Outcome};

use super::bodies::answers::AnsweredBody;
use super::bodies::holds::Beside;
use super::bodies::{
    CardBody, DoorBody, FreezeBody, HeadBody, HoldBody, PartBody, PersonBody, ReviewBody, SessionBody,
    StatusBody,
};
use super::guard::Caller;
use super::pace::Pace;
use super::sign_ins::SignIns;
use crate::archive::{Archive, ArchiveError};
use crate::clock;
use crate::config::Mode;
use crate::gateway::Gateway;
use crate::gateway::together;
use crate::gateway::world::World;
use crate::gateway::world::answers::Answered;
use crate::gateway::world::holds::Ended;

/// The leaf that a hold's grant cleared and what came of it, if it is known.
pub(crate) type Ran = Option<(LeafIndex, Outcome)>;

/// The gateway as people and programs see it by HTTP.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) archive: Archive,
    pub(crate) sign_ins: SignIns,
    pub(crate) pace: Pace,
    /// Turns true when the server is to stop; streams end then.
    pub(crate) closing: watch::Receiver<bool>,
}

impl Site {
    pub(crate) fn new(gateway: Arc<Gateway>, closing: watch::Receiver<bool>) -> Arc<Self> {
        let archive = Archive::new(&gateway.config.data);
        Arc::new(Self {
            gateway,
            archive,
            sign_ins: SignIns::default(),
            pace: Pace::default(),
            closing,
        })
    }

    /// Who sends these headers over the public listener.
    pub(crate) async fn caller(&self, headers: &HeaderMap) -> Caller {
        let Some(id) = self.sign_ins.person(headers, clock::now()) else { return Caller::Nobody };
        let world = self.gateway.world().await;
        match world.people.get(&id) {
            Some(person) => {
                let counts = person.counts();
                Caller::Person { counts, audits: !counts && person.reads(), id }
            }
            None => Caller::Nobody,
        }
    }

    /// How everything stands.
    pub(crate) async fn status(&self) -> StatusBody {
        let head = self.gateway.sequencer.head();
        let freezes = self.freezes().await.into_iter().filter(|freeze| freeze.holds).collect();
        let (doors, reviews) = {
            let world = self.gateway.world().await;
            (self.doors(&world), Gateway::reviews(&world).map(ReviewBody::of).collect())
        };
        StatusBody {
            version: env!("CARGO_PKG_VERSION"),
            freezes,
            reviews,
            posture: self.posture(&doors),
            doors,
            ledger: HeadBody {
                size: head.as_ref().map_or(0, |head| head.size),
                root: head.as_ref().map(|head| head.root.to_string()),
                checkpoint: head.map(|head| head.checkpoint),
            },
        }
    }

    /// The freezes that hold, and those that will within seven days.
    pub(crate) async fn freezes(&self) -> Vec<FreezeBody> {
        let world = self.gateway.world().await;
        self.gateway.freezes(&world, clock::now()).into_iter().map(FreezeBody::of).collect()
    }

    /// Those of them that cover a hold's request.
    pub(crate) async fn freezes_over(&self, hold: &HoldBody) -> Vec<FreezeBody> {
        let place =
            (Environment::new(hold.environment.as_str()), Upstream::new(hold.upstream.as_str()));
        let world = self.gateway.world().await;
        let all = self.gateway.freezes(&world, clock::now()).into_iter();
        let cover = all.filter(|shown| shown.freeze.scope.covers(&place.0, &place.1));
        cover.map(FreezeBody::of).collect()
    }

    fn doors(&self, world: &World) -> Vec<DoorBody> {
        let door = |(name, upstream): (&Upstream, &crate::config::UpstreamConfig)| {
            let closed_by = Gateway::closed_by(&world.parts, name);
            DoorBody {
                upstream: name.to_string(),
                listen: upstream.listen.to_string(),
                environment: upstream.environment.to_string(),
                mode: upstream.mode,
                open: closed_by.is_empty(),
                closed_by,
            }
        };
        self.gateway.config.upstreams.iter().map(door).collect()
    }

    /// Words for what is unsafe about the setup.
    fn posture(&self, doors: &[DoorBody]) -> Vec<String> {
        let console = &self.gateway.config.console;
        let mut words = Vec::new();
        if console.allow_loopback_approvals && console.is_loopback() && self.has_production() {
            words.push("loopback_console_approves_production".to_owned());
        }
        if console.tls.is_none() && !console.is_loopback() {
            words.push("console_without_tls".to_owned());
        }
        let closed = doors.iter().filter(|door| !door.open);
        words.extend(closed.map(|door| format!("door_closed {}", door.upstream)));
        let observed = doors.iter().filter(|door| door.mode == Mode::Observe);
        words.extend(observed.map(|door| format!("only_observes {}", door.upstream)));
        words.extend(self.gateway.role_powers());
        words
    }

    fn has_production(&self) -> bool {
        let mut upstreams = self.gateway.config.upstreams.values();
        upstreams.any(|upstream| upstream.environments().any(counts_as_production))
    }

    /// Whether this console, being beside the agent, cannot answer for production.
    pub(crate) fn cannot_answer(&self, environment: &str) -> bool {
        let console = &self.gateway.config.console;
        counts_as_production(&Environment::new(environment))
            && console.is_loopback()
            && !console.allow_loopback_approvals
    }

    /// Everybody, by name.
    pub(crate) async fn people(&self) -> Vec<PersonBody> {
        self.gateway.world().await.people.values().map(PersonBody::of).collect()
    }

    /// Every session, those that run first, the newest first among them.
    pub(crate) async fn sessions(&self) -> Vec<SessionBody> {
        let now = clock::now();
        let world = self.gateway.world().await;
        let session = |session: &crate::gateway::world::Session| {
            let upstream = self.gateway.config.upstreams.get(&session.upstream);
            let environment =
                upstream.map_or_else(Environment::production, |up| up.environment.clone());
            let open = self.gateway.connections.count(&session.principal.session);
            SessionBody {
                pace: world.paces.naming(&session.principal, now),
                ..SessionBody::of(session, environment.to_string(), open)
            }
        };
        let mut sessions: Vec<SessionBody> = world.sessions.values().map(session).collect();
        sessions.sort_by_key(|session| (session.ended.is_some(), std::cmp::Reverse(session.opened)));
        sessions
    }

    /// The holds that have not ended, in the order of a queue, and the number that the next one gets.
    pub(crate) async fn holds(&self, caller: &str) -> (Vec<HoldBody>, u64) {
        let now = clock::now();
        let world = self.gateway.world().await;
        let beside =
            Beside { caller, people: &world.among(), paces: Some(&world.paces), ended: None, now };
        let mut holds: Vec<HoldBody> =
            world.holds.iter().map(|hold| HoldBody::of(hold, &beside)).collect();
        holds.sort_by_key(HoldBody::queue_key);
        (holds, world.next_hold)
    }

    /// The newest holds that have ended and have a number below `before`, but for those that `also` shows.
    pub(crate) async fn ended(
        &self,
        before: u64,
        count: usize,
        also: &[HoldBody],
    ) -> Result<Vec<HoldBody>, ArchiveError> {
        let now = clock::now();
        let people = self.gateway.world().await.among();
        let body = move |ended: Ended| {
            HoldBody::of(
                &ended.hold,
                &Beside { caller: "", people: &people, paces: None, ended: ended.at, now },
            )
        };
        let mut ended = self.archive.ended_before(before, count, body).await?;
        // One may have ended since.
        ended.retain(|hold| also.iter().all(|shown| shown.hold != hold.hold));
        Ok(ended)
    }

    /// What became of holds and a person, or somebody, has not seen yet; the newest first.
    pub(crate) async fn answers(&self, whose: Option<&PersonId>) -> Vec<AnsweredBody> {
        let world = self.gateway.world().await;
        let theirs =
            |answered: &&Answered| whose.is_none_or(|person| answered.unseen_by.contains(person));
        world.answers.newest().into_iter().filter(theirs).map(AnsweredBody::of).collect()
    }

    /// A hold with its whole card, and what came of it where that stands beside it.
    pub(crate) async fn card(
        &self,
        id: &HoldId,
        caller: &str,
    ) -> Result<Option<(CardBody, Ran)>, ArchiveError> {
        let now = clock::now();
        let people = {
            let world = self.gateway.world().await;
            let people = world.among();
            if let Some(hold) = world.holds.get(id) {
                let beside =
                    Beside { caller, people: &people, paces: Some(&world.paces), ended: None, now };
                let still = self.gateway.still(&world, hold, now);
                return Ok(Some((CardBody::of(hold, still.as_ref(), &beside), None)));
            }
            people
        };
        let Some(Ended { hold, ran, at }) = self.archive.ended(id).await? else { return Ok(None) };
        let beside = Beside { caller, people: &people, paces: None, ended: at, now };
        Ok(Some((CardBody::of(&hold, None, &beside), ran)))
    }

    /// The whole cards of a hold and the others that the person could approve together with it, in the order of signing.
    pub(crate) async fn alike(&self, id: &HoldId, person: &PersonId) -> Vec<CardBody> {
        let world = self.gateway.world().await;
        let (caller, now) = (person.as_str(), clock::now());
        let people = &world.among();
        let beside = Beside { caller, people, paces: Some(&world.paces), ended: None, now };
        let alike = together::alike(&world, id, person);
        alike.into_iter().map(|hold| CardBody::of(hold, None, &beside)).collect()
    }

    /// Every security part of the configuration.
    pub(crate) async fn parts(&self) -> Vec<PartBody> {
        let world = self.gateway.world().await;
        let part = |(name, part): (&String, &crate::gateway::world::Part)| PartBody {
            part: name.clone(),
            confirmed: part.confirmed.map(|digest| digest.to_string()),
            pending: part.pending.map(|digest| digest.to_string()),
            signed_by: part.signed.iter().map(|signed| signed.statement.person.clone()).collect(),
        };
        world.parts.iter().map(part).collect()
    }
}

/// Whether people can still change a hold's fate.
pub(crate) fn is_live(state: &str) -> bool {
    matches!(state, "open" | "approved" | "active")
}
