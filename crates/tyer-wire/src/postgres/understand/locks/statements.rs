//! What each kind of statement locks, but for ALTER TABLE, CREATE TABLE and DROP.

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::locks::Work;

use super::super::names;
use super::{Lock, Mode, On, Parts, To, drops, table};

/// What one statement locks.
pub(super) fn of(node: &NodeEnum) -> Vec<Lock> {
    use Mode::{AccessExclusive, Share, ShareRowExclusive, ShareUpdateExclusive};
    match node {
        NodeEnum::AlterTableStmt(alter) => table::alters(alter),
        NodeEnum::CreateStmt(create) => table::creates(create),
        NodeEnum::CreateForeignTableStmt(create) => {
            create.base_stmt.as_ref().map(table::creates).unwrap_or_default()
        }
        NodeEnum::CreateSchemaStmt(create) => {
            create.schema_elts.iter().filter_map(|node| node.node.as_ref()).flat_map(of).collect()
        }
        NodeEnum::DropStmt(drop) => drops::of(drop),
        NodeEnum::DropOwnedStmt(drop) => drops::owned(&drop.roles),
        NodeEnum::ReassignOwnedStmt(reassign) => drops::owned(&reassign.roles),
        NodeEnum::TruncateStmt(truncate) => truncates(truncate),
        NodeEnum::LockStmt(lock) => locks(lock),
        NodeEnum::IndexStmt(index) => {
            let mode = if index.concurrent { ShareUpdateExclusive } else { Share };
            let var = index.relation.as_ref();
            vec![Lock::of(var, mode, Work::Build).and(Parts::Partitions, var)]
        }
        NodeEnum::CreateTrigStmt(create) => {
            let var = create.relation.as_ref();
            vec![Lock::moment(var, ShareRowExclusive).and(Parts::Partitions, var)]
        }
        NodeEnum::RuleStmt(rule) => vec![alone(rule.relation.as_ref(), AccessExclusive)],
        NodeEnum::CreatePolicyStmt(policy) => vec![alone(policy.table.as_ref(), AccessExclusive)],
        NodeEnum::AlterPolicyStmt(policy) => vec![alone(policy.table.as_ref(), AccessExclusive)],
        NodeEnum::ViewStmt(view) if view.replace => vec![alone(view.view.as_ref(), AccessExclusive)],
        NodeEnum::CreateStatsStmt(create) => {
            let vars = create.relations.iter().filter_map(|node| match node.node.as_ref() {
                Some(NodeEnum::RangeVar(var)) => Some(alone(Some(var), ShareUpdateExclusive)),
                _ => None,
            });
            vars.collect()
        }
        NodeEnum::AlterSeqStmt(alter) => vec![alone(alter.sequence.as_ref(), ShareRowExclusive)],
        NodeEnum::RenameStmt(rename) => renames(rename),
        NodeEnum::AlterObjectSchemaStmt(alter) if alter.relation.is_some() => {
            vec![alone(alter.relation.as_ref(), AccessExclusive)]
        }
        NodeEnum::AlterObjectDependsStmt(alter) if alter.relation.is_some() => {
            vec![alone(alter.relation.as_ref(), AccessExclusive)]
        }
        NodeEnum::AlterDomainStmt(alter) => domain(alter),
        NodeEnum::CommentStmt(comment) => {
            described(comment.objtype(), comment.object.as_deref()).into_iter().collect()
        }
        NodeEnum::SecLabelStmt(label) => {
            described(label.objtype(), label.object.as_deref()).into_iter().collect()
        }
        NodeEnum::AlterExtensionContentsStmt(alter) => {
            described(alter.objtype(), alter.object.as_deref()).into_iter().collect()
        }
        _ => upkeep(node),
    }
}

