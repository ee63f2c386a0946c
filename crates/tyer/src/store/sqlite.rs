//! The embedded store: SQLite in WAL mode, flushed at every commit (`synchronous=FULL`).
//!
//! One connection writes; the sequencer owns it. Others only read.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use tyer_core::intent::{Digest, Timestamp};
use tyer_core::verdict::LeafIndex;

use super::{Change, Head, Key, StoreError, Table};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS document (
        kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, key)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS leaf (position INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS hash (position INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS checkpoint (
        size INTEGER PRIMARY KEY, root BLOB NOT NULL, note TEXT NOT NULL, at INTEGER NOT NULL
    );
    PRAGMA user_version = 1;
";

/// Pages in the write-ahead log before they are copied back, which costs two flushes more: 16 MiB.
const WAL_PAGES: u32 = 4_096;
/// How long a read-only connection waits for a writer, in milliseconds.
const BUSY_MS: u64 = 5_000;

/// An open store.
#[derive(Debug)]
pub(crate) struct Sqlite {
    connection: Connection,
    path: PathBuf,
}

impl Sqlite {
    /// Opens or makes the store for writing.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match version {
            0 => connection.execute_batch(SCHEMA)?,
            1 => {}
            other => {
                return Err(StoreError::Corrupt(format!(
                    "schema version {other} is newer than this program"
                )));
            }
        }
        Ok(Self { connection, path: path.to_owned() })
    }

    /// Opens the store anew. After an error nothing else is sure to show what is really stored: a commit
    /// may have failed half-way, and a file that could only be read when it was opened stays so.
    pub(crate) fn reopen(&mut self) -> Result<(), StoreError> {
        *self = Self::open(&self.path.clone())?;
        Ok(())
    }

    /// Makes every writer's leaves fail, or no longer.
    #[cfg(test)]
    pub(crate) fn fail_leaves(path: &Path, fails: bool) -> Result<(), StoreError> {
        let sql = if fails {
            "CREATE TRIGGER full BEFORE INSERT ON leaf BEGIN SELECT RAISE(ABORT, 'full'); END"
        } else {
            "DROP TRIGGER full"
        };
        Ok(Self::open(path)?.connection.execute_batch(sql)?)
    }

    /// Opens an existing store for reading only, such as a copy that is to be verified.
    pub(crate) fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// Applies changes in one transaction. `seal` turns leaves into stored hashes and a signed head; it
    /// is given a way to read hashes that are stored already. Nothing is changed on an error.
    pub(crate) fn apply<F>(&mut self, changes: &[Change], seal: F) -> Result<Applied, StoreError>
    where
        F: FnOnce(&Stored<'_>) -> Result<Sealed, StoreError>,
    {
        let transaction = self.connection.transaction()?;
        let before = head_of(&transaction)?.map_or(0, |head| head.size);
        let sealed = seal(&|positions| read_hashes(&transaction, positions))?;
        let mut firsts = Vec::with_capacity(changes.len());
        let mut next = before;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO leaf (position, body) VALUES (?1, ?2)")?;
            for change in changes {
                firsts.push(LeafIndex(next));
                for leaf in &change.leaves {
                    insert.execute(params![next.cast_signed(), leaf])?;
                    next += 1;
                }
            }
        }
        if !sealed.hashes.is_empty() {
            let sql = "INSERT INTO hash (position, body) VALUES (?1, ?2)";
            let (first, body) = (sealed.first.cast_signed(), sealed.hashes.as_flattened());
            transaction.prepare_cached(sql)?.execute(params![first, body])?;
        }
        for (change, first) in changes.iter().zip(&firsts) {
            write_documents(&transaction, change, *first)?;
        }
        if let Some(head) = &sealed.head {
            if head.size != next {
                return Err(StoreError::Corrupt(format!("a head of {} over {next} leaves", head.size)));
            }
            let sql = "INSERT INTO checkpoint (size, root, note, at) VALUES (?1, ?2, ?3, ?4)";
            let (size, root) = (head.size.cast_signed(), head.root.0.as_slice());
            transaction.prepare_cached(sql)?.execute(params![
                size,
                root,
                head.checkpoint,
                head.at.0
            ])?;
        }
        transaction.commit()?;
        Ok(Applied { firsts, head: sealed.head })
    }

    /// Every document of a kind, ordered by key.
    pub(crate) fn documents(&self, table: Table) -> Result<Vec<(String, String)>, StoreError> {
        let mut query =
            self.connection.prepare("SELECT key, body FROM document WHERE kind = ?1 ORDER BY key")?;
        let rows = query.query_map([table.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One document.
    pub(crate) fn document(&self, table: Table, key: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT body FROM document WHERE kind = ?1 AND key = ?2";
        let found = self.connection.query_row(sql, [table.as_str(), key], |row| row.get(0));
        Ok(found.optional()?)
    }

    /// The leaves from `first` on, at most `count`.
    pub(crate) fn leaves(
        &self,
        first: u64,
        count: u64,
    ) -> Result<Vec<(LeafIndex, Vec<u8>)>, StoreError> {
        let sql = "SELECT position, body FROM leaf WHERE position >= ?1 ORDER BY position LIMIT ?2";
        let mut query = self.connection.prepare_cached(sql)?;
        let rows = query.query_map([first.cast_signed(), count.cast_signed()], |row| {
            let position: i64 = row.get(0)?;
            Ok((LeafIndex(position.cast_unsigned()), row.get(1)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Stored hashes by position, in the order asked.
    pub(crate) fn hashes(&self, positions: &[u64]) -> Result<Vec<[u8; 32]>, StoreError> {
        read_hashes(&self.connection, positions)
    }

    /// The newest head, if there are leaves.
    pub(crate) fn head(&self) -> Result<Option<Head>, StoreError> {
        head_of(&self.connection)
    }
}

/// Reads stored hashes by position.
pub(crate) type Stored<'a> = dyn Fn(&[u64]) -> Result<Vec<[u8; 32]>, StoreError> + 'a;

/// What `seal` made of the new leaves.
#[derive(Debug, Default)]
pub(crate) struct Sealed {
    /// The position of the first hash to store; the others follow it.
    pub(crate) first: u64,
    /// Hashes to store.
    pub(crate) hashes: Vec<[u8; 32]>,
    /// The new head; none if no leaf was added.
    pub(crate) head: Option<Head>,
}

/// What a transaction did.
#[derive(Debug)]
pub(crate) struct Applied {
    /// The index of the first leaf of each change (of the next leaf, if it has none).
    pub(crate) firsts: Vec<LeafIndex>,
    /// The new head, if leaves were added.
    pub(crate) head: Option<Head>,
}

fn write_documents(
    connection: &Connection,
    change: &Change,
    first: LeafIndex,
) -> Result<(), StoreError> {
    for put in &change.puts {
        let key = match &put.key {
            Key::Name(name) => name.clone(),
            Key::Leaf(position) => (first.0 + *position as u64).to_string(),
        };
        match &put.body {
            Some(body) => connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO document (kind, key, body) VALUES (?1, ?2, ?3)",
                )?
                .execute([put.table.as_str(), &key, body])?,
            None => connection
                .prepare_cached("DELETE FROM document WHERE kind = ?1 AND key = ?2")?
                .execute([put.table.as_str(), &key])?,
        };
    }
    Ok(())
}

/// A row has the hashes of one transaction, from its position on.
fn read_hashes(connection: &Connection, positions: &[u64]) -> Result<Vec<[u8; 32]>, StoreError> {
    let sql = "SELECT substr(body, 1 + 32 * (?1 - position), 32) FROM hash
        WHERE position <= ?1 ORDER BY position DESC LIMIT 1";
    let mut query = connection.prepare_cached(sql)?;
    let mut hashes = Vec::with_capacity(positions.len());
    for position in positions {
        let body: Option<Vec<u8>> =
            query.query_row([position.cast_signed()], |row| row.get(0)).optional()?;
        let hash = body.and_then(|body| body.try_into().ok());
        hashes.push(hash.ok_or_else(|| StoreError::Corrupt(format!("hash {position}")))?);
    }
    Ok(hashes)
}

fn head_of(connection: &Connection) -> Result<Option<Head>, StoreError> {
    let sql = "SELECT size, root, note, at FROM checkpoint ORDER BY size DESC LIMIT 1";
    let found = connection.prepare_cached(sql)?.query_row([], |row| {
        let (size, root): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        Ok((size, root, row.get(2)?, row.get(3)?))
    });
    let Some((size, root, checkpoint, at)) = found.optional()? else { return Ok(None) };
    let root = root.try_into().map_err(|_| StoreError::Corrupt("root of the head".to_owned()))?;
    Ok(Some(Head { size: size.cast_unsigned(), root: Digest(root), checkpoint, at: Timestamp(at) }))
}
