//! Statements that alter things in place, and upkeep.

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::intent::{Act, Effect, Kind, Resource, Reversibility, Tie};

use super::acts::{Adjust, act, object, table};
use super::names;
use super::walk::{Judged, Walk};

impl Walk {
    /// Judges a statement that alters something.
    pub(super) fn alters(&mut self, node: &NodeEnum) -> Option<Judged> {
        match node {
            NodeEnum::AlterTableStmt(alter) => self.alter_table(alter),
            NodeEnum::RenameStmt(rename) => self.rename(rename),
            NodeEnum::AlterObjectSchemaStmt(alter) => {
                self.forget();
                let name = match &alter.relation {
                    Some(var) => names::relation(var),
                    None => names::of(alter.object.as_ref().and_then(|object| object.node.as_ref())),
                };
                let why = format!("moves {name} to the schema {}", alter.newschema);
                let moved = alter.relation.as_ref().map(|var| {
                    table(names::relation(&pb::RangeVar {
                        schemaname: alter.newschema.clone(),
                        ..var.clone()
                    }))
                });
                if let Some(kind) = called_by_name(alter.object_type()) {
                    self.renames_code(kind, &name, &why);
                    return Some(Judged::Below);
                }
                let resource = if moved.is_some() { table(name) } else { object(name) };
                self.found.push(act(Effect::Change, resource, why).tied(moved.map(Tie::Becomes)));
            }
            NodeEnum::AlterDomainStmt(alter) => self.alter_domain(alter),
            NodeEnum::AlterSeqStmt(alter) => {
                let name = names::relation_or_empty(alter.sequence.as_ref());
                let local = alter.sequence.as_ref().is_some_and(|var| self.is_temp(var));
                let why = format!("changes the sequence {name}");
                self.found.push(act(Effect::Change, table(name), why).local_if(local));
            }
            NodeEnum::CommentStmt(comment) => {
                let name = names::of(comment.object.as_ref().and_then(|object| object.node.as_ref()));
                let why = format!("changes the comment on {name}");
                let change = act(Effect::Change, object(name), why);
                self.found.push(change.that_is(Reversibility::Reversible));
            }
            NodeEnum::AlterEnumStmt(alter) => {
                let name = names::path(&alter.type_name);
                let why = format!("changes the values of the type {name}");
                let change = act(Effect::Change, Resource::new(Kind::Type, name), why);
                self.found.push(change.that_is(Reversibility::Irreversible));
            }
            NodeEnum::AlterFunctionStmt(alter) => {
                let name = alter.func.as_ref().map(|func| names::path(&func.objname));
                let name = name.unwrap_or_default();
                let definer = names::switched(&alter.actions, "security");
                let why = if definer {
                    format!("lets whoever calls {name} act as its owner (SECURITY DEFINER)")
                } else {
                    format!("changes how the function {name} runs and with whose rights")
                };
                self.found.push(act(Effect::Grant, Resource::new(Kind::Function, name), why));
            }
            _ => return self.alters_code(node).or_else(|| self.upkeep(node)),
        }
        Some(Judged::Below)
    }

    fn change(&mut self, resource: Resource, why: String) {
        self.found.push(act(Effect::Change, resource, why));
    }

    fn rename(&mut self, rename: &pb::RenameStmt) {
        self.forget();
        let name = match &rename.relation {
            Some(var) => names::relation(var),
            None => names::of(rename.object.as_ref().and_then(|object| object.node.as_ref())),
        };
        let part = within(&name, &rename.subname);
        let name = if name.is_empty() { rename.subname.clone() } else { name };
        let why = format!("renames {part} to {}", rename.newname);
        use pb::ObjectType as Type;
        if let Some(kind) = called_by_name(rename.rename_type()) {
            return self.renames_code(kind, &name, &why);
        }
        let (effect, kind) = match rename.rename_type() {
            Type::ObjectRole => (Effect::Grant, Kind::Role),
            // Whoever subscribes to it asks for it by name.
            Type::ObjectPublication => (Effect::Disarm, Kind::Object),
            Type::ObjectDatabase => (Effect::Change, Kind::Database),
            Type::ObjectSchema => (Effect::Change, Kind::Schema),
            _ if rename.relation.is_some() => (Effect::Change, Kind::Relation),
            Type::Undefined => return self.unknown("RenameStmt"),
            _ => (Effect::Change, Kind::Object),
        };
        let renamed = act(effect, Resource::new(kind, name), why).tied(becomes(rename, kind));
        self.found.push(renamed.that_is(Reversibility::Reversible));
    }

