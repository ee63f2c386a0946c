//! Settings of the session: a short list is free, everything else weakens something.

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::intent::{Act, Effect, Kind, Resource};

use super::acts::{act, free};
use super::names;

/// Settings that change nothing but how this session shows, plans or names things.
const FREE: &[&str] = &[
    "application_name",
    "bytea_output",
    "client_min_messages",
    "datestyle",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "enable_bitmapscan",
    "enable_hashagg",
    "enable_hashjoin",
    "enable_indexonlyscan",
    "enable_indexscan",
    "enable_material",
    "enable_mergejoin",
    "enable_nestloop",
    "enable_seqscan",
    "enable_sort",
    "escape_string_warning",
    "extra_float_digits",
    "intervalstyle",
    "jit",
    "plan_cache_mode",
    "seed",
    "tcp_keepalives_count",
    "tcp_keepalives_idle",
    "tcp_keepalives_interval",
    "tcp_user_timeout",
    "timezone",
    "transaction_deferrable",
    "transaction_isolation",
    "xmlbinary",
    "xmloption",
];

/// Time limits: free while they stay on.
const TIMEOUTS: &[&str] = &[
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "lock_timeout",
    "statement_timeout",
    "transaction_timeout",
];

/// Safeguards: free to switch on.
const ON: &[&str] = &[
    "default_transaction_read_only",
    "row_security",
    "standard_conforming_strings",
    "transaction_read_only",
];

/// Settings that hold passwords, or commands that do.
const SECRETS: &[&str] = &["primary_conninfo", "ssl_passphrase_command"];

/// What names of settings say that hold a secret. The server has none such of its own beside commands and
/// connection strings; those with a dot are whatever somebody made them.
const SECRET_WORDS: &[&str] = &[
    "secret",
    "passw",
    "passphrase",
    "token",
    "credential",
    "private",
    "conninfo",
    "_command",
    "api_key",
];

/// Whether showing a setting may hand out a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "all"
        || SECRETS.contains(&name.as_str())
        || SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Whether a setting says whether transactions may write.
pub(super) fn is_read_only(name: &str) -> bool {
    name.to_ascii_lowercase().contains("read_only")
}

/// Whether it does, or whose they are.
pub(super) fn decides_writing(name: &str) -> bool {
    is_read_only(name) || matches!(name.to_ascii_lowercase().as_str(), "role" | "session_authorization")
}

/// What showing a setting does.
pub(super) fn show(name: &str) -> Act {
    match name {
        "all" => {
            let why = "shows every setting, secrets among them";
            act(Effect::Grant, Resource::new(Kind::Setting, ""), why)
        }
        _ if is_secret(name) => {
            let why = format!("shows {name}, which may hand out a secret");
            act(Effect::Grant, Resource::new(Kind::Setting, name), why)
        }
        _ => free(format!("shows {name}")),
    }
}

/// Whether a condition lets through only settings that it names and that hand out no secret.
pub(super) fn narrows(condition: Option<&pb::Node>) -> bool {
    let Some(node) = condition.and_then(|node| node.node.as_ref()) else { return false };
    match node {
        NodeEnum::BoolExpr(expr) => match expr.boolop() {
            pb::BoolExprType::AndExpr => expr.args.iter().any(|arg| narrows(Some(arg))),
            pb::BoolExprType::OrExpr => expr.args.iter().all(|arg| narrows(Some(arg))),
            _ => false,
        },
        NodeEnum::AExpr(expr) => {
            let is_kind = matches!(expr.kind(), pb::AExprKind::AexprOp | pb::AExprKind::AexprIn);
            let equal = is_kind && names::strings(&expr.name) == ["="];
            let column = match expr.lexpr.as_ref().and_then(|left| left.node.as_ref()) {
                Some(NodeEnum::ColumnRef(column)) => {
                    names::strings(&column.fields).last() == Some(&"name")
                }
                _ => false,
            };
            let harmless =
                |node: Option<&NodeEnum>| names::literal(node).is_some_and(|it| !is_secret(&it));
            let right = expr.rexpr.as_ref().and_then(|right| right.node.as_ref());
            equal
                && column
                && match right {
                    Some(NodeEnum::List(list)) => {
                        list.items.iter().all(|item| harmless(item.node.as_ref()))
                    }
                    other => harmless(other),
                }
        }
        _ => false,
    }
}

