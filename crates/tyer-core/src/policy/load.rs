//! Reading policies: everything that is wrong with them is found here, before anything is decided.
//!
//! Every flaw of every source is reported at once, each with its place and with what to do about it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{
    ActionConstraint, EntityUid, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};

use super::approvals::{Misuse, Thresholds};
use super::teams::Asking;
use super::{Policies, SCHEMA, Slice, Source};
use crate::intent::{Digest, Effect, TeamId};
use crate::limits::{APPROVALS_MAX, NAME_CHARS_MAX, WAITED_S_MAX};

/// Why policies are not taken: every flaw that was found, in the order of the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// At least one.
    pub flaws: Vec<Flaw>,
}

/// One thing that is wrong, and where: `file:line:column: what, and what to do`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{file}:{line}:{column}: {kind}")]
pub struct Flaw {
    /// The name of the source.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub kind: FlawKind,
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum FlawKind {
    /// It is not Cedar.
    #[error("this is not Cedar: {0}; correct the syntax here or just before")]
    Syntax(String),
    /// A policy set without policies.
    #[error("there are no policies, so nothing could ever run; write some, or use the preset `ask`")]
    Empty,
    /// A policy without an id.
    #[error("the policy has no id; put @id(\"a-short-name\") before it")]
    NoId,
    /// An id that records and cards could not cite.
    #[error("`{0}` is not an id; use 1 to {NAME_CHARS_MAX} of the characters a-z A-Z 0-9 . _ - /")]
    BadId(String),
    /// Two policies with one id.
    #[error("the id `{id}` is already used at {first}; choose another")]
    SameId {
        /// The id.
        id: String,
        /// Where it was used first, as `file:line`.
        first: String,
    },
    /// A template; nothing would ever fill its slots.
    #[error("templates are not supported; write out the principal and the resource")]
    Template,
    /// It does not fit the schema.
    #[error("policy `{id}` does not fit the schema: {why}; compare it with the schema's comments")]
    Schema {
        /// The policy.
        id: String,
        /// What the validator says.
        why: String,
    },
    /// More approvals might take a permission away.
    #[error(
        "policy `{id}` uses approvals where more of them might not help; ask for them only as \
         context.approvals.peers >= N (or > N), likewise owners, signers, hardware and on_hours, or \
         context.approvals.teams.contains(\"NAME\") (or containsAll), or context.approvals.controller, or context.waited >= N, joined by && and ||, in the `when` of a permit \
         or the `unless` of a forbid, and name the context only as context.attribute"
    )]
    Approvals {
        /// The policy.
        id: String,
    },
    /// More people than can be asked for.
    #[error("policy `{id}` asks for a count of people outside 0 to {APPROVALS_MAX}; stay within")]
    TooMany {
        /// The policy.
        id: String,
    },
    /// A team that the configuration does not have.
    #[error(
        "policy `{id}` names the team `{team}`, which the configuration does not have; add [team.{team}]"
    )]
    NoTeam {
        /// The policy.
        id: String,
        /// The team.
        team: TeamId,
    },
    /// More time than a hold has.
    #[error("policy `{id}` asks for a time outside 0 to {WAITED_S_MAX} seconds; stay within")]
    TooLong {
        /// The policy.
        id: String,
    },
    /// A time-out would allow.
    #[error(
        "policy `{id}` lets time alone permit something; join context.waited by && with an approval, or put off \
         what is permitted anyway by a forbid with `unless {{ context.waited >= N }}`"
    )]
    TimeAlone {
        /// The policy.
        id: String,
    },
    /// The shipped schema itself cannot be read, or a policy cannot be sliced by it.
    #[error("the schema that ships with Tyer is broken: {0}; please report it")]
    Broken(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, flaw) in self.flaws.iter().enumerate() {
            write!(f, "{}{flaw}", if at > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}

/// A policy that stood all checks.
struct Sound {
    policy: Policy,
    canonical: Vec<u8>,
    thresholds: Thresholds,
    /// One for each team that it names, should there be no such team.
    unknown: Vec<Flaw>,
}

/// The policies found so far, by id, and the flaws.
struct Loading {
    validator: Validator,
    sound: BTreeMap<String, Sound>,
    places: BTreeMap<String, String>,
    flaws: Vec<Flaw>,
}

pub(super) fn load(sources: &[Source]) -> Result<Policies, LoadError> {
    let schema = schema().map_err(|flaw| LoadError { flaws: vec![flaw] })?;
    let mut loading = Loading {
        validator: Validator::new(schema.clone()),
        sound: BTreeMap::new(),
        places: BTreeMap::new(),
        flaws: Vec::new(),
    };
    for source in sources {
        loading.read(source);
    }
    if loading.flaws.is_empty() && loading.sound.is_empty() {
        let file = sources.first().map_or("policies", |source| &source.name);
        loading.flaws.push(Flaw { file: file.to_owned(), line: 1, column: 1, kind: FlawKind::Empty });
    }
    if !loading.flaws.is_empty() {
        return Err(LoadError { flaws: loading.flaws });
    }
    let hash = hash(&loading.sound);
    let ids = loading.sound.keys().cloned().collect();
    let slices = slices(&loading.sound).map_err(|flaw| LoadError { flaws: vec![flaw] })?;
    let unknown = loading.sound.values().flat_map(|sound| sound.unknown.iter().cloned()).collect();
    Ok(Policies { schema, slices, ids, hash, unknown })
}

impl Loading {
    fn read(&mut self, source: &Source) {
        let set = match PolicySet::from_str(&source.text) {
            Ok(set) => set,
            Err(errors) => {
                let syntax = |message| FlawKind::Syntax(message);
                let flaws =
                    errors.iter().map(|error| source.flaw_of(&DetailedError::from(error), 0, syntax));
                self.flaws.extend(flaws);
                return;
            }
        };
        let mut flaws = Vec::new();
        if set.templates().next().is_some() {
            flaws.push(source.flaw(0, FlawKind::Template));
        }
        for (policy, offset) in in_order(&set, &source.text) {
            match self.name(&policy, source, offset) {
                Ok(named) => flaws.extend(self.check(named, source, offset)),
                Err(kind) => flaws.push(source.flaw(offset, kind)),
            }
        }
        flaws.sort();
        self.flaws.extend(flaws);
    }

    /// Gives a policy the id that its author gave it.
    fn name(&mut self, policy: &Policy, source: &Source, offset: usize) -> Result<Policy, FlawKind> {
        let id = policy.annotation("id").filter(|id| !id.is_empty()).ok_or(FlawKind::NoId)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        if id.len() > NAME_CHARS_MAX || !id.chars().all(fits) {
            return Err(FlawKind::BadId(id.chars().take(NAME_CHARS_MAX).collect()));
        }
        if let Some(first) = self.places.get(id) {
            return Err(FlawKind::SameId { id: id.to_owned(), first: first.clone() });
        }
        let (line, _) = source.line_and_column(offset);
        self.places.insert(id.to_owned(), format!("{}:{line}", source.name));
        Ok(policy.new_id(PolicyId::new(id)))
    }

    /// Validates a named policy; keeps it if nothing is wrong.
    fn check(&mut self, policy: Policy, source: &Source, offset: usize) -> Vec<Flaw> {
        let id = policy.id().to_string();
        let mut set = PolicySet::new();
        if let Err(error) = set.add(policy.clone()) {
            return vec![source.flaw(offset, FlawKind::Broken(error.to_string()))];
        }
        let result = self.validator.validate(&set, ValidationMode::Strict);
        let unfit = |why: String| {
            // The validator repeats the id in its own words.
            let why = why.trim_start_matches(&format!("for policy `{id}`, ")).to_owned();
            FlawKind::Schema { id: id.clone(), why }
        };
        let flaw = |error: DetailedError| source.flaw_of(&error, offset, unfit);
        let mut flaws: Vec<Flaw> =
            result.validation_errors().map(|error| flaw(DetailedError::from(error))).collect();
        if flaws.is_empty() {
            // A warning is a policy that can never apply, or one that does not read as it acts.
            flaws
                .extend(result.validation_warnings().map(|warning| flaw(DetailedError::from(warning))));
        }
        if !flaws.is_empty() {
            return flaws;
        }
        let json = match policy.to_json() {
            Ok(json) => json,
            Err(error) => return vec![source.flaw(offset, FlawKind::Broken(error.to_string()))],
        };
        match Thresholds::of(&json) {
            Err(Misuse::Shape) => vec![source.flaw(offset, FlawKind::Approvals { id })],
            Err(Misuse::Count) => vec![source.flaw(offset, FlawKind::TooMany { id })],
            Err(Misuse::Alone) => vec![source.flaw(offset, FlawKind::TimeAlone { id })],
            Err(Misuse::Time) => vec![source.flaw(offset, FlawKind::TooLong { id })],
            Ok(thresholds) => {
                let canonical = crate::record::canonical(&json);
                let unknown = |team: &TeamId| FlawKind::NoTeam { id: id.clone(), team: team.clone() };
                let unknown = |team: &TeamId| source.flaw(offset, unknown(team));
                let unknown = thresholds.teams().iter().map(unknown).collect();
                self.sound.insert(id, Sound { policy, canonical, thresholds, unknown });
                Vec::new()
            }
        }
    }
}

impl Source {
    fn flaw(&self, offset: usize, kind: FlawKind) -> Flaw {
        let (line, column) = self.line_and_column(offset);
        Flaw { file: self.name.clone(), line, column, kind }
    }

    /// A flaw that Cedar found, at the place that it names, else at `offset`.
    fn flaw_of(&self, error: &DetailedError, offset: usize, kind: impl Fn(String) -> FlawKind) -> Flaw {
        let offset = error.source_locations.first().map_or(offset, |label| label.loc.start);
        let mut message = error.message.clone();
        if let Some(help) = &error.help {
            message = format!("{message} ({help})");
        }
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        self.flaw(offset, kind(message))
    }

    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.chars().rev().take_while(|c| *c != '\n').count().saturating_add(1);
        (line, column)
    }
}