    /// Code that goes by another name: whoever calls the old or the new one runs something else.
    fn renames_code(&mut self, kind: Kind, name: &str, why: &str) {
        let why = format!("{why}: whoever calls either name runs other code");
        self.runs_code(kind, name, why);
    }

    fn alter_domain(&mut self, alter: &pb::AlterDomainStmt) {
        let name = names::path(&alter.type_name);
        // X drops a constraint, N lets values be null.
        let (effect, why) = match alter.subtype.as_str() {
            "X" | "N" => (Effect::Disarm, format!("stops checking values of {name}")),
            "T" | "O" | "C" | "V" => (Effect::Change, format!("changes the domain {name}")),
            _ => return self.unknown("AlterDomainStmt"),
        };
        self.found.push(act(effect, Resource::new(Kind::Type, name), why));
    }

    fn alter_table(&mut self, alter: &pb::AlterTableStmt) {
        let name = names::relation_or_empty(alter.relation.as_ref());
        let local = alter.relation.as_ref().is_some_and(|var| self.is_temp(var));
        for node in &alter.cmds {
            let Some(NodeEnum::AlterTableCmd(command)) = node.node.as_ref() else {
                self.unknown("AlterTableCmd");
                continue;
            };
            match command.subtype() {
                pb::AlterTableType::AtAddColumn | pb::AlterTableType::AtAlterColumnType => {
                    self.filled(column_def(command).and_then(|column| column.type_name.as_ref()));
                }
                pb::AlterTableType::AtSetAccessMethod => self.access_method(&command.name),
                pb::AlterTableType::AtAddInherit => {
                    self.becomes_part(&name, command.def.as_ref().and_then(|def| def.node.as_ref()));
                }
                pb::AlterTableType::AtAttachPartition => {
                    let part = partition(command);
                    let why = format!("makes the rows of {part} a part of {name}");
                    self.change(table(part), why);
                }
                _ => {}
            }
            match altered(&name, command) {
                Some(act) => {
                    if act.effect == Effect::Destroy && !local {
                        self.loses(&name);
                    }
                    self.found.push(act.local_if(local));
                }
                None => self.unknown(&format!("{:?}", command.subtype())),
            }
        }
        if local {
            self.forget();
        }
    }

    /// Judges changes of things whose code or server is not known.
    fn alters_code(&mut self, node: &NodeEnum) -> Option<Judged> {
        let (kind, name, word) = match node {
            NodeEnum::AlterExtensionStmt(alter) => {
                (Kind::Extension, alter.extname.clone(), "extension")
            }
            NodeEnum::AlterExtensionContentsStmt(alter) => {
                (Kind::Extension, alter.extname.clone(), "extension")
            }
            NodeEnum::AlterFdwStmt(alter) => {
                (Kind::Object, alter.fdwname.clone(), "foreign-data wrapper")
            }
            NodeEnum::AlterForeignServerStmt(alter) => {
                (Kind::Object, alter.servername.clone(), "foreign server")
            }
            NodeEnum::AlterOpFamilyStmt(alter) => {
                (Kind::Object, names::path(&alter.opfamilyname), "operator family")
            }
            NodeEnum::AlterOperatorStmt(alter) => {
                let name = alter.opername.as_ref().map(|name| names::path(&name.objname));
                (Kind::Function, name.unwrap_or_default(), "operator")
            }
            NodeEnum::AlterTypeStmt(alter) => (Kind::Type, names::path(&alter.type_name), "type"),
            NodeEnum::AlterTsdictionaryStmt(alter) => {
                (Kind::Object, names::path(&alter.dictname), "text search dictionary")
            }
            _ => return None,
        };
        let why = format!("changes code that runs later ({word} {name})");
        self.runs_code(kind, &name, why);
        Some(Judged::Below)
    }

