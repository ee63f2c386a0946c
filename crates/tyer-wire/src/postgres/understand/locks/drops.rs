//! What dropping something locks: the thing, and what loses a constraint, a trigger or a column with it.

use pg_query::protobuf::{self as pb, ObjectType as Type};
use tyer_core::locks::Work;

use super::super::names;
use super::{Lock, Mode, On, Parts, To};

/// What DROP locks.
pub(super) fn of(drop: &pb::DropStmt) -> Vec<Lock> {
    let cascades = drop.behavior() == pb::DropBehavior::DropCascade;
    let each = drop.objects.iter().flat_map(|node| {
        let parts = names::parts(node.node.as_ref());
        let uses = |name: &str| {
            Lock::untold(format!("whatever uses {name} is changed or dropped with it (CASCADE)"))
        };
        let name = names::dotted(parts.iter().copied());
        let users = (cascades && !says_users(drop.remove_type())).then(|| uses(&name));
        one(drop, &parts, cascades).into_iter().chain(users)
    });
    each.collect()
}

/// What DROP OWNED and REASSIGN OWNED lock.
pub(super) fn owned(roles: &[pb::Node]) -> Vec<Lock> {
    let of = |role: &str| Lock::new(On::Owned(role.to_owned()), Mode::AccessExclusive, Work::Instant);
    names::roles(roles).into_iter().map(of).collect()
}

/// Whether the directions in which to look say all that goes with it.
fn says_users(kind: Type) -> bool {
    matches!(
        kind,
        Type::ObjectTable
            | Type::ObjectForeignTable
            | Type::ObjectView
            | Type::ObjectMatview
            | Type::ObjectIndex
            | Type::ObjectSequence
            | Type::ObjectSchema
            | Type::ObjectTrigger
            | Type::ObjectPolicy
            | Type::ObjectRule
            | Type::ObjectStatisticExt
            | Type::ObjectPublication
    )
}

fn one(drop: &pb::DropStmt, parts: &[&str], cascades: bool) -> Option<Lock> {
    let name = names::dotted(parts.iter().copied());
    let exclusive = |on: On| Lock::new(on, Mode::AccessExclusive, Work::Instant);
    match drop.remove_type() {
        Type::ObjectTable | Type::ObjectForeignTable => Some(table(name, cascades)),
        Type::ObjectView | Type::ObjectMatview => {
            let lock = exclusive(On::Relation(name));
            Some(if cascades { with_readers(lock) } else { lock })
        }
        Type::ObjectSequence => {
            let lock = exclusive(On::Relation(name));
            let with_defaults =
                |lock: Lock| lock.with(To::Defaults, Mode::AccessExclusive, Work::Instant);
            Some(if cascades { with_readers(with_defaults(lock)) } else { lock })
        }
        Type::ObjectIndex => {
            let mode = if drop.concurrent { Mode::ShareUpdateExclusive } else { Mode::AccessExclusive };
            let lock = Lock::new(On::Index(name), mode, Work::Instant);
            let lock = Lock { parts: Parts::Partitions, ..lock };
            Some(if cascades { with_referring(lock) } else { lock })
        }
        // The last part of the name is that of what hangs on the table.
        Type::ObjectTrigger | Type::ObjectPolicy | Type::ObjectRule => {
            let table = names::dotted(parts.iter().copied().take(parts.len().saturating_sub(1)));
            let parts = match drop.remove_type() {
                Type::ObjectTrigger => Parts::Partitions,
                _ => Parts::Alone,
            };
            Some(Lock { parts, ..exclusive(On::Relation(table)) })
        }
        Type::ObjectStatisticExt => {
            Some(Lock::new(On::Statistics(name), Mode::ShareUpdateExclusive, Work::Instant))
        }
        Type::ObjectSchema if cascades => {
            let lock = Lock { parts: Parts::All, ..exclusive(On::Schema(name)) };
            Some(with_readers(with_referred(with_referring(lock))))
        }
        Type::ObjectExtension => Some(Lock::untold(format!("what belongs to {name} is dropped"))),
        _ => None,
    }
}

fn table(name: String, cascades: bool) -> Lock {
    let lock = Lock::new(On::Relation(name), Mode::AccessExclusive, Work::Instant);
    let lock = with_referred(Lock { parts: Parts::All, ..lock });
    let lock = lock.with(To::Above, Mode::AccessExclusive, Work::Instant);
    if cascades { with_readers(with_referring(lock)) } else { lock }
}

fn with_referred(lock: Lock) -> Lock {
    lock.with(To::Referred(None), Mode::AccessExclusive, Work::Instant)
}

fn with_referring(lock: Lock) -> Lock {
    lock.with(To::Referring(None), Mode::AccessExclusive, Work::Instant)
}

fn with_readers(lock: Lock) -> Lock {
    lock.with(To::Readers(None), Mode::AccessExclusive, Work::Instant)
}
