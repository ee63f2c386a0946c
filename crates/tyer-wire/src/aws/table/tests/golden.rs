//! Operations are called where botocore calls them.

use serde_json::json;

use super::*;

/// By `hosts_by_botocore.py`: service, operation, region, host.
const HOSTS: &str = include_str!("../../../../testdata/aws/hosts_by_botocore.tsv");

/// What stands for labels of hosts there.
fn labels() -> Value {
    json!({"AccountId": "111122223333", "graphIdentifier": "g-0123456789", "RequestRoute": "route"})
}

#[test]
fn each_operation_is_called_at_the_host_that_botocore_calls_it_at() {
    let (mut prefixed, mut services, mut others) = (0, 0, Vec::new());
    for line in HOSTS.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [service, name, region, expect] = fields.as_slice() else { panic!("{line}") };
        let api = apis().find(|api| api.folder() == *service).unwrap_or_else(|| panic!("{line}"));
        let operation = api.operation(name).unwrap_or_else(|| panic!("{line}"));
        match operation.place().0 {
            "" => services += 1,
            _ => prefixed += 1,
        }
        let got = at(operation, region, &labels()).unwrap_or_default();
        if got != *expect {
            others.push(format!("{line}: {got}"));
        }
    }
    assert_eq!(others, [""; 0]);
    assert!(prefixed > 700 && services > 430, "{prefixed} {services}");
    // Botocore does not call streams of events.
    let all = apis().flat_map(Api::operations).filter(|it| !it.place().0.is_empty()).count();
    assert_eq!(all - prefixed, 1);
}

#[test]
fn what_cannot_be_a_part_of_a_hosts_name_has_no_host() {
    let get = named("s3control", "GetPublicAccessBlock")[0];
    let check = |account: Value, expect: Option<&str>| {
        let got = at(get, "eu-west-1", &json!({"AccountId": account}));
        assert_eq!(got.as_deref(), expect, "{account}");
    };
    check(json!("111122223333"), Some("111122223333.s3-control.eu-west-1.amazonaws.com"));
    let long = "a".repeat(64);
    for wrong in ["", "a.b", "evil.example/", "a@b", "-a", "a-", "a:1", "a b", "é", "a#", "a?", &long]
    {
        check(json!(wrong), None);
    }
    check(json!(1), None);
    assert_eq!(at(get, "eu-west-1", &json!({})), None);
    assert_eq!(at(get, "mars-west-1", &labels()), None);
}
