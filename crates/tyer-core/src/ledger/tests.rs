//! Proofs of every size, compared with another implementation, and what a flipped bit does.

use std::convert::Infallible;

use expect_test::expect;
use proptest::prelude::*;

use super::checkpoint::{Checkpoint, CheckpointError, SigningKey, VerifierKey};
use super::receipt::Receipt;
use super::*;
use crate::intent::Timestamp;

/// The stored hashes of a ledger whose leaf `n` is the text of `n`.
struct Stored(Vec<Hash>);

impl Stored {
    fn of(size: u64) -> Self {
        let mut stored = Self(Vec::new());
        for index in 0..size {
            assert_eq!(stored.0.len() as u64, stored_hash_count(index));
            let hashes = append(index, &leaf(index), |at| stored.read(at)).unwrap();
            stored.0.extend(hashes);
        }
        assert_eq!(stored.0.len() as u64, stored_hash_count(size));
        stored
    }

    fn read(&self, indexes: &[u64]) -> Result<Vec<Hash>, Infallible> {
        Ok(indexes.iter().map(|at| self.0[usize::try_from(*at).unwrap()]).collect())
    }

    fn head(&self, size: u64) -> Head {
        Head { size, root: root(size, |at| self.read(at)).unwrap() }
    }
}

fn leaf(index: u64) -> Vec<u8> {
    index.to_string().into_bytes()
}

const SIZES: u64 = 260;

#[test]
fn every_size_proves_inclusion_and_consistency() {
    let stored = Stored::of(SIZES);
    for size in 1..=SIZES {
        let head = stored.head(size);
        for index in 0..size {
            let proof = inclusion(index, size, |at| stored.read(at)).unwrap();
            assert_eq!(check_inclusion(&proof, index, leaf_hash(&leaf(index)), head), Ok(()));
        }
        for old in 0..=size {
            let proof = consistency(old, size, |at| stored.read(at)).unwrap();
            assert_eq!(check_consistency(&proof, stored.head(old), head), Ok(()), "{old} {size}");
        }
    }
}

#[test]
fn roots_agree_with_another_implementation() {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    let stored = Stored::of(SIZES);
    let mut other: MemoryBackedTree<sha2::Sha256, Vec<u8>> = MemoryBackedTree::new();
    for size in 0..=SIZES {
        assert_eq!(stored.head(size).root.0[..], other.root().as_bytes()[..], "{size}");
        other.push(leaf(size));
    }
}

#[test]
fn proofs_agree_with_another_implementation() {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    let stored = Stored::of(90);
    let mut other: MemoryBackedTree<sha2::Sha256, Vec<u8>> = MemoryBackedTree::new();
    let bytes = |proof: Proof| proof.0.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>();
    for size in 1..=90_u64 {
        other.push(leaf(size - 1));
        for index in 0..size {
            let at = usize::try_from(index).unwrap();
            let ours = bytes(inclusion(index, size, |at| stored.read(at)).unwrap());
            assert_eq!(ours, other.prove_inclusion(at).as_bytes(), "{index} in {size}");
        }
    }
}

