//! The models of services as botocore has them, and the lines that each becomes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::access::Access;
use super::rulesets::Partitions;
use super::shapes::{Shapes, Style};
use super::{TableError, json, read};

/// One service in its latest version.
#[derive(Debug)]
pub(super) struct Model {
    /// The folder it is in, such as `elbv2`; botocore's name of the service.
    pub(super) folder: String,
    pub(super) document: Value,
    /// How the host is worked out.
    rules: Value,
}

/// Every service below a folder, by name.
pub(super) fn all(data: &Path) -> Result<Vec<Model>, TableError> {
    let mut models = Vec::new();
    for folder in folders(data)? {
        let path = data.join(&folder);
        let file = |version: &String| path.join(version).join("service-2.json.gz");
        let latest = folders(&path)?.into_iter().rfind(|version| file(version).exists());
        let Some(version) = latest else { continue };
        let unpacked = |path: PathBuf| json(&path, &gunzip(&path)?);
        let rules = unpacked(path.join(&version).join("endpoint-rule-set-1.json.gz"))?;
        models.push(Model { document: unpacked(file(&version))?, folder, rules });
    }
    Ok(models)
}

/// The names of the folders in one, sorted.
fn folders(path: &Path) -> Result<Vec<String>, TableError> {
    let failed = |error| TableError::Read { path: path.to_owned(), error };
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The content of a gzip file (RFC 1952) whose only optional field is a name.
fn gunzip(path: &Path) -> Result<Vec<u8>, TableError> {
    const NAME: u8 = 8;
    let format = |what: &str| TableError::Format { path: PathBuf::from(path), what: what.into() };
    let packed = read(path)?;
    let [0x1f, 0x8b, 8, flags, _, _, _, _, _, _, rest @ ..] = packed.as_slice() else {
        return Err(format("no gzip header"));
    };
    let rest = match *flags {
        0 => rest,
        NAME => {
            let end = rest.iter().position(|byte| *byte == 0);
            end.and_then(|end| rest.get(end + 1..)).ok_or_else(|| format("a name without end"))?
        }
        _ => return Err(format("a gzip header with more than a name")),
    };
    miniz_oxide::inflate::decompress_to_vec(rest).map_err(|error| format(&error.to_string()))
}

/// A member of an object that is text, or nothing.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The members of an object that is itself a member, by name.
pub(super) fn members<'a>(
    value: &'a Value,
    key: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let all = value.get(key).and_then(Value::as_object).into_iter().flat_map(Map::iter);
    all.collect::<BTreeMap<_, _>>().into_iter()
}

fn is_true(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}

impl Model {
    /// The lines of the service: itself, its resource types, its shapes, its operations.
    pub(super) fn write(&self, access: &Access, partitions: &Partitions, out: &mut String) {
        let about = self.document.get("metadata").unwrap_or(&Value::Null);
        let prefix = text(about, "endpointPrefix");
        let signing = Some(text(about, "signingName")).filter(|it| !it.is_empty()).unwrap_or(prefix);
        let protocols = protocols(about);
        let listed = access.of(signing, [prefix, &self.folder]);
        let host_prefixes = self.host_prefixes();
        let hosts = partitions.hosts(&self.rules, prefix, &Map::new());
        let fields = [
            &self.folder,
            text(about, "serviceId"),
            signing,
            prefix,
            text(about, "apiVersion"),
            &protocols,
            text(about, "targetPrefix"),
            listed.prefix(),
            &host_prefixes,
            &hosts,
        ];
        line(out, "S", &fields);
        let mut shapes = Shapes::new(&self.document, Style::of(&protocols));
        let mut kinds = Vec::new();
        let mut operations = String::new();
        for (name, operation) in members(&self.document, "operations") {
            let input = operation.get("input").map_or("", |input| text(input, "shape"));
            let privilege = listed.privilege(name, operation.get("http").unwrap_or(&Value::Null));
            let resources = privilege.resources(&shapes.names(input), &mut kinds);
            let (tokens, others) = shapes.input(input, &resources);
            let http = operation.get("http").unwrap_or(&Value::Null);
            let (method, uri) = match (text(http, "method"), text(http, "requestUri")) {
                ("POST", "/") => ("", ""),
                other => other,
            };
            let flags = flags(operation, &shapes, input);
            let at = self.place(operation, partitions, (prefix, &hosts));
            let fields =
                [name, privilege.level(), &flags, method, uri, &tokens, &resources, &others, &at];
            line(&mut operations, "O", &fields);
        }
        for (kind, template) in kinds {
            line(out, "R", &[&kind, &template]);
        }
        for structure in shapes.written() {
            line(out, "T", &[structure]);
        }
        out.push_str(&operations);
    }

