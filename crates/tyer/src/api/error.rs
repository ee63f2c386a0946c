//! Errors of the API: a status, a code that programs branch on, a sentence, and what to do next.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tyer_core::allowance::AskError;
use tyer_core::glass::NotReviewed;

use crate::archive::ArchiveError;
use crate::gateway::allowances::AllowanceError;
use crate::gateway::beside::LeaveError;
use crate::gateway::configuration::ConfirmError;
use crate::gateway::freeze::{FreezeError, ThawError};
use crate::gateway::glass::GlassError;
use crate::gateway::holds::AnswerError;
use crate::gateway::keys::KeyError;
use crate::gateway::passkeys::PasskeyError;
use crate::gateway::people::PeopleError;
use crate::gateway::sessions::SessionError;
use crate::gateway::statements::DecisionError;
use crate::secret::NoRandomness;
use crate::store::StoreError;

/// Why a call was not answered with what it asked for.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) next: &'static str,
    /// Seconds after which the same call may be made again.
    pub(crate) retry_after: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        next: &'static str,
    ) -> Self {
        Self { status, code, message: message.into(), next, retry_after: None }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad_request",
            message,
            "correct the request; see /api/v1/openapi.json",
        )
    }

    pub(crate) fn forbidden(message: impl Into<String>, next: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message, next)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message, "look at the list again")
    }

    pub(super) fn conflict(code: &'static str, message: String) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            code,
            message,
            "look at the page again and decide on what it says now",
        )
    }

    fn stored(error: &StoreError) -> Self {
        tracing::error!(%error, "a call failed at the store");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_recorded",
            "this could not be recorded, so it was not done",
            "try again; if it stays, the operator has to look at the server's log",
        )
    }

    fn random() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no_randomness",
            NoRandomness.to_string(),
            "try again",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body =
            json!({ "error": { "code": self.code, "message": self.message, "next": self.next } });
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Passkey realm=\"tyer\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::stored(&error)
    }
}

impl From<NoRandomness> for ApiError {
    fn from(_: NoRandomness) -> Self {
        Self::random()
    }
}

impl From<ArchiveError> for ApiError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Store(error) => Self::stored(&error),
            ArchiveError::NoLeaf(_) | ArchiveError::NothingToReveal(_) => {
                Self::not_found(error.to_string())
            }
        }
    }
}

impl From<SessionError> for ApiError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Store(error) => Self::stored(&error),
            SessionError::Random(_) => Self::random(),
            SessionError::NoSession(_) | SessionError::NoAgent(_) => Self::not_found(error.to_string()),
            SessionError::NoUpstream(_)
            | SessionError::NoController(_)
            | SessionError::AgentName
            | SessionError::Human
            | SessionError::Lasts
            | SessionError::Purpose => Self::bad(error.to_string()),
            SessionError::OwnersPending(_) => Self::conflict("not_confirmed", error.to_string()),
        }
    }
}

impl From<DecisionError> for ApiError {
    fn from(error: DecisionError) -> Self {
        let message = error.to_string();
        match error {
            DecisionError::Stale => Self::conflict("stale", message),
            DecisionError::Signature(_) | DecisionError::UnknownKey => {
                Self::forbidden(message, "use the passkey or SSH key that you enrolled here")
            }
            DecisionError::NotYours => Self::forbidden(message, "use one of your own"),
            DecisionError::UnknownSshKey(_) => Self::forbidden(
                message,
                "add it on the console's page of people, and have somebody else confirm it there",
            ),
            DecisionError::Role(..) => Self::forbidden(message, "ask an operator"),
            DecisionError::Key(error) => error.into(),
            DecisionError::Passkey(error) => error.into(),
            DecisionError::Answer(error) => error.into(),
            DecisionError::People(error) => error.into(),
            DecisionError::Thaw(error) => error.into(),
            DecisionError::Confirm(error) => error.into(),
            DecisionError::Glass(error) => error.into(),
            DecisionError::Kill(error) => error.into(),
            DecisionError::Random(_) => Self::random(),
        }
    }
}

impl From<AnswerError> for ApiError {
    fn from(error: AnswerError) -> Self {
        let message = error.to_string();
        match error {
            AnswerError::Unknown(_) => Self::not_found(message),
            AnswerError::NoReason => Self::bad(message),
            AnswerError::Step(_) | AnswerError::Ended(_) | AnswerError::Over(..) => {
                Self::conflict("not_answerable", message)
            }
            AnswerError::DoesNotCount(_) => does_not_count(message),
            AnswerError::Barred(_) => {
                Self::forbidden(message, "ask somebody else; you can still reject it")
            }
            AnswerError::OneHuman(..) => Self::forbidden(message, "ask somebody else"),
            AnswerError::Loopback => {
                Self::forbidden(message, "open the console on another machine than the agent's")
            }
            AnswerError::OfList(_, why) => Self { message, ..Self::from(*why) },
            AnswerError::Store(error) => Self::stored(&error),
        }
    }
}

impl From<AllowanceError> for ApiError {
    fn from(error: AllowanceError) -> Self {
        let message = error.to_string();
        match error {
            AllowanceError::Answer(error) => error.into(),
            AllowanceError::Ask(AskError::Count | AskError::Lasts | AskError::Pace) => {
                Self::bad(message)
            }
            AllowanceError::NotController(_) => {
                Self::forbidden(message, "let somebody ask who controls it")
            }
            AllowanceError::Ask(_)
            | AllowanceError::SessionEnded
            | AllowanceError::Policies
            | AllowanceError::TooMany
            | AllowanceError::Refused(_) => Self::conflict("no_allowance", message),
        }
    }
}