proptest! {
    #[test]
    fn every_flipped_bit_of_an_inclusion_fails(
        size in 1..SIZES, index: prop::sample::Index, bit: prop::sample::Index,
    ) {
        let (stored, index) = (Stored::of(size), index.index(usize::try_from(size).unwrap()) as u64);
        let head = stored.head(size);
        let proof = inclusion(index, size, |at| stored.read(at)).unwrap();
        let hash = leaf_hash(&leaf(index));
        let mut all: Vec<u8> = [hash, head.root.0].concat();
        all.extend(proof.0.iter().flat_map(|hash| hash.0));
        flip(&mut all, bit);
        let mut hashes = all.chunks(32).map(|hash| Digest(hash.try_into().unwrap()));
        let (hash, root) = (hashes.next().unwrap().0, hashes.next().unwrap());
        let changed = Proof(hashes.collect());
        let claimed = Head { size, root };
        prop_assert!(check_inclusion(&changed, index, hash, claimed).is_err());
        for other in (0..size).filter(|other| *other != index) {
            prop_assert!(check_inclusion(&proof, other, leaf_hash(&leaf(index)), head).is_err());
        }
    }

    #[test]
    fn every_flipped_bit_of_a_consistency_fails(
        new in 1..SIZES, old: prop::sample::Index, bit: prop::sample::Index,
    ) {
        let (stored, old) = (Stored::of(new), old.index(usize::try_from(new).unwrap() + 1) as u64);
        let (older, newer) = (stored.head(old), stored.head(new));
        let proof = consistency(old, new, |at| stored.read(at)).unwrap();
        let mut all: Vec<u8> = older.root.0.to_vec();
        // With an older tree of nothing, the newer root is not claimed to be anything.
        if old > 0 {
            all.extend(newer.root.0);
        }
        all.extend(proof.0.iter().flat_map(|hash| hash.0));
        flip(&mut all, bit);
        let mut hashes = all.chunks(32).map(|hash| Digest(hash.try_into().unwrap()));
        let older = Head { root: hashes.next().unwrap(), ..older };
        let newer = if old > 0 { Head { root: hashes.next().unwrap(), ..newer } } else { newer };
        prop_assert!(check_consistency(&Proof(hashes.collect()), older, newer).is_err());
    }

    #[test]
    fn every_flipped_bit_of_a_checkpoint_fails(bit: prop::sample::Index, size in 0..1000_u64) {
        let note = key().sign(Head { size, root: Digest([3; 32]) }, Timestamp(5)).unwrap();
        let mut bytes = note.into_bytes();
        flip(&mut bytes, bit);
        let verified = String::from_utf8(bytes).ok()
            .and_then(|note| Checkpoint::verify(&note, &key().verifier()).ok());
        prop_assert_eq!(verified, None);
    }

    #[test]
    fn every_flipped_bit_of_a_receipt_fails(bit: prop::sample::Index, size in 1..40_u64) {
        let mut bytes = receipt(size / 2, size).to_text().into_bytes();
        flip(&mut bytes, bit);
        let verified = String::from_utf8(bytes).ok()
            .and_then(|text| Receipt::from_text(&text).ok())
            .and_then(|receipt| receipt.verify(&key().verifier()).ok());
        prop_assert_eq!(verified, None);
    }

    #[test]
    fn bundles_read_back(leaves in prop::collection::vec(prop::collection::vec(0..255_u8, 0..300), 0..20)) {
        let content = tile::bundle(leaves.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(tile::unbundle(&content), Ok(leaves));
        if let Some((_, cut)) = content.split_last() {
            prop_assert!(tile::unbundle(cut).is_err() || cut.is_empty());
        }
    }
}

fn flip(bytes: &mut [u8], bit: prop::sample::Index) {
    let bit = bit.index(bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
}

fn key() -> SigningKey {
    SigningKey::from_seed("tyer.example.com/ledger", &[1; 32]).unwrap()
}

fn receipt(index: u64, size: u64) -> Receipt {
    let stored = Stored::of(size);
    Receipt {
        leaf: leaf(index),
        index,
        checkpoint: key().sign(stored.head(size), Timestamp(1_767_225_600_000)).unwrap(),
        proof: inclusion(index, size, |at| stored.read(at)).unwrap(),
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let stored = Stored::of(3);
    let read = |at: &[u64]| stored.read(at);
    let head = stored.head(3);
    assert_eq!(append(3, &[0; 65_536], read), Err(LedgerError::LeafTooLong(65_536)));
    assert!(append(3, &[0; 65_535], read).is_ok());
    assert_eq!(append(u64::MAX, b"", read), Err(LedgerError::TooLarge(u64::MAX)));
    assert_eq!(root(u64::MAX, read), Err(LedgerError::TooLarge(u64::MAX)));
    assert_eq!(inclusion(3, 3, read), Err(LedgerError::NotInTree { index: 3, size: 3 }));
    assert_eq!(consistency(4, 3, read), Err(LedgerError::NotOlder { old: 4, new: 3 }));
    let no = Proof::default();
    let outside = check_inclusion(&no, 3, [0; 32], head);
    assert_eq!(outside, Err(LedgerError::NotInTree { index: 3, size: 3 }));
    let long = Proof(vec![Digest([0; 32]); 1000]);
    assert_eq!(check_inclusion(&long, 0, [0; 32], head), Err(LedgerError::Disproved));
    assert_eq!(check_consistency(&long, stored.head(2), head), Err(LedgerError::Disproved));
    let failing = |_: &[u64]| Err::<Vec<Hash>, _>("disk is gone");
    assert_eq!(root(3, failing), Err(LedgerError::Unreadable("disk is gone".to_owned())));
    let short = |_: &[u64]| Ok::<_, Infallible>(vec![[0; 32]]);
    assert_eq!(root(3, short), Err(LedgerError::Unreadable("1 of 2 hashes".to_owned())));
    let none = |_: &[u64]| Ok::<_, Infallible>(Vec::new());
    assert!(inclusion(1, 3, none).is_err() && consistency(1, 3, none).is_err());
}

#[test]
fn checkpoint_form() {
    let note = key().sign(Stored::of(5).head(5), Timestamp(1_767_225_600_000)).unwrap();
    expect![[r#"
        tyer.example.com/ledger
        5
        tnSPbtepnefahP2X4aO6xvq4mZ9KQ2lcq5Uoot5DEUc=
        time 1767225600000

        — tyer.example.com/ledger eZaCxCBc3V1Z/MYjYLJea2tl1ib6Vgqp08vkJPj5mgJc916WCbLnA6N4mnLD1qslFecuShVc7e7H7EWJGZfGYzlxIgQ=
    "#]]
    .assert_eq(&note);
    expect!["tyer.example.com/ledger+799682c4+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"]
        .assert_eq(key().verifier().as_str());
    expect![[r#"
        Ok(
            Checkpoint {
                origin: "tyer.example.com/ledger",
                size: 5,
                root: Digest(b6748f6ed7a99de7da84fd97e1a3bac6fab8999f4a43695cab9528a2de431147),
                at: Timestamp(
                    1767225600000,
                ),
            },
        )
    "#]]
    .assert_debug_eq(&Checkpoint::verify(&note, &key().verifier()));
}

#[test]
fn checkpoints_of_others_are_refused() {
    let head = Stored::of(5).head(5);
    let verifier = key().verifier();
    let note = key().sign(head, Timestamp(1)).unwrap();
    let check = |name: &str, note: &str, expect: CheckpointError| {
        assert_eq!(Checkpoint::verify(note, &verifier), Err(expect), "{name}");
    };
    let of = |origin: &str, seed: u8| SigningKey::from_seed(origin, &[seed; 32]).unwrap();
    let other = of("tyer.example.com/ledger", 2).sign(head, Timestamp(1)).unwrap();
    check("another key", &other, CheckpointError::Unsigned);
    let other = of("tyer.example.com/other", 1).sign(head, Timestamp(1)).unwrap();
    check("another origin", &other, CheckpointError::Unsigned);
    check("no signature", note.split_once('—').unwrap().0, CheckpointError::Malformed);
    check("empty", "", CheckpointError::Malformed);

    // A witness may add its line.
    let line = of("witness.example.com", 9).sign(head, Timestamp(1)).unwrap();
    let line = line.split_once("\n\n").unwrap().1;
    assert!(Checkpoint::verify(&format!("{note}{line}"), &verifier).is_ok());

    assert_eq!(VerifierKey::parse(&format!("{verifier}\n")), Ok(verifier.clone()));
    assert_eq!(VerifierKey::parse("tyer+00000000+AAAA"), Err(CheckpointError::Key));
    for origin in ["", "a b", "a+b", "a\nb", "a\u{7f}"] {
        assert_eq!(SigningKey::from_seed(origin, &[1; 32]).unwrap_err(), CheckpointError::Origin);
    }
}

/// A note over any text, signed with the key of [`key`].
fn note_over(text: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let verifier = key().verifier();
    let id = verifier.as_str().split('+').nth(1).unwrap();
    let mut line = u32::from_str_radix(id, 16).unwrap().to_be_bytes().to_vec();
    line.extend_from_slice(pair.sign(text.as_bytes()).as_ref());
    format!("{text}\n— {} {}\n", key().origin(), STANDARD.encode(line))
}

#[test]
fn checkpoints_have_one_form() {
    let check = |text: &str, expect: Result<i64, CheckpointError>| {
        let verified = Checkpoint::verify(&note_over(text), &key().verifier());
        assert_eq!(verified.map(|checkpoint| checkpoint.at.0), expect, "{text}");
    };
    let (good, malformed) =
        (key().sign(Stored::of(5).head(5), Timestamp(7)).unwrap(), CheckpointError::Malformed);
    let good = format!("{}\n", good.split_once("\n\n").unwrap().0);
    check(&good, Ok(7));
    check(&good.replace("/ledger\n", "/other\n"), Err(CheckpointError::OtherOrigin));
    check(&good.replace("time 7\n", ""), Err(malformed));
    check(&good.replace("time 7", "time 07"), Err(malformed));
    check(&good.replace("time 7", "time +7"), Err(malformed));
    check(&good.replace("time 7\n", "time 7\nmore\n"), Err(malformed));
    check(&good.replace("\n5\n", "\n05\n"), Err(malformed));
    check(&good.replace("\n5\n", "\n18446744073709551615\n"), Err(malformed));
}

#[test]
fn receipt_form() {
    let receipt = receipt(1, 3);
    expect![[r#"
        {"checkpoint":"tyer.example.com/ledger\n3\ncl1SMNto9VdHDcNfHYhlgTrNfrsHrRUndBQd7LrnEyc=\ntime 1767225600000\n\n— tyer.example.com/ledger eZaCxIhCe935ZVZPDnnL+mqWhZAZ48Dqk0119jVyOuMelL032ULpQj5rl3NOVb0M06ANa4VRg9hCRvUXlUHMBKRVvAk=\n","index":1,"leaf":"MQ==","proof":["2zQm6HgGjSjSabbIcXIyLOU3K2V1bQeJAB00g19gHAM=","+mHj3sNDlYn0eEyJO/Mh0AhPBMVyx68raOPzNgo1tIY="],"tyer":"receipt/v1"}
    "#]].assert_eq(&receipt.to_text());
    assert_eq!(Receipt::from_text(&receipt.to_text()), Ok(receipt.clone()));
    assert_eq!(receipt.verify(&key().verifier()).unwrap().size, 3);
    let spaced = receipt.to_text().replace(',', ", ");
    assert!(Receipt::from_text(&spaced).is_err());
}

#[test]
fn tiles_between_sizes() {
    let check = |old: u64, new: u64, expect: expect_test::Expect| {
        let paths: Vec<String> =
            tile::changed(old, new).unwrap().iter().map(tile::Tile::path).collect();
        expect.assert_eq(&paths.join(" "));
    };
    check(0, 0, expect![[""]]);
    check(5, 5, expect![[""]]);
    check(0, 1, expect!["tile/entries/000.p/1 tile/0/000.p/1"]);
    check(5, 7, expect!["tile/entries/000.p/7 tile/0/000.p/7"]);
    check(255, 256, expect!["tile/entries/000 tile/0/000 tile/1/000.p/1"]);
    check(
        250,
        520,
        expect![
            "tile/entries/000 tile/0/000 tile/entries/001 tile/0/001 tile/entries/002.p/8 tile/0/002.p/8 tile/1/000.p/2"
        ],
    );
    check(
        65_535,
        65_537,
        expect![
            "tile/entries/255 tile/0/255 tile/entries/256.p/1 tile/0/256.p/1 tile/1/000 tile/2/000.p/1"
        ],
    );
    check(
        316_100_000,
        316_100_001,
        expect!["tile/entries/x001/x234/765.p/161 tile/0/x001/x234/765.p/161"],
    );
}

#[test]
fn tiles_hold_the_tree() {
    let stored = Stored::of(600);
    for tile in tile::changed(0, 600).unwrap() {
        let content = tile.hashes(|at| stored.read(at)).unwrap();
        match tile.leaves() {
            Some(leaves) => {
                let leaves: Vec<_> = leaves.map(leaf).collect();
                let bundle = tile::bundle(leaves.iter().map(Vec::as_slice)).unwrap();
                // The hash tile beside a bundle is the hashes of its leaves.
                let hashes: Vec<u8> =
                    tile::unbundle(&bundle).unwrap().iter().flat_map(|leaf| leaf_hash(leaf)).collect();
                assert_eq!(content, hashes, "{}", tile.path());
            }
            None if tile.path() == "tile/1/000.p/2" => {
                let complete = |first: u64| {
                    let (mut hashes, from) = (Vec::new(), usize::try_from(first).unwrap());
                    hashes.extend((from..from + 256).map(|at| leaf_hash(&leaf(at as u64))));
                    while hashes.len() > 1 {
                        hashes = hashes.chunks(2).map(|pair| node(pair[0], pair[1])).collect();
                    }
                    hashes[0]
                };
                assert_eq!(content, [complete(0), complete(256)].concat());
            }
            None => {}
        }
    }
}

fn node(left: Hash, right: Hash) -> Hash {
    Digest::of(&[&[1][..], &left, &right].concat()).0
}
