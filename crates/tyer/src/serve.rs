//! `tyer serve`: everything is checked and loaded before the first port is bound, and the first thing
//! that fails is said with what to do about it.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tyer_core::ledger::checkpoint::SigningKey;
use tyer_core::record::{Record, What};
use tyer_core::sequence::History;
use tyer_core::verdict::LeafIndex;

use crate::authority::Authority;
use crate::config::{Config, ConfigError, TargetConfig};
use crate::founding;
use crate::gateway::Gateway;
use crate::gateway::roles::{LastTwo, leave_two};
use crate::gateway::world::{World, notes};
use crate::sequencer::Sequencer;
use crate::store::sqlite::Sqlite;
use crate::store::{StoreError, Table};
use crate::upstream::{BadUpstream, Upstreams};
use crate::{clock, console, door};

/// The store's file in the data directory.
pub(crate) const STORE: &str = "tyer.db";
/// The ledger's signing key: 64 hexadecimal digits.
pub(crate) const KEY: &str = "ledger.key";
/// The file that a running server keeps locked.
pub(crate) const LOCK: &str = "lock";

/// The signal of a write beyond the limit of a file's size, on Linux. Unless it is caught it ends the
/// process; caught, the write fails like one on a full disk.
const SIGXFSZ: i32 = 25;
/// Open files beside those of the connections at the doors.
const FILES_BESIDE: u64 = 200;
/// Open files of one connection: the agent's side and the upstream's.
const FILES_EACH: u64 = 2;

/// How often holds, sessions and leases are looked at for their end.
const TICK: Duration = Duration::from_millis(500);
/// How long connections may take to say why they end once they are told to.
const FAREWELL: Duration = Duration::from_secs(6);

/// Why the server does not start or stops.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Upstream(#[from] BadUpstream),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{path} can be read by other users; run `chmod -R go= {path}`", path = .0.display())]
    Exposed(PathBuf),
    #[error("{path} is not a data directory; make one with `tyer init`", path = .0.display())]
    NotInitialised(PathBuf),
    #[error("the key of minted access keys cannot be used: {0}")]
    SessionKey(String),
    #[error("the authority for hosts of AWS cannot be used: {0}")]
    Authority(String),
    #[error(transparent)]
    Roles(#[from] LastTwo),
    #[error("another server runs on this data directory")]
    Running,
    #[error("the ledger's key in {path} cannot be used: {why}", path = .path.display())]
    Key { path: PathBuf, why: String },
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
}

