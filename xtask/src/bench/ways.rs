//! The ways to the database that are compared: straight, and through one process each.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{BenchError, system};
use crate::cluster::{Cluster, DATABASE, ROLE, free_port};
use crate::instance::{Instance, Login, Shape};

/// How long a proxy may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(10);
/// What pgbouncer calls the same database where a client keeps its server connection.
const KEPT: &str = "orders_kept";

/// A way from the client to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing in between.
    Direct,
    /// The pooler that people know; knows no policy.
    Pgbouncer,
    /// A proxy that copies bytes.
    Splice,
    /// Tyer, deciding and recording.
    Tyer,
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::Direct, Self::Pgbouncer, Self::Splice, Self::Tyer];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Pgbouncer => "pgbouncer",
            Self::Splice => "splice",
            Self::Tyer => "tyer",
        }
    }
}

/// Where a client connects to go a way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address<'a> {
    pub(super) port: u16,
    pub(super) user: &'a str,
    pub(super) password: &'a str,
    pub(super) database: &'static str,
}

/// The database and everything before it, running.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) cluster: Cluster,
    pub(super) instance: Instance,
    login: Login,
    pgbouncer: Proxy,
    splice: Proxy,
}

impl Ways {
    pub(super) fn open(program: &Path) -> Result<Self, BenchError> {
        // The pooler keeps connections while others open theirs.
        let cluster = Cluster::with(&["max_connections=300"])?;
        cluster.load_orders()?;
        // Outside production, `guarded` lets plain writes flow: each with a leaf of its own and an outcome.
        let shape = Shape { environment: "staging", ..Shape::default() };
        let instance = Instance::start(program, &cluster, &shape)?;
        let login = instance.session("pgbench", "alice", &[])?;
        let (pgbouncer, splice) = (Proxy::pgbouncer(&cluster)?, Proxy::splice(cluster.port())?);
        Ok(Self { cluster, instance, login, pgbouncer, splice })
    }

    /// `keeps`: whether the client relies on what an earlier transaction left on its connection.
    pub(super) fn address(&self, way: Way, keeps: bool) -> Address<'_> {
        let (port, database) = match way {
            Way::Direct => (self.cluster.port(), DATABASE),
            Way::Pgbouncer => (self.pgbouncer.port, if keeps { KEPT } else { DATABASE }),
            Way::Splice => (self.splice.port, DATABASE),
            Way::Tyer => (self.instance.door, DATABASE),
        };
        let (user, password) = match way {
            Way::Tyer => (self.login.session.as_str(), self.login.password.as_str()),
            Way::Direct | Way::Pgbouncer | Way::Splice => (ROLE, self.cluster.password()),
        };
        Address { port, user, password, database }
    }

    /// The processor time that the process in between has used so far, in microseconds.
    pub(super) fn cpu_us(&self, way: Way) -> Result<f64, BenchError> {
        let process = match way {
            Way::Direct => return Ok(0.0),
            Way::Pgbouncer => self.pgbouncer.child.id(),
            Way::Splice => self.splice.child.id(),
            Way::Tyer => self.instance.process().unwrap_or_default(),
        };
        cpu_us(process).map_err(system("the processor time of a process"))
    }

    /// The memory that Tyer has resident, in MiB.
    pub(super) fn memory_mib(&self) -> Result<f64, BenchError> {
        let path = format!("/proc/{}/status", self.instance.process().unwrap_or_default());
        let status = fs::read_to_string(path).map_err(system("the memory of Tyer"))?;
        let kib = status.lines().find_map(|line| {
            line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok()
        });
        Ok(kib.unwrap_or(f64::NAN) / 1024.0)
    }
}

/// Time on a processor of all threads: the first number of each `schedstat`, in nanoseconds.
pub(super) fn cpu_us(process: u32) -> std::io::Result<f64> {
    let mut sum = 0.0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may have ended since it was listed.
        let told = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        let spent = told.split_whitespace().next().and_then(|spent| spent.parse::<f64>().ok());
        sum += spent.unwrap_or(0.0) / 1_000.0;
    }
    Ok(sum)
}

/// A process in between. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) child: Child,
    pub(super) port: u16,
}

impl Proxy {
    fn pgbouncer(cluster: &Cluster) -> Result<Self, BenchError> {
        let port = free_port(0).map_err(system("a free port"))?;
        let users = cluster.home().join("pgbouncer.users");
        let settings = cluster.home().join("pgbouncer.ini");
        let server = format!("host=127.0.0.1 port={} dbname={DATABASE}", cluster.port());
        let text = format!(
            "[databases]\n{DATABASE} = {server} pool_mode=transaction\n\
             {KEPT} = {server} pool_mode=session pool_size=80\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = scram-sha-256\nauth_file = {}\nmax_client_conn = 200\n",
            users.display(),
        );
        let user = format!("\"{ROLE}\" \"{}\"\n", cluster.password());
        fs::write(&settings, text).map_err(system("pgbouncer's settings"))?;
        fs::write(&users, user).map_err(system("pgbouncer's users"))?;
        let mut command = cluster.unprivileged(Command::new("/usr/sbin/pgbouncer"));
        command.arg("-q").arg(settings);
        Self::start("pgbouncer", command, port)
    }

    fn splice(to: u16) -> Result<Self, BenchError> {
        let port = free_port(0).map_err(system("a free port"))?;
        let program = std::env::current_exe().map_err(system("this program"))?;
        let mut command = Command::new(program);
        command.args(["splice", &port.to_string(), &to.to_string()]);
        Self::start("the splice", command, port)
    }

    pub(super) fn start(
        what: &'static str,
        mut command: Command,
        port: u16,
    ) -> Result<Self, BenchError> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(system(what))?;
        let mut proxy = Self { child, port };
        let until = Instant::now() + START_LIMIT;
        while Instant::now() < until && matches!(proxy.child.try_wait(), Ok(None)) {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(proxy);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(BenchError::Program(what, "it does not listen".to_owned()))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.child.kill();
        let _code = self.child.wait();
    }
}