    /// Judges upkeep and small changes.
    fn upkeep(&mut self, node: &NodeEnum) -> Option<Judged> {
        match node {
            NodeEnum::VacuumStmt(vacuum) => self.vacuum(vacuum),
            NodeEnum::ClusterStmt(cluster) => {
                let name = names::relation_or_empty(cluster.relation.as_ref());
                if name.is_empty() {
                    let why =
                        "rewrites every table that was ever clustered; nobody can use one meanwhile";
                    self.change(Resource::upstream(), why.to_owned());
                } else {
                    let why = format!("rewrites {name}; nobody can use it meanwhile");
                    self.change(table(name), why);
                }
            }
            NodeEnum::ReindexStmt(reindex) => {
                let name = match &reindex.relation {
                    Some(var) => names::relation(var),
                    None => reindex.name.clone(),
                };
                let kind = match reindex.kind() {
                    pb::ReindexObjectType::ReindexObjectSchema => Kind::Schema,
                    pb::ReindexObjectType::ReindexObjectSystem
                    | pb::ReindexObjectType::ReindexObjectDatabase => Kind::Database,
                    _ => Kind::Relation,
                };
                let why = format!("rebuilds indexes ({name}); writes may wait");
                self.change(Resource::new(kind, name), why);
            }
            NodeEnum::RefreshMatViewStmt(refresh) => {
                let name = names::relation_or_empty(refresh.relation.as_ref());
                let empties = refresh.skip_data;
                let (effect, why) = if empties {
                    (Effect::Destroy, format!("empties the materialized view {name}"))
                } else {
                    (Effect::Change, format!("computes the materialized view {name} again"))
                };
                self.found.push(act(effect, table(name), why));
            }
            NodeEnum::CheckPointStmt(_) => {
                self.change(object("server"), "makes the server write everything to disk".into());
            }
            NodeEnum::AlterTableMoveAllStmt(alter) => {
                let from = format!("tablespace {}", alter.orig_tablespacename);
                let why = format!("moves everything to the tablespace {}", alter.new_tablespacename);
                self.change(object(from), why);
            }
            NodeEnum::AlterTableSpaceOptionsStmt(alter) => {
                let name = format!("tablespace {}", alter.tablespacename);
                let why = format!("changes the {name}");
                self.change(object(name), why);
            }
            NodeEnum::AlterStatsStmt(alter) => self.small(&alter.defnames, "statistics"),
            NodeEnum::AlterCollationStmt(alter) => self.small(&alter.collname, "collation"),
            NodeEnum::AlterTsconfigurationStmt(alter) => {
                self.small(&alter.cfgname, "text search configuration");
            }
            NodeEnum::AlterDatabaseRefreshCollStmt(alter) => {
                let why = format!("changes the database {}", alter.dbname);
                self.change(Resource::new(Kind::Database, alter.dbname.as_str()), why);
            }
            NodeEnum::AlterObjectDependsStmt(alter) => {
                let extension = alter.extname.as_ref().map_or("", |name| name.sval.as_str());
                let why = "makes something go when an extension is dropped".to_owned();
                self.change(Resource::new(Kind::Extension, extension), why);
            }
            _ => return None,
        }
        Some(Judged::Below)
    }

    fn small(&mut self, path: &[pb::Node], word: &str) {
        let name = format!("{word} {}", names::path(path));
        let why = format!("changes the {name}");
        self.change(object(name), why);
    }

