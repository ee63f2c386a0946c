//! Groups, what goes along with them, and the roots they are signed with.

use tyer_core::ledger::checkpoint::SigningKey;
use tyer_core::record::{Record, What};

use super::*;

fn start(path: &std::path::Path) -> Sequencer {
    let signer = SigningKey::from_seed("localhost/tyer-test", &[7; 32]).expect("a key");
    Sequencer::start(Sqlite::open(path).expect("a store"), signer).expect("a sequencer")
}

fn change(leaves: usize) -> Change {
    let leaf = Record::new(clock::now(), What::Founded { origin: "localhost/tyer-test".to_owned() });
    (0..leaves).fold(Change::default(), |change, _| change.leaf(&leaf))
}

#[tokio::test]
async fn what_nobody_waits_for_goes_with_what_somebody_waits_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let sequencer = start(&directory.path().join("db"));
    sequencer.commit_soon(change(2)).await.expect("taken");
    assert_eq!(sequencer.commit(change(1)).await.expect("durable"), LeafIndex(2));
    sequencer.commit_soon(change(1)).await.expect("taken");
    sequencer.flush().await.expect("durable");
    assert_eq!(sequencer.head().map(|head| head.size), Some(4));
    let store = Sqlite::open_read_only(&directory.path().join("db")).expect("a store");
    assert_eq!(store.leaves(0, 9).expect("leaves").len(), 4);
}

#[tokio::test]
async fn what_nobody_waits_for_becomes_durable_by_itself() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut sequencer = start(&directory.path().join("db"));
    for size in [1, 2] {
        sequencer.commit_soon(change(1)).await.expect("taken");
        let durable = sequencer.head.wait_for(|head| head.as_ref().is_some_and(|it| it.size == size));
        drop(durable.await.expect("the writer runs"));
    }
}

#[tokio::test]
async fn what_cannot_be_a_leaf_is_refused_and_takes_nothing_down() {
    let directory = tempfile::tempdir().expect("a directory");
    let sequencer = start(&directory.path().join("db"));
    let large = || Change { leaves: vec![vec![0; LEAF_BYTES_MAX + 1]], puts: Vec::new() };
    assert!(sequencer.commit_soon(large()).await.is_err());
    assert!(sequencer.commit(large()).await.is_err());
    assert_eq!(sequencer.commit(change(1)).await.expect("durable"), LeafIndex(0));
}

#[tokio::test]
async fn roots_made_from_memory_are_those_of_what_is_stored() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("db");
    for leaves in [1, 1, 1, 2, 3, 1, 7, 16, 1, 1, 31, 2] {
        // A new writer remembers nothing; the second group of each works from memory.
        let sequencer = start(&path);
        for leaves in [1, leaves, 1] {
            sequencer.commit(change(leaves)).await.expect("durable");
            let head = sequencer.head().expect("a head");
            let store = Sqlite::open_read_only(&path).expect("a store");
            let root = ledger::root(head.size, |positions| store.hashes(positions)).expect("a root");
            assert_eq!(head.root, root, "of {} leaves", head.size);
        }
    }
}
