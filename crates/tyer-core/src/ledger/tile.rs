//! The ledger as static files: the tiles of C2SP tlog-tiles, of height 8.
//!
//! [`changed`] says which files differ between two sizes. A hash tile's content is [`Tile::hashes`], an
//! entry bundle's is [`bundle`] over the leaves of [`Tile::leaves`]. Partial tiles (`.p/W`) may be
//! deleted once the full one is published.

use std::fmt;
use std::ops::Range;

use super::{Hash, LedgerError, Reader, unreadable, within};
use crate::limits::LEAF_BYTES_MAX;

/// The height of every tile, fixed by the specification: 256 hashes or leaves.
const HEIGHT: u8 = 8;
/// The widest tile.
const WIDTH: u32 = 1 << HEIGHT;

/// One file: a tile of hashes or a bundle of leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    tile: tlog_tiles::Tile,
    entries: bool,
}

/// The files to publish when the tree grows from `old` to `new` leaves: each bundle of leaves directly
/// before the hash tile over it.
///
/// # Errors
/// When the tree is larger than a ledger can be.
pub fn changed(old: u64, new: u64) -> Result<Vec<Tile>, LedgerError> {
    within(new)?;
    let mut tiles = Vec::new();
    if old >= new {
        return Ok(tiles);
    }
    for tile in tlog_tiles::Tile::new_tiles(HEIGHT, old, new) {
        if tile.level() == 0 {
            tiles.push(Tile { tile, entries: true });
        }
        tiles.push(Tile { tile, entries: false });
    }
    Ok(tiles)
}

/// The content of an entry bundle: each leaf after its length as two big-endian bytes.
///
/// # Errors
/// When a leaf is longer than that length can say.
pub fn bundle<'a>(leaves: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, LedgerError> {
    let mut out = Vec::new();
    for leaf in leaves {
        let too_long = || LedgerError::LeafTooLong(leaf.len());
        let length = u16::try_from(leaf.len()).map_err(|_| too_long())?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(leaf);
    }
    Ok(out)
}

/// The leaves of an entry bundle.
///
/// # Errors
/// When the content ends within a leaf.
pub fn unbundle(content: &[u8]) -> Result<Vec<Vec<u8>>, LedgerError> {
    let (mut leaves, mut rest) = (Vec::new(), content);
    let cut = || LedgerError::Unreadable("the bundle ends within a leaf".to_owned());
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (leaf, after) = after.split_at_checked(length).ok_or_else(cut)?;
        leaves.push(leaf.to_vec());
        rest = after;
    }
    Ok(leaves)
}

const _: () = assert!(LEAF_BYTES_MAX == u16::MAX as usize);

impl Tile {
    /// The path below the ledger's directory or URL, such as `tile/0/x001/234.p/7` or
    /// `tile/entries/000`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut number = self.tile.level_index();
        let mut path = format!("{:03}", number % 1000);
        while number >= 1000 {
            number /= 1000;
            path = format!("x{:03}/{path}", number % 1000);
        }
        if self.tile.width() < WIDTH {
            path = format!("{path}.p/{}", self.tile.width());
        }
        if self.entries {
            format!("tile/entries/{path}")
        } else {
            format!("tile/{}/{path}", self.tile.level())
        }
    }

    /// The leaves of an entry bundle; nothing for a tile of hashes.
    #[must_use]
    pub fn leaves(&self) -> Option<Range<u64>> {
        let first = self.tile.level_index() * u64::from(WIDTH);
        self.entries.then(|| first..first + u64::from(self.tile.width()))
    }

    /// The content of a tile of hashes: the hashes one after the other.
    ///
    /// # Errors
    /// When the stored hashes cannot be read.
    pub fn hashes<E: fmt::Display>(
        &self,
        read: impl Fn(&[u64]) -> Result<Vec<Hash>, E>,
    ) -> Result<Vec<u8>, LedgerError> {
        self.tile.read_data(&Reader(read)).map_err(unreadable)
    }
}
