//! How a session was narrowed: the effects that it may have, on which names.

use serde::{Deserialize, Serialize};

use super::{Act, Effect, Intent, Upstream};

/// How a session was narrowed when it was made. Nothing widens it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Narrowing {
    /// The only effects allowed; empty means any.
    pub may: Vec<Effect>,
    /// Patterns over `upstream.name`, `*` standing for any characters; empty means any.
    pub on: Vec<String>,
}

impl Narrowing {
    /// The first act that lies outside, if any. Acts local to the session are never outside.
    #[must_use]
    pub fn outside<'a>(&self, intent: &'a Intent) -> Option<&'a Act> {
        intent.acts.iter().find(|act| !act.local && !self.covers(&intent.upstream, act))
    }

    fn covers(&self, upstream: &Upstream, act: &Act) -> bool {
        let may = self.may.is_empty() || self.may.contains(&act.effect);
        let path = format!("{upstream}.{}", act.resource.name);
        may && (self.on.is_empty() || self.on.iter().any(|pattern| matches(pattern, &path)))
    }
}

/// Whether `path` is matched by `pattern`, in which `*` stands for any run of characters.
fn matches(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = path.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let (mut rest, mut last) = (rest, None);
    for part in parts {
        last = Some(part);
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    // Found in order and without overlap, so the last part only has to reach the end as well.
    last.map_or(rest.is_empty(), |last| path.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |pattern: &str, path: &str, expect: bool| {
            assert_eq!(matches(pattern, path), expect, "{pattern} on {path}");
        };
        check("orders.*", "orders.public.customers", true);
        check("orders.*", "orders2.customers", false);
        check("orders.customers", "orders.customers", true);
        check("orders.customers", "orders.customers2", false);
        check("*.customers", "orders.public.customers", true);
        check("*.customers", "orders.customers.log", false);
        check("a*b*c", "a1b2c", true);
        check("ab*bc", "abc", false);
        check("*", "", true);
    }
}
