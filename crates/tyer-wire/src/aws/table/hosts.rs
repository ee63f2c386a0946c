//! Which hosts are endpoints of AWS, and which host an operation is called at.
//!
//! From botocore's `endpoints.json`: patterns of the partitions, and the hosts that are known beside them. Which one is called is
//! what the rule sets of the services say.

use serde_json::Value;

mod ruled;

use super::{Api, Operation, TABLE, apis, field, signed_for};

/// What the name of a host says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Such as `aws` or `aws-cn`.
    pub partition: &'static str,
    /// What the hosts of the service begin with, such as `monitoring`.
    pub prefix: &'static str,
    /// The region; where a service has one host for all, the one that it is in.
    pub region: String,
    /// S3's bucket, if the host begins with one.
    pub bucket: Option<String>,
}

impl Endpoint {
    /// The services that are called at this host.
    pub fn apis(&self) -> impl Iterator<Item = Api> {
        let prefix = self.prefix;
        apis().filter(move |api| api.endpoint_prefix() == prefix)
    }

    /// Whether what is signed for that service and region belongs at this host.
    #[must_use]
    pub fn is_for(&self, service: &str, region: &str) -> bool {
        // Only there is a bucket taken from the host.
        let knows_bucket = self.bucket.is_none() || service == "s3";
        let is_here = |api: Api| api.endpoint_prefix() == self.prefix;
        knows_bucket && region == self.region && signed_for(service).any(is_here)
    }
}

/// What every endpoint of AWS ends with, such as `amazonaws.com`, sorted.
#[must_use]
pub fn suffixes() -> Vec<&'static str> {
    let mut all: Vec<_> = partitions().flat_map(|of| [of.suffix(), of.dual_stack()]).collect();
    all.retain(|suffix| !suffix.is_empty());
    all.sort_unstable();
    all.dedup();
    all
}

/// A line `P` of the table with its lines `H`.
#[derive(Clone, Copy)]
struct Partition {
    line: &'static str,
    hosts: &'static [&'static str],
}

impl Partition {
    fn name(self) -> &'static str {
        field(self.line, 1)
    }

    fn suffix(self) -> &'static str {
        field(self.line, 2)
    }

    fn dual_stack(self) -> &'static str {
        field(self.line, 3)
    }

    /// Whether `region` is one of its regions or named like one, since there are new ones each year.
    fn has(self, region: &str) -> bool {
        let mut parts = region.rsplitn(3, '-');
        let (Some(number), Some(direction), Some(start)) = (parts.next(), parts.next(), parts.next())
        else {
            return false;
        };
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let is_word = !direction.is_empty() && direction.bytes().all(|byte| byte.is_ascii_lowercase());
        is_number && is_word && field(self.line, 4).split(',').any(|other| other == start)
    }

    /// The rows of services with hosts of their own: prefix, the one region that they are in, the host to call, others.
    fn rows(self) -> impl Iterator<Item = [&'static str; 4]> {
        self.hosts.iter().map(|line| [1, 2, 3, 4].map(|at| field(line, at)))
    }
}

fn partitions() -> impl Iterator<Item = Partition> {
    let lines: &'static [&'static str] = &TABLE.hosts;
    let is_start = |line: &str| line.starts_with('P');
    lines.iter().enumerate().filter(move |(_, line)| is_start(line)).map(move |(at, line)| {
        let rest = lines.get(at + 1..).unwrap_or_default();
        let end = rest.iter().position(|line| is_start(line)).unwrap_or(rest.len());
        Partition { line, hosts: rest.get(..end).unwrap_or_default() }
    })
}

/// The partition that a region is in.
#[must_use]
pub fn partition(region: &str) -> Option<&'static str> {
    partitions().find(|it| it.has(region)).map(Partition::name)
}

/// The host that a service is called at in a region, without `https://`; `None` if no partition has such a region.
/// S3's buckets are in the path there.
#[must_use]
pub fn host(api: Api, region: &str) -> Option<String> {
    let of = partitions().find(|it| it.has(region))?;
    let usual = format!("{}.{{}}.{}", api.endpoint_prefix(), of.suffix());
    Some(told(api.hosts(), of, region).unwrap_or(&usual).replace("{}", region))
}

/// The host that an operation is called at with these parameters; `None` too if what it puts before the host is not in
/// them, or cannot be a part of a host's name.
#[must_use]
pub fn at(operation: Operation, region: &str, parameters: &Value) -> Option<String> {
    let (before, own) = operation.place();
    let of = partitions().find(|it| it.has(region))?;
    let host = match told(own, of, region) {
        Some(own) => own.replace("{}", region),
        None => host(operation.api(), region)?,
    };
    let Some((start, rest)) = before.split_once('{') else { return Some(format!("{before}{host}")) };
    let (name, end) = rest.split_once('}')?;
    let label = parameters.get(name)?.as_str().filter(|label| is_label(label))?;
    Some(format!("{start}{label}{end}{host}"))
}

