//! The demo: the story of an agent that wipes production during a freeze, replayed against a throwaway
//! PostgreSQL with Tyer in between, and that of one that makes an environment in AWS anew. Everything that it tells really happens, and it ends with code 0 only
//! if every decision and the database are as expected.

mod cloud;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};

use self::cloud::Cloud;
use crate::approver::{Approver, ApproverError};
use crate::cluster::{Cluster, ClusterError, DATABASE};
use crate::instance::{Instance, InstanceError, Login, Shape};
use crate::moto::MotoError;

const EXECUTIVES: i64 = 1_206;
const MIGRATION: &str = "ALTER TABLE customers ADD COLUMN region text;\n\
    COMMENT ON COLUMN customers.region IS 'sales region';\n\
    DROP TABLE orders_2019 CASCADE;\n\
    CREATE INDEX customers_region ON customers (region)";

/// Why the story could not be told.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// No Tyer.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// No AWS.
    #[error(transparent)]
    Moto(#[from] MotoError),
    /// An approver could not do something.
    #[error(transparent)]
    Approver(#[from] ApproverError),
    /// The agent of the second act broke down.
    #[error("the agent: {0}")]
    Agent(String),
    /// The agent's driver could not connect.
    #[error("the agent's driver: {0}")]
    Driver(#[from] tokio_postgres::Error),
    /// Standard output is gone.
    #[error("cannot write: {0}")]
    Io(#[from] std::io::Error),
    /// Something went otherwise than expected.
    #[error("{0} of the expected decisions did not come about")]
    Unexpected(usize),
}

/// Tells the story; with `once`, ends after it, otherwise leaves everything running until interrupted.
///
/// # Errors
/// When something cannot be started, or when any decision is not the expected one.
pub async fn run(program: PathBuf, once: bool) -> Result<(), DemoError> {
    let mut story = Story { unexpected: 0 };
    story.say("Starting a throwaway PostgreSQL with customers, orders, payments and executives ...")?;
    let cluster = Cluster::start()?;
    cluster.load_orders()?;
    cluster.query("CREATE TABLE orders_2019 AS SELECT * FROM orders LIMIT 5000")?;
    cluster.query("ALTER TABLE orders_2019 OWNER TO tyer")?;
    story.say("Starting an emulator of AWS with an environment in it ...")?;
    let cloud = Cloud::start()?;
    story.say("Starting Tyer before both, with the preset `guarded` ...")?;
    let shape = Shape { sections: cloud.section().leak(), files: Cloud::files(), ..Shape::default() };
    let instance = Instance::start(&program, &cluster, &shape)?;
    let mut people = people(&instance, &mut story).await?;
    let login =
        instance.session("kiro", "carol", &["--purpose", "tidy up the schema before the launch"])?;
    story.say(&format!(
        "\nThe agent `kiro` works for carol as session {}. Its password was minted by Tyer; it has no other.",
        login.session
    ))?;
    let agent = connect(&instance, &login).await?;
    reads(&mut story, &agent).await?;
    held(&mut story, &agent).await?;
    answered(&mut story, &agent, &mut people).await?;
    frozen(&mut story, &agent, &instance, &mut people).await?;
    checked(&mut story, &cluster)?;
    cloud.told(&mut story, &instance, &mut people).await?;
    verified(&mut story, &instance)?;
    if story.unexpected > 0 {
        return Err(DemoError::Unexpected(story.unexpected));
    }
    story
        .say("\nEvery decision was the expected one, and database and cloud are as they should be.")?;
    if once {
        return Ok(());
    }
    linger(&mut story, &instance, &mut people).await
}

/// The demo approvers: software passkeys in place of humans.
struct People {
    alice: Approver,
    bob: Approver,
}

/// Tells what happens and counts what was not expected.
struct Story {
    unexpected: usize,
}

impl Story {
    fn say(&mut self, text: &str) -> std::io::Result<()> {
        use std::io::Write as _;
        writeln!(std::io::stdout().lock(), "{text}")
    }

    /// Says what came of a step, and whether that was expected.
    fn check(&mut self, what: &str, came: &str, expected: bool) -> std::io::Result<()> {
        if !expected {
            self.unexpected += 1;
        }
        let mark = if expected { "ok " } else { "NOT AS EXPECTED " };
        self.say(&format!("  {mark} {what}\n       -> {}", came.replace('\n', "\n          ")))
    }
}

async fn people(instance: &Instance, story: &mut Story) -> Result<People, DemoError> {
    let (mut alice, mut bob) = (instance.enrol("alice").await?, instance.enrol("bob").await?);
    story.say(
        "The demo approvers alice and bob (software passkeys, not humans) enrolled by their links.\n\
         bob owns the database. alice invites carol, a developer; bob confirms her.",
    )?;
    join(instance, &mut alice, &mut bob, "carol").await?;
    Ok(People { alice, bob })
}

/// Invites, enrols and confirms somebody with a software passkey.
async fn join(
    instance: &Instance,
    by: &mut Approver,
    confirmer: &mut Approver,
    name: &str,
) -> Result<(), DemoError> {
    let invited = by.decide(&json!({ "invite": name }), "").await?;
    Approver::enrol(name, &token(&invited), instance.console).await?;
    confirmer.decide(&json!({ "confirm": name }), "").await?;
    Ok(())
}

/// The token in the enrolment link of an accepted invitation.
fn token(invited: &Value) -> String {
    let url = invited.pointer("/invited/url").and_then(Value::as_str).unwrap_or_default();
    url.rsplit('/').next().unwrap_or_default().to_owned()
}

async fn connect(instance: &Instance, login: &Login) -> Result<Client, DemoError> {
    let mut config = tokio_postgres::Config::new();
    config
        .host("127.0.0.1")
        .port(instance.door)
        .user(&login.session)
        .password(&login.password)
        .dbname(DATABASE)
        .application_name("kiro")
        .connect_timeout(Duration::from_secs(10));
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// What came of a statement: rows of text, or the error as the driver shows it with its hint.
async fn ask(agent: &Client, sql: &str) -> Result<String, String> {
    match agent.simple_query(sql).await {
        Ok(messages) => {
            let mut said = Vec::new();
            for message in &messages {
                match message {
                    tokio_postgres::SimpleQueryMessage::Row(row) => {
                        said.push(row.get(0).unwrap_or_default().to_owned());
                    }
                    tokio_postgres::SimpleQueryMessage::CommandComplete(rows) => {
                        said.push(format!("{rows} rows"));
                    }
                    _ => {}
                }
            }
            Ok(said.join(", "))
        }
        Err(error) => Err(error.as_db_error().map_or_else(
            || error.to_string(),
            |refused| format!("{} ({})", refused.message(), refused.hint().unwrap_or_default()),
        )),
    }
}

async fn reads(story: &mut Story, agent: &Client) -> Result<(), DemoError> {
    story.say("\n1. Reads flow")?;
    for (sql, expect) in [
        ("SELECT count(*) FROM executives", EXECUTIVES.to_string()),
        ("SELECT 'DROP TABLE executives' AS sample", "DROP TABLE executives".to_owned()),
    ] {
        let came = ask(agent, sql).await;
        let expected = came.as_ref().is_ok_and(|rows| rows.contains(&expect));
        story.check(sql, &came.unwrap_or_else(|error| error), expected)?;
    }
    Ok(())
}

async fn held(story: &mut Story, agent: &Client) -> Result<(), DemoError> {
    story.say("\n2. What destroys is held, whatever it looks like")?;
    for (sql, hold) in
        [("DELETE FROM payments", "H-1"), ("DROP TABLE executives CASCADE", "H-2"), (MIGRATION, "H-3")]
    {
        let came = ask(agent, sql).await;
        let expected = came.as_ref().is_err_and(|error| error.contains(&format!("held as {hold}")));
        story.check(sql, &came.unwrap_or_else(|error| error), expected)?;
    }
    Ok(())
}

async fn answered(story: &mut Story, agent: &Client, people: &mut People) -> Result<(), DemoError> {
    story.say(
        "\n3. People answer: bob rejects H-1; alice and bob look at the migration H-3 and approve it",
    )?;
    people.bob.reject("H-1", "payments are the books; ask for what you want to correct").await?;
    let came = ask(agent, "DELETE FROM payments").await;
    let expected = came.as_ref().is_err_and(|error| error.contains("the books"));
    story.check("DELETE FROM payments, again", &came.unwrap_or_else(|error| error), expected)?;
    people.alice.approve("H-3").await?;
    let came = ask(agent, MIGRATION).await;
    let expected = came.as_ref().is_err_and(|error| error.contains("held as H-3"));
    story.check(
        "the migration, with one approval of two",
        &came.unwrap_or_else(|error| error),
        expected,
    )?;
    people.bob.approve("H-3").await?;
    let came = ask(agent, MIGRATION).await;
    let expected = came.is_ok();
    story.check(
        "the migration, approved by two people",
        &came.unwrap_or_else(|error| error),
        expected,
    )?;
    let came = ask(agent, MIGRATION).await;
    let expected = came.as_ref().is_err_and(|error| error.contains("held as H-4"));
    story.check(
        "the migration once more: an approval is used once",
        &came.unwrap_or_else(|e| e),
        expected,
    )?;
    Ok(())
}

async fn frozen(
    story: &mut Story,
    agent: &Client,
    instance: &Instance,
    people: &mut People,
) -> Result<(), DemoError> {
    story.say("\n4. A freeze binds everyone")?;
    instance.run(&["freeze", "--reason", "launch week"])?;
    let insert = "INSERT INTO executives SELECT * FROM executives";
    for sql in [insert, "DROP TABLE executives CASCADE"] {
        let came = ask(agent, sql).await;
        let expected = came.as_ref().is_err_and(|error| error.contains("frozen"));
        story.check(sql, &came.unwrap_or_else(|error| error), expected)?;
    }
    let came = ask(agent, "SELECT count(*) FROM executives").await;
    let expected = came.as_ref().is_ok_and(|rows| rows.contains(&EXECUTIVES.to_string()));
    story.check("SELECT count(*) FROM executives", &came.unwrap_or_else(|error| error), expected)?;
    people.alice.thaw("F-1").await?;
    let came = ask(agent, insert).await;
    let expected = came.as_ref().is_err_and(|error| error.contains("frozen"));
    story.check("alice signed its end: one of two", &came.unwrap_or_else(|error| error), expected)?;
    people.bob.thaw("F-1").await?;
    story.say("  alice and bob ended the freeze with their passkeys.")?;
    Ok(())
}

fn checked(story: &mut Story, cluster: &Cluster) -> Result<(), DemoError> {
    story.say("\n5. What is really there, asked of the database itself")?;
    for (what, sql, expect) in [
        ("executives", "SELECT count(*) FROM executives", "1206"),
        ("payments are all there", "SELECT count(*) > 0 FROM payments", "t"),
        ("orders_2019 is gone", "SELECT to_regclass('orders_2019') IS NULL", "t"),
        (
            "customers.region was added",
            "SELECT count(*) FROM pg_attribute WHERE attrelid = 'customers'::regclass AND attname = 'region'",
            "1",
        ),
    ] {
        let came = cluster.query(sql)?;
        story.check(what, came.trim(), came.trim() == expect)?;
    }
    Ok(())
}

fn verified(story: &mut Story, instance: &Instance) -> Result<(), DemoError> {
    story.say("\n7. The ledger of both acts")?;
    let verified = instance.output(&["ledger", "verify"])?;
    let said = String::from_utf8_lossy(&verified.stdout).trim().to_owned();
    story.check("tyer ledger verify", &said, verified.status.success())?;
    Ok(())
}

/// Leaves everything running: the reader gets a link, and bob confirms whoever enrols by it.
async fn linger(story: &mut Story, instance: &Instance, people: &mut People) -> Result<(), DemoError> {
    let invited = people.alice.decide(&json!({ "invite": "you" }), "").await?;
    let url = invited.pointer("/invited/url").and_then(Value::as_str).unwrap_or_default();
    story.say(&format!(
        "\nLook at it yourself: alice has invited you. Enrol a passkey within 15 minutes at\n\n    {}\n\n\
         (bob confirms you) and answer H-2 at http://localhost:{}/. The data is in {}.\nCtrl-C ends everything.",
        url,
        instance.console,
        instance.directory().display(),
    ))?;
    let mut confirmed = false;
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        if !confirmed && people.bob.decide(&json!({ "confirm": "you" }), "").await.is_ok() {
            confirmed = true;
            story.say("bob confirmed you: your word counts now.")?;
        }
    }
}
