//! Every operation of AWS that is published, as the service models and the reference of IAM have them.
//!
//! `./dev aws-table` writes the table that is compiled in; `data/README.md` describes it. It is unpacked when it is
//! first asked, into one text; what is handed out are places in that, and a line is taken apart when it is read.

mod hosts;
mod instead;
mod member;
mod routes;

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

pub use hosts::{Endpoint, at, endpoint, host, partition, suffixes};
pub use instead::instead;
pub use member::{Kind, Member, Place, Structure, What};
pub(super) use routes::{Candidate, candidates, split};

use super::protocol::Protocol;

const PACKED: &[u8] = include_bytes!("../../data/aws-operations.bin");

/// If it could not be unpacked it would be empty, and every operation unknown.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let unpacked = miniz_oxide::inflate::decompress_to_vec_zlib(PACKED).unwrap_or_default();
    let mut text = String::from_utf8(unpacked).unwrap_or_default();
    text.shrink_to_fit();
    Table::new(Box::leak(text.into_boxed_str()))
});

struct Table {
    services: Vec<Row>,
    /// Lines of operations, of structures and of types of resources; each service has a range of each.
    operations: Vec<&'static str>,
    structures: Vec<&'static str>,
    kinds: Vec<&'static str>,
    /// Lines of partitions and hosts.
    hosts: Vec<&'static str>,
    /// Numbers of services with the names that requests to them are signed with, sorted by these.
    by_signing: Vec<(&'static str, u32)>,
}

struct Row {
    line: &'static str,
    operations: Range<usize>,
    structures: Range<usize>,
    kinds: Range<usize>,
    routes: OnceLock<Box<[routes::Route]>>,
}

impl Table {
    fn new(text: &'static str) -> Self {
        let mut table = Self {
            services: Vec::new(),
            operations: Vec::new(),
            structures: Vec::new(),
            kinds: Vec::new(),
            hosts: Vec::new(),
            by_signing: Vec::new(),
        };
        for line in text.lines() {
            match line.as_bytes().first() {
                Some(b'S') => table.begin(line),
                Some(b'O') => table.operations.push(line),
                Some(b'T') => table.structures.push(line),
                Some(b'R') => table.kinds.push(line),
                Some(b'P' | b'H') => table.hosts.push(line),
                _ => {}
            }
        }
        table.end();
        for lines in [&mut table.operations, &mut table.structures, &mut table.kinds, &mut table.hosts]
        {
            lines.shrink_to_fit();
        }
        let names = table.services.iter().map(|row| field(row.line, 3));
        let mut by_signing: Vec<(&str, u32)> = names.zip(0..).collect();
        by_signing.sort_unstable();
        Self { by_signing, ..table }
    }

    /// A service begins where the one before it ends.
    fn begin(&mut self, line: &'static str) {
        self.end();
        self.services.push(Row {
            line,
            operations: self.operations.len()..0,
            structures: self.structures.len()..0,
            kinds: self.kinds.len()..0,
            routes: OnceLock::new(),
        });
    }

    fn end(&mut self) {
        let ends = [self.operations.len(), self.structures.len(), self.kinds.len()];
        if let Some(row) = self.services.last_mut() {
            [row.operations.end, row.structures.end, row.kinds.end] = ends;
        }
    }

    fn api(&'static self, number: u32) -> Option<Api> {
        self.services.get(number as usize).map(|row| Api { row })
    }

    /// The services that requests are signed for by that name.
    fn signed_for<'a>(&'static self, name: &'a str) -> impl Iterator<Item = Api> + use<'a> {
        let start = self.by_signing.partition_point(|(other, _)| *other < name);
        let from = self.by_signing.iter().skip(start).take_while(move |(other, _)| *other == name);
        from.filter_map(|(_, number)| self.api(*number))
    }
}

/// The field with that number of a line; empty if it has fewer.
fn field(line: &'static str, at: usize) -> &'static str {
    line.split('\t').nth(at).unwrap_or_default()
}

/// A service of the models, such as `elbv2`. Several may share the name that requests are signed with.
#[derive(Clone, Copy)]
pub struct Api {
    row: &'static Row,
}

impl PartialEq for Api {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.row, other.row)
    }
}

impl Eq for Api {}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.folder())
    }
}

