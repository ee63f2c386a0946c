//! Real clients of AWS: what each sees through the door is what it sees without Tyer.
//!
//! A client is a program under `tests/clients/aws` that makes calls and prints whatever it is told, with what AWS makes
//! up each time replaced by words. It runs against an emulator past Tyer and, against another one that is as empty,
//! through the door as a session.

mod held;
mod large;
mod proxied;
mod signed;

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use xtask::approver::Approver;
use xtask::instance::{AwsLogin, Instance, Real, Shape};
use xtask::moto::{self, Moto};

use crate::bed::{needing, people, program, records, verify};
use crate::clients::{installed, packages, same, script};

/// A Tyer before an emulator; alice and bob are founders, bob owns it, sessions are carol's.
struct Cloud {
    moto: Moto,
    tyer: Instance,
    alice: Approver,
    bob: Approver,
}

impl Cloud {
    async fn new(shape: &Shape) -> Self {
        let moto = Moto::start().expect("moto");
        let (access_key, secret) = moto::CREDENTIALS;
        let endpoint = moto.endpoint();
        let real = Real { endpoint: &endpoint, access_key, secret, account: "" };
        let tyer = Instance::before_aws(program().as_ref(), real, shape).expect("an instance");
        let [alice, bob, _] = people(&tyer).await;
        Self { moto, tyer, alice, bob }
    }

    /// Past Tyer.
    fn direct(&self) -> Seat {
        Seat::direct(&self.moto)
    }

    /// A session of its own.
    fn door(&self) -> Seat {
        Seat::door(&self.tyer.aws_session("kiro", "carol", &[]).expect("a session"))
    }

    /// The records of one kind.
    fn records(&self, kind: &str) -> Vec<Value> {
        records(&self.tyer, kind)
    }

    fn verify(&self) {
        verify(&self.tyer);
    }
}

/// Where a client goes, and as whom.
#[derive(Clone, Debug)]
struct Seat {
    endpoint: String,
    access_key: String,
    secret: String,
}

impl Seat {
    fn direct(moto: &Moto) -> Self {
        let (access_key, secret) = moto::CREDENTIALS;
        Self { endpoint: moto.endpoint(), access_key: access_key.to_owned(), secret: secret.to_owned() }
    }

    fn door(login: &AwsLogin) -> Self {
        // By a name, before which others can stand.
        let endpoint = login.endpoint.replace("127.0.0.1", "localhost");
        Self { endpoint, access_key: login.access_key.clone(), secret: login.secret.clone() }
    }

    /// The environment that every SDK reads, and nothing of this machine's.
    fn seat(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", &self.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret)
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true");
    }
}

/// Python with boto3, the command line and moto.
fn python(name: &str) -> Command {
    let mut command = Command::new(moto::python().expect("./dev setup"));
    command.arg("-B").arg(script("aws").join(name));
    command
}

/// Node with the AWS SDK for JavaScript.
fn node() -> Client {
    let modules = installed(&aws_packages().join("node_modules"));
    Client {
        program: "node".into(),
        first: script("aws/node_sdk.js"),
        more: &[],
        variables: vec![("NODE_PATH", modules)],
    }
}

fn aws_packages() -> PathBuf {
    packages().with_file_name("aws")
}

/// What runs a client.
#[derive(Clone, Debug)]
struct Client {
    program: PathBuf,
    first: PathBuf,
    more: &'static [&'static str],
    variables: Vec<(&'static str, PathBuf)>,
}

impl Client {
    fn python(name: &str, more: &'static [&'static str]) -> Self {
        let program = moto::python().expect("./dev setup");
        Self { program, first: script("aws").join(name), more, variables: Vec::new() }
    }

    fn run(&self, seat: &Seat) -> Output {
        self.command(seat).output().expect("a client")
    }

    fn command(&self, seat: &Seat) -> Command {
        let mut command = Command::new(&self.program);
        seat.seat(&mut command);
        command.env("PYTHONDONTWRITEBYTECODE", "1").envs(self.variables.iter().cloned());
        command.arg(&self.first).args(self.more);
        command
    }
}

/// Where nothing of what clients do is held: by what its policies say, or since it only observes.
fn grounds() -> [Shape; 2] {
    [needing(0), Shape { upstream: "mode = \"observe\"", ..Shape::default() }]
}

/// Runs a client past Tyer and through the door, and fails where the door's says anything else.
async fn check(client: Client) {
    let alone = Moto::start().expect("moto");
    let expected = said(&client.run(&Seat::direct(&alone)));
    assert!(expected.starts_with("exit status: 0"), "it fails without Tyer:\n{expected}");
    for shape in grounds() {
        let cloud = Cloud::new(&shape).await;
        same(&expected, &said(&client.run(&cloud.door())));
        assert!(!cloud.records("settled").is_empty(), "it went past the door");
        cloud.verify();
    }
}

/// How a client ended, and what it said; what its runtime complains of counts only if it failed.
fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let complaints = if output.status.success() { String::new() } else { text(&output.stderr) };
    format!("{}\n{}\n{complaints}", output.status, text(&output.stdout))
}

#[tokio::test]
async fn boto3_sees_the_same_in_the_query_protocols() {
    check(Client::python("query.py", &[])).await;
}

#[tokio::test]
async fn boto3_sees_the_same_in_the_json_protocols() {
    check(Client::python("json_body.py", &[])).await;
}

#[tokio::test]
async fn boto3_sees_the_same_in_the_rest_protocols() {
    check(Client::python("rest.py", &[])).await;
}

#[tokio::test]
async fn a_service_says_the_same_in_each_of_its_protocols() {
    check(Client::python("protocols.py", &[])).await;
}

#[tokio::test]
async fn buckets_in_paths_and_their_presigned_links_are_the_same() {
    check(Client::python("s3.py", &["path"])).await;
}

#[tokio::test]
async fn buckets_in_names_of_hosts_and_their_presigned_links_are_the_same() {
    check(Client::python("s3.py", &["virtual"])).await;
}

#[tokio::test]
async fn paginators_waiters_and_resources_work_as_they_do() {
    check(Client::python("patterns.py", &[])).await;
}

#[tokio::test]
async fn uploads_in_signed_chunks_with_trailers_arrive_as_they_are() {
    check(Client::python("chunks.py", &[])).await;
}

#[tokio::test]
async fn the_command_line_says_the_same() {
    check(Client::python("cli.py", &[])).await;
}

#[tokio::test]
async fn the_sdk_for_javascript_sees_the_same() {
    check(node()).await;
}

/// The services that the clients above call, through the door.
#[test]
fn they_are_more_than_fifty_services() {
    let names = ["query.py", "json_body.py", "rest.py", "protocols.py", "s3.py"]
        .map(|name| std::fs::read_to_string(script("aws").join(name)).expect("a client"));
    let mut services: Vec<&str> =
        names.iter().flat_map(|text| text.split("Service(\"").skip(1)).collect();
    for service in &mut services {
        *service = service.split('"').next().unwrap_or_default();
    }
    services.sort_unstable();
    services.dedup();
    assert!(services.len() > 50, "{}: {services:?}", services.len());
}
