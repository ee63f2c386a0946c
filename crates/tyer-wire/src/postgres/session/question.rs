//! What is asked about, and what a name stands for until it is.

use std::fmt::Write as _;
use std::sync::Arc;

use tyer_core::intent::{Act, Acts, Digest, Effect, Kind};
use tyer_core::verdict::LeafIndex;

use super::expect::Course;
use super::kept::Weight;
use crate::postgres::identity::{Parameters, Scope, Value, request_digest, request_text};
use crate::postgres::understand::{Body, Understanding, below};

/// Bytes that stand beside a parameter's value where it is shown, the line that counts them included.
const SHOWN_BESIDE_MAX: usize = 128;

/// One unit that would run: a whole `Query` string, or one `Execute` with its parameters. Until it is
/// answered the session takes no further message of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The text of SQL.
    pub sql: Arc<str>,
    /// What it would do.
    pub understanding: Arc<Understanding>,
    /// The parameters; none for a `Query`.
    pub parameters: Parameters,
    /// The identity of the request.
    pub digest: Digest,
    /// What people are shown below the text and its parameters.
    pub(super) below: String,
    /// Whether the answer may take its time: no transaction is open and the upstream has seen nothing
    /// of this pipeline.
    pub may_wait: bool,
}

impl Question {
    /// The request as people are shown it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = request_text(&self.sql, &self.parameters);
        text.push_str(&self.below);
        text
    }

    /// Whether it can run in a transaction that is not its own.
    #[must_use]
    pub fn fits_block(&self) -> bool {
        self.understanding.fits_block
    }

    /// Bytes that [`Question::text`] does not exceed.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        let shown = |value: &Value| 2 * value.bytes.as_ref().map_or(0, Vec::len) + SHOWN_BESIDE_MAX;
        self.sql.len() + self.below.len() + self.parameters.values.iter().map(shown).sum::<usize>()
    }
}

/// A text as it came, and as it is read.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// As it is read and shown: what is not UTF-8 is replaced.
    pub(super) sql: Arc<str>,
    /// What its identity is made of.
    identity: Identity,
    /// What the names stand for that it executes, as far as that is not in the text.
    bodies: Vec<(String, Arc<Prepared>)>,
}

#[derive(Clone, Debug)]
enum Identity {
    /// The text itself.
    Sql,
    /// These bytes, which are not UTF-8 and so no text's.
    Raw(Arc<[u8]>),
    /// The text itself, with types of parameters that have no numbers here.
    Typed(Arc<str>),
    /// No text has this name: what is asked about is no SQL.
    Named,
}

impl Text {
    pub(super) fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(sql) => Self { sql: sql.into(), identity: Identity::Sql, bodies: Vec::new() },
            Err(_) => Self {
                sql: String::from_utf8_lossy(bytes).into(),
                identity: Identity::Raw(bytes.into()),
                bodies: Vec::new(),
            },
        }
    }

    /// The same text, executing these.
    pub(super) fn among(self, bodies: Vec<(String, Arc<Prepared>)>) -> Self {
        Self { bodies, ..self }
    }

    /// What stands for something that is no text of SQL.
    pub(super) fn named(what: &str) -> Self {
        let sql = format!("-- {what}").into();
        Self { sql, identity: Identity::Named, bodies: Vec::new() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.sql.len() + if let Identity::Raw(bytes) = &self.identity { bytes.len() } else { 0 }
    }

    /// Whether it may be a `COPY` that takes rows, during which the server swallows messages. What SQL's EXECUTE
    /// runs counts too, and may be anything where that is not known.
    pub(super) fn may_copy(&self, understanding: &Understanding) -> bool {
        let is_unknown =
            understanding.acts.worst() == Effect::Opaque && !understanding.executes.is_empty();
        let takes_rows = |(_, body): &(String, Arc<Prepared>)| body.understanding.takes_rows;
        // Keywords have one spelling, so a text that was not understood is neither without them.
        let has = |word: &[u8]| {
            self.sql.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
        };
        let has_word = || matches!(self.identity, Identity::Named) || has(b"copy") || has(b"execute");
        understanding.takes_rows && has_word() || is_unknown || self.bodies.iter().any(takes_rows)
    }

    pub(super) fn is_utf8(&self) -> bool {
        !matches!(self.identity, Identity::Raw(_))
    }

    /// The identity of the request.
    pub(super) fn digest(&self, scope: Digest, parameters: &Parameters) -> Digest {
        let own = self.own_digest(scope, parameters);
        if self.bodies.is_empty() {
            return own;
        }
        let nowhere = Scope::default().digest();
        let body = |prepared: &Prepared| prepared.text.digest(nowhere, &prepared.parameters(&[]));
        let bodies: Vec<(&str, Digest)> =
            self.bodies.iter().map(|(name, prepared)| (name.as_str(), body(prepared))).collect();
        let mut parts: Vec<&[u8]> = vec![b"tyer postgres request with bodies 1", &own.0];
        parts.extend(bodies.iter().flat_map(|(name, digest)| [name.as_bytes(), &digest.0]));
        Digest::of_parts(&parts)
    }

    fn own_digest(&self, scope: Digest, parameters: &Parameters) -> Digest {
        match &self.identity {
            Identity::Sql => request_digest(scope, &*self.sql, parameters),
            Identity::Raw(bytes) => request_digest(scope, bytes, parameters),
            // A NUL is in no text of SQL.
            Identity::Typed(types) => {
                request_digest(scope, format!("{}\0{types}", self.sql), parameters)
            }
            Identity::Named => request_digest(scope, format!("\0{}", self.sql), parameters),
        }
    }

    /// What people are shown below the text and its parameters.
    pub(super) fn below(&self) -> String {
        let mut text = String::new();
        if let Identity::Typed(types) = &self.identity {
            let _ = write!(text, "\n-- with parameters of the types {types}");
        }
        for (name, prepared) in &self.bodies {
            text.push_str(&below(name, &prepared.signature(), &prepared.text.sql));
        }
        text
    }
}

