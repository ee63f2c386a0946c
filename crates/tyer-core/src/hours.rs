//! Working hours: when somebody is at work, on the clocks of where they are.
//!
//! What clocks show is what counts, so that a time that they show twice is within the hours twice, and a time that they
//! leave out never is. A window that ends before it starts ends on the next day.

use jiff::ToSpan as _;
use jiff::civil::{DateTime, Time};
use serde::{Deserialize, Serialize};

use crate::freeze::calendar::{DAYS, clock};
use crate::freeze::{LocalTime, Zone};
use crate::intent::{Digest, PersonId, Timestamp};
use crate::limits::SHIFTS_MAX;
use crate::record::canonical;

/// What the names of parts of the configuration begin with that say when somebody works.
pub const PERSON_PART: &str = "person ";

/// How far the next window is looked for: clocks leave out no time of the day in two weeks running.
const DAYS_AHEAD: i64 = 15;

/// When somebody works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// On whose clocks.
    zone: Zone,
    /// When.
    hours: Vec<Shift>,
}

/// Days of the week and times of the day: `Mon-Fri 09:00-17:00`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shift {
    /// From Monday on.
    days: (usize, usize),
    from: Time,
    until: Time,
}

/// Why working hours are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHours {
    /// It is written in another way.
    #[error("`{0}` is not like `Mon-Fri 09:00-17:00` or `Sat 10:00-12:00`")]
    Form(String),
    /// It would be nothing, or everything.
    #[error("`{0}` ends where it starts")]
    Empty(String),
    /// None, or too many.
    #[error("give one to {SHIFTS_MAX} windows such as `Mon-Fri 09:00-17:00`")]
    Count,
}

impl Hours {
    /// The hours of those windows.
    ///
    /// # Errors
    /// When there are none, or too many.
    pub fn new(zone: Zone, hours: Vec<Shift>) -> Result<Self, BadHours> {
        let is_some = (1..=SHIFTS_MAX).contains(&hours.len());
        if is_some { Ok(Self { zone, hours }) } else { Err(BadHours::Count) }
    }

    /// Whether they are at work then.
    #[must_use]
    pub fn hold(&self, at: Timestamp) -> bool {
        let local = self.zone.civil(at);
        self.hours.iter().any(|shift| shift.holds(local))
    }

    /// When they are at work next: then, or when the next window starts; nothing if clocks leave all of them out.
    #[must_use]
    pub fn next(&self, at: Timestamp) -> Option<Timestamp> {
        if self.hold(at) {
            return Some(at);
        }
        let today = self.zone.civil(at).date();
        let days = (-1..=DAYS_AHEAD).map(|days| today.saturating_add(days.days()));
        let starts = days.flat_map(|date| {
            self.hours.iter().map(move |shift| self.zone.start(LocalTime(date.to_datetime(shift.from))))
        });
        starts.filter(|start| *start > at && self.hold(*start)).min()
    }

    /// The digest of the part of the configuration that says so.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&canonical(&serde_json::json!(self)))
    }
}

/// The name of the part that says when that person works.
#[must_use]
pub fn person_part(person: &PersonId) -> String {
    format!("{PERSON_PART}{person}")
}

impl Shift {
    /// Reads `Mon-Fri 09:00-17:00` or `Sat 10:00-12:00`.
    ///
    /// # Errors
    /// When it is written in any other way, or ends where it starts.
    pub fn parse(text: &str) -> Result<Self, BadHours> {
        let form = || BadHours::Form(text.to_owned());
        let (days, times) = text.split_once(' ').ok_or_else(form)?;
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let (from, until) = times.split_once('-').ok_or_else(form)?;
        let day = |name: &str| DAYS.iter().position(|(known, _)| *known == name).ok_or_else(form);
        let time = |text: &str| clock(text).ok_or_else(form);
        let shift = Self { days: (day(first)?, day(last)?), from: time(from)?, until: time(until)? };
        // One canonical form: a single day is named once.
        if String::from(shift.clone()) != text {
            return Err(form());
        }
        if shift.from == shift.until { Err(BadHours::Empty(text.to_owned())) } else { Ok(shift) }
    }

    fn holds(&self, local: DateTime) -> bool {
        let (time, day) = (local.time(), weekday(local));
        let before = day.checked_sub(1).unwrap_or(DAYS.len() - 1);
        if self.from < self.until {
            return self.is_on(day) && self.from <= time && time < self.until;
        }
        (self.is_on(day) && time >= self.from) || (self.is_on(before) && time < self.until)
    }

    /// Whether a window starts on that day.
    fn is_on(&self, day: usize) -> bool {
        let (first, last) = self.days;
        if first <= last { (first..=last).contains(&day) } else { day >= first || day <= last }
    }
}

fn weekday(local: DateTime) -> usize {
    DAYS.iter().position(|(_, day)| *day == local.weekday()).unwrap_or(0)
}

impl TryFrom<String> for Shift {
    type Error = BadHours;

    fn try_from(text: String) -> Result<Self, BadHours> {
        Self::parse(&text)
    }
}

