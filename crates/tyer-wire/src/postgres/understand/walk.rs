//! The walk over the whole parse tree of one request.

use std::collections::HashSet;
use std::mem::{replace, take};

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::intent::{Act, Acts, Effect, Reversibility};

use super::acts::{Adjust, Found, act, free, table};
use super::lasting::Lasting;
use super::locks::{Lock, Locking};
use super::prepared::Bodies;
use super::tree::{self, Kids, See};
use super::{builtin, names, settings};

/// What the walk knows and has found.
#[derive(Default)]
pub(super) struct Walk {
    /// What would be done.
    pub(super) found: Found,
    /// Relations that would lose or change rows.
    relations: Vec<String>,
    /// The same, to find them.
    losing: HashSet<String>,
    /// Names of common table expressions in scope, innermost last.
    pub(super) ctes: Vec<String>,
    /// Temporary tables that this text made and that still have their names.
    pub(super) temps: HashSet<String>,
    /// What the names of prepared statements stand for.
    pub(super) names: Bodies,
    /// Whether relations and types are only mentioned, as in definitions, and not used.
    pub(super) mention: bool,
    /// What of the functions and prepared statements found so far no rollback takes back.
    pub(super) lasting: Lasting,
    /// Whether what is executed by name is about the session.
    pub(super) session: bool,
    /// Whether only settings that hand out no secret are read here.
    pub(super) narrowed: bool,
    /// How many function bodies deep the walk is.
    pub(super) bodies: usize,
    /// What is locked.
    pub(super) locking: Locking,
}

/// What is left to do after a statement's own effect was judged.
pub(super) enum Judged {
    /// Walk over everything below it.
    Below,
    /// Nothing.
    Done,
}

impl Walk {
    /// A walk that has found nothing yet, where these can be executed.
    pub(super) fn among(names: Bodies) -> Self {
        Self { names, ..Self::default() }
    }

    /// Walks over one statement of the request.
    pub(super) fn top(&mut self, statement: &pb::Node) {
        let before = self.found.pushed;
        statement.node.iter().for_each(|node| self.locks_of(node));
        statement.see(self);
        if self.found.pushed == before {
            self.found.push(free("reads no table"));
        }
    }

    /// The acts, the relations that lose or change rows with what is locked, and the prepared statements.
    pub(super) fn finish(self) -> (Acts, (Vec<String>, Vec<Lock>), Bodies) {
        (self.found.into_acts(), (self.relations, self.locking.into_vec()), self.names)
    }

    /// Any node anywhere in the tree.
    pub(super) fn node(&mut self, node: &NodeEnum) {
        if let Some(plain) = tree::harmless(node) {
            return plain.kids(self);
        }
        match node {
            NodeEnum::RangeVar(var) => self.relation(var),
            NodeEnum::TypeName(name) => self.cast(name),
            NodeEnum::FuncCall(call) => self.call(call),
            NodeEnum::SelectStmt(select) => self.select(select),
            NodeEnum::WithClause(with) => self.with(with),
            NodeEnum::AExpr(expr) => {
                // BETWEEN has its own words where an operator's name would be.
                if !is_between(expr.kind()) {
                    self.operator(&expr.name);
                }
                expr.kids(self);
            }
            NodeEnum::SubLink(link) => {
                self.operator(&link.oper_name);
                link.kids(self);
            }
            NodeEnum::SortBy(sort) => {
                self.operator(&sort.use_op);
                sort.kids(self);
            }
            NodeEnum::Constraint(constraint) => self.constraint(constraint),
            NodeEnum::IndexElem(element) => {
                self.operator_class(&element.opclass);
                element.kids(self);
            }
            NodeEnum::PartitionElem(element) => {
                self.operator_class(&element.opclass);
                element.kids(self);
            }
            NodeEnum::RangeTableSample(sample) => {
                self.sampling(&sample.method);
                sample.kids(self);
            }
            NodeEnum::CommonTableExpr(cte) => cte.kids(self),
            NodeEnum::RawStmt(raw) => raw.stmt.see(self),
            _ => self.statement(node),
        }
    }

    fn statement(&mut self, node: &NodeEnum) {
        let mention = replace(&mut self.mention, true);
        let judged = self
            .rows(node)
            .or_else(|| self.session(node))
            .or_else(|| self.drops(node))
            .or_else(|| self.grants(node))
            .or_else(|| self.creates(node))
            .or_else(|| self.alters(node));
        match (judged, tree::statement(node)) {
            (Some(Judged::Done), _) => {}
            (Some(Judged::Below), Some(statement)) => statement.kids(self),
            (Some(Judged::Below) | None, _) => self.unknown(&kind(node)),
        }
        self.mention = mention;
    }

    /// Walks over statements that a definition holds, with what they read and use.
    pub(super) fn used(&mut self, inner: &impl See) {
        let mention = replace(&mut self.mention, false);
        inner.see(self);
        self.mention = mention;
    }

