//! The single writer: changes queue up, are committed in groups, and each caller learns the index of its
//! first leaf once it is durable.
//!
//! A group is one transaction: leaves, their stored hashes (RFC 6962 through the core's ledger), the
//! documents, and the signed checkpoint over the new root. If it fails, nothing in it happened and every
//! caller is told so; no leaf, no execution. After a failure the store is opened anew and its head read
//! again before anything else is written, so that the head in memory is always the one that is stored.

use tokio::sync::{mpsc, oneshot, watch};
use tyer_core::ledger;
use tyer_core::ledger::checkpoint;
use tyer_core::limits::LEAF_BYTES_MAX;
use tyer_core::verdict::LeafIndex;

use crate::clock;
use crate::store::sqlite::{Sealed, Sqlite, Stored};
use crate::store::{Change, Head, StoreError};

/// Changes committed together at most.
const GROUP_MAX: usize = 256;
/// Changes that may wait for the writer; beyond it callers wait.
const QUEUE_MAX: usize = 4_096;

/// Sends changes to the writer.
#[derive(Clone, Debug)]
pub(crate) struct Sequencer {
    jobs: mpsc::Sender<Job>,
    head: watch::Receiver<Option<Head>>,
}

#[derive(Debug)]
struct Job {
    change: Change,
    reply: oneshot::Sender<Result<LeafIndex, StoreError>>,
}

impl Sequencer {
    /// Starts the writer's thread over an open store. It ends when the last sender is gone.
    pub(crate) fn start(mut store: Sqlite, signer: checkpoint::SigningKey) -> Result<Self, StoreError> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE_MAX);
        let (publish, head) = watch::channel(store.head()?);
        std::thread::Builder::new()
            .name("sequencer".to_owned())
            .spawn(move || {
                let mut group = Vec::new();
                let mut is_sure = true;
                while queue.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
                    let known = if is_sure { Ok(()) } else { look_again(&mut store, &publish) };
                    let group = std::mem::take(&mut group);
                    is_sure = match known {
                        Ok(()) => commit_group(&mut store, &signer, &publish, group),
                        Err(error) => refuse_group(&error, group.into_iter().map(|job| job.reply)),
                    };
                }
            })
            .map_err(|error| StoreError::Refused(error.to_string()))?;
        Ok(Self { jobs, head })
    }

    /// Makes a change durable and returns the index of its first leaf.
    ///
    /// Once called, the change may become durable even if the caller stops waiting.
    pub(crate) async fn commit(&self, change: Change) -> Result<LeafIndex, StoreError> {
        // One change that cannot become a leaf must not take others of its group down with it.
        if let Some(leaf) =
            change.leaves.iter().find(|leaf| leaf.len() > LEAF_BYTES_MAX || leaf.is_empty())
        {
            return Err(StoreError::Refused(format!(
                "a leaf of {} bytes cannot be recorded",
                leaf.len()
            )));
        }
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job { change, reply }).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// The newest durable head.
    pub(crate) fn head(&self) -> Option<Head> {
        self.head.borrow().clone()
    }
}

/// Opens the store anew and takes its head for the newest.
fn look_again(store: &mut Sqlite, publish: &watch::Sender<Option<Head>>) -> Result<(), StoreError> {
    store.reopen()?;
    publish.send_replace(store.head()?);
    Ok(())
}

/// Tells everybody that nothing was recorded. What is stored is not sure any more.
fn refuse_group(
    error: &StoreError,
    replies: impl ExactSizeIterator<Item = oneshot::Sender<Result<LeafIndex, StoreError>>>,
) -> bool {
    tracing::error!(%error, changes = replies.len(), "nothing was recorded");
    for reply in replies {
        reply.send(Err(error.clone())).ok();
    }
    false
}

/// Returns whether it is sure what is stored now.
fn commit_group(
    store: &mut Sqlite,
    signer: &checkpoint::SigningKey,
    publish: &watch::Sender<Option<Head>>,
    group: Vec<Job>,
) -> bool {
    let (changes, replies): (Vec<_>, Vec<_>) =
        group.into_iter().map(|job| (job.change, job.reply)).unzip();
    let before = publish.borrow().as_ref().map_or(0, |head| head.size);
    let applied = store.apply(&changes, |read| seal(&changes, before, signer, read));
    match applied {
        Ok(applied) => {
            if let Some(head) = applied.head {
                publish.send_replace(Some(head));
            }
            for (reply, first) in replies.into_iter().zip(applied.firsts) {
                // A caller that stopped waiting loses only the answer.
                reply.send(Ok(first)).ok();
            }
            true
        }
        Err(error) => refuse_group(&error, replies.into_iter()),
    }
}

/// Hashes the new leaves into the tree and signs the new head.
fn seal(
    changes: &[Change],
    before: u64,
    signer: &checkpoint::SigningKey,
    stored: &Stored<'_>,
) -> Result<Sealed, StoreError> {
    let first = ledger::stored_hash_count(before);
    let mut fresh: Vec<[u8; 32]> = Vec::new();
    let mut size = before;
    for leaf in changes.iter().flat_map(|change| &change.leaves) {
        let hashes = ledger::append(size, leaf, |positions| read(positions, first, &fresh, stored))
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        fresh.extend(hashes);
        size += 1;
    }
    if size == before {
        return Ok(Sealed { hashes: Vec::new(), head: None });
    }
    let root = ledger::root(size, |positions| read(positions, first, &fresh, stored))
        .map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let at = clock::now();
    let checkpoint = signer
        .sign(ledger::Head { size, root }, at)
        .map_err(|error| StoreError::Refused(error.to_string()))?;
    let hashes = (first..).zip(fresh).collect();
    Ok(Sealed { hashes, head: Some(Head { size, root, checkpoint, at }) })
}

/// Hashes of this group come from memory, older ones from the store.
fn read(
    positions: &[u64],
    first: u64,
    fresh: &[[u8; 32]],
    stored: &Stored<'_>,
) -> Result<Vec<[u8; 32]>, StoreError> {
    let mut hashes = Vec::with_capacity(positions.len());
    for position in positions {
        let hash = match position.checked_sub(first) {
            Some(at) => usize::try_from(at).ok().and_then(|at| fresh.get(at)).copied(),
            None => stored(&[*position])?.first().copied(),
        };
        hashes.push(hash.ok_or_else(|| StoreError::Corrupt(format!("hash {position} is missing")))?);
    }
    Ok(hashes)
}
