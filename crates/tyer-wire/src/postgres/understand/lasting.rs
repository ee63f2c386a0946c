//! What a rollback does not take back: files, programs, other connections, other databases, the server
//! itself, and statements that commit by themselves ("Transactions" in the PostgreSQL documentation, and
//! the notes of each statement that cannot run inside a transaction block).

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::intent::{Act, Effect, Kind};

/// Whether a rollback takes the act back. What cannot be seen through may do anything.
pub(super) fn is_undone(act: &Act) -> bool {
    if act.local || act.effect == Effect::Read {
        return true;
    }
    if matches!(act.effect, Effect::Execute | Effect::Opaque) {
        return false;
    }
    match act.resource.kind {
        Kind::Schema
        | Kind::Relation
        | Kind::Column
        | Kind::Function
        | Kind::Type
        | Kind::Role
        | Kind::Extension => true,
        Kind::Upstream
        | Kind::Database
        | Kind::Setting
        | Kind::File
        | Kind::Program
        | Kind::Connection
        | Kind::Object => false,
    }
}

/// Whether the statement commits its work by itself, so that nothing after it takes it back.
pub(super) fn commits_itself(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::VacuumStmt(_)
        | NodeEnum::ClusterStmt(_)
        | NodeEnum::CallStmt(_)
        | NodeEnum::DoStmt(_)
        | NodeEnum::ReindexStmt(_)
        | NodeEnum::CheckPointStmt(_)
        | NodeEnum::CreatedbStmt(_)
        | NodeEnum::DropdbStmt(_)
        | NodeEnum::AlterSystemStmt(_)
        | NodeEnum::CreateTableSpaceStmt(_)
        | NodeEnum::DropTableSpaceStmt(_)
        | NodeEnum::CreateSubscriptionStmt(_)
        | NodeEnum::AlterSubscriptionStmt(_)
        | NodeEnum::DropSubscriptionStmt(_) => true,
        NodeEnum::IndexStmt(index) => index.concurrent,
        NodeEnum::DropStmt(drop) => drop.concurrent,
        NodeEnum::AlterTableStmt(alter) => alter.cmds.iter().any(detaches_concurrently),
        _ => false,
    }
}

fn detaches_concurrently(command: &pb::Node) -> bool {
    let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { return true };
    let Some(NodeEnum::PartitionCmd(partition)) =
        command.def.as_ref().and_then(|def| def.node.as_ref())
    else {
        return false;
    };
    partition.concurrent
}
