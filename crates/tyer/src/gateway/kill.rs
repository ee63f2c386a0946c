//! The kill: many sessions at once, and what was seen of their end.
//!
//! Every session is stopped and its connections told to close before any of them is waited for. What the report
//! says was looked up afterwards; what nobody could see is named.

use std::collections::BTreeSet;

use tyer_core::hold::Hold;
use tyer_core::intent::{HoldId, SessionId, Upstream};
use tyer_core::record::{Record, What};
use tyer_core::statement::Signed;
use tyer_core::verdict::{LeafIndex, Outcome};

use crate::archive::{Archive, ArchiveError};
use crate::clock;
use crate::gateway::Gateway;
use crate::gateway::allowances::is_of_agent;
use crate::gateway::sessions::{Ending, SessionError};
use crate::gateway::world::{Session, World};
use crate::store::{Change, StoreError};

/// Leaves that a kill names.
const NAMED_MAX: usize = 200;

/// What is killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Session(SessionId),
    /// Every session of the agent of that name.
    Agent(String),
    Upstream(Upstream),
    Everything,
}

/// What was seen of a kill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kill {
    pub(crate) what: String,
    pub(crate) sessions: Vec<Killed>,
    /// Held requests that were seen to be taken back.
    pub(crate) holds: Vec<HoldId>,
    /// Requests that were under way and whose outcome was seen, by their leaves.
    pub(crate) seen: Vec<LeafIndex>,
    /// Those whose outcome nobody has seen: they may have run, and may run on at the upstream.
    pub(crate) unseen: Vec<LeafIndex>,
}

/// One session that was killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Killed {
    pub(crate) session: SessionId,
    pub(crate) agent: String,
    pub(crate) ending: Ending,
    /// Its credentials were seen to be refused.
    pub(crate) refused: bool,
}

impl Target {
    /// `session s-1`, `agent kiro`, `upstream orders`, `everything`.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Session(session) => format!("session {session}"),
            Self::Agent(agent) => format!("agent {agent}"),
            Self::Upstream(upstream) => format!("upstream {upstream}"),
            Self::Everything => "everything".to_owned(),
        }
    }

    /// The target in its own words.
    pub(super) fn parse(words: &str) -> Option<Self> {
        match words.split_once(' ') {
            None => (words == "everything").then_some(Self::Everything),
            Some(("session", id)) => Some(Self::Session(SessionId::new(id))),
            Some(("agent", agent)) => Some(Self::Agent(agent.to_owned())),
            Some(("upstream", upstream)) => Some(Self::Upstream(Upstream::new(upstream))),
            Some(_) => None,
        }
    }

    fn means(&self, session: &Session) -> bool {
        match self {
            Self::Session(id) => session.principal.session == *id,
            Self::Agent(agent) => session.principal.agent == *agent,
            Self::Upstream(upstream) => session.upstream == *upstream,
            Self::Everything => true,
        }
    }
}

