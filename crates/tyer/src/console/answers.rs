//! What became of requests of sessions that the person controls, until they have seen it.

use maud::{Markup, html};
use tyer_core::intent::Timestamp;

use super::escape::{Block, Line};
use super::words;
use crate::api::bodies::answers::AnsweredBody;

pub(super) fn section(answers: &[AnsweredBody], now: Timestamp) -> Markup {
    let ids: Vec<&str> = answers.iter().map(|answered| answered.hold.as_str()).collect();
    html! {
        @if !answers.is_empty() {
            section.answers aria-labelledby="answers-title" {
                h2 #answers-title {
                    (words::counted(answers.len() as u64, "answer", "answers")) " to what your agents asked"
                }
                ul.cards { @for answered in answers { (row(answered, now)) } }
                form #answers-form method="post" action="/answers/seen" {
                    input type="hidden" name="holds" value=(ids.join(" "));
                    div.buttons { button #answers-seen type="submit" { "I have seen this" } }
                }
            }
        }
    }
}

fn row(answered: &AnsweredBody, now: Timestamp) -> Markup {
    html! {
        li data-answered=(answered.hold) {
            div.badges {
                span.state-word { (verdict(&answered.how)) }
                code.id { (answered.hold) }
            }
            a.what href={ "/holds/" (answered.hold) } { (Line(&answered.what)) }
            p.quiet {
                "Asked by " b { (Line(&answered.agent)) } " at " (Line(&answered.upstream)) ", session "
                code { (answered.session) } "; " (words::ago(answered.at, now))
            }
            @if answered.said.is_empty() { p { "Nobody answered in time." } }
            @for said in &answered.said {
                p {
                    b { (Line(&said.person)) }
                    @if answered.how == "rejected" { " rejected it " } @else { " approved it " }
                    (words::civil(said.at))
                }
                @if !said.words.is_empty() { blockquote { (Block(&said.words)) } }
            }
        }
    }
}

fn verdict(how: &str) -> &str {
    match how {
        "expired" => "ran out of time",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::bodies::Moment;
    use crate::api::bodies::answers::SaidBody;
    use crate::console::tests::sample;

    #[test]
    fn who_said_what_and_why_is_shown_and_nothing_taken_for_markup() {
        let said = SaidBody {
            person: "bob".to_owned(),
            at: Moment(sample::NOW),
            words: "the <b>books</b>\u{202E}".to_owned(),
        };
        let answered = AnsweredBody {
            hold: "H-1".to_owned(),
            session: "s-1".to_owned(),
            agent: "kiro".to_owned(),
            upstream: "orders".to_owned(),
            what: "removes every row".to_owned(),
            how: "rejected".to_owned(),
            at: Moment(sample::NOW),
            said: vec![said],
            words: String::new(),
            unseen_by: vec!["carol".to_owned()],
        };
        let page = section(std::slice::from_ref(&answered), sample::NOW).into_string();
        assert!(page.contains("1 answer to what your agents asked"), "{page}");
        assert!(page.contains("<b>bob</b> rejected it "), "{page}");
        assert!(page.contains("the &lt;b&gt;books&lt;/b&gt;") && page.contains("⟨U+202E⟩"), "{page}");
        assert_eq!(section(&[], sample::NOW).into_string(), "");
        let unanswered = AnsweredBody { how: "expired".to_owned(), said: Vec::new(), ..answered };
        let page = section(&[unanswered], sample::NOW).into_string();
        assert!(page.contains("Nobody answered in time"), "{page}");
    }
}
