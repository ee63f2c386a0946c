//! Freezes: those that hold, on every page, and those that will, on one of their own.

use maud::{Markup, html};
use tyer_core::intent::Timestamp;

use super::escape::Line;
use super::words;
use crate::api::bodies::{DoorBody, FreezeBody};

/// What holds, and the switch for everything, on every page.
pub(super) fn bar(freezes: &[FreezeBody], me: &str, now: Timestamp) -> Markup {
    let is_everything = |it: &FreezeBody| it.environment.is_none() && it.upstream.is_none();
    html! {
        section #freeze-bar aria-label="Freezes" {
            @for freeze in freezes {
                div.frozen {
                    p {
                        strong { "Frozen" } " by " (Line(&freeze.by)) " since " (words::civil(freeze.since))
                        " (" (words::ago(freeze.since, now)) "), " (until(freeze)) ": nothing is changed in "
                        b { (Line(&freeze.covers)) } ". Reason: " q { (Line(&freeze.reason)) }
                    }
                    (ending(freeze, me))
                }
            }
            @if !freezes.iter().any(is_everything) {
                form #freeze-form method="post" action="/freeze" {
                    span.state {
                        @if freezes.is_empty() { "Changes flow" } @else { "All other changes flow" }
                        " · " a href="/freezes" { "Freezes" }
                    }
                    label for="freeze-reason" { "Reason" }
                    input #freeze-reason name="reason" type="text" maxlength="2000" autocomplete="off" placeholder="Why";
                    button #freeze.danger type="submit" { "Freeze all changes" }
                }
            } @else {
                p.state { a href="/freezes" { "All freezes" } }
            }
        }
    }
}

fn until(freeze: &FreezeBody) -> Markup {
    html! {
        @match &freeze.until_local {
            Some(until) => { "until " (Line(until)) }
            None => "until people end it",
        }
    }
}

/// Who has signed to end it early, and the button for who has not.
fn ending(freeze: &FreezeBody, me: &str) -> Markup {
    let missing = freeze.enders.saturating_sub(freeze.signed_by.len());
    html! {
        div.ending {
            @if !freeze.signed_by.is_empty() {
                p { "Its end was signed by " (Line(&freeze.signed_by.join(", "))) "; it needs a second person." }
            }
            @if freeze.signed_by.iter().any(|person| person == me) {
                p { "You have signed." }
            } @else {
                button type="button" data-thaw=(freeze.freeze) data-digest=(freeze.digest) data-missing=(missing) {
                    "End with passkey"
                }
            }
        }
    }
}

/// All that hold or will within days, and a form for what is narrower than everything.
pub(super) fn main(freezes: &[FreezeBody], doors: &[DoorBody], me: &str, now: Timestamp) -> Markup {
    let holding = freezes.iter().filter(|freeze| freeze.holds).count() as u64;
    html! {
        main #main tabindex="-1" {
            h1 {
                @if holding == 0 { "Nothing is frozen" }
                @else { (words::counted(holding, "freeze holds", "freezes hold")) }
            }
            ul.cards { @for freeze in freezes { (row(freeze, me, now)) } }
            @if freezes.is_empty() { p.quiet { "No freeze begins within seven days either." } }
            h2 { "Freeze less than everything" }
            p.quiet { "A freeze binds everybody, operators too. Two people end one early." }
            (form(doors))
        }
    }
}

fn row(freeze: &FreezeBody, me: &str, now: Timestamp) -> Markup {
    html! {
        li data-freeze=(freeze.freeze) {
            div.badges {
                @if freeze.holds { span.effect.dangerous { "holds" } } @else { span.effect { "comes" } }
            }
            h3 { (Line(&freeze.covers)) }
            p { q { (Line(&freeze.reason)) } }
            dl.facts {
                div { dt { "Freeze" } dd { code { (Line(&freeze.freeze)) } } }
                div { dt { "By" } dd { (Line(&freeze.by)) } }
                div { dt { @if freeze.holds { "Since" } @else { "From" } } dd { (Line(&freeze.since_local)) } }
                div { dt { "Until" } dd { @if let Some(until) = &freeze.until_local { (Line(until)) } @else { "people end it" } } }
                @if let Some(until) = freeze.until.filter(|_| freeze.holds) {
                    div { dt { "Time left" } dd { (words::left(until, now)) } }
                }
            }
            @if freeze.holds { (ending(freeze, me)) }
        }
    }
}

fn form(doors: &[DoorBody]) -> Markup {
    let mut environments: Vec<&str> = doors.iter().map(|door| door.environment.as_str()).collect();
    environments.sort_unstable();
    environments.dedup();
    html! {
        form #freeze-some-form.stacked method="post" action="/freeze" {
            label for="freeze-environment" { "Environment" }
            select #freeze-environment name="environment" {
                option value="" { "any" }
                @for name in environments { option value=(name) { (Line(name)) } }
            }
            label for="freeze-upstream" { "Upstream" }
            select #freeze-upstream name="upstream" {
                option value="" { "any" }
                @for door in doors { option value=(door.upstream) { (Line(&door.upstream)) } }
            }
            label for="freeze-until" { "Until" span.quiet { " (left empty: until people end it)" } }
            input #freeze-until name="until" type="datetime-local";
            label for="freeze-zone" { "Time zone" }
            input #freeze-zone name="zone" type="text" maxlength="64" autocomplete="off" placeholder="UTC";
            label for="freeze-why" { "Reason" }
            input #freeze-why name="reason" type="text" maxlength="2000" autocomplete="off";
            div.buttons { button #freeze-some.danger type="submit" { "Freeze" } }
        }
    }
}

/// What the card says of the freezes that cover its request.
pub(super) fn note(freezes: &[FreezeBody]) -> Markup {
    html! {
        @for freeze in freezes {
            p.notice data-freeze=(freeze.freeze) {
                @if freeze.holds {
                    b { "Frozen" } ", " (until(freeze)) ": this cannot run before that, whoever approves. "
                } @else {
                    b { "A freeze begins " (Line(&freeze.since_local)) } " and holds " (until(freeze)) ". "
                }
                "It covers " (Line(&freeze.covers)) ", by " (Line(&freeze.by)) ": " q { (Line(&freeze.reason)) }
            }
        }
    }
}
