//! Names as the request wrote them, folded as PostgreSQL folds and dotted where qualified.

use pg_query::{NodeEnum, protobuf as pb};

/// Parts joined by dots. A part that has a dot itself is quoted, so that it stays one part.
pub(in crate::postgres) fn dotted<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut name = String::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        if !name.is_empty() {
            name.push('.');
        }
        if part.contains(['.', '"']) {
            name.push('"');
            name.push_str(&part.replace('"', "\"\""));
            name.push('"');
        } else {
            name.push_str(part);
        }
    }
    name
}

/// The name of a relation.
pub(super) fn relation(var: &pb::RangeVar) -> String {
    dotted([var.catalogname.as_str(), var.schemaname.as_str(), var.relname.as_str()])
}

/// The name of an optional relation, empty if there is none.
pub(super) fn relation_or_empty(var: Option<&pb::RangeVar>) -> String {
    var.map(relation).unwrap_or_default()
}

/// The strings of a list of nodes; what is no string is left out.
pub(super) fn strings(nodes: &[pb::Node]) -> Vec<&str> {
    nodes.iter().filter_map(|node| string(node.node.as_ref())).collect()
}

/// The text of a string node.
pub(super) fn string(node: Option<&NodeEnum>) -> Option<&str> {
    match node {
        Some(NodeEnum::String(string)) => Some(&string.sval),
        _ => None,
    }
}

/// A list of strings as one dotted name.
pub(super) fn path(nodes: &[pb::Node]) -> String {
    dotted(strings(nodes))
}

/// The parts of whatever names an object: a string, a list, a type, a function with arguments.
pub(super) fn parts(node: Option<&NodeEnum>) -> Vec<&str> {
    match node {
        Some(NodeEnum::String(string)) => vec![&string.sval],
        Some(NodeEnum::List(list)) => {
            list.items.iter().flat_map(|item| parts(item.node.as_ref())).collect()
        }
        Some(NodeEnum::TypeName(name)) => strings(&name.names),
        Some(NodeEnum::ObjectWithArgs(object)) => strings(&object.objname),
        Some(NodeEnum::RangeVar(var)) => {
            let parts = [var.catalogname.as_str(), var.schemaname.as_str(), var.relname.as_str()];
            parts.into_iter().filter(|part| !part.is_empty()).collect()
        }
        Some(NodeEnum::RoleSpec(role)) => vec![self::role(role)],
        _ => Vec::new(),
    }
}

/// The name of whatever names an object.
pub(super) fn of(node: Option<&NodeEnum>) -> String {
    dotted(parts(node))
}

/// The name of a role; for the special ones, the words that stand for them.
pub(super) fn role(role: &pb::RoleSpec) -> &str {
    match role.roletype() {
        pb::RoleSpecType::RolespecCstring => &role.rolename,
        pb::RoleSpecType::RolespecCurrentRole => "current_role",
        pb::RoleSpecType::RolespecCurrentUser => "current_user",
        pb::RoleSpecType::RolespecSessionUser => "session_user",
        pb::RoleSpecType::RolespecPublic => "public",
        pb::RoleSpecType::Undefined => "",
    }
}

/// The names of a list of roles.
pub(super) fn roles(nodes: &[pb::Node]) -> Vec<&str> {
    nodes.iter().flat_map(|node| parts(node.node.as_ref())).collect()
}

/// The constant text of a node: a literal, or a literal with a cast.
pub(super) fn literal(node: Option<&NodeEnum>) -> Option<String> {
    use pb::a_const::Val;
    match node? {
        NodeEnum::AConst(constant) => Some(match constant.val.as_ref()? {
            Val::Ival(int) => int.ival.to_string(),
            Val::Fval(float) => float.fval.clone(),
            Val::Boolval(bool) => bool.boolval.to_string(),
            Val::Sval(string) => string.sval.clone(),
            Val::Bsval(bits) => bits.bsval.clone(),
        }),
        NodeEnum::String(string) => Some(string.sval.clone()),
        NodeEnum::Integer(int) => Some(int.ival.to_string()),
        NodeEnum::Float(float) => Some(float.fval.clone()),
        NodeEnum::Boolean(bool) => Some(bool.boolval.to_string()),
        NodeEnum::TypeCast(cast) => literal(cast.arg.as_ref()?.node.as_ref()),
        _ => None,
    }
}

/// The named option of a list of options.
pub(super) fn option<'a>(options: &'a [pb::Node], name: &str) -> Option<&'a pb::DefElem> {
    options.iter().find_map(|option| match option.node.as_ref() {
        Some(NodeEnum::DefElem(option)) if option.defname.eq_ignore_ascii_case(name) => Some(&**option),
        _ => None,
    })
}

/// Whether an option is given and not clearly switched off, wherever it is given.
pub(super) fn switched(options: &[pb::Node], name: &str) -> bool {
    options.iter().any(|option| match option.node.as_ref() {
        Some(NodeEnum::DefElem(option)) if option.defname.eq_ignore_ascii_case(name) => {
            let value = option.arg.as_ref().and_then(|arg| literal(arg.node.as_ref()));
            !value.is_some_and(|it| {
                matches!(it.to_ascii_lowercase().as_str(), "false" | "off" | "0" | "no")
            })
        }
        Some(NodeEnum::DefElem(_)) => false,
        _ => true,
    })
}

/// The value of an option: a word, a literal, or the first of a list.
pub(super) fn of_option(option: &pb::DefElem) -> Option<String> {
    match option.arg.as_ref()?.node.as_ref() {
        Some(NodeEnum::List(list)) => literal(list.items.first()?.node.as_ref()),
        Some(NodeEnum::TypeName(name)) => strings(&name.names).last().map(|name| (*name).to_owned()),
        other => literal(other),
    }
}
