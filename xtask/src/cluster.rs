//! A throwaway PostgreSQL cluster with an orders database, for the demo, the tests and the benchmarks.
//!
//! It lives in a temporary directory, listens on one port of 127.0.0.1, trusts nobody without a password
//! (`scram-sha-256`) and never flushes: nothing in it is worth keeping. PostgreSQL refuses to run as
//! root, so root runs it as the user `postgres` or else `nobody`. A shell stands between this process
//! and the server and stops it when the pipe to this process closes, so neither server nor directory outlives
//! even a killed test.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom as _, SystemRandom};
use tempfile::TempDir;

/// The database that [`Cluster::load_orders`] makes.
pub const DATABASE: &str = "orders";
/// The role that owns it: it may log in and is no superuser.
pub const ROLE: &str = "tyer";

const SUPERUSER: &str = "postgres";
const ORDERS: &str = include_str!("cluster/orders.sql");
const START_LIMIT: Duration = Duration::from_secs(30);
const START_TRIES: u32 = 5;
/// Where free ports are looked for, and how often.
const PORTS_FROM: u16 = 16_000;
const PORTS: u16 = 16_000;
const PORT_TRIES: usize = 50;

/// Runs the server and stops it at once when told to, or when standard input closes. Closed input means
/// that we are gone, so the directory goes too. The arguments are the directory and the server's command.
const KEEPER: &str = r#"
home=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
( read -r _ <&3 || : >orphaned; kill -QUIT "$server" ) &
watch=$!
wait "$server"
code=$?
kill "$watch" 2>/dev/null
if [ -e orphaned ]; then rm -rf "$home"; fi
exit "$code"
"#;

/// A running cluster. Dropping it stops the server, as far as possible, and removes the directory.
#[derive(Debug)]
pub struct Cluster {
    keeper: Option<Child>,
    port: u16,
    password: String,
    superuser_password: String,
    programs: Programs,
    home: TempDir,
    settings: Vec<String>,
}

/// Where the programs are, and as whom they run.
#[derive(Debug)]
struct Programs {
    /// Of `psql` and the other clients.
    directory: PathBuf,
    /// Of `postgres` and `initdb`.
    server: PathBuf,
    /// Where a server that came with its libraries finds them.
    libraries: Option<PathBuf>,
    user: Option<User>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: u32,
}

