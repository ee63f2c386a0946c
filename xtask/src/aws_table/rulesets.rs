//! The hosts at which services are called where nobody has configured anything: their rule sets, evaluated for each region.
//!
//! Follows the rules engine of Smithy's endpoint traits. What only other settings than a region lead to, such as ARNs for
//! buckets, is not evaluated: such a condition does not hold.

use std::path::Path;

use serde_json::{Map, Value};

use super::models::{members, text};
use super::{TableError, json, read};

/// What a rule set knows.
type Known = Map<String, Value>;

/// Every partition, as botocore's `partitions.json` has it.
#[derive(Debug)]
pub(super) struct Partitions {
    all: Vec<Value>,
}

impl Partitions {
    pub(super) fn read(path: &Path) -> Result<Self, TableError> {
        let document = json(path, &read(path)?)?;
        let all = document.get("partitions").and_then(Value::as_array).cloned();
        Ok(Self { all: all.unwrap_or_default() })
    }

    /// `PARTITION=HOST` and `REGION=HOST` with commas, where that is not `usual` with the partition's suffix; `{}` is the
    /// region.
    pub(super) fn hosts(&self, rules: &Value, usual: &str, fixed: &Known) -> String {
        let mut told = Vec::new();
        for partition in &self.all {
            let suffix = partition.get("outputs").map_or("", |it| text(it, "dnsSuffix"));
            let plain = format!("{usual}.{{}}.{suffix}");
            let made_up = format!("{}-nowhere-99", start(partition));
            let of_all = self.host(rules, &made_up, fixed).unwrap_or_else(|| plain.clone());
            if of_all != plain {
                told.push(format!("{}={of_all}", text(partition, "id")));
            }
            for (region, _) in members(partition, "regions").filter(|(name, _)| is_region(name)) {
                let own = self.host(rules, region, fixed).unwrap_or_else(|| of_all.clone());
                if own.replace("{}", region) != of_all.replace("{}", region) {
                    told.push(format!("{region}={own}"));
                }
            }
        }
        told.join(",")
    }

    /// The host for a region, with `{}` in place of it.
    fn host(&self, rules: &Value, region: &str, fixed: &Known) -> Option<String> {
        let mut known = Known::new();
        for (name, about) in members(rules, "parameters") {
            known.extend(about.get("default").map(|value| (name.clone(), value.clone())));
        }
        known.extend(fixed.clone());
        known.insert("Region".into(), Value::from(region));
        let url = self.chosen(rules.get("rules")?, &known)?;
        let host = url.strip_prefix("https://")?.split('/').next()?;
        Some(host.replace(region, "{}"))
    }

    /// The URL of the first rule whose conditions hold.
    fn chosen(&self, rules: &Value, known: &Known) -> Option<String> {
        for rule in rules.as_array()? {
            let mut inner = known.clone();
            let conditions = rule.get("conditions").and_then(Value::as_array)?;
            if conditions.iter().all(|condition| self.holds(condition, &mut inner)) {
                return match text(rule, "type") {
                    "endpoint" => {
                        let url = self.value(rule.get("endpoint")?.get("url")?, &inner);
                        url.as_str().map(str::to_owned)
                    }
                    "tree" => self.chosen(rule.get("rules")?, &inner),
                    _ => None,
                };
            }
        }
        None
    }

    fn holds(&self, condition: &Value, known: &mut Known) -> bool {
        let value = self.value(condition, known);
        let is_met = !value.is_null() && value != Value::Bool(false);
        if let Some(name) = condition.get("assign").and_then(Value::as_str) {
            known.insert(name.to_owned(), value);
        }
        is_met
    }

    fn value(&self, of: &Value, known: &Known) -> Value {
        if let Some(name) = of.get("ref").and_then(Value::as_str) {
            return known.get(name).cloned().unwrap_or_default();
        }
        if let Some(template) = of.as_str() {
            return Value::from(filled(template, known));
        }
        let Some(name) = of.get("fn").and_then(Value::as_str) else { return of.clone() };
        let all = of.get("argv").and_then(Value::as_array).into_iter().flatten();
        let values: Vec<Value> = all.map(|it| self.value(it, known)).collect();
        match (name, values.as_slice()) {
            ("isSet", [it]) => Value::Bool(!it.is_null()),
            ("not", [it]) => Value::Bool(it.is_null() || *it == Value::Bool(false)),
            ("booleanEquals" | "stringEquals", [one, other]) => Value::Bool(one == other),
            ("getAttr", [it, path]) => attribute(it, path.as_str().unwrap_or_default()),
            ("isValidHostLabel", [it, _]) => {
                Value::Bool(it.as_str().is_some_and(|it| !it.contains('.')))
            }
            ("uriEncode", [it]) => it.clone(),
            ("aws.partition", [region]) => {
                let region = region.as_str().unwrap_or_default();
                let own = self.all.iter().find(|it| {
                    let is_named = it.get("regions").is_some_and(|all| all.get(region).is_some());
                    is_named
                        || is_region(region) && region.starts_with(&format!("{}-nowhere", start(it)))
                });
                own.and_then(|it| it.get("outputs")).cloned().unwrap_or_default()
            }
            _ => Value::Null,
        }
    }
}

/// `us-gov` of the partition whose first region is `us-gov-east-1`.
fn start(partition: &Value) -> String {
    let first = members(partition, "regions").map(|(name, _)| name.as_str()).find(|it| is_region(it));
    let parts: Vec<&str> = first.unwrap_or_default().rsplitn(3, '-').collect();
    parts.get(2).copied().unwrap_or_default().to_owned()
}

/// Not one that stands for a whole partition.
fn is_region(name: &str) -> bool {
    name.rsplit('-').next().is_some_and(|end| end.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `{Name}` and `{Name#attribute}` in place of which their values stand.
fn filled(template: &str, known: &Known) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}').unwrap_or((after, ""));
        let (name, path) = name.split_once('#').unwrap_or((name, ""));
        let value = known.get(name).cloned().unwrap_or_default();
        let value = if path.is_empty() { value } else { attribute(&value, path) };
        out.push_str(before);
        out.push_str(value.as_str().unwrap_or_default());
        rest = behind;
    }
    out + rest
}

fn attribute(value: &Value, path: &str) -> Value {
    path.split('.').try_fold(value, |value, name| value.get(name)).cloned().unwrap_or_default()
}
