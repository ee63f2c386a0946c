//! When two names mean the same resource, as far as names can tell.
//!
//! Names are dotted where qualified, so `orders` may be `public.orders`. In the names of objects `*` stands for what is
//! not known of them, so `db/*` may be `db/orders`. What may be the same counts as the same; only where a request is refused for good do names have to be certain.

use crate::intent::{Kind, Resource};

/// How sure a comparison is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sure {
    No,
    Maybe,
    Yes,
}

/// Whether both are the same resource. One name without its qualification, where the other has it, is taken to be
/// the same, and one of which not all is known.
pub(super) fn same(one: &Resource, other: &Resource) -> bool {
    is_known_same(one, other) || may_be(one, other)
}

fn is_known_same(one: &Resource, other: &Resource) -> bool {
    let ends = |long: &str, short: &str| {
        long.strip_suffix(short).is_some_and(|rest| !short.is_empty() && rest.ends_with('.'))
    };
    one.kind == other.kind
        && (one.name == other.name || ends(&one.name, &other.name) || ends(&other.name, &one.name))
}

/// Whether two names of which not all is known can be those of one object.
fn may_be(one: &Resource, other: &Resource) -> bool {
    one.kind == other.kind
        && (is_open(one) || is_open(other))
        && overlap(one.name.as_bytes(), other.name.as_bytes())
}

/// Whether the name means the same thing wherever it is asked for.
pub(super) fn is_global(resource: &Resource) -> bool {
    resource.kind == Kind::Object && resource.name.starts_with("arn:")
}

/// Whether not all of the name is known.
pub(super) fn is_open(resource: &Resource) -> bool {
    resource.kind == Kind::Object && resource.name.contains('*')
}

/// Whether some text fits both patterns, in which `*` is any text.
fn overlap(one: &[u8], other: &[u8]) -> bool {
    // What is asked of each beginning of `other`, for a beginning of `one` that grows.
    let stars = other.iter().take_while(|byte| **byte == b'*').count();
    let mut row: Vec<bool> = (0..=other.len()).map(|length| length <= stars).collect();
    for a in one {
        let mut left = *a == b'*' && row.first() == Some(&true);
        let mut next = vec![left];
        for (b, above) in other.iter().zip(row.windows(2)) {
            let [across, above] = above else { return false };
            left = if *a == b'*' || *b == b'*' { *above || left } else { a == b && *across };
            next.push(left);
        }
        row = next;
    }
    row.last() == Some(&true)
}

/// Whether whatever happens to `whole` happens to `part` too: it is the same, or something in it.
pub(super) fn covers(whole: &Resource, part: &Resource) -> Sure {
    let within = part.name.strip_prefix(&whole.name).is_some_and(|rest| rest.starts_with('.'));
    match whole.kind {
        Kind::Upstream | Kind::Database => Sure::Yes,
        _ if is_known_same(whole, part) => Sure::Yes,
        _ if may_be(whole, part) => Sure::Maybe,
        Kind::Schema if part.kind == Kind::Schema => Sure::No,
        Kind::Schema if within => Sure::Yes,
        // A name without a schema may be in any.
        Kind::Schema if !part.name.contains('.') && is_in_schemas(part.kind) => Sure::Maybe,
        Kind::Relation if part.kind == Kind::Column && within => Sure::Yes,
        _ => Sure::No,
    }
}

/// Whether a protection that is `guard` protects `what`: it is of the same resource, of a part of it, of what holds
/// it, or of nothing in particular. Objects are named by what they are and then their name, or by an ARN, which says
/// exactly what it means.
pub(super) fn guards(guard: &Resource, what: &Resource) -> bool {
    if guard.kind == Kind::Object && guard.name.starts_with("arn:") {
        let holds = |whole: &Resource, part: &Resource| {
            let rest = part.name.strip_prefix(whole.name.as_str());
            rest.is_some_and(|rest| rest.starts_with(['/', ':']))
        };
        return same(guard, what)
            || what.kind == guard.kind && holds(guard, what)
            || holds(what, guard);
    }
    let name = guard.name.rsplit(' ').next().unwrap_or_default();
    let of = name.rsplit_once('.').map(|(of, _)| Resource::new(what.kind, of));
    match guard.kind {
        Kind::Upstream | Kind::Setting => true,
        Kind::Object | Kind::Column => of.is_none_or(|of| covers(what, &of) != Sure::No),
        _ => covers(guard, what) != Sure::No || covers(what, guard) != Sure::No,
    }
}

