//! What every page has around it: where one is, who one is, and what is frozen.

use maud::{DOCTYPE, Markup, html};
use tyer_core::intent::Timestamp;

use super::escape::Line;
use super::{freezes, glass, words};
use crate::api::bodies::StatusBody;
use crate::clock;

/// The pages in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Here {
    Queue,
    Sessions,
    People,
    Ledger,
    Configuration,
    Elsewhere,
}

const PAGES: [(Here, &str, &str); 5] = [
    (Here::Queue, "/", "Holds"),
    (Here::Sessions, "/sessions", "Sessions"),
    (Here::People, "/people", "People"),
    (Here::Ledger, "/ledger", "Ledger"),
    (Here::Configuration, "/configuration", "Configuration"),
];

/// What stands around a page for somebody who is signed in.
pub(super) struct Frame<'a> {
    pub(super) title: &'a str,
    pub(super) here: Here,
    pub(super) status: &'a StatusBody,
    pub(super) me: &'a str,
    /// The only news that this page is about, such as `hold H-1`; empty for any.
    pub(super) follow: &'a str,
    pub(super) now: Timestamp,
}

/// A page for somebody who is signed in.
pub(super) fn page(frame: &Frame<'_>, main: &Markup) -> Markup {
    let body = html! {
        header.top {
            a.brand href="/" { (mark()) "Tyer" }
            nav aria-label="Pages" {
                @for (here, path, name) in PAGES {
                    a href=(path) aria-current=[(here == frame.here).then_some("page")] { (name) }
                }
            }
            form.me method="post" action="/sign-out" {
                span { "Signed in as " b { (Line(frame.me)) } }
                button.quiet type="submit" { "Sign out" }
            }
        }
        (freezes::bar(&frame.status.freezes, frame.me, frame.now))
        (glass::bar(&frame.status.reviews, frame.now))
        (posture(&frame.status.posture))
        p #message role="status" aria-live="polite" {}
        (main)
        footer #foot {
            "Tyer " (frame.status.version) " · ledger of "
            (words::counted(frame.status.ledger.size, "leaf", "leaves"))
            @if let Some(root) = &frame.status.ledger.root {
                " · root " code { (root.chars().take(12).collect::<String>()) }
            }
        }
    };
    document(frame.title, frame.follow, true, &body)
}

/// A page for somebody who is not signed in.
pub(super) fn plain(title: &str, main: &Markup) -> Markup {
    let body = html! {
        header.top { span.brand { (mark()) "Tyer" } }
        p #message role="status" aria-live="polite" {}
        (main)
    };
    document(title, "", false, &body)
}

fn document(title: &str, follow: &str, live: bool, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (Line(title)) " · Tyer" }
                link rel="icon" href="/assets/mark.svg" type="image/svg+xml";
                link rel="stylesheet" href="/assets/app.css";
                script src="/assets/app.js" defer {}
            }
            body data-live[live] data-follow=(follow) {
                a.skip href="#main" { "Skip to the content" }
                (body)
            }
        }
    }
}

/// The tablet of a single line: one token, held from both ends.
fn mark() -> Markup {
    html! { img.mark src="/assets/mark.svg" alt="" width="22" height="22"; }
}

fn posture(posture: &[String]) -> Markup {
    html! {
        @if !posture.is_empty() {
            section.posture aria-label="Posture" {
                @for word in posture {
                    p {
                        strong { @if word.starts_with("door_closed ") { "Closed. " } @else { "Unsafe setup. " } }
                        (Line(&words::posture(word)))
                    }
                }
            }
        }
    }
}

/// Text that somebody else supplied, boxed and labelled.
pub(super) fn supplied(by: &str, text: &Markup) -> Markup {
    html! {
        figure.supplied {
            figcaption { (by) }
            (text)
        }
    }
}

/// `name (3 min ago)` and the like need the time once per page.
pub(super) fn now() -> Timestamp {
    clock::now()
}