    fn vacuum(&mut self, vacuum: &pb::VacuumStmt) {
        let full = names::switched(&vacuum.options, "full");
        let mut tidies = |resource: Resource| {
            let what = if resource.name.is_empty() { "every table" } else { &resource.name };
            let why = match (vacuum.is_vacuumcmd, full) {
                (true, true) => format!("rewrites {what}; nobody can use it meanwhile"),
                (true, false) => format!("tidies up {what} on disk"),
                (false, _) => format!("takes new planner statistics of {what}"),
            };
            let change = act(Effect::Change, resource, why);
            self.found.push(change.that_is(Reversibility::Reversible));
        };
        for node in &vacuum.rels {
            if let Some(NodeEnum::VacuumRelation(relation)) = node.node.as_ref() {
                tidies(table(names::relation_or_empty(relation.relation.as_ref())));
            }
        }
        if vacuum.rels.is_empty() {
            tidies(Resource::upstream());
        }
    }
}

/// What other code looks for by its name whenever it runs, as a kind of resource.
fn called_by_name(what: pb::ObjectType) -> Option<Kind> {
    use pb::ObjectType as Type;
    match what {
        Type::ObjectFunction
        | Type::ObjectProcedure
        | Type::ObjectRoutine
        | Type::ObjectAggregate
        | Type::ObjectOperator => Some(Kind::Function),
        Type::ObjectExtension => Some(Kind::Extension),
        _ => None,
    }
}

/// The new name of something as a whole.
fn becomes(rename: &pb::RenameStmt, kind: Kind) -> Option<Tie> {
    use pb::ObjectType as Type;
    let new = rename.newname.as_str();
    let name = match (kind, rename.rename_type(), &rename.relation) {
        (_, Type::ObjectColumn | Type::ObjectAttribute | Type::ObjectTabconstraint, _) => return None,
        (Kind::Relation, _, Some(var)) if rename.subname.is_empty() => {
            names::relation(&pb::RangeVar { relname: new.to_owned(), ..var.clone() })
        }
        (Kind::Schema | Kind::Database | Kind::Role, ..) => names::dotted([new]),
        _ => return None,
    };
    Some(Tie::Becomes(Resource::new(kind, name)))
}

/// What one sub-command of ALTER TABLE does; nothing if it is not on the list.
fn altered(on: &str, command: &pb::AlterTableCmd) -> Option<Act> {
    use pb::AlterTableType as At;
    let part = command.name.as_str();
    let on_table = |effect, why: String| Some(act(effect, table(on), why));
    let column = || Resource::new(Kind::Column, within(on, part));
    let cascade = super::rows::cascade(command.behavior(), " and everything that depends on it");
    match command.subtype() {
        At::AtAddColumn | At::AtAddColumnToView => {
            let added = column_def(command).map_or("", |column| &column.colname);
            let name = within(on, added);
            let why = format!("adds the column {added} to {on}");
            Some(act(Effect::Create, Resource::new(Kind::Column, name), why))
        }
        At::AtDropColumn => {
            let why = format!("drops the column {part} of {on} with its values{cascade}");
            Some(act(Effect::Destroy, column(), why))
        }
        At::AtAlterColumnType => {
            let why = format!("rewrites the column {part} of {on} as another type; values may be lost");
            Some(act(Effect::Destroy, column(), why))
        }
        At::AtSetExpression => {
            let why = format!("computes the column {part} of {on} anew; its values are overwritten");
            Some(act(Effect::Destroy, column(), why))
        }
        At::AtDropNotNull | At::AtDropConstraint => {
            on_table(Effect::Disarm, format!("stops checking rows of {on} ({part}){cascade}"))
        }
        At::AtAlterConstraint => {
            on_table(Effect::Disarm, format!("changes how a constraint of {on} is checked"))
        }
        At::AtAddConstraint | At::AtAddIndex | At::AtAddIndexConstraint => {
            on_table(Effect::Create, format!("adds a constraint or index to {on}"))
        }
        At::AtChangeOwner => on_table(Effect::Grant, format!("makes another role the owner of {on}")),
        At::AtSetUnLogged => {
            on_table(Effect::Disarm, format!("lets {on} be lost in a crash (UNLOGGED)"))
        }
        At::AtDisableTrig | At::AtDisableTrigAll | At::AtDisableTrigUser | At::AtEnableReplicaTrig => {
            on_table(Effect::Disarm, format!("stops triggers of {on} from running"))
        }
        At::AtDisableRule | At::AtEnableReplicaRule => {
            on_table(Effect::Disarm, format!("stops a rule of {on}"))
        }
        At::AtDisableRowSecurity | At::AtNoForceRowSecurity => {
            on_table(Effect::Disarm, format!("stops row security from hiding rows of {on}"))
        }
        At::AtDetachPartition | At::AtDetachPartitionFinalize | At::AtDropInherit => {
            let def = command.def.as_ref().and_then(|def| def.node.as_ref());
            if let Some(NodeEnum::RangeVar(parent)) = def {
                let why = format!("takes the rows of {on} out of {}", names::relation(parent));
                return on_table(Effect::Destroy, why);
            }
            let gone = partition(command);
            on_table(Effect::Destroy, format!("takes the rows of the partition {gone} out of {on}"))
        }
        At::AtReplicaIdentity
        | At::AtSetRelOptions
        | At::AtResetRelOptions
        | At::AtReplaceRelOptions => rel_options(on, command),
        // Options of foreign tables say where their rows are.
        At::AtGenericOptions | At::AtAlterColumnGenericOptions => None,
        subtype => harmless_alter(subtype)
            .then(|| act(Effect::Change, table(on), format!("changes the definition of {on}"))),
    }
}

