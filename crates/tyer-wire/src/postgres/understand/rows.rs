//! Statements that touch rows: INSERT, UPDATE, DELETE, MERGE, TRUNCATE, COPY.

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::intent::{Effect, Kind, Resource, Reversibility, Tie};

use super::acts::{Adjust, act, table};
use super::tree::See;
use super::walk::{Judged, Walk};
use super::{builtin, names, truth};

/// Whether a statement is a plain query or change of rows.
pub(super) fn is_plain(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::SelectStmt(select) => select.into_clause.is_none(),
        NodeEnum::InsertStmt(_)
        | NodeEnum::UpdateStmt(_)
        | NodeEnum::DeleteStmt(_)
        | NodeEnum::MergeStmt(_) => true,
        _ => false,
    }
}

/// Whether the server asks whoever sent the statement for rows.
pub(super) fn takes_rows(node: &NodeEnum) -> bool {
    matches!(node, NodeEnum::CopyStmt(copy) if copy.is_from && !copy.is_program && copy.filename.is_empty())
}

impl Walk {
    /// Judges a statement that touches rows.
    pub(super) fn rows(&mut self, node: &NodeEnum) -> Option<Judged> {
        let scope = self.ctes.len();
        match node {
            NodeEnum::InsertStmt(insert) => self.insert(insert),
            NodeEnum::UpdateStmt(update) => self.update(update),
            NodeEnum::DeleteStmt(delete) => self.delete(delete),
            NodeEnum::MergeStmt(merge) => self.merge(merge),
            NodeEnum::TruncateStmt(truncate) => self.truncate(truncate),
            NodeEnum::CopyStmt(copy) => {
                self.copy(copy);
                return Some(Judged::Below);
            }
            _ => return None,
        }
        self.ctes.truncate(scope);
        Some(Judged::Done)
    }

    /// One effect on the rows of a relation.
    fn touches(&mut self, effect: Effect, var: &pb::RangeVar, why: String) {
        self.touches_some(effect, var, (why, None));
    }

    /// The same, where the tie says that it is not all of them.
    fn touches_some(&mut self, effect: Effect, var: &pb::RangeVar, (why, tie): (String, Option<Tie>)) {
        let name = names::relation(var);
        let local = self.is_temp(var);
        if effect != Effect::Create && !local {
            self.loses(&name);
        }
        let catalog = builtin::is_catalog(&var.schemaname, &var.relname) && effect < Effect::Disarm;
        let (effect, why) = if catalog {
            (Effect::Disarm, format!("writes to {name}, one of the database's own tables"))
        } else {
            (effect, why)
        };
        self.found.push(act(effect, table(name), why).local_if(local).tied(tie));
    }

    fn insert(&mut self, insert: &pb::InsertStmt) {
        let pb::InsertStmt {
            relation,
            cols,
            select_stmt,
            on_conflict_clause,
            returning_clause,
            with_clause,
            r#override: _,
        } = insert;
        self.mention = false;
        with_clause.see(self);
        if let Some(var) = relation {
            let name = names::relation(var);
            self.touches(Effect::Create, var, format!("adds rows to {name}"));
            let update = pb::OnConflictAction::OnconflictUpdate;
            if on_conflict_clause.as_ref().is_some_and(|clause| clause.action() == update) {
                let why = format!("changes rows of {name} that are there already");
                self.touches(Effect::Change, var, why);
            }
        }
        (cols, select_stmt).see(self);
        (on_conflict_clause, returning_clause).see(self);
    }

    fn update(&mut self, update: &pb::UpdateStmt) {
        let pb::UpdateStmt {
            relation,
            target_list,
            where_clause,
            from_clause,
            returning_clause,
            with_clause,
        } = update;
        self.mention = false;
        with_clause.see(self);
        if let Some(var) = relation {
            let name = names::relation(var);
            match truth::unbounded(where_clause.as_deref()) {
                Some(cause) => {
                    let why = format!("overwrites every row of {name}, old values are lost: {cause}");
                    self.touches(Effect::Destroy, var, why);
                }
                None => {
                    let why = format!("changes rows of {name} that match a condition");
                    self.touches(Effect::Change, var, why);
                }
            }
        }
        (target_list, from_clause).see(self);
        (where_clause, returning_clause).see(self);
    }

