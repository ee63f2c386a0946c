//! What SDKs make of a hold: an error of theirs, raised at once and not tried again, and the same request again later.

use std::process::Command;

use serde_json::{Value, json};
use xtask::instance::Shape;

use super::{Client, Cloud, Seat, python};
use crate::bed::needing;

/// What one call of boto3 came to.
fn call(seat: &Seat, service: &str, operation: &str, parameters: &Value) -> Value {
    let mut command: Command = python("call.py");
    seat.seat(&mut command);
    let output = command.args([service, operation, &parameters.to_string()]).output().expect("boto3");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&said)
        .unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)))
}

/// The hold that a refusal names.
fn hold(refused: &Value) -> String {
    let message = refused["message"].as_str().unwrap_or_default();
    let (_, rest) = message.split_once("H-").unwrap_or_else(|| panic!("no hold: {refused}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    format!("H-{digits}")
}

/// Something to be destroyed, past Tyer.
fn made(cloud: &Cloud) {
    let here = json!({ "LocationConstraint": "eu-west-1" });
    let table = json!({
        "TableName": "carts", "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
        "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
    });
    let database = json!({
        "DBInstanceIdentifier": "books", "Engine": "postgres", "DBInstanceClass": "db.t3.micro",
        "AllocatedStorage": 20, "MasterUsername": "root", "MasterUserPassword": "password1",
    });
    for (service, operation, parameters) in [
        ("s3", "create_bucket", json!({ "Bucket": "files", "CreateBucketConfiguration": here })),
        ("dynamodb", "create_table", table),
        ("rds", "create_db_instance", database),
        ("efs", "create_file_system", json!({ "CreationToken": "one" })),
        ("ec2", "run_instances", json!({ "ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1 })),
    ] {
        let came = call(&cloud.direct(), service, operation, &parameters);
        assert!(came.get("refused").is_none(), "{came}");
    }
}

#[tokio::test]
async fn a_hold_is_an_error_of_each_protocol_and_passes_once_when_approved() {
    let mut cloud = Cloud::new(&Shape::default()).await;
    made(&cloud);
    let direct = cloud.direct();
    let instances = call(&direct, "ec2", "describe_instances", &json!({}));
    let instance = &instances["Reservations"][0]["Instances"][0]["InstanceId"];
    let disks = call(&direct, "efs", "describe_file_systems", &json!({}));
    let disk = &disks["FileSystems"][0]["FileSystemId"];
    let door = cloud.door();
    for (service, operation, parameters, code) in [
        ("dynamodb", "delete_table", json!({ "TableName": "carts" }), "AccessDeniedException"),
        (
            "rds",
            "delete_db_instance",
            json!({ "DBInstanceIdentifier": "books", "FinalDBSnapshotIdentifier": "last" }),
            "AccessDenied",
        ),
        ("s3", "delete_bucket", json!({ "Bucket": "files" }), "AccessDenied"),
        ("efs", "delete_file_system", json!({ "FileSystemId": disk }), "AccessDeniedException"),
        ("ec2", "terminate_instances", json!({ "InstanceIds": [instance] }), "UnauthorizedOperation"),
    ] {
        let ask = || call(&door, service, operation, &parameters);
        let refused = ask();
        assert_eq!(refused["refused"], code, "{refused}");
        assert_eq!(
            (&refused["status"], &refused["tried_again"]),
            (&json!(403), &json!(0)),
            "{refused}"
        );
        let message = refused["message"].as_str().unwrap_or_default();
        let console = format!("http://localhost:{}", cloud.tyer.console);
        assert!(message.contains(&console), "{message}");
        assert!(message.contains("two different people"), "{message}");
        assert!(message.contains("present the same request again"), "{message}");
        let id = hold(&refused);
        cloud.alice.approve(&id).await.expect("alice agrees");
        assert_eq!(hold(&ask()), id, "one is not two");
        cloud.bob.approve(&id).await.expect("bob agrees");
        let done = ask();
        assert!(done.get("refused").is_none(), "{service}: {done}");
        let again = ask();
        assert_ne!(hold(&again), id, "it was for once");
    }
    cloud.verify();
}

#[tokio::test]
async fn tokens_that_sdks_invent_anew_do_not_make_it_another_request() {
    let mut cloud = Cloud::new(&needing(1)).await;
    let door = cloud.door();
    // boto3 puts a fresh `ClientToken` into each of these.
    for (service, operation, parameters) in [
        ("ec2", "run_instances", json!({ "ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1 })),
        ("secretsmanager", "create_secret", json!({ "Name": "one", "SecretString": "hidden" })),
        ("efs", "create_file_system", json!({ "Encrypted": true })),
    ] {
        let id = hold(&call(&door, service, operation, &parameters));
        assert_eq!(hold(&call(&door, service, operation, &parameters)), id);
        cloud.alice.approve(&id).await.expect("alice agrees");
        let done = call(&door, service, operation, &parameters);
        assert!(done.get("refused").is_none(), "{done}");
        assert_ne!(hold(&call(&door, service, operation, &parameters)), id, "it was for once");
    }
    cloud.verify();
}

#[tokio::test]
async fn a_transfer_is_held_at_its_first_call_and_the_command_line_says_so() {
    let cloud = Cloud::new(&needing(1)).await;
    let mut command = Command::new(xtask::moto::python().expect("./dev setup"));
    cloud.door().seat(&mut command);
    let output = command
        .args(["-B", "-m", "awscli", "s3", "mb", "s3://files"])
        .output()
        .expect("the aws command");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("AccessDenied") && said.contains("H-1"), "{said}");
    let script = Client::python("large.py", &["parts"]).run(&cloud.door());
    let said = String::from_utf8_lossy(&script.stderr).into_owned();
    assert!(!script.status.success() && said.contains("AccessDenied"), "{said}");
}
