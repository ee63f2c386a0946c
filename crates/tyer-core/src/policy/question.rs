//! One act as one Cedar request, checked against the schema, with a small entity set of its own.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::str::FromStr;

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName,
    EntityUid, PolicySet, Request, RestrictedExpression, Schema,
};

use super::{Policies, Slice};
use crate::facts::{Facts, RelationFacts};
use crate::intent::{Act, Environment, Intent, Principal, Reversibility};
use crate::verdict::Approvals;

/// The environments that do not count as production, and only if written exactly like this.
const NOT_PRODUCTION: [&str; 9] =
    ["ci", "demo", "dev", "development", "preview", "qa", "sandbox", "staging", "test"];

/// Whether policies see an environment as production: everything does that was not declared by one of
/// the words known to mean something else, so that `prod-eu`, `Production`, a typing error and an empty
/// name are all safe.
#[must_use]
pub fn counts_as_production(environment: &Environment) -> bool {
    !NOT_PRODUCTION.contains(&environment.as_str())
}

/// One act, ready to be asked about.
pub(super) struct Question<'p> {
    pub(super) slice: &'p Slice,
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    entities: Entities,
    local: bool,
    reversibility: Reversibility,
    rows: Option<u64>,
    sequence: BTreeSet<&'static str>,
}

/// What a question is asked with, other than the act itself.
pub(super) struct Circumstances {
    pub(super) approvals: Approvals,
    pub(super) frozen: bool,
    pub(super) asked: bool,
}

/// What Cedar says, and by which policies.
pub(super) struct Answer {
    pub(super) permitted: bool,
    pub(super) policies: Vec<String>,
}

/// Cedar could not say: these policies failed, or none when the request itself does not fit.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) policies: Vec<String>,
}

/// The questions that an intent raises, one a distinct act.
pub(super) fn all<'p>(
    policies: &'p Policies,
    intent: &Intent,
    facts: &Facts,
) -> Result<Vec<Question<'p>>, Failed> {
    let mut seen = BTreeSet::new();
    let people = people(&intent.principal)?;
    intent
        .acts
        .iter()
        .filter(|act| seen.insert((act.effect, &act.resource, act.reversibility, act.local)))
        .map(|act| question(policies, intent, act, (&people, facts)))
        .collect()
}

impl Question<'_> {
    /// Asks Cedar. Any error in any policy is a failure, for Cedar skips a forbid that errs.
    pub(super) fn ask(&self, schema: &Schema, circumstances: &Circumstances) -> Result<Answer, Failed> {
        self.ask_of(&self.slice.policies, schema, circumstances)
    }

    /// Asks these policies alone.
    pub(super) fn ask_of(
        &self,
        policies: &PolicySet,
        schema: &Schema,
        circumstances: &Circumstances,
    ) -> Result<Answer, Failed> {
        let (principal, action, resource) =
            (self.principal.clone(), self.action.clone(), self.resource.clone());
        let context = self.context(circumstances)?;
        let request =
            Request::new(principal, action, resource, context, Some(schema)).map_err(unfit)?;
        let response = Authorizer::new().is_authorized(&request, policies, &self.entities);
        let mut failed: Vec<String> = response.diagnostics().errors().map(failed_policy).collect();
        if !failed.is_empty() {
            failed.sort_unstable();
            failed.dedup();
            return Err(Failed { policies: failed });
        }
        let policies = response.diagnostics().reason().map(ToString::to_string).collect();
        Ok(Answer { permitted: response.decision() == Decision::Allow, policies })
    }

    fn context(&self, circumstances: &Circumstances) -> Result<Context, Failed> {
        let given = &circumstances.approvals;
        let approvals = record([
            ("controller", RestrictedExpression::new_bool(given.controller)),
            ("peers", RestrictedExpression::new_long(i64::from(given.peers))),
            ("owners", RestrictedExpression::new_long(i64::from(given.owners))),
            ("signers", RestrictedExpression::new_long(i64::from(given.signers))),
            ("hardware", RestrictedExpression::new_long(i64::from(given.hardware))),
            ("on_hours", RestrictedExpression::new_long(i64::from(given.on_hours))),
            (
                "teams",
                RestrictedExpression::new_set(given.teams.iter().map(|team| text(team.as_str()))),
            ),
            ("glass", RestrictedExpression::new_bool(given.glass)),
        ])?;
        let mut pairs = vec![
            ("approvals", approvals),
            ("waited", RestrictedExpression::new_long(i64::from(given.waited))),
            ("freeze", RestrictedExpression::new_bool(circumstances.frozen)),
            ("asked", RestrictedExpression::new_bool(circumstances.asked)),
            ("local", RestrictedExpression::new_bool(self.local)),
            ("reversibility", text(self.reversibility.as_str())),
            ("sequence", RestrictedExpression::new_set(self.sequence.iter().map(|word| text(word)))),
        ];
        if let Some(rows) = self.rows {
            let rows = i64::try_from(rows).unwrap_or(i64::MAX);
            pairs.push(("rows", RestrictedExpression::new_long(rows)));
        }
        Context::from_pairs(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)))
            .map_err(unfit)
    }
}

