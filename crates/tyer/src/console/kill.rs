//! The kill, in the console: by a passkey, so that nothing ends by a slip of the hand and the leaf says whose word it was.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::escape::Line;
use crate::api::bodies::SessionBody;

/// Buttons for every agent and upstream that has sessions, and for everything; and where its report comes.
pub(super) fn section(running: &[&SessionBody]) -> Markup {
    let agents: BTreeSet<&str> = running.iter().map(|session| session.agent.as_str()).collect();
    let upstreams: BTreeSet<&str> = running.iter().map(|session| session.upstream.as_str()).collect();
    html! {
        @if !running.is_empty() {
            details #kill {
                summary { "Kill more than one session" }
                p.quiet {
                    "Connections are closed, credentials refused and held requests taken back at once; what was seen of "
                    "it, and what was not, is said here and recorded. A freeze keeps new sessions from changing anything."
                }
                div.buttons {
                    @for agent in agents { (button("agent", agent, &format!("agent {agent}"))) }
                    @for upstream in upstreams { (button("upstream", upstream, &format!("upstream {upstream}"))) }
                    (button("everything", "", "everything"))
                }
            }
        }
        output #killed hidden {}
    }
}

/// A button that kills one target; `what` is what the signed statement must say.
pub(super) fn button(kind: &str, name: &str, what: &str) -> Markup {
    html! {
        button.danger type="button" data-kill=(kind) data-name=(name) data-what=(what) { "Kill " (Line(what)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_button_for_each_target_that_runs() {
        let page = section(&[]).into_string();
        assert!(!page.contains("data-kill"), "{page}");
        let page = button("agent", "kiro\"<", "agent kiro\"<").into_string();
        assert!(page.contains("data-name=\"kiro&quot;&lt;\"") && !page.contains("kiro\"<"), "{page}");
    }
}