/// Sub-commands that alter a table in place and can be taken back.
fn harmless_alter(subtype: pb::AlterTableType) -> bool {
    use pb::AlterTableType as At;
    matches!(
        subtype,
        At::AtColumnDefault
            | At::AtSetNotNull
            | At::AtDropExpression
            | At::AtSetStatistics
            | At::AtSetOptions
            | At::AtResetOptions
            | At::AtSetStorage
            | At::AtSetCompression
            | At::AtValidateConstraint
            | At::AtClusterOn
            | At::AtDropCluster
            | At::AtSetLogged
            | At::AtDropOids
            | At::AtSetAccessMethod
            | At::AtSetTableSpace
            | At::AtEnableTrig
            | At::AtEnableAlwaysTrig
            | At::AtEnableTrigAll
            | At::AtEnableTrigUser
            | At::AtEnableRule
            | At::AtEnableAlwaysRule
            | At::AtAddInherit
            | At::AtAttachPartition
            | At::AtAddOf
            | At::AtDropOf
            | At::AtEnableRowSecurity
            | At::AtForceRowSecurity
            | At::AtAddIdentity
            | At::AtSetIdentity
            | At::AtDropIdentity
    )
}

/// Options of a table or view: some of them are safeguards.
fn rel_options(on: &str, command: &pb::AlterTableCmd) -> Option<Act> {
    let guards = match command.def.as_ref().and_then(|def| def.node.as_ref()) {
        Some(NodeEnum::ReplicaIdentityStmt(identity)) => identity.identity_type == "n",
        Some(NodeEnum::List(list)) => {
            ["security_barrier", "security_invoker", "check_option", "autovacuum_enabled"]
                .iter()
                .any(|name| names::option(&list.items, name).is_some())
        }
        _ => return None,
    };
    Some(if guards {
        act(Effect::Disarm, table(on), format!("changes a safeguard of {on}"))
    } else {
        act(Effect::Change, table(on), format!("changes options of {on}"))
    })
}

/// The name of a part of something that already has a dotted name.
fn within(whole: &str, part: &str) -> String {
    match (whole, names::dotted([part])) {
        ("", part) => part,
        (whole, part) if part.is_empty() => whole.to_owned(),
        (whole, part) => format!("{whole}.{part}"),
    }
}

/// The partition that a sub-command is about.
fn partition(command: &pb::AlterTableCmd) -> String {
    match command.def.as_ref().and_then(|def| def.node.as_ref()) {
        Some(NodeEnum::PartitionCmd(partition)) => names::relation_or_empty(partition.name.as_ref()),
        _ => String::new(),
    }
}

fn column_def(command: &pb::AlterTableCmd) -> Option<&pb::ColumnDef> {
    match command.def.as_ref().and_then(|def| def.node.as_ref()) {
        Some(NodeEnum::ColumnDef(column)) => Some(column),
        _ => None,
    }
}
