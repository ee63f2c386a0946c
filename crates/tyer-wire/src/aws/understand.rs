//! What a request to AWS would do.
//!
//! [`understand`] is pure and total: what it cannot classify becomes `opaque` on the whole upstream. An operation's
//! effect comes from what is written down of it in `data/aws-effects.tsv`, with a reason; else from the level of access that
//! IAM's reference publishes, from what the model says, and from its verb only last. Parameters make it graver, by the
//! same rules. What only AWS knows, such as what a stack contains, is for the facts that are taken before the decision;
//! until then it counts as the worst that it can be.

mod acts;
mod class;
mod condition;
mod plan;
mod rules;
mod stacked;
mod subject;
mod tags;

use tyer_core::intent::{Act, Acts};

pub use self::class::{Class, Evidence, class};
pub(super) use self::plan::TAGS;
pub use self::plan::{Change, carried_out};
use self::subject::Asked;
pub use self::tags::says_where;
use super::decode::{Call, Decoded};
use super::resources::Owner;

/// Keys of tags that say where something stands, unless the operator names others.
pub const ENVIRONMENT_TAGS: [&str; 3] = ["env", "environment", "stage"];

/// What the operator says of requests.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The account that the request is for.
    pub owner: Owner<'a>,
    /// Keys of tags that say where something stands, compared without their case.
    pub environment_tags: &'a [String],
}

/// What the request would do. Each resource is named by its ARN, with `*` for what the request does not say of it.
#[must_use]
pub fn understand(decoded: &Decoded, terms: &Terms<'_>) -> Acts {
    match &decoded.call {
        Call::Known(operation) => {
            acts::of(Asked { decoded, operation: *operation, owner: terms.owner }, terms)
        }
        Call::Unknown { why, .. } => Acts::new(Act::opaque(format!("is not understood: {why}")), []),
    }
}

#[cfg(test)]
mod tests;
