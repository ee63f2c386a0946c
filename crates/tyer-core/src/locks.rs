//! What a request keeps others from doing meanwhile: which locks it takes, on what, and for how long by size.
//!
//! How long a lock is kept nobody knows beforehand. What is known is how many bytes the request goes through while it
//! has the lock; at which pace is assumed, and said to be. A lock that has to wait makes others wait behind it, so who
//! is in front is said too.

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::figures::{bytes, counted, duration};
use crate::limits::{
    BUILD_BYTES_PER_SECOND, DRIFT_BYTES_MIN, DRIFT_ROWS_PERCENT, READ_BYTES_PER_SECOND,
    REWRITE_BYTES_PER_SECOND,
};

/// One lock that a request takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The qualified name of what is locked; as the request wrote it, where the upstream did not find it.
    pub name: String,
    /// The upstream's own word for the lock, such as `ACCESS EXCLUSIVE`.
    pub mode: String,
    /// What others cannot do meanwhile.
    pub blocks: Blocks,
    /// What is done while it is kept.
    pub work: Work,
    /// Why it is locked, where the request does not name it: `its foreign key refers to public.orders`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
    /// Partitions and heirs that are locked with it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub parts: u64,
    /// What the upstream itself knows it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<u64>,
    /// How many bytes the work goes through, those of its parts included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Who has to end before the lock is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<Ahead>,
}

/// What others cannot do while a lock is kept, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocks {
    /// Rows are read and written as always; upkeep and changes of the definition wait.
    Definitions,
    /// Rows are read as always, and cannot be written.
    Writes,
    /// Nothing at all.
    ReadsAndWrites,
}

/// What is done while a lock is kept, the shortest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Nothing that grows with the size.
    Instant,
    /// All of it is read.
    Read,
    /// All of it is read, and an index of it is written.
    Build,
    /// All of it is read and written anew.
    Rewrite,
    /// Something that its size does not say.
    Untold,
}

/// Sessions that use something in a way that a lock has to wait for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// How many.
    pub sessions: u64,
    /// For how many milliseconds the oldest of their transactions had run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_ms: Option<u64>,
}

impl Blocks {
    /// The word of records and of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Definitions => "definitions",
            Self::Writes => "writes",
            Self::ReadsAndWrites => "reads_and_writes",
        }
    }

    /// `blocks reads and writes of`, for a sentence that goes on with a name.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Definitions => "blocks no reads or writes, only upkeep and changes of",
            Self::Writes => "blocks writes to",
            Self::ReadsAndWrites => "blocks reads and writes of",
        }
    }
}

impl Work {
    /// The word of records and of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instant => "instant",
            Self::Read => "read",
            Self::Build => "build",
            Self::Rewrite => "rewrite",
            Self::Untold => "untold",
        }
    }

    /// How long the lock is kept, as far as the size does not matter.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Instant => "for a moment",
            Self::Read => "while all of it is read",
            Self::Build => "while an index is built from all of it",
            Self::Rewrite => "while all of it is written anew",
            Self::Untold => "for as long as it takes, which its size does not say",
        }
    }

    /// How many bytes a second are assumed.
    #[must_use]
    pub fn pace(self) -> Option<u64> {
        match self {
            Self::Instant | Self::Untold => None,
            Self::Read => Some(READ_BYTES_PER_SECOND),
            Self::Build => Some(BUILD_BYTES_PER_SECOND),
            Self::Rewrite => Some(REWRITE_BYTES_PER_SECOND),
        }
    }
}

impl Lock {
    /// How many seconds the work takes at the assumed pace, rounded up; nothing if that cannot be said.
    #[must_use]
    pub fn seconds(&self) -> Option<u64> {
        match self.work {
            Work::Instant => Some(0),
            work => Some(self.bytes?.div_ceil(work.pace()?)),
        }
    }

    /// What others have to wait for, and about how long.
    #[must_use]
    pub fn in_words(&self) -> String {
        let parts = match self.parts {
            0 => String::new(),
            parts => format!(" and {} of it", counted(parts, "part", "parts")),
        };
        let (blocks, mode) = (self.blocks.in_words(), &self.mode);
        let through = self.through.as_ref().map(|why| format!(", since {why}")).unwrap_or_default();
        format!("{blocks} {}{parts} ({mode}) {}{through}", self.name, self.how_long())
    }