impl ServeError {
    /// An I/O error with what was attempted.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// Serves until SIGTERM or SIGINT.
pub(crate) async fn run(data: &Path) -> Result<(), ServeError> {
    check_private(data)?;
    let _lock = lock(data)?;
    let _beyond_limit =
        signal(SignalKind::from_raw(SIGXFSZ)).map_err(ServeError::io("cannot listen for signals"))?;
    let mut config = Config::load(data)?;
    if config.upstreams.values().any(|upstream| upstream.aws().is_some()) {
        config.session_key = Some(founding::session_key(data)?);
        config.authority = Some(Box::new(Authority::at_home(data)?));
    }
    raise_open_files(config.upstreams.len(), config.limits.connections);
    let upstreams = Upstreams::new(&config.upstreams)?;
    let gateway = gateway(data, config, upstreams).await?;
    let (stop, stopping) = watch::channel(false);
    let threads = door::threads::Threads::start().map(Arc::new);
    let threads = threads.map_err(ServeError::io("cannot start threads for connections".to_owned()))?;
    let mut tasks = JoinSet::new();
    for upstream in gateway.config.upstreams.values() {
        let (gateway, stop) = (Arc::clone(&gateway), stopping.clone());
        match &upstream.target {
            TargetConfig::Postgres(_) => {
                let listener = door::postgres::bind(upstream, data).await?;
                tasks.spawn(door::postgres::serve(gateway, listener, Arc::clone(&threads), stop));
            }
            TargetConfig::Aws(_) => {
                let listener = door::aws::bind(upstream, data).await?;
                tasks.spawn(door::aws::serve(gateway, listener, stop));
            }
        }
    }
    let looking = Arc::clone(&gateway);
    tokio::spawn(async move { looking.upstreams.look_at_roles().await });
    let listener = console::bind(&gateway).await?;
    tasks.spawn(console::serve(Arc::clone(&gateway), listener, stopping.clone()));
    tracing::info!(origin = gateway.config.console.origin, "Tyer serves");
    run_until_signal(&gateway).await?;
    tracing::info!("stopping; open connections may finish what they do");
    stop.send_replace(true);
    drain(&gateway, &mut tasks).await?;
    gateway.settle_owed().await;
    Ok(gateway.sequencer.flush().await?)
}

/// Lets connections finish what they do, for a bounded time or until a second signal, then ends them.
async fn drain(gateway: &Gateway, tasks: &mut JoinSet<()>) -> Result<(), ServeError> {
    let io = || ServeError::io("cannot listen for signals");
    let mut terminate = signal(SignalKind::terminate()).map_err(io())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(io())?;
    tokio::select! {
        () = all(tasks) => return Ok(()),
        () = tokio::time::sleep(gateway.config.limits.drain) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::warn!("some connections did not finish in time and are ended");
    gateway.connections.close_everything();
    tokio::time::timeout(FAREWELL, all(tasks)).await.ok();
    Ok(())
}

async fn all(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

/// Refuses data that other users can read.
fn check_private(data: &Path) -> Result<(), ServeError> {
    let not_initialised = |_| ServeError::NotInitialised(data.to_owned());
    let mode = |path: &Path| path.metadata().map(|found| found.permissions().mode());
    if mode(data).map_err(not_initialised)? & 0o077 != 0 {
        return Err(ServeError::Exposed(data.to_owned()));
    }
    for name in [crate::config::FILE, STORE, KEY] {
        let path = data.join(name);
        if mode(&path).map_err(not_initialised)? & 0o077 != 0 {
            return Err(ServeError::Exposed(path));
        }
    }
    Ok(())
}

/// Takes as many open files as the system allows, and says so if that is too few for full doors.
fn raise_open_files(doors: usize, connections: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, ?current, "the limit of open files stays as it is");
    }
    let needed = (doors as u64)
        .saturating_mul(connections as u64)
        .saturating_mul(FILES_EACH)
        .saturating_add(FILES_BESIDE);
    if let Some(hard) = maximum.filter(|hard| *hard < needed) {
        tracing::warn!(
            "only {hard} files may be open at once, and full doors need {needed}: raise the hard limit \
             (`LimitNOFILE` of systemd, `ulimit -Hn` of a shell), else connections wait to be accepted"
        );
    }
}

/// The lock that only one server holds; released when the process ends, however it ends.
pub(crate) fn lock(data: &Path) -> Result<File, ServeError> {
    let path = data.join(LOCK);
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(ServeError::io(format!("cannot open {}", path.display())))?;
    file.try_lock().map_err(|_| ServeError::Running)?;
    Ok(file)
}

/// Opens the store and starts the heart over it.
async fn gateway(
    data: &Path,
    config: Config,
    upstreams: Upstreams,
) -> Result<Arc<Gateway>, ServeError> {
    let store = Sqlite::open(&data.join(STORE))?;
    if let Some(head) = store.head()? {
        let behind = clock::not_before(head.at);
        if behind > 0 {
            tracing::warn!(
                "the machine's clock stands {behind} ms before the newest leaf; time goes on from that leaf"
            );
        }
    }
    let world = World::load(&store)?;
    leave_two(&config.roles, &world)?;
    let history = History::of(notes(&store)?, clock::now());
    let unsettled = store
        .documents(Table::Unsettled)?
        .into_iter()
        .map(|(leaf, _)| {
            leaf.parse()
                .map(LeafIndex)
                .map_err(|_| StoreError::Corrupt(format!("unsettled leaf {leaf}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let signer = signer(data, &store)?;
    let sequencer = Sequencer::start(store, signer)?;
    Ok(Gateway::start(config, upstreams, sequencer, (world, history), unsettled).await?)
}

/// The ledger's signer: its key from the file, its origin from the ledger's first leaf.
pub(crate) fn signer(data: &Path, store: &Sqlite) -> Result<SigningKey, ServeError> {
    let path = data.join(KEY);
    let refuse = |why: &str| ServeError::Key { path: path.clone(), why: why.to_owned() };
    let first = store.leaves(0, 1)?.into_iter().next().ok_or_else(|| refuse("the ledger is empty"))?;
    let record = Record::decode(&first.1).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let What::Founded { origin } = record.what else {
        return Err(StoreError::Corrupt("the first leaf founds nothing".to_owned()).into());
    };
    let text = std::fs::read_to_string(&path).map_err(|error| refuse(&error.to_string()))?;
    let seed = tyer_core::intent::Digest::try_from(text.trim().to_owned())
        .map_err(|_| refuse("it is not 64 hexadecimal digits"))?;
    SigningKey::from_seed(&origin, &seed.0).map_err(|error| refuse(&error.to_string()))
}

/// Lets time pass for holds, sessions and leases until a signal comes.
async fn run_until_signal(gateway: &Gateway) -> Result<(), ServeError> {
    let io = || ServeError::io("cannot listen for signals");
    let mut terminate = signal(SignalKind::terminate()).map_err(io())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(io())?;
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = tick.tick() => {
                let now = clock::now();
                gateway.note_freezes().await;
                gateway.tick_holds(now).await;
                gateway.expire_sessions(now).await;
                gateway.close_leases(now).await;
                gateway.forget_sessions().await;
                gateway.forget_sequences(now).await;
                gateway.settle_owed().await;
            }
        }
    }
}