/// What setting `name` to `value` does; no value means that it is not in the text.
pub(super) fn set(name: &str, value: Option<&str>) -> Act {
    let name = name.to_ascii_lowercase();
    let is_free = match value {
        Some(value) => is_free(&name, value),
        None => FREE.contains(&name.as_str()),
    };
    if is_free { free(format!("sets {name} for this session")) } else { weakens(&name) }
}

/// What putting `name` back to what the session began with does.
fn reset(name: &str) -> Act {
    match name.to_ascii_lowercase().as_str() {
        name @ ("role" | "session_authorization") => weakens(name),
        name => free(format!("puts {name} back to what the session began with")),
    }
}

fn is_free(name: &str, value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    match name {
        "client_encoding" => matches!(value.as_str(), "utf8" | "utf-8" | "unicode"),
        // With an empty path every name is qualified or built in, so none can be mistaken.
        "search_path" => matches!(value.as_str(), "" | "pg_catalog"),
        _ if TIMEOUTS.contains(&name) => is_positive(&value),
        _ if ON.contains(&name) => matches!(value.as_str(), "on" | "true" | "yes" | "1"),
        _ => FREE.contains(&name),
    }
}

/// At least one millisecond; microseconds may round down to "no limit".
fn is_positive(value: &str) -> bool {
    let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
    digits.chars().any(|digit| digit != '0') && !value.contains("us")
}

fn weakens(name: &str) -> Act {
    let (effect, why) = match name {
        "role" | "session_authorization" => {
            (Effect::Grant, "acts as another role from here on".to_owned())
        }
        "session_replication_role" => {
            (Effect::Disarm, "stops triggers and foreign keys from being checked".to_owned())
        }
        "search_path" => {
            (Effect::Disarm, "makes names mean other things from here on (search_path)".to_owned())
        }
        "row_security" => (Effect::Disarm, "changes whether row security hides rows".to_owned()),
        "default_transaction_read_only" | "transaction_read_only" => {
            (Effect::Disarm, "lets the session write where it was read-only".to_owned())
        }
        _ if TIMEOUTS.contains(&name) => {
            (Effect::Disarm, format!("switches a time limit off ({name})"))
        }
        _ => (Effect::Disarm, format!("changes the setting {name}, which may protect something")),
    };
    act(effect, Resource::new(Kind::Setting, name), why)
}

/// What a SET or RESET does.
pub(super) fn judge(set: &pb::VariableSetStmt) -> Vec<Act> {
    use pb::VariableSetKind as Set;
    match set.kind() {
        Set::VarSetValue => {
            let words: Option<Vec<_>> =
                set.args.iter().map(|arg| names::literal(arg.node.as_ref())).collect();
            let value = words.map(|words| words.join(","));
            vec![self::set(&set.name, value.as_deref())]
        }
        Set::VarSetDefault | Set::VarReset => vec![reset(&set.name)],
        Set::VarResetAll => vec![free("puts all settings back to what the session began with")],
        Set::VarSetMulti => transaction(&set.args),
        Set::VarSetCurrent | Set::Undefined => vec![weakens(&set.name)],
    }
}

/// The modes of SET TRANSACTION, SET SESSION CHARACTERISTICS and BEGIN.
pub(super) fn transaction(modes: &[pb::Node]) -> Vec<Act> {
    let modes = modes.iter().map(|mode| match mode.node.as_ref() {
        Some(NodeEnum::DefElem(mode)) => {
            let value = mode.arg.as_ref().and_then(|arg| names::literal(arg.node.as_ref()));
            set(&mode.defname, value.as_deref())
        }
        // The name of a snapshot to share.
        _ => free("shares the view of another transaction"),
    });
    modes.collect()
}
