//! The one place that asks for the time; everything else is given it.

use std::time::{SystemTime, UNIX_EPOCH};

use tyer_core::intent::Timestamp;

/// Milliseconds since the epoch, by the machine's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The moment as people read it, in UTC: `2026-11-23 14:05:09Z`.
pub(crate) fn civil(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map_or_else(|_| at.0.to_string(), |moment| moment.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}
