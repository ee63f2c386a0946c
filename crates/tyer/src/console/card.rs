//! The card: everything that somebody tired needs to decide about one request, consequences first.
//!
//! What it says in words comes from the effects that Tyer saw in the request, never from its author.

mod consequences;
mod together;

use maud::{Markup, html};
use tyer_core::intent::Timestamp;

use super::escape::{Block, Line};
use super::glass::Glass;
use super::layout::supplied;
use super::queue::{state, who};
use super::{allowances, beside, freezes, glass, words};
use crate::api::bodies::{ActBody, CardBody, FreezeBody, HoldBody};
use crate::api::site::is_live;

/// What the card looks like to the person before it.
pub(super) struct Beholder<'a> {
    pub(super) me: &'a str,
    /// This console stands beside the agent and cannot answer for this environment.
    pub(super) cannot_answer: bool,
    /// They read everything and decide nothing.
    pub(super) audits: bool,
    /// Why their agreement is not another person's, in words.
    pub(super) no_peer: Option<String>,
    /// The leaf that let the request run, and what came of it, in words.
    pub(super) outcome: Option<(u64, String)>,
    pub(super) glass: Glass,
    /// This and the other holds that they could approve together with it; empty where there is no other.
    pub(super) alike: Vec<CardBody>,
    /// The freezes that cover the request, now or soon.
    pub(super) freezes: Vec<FreezeBody>,
    pub(super) now: Timestamp,
}

pub(super) fn main(card: &CardBody, beholder: &Beholder<'_>) -> Markup {
    let hold = &card.hold;
    html! {
        main #main tabindex="-1" data-hold=(hold.hold) data-card=(card.card_digest) {
            (head(hold, beholder.now))
            div.columns {
                div.reading {
                    (allowances::covers(hold, beholder.now))
                    (does(&card.acts))
                    (consequences::section(&card.facts, card.taken))
                    (request(card))
                    (together::section(card, beholder))
                    (purpose(card))
                    (basis(card))
                }
                aside aria-label="Decision" {
                    (asks(card))
                    (decision(card, beholder))
                    (glass::section(hold, &beholder.glass))
                    (beside::section(card, beholder.me, beholder.now))
                }
            }
        }
    }
}

fn head(hold: &HoldBody, now: Timestamp) -> Markup {
    let first = hold.what.first().map_or("something that is not understood", String::as_str);
    html! {
        header.card-head.production[hold.environment == "production"] {
            div.badges {
                (words::environment(&hold.environment))
                (words::effect(hold.effect, hold.dangerous))
                span.state-word #state { (state(hold.state)) }
            }
            h1 { (Line(first)) }
            @if hold.what.len() > 1 {
                p.more { "and " (words::counted(hold.what.len() as u64 - 1, "more effect", "more effects")) ", below" }
            }
            dl.facts {
                div { dt { "Who" } dd { (who(hold)) } }
                div { dt { "Where" } dd { b { (Line(&hold.upstream)) } } }
                div { dt { "Session" } dd { code { (hold.session) } } }
                div { dt { "Asked" } dd { (words::ago(hold.opened, now)) } }
                @if is_live(hold.state) {
                    @if hold.not_before.0 > now {
                        div { dt { "Runs not before" } dd { b { (words::left(hold.not_before, now)) } } }
                    }
                    div { dt { "Time left" } dd { b { (words::left(hold.ends, now)) } } }
                }
                div { dt { "Hold" } dd { code { (hold.hold) } } }
            }
        }
    }
}

