//! Notes beside a card, with the forms to leave one, hand the hold over, and put it off.

use maud::{Markup, html};
use tyer_core::intent::Timestamp;

use super::escape::{Block, Line};
use super::words;
use crate::api::bodies::CardBody;
use crate::api::site::is_live;

pub(super) fn section(card: &CardBody, me: &str, now: Timestamp) -> Markup {
    let hold = &card.hold;
    html! {
        section #beside {
            h2 { "Notes" }
            @if hold.handed_to.iter().any(|name| name == me) {
                p.notice { b { "Handed over to you." } " It changes nothing about who counts." }
            }
            @if card.notes.is_empty() { p.quiet { "None." } }
            ul.approvals {
                @for note in &card.notes {
                    li {
                        b { (Line(&note.by)) } ", " (words::civil(note.at))
                        @if !note.to.is_empty() { ", hands it over to " b { (Line(&note.to.join(", "))) } }
                        blockquote { (Block(&note.text)) }
                    }
                }
            }
            @for later in &hold.later {
                @if later.by == me {
                    p #put-off {
                        "You look at it again at " (words::civil(later.until)) " (in " (words::left(later.until, now)) "). "
                        button #at-once type="button" data-hold=(hold.hold) { "Look at it now" }
                    }
                } @else {
                    p { b { (Line(&later.by)) } " looks at it again at " (words::civil(later.until)) "." }
                }
            }
            @if is_live(hold.state) { (forms(&hold.hold)) }
        }
    }
}

fn forms(hold: &str) -> Markup {
    html! {
        details #leave-note {
            summary { "Leave a note, or hand it over" }
            form #note-form data-hold=(hold) {
                label for="note-text" { "Note" span.quiet { " (the agent does not read it)" } }
                textarea #note-text name="text" rows="3" maxlength="2000" required {}
                label for="note-to" { "Hand over to" span.quiet { " (names, if to anybody)" } }
                input #note-to name="to" autocomplete="off" spellcheck="false" placeholder="bob, dan";
                div.buttons { button #leave type="submit" { "Leave the note" } }
            }
        }
        details #put-off-until {
            summary { "Ask me again later" }
            form #later-form data-hold=(hold) {
                label for="later-at" { "At" span.quiet { " (the next time that your clock shows it)" } }
                input #later-at name="at" type="time" required;
                div.buttons { button #later type="submit" { "Ask me again then" } }
                p.quiet { "It moves below in your list alone, and lives no longer for it." }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::bodies::Moment;
    use crate::api::bodies::beside::{LaterBody, NoteBody};
    use crate::console::tests::sample;

    #[test]
    fn notes_are_shown_as_they_are_and_as_nothing_else() {
        let mut card = sample::card();
        let page = section(&card, "bob", sample::NOW).into_string();
        assert!(page.contains("None.") && !page.contains("Handed over to you"), "{page}");
        card.notes = vec![NoteBody {
            by: "alice".to_owned(),
            at: Moment(sample::NOW),
            text: "<script>\u{202E}".to_owned(),
            to: vec!["bob".to_owned(), "dan".to_owned()],
        }];
        card.hold.handed_to = vec!["bob".to_owned(), "dan".to_owned()];
        let until = Moment(sample::NOW.plus(3_600_000));
        card.hold.later = vec![LaterBody { by: "bob".to_owned(), until }];
        let page = section(&card, "bob", sample::NOW).into_string();
        assert!(
            page.contains("&lt;script&gt;")
                && page.contains("⟨U+202E⟩")
                && page.contains("<b>bob, dan</b>"),
            "{page}"
        );
        assert!(page.contains("Handed over to you") && page.contains("You look at it again"), "{page}");
        let page = section(&card, "carol", sample::NOW).into_string();
        assert!(page.contains("<b>bob</b> looks at it again") && !page.contains("at-once"), "{page}");
        card.hold.state = "spent";
        let page = section(&card, "bob", sample::NOW).into_string();
        assert!(page.contains("&lt;script&gt;") && !page.contains("<form"), "{page}");
    }
}