/// A prepared statement.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) text: Text,
    pub(super) types: Vec<u32>,
    pub(super) understanding: Arc<Understanding>,
    /// What it adds to what is kept; nothing where no text was seen.
    pub(super) weight: Option<Weight>,
}

impl Prepared {
    /// What SQL's PREPARE gives a name.
    pub(super) fn of(body: &Body) -> Self {
        let identity = match body.types.as_str() {
            "" => Identity::Sql,
            types => Identity::Typed(types.into()),
        };
        let text = Text { sql: body.sql.as_str().into(), identity, bodies: Vec::new() };
        Self { text, types: Vec::new(), understanding: Arc::clone(&body.understanding), weight: None }
    }

    /// The parameters of one execution.
    pub(super) fn parameters(&self, values: &[Value]) -> Parameters {
        Parameters { types: self.types.clone(), values: values.to_vec() }
    }

    /// The types of its parameters, as far as they are given.
    fn signature(&self) -> String {
        match &self.text.identity {
            Identity::Typed(types) => format!(" {types}"),
            _ if self.types.is_empty() => String::new(),
            _ => {
                let types: Vec<String> = self.types.iter().map(u32::to_string).collect();
                format!(" (types {})", types.join(", "))
            }
        }
    }

    /// Whether parsing its text once more gives the same statement.
    pub(super) fn is_repeatable(&self) -> bool {
        matches!(self.text.identity, Identity::Sql) && self.understanding.acts.worst() != Effect::Opaque
    }

    /// What stands for something whose text was never seen.
    pub(super) fn unseen(what: &str, name: &str) -> Self {
        let why = format!("{what} \"{name}\" was not prepared in sight of Tyer");
        let text = Text::named(&why);
        let understanding = Arc::new(unclear(&text.sql, &why));
        Self { text, types: Vec::new(), understanding, weight: None }
    }
}

/// A statement bound to parameters.
#[derive(Clone, Debug)]
pub(super) struct Portal {
    pub(super) prepared: Arc<Prepared>,
    pub(super) values: Arc<[Value]>,
    /// What the values add to what is kept.
    #[cfg_attr(not(test), expect(dead_code, reason = "it counts until it is dropped"))]
    pub(super) weight: Option<Arc<Weight>>,
    /// Set while the server has more rows of an execution that was cleared: its leaf.
    pub(super) suspended: Option<Option<LeafIndex>>,
}

impl Portal {
    pub(super) fn new(prepared: Arc<Prepared>, values: Vec<Value>, weight: Option<Weight>) -> Self {
        Self { prepared, values: values.into(), weight: weight.map(Arc::new), suspended: None }
    }

    /// What goes on if more rows of a cleared execution are asked for, and the leaf of that execution.
    pub(super) fn suspended_course(&self) -> Option<(Course, Option<LeafIndex>)> {
        let leaf = self.suspended?;
        Some((Course::of(&self.prepared.understanding), leaf))
    }

    /// Whether nothing but reading can come of it.
    pub(super) fn only_reads(&self) -> bool {
        let acts = &self.prepared.understanding.acts;
        acts.iter().all(|act| act.local || act.effect == Effect::Read)
    }

    /// Whether it must not reach the server before it is decided: planning may run code, and `FETCH` runs
    /// a bound portal without an `Execute`.
    pub(super) fn is_grave(&self) -> bool {
        !self.prepared.understanding.acts.all_local()
    }
}

/// The understanding of a text that can't be understood here and now.
pub(super) fn unclear(sql: &str, why: &str) -> Understanding {
    let shape = Digest::of_parts(&[b"unclear", sql.as_bytes()]);
    Understanding::opaque(Acts::new(Act::opaque(why), []), shape, format!("-- {why}"))
}

/// Whether the act may change how later texts are read: code that cannot be seen through can set whatever a
/// statement can, and the server reports it only before `ReadyForQuery`.
pub(super) fn unsettles(act: &Act) -> bool {
    let hides = matches!(act.effect, Effect::Execute | Effect::Opaque);
    let sets = act.resource.kind == Kind::Setting
        && matches!(
            act.resource.name.to_ascii_lowercase().as_str(),
            "client_encoding" | "names" | "standard_conforming_strings" | "all" | "*" | ""
        );
    hides || sets
}
