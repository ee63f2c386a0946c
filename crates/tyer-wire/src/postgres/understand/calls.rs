//! Functions, operators, casts: what a name stands for is judged by explicit lists.

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::intent::{Act, Effect, Kind, Resource, Reversibility};

use super::acts::{Adjust, act, object, table};
use super::lasting::Lasting;
use super::tree::Kids;
use super::walk::Walk;
use super::{builtin, names, settings};

impl Walk {
    /// A call of a function, in any place of the tree.
    pub(super) fn call(&mut self, call: &pb::FuncCall) {
        self.function(call);
        call.kids(self);
    }

    fn function(&mut self, call: &pb::FuncCall) {
        let parts = names::strings(&call.funcname);
        let name = names::dotted(parts.iter().copied());
        let Some(built_in) = builtin_name(&parts) else {
            return self.runs(&name, parts.last().copied().unwrap_or_default());
        };
        if built_in == "set_config" {
            return self.set_config(call);
        }
        if matches!(built_in, "current_setting" | "pg_settings_get_flags") {
            return self.current_setting(built_in, call);
        }
        if makes_value(built_in, call) {
            return;
        }
        // Only lo_export names its file last.
        let named = if built_in == "lo_export" { call.args.last() } else { call.args.first() };
        let first = named.and_then(|arg| names::literal(arg.node.as_ref()));
        if let Some(act) = dangerous(built_in, first.as_deref()) {
            if act.effect == Effect::Opaque {
                self.distrust();
            }
            if matches!(built_in, "nextval" | "setval") {
                self.lasting = self.lasting.max(Lasting::Itself);
            }
            return self.found.push(act);
        }
        if !builtin::is_harmless_function(built_in) {
            self.runs(&name, built_in);
        }
    }

    /// A function whose body is not known.
    pub(super) fn runs(&mut self, name: &str, last: &str) {
        self.distrust();
        if runs_sql(last) {
            return self.found.push(Act::opaque(format!("{name} runs SQL that is not in this text")));
        }
        let why = format!("runs the function {name}, whose code is not known here");
        self.found.push(act(Effect::Execute, Resource::new(Kind::Function, name), why));
    }

    fn set_config(&mut self, call: &pb::FuncCall) {
        let mut args = call.args.iter().map(|arg| names::literal(arg.node.as_ref()));
        let (name, value) = (args.next().flatten(), args.next().flatten());
        self.found.push(match name {
            // Beside what else the text does, it would decide where that runs.
            Some(name) if settings::is_read_only(&name) => act(
                Effect::Disarm,
                Resource::new(Kind::Setting, name.as_str()),
                format!("changes {name} while other statements run"),
            ),
            Some(name) => settings::set(&name, value.as_deref()),
            None => act(
                Effect::Disarm,
                Resource::new(Kind::Setting, ""),
                "changes a setting whose name is not in the text",
            ),
        });
    }

    /// Most settings tell nothing that a session may not know.
    fn current_setting(&mut self, function: &str, call: &pb::FuncCall) {
        let name = call.args.first().and_then(|arg| names::literal(arg.node.as_ref()));
        let secret = match &name {
            _ if function != "current_setting" => false,
            Some(name) => settings::is_secret(name),
            None => true,
        };
        if secret {
            let name = name.unwrap_or_default();
            let what = if name.is_empty() { "a setting that is not in the text" } else { &name };
            let why = format!("shows {what}, which may hand out a secret");
            self.found.push(act(Effect::Grant, Resource::new(Kind::Setting, name.as_str()), why));
        }
    }

    /// An operator; a qualified one may be anybody's.
    pub(super) fn operator(&mut self, name: &[pb::Node]) {
        let parts = names::strings(name);
        let known = match parts.as_slice() {
            [] => true,
            [one] | ["pg_catalog", one] => builtin::is_operator(one),
            _ => false,
        };
        if !known {
            let name = format!("operator {}", names::dotted(parts));
            let why = format!("runs the code behind the {name}, which is not known here");
            self.distrust();
            self.found.push(act(Effect::Execute, Resource::new(Kind::Function, name), why));
        }
    }

    /// A constraint; that which excludes names the operators that it compares with.
    pub(super) fn constraint(&mut self, constraint: &pb::Constraint) {
        if !constraint.exclusions.is_empty() {
            self.access_method(&constraint.access_method);
        }
        for pair in &constraint.exclusions {
            match pair.node.as_ref() {
                Some(NodeEnum::List(pair)) => match pair.items.get(1).and_then(|it| it.node.as_ref()) {
                    Some(NodeEnum::List(name)) => self.operator(&name.items),
                    _ => self.unknown("Constraint"),
                },
                _ => self.unknown("Constraint"),
            }
        }
        constraint.kids(self);
    }

