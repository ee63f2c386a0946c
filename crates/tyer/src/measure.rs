//! What this disk makes of durable leaves: the real store and its writer, in a file of their own, with
//! nothing else to do.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tyer_core::facts::Facts;
use tyer_core::intent::{
    Act, Acts, Digest, Effect, Environment, Kind, PersonId, Principal, Resource, Reversibility,
    SessionId, Upstream,
};
use tyer_core::ledger::checkpoint::SigningKey;
use tyer_core::record::{Record, RequestRecord, What, commit};
use tyer_core::verdict::Basis;

use crate::gateway::requests::Private;
use crate::sequencer::Sequencer;
use crate::store::sqlite::Sqlite;
use crate::store::{Change, StoreError, Table};
use crate::{clock, secret};

/// Writers, and how long they write before anything is measured.
const WARM_UP: (u32, Duration) = (64, Duration::from_secs(2));
const TEXT: &str = "INSERT INTO noted (n, note) VALUES (1, 'a small row');";

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) writers: u32,
    pub(crate) leaves: usize,
    pub(crate) per_second: f64,
    /// From handing a leaf in until it is durable.
    pub(crate) p10: Duration,
    pub(crate) median: Duration,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MeasureError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no signing key or randomness: {0}")]
    Key(String),
    #[error("the writer failed while it was measured")]
    Writer,
}

/// Lets that many writers make leaves durable, one after the other each, for that long.
pub(crate) async fn run(data: &Path, writers: u32, time: Duration) -> Result<Measured, MeasureError> {
    let file = Throwaway::beside(data)?;
    let key = |error: &dyn std::fmt::Display| MeasureError::Key(error.to_string());
    let seed = secret::random::<32>().map_err(|error| key(&error))?;
    let signer = SigningKey::from_seed("localhost/tyer-measure", &seed).map_err(|error| key(&error))?;
    let sequencer = Sequencer::start(Sqlite::open(&file.0)?, signer)?;
    // A new file grows, and growing costs more than writing where something was.
    load(&sequencer, WARM_UP).await?;
    let started = Instant::now();
    let mut latencies = load(&sequencer, (writers, time)).await?;
    let per_second = latencies.len() as f64 / started.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |hundredths: usize| {
        latencies.get(latencies.len() * hundredths / 100).copied().unwrap_or_default()
    };
    let (p10, median) = (at(10), at(50));
    Ok(Measured { writers, leaves: latencies.len(), per_second, p10, median })
}

/// How long each leaf took.
async fn load(
    sequencer: &Sequencer,
    (writers, time): (u32, Duration),
) -> Result<Vec<Duration>, MeasureError> {
    let (change, until) = (Arc::new(change()), Instant::now() + time);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..writers {
        tasks.spawn(write(sequencer.clone(), Arc::clone(&change), until));
    }
    let mut latencies = Vec::new();
    while let Some(written) = tasks.join_next().await {
        latencies.extend(written.map_err(|_| MeasureError::Writer)??);
    }
    Ok(latencies)
}

async fn write(
    sequencer: Sequencer,
    change: Arc<Change>,
    until: Instant,
) -> Result<Vec<Duration>, StoreError> {
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let change = change.as_ref().clone();
        let handed_in = Instant::now();
        sequencer.commit(change).await?;
        latencies.push(handed_in.elapsed());
    }
    Ok(latencies)
}

/// What clearing a plain write makes durable.
fn change() -> Change {
    let salt = [7; 32];
    let act = Act {
        effect: Effect::Create,
        resource: Resource::new(Kind::Relation, "noted"),
        reversibility: Reversibility::Reversible,
        local: false,
        why: "adds rows to noted".to_owned(),
        tie: None,
    };
    let session = SessionId::new("measure");
    let request = RequestRecord {
        principal: Principal {
            session: session.clone(),
            agent: "measure".to_owned(),
            human: false,
            controller: PersonId::new("nobody"),
            also: Vec::new(),
        },
        upstream: Upstream::new("measure"),
        environment: Environment::new("test"),
        digest: Digest::of(TEXT.as_bytes()),
        redacted: TEXT.to_owned(),
        commitment: commit(&salt, TEXT),
        acts: Acts::new(act, []).iter().cloned().collect(),
        facts: Facts::default(),
        basis: Basis {
            policies: vec!["flowing-writes".to_owned()],
            policy_set: Digest::of(b"measure"),
            hold: None,
            observed: None,
            used: None,
        },
    };
    let record = Record::new(clock::now(), What::Cleared { request, approvals: Vec::new() });
    Change::default()
        .leaf(&record)
        .put_at_leaf(Table::Private, &Private { salt: Digest(salt), text: TEXT.to_owned() })
        .put_at_leaf(Table::Unsettled, &session)
}

/// A store's files, removed at the end.
struct Throwaway(PathBuf);

impl Throwaway {
    fn beside(data: &Path) -> Result<Self, MeasureError> {
        let word = secret::short_word::<8>().map_err(|error| MeasureError::Key(error.to_string()))?;
        Ok(Self(data.join(format!("measure-{word}.db"))))
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut name = self.0.clone().into_os_string();
            name.push(suffix);
            // What cannot be removed is found by whoever looks into the directory.
            std::fs::remove_file(name).ok();
        }
    }
}
