//! A Tyer of one's own: a data directory, a configuration and the built program before a cluster.

mod aws;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::approver::{Approver, ApproverError};
use crate::cluster::{Cluster, DATABASE, ROLE, free_port};
use crate::http::Http;

pub use aws::{ACCOUNT, AwsKey, AwsLogin, Real};

/// How long the program may take to serve.
const START_LIMIT: Duration = Duration::from_secs(20);

/// What an instance is like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// `ask` or `guarded`.
    pub preset: &'static str,
    /// Further lines for the `[policy]` section.
    pub policy: &'static str,
    /// What the upstream is declared to be.
    pub environment: &'static str,
    /// Who owns it.
    pub owners: &'static [&'static str],
    /// How long doors wait, in seconds.
    pub wait_seconds: u64,
    /// Further lines for the `[holds]` section.
    pub holds: &'static str,
    /// How the upstream is reached: `disable` or `verify-full`.
    pub tls: &'static str,
    /// Further lines for the upstream's section.
    pub upstream: &'static str,
    /// Further sections.
    pub sections: &'static str,
    /// Private files in the data directory: name and text.
    pub files: Vec<(&'static str, String)>,
    /// The directory that the data directory is made in; nothing means the system's temporary one.
    pub within: Option<PathBuf>,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            preset: "guarded",
            policy: "",
            environment: "production",
            owners: &["bob"],
            wait_seconds: 0,
            holds: "",
            tls: "disable",
            upstream: "",
            sections: "",
            files: Vec::new(),
            within: None,
        }
    }
}

/// A running (or stopped) Tyer.
#[derive(Debug)]
pub struct Instance {
    program: PathBuf,
    data: TempDir,
    child: Option<Child>,
    /// The console's port.
    pub console: u16,
    /// The door's port.
    pub door: u16,
    links: Vec<(String, String)>,
    environment: Vec<(String, String)>,
}

