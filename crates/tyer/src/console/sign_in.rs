//! Signing in, enrolling, and waiting to count.

use maud::{Markup, html};

use super::escape::Line;

/// `next` is the page that was asked for.
pub(super) fn sign_in(next: &str) -> Markup {
    html! {
        main #main.narrow tabindex="-1" {
            h1 { "Sign in" }
            p { "With the passkey that you enrolled here. There are no passwords." }
            div.buttons { button #sign-in.primary type="button" data-next=(local_path(next)) { "Sign in with passkey" } }
            noscript { p.notice { "Passkeys need this page's script." } }
        }
    }
}

/// A page of this console, or the first one. Anything that a browser might take for another site is not.
pub(super) fn local_path(next: &str) -> &str {
    let local = next.starts_with('/')
        && !next.starts_with("//")
        && next.chars().all(|letter| letter.is_ascii_graphic() && letter != '\\');
    if local { next } else { "/" }
}

/// `person` is who the link was made for; nobody if it is not valid any more.
pub(super) fn enrol(token: &str, person: Option<&str>) -> Markup {
    html! {
        main #main.narrow tabindex="-1" {
            @match person {
                Some(person) => {
                    h1 { "Enrol a passkey for " (Line(person)) }
                    p {
                        "Your passkey signs every decision that you make here. It has to check that it is you, "
                        "by a fingerprint, a face or a PIN."
                    }
                    p { "Enrol only if this name is yours. This link works once." }
                    div.buttons {
                        button #enrol.primary type="button" data-token=(token) { "Enrol a passkey" }
                    }
                    noscript { p.notice { "Passkeys need this page's script." } }
                }
                None => {
                    h1 { "This link is not valid any more" }
                    p { "Enrolment links work once and for 15 minutes. Ask whoever invited you, or the operator, for a new one." }
                    p { a href="/sign-in" { "Sign in" } }
                }
            }
        }
    }
}

/// Somebody who is enrolled and does not count yet.
pub(super) fn waiting() -> Markup {
    html! {
        main #main.narrow tabindex="-1" {
            h1 { "You are enrolled and wait to be confirmed" }
            p { "Somebody other than your inviter has to confirm you, at " b { "People" } ", with their passkey. Until then you see nothing here." }
            form method="post" action="/sign-out" { button type="submit" { "Sign out" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        let check = |next: &str, expect: &str| assert_eq!(local_path(next), expect, "{next}");
        check("/holds/H-1", "/holds/H-1");
        check("/ledger?verify=1", "/ledger?verify=1");
        check("//evil.example", "/");
        check("/\\evil.example", "/");
        check("https://evil.example", "/");
        check("javascript:alert(1)", "/");
        check("/\t/evil.example", "/");
        check("", "/");
    }
}
