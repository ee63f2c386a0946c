//! The real database: credentials, dialing, and the private write half.
//!
//! INVARIANT: bytes reach an upstream on an agent's behalf only through [`UpstreamWriter::execute`],
//! which takes a clearance by value and compares it with what is sent, or as a protocol chore of the
//! closed list that the wire crate makes. The write half is private to this file. Tyer's own questions
//! about consequences go over side connections that the server keeps read-only. No connection is handed out
//! before the server has been asked over it what Tyer's role could do.

pub(crate) mod aws;
mod dial;
mod facts;
mod login;
mod powers;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Buf as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio_rustls::rustls::ClientConfig;
use tyer_core::intent::Upstream;
use tyer_core::names::Meant;
use tyer_core::verdict::Clearance;
use tyer_wire::postgres::identity::Parameters;
use tyer_wire::postgres::session::{Chore, Run};
use tyer_wire::postgres::understand::{Lock, On};

use crate::config::{PostgresConfig, TargetConfig, UpstreamConfig, UpstreamTls};
use crate::gateway::About;

pub(crate) use dial::DialError;
pub(crate) use facts::Gathered;
use login::LoggedIn;
pub(crate) use powers::in_words;

/// Anything that carries bytes both ways.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// A connection to an upstream, in clear or by TLS.
pub(crate) type Stream = Box<dyn Wire>;

/// Every configured upstream.
#[derive(Debug)]
pub(crate) struct Upstreams {
    targets: BTreeMap<Upstream, Arc<Target>>,
    clouds: BTreeMap<Upstream, Arc<aws::Cloud>>,
}

#[derive(Debug)]
struct Target {
    name: Upstream,
    config: PostgresConfig,
    tls: Option<Arc<ClientConfig>>,
    seen: powers::Seen,
}

/// An upstream that cannot be used as configured.
#[derive(Debug, thiserror::Error)]
#[error("upstream `{upstream}`: {message}")]
pub(crate) struct BadUpstream {
    upstream: Upstream,
    message: String,
}

/// A connection that has logged in with the real credentials.
pub(crate) struct Connected {
    pub(crate) reader: ReadHalf<Stream>,
    pub(crate) writer: UpstreamWriter,
    /// What the server reported about itself, such as `server_version`.
    pub(crate) parameters: Vec<(String, String)>,
    /// What cancels a query on this connection: process id and secret.
    pub(crate) cancel: CancelKey,
    /// Bytes of the server that were read past the login.
    pub(crate) rest: Vec<u8>,
    /// Whether the server's session is this connection's own, and not one that a pooler deals out.
    pub(crate) is_direct: bool,
}

/// The server's own cancel key; never shown to an agent.
#[derive(Clone)]
pub(crate) struct CancelKey {
    pub(crate) process: i32,
    /// Four bytes, or up to 256 of newer servers.
    pub(crate) secret: Vec<u8>,
}

impl std::fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CancelKey(***)")
    }
}

/// Bytes on their way to one side.
pub(crate) struct Outbox {
    half: WriteHalf<Stream>,
    bytes: bytes::BytesMut,
    /// Whether the stream may still keep something, as TLS does while its socket is full.
    is_unflushed: bool,
}

impl Outbox {
    /// Nothing yet.
    pub(crate) fn new(half: WriteHalf<Stream>) -> Self {
        Self { half, bytes: bytes::BytesMut::new(), is_unflushed: false }
    }

    /// Adds bytes.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bytes wait to be written.
    pub(crate) fn pending(&self) -> usize {
        self.bytes.len()
    }

    /// Whether anything has still to be written.
    pub(crate) fn is_pending(&self) -> bool {
        self.is_unflushed || !self.bytes.is_empty()
    }

    /// Writes some of what waits. Nothing is lost or repeated if this is given up half-way.
    pub(crate) async fn drain(&mut self) -> std::io::Result<()> {
        if !self.bytes.is_empty() {
            let written = self.half.write(&self.bytes).await?;
            if written == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            self.bytes.advance(written);
            self.is_unflushed = true;
        }
        if self.bytes.is_empty() {
            self.half.flush().await?;
            self.is_unflushed = false;
        }
        Ok(())
    }

    /// Forgets what was not written yet.
    pub(crate) fn discard(&mut self) {
        self.bytes.clear();
    }

    /// Writes what waits and closes the sending side.
    pub(crate) async fn close(&mut self) {
        // The other side notices either way.
        self.half.write_all_buf(&mut self.bytes).await.ok();
        self.half.shutdown().await.ok();
    }
}

/// The only way to the server for what an agent asked.
pub(crate) struct UpstreamWriter {
    out: Outbox,
}

/// What an agent asks for, as far as its consequences can be asked about.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sql: Arc<str>,
    pub(crate) parameters: Parameters,
    /// Whether it does nothing graver than to rows, so that the planner may be asked about it.
    pub(crate) explainable: bool,
    /// Settings of the session that decide what the text means.
    pub(crate) settings: BTreeMap<String, String>,
    /// The session may have changed rows already that nobody else sees yet.
    pub(crate) in_transaction: bool,
    /// Which locks keep others waiting, as its text says.
    pub(crate) locks: Vec<Lock>,
}

