//! Freezes: while one holds, nothing that it covers is changed, whoever asks.
//!
//! A freeze is started by anybody, or comes from the calendar of the configuration. It ends at its end, or
//! early by two people who have signed over exactly this freeze; until the second has, it goes on.

pub(crate) mod calendar;
mod zone;

use serde::{Deserialize, Serialize};

pub use self::calendar::{BadWindow, Calendar, Entry, Spell, Window};
pub use self::zone::{BadLocalTime, BadZone, LocalTime, Zone};
use crate::intent::{Digest, Environment, FreezeId, Timestamp, Upstream};
use crate::policy::counts_as_production;
use crate::record::canonical;
use crate::statement::Decision;

/// The people who have to sign to end a freeze early, once there are as many.
const ENDERS: usize = 2;
/// By whom a freeze of the calendar is.
const CALENDAR: &str = "calendar";

/// What a freeze covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All there is.
    Everything,
    /// What stands there. `production` covers all that counts as production.
    Environment(Environment),
    /// One upstream.
    Upstream(Upstream),
}

impl Scope {
    /// Whether it covers an upstream that stands there.
    #[must_use]
    pub fn covers(&self, environment: &Environment, upstream: &Upstream) -> bool {
        match self {
            Self::Everything => true,
            Self::Environment(covered) => {
                let production = *covered == Environment::production();
                covered == environment || (production && counts_as_production(environment))
            }
            Self::Upstream(covered) => covered == upstream,
        }
    }

    /// `everything`, `everything in production`, `upstream orders`.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Everything => "everything".to_owned(),
            Self::Environment(environment) => format!("everything in {environment}"),
            Self::Upstream(upstream) => format!("upstream {upstream}"),
        }
    }
}

/// One freeze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Which.
    pub id: FreezeId,
    /// What it covers.
    pub scope: Scope,
    /// From when.
    pub since: Timestamp,
    /// Until when by itself; without, until people end it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The time zone in which its end was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// A person, `operator` for the local command line, or `calendar`.
    pub by: String,
    /// Why, for everybody to read.
    pub reason: String,
}

impl Freeze {
    /// A freeze as they were recorded when there was one at a time, of everything and without an end.
    #[must_use]
    pub fn of_everything(since: Timestamp, by: &str, reason: &str) -> Self {
        Self {
            id: FreezeId::new(format!("F-{}", since.0)),
            scope: Scope::Everything,
            since,
            until: None,
            zone: None,
            by: by.to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// Whether it holds at a moment, unless it was ended early.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.since <= now && !self.is_past(now)
    }

    /// Whether its end has come.
    #[must_use]
    pub fn is_past(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether the calendar started it.
    #[must_use]
    pub fn is_of_calendar(&self) -> bool {
        self.by == CALENDAR
    }

    /// The identity of all that it says.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let value = serde_json::to_value(self).unwrap_or(serde_json::Value::Null);
        Digest::of_parts(&[b"tyer/freeze/v1", &canonical(&value)])
    }

    /// What people sign to end it early.
    #[must_use]
    pub fn ending(&self) -> Decision {
        Decision::EndFreeze { freeze: self.id.clone(), digest: self.digest() }
    }

    /// Its end as people there read it: `Mon 2026-11-30 08:00 (Europe/Berlin)`.
    #[must_use]
    pub fn until_in_words(&self) -> Option<String> {
        self.until.map(|until| self.local(until))
    }

    /// Its start as people there read it.
    #[must_use]
    pub fn since_in_words(&self) -> String {
        self.local(self.since)
    }

    fn local(&self, at: Timestamp) -> String {
        // A zone that is not known any more hides nothing.
        let zone = self.zone.as_deref().and_then(|name| Zone::parse(name).ok()).unwrap_or_default();
        format!("{} ({})", zone.local(at), zone.name())
    }

    /// What whoever is refused reads: what is frozen, until when, and why.
    #[must_use]
    pub fn in_words(&self) -> String {
        let until = match self.until_in_words() {
            Some(until) => format!("until {until}"),
            None => "until people end it".to_owned(),
        };
        let Self { id, by, reason, .. } = self;
        format!("changes to {} are frozen {until} ({id}, by {by}): {reason}", self.scope.in_words())
    }
}

/// How many different people must sign to end a freeze early, of so many whom others have confirmed.
#[must_use]
pub fn enders(confirmed: usize) -> usize {
    confirmed.clamp(1, ENDERS)
}

#[cfg(test)]
mod tests;
