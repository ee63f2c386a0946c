//! The one place that asks for the time; everything else is given it.
//!
//! A machine's clock can be set while the program runs. Time here never goes back and never runs slower
//! than a clock that nobody can set. A step forth counts at once, so that what ends by time ends early
//! rather than late. A step back does not count: nothing lives longer for it, and leaves stay in order.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tyer_core::intent::Timestamp;

/// What steady time counts from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);
/// How far the furthest reading of the machine's clock was ahead of steady time, in milliseconds.
static AHEAD: AtomicI64 = AtomicI64::new(i64::MIN);

/// Milliseconds since the epoch: by the machine's clock, except after it was set back.
pub(crate) fn now() -> Timestamp {
    // In this order: a pause between the two readings must not push time ahead for good.
    let machine = machine();
    Timestamp(read(&AHEAD, machine, steady()))
}

/// Time goes on from this moment even if the machine's clock stands before it. Returns by how many
/// milliseconds it does.
pub(crate) fn not_before(at: Timestamp) -> i64 {
    let behind = behind(at);
    AHEAD.fetch_max(at.0.saturating_sub(steady()), Ordering::Relaxed);
    behind
}

/// By how many milliseconds the machine's clock stands before a moment; 0 if it does not.
pub(crate) fn behind(at: Timestamp) -> i64 {
    at.0.saturating_sub(machine()).max(0)
}

fn machine() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn steady() -> i64 {
    i64::try_from(START.elapsed().as_millis()).unwrap_or(i64::MAX)
}

fn read(ahead: &AtomicI64, machine: i64, steady: i64) -> i64 {
    let seen = machine.saturating_sub(steady);
    steady.saturating_add(ahead.fetch_max(seen, Ordering::Relaxed).max(seen))
}

/// Waits for a moment; for ever if there is none.
pub(crate) async fn reaches(at: Option<Timestamp>) {
    let Some(at) = at else { return std::future::pending().await };
    let left = u64::try_from(at.0.saturating_sub(now().0)).unwrap_or(0);
    tokio::time::sleep(Duration::from_millis(left)).await;
}

/// The moment as people read it, in UTC: `2026-11-23 14:05:09Z`.
pub(crate) fn civil(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map_or_else(|_| at.0.to_string(), |moment| moment.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Readings of the machine's clock and of steady time, and the time that comes of each.
    fn check(readings: &[(i64, i64, i64)]) {
        let ahead = AtomicI64::new(i64::MIN);
        for (machine, steady, expected) in readings {
            assert_eq!(read(&ahead, *machine, *steady), *expected, "{readings:?}");
        }
    }

    #[test]
    fn time_follows_steps_forth_and_ignores_steps_back() {
        check(&[(1_000, 0, 1_000), (1_500, 500, 1_500)]);
        // An hour back: time goes on as if nothing had happened.
        check(&[(5_000_000, 0, 5_000_000), (1_400_100, 100, 5_000_100), (1_401_000, 1_000, 5_001_000)]);
        // An hour forth counts at once, and stays when the clock is set right again.
        check(&[(0, 0, 0), (3_600_100, 100, 3_600_100), (200, 200, 3_600_200)]);
        // A pause between the two readings changes nothing later.
        check(&[(1_000, 0, 1_000), (1_100, 600, 1_600), (1_700, 700, 1_700)]);
    }
}
