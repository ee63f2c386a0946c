//! The whole list of requests that one signature approves together with the one on this card.

use maud::{Markup, html};

use super::super::escape::{Block, Line};
use super::super::layout::supplied;
use super::{Beholder, choice, consequences};
use crate::api::bodies::CardBody;

/// All of them with their complete texts, for whoever could approve this one; nothing where there is no other.
pub(super) fn section(card: &CardBody, beholder: &Beholder<'_>) -> Markup {
    let all = &beholder.alike;
    if all.len() < 2 || !choice(card, beholder).approve {
        return html! {};
    }
    let hold = &card.hold.hold;
    html! {
        section #together {
            h2 { (all.len()) " requests of this shape wait" }
            p.quiet {
                "Same session, same policies, same needs. They can be approved by one signature, which names each of these "
                "cards, this one among them. Read all of them first; there are no others behind the button."
            }
            ol.together { @for one in all { (row(one, hold)) } }
            form method="post" action={ "/holds/" (hold) } {
                div.buttons {
                    button #approve-all.danger[card.hold.dangerous] type="submit" {
                        "Approve all " (all.len()) " with passkey"
                    }
                }
            }
        }
    }
}

fn row(one: &CardBody, shown: &str) -> Markup {
    let hold = &one.hold;
    let text = html! { pre.request tabindex="0" aria-label={ "The complete request of " (hold.hold) } { (Block(&one.text)) } };
    html! {
        li data-together=(hold.hold) data-card=(one.card_digest) {
            h3 {
                a href={ "/holds/" (hold.hold) } { (hold.hold) }
                @if hold.hold == shown { span.quiet { " (this one)" } }
            }
            @for what in &hold.what { p { (Line(what)) } }
            (supplied("The request, complete", &text))
            (consequences::short(&one.facts))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::sample;
    use super::super::Glass;
    use super::*;

    fn page(alike: Vec<CardBody>, me: &str) -> String {
        let (card, no_peer, freezes, glass) = (sample::card(), None, Vec::new(), Glass::default());
        let (cannot_answer, outcome, now) = (false, None, sample::NOW);
        let beholder =
            Beholder { me, cannot_answer, audits: false, no_peer, outcome, glass, alike, freezes, now };
        section(&card, &beholder).into_string()
    }

    fn two() -> Vec<CardBody> {
        let mut other = sample::card();
        (other.hold.hold, other.card_digest) = ("H-43".to_owned(), "b8".repeat(32));
        other.text = format!("{}<end>", "SELECT 1;\n".repeat(5_000));
        vec![sample::card(), other]
    }

    #[test]
    fn the_whole_list_is_shown_to_whoever_could_approve_it() {
        let shown = page(two(), "carol");
        for part in [
            "Approve all 2 with passkey",
            "data-together=\"H-42\"",
            "data-together=\"H-43\"",
            &format!("data-card=\"{}\"", "b8".repeat(32)),
            "&lt;end&gt;",
            "public.customers",
            "Not known: ",
        ] {
            assert!(shown.contains(part), "{part}");
        }
        assert_eq!(shown.matches("SELECT 1;").count(), 5_001, "nothing is left out");
        // Alone, for its controller, and for whoever has approved it there is no such list.
        assert_eq!(page(vec![sample::card()], "carol"), "");
        assert_eq!(page(two(), "alice"), "");
        assert_eq!(page(two(), "bob"), "");
    }
}
