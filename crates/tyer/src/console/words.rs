//! Numbers and times as people read them.

use maud::{Markup, html};
use tyer_core::intent::Timestamp;

use super::escape::Line;
use crate::api::bodies::Moment;
use crate::clock;

/// `1,204,331`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `one row`, `2 rows`.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {many}", count(number)) }
}

/// `1.4 GB`.
pub(super) fn bytes(number: u64) -> String {
    let mut scaled = number;
    let mut tenths = 0;
    for unit in ["bytes", "kB", "MB", "GB", "TB"] {
        if scaled < 1_000 || unit == "TB" {
            return match tenths {
                0 => format!("{} {unit}", count(scaled)),
                _ => format!("{}.{tenths} {unit}", count(scaled)),
            };
        }
        tenths = scaled % 1_000 / 100;
        scaled /= 1_000;
    }
    count(number)
}

/// `2 h 05 min`, `14 min`, `40 s`; at least zero.
pub(super) fn duration(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes:02} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// `3 min ago`, kept up to date by the script.
pub(super) fn ago(at: Moment, now: Timestamp) -> Markup {
    html! {
        time datetime=(clock::civil(at.0)) title=(clock::civil(at.0)) data-since=(at.0.0) {
            (duration(now.0 - at.0.0)) " ago"
        }
    }
}

/// `14 min`, counted down by the script.
pub(super) fn left(until: Moment, now: Timestamp) -> Markup {
    html! {
        time datetime=(clock::civil(until.0)) title=(clock::civil(until.0)) data-until=(until.0.0) {
            (duration(until.0.0 - now.0))
        }
    }
}

/// The moment itself.
pub(super) fn civil(at: Moment) -> Markup {
    html! { time datetime=(clock::civil(at.0)) { (clock::civil(at.0)) } }
}

/// Where an upstream stands. Production cannot be overlooked.
pub(super) fn environment(name: &str) -> Markup {
    if name == "production" {
        html! { span.environment.production { "production" } }
    } else {
        html! { span.environment { (Line(name)) } }
    }
}

/// An effect as a badge.
pub(super) fn effect(word: &str, dangerous: bool) -> Markup {
    html! { span.effect.dangerous[dangerous] { (word) } }
}

/// A sentence for a word of [`crate::api::bodies::StatusBody`]'s posture.
pub(super) fn posture(word: &str) -> String {
    match word.split_once(' ') {
        Some(("door_closed", upstream)) => format!(
            "The door to {upstream} is closed: its configuration was changed by hand and waits for two people."
        ),
        Some(("only_observes", upstream)) => format!(
            "Policies only observe at {upstream}: everything that is asked runs, except during a freeze."
        ),
        Some(("role_too_powerful", rest)) => {
            let (upstream, powers) =
                rest.split_once(' ').unwrap_or((rest, "more power than was allowed"));
            format!(
                "The door to {upstream} is closed: Tyer's own role there has {powers}, and nobody has allowed that."
            )
        }
        Some(("role_powers_allowed", rest)) => {
            let (upstream, powers) = rest.split_once(' ').unwrap_or((rest, "further powers"));
            format!("Tyer's own role at {upstream} has {powers} (allow_role_powers).")
        }
        _ => match word {
            "loopback_console_approves_production" => {
                "This console is on the agent's own machine and may approve production \
                 (console.allow_loopback_approvals)."
                    .to_owned()
            }
            "console_without_tls" => {
                "This console listens beyond this machine without TLS of its own.".to_owned()
            }
            other => other.replace('_', " "),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        let check = |number: u64, expect: &str| assert_eq!(count(number), expect);
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(1_204_331, "1,204,331");
        assert_eq!(counted(1, "row", "rows"), "1 row");
        assert_eq!(counted(12_000, "row", "rows"), "12,000 rows");
    }

    #[test]
    fn sizes_are_readable() {
        let check = |number: u64, expect: &str| assert_eq!(bytes(number), expect);
        check(0, "0 bytes");
        check(8_192, "8.1 kB");
        check(1_450_000_000, "1.4 GB");
        check(5_000_000, "5 MB");
        check(12_000_000_000_000_000, "12,000 TB");
    }

    #[test]
    fn durations_are_readable() {
        let check = |seconds: i64, expect: &str| assert_eq!(duration(seconds * 1_000), expect);
        check(-5, "0 s");
        check(59, "59 s");
        check(60, "1 min");
        check(3_599, "59 min");
        check(7_500, "2 h 05 min");
        check(90_000, "1 d 1 h");
    }

    #[test]
    fn every_word_of_the_posture_is_a_sentence() {
        for word in [
            "loopback_console_approves_production",
            "console_without_tls",
            "door_closed orders",
            "only_observes orders",
            "role_too_powerful orders superuser",
            "role_powers_allowed orders replication, bypassrls",
        ] {
            assert!(posture(word).ends_with('.'), "{word}");
        }
    }
}
