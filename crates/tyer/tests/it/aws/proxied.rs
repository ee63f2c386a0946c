//! The same clients without any endpoint: they ask AWS's own hosts, and the door is their proxy.

use std::process::Output;

use xtask::instance::AwsLogin;
use xtask::moto::{self, Moto};

use super::{Client, Cloud, Seat, said};
use crate::bed::needing;
use crate::clients::same;

fn run(client: &Client, cloud: &Cloud, login: &AwsLogin) -> Output {
    let mut command = client.command(&Seat::door(login));
    command
        .env_remove("AWS_ENDPOINT_URL")
        .env("HTTPS_PROXY", &login.proxy)
        // An account's own hosts are not in the table.
        .env("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
        .env("AWS_CA_BUNDLE", cloud.tyer.directory().join("aws-ca.crt"));
    command.output().expect("a client")
}

/// Runs a client past Tyer, and without an endpoint through the door as its proxy.
async fn check(client: Client) {
    let alone = Moto::start().expect("moto");
    let expected = said(&client.run(&Seat::direct(&alone)));
    assert!(expected.starts_with("exit status: 0"), "it fails without Tyer:\n{expected}");
    let cloud = Cloud::new(&needing(0)).await;
    let login = cloud.tyer.aws_session("kiro", "carol", &[]).expect("a session");
    let found = said(&run(&client, &cloud, &login));
    assert!(found.starts_with("exit status: 0"), "it fails through the proxy:\n{found}");
    same(&expected, &found);
    assert!(!cloud.records("settled").is_empty(), "it went past the door");
    cloud.verify();
}

#[tokio::test]
async fn boto3_sees_the_same_through_its_proxy_in_the_query_protocols() {
    check(Client::python("query.py", &[])).await;
}

#[tokio::test]
async fn boto3_sees_the_same_through_its_proxy_in_the_json_protocols() {
    check(Client::python("json_body.py", &[])).await;
}

#[tokio::test]
async fn boto3_sees_the_same_through_its_proxy_in_the_rest_protocols() {
    check(Client::python("rest.py", &[])).await;
}

#[tokio::test]
async fn paginators_and_waiters_work_through_a_proxy() {
    check(Client::python("patterns.py", &[])).await;
}

#[tokio::test]
async fn the_command_line_reaches_aws_through_its_proxy() {
    let cloud = Cloud::new(&needing(0)).await;
    let login = cloud.tyer.aws_session("kiro", "carol", &[]).expect("a session");
    let client = Client {
        program: moto::python().expect("./dev setup"),
        first: "-m".into(),
        // For queues it takes no address from the environment.
        more: &["awscli", "sqs", "create-queue", "--queue-name", "by-proxy"],
        variables: Vec::new(),
    };
    let found = said(&run(&client, &cloud, &login));
    assert!(found.starts_with("exit status: 0") && found.contains("/by-proxy"), "{found}");
    assert_eq!(cloud.records("settled").len(), 1);
    cloud.verify();
}