impl Gateway {
    /// Kills whatever runs of the target, and tells what was seen of it.
    /// `signed` is the word of a person who does so by passkey.
    pub(crate) async fn kill(
        &self,
        target: &Target,
        by: &str,
        signed: Option<Signed>,
    ) -> Result<Kill, SessionError> {
        let (ids, is_allowed) = {
            let world = self.world().await;
            let ids = running(&world, target);
            let hit = |hold: &Hold| hold.is_live() && is_of_agent(hold) && is_hit(hold, target, &ids);
            let is_allowed = world.holds.iter().any(hit);
            (ids, is_allowed)
        };
        // What an agent is allowed outlives its sessions.
        if !is_allowed {
            self.is_there(target, &ids)?;
        }
        let from = self.sequencer.head().map_or(0, |head| head.size);
        let before = self.under_way(&ids).await;
        // Told at once: nothing that follows may hold up an emergency.
        let told: Vec<u32> = ids.iter().map(|(id, _)| self.connections.close_all(id)).collect();
        let (mut open, mut holds, mut failed) = (Vec::new(), Vec::new(), None);
        for ((id, _), told) in ids.iter().zip(told) {
            // Whatever cannot be recorded, the next one is stopped all the same.
            // What another kill has stopped meanwhile is stopped.
            match self.stop_session(id, "killed").await {
                Ok(taken_back) => holds.extend(taken_back),
                Err(SessionError::NoSession(_)) => {}
                Err(error) => failed = Some(error),
            }
            open.push(self.connections.close_all(id).max(told));
        }
        // And what was let through until they were stopped.
        let after = self.under_way(&ids).await;
        let all: Vec<SessionId> = ids.iter().map(|(id, _)| id.clone()).collect();
        self.until_closed(&all).await;
        let mut sessions = Vec::new();
        for ((id, agent), open) in ids.iter().zip(open) {
            let ending = Ending { open, closed: open.saturating_sub(self.connections.count(id)) };
            let refused = !self.is_running(id).await;
            failed = self.note_ended(id, ("killed", by), ending).await.err().map(Into::into).or(failed);
            sessions.push(Killed { session: id.clone(), agent: agent.clone(), ending, refused });
        }
        {
            let mut world = self.world().await;
            let hit = |hold: &Hold| is_of_agent(hold) && is_hit(hold, target, &ids);
            holds.extend(self.abandon(&mut world, hit, clock::now()).await?);
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let under_way = before?.into_iter().chain(after?).collect();
        let (seen, unseen) = self.outcomes(&under_way, from).await?;
        let kill = Kill { what: target.in_words(), sessions, holds, seen, unseen };
        self.sequencer
            .commit(Change::default().leaf(&Record::new(clock::now(), kill.record(by, signed))))
            .await?;
        Ok(kill)
    }

    /// Refuses a target that there is not, so that a slip of the pen is not taken for a kill.
    fn is_there(&self, target: &Target, ids: &[(SessionId, String)]) -> Result<(), SessionError> {
        match target {
            Target::Session(id) if ids.is_empty() => Err(SessionError::NoSession(id.clone())),
            Target::Agent(agent) if ids.is_empty() => Err(SessionError::NoAgent(agent.clone())),
            Target::Upstream(upstream) if !self.config.upstreams.contains_key(upstream) => {
                Err(SessionError::NoUpstream(upstream.clone()))
            }
            _ => Ok(()),
        }
    }

    async fn is_running(&self, id: &SessionId) -> bool {
        let world = self.world().await;
        world.sessions.get(id).is_some_and(|session| session.ended.is_none())
    }

    /// The requests of these sessions that were cleared and not settled, as the store has it.
    async fn under_way(&self, ids: &[(SessionId, String)]) -> Result<BTreeSet<LeafIndex>, StoreError> {
        let all = Archive::new(&self.config.data).unsettled().await.map_err(of_store)?;
        let of = |session: &SessionId| ids.iter().any(|(id, _)| id == session);
        Ok(all.into_iter().filter(|(_, session)| of(session)).map(|(leaf, _)| leaf).collect())
    }

    /// Of requests that were under way, those whose outcome stands in the ledger from that leaf on, and the others.
    async fn outcomes(
        &self,
        under_way: &BTreeSet<LeafIndex>,
        mut from: u64,
    ) -> Result<(Vec<LeafIndex>, Vec<LeafIndex>), StoreError> {
        self.sequencer.flush().await.ok();
        let archive = Archive::new(&self.config.data);
        let mut seen = BTreeSet::new();
        while seen.len() < under_way.len() {
            let batch = archive.leaves(from, u64::MAX).await.map_err(of_store)?;
            let Some((last, _)) = batch.last() else { break };
            from = last.0 + 1;
            for (_, leaf) in batch {
                match Record::decode(&leaf).map(|record| record.what) {
                    Ok(What::Settled { outcome: Outcome::Unknown { .. }, .. }) => {}
                    Ok(What::Settled { leaf, .. }) if under_way.contains(&leaf) => {
                        seen.insert(leaf);
                    }
                    _ => {}
                }
            }
        }
        let unseen = under_way.difference(&seen).copied().collect();
        Ok((seen.into_iter().collect(), unseen))
    }
}

impl Kill {
    fn record(&self, by: &str, signed: Option<Signed>) -> What {
        let count = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
        let sum = |of: fn(&Ending) -> u32| {
            self.sessions.iter().fold(0_u32, |sum, killed| sum.saturating_add(of(&killed.ending)))
        };
        What::Killed {
            what: self.what.clone(),
            by: by.to_owned(),
            sessions: count(self.sessions.len()),
            open: sum(|ending| ending.open),
            closed: sum(|ending| ending.closed),
            holds: count(self.holds.len()),
            seen: count(self.seen.len()),
            unseen: self.unseen.iter().copied().take(NAMED_MAX).collect(),
            more: count(self.unseen.len().saturating_sub(NAMED_MAX)),
            signed: signed.map(Box::new),
        }
    }

