//! The security parts of the configuration, and changes that wait for two people.

use maud::{Markup, html};

use super::escape::Line;
use super::words;
use crate::api::bodies::{DoorBody, PartBody};
use crate::config::Mode;

pub(super) fn main(parts: &[PartBody], doors: &[DoorBody], me: &str) -> Markup {
    let pending = parts.iter().filter(|part| part.pending.is_some()).count();
    html! {
        main #main tabindex="-1" {
            h1 {
                @if pending == 0 { "The configuration is as it was confirmed" }
                @else { (words::counted(pending as u64, "change waits", "changes wait")) " for people" }
            }
            ul.cards { @for part in parts { (row(part, me)) } }
            h2 { "Doors" }
            ul.cards {
                @for door in doors {
                    li {
                        div.badges {
                            (words::environment(&door.environment))
                            @if door.open { span.effect { "open" } } @else { span.effect.dangerous { "closed" } }
                        }
                        h3 { (Line(&door.upstream)) }
                        p { "Agents connect at " code { (door.listen) } "." }
                        @if door.mode == Mode::Observe {
                            p.notice { "Only observed: everything runs, and the ledger says what the policies would have said." }
                        }
                        @if !door.open {
                            p.notice { "Closed until two people have confirmed: " (Line(&door.closed_by.join(", "))) "." }
                        }
                    }
                }
            }
        }
    }
}

fn row(part: &PartBody, me: &str) -> Markup {
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    html! {
        li data-part=(part.part) {
            h3 { (Line(&part.part)) }
            @match &part.pending {
                None => p.quiet {
                    "As confirmed" @if let Some(confirmed) = &part.confirmed { ": " code { (short(confirmed)) } }
                }
                Some(pending) => {
                    p {
                        "The file was changed. It now says " code { (short(pending)) }
                        @match &part.confirmed {
                            Some(confirmed) => { "; people confirmed " code { (short(confirmed)) } "." }
                            None => "; nobody has confirmed it."
                        }
                    }
                    p.quiet { "Read the part in the file on the server before you confirm: the digest stands for it." }
                    @if part.signed_by.is_empty() { p { "Two people have to confirm." } }
                    @else { p { "Confirmed so far by " (Line(&part.signed_by.join(", "))) "." } }
                    @if part.signed_by.iter().any(|person| person == me) {
                        p.notice { "You have confirmed this; it needs a second person." }
                    } @else {
                        div.buttons {
                            button.primary type="button" data-configure=(part.part) { "Confirm with passkey" }
                        }
                    }
                }
            }
        }
    }
}
