//! Sessions: made with minted credentials, ended with their connections seen to close.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tyer_core::intent::{
    Effect, HoldId, Narrowing, PersonId, Principal, SessionId, Timestamp, Upstream,
};
use tyer_core::limits::{COMMENT_CHARS_MAX, SESSION_MS_DEFAULT, SESSION_MS_MAX};
use tyer_core::record::{Record, What};
use tyer_wire::postgres::scram::Verifier;

use crate::clock;
use crate::gateway::allowances::outlives;
use crate::gateway::people::is_name;
use crate::gateway::world::{Session, World};
use crate::gateway::{Gateway, News};
use crate::secret::{self, NoRandomness, Secret};
use crate::store::{Change, StoreError, Table};

/// How long an ended session's connections may take to be seen closed.
const CLOSE_WAIT: Duration = Duration::from_secs(5);
/// PBKDF2 rounds of minted passwords. They have 256 random bits, so this only has to satisfy drivers.
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4_095);

/// Ended sessions that are still listed; of older ones only the ledger knows.
const ENDED_MAX: usize = 1_000;
/// How many more there may be before the oldest are forgotten.
const ENDED_SLACK: usize = 100;

/// What somebody asks of a new session.
#[derive(Clone, Debug)]
pub(crate) struct NewSession {
    pub(crate) agent: String,
    pub(crate) human: bool,
    pub(crate) controller: PersonId,
    pub(crate) upstream: Upstream,
    pub(crate) narrowing: Narrowing,
    pub(crate) lasts_ms: Option<i64>,
    pub(crate) purpose: String,
}

/// A session with the password that was minted for it, which is shown once and kept nowhere.
#[derive(Clone, Debug)]
pub(crate) struct Minted {
    pub(crate) session: Session,
    pub(crate) password: Secret,
}

/// Why a session is not made or ended.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error("there is no upstream `{0}`")]
    NoUpstream(Upstream),
    #[error("there is no person `{0}`, and a session acts for a person; see `tyer people list`")]
    NoController(PersonId),
    #[error(
        "who owns `{0}` was changed in the configuration, and two people have to confirm that first"
    )]
    OwnersPending(String),
    #[error("an agent's name is up to 64 letters, digits, `-`, `_` or `.`")]
    AgentName,
    #[error("a human's session acts for that human alone: give both the same name")]
    Human,
    #[error("a session lasts between a minute and seven days")]
    Lasts,
    #[error("a purpose is at most 2,000 characters")]
    Purpose,
    #[error("there is no session `{0}`, or it has ended")]
    NoSession(SessionId),
    #[error("no session of an agent `{0}` runs")]
    NoAgent(String),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// What was seen when a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Ending {
    /// Connections that were open.
    pub(crate) open: u32,
    /// Of those, how many were seen to close.
    pub(crate) closed: u32,
}

/// The open connections of each session. A door registers a connection and drops the guard when it is
/// closed; the guard's watch tells the door to close it.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    by_session: HashMap<SessionId, HashMap<u64, watch::Sender<bool>>>,
}

impl Connections {
    /// Registers a connection unless its session has as many as that; it stays registered until
    /// [`Connections::closed`].
    pub(crate) fn opened(
        &self,
        session: &SessionId,
        most: u32,
    ) -> Option<(u64, watch::Receiver<bool>)> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_session = open.by_session.get(session).map_or(0, HashMap::len);
        if of_session >= usize::try_from(most).unwrap_or(usize::MAX) {
            return None;
        }
        open.next += 1;
        let number = open.next;
        let (close, closing) = watch::channel(false);
        open.by_session.entry(session.clone()).or_default().insert(number, close);
        Some((number, closing))
    }

    /// Tells every connection to end.
    pub(crate) fn close_everything(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for close in open.by_session.values().flat_map(HashMap::values) {
            close.send_replace(true);
        }
    }

    /// The connection is closed on both sides.
    pub(crate) fn closed(&self, session: &SessionId, number: u64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connections) = open.by_session.get_mut(session) {
            connections.remove(&number);
            if connections.is_empty() {
                open.by_session.remove(session);
            }
        }
    }

    /// How many are open.
    pub(crate) fn count(&self, session: &SessionId) -> u32 {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.by_session.get(session).map_or(0, |all| u32::try_from(all.len()).unwrap_or(u32::MAX))
    }

    /// Tells those of a session to end, and says how many there are.
    pub(super) fn close_all(&self, session: &SessionId) -> u32 {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(connections) = open.by_session.get(session) else { return 0 };
        for close in connections.values() {
            close.send_replace(true);
        }
        u32::try_from(connections.len()).unwrap_or(u32::MAX)
    }
}

