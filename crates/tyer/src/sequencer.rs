//! The single writer: changes queue up, are committed in groups, and each caller learns the index of its
//! first leaf once it is durable.
//!
//! A group is one transaction: leaves, their stored hashes (RFC 6962 through the core's ledger), the
//! documents, and the signed checkpoint over the new root. If it fails, nothing in it happened and every
//! caller is told so; no leaf, no execution. After a failure the store is opened anew and its head read
//! again before anything else is written, so that the head in memory is always the one that is stored.
//!
//! Outcomes are handed in without anybody waiting for them. They go with the next group, or soon in one of
//! their own, so that a request costs one flush of latency and not two. Should that fail they are kept
//! and tried again.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
/// How long a change that nobody waits for may wait for company.
const SOON: Duration = Duration::from_millis(20);
/// Changes that nobody waits for; beyond it they are waited for.
const LATER_MAX: usize = 1_024;
/// Changes that nobody waits for and that could not be recorded yet.
const KEPT_MAX: usize = 10_000;

/// Sends changes to the writer.
#[derive(Clone, Debug)]
pub(crate) struct Sequencer {
    jobs: mpsc::Sender<Job>,
    later: Arc<Mutex<Later>>,
    head: watch::Receiver<Option<Head>>,
}

/// Changes that nobody waits for.
#[derive(Debug, Default)]
struct Later {
    changes: Vec<Change>,
    /// Whether a task is going to ask for them.
    is_timed: bool,
}

#[derive(Debug)]
struct Job {
    change: Change,
    reply: oneshot::Sender<Result<LeafIndex, StoreError>>,
}

impl Sequencer {
    /// Starts the writer's thread over an open store. It ends when the last sender is gone.
    pub(crate) fn start(store: Sqlite, signer: checkpoint::SigningKey) -> Result<Self, StoreError> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE_MAX);
        let (publish, head) = watch::channel(store.head()?);
        let later = Arc::new(Mutex::new(Later::default()));
        let too = Arc::clone(&later);
        let mut writer =
            Writer { store, signer, publish, edge: HashMap::new(), doubt: None, later: too };
        std::thread::Builder::new()
            .name("sequencer".to_owned())
            .spawn(move || {
                let mut group = Vec::new();
                while queue.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
                    writer.commit(std::mem::take(&mut group));
                }
                writer.commit(Vec::new());
            })
            .map_err(|error| StoreError::Refused(error.to_string()))?;
        Ok(Self { jobs, later, head })
    }

    /// Makes a change durable and returns the index of its first leaf.
    ///
    /// Once called, the change may become durable even if the caller stops waiting.
    pub(crate) async fn commit(&self, change: Change) -> Result<LeafIndex, StoreError> {
        check(&change)?;
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job { change, reply }).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Hands a change in that nobody waits for: it becomes durable with the next one that somebody waits
    /// for, and soon in any case.
    pub(crate) async fn commit_soon(&self, change: Change) -> Result<(), StoreError> {
        check(&change)?;
        let (is_full, is_timed) = {
            let mut later = lock(&self.later);
            later.changes.push(change);
            (later.changes.len() >= LATER_MAX, std::mem::replace(&mut later.is_timed, true))
        };
        if !is_timed {
            let sequencer = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(SOON).await;
                lock(&sequencer.later).is_timed = false;
                // The writer has said what went wrong.
                sequencer.flush().await.ok();
            });
        }
        if is_full { self.flush().await } else { Ok(()) }
    }

    /// Waits until everything that was handed in is durable, or was refused.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        self.commit(Change::default()).await.map(drop)
    }

    /// Keeps the writer waiting until what this returns is dropped.
    #[cfg(test)]
    pub(crate) fn stall(&self) -> impl Sized + '_ {
        lock(&self.later)
    }

    /// The newest durable head.
    pub(crate) fn head(&self) -> Option<Head> {
        self.head.borrow().clone()
    }
}

/// One change that cannot become a leaf must not take others of its group down with it.
fn check(change: &Change) -> Result<(), StoreError> {
    match change.leaves.iter().find(|leaf| leaf.len() > LEAF_BYTES_MAX || leaf.is_empty()) {
        Some(leaf) => {
            Err(StoreError::Refused(format!("a leaf of {} bytes cannot be recorded", leaf.len())))
        }
        None => Ok(()),
    }
}

fn lock(later: &Mutex<Later>) -> MutexGuard<'_, Later> {
    // Changes are put in whole.
    later.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The one thread that writes.
struct Writer {
    store: Sqlite,
    signer: checkpoint::SigningKey,
    publish: watch::Sender<Option<Head>>,
    /// Durable hashes that the last group's root was made of: the next one needs no others.
    edge: Hashes,
    /// What became of the last group is not sure.
    doubt: Option<Doubt>,
    later: Arc<Mutex<Later>>,
}

/// A group that failed.
struct Doubt {
    /// Leaves that were stored before it.
    before: u64,
    /// What nobody waits for of it.
    later: Vec<Change>,
}

/// Stored hashes by position.
type Hashes = HashMap<u64, [u8; 32]>;

