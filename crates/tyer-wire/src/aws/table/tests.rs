//! What the table says, and which hosts it knows.

mod golden;

use serde_json::Value;

use super::*;

#[test]
fn the_table_is_there_and_small() {
    let count = apis().flat_map(Api::operations).count();
    let levels = apis().flat_map(Api::operations).filter(|it| it.level().is_some()).count();
    assert_eq!((apis().count(), count), (445, 20_027));
    assert!(levels > 17_000, "{levels}");
    assert!(PACKED.len() <= 448 << 10, "{}", PACKED.len());
    let lines = TABLE.operations.len() + TABLE.structures.len() + TABLE.kinds.len() + TABLE.hosts.len();
    assert!(lines * size_of::<&str>() < 1 << 20, "{lines}");
}

#[test]
fn operations_are_found_by_name_and_say_what_they_take() {
    let check = |of: &str, name: &str, expect: &str| {
        let found = named(of, name);
        let got = found.first().map(|it| {
            let members: Vec<String> = it
                .members()
                .map(|member| format!("{}{}", if member.is_required { "!" } else { "" }, member.name))
                .collect();
            format!(
                "{} {:?} {} {} {}",
                it.api().signing_name(),
                it.level(),
                it.method(),
                it.path(),
                members.join(" ")
            )
        });
        assert_eq!(got.unwrap_or_default(), expect, "{of}:{name}");
    };
    check(
        "rds",
        "DeleteDBInstance",
        "rds Some(Write) POST / !DBInstanceIdentifier DeleteAutomatedBackups FinalDBSnapshotIdentifier SkipFinalSnapshot",
    );
    check("cloudwatch", "DeleteAlarms", "monitoring Some(Write) POST / !AlarmNames");
    check("elb", "DeleteLoadBalancer", "elasticloadbalancing Some(Write) POST / !LoadBalancerName");
    check("elbv2", "DeleteLoadBalancer", "elasticloadbalancing Some(Write) POST / !LoadBalancerArn");
    check("eks", "DeleteCluster", "eks Some(Write) DELETE /clusters/{name} !name");
    check("iam", "AttachRolePolicy", "iam Some(Permissions) POST / !PolicyArn !RoleName");
    check("ec2", "EatInstances", "");
    let create = named("ec2", "RunInstances");
    assert!(create[0].member("ClientToken").unwrap().is_token);
    assert!(
        named("s3", "PutObject")[0].is(Trait::Streams)
            && named("s3", "PutBucketLifecycle")[0].is(Trait::Deprecated)
    );
}

/// Every line of members is read whole: what is written again is what was there.
#[test]
fn every_member_is_of_a_type_that_is_known() {
    fn walk(kind: Kind, depth: usize) {
        assert!(depth < 20, "{kind:?}");
        match kind.what() {
            What::List { of, .. } | What::Map { of, .. } => walk(of, depth + 1),
            What::Structure(structure) => {
                assert!(structure.members().all(|member| !member.name.is_empty()))
            }
            What::Text => assert_eq!(format!("{kind:?}"), "s"),
            _ => {}
        }
    }
    for member in apis().flat_map(Api::operations).flat_map(Operation::members) {
        assert!(!member.name.is_empty(), "{member:?}");
        walk(member.kind, 0);
    }
}

#[test]
fn hosts() {
    let check = |name: &str, expect: &str| {
        let got = endpoint(name).map(|it| {
            format!(
                "{} {} {}{}",
                it.partition,
                it.prefix,
                it.region,
                it.bucket.map(|bucket| format!(" {bucket}")).unwrap_or_default()
            )
        });
        assert_eq!(got.unwrap_or_default(), expect, "{name}");
    };
    check("ec2.eu-west-1.amazonaws.com", "aws ec2 eu-west-1");
    check("ec2.eu-west-1.api.aws", "aws ec2 eu-west-1");
    check("rds.eu-west-1.amazonaws.com", "aws rds eu-west-1");
    check("iam.amazonaws.com", "aws iam us-east-1");
    check("iam.cn-north-1.amazonaws.com.cn", "aws-cn iam cn-north-1");
    check("iam.us-gov.amazonaws.com", "aws-us-gov iam us-gov-west-1");
    check("sts.amazonaws.com", "aws sts us-east-1");
    check("eu-west-1.queue.amazonaws.com", "aws sqs eu-west-1");
    check("xx-west-1.queue.amazonaws.com", "");
    check("x.eu-west-1.queue.amazonaws.com", "");
    check("monitoring-fips.us-gov-west-1.amazonaws.com", "aws-us-gov monitoring us-gov-west-1");
    check("cloudformation.cn-north-1.amazonaws.com.cn", "aws-cn cloudformation cn-north-1");
    check("s3.amazonaws.com", "aws s3 us-east-1");
    check("b.s3.amazonaws.com", "aws s3 us-east-1 b");
    check("a.b.s3.eu-west-1.amazonaws.com", "aws s3 eu-west-1 a.b");
    check("b.s3.dualstack.eu-west-1.amazonaws.com", "aws s3 eu-west-1 b");
    check("b.s3-fips.dualstack.us-east-1.amazonaws.com", "aws s3 us-east-1 b");
    check("b.s3-eu-west-1.amazonaws.com", "aws s3 eu-west-1 b");
    check("b.s3.cn-north-1.amazonaws.com.cn", "aws-cn s3 cn-north-1 b");
    check("111122223333.s3-control.us-east-1.amazonaws.com", "aws s3-control us-east-1");
    check("ec2.eu-west-9.amazonaws.com", "aws ec2 eu-west-9");
    check("ec2.xx-west-1.amazonaws.com", "");
    check("nothing.eu-west-1.amazonaws.com", "");
    check("x.ec2.eu-west-1.amazonaws.com", "");
    check("ec2.eu-west-1.amazonaws.com.example.org", "");
    check("ec2.eu-west-1.amazonaws.com.", "");
    check("evilec2.eu-west-1.amazonaws.com", "");
    check("EC2.eu-west-1.amazonaws.com", "");
    check("amazonaws.com", "");
    check("", "");
}

