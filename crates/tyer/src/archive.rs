//! The ledger for readers: leaves, receipts and verification over a read-only store of its own.
//!
//! Nothing here can write, and nothing here waits for the writer: SQLite's WAL gives each reader a
//! snapshot. All work is done on the blocking pool.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;
use tyer_core::hold::Hold;
use tyer_core::intent::{HoldId, SessionId};
use tyer_core::ledger;
use tyer_core::ledger::receipt::Receipt;
use tyer_core::ledger::verify::{Audit, Report};
use tyer_core::record::{Record, What};
use tyer_core::verdict::{LeafIndex, Outcome};

use crate::founding::VERIFIER_KEY;
use crate::gateway::holds::name;
use crate::gateway::requests::Private;
use crate::gateway::world::holds::Ended;
use crate::serve::STORE;
use crate::store::sqlite::Sqlite;
use crate::store::{Head, StoreError, Table};

/// Leaves read at once while verifying or searching.
const BATCH: u64 = 1_000;
/// How far back the outcome of a hold is looked for, in leaves.
const SEARCH_MAX: u64 = 20_000;

/// A way to read the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    path: PathBuf,
    /// Verifying reads everything, so one at a time is enough.
    verifying: Arc<Mutex<()>>,
}

/// Why the ledger could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// There is no such leaf.
    #[error("there is no leaf {0}")]
    NoLeaf(u64),
    /// The leaf commits to nothing.
    #[error("leaf {0} carries no commitment that could be revealed")]
    NothingToReveal(u64),
    /// The store or what is in it.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// A receipt, and what opens its commitment if that was asked for.
#[derive(Debug)]
pub(crate) struct Proved {
    /// One line of JSON, as the offline verifier reads it.
    pub(crate) text: String,
    pub(crate) private: Option<Private>,
}

impl Archive {
    /// Reads the store in `data`.
    pub(crate) fn new(data: &Path) -> Self {
        Self { path: data.join(STORE), verifying: Arc::default() }
    }

    /// At most `count` leaves from `first` on, in order.
    pub(crate) async fn leaves(
        &self,
        first: u64,
        count: u64,
    ) -> Result<Vec<(LeafIndex, Vec<u8>)>, ArchiveError> {
        self.read(move |store| Ok(store.leaves(first, count.min(BATCH))?)).await
    }

    /// The leaves of requests whose outcome is not known, each with its session.
    pub(crate) async fn unsettled(&self) -> Result<Vec<(LeafIndex, SessionId)>, ArchiveError> {
        self.read(|store| {
            let corrupt = |leaf: &str| StoreError::Corrupt(format!("unsettled leaf {leaf}"));
            let read = |(leaf, session): (String, String)| {
                let index = leaf.parse().map_err(|_| corrupt(&leaf))?;
                let session = serde_json::from_str(&session).map_err(|_| corrupt(&leaf))?;
                Ok((LeafIndex(index), session))
            };
            store.documents(Table::Unsettled)?.into_iter().map(read).collect()
        })
        .await
    }

    /// One leaf.
    pub(crate) async fn leaf(&self, index: u64) -> Result<Vec<u8>, ArchiveError> {
        self.read(move |store| leaf(store, index)).await
    }

    /// The receipt of a leaf against the newest checkpoint.
    pub(crate) async fn receipt(&self, index: u64, reveal: bool) -> Result<Proved, ArchiveError> {
        self.read(move |store| {
            let head = store.head()?.ok_or(ArchiveError::NoLeaf(index))?;
            let leaf = leaf(store, index)?;
            let proof = ledger::inclusion(index, head.size, |positions| store.hashes(positions))
                .map_err(|error| StoreError::Corrupt(error.to_string()))?;
            let receipt = Receipt { leaf, index, checkpoint: head.checkpoint, proof };
            let private = if reveal { Some(private(store, index)?) } else { None };
            Ok(Proved { text: receipt.to_text(), private })
        })
        .await
    }

    /// Checks the whole ledger against its newest checkpoint, and every signature of a person in it.
    pub(crate) async fn verify(&self) -> Result<Report, ArchiveError> {
        let _one_at_a_time = self.verifying.lock().await;
        let file = self.path.with_file_name(VERIFIER_KEY);
        self.read(move |store| {
            // The head first: what is appended meanwhile is for the next time.
            let head = store.head()?;
            let vkey = std::fs::read_to_string(&file)
                .map_err(|error| StoreError::Refused(format!("{VERIFIER_KEY}: {error}")))?;
            let mut audit =
                Audit::new(vkey.trim()).map_err(|error| StoreError::Corrupt(error.to_string()))?;
            let size = head.as_ref().map_or(0, |head| head.size);
            let mut next = 0;
            while next < size {
                let batch = store.leaves(next, BATCH.min(size - next))?;
                if batch.is_empty() {
                    break;
                }
                for (index, leaf) in batch {
                    audit = audit.leaf(index.0, &leaf);
                    next += 1;
                }
            }
            Ok(audit.finish(head.as_ref().map_or("", |head| &head.checkpoint), &[]))
        })
        .await
    }