/// Upkeep, replication, and what cannot be told.
fn upkeep(node: &NodeEnum) -> Vec<Lock> {
    use Mode::{AccessExclusive, Exclusive, ShareUpdateExclusive};
    match node {
        NodeEnum::VacuumStmt(vacuum) => vacuums(vacuum),
        NodeEnum::ClusterStmt(cluster) => match &cluster.relation {
            Some(var) => vec![Lock::of(Some(var), AccessExclusive, Work::Rewrite)],
            None => vec![Lock::new(On::Database, AccessExclusive, Work::Rewrite)],
        },
        NodeEnum::ReindexStmt(reindex) => reindexes(reindex),
        NodeEnum::RefreshMatViewStmt(refresh) => {
            let (mode, work) = match (refresh.concurrent, refresh.skip_data) {
                (true, _) => (Exclusive, Work::Untold),
                (false, true) => (AccessExclusive, Work::Instant),
                (false, false) => (AccessExclusive, Work::Untold),
            };
            vec![Lock { work, ..alone(refresh.relation.as_ref(), mode) }]
        }
        NodeEnum::AlterTableMoveAllStmt(_) => {
            vec![Lock::new(On::Database, AccessExclusive, Work::Rewrite)]
        }
        NodeEnum::CreatePublicationStmt(create) => published(&create.pubobjects).collect(),
        NodeEnum::AlterPublicationStmt(alter) => {
            use pb::AlterPublicationAction as Action;
            let name = On::Publication(names::dotted([alter.pubname.as_str()]));
            // What it had before goes.
            let sets = alter.action() == Action::ApSetObjects && !alter.pubobjects.is_empty();
            let before = sets.then(|| Lock::new(name, ShareUpdateExclusive, Work::Instant));
            published(&alter.pubobjects).chain(before).collect()
        }
        NodeEnum::DoStmt(_) => {
            vec![Lock::untold("the block of code may lock more than its plain SQL does")]
        }
        NodeEnum::CallStmt(_) => vec![Lock::untold("the code of the procedure is not known here")],
        NodeEnum::CreateExtensionStmt(_) | NodeEnum::AlterExtensionStmt(_) => {
            vec![Lock::untold("the script of the extension is not known here")]
        }
        _ => Vec::new(),
    }
}

/// On the relation itself, whatever parts it has.
pub(super) fn alone(var: Option<&pb::RangeVar>, mode: Mode) -> Lock {
    Lock { parts: Parts::Alone, ..Lock::moment(var, mode) }
}

fn truncates(truncate: &pb::TruncateStmt) -> Vec<Lock> {
    let cascades = truncate.behavior() == pb::DropBehavior::DropCascade;
    let of = |node: &pb::Node| match node.node.as_ref() {
        Some(NodeEnum::RangeVar(var)) => {
            let lock = Lock::moment(Some(var), Mode::AccessExclusive);
            Some(if cascades {
                lock.with(To::Emptied, Mode::AccessExclusive, Work::Instant)
            } else {
                lock
            })
        }
        _ => None,
    };
    truncate.relations.iter().filter_map(of).collect()
}

fn locks(lock: &pb::LockStmt) -> Vec<Lock> {
    let mode = usize::try_from(lock.mode).ok().and_then(|mode| Mode::ALL.get(mode.checked_sub(1)?));
    let mode = mode.copied().unwrap_or(Mode::AccessExclusive);
    let of = |node: &pb::Node| match node.node.as_ref() {
        Some(NodeEnum::RangeVar(var)) => {
            Some(Lock::moment(Some(var), mode).with(To::Under, mode, Work::Instant))
        }
        _ => None,
    };
    lock.relations.iter().filter_map(of).collect()
}

fn renames(rename: &pb::RenameStmt) -> Vec<Lock> {
    use pb::ObjectType as Type;
    let var = rename.relation.as_ref();
    match (var, rename.rename_type()) {
        (None, _) => Vec::new(),
        (Some(var), Type::ObjectIndex) => {
            let on = On::Index(names::relation(var));
            vec![Lock::new(on, Mode::ShareUpdateExclusive, Work::Instant)]
        }
        // The parts have the same.
        (Some(_), Type::ObjectColumn | Type::ObjectTabconstraint) => {
            vec![Lock::moment(var, Mode::AccessExclusive)]
        }
        (Some(_), Type::ObjectTrigger) => {
            vec![Lock::moment(var, Mode::AccessExclusive).and(Parts::Partitions, var)]
        }
        (Some(_), Type::ObjectAttribute) => {
            let lock = Lock::moment(var, Mode::AccessExclusive);
            std::iter::once(lock).chain(typed(rename.behavior())).collect()
        }
        (Some(_), _) => vec![alone(var, Mode::AccessExclusive)],
    }
}

