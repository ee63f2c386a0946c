//! What connections may take: the `[limits]` section of the file.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use tyer_core::limits::{DRAIN_MS_MAX, LOGIN_MS_MAX};

use super::ConfigError;

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// At each door at once.
    pub(crate) connections: usize,
    /// Of one session at once.
    pub(crate) connections_per_session: u32,
    /// Until a client has proven who it is.
    pub(crate) login: Duration,
    /// Until what runs is ended when the program stops.
    pub(crate) drain: Duration,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    connections: Option<usize>,
    connections_per_session: Option<u32>,
    login_seconds: Option<u32>,
    drain_seconds: Option<u32>,
}

/// What connections may take, within the limits of the system.
pub(super) fn limits(path: &Path, raw: &RawLimits) -> Result<Limits, ConfigError> {
    let within = |key: &str, value: i64, most: i64| {
        let message = || format!("{value} is not between 1 and {most}");
        if (1..=most).contains(&value) {
            Ok(value.unsigned_abs())
        } else {
            let key = format!("limits.{key}");
            Err(ConfigError::Value { path: path.to_owned(), key, message: message() })
        }
    };
    let most = i64::try_from(tyer_core::limits::CONNECTIONS_MAX).unwrap_or(i64::MAX);
    let connections = raw.connections.map_or(2_000, |value| i64::try_from(value).unwrap_or(i64::MAX));
    let of_session = raw.connections_per_session.map_or(200, i64::from);
    let login = raw.login_seconds.map_or(30, i64::from);
    let drain = raw.drain_seconds.map_or(30, i64::from);
    let connections = within("connections", connections, most)?;
    let of_session = within("connections_per_session", of_session, most)?;
    Ok(Limits {
        connections: usize::try_from(connections).unwrap_or(usize::MAX),
        connections_per_session: u32::try_from(of_session).unwrap_or(u32::MAX),
        login: Duration::from_secs(within("login_seconds", login, LOGIN_MS_MAX / 1_000)?),
        drain: Duration::from_secs(within("drain_seconds", drain, DRAIN_MS_MAX / 1_000)?),
    })
}
