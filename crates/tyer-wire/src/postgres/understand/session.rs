//! Statements about the session itself: transactions, settings, cursors, prepared statements, EXPLAIN.

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::intent::{Act, Effect, Kind, Resource};

use super::acts::{act, free, table};
use super::walk::{Judged, Walk};
use super::{About, Control, Lasting, calls, lasting, names, rows, settings};

/// Whether a statement can run in a transaction block that somebody else opens and ends.
pub(super) fn fits_block(node: &NodeEnum) -> bool {
    // The query of a cursor that is kept runs at the very end.
    let runs_later = matches!(node, NodeEnum::DeclareCursorStmt(_) | NodeEnum::ExecuteStmt(_));
    !runs_later
        && control(node).is_none()
        && !rows::takes_rows(node)
        && lasting::of(node) != Lasting::Before
}

/// What a text of these is about; `hidden` is whether what it executes by name is about the session.
pub(super) fn about<'a, I: Iterator<Item = &'a NodeEnum>>(
    nodes: impl Fn() -> I,
    hidden: bool,
) -> About {
    let has_contents = nodes().any(is_contents);
    let shows = |node: &NodeEnum| matches!(node, NodeEnum::VariableShowStmt(_));
    let decides = |node: &NodeEnum| decides(node) && !(has_contents && shows(node));
    if hidden || nodes().any(decides) {
        About::Session
    } else if has_contents {
        About::Contents
    } else {
        About::Neither
    }
}

/// Whether one text both reads and decides, other than by transaction control, whether the session may write.
pub(super) fn decides_beside_contents<'a, I: Iterator<Item = &'a NodeEnum>>(
    nodes: impl Fn() -> I,
) -> bool {
    let is_control = |node: &NodeEnum| matches!(node, NodeEnum::TransactionStmt(_));
    let is_setting = |node: &NodeEnum| {
        matches!(node, NodeEnum::VariableSetStmt(_) | NodeEnum::DiscardStmt(_)) && decides(node)
    };
    nodes().any(is_contents) && nodes().any(is_setting) && !nodes().any(is_control)
}

fn is_contents(node: &NodeEnum) -> bool {
    use NodeEnum as Node;
    matches!(
        node,
        Node::SelectStmt(_)
            | Node::CopyStmt(_)
            | Node::ExplainStmt(_)
            | Node::DeclareCursorStmt(_)
            | Node::FetchStmt(_)
            | Node::ClosePortalStmt(_)
            | Node::PrepareStmt(_)
            | Node::ExecuteStmt(_)
            | Node::DeallocateStmt(_)
    )
}

/// Whether a statement decides whether the session may write, or shows it, or nobody can tell.
fn decides(node: &NodeEnum) -> bool {
    use pb::VariableSetKind as Set;
    match node {
        NodeEnum::VariableSetStmt(set) => match set.kind() {
            Set::VarSetValue | Set::VarSetDefault | Set::VarReset => {
                settings::decides_writing(&set.name)
            }
            _ => true,
        },
        NodeEnum::DiscardStmt(discard) => discard.target() == pb::DiscardMode::DiscardAll,
        NodeEnum::VariableShowStmt(show) => show.name == "all" || settings::decides_writing(&show.name),
        NodeEnum::ListenStmt(_)
        | NodeEnum::UnlistenStmt(_)
        | NodeEnum::NotifyStmt(_)
        | NodeEnum::ConstraintsSetStmt(_) => false,
        other => !is_contents(other),
    }
}

/// The transaction control that a statement is, if it is.
pub(super) fn control(node: &NodeEnum) -> Option<Control> {
    use pb::TransactionStmtKind as Kind;
    let NodeEnum::TransactionStmt(statement) = node else {
        return None;
    };
    Some(match statement.kind() {
        Kind::TransStmtBegin | Kind::TransStmtStart => Control::Begin,
        Kind::TransStmtCommit => Control::Commit { chain: statement.chain },
        Kind::TransStmtRollback => Control::Rollback { chain: statement.chain },
        Kind::TransStmtSavepoint => Control::Savepoint(statement.savepoint_name.clone()),
        Kind::TransStmtRelease => Control::Release(statement.savepoint_name.clone()),
        Kind::TransStmtRollbackTo => Control::RollbackTo(statement.savepoint_name.clone()),
        Kind::TransStmtPrepare => Control::Prepare,
        _ => return None,
    })
}

