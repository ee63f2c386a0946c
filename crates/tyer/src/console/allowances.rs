//! Allowances: what one covers, on its card; what is left of each; and the form that asks for one.

use maud::{Markup, html};
use tyer_core::intent::Timestamp;

use super::escape::{Block, Line};
use super::queue::{state, who};
use super::words;
use crate::api::bodies::{HoldBody, allowances::AllowanceBody};

/// What people sign for beyond the one request; nothing for a hold of one request.
pub(super) fn covers(hold: &HoldBody, now: Timestamp) -> Markup {
    let Some(allowance) = &hold.allowance else { return html! {} };
    html! {
        section #allowance {
            h2 { "What this allows without asking again" }
            p.notice {
                b { "An allowance, asked for by " (Line(&allowance.by)) "." }
                " Whoever approves it approves every such request until it ends; whoever rejects it revokes it."
            }
            ul { @for line in &allowance.covers { li { (Line(line)) } } }
            p { "Like " a href={ "/holds/" (allowance.like) } { (allowance.like) } ", whatever stands for " code { "?" } ":" }
            pre.request tabindex="0" aria-label="The shape" { (Block(&allowance.shape)) }
            @if let Some(until) = allowance.until {
                p { b { (allowance.left) " of " (allowance.count) " left" } ", ends in " (words::left(until, now)) }
            }
        }
    }
}

/// All that are asked for or can be used, with what is left of each.
pub(super) fn list(allowances: &[HoldBody], now: Timestamp) -> Markup {
    html! {
        @if !allowances.is_empty() {
            h2 { "Allowances" }
            ul.cards {
                @for hold in allowances {
                    @if let Some(allowance) = &hold.allowance { (row(hold, allowance, now)) }
                }
            }
        }
    }
}

fn row(hold: &HoldBody, allowance: &AllowanceBody, now: Timestamp) -> Markup {
    html! {
        li data-allowance=(hold.hold) {
            div.badges {
                (words::effect(hold.effect, hold.dangerous))
                (words::environment(&hold.environment))
                span.state-word { (state(hold.state)) }
            }
            h3 { a href={ "/holds/" (hold.hold) } { code { (Line(&allowance.shape)) } } }
            dl.facts {
                div { dt { "Who" } dd { (who(hold)) @if allowance.whole_agent { ", every session" } } }
                div { dt { "Left" } dd { b { (allowance.left) " of " (allowance.count) } } }
                div { dt { "Ends in" } dd { (words::left(hold.ends, now)) } }
            }
        }
    }
}

/// Asks for an allowance like this hold's request; for whoever controls it.
pub(super) fn form(hold: &HoldBody) -> Markup {
    html! {
        details #ask-allowance {
            summary { "Ask once for more of these" }
            form #allowance-form data-hold=(hold.hold) {
                p.quiet {
                    "For requests of exactly this shape, names with every digit. It needs the same people, and another person "
                    "at least; never for what is dangerous in production."
                }
                label for="allowance-count" { "How many" }
                input #allowance-count name="count" type="number" min="1" max="1000" value="20" required;
                label for="allowance-lasts" { "For" }
                select #allowance-lasts name="lasts_seconds" {
                    option value="1800" { "30 minutes" }
                    option value="3600" { "1 hour" }
                    option value="7200" selected { "2 hours" }
                    option value="28800" { "8 hours" }
                }
                label for="allowance-pace" { "At most within a minute" }
                input #allowance-pace name="pace" type="number" min="1" max="1000" value="5";
                div.buttons { button type="submit" { "Ask for it" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;
    use crate::api::bodies::Moment;

    #[test]
    fn people_see_what_they_sign_for_and_what_is_left() {
        let mut hold = sample::hold();
        assert_eq!(covers(&hold, sample::NOW).into_string(), "");
        hold.allowance = Some(AllowanceBody {
            like: "H-41".to_owned(),
            whole_agent: false,
            count: 20,
            lasts_seconds: 7_200,
            pace: None,
            by: "alice".to_owned(),
            covers: vec!["up to 20 requests <of this shape>".to_owned()],
            shape: "UPDATE notes SET n = ?".to_owned(),
            taken: 3,
            left: 17,
            until: Some(Moment(sample::NOW.plus(90_000))),
        });
        let page = covers(&hold, sample::NOW).into_string();
        for part in ["&lt;of this shape&gt;", "17 of 20 left", "/holds/H-41", "n = ?", "data-until"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        let page = list(&[hold], sample::NOW).into_string();
        assert!(page.contains("17 of 20") && page.contains("data-until"), "{page}");
    }
}
