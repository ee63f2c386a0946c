//! People: whose word counts, who waits, and who vouches for whom.

use maud::{Markup, html};

use super::escape::Line;
use super::words;
use crate::api::bodies::{PasskeyBody, PersonBody, SshKeyBody};

pub(super) fn main(people: &[PersonBody], me: &str) -> Markup {
    let counting = people.iter().filter(|person| person.counts).count();
    let audits = people.iter().any(|person| person.name == me && person.role == "auditor");
    html! {
        main #main tabindex="-1" {
            h1 { (words::counted(counting as u64, "person counts", "people count")) }
            @if counting < 3 {
                p.notice {
                    "A request that asks for two people other than its controller needs three people who count. "
                    "Until then it is refused, whoever agrees."
                }
            }
            @if audits {
                p.notice { b { "You are an auditor." } " You read everything and decide nothing." }
            }
            ul.cards { @for person in people { (row(person, me, !audits)) } }
            @if !audits { (forms(people)) }
        }
    }
}

/// What whoever decides can do about people.
fn forms(people: &[PersonBody]) -> Markup {
    html! {
        section {
            h2 { "Invite somebody" }
            p.quiet {
                "They enrol a passkey by a link that works once, for 15 minutes. Their word counts after "
                "somebody other than you has confirmed them."
            }
            form #invite-form.inline {
                label for="invite-name" { "Name" }
                input #invite-name name="name" required maxlength="64" autocomplete="off" spellcheck="false";
                button #invite.primary type="submit" { "Invite with passkey" }
            }
            output #invited hidden {}
        }
        section {
            h2 { "Two names, one human" }
            p.quiet {
                "Then both together are one vote, and neither is a peer for what the other controls. It cannot be taken back here."
            }
            form #link-form.inline {
                label for="link-one" { "Name" }
                (names("link-one", people))
                label for="link-other" { "is also" }
                (names("link-other", people))
                button #link.primary type="submit" { "Say so with passkey" }
            }
        }
        (more_passkeys(people))
        section {
            h2 { "Add an SSH key of yours" }
            p.quiet {
                "With it you answer holds from a terminal: " code { "tyer approve" } " and " code { "tyer reject" }
                ". It counts after somebody other than you has confirmed it, and only where a policy takes "
                "people by any key, unless its maker attests to it. Nobody else can ever add it."
            }
            (making())
            form #key-form {
                label for="key" { "Public key" span.quiet { " (the line of the .pub file)" } }
                textarea #key name="key" required rows="3" maxlength="4096" autocomplete="off" spellcheck="false" {}
                div.buttons { button #add-key.primary type="submit" { "Have the key sign that it is yours" } }
            }
            output #proving hidden {
                span { "Sign this with it, within five minutes:" }
                code #proving-command {}
                label for="proof" { "What it said" span.quiet { " (from BEGIN SSH SIGNATURE to END)" } }
                textarea #proof rows="4" maxlength="16384" autocomplete="off" spellcheck="false" {}
                button #prove.primary type="button" { "Add with passkey" }
            }
        }
    }
}

/// A key whose maker attests to it is made over a statement.
fn making() -> Markup {
    html! {
        details #hardware {
            summary { "It is to be in a security key, and to count as hardware" }
            p.quiet { "Its maker has to attest to it, and the operator to trust that maker. Make it here, then add it." }
            div.buttons { button #make-key type="button" { "Say how to make it" } }
            output #making hidden {
                span { "Make it so, and add it within five minutes:" }
                code #making-command {}
                label { "The file " code { "attestation" } " " input type="file" name="attestation"; }
            }
        }
    }
}

fn more_passkeys(people: &[PersonBody]) -> Markup {
    html! {
        section {
            h2 { "Add a passkey of yours" }
            p.quiet {
                "You get a link for the device or browser that is to have it, which works once, for 15 minutes. "
                "It counts after somebody other than you has confirmed it. Have two, so that one can be lost."
            }
            div.buttons { button #add-passkey.primary type="button" { "Make a link with passkey" } }
            output #added hidden {}
        }
        section {
            h2 { "Somebody lost their passkeys" }
            p.quiet {
                "They get a link to enrol a new one, which counts after yet another person has confirmed it; then all "
                "their others count no more. Hand it over only to them. If a passkey was stolen, remove it first."
            }
            form #recover-form.inline {
                label for="recover-name" { "Name" }
                (names("recover-name", people))
                button #recover.primary type="submit" { "Make a link with passkey" }
            }
            output #recovering hidden {}
        }
    }
}

fn names(id: &str, people: &[PersonBody]) -> Markup {
    let enrolled = people.iter().filter(|person| !person.passkey_list.is_empty());
    html! {
        select id=(id) required {
            option value="" {}
            @for person in enrolled { option value=(person.name) { (Line(&person.name)) } }
        }
    }
}