impl From<GlassError> for ApiError {
    fn from(error: GlassError) -> Self {
        let message = error.to_string();
        match error {
            GlassError::Answer(error) => error.into(),
            GlassError::NoReason | GlassError::NotReviewed(NotReviewed::NoFinding) => {
                Self::bad(message)
            }
            GlassError::NothingToReview(_) | GlassError::NotReviewed(NotReviewed::Closed) => {
                Self::conflict("no_review", message)
            }
            GlassError::NotReviewed(_) => Self::forbidden(message, "ask somebody else to review it"),
            GlassError::Unreviewed(..) => Self::forbidden(message, "have those reviewed by two others"),
            GlassError::Off | GlassError::Refused(_) => {
                Self::forbidden(message, "ask the people whom the card names")
            }
        }
    }
}

impl From<LeaveError> for ApiError {
    fn from(error: LeaveError) -> Self {
        let message = error.to_string();
        match error {
            LeaveError::Answer(error) => error.into(),
            LeaveError::Beside(_)
            | LeaveError::Nobody(_)
            | LeaveError::Time(_)
            | LeaveError::Zone(_) => Self::bad(message),
            LeaveError::EndsBefore(..) => Self::conflict("ends_before", message),
            LeaveError::Store(error) => Self::stored(&error),
        }
    }
}

impl From<PeopleError> for ApiError {
    fn from(error: PeopleError) -> Self {
        let message = error.to_string();
        match error {
            PeopleError::Link => Self::new(
                StatusCode::GONE,
                "link",
                message,
                "ask whoever invited you, or the operator, for a new link",
            ),
            PeopleError::Registration(_)
            | PeopleError::Name
            | PeopleError::NotTwo(..)
            | PeopleError::TooFew(..) => Self::bad(message),
            PeopleError::DoesNotCount(_) => does_not_count(message),
            PeopleError::NotWaiting(_) | PeopleError::Again { .. } => {
                Self::conflict("not_waiting", message)
            }
            PeopleError::Inviter(_) | PeopleError::Oneself(_) => {
                Self::forbidden(message, "ask another person to confirm")
            }
            PeopleError::Store(error) => Self::stored(&error),
            PeopleError::Random(_) => Self::random(),
        }
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        let message = error.to_string();
        match error {
            KeyError::Unusable(_) | KeyError::NoProof | KeyError::Attestation(_) => Self::bad(message),
            KeyError::Taken | KeyError::TooMany => Self::conflict("not_added", message),
            KeyError::MadeBefore | KeyError::NoMakers => Self::conflict("not_attested", message),
            KeyError::NotWaiting(_) => Self::conflict("not_waiting", message),
            KeyError::Unknown(_) => Self::not_found(message),
            KeyError::Own(_) => Self::forbidden(message, "ask another person to confirm"),
            KeyError::People(error) => error.into(),
        }
    }
}

impl From<FreezeError> for ApiError {
    fn from(error: FreezeError) -> Self {
        let message = error.to_string();
        match error {
            FreezeError::Asked(_) => Self::bad(message),
            FreezeError::TooMany => Self::conflict("too_many", message),
            FreezeError::Store(error) => Self::stored(&error),
        }
    }
}

impl From<PasskeyError> for ApiError {
    fn from(error: PasskeyError) -> Self {
        let message = error.to_string();
        match error {
            PasskeyError::NotEnrolled(_) => Self::bad(message),
            PasskeyError::TooMany => Self::conflict("not_added", message),
            PasskeyError::NotWaiting(_) | PasskeyError::AskerGone(_) | PasskeyError::Changed(_) => {
                Self::conflict("not_waiting", message)
            }
            PasskeyError::Unknown(_) => Self::not_found(message),
            PasskeyError::LastTwo(_) => Self::conflict("last_two", message),
            PasskeyError::Oneself(_) | PasskeyError::Own(_) | PasskeyError::Asker(_) => {
                Self::forbidden(message, "ask another person")
            }
            PasskeyError::People(error) => error.into(),
        }
    }
}

impl From<ThawError> for ApiError {
    fn from(error: ThawError) -> Self {
        let message = error.to_string();
        match error {
            ThawError::NotFrozen(_) | ThawError::Twice(_) => Self::conflict("not_this_freeze", message),
            ThawError::DoesNotCount(_) => does_not_count(message),
            ThawError::Store(error) => Self::stored(&error),
        }
    }
}

impl From<ConfirmError> for ApiError {
    fn from(error: ConfirmError) -> Self {
        let message = error.to_string();
        match error {
            ConfirmError::NothingPending(_) | ConfirmError::Twice(_) => {
                Self::conflict("not_pending", message)
            }
            ConfirmError::OwnRole(_) => Self::forbidden(message, "ask another person"),
            ConfirmError::DoesNotCount(_) => does_not_count(message),
            ConfirmError::Store(error) => Self::stored(&error),
        }
    }
}

fn does_not_count(message: String) -> ApiError {
    ApiError::forbidden(message, "somebody other than your inviter has to confirm you first")
}