impl Gateway {
    /// Who controls a new session besides its controller: the owners of its agent, and whoever makes it.
    fn also_controls(&self, world: &World, new: &NewSession, by: &str) -> Vec<PersonId> {
        let owners = self.config.agents.get(&new.agent).filter(|_| !new.human);
        let by = PersonId::new(by);
        let maker = world.people.contains_key(&by).then_some(by);
        let all: BTreeSet<PersonId> = owners.into_iter().flatten().cloned().chain(maker).collect();
        all.into_iter().filter(|person| *person != new.controller).collect()
    }

    /// Makes a session and mints its credentials. `by` is a person, or `operator` for the command line.
    pub(crate) async fn new_session(&self, new: NewSession, by: &str) -> Result<Minted, SessionError> {
        let now = clock::now();
        let lasts = new.lasts_ms.unwrap_or(SESSION_MS_DEFAULT);
        if !(60_000..=SESSION_MS_MAX).contains(&lasts) {
            return Err(SessionError::Lasts);
        }
        if !is_name(&new.agent) {
            return Err(SessionError::AgentName);
        }
        if new.human && new.agent != new.controller.as_str() {
            return Err(SessionError::Human);
        }
        if new.purpose.chars().count() > COMMENT_CHARS_MAX {
            return Err(SessionError::Purpose);
        }
        let Some(upstream) = self.config.upstreams.get(&new.upstream) else {
            return Err(SessionError::NoUpstream(new.upstream));
        };
        let password = Secret::new(secret::token()?);
        let verifier = Verifier::from_password(password.reveal(), &secret::random::<16>()?, ROUNDS);
        let mut world = self.world().await;
        if !world.people.contains_key(&new.controller) {
            return Err(SessionError::NoController(new.controller));
        }
        if Self::is_owner_pending(&world.parts, &new.agent) {
            return Err(SessionError::OwnersPending(new.agent));
        }
        let id = SessionId::new(format!("s-{}", secret::short_word::<8>()?));
        let principal = Principal {
            session: id.clone(),
            also: self.also_controls(&world, &new, by),
            agent: new.agent,
            human: new.human,
            controller: new.controller,
        };
        let session = Session {
            principal,
            accounts: upstream
                .aws()
                .map(|aws| aws.accounts.keys().cloned().collect())
                .unwrap_or_default(),
            upstream: new.upstream,
            verifier: verifier.to_string(),
            narrowing: new.narrowing,
            opened: now,
            until: now.plus(lasts),
            purpose: new.purpose,
            ended: None,
            asked: BTreeSet::new(),
        };
        let what = opened(&session, by);
        let change =
            Change::default().leaf(&Record::new(now, what)).put(Table::Session, id.as_str(), &session);
        self.sequencer.commit(change).await?;
        world.sessions.insert(id.clone(), session.clone());
        self.tell(News::Session(id));
        Ok(Minted { session, password })
    }

    /// Ends a session: nothing new is decided for it, its holds are taken back, and its connections are
    /// closed and counted as they are seen to close. `how` is `ended`, `killed` or `expired`.
    pub(crate) async fn end_session(
        &self,
        id: &SessionId,
        how: &str,
        by: &str,
    ) -> Result<Ending, SessionError> {
        self.stop_session(id, how).await?;
        let open = self.connections.close_all(id);
        self.until_closed(std::slice::from_ref(id)).await;
        let ending = Ending { open, closed: open.saturating_sub(self.connections.count(id)) };
        Ok(self.note_ended(id, (how, by), ending).await.map(|()| ending)?)
    }

    /// Nothing new is decided for the session from now on, and its holds are taken back: those that are returned.
    pub(super) async fn stop_session(
        &self,
        id: &SessionId,
        how: &str,
    ) -> Result<Vec<HoldId>, SessionError> {
        let mut world = self.world().await;
        let session = world.sessions.get(id).filter(|session| session.ended.is_none());
        let mut session = session.cloned().ok_or_else(|| SessionError::NoSession(id.clone()))?;
        session.ended = Some(how.to_owned());
        let change = Change::default().put(Table::Session, id.as_str(), &session);
        if let Err(error) = self.sequencer.commit(change).await {
            // Its connections end all the same; that it has ended must be said again.
            self.connections.close_all(id);
            return Err(error.into());
        }
        let principal = session.principal.clone();
        world.sessions.insert(id.clone(), session);
        let mut taken_back = Vec::new();
        if how == "killed" {
            let now = clock::now();
            taken_back = self.abandon(&mut world, |hold| outlives(hold, &principal), now).await?;
        }
        taken_back.extend(self.abandon_holds(&mut world, id, clock::now()).await?);
        Ok(taken_back)
    }

