//! What the names in a request mean where it runs: each one is looked up before people see the card, and again
//! before what they agreed to runs.
//!
//! A name is only a name: a temporary table can come to stand before another, a search path can change, and a view
//! can be given another body under the same identity. [`differences`] compares what names mean one by one.

use serde::{Deserialize, Serialize};

/// Names that are compared at most; of a request with more nothing can be bounded.
pub const NAMES_MAX: usize = 2_000;
/// Names that a leaf lists; the card lists them all.
const RECORDED_MAX: usize = 40;

/// A name of a relation as a request writes it, and what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// As written, folded and dotted.
    pub name: String,
    /// None if there is nothing of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub means: Option<Meaning>,
}

/// What names mean in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meant {
    /// Each name, in the order in which they were asked about.
    pub names: Vec<Named>,
    /// Where names without a schema are looked for, in the upstream's own words.
    pub path: Option<String>,
}

/// A relation that a name means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meaning {
    /// Its qualified name.
    pub qualified: String,
    /// What the upstream itself knows it by.
    pub identity: u64,
    /// What it is, in a word of the upstream's: `table`, `view`.
    pub kind: String,
    /// The digest of the rules that put something else in its place, and in the place of what these mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
    /// The open transaction has it for itself, so that it may have been made there: it has another identity
    /// each time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
}

impl Meaning {
    fn in_words(&self) -> String {
        format!("the {} {}", self.kind, self.qualified)
    }

    fn is(&self, other: &Self) -> bool {
        (self.identity == other.identity || self.own && other.own)
            && self.kind == other.kind
            && self.qualified == other.qualified
    }
}

impl Named {
    /// What it means, in words: `orders: the view public.orders`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let means = self.means.as_ref().map(Meaning::in_words);
        format!("{}: {}", self.name, means.as_deref().unwrap_or("nothing of that name"))
    }

    /// Whether it says itself what it means.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.means.as_ref().is_some_and(|it| it.qualified == self.name && it.kind == "table")
    }
}

/// In what names mean something else now, in words; nothing if each means what was agreed to.
#[must_use]
pub fn differences(agreed: &[Named], now: &[Named]) -> Vec<String> {
    now.iter().filter_map(|now| difference(agreed, now)).collect()
}

fn difference(agreed: &[Named], now: &Named) -> Option<String> {
    let name = &now.name;
    let Some(then) = agreed.iter().find(|then| then.name == *name) else {
        return Some(format!("{name}: what it means was not known before"));
    };
    match (&then.means, &now.means) {
        (None, None) => None,
        (None, Some(now)) => Some(format!("{name} means {} now; it meant nothing", now.in_words())),
        (Some(then), None) => Some(format!("{name} means nothing now; it was {}", then.in_words())),
        (Some(then), Some(now)) if then.is(now) => {
            let other = || format!("{}, which {name} means, has other rules now", now.in_words());
            (then.rules != now.rules).then(other)
        }
        (Some(then), Some(now)) if (&then.qualified, &then.kind) == (&now.qualified, &now.kind) => {
            Some(format!("{} was removed and made again", now.qualified))
        }
        (Some(then), Some(now)) => {
            Some(format!("{name} means {} now; it was {}", now.in_words(), then.in_words()))
        }
    }
}

/// The names as far as a leaf has room for them, and how many more there are.
#[must_use]
pub fn recorded(mut names: Vec<Named>) -> Vec<Named> {
    let rest = names.len().saturating_sub(RECORDED_MAX);
    if rest > 0 {
        names.truncate(RECORDED_MAX);
        names.push(Named { name: format!("and {rest} more"), means: None });
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(qualified: &str, identity: u64, kind: &str) -> Meaning {
        Meaning { qualified: qualified.into(), identity, kind: kind.into(), rules: None, own: false }
    }

    fn named(means: Option<Meaning>) -> Vec<Named> {
        vec![Named { name: "orders".into(), means }]
    }

    #[test]
    fn each_name_is_compared() {
        let check = |then: Option<Meaning>, now: Option<Meaning>, expect: &[&str]| {
            let (then, now) = (named(then), named(now));
            assert_eq!(differences(&then, &now), expect, "{then:?} {now:?}");
        };
        let orders = || Some(meaning("public.orders", 7, "table"));
        let with = |change: fn(&mut Meaning)| {
            let mut orders = meaning("public.orders", 7, "table");
            change(&mut orders);
            Some(orders)
        };
        check(None, None, &[]);
        check(orders(), orders(), &[]);
        let again = "public.orders was removed and made again";
        check(orders(), with(|it| it.identity = 8), &[again]);
        check(
            orders(),
            Some(meaning("pg_temp_3.orders", 9, "table")),
            &["orders means the table pg_temp_3.orders now; it was the table public.orders"],
        );
        check(
            orders(),
            Some(meaning("public.orders", 9, "view")),
            &["orders means the view public.orders now; it was the table public.orders"],
        );
        check(orders(), None, &["orders means nothing now; it was the table public.orders"]);
        check(None, orders(), &["orders means the table public.orders now; it meant nothing"]);
        let rules = |it: &mut Meaning| it.rules = Some("a".into());
        let other = "the table public.orders, which orders means, has other rules now";
        check(orders(), with(rules), &[other]);
        check(with(rules), with(rules), &[]);
        // What is made in the transaction itself is made anew with it.
        let own = |identity| Some(Meaning { own: true, ..meaning("public.orders", identity, "table") });
        check(own(7), own(8), &[]);
        check(orders(), own(8), &[again]);
        check(orders(), own(7), &[]);
        check(own(7), Some(meaning("public.orders", 8, "table")), &[again]);
        assert_eq!(differences(&[], &named(orders())), ["orders: what it means was not known before"]);
        assert!(differences(&named(orders()), &[]).is_empty());
    }

    #[test]
    fn names_in_words() {
        let check = |means: Option<Meaning>, expect: &str, plain: bool| {
            let named = Named { name: "public.orders".into(), means };
            assert_eq!((named.in_words().as_str(), named.is_plain()), (expect, plain));
        };
        let table = || Some(meaning("public.orders", 7, "table"));
        check(table(), "public.orders: the table public.orders", true);
        let view = Some(meaning("a.b", 7, "view"));
        check(view, "public.orders: the view a.b", false);
        check(None, "public.orders: nothing of that name", false);
        let many = |count: usize| vec![Named { name: "t".into(), means: table() }; count];
        assert_eq!(recorded(many(40)).len(), 40);
        let recorded = recorded(many(43));
        assert_eq!((recorded.len(), recorded[40].name.as_str()), (41, "and 3 more"));
    }
}