impl Writer {
    /// Commits what nobody waits for together with a group, and before it.
    fn commit(&mut self, group: Vec<Job>) {
        let (asked, replies): (Vec<_>, Vec<_>) =
            group.into_iter().map(|job| (job.change, job.reply)).unzip();
        if let Err(error) = self.look_again() {
            return refuse(&error, replies);
        }
        let mut changes = std::mem::take(&mut lock(&self.later).changes);
        let unasked = changes.len();
        changes.extend(asked);
        let before = self.size();
        match self.apply(&changes) {
            Ok(firsts) => {
                for (reply, first) in replies.into_iter().zip(firsts.into_iter().skip(unasked)) {
                    // A caller that stopped waiting loses only the answer.
                    reply.send(Ok(first)).ok();
                }
            }
            Err(error) => {
                changes.truncate(unasked);
                self.doubt = Some(Doubt { before, later: changes });
                refuse(&error, replies);
            }
        }
    }

    /// After a failure, opens the store anew and takes its head for the newest. What nobody waited for is
    /// tried again, unless it turns out to be stored.
    fn look_again(&mut self) -> Result<(), StoreError> {
        let Some(doubt) = &mut self.doubt else { return Ok(()) };
        self.store.reopen()?;
        let head = self.store.head()?;
        if head.as_ref().map_or(0, |head| head.size) == doubt.before {
            let mut again = std::mem::take(&mut doubt.later);
            let mut later = lock(&self.later);
            again.append(&mut later.changes);
            // Of what is too much the next start says that nobody knows.
            again.truncate(KEPT_MAX);
            later.changes = again;
        }
        self.doubt = None;
        self.edge.clear();
        self.publish.send_replace(head);
        Ok(())
    }

    fn size(&self) -> u64 {
        self.publish.borrow().as_ref().map_or(0, |head| head.size)
    }

    fn apply(&mut self, changes: &[Change]) -> Result<Vec<LeafIndex>, StoreError> {
        let before = self.size();
        if changes.iter().all(Change::is_empty) {
            return Ok(vec![LeafIndex(before); changes.len()]);
        }
        let (signer, edge) = (&self.signer, &self.edge);
        let mut next = Hashes::new();
        let applied = self.store.apply(changes, |stored| {
            let tree = Tree { first: ledger::stored_hash_count(before), edge, stored };
            let sealed = seal(changes, before, signer, &tree)?;
            next = sealed.1;
            Ok(sealed.0)
        })?;
        if let Some(head) = applied.head {
            self.edge = next;
            self.publish.send_replace(Some(head));
        }
        Ok(applied.firsts)
    }
}

fn refuse(error: &StoreError, replies: Vec<oneshot::Sender<Result<LeafIndex, StoreError>>>) {
    tracing::error!(%error, changes = replies.len(), "nothing was recorded");
    for reply in replies {
        reply.send(Err(error.clone())).ok();
    }
}

/// Hashes the new leaves into the tree and signs the new head; with what the new root was made of.
fn seal(
    changes: &[Change],
    before: u64,
    signer: &checkpoint::SigningKey,
    tree: &Tree<'_>,
) -> Result<(Sealed, Hashes), StoreError> {
    let corrupt = |error: ledger::LedgerError| StoreError::Corrupt(error.to_string());
    let mut fresh: Vec<[u8; 32]> = Vec::new();
    let mut size = before;
    for leaf in changes.iter().flat_map(|change| &change.leaves) {
        let hashes =
            ledger::append(size, leaf, |positions| tree.read(positions, &fresh)).map_err(corrupt)?;
        fresh.extend(hashes);
        size += 1;
    }
    if size == before {
        return Ok((Sealed::default(), Hashes::new()));
    }
    let edge = RefCell::new(Hashes::new());
    let root = ledger::root(size, |positions| {
        let hashes = tree.read(positions, &fresh)?;
        edge.borrow_mut().extend(positions.iter().copied().zip(hashes.iter().copied()));
        Ok::<_, StoreError>(hashes)
    })
    .map_err(corrupt)?;
    let at = clock::now();
    let checkpoint = signer
        .sign(ledger::Head { size, root }, at)
        .map_err(|error| StoreError::Refused(error.to_string()))?;
    let head = Some(Head { size, root, checkpoint, at });
    Ok((Sealed { first: tree.first, hashes: fresh, head }, edge.into_inner()))
}

/// The hashes that are durable.
struct Tree<'a> {
    /// How many there are: where the new ones begin.
    first: u64,
    edge: &'a Hashes,
    stored: &'a Stored<'a>,
}

impl Tree<'_> {
    /// Hashes of this group come from memory, as those of the edge do, older ones from the store.
    fn read(&self, positions: &[u64], fresh: &[[u8; 32]]) -> Result<Vec<[u8; 32]>, StoreError> {
        let mut hashes = Vec::with_capacity(positions.len());
        for position in positions {
            let hash = match position.checked_sub(self.first) {
                Some(at) => usize::try_from(at).ok().and_then(|at| fresh.get(at)).copied(),
                None => match self.edge.get(position) {
                    Some(hash) => Some(*hash),
                    None => (self.stored)(&[*position])?.first().copied(),
                },
            };
            hashes
                .push(hash.ok_or_else(|| StoreError::Corrupt(format!("hash {position} is missing")))?);
        }
        Ok(hashes)
    }
}

#[cfg(test)]
mod tests;
