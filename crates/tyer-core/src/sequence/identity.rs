//! When two names mean the same resource, as far as names can tell.
//!
//! Names are dotted where qualified, so `orders` may be `public.orders`. What may be the same counts as the
//! same; only where a request is refused for good do names have to be certain.

use crate::intent::{Kind, Resource};

/// How sure a comparison is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sure {
    No,
    Maybe,
    Yes,
}

/// Whether both are the same resource. One name without its qualification, where the other has it, is taken to be
/// the same.
pub(super) fn same(one: &Resource, other: &Resource) -> bool {
    let ends = |long: &str, short: &str| {
        long.strip_suffix(short).is_some_and(|rest| !short.is_empty() && rest.ends_with('.'))
    };
    one.kind == other.kind
        && (one.name == other.name || ends(&one.name, &other.name) || ends(&other.name, &one.name))
}

/// Whether whatever happens to `whole` happens to `part` too: it is the same, or something in it.
pub(super) fn covers(whole: &Resource, part: &Resource) -> Sure {
    let within = part.name.strip_prefix(&whole.name).is_some_and(|rest| rest.starts_with('.'));
    match whole.kind {
        Kind::Upstream | Kind::Database => Sure::Yes,
        _ if same(whole, part) => Sure::Yes,
        Kind::Schema if part.kind == Kind::Schema => Sure::No,
        Kind::Schema if within => Sure::Yes,
        // A name without a schema may be in any.
        Kind::Schema if !part.name.contains('.') && is_in_schemas(part.kind) => Sure::Maybe,
        Kind::Relation if part.kind == Kind::Column && within => Sure::Yes,
        _ => Sure::No,
    }
}

/// Whether a protection that is `guard` protects `what`: it is of the same resource, of a part of it, of what holds
/// it, or of nothing in particular. Objects are named by what they are and then their name.
pub(super) fn guards(guard: &Resource, what: &Resource) -> bool {
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
    }
}
