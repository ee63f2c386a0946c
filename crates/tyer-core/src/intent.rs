//! What one request would do: a principal, effects on resources, and the identity of the request.
//!
//! `understand` in the protocol crate produces intents and is total: what it cannot classify is
//! [`Effect::Opaque`] on the whole upstream, so there is no "no intent".

mod narrowing;
mod tie;

use std::fmt;

pub use narrowing::Narrowing;
use serde::{Deserialize, Serialize};
pub use tie::Tie;

/// Declares a name as a type of its own, so that one kind of name cannot stand for another.
macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// Takes the name as it is; whoever accepts names from outside checks them first.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// A session: one run of one agent for one controller, such as `s-7k2m9q`.
    SessionId
}
name! {
    /// A human, by the short name they were enrolled under, such as `alice`.
    PersonId
}
name! {
    /// A team of people, by the name the operator gave it.
    TeamId
}
name! {
    /// A hold's short id, such as `H-42`.
    HoldId
}
name! {
    /// A freeze, such as `F-3`, or `weekends@2026-11-27T16:00` of the calendar.
    FreezeId
}
name! {
    /// A real database, cloud or cluster, by the name the operator gave it.
    Upstream
}
name! {
    /// Where an upstream stands, by the operator's map; what is not `production` was declared so.
    Environment
}

impl Environment {
    /// The environment that everything unknown counts as.
    #[must_use]
    pub fn production() -> Self {
        Self::new("production")
    }
}

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This moment moved by `ms` milliseconds, stopping at the ends of time.
    #[must_use]
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// A SHA-256 digest; written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts(&[bytes])
    }

    /// The SHA-256 of the parts, each preceded by its length as eight big-endian bytes, so that no
    /// two different lists of parts share a digest. A single part is hashed plainly.
    #[must_use]
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for part in parts {
            if parts.len() > 1 {
                context.update(&(part.len() as u64).to_be_bytes());
            }
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self(digest)
    }

    /// The first twelve hexadecimal digits, for people to compare at a glance.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_mut(2).zip(self.0) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        f.write_str(std::str::from_utf8(&digits).unwrap_or_default())
    }
}

/// The hexadecimal digit of a value below 16.
fn digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' - 10 + value }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Not 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits")]
pub struct NotADigest;

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        if text.len() != 64 || !text.is_ascii() {
            return Err(NotADigest);
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| NotADigest)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| NotADigest)?;
        }
        Ok(Self(digest))
    }
}

/// What is done to a resource, in rising order of gravity, for every protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Observes.
    Read,
    /// Adds.
    Create,
    /// Alters in place.
    Change,
    /// Runs code that cannot be seen through.
    Execute,
    /// Cannot be understood.
    Opaque,
    /// Changes who may do what, or hands out a usable secret.
    Grant,
    /// Weakens a safeguard.
    Disarm,
    /// Destroys and makes anew under the same identity.
    Replace,
    /// Removes, empties, detaches, scales to zero, expires.
    Destroy,
}

impl Effect {
    /// Every effect, gravest last.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::Create,
        Self::Change,
        Self::Execute,
        Self::Opaque,
        Self::Grant,
        Self::Disarm,
        Self::Replace,
        Self::Destroy,
    ];

    /// The word used in policies, records and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Change => "change",
            Self::Execute => "execute",
            Self::Opaque => "opaque",
            Self::Grant => "grant",
            Self::Disarm => "disarm",
            Self::Replace => "replace",
            Self::Destroy => "destroy",
        }
    }

    /// The effect of that word, if it is one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effect| effect.as_str() == word)
    }

    /// Everything but `read`.
    #[must_use]
    pub fn is_write(self) -> bool {
        self > Self::Read
    }

    /// `execute` and graver.
    #[must_use]
    pub fn is_dangerous(self) -> bool {
        self >= Self::Execute
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether what was done can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reversibility {
    /// By another request of the same kind.
    Reversible,
    /// Given a snapshot taken before.
    Recoverable,
    /// Not at all.
    Irreversible,
}

impl Reversibility {
    /// The word used in policies, records and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reversible => "reversible",
            Self::Recoverable => "recoverable",
            Self::Irreversible => "irreversible",
        }
    }
}

/// What a resource is. One list for every protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The upstream as a whole.
    Upstream,
    /// A database.
    Database,
    /// A schema.
    Schema,
    /// A table, view, sequence, index or foreign table.
    Relation,
    /// A column of a relation.
    Column,
    /// A function, procedure, aggregate, operator or cast.
    Function,
    /// A type or domain.
    Type,
    /// A role.
    Role,
    /// A setting.
    Setting,
    /// An extension.
    Extension,
    /// A file on the upstream's host.
    File,
    /// A program on the upstream's host.
    Program,
    /// A connection to the upstream.
    Connection,
    /// Anything else that has a name.
    Object,
}