impl From<Shift> for String {
    fn from(shift: Shift) -> Self {
        let name = |day: usize| DAYS.get(day).map_or("", |(name, _)| *name);
        let (first, last) = shift.days;
        let days = match first == last {
            true => name(first).to_owned(),
            false => format!("{}-{}", name(first), name(last)),
        };
        format!("{days} {}-{}", shift.from.strftime("%H:%M"), shift.until.strftime("%H:%M"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(zone: &str, shifts: &[&str]) -> Hours {
        let shifts = shifts.iter().map(|text| Shift::parse(text).expect("a window")).collect();
        Hours::new(Zone::parse(zone).expect("a zone"), shifts).expect("hours")
    }

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().expect("a moment").as_millisecond())
    }

    #[test]
    fn the_clocks_there_count() {
        let check = |zone: &str, shifts: &[&str], moment: &str, expect: bool| {
            assert_eq!(hours(zone, shifts).hold(at(moment)), expect, "{zone} {shifts:?} {moment}");
        };
        let week = &["Mon-Fri 09:00-17:00"][..];
        // 2026-11-27 is a Friday; Berlin is an hour ahead then.
        check("Europe/Berlin", week, "2026-11-27T07:59:59Z", false);
        check("Europe/Berlin", week, "2026-11-27T08:00:00Z", true);
        check("Europe/Berlin", week, "2026-11-27T15:59:59Z", true);
        check("Europe/Berlin", week, "2026-11-27T16:00:00Z", false);
        check("Europe/Berlin", week, "2026-11-28T10:00:00Z", false);
        check("Europe/Berlin", week, "2026-07-24T07:00:00Z", true);
        check("America/New_York", week, "2026-11-27T15:59:59Z", true);
        check("Asia/Tokyo", week, "2026-11-29T23:59:59Z", false);
        check("Asia/Tokyo", week, "2026-11-30T00:00:00Z", true);
        check("UTC", &["Sat 10:00-12:00", "Sun 10:00-12:00"], "2026-11-29T11:00:00Z", true);
        // Over the end of a day, and of a week.
        let nights = &["Fri-Sun 22:00-06:00"][..];
        check("UTC", nights, "2026-11-27T05:00:00Z", false);
        check("UTC", nights, "2026-11-27T22:00:00Z", true);
        check("UTC", nights, "2026-11-28T05:59:59Z", true);
        check("UTC", nights, "2026-11-30T05:59:59Z", true);
        check("UTC", nights, "2026-11-30T06:00:00Z", false);
        check("UTC", nights, "2026-11-30T22:00:00Z", false);
        check("UTC", &["Sat-Mon 08:00-09:00"], "2026-11-30T08:30:00Z", true);
        check("UTC", &["Sat-Mon 08:00-09:00"], "2026-11-27T08:30:00Z", false);
        // Clocks are set back at three in Berlin and show half past two twice; forth, they leave it out.
        let odd = &["Sun 02:00-03:00"][..];
        check("Europe/Berlin", odd, "2026-10-25T00:30:00Z", true);
        check("Europe/Berlin", odd, "2026-10-25T01:30:00Z", true);
        check("Europe/Berlin", odd, "2026-10-25T02:30:00Z", false);
        check("Europe/Berlin", odd, "2026-03-29T00:59:59Z", false);
        check("Europe/Berlin", odd, "2026-03-29T01:00:00Z", false);
    }

    #[test]
    fn when_they_are_there_next() {
        let check = |shifts: &[&str], moment: &str, expect: &str| {
            let next = hours("Europe/Berlin", shifts).next(at(moment)).expect("some day");
            assert_eq!(next, at(expect), "{shifts:?} {moment}");
        };
        let week = &["Mon-Fri 09:00-17:00"][..];
        check(week, "2026-11-27T10:00:00Z", "2026-11-27T10:00:00Z");
        check(week, "2026-11-27T16:00:00Z", "2026-11-30T08:00:00Z");
        check(week, "2026-11-30T07:00:00Z", "2026-11-30T08:00:00Z");
        check(&["Wed 09:00-10:00", "Tue 20:00-02:00"], "2026-11-27T16:00:00Z", "2026-12-01T19:00:00Z");
        check(&["Fri 09:00-10:00"], "2026-11-27T09:00:00Z", "2026-12-04T08:00:00Z");
        // The hour that clocks leave out is none of theirs.
        check(&["Sun 02:00-03:00"], "2026-03-28T12:00:00Z", "2026-04-05T00:00:00Z");
    }

    #[test]
    fn there_is_one_way_to_write_them() {
        for good in ["Mon-Fri 09:00-17:00", "Sat 10:00-12:00", "Fri-Mon 22:00-06:00"] {
            assert_eq!(String::from(Shift::parse(good).expect(good)), good);
        }
        let check = |text: &str, expect: &str| {
            assert!(Shift::parse(text).expect_err(text).to_string().contains(expect), "{text}");
        };
        for bad in [
            "",
            "Mon",
            "Mon 9:00-17:00",
            "Mon-Fri 09:00",
            "Mon–Fri 09:00-17:00",
            "Mon-Mon 09:00-17:00",
            "mon-fri 09:00-17:00",
            "Mon-Fri 09:00-24:00",
            "Mon-Fri  09:00-17:00",
            "Mon-Fri 09:00 - 17:00",
        ] {
            check(bad, "is not like");
        }
        check("Mon-Fri 09:00-09:00", "ends where it starts");
        let zone = Zone::parse("UTC").expect("a zone");
        assert_eq!(Hours::new(zone.clone(), Vec::new()), Err(BadHours::Count));
        let many = vec![Shift::parse("Mon 09:00-10:00").expect("a window"); SHIFTS_MAX + 1];
        assert_eq!(Hours::new(zone, many), Err(BadHours::Count));
    }
}