/// The host that is called for a service is known as one of that service's.
#[test]
fn the_host_of_each_service_is_an_endpoint_of_it() {
    let mut others = Vec::new();
    for api in apis() {
        for region in ["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1"] {
            let name = host(api, region).unwrap();
            let Some(found) = endpoint(&name) else {
                // People sign in there, in a browser.
                assert_eq!(api.folder(), "signin", "{name}");
                continue;
            };
            if found.prefix != api.endpoint_prefix() {
                others.push(format!("{api:?} {name} {}", found.prefix));
            }
        }
    }
    others.retain(|it| !it.ends_with(".amazonaws.com geo"));
    assert_eq!(others, [""; 0], "hosts that are another service's, but for those of maps");
    assert_eq!(host(named("iam", "CreateUser")[0].api(), "eu-west-1").unwrap(), "iam.amazonaws.com");
    assert_eq!(
        host(named("s3", "GetObject")[0].api(), "eu-west-1").unwrap(),
        "s3.eu-west-1.amazonaws.com"
    );
    assert_eq!(host(named("iam", "CreateUser")[0].api(), "mars-west-1"), None);
    assert_eq!(partition("us-gov-east-1"), Some("aws-us-gov"));
}

#[test]
fn what_is_signed_for_another_service_or_region_belongs_elsewhere() {
    let check = |name: &str, service: &str, region: &str, expect: bool| {
        let found = endpoint(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(found.is_for(service, region), expect, "{name} {service} {region}");
    };
    check("ec2.eu-west-1.amazonaws.com", "ec2", "eu-west-1", true);
    check("ec2.eu-west-1.amazonaws.com", "ec2", "us-east-1", false);
    check("ec2.eu-west-1.amazonaws.com", "rds", "eu-west-1", false);
    check("ec2.eu-west-1.amazonaws.com", "", "eu-west-1", false);
    check("iam.amazonaws.com", "iam", "us-east-1", true);
    check("iam.amazonaws.com", "iam", "eu-west-1", false);
    check("sts.amazonaws.com", "sts", "us-east-1", true);
    check("monitoring.eu-west-1.amazonaws.com", "monitoring", "eu-west-1", true);
    check("email.eu-west-1.amazonaws.com", "ses", "eu-west-1", true);
    check("email.eu-west-1.amazonaws.com", "email", "eu-west-1", false);
    check("b.s3.eu-west-1.amazonaws.com", "s3", "eu-west-1", true);
    check("b.s3.eu-west-1.amazonaws.com", "s3express", "eu-west-1", false);
    check("111122223333.s3-control.us-east-1.amazonaws.com", "s3", "us-east-1", true);
    check("s3.us-east-1.amazonaws.com", "s3-control", "us-east-1", false);
}

#[test]
fn every_host_ends_with_one_of_the_suffixes() {
    let all = suffixes();
    assert!(all.contains(&"amazonaws.com") && all.contains(&"api.aws"), "{all:?}");
    let is_below =
        |name: &str| all.iter().any(|it| name.strip_suffix(it).is_some_and(|it| it.ends_with('.')));
    for api in apis() {
        for region in ["us-east-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "eusc-de-east-1"] {
            if let Some(name) = host(api, region) {
                // Neither is reached through the proxy.
                let is_left_out = api.folder() == "signin" || name.ends_with(".api.aws.ic.gov");
                assert!(is_below(&name) || is_left_out, "{name}");
            }
        }
    }
    assert!(all.iter().all(|it| it.split('.').count() > 1), "{all:?}");
}