impl Kind {
    /// The word used in policies, records and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Database => "database",
            Self::Schema => "schema",
            Self::Relation => "relation",
            Self::Column => "column",
            Self::Function => "function",
            Self::Type => "type",
            Self::Role => "role",
            Self::Setting => "setting",
            Self::Extension => "extension",
            Self::File => "file",
            Self::Program => "program",
            Self::Connection => "connection",
            Self::Object => "object",
        }
    }
}

/// Something that can be acted on. `name` is as the request wrote it (folded as the protocol folds),
/// dotted where qualified; empty for the upstream itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resource {
    /// What it is.
    pub kind: Kind,
    /// Its name inside the upstream.
    pub name: String,
}

impl Resource {
    /// A resource of that kind and name.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }

    /// The upstream as a whole.
    #[must_use]
    pub fn upstream() -> Self {
        Self::new(Kind::Upstream, "")
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            f.write_str(self.kind.as_str())
        } else {
            write!(f, "{}:{}", self.kind.as_str(), self.name)
        }
    }
}

/// One effect on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Act {
    /// What is done.
    pub effect: Effect,
    /// To what.
    pub resource: Resource,
    /// Whether it can be taken back.
    pub reversibility: Reversibility,
    /// Touches nothing outside the session: transaction control, listed settings, driver
    /// introspection, temporary objects.
    pub local: bool,
    /// In plain words for people, derived from the request's structure and never from its comments.
    pub why: String,
    /// What it says of another resource or of how much goes, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tie: Option<Tie>,
}

impl Act {
    /// The act that stands for a request that cannot be understood.
    pub fn opaque(why: impl Into<String>) -> Self {
        Self {
            effect: Effect::Opaque,
            resource: Resource::upstream(),
            reversibility: Reversibility::Irreversible,
            local: false,
            why: why.into(),
            tie: None,
        }
    }
}

/// The acts of one request: at least one, without repetitions, in the order of the request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Acts(Vec<Act>);

impl Acts {
    /// `first`, then `rest` without what was already there.
    #[must_use]
    pub fn new(first: Act, rest: impl IntoIterator<Item = Act>) -> Self {
        let mut acts = vec![first];
        for act in rest {
            if !acts.contains(&act) {
                acts.push(act);
            }
        }
        Self(acts)
    }

    /// The acts in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Act> {
        self.0.iter()
    }

    /// The gravest effect.
    #[must_use]
    pub fn worst(&self) -> Effect {
        self.0.iter().map(|act| act.effect).max().unwrap_or(Effect::Opaque)
    }

    /// Whether nothing outside the session is touched.
    #[must_use]
    pub fn all_local(&self) -> bool {
        self.0.iter().all(|act| act.local)
    }
}

/// On whose behalf something is done. `sub` is the controller, `act` the agent, in RFC 8693's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The session.
    pub session: SessionId,
    /// The agent's name, or the human's for a human session.
    pub agent: String,
    /// Whether the session is a human's.
    pub human: bool,
    /// The human on whose behalf the session acts; never a peer or owner approval for it.
    pub controller: PersonId,
    /// Who else controls it, as having launched it or as owning the agent; no peer for it either.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<PersonId>,
}

impl Principal {
    /// Everybody who controls it.
    pub fn controllers(&self) -> impl Iterator<Item = &PersonId> {
        std::iter::once(&self.controller).chain(&self.also)
    }

    /// Whether that person controls it.
    #[must_use]
    pub fn is_controlled_by(&self, person: &PersonId) -> bool {
        self.controllers().any(|controller| controller == person)
    }
}

/// What one request would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Who asks.
    pub principal: Principal,
    /// Of what.
    pub upstream: Upstream,
    /// Where that stands.
    pub environment: Environment,
    /// What would be done.
    pub acts: Acts,
    /// The identity of the exact request, taken before Tyer adds its own credentials.
    pub digest: Digest,
    /// The identity of the request without its literals and parameters.
    pub shape: Digest,
    /// The request as people are shown it: complete, never truncated.
    pub text: String,
    /// The request with literals replaced, as records keep it.
    pub redacted: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gravity_is_the_order_of_the_list() {
        assert!(Effect::ALL.is_sorted());
        assert!(Effect::ALL.iter().all(|effect| Effect::parse(effect.as_str()) == Some(*effect)));
        assert!(!Effect::Change.is_dangerous() && Effect::Execute.is_dangerous());
    }

    #[test]
    fn digests_read_back() {
        let digest = Digest::of(b"tyer");
        assert_eq!(Digest::try_from(digest.to_string()), Ok(digest));
        assert_eq!(Digest::try_from("zz".repeat(32)), Err(NotADigest));
        assert_ne!(Digest::of_parts(&[b"ab", b"c"]), Digest::of_parts(&[b"a", b"bc"]));
    }
}