    fn delete(&mut self, delete: &pb::DeleteStmt) {
        let pb::DeleteStmt { relation, using_clause, where_clause, returning_clause, with_clause } =
            delete;
        self.mention = false;
        with_clause.see(self);
        if let Some(var) = relation {
            let name = names::relation(var);
            let (why, tie) = match truth::unbounded(where_clause.as_deref()) {
                Some(cause) => (format!("deletes every row of {name}: {cause}"), None),
                None => (format!("removes rows of {name} that match a condition"), Some(Tie::Part)),
            };
            self.touches_some(Effect::Destroy, var, (why, tie));
        }
        (using_clause, where_clause).see(self);
        returning_clause.see(self);
    }

    fn merge(&mut self, merge: &pb::MergeStmt) {
        let pb::MergeStmt {
            relation,
            source_relation,
            join_condition,
            merge_when_clauses,
            returning_clause,
            with_clause,
        } = merge;
        self.mention = false;
        with_clause.see(self);
        if let Some(var) = relation {
            let every = truth::unbounded(join_condition.as_deref());
            for clause in merge_when_clauses {
                match clause.node.as_ref() {
                    Some(NodeEnum::MergeWhenClause(when)) => self.merge_when(var, when, every),
                    _ => self.unknown("MergeWhenClause"),
                }
            }
        }
        (source_relation, join_condition).see(self);
        (merge_when_clauses, returning_clause).see(self);
    }

    fn merge_when(&mut self, var: &pb::RangeVar, when: &pb::MergeWhenClause, every: Option<&str>) {
        let name = names::relation(var);
        let all = truth::unbounded(when.condition.as_deref()).is_some();
        let every = every.filter(|_| all);
        // Without a match in the source are as many as the source does not name.
        let unmatched = all && when.match_kind() == pb::MergeMatchKind::MergeWhenNotMatchedBySource;
        match (when.command_type(), every) {
            (pb::CmdType::CmdInsert, _) => {
                self.touches(Effect::Create, var, format!("adds rows to {name}"));
            }
            (pb::CmdType::CmdUpdate, Some(cause)) => {
                let why = format!("overwrites every row of {name}, old values are lost: {cause}");
                self.touches(Effect::Destroy, var, why);
            }
            (pb::CmdType::CmdUpdate, None) if unmatched => {
                let why = format!("changes every row of {name} that has no match");
                self.touches(Effect::Change, var, why);
            }
            (pb::CmdType::CmdUpdate, None) => {
                self.touches(Effect::Change, var, format!("changes rows of {name} that match"));
            }
            (pb::CmdType::CmdDelete, Some(cause)) => {
                self.touches(Effect::Destroy, var, format!("deletes every row of {name}: {cause}"));
            }
            (pb::CmdType::CmdDelete, None) if unmatched => {
                let why = format!("removes every row of {name} that has no match");
                self.touches(Effect::Destroy, var, why);
            }
            (pb::CmdType::CmdDelete, None) => {
                let why = format!("removes rows of {name} that match");
                self.touches_some(Effect::Destroy, var, (why, Some(Tie::Part)));
            }
            (pb::CmdType::CmdNothing, _) => {}
            _ => self.unknown("MergeWhenClause"),
        }
    }

    fn truncate(&mut self, truncate: &pb::TruncateStmt) {
        let cascade = cascade(truncate.behavior(), " and every table that refers to it");
        for node in &truncate.relations {
            match node.node.as_ref() {
                Some(NodeEnum::RangeVar(var)) => {
                    let why = format!("empties {}{cascade}", names::relation(var));
                    self.touches(Effect::Destroy, var, why);
                }
                _ => self.unknown("TruncateStmt"),
            }
        }
    }

    fn copy(&mut self, copy: &pb::CopyStmt) {
        if let Some(var) = &copy.relation {
            if copy.is_from {
                self.touches(Effect::Create, var, format!("loads rows into {}", names::relation(var)));
            } else {
                self.reads(var);
            }
        }
        if copy.is_program {
            let program = Resource::new(Kind::Program, copy.filename.as_str());
            let why = format!("runs a program on the database's host: {}", copy.filename);
            self.found.push(act(Effect::Execute, program, why));
        } else if !copy.filename.is_empty() {
            let verb = if copy.is_from { "reads" } else { "writes" };
            let why = format!("{verb} the file {} on the database's host", copy.filename);
            let file = Resource::new(Kind::File, copy.filename.as_str());
            self.found.push(act(Effect::Execute, file, why).that_is(if copy.is_from {
                Reversibility::Reversible
            } else {
                Reversibility::Irreversible
            }));
        }
    }
}

/// ` and ... (CASCADE)` if that was written.
pub(super) fn cascade(behavior: pb::DropBehavior, what: &str) -> String {
    if behavior == pb::DropBehavior::DropCascade { format!("{what} (CASCADE)") } else { String::new() }
}