    /// Who is in front, in words; nothing if nobody is.
    #[must_use]
    pub fn ahead_in_words(&self) -> Option<String> {
        let Ahead { sessions, oldest_ms } = self.ahead.as_ref().filter(|ahead| ahead.sessions > 0)?;
        let sessions = counted(*sessions, "session", "sessions");
        let oldest = match oldest_ms {
            Some(ms) => format!("the oldest transaction had run for {}", duration(*ms)),
            None => "how long they have run already is not known".to_owned(),
        };
        Some(format!(
            "It has to wait for {sessions} first; {oldest}. Whoever comes after it waits behind it."
        ))
    }

    fn how_long(&self) -> String {
        let words = self.work.in_words();
        match (self.work.pace(), self.bytes, self.seconds()) {
            (Some(pace), Some(size), Some(seconds)) => {
                let time = if seconds <= 1 {
                    "a second or less".to_owned()
                } else {
                    format!("about {}", duration(seconds.saturating_mul(1_000)))
                };
                format!("{words}: {}, {time} at an assumed {}/s", bytes(size), bytes(pace))
            }
            (Some(_), ..) => format!("{words}; how much that is is not known"),
            (None, ..) => words.to_owned(),
        }
    }

    /// In what this lock is worse than what people agreed to.
    fn drift(&self, agreed: &[Self], differences: &mut Vec<String>) {
        let name = &self.name;
        let covers = |other: &&Self| {
            other.name == *name && other.blocks >= self.blocks && other.work >= self.work
        };
        let Some(other) = agreed.iter().find(covers) else {
            differences.push(format!("{name} is locked too, which {} it", self.blocks.in_words()));
            return;
        };
        if other.identity.is_some() && self.identity != other.identity {
            differences.push(format!("{name} was removed and made again"));
        }
        match (other.bytes, self.bytes) {
            _ if self.work.pace().is_none() => {}
            (Some(before), None) => differences
                .push(format!("how large {name} is is not known any more; it was {}", bytes(before))),
            (Some(before), Some(now)) if now > grown(before) => {
                differences.push(format!("{} of {name}, not {}", bytes(now), bytes(before)));
            }
            _ => {}
        }
    }
}

/// In what the locks of these facts are worse than those that people agreed to. What the facts say of a relation
/// elsewhere is not said twice.
pub(crate) fn drift(now: &Facts, approved: &Facts, differences: &mut Vec<String>) {
    let mut found = Vec::new();
    now.locks.iter().for_each(|lock| lock.drift(&approved.locks, &mut found));
    found.retain(|said| !differences.contains(said));
    differences.extend(found);
}