impl Api {
    fn field(self, at: usize) -> &'static str {
        field(self.row.line, at)
    }

    /// What botocore and the command line call it.
    #[must_use]
    pub fn folder(self) -> &'static str {
        self.field(1)
    }

    /// The model's id of it, such as `Elastic Load Balancing v2`.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.field(2)
    }

    /// What requests to it are signed with.
    #[must_use]
    pub fn signing_name(self) -> &'static str {
        self.field(3)
    }

    /// What its hosts begin with.
    #[must_use]
    pub fn endpoint_prefix(self) -> &'static str {
        self.field(4)
    }

    /// Such as `2016-11-15`.
    #[must_use]
    pub fn version(self) -> &'static str {
        self.field(5)
    }

    /// The protocols that it is declared to speak.
    pub fn protocols(self) -> impl Iterator<Item = Protocol> {
        self.field(6).chars().flat_map(spoken)
    }

    /// Whether it is declared to speak `protocol`.
    #[must_use]
    pub fn speaks(self, protocol: Protocol) -> bool {
        self.protocols().any(|other| other == protocol)
    }

    /// What stands before the operation in `X-Amz-Target`, and is the service in a path of RPC v2; empty if there is
    /// none.
    #[must_use]
    pub fn target_prefix(self) -> &'static str {
        self.field(7)
    }

    /// What actions of IAM, and people, call it: `cloudwatch`, where requests are signed for `monitoring`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Some(self.field(8)).filter(|name| !name.is_empty()).unwrap_or(self.signing_name())
    }

    /// What some of its operations put before the host, such as `{AccountId}.`.
    pub fn host_prefixes(self) -> impl Iterator<Item = &'static str> {
        self.field(9).split(',').filter(|prefix| !prefix.is_empty())
    }

    /// The hosts that do not follow the pattern: `PARTITION=HOST` and `REGION=HOST`, with commas.
    fn hosts(self) -> &'static str {
        self.field(10)
    }

    /// Its operations, by name.
    pub fn operations(self) -> impl Iterator<Item = Operation> {
        self.lines().iter().map(move |line| Operation { api: self, line })
    }

    /// IAM's types of its resources: their names and their ARNs with placeholders.
    pub fn kinds(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let lines = TABLE.kinds.get(self.row.kinds.clone()).unwrap_or_default();
        lines.iter().map(|line| (field(line, 1), field(line, 2)))
    }

    fn lines(self) -> &'static [&'static str] {
        TABLE.operations.get(self.row.operations.clone()).unwrap_or_default()
    }

    /// The operation of that name, as the model writes it.
    #[must_use]
    pub fn operation(self, name: &str) -> Option<Operation> {
        let lines = self.lines();
        let found = lines.binary_search_by(|line| field(line, 1).cmp(name)).ok()?;
        lines.get(found).map(|line| Operation { api: self, line })
    }
}

/// Every service, by botocore's name.
pub fn apis() -> impl Iterator<Item = Api> {
    TABLE.services.iter().map(|row| Api { row })
}

/// The services that requests signed for `name` can be for. What is signed for S3's own variants is S3's too.
pub fn signed_for(name: &str) -> impl Iterator<Item = Api> {
    let is_s3 = matches!(name, "s3express" | "s3-outposts" | "s3-object-lambda");
    TABLE.signed_for(name).chain(TABLE.signed_for("s3").filter(move |_| is_s3))
}

/// The operations that people mean by `service:Operation`: the service by IAM's name, botocore's, the one that is
/// signed with or the one that its hosts begin with. One that is meant by more of these comes first.
#[must_use]
pub fn named(service: &str, operation: &str) -> Vec<Operation> {
    let score = |api: Api| {
        let names = [api.name(), api.folder(), api.signing_name(), api.endpoint_prefix()];
        names.iter().filter(|name| **name == service).count()
    };
    let mut found: Vec<Operation> =
        apis().filter(|api| score(*api) > 0).filter_map(|api| api.operation(operation)).collect();
    found.sort_by(|a, b| match score(b.api).cmp(&score(a.api)) {
        Ordering::Equal => a.api.folder().cmp(b.api.folder()),
        other => other,
    });
    found
}

/// The protocols that one letter of the table stands for. It does not tell the versions of JSON apart, as services do not,
/// and S3's XML not from others'.
fn spoken(letter: char) -> impl Iterator<Item = Protocol> {
    let (one, other) = match letter {
        'q' => (Some(Protocol::Query), None),
        'e' => (Some(Protocol::Ec2), None),
        'j' => (Some(Protocol::Json10), Some(Protocol::Json11)),
        'r' => (Some(Protocol::RestJson), None),
        'x' => (Some(Protocol::RestXml), None),
        'c' => (Some(Protocol::Cbor), None),
        _ => (None, None),
    };
    one.into_iter().chain(other)
}

