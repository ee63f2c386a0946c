//! When calendars freeze, in moments of UTC, and what freezes say.

use super::*;
use crate::intent::PersonId;

fn utc(text: &str) -> Timestamp {
    Zone::default().start(LocalTime::parse(text).expect(text))
}

fn entry(zone: &str, windows: Vec<Window>) -> Entry {
    Entry {
        name: "quiet".to_owned(),
        reason: "nobody is there".to_owned(),
        scope: Scope::Everything,
        zone: Zone::parse(zone).expect(zone),
        windows,
    }
}

fn every(zone: &str, windows: &[&str]) -> Calendar {
    let windows = windows.iter().map(|window| Window::parse(window).expect(window)).collect();
    Calendar::new(vec![entry(zone, windows)])
}

fn once(zone: &str, from: &str, until: &str) -> Calendar {
    let [from, until] = [from, until].map(|text| LocalTime::parse(text).expect(text));
    Calendar::new(vec![entry(zone, vec![Window::once(from, until).expect("a window")])])
}

/// The freezes between two moments, each as `start/end` in UTC.
fn between(calendar: &Calendar, from: &str, until: &str) -> String {
    let shown =
        |at: Timestamp| Zone::default().local(at).split_once(' ').expect("a day").1.replace(' ', "T");
    let freezes = calendar.within(utc(from), utc(until)).into_iter();
    let ends = |freeze: &Freeze| shown(freeze.until.expect("an end"));
    freezes
        .map(|freeze| format!("{}/{}", shown(freeze.since), ends(&freeze)))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_time_of_day_is_the_next_one() {
    let check = |zone: &str, now: &str, text: &str, expect: &str| {
        let zone = Zone::parse(zone).unwrap();
        let now = zone.start(LocalTime::parse(now).unwrap());
        let found = zone.moment(text, now).map_or_else(|error| error.to_string(), |at| zone.local(at));
        assert_eq!(found, expect, "{text}");
    };
    check("UTC", "2026-11-30T08:00", "09:00", "Mon 2026-11-30 09:00");
    check("UTC", "2026-11-30T09:00", "09:00", "Tue 2026-12-01 09:00");
    check("Asia/Tokyo", "2026-12-31T23:00", "00:30", "Fri 2027-01-01 00:30");
    // Clocks are set forth over it.
    check("Europe/Berlin", "2026-03-28T23:00", "02:30", "Sun 2026-03-29 01:30");
    check("UTC", "2026-11-30T08:00", "2026-12-24T18:00", "Thu 2026-12-24 18:00");
    for wrong in ["9", "24:00", "09:00:00", "09:00Z", "", "tomorrow"] {
        let expect = format!("`{wrong}` is not a day and a time, such as `2026-12-20T18:00`");
        check("UTC", "2026-11-30T08:00", wrong, &expect);
    }
}

#[test]
fn weeks() {
    let check = |window: &str, from: &str, until: &str, expect: &str| {
        assert_eq!(between(&every("UTC", &[window]), from, until), expect, "{window} {from} {until}");
    };
    let weekend = "Fri 16:00 - Mon 08:00";
    let came = "2026-11-27T16:00/2026-11-30T08:00";
    check(weekend, "2026-11-27T15:59", "2026-11-27T16:00", "");
    check(weekend, "2026-11-27T16:00", "2026-11-27T16:01", came);
    check(weekend, "2026-11-29T00:00", "2026-11-29T00:01", came);
    check(weekend, "2026-11-30T07:59", "2026-11-30T08:00", came);
    check(weekend, "2026-11-30T08:00", "2026-11-30T08:01", "");
    check(
        weekend,
        "2026-11-26T00:00",
        "2026-12-05T00:00",
        &format!("{came} 2026-12-04T16:00/2026-12-07T08:00"),
    );
    check(
        "Mon 09:00 - Mon 17:00",
        "2026-11-30T00:00",
        "2026-12-01T00:00",
        "2026-11-30T09:00/2026-11-30T17:00",
    );
    // Until the same day of the next week.
    check(
        "Mon 17:00 - Mon 09:00",
        "2026-12-01T00:00",
        "2026-12-01T00:01",
        "2026-11-30T17:00/2026-12-07T09:00",
    );
    check(
        "Sun 23:00 - Mon 01:00",
        "2026-12-31T00:00",
        "2027-01-04T02:00",
        "2027-01-03T23:00/2027-01-04T01:00",
    );
}

#[test]
fn years() {
    let check = |window: &str, from: &str, until: &str, expect: &str| {
        assert_eq!(between(&every("UTC", &[window]), from, until), expect, "{window} {from} {until}");
    };
    let turn = "12-24 00:00 - 01-02 08:00";
    check(turn, "2026-12-23T23:59", "2026-12-24T00:00", "");
    check(turn, "2026-12-31T00:00", "2026-12-31T00:01", "2026-12-24T00:00/2027-01-02T08:00");
    check(turn, "2027-01-02T07:59", "2027-01-02T08:00", "2026-12-24T00:00/2027-01-02T08:00");
    check(turn, "2027-01-02T08:00", "2027-12-23T00:00", "");
    check(
        "07-04 00:00 - 07-05 00:00",
        "2028-01-01T00:00",
        "2029-01-01T00:00",
        "2028-07-04T00:00/2028-07-05T00:00",
    );
    check(
        "02-28 00:00 - 03-01 00:00",
        "2028-02-29T12:00",
        "2028-02-29T12:01",
        "2028-02-28T00:00/2028-03-01T00:00",
    );
}

#[test]
fn clocks_that_are_set_never_shorten_a_freeze() {
    let check = |window: &str, from: &str, until: &str, expect: &str| {
        assert_eq!(between(&every("Europe/Berlin", &[window]), from, until), expect, "{window}");
    };
    // Forth on 2026-03-29: from 02:00, which is 01:00 UTC, to 03:00. 02:30 is left out.
    check(
        "Sun 02:30 - Sun 12:00",
        "2026-03-29T00:00",
        "2026-03-29T23:00",
        "2026-03-29T00:30/2026-03-29T10:00",
    );
    check(
        "Sat 12:00 - Sun 02:30",
        "2026-03-29T00:00",
        "2026-03-29T23:00",
        "2026-03-28T11:00/2026-03-29T01:30",
    );
    check(
        "Sun 02:10 - Sun 02:20",
        "2026-03-29T00:00",
        "2026-03-29T23:00",
        "2026-03-29T00:10/2026-03-29T01:20",
    );
    // Back on 2026-10-25: from 03:00, which is 01:00 UTC, to 02:00. 02:30 comes twice.
    check(
        "Sun 02:30 - Sun 12:00",
        "2026-10-25T00:00",
        "2026-10-25T23:00",
        "2026-10-25T00:30/2026-10-25T11:00",
    );
    check(
        "Sat 12:00 - Sun 02:30",
        "2026-10-25T00:00",
        "2026-10-25T23:00",
        "2026-10-24T10:00/2026-10-25T01:30",
    );
    // Over both, by the clock: an hour longer, or shorter, than it looks.
    check(
        "Fri 16:00 - Mon 08:00",
        "2026-10-24T00:00",
        "2026-10-26T00:00",
        "2026-10-23T14:00/2026-10-26T07:00",
    );
    check(
        "Fri 16:00 - Mon 08:00",
        "2026-03-28T00:00",
        "2026-03-29T00:00",
        "2026-03-27T15:00/2026-03-30T06:00",
    );
    // In summer and in winter the same local time is another moment.
    let once = |month: &str| {
        let (from, until) = (format!("2026-{month}-01T18:00"), format!("2026-{month}-02T08:00"));
        between(&once("America/New_York", &from, &until), "2026-01-01T00:00", "2027-01-01T00:00")
    };
    assert_eq!(once("07"), "2026-07-01T22:00/2026-07-02T12:00");
    assert_eq!(once("12"), "2026-12-01T23:00/2026-12-02T13:00");
    // A day that a zone left out: Samoa went from 2011-12-29 to 2011-12-31.
    let samoa = every("Pacific/Apia", &["12-30 00:00 - 12-30 12:00"]);
    let came = between(&samoa, "2011-12-29T00:00", "2012-01-02T00:00");
    assert_eq!(came, "2011-12-29T10:00/2011-12-30T22:00");
}

#[test]
fn of_what_starts_together_the_longest_is_meant() {
    let calendar =
        every("UTC", &["Fri 16:00 - Sat 08:00", "Fri 16:00 - Mon 08:00", "11-27 16:00 - 11-27 17:00"]);
    let came = between(&calendar, "2026-11-27T00:00", "2026-11-28T00:00");
    assert_eq!(came, "2026-11-27T16:00/2026-11-30T08:00");
    let overlapping = every("UTC", &["Fri 16:00 - Mon 08:00", "Sat 00:00 - Sat 01:00"]);
    assert_eq!(overlapping.at(utc("2026-11-28T00:30")).freezes.len(), 2);
}

/// Whatever a spell says of its moments is what the calendar says of each of them.
#[test]
fn a_spell_ends_where_the_calendar_says_something_else() {
    let calendar = every(
        "Europe/Berlin",
        &["Fri 16:00 - Mon 08:00", "Sun 02:30 - Sun 02:45", "10-25 01:00 - 10-26 09:00"],
    );
    for day in ["2026-10-23T00:00", "2026-03-27T00:00"] {
        let (mut now, mut spell, mut spells) = (utc(day), calendar.at(utc(day)), 0);
        for _ in 0..(5 * 24 * 12) {
            let truly = calendar.at(now).freezes;
            if !spell.is_at(now) {
                (spell, spells) = (calendar.at(now), spells + 1);
            }
            assert_eq!(spell.freezes, truly, "{now:?}");
            now = now.plus(5 * 60 * 1000);
        }
        assert!((5..20).contains(&spells), "{spells}");
    }
    let empty = Calendar::default();
    assert!(empty.is_empty() && empty.at(utc("2026-10-23T00:00")).freezes.is_empty());
}

#[test]
fn windows_zones_and_times_are_written_one_way() {
    let good = |text: &str| assert_eq!(String::from(Window::parse(text).expect(text)), text);
    good("Fri 16:00 - Mon 08:00");
    good("12-24 00:00 - 01-02 08:00");
    let bad = |text: &str, expect: &str| {
        let error = Window::parse(text).expect_err(text).to_string();
        assert!(error.contains(expect), "{text}: {error}");
    };
    let form = "neither like";
    for text in [
        "",
        "Fri 16:00",
        "Fri 16:00-Mon 08:00",
        "fri 16:00 - Mon 08:00",
        "Friday 16:00 - Mon 08:00",
        "Fri 24:00 - Mon 08:00",
        "Fri 16:60 - Mon 08:00",
        "Fri 6:00 - Mon 08:00",
        "Fri 16:00 - 01-02 08:00",
        "12-32 00:00 - 01-02 08:00",
        "1-2 00:00 - 01-03 08:00",
        "2026-12-24 00:00 - 01-02 08:00",
        "Fri 16:00 - Mon 08:00 - Tue 08:00",
        "Fri 16:00:00 - Mon 08:00",
    ] {
        bad(text, form);
    }
    bad("Fri 16:00 - Fri 16:00", "ends where it starts");
    bad("02-29 00:00 - 03-01 00:00", "February 29");
    bad("02-28 00:00 - 02-29 00:00", "February 29");
    let local = |text: &str| LocalTime::parse(text).is_ok();
    assert!(local("2026-12-20T18:00") && local("2028-02-29T00:00"));
    for text in [
        "2026-12-20",
        "2026-12-20 18:00",
        "2026-12-20T18:00Z",
        "2026-02-29T00:00",
        "2026-1-2T18:00",
        "",
    ] {
        assert!(!local(text), "{text}");
    }
    let zone = |name: &str| Zone::parse(name).map(|zone| zone.name().to_owned()).ok();
    assert_eq!(zone("Europe/Berlin").as_deref(), Some("Europe/Berlin"));
    assert_eq!(zone("utc").as_deref(), Some("UTC"));
    for name in ["", "Berlin", "Europe/Berlin ", "../../etc/passwd", "/etc/localtime", "+02:00"] {
        assert_eq!(zone(name), None, "{name}");
    }
    let [one, other] =
        ["2026-12-20T18:00", "2026-12-20T18:01"].map(|text| LocalTime::parse(text).expect(text));
    assert!(Window::once(one, other).is_some() && Window::once(one, one).is_none());
    assert!(Window::once(other, one).is_none());
}

#[test]
fn scopes_cover() {
    let check = |scope: Scope, environment: &str, upstream: &str, expect: bool| {
        let (environment, upstream) = (Environment::new(environment), Upstream::new(upstream));
        assert_eq!(
            scope.covers(&environment, &upstream),
            expect,
            "{scope:?}: {environment} {upstream}"
        );
    };
    let environment = |name: &str| Scope::Environment(Environment::new(name));
    check(Scope::Everything, "staging", "orders", true);
    check(environment("staging"), "staging", "orders", true);
    check(environment("staging"), "production", "orders", false);
    // What nobody declared to be something else is production.
    check(environment("production"), "live", "orders", true);
    check(environment("production"), "staging", "orders", false);
    check(environment("live"), "production", "orders", false);
    check(Scope::Upstream(Upstream::new("orders")), "staging", "orders", true);
    check(Scope::Upstream(Upstream::new("orders")), "staging", "orders2", false);
}

#[test]
fn a_freeze_holds_from_its_start_until_its_end() {
    let freeze =
        Freeze { until: Some(Timestamp(20)), ..Freeze::of_everything(Timestamp(10), "alice", "why") };
    let holds = [9, 10, 19, 20].map(|now| freeze.holds(Timestamp(now)));
    assert_eq!(holds, [false, true, true, false]);
    let endless = Freeze { until: None, ..freeze };
    assert!(endless.holds(Timestamp(i64::MAX)) && !endless.is_past(Timestamp(i64::MAX)));
}

#[test]
fn what_is_signed_is_all_that_a_freeze_says() {
    let freeze = Freeze::of_everything(Timestamp(10), "alice", "why");
    let other = |change: fn(&mut Freeze)| {
        let mut other = freeze.clone();
        change(&mut other);
        assert_ne!(other.ending(), freeze.ending(), "{other:?}");
        assert_ne!(other.digest(), freeze.digest(), "{other:?}");
    };
    other(|it| it.id = FreezeId::new("F-1"));
    other(|it| it.scope = Scope::Upstream(Upstream::new("orders")));
    other(|it| it.since = Timestamp(11));
    other(|it| it.until = Some(Timestamp(12)));
    other(|it| it.zone = Some("UTC".to_owned()));
    other(|it| it.by = "bob".to_owned());
    other(|it| it.reason = "because".to_owned());
}

#[test]
fn what_the_refused_read() {
    let check = |freeze: &Freeze, expect: &str| assert_eq!(freeze.in_words(), expect);
    let freeze = Freeze::of_everything(Timestamp(10), PersonId::new("alice").as_str(), "the launch");
    check(&freeze, "changes to everything are frozen until people end it (F-10, by alice): the launch");
    let weekend = Calendar::new(vec![Entry {
        name: "weekends".to_owned(),
        scope: Scope::Environment(Environment::production()),
        ..entry("Europe/Berlin", vec![Window::parse("Fri 16:00 - Mon 08:00").expect("a window")])
    }]);
    let [freeze] = <[Freeze; 1]>::try_from(weekend.at(utc("2026-11-28T00:00")).freezes).expect("one");
    assert!(freeze.is_of_calendar());
    check(
        &freeze,
        "changes to everything in production are frozen until Mon 2026-11-30 08:00 (Europe/Berlin) \
         (weekends@2026-11-27T16:00, by calendar): nobody is there",
    );
    assert_eq!(freeze.since_in_words(), "Fri 2026-11-27 16:00 (Europe/Berlin)");
    // Nobody reads a wrong end where the zone is not known.
    let nowhere = Freeze { zone: Some("Nowhere".to_owned()), ..freeze };
    assert_eq!(nowhere.until_in_words().as_deref(), Some("Mon 2026-11-30 07:00 (UTC)"));
}

#[test]
fn two_people_end_a_freeze_where_there_are_two() {
    assert_eq!([0, 1, 2, 3, 9].map(enders), [1, 1, 2, 2, 2]);
}
