//! The bodies of the public HTTP API: the only serde types that outsiders see, made by hand from the
//! core's types so that neither can change the other by accident. Pages show the same bodies.

pub(crate) mod allowances;
pub(crate) mod answers;
pub(crate) mod beside;
pub(crate) mod facts;
pub(crate) mod freezes;
pub(crate) mod glass;
pub(crate) mod holds;
pub(crate) mod kill;
pub(crate) mod people;
pub(crate) mod ssh;
pub(crate) mod still;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use tyer_core::intent::Timestamp;
use tyer_core::ledger::verify::Report;
use tyer_core::statement::{Decision, Statement};

pub(crate) use self::facts::{CascadeBody, CountedBody, FactsBody, RelationBody, SafetyBody};
pub(crate) use self::freezes::{FreezeBody, FreezeRequestBody};
pub(crate) use self::glass::{BreakBody, ReviewBody, ReviewedBody};
pub(crate) use self::holds::{ActBody, CardBody, HoldBody, standing_word};
pub(crate) use self::kill::{KillBody, KillRequestBody};
pub(crate) use self::people::{PasskeyBody, PersonBody, SshKeyBody};
use self::ssh::{KeyProofBody, message};
use crate::config::Mode;
use crate::gateway::world::Session;

/// A moment; RFC 3339 in UTC on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match jiff::Timestamp::from_millisecond(self.0.0) {
            Ok(moment) => serializer.serialize_str(&moment.to_string()),
            Err(_) => serializer.serialize_str(&self.0.0.to_string()),
        }
    }
}

/// How Tyer stands.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StatusBody {
    pub(crate) version: &'static str,
    /// The freezes that hold.
    pub(crate) freezes: Vec<FreezeBody>,
    /// What was let through on one person's word and waits for others to review it.
    pub(crate) reviews: Vec<ReviewBody>,
    pub(crate) doors: Vec<DoorBody>,
    pub(crate) ledger: HeadBody,
    /// Words for what is unsafe about how Tyer is set up; empty is good.
    #[serde(rename = "unsafe")]
    pub(crate) posture: Vec<String>,
}

/// A door and whether it lets anybody in.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DoorBody {
    pub(crate) upstream: String,
    pub(crate) listen: String,
    pub(crate) environment: String,
    /// `observe` where policies are written down and do not bind.
    pub(crate) mode: Mode,
    pub(crate) open: bool,
    /// The changed parts of the configuration that two people have not confirmed yet.
    pub(crate) closed_by: Vec<String>,
}

/// Where the ledger stands.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HeadBody {
    pub(crate) size: u64,
    pub(crate) root: Option<String>,
    pub(crate) checkpoint: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SessionBody {
    pub(crate) session: String,
    pub(crate) agent: String,
    pub(crate) human: bool,
    pub(crate) controller: String,
    /// Who else controls it, and is no peer for it either.
    pub(crate) also: Vec<String>,
    pub(crate) upstream: String,
    pub(crate) environment: String,
    /// The only effects allowed; empty means any.
    pub(crate) may: Vec<String>,
    /// Patterns of the only resources allowed; empty means any.
    pub(crate) on: Vec<String>,
    pub(crate) purpose: String,
    pub(crate) opened: Moment,
    pub(crate) expires: Moment,
    /// `ended`, `killed`, `expired` or nothing.
    pub(crate) ended: Option<String>,
    /// Connections that are open now.
    pub(crate) connections: u32,
    /// Who asks, named, if the session is slowed down because it keeps asking.
    pub(crate) pace: Option<String>,
}

impl SessionBody {
    pub(crate) fn of(session: &Session, environment: String, connections: u32) -> Self {
        let principal = &session.principal;
        Self {
            session: principal.session.to_string(),
            agent: principal.agent.clone(),
            human: principal.human,
            controller: principal.controller.to_string(),
            also: principal.also.iter().map(ToString::to_string).collect(),
            upstream: session.upstream.to_string(),
            environment,
            may: session.narrowing.may.iter().map(ToString::to_string).collect(),
            on: session.narrowing.on.clone(),
            purpose: session.purpose.clone(),
            opened: Moment(session.opened),
            expires: Moment(session.until),
            ended: session.ended.clone(),
            connections,
            pace: None,
        }
    }
}

/// A session to make.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSessionBody {
    pub(crate) agent: String,
    #[serde(default)]
    pub(crate) human: bool,
    /// The caller, unless the operator asks.
    pub(crate) controller: Option<String>,
    pub(crate) upstream: String,
    #[serde(default)]
    pub(crate) may: Vec<String>,
    #[serde(default)]
    pub(crate) on: Vec<String>,
    pub(crate) lasts_seconds: Option<i64>,
    #[serde(default)]
    pub(crate) purpose: String,
}

/// A session that was made, with everything a driver needs. The password is shown once.
#[derive(Clone, Serialize)]
pub(crate) struct MintedBody {
    pub(crate) session: String,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Before a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<String>,
    /// The whole of it for a driver; before AWS, what `AWS_ENDPOINT_URL` is to be.
    pub(crate) url: String,
    /// Before AWS, an access key for each account.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) aws: Vec<AccessKeyBody>,
    /// Before AWS, the door as a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proxy: Option<ProxyBody>,
    pub(crate) expires: Moment,
}