/// Why there is no cluster, or why it did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// PostgreSQL is not installed.
    #[error("no PostgreSQL server programs: install the package postgresql")]
    NotInstalled,
    /// That version is not where `./dev setup` puts it.
    #[error("no PostgreSQL {0}: ./dev setup installs it, on Linux on x86_64")]
    NoSuchServer(u32),
    /// Root needs somebody else to run it.
    #[error("root cannot run PostgreSQL, and there is neither a user postgres nor nobody")]
    NoUser,
    /// No randomness for passwords.
    #[error("no randomness for passwords")]
    NoRandomness,
    /// The system refused something.
    #[error("{0}: {1}")]
    System(&'static str, #[source] io::Error),
    /// A program ended unhappily; with what it said.
    #[error("{0} failed: {1}")]
    Program(&'static str, String),
    /// The server did not answer; with its log.
    #[error("the server did not start: {0}")]
    NotStarted(String),
}

impl Cluster {
    /// Makes an empty cluster and starts it.
    ///
    /// # Errors
    /// When PostgreSQL is missing, or cannot be set up or started.
    pub fn start() -> Result<Self, ClusterError> {
        Self::with(&[])
    }

    /// Makes an empty cluster with further settings, such as `max_connections=1200`, and starts it.
    ///
    /// # Errors
    /// When PostgreSQL is missing, or cannot be set up or started.
    pub fn with(settings: &[&str]) -> Result<Self, ClusterError> {
        let home = home()?;
        let programs = Programs::find(home.path())?;
        Self::made(home, programs, settings)
    }

    /// Makes an empty cluster of another version of PostgreSQL than the system's, and starts it.
    ///
    /// # Errors
    /// When that version is not installed by `./dev setup`, or cannot be set up or started.
    pub fn of_version(version: u32) -> Result<Self, ClusterError> {
        let home = home()?;
        let mut programs = Programs::find(home.path())?;
        programs.take_server(&packaged(version)?, home.path())?;
        Self::made(home, programs, &[])
    }

    fn made(home: TempDir, programs: Programs, settings: &[&str]) -> Result<Self, ClusterError> {
        let (password, superuser_password) = (password()?, password()?);
        programs.give(home.path())?;
        let secret = home.path().join("password");
        fs::write(&secret, &superuser_password).map_err(system("password file"))?;
        fs::set_permissions(&secret, Permissions::from_mode(0o600)).map_err(system("password file"))?;
        programs.give(&secret)?;
        programs.initdb(home.path(), &secret)?;
        fs::remove_file(&secret).map_err(system("password file"))?;
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut cluster =
            Self { keeper: None, port: 0, password, superuser_password, programs, home, settings };
        cluster.resume()?;
        Ok(cluster)
    }

    /// Makes the role and the database with customers, orders, payments and executives.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn load_orders(&self) -> Result<(), ClusterError> {
        let role = format!("CREATE ROLE {ROLE} LOGIN PASSWORD '{}'", self.password);
        let database = format!("CREATE DATABASE {DATABASE} OWNER {ROLE}");
        self.psql(SUPERUSER, "postgres", &role)?;
        self.psql(SUPERUSER, "postgres", &database)?;
        self.psql(ROLE, DATABASE, ORDERS)?;
        Ok(())
    }

    /// What a statement returns in the orders database, as seen by the superuser and past Tyer: rows as
    /// lines, columns separated by `|`.
    ///
    /// # Errors
    /// When the server refuses; with its words.
    pub fn query(&self, sql: &str) -> Result<String, ClusterError> {
        self.psql(SUPERUSER, DATABASE, sql)
    }

    /// The port on 127.0.0.1; it stays the same when the server is resumed, unless another took it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password of [`ROLE`].
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Writes a file that only the server's user can read into the data directory, such as `pg_hba.conf`
    /// or `server.key`; it counts once the server is resumed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, name: &str, text: &str) -> Result<PathBuf, ClusterError> {
        let path = self.home.path().join("cluster").join(name);
        fs::write(&path, text).map_err(system("file of the server"))?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))
            .map_err(system("file of the server"))?;
        self.programs.give(&path)?;
        Ok(path)
    }

    /// The directory of `psql` and the other programs of the system's PostgreSQL.
    #[must_use]
    pub fn programs(&self) -> &Path {
        &self.programs.directory
    }

    /// The directory that the server's user can read.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A command that runs there as the server's user, with an environment of its own.
    pub(crate) fn unprivileged(&self, command: Command) -> Command {
        self.programs.unprivileged(command, self.home.path())
    }

    /// Stops the server at once, as if its machine had lost power; [`Cluster::resume`] recovers it.
    pub fn halt(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            end(&mut keeper);
        }
    }

    /// Starts the server, on the port it had if that is still free.
    ///
    /// # Errors
    /// When it does not answer within 30 seconds.
    pub fn resume(&mut self) -> Result<(), ClusterError> {
        self.halt();
        let mut log = String::new();
        for _ in 0..START_TRIES {
            self.port = free_port(self.port).map_err(system("free port"))?;
            let keeper = self.programs.serve(self.home.path(), self.port, &self.settings)?;
            match self.answers(keeper) {
                Ok(keeper) => {
                    self.keeper = Some(keeper);
                    return Ok(());
                }
                Err(said) => log = said,
            }
        }
        Err(ClusterError::NotStarted(log))
    }

    /// Stops the server and removes everything.
    ///
    /// # Errors
    /// When the directory cannot be removed.
    pub fn stop(mut self) -> Result<(), ClusterError> {
        self.halt();
        fs::remove_dir_all(self.home.path()).map_err(system("removing the cluster"))
    }

    /// Waits until the server lets our superuser in; otherwise stops it and returns the log's end.
    fn answers(&self, mut keeper: Child) -> Result<Child, String> {
        let until = Instant::now() + START_LIMIT;
        while Instant::now() < until && matches!(keeper.try_wait(), Ok(None)) {
            if self.psql(SUPERUSER, "postgres", "SELECT 1").is_ok() {
                return Ok(keeper);
            }
            sleep(Duration::from_millis(50));
        }
        end(&mut keeper);
        let log = fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
        Err(log.lines().rev().take(5).collect::<Vec<_>>().join("; "))
    }

    fn psql(&self, role: &str, database: &str, sql: &str) -> Result<String, ClusterError> {
        let password = if role == SUPERUSER { &self.superuser_password } else { &self.password };
        let mut command = self.programs.command(self.programs().join("psql"), self.home.path());
        command.env("PGPASSWORD", password).env("PGCONNECT_TIMEOUT", "10");
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]);
        command.args(["-p", &self.port.to_string(), "-U", role, "-d", database, "-c", sql]);
        run("psql", &mut command).map(|out| out.trim_end().to_owned())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.halt();
    }
}