    /// Waits until the connections of these sessions are seen closed, or for as long as that may take.
    pub(super) async fn until_closed(&self, ids: &[SessionId]) {
        let deadline = tokio::time::Instant::now() + CLOSE_WAIT;
        for id in ids {
            while self.connections.count(id) > 0 && tokio::time::Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Records what was seen when a session ended, and the totals of its leases.
    pub(super) async fn note_ended(
        &self,
        id: &SessionId,
        (how, by): (&str, &str),
        ending: Ending,
    ) -> Result<(), StoreError> {
        for closed in self.leases.of_session(id) {
            self.close_lease(closed).await;
        }
        let what = What::SessionEnded {
            session: id.clone(),
            how: how.to_owned(),
            by: by.to_owned(),
            open: ending.open,
            closed: ending.closed,
        };
        let recorded = self.record(Change::default().leaf(&Record::new(clock::now(), what))).await;
        self.tell(News::Session(id.clone()));
        recorded
    }

    /// Ends the sessions whose time is over; called now and then.
    pub(crate) async fn expire_sessions(&self, now: Timestamp) {
        let over: Vec<SessionId> = {
            let world = self.world().await;
            let over = |session: &&Session| session.ended.is_none() && now >= session.until;
            world
                .sessions
                .values()
                .filter(over)
                .map(|session| session.principal.session.clone())
                .collect()
        };
        for id in over {
            if let Err(error) = self.end_session(&id, "expired", "tyer").await {
                tracing::error!(%error, session = %id, "an expired session did not end cleanly");
            }
        }
    }

    /// Forgets the oldest of many ended sessions, in memory and among the documents; called now and then.
    pub(crate) async fn forget_sessions(&self) {
        let mut world = self.world().await;
        let ended = world.sessions.values().filter(|session| session.ended.is_some());
        let mut ended: Vec<_> =
            ended.map(|session| (session.opened, session.principal.session.clone())).collect();
        if ended.len() <= ENDED_MAX + ENDED_SLACK {
            return;
        }
        ended.sort();
        ended.truncate(ended.len() - ENDED_MAX);
        let remove = |change: Change, (_, id): &(Timestamp, SessionId)| {
            change.remove(Table::Session, id.as_str())
        };
        let change = ended.iter().fold(Change::default(), remove);
        if let Err(error) = self.sequencer.commit(change).await {
            return tracing::error!(%error, "ended sessions stay listed for now");
        }
        for (_, id) in &ended {
            world.sessions.remove(id);
        }
    }

    /// The session that logs in under this name, if it runs: its SCRAM verifier.
    pub(crate) async fn verifier(
        &self,
        user: &str,
        upstream: &Upstream,
    ) -> Option<(SessionId, Verifier)> {
        let world = self.world().await;
        let session = running(&world, user, clock::now())?;
        if session.upstream != *upstream {
            return None;
        }
        let verifier = session.verifier.parse().ok()?;
        Some((session.principal.session.clone(), verifier))
    }

    /// The session whose minted credentials these are; how the API knows an agent.
    pub(crate) async fn authenticate(&self, user: &str, password: &str) -> Option<SessionId> {
        let world = self.world().await;
        let session = running(&world, user, clock::now())?;
        let verifier: Verifier = session.verifier.parse().ok()?;
        verifier.accepts(password).then(|| session.principal.session.clone())
    }
}

/// The running session of that id.
pub(super) fn running<'a>(world: &'a World, id: &str, now: Timestamp) -> Option<&'a Session> {
    let session = world.sessions.get(&SessionId::new(id))?;
    (session.ended.is_none() && now < session.until).then_some(session)
}

fn opened(session: &Session, by: &str) -> What {
    What::SessionOpened {
        principal: session.principal.clone(),
        upstream: session.upstream.clone(),
        narrowing: session.narrowing.clone(),
        until: session.until,
        purpose: session.purpose.clone(),
        by: by.to_owned(),
    }
}

/// Reads `read,change` as effects.
pub(crate) fn parse_may(words: &[String]) -> Result<Vec<Effect>, String> {
    words
        .iter()
        .map(|word| Effect::parse(word).ok_or_else(|| format!("`{word}` is not an effect")))
        .collect()
}