impl Statement {
    /// Whether it locks something that the upstream can be asked about.
    pub(crate) fn locks_something(&self) -> bool {
        self.locks.iter().any(|lock| !matches!(lock.on, On::Untold(_)))
    }
}

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExecuteError {
    /// The clearance has ceilings that what was about to be sent would not keep; nothing was sent.
    #[error("the clearance has ceilings, and nothing would keep them")]
    Unbounded,
    /// The clearance is for another request; nothing was sent.
    #[error("the clearance is not for what was about to be sent")]
    OtherRequest,
}

impl UpstreamWriter {
    /// Sends exactly the cleared request, once: it goes out with the next [`UpstreamWriter::drain`].
    pub(crate) fn execute(&mut self, clearance: Clearance, run: &Run) -> Result<(), ExecuteError> {
        if clearance.leaf() != run.leaf() || clearance.digest() != run.digest() {
            return Err(ExecuteError::OtherRequest);
        }
        if clearance.ceilings().is_some() && !run.is_bounded() {
            return Err(ExecuteError::Unbounded);
        }
        // Used up.
        drop(clearance);
        self.out.put(run.bytes());
        Ok(())
    }

    /// Sends a protocol chore.
    pub(crate) fn chore(&mut self, chore: &Chore) {
        self.out.put(chore.bytes());
    }

    /// How many bytes wait to be written.
    pub(crate) fn pending(&self) -> usize {
        self.out.pending()
    }

    /// Whether anything has still to be written.
    pub(crate) fn is_pending(&self) -> bool {
        self.out.is_pending()
    }

    /// Writes some of what waits. Nothing is lost or repeated if this is given up half-way.
    pub(crate) async fn drain(&mut self) -> std::io::Result<()> {
        self.out.drain().await
    }

    /// Forgets what was not written yet.
    pub(crate) fn discard(&mut self) {
        self.out.discard();
    }

    /// Writes what waits and closes the sending side.
    pub(crate) async fn close(&mut self) {
        self.out.close().await;
    }
}

impl Upstreams {
    /// Prepares every upstream; reads their authorities' certificates.
    pub(crate) fn new(configs: &BTreeMap<Upstream, UpstreamConfig>) -> Result<Self, BadUpstream> {
        let (mut targets, mut clouds) = (BTreeMap::new(), BTreeMap::new());
        for (name, config) in configs {
            let bad = |message| BadUpstream { upstream: name.clone(), message };
            let config = match &config.target {
                TargetConfig::Postgres(config) => PostgresConfig::clone(config),
                TargetConfig::Aws(config) => {
                    let cloud = aws::Cloud::new(config).map_err(bad)?;
                    clouds.insert(name.clone(), Arc::new(cloud));
                    continue;
                }
            };
            let tls = match &config.tls {
                UpstreamTls::Disable => None,
                UpstreamTls::VerifyFull { authorities, client } => {
                    let tls = dial::client_tls(authorities.as_deref(), client.as_ref()).map_err(bad)?;
                    Some(tls)
                }
            };
            let target = Target { name: name.clone(), config, tls, seen: powers::Seen::default() };
            targets.insert(name.clone(), Arc::new(target));
        }
        Ok(Self { targets, clouds })
    }

    /// The accounts of AWS behind that name.
    pub(crate) fn cloud(&self, upstream: &Upstream) -> Option<&Arc<aws::Cloud>> {
        self.clouds.get(upstream)
    }

    /// Logs in to an upstream with its real credentials, passing on the agent's harmless settings. Refused
    /// when the role has, right now, more power than was allowed, or when that cannot be found out.
    pub(crate) async fn connect(
        &self,
        upstream: &Upstream,
        settings: &[(String, String)],
    ) -> Result<Connected, DialError> {
        let target = self.targets.get(upstream).ok_or(DialError::Unknown)?;
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut logged_in = login::login(target, &settings).await?;
        let role = powers::ask(&mut logged_in).await?;
        let is_direct = role.is_of(&logged_in);
        powers::admit(target, role)?;
        let LoggedIn { stream, parameters, cancel, rest } = logged_in;
        let (reader, half) = tokio::io::split(stream);
        let writer = UpstreamWriter { out: Outbox::new(half) };
        Ok(Connected { reader, writer, parameters, cancel, rest, is_direct })
    }

    /// Asks the server to cancel what runs on the connection of that key.
    pub(crate) async fn cancel(&self, upstream: &Upstream, key: &CancelKey) -> Result<(), DialError> {
        let target = self.targets.get(upstream).ok_or(DialError::Unknown)?;
        dial::cancel(target, key).await
    }

    /// The consequences of a request as far as the upstream knows; what is not known is said. Bounded in
    /// time, read-only, and never running what it judges. `agreed` is what the names mean as far as the request's own
    /// connection does not say.
    pub(crate) async fn facts(
        &self,
        upstream: &Upstream,
        about: &About,
        agreed: Option<Arc<Meant>>,
    ) -> Gathered {
        if let (Some(looked), Some(cloud)) = (&about.cloud, self.clouds.get(upstream)) {
            return cloud.facts(looked).await;
        }
        match self.targets.get(upstream) {
            Some(target) if about.asks() => facts::gather(target, about, agreed).await,
            Some(_) | None => facts::unasked(about),
        }
    }
}
