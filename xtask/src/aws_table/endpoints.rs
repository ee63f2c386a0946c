//! The hosts of the services: by the pattern of their partition, and those that follow none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::models::{line, members, text};
use super::{TableError, json, read};

/// Writes a line `P` for each partition (name, suffix, suffix of dual-stack hosts, beginnings of its regions' names,
/// its regions), each followed by a line `H` for each service with hosts of its own: endpoint prefix, its region if it
/// is in one alone, the host to call if that is not the usual one, others; `{}` is the region.
pub(super) fn write(path: &Path, out: &mut String) -> Result<(), TableError> {
    let document = json(path, &read(path)?)?;
    let partitions = document.get("partitions").and_then(Value::as_array).ok_or_else(|| {
        TableError::Format { path: PathBuf::from(path), what: "no partitions".into() }
    })?;
    for partition in partitions {
        one(partition, out);
    }
    Ok(())
}

fn one(partition: &Value, out: &mut String) {
    let suffix = text(partition, "dnsSuffix");
    let variants =
        partition.get("defaults").and_then(|it| it.get("variants")).and_then(Value::as_array);
    let dual = variants
        .into_iter()
        .flatten()
        .map(|variant| text(variant, "dnsSuffix"))
        .find(|other| *other != suffix)
        .unwrap_or(suffix);
    let regions: Vec<&str> = members(partition, "regions").map(|(name, _)| name.as_str()).collect();
    let mut starts: Vec<String> = regions.iter().filter_map(|region| start(region)).collect();
    starts.extend(pattern(text(partition, "regionRegex")));
    starts.sort();
    starts.dedup();
    let fields = [text(partition, "partition"), suffix, dual, &starts.join(","), &regions.join(",")];
    line(out, "P", &fields);
    for (prefix, about) in members(partition, "services") {
        let home = home(about);
        let (mut plain, mut others) = (BTreeSet::new(), BTreeSet::new());
        for (key, endpoint) in members(about, "endpoints") {
            let scope = endpoint.get("credentialScope").map_or("", |it| text(it, "region"));
            let region = if scope.is_empty() { key } else { scope };
            let variants = endpoint.get("variants").and_then(Value::as_array).into_iter().flatten();
            for named in std::iter::once(endpoint).chain(variants) {
                let host = text(named, "hostname");
                let is_usual = is_usual(host, prefix, region, [suffix, dual]);
                if host.is_empty() || host.starts_with("localhost") || is_usual {
                    continue;
                }
                // Its own, and not that of a region which stands for hosts of another kind.
                let is_plain = named.get("tags").is_none()
                    && if home.is_empty() {
                        regions.contains(&key.as_str())
                    } else {
                        !host.contains("fips")
                    };
                let hosts = if is_plain { &mut plain } else { &mut others };
                hosts.insert(host.replace(region, "{}"));
            }
        }
        let first = plain.pop_first().unwrap_or_default();
        others.extend(plain);
        let others: Vec<String> = others.into_iter().collect();
        if !others.is_empty() || !home.is_empty() || !first.is_empty() {
            line(out, "H", &[prefix, home, &first, &others.join(",")]);
        }
    }
}

/// The region in which a service is that has one host for its partition; empty if it has one in each region.
fn home(about: &Value) -> &str {
    if about.get("isRegionalized") != Some(&Value::Bool(false)) {
        return "";
    }
    let endpoint = about.get("endpoints").and_then(|all| all.get(text(about, "partitionEndpoint")));
    endpoint.and_then(|it| it.get("credentialScope")).map_or("", |scope| text(scope, "region"))
}

/// `us-gov` of `us-gov-east-1`.
fn start(region: &str) -> Option<String> {
    let parts: Vec<&str> = region.split('-').collect();
    parts.len().checked_sub(2).and_then(|end| parts.get(..end)).map(|parts| parts.join("-"))
}

/// What stands for the beginnings of names in `^(us|eu)\-\w+\-\d+$`.
fn pattern(regex: &str) -> Vec<String> {
    let Some((_, rest)) = regex.split_once('(') else { return Vec::new() };
    let Some((names, after)) = rest.split_once(')') else { return Vec::new() };
    if !regex.starts_with("^(") || !after.starts_with("\\-\\w+\\-\\d+") {
        return Vec::new();
    }
    names.split('|').map(str::to_owned).collect()
}

fn is_usual(host: &str, prefix: &str, region: &str, suffixes: [&str; 2]) -> bool {
    suffixes.iter().any(|suffix| {
        ["", "-fips"].iter().any(|fips| {
            host == format!("{prefix}{fips}.{region}.{suffix}")
                || host == format!("{prefix}{fips}.dualstack.{region}.{suffix}")
        })
    })
}