/// An access key that was minted for a session. The secret is shown once.
#[derive(Clone, Serialize)]
pub(crate) struct AccessKeyBody {
    pub(crate) account: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

/// What clients need that don't take an endpoint.
#[derive(Clone, Serialize)]
pub(crate) struct ProxyBody {
    /// What `HTTPS_PROXY` is to be, with the session's password.
    pub(crate) url: String,
    /// What `AWS_CA_BUNDLE` is to have in it.
    pub(crate) certificate: String,
}

/// How to end a session: `ended` or `killed`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum How {
    Ended,
    Killed,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndBody {
    pub(crate) how: How,
}

/// Connections that were open when a session ended, and how many of them were seen to close.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct EndingBody {
    pub(crate) open: u32,
    pub(crate) closed: u32,
}

/// What somebody wants to sign: `{"approve": "H-1"}`, `{"thaw": "F-1"}` and so on.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WishBody {
    Approve(String),
    ApproveAll(Vec<String>),
    Reject(String),
    BreakGlass(BreakBody),
    Review(ReviewedBody),
    Invite(String),
    Confirm(String),
    Link([String; 2]),
    Thaw(String),
    Kill(KillRequestBody),
    Configure(String),
    SignIn(bool),
    MakeKey(bool),
    AddKey(String),
    ConfirmKey(String),
    RemoveKey(String),
    AddPasskey(bool),
    Recover(String),
    ConfirmPasskey(String),
    RemovePasskey(String),
}

/// A statement to sign.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StatementBody {
    /// The statement; the challenge is the digest of its canonical form.
    pub(crate) statement: Value,
    /// Base64url.
    pub(crate) challenge: String,
    /// Credential ids that may sign; empty leaves it to the browser.
    pub(crate) allow: Vec<String>,
    pub(crate) rp_id: String,
    /// The same as a file, where an SSH key has to sign it too, or is made over it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

impl StatementBody {
    pub(crate) fn of(statement: &Statement, allow: Vec<String>, rp_id: &str) -> Self {
        let is_file = matches!(statement.what, Decision::AddKey { .. } | Decision::MakeKey);
        Self {
            message: is_file.then(|| message(statement)),
            statement: serde_json::to_value(statement).unwrap_or_default(),
            challenge: base64url(&statement.challenge().0),
            allow,
            rp_id: rp_id.to_owned(),
        }
    }
}

/// A signed statement, named by its nonce.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionBody {
    pub(crate) nonce: String,
    pub(crate) assertion: AssertionBody,
    #[serde(default)]
    pub(crate) comment: String,
    /// To add an SSH key.
    #[serde(default)]
    pub(crate) key: Option<KeyProofBody>,
}

/// A passkey's answer; all base64url.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssertionBody {
    pub(crate) credential: String,
    pub(crate) authenticator_data: String,
    pub(crate) client_data: String,
    pub(crate) signature: String,
}

/// What a decision set off; one of the fields.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EffectedBody {
    Done(bool),
    Invited { url: String },
    SignedIn(String),
    Killed(Box<KillBody>),
}

/// What a browser needs to make a passkey.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct EnrolmentBody {
    pub(crate) person: String,
    /// Opaque to the authenticator; base64url.
    pub(crate) user_id: String,
    /// `direct` if makers' attestations are wanted, else `none`.
    pub(crate) attestation: &'static str,
    /// Credential ids of the person's other passkeys, which are not to be made anew.
    pub(crate) exclude: Vec<String>,
    #[serde(flatten)]
    pub(crate) statement: StatementBody,
}

/// A new passkey; byte strings are base64url.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegistrationBody {
    pub(crate) nonce: String,
    pub(crate) client_data: String,
    pub(crate) attestation_object: String,
}

/// A text of SQL to hold as one unit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposalBody {
    pub(crate) sql: String,
    /// How long to wait for people in this call.
    pub(crate) wait_seconds: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct LeafBody {
    pub(crate) index: u64,
    pub(crate) at: Option<Moment>,
    pub(crate) kind: String,
    /// One sentence.
    pub(crate) words: String,
    /// The leaf itself.
    pub(crate) leaf: Value,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ReceiptBody {
    /// One line of JSON, to be kept exactly as it is.
    pub(crate) receipt: String,
    pub(crate) reveal: Option<RevealBody>,
}

/// What opens the commitment of a leaf.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RevealBody {
    pub(crate) salt: String,
    pub(crate) text: String,
}

/// What verifying the ledger found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct VerifyBody {
    pub(crate) clean: bool,
    pub(crate) origin: String,
    pub(crate) size: u64,
    pub(crate) root: String,
    pub(crate) findings: Vec<FindingBody>,
    /// Findings beyond those listed.
    pub(crate) more: u64,
    /// How much this proves, in a sentence.
    pub(crate) proves: String,
    /// Signatures of people that were verified.
    pub(crate) signatures: u64,
    /// Leaves that cleared something whose outcome is not recorded.
    pub(crate) unsettled: Vec<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct FindingBody {
    pub(crate) leaf: Option<u64>,
    pub(crate) what: String,
}

impl VerifyBody {
    pub(crate) fn of(report: &Report) -> Self {
        let finding = |finding: &tyer_core::ledger::verify::Finding| FindingBody {
            leaf: finding.leaf,
            what: finding.what.clone(),
        };
        Self {
            clean: report.is_clean(),
            origin: report.origin.clone(),
            size: report.size,
            root: report.root.to_string(),
            findings: report.findings.iter().map(finding).collect(),
            more: report.more,
            proves: report.proves.to_string(),
            signatures: report.signatures,
            unsettled: report.unsettled.clone(),
        }
    }
}

/// A security part of the configuration that changed and waits for people.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PartBody {
    pub(crate) part: String,
    pub(crate) confirmed: Option<String>,
    pub(crate) pending: Option<String>,
    pub(crate) signed_by: Vec<String>,
}

/// Base64url without padding.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
