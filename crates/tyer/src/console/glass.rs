//! Breaking the glass, said on every page until two others have reviewed it.

use maud::{Markup, html};
use tyer_core::intent::Timestamp;

use super::escape::{Block, Line};
use super::words;
use crate::api::bodies::{HoldBody, ReviewBody};

/// What the person before a card can do about its glass.
#[derive(Clone, Debug, Default)]
pub(super) struct Glass {
    pub(super) can_break: bool,
    pub(super) can_review: bool,
    pub(super) review: Option<ReviewBody>,
}

/// What waits for reviews, on every page.
pub(super) fn bar(reviews: &[ReviewBody], now: Timestamp) -> Markup {
    html! {
        section #glass-bar aria-label="Broken glass" {
            @for review in reviews {
                div.frozen data-review=(review.hold) {
                    p {
                        strong { "Glass broken" } " by " b { (Line(&review.by)) } " " (words::ago(review.at, now))
                        ": they alone let " b { (review.hold) } " of " (Line(&review.agent)) " for "
                        (Line(&review.controller)) " through. Reason: " q { (Line(&review.reason)) }
                    }
                    p {
                        a href={ "/holds/" (review.hold) } { "Review" } " ("
                        (review.findings.len()) " of " (review.reviewers) " signed)"
                    }
                }
            }
        }
    }
}

/// On the card: how to break it, or what was broken and how to sign that off.
pub(super) fn section(hold: &HoldBody, glass: &Glass) -> Markup {
    html! {
        @if let Some(broken) = &hold.broken {
            section #broken {
                h2 { "Glass broken" }
                p {
                    b { (Line(&broken.by)) } " let this through alone, " (words::civil(broken.at))
                    ", without the people that the policy asks for. Reason:"
                }
                blockquote { (Block(&broken.reason)) }
                @if let Some(review) = &glass.review { (reviewing(review, glass.can_review)) }
                @else { p.quiet { "No review of it is open." } }
            }
        }
        @if glass.can_break { (breaking(hold)) }
    }
}

fn reviewing(review: &ReviewBody, can_review: bool) -> Markup {
    html! {
        h3 { "Review: " (review.findings.len()) " of " (review.reviewers) " signed" }
        ul.approvals {
            @for finding in &review.findings {
                li { b { (Line(&finding.by)) } ", " (words::civil(finding.at)) blockquote { (Block(&finding.text)) } }
            }
        }
        @if can_review {
            label for="finding" { "What you found" span.quiet { " (is signed, and stays in the ledger)" } }
            textarea #finding rows="3" maxlength="2000" {}
            div.buttons {
                button #review.primary type="button" data-hold=(review.hold) data-broken=(review.broken) {
                    "Sign off with passkey"
                }
            }
        } @else {
            p.quiet { "Others sign it off: neither who broke it, nor who controls the session, nor whoever has signed." }
        }
    }
}

fn breaking(hold: &HoldBody) -> Markup {
    html! {
        details #glass {
            summary { "Nobody can be reached: break the glass" }
            p {
                "You let exactly this request through alone. Everybody is told at once, and two others review it "
                "afterwards. It runs once, within what the card says, and not while anything freezes it."
            }
            label for="glass-reason" { "Reason" span.quiet { " (is signed, and stays in the ledger)" } }
            textarea #glass-reason rows="3" maxlength="2000" {}
            div.buttons {
                button #break-glass.danger type="button" data-hold=(hold.hold) { "Break the glass with hardware key" }
            }
        }
    }
}
