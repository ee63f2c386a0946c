//! What ALTER TABLE and CREATE TABLE lock: `AlterTableGetLockLevel`, and what each sub-command opens besides.

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::locks::Work;

use super::super::{builtin, names};
use super::statements::{alone, typed};
use super::{Lock, Mode, On, Parts, To};
use Mode::{AccessExclusive, ShareRowExclusive, ShareUpdateExclusive};

/// Options of tables and indexes that are set without keeping anybody from reading or writing (`reloptions.c`).
const MILD_OPTIONS: &[&str] = &[
    "deduplicate_items",
    "effective_io_concurrency",
    "fillfactor",
    "log_autoanalyze_min_duration",
    "log_autovacuum_min_duration",
    "maintenance_io_concurrency",
    "parallel_workers",
    "random_page_cost",
    "seq_page_cost",
    "toast_tuple_target",
    "vacuum_index_cleanup",
    "vacuum_max_eager_freeze_failure_rate",
    "vacuum_truncate",
];

/// Functions that give all rows the same value: adding a column with one as its default leaves the rows alone.
const SAME_FOR_ALL: &[&str] =
    &["current_setting", "now", "statement_timestamp", "transaction_timestamp"];

/// What ALTER TABLE locks.
pub(super) fn alters(alter: &pb::AlterTableStmt) -> Vec<Lock> {
    let mut own: Option<Lock> = None;
    let mut others = Vec::new();
    let is_type = alter.objtype() == pb::ObjectType::ObjectType;
    for node in &alter.cmds {
        let Some(NodeEnum::AlterTableCmd(command)) = node.node.as_ref() else { continue };
        let (mode, work) = level(command);
        let var = alter.relation.as_ref();
        let mut lock = Lock::of(var, mode, work).and(parts(command.subtype()), var);
        // An index has neither foreign keys nor rows of its own to look at.
        if alter.objtype() != pb::ObjectType::ObjectIndex {
            along(command, &mut lock);
        }
        others.extend(named(alter, command));
        others.extend(typed(command.behavior()).filter(|_| is_type));
        match &mut own {
            Some(own) => own.join(lock),
            None => own = Some(lock),
        }
    }
    own.into_iter().chain(others).collect()
}

/// What CREATE TABLE locks: what it comes to stand below, and what it comes to refer to.
pub(super) fn creates(create: &pb::CreateStmt) -> Vec<Lock> {
    let of = |node: &pb::Node| match node.node.as_ref() {
        Some(NodeEnum::RangeVar(var)) => Some(if create.partbound.is_some() {
            with_new_part(alone(Some(var), AccessExclusive), Work::Read)
        } else {
            alone(Some(var), ShareUpdateExclusive)
        }),
        _ => None,
    };
    let own = names::relation_or_empty(create.relation.as_ref());
    let referred = create.table_elts.iter().chain(&create.constraints).flat_map(constraints);
    let referred = referred.filter_map(referred_by).filter(|lock| lock.on != On::Relation(own.clone()));
    create.inh_relations.iter().filter_map(of).chain(referred).collect()
}

/// The partitioned table of a new part: what is in the default partition must not belong to that part, and foreign keys
/// come to be those of the part too, in both directions.
fn with_new_part(lock: Lock, of_default: Work) -> Lock {
    lock.with(To::Default, AccessExclusive, of_default)
        .with(To::Referred(None), ShareRowExclusive, Work::Instant)
        .with(To::Referring(None), ShareRowExclusive, Work::Instant)
}