    /// A SELECT or VALUES, at any depth.
    pub(super) fn select(&mut self, select: &pb::SelectStmt) {
        let mention = replace(&mut self.mention, false);
        let scope = self.ctes.len();
        let pb::SelectStmt {
            distinct_clause,
            into_clause,
            target_list,
            from_clause,
            where_clause,
            group_clause,
            having_clause,
            window_clause,
            values_lists,
            sort_clause,
            limit_offset,
            limit_count,
            locking_clause,
            with_clause,
            larg,
            rarg,
            group_distinct: _,
            limit_option: _,
            op: _,
            all: _,
        } = select;
        with_clause.see(self);
        let narrowed = replace(&mut self.narrowed, settings::narrows(where_clause.as_deref()));
        from_clause.see(self);
        self.narrowed = narrowed;
        (distinct_clause, target_list).see(self);
        (where_clause, group_clause).see(self);
        (having_clause, window_clause).see(self);
        (values_lists, sort_clause).see(self);
        (limit_offset, limit_count).see(self);
        (larg, rarg).see(self);
        locking_clause.iter().for_each(|clause| self.locks(from_clause, clause));
        if let Some(into) = into_clause {
            let of = self.copied(select);
            self.selects_into(into, of);
        }
        self.ctes.truncate(scope);
        self.mention = mention;
    }

    /// Row locks on every relation of a FROM clause, or on those that the clause names.
    fn locks(&mut self, from: &[pb::Node], clause: &pb::Node) {
        let named: Vec<&str> = match clause.node.as_ref() {
            Some(NodeEnum::LockingClause(clause)) => {
                let last = |node| names::parts(node).last().copied();
                clause.locked_rels.iter().filter_map(|node| last(node.node.as_ref())).collect()
            }
            _ => Vec::new(),
        };
        let is_named =
            |node: &pb::Node| called(node.node.as_ref()).is_some_and(|it| named.contains(&it));
        let mut flat = Vec::new();
        from.iter().for_each(|node| items(node, &mut flat));
        // A name that is not found means something else than what this knows: then all are locked.
        let all = named.is_empty() || flat.iter().filter(|node| is_named(node)).count() < named.len();
        let mut vars = Vec::new();
        flat.iter()
            .filter(|node| all || is_named(node))
            .for_each(|node| direct(node.node.as_ref(), &mut vars));
        vars.retain(|var| !self.is_cte(var));
        for var in vars {
            let name = names::relation(var);
            let why = format!("locks rows of {name}; others who want to change them wait");
            let local = self.is_temp(var);
            let lock = act(Effect::Change, table(name), why).local_if(local);
            self.found.push(lock.that_is(Reversibility::Reversible));
        }
    }

    /// The common table expressions of a statement. Their names stay in scope until the caller
    /// shortens the list: without RECURSIVE each sees only the ones before it.
    pub(super) fn with(&mut self, with: &pb::WithClause) {
        let ctes: Vec<&pb::CommonTableExpr> = with
            .ctes
            .iter()
            .filter_map(|node| match node.node.as_ref() {
                Some(NodeEnum::CommonTableExpr(cte)) => Some(&**cte),
                _ => None,
            })
            .collect();
        if ctes.len() != with.ctes.len() {
            self.unknown("WithClause");
        }
        if with.recursive {
            self.ctes.extend(ctes.iter().map(|cte| cte.ctename.clone()));
        }
        for cte in ctes {
            cte.kids(self);
            if !with.recursive {
                self.ctes.push(cte.ctename.clone());
            }
        }
    }

    fn is_cte(&self, var: &pb::RangeVar) -> bool {
        var.schemaname.is_empty() && self.ctes.contains(&var.relname)
    }

    /// Whether a relation is a temporary one of this session.
    pub(super) fn is_temp(&self, var: &pb::RangeVar) -> bool {
        self.is_temp_name(&[&var.catalogname, &var.schemaname, &var.relname])
    }

    /// The same for the parts of a name.
    pub(super) fn is_temp_name(&self, parts: &[&str]) -> bool {
        let mut parts = parts.iter().filter(|part| !part.is_empty()).rev();
        match (parts.next(), parts.next()) {
            (Some(name), None) => self.temps.contains(*name),
            (Some(_), Some(schema)) => *schema == "pg_temp" && parts.next().is_none(),
            _ => false,
        }
    }

    /// A relation where it is read.
    pub(super) fn relation(&mut self, var: &pb::RangeVar) {
        var.kids(self);
        if !self.mention && !self.is_cte(var) {
            self.reads(var);
        }
    }

    /// A read of a relation that cannot be a common table expression.
    pub(super) fn reads(&mut self, var: &pb::RangeVar) {
        let name = names::relation(var);
        if let Some(secret) = builtin::secret(&var.schemaname, &var.relname) {
            let why = format!("reads {name}, which hands out {secret}");
            return self.found.push(act(Effect::Grant, table(name), why));
        }
        if self.reads_settings(var) {
            let why = format!("reads {name}, which hands out every setting, secrets among them");
            return self.found.push(act(Effect::Grant, table(name), why));
        }
        let local = self.is_temp(var) || builtin::is_introspection(&var.schemaname, &var.relname);
        let why = format!("reads {name}");
        self.found.push(act(Effect::Read, table(name), why).local_if(local));
    }

