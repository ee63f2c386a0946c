//! Whether a condition lets every row through.
//!
//! Not a solver: it knows the ways in which "all rows" is usually written, and holds a condition that
//! looks at no column of any row for one of them.

use pg_query::{NodeEnum, protobuf as pb};

/// Why a condition does not narrow the rows, as the end of a sentence; nothing if it does.
pub(super) fn unbounded(condition: Option<&pb::Node>) -> Option<&'static str> {
    let Some(node) = condition.and_then(|node| node.node.as_ref()) else {
        return Some("no WHERE");
    };
    if !mentions_row(node) {
        return Some("its condition looks at no column");
    }
    always(node).then_some("its condition is always true")
}

/// Whether the condition is true for every row.
fn always(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::BoolExpr(expr) => match expr.boolop() {
            pb::BoolExprType::AndExpr => expr.args.iter().all(|arg| holds(arg, always)),
            pb::BoolExprType::OrExpr => {
                expr.args.iter().any(|arg| holds(arg, always)) || covers_null(&expr.args)
            }
            pb::BoolExprType::NotExpr => expr.args.iter().all(|arg| holds(arg, never)),
            pb::BoolExprType::Undefined => false,
        },
        NodeEnum::AExpr(expr) => reflexive(expr),
        _ => !mentions_row(node),
    }
}

/// Whether the condition is false for every row, which its negation turns into "all rows".
fn never(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::AExpr(expr) => same_sides(expr) && is_one_of(expr, &["<>", "!=", "<", ">"]),
        _ => !mentions_row(node),
    }
}

fn holds(node: &pb::Node, test: fn(&NodeEnum) -> bool) -> bool {
    node.node.as_ref().is_some_and(test)
}

/// `x = x` and its like: true unless x is null.
fn reflexive(expr: &pb::AExpr) -> bool {
    use pb::AExprKind as Kind;
    match expr.kind() {
        Kind::AexprOp => {
            let same =
                same_sides(expr) && is_one_of(expr, &["=", ">=", "<=", "~~", "~~*", "@>", "<@", "~="]);
            same || !side_mentions_row(expr) || matches_anything(expr)
        }
        Kind::AexprLike | Kind::AexprIlike => same_sides(expr) || matches_anything(expr),
        Kind::AexprNotDistinct => same_sides(expr),
        Kind::AexprIn => among(expr) && is_one_of(expr, &["="]),
        Kind::AexprBetween | Kind::AexprBetweenSym => among(expr),
        _ => !side_mentions_row(expr),
    }
}

/// `x LIKE '%'`.
fn matches_anything(expr: &pb::AExpr) -> bool {
    let pattern = expr.rexpr.as_ref().and_then(|node| super::names::literal(node.node.as_ref()));
    is_one_of(expr, &["~~", "~~*"])
        && pattern.is_some_and(|text| !text.is_empty() && text.chars().all(|c| c == '%'))
}

/// `x IN (..., x, ...)`, `x BETWEEN x AND x`.
fn among(expr: &pb::AExpr) -> bool {
    let Some(NodeEnum::List(list)) = expr.rexpr.as_ref().and_then(|node| node.node.as_ref()) else {
        return false;
    };
    let left = expr.lexpr.as_ref().and_then(|node| node.node.as_ref());
    let mut same = list.items.iter().map(|item| same(left, item.node.as_ref()));
    if expr.kind() == pb::AExprKind::AexprIn { same.any(|same| same) } else { same.all(|same| same) }
}

/// `x IS NULL OR x IS NOT NULL`.
fn covers_null(args: &[pb::Node]) -> bool {
    let tests: Vec<_> = args
        .iter()
        .filter_map(|arg| match arg.node.as_ref() {
            Some(NodeEnum::NullTest(test)) => Some(test),
            _ => None,
        })
        // Every pair is compared, so a long list is not searched to its end.
        .take(64)
        .collect();
    tests.iter().enumerate().any(|(at, one)| {
        tests.iter().skip(at + 1).any(|other| {
            let sides = [one, other].map(|test| test.arg.as_ref().and_then(|arg| arg.node.as_ref()));
            one.nulltesttype != other.nulltesttype && same(sides[0], sides[1])
        })
    })
}

fn is_one_of(expr: &pb::AExpr, operators: &[&str]) -> bool {
    super::names::strings(&expr.name).last().is_some_and(|name| operators.contains(name))
}

fn side_mentions_row(expr: &pb::AExpr) -> bool {
    [&expr.lexpr, &expr.rexpr].into_iter().flatten().any(|side| holds(side, mentions_row))
}

fn same_sides(expr: &pb::AExpr) -> bool {
    let [left, right] =
        [&expr.lexpr, &expr.rexpr].map(|side| side.as_ref().and_then(|node| node.node.as_ref()));
    same(left, right)
}

/// Whether two simple expressions are the same wherever they were written.
fn same(left: Option<&NodeEnum>, right: Option<&NodeEnum>) -> bool {
    use super::names::strings;
    match (left, right) {
        (Some(NodeEnum::ColumnRef(left)), Some(NodeEnum::ColumnRef(right))) => {
            let (left, right) = (strings(&left.fields), strings(&right.fields));
            // `id` and `users.id` are one column: where they were not, `id` would be ambiguous.
            let shared = left.len().min(right.len());
            shared > 0 && left.iter().rev().take(shared).eq(right.iter().rev().take(shared))
        }
        (Some(NodeEnum::TypeCast(cast)), other) => {
            same(cast.arg.as_ref().and_then(|arg| arg.node.as_ref()), other)
        }
        (other, Some(NodeEnum::TypeCast(cast))) => {
            same(other, cast.arg.as_ref().and_then(|arg| arg.node.as_ref()))
        }
        _ => false,
    }
}

/// Whether any column, or the row of a cursor, is mentioned.
fn mentions_row(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::ColumnRef(_) | NodeEnum::CurrentOfExpr(_) => true,
        NodeEnum::AConst(_) | NodeEnum::ParamRef(_) => false,
        NodeEnum::AExpr(expr) => side_mentions_row(expr),
        NodeEnum::BoolExpr(expr) => expr.args.iter().any(|arg| holds(arg, mentions_row)),
        NodeEnum::List(list) => list.items.iter().any(|item| holds(item, mentions_row)),
        NodeEnum::FuncCall(call) => call.args.iter().any(|arg| holds(arg, mentions_row)),
        NodeEnum::TypeCast(cast) => cast.arg.as_ref().is_some_and(|arg| holds(arg, mentions_row)),
        NodeEnum::NullTest(test) => test.arg.as_ref().is_some_and(|arg| holds(arg, mentions_row)),
        NodeEnum::BooleanTest(test) => test.arg.as_ref().is_some_and(|arg| holds(arg, mentions_row)),
        NodeEnum::SqlvalueFunction(_) => false,
        NodeEnum::SubLink(link) => format!("{link:?}").contains("ColumnRef"),
        // Anything else may look at the row; the plain words "match a condition" are then true.
        other => format!("{other:?}").contains("ColumnRef"),
    }
}