/// IAM's published level of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Lists resources.
    List,
    /// Reads what is in them.
    Read,
    /// Creates, alters or removes them.
    Write,
    /// Alters their tags.
    Tagging,
    /// Alters who may do what.
    Permissions,
}

/// What else the model says of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trait {
    /// Another one takes its place.
    Deprecated,
    /// It changes nothing, the model says.
    ReadOnly,
    /// Doing it twice is doing it once.
    Idempotent,
    /// It needs no signature.
    Unsigned,
    /// The body must have a checksum.
    NeedsChecksum,
    /// The body is a stream of bytes.
    Streams,
    /// The body is a stream of events.
    EventsIn,
    /// The answer is a stream of events.
    EventsOut,
}

/// An operation of a service.
#[derive(Clone, Copy)]
pub struct Operation {
    api: Api,
    line: &'static str,
}

impl PartialEq for Operation {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.line, other.line)
    }
}

impl Eq for Operation {}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.api.folder(), self.name())
    }
}

/// A type of resources that an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// IAM's name of the type, such as `instance`.
    pub kind: &'static str,
    /// Its ARN with placeholders, such as `arn:${Partition}:ec2:${Region}:${Account}:instance/${InstanceId}`.
    pub template: &'static str,
    /// The members that say what stands for the placeholders, but for partition, region and account, in their order
    /// and with commas; `*` where none does.
    pub members: &'static str,
}

impl Operation {
    /// The service whose operation it is.
    #[must_use]
    pub fn api(self) -> Api {
        self.api
    }

    /// Its name, such as `DeleteStack`.
    #[must_use]
    pub fn name(self) -> &'static str {
        field(self.line, 1)
    }

    /// The level of access that IAM publishes for it; `None` if it publishes none.
    #[must_use]
    pub fn level(self) -> Option<Level> {
        match field(self.line, 2) {
            "L" => Some(Level::List),
            "R" => Some(Level::Read),
            "W" => Some(Level::Write),
            "T" => Some(Level::Tagging),
            "P" => Some(Level::Permissions),
            _ => None,
        }
    }

    /// Whether the model says so.
    #[must_use]
    pub fn is(self, which: Trait) -> bool {
        let letter = match which {
            Trait::Deprecated => 'd',
            Trait::ReadOnly => 'r',
            Trait::Idempotent => 'i',
            Trait::Unsigned => 'n',
            Trait::NeedsChecksum => 'c',
            Trait::Streams => 's',
            Trait::EventsIn => 'e',
            Trait::EventsOut => 'E',
        };
        field(self.line, 3).contains(letter)
    }

    /// The method of its requests.
    #[must_use]
    pub fn method(self) -> &'static str {
        Some(field(self.line, 4)).filter(|it| !it.is_empty()).unwrap_or("POST")
    }

    /// The path of its requests with labels, such as `/{Bucket}/{Key+}`; `/` where it says nothing.
    #[must_use]
    pub fn path(self) -> &'static str {
        let uri = field(self.line, 5);
        let path = uri.split('?').next().unwrap_or_default();
        if path.is_empty() { "/" } else { path }
    }

    /// What the query of its requests always has, such as `("list-type", "2")`.
    pub fn constants(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let (_, query) = field(self.line, 5).split_once('?').unwrap_or_default();
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// The members of its input, by name. For services that speak neither forms nor XML, those in the body are left
    /// out whose names and types are in what is sent.
    pub fn members(self) -> impl Iterator<Item = Member> {
        Structure::new(field(self.line, 6), self.api).members()
    }

    /// The names of the members that [`Operation::members`] leaves out.
    pub fn others(self) -> impl Iterator<Item = &'static str> {
        field(self.line, 8).split(' ').filter(|name| !name.is_empty())
    }

    /// What it puts before the host, such as `{AccountId}.`, and the hosts of its own, if it has some.
    fn place(self) -> (&'static str, &'static str) {
        let at = field(self.line, 9);
        at.split_once('|').unwrap_or((at, ""))
    }

    /// The member of that name.
    #[must_use]
    pub fn member(self, name: &str) -> Option<Member> {
        self.members().find(|member| member.name == name)
    }

    /// The types of resources that it is about.
    pub fn resources(self) -> impl Iterator<Item = Named> {
        let kinds = TABLE.kinds.get(self.api.row.kinds.clone()).unwrap_or_default();
        field(self.line, 7).split(' ').filter_map(move |token| {
            let (number, members) = token.split_once('=')?;
            let line = kinds.get(number.parse::<usize>().ok()?)?;
            Some(Named { kind: field(line, 1), template: field(line, 2), members })
        })
    }
}

#[cfg(test)]
mod tests;