/// Bytes up to which an agreement to this many holds.
fn grown(bytes: u64) -> u64 {
    bytes.saturating_add((bytes / 100 * DRIFT_ROWS_PERCENT).max(DRIFT_BYTES_MIN))
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn lock(work: Work, bytes: Option<u64>) -> Lock {
        Lock {
            name: "public.orders".to_owned(),
            mode: "ACCESS EXCLUSIVE".to_owned(),
            blocks: Blocks::ReadsAndWrites,
            work,
            through: None,
            parts: 0,
            identity: Some(7),
            bytes,
            ahead: None,
        }
    }

    #[test]
    fn how_long_is_said_with_what_is_assumed() {
        let check = |lock: Lock, expect: &str| assert_eq!(lock.in_words(), expect);
        let all = "blocks reads and writes of public.orders (ACCESS EXCLUSIVE)";
        check(lock(Work::Instant, Some(12 * GB)), &format!("{all} for a moment"));
        check(
            lock(Work::Rewrite, Some(12 * GB)),
            &format!(
                "{all} while all of it is written anew: 12 GB, about 2 min at an assumed 100 MB/s"
            ),
        );
        check(
            lock(Work::Read, Some(12 * GB)),
            &format!("{all} while all of it is read: 12 GB, about 1 min at an assumed 200 MB/s"),
        );
        check(
            lock(Work::Build, Some(8_192)),
            &format!(
                "{all} while an index is built from all of it: 8.1 kB, a second or less at an assumed 50 MB/s"
            ),
        );
        check(
            lock(Work::Read, None),
            &format!("{all} while all of it is read; how much that is is not known"),
        );
        check(
            lock(Work::Untold, Some(GB)),
            &format!("{all} for as long as it takes, which its size does not say"),
        );
        let through = Some("its foreign key refers to public.customers".to_owned());
        check(
            Lock { parts: 12, through, blocks: Blocks::Writes, ..lock(Work::Instant, None) },
            "blocks writes to public.orders and 12 parts of it (ACCESS EXCLUSIVE) for a moment, \
             since its foreign key refers to public.customers",
        );
        check(
            Lock { blocks: Blocks::Definitions, ..lock(Work::Instant, None) },
            "blocks no reads or writes, only upkeep and changes of public.orders (ACCESS EXCLUSIVE) for a moment",
        );
        assert_eq!(lock(Work::Rewrite, Some(u64::MAX)).seconds(), Some(u64::MAX.div_ceil(100_000_000)));
    }

    #[test]
    fn who_is_in_front_is_said() {
        let check = |ahead: Option<(u64, Option<u64>)>, expect: Option<&str>| {
            let ahead = ahead.map(|(sessions, oldest_ms)| Ahead { sessions, oldest_ms });
            let lock = Lock { ahead, ..lock(Work::Instant, None) };
            assert_eq!(lock.ahead_in_words().as_deref(), expect);
        };
        check(None, None);
        check(Some((0, None)), None);
        let behind = "Whoever comes after it waits behind it.";
        check(
            Some((1, Some(720_000))),
            Some(&format!(
                "It has to wait for 1 session first; the oldest transaction had run for 12 min. {behind}"
            )),
        );
        check(
            Some((3, None)),
            Some(&format!(
                "It has to wait for 3 sessions first; how long they have run already is not known. {behind}"
            )),
        );
    }

    #[test]
    fn a_lock_that_became_worse_is_a_difference() {
        let facts = |locks: &[Lock]| Facts { locks: locks.to_vec(), ..Facts::default() };
        let check = |before: &[Lock], now: &[Lock], expect: &[&str]| {
            assert_eq!(facts(now).drift(&facts(before)), expect);
        };
        let rewrite = |bytes| lock(Work::Rewrite, Some(bytes));
        check(&[rewrite(GB)], &[rewrite(GB)], &[]);
        check(&[rewrite(GB)], &[], &[]);
        check(&[rewrite(GB)], &[rewrite(GB + GB / 10)], &[]);
        check(&[rewrite(GB)], &[rewrite(2 * GB)], &["2 GB of public.orders, not 1 GB"]);
        check(&[rewrite(0)], &[rewrite(16_000_000)], &[]);
        check(&[rewrite(u64::MAX)], &[rewrite(u64::MAX)], &[]);
        check(
            &[rewrite(GB)],
            &[lock(Work::Rewrite, None)],
            &["how large public.orders is is not known any more; it was 1 GB"],
        );
        // The size of what is not gone through does not matter, nor who is in front.
        check(&[lock(Work::Instant, Some(1))], &[lock(Work::Instant, Some(GB))], &[]);
        let ahead = Some(Ahead { sessions: 5, oldest_ms: None });
        check(&[rewrite(GB)], &[Lock { ahead, ..rewrite(GB) }], &[]);
        let worse = "public.orders is locked too, which blocks reads and writes of it";
        check(&[], &[rewrite(GB)], &[worse]);
        check(&[Lock { blocks: Blocks::Writes, ..rewrite(GB) }], &[rewrite(GB)], &[worse]);
        check(&[lock(Work::Instant, None)], &[rewrite(GB)], &[worse]);
        check(
            &[rewrite(GB)],
            &[Lock { identity: Some(8), ..rewrite(GB) }],
            &["public.orders was removed and made again"],
        );
    }
}