    /// The operator class of an index or a partition key, whose functions run for each row.
    pub(super) fn operator_class(&mut self, class: &[pb::Node]) {
        let parts = names::strings(class);
        if !parts.is_empty() && !builtin_name(&parts).is_some_and(builtin::is_operator_class) {
            let name = format!("operator class {}", names::dotted(parts));
            let why = format!("runs the code of the {name}, which is not known here");
            self.distrust();
            self.found.push(act(Effect::Execute, object(name), why));
        }
    }

    /// How rows or an index are stored; empty is what the server does by itself.
    pub(super) fn access_method(&mut self, method: &str) {
        if !method.is_empty() && !builtin::ACCESS_METHODS.contains(&method) {
            let name = format!("access method {method}");
            let why = format!("runs the code of the {name}, which is not known here");
            self.distrust();
            self.found.push(act(Effect::Execute, object(name), why));
        }
    }

    /// A type of which values are made for rows that are there already.
    pub(super) fn filled(&mut self, name: Option<&pb::TypeName>) {
        let serial = |name: &pb::TypeName| {
            let parts = names::strings(&name.names);
            matches!(builtin_name(&parts), Some(name) if builtin::SERIAL.contains(&name))
        };
        if let Some(name) = name.filter(|name| !serial(name)) {
            let mention = std::mem::replace(&mut self.mention, false);
            self.cast(name);
            self.mention = mention;
        }
    }

    /// A type, which is cast to unless it is only mentioned.
    pub(super) fn cast(&mut self, name: &pb::TypeName) {
        name.kids(self);
        let parts = names::strings(&name.names);
        let known = builtin_name(&parts).is_some_and(builtin::is_type);
        if !self.mention && !known {
            let name = names::dotted(parts);
            let why = format!("runs the code that makes values of the type {name}, not known here");
            self.distrust();
            self.found.push(act(Effect::Execute, Resource::new(Kind::Type, name), why));
        }
    }

    /// The method of a TABLESAMPLE.
    pub(super) fn sampling(&mut self, method: &[pb::Node]) {
        let parts = names::strings(method);
        if !matches!(builtin_name(&parts), Some("bernoulli" | "system")) {
            let name = names::dotted(parts.iter().copied());
            self.runs(&name, parts.last().copied().unwrap_or_default());
        }
    }
}

/// The name that a built-in of that name would have: unqualified or in `pg_catalog`.
fn builtin_name<'a>(parts: &[&'a str]) -> Option<&'a str> {
    match parts {
        [name] | ["pg_catalog", name] => Some(name),
        _ => None,
    }
}

/// Whether a call only makes a value of a built-in type, or tells whether it would.
fn makes_value(name: &str, call: &pb::FuncCall) -> bool {
    let args = call.args.as_slice();
    match (name, args) {
        // Of a type whose name is a value; it may have checks of anybody's.
        ("pg_input_is_valid" | "pg_input_error_info", [_, named]) => {
            names::literal(named.node.as_ref()).is_some_and(|named| is_built_in_type(&named))
        }
        // That of two arguments runs a query.
        ("ts_rewrite", [_, _, _]) => true,
        // A call by the name of a type is a cast.
        (name, [_]) => builtin::is_type(name),
        _ => false,
    }
}

/// Whether a text names a type that is built in, as the server reads it.
fn is_built_in_type(written: &str) -> bool {
    let Ok(tree) = super::parsed(&format!("SELECT NULL::{written}")) else { return false };
    let [raw] = tree.protobuf.stmts.as_slice() else { return false };
    let select = raw.stmt.as_ref().and_then(|statement| statement.node.as_ref());
    let Some(NodeEnum::SelectStmt(select)) = select else { return false };
    let [target] = select.target_list.as_slice() else { return false };
    let Some(NodeEnum::ResTarget(target)) = &target.node else { return false };
    match target.val.as_ref().and_then(|value| value.node.as_ref()) {
        Some(NodeEnum::TypeCast(cast)) => {
            let name = cast.type_name.as_ref().map(|name| names::strings(&name.names));
            name.is_some_and(|name| builtin_name(&name).is_some_and(builtin::is_type))
        }
        _ => false,
    }
}

/// Functions of well-known extensions that run SQL text given to them, here or elsewhere.
fn runs_sql(name: &str) -> bool {
    name.starts_with("dblink")
        || matches!(name, "xpath_table" | "crosstab" | "crosstabn" | "crosstab_hash" | "connectby")
        || matches!(name, "schedule" | "schedule_in_database" | "run_command_on_workers")
}

