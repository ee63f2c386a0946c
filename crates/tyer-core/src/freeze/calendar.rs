//! The calendar: freezes that come by themselves, once, every week or every year.
//!
//! A window of a week is `Fri 16:00 - Mon 08:00`, one of a year `12-24 00:00 - 01-02 08:00`: it ends when its second
//! day and time next come after its first. Each time that one comes is a freeze of its own.

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Time, Weekday};
use serde::{Deserialize, Serialize};

use super::{CALENDAR, Freeze, LocalTime, Scope, Zone};
use crate::intent::{FreezeId, Timestamp};

pub(crate) const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];
/// A year in which no day is missing but the one that is refused.
const ORDINARY: i16 = 2001;
/// How long what was found out of a calendar is good for at most.
const SPELL_MS: i64 = 24 * 60 * 60 * 1000;

/// The freezes that come by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    entries: Vec<Entry>,
}

/// One entry of the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What its freezes are called.
    pub name: String,
    /// Why.
    pub reason: String,
    /// What they cover.
    pub scope: Scope,
    /// On whose clocks.
    pub zone: Zone,
    /// When.
    pub windows: Vec<Window>,
}

/// When an entry freezes, on its zone's clocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Once(LocalTime, LocalTime),
    Weekly((Weekday, Time), (Weekday, Time)),
    Yearly((i8, i8, Time), (i8, i8, Time)),
}

/// Why a window is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWindow {
    /// It is neither of a week nor of a year.
    #[error("`{0}` is neither like `Fri 16:00 - Mon 08:00` nor like `12-24 00:00 - 01-02 08:00`")]
    Form(String),
    /// It would be nothing, or everything.
    #[error("`{0}` ends where it starts")]
    Empty(String),
    /// Most years do not have the day.
    #[error("`{0}` names February 29, which most years do not have")]
    LeapDay(String),
}

impl Window {
    /// One time only; nothing unless it ends after it starts.
    #[must_use]
    pub fn once(from: LocalTime, until: LocalTime) -> Option<Self> {
        (from < until).then_some(Self(Kind::Once(from, until)))
    }

    /// Reads `Fri 16:00 - Mon 08:00` or `12-24 00:00 - 01-02 08:00`.
    ///
    /// # Errors
    /// When it is written in any other way, ends where it starts, or names a day that most years lack.
    pub fn parse(text: &str) -> Result<Self, BadWindow> {
        let form = || BadWindow::Form(text.to_owned());
        let (from, until) = text.split_once(" - ").ok_or_else(form)?;
        if from == until {
            return Err(BadWindow::Empty(text.to_owned()));
        }
        if let (Some(from), Some(until)) = (weekly(from), weekly(until)) {
            return Ok(Self(Kind::Weekly(from, until)));
        }
        if [from, until].iter().any(|end| end.starts_with("02-29 ")) {
            return Err(BadWindow::LeapDay(text.to_owned()));
        }
        let (from, until) = (yearly(from).ok_or_else(form)?, yearly(until).ok_or_else(form)?);
        Ok(Self(Kind::Yearly(from, until)))
    }

    /// The times that it comes, of those that may touch these days.
    fn between(&self, first: Date, last: Date) -> Vec<(DateTime, DateTime)> {
        match &self.0 {
            Kind::Once(from, until) => vec![(from.0, until.0)],
            Kind::Weekly((day, from), (end_day, until)) => {
                let start = first.saturating_sub(8.days());
                start
                    .series(1.day())
                    .take_while(|date| *date <= last)
                    .filter(|date| date.weekday() == *day)
                    .map(|date| {
                        let days = i64::from(day.until(*end_day));
                        let end = date.saturating_add(days.days()).to_datetime(*until);
                        let start = date.to_datetime(*from);
                        (start, if end > start { end } else { end.saturating_add(7.days()) })
                    })
                    .collect()
            }
            Kind::Yearly(from, until) => (first.year().saturating_sub(1)..=last.year())
                .filter_map(|year| {
                    let start = dated(year, *from)?;
                    let end = dated(year, *until)?;
                    let end = if end > start { end } else { dated(year.checked_add(1)?, *until)? };
                    Some((start, end))
                })
                .collect(),
        }
    }
}

pub(crate) fn clock(text: &str) -> Option<Time> {
    let time = Time::strptime("%H:%M", text).ok()?;
    (time.strftime("%H:%M").to_string() == text).then_some(time)
}

