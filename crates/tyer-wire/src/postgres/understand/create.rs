//! Statements that make things.

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::intent::{Act, Effect, Kind, Resource, Tie};

use super::acts::{Adjust, act, object, table};
use super::names;
use super::walk::{Judged, Walk};

impl Walk {
    /// Judges a statement that makes something.
    pub(super) fn creates(&mut self, node: &NodeEnum) -> Option<Judged> {
        match node {
            NodeEnum::CreateStmt(create) => {
                self.creates_table(create.relation.as_ref(), "table", None);
                let name = names::relation_or_empty(create.relation.as_ref());
                for parent in &create.inh_relations {
                    self.becomes_part(&name, parent.node.as_ref());
                }
                self.access_method(&create.access_method);
            }
            NodeEnum::CreateSeqStmt(create) => {
                self.creates_table(create.sequence.as_ref(), "sequence", None);
            }
            NodeEnum::CreateTableAsStmt(create) => {
                if let Some(into) = &create.into {
                    let is_table = create.objtype() == pb::ObjectType::ObjectTable;
                    let query = create.query.as_ref().and_then(|query| query.node.as_ref());
                    let of = match query {
                        Some(NodeEnum::SelectStmt(select)) if is_table => self.copied(select),
                        _ => None,
                    };
                    self.selects_into(into, of);
                }
                self.used(&create.query);
                return Some(Judged::Done);
            }
            NodeEnum::ViewStmt(view) => self.view(view),
            NodeEnum::IndexStmt(index) => self.index(index),
            NodeEnum::CreateSchemaStmt(schema) => {
                let owner = schema.authrole.as_ref().map(names::role);
                let name = if schema.schemaname.is_empty() {
                    owner.unwrap_or_default()
                } else {
                    &schema.schemaname
                };
                self.creates_one(Kind::Schema, name.to_owned(), "the schema");
                if let Some(owner) = owner {
                    let why = format!("makes {owner} the owner of the schema {name}");
                    let resource = Resource::new(Kind::Schema, name);
                    self.found.push(act(Effect::Grant, resource, why));
                }
            }
            NodeEnum::CreateEnumStmt(create) => {
                self.creates_one(Kind::Type, names::path(&create.type_name), "the type");
            }
            NodeEnum::CompositeTypeStmt(create) => {
                let name = names::relation_or_empty(create.typevar.as_ref());
                self.creates_one(Kind::Type, name, "the type");
            }
            NodeEnum::CreateDomainStmt(create) => {
                self.creates_one(Kind::Type, names::path(&create.domainname), "the domain");
            }
            NodeEnum::CreatedbStmt(create) => {
                self.creates_one(Kind::Database, create.dbname.clone(), "the database");
                let template = names::option(&create.options, "template").and_then(names::of_option);
                if let Some(template) =
                    template.filter(|it| !matches!(it.as_str(), "template0" | "template1"))
                {
                    let why = format!("copies everything in the database {template}");
                    self.found.push(act(Effect::Read, Resource::new(Kind::Database, template), why));
                }
            }
            NodeEnum::CreateStatsStmt(create) => {
                self.creates_one(Kind::Object, names::path(&create.defnames), "statistics");
            }
            _ => return self.creates_code(node),
        }
        Some(Judged::Below)
    }

    fn creates_one(&mut self, kind: Kind, name: String, word: &str) {
        let why = format!("makes {word} {name}");
        self.found.push(act(Effect::Create, Resource::new(kind, name), why));
    }

    /// A new table or sequence; a temporary one stays known by its name.
    fn creates_table(&mut self, var: Option<&pb::RangeVar>, word: &str, of: Option<Resource>) {
        let name = names::relation_or_empty(var);
        let local = var.is_some_and(is_new_temp);
        if let Some(var) = var.filter(|_| local) {
            self.temps.insert(var.relname.clone());
        }
        let temporary = if local { "temporary " } else { "" };
        let why = format!("makes the {temporary}{word} {name}");
        let made = act(Effect::Create, table(name), why).local_if(local);
        self.found.push(made.tied(of.map(Tie::CopyOf)));
    }