impl Walk {
    /// Judges a statement about the session.
    pub(super) fn session(&mut self, node: &NodeEnum) -> Option<Judged> {
        match node {
            NodeEnum::TransactionStmt(statement) => self.transaction(statement),
            NodeEnum::VariableSetStmt(set) => {
                settings::judge(set).into_iter().for_each(|act| self.found.push(act));
            }
            NodeEnum::VariableShowStmt(show) => self.found.push(settings::show(&show.name)),
            NodeEnum::ConstraintsSetStmt(_) => {
                self.found.push(free("sets when this transaction checks its constraints"));
            }
            NodeEnum::DiscardStmt(discard) => {
                self.forget();
                self.found.push(free("puts the session back to how it began"));
                if discard.target() == pb::DiscardMode::DiscardAll {
                    self.forgets_names();
                }
            }
            NodeEnum::ListenStmt(_) | NodeEnum::UnlistenStmt(_) => {
                self.found.push(free("changes which notifications this session hears"));
            }
            NodeEnum::NotifyStmt(notify) => self.found.push(calls::notify(&notify.conditionname)),
            NodeEnum::FetchStmt(_) => self.fetches(),
            NodeEnum::ClosePortalStmt(_) => {
                self.found.push(free("uses a cursor that this session declared"));
            }
            NodeEnum::DeclareCursorStmt(declare) => self.declares(declare),
            NodeEnum::PrepareStmt(prepare) => self.prepares(prepare),
            NodeEnum::ExecuteStmt(execute) => self.executes(execute),
            NodeEnum::DeallocateStmt(deallocate) => self.deallocates(deallocate),
            NodeEnum::ExplainStmt(explain) => self.explains(explain),
            _ => return None,
        }
        Some(Judged::Done)
    }

    fn transaction(&mut self, statement: &pb::TransactionStmt) {
        use pb::TransactionStmtKind as Kind;
        let why = match statement.kind() {
            Kind::TransStmtBegin | Kind::TransStmtStart => {
                settings::transaction(&statement.options)
                    .into_iter()
                    .filter(|act| !act.local)
                    .for_each(|act| self.found.push(act));
                "opens a transaction"
            }
            Kind::TransStmtCommit => "ends the transaction and keeps its work",
            Kind::TransStmtRollback => "ends the transaction and drops its work",
            Kind::TransStmtSavepoint => "marks a point to go back to",
            Kind::TransStmtRelease => "forgets a point to go back to",
            Kind::TransStmtRollbackTo => "goes back to a marked point",
            Kind::TransStmtPrepare
            | Kind::TransStmtCommitPrepared
            | Kind::TransStmtRollbackPrepared => {
                let why = "ends a transaction in two steps, apart from the session that began it";
                return self.found.push(Act::opaque(why));
            }
            Kind::Undefined => return self.unknown("TransactionStmt"),
        };
        // A temporary table may be gone after any of these, and its name mean another one.
        if !matches!(statement.kind(), Kind::TransStmtBegin | Kind::TransStmtStart) {
            self.forget();
        }
        self.found.push(free(why));
    }

    /// What a cursor reads is fetched freely, forwards and back, and each fetch may run its query again.
    fn declares(&mut self, declare: &pb::DeclareCursorStmt) {
        let found = self.apart(&declare.query);
        if found.iter().any(|act| act.effect.is_dangerous() && !act.local) {
            let why = "declares a cursor over code that is not known: each FETCH may run it again";
            self.found.push(Act::opaque(why));
        }
        found.into_iter().for_each(|act| self.found.push(act));
    }

    fn explains(&mut self, explain: &pb::ExplainStmt) {
        // ANALYZE runs the statement.
        if names::switched(&explain.options, "analyze") {
            return self.used(&explain.query);
        }
        let mention = std::mem::replace(&mut self.mention, false);
        let planned = self.apart(&explain.query);
        self.mention = mention;
        for inner in planned {
            let hidden = matches!(inner.resource.kind, Kind::Function | Kind::Type);
            match inner.effect {
                // Planning may already compute what is declared never to change.
                Effect::Execute if hidden => self.found.push(inner),
                Effect::Opaque => self.found.push(inner),
                _ if inner.resource.kind == Kind::Relation => {
                    let why = format!("shows the plan for {}; nothing runs", inner.resource.name);
                    let read = act(Effect::Read, table(inner.resource.name), why);
                    self.found.push(Act { local: inner.local, ..read });
                }
                _ => self.found.push(free("shows a plan; nothing runs")),
            }
        }
        // Unlike the statement, the arguments of EXECUTE are computed, and for real.
        if let Some(execute) = executed(explain.query.as_deref()) {
            self.used(&execute.params);
        }
    }

    /// Code that is not known here.
    pub(super) fn runs_code(&mut self, kind: Kind, name: &str, why: String) {
        self.distrust();
        self.found.push(act(Effect::Execute, Resource::new(kind, name), why));
    }
}

/// The EXECUTE that is explained, by itself or as what makes a table.
fn executed(query: Option<&pb::Node>) -> Option<&pb::ExecuteStmt> {
    match query?.node.as_ref()? {
        NodeEnum::ExecuteStmt(execute) => Some(execute),
        NodeEnum::CreateTableAsStmt(create) => executed(create.query.as_deref()),
        _ => None,
    }
}
