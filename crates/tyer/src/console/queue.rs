//! The queue: what waits for people, the gravest first, and what was decided lately.

use maud::{Markup, html};
use tyer_core::intent::Timestamp;

use super::escape::Line;
use super::{answers, words};
use crate::api::bodies::HoldBody;
use crate::api::bodies::answers::AnsweredBody;
use crate::api::site::is_live;

/// Holds that ended are shown as far back as this.
pub(super) const DECIDED_SHOWN: usize = 20;

pub(super) fn main(holds: &[HoldBody], answers: &[AnsweredBody], now: Timestamp) -> Markup {
    // What is in use waits for nobody; it stands with the sessions.
    let holds = || holds.iter().filter(|hold| hold.state != "active");
    let open: Vec<&HoldBody> = holds().filter(|hold| is_live(hold.state)).collect();
    let (later, first): (Vec<&HoldBody>, Vec<&HoldBody>) =
        open.iter().partition(|hold| hold.put_off.is_some());
    let mut decided: Vec<&HoldBody> = holds().filter(|hold| !is_live(hold.state)).collect();
    decided.sort_by_key(|hold| std::cmp::Reverse(hold.opened));
    html! {
        main #main tabindex="-1" {
            h1 {
                @match open.len() {
                    0 => "Nothing waits for people",
                    1 => "1 request waits for people",
                    many => { (many) " requests wait for people" }
                }
            }
            @if open.is_empty() {
                p.quiet { "Requests that the policies do not let through by themselves appear here." }
            }
            (answers::section(answers, now))
            (slowed(&open))
            ol.queue { @for hold in first { (row(hold, now)) } }
            @if !later.is_empty() {
                h2 { "Later" }
                p.quiet { "You have put these off. They end when they would have ended." }
                ol.queue.later { @for hold in later { (row(hold, now)) } }
            }
            @if !decided.is_empty() {
                h2 { "Decided lately" }
                ol.queue.decided { @for hold in decided.into_iter().take(DECIDED_SHOWN) { (row(hold, now)) } }
            }
        }
    }
}

/// Who keeps asking, each once.
fn slowed(holds: &[&HoldBody]) -> Markup {
    let all: std::collections::BTreeSet<(&str, &str)> =
        holds.iter().filter_map(|hold| Some((hold.session.as_str(), hold.pace.as_deref()?))).collect();
    html! {
        @for (session, pace) in all {
            p.notice.pace {
                b { (Line(pace)) } " (session " code { (session) } "). Its further questions are put off. "
                a href="/sessions" { "Sessions" }
            }
        }
    }
}

fn row(hold: &HoldBody, now: Timestamp) -> Markup {
    let live = is_live(hold.state);
    let first = hold.what.first().map_or("something that is not understood", String::as_str);
    html! {
        li data-hold=(hold.hold) .production[hold.environment == "production"] {
            div.badges {
                (words::effect(hold.effect, hold.dangerous))
                (words::environment(&hold.environment))
                code.id { (hold.hold) }
                @if hold.state != "open" { span.state-word { (state(hold.state)) } }
            }
            a.what href={ "/holds/" (hold.hold) } { (Line(first)) }
            @if hold.what.len() > 1 {
                p.more { "and " (words::counted(hold.what.len() as u64 - 1, "more effect", "more effects")) }
            }
            dl.facts {
                div { dt { "Who" } dd { (who(hold)) } }
                @if hold.pace.is_some() { div { dt { "Pace" } dd { b { "keeps asking" } } } }
                div { dt { "Where" } dd { (Line(&hold.upstream)) } }
                @if live { div { dt { "Needs" } dd { (Line(&hold.needs.words)) (given(hold)) } } }
                @if let Some(rejected) = &hold.rejected {
                    div { dt { "Rejected" } dd { "by " (Line(&rejected.by)) ": " q { (Line(&rejected.reason)) } } }
                } @else if let Some(fate) = &hold.fate {
                    div { dt { "Outcome" } dd { (Line(fate)) } }
                }
                @if live && !hold.handed_to.is_empty() {
                    div { dt { "Handed to" } dd { b { (Line(&hold.handed_to.join(", "))) } } }
                }
                @for later in hold.later.iter().filter(|later| hold.put_off != Some(later.until)) {
                    div { dt { "Later" } dd { (Line(&later.by)) " at " (words::civil(later.until)) } }
                }
                @if let Some(until) = hold.put_off {
                    div { dt { "Again in" } dd { (words::left(until, now)) } }
                }
                div { dt { "Asked" } dd { (words::ago(hold.opened, now)) } }
                @if live { div { dt { "Ends in" } dd { (words::left(hold.ends, now)) } } }
            }
        }
    }
}

/// Who asks, for whom.
pub(super) fn who(hold: &HoldBody) -> Markup {
    html! {
        @if hold.human { "human " } @else { "agent " }
        b { (Line(&hold.agent)) } " for " b { (Line(&hold.controller)) }
        @for also in &hold.also { " and " b { (Line(also)) } }
    }
}

/// How many have agreed so far.
pub(super) fn given(hold: &HoldBody) -> Markup {
    let asked = hold.needs.people();
    let given = if hold.needs.signers > 0 { hold.given.signers } else { hold.given.peers };
    html! {
        @if asked > 0 { span.given { " (" (given) " of " (asked) " so far)" } }
    }
}

/// The state of a hold for people.
pub(super) fn state(word: &str) -> &str {
    match word {
        "open" => "waits for people",
        "approved" => "approved, not used yet",
        "taken" => "approved, and running now",
        "active" => "approved, in use",
        "spent" => "approved and used",
        "expired" => "ran out of time",
        "abandoned" => "taken back",
        other => other,
    }
}