/// The mode that a sub-command needs, and what it does meanwhile. What is not on the list is the worst there is.
fn level(command: &pb::AlterTableCmd) -> (Mode, Work) {
    use pb::AlterTableType as At;
    match command.subtype() {
        At::AtAddColumn => (AccessExclusive, added(command)),
        At::AtAddConstraint => added_constraint(command),
        At::AtSetNotNull => (AccessExclusive, Work::Read),
        At::AtAddIndex => (AccessExclusive, Work::Build),
        At::AtSetRelOptions | At::AtResetRelOptions => (options(command), Work::Instant),
        At::AtSetStatistics
        | At::AtSetOptions
        | At::AtResetOptions
        | At::AtClusterOn
        | At::AtDropCluster
        | At::AtAttachPartition
        | At::AtDetachPartitionFinalize => (ShareUpdateExclusive, Work::Instant),
        At::AtValidateConstraint => (ShareUpdateExclusive, Work::Read),
        At::AtDetachPartition if is_concurrent(command) => (ShareUpdateExclusive, Work::Instant),
        At::AtEnableTrig
        | At::AtEnableAlwaysTrig
        | At::AtEnableReplicaTrig
        | At::AtEnableTrigAll
        | At::AtEnableTrigUser
        | At::AtDisableTrig
        | At::AtDisableTrigAll
        | At::AtDisableTrigUser => (ShareRowExclusive, Work::Instant),
        subtype if is_momentary(subtype) => (AccessExclusive, Work::Instant),
        _ => (AccessExclusive, Work::Rewrite),
    }
}

/// What of the parts of a table a sub-command changes too.
fn parts(subtype: pb::AlterTableType) -> Parts {
    use pb::AlterTableType as At;
    match subtype {
        At::AtSetRelOptions
        | At::AtResetRelOptions
        | At::AtReplaceRelOptions
        | At::AtReplicaIdentity
        | At::AtEnableRowSecurity
        | At::AtDisableRowSecurity
        | At::AtForceRowSecurity
        | At::AtNoForceRowSecurity
        | At::AtChangeOwner
        | At::AtSetLogged
        | At::AtSetUnLogged
        | At::AtSetTableSpace
        | At::AtSetAccessMethod
        | At::AtClusterOn
        | At::AtDropCluster
        | At::AtEnableRule
        | At::AtEnableAlwaysRule
        | At::AtEnableReplicaRule
        | At::AtDisableRule
        | At::AtAddInherit
        | At::AtDropInherit
        | At::AtAddOf
        | At::AtDropOf
        | At::AtAttachPartition
        | At::AtDetachPartition
        | At::AtDetachPartitionFinalize => Parts::Alone,
        At::AtEnableTrig
        | At::AtEnableAlwaysTrig
        | At::AtEnableReplicaTrig
        | At::AtEnableTrigAll
        | At::AtEnableTrigUser
        | At::AtDisableTrig
        | At::AtDisableTrigAll
        | At::AtDisableTrigUser => Parts::Partitions,
        _ => Parts::All,
    }
}

/// Sub-commands that keep everybody off, but only while the catalogue is changed.
fn is_momentary(subtype: pb::AlterTableType) -> bool {
    use pb::AlterTableType as At;
    matches!(
        subtype,
        At::AtAddColumnToView
            | At::AtColumnDefault
            | At::AtDropNotNull
            | At::AtDropExpression
            | At::AtSetStorage
            | At::AtSetCompression
            | At::AtDropColumn
            | At::AtAddIndexConstraint
            | At::AtAlterConstraint
            | At::AtDropConstraint
            | At::AtAlterColumnGenericOptions
            | At::AtGenericOptions
            | At::AtChangeOwner
            | At::AtDropOids
            | At::AtReplaceRelOptions
            | At::AtEnableRule
            | At::AtEnableAlwaysRule
            | At::AtEnableReplicaRule
            | At::AtDisableRule
            | At::AtAddInherit
            | At::AtDropInherit
            | At::AtAddOf
            | At::AtDropOf
            | At::AtReplicaIdentity
            | At::AtEnableRowSecurity
            | At::AtDisableRowSecurity
            | At::AtForceRowSecurity
            | At::AtNoForceRowSecurity
            | At::AtDetachPartition
            | At::AtAddIdentity
            | At::AtSetIdentity
            | At::AtDropIdentity
    )
}