/// Built-in functions that do more than compute, with `first` the first argument where constant.
fn dangerous(name: &str, first: Option<&str>) -> Option<Act> {
    use Reversibility::{Irreversible, Recoverable, Reversible};
    let first_name = first.unwrap_or_default();
    let done = |effect, kind, what: &str, back, why: &str| {
        Some(act(effect, Resource::new(kind, what), why).that_is(back))
    };
    let change = |what: &str, why: &str| Some(act(Effect::Change, object(what), why));
    let disarm = |what: &str, why: &str| Some(act(Effect::Disarm, object(what), why));
    match name {
        "pg_terminate_backend" | "pg_cancel_backend" => {
            let why = "stops what other connections are doing and rolls it back";
            done(Effect::Destroy, Kind::Connection, first_name, Irreversible, why)
        }
        _ if builtin::READS_FILES.contains(&name) => {
            let why = format!("reads files of the database's host ({name})");
            done(Effect::Execute, Kind::File, first_name, Reversible, &why)
        }
        _ if builtin::WRITES_FILES.contains(&name) => {
            let why = format!("writes or removes files of the database's host ({name})");
            done(Effect::Execute, Kind::File, first_name, Irreversible, &why)
        }
        _ if builtin::RUNS_SQL.contains(&name) || runs_sql(name) => {
            Some(Act::opaque(format!("{name} runs SQL that is given to it as a value")))
        }
        _ if builtin::SECRETS.contains(&name) => {
            let why = format!("{name} hands out how people and servers sign in");
            done(Effect::Grant, Kind::Object, name, Reversible, &why)
        }
        "nextval" | "setval" => {
            let why = format!("moves the sequence {first_name} on");
            Some(act(Effect::Change, table(first_name), why))
        }
        "pg_notify" => Some(notify(first_name)),
        "lo_unlink" => {
            let why = "removes a large object";
            done(Effect::Destroy, Kind::Object, "large object", Recoverable, why)
        }
        "lo_creat" | "lo_create" | "lo_from_bytea" => {
            done(Effect::Create, Kind::Object, "large object", Reversible, "adds a large object")
        }
        "lo_open" | "lo_put" | "lowrite" | "lo_truncate" | "lo_truncate64" => {
            change("large object", "may change a large object")
        }
        "lo_get" | "loread" => {
            done(Effect::Read, Kind::Object, "large object", Reversible, "reads a large object")
        }
        _ if name.starts_with("pg_stat_reset") || name == "pg_stat_statements_reset" => {
            let why = "throws away the statistics that the server has collected";
            done(Effect::Destroy, Kind::Object, "statistics", Irreversible, why)
        }
        _ => server(name, change, disarm, first_name),
    }
}

/// Built-in functions that act on the server and its replication.
fn server(
    name: &str,
    change: impl Fn(&str, &str) -> Option<Act>,
    disarm: impl Fn(&str, &str) -> Option<Act>,
    first: &str,
) -> Option<Act> {
    match name {
        "pg_logical_emit_message" => {
            let message = change("replication", "writes a message into the replication stream");
            message.map(|act| act.that_is(Reversibility::Irreversible))
        }
        "pg_logical_slot_get_changes"
        | "pg_logical_slot_get_binary_changes"
        | "pg_replication_slot_advance" => {
            let why = "moves a replication slot on: what it held is lost to its reader";
            let lost = act(Effect::Destroy, object(format!("replication slot {first}")), why);
            Some(lost.that_is(Reversibility::Irreversible))
        }
        "pg_drop_replication_slot" => {
            disarm("replication", "drops a replication slot: a replica or backup may not catch up")
        }
        _ if builtin::REPLICATION.contains(&name) => {
            disarm("replication", &format!("changes how the database is replicated ({name})"))
        }
        _ if builtin::SERVER.contains(&name) => {
            disarm("server", &format!("changes how the server runs ({name})"))
        }
        _ if builtin::UPKEEP.contains(&name) => {
            change("server", &format!("makes the server do upkeep ({name})"))
        }
        _ if name.starts_with("pg_try_advisory_")
            || name.starts_with("pg_advisory_lock")
            || name.starts_with("pg_advisory_xact_lock") =>
        {
            let lock = change("advisory lock", "takes a lock that others may wait for");
            lock.map(|act| act.that_is(Reversibility::Reversible))
        }
        _ => None,
    }
}

/// A notification: who listens is not known, nor what code they run then.
pub(super) fn notify(channel: &str) -> Act {
    let why = format!("wakes whoever listens on {channel}; what they do then is not known here");
    act(Effect::Execute, object(format!("channel {channel}")), why)
}
