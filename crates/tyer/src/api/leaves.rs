//! Leaves in words: one sentence for each kind of record.

use tyer_core::assurance::{self, Assurance};
use tyer_core::freeze::Freeze;
use tyer_core::pace::Counted;
use tyer_core::record::{ApprovalRecord, Record, RequestRecord, What};
use tyer_core::statement::{Decision, Signed};
use tyer_core::verdict::{LeafIndex, Outcome};

use super::bodies::{LeafBody, Moment, standing_word};
use crate::clock;
use crate::gateway::world::paces::named;
use tyer_core::intent::PersonId;

/// A leaf with what it says.
pub(crate) fn leaf_body(index: LeafIndex, leaf: &[u8]) -> LeafBody {
    let raw = serde_json::from_slice(leaf).unwrap_or_default();
    match Record::decode(leaf) {
        Ok(record) => LeafBody {
            index: index.0,
            at: Some(Moment(record.at)),
            kind: record.what.kind().to_owned(),
            words: words(&record.what),
            leaf: raw,
        },
        Err(why) => LeafBody {
            index: index.0,
            at: None,
            kind: "unreadable".to_owned(),
            words: why.to_string(),
            leaf: raw,
        },
    }
}

/// What a record says, in one sentence.
pub(crate) fn words(what: &What) -> String {
    match what {
        What::Founded { origin } => format!("the ledger {origin} begins"),
        What::Attested { .. }
        | What::Enrolled { .. }
        | What::Invited { .. }
        | What::Confirmed { .. }
        | What::Linked { .. }
        | What::KeyAttested { .. }
        | What::KeyAdded { .. }
        | What::KeyConfirmed { .. }
        | What::KeyRemoved { .. }
        | What::PasskeyAsked { .. }
        | What::PasskeyConfirmed { .. }
        | What::PasskeyRemoved { .. } => of_people(what),
        What::SessionOpened { principal, upstream, by, .. } => format!(
            "{by} made session {} on {upstream}: {} acts for {}{}",
            principal.session,
            principal.agent,
            principal.controller,
            principal.also.iter().map(|also| format!(" and {also}")).collect::<String>()
        ),
        What::SessionEnded { session, how, by, open, closed } => {
            format!(
                "session {session} was {how} by {by}; {closed} of {open} connections were seen to close"
            )
        }
        What::ReadLease { request, .. } => {
            format!("{} may read{}: {}", of(request), observed(request), request.redacted)
        }
        What::LeaseClosed { leaf, uses, failed } => {
            format!("the reads of leaf {} are over: {uses} reads, {failed} failed", leaf.0)
        }
        What::Misread { leaf, code } => format!(
            "finding: what leaf {} cleared as a read was refused as a write by the upstream with {code}; nothing was \
             written",
            leaf.0
        ),
        What::Held { card, .. } => {
            format!("{} is held as {}: needs {}", of(&card.request), card.hold, card.needs.in_words())
        }
        What::Approved { hold, approval } => format!("{} approved {hold}", approver(approval)),
        What::Rejected { hold, person, reason, .. } => format!("{person} rejected {hold}: {reason}"),
        What::Noted { .. } | What::PutOff { .. } | What::GlassBroken { .. } | What::Reviewed { .. } => {
            of_beside(what)
        }
        What::HoldEnded { hold, how } => format!("{hold} {how}"),
        What::Cleared { request, approvals } if approvals.is_empty() => {
            format!("{} may run{}: {}", of(request), observed(request), request.redacted)
        }
        What::Cleared { request, approvals } => {
            let who: Vec<String> = approvals.iter().map(approver).collect();
            format!("{} may run, approved by {}: {}", of(request), who.join(", "), request.redacted)
        }
        What::Settled { .. } => of_settled(what),
        What::Refused { request, reason } => {
            format!("{} was refused ({}): {}", of(request), reason.as_str(), request.redacted)
        }
        What::Slowed { principal, asked, rejected } => format!(
            "{}, and is slowed down from now on",
            named(principal, Counted { asked: *asked, rejected: *rejected })
        ),
        What::Killed { .. }
        | What::Configured { .. }
        | What::FreezeStarted { .. }
        | What::FreezeEnded { .. }
        | What::Frozen { .. }
        | What::Thawed { .. } => of_all(what),
    }
}

/// What one person let through alone, and who reviewed it.
fn of_glass(what: &What) -> String {
    match what {
        What::GlassBroken { hold, approval } => {
            let reason = match &approval.signed.statement.what {
                Decision::BreakGlass { reason, .. } => reason.as_str(),
                _ => "",
            };
            format!("{} broke the glass and let {hold} through alone: {reason}", approver(approval))
        }
        What::Reviewed { hold, by, signed, .. } => {
            let finding = match &signed.statement.what {
                Decision::Review { finding, .. } => finding.as_str(),
                _ => "",
            };
            format!("{by} signed off the review of {hold}: {finding}")
        }
        _ => String::new(),
    }
}

/// What came of what was cleared.
fn of_settled(what: &What) -> String {
    match what {
        What::Settled { leaf, outcome, returned: false } => {
            format!("leaf {}: {}", leaf.0, outcome_words(outcome))
        }
        What::Settled { leaf, outcome, returned: true } => {
            format!("leaf {}: {}; its hold is approved as before", leaf.0, outcome_words(outcome))
        }
        _ => String::new(),
    }
}