/// In which directions a sub-command locks more.
fn along(command: &pb::AlterTableCmd, lock: &mut Lock) {
    use pb::AlterTableType as At;
    let by = || Some(command.name.clone());
    let cascades = command.behavior() == pb::DropBehavior::DropCascade;
    let mut also = |to, mode| lock.also(to, mode, Work::Instant);
    match command.subtype() {
        // A foreign key has triggers on both sides.
        At::AtDropColumn | At::AtDropConstraint => {
            also(To::Referred(by()), AccessExclusive);
            if cascades {
                also(To::Referring(by()), AccessExclusive);
                also(To::Readers(by()), AccessExclusive);
            }
        }
        At::AtAlterColumnType => {
            also(To::Referred(by()), AccessExclusive);
            also(To::Referring(by()), AccessExclusive);
        }
        // What is not enforced has no triggers.
        At::AtAlterConstraint => {
            let Some(NodeEnum::AtalterConstraint(change)) =
                command.def.as_ref().and_then(|def| def.node.as_ref())
            else {
                return also(To::Referred(None), AccessExclusive);
            };
            if change.alter_enforceability {
                also(To::Referred(Some(change.conname.clone())), AccessExclusive);
            }
        }
        At::AtAttachPartition => *lock = with_new_part(lock.clone(), Work::Read),
        At::AtDetachPartition | At::AtDetachPartitionFinalize => {
            also(To::Default, AccessExclusive);
            also(To::Referred(None), ShareRowExclusive);
            also(To::Referring(None), AccessExclusive);
        }
        _ => {}
    }
}

/// What else a sub-command names.
fn named(alter: &pb::AlterTableStmt, command: &pb::AlterTableCmd) -> Vec<Lock> {
    use pb::AlterTableType as At;
    let def = command.def.as_ref().and_then(|def| def.node.as_ref());
    match (command.subtype(), def) {
        (At::AtAttachPartition, Some(NodeEnum::PartitionCmd(part))) => {
            let lock = Lock::of(part.name.as_ref(), AccessExclusive, Work::Read);
            // A part of an index is one.
            vec![match (alter.objtype(), lock.on) {
                (pb::ObjectType::ObjectIndex, On::Relation(name)) => {
                    Lock::new(On::Index(name), AccessExclusive, Work::Instant)
                }
                (_, on) => Lock { on, ..lock },
            }]
        }
        (At::AtDetachPartition | At::AtDetachPartitionFinalize, Some(NodeEnum::PartitionCmd(part))) => {
            vec![Lock::moment(part.name.as_ref(), AccessExclusive)]
        }
        (At::AtAddInherit, Some(NodeEnum::RangeVar(parent))) => {
            vec![alone(Some(parent), ShareUpdateExclusive)]
        }
        (At::AtAddConstraint | At::AtAddColumn, _) => {
            command.def.iter().flat_map(|def| constraints(def)).filter_map(referred_by).collect()
        }
        _ => Vec::new(),
    }
}

/// The constraints of a node that is one, or a column with some.
fn constraints(node: &pb::Node) -> Vec<&pb::Constraint> {
    match node.node.as_ref() {
        Some(NodeEnum::Constraint(constraint)) => vec![constraint],
        Some(NodeEnum::ColumnDef(column)) => column.constraints.iter().flat_map(constraints).collect(),
        _ => Vec::new(),
    }
}

/// The lock on the table that a foreign key refers to, which gets triggers.
fn referred_by(constraint: &pb::Constraint) -> Option<Lock> {
    constraint.pktable.as_ref().map(|var| Lock::moment(Some(var), ShareRowExclusive))
}

/// What a new constraint needs.
fn added_constraint(command: &pb::AlterTableCmd) -> (Mode, Work) {
    let Some(NodeEnum::Constraint(constraint)) = command.def.as_ref().and_then(|def| def.node.as_ref())
    else {
        return (AccessExclusive, Work::Rewrite);
    };
    let mode = match constraint.contype() {
        pb::ConstrType::ConstrForeign => ShareRowExclusive,
        _ => AccessExclusive,
    };
    (mode, checked(constraint))
}

/// What is done with the rows that are there for a new constraint.
fn checked(constraint: &pb::Constraint) -> Work {
    use pb::ConstrType as Kind;
    match constraint.contype() {
        _ if constraint.skip_validation => Work::Instant,
        Kind::ConstrUnique if !constraint.indexname.is_empty() => Work::Instant,
        // Its columns must not be null.
        Kind::ConstrPrimary if !constraint.indexname.is_empty() => Work::Read,
        Kind::ConstrPrimary | Kind::ConstrUnique | Kind::ConstrExclusion => Work::Build,
        _ => Work::Read,
    }
}