impl Programs {
    /// The programs of the newest PostgreSQL, and the user to run them: nobody else unless this is root.
    fn find(home: &Path) -> Result<Self, ClusterError> {
        let directory = newest(Path::new("/usr/lib/postgresql"))
            .or_else(|| on_path(&std::env::var_os("PATH")?))
            .ok_or(ClusterError::NotInstalled)?;
        let user = match fs::metadata(home).map_err(system("temporary directory"))?.uid() {
            0 => {
                let passwd = fs::read_to_string("/etc/passwd").map_err(system("/etc/passwd"))?;
                let user = ["postgres", "nobody"].iter().find_map(|name| user_in(&passwd, name));
                Some(user.ok_or(ClusterError::NoUser)?)
            }
            _ => None,
        };
        Ok(Self { server: directory.clone(), libraries: None, directory, user })
    }

    /// Takes the server of a package, which has its libraries with it. Another user than ours may not get
    /// to where it is, so for that one it is linked into the home.
    fn take_server(&mut self, package: &Path, home: &Path) -> Result<(), ClusterError> {
        let mut place = package.to_owned();
        if self.user.is_some() {
            place = home.join("server");
            self.link(package, &place)?;
        }
        self.server = place.join("bin");
        self.libraries = Some(place.join("lib"));
        Ok(())
    }

    /// The same tree in another place; copied where that is on another disk.
    fn link(&self, from: &Path, to: &Path) -> Result<(), ClusterError> {
        let failed = |error| ClusterError::System("linking a server", error);
        fs::create_dir(to).map_err(failed)?;
        // Whoever runs the server also removes the home, should we be gone.
        self.give(to)?;
        for entry in fs::read_dir(from).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (path, to) = (entry.path(), to.join(entry.file_name()));
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                self.link(&path, &to)?;
            } else if kind.is_symlink() {
                fs::read_link(&path).and_then(|aim| symlink(aim, &to)).map_err(failed)?;
            } else if fs::hard_link(&path, &to).is_err() {
                fs::copy(&path, &to).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn give(&self, path: &Path) -> Result<(), ClusterError> {
        self.user.map_or(Ok(()), |user| {
            chown(path, Some(user.uid), Some(user.gid)).map_err(system("changing an owner"))
        })
    }

    /// A program, with an environment of its own and without our privileges.
    fn command(&self, program: PathBuf, home: &Path) -> Command {
        self.unprivileged(Command::new(program), home)
    }

    /// For the server's programs: where they find their libraries, which is no place for others.
    fn lead(&self, command: &mut Command) {
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
    }

    fn unprivileged(&self, mut command: Command, home: &Path) -> Command {
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir(home);
        command.stdin(Stdio::null());
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    fn initdb(&self, home: &Path, secret: &Path) -> Result<(), ClusterError> {
        let mut command = self.command(self.server.join("initdb"), home);
        self.lead(&mut command);
        command.arg("-D").arg(home.join("cluster")).arg("--pwfile").arg(secret);
        command.args(["-U", SUPERUSER, "--auth=scram-sha-256", "--no-sync", "--no-locale"]);
        command.arg("--encoding=UTF8");
        run("initdb", &mut command).map(drop)
    }

    fn serve(&self, home: &Path, port: u16, settings: &[String]) -> Result<Child, ClusterError> {
        let log = File::create(home.join("log")).map_err(system("server log"))?;
        let mut command = self.unprivileged(Command::new("sh"), home);
        command.args(["-c", KEEPER, "keeper"]).arg(home).arg(self.server.join("postgres"));
        self.lead(&mut command);
        command.arg("-D").arg(home.join("cluster")).arg("-p").arg(port.to_string());
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "full_page_writes=off",
            "max_connections=100",
            "timezone=UTC",
            "log_timezone=UTC",
        ] {
            command.args(["-c", setting]);
        }
        // The last one of a name counts.
        for setting in settings {
            command.args(["-c", setting]);
        }
        // A group of its own: an interrupt at the terminal must not stop it before the demo's end.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        command.spawn().map_err(system("starting the server"))
    }
}

fn home() -> Result<TempDir, ClusterError> {
    tempfile::Builder::new().prefix("tyer-cluster-").tempdir().map_err(system("tempdir"))
}

/// Where `./dev setup` has put the server of that version: beside what was built.
fn packaged(version: u32) -> Result<PathBuf, ClusterError> {
    let program = std::env::current_exe().map_err(system("where this program is"))?;
    let package = format!("servers/node_modules/postgres-{version}/native");
    let mut places = program.ancestors().map(|directory| directory.join(&package));
    places.find(|place| place.is_dir()).ok_or(ClusterError::NoSuchServer(version))
}

/// Tells the keeper to stop the server and waits for it. Neither can fail in a way that matters: a keeper
/// that no longer listens has ended already, and its exit code is the server's, stopped as asked.
fn end(keeper: &mut Child) {
    let _told = keeper.stdin.take().map(|mut stdin| stdin.write_all(b"stop\n"));
    let _code = keeper.wait();
}

/// The `bin` directory of the highest version in Debian's layout.
fn newest(root: &Path) -> Option<PathBuf> {
    let versions = fs::read_dir(root).ok()?.filter_map(|entry| {
        let path = entry.ok()?.path();
        let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
        let directory = path.join("bin");
        is_complete(&directory).then_some((version, directory))
    });
    versions.max().map(|(_, directory)| directory)
}

/// The first directory of a search path that has the server's programs.
fn on_path(path: &std::ffi::OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).find(|directory| is_complete(directory))
}

