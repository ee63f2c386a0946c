//! What ends a connection.

use crate::postgres::decode::DecodeError;
use crate::postgres::refuse::Answer;

/// Why a connection can't go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    /// Bytes that are not the protocol.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A message of the agent that has no place here.
    #[error("message type '{}' is not expected", char::from(*.0))]
    Agent(u8),
    /// A message of the upstream that has no place here.
    #[error("the upstream sent an unexpected message of type '{}'", char::from(*.0))]
    Upstream(u8),
    /// The agent sends without reading.
    #[error("too many messages in flight")]
    TooMany,
    /// A message came, or an answer, out of turn: a fault of the door.
    #[error("the relay lost its place")]
    OutOfTurn,
}

impl Fatal {
    /// What the agent is told before both connections end.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let code = match self {
            Self::Decode(_) | Self::Agent(_) | Self::Upstream(_) => "08P01",
            Self::TooMany => "54000",
            Self::OutOfTurn => "XX000",
        };
        Answer::new(code, &self.to_string())
    }
}