/// What is done with the rows that are there for a new column.
fn added(command: &pb::AlterTableCmd) -> Work {
    let Some(NodeEnum::ColumnDef(column)) = command.def.as_ref().and_then(|def| def.node.as_ref())
    else {
        return Work::Rewrite;
    };
    use pb::ConstrType as Kind;
    let mut work = if is_plain(column.type_name.as_ref()) { Work::Instant } else { Work::Rewrite };
    let is_default = |constraint: &&pb::Constraint| constraint.contype() == Kind::ConstrDefault;
    let all: Vec<&pb::Constraint> = column.constraints.iter().flat_map(constraints).collect();
    let has_default = all.iter().any(is_default);
    for constraint in all {
        work = work.max(match constraint.contype() {
            Kind::ConstrDefault if is_same_for_all(constraint.raw_expr.as_deref()) => Work::Instant,
            Kind::ConstrDefault | Kind::ConstrIdentity => Work::Rewrite,
            // What is computed when it is read is not stored.
            Kind::ConstrGenerated if constraint.generated_kind == "v" => Work::Instant,
            Kind::ConstrGenerated => Work::Rewrite,
            // One value for all is known to be none, or not to be.
            Kind::ConstrNotnull if has_default => Work::Instant,
            Kind::ConstrForeign if !has_default => Work::Instant,
            Kind::ConstrNull
            | Kind::ConstrAttrDeferrable
            | Kind::ConstrAttrNotDeferrable
            | Kind::ConstrAttrDeferred
            | Kind::ConstrAttrImmediate
            | Kind::ConstrAttrEnforced
            | Kind::ConstrAttrNotEnforced => Work::Instant,
            _ => checked(constraint),
        });
    }
    work
}

/// Whether a type is the server's own, and neither counts rows nor checks values.
fn is_plain(name: Option<&pb::TypeName>) -> bool {
    let parts = name.map(|name| names::strings(&name.names)).unwrap_or_default();
    match parts.as_slice() {
        [name] | ["pg_catalog", name] => builtin::is_type(name) && !builtin::SERIAL.contains(name),
        _ => false,
    }
}

/// Whether an expression certainly has the same value for each row of one statement.
fn is_same_for_all(expression: Option<&pb::Node>) -> bool {
    match expression.and_then(|node| node.node.as_ref()) {
        Some(NodeEnum::AConst(_) | NodeEnum::SqlvalueFunction(_)) => true,
        Some(NodeEnum::TypeCast(cast)) => {
            is_plain(cast.type_name.as_ref()) && is_same_for_all(cast.arg.as_deref())
        }
        Some(NodeEnum::AArrayExpr(array)) => array.elements.iter().all(|it| is_same_for_all(Some(it))),
        Some(NodeEnum::FuncCall(call)) => {
            let is_known = match names::strings(&call.funcname).as_slice() {
                [name] | ["pg_catalog", name] => SAME_FOR_ALL.contains(name),
                _ => false,
            };
            is_known && call.args.iter().all(|argument| is_same_for_all(Some(argument)))
        }
        _ => false,
    }
}

/// The mode that setting these options needs.
fn options(command: &pb::AlterTableCmd) -> Mode {
    let Some(NodeEnum::List(list)) = command.def.as_ref().and_then(|def| def.node.as_ref()) else {
        return AccessExclusive;
    };
    let is_mild = |node: &pb::Node| match node.node.as_ref() {
        Some(NodeEnum::DefElem(option)) => {
            let name = option.defname.as_str();
            name.starts_with("autovacuum_") || MILD_OPTIONS.contains(&name)
        }
        _ => false,
    };
    if list.items.iter().all(is_mild) { ShareUpdateExclusive } else { AccessExclusive }
}

fn is_concurrent(command: &pb::AlterTableCmd) -> bool {
    match command.def.as_ref().and_then(|def| def.node.as_ref()) {
        Some(NodeEnum::PartitionCmd(part)) => part.concurrent,
        _ => false,
    }
}