fn row(person: &PersonBody, me: &str, decides: bool) -> Markup {
    html! {
        li data-person=(person.name) {
            div.badges {
                @if person.counts { span.effect { "counts" } }
                @if person.role != "operator" { span.state-word { (person.role) } }
                @if let Some(waiting) = person.waiting_for { span.state-word { "waits for " (waiting) } }
                @if person.founder { span.state-word { "founder" } }
                @if person.recovered { span.state-word { "recovered" } }
            }
            h3 { (Line(&person.name)) @if person.name == me { " (you)" } }
            dl.facts {
                div { dt { "Passkeys" } dd { (person.passkeys) } }
                @if let Some(by) = &person.invited_by { div { dt { "Invited by" } dd { (Line(by)) } } }
                @if let Some(by) = &person.confirmed_by {
                    div { dt { "Confirmed by" } dd { (listed(std::iter::once(by).chain(&person.confirmed_also))) } }
                }
                @if !person.one_with.is_empty() { div { dt { "Same human as" } dd { (listed(&person.one_with)) } } }
            }
            @if !decides {}
            @else if person.waiting_for == Some("confirmation") { (confirm(person, me)) }
            @else if person.counts && (!person.founder || person.recovered) { (stand_behind(person, me)) }
            @for key in &person.passkey_list { (passkey(key, person, me, decides)) }
            @for key in &person.ssh_keys { (ssh_key(key, person, me, decides)) }
        }
    }
}

fn passkey(key: &PasskeyBody, person: &PersonBody, me: &str, decides: bool) -> Markup {
    let asker = key.asked_by.as_deref().filter(|by| *by != person.name);
    html! {
        div data-passkey=(key.digest) {
            p {
                "Passkey " code { (key.short()) } @if key.attested { ", hardware attested by its maker" }
                @if let Some(by) = asker { ", in place of lost ones as " (Line(by)) " asked" }
                @if let Some(by) = &key.removed_by { ", removed by " (Line(by)) ": it counts no more." }
                @else if let Some(by) = &key.confirmed_by { ", confirmed by " (Line(by)) "." }
                @else if key.waits() { ", waits to be confirmed and does not count." }
                @else { "." }
            }
            @if key.waits() && decides && asker == Some(me) {
                p.notice { "You asked for it, so somebody else has to confirm." }
            } @else if key.waits() && decides && person.name != me {
                p {
                    "Confirm only if " b { (Line(&person.name)) } " has told you these digits by another way than this page."
                    @if asker.is_some() { " All their other passkeys then count no more." }
                }
                div.buttons {
                    button.primary type="button" data-confirm-passkey=(key.digest) data-owner=(person.name) {
                        "Confirm passkey with passkey"
                    }
                }
            }
            @if decides && key.removed_by.is_none() {
                div.buttons {
                    button type="button" data-remove-passkey=(key.digest) data-owner=(person.name) {
                        "Remove passkey with passkey"
                    }
                }
            }
        }
    }
}

fn ssh_key(key: &SshKeyBody, person: &PersonBody, me: &str, decides: bool) -> Markup {
    let kind = match key.assurance {
        "hardware" => "Security key, attested by its maker",
        "unattested" => "Security key, not attested",
        _ => "Software key",
    };
    html! {
        div data-key=(key.fingerprint) {
            p {
                "SSH key " code { (Line(&key.fingerprint)) } ". " (kind)
                @if let Some(by) = &key.removed_by { ", removed by " (Line(by)) ": it counts no more." }
                @else if let Some(by) = &key.confirmed_by { ", confirmed by " (Line(by)) "." }
                @else { ", waits to be confirmed and does not count." }
            }
            @let waits = key.confirmed_by.is_none() && key.removed_by.is_none();
            @if waits && decides && person.name != me {
                p { "Confirm only if " b { (Line(&person.name)) } " has told you this fingerprint by another way than this page." }
                div.buttons {
                    button.primary type="button" data-confirm-key=(key.fingerprint) data-owner=(person.name) {
                        "Confirm key with passkey"
                    }
                }
            }
            @if decides && key.removed_by.is_none() {
                div.buttons {
                    button type="button" data-remove-key=(key.fingerprint) data-owner=(person.name) {
                        "Remove key with passkey"
                    }
                }
            }
        }
    }
}

fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> Markup {
    html! {
        @for (at, name) in names.into_iter().enumerate() { @if at > 0 { ", " } (Line(name)) }
    }
}

/// For requests that a confirmer controls, they count only if somebody else has confirmed them as well.
fn stand_behind(person: &PersonBody, me: &str) -> Markup {
    let has = person.confirmed_by.iter().chain(&person.confirmed_also).any(|by| by == me);
    html! {
        @if !has && person.name != me {
            p.quiet { "They do not count for requests of whoever alone has confirmed them." }
            div.buttons {
                button type="button" data-confirm=(person.name) { "Confirm them, too, with passkey" }
            }
        }
    }
}

fn confirm(person: &PersonBody, me: &str) -> Markup {
    html! {
        @if person.invited_by.as_deref() == Some(me) {
            p.notice { "You invited them, so somebody else has to confirm." }
        } @else if person.name != me {
            p { "Confirm only if you know, by another way than this page, that they enrolled themselves." }
            div.buttons {
                button.primary type="button" data-confirm=(person.name) { "Confirm with passkey" }
            }
        }
    }
}
