//! Tags make production of what the operator's map says is not.

use xtask::instance::Shape;

use super::Desk;
use super::client::Call;
use super::real::Says;
use crate::bed::needing;

fn instance(environment: &str) -> Says {
    let tags = format!("<tagSet><item><key>env</key><value>{environment}</value></item></tagSet>");
    let answer = format!(
        "<R><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>{tags}</item>\
         </instancesSet></item></reservationSet></R>"
    );
    Says::Script(vec![("DescribeInstances", answer)])
}

#[tokio::test]
async fn what_is_tagged_as_production_is_decided_as_that() {
    let desk = Desk::new(&Shape { environment: "staging", ..needing(0) }).await;
    let login = desk.session(&[]);
    let stood = |desk: &Desk| {
        let cleared = desk.leaves("cleared");
        let last = cleared.last().expect("a leaf");
        last["request"]["environment"].as_str().expect("an environment").to_owned()
    };
    let terminate = "Action=TerminateInstances&Version=2016-11-15&InstanceId.1=i-1";
    for (tag, expect) in [("dev", "staging"), ("Production", "production")] {
        desk.service.says(instance(tag));
        let answer = Call::query("ec2", terminate).send(&desk.session(&[])).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(stood(&desk), expect, "an instance tagged {tag}");
    }
    for (tag, expect) in [("test", "staging"), ("prod", "production")] {
        let body = format!(r#"{{"TableName":"t","Tags":[{{"Key":"env","Value":"{tag}"}}]}}"#);
        let answer = Call::json("dynamodb", "DynamoDB_20120810.CreateTable", &body).send(&login).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(stood(&desk), expect, "a table tagged {tag}");
    }
    desk.verify();
}
