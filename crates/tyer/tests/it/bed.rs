//! What each test stands on: a cluster, a Tyer before it, three people, one session.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use xtask::approver::Approver;
use xtask::cluster::{Cluster, DATABASE};
use xtask::instance::{Instance, Login, Shape};

/// A Tyer before the orders database; alice and bob (an owner) are founders, carol was invited by alice
/// and confirmed by bob.
pub(crate) struct Bed {
    pub(crate) cluster: Cluster,
    pub(crate) tyer: Instance,
    pub(crate) alice: Approver,
    pub(crate) bob: Approver,
    pub(crate) carol: Approver,
}

impl Bed {
    pub(crate) async fn new(shape: Shape) -> Self {
        Self::over(Cluster::start().expect("a cluster"), shape).await
    }

    /// Before a cluster that was just made.
    pub(crate) async fn over(cluster: Cluster, shape: Shape) -> Self {
        cluster.load_orders().expect("the orders database");
        let tyer = Instance::start(program().as_ref(), &cluster, &shape).expect("an instance");
        let [alice, bob, carol] = people(&tyer).await;
        Self { cluster, tyer, alice, bob, carol }
    }

    /// Somebody more, whom alice invites and bob confirms.
    pub(crate) async fn joins(&mut self, name: &str) -> Approver {
        let joins = invited(&mut self.alice, name, self.tyer.console).await;
        self.bob.decide(&json!({ "confirm": name }), "").await.expect("bob confirms");
        joins
    }

    /// Starts it again, shaped like this; whether it does.
    pub(crate) fn restarts(&mut self, shape: &Shape) -> bool {
        self.tyer.kill();
        self.tyer.configure(&self.cluster, shape).expect("a changed file");
        self.tyer.resume().is_ok()
    }

    /// A session of the agent `kiro` for carol.
    pub(crate) fn session(&self, more: &[&str]) -> Login {
        self.tyer.session("kiro", "carol", more).expect("a session")
    }

    /// A connection of tokio-postgres through the door.
    pub(crate) async fn connect(&self, login: &Login) -> Client {
        connect(self.tyer.door, &login.session, &login.password).await.expect("a connection")
    }

    /// A connection for a fresh session.
    pub(crate) async fn agent(&self) -> Client {
        self.connect(&self.session(&[])).await
    }

    /// psql through the door by TLS with the certificate verified.
    pub(crate) fn psql(&self, login: &Login, sql: &str) -> Output {
        Command::new(self.cluster.programs().join("psql"))
            .args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-c", sql])
            .env("PGHOST", "localhost")
            .env("PGPORT", self.tyer.door.to_string())
            .env("PGUSER", &login.session)
            .env("PGPASSWORD", &login.password)
            .env("PGDATABASE", DATABASE)
            .env("PGSSLMODE", "verify-full")
            .env("PGSSLROOTCERT", self.tyer.directory().join("door.crt"))
            .output()
            .expect("psql")
    }

    /// The leaves of the ledger as the command line shows them.
    pub(crate) fn leaves(&self) -> Vec<Value> {
        leaves(&self.tyer)
    }

    /// The leaves of one kind.
    pub(crate) fn leaves_of(&self, kind: &str) -> Vec<Value> {
        let of = |leaf: &Value| record(leaf).get("kind").and_then(Value::as_str) == Some(kind);
        self.leaves().into_iter().filter(of).collect()
    }

    /// What the database itself says, past Tyer.
    pub(crate) fn truth(&self, sql: &str) -> String {
        self.cluster.query(sql).expect("the truth").trim().to_owned()
    }

    /// Verifies the ledger; panics with the findings.
    pub(crate) fn verify(&self) {
        verify(&self.tyer);
    }

    /// A hold as the API tells it, or that there is none.
    pub(crate) async fn hold(&mut self, id: &str) -> Value {
        let (_, hold) = self.alice.http().get(&format!("/api/v1/holds/{id}")).await.expect("an answer");
        hold
    }

