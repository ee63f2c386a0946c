//! Sessions: who acts for whom, how they were narrowed, and how to stop them.

use maud::{Markup, html};
use tyer_core::intent::{Effect, Timestamp};

use super::escape::{Block, Line};
use super::layout::supplied;
use super::{allowances, kill, words};
use crate::api::bodies::{DoorBody, HoldBody, SessionBody};

/// Sessions that ended are shown as far back as this.
const ENDED_SHOWN: usize = 20;

pub(super) fn main(
    (sessions, allowances): (&[SessionBody], &[HoldBody]),
    doors: &[DoorBody],
    now: Timestamp,
) -> Markup {
    let (ended, running): (Vec<_>, Vec<_>) =
        sessions.iter().partition(|session| session.ended.is_some());
    html! {
        main #main tabindex="-1" {
            h1 {
                @if running.is_empty() { "No session runs" }
                @else { (words::counted(running.len() as u64, "session runs", "sessions run")) }
            }
            (kill::section(&running))
            ul.cards { @for session in running { (row(session, now)) } }
            (allowances::list(allowances, now))
            (new_session(doors))
            @if !ended.is_empty() {
                h2 { "Ended" }
                ul.cards.ended { @for session in ended.into_iter().take(ENDED_SHOWN) { (row(session, now)) } }
            }
        }
    }
}

fn row(session: &SessionBody, now: Timestamp) -> Markup {
    html! {
        li data-session=(session.session) {
            div.badges {
                (words::environment(&session.environment))
                @if let Some(ended) = &session.ended { span.state-word { (Line(ended)) } }
            }
            h3 {
                @if session.human { "Human " } @else { "Agent " }
                (Line(&session.agent)) " for " (Line(&session.controller))
                @for also in &session.also { " and " (Line(also)) }
                " on " (Line(&session.upstream))
            }
            dl.facts {
                div { dt { "Session" } dd { code { (session.session) } } }
                div { dt { "May" } dd { (list(&session.may, "any effect that the policies let through")) } }
                div { dt { "On" } dd { (list(&session.on, "anything")) } }
                div { dt { "Made" } dd { (words::ago(session.opened, now)) } }
                @if session.ended.is_none() {
                    div { dt { "Ends in" } dd { (words::left(session.expires, now)) } }
                    div { dt { "Connections" } dd { (session.connections) " open" } }
                }
            }
            @if let Some(pace) = &session.pace {
                p.notice.pace { b { (Line(pace)) } ". Its further questions are put off." }
            }
            @if !session.purpose.is_empty() {
                (supplied("Purpose, as whoever made the session wrote it", &html! { p { (Block(&session.purpose)) } }))
            }
            @if session.ended.is_none() {
                div.buttons {
                    button type="button" data-end=(session.session) data-how="ended" { "End" }
                    (kill::button("session", &session.session, &format!("session {}", session.session)))
                }
            }
        }
    }
}

fn list(words: &[String], otherwise: &str) -> Markup {
    html! {
        @if words.is_empty() { (otherwise) }
        @for (at, word) in words.iter().enumerate() {
            @if at > 0 { ", " }
            code { (Line(word)) }
        }
    }
}

fn new_session(doors: &[DoorBody]) -> Markup {
    html! {
        details #new-session {
            summary { "Make a session that acts for you" }
            form #session-form data-post="/api/v1/sessions" {
                label for="session-agent" { "Agent" }
                input #session-agent name="agent" required maxlength="64" autocomplete="off" spellcheck="false";
                label for="session-upstream" { "Upstream" }
                select #session-upstream name="upstream" {
                    @for door in doors { option value=(door.upstream) { (door.upstream) " (" (door.environment) ")" } }
                }
                label for="session-lasts" { "Lasts" }
                select #session-lasts name="lasts_seconds" {
                    option value="3600" { "1 hour" }
                    option value="7200" selected { "2 hours" }
                    option value="28800" { "8 hours" }
                    option value="86400" { "1 day" }
                }
                fieldset {
                    legend { "May do only (nothing checked: whatever the policies let through)" }
                    @for effect in Effect::ALL {
                        label.check { input type="checkbox" name="may" value=(effect.as_str()); " " (effect.as_str()) }
                    }
                }
                label for="session-on" { "Only on (patterns such as " code { "orders.public.*" } ", by spaces)" }
                input #session-on name="on" autocomplete="off" spellcheck="false";
                label for="session-purpose" { "Purpose" }
                textarea #session-purpose name="purpose" rows="2" maxlength="2000" {}
                div.buttons { button.primary type="submit" { "Make the session" } }
            }
        }
        output #minted hidden {}
    }
}
