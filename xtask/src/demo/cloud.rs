//! The second act: an agent that is asked for a small fix finds it easiest to delete an environment and to make it anew.
//!
//! The environment is a stack in an emulator of AWS; the agent is a program in Python with boto3, and knows nothing of
//! Tyer but an address and an access key.

use std::process::Command;

use serde_json::{Value, json};

use super::{DemoError, People, Story};
use crate::cluster::free_port;
use crate::instance::{ACCOUNT, AwsLogin, Instance};
use crate::moto::{self, Moto, MotoError};

const AGENT: &str = include_str!("agent.py");
const ENVIRONMENT: &str = include_str!("environment.json");
/// Another one beside it, of which less would be lost.
const TRIAL: &str = r#"{"Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "trial-jobs"}}}}"#;
/// What is there before and after, but for what was to be fixed.
const DATABASE: &str = "costs-figures";
const BUCKET: &str = "costs-exports";
const REASON: &str =
    "reports need more time, not another environment: raise the timeout of costs-report";

/// The cloud, and where Tyer's door before it is.
#[derive(Debug)]
pub(super) struct Cloud {
    moto: Moto,
    door: u16,
}

impl Cloud {
    /// Starts it with the environment in it.
    pub(super) fn start() -> Result<Self, DemoError> {
        let port = free_port(0).map_err(DemoError::Io)?;
        let cloud = Self { moto: Moto::start()?, door: port };
        cloud.by_operator(&["make", "costs", ENVIRONMENT, "CAPABILITY_NAMED_IAM"])?;
        cloud.by_operator(&["make", "trial", TRIAL])?;
        Ok(cloud)
    }

    /// Tyer's own credentials for it, as files of the data directory.
    pub(super) fn files() -> Vec<(&'static str, String)> {
        let (id, secret) = moto::CREDENTIALS;
        vec![("aws.id", id.to_owned()), ("aws.secret", secret.to_owned())]
    }

    /// Its section of the configuration.
    pub(super) fn section(&self) -> String {
        format!(
            r#"[upstream.cloud]
protocol = "aws"
listen = "127.0.0.1:{door}"
endpoint = "{endpoint}"
regions = ["eu-west-1"]
environment = "production"
owners = ["bob"]

[upstream.cloud.account.main]
id = "{ACCOUNT}"
access_key_id = {{ file = "aws.id" }}
secret_access_key = {{ file = "aws.secret" }}
"#,
            door = self.door,
            endpoint = self.moto.endpoint(),
        )
    }

    /// Tells the act.
    pub(super) async fn told(
        &self,
        story: &mut Story,
        instance: &Instance,
        people: &mut People,
    ) -> Result<(), DemoError> {
        story.say(
            "\n6. The second act: what shows customers their spending is a stack in AWS (an emulator here): a \
             database, a\n   bucket, a queue, two functions. The agent is asked why reports time out.",
        )?;
        let purpose = "find out why reports time out, and fix that";
        let login = instance.aws_session("kiro", "carol", &["--purpose", purpose])?;
        let looked = agent(&login, &["look"])?;
        story.check("cloudformation:DescribeStackResources", &words(&looked), is_done(&looked))?;
        self.deleted(story, instance, (&login, people)).await?;
        fixed(story, (&login, people)).await?;
        recreated(story, instance, (&login, people)).await?;
        self.is_there(story)
    }

    /// It would rather delete everything.
    async fn deleted(
        &self,
        story: &mut Story,
        instance: &Instance,
        (login, people): (&AwsLogin, &mut People),
    ) -> Result<(), DemoError> {
        story.say("\n   The agent finds it easiest to delete everything and to make it anew.")?;
        let refused = agent(login, &["recreate", "costs"])?;
        let id = held(&refused);
        let is_held = at(&refused, "of") == "DeleteStack" && *at(&refused, "tried_again") == json!(0);
        story.check("cloudformation:DeleteStack", &words(&refused), id.is_some() && is_held)?;
        let id = id.unwrap_or_default();
        let shown = instance.run(&["show", &id])?;
        let contents = [DATABASE, BUCKET].iter().all(|name| shown.contains(name));
        story.check(&format!("what bob is shown of {id}"), shown.trim(), contents)?;
        let risk = shown.lines().find(|line| line.starts_with("risk ") && line.contains("made anew"));
        story.check("what could follow", risk.unwrap_or(&shown).trim(), risk.is_some())?;
        people.bob.reject(&id, REASON).await?;
        let refused = agent(login, &["recreate", "costs"])?;
        let is_told = words(&refused).contains("raise the timeout");
        Ok(story.check("the same again, which bob has rejected", &words(&refused), is_told)?)
    }

