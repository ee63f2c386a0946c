//! A connection of Tyer's own, beside those of agents, that the server keeps read-only.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_postgres::{Client, NoTls};
use tyer_core::limits::STARTUP_BYTES_MAX;
use tyer_wire::postgres::encode;

use crate::upstream::login::{self, LoggedIn};
use crate::upstream::{DialError, Target};

/// Bytes on their way between the driver and the server.
const DUPLEX_BYTES: usize = 16 * 1024;

/// A connection of Tyer's own, which the server keeps read-only.
pub(in crate::upstream) async fn side_connection(target: &Target) -> Result<Client, DialError> {
    let read_only = "-c default_transaction_read_only=on -c statement_timeout=2000 -c lock_timeout=500";
    let settings = [("application_name", "tyer facts"), ("options", read_only)];
    let logged_in = login::login(target, &settings).await?;
    let (ours, theirs) = tokio::io::duplex(DUPLEX_BYTES);
    tokio::spawn(async move {
        if let Err(error) = carry(logged_in, theirs).await {
            tracing::debug!(%error, "a side connection ended");
        }
    });
    let mut config = tokio_postgres::Config::new();
    config.user(&target.config.user);
    let refused = |error: tokio_postgres::Error| DialError::Refused(error.to_string());
    let (client, connection) = config.connect_raw(ours, NoTls).await.map_err(refused)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a side connection ended");
        }
    });
    Ok(client)
}

/// Lets the driver in, since Tyer has logged in already and in its own way, and carries bytes.
async fn carry(logged_in: LoggedIn, mut driver: DuplexStream) -> io::Result<()> {
    let LoggedIn { mut stream, parameters, cancel, rest } = logged_in;
    let length = usize::try_from(driver.read_u32().await?).unwrap_or(usize::MAX);
    let mut startup = vec![0; length.saturating_sub(4).min(STARTUP_BYTES_MAX)];
    driver.read_exact(&mut startup).await?;
    let mut greeting = encode::authentication_ok();
    for (name, value) in &parameters {
        greeting.extend(encode::parameter_status(name, value));
    }
    // The driver is given no way to cancel: its statements are bounded in time.
    greeting.extend(encode::backend_key(cancel.process.cast_unsigned(), &[0; 4]));
    greeting.extend(encode::ready());
    greeting.extend(rest);
    driver.write_all(&greeting).await?;
    tokio::io::copy_bidirectional(&mut driver, &mut stream).await.map(drop)
}