/// Whether a text can stand between the dots of a host (RFC 1123, section 2.1).
fn is_label(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(is_letter)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// What a list of hosts says of a region, or of its partition.
fn told(list: &'static str, of: Partition, region: &str) -> Option<&'static str> {
    let named = |name: &str| {
        list.split(',').find_map(|one| one.split_once('=').filter(|(own, _)| *own == name))
    };
    named(region).or_else(|| named(of.name())).map(|(_, host)| host)
}

/// What a host is, if it is an endpoint of AWS; in lower case and without a port. `None` for all else, whoever it
/// belongs to.
#[must_use]
pub fn endpoint(host: &str) -> Option<Endpoint> {
    let is_name =
        |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'-' | b'_');
    if host.len() > 253 || !host.bytes().all(is_name) || host.split('.').any(str::is_empty) {
        return None;
    }
    // Most hosts are a door's own.
    let is_below = |of: Partition| host.ends_with(of.suffix()) || host.ends_with(of.dual_stack());
    if !partitions().any(is_below) {
        return None;
    }
    partitions()
        .find_map(|of| usual(of, host))
        .or_else(|| partitions().find_map(|of| own(of, host)))
        .or_else(|| ruled::endpoint(host))
}

/// A host of those that follow no pattern.
fn own(of: Partition, host: &str) -> Option<Endpoint> {
    of.rows().find_map(|[prefix, home, plain, others]| {
        others.split(',').chain([plain]).filter(|own| !own.is_empty()).find_map(|own| {
            let region = match own.split_once("{}") {
                Some((start, end)) => {
                    host.strip_prefix(start)?.strip_suffix(end).filter(|it| of.has(it))?
                }
                None if own == host => {
                    if home.is_empty() {
                        default_region(of)
                    } else {
                        home
                    }
                }
                None => return None,
            };
            Some(Endpoint { partition: of.name(), prefix, region: region.to_owned(), bucket: None })
        })
    })
}

/// Where a host without a region is.
fn default_region(of: Partition) -> &'static str {
    match of.name() {
        "aws" => "us-east-1",
        _ => field(of.line, 5).split(',').next().unwrap_or_default(),
    }
}

/// `[BUCKET.]PREFIX[-fips][.dualstack].REGION.SUFFIX`, S3's older forms, and what operations put before the host.
fn usual(of: Partition, host: &str) -> Option<Endpoint> {
    let rest = [of.dual_stack(), of.suffix()]
        .iter()
        .find_map(|suffix| host.strip_suffix(suffix)?.strip_suffix('.'))?;
    if let Some(found) = global_s3(of, rest) {
        return Some(found);
    }
    // The command line still calls queues by their first name.
    if let Some(region) = rest.strip_suffix(".queue").filter(|region| of.has(region)) {
        let (partition, region) = (of.name(), region.to_owned());
        return Some(Endpoint { partition, prefix: "sqs", region, bucket: None });
    }
    // `bucket.s3-eu-west-1` is how S3 was addressed once.
    let (before, region) = match rest.rsplit_once('.') {
        Some((before, last)) if of.has(last) => (before, last),
        _ => {
            let (bucket, last) =
                rest.rsplit_once('.').map_or((None, rest), |(bucket, last)| (Some(bucket), last));
            let region = last.strip_prefix("s3-").filter(|region| of.has(region))?;
            return Some(s3(of, region, bucket));
        }
    };
    let before = before.strip_suffix(".dualstack").unwrap_or(before);
    if let Some(found) = bucketed(of, before, region) {
        return Some(found);
    }
    let plain = before.strip_suffix("-fips").unwrap_or(before);
    let made =
        |prefix| Endpoint { partition: of.name(), prefix, region: region.to_owned(), bucket: None };
    let is_whole = |api: &Api| api.endpoint_prefix() == plain;
    apis().find(is_whole).map(|api| made(api.endpoint_prefix())).or_else(|| {
        apis().find_map(|api| {
            let start = plain.strip_suffix(api.endpoint_prefix())?;
            let is_known = api.host_prefixes().any(|known| starts_as(start, known));
            is_known.then(|| made(api.endpoint_prefix()))
        })
    })
}

/// Whether `start` is what a template such as `{AccountId}.` says.
fn starts_as(start: &str, template: &str) -> bool {
    match template.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?.1))) {
        None => start == template,
        Some((before, after)) => start
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|label| !label.is_empty() && !label.contains('.')),
    }
}

/// `s3` and `BUCKET.s3` without a region.
fn global_s3(of: Partition, rest: &str) -> Option<Endpoint> {
    let bucket = match rest.strip_suffix("s3")? {
        "" => None,
        before => Some(before.strip_suffix('.')?),
    };
    Some(s3(of, default_region(of), bucket))
}

/// A bucket before one of S3's hosts.
fn bucketed(of: Partition, before: &str, region: &str) -> Option<Endpoint> {
    ["s3", "s3-fips"].iter().find_map(|name| {
        let bucket = match before.strip_suffix(name)? {
            "" => None,
            start => Some(start.strip_suffix('.')?),
        };
        Some(s3(of, region, bucket))
    })
}

fn s3(of: Partition, region: &str, bucket: Option<&str>) -> Endpoint {
    let bucket = bucket.map(str::to_owned);
    Endpoint { partition: of.name(), prefix: "s3", region: region.to_owned(), bucket }
}