/// What people left beside a hold.
fn of_beside(what: &What) -> String {
    match what {
        What::Noted { hold, by, text, to } if to.is_empty() => {
            format!("{by} left a note beside {hold}: {text}")
        }
        What::Noted { hold, by, text, to } => {
            let to: Vec<&str> = to.iter().map(PersonId::as_str).collect();
            format!("{by} handed {hold} over to {}: {text}", to.join(" and "))
        }
        What::PutOff { hold, by, until: Some(until) } => {
            format!("{by} looks at {hold} again at {}", clock::civil(*until))
        }
        What::PutOff { hold, by, until: None } => format!("{by} looks at {hold} again at once"),
        _ => of_glass(what),
    }
}

/// What became of an SSH key, or of a passkey beyond a person's first.
fn key_words(what: &What) -> String {
    match what {
        What::KeyAttested { person, key, root, .. } => {
            let key = &key.credential;
            format!("a maker attests to the SSH key {key} of {person}, by the root {root}")
        }
        What::KeyAdded { person, key, .. } => {
            format!("{person} added the SSH key {}, which waits to be confirmed", key.credential)
        }
        What::KeyConfirmed { person, by, .. } => {
            format!("{by} confirmed an SSH key of {person}, which counts from now on")
        }
        What::KeyRemoved { person, by, .. } => {
            format!("{by} removed an SSH key of {person}, which counts no more")
        }
        What::PasskeyAsked { person, by, .. } if person == by => {
            format!("{person} may enrol a further passkey")
        }
        What::PasskeyAsked { person, by, .. } => {
            format!("{by} lets {person} enrol a new passkey in place of lost ones")
        }
        What::PasskeyConfirmed { person, by, signed } => {
            let others = match &signed.statement.what {
                Decision::ConfirmPasskey { replaces, .. } if !replaces.is_empty() => {
                    ", and none of the others any more"
                }
                _ => "",
            };
            format!("{by} confirmed a passkey of {person}, which counts from now on{others}")
        }
        What::PasskeyRemoved { person, by, .. } => {
            format!("{by} removed a passkey of {person}, which counts no more")
        }
        _ => String::new(),
    }
}

fn of_people(what: &What) -> String {
    match what {
        What::Attested { person, root, .. } => {
            format!("a maker attests to the passkey of {person}, by the root {root}")
        }
        What::Enrolled { person, counts: true, .. } => {
            format!("{person} enrolled a passkey and counts")
        }
        What::Enrolled { person, .. } => {
            format!("{person} enrolled a passkey and waits to be confirmed")
        }
        What::Invited { person, by, .. } => format!("{by} invited {person}"),
        What::Confirmed { person, by, .. } => {
            format!("{by} confirmed {person}, who counts")
        }
        What::Linked { person, other, by, .. } => {
            format!("{by} said that {person} and {other} are one human")
        }
        _ => key_words(what),
    }
}

/// What concerns more than one session or person.
fn of_all(what: &What) -> String {
    match what {
        What::Killed { what, by, sessions, open, closed, holds, seen, unseen, more, signed } => {
            format!(
                "{by} killed {what}{}: {sessions} sessions, {closed} of {open} connections were seen to close, {holds} holds \
             taken back; of what was under way {seen} outcomes were seen and {} not",
                if signed.is_some() { " by passkey" } else { "" },
                unseen.len() + *more as usize
            )
        }
        What::Configured { part, signed, .. } if signed.is_empty() => {
            format!("configuration part {part} was taken as the file says")
        }
        What::Configured { part, signed, .. } => {
            format!("configuration part {part} was confirmed by {}", signers(signed))
        }
        What::FreezeStarted { freeze } => {
            let Freeze { id, by, reason, scope, .. } = freeze;
            let until =
                freeze.until_in_words().map_or_else(String::new, |until| format!(" until {until}"));
            format!("{by} froze {}{until} ({id}): {reason}", scope.in_words())
        }
        What::FreezeEnded { freeze, signed } => {
            format!("the freeze {freeze} was ended early by {}", signers(signed))
        }
        What::Frozen { by, reason } => format!("{by} froze all changes: {reason}"),
        What::Thawed { by, .. } => format!("{by} ended the freeze"),
        _ => String::new(),
    }
}

fn signers(signed: &[Signed]) -> String {
    let who: Vec<&str> = signed.iter().map(|signed| signed.statement.person.as_str()).collect();
    who.join(" and ")
}

/// What was observed, in words.
pub(crate) fn outcome_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { tag, rows, did, undone } => {
            let rows = rows.map_or_else(String::new, |rows| format!(" ({rows} rows)"));
            let did: Vec<String> = did.iter().map(|it| format!("; {}", it.in_words())).collect();
            let undone = undone.map_or_else(String::new, |count| {
                format!("; {count} of what it asked for was not done")
            });
            format!("done, {tag}{rows}{}{undone}", did.concat())
        }
        Outcome::Failed { code } => format!("failed at the upstream with {code}"),
        Outcome::Misread { code } => format!(
            "finding: understood as a read, and refused as a write by the upstream with {code}; nothing was written"
        ),
        Outcome::Unknown { why } => format!("nobody knows what came of it: {why}"),
    }
}

fn of(request: &RequestRecord) -> String {
    let principal = &request.principal;
    format!("a request of {} for {} on {}", principal.agent, principal.controller, request.upstream)
}

/// What the policies said, where they are only observed.
fn observed(request: &RequestRecord) -> String {
    let observed = request.basis.observed.as_ref().map(|observed| observed.in_words());
    observed.map_or_else(String::new, |words| format!(" (only observed; {words})"))
}

fn approver(approval: &ApprovalRecord) -> String {
    let standing = standing_word(approval.standing);
    match assurance::of_key(&approval.key) {
        Assurance::Passkey => format!("{} ({standing})", approval.person),
        assurance => format!("{} ({standing}, by {})", approval.person, assurance.in_words()),
    }
}
