//! What bounds a request once people have agreed to it, and what its card says where nothing does.

use tyer_core::ceilings::Ceilings;
use tyer_core::facts::Facts;
use tyer_core::intent::Effect;
use tyer_core::names::NAMES_MAX;

use super::Request;

/// What a card says of a request that cannot be counted and taken back.
const UNBOUNDED: &str = "it runs in a way (its own transaction, rows, cursors or prepared names) that cannot be counted first and taken back";
/// What a card says of a request with more names than are compared.
const UNCOMPARED: &str =
    "it names too many relations to look each up again before it runs, and so nothing bounds it";
/// What a card says of a request that runs code and names no table that loses or changes rows.
const CODE: &str = "unbounded: it runs code, and what that does to rows is known only behind it";

/// The facts with what the request may do at most, or that nothing bounds it.
pub(super) fn bounded(mut facts: Facts, request: &Request) -> Facts {
    let is_comparable = request.about.names.len() <= NAMES_MAX;
    let runs_code = request.acts.iter().any(|act| act.effect == Effect::Execute);
    // What does more than to rows may do it to what it names.
    let is_plain = request.about.statement.as_ref().is_none_or(|statement| statement.explainable);
    let written = facts.names.get(..request.about.relations.len()).unwrap_or_default();
    let named = Ceilings::of(&facts).map(|it| if is_plain { it } else { it.entirely(written) });
    let code = || (runs_code && request.about.relations.is_empty()).then(Ceilings::of_code);
    facts.ceilings = named.or_else(code).filter(|_| request.fits_block && is_comparable);
    if !request.fits_block && !facts.relations.is_empty() {
        facts.unknown.push(UNBOUNDED.to_owned());
    } else if !is_comparable {
        facts.unknown.push(UNCOMPARED.to_owned());
    } else if runs_code && facts.relations.is_empty() && request.about.cloud.is_none() {
        facts.unknown.push(CODE.to_owned());
    }
    facts
}
