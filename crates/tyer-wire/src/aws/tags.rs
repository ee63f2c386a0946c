//! Tags, however requests and answers write them: pairs of key and value in a list, names and values in a map, or the form
//! that S3 takes in a header.

use serde_json::Value;

use super::decode::{Decoded, Element, Plus, decoded};

/// How many tags of one request or answer are looked at; AWS takes 50 a thing.
const TAGS_MAX: usize = 1_000;
/// How deep they may stand.
const DEPTH_MAX: usize = 16;

/// A tag: its key and its value.
pub type Tag = (String, String);

impl Decoded {
    /// The tags that the request gives to something.
    #[must_use]
    pub fn tags(&self) -> Vec<Tag> {
        of_json(&self.parameters)
    }
}

/// Whether a name is one under which tags stand.
fn is_tags(name: &str) -> bool {
    // A stage is none.
    name.contains("Tag") || name.starts_with("tag")
}

/// The tags of a JSON text, or of decoded parameters.
pub(super) fn of_json(value: &Value) -> Vec<Tag> {
    let mut found = Vec::new();
    of_value(value, (false, 0), &mut found);
    found
}

fn of_value(value: &Value, (is_below, depth): (bool, usize), found: &mut Vec<Tag>) {
    if depth > DEPTH_MAX || found.len() >= TAGS_MAX {
        return;
    }
    match value {
        Value::Object(map) if is_below => {
            let text = |names: [&str; 3]| names.iter().find_map(|name| map.get(*name)?.as_str());
            if let Some(key) = text(["Key", "key", "TagKey"]) {
                let value = text(["Value", "value", "TagValue"]).unwrap_or_default();
                return found.push((key.to_owned(), value.to_owned()));
            }
            // Where there is more than texts, these say what the tags are for.
            let is_map = map.values().all(Value::is_string);
            for (name, inner) in map {
                match inner {
                    Value::String(value) if is_map => found.push((name.clone(), value.clone())),
                    _ => of_value(inner, (true, depth + 1), found),
                }
            }
        }
        Value::Object(map) => {
            for (name, inner) in map {
                match inner {
                    Value::String(form) if name == "Tagging" => found.extend(of_form(form)),
                    _ => of_value(inner, (is_tags(name), depth + 1), found),
                }
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| of_value(item, (is_below, depth + 1), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// `key=value&key=value`, percent-encoded.
fn of_form(text: &str) -> Vec<Tag> {
    let pairs = text.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    // What cannot be read is taken as it stands.
    let plain = |text: &str| decoded(text, Plus::Space).unwrap_or_else(|_| text.to_owned());
    pairs.map(|(key, value)| (plain(key), plain(value))).collect()
}

/// The tags of an answer in XML.
pub(super) fn of_xml(element: &Element) -> Vec<Tag> {
    let mut found = Vec::new();
    of_element(element, (false, 0), &mut found);
    found
}

fn of_element(element: &Element, (is_below, depth): (bool, usize), found: &mut Vec<Tag>) {
    if depth > DEPTH_MAX || found.len() >= TAGS_MAX {
        return;
    }
    let text = |name: &str| {
        let own = element.inner.iter().find(|it| it.name.eq_ignore_ascii_case(name));
        own.map(|it| it.text.trim().to_owned())
    };
    if is_below && let Some(key) = text("key") {
        return found.push((key, text("value").unwrap_or_default()));
    }
    for inner in &element.inner {
        of_element(inner, (is_below || is_tags(&inner.name), depth + 1), found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::aws::decode::read_xml;
    use crate::aws::table::named;

    fn shown(tags: &[Tag]) -> String {
        tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn tags_of_requests_in_every_form() {
        let check = |(service, name): (&str, &str), parameters: Value, expect: &str| {
            let operation = named(service, name)[0];
            let Value::Object(map) = parameters else { panic!("{parameters}") };
            let decoded = Decoded::asked(operation, map, "eu-west-1");
            assert_eq!(shown(&decoded.tags()), expect, "{name}");
        };
        let pair = json!([{"Key": "env", "Value": "prod"}]);
        check(("dynamodb", "CreateTable"), json!({"TableName": "t", "Tags": pair}), "env=prod");
        check(
            ("ec2", "RunInstances"),
            json!({"TagSpecifications": [{"ResourceType": "instance", "Tags": pair}]}),
            "env=prod",
        );
        check(("sqs", "CreateQueue"), json!({"QueueName": "q", "tags": {"env": "prod"}}), "env=prod");
        check(("ecs", "CreateCluster"), json!({"tags": [{"key": "env", "value": "prod"}]}), "env=prod");
        check(
            ("kms", "CreateKey"),
            json!({"Tags": [{"TagKey": "env", "TagValue": "prod"}]}),
            "env=prod",
        );
        check(
            ("s3", "PutObject"),
            json!({"Key": "k", "Tagging": "env=prod%20eu&a+b"}),
            "env=prod eu a b=",
        );
        check(
            ("s3", "PutBucketTagging"),
            json!({"Tagging": {"TagSet": [{"Key": "env", "Value": "prod"}]}}),
            "env=prod",
        );
        check(
            ("dynamodb", "PutItem"),
            json!({"Item": {"Key": {"S": "env"}, "Value": {"S": "prod"}}}),
            "",
        );
        check(("s3", "GetObject"), json!({"Bucket": "b", "Key": "env", "Value": "prod"}), "");
    }

    #[test]
    fn tags_of_answers() {
        let check = |text: &str, expect: &str| {
            assert_eq!(shown(&of_xml(&read_xml(text.as_bytes()).unwrap())), expect, "{text}");
        };
        check("<R><tagSet><item><key>env</key><value>prod</value></item></tagSet></R>", "env=prod");
        check("<R><TagList><Tag><Value>prod</Value><Key>env</Key></Tag></TagList></R>", "env=prod");
        check("<R><Tags><member><Key>env</Key></member></Tags></R>", "env=");
        check("<R><Parameters><member><Key>env</Key><Value>prod</Value></member></Parameters></R>", "");
        assert_eq!(shown(&of_json(&json!({"Tags": {"env": "prod"}, "Other": {"a": "b"}}))), "env=prod");
    }
}