fn weekly(text: &str) -> Option<(Weekday, Time)> {
    let (day, time) = text.split_once(' ')?;
    let (_, day) = DAYS.into_iter().find(|(name, _)| *name == day)?;
    Some((day, clock(time)?))
}

fn yearly(text: &str) -> Option<(i8, i8, Time)> {
    let (date, time) = text.split_once(' ')?;
    let whole = format!("{ORDINARY}-{date}");
    let date = Date::strptime("%Y-%m-%d", &whole).ok()?;
    (date.to_string() == whole).then_some((date.month(), date.day(), clock(time)?))
}

fn dated(year: i16, (month, day, time): (i8, i8, Time)) -> Option<DateTime> {
    Some(Date::new(year, month, day).ok()?.to_datetime(time))
}

impl TryFrom<String> for Window {
    type Error = BadWindow;

    fn try_from(text: String) -> Result<Self, BadWindow> {
        Self::parse(&text)
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        let weekly = |(day, time): (Weekday, Time)| {
            let name = DAYS.iter().find(|(_, known)| *known == day).map_or("", |(name, _)| name);
            format!("{name} {}", time.strftime("%H:%M"))
        };
        let yearly = |(month, day, time): (i8, i8, Time)| {
            format!("{month:02}-{day:02} {}", time.strftime("%H:%M"))
        };
        match window.0 {
            Kind::Once(from, until) => format!("{} - {}", Self::from(from), Self::from(until)),
            Kind::Weekly(from, until) => format!("{} - {}", weekly(from), weekly(until)),
            Kind::Yearly(from, until) => format!("{} - {}", yearly(from), yearly(until)),
        }
    }
}

/// What a calendar says of a stretch of time in which it says the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spell {
    /// The freezes that hold.
    pub freezes: Vec<Freeze>,
    since: Timestamp,
    until: Timestamp,
}

impl Spell {
    /// Whether it is about that moment.
    #[must_use]
    pub fn is_at(&self, now: Timestamp) -> bool {
        self.since <= now && now < self.until
    }
}

impl Calendar {
    /// The calendar of these entries.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// Whether nothing ever comes of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The freezes that hold at that moment, and how long that stays so.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Spell {
        let end = now.plus(SPELL_MS);
        let (freezes, later): (Vec<_>, Vec<_>) =
            self.within(now, end).into_iter().partition(|freeze| freeze.holds(now));
        let ends = freezes.iter().filter_map(|freeze| freeze.until);
        let starts = later.iter().map(|freeze| freeze.since);
        let until = ends.chain(starts).fold(end, Timestamp::min);
        Spell { freezes, since: now, until }
    }

    /// The freezes that hold at some moment from `from` on and before `until`, the first to start first.
    #[must_use]
    pub fn within(&self, from: Timestamp, until: Timestamp) -> Vec<Freeze> {
        let mut all: Vec<Freeze> =
            self.entries.iter().flat_map(|entry| entry.within(from, until)).collect();
        all.sort_by(|one, other| (one.since, &one.id).cmp(&(other.since, &other.id)));
        all
    }
}

impl Entry {
    fn within(&self, from: Timestamp, until: Timestamp) -> Vec<Freeze> {
        let Self { zone, .. } = self;
        // A day more on each side, whatever clocks do.
        let first = zone.civil(from).date().saturating_sub(1.day());
        let last = zone.civil(until).date().saturating_add(1.day());
        let mut times: Vec<(DateTime, DateTime)> =
            self.windows.iter().flat_map(|window| window.between(first, last)).collect();
        // Of those that start together the longest is meant.
        times.sort_by_key(|(start, end)| (*start, std::cmp::Reverse(*end)));
        times.dedup_by_key(|(start, _)| *start);
        let freezes = times.into_iter().map(|(start, end)| self.freeze(start, end));
        freezes.filter(|freeze| freeze.since < until && !freeze.is_past(from)).collect()
    }

    fn freeze(&self, start: DateTime, end: DateTime) -> Freeze {
        let start = LocalTime(start);
        Freeze {
            id: FreezeId::new(format!("{}@{}", self.name, String::from(start))),
            scope: self.scope.clone(),
            since: self.zone.start(start),
            until: Some(self.zone.end(LocalTime(end))),
            zone: Some(self.zone.name().to_owned()),
            by: CALENDAR.to_owned(),
            reason: self.reason.clone(),
        }
    }
}
