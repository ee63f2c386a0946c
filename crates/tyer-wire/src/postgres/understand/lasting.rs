//! What a rollback does not take back: files, programs, other connections, other databases, the server
//! itself, and statements that commit by themselves ("Transactions" in the PostgreSQL documentation, and
//! the notes of each statement that cannot run inside a transaction block).

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::intent::{Act, Effect, Kind};

use super::bodies;

/// What of a text a rollback behind it does not take back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lasting {
    /// Nothing: a rollback takes all of it back. No code that cannot be seen through, nothing outside this
    /// database, no statement that commits by itself.
    #[default]
    Nothing,
    /// A part of it stays.
    Itself,
    /// It may commit by itself, and with it what was done before it.
    Before,
}

/// What stays of a statement, whatever its acts are.
pub(super) fn of(node: &NodeEnum) -> Lasting {
    if commits_itself(node) { Lasting::Before } else { Lasting::Nothing }
}

/// What stays of an act. What cannot be seen through may do anything.
pub(super) fn of_act(act: &Act) -> Lasting {
    if act.local || act.effect == Effect::Read {
        return Lasting::Nothing;
    }
    if matches!(act.effect, Effect::Execute | Effect::Opaque) {
        return Lasting::Before;
    }
    match act.resource.kind {
        Kind::Schema
        | Kind::Relation
        | Kind::Column
        | Kind::Function
        | Kind::Type
        | Kind::Role
        | Kind::Extension => Lasting::Nothing,
        Kind::Upstream
        | Kind::Database
        | Kind::Setting
        | Kind::File
        | Kind::Program
        | Kind::Connection
        | Kind::Object => Lasting::Itself,
    }
}

/// Whether the statement commits its work by itself, so that nothing after it takes it back.
fn commits_itself(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::VacuumStmt(_)
        | NodeEnum::ClusterStmt(_)
        | NodeEnum::CallStmt(_)
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
        NodeEnum::DoStmt(block) => bodies::may_commit(block),
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