fn does(acts: &[ActBody]) -> Markup {
    html! {
        section {
            h2 { "What it would do" }
            ol.acts {
                @for act in acts {
                    li.local[act.local] {
                        div.badges { (words::effect(act.effect, act.dangerous)) }
                        div {
                            p { (Line(&act.why)) }
                            p.quiet {
                                code { (Line(&act.resource)) } ", "
                                span.irreversible[act.reversibility == "irreversible"] {
                                    (reversibility(act))
                                }
                                @if act.local { ", inside the session only" }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn reversibility(act: &ActBody) -> &str {
    match act.reversibility {
        _ if act.effect == "read" => "changes nothing",
        "reversible" => "can be taken back by another request",
        "recoverable" => "can be recovered only from a snapshot or backup",
        "irreversible" => "cannot be taken back",
        other => other,
    }
}

fn request(card: &CardBody) -> Markup {
    let (lines, characters) = (card.text.lines().count() as u64, card.text.chars().count() as u64);
    let text = html! {
        pre.request #request tabindex="0" aria-label="The complete request" { (Block(&card.text)) }
    };
    let by = format!(
        "Supplied by the {}, complete: {}, {}",
        if card.hold.human { "human" } else { "agent" },
        words::counted(lines, "line", "lines"),
        words::counted(characters, "character", "characters"),
    );
    html! { section { h2 { "The request" } (supplied(&by, &text)) } }
}

fn purpose(card: &CardBody) -> Markup {
    let text = html! { p { (Block(&card.purpose)) } };
    html! {
        section {
            h2 { "Why the session exists" }
            @if card.purpose.is_empty() {
                p.quiet { "No purpose was given when the session was made." }
            } @else {
                (supplied("Supplied by whoever made the session, not checked", &text))
            }
        }
    }
}

fn basis(card: &CardBody) -> Markup {
    html! {
        details #basis {
            summary { "What the decision binds" }
            dl.small {
                div { dt { "Policies" } dd { @for policy in &card.policies { code { (Line(policy)) } " " } } }
                div { dt { "Policy set" } dd { code { (card.policy_set) } } }
                div { dt { "Request" } dd { code { (card.request_digest) } } }
                div { dt { "Card" } dd { code { (card.card_digest) } } }
            }
        }
    }
}

fn asks(card: &CardBody) -> Markup {
    html! {
        section {
            h2 { "What the policy asks" }
            p { "This needs " b { (Line(&card.hold.needs.words)) } "." }
            p.quiet {
                @if card.policies.is_empty() { "No policy lets it through unattended." }
                @else { "By " @for policy in &card.policies { code { (Line(policy)) } " " } }
            }
            @if let Some(still) = &card.still {
                p.quiet[still.enough].notice[!still.enough] #still {
                    @if still.enough { "Could still give it: " }
                    @else if still.people.is_empty() && still.later.is_empty() { "Nobody is left who could give it. Reject it, or let it expire." }
                    @else { "There are not enough people left to give it, even with all of these: " }
                    @if !still.people.is_empty() { b { (Line(&still.people.join(", "))) } ". " }
                    @for later in &still.later {
                        b { (Line(&later.person)) } " is at work from " (words::civil(later.from)) " on. "
                    }
                    @if let Some(from) = still.from { "Not all of it can be given before " b { (words::civil(from)) } "." }
                }
            }
            h3 { "Approved so far" }
            @if card.approvals.is_empty() { p.quiet { "Nobody." } }
            ul.approvals {
                @for approval in &card.approvals {
                    li {
                        b { (Line(&approval.person)) } " as " (approval.standing) ", by " (approval.signed_by) ", "
                        (words::civil(approval.at))
                        @if !approval.comment.is_empty() { blockquote { (Block(&approval.comment)) } }
                    }
                }
            }
        }
    }
}

/// What the person before the card can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Choice {
    approve: bool,
    reject: bool,
}

fn choice(card: &CardBody, beholder: &Beholder<'_>) -> Choice {
    let hold = &card.hold;
    if !is_live(hold.state) || beholder.cannot_answer || beholder.audits {
        return Choice { approve: false, reject: false };
    }
    let controls = is_theirs(hold, beholder);
    let again = has_approved(card, beholder.me);
    let helps = match controls {
        true => hold.needs.controller && hold.controller == beholder.me,
        false => hold.needs.people() > 0,
    };
    let is_open = hold.state != "active";
    Choice { approve: is_open && helps && !again && beholder.no_peer.is_none(), reject: true }
}

fn is_theirs(hold: &HoldBody, beholder: &Beholder<'_>) -> bool {
    hold.controller == beholder.me || hold.also.iter().any(|also| also == beholder.me)
}

/// Whether the person has approved by passkey; by an SSH key only, they can still do so.
fn has_approved(card: &CardBody, me: &str) -> bool {
    let by_passkey = |assurance: &str| matches!(assurance, "passkey" | "hardware");
    card.approvals.iter().any(|approval| approval.person == me && by_passkey(approval.assurance))
}

fn decision(card: &CardBody, beholder: &Beholder<'_>) -> Markup {
    let hold = &card.hold;
    let choice = choice(card, beholder);
    html! {
        section #decision {
            h2 { @if is_live(hold.state) { "Your decision" } @else { "Outcome" } }
            @if is_live(hold.state) { (notes(card, beholder)) } @else { (ended(hold, beholder)) }
            @if choice.reject {
                form #answer method="post" action={ "/holds/" (hold.hold) } {
                    label for="comment" { "Comment" span.quiet { " (a reason, if you reject; the agent reads it)" } }
                    textarea #comment rows="3" maxlength="2000" {}
                    div.buttons {
                        @if choice.approve {
                            button #approve.primary.danger[hold.dangerous] type="submit" data-hold=(hold.hold) {
                                "Approve with passkey"
                            }
                        }
                        button #reject type="submit" data-hold=(hold.hold) {
                            @if hold.state == "active" { "Revoke with passkey" } @else { "Reject with passkey" }
                        }
                    }
                }
            }
        }
    }
}

fn notes(card: &CardBody, beholder: &Beholder<'_>) -> Markup {
    let hold = &card.hold;
    html! {
        (freezes::note(&beholder.freezes))
        @if let Some(pace) = &hold.pace {
            p.notice.pace { b { (Line(pace)) } ". Its further questions are put off." }
        }
        @if beholder.cannot_answer {
            p.notice {
                "This console runs on the agent's own machine, where the agent could reach it as well. "
                "Production cannot be answered here."
            }
        }
        @if beholder.audits {
            p.notice { "You are an auditor: you read everything and decide nothing." }
        } @else if let Some(why) = &beholder.no_peer {
            p.notice { b { "Your approval does not count: " } (Line(why)) ". You can only reject." }
        }
        @if is_theirs(hold, beholder) {
            p.notice {
                b { "You control this session." } " "
                @if hold.needs.controller && hold.controller == beholder.me {
                    "Your own agreement is asked for. It does not count as another person's."
                } @else {
                    "Your approval does not count: this needs other people. You can only reject."
                }
            }
        } @else if !hold.needs.controller || hold.needs.people() > 0 {
            // Somebody else's agreement helps; nothing to explain.
        } @else {
            p.notice { "Only " b { (Line(&hold.controller)) } ", who controls the session, is asked. You can only reject." }
        }
        @if has_approved(card, beholder.me) {
            p.notice { "You have approved this." }
        }
        @if is_theirs(hold, beholder) && hold.allowance.is_none() && hold.state == "open" {
            (allowances::form(hold))
        }
        @if hold.state == "active" {
            p.notice { "Enough people have approved. Such requests run until it ends; whoever rejects it revokes it." }
        }
        @if hold.state == "approved" {
            @let agreed = match hold.broken {
                Some(_) => "One person let this through alone.",
                None => "Enough people have approved.",
            };
            @if hold.not_before.0 > beholder.now {
                p.notice {
                    (agreed) " There are " (words::left(hold.not_before, beholder.now))
                    " left to think better of it: whoever rejects it stops it."
                }
            } @else {
                p.notice { (agreed) " It runs once, when the agent presents the same request again." }
            }
        }
    }
}

fn ended(hold: &HoldBody, beholder: &Beholder<'_>) -> Markup {
    html! {
        p { b { (state(hold.state)) } }
        @if let Some(fate) = &hold.fate { p #fate { (Block(fate)) } }
        @if let Some(rejected) = &hold.rejected {
            p { "Rejected by " b { (Line(&rejected.by)) } ". The same request is refused until " (words::civil(rejected.until)) "." }
            blockquote { (Block(&rejected.reason)) }
        }
        @if let Some((leaf, outcome)) = &beholder.outcome {
            p { "Observed: " (Line(outcome)) }
            p { a href={ "/ledger/" (leaf) } { "Leaf " (leaf) " of the ledger" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;
    use crate::api::bodies::Moment;

    fn beholder(me: &str) -> Beholder<'_> {
        let (no_peer, freezes, glass) = (None, Vec::new(), Glass::default());
        let (cannot_answer, audits, outcome) = (false, false, None);
        let (alike, now) = (Vec::new(), sample::NOW);
        Beholder { me, cannot_answer, audits, no_peer, outcome, glass, alike, freezes, now }
    }

    #[test]
    fn people_are_offered_only_what_counts() {
        let check = |me: &str, change: &dyn Fn(&mut CardBody), expect: (bool, bool)| {
            let mut card = sample::card();
            change(&mut card);
            let Choice { approve, reject } = choice(&card, &beholder(me));
            assert_eq!((approve, reject), expect, "{me}");
        };
        check("carol", &|_| {}, (true, true));
        check("alice", &|_| {}, (false, true));
        check("alice", &|card| card.hold.needs.controller = true, (true, true));
        check("bob", &|_| {}, (false, true));
        check("carol", &|card| card.hold.also = vec!["carol".to_owned()], (false, true));
        check("carol", &|card| card.hold.state = "spent", (false, false));
        check("carol", &|card| card.hold.state = "approved", (true, true));
        let only_controller = |card: &mut CardBody| {
            (card.hold.needs.peers, card.hold.needs.owners) = (0, 0);
            card.hold.needs.controller = true;
        };
        let by_any_key = |card: &mut CardBody| {
            (card.hold.needs.peers, card.hold.needs.owners, card.hold.needs.signers) = (0, 0, 1);
        };
        check("carol", &by_any_key, (true, true));
        check("alice", &by_any_key, (false, true));
        // Who approved by an SSH key may do so by passkey, which counts for more.
        check("bob", &|card| card.approvals[0].assurance = "software", (true, true));
        check("carol", &only_controller, (false, true));
        check("alice", &only_controller, (true, true));
    }

    #[test]
    fn by_what_each_approval_was_signed_is_said() {
        let mut card = sample::card();
        let page = main(&card, &beholder("carol")).into_string();
        assert!(page.contains("as owner, by a passkey, "), "{page}");
        card.approvals[0].signed_by = "a software SSH key".to_owned();
        let page = main(&card, &beholder("carol")).into_string();
        assert!(page.contains("as owner, by a software SSH key, "), "{page}");
    }

    #[test]
    fn a_controller_is_told_plainly() {
        let page = main(&sample::card(), &beholder("alice")).into_string();
        assert!(page.contains("Your approval does not count"));
        assert!(!page.contains("id=\"approve\""));
        assert!(page.contains("id=\"reject\""));
    }

    #[test]
    fn the_time_to_think_better_of_it_is_counted_down() {
        let mut card = sample::card();
        card.hold.state = "approved";
        card.hold.not_before = Moment(sample::NOW.plus(90_000));
        let page = main(&card, &beholder("carol")).into_string();
        assert!(page.contains("Runs not before") && page.contains("left to think better of it"));
        assert!(page.contains("id=\"reject\""));
        card.hold.not_before = Moment(sample::NOW);
        let page = main(&card, &beholder("carol")).into_string();
        assert!(!page.contains("Runs not before") && page.contains("presents the same request again"));
    }

    #[test]
    fn whoever_is_no_other_person_is_told_why() {
        let why = Some("carol is the same human as alice".to_owned());
        let page = main(&sample::card(), &Beholder { no_peer: why, ..beholder("carol") }).into_string();
        assert!(page.contains("carol is the same human as alice"));
        assert!(!page.contains("id=\"approve\"") && page.contains("id=\"reject\""));
    }

    #[test]
    fn nothing_of_a_request_is_left_out_or_taken_for_markup() {
        let mut card = sample::card();
        card.text = format!("SELECT '<script>' -- {}\u{202E}end", "x".repeat(100_000));
        let page = main(&card, &beholder("carol")).into_string();
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"));
        assert!(page.contains(&"x".repeat(100_000)));
        assert!(page.contains("⟨U+202E⟩") && !page.contains('\u{202E}'));
    }

    #[test]
    fn what_is_not_known_is_said() {
        let mut card = sample::card();
        card.facts.relations.clear();
        card.facts.unknown.clear();
        card.facts.locks.clear();
        let page = main(&card, &beholder("carol")).into_string();
        assert!(page.contains("it is not protected from being deleted"), "what AWS said is shown");
        assert!(!page.contains("Nothing is known about how much this touches"));
        card.facts.things.clear();
        let page = main(&card, &beholder("carol")).into_string();
        assert!(page.contains("Nothing is known about how much this touches"));
    }

    #[test]
    fn an_auditor_is_offered_nothing() {
        let page = main(&sample::card(), &Beholder { audits: true, ..beholder("carol") }).into_string();
        assert!(page.contains("you read everything and decide nothing"));
        assert!(!page.contains("id=\"approve\"") && !page.contains("id=\"reject\""));
    }

    #[test]
    fn a_console_beside_the_agent_offers_nothing() {
        let beholder = Beholder { cannot_answer: true, ..beholder("carol") };
        let page = main(&sample::card(), &beholder).into_string();
        assert!(page.contains("Production cannot be answered here"));
        assert!(!page.contains("id=\"approve\"") && !page.contains("id=\"reject\""));
    }
}