/// The policies of a text with their offsets. Cedar numbers them as they stand, and keeps their texts.
fn in_order(set: &PolicySet, text: &str) -> Vec<(Policy, usize)> {
    let number = |policy: &Policy| {
        let id = policy.id().to_string();
        id.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<usize>().unwrap_or(usize::MAX)
    };
    let mut policies: Vec<&Policy> = set.policies().collect();
    policies.sort_by_key(|policy| number(policy));
    let mut from = 0_usize;
    let mut placed = Vec::new();
    for policy in policies {
        let own = policy.to_cedar().unwrap_or_default();
        let found = text.get(from..).and_then(|rest| rest.find(&own)).unwrap_or(0);
        let offset = from.saturating_add(found);
        from = offset.saturating_add(own.len());
        placed.push((policy.clone(), offset));
    }
    placed
}

fn schema() -> Result<Schema, Flaw> {
    let broken = |why: String| {
        let (file, kind) = ("schema.cedarschema".to_owned(), FlawKind::Broken(why));
        Flaw { file, line: 1, column: 1, kind }
    };
    match Schema::from_cedarschema_str(SCHEMA) {
        Ok((schema, _)) => Ok(schema),
        Err(error) => Err(broken(error.to_string())),
    }
}

fn hash(sound: &BTreeMap<String, Sound>) -> Digest {
    let head: [&[u8]; 2] = [b"tyer/policies/v1", SCHEMA.as_bytes()];
    // Sorted by id, so their order in the sources does not count.
    let parts: Vec<&[u8]> =
        head.into_iter().chain(sound.values().map(|sound| sound.canonical.as_slice())).collect();
    Digest::of_parts(&parts)
}

