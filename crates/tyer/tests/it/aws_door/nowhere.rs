//! A door that leads to AWS itself: what belongs to no host there is refused, and people are not asked about it.

use xtask::instance::{Instance, Real};

use super::client::Call;
use super::real::{ACCESS_KEY, SECRET};
use crate::bed::{needing, people, program, records, verify};

#[tokio::test]
async fn what_has_no_place_is_refused_before_people_are_asked() {
    let real = Real { endpoint: "", access_key: ACCESS_KEY, secret: SECRET, account: "" };
    let tyer = Instance::before_aws(program().as_ref(), real, &needing(2)).expect("an instance");
    people(&tyer).await;
    let login = tyer.aws_session("kiro", "carol", &[]).expect("a session");
    let unknown = async |service: &'static str| {
        Call::json(service, "Something_20991231.BrandNew", "{}").send(&login).await
    };
    for service in ["nothing", "s3", "dynamodb"] {
        let answer = unknown(service).await;
        assert_eq!(answer.status, 403, "no status that is tried again: {}", answer.body);
        assert!(answer.body.contains("nothing says where it would have to be sent"), "{}", answer.body);
    }
    assert_eq!(records(&tyer, "held").len(), 0);
    let answer = unknown("ssm").await;
    assert!(answer.status == 403 && answer.body.contains("H-1"), "it has a place: {}", answer.body);
    assert_eq!(records(&tyer, "held").len(), 1);
    verify(&tyer);
}
