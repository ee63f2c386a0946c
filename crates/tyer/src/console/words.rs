//! Numbers and times as people read them.

use maud::{Markup, html};
use tyer_core::figures;
pub(super) use tyer_core::figures::{bytes, counted, grouped as count};
use tyer_core::intent::Timestamp;

use super::escape::Line;
use crate::api::bodies::Moment;
use crate::clock;

/// `2 h 05 min`, `14 min`, `40 s`; at least zero.
pub(super) fn duration(ms: i64) -> String {
    figures::duration(u64::try_from(ms).unwrap_or_default())
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
    fn what_is_not_over_yet_has_taken_no_time() {
        assert_eq!(duration(-5_000), "0 s");
        assert_eq!(duration(90_000_000), "1 d 1 h");
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