fn is_complete(directory: &Path) -> bool {
    ["initdb", "postgres", "psql"].iter().all(|program| directory.join(program).is_file())
}

/// A user in the format of `passwd(5)`.
fn user_in(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let mut numbers = fields.skip(1);
        Some(User { uid: numbers.next()?.parse().ok()?, gid: numbers.next()?.parse().ok()? })
    })
}

/// The wanted port if it is free, or any free one. Somebody may still take it first: the caller retries.
///
/// A new one is below those that the system gives to outgoing connections. Above it a client that keeps
/// trying a port where nobody listens yet may be given that very port, and connect to itself.
///
/// # Errors
/// When the system has no port.
pub fn free_port(wanted: u16) -> io::Result<u16> {
    let mut bytes = [0; 2 * PORT_TRIES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("no randomness"))?;
    let tries = bytes.chunks_exact(2).map(|pair| {
        PORTS_FROM + pair.iter().fold(0, |sum, byte| (sum << 8) | u16::from(*byte)) % PORTS
    });
    let mut candidates = (wanted != 0).then_some(wanted).into_iter().chain(tries).chain([0]);
    let listener = candidates.find_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    listener.ok_or_else(|| io::Error::from(io::ErrorKind::AddrInUse))?.local_addr().map(|at| at.port())
}

/// 128 random bits in hexadecimal, so that no quoting is needed anywhere.
fn password() -> Result<String, ClusterError> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| ClusterError::NoRandomness)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