    /// A hold that has ended.
    pub(crate) async fn ended(&self, id: &HoldId) -> Result<Option<Ended>, ArchiveError> {
        let id = id.clone();
        self.read(move |store| Ok(ended(store, &id)?)).await
    }

    /// The newest `count` holds that have ended and whose number is below `before`, made into what is wanted of
    /// each.
    pub(crate) async fn ended_before<T, F>(
        &self,
        before: u64,
        count: usize,
        wanted: F,
    ) -> Result<Vec<T>, ArchiveError>
    where
        T: Send + 'static,
        F: Fn(Ended) -> T + Send + 'static,
    {
        self.read(move |store| {
            // Their numbers have no gaps but the holds that have not ended, which are few.
            let found = (1..before).rev().filter_map(|number| ended(store, &name(number)).transpose());
            Ok(found.take(count).map(|it| it.map(&wanted)).collect::<Result<_, _>>()?)
        })
        .await
    }

    /// What came of the request of a spent hold: the leaf that cleared it and the observed outcome, if
    /// they are recent enough to be found.
    pub(crate) async fn outcome(
        &self,
        hold: &HoldId,
    ) -> Result<Option<(LeafIndex, Option<Outcome>)>, ArchiveError> {
        let hold = hold.clone();
        self.read(move |store| search(store, &hold)).await
    }

    async fn read<T, F>(&self, work: F) -> Result<T, ArchiveError>
    where
        T: Send + 'static,
        F: FnOnce(&Sqlite) -> Result<T, ArchiveError> + Send + 'static,
    {
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || work(&Sqlite::open_read_only(&path)?))
            .await
            .map_err(|_| StoreError::Closed)?
    }
}

fn leaf(store: &Sqlite, index: u64) -> Result<Vec<u8>, ArchiveError> {
    let found = store.leaves(index, 1)?;
    match found.into_iter().next() {
        Some((at, body)) if at.0 == index => Ok(body),
        _ => Err(ArchiveError::NoLeaf(index)),
    }
}

fn private(store: &Sqlite, index: u64) -> Result<Private, ArchiveError> {
    let body = store.document(Table::Private, &index.to_string())?;
    let body = body.ok_or(ArchiveError::NothingToReveal(index))?;
    let read = serde_json::from_str(&body);
    Ok(read.map_err(|error| StoreError::Corrupt(format!("private {index}: {error}")))?)
}

fn ended(store: &Sqlite, id: &HoldId) -> Result<Option<Ended>, StoreError> {
    if let Some(body) = store.document(Table::Ended, id.as_str())? {
        return parsed(id, &body).map(Some);
    }
    // Where earlier versions left it.
    let Some(body) = store.document(Table::Hold, id.as_str())? else { return Ok(None) };
    let hold: Hold = parsed(id, &body)?;
    Ok(hold.has_ended().then_some(Ended { hold, ran: None, at: None }))
}

fn parsed<T: serde::de::DeserializeOwned>(id: &HoldId, body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|error| StoreError::Corrupt(format!("hold {id}: {error}")))
}

/// Walks forward over the newest leaves. A leaf that does not name the hold or the clearance is not
/// even parsed.
fn search(store: &Sqlite, hold: &HoldId) -> Result<Option<(LeafIndex, Option<Outcome>)>, ArchiveError> {
    let size = store.head()?.map_or(0, |Head { size, .. }| size);
    let name = format!("\"hold\":\"{hold}\"");
    let mut found: Option<LeafIndex> = None;
    let mut next = size.saturating_sub(SEARCH_MAX);
    while next < size {
        let batch = store.leaves(next, BATCH)?;
        if batch.is_empty() {
            break;
        }
        for (index, body) in batch {
            next = index.0 + 1;
            let wanted = match found {
                None => name.clone(),
                Some(leaf) => format!("\"leaf\":{}", leaf.0),
            };
            if !body.windows(wanted.len()).any(|part| part == wanted.as_bytes()) {
                continue;
            }
            match Record::decode(&body).map(|record| record.what) {
                Ok(What::Cleared { request, .. }) if request.basis.hold.as_ref() == Some(hold) => {
                    found = Some(index);
                }
                Ok(What::Settled { leaf, outcome, .. }) if Some(leaf) == found => {
                    return Ok(Some((leaf, Some(outcome))));
                }
                _ => {}
            }
        }
    }
    Ok(found.map(|leaf| (leaf, None)))
}