fn slices(sound: &BTreeMap<String, Sound>) -> Result<BTreeMap<Effect, Slice>, Flaw> {
    let mut slices = BTreeMap::new();
    for effect in Effect::ALL {
        let mut slice = Slice::default();
        for (id, sound) in sound.iter().filter(|(_, sound)| can_match(&sound.policy, effect)) {
            slice.thresholds.merge(&sound.thresholds);
            let broken = |error: cedar_policy::PolicySetError| {
                let kind = FlawKind::Broken(error.to_string());
                Flaw { file: id.clone(), line: 1, column: 1, kind }
            };
            slice.policies.add(sound.policy.clone()).map_err(broken)?;
            if !sound.thresholds.teams().is_empty() {
                let mut policies = PolicySet::new();
                policies.add(sound.policy.clone()).map_err(broken)?;
                let teams = sound.thresholds.teams().clone();
                slice.asking.push(Asking { policies, teams });
            }
        }
        slices.insert(effect, slice);
    }
    Ok(slices)
}

/// Whether a policy's scope can match an effect: it names the effect, a group of it, or nothing.
fn can_match(policy: &Policy, effect: Effect) -> bool {
    let named = |uid: &EntityUid| match uid.id().unescaped() {
        "write" => effect.is_write(),
        "dangerous" => effect.is_dangerous(),
        word => word == effect.as_str(),
    };
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::In(uids) => uids.iter().any(named),
        ActionConstraint::Eq(uid) => named(&uid),
    }
}