fn question<'p>(
    policies: &'p Policies,
    intent: &Intent,
    act: &Act,
    (people, facts): (&[Entity], &Facts),
) -> Result<Question<'p>, Failed> {
    let slice = policies.slices.get(&act.effect).ok_or(Failed { policies: Vec::new() })?;
    let kind = if intent.principal.human { "Human" } else { "Agent" };
    let resource = resource(intent, act)?;
    let (id, schema) = (resource.uid(), Some(&policies.schema));
    let entities = people.iter().cloned().chain([resource]);
    Ok(Question {
        slice,
        principal: uid(kind, &intent.principal.agent)?,
        action: uid("Action", act.effect.as_str())?,
        resource: id,
        entities: Entities::from_entities(entities, schema).map_err(unfit)?,
        local: act.local,
        reversibility: act.reversibility,
        rows: rows(act, facts),
        sequence: facts.sequences.iter().map(|sequence| sequence.pattern.as_str()).collect(),
    })
}

/// The principal, and the controller if that is somebody else.
fn people(principal: &Principal) -> Result<Vec<Entity>, Failed> {
    let controller = uid("Human", principal.controller.as_str())?;
    let actor = uid(if principal.human { "Human" } else { "Agent" }, &principal.agent)?;
    let person = |id: EntityUid| {
        let attributes = [("controller", RestrictedExpression::new_entity_uid(controller.clone()))];
        entity(id, attributes)
    };
    if actor == controller {
        return Ok(vec![person(actor)?]);
    }
    Ok(vec![person(actor)?, person(controller.clone())?])
}

fn resource(intent: &Intent, act: &Act) -> Result<Entity, Failed> {
    let production = counts_as_production(&intent.environment);
    let environment = if production { "production" } else { intent.environment.as_str() };
    let id = uid("Resource", &format!("{}/{}", intent.upstream, act.resource))?;
    let attributes = [
        ("upstream", text(intent.upstream.as_str())),
        ("environment", text(environment)),
        ("production", RestrictedExpression::new_bool(production)),
        ("kind", text(act.resource.kind.as_str())),
        ("name", text(&act.resource.name)),
    ];
    entity(id, attributes)
}

/// Rows that the act would touch. A name without its schema stands for every relation of that name, and
/// the most rows of any of them; one that is not known makes the answer not known.
fn rows(act: &Act, facts: &Facts) -> Option<u64> {
    let name = act.resource.name.as_str();
    let named = |known: &str| {
        known == name || known.strip_suffix(name).is_some_and(|schema| schema.ends_with('.'))
    };
    let touched: Option<Vec<u64>> = facts
        .relations
        .iter()
        .filter(|relation| !name.is_empty() && named(&relation.name))
        .map(RelationFacts::figure)
        .collect();
    touched?.into_iter().max()
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, Failed> {
    let kind = EntityTypeName::from_str(kind).map_err(unfit)?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn entity<const N: usize>(
    id: EntityUid,
    attributes: [(&str, RestrictedExpression); N],
) -> Result<Entity, Failed> {
    let attributes: HashMap<_, _> =
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Entity::new(id, attributes, HashSet::new()).map_err(unfit)
}

fn record<const N: usize>(
    fields: [(&str, RestrictedExpression); N],
) -> Result<RestrictedExpression, Failed> {
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    RestrictedExpression::new_record(fields).map_err(unfit)
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn failed_policy(error: &AuthorizationError) -> String {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id().to_string(),
    }
}

/// A request that does not fit the schema is refused like one whose policies fail.
fn unfit<E>(_: E) -> Failed {
    Failed { policies: Vec::new() }
}