/// Why there is no instance.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// The system refused something.
    #[error("{0}: {1}")]
    System(&'static str, #[source] io::Error),
    /// The program said no; with its words.
    #[error("tyer {0}: {1}")]
    Program(String, String),
    /// It did not begin to serve; with its log.
    #[error("tyer did not begin to serve: {0}")]
    NotStarted(String),
    /// There is no link for that name.
    #[error("there is no enrolment link for {0}")]
    NoLink(String),
    /// An approver could not do something.
    #[error(transparent)]
    Approver(#[from] ApproverError),
}

/// What a driver needs to connect as a session.
#[derive(Clone, Debug)]
pub struct Login {
    /// The session's id, which is also the user.
    pub session: String,
    /// The minted password.
    pub password: String,
}

impl Instance {
    /// Makes a data directory for alice and bob before the cluster and starts the program.
    ///
    /// # Errors
    /// When the program refuses.
    pub fn start(program: &Path, cluster: &Cluster, shape: &Shape) -> Result<Self, InstanceError> {
        let mut instance = Self::found(program, shape)?;
        instance.put("orders.password", cluster.password())?;
        instance.configure(cluster, shape)?;
        instance.resume()?;
        Ok(instance)
    }

    /// Makes a data directory for alice and bob with the files of the shape.
    fn found(program: &Path, shape: &Shape) -> Result<Self, InstanceError> {
        let system = |what| move |error| InstanceError::System(what, error);
        let within = shape.within.clone().unwrap_or_else(std::env::temp_dir);
        let data = tempfile::Builder::new()
            .prefix("tyer-data-")
            .tempdir_in(within)
            .map_err(system("tempdir"))?;
        let mut instance = Self {
            program: program.to_owned(),
            data,
            child: None,
            console: free_port(0).map_err(system("free port"))?,
            door: free_port(0).map_err(system("free port"))?,
            links: Vec::new(),
            environment: Vec::new(),
        };
        let origin = format!("http://localhost:{}", instance.console);
        let said =
            instance.run(&["init", "--people", "alice,bob", "--demo", "--console-origin", &origin])?;
        instance.links = links(&said);
        for (name, text) in &shape.files {
            instance.put(name, text)?;
        }
        Ok(instance)
    }

    /// Puts a private file into the data directory.
    fn put(&self, name: &str, text: &str) -> Result<(), InstanceError> {
        let path = self.directory().join(name);
        let system = |error| InstanceError::System("file of the data directory", error);
        fs::write(&path, text).map_err(system)?;
        private(&path).map_err(system)
    }

    /// Writes the configuration anew.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn configure(&self, cluster: &Cluster, shape: &Shape) -> Result<(), InstanceError> {
        self.behind(shape, cluster.port())
    }

    /// Writes the configuration anew, with the database on another port.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn behind(&self, shape: &Shape, port: u16) -> Result<(), InstanceError> {
        let section = format!(
            r#"[upstream.orders]
protocol = "postgres"
listen = "127.0.0.1:{door}"
address = "127.0.0.1:{port}"
database = "{DATABASE}"
user = "{ROLE}"
password = {{ file = "orders.password" }}
tls = "{tls}"
"#,
            door = self.door,
            tls = shape.tls,
        );
        self.write(shape, &section)
    }

    /// Writes the configuration anew; `section` begins the one of the upstream.
    fn write(&self, shape: &Shape, section: &str) -> Result<(), InstanceError> {
        let owners: Vec<String> = shape.owners.iter().map(|owner| format!("\"{owner}\"")).collect();
        let text = format!(
            r#"[console]
listen = "127.0.0.1:{console}"
origin = "http://localhost:{console}"
allow_loopback_approvals = true

[policy]
preset = "{preset}"
{policy}

[holds]
wait_seconds = {wait}
{holds}

{section}
environment = "{environment}"
owners = [{owners}]
{upstream}

{sections}
"#,
            upstream = shape.upstream,
            sections = shape.sections,
            console = self.console,
            preset = shape.preset,
            policy = shape.policy,
            wait = shape.wait_seconds,
            holds = shape.holds,
            environment = shape.environment,
            owners = owners.join(", "),
        );
        let path = self.directory().join("tyer.toml");
        fs::write(&path, text).map_err(|error| InstanceError::System("tyer.toml", error))?;
        private(&path).map_err(|error| InstanceError::System("tyer.toml", error))
    }

    /// The data directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.data.path()
    }

    /// Runs a command of the program on this data directory and returns its standard output.
    ///
    /// # Errors
    /// When it ends with another code than 0; with its words.
    pub fn run(&self, arguments: &[&str]) -> Result<String, InstanceError> {
        let output = self.output(arguments)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        let said = format!("{} {}{}", output.status, text(&output.stdout), text(&output.stderr));
        Err(InstanceError::Program(arguments.join(" "), said))
    }

    /// Runs a command of the program on this data directory.
    ///
    /// # Errors
    /// When it cannot be run at all.
    pub fn output(&self, arguments: &[&str]) -> Result<Output, InstanceError> {
        Command::new(&self.program)
            .arg("--data")
            .arg(self.directory())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| InstanceError::System("tyer", error))
    }

    /// Starts the program and waits until it serves.
    ///
    /// # Errors
    /// When it does not.
    pub fn resume(&mut self) -> Result<(), InstanceError> {
        self.kill();
        let log = self.directory().join("serve.log");
        let system = |error| InstanceError::System("tyer serve", error);
        let file = fs::File::options().create(true).append(true).open(&log).map_err(system)?;
        let child = Command::new(&self.program)
            .arg("--data")
            .arg(self.directory())
            .arg("serve")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .map_err(system)?;
        let child = self.child.insert(child);
        let until = Instant::now() + START_LIMIT;
        while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
            let open = |port| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
            if open(self.console) && open(self.door) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(InstanceError::NotStarted(fs::read_to_string(&log).unwrap_or_default()))
    }

    /// Sets a variable in the environment of the server from the next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Kills the program as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may be gone already.
            let _gone = child.kill();
            let _code = child.wait();
        }
    }

    /// The process id of the running program.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Enrols one of the founders with a software passkey.
    ///
    /// # Errors
    /// When there is no link for the name, or the console refuses.
    pub async fn enrol(&self, name: &str) -> Result<Approver, InstanceError> {
        let token = self.link(name).ok_or_else(|| InstanceError::NoLink(name.to_owned()))?;
        Ok(Approver::enrol(name, token, self.console).await?)
    }

    /// The token of a founder's enrolment link.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&str> {
        self.links.iter().find(|(person, _)| person == name).map(|(_, token)| token.as_str())
    }

    /// Makes a session with the command line; `more` are further arguments.
    ///
    /// # Errors
    /// When the program refuses.
    pub fn session(
        &self,
        agent: &str,
        controller: &str,
        more: &[&str],
    ) -> Result<Login, InstanceError> {
        let mut arguments = vec![
            "--json",
            "session",
            "new",
            "--agent",
            agent,
            "--for",
            controller,
            "--upstream",
            "orders",
        ];
        arguments.extend_from_slice(more);
        let said = self.run(&arguments)?;
        let json: Value = serde_json::from_str(&said).unwrap_or(Value::Null);
        let text = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Login { session: text("session"), password: text("password") })
    }

    /// An unauthenticated client of the console.
    #[must_use]
    pub fn http(&self) -> Http {
        Http::new(self.console)
    }

    /// The API as the operator sees it, over the socket in the data directory.
    #[must_use]
    pub fn operator(&self) -> Http {
        Http::of_socket(self.directory().join("tyer.sock"))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Names and tokens of the enrolment links that `tyer init` printed, in the order of the people.
fn links(said: &str) -> Vec<(String, String)> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let tokens = said.split("/enrol/").skip(1);
    let tokens = tokens.map(|rest| rest.chars().take_while(|letter| plain(*letter)).collect());
    ["alice", "bob"].into_iter().map(ToOwned::to_owned).zip(tokens).collect()
}

fn private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}