    /// A table whose rows are also those of another one from here on.
    pub(super) fn becomes_part(&mut self, part: &str, of: Option<&NodeEnum>) {
        let whole = names::of(of);
        let why = format!("makes the rows of {part} a part of {whole}");
        let local = matches!(of, Some(NodeEnum::RangeVar(var)) if self.is_temp(var));
        self.found.push(act(Effect::Change, table(whole), why).local_if(local));
    }

    /// The table that a SELECT INTO or CREATE TABLE AS makes.
    pub(super) fn selects_into(&mut self, into: &pb::IntoClause, of: Option<Resource>) {
        self.creates_table(into.rel.as_ref(), "table", of.filter(|_| !into.skip_data));
        self.access_method(&into.access_method);
    }

    /// The one table of which a query returns everything, if that is all it does.
    pub(super) fn copied(&self, select: &pb::SelectStmt) -> Option<Resource> {
        let [from] = select.from_clause.as_slice() else { return None };
        let [target] = select.target_list.as_slice() else { return None };
        let (Some(NodeEnum::RangeVar(var)), Some(NodeEnum::ResTarget(target))) =
            (&from.node, &target.node)
        else {
            return None;
        };
        let Some(NodeEnum::ColumnRef(column)) =
            target.val.as_ref().and_then(|value| value.node.as_ref())
        else {
            return None;
        };
        let is_star = matches!(column.fields.as_slice(), [pb::Node { node: Some(NodeEnum::AStar(_)) }]);
        // Whatever else a query says leaves something out.
        let plain = pb::SelectStmt {
            from_clause: select.from_clause.clone(),
            target_list: select.target_list.clone(),
            into_clause: select.into_clause.clone(),
            limit_option: select.limit_option,
            op: select.op,
            ..pb::SelectStmt::default()
        };
        let is_whole = *select == plain && select.op() == pb::SetOperation::SetopNone;
        (is_star && is_whole && var.inh && !self.is_temp(var)).then(|| table(names::relation(var)))
    }

    fn view(&mut self, view: &pb::ViewStmt) {
        let name = names::relation_or_empty(view.view.as_ref());
        if view.view.as_ref().is_some_and(is_new_temp) {
            // What is written to pg_temp counts as the session's own; a view leads elsewhere.
            let why = format!("gives the temporary name {name} to other tables' rows");
            self.found.push(Act::opaque(why));
        } else if view.replace {
            let why = format!("replaces the view {name} if there is one");
            self.found.push(act(Effect::Replace, table(name), why));
        } else {
            self.found.push(act(Effect::Create, table(&name), format!("makes the view {name}")));
        }
    }

    fn index(&mut self, index: &pb::IndexStmt) {
        let on = names::relation_or_empty(index.relation.as_ref());
        let local = index.relation.as_ref().is_some_and(|var| self.is_temp(var));
        let wait = if index.concurrent { "" } else { "; writes to it wait meanwhile" };
        let why = format!("builds an index on {on}{wait}");
        let name = if index.idxname.is_empty() { on } else { index.idxname.clone() };
        self.found.push(act(Effect::Create, table(name), why).local_if(local));
        self.access_method(&index.access_method);
    }

