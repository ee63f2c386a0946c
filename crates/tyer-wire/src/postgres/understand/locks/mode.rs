//! The modes of locks on tables, what each keeps off, and what each has to wait for ("Table-Level Locks" under "Explicit
//! Locking" in the PostgreSQL documentation).

use tyer_core::locks::Blocks;

/// The modes of locks on tables, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// What reading takes.
    AccessShare,
    /// What locking rows takes.
    RowShare,
    /// What writing takes.
    RowExclusive,
    /// Keeps off upkeep and changes of the definition.
    ShareUpdateExclusive,
    /// Keeps off writes.
    Share,
    /// Keeps off writes, and others of its kind.
    ShareRowExclusive,
    /// Keeps off all but reads.
    Exclusive,
    /// Keeps off everything.
    AccessExclusive,
}

impl Mode {
    /// All of them, the weakest first: the server counts them from one.
    pub const ALL: [Self; 8] = [
        Self::AccessShare,
        Self::RowShare,
        Self::RowExclusive,
        Self::ShareUpdateExclusive,
        Self::Share,
        Self::ShareRowExclusive,
        Self::Exclusive,
        Self::AccessExclusive,
    ];

    /// The words of `LOCK TABLE`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// The word of `pg_locks`.
    #[must_use]
    pub fn in_pg_locks(self) -> &'static str {
        match self {
            Self::AccessShare => "AccessShareLock",
            Self::RowShare => "RowShareLock",
            Self::RowExclusive => "RowExclusiveLock",
            Self::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            Self::Share => "ShareLock",
            Self::ShareRowExclusive => "ShareRowExclusiveLock",
            Self::Exclusive => "ExclusiveLock",
            Self::AccessExclusive => "AccessExclusiveLock",
        }
    }

    /// Which it has to wait for ("Table 13.2. Conflicting Lock Modes").
    #[must_use]
    pub fn conflicts(self) -> &'static [Self] {
        let all = const { &Self::ALL };
        let from = |first: usize| all.get(first..).unwrap_or_default();
        match self {
            Self::AccessShare => from(7),
            Self::RowShare => from(6),
            Self::RowExclusive => from(4),
            Self::ShareUpdateExclusive => from(3),
            Self::Share => &[
                Self::RowExclusive,
                Self::ShareUpdateExclusive,
                Self::ShareRowExclusive,
                Self::Exclusive,
                Self::AccessExclusive,
            ],
            Self::ShareRowExclusive => from(2),
            Self::Exclusive => from(1),
            Self::AccessExclusive => all,
        }
    }

    /// What others cannot do meanwhile.
    #[must_use]
    pub fn blocks(self) -> Blocks {
        match self {
            Self::AccessExclusive => Blocks::ReadsAndWrites,
            Self::Share | Self::ShareRowExclusive | Self::Exclusive => Blocks::Writes,
            Self::AccessShare | Self::RowShare | Self::RowExclusive | Self::ShareUpdateExclusive => {
                Blocks::Definitions
            }
        }
    }
}