    /// What could not be seen, in words; nothing if all of it was.
    pub(crate) fn not_seen(&self) -> Vec<String> {
        let mut words = Vec::new();
        for killed in &self.sessions {
            let left = killed.ending.open.saturating_sub(killed.ending.closed);
            if left > 0 {
                words.push(format!("{left} connections of {} were not seen to close", killed.session));
            }
            if !killed.refused {
                words.push(format!("the credentials of {} may still be good", killed.session));
            }
        }
        let leaf = |leaf: &LeafIndex| {
            format!("nobody has seen what came of leaf {}; it may run on at the upstream", leaf.0)
        };
        words.extend(self.unseen.iter().map(leaf));
        words
    }
}

fn of_store(error: ArchiveError) -> StoreError {
    match error {
        ArchiveError::Store(error) => error,
        other => StoreError::Corrupt(other.to_string()),
    }
}

/// The sessions that run, each with its agent.
fn running(world: &World, target: &Target) -> Vec<(SessionId, String)> {
    let runs = |it: &&Session| it.ended.is_none() && target.means(it);
    let named = |it: &Session| (it.principal.session.clone(), it.principal.agent.clone());
    world.sessions.values().filter(runs).map(named).collect()
}

/// Whether a hold goes with these sessions, or is an allowance for whatever sessions of the target there are.
fn is_hit(hold: &Hold, target: &Target, ids: &[(SessionId, String)]) -> bool {
    let intent = &hold.card().intent;
    let is_of_target = match target {
        Target::Session(_) => false,
        Target::Agent(agent) => intent.principal.agent == *agent,
        Target::Upstream(upstream) => intent.upstream == *upstream,
        Target::Everything => true,
    };
    ids.iter().any(|(id, _)| id == hold.session()) || is_of_agent(hold) && is_of_target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_reads_back_from_its_words() {
        for target in [
            Target::Session(SessionId::new("s-1")),
            Target::Agent("kiro".to_owned()),
            Target::Upstream(Upstream::new("orders")),
            Target::Everything,
        ] {
            assert_eq!(Target::parse(&target.in_words()), Some(target));
        }
        for wrong in ["", "all", "everything else", "person bob"] {
            assert_eq!(Target::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_leaf_says_how_many_it_does_not_name() {
        let check = |many: u64, named: usize, expect: u32| {
            let kill = Kill {
                what: "everything".to_owned(),
                sessions: Vec::new(),
                holds: Vec::new(),
                seen: Vec::new(),
                unseen: (0..many).map(LeafIndex).collect(),
            };
            let What::Killed { unseen, more, .. } = kill.record("bob", None) else { panic!("a kill") };
            assert_eq!((unseen.len(), more), (named, expect));
        };
        check(0, 0, 0);
        check(NAMED_MAX as u64, NAMED_MAX, 0);
        check(NAMED_MAX as u64 + 7, NAMED_MAX, 7);
    }

    #[test]
    fn what_could_not_be_seen_is_said() {
        let check = |closed: u32, refused: bool, unseen: &[u64], expect: &[&str]| {
            let killed = Killed {
                session: SessionId::new("s-1"),
                agent: "kiro".to_owned(),
                ending: Ending { open: 2, closed },
                refused,
            };
            let unseen = unseen.iter().copied().map(LeafIndex).collect();
            let kill = Kill {
                what: Target::Everything.in_words(),
                sessions: vec![killed],
                holds: Vec::new(),
                seen: Vec::new(),
                unseen,
            };
            assert_eq!(kill.not_seen(), expect);
        };
        check(2, true, &[], &[]);
        check(1, true, &[], &["1 connections of s-1 were not seen to close"]);
        check(2, false, &[], &["the credentials of s-1 may still be good"]);
        let leaf = "nobody has seen what came of leaf 7; it may run on at the upstream";
        check(2, true, &[7], &[leaf]);
    }
}