    /// What an operation puts before the host, and behind `|` the hosts that it has of its own.
    fn place(
        &self,
        operation: &Value,
        partitions: &Partitions,
        (usual, hosts): (&str, &str),
    ) -> String {
        let before = operation.get("endpoint").map_or("", |it| text(it, "hostPrefix"));
        let fixed = members(operation, "staticContextParams");
        let fixed = fixed.filter_map(|(name, about)| Some((name.clone(), about.get("value")?.clone())));
        let fixed: Map<String, Value> = fixed.collect();
        // Which hosts S3 has for its buckets is told by their names, which are not known here.
        if fixed.is_empty() || before.is_empty() && self.folder == "s3" {
            return before.to_owned();
        }
        let own = partitions.hosts(&self.rules, usual, &fixed);
        if own == hosts || own.is_empty() { before.to_owned() } else { format!("{before}|{own}") }
    }

    /// What some operations put before the host, such as `{AccountId}.`; each once, with commas.
    fn host_prefixes(&self) -> String {
        let mut prefixes: Vec<&str> = members(&self.document, "operations")
            .filter_map(|(_, operation)| operation.get("endpoint"))
            .map(|endpoint| text(endpoint, "hostPrefix"))
            .filter(|prefix| !prefix.is_empty())
            .collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        prefixes.join(",")
    }
}

/// One line; fields are separated by tabs, and those that are empty at the end are left out.
pub(super) fn line(out: &mut String, tag: &str, fields: &[&str]) {
    let start = out.len();
    out.push_str(tag);
    for field in fields {
        // Writing to a string cannot fail.
        let _written = write!(out, "\t{}", field.replace(['\t', '\n'], " "));
    }
    while out.len() > start && out.ends_with('\t') {
        out.pop();
    }
    out.push('\n');
}

/// A letter for each protocol that the service is declared to speak: `q`uery, `e`c2, `j`son, `r`est-json, rest-`x`ml,
/// `c`bor. One that moved from query to another and is kept compatible still speaks query.
fn protocols(about: &Value) -> String {
    let mut declared: Vec<&str> = about
        .get("protocols")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    declared.push(text(about, "protocol"));
    if about.get("awsQueryCompatible").is_some() {
        declared.push("query");
    }
    let known = [
        ("query", 'q'),
        ("ec2", 'e'),
        ("json", 'j'),
        ("rest-json", 'r'),
        ("rest-xml", 'x'),
        ("smithy-rpc-v2-cbor", 'c'),
    ];
    known.iter().filter(|(name, _)| declared.contains(name)).map(|(_, letter)| letter).collect()
}

/// A letter for each trait: `d`eprecated, `r`eadonly, `i`dempotent, `n`ot signed, `c`hecksum required, `s`treaming
/// body, `e`vent stream in, `E`vent stream out.
fn flags(operation: &Value, shapes: &Shapes<'_>, input: &str) -> String {
    let output = operation.get("output").map_or("", |output| text(output, "shape"));
    let needs_checksum = is_true(operation, "httpChecksumRequired")
        || operation.get("httpChecksum").is_some_and(|it| is_true(it, "requestChecksumRequired"));
    let traits = [
        ('d', is_true(operation, "deprecated")),
        ('r', is_true(operation, "readonly")),
        ('i', is_true(operation, "idempotent")),
        ('n', text(operation, "authtype") == "none"),
        ('c', needs_checksum),
        ('s', shapes.streams(input)),
        ('e', shapes.has_events(input)),
        ('E', shapes.has_events(output)),
    ];
    traits.iter().filter(|(_, has)| *has).map(|(letter, _)| letter).collect()
}