fn is_in_schemas(kind: Kind) -> bool {
    match kind {
        Kind::Relation | Kind::Column | Kind::Function | Kind::Type => true,
        Kind::Upstream
        | Kind::Database
        | Kind::Schema
        | Kind::Role
        | Kind::Setting
        | Kind::Extension
        | Kind::File
        | Kind::Program
        | Kind::Connection
        | Kind::Object => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> Resource {
        Resource::new(Kind::Relation, name)
    }

    #[test]
    fn names_that_may_be_the_same_are() {
        let check = |one: &str, other: &str, expect: bool| {
            assert_eq!(same(&table(one), &table(other)), expect, "{one} {other}");
            assert_eq!(same(&table(other), &table(one)), expect, "{other} {one}");
        };
        check("orders", "orders", true);
        check("orders", "public.orders", true);
        check("orders", "preorders", false);
        check("public.orders", "archive.orders", false);
        check("orders", "orders.public", false);
        assert!(!same(&table("orders"), &Resource::new(Kind::Schema, "orders")));
    }

    #[test]
    fn a_whole_covers_what_is_in_it() {
        let schema = |name: &str| Resource::new(Kind::Schema, name);
        let check = |whole: &Resource, part: &Resource, expect: Sure| {
            assert_eq!(covers(whole, part), expect, "{whole} {part}");
        };
        check(&table("orders"), &table("public.orders"), Sure::Yes);
        check(&table("orders"), &table("items"), Sure::No);
        check(&schema("s"), &table("s.orders"), Sure::Yes);
        check(&schema("s"), &table("orders"), Sure::Maybe);
        check(&schema("s"), &table("t.orders"), Sure::No);
        check(&schema("s"), &schema("t"), Sure::No);
        check(&schema("s"), &Resource::new(Kind::Role, "kiro"), Sure::No);
        check(&table("orders"), &Resource::new(Kind::Column, "orders.note"), Sure::Yes);
        check(&Resource::new(Kind::Database, "orders"), &table("s.orders"), Sure::Yes);
        check(&Resource::upstream(), &table("orders"), Sure::Yes);
    }

    #[test]
    fn a_guard_protects_what_it_is_of() {
        let object = |name: &str| Resource::new(Kind::Object, name);
        let check = |guard: &Resource, what: &Resource, expect: bool| {
            assert_eq!(guards(guard, what), expect, "{guard} {what}");
        };
        check(&table("orders"), &table("public.orders"), true);
        check(&table("orders"), &table("items"), false);
        check(&object("trigger orders.spy"), &table("orders"), true);
        check(&object("trigger public.orders.spy"), &table("orders"), true);
        check(&object("trigger orders.spy"), &table("items"), false);
        check(&object("event trigger no_drops"), &table("items"), true);
        check(&Resource::new(Kind::Setting, "session_replication_role"), &table("items"), true);
        check(&table("orders"), &Resource::new(Kind::Schema, "public"), true);
        check(&Resource::new(Kind::Type, "positive"), &table("orders"), false);
        check(&object("arn:aws:rds:::db:orders"), &object("arn:aws:rds:::db:orders"), true);
        check(&object("arn:aws:rds:::db:orders"), &object("arn:aws:rds:::db:items"), false);
        check(&object("arn:aws:s3:::orders"), &object("arn:aws:s3:::orders/one"), true);
        check(&object("arn:aws:s3:::orders"), &object("arn:aws:s3:::orders-old"), false);
        check(&object("arn:aws:rds:::db:orders"), &table("orders"), false);
    }

    #[test]
    fn a_name_of_which_not_all_is_known_may_be_any_that_fits() {
        let object = |name: &str| Resource::new(Kind::Object, name);
        let check = |one: &str, other: &str, expect: bool| {
            let (one, other) = (object(one), object(other));
            assert_eq!(same(&one, &other), expect, "{one} {other}");
            assert_eq!(same(&other, &one), expect, "{other} {one}");
            let sure = if !expect {
                Sure::No
            } else if one == other {
                Sure::Yes
            } else {
                Sure::Maybe
            };
            assert_eq!(covers(&one, &other), sure, "{one} {other}");
        };
        check("instance/*", "instance/i-0a", true);
        check("instance/*", "instance/*", true);
        check("instance/*", "instances/i-0a", false);
        check("stack/orders/*", "stack/orders/51af", true);
        check("stack/orders/*", "stack/items/51af", false);
        check("group:*:name/orders", "group:51af:name/orders", true);
        check("group:*:name/orders", "group:51af:name/items", false);
        check("balancer/*/orders/*", "balancer/app/*", true);
        check("a*", "*b", true);
        check("a*c", "*b", false);
        check("*", "", true);
        check("ab", "a", false);
        assert!(!same(&table("instance/*"), &table("instance/i-0a")), "a table may be called so");
    }
}