fn run(name: &'static str, command: &mut Command) -> Result<String, ClusterError> {
    let output = command.output().map_err(system(name))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(ClusterError::Program(name, String::from_utf8_lossy(&output.stderr).trim_end().to_owned()))
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> ClusterError {
    move |error| ClusterError::System(what, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest of all orders in their order: every cluster has the same rows.
    const ORDERS_DIGEST: &str = "5f387eef118bdf47421c9ab3e204ac1a";

    fn is_listening(port: u16) -> bool {
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
    }

    #[test]
    fn the_orders_database_is_what_the_story_needs() {
        let cluster = Cluster::start().unwrap();
        cluster.load_orders().unwrap();
        let check =
            |sql: &str, expected: &str| assert_eq!(cluster.query(sql).unwrap(), expected, "{sql}");
        check("SELECT count(*) FROM customers", "20000");
        check("SELECT count(*) FROM orders", "60000");
        check("SELECT count(*) FROM payments", "60000");
        check("SELECT count(*) FROM executives", "1206");
        check("SELECT count(*) > 0 FROM open_orders", "t");
        check("SELECT md5(string_agg(o::text, '' ORDER BY id)) FROM orders o", ORDERS_DIGEST);
        check("SELECT tableowner FROM pg_tables WHERE tablename = 'orders'", ROLE);
        check("SELECT rolsuper FROM pg_roles WHERE rolname = 'tyer'", "f");
        check("SELECT reltuples FROM pg_class WHERE relname = 'orders'", "60000");
        check(
            "SELECT conrelid::regclass, confrelid::regclass, confdeltype FROM pg_constraint \
             WHERE contype = 'f' ORDER BY 1::text",
            "orders|customers|a\npayments|orders|c",
        );
        check("UPDATE orders SET status = 'paid' WHERE id = 1 RETURNING touched > placed", "t");
        check("DELETE FROM orders WHERE id = 2; SELECT count(*) FROM payments WHERE order_id = 2", "0");
        let refusal = cluster.query("DELETE FROM customers").unwrap_err().to_string();
        assert!(refusal.contains("violates foreign key constraint"), "{refusal}");
        cluster.stop().unwrap();
    }

    #[test]
    fn a_password_is_asked_of_everybody() {
        let mut cluster = Cluster::start().unwrap();
        cluster.load_orders().unwrap();
        cluster.password = "wrong".to_owned();
        let refusal = cluster.psql(ROLE, DATABASE, "SELECT 1").unwrap_err().to_string();
        assert!(refusal.contains("password authentication failed"), "{refusal}");
    }

    #[test]
    fn halting_loses_no_commit_and_stopping_leaves_nothing() {
        let mut cluster = Cluster::start().unwrap();
        let (port, home) = (cluster.port(), cluster.home.path().to_owned());
        cluster.psql(SUPERUSER, "postgres", "CREATE TABLE kept (n int)").unwrap();
        cluster.halt();
        assert!(!is_listening(port));
        cluster.resume().unwrap();
        assert_eq!(cluster.port(), port);
        assert_eq!(cluster.psql(SUPERUSER, "postgres", "SELECT count(*) FROM kept").unwrap(), "0");
        cluster.stop().unwrap();
        assert!(!is_listening(port) && !home.exists());
    }

    #[test]
    fn the_server_ends_with_the_process_that_started_it() {
        let mut cluster = Cluster::start().unwrap();
        let (port, home) = (cluster.port(), cluster.home.path().to_owned());
        // What the system does when this process is killed: it closes the pipe, and nobody waits.
        let mut keeper = cluster.keeper.take().unwrap();
        drop(keeper.stdin.take());
        let until = Instant::now() + Duration::from_secs(10);
        while (is_listening(port) || home.exists()) && Instant::now() < until {
            sleep(Duration::from_millis(20));
        }
        assert!(!is_listening(port) && !home.exists());
        keeper.wait().unwrap();
    }

    #[test]
    fn the_newest_version_is_found_by_number() {
        let root = tempfile::tempdir().unwrap();
        for (version, programs) in [("9", 3), ("15", 3), ("17", 1), ("x", 3)] {
            let directory = root.path().join(version).join("bin");
            fs::create_dir_all(&directory).unwrap();
            for program in ["initdb", "postgres", "psql"].iter().take(programs) {
                fs::write(directory.join(program), "").unwrap();
            }
        }
        assert_eq!(newest(root.path()), Some(root.path().join("15").join("bin")));
        assert_eq!(newest(&root.path().join("absent")), None);
    }

    #[test]
    fn users_are_read_by_exact_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:n:/:/bin/false\nbad:x:y:z\n";
        let check = |name, expected| assert_eq!(user_in(passwd, name), expected, "{name}");
        check("nobody", Some(User { uid: 65534, gid: 65533 }));
        check("nobod", None);
        check("bad", None);
    }
}
