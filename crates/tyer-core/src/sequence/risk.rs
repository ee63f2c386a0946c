//! What a request may become part of: announced before anything has followed it, and never as something that was seen.
//!
//! It follows from the acts alone, so no record has it: whoever has the card can work it out again.

use super::identity::same;
use super::{Pattern, Sequence, Verb, steps};
use crate::intent::{Acts, Kind, Resource};

/// What is destroyed as a whole, and would not be what it was if somebody made it anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Risk {
    /// The first of what goes.
    pub resource: Resource,
    /// How much else goes.
    pub more: usize,
}

impl Risk {
    /// The risk of these acts; `None` if nothing goes as a whole, or only what `seen` names as made anew already.
    #[must_use]
    pub fn of(acts: &Acts, seen: &[Sequence]) -> Option<Self> {
        let is_anew = |pattern| matches!(pattern, Pattern::Recreate | Pattern::Exchange);
        let is_seen = |resource: &Resource| {
            seen.iter().any(|it| is_anew(it.pattern) && same(&it.resource, resource))
        };
        let gone = steps(acts.iter()).into_iter().filter(|step| step.verb == Verb::Destroy);
        let mut gone: Vec<Resource> = gone.map(|step| step.resource).collect();
        gone.retain(|resource| holds_something(resource.kind) && !is_seen(resource));
        let resource = gone.first()?.clone();
        gone.retain(|other| *other != resource);
        gone.sort();
        gone.dedup();
        Some(Self { resource, more: gone.len() })
    }

    /// In a sentence for people, without a full stop.
    #[must_use]
    pub fn in_words(&self) -> String {
        let name = &self.resource;
        let more = match self.more {
            0 => String::new(),
            more => format!(" or any of {more} more"),
        };
        format!(
            "If {name}{more} is made anew afterwards, what goes now does not come back with it: data, grants and \
             dependents"
        )
    }
}

/// Whether making one anew brings less than was there.
fn holds_something(kind: Kind) -> bool {
    !matches!(kind, Kind::Setting | Kind::Connection | Kind::Program)
}