    /// Whether a relation is the view of all settings, and nothing narrows it to harmless ones.
    fn reads_settings(&self, var: &pb::RangeVar) -> bool {
        let is_built_in = matches!(var.schemaname.as_str(), "" | "pg_catalog");
        is_built_in && var.relname == "pg_settings" && !self.narrowed && !self.is_temp(var)
    }

    /// Remembers a relation that would lose or change rows.
    pub(super) fn loses(&mut self, name: &str) {
        if self.losing.insert(name.to_owned()) {
            self.relations.push(name.to_owned());
        }
    }

    /// A node that only analysis produces.
    pub(super) fn analysed(&mut self, _: &pb::Query) {
        self.unknown("Query");
    }

    /// A node that only planning produces.
    pub(super) fn planned(&mut self, _: &pb::FuncExpr) {
        self.unknown("FuncExpr");
    }

    /// A type of node that is not known to be harmless.
    pub(super) fn unknown(&mut self, kind: &str) {
        self.found.push(Act::opaque(format!("has a part that is not understood ({kind})")));
        self.distrust();
    }

    /// What temporary tables are called no longer holds.
    pub(super) fn forget(&mut self) {
        self.temps.clear();
    }

    /// Code that is not known here may have changed anything about the session.
    pub(super) fn distrust(&mut self) {
        self.temps.clear();
        self.names.distrust();
    }

    /// What `inner` finds, apart from what was found before.
    pub(super) fn apart(&mut self, inner: &impl See) -> Vec<Act> {
        let found = take(&mut self.found);
        let relations = take(&mut self.relations);
        let losing = take(&mut self.losing);
        let temps = self.temps.clone();
        inner.see(self);
        self.temps = temps;
        self.relations = relations;
        self.losing = losing;
        replace(&mut self.found, found).into_vec()
    }
}

impl<A: See, B: See> See for (&A, &B) {
    fn see(&self, walk: &mut Walk) {
        self.0.see(walk);
        self.1.see(walk);
    }
}

/// The items of a FROM clause, without the joins around them that have no name.
fn items<'a>(node: &'a pb::Node, found: &mut Vec<&'a pb::Node>) {
    match node.node.as_ref() {
        Some(NodeEnum::JoinExpr(join)) if join.alias.is_none() => {
            [&join.larg, &join.rarg].into_iter().flatten().for_each(|side| items(side, found));
        }
        _ => found.push(node),
    }
}

/// What an item of a FROM clause is called.
fn called(node: Option<&NodeEnum>) -> Option<&str> {
    let (alias, name) = match node? {
        NodeEnum::RangeVar(var) => (var.alias.as_ref(), Some(var.relname.as_str())),
        NodeEnum::RangeSubselect(sub) => (sub.alias.as_ref(), None),
        NodeEnum::RangeTableSample(sample) => {
            return called(sample.relation.as_ref().and_then(|inner| inner.node.as_ref()));
        }
        NodeEnum::JoinExpr(join) => (join.alias.as_ref(), None),
        _ => return None,
    };
    alias.map(|alias| alias.aliasname.as_str()).or(name)
}

/// The relations whose rows a FROM clause gives, through joins and sub-selects.
fn direct<'a>(node: Option<&'a NodeEnum>, vars: &mut Vec<&'a pb::RangeVar>) {
    match node {
        Some(NodeEnum::RangeVar(var)) => vars.push(var),
        Some(NodeEnum::JoinExpr(join)) => {
            for side in [&join.larg, &join.rarg].into_iter().flatten() {
                direct(side.node.as_ref(), vars);
            }
        }
        Some(NodeEnum::RangeTableSample(sample)) => {
            direct(sample.relation.as_ref().and_then(|inner| inner.node.as_ref()), vars);
        }
        Some(NodeEnum::RangeSubselect(sub)) => {
            if let Some(NodeEnum::SelectStmt(select)) =
                sub.subquery.as_ref().and_then(|inner| inner.node.as_ref())
            {
                select.from_clause.iter().for_each(|node| direct(node.node.as_ref(), vars));
            }
        }
        _ => {}
    }
}

/// Whether an expression is one of the kinds of BETWEEN.
fn is_between(kind: pb::AExprKind) -> bool {
    use pb::AExprKind as Kind;
    matches!(
        kind,
        Kind::AexprBetween | Kind::AexprNotBetween | Kind::AexprBetweenSym | Kind::AexprNotBetweenSym
    )
}

/// The name of a node's type.
fn kind(node: &NodeEnum) -> String {
    format!("{node:?}").chars().take_while(|c| c.is_alphanumeric()).collect()
}
