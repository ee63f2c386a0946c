//! How a refusal sounds to a driver: `ErrorResponse` and `NoticeResponse` fields ("Error and Notice
//! Message Fields" and "PostgreSQL Error Codes" in the PostgreSQL documentation).
//!
//! Codes are chosen so that drivers and pools don't retry by themselves (never class 40) and still
//! tell a refusal from a hold. Every field is one line: what an agent or a person wrote can't forge
//! further output in a log.

use tyer_core::intent::HoldId;
use tyer_core::verdict::{Reason, Refusal};

use super::encode;
use crate::line::one_line;

/// What the agent is told instead of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    code: &'static str,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
}

impl Answer {
    /// An answer with this SQLSTATE and message.
    #[must_use]
    pub fn new(code: &'static str, message: &str) -> Self {
        Self { code, message: one_line(message), detail: None, hint: None }
    }

    /// The answer for a refusal; a hold's id goes into the detail, so that programs find it.
    #[must_use]
    pub fn of(refusal: &Refusal, hold: Option<&HoldId>) -> Self {
        let answer = Self::new(code(refusal.reason), &refusal.message);
        let answer = match hold {
            Some(hold) => answer.detail(&format!("hold {hold}")),
            None => answer,
        };
        if refusal.next.is_empty() { answer } else { answer.hint(&refusal.next) }
    }

    /// With this detail.
    #[must_use]
    pub fn detail(self, detail: &str) -> Self {
        Self { detail: Some(one_line(detail)), ..self }
    }

    /// With this next step.
    #[must_use]
    pub fn hint(self, hint: &str) -> Self {
        Self { hint: Some(one_line(hint)), ..self }
    }

    /// The SQLSTATE.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// `ErrorResponse` after which the connection goes on.
    #[must_use]
    pub fn error(&self) -> Vec<u8> {
        self.complaint(b'E', "ERROR")
    }

    /// `ErrorResponse` after which the connection ends.
    #[must_use]
    pub fn fatal(&self) -> Vec<u8> {
        self.complaint(b'E', "FATAL")
    }

    /// `NoticeResponse`: a reminder beside the results.
    #[must_use]
    pub fn notice(&self) -> Vec<u8> {
        self.complaint(b'N', "NOTICE")
    }

    fn complaint(&self, tag: u8, severity: &str) -> Vec<u8> {
        let mut fields =
            vec![(b'S', severity), (b'V', severity), (b'C', self.code), (b'M', self.message.as_str())];
        fields.extend(self.detail.as_deref().map(|detail| (b'D', detail)));
        fields.extend(self.hint.as_deref().map(|hint| (b'H', hint)));
        encode::complaint(tag, &fields)
    }
}

/// A reminder for the agent beside its results.
#[must_use]
pub fn reminder(message: &str, hint: &str) -> Vec<u8> {
    Answer::new("00000", message).hint(hint).notice()
}

/// The SQLSTATE of a reason.
#[must_use]
pub fn code(reason: Reason) -> &'static str {
    match reason {
        // insufficient_privilege
        Reason::Policy
        | Reason::PolicyError
        | Reason::NobodyCan
        | Reason::Narrowed
        | Reason::LastBackup
        | Reason::Rejected => "42501",
        // object_not_in_prerequisite_state: present it again once people have agreed
        Reason::Held => "55000",
        // read_only_sql_transaction
        Reason::Frozen => "25006",
        // program_limit_exceeded
        Reason::TooMany => "54000",
        // io_error
        Reason::NotRecorded => "58030",
        // admin_shutdown
        Reason::Ended => "57P01",
        // feature_not_supported
        Reason::Unsupported => "0A000",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_in_order_and_on_one_line() {
        let refusal = Refusal::new(Reason::Held, "two people must agree\u{202e}\0", "retry\r\nlater");
        let check = |bytes: Vec<u8>, expect: &str| {
            assert_eq!(String::from_utf8_lossy(&bytes[5..]).replace('\0', "|"), expect);
        };
        let answer = Answer::of(&refusal, Some(&HoldId::new("H-42")));
        let rest = "C55000|Mtwo people must agree\\u{202e}\\u{0}|Dhold H-42|Hretry\\u{d}\\nlater||";
        check(answer.error(), &format!("SERROR|VERROR|{rest}"));
        check(answer.fatal(), &format!("SFATAL|VFATAL|{rest}"));
        check(reminder("careful", "ask"), "SNOTICE|VNOTICE|C00000|Mcareful|Hask||");
        let bytes = answer.error();
        assert_eq!((bytes[0], usize::from(bytes[4])), (b'E', bytes.len() - 1));
    }

    #[test]
    fn no_code_invites_a_retry() {
        let reasons = [Reason::Policy, Reason::Held, Reason::Frozen, Reason::TooMany, Reason::Ended];
        assert!(reasons.iter().all(|reason| !code(*reason).starts_with("40")));
        assert_ne!(code(Reason::Held), code(Reason::Policy));
    }
}