    /// Judges a statement that makes something that runs.
    fn creates_code(&mut self, node: &NodeEnum) -> Option<Judged> {
        let (kind, name, word, replace) = match node {
            NodeEnum::CreateFunctionStmt(create) => {
                self.function_body(create);
                if names::switched(&create.options, "security") {
                    let name = names::path(&create.funcname);
                    let why = format!("lets whoever calls {name} act as its owner (SECURITY DEFINER)");
                    let function = Resource::new(Kind::Function, name);
                    self.found.push(act(Effect::Grant, function, why));
                }
                (Kind::Function, names::path(&create.funcname), "function", create.replace)
            }
            NodeEnum::DoStmt(block) => {
                let why = "runs a block of code, of which only plain SQL is understood here".to_owned();
                self.runs_code(Kind::Upstream, "", why);
                self.now(|walk| walk.body(&block.args));
                return Some(Judged::Below);
            }
            NodeEnum::CallStmt(call) => {
                let name = call.funccall.as_ref().map(|call| names::path(&call.funcname));
                let name = name.unwrap_or_default();
                let why = format!("runs the procedure {name}, whose code is not known here");
                self.runs_code(Kind::Function, &name, why);
                if let Some(call) = &call.funccall {
                    self.used(&call.args);
                }
                return Some(Judged::Done);
            }
            NodeEnum::CreateTrigStmt(create) => {
                let on = names::relation_or_empty(create.relation.as_ref());
                (Kind::Object, format!("{on}.{}", create.trigname), "trigger", create.replace)
            }
            NodeEnum::RuleStmt(rule) => {
                let on = names::relation_or_empty(rule.relation.as_ref());
                self.used(&rule.actions);
                (Kind::Object, format!("{on}.{}", rule.rulename), "rule", rule.replace)
            }
            NodeEnum::CreateEventTrigStmt(create) => {
                (Kind::Object, create.trigname.clone(), "event trigger", false)
            }
            NodeEnum::CreateExtensionStmt(create) => {
                (Kind::Extension, create.extname.clone(), "extension", false)
            }
            NodeEnum::LoadStmt(load) => (Kind::File, load.filename.clone(), "library", false),
            NodeEnum::CreatePlangStmt(create) => {
                (Kind::Object, create.plname.clone(), "language", create.replace)
            }
            NodeEnum::CreateTransformStmt(create) => {
                (Kind::Object, create.lang.clone(), "transform", create.replace)
            }
            NodeEnum::DefineStmt(define) => {
                (Kind::Function, names::path(&define.defnames), "definition", define.replace)
            }
            _ => return self.creates_rare(node),
        };
        self.code(kind, &name, word, replace);
        Some(Judged::Below)
    }

    fn creates_rare(&mut self, node: &NodeEnum) -> Option<Judged> {
        let (kind, name, word) = match node {
            NodeEnum::CreateRangeStmt(create) => {
                (Kind::Type, names::path(&create.type_name), "range type")
            }
            NodeEnum::CreateCastStmt(create) => {
                let target = create.targettype.as_ref().map(|name| names::path(&name.names));
                (Kind::Function, target.unwrap_or_default(), "cast")
            }
            NodeEnum::CreateConversionStmt(create) => {
                (Kind::Object, names::path(&create.conversion_name), "conversion")
            }
            NodeEnum::CreateAmStmt(create) => (Kind::Object, create.amname.clone(), "access method"),
            NodeEnum::CreateOpClassStmt(create) => {
                (Kind::Object, names::path(&create.opclassname), "operator class")
            }
            NodeEnum::CreateOpFamilyStmt(create) => {
                (Kind::Object, names::path(&create.opfamilyname), "operator family")
            }
            NodeEnum::CreateFdwStmt(create) => {
                (Kind::Object, create.fdwname.clone(), "foreign-data wrapper")
            }
            NodeEnum::CreateForeignServerStmt(create) => {
                (Kind::Object, create.servername.clone(), "foreign server")
            }
            NodeEnum::CreateForeignTableStmt(create) => {
                let base = create.base_stmt.as_ref().and_then(|base| base.relation.as_ref());
                (Kind::Relation, names::relation_or_empty(base), "foreign table")
            }
            NodeEnum::ImportForeignSchemaStmt(import) => {
                (Kind::Schema, import.local_schema.clone(), "foreign tables")
            }
            _ => return None,
        };
        self.code(kind, &name, word, false);
        Some(Judged::Below)
    }

    fn function_body(&mut self, create: &pb::CreateFunctionStmt) {
        self.used(&create.sql_body);
        // Without a language there is no other body.
        if names::option(&create.options, "language").is_some() {
            self.later(|walk| walk.body(&create.options));
        }
    }

    /// Something that runs code, or reaches another server, whenever it is used.
    fn code(&mut self, kind: Kind, name: &str, word: &str, replace: bool) {
        let resource = if kind == Kind::Object {
            object(format!("{word} {name}"))
        } else {
            Resource::new(kind, name)
        };
        if replace {
            let why = format!("replaces the {word} {name} if there is one");
            self.found.push(act(Effect::Replace, resource.clone(), why));
        }
        self.distrust();
        let why = format!("installs code that runs later ({word} {name})");
        self.found.push(act(Effect::Execute, resource, why));
    }
}

/// Whether a new relation is a temporary one.
fn is_new_temp(var: &pb::RangeVar) -> bool {
    var.relpersistence == "t" || var.schemaname == "pg_temp"
}