    /// Asks the cloud itself.
    fn is_there(&self, story: &mut Story) -> Result<(), DemoError> {
        let there = self.by_operator(&["there"])?;
        let found = at(&there, "done");
        let expected = json!({
            "databases": [DATABASE],
            "buckets": [BUCKET],
            "queues": ["costs-jobs"],
            "functions": ["costs-collect", "costs-report"],
            "timeout": 30,
        });
        let what = "what is really there, asked of the cloud itself";
        Ok(story.check(what, &found.to_string(), *found == expected)?)
    }

    /// A step of whoever made the environment, past Tyer.
    fn by_operator(&self, arguments: &[&str]) -> Result<Value, DemoError> {
        let (id, secret) = moto::CREDENTIALS;
        run(&self.moto.endpoint(), (id, secret), arguments)
    }
}

/// What it was asked for is small, and one person can see that.
async fn fixed(story: &mut Story, (login, people): (&AwsLogin, &mut People)) -> Result<(), DemoError> {
    let refused = agent(login, &["fix"])?;
    let id = held(&refused);
    let what = "lambda:UpdateFunctionConfiguration, the small fix";
    story.check(what, &words(&refused), id.is_some())?;
    people.alice.approve(&id.unwrap_or_default()).await?;
    let fixed = agent(login, &["fix"])?;
    Ok(story.check("the small fix, which alice has approved", &words(&fixed), is_done(&fixed))?)
}

/// Where deleting was agreed to, making it anew is one thing with it.
async fn recreated(
    story: &mut Story,
    instance: &Instance,
    (login, people): (&AwsLogin, &mut People),
) -> Result<(), DemoError> {
    story.say(
        "\n   A stack for trials may go: alice and bob approve that. Then the agent makes it anew.",
    )?;
    let refused = agent(login, &["recreate", "trial"])?;
    let id = held(&refused);
    story.check("cloudformation:DeleteStack of trial", &words(&refused), id.is_some())?;
    let id = id.unwrap_or_default();
    people.alice.approve(&id).await?;
    people.bob.approve(&id).await?;
    let refused = agent(login, &["recreate", "trial"])?;
    let id = held(&refused);
    let is_held = id.is_some() && at(&refused, "of") == "CreateStack";
    story.check("cloudformation:CreateStack of trial", &words(&refused), is_held)?;
    let shown = instance.run(&["show", &id.unwrap_or_default()])?;
    let named = shown.lines().find(|line| line.contains("deletes and recreates"));
    Ok(story.check("what it comes to", named.unwrap_or(&shown).trim(), named.is_some())?)
}

/// A step of the agent, which only has what the session gave it.
fn agent(login: &AwsLogin, arguments: &[&str]) -> Result<Value, DemoError> {
    run(&login.endpoint, (&login.access_key, &login.secret), arguments)
}

fn run(endpoint: &str, (id, secret): (&str, &str), arguments: &[&str]) -> Result<Value, DemoError> {
    let mut command = Command::new(moto::python()?);
    command.args(["-B", "-c", AGENT]).args(arguments).env_clear().env("PATH", "/usr/bin:/bin");
    command.env("AWS_ENDPOINT_URL", endpoint);
    command.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret);
    let output = command.output().map_err(|error| MotoError::System("the agent", error))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    serde_json::from_str(&said).map_err(|_| DemoError::Agent(complaint))
}

fn at<'a>(came: &'a Value, key: &str) -> &'a Value {
    came.get(key).unwrap_or(&Value::Null)
}

fn is_done(came: &Value) -> bool {
    came.get("done").is_some()
}

/// What the agent was told.
fn words(came: &Value) -> String {
    match (at(came, "done").as_str(), at(came, "refused").as_str(), at(came, "message").as_str()) {
        (Some(done), ..) => done.to_owned(),
        (None, Some(code), Some(message)) => format!("{code}: {message}"),
        _ => came.to_string(),
    }
}

/// The hold that a refusal names.
fn held(came: &Value) -> Option<String> {
    let (_, rest) = at(came, "message").as_str()?.split_once("held as ")?;
    let id: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    Some(id)
}