    /// Waits until the hold is in that state.
    pub(crate) async fn until(&mut self, id: &str, state: &str) {
        for _ in 0..200 {
            // There may be none yet.
            let path = format!("/api/v1/holds/{id}");
            let (_, hold) = self.alice.http().get(&path).await.expect("an answer");
            if hold.to_string().contains(&format!("\"{state}\"")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{id} never became {state}: {}", self.hold(id).await);
    }
}

/// The leaves of a ledger as the command line shows them.
pub(crate) fn leaves(tyer: &Instance) -> Vec<Value> {
    let said = tyer.run(&["--json", "ledger", "tail", "-n", "10000"]).expect("the ledger");
    let parsed: Value = serde_json::from_str(&said).unwrap_or(Value::Null);
    match parsed {
        Value::Array(leaves) => leaves,
        Value::Object(_) => parsed.get("leaves").and_then(Value::as_array).cloned().unwrap_or_default(),
        _ => said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
    }
}

/// Alice and bob, who found it, and carol, who was invited by alice and confirmed by bob.
pub(crate) async fn people(tyer: &Instance) -> [Approver; 3] {
    let mut alice = tyer.enrol("alice").await.expect("alice");
    let mut bob = tyer.enrol("bob").await.expect("bob");
    let carol = invited(&mut alice, "carol", tyer.console).await;
    bob.decide(&json!({ "confirm": "carol" }), "").await.expect("a confirmation");
    [alice, bob, carol]
}

/// The records of one kind in a ledger.
pub(crate) fn records(tyer: &Instance, kind: &str) -> Vec<Value> {
    let records = leaves(tyer).into_iter().map(|leaf| record(&leaf).clone());
    records.filter(|record| record["kind"] == kind).collect()
}

/// Verifies a ledger; panics with the findings.
pub(crate) fn verify(tyer: &Instance) {
    let output = tyer.output(&["ledger", "verify"]).expect("verify");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Somebody whom that person invites and nobody has confirmed yet.
pub(crate) async fn invited(by: &mut Approver, name: &str, console: u16) -> Approver {
    let invited = by.decide(&json!({ "invite": name }), "").await.expect("an invitation");
    let url = invited.pointer("/invited/url").and_then(Value::as_str).expect("a link");
    let token = url.rsplit('/').next().expect("a token");
    Approver::enrol(name, token, console).await.expect("they enrol")
}

/// By its policies reads flow, and every write needs so many others.
pub(crate) fn needing(peers: u32) -> Shape {
    let text = format!(
        "@id(\"reads\") permit (principal, action == Action::\"read\", resource);
         @id(\"writes\") permit (principal, action in Action::\"write\", resource)
         when {{ context.approvals.peers >= {peers} }};"
    );
    let (policy, files) = ("files = [\"own.cedar\"]", vec![("own.cedar", text)]);
    Shape { policy, files, ..Shape::default() }
}

/// The record inside whatever the command line wraps a leaf in.
pub(crate) fn record(leaf: &Value) -> &Value {
    ["record", "leaf"].iter().find_map(|key| leaf.get(key).filter(|it| it.is_object())).unwrap_or(leaf)
}

pub(crate) fn program() -> &'static str {
    env!("CARGO_BIN_EXE_tyer")
}

pub(crate) async fn connect(
    port: u16,
    user: &str,
    password: &str,
) -> Result<Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).user(user).password(password).dbname(DATABASE);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// What a driver got: the first column of the rows and the command tags' counts, or the error with its
/// code, message and hint.
pub(crate) async fn ask(client: &Client, sql: &str) -> Result<Vec<String>, Refused> {
    match client.simple_query(sql).await {
        Ok(messages) => Ok(messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(ToOwned::to_owned),
                SimpleQueryMessage::CommandComplete(count) => Some(format!("#{count}")),
                _ => None,
            })
            .collect()),
        Err(error) => Err(Refused::of(&error)),
    }
}

/// An error as a driver sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Refused {
    pub(crate) fn of(error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(refused) => Self {
                code: refused.code().code().to_owned(),
                message: refused.message().to_owned(),
                hint: refused.hint().unwrap_or_default().to_owned(),
            },
            None => Self { code: String::new(), message: error.to_string(), hint: String::new() },
        }
    }

    /// The id of the hold that it names.
    pub(crate) fn hold(&self) -> String {
        let (_, rest) = self.message.split_once("H-").unwrap_or_else(|| panic!("no hold in {self:?}"));
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        format!("H-{digits}")
    }
}