/// Tables of a composite type, which change with it.
pub(super) fn typed(behavior: pb::DropBehavior) -> Option<Lock> {
    let cascades = behavior == pb::DropBehavior::DropCascade;
    cascades.then(|| Lock::untold("every table of the type is changed with it (CASCADE)"))
}

/// A domain's constraint is checked against every value there is.
fn domain(alter: &pb::AlterDomainStmt) -> Vec<Lock> {
    let is_checked = match alter.subtype.as_str() {
        // C adds a constraint, V validates one, O refuses nulls.
        "C" => !matches!(
            alter.def.as_ref().and_then(|def| def.node.as_ref()),
            Some(NodeEnum::Constraint(constraint)) if constraint.skip_validation
        ),
        "V" | "O" => true,
        "T" | "X" | "N" => false,
        _ => true,
    };
    let on = On::Type(names::path(&alter.type_name));
    is_checked.then(|| Lock::new(on, Mode::Share, Work::Read)).into_iter().collect()
}

/// A remark on a relation or a column of one. Remarks on other things lock no relation.
fn described(kind: pb::ObjectType, object: Option<&pb::Node>) -> Option<Lock> {
    use pb::ObjectType as Type;
    let mut parts = names::parts(object.and_then(|object| object.node.as_ref()));
    match kind {
        Type::ObjectTable
        | Type::ObjectView
        | Type::ObjectMatview
        | Type::ObjectForeignTable
        | Type::ObjectSequence
        | Type::ObjectIndex => {}
        Type::ObjectColumn => {
            parts.pop();
        }
        _ => return None,
    }
    let on = On::Relation(names::dotted(parts));
    Some(Lock::new(on, Mode::ShareUpdateExclusive, Work::Instant))
}

fn vacuums(vacuum: &pb::VacuumStmt) -> Vec<Lock> {
    let (mode, work) = if vacuum.is_vacuumcmd && names::switched(&vacuum.options, "full") {
        (Mode::AccessExclusive, Work::Rewrite)
    } else {
        (Mode::ShareUpdateExclusive, Work::Read)
    };
    let of = |node: &pb::Node| match node.node.as_ref() {
        Some(NodeEnum::VacuumRelation(relation)) => {
            Some(Lock::of(relation.relation.as_ref(), mode, work))
        }
        _ => None,
    };
    if vacuum.rels.is_empty() {
        return vec![Lock::new(On::Database, mode, work)];
    }
    vacuum.rels.iter().filter_map(of).collect()
}

/// Planning a query takes a lock on every index of its tables, so one that is rebuilt blocks reads too.
fn reindexes(reindex: &pb::ReindexStmt) -> Vec<Lock> {
    use pb::ReindexObjectType as Kind;
    let concurrently = names::switched(&reindex.params, "concurrently");
    let mode = if concurrently { Mode::ShareUpdateExclusive } else { Mode::AccessExclusive };
    let name = || names::relation_or_empty(reindex.relation.as_ref());
    let on = match reindex.kind() {
        Kind::ReindexObjectIndex => On::Index(name()),
        Kind::ReindexObjectTable => On::Relation(name()),
        Kind::ReindexObjectSchema => On::Schema(names::dotted([reindex.name.as_str()])),
        Kind::ReindexObjectSystem | Kind::ReindexObjectDatabase | Kind::Undefined => On::Database,
    };
    vec![Lock { parts: Parts::Partitions, ..Lock::new(on, mode, Work::Build) }]
}

fn published(objects: &[pb::Node]) -> impl Iterator<Item = Lock> {
    objects.iter().filter_map(|node| match node.node.as_ref() {
        Some(NodeEnum::PublicationObjSpec(object)) => {
            let var = object.pubtable.as_ref()?.relation.as_ref()?;
            Some(Lock::moment(Some(var), Mode::ShareUpdateExclusive))
        }
        _ => None,
    })
}
