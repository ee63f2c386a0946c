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
        NodeEnum::NullTest(test) => {
            let arg = test.arg.as_ref().and_then(|arg| arg.node.as_ref());
            test.nulltesttype() == pb::NullTestType::IsNotNull && arg.is_some_and(never_null)
        }
        NodeEnum::CaseExpr(case) => {
            let results = case.args.iter().map(|when| match when.node.as_ref() {
                Some(NodeEnum::CaseWhen(when)) => when.result.as_deref(),
                _ => None,
            });
            results.chain([case.defresult.as_deref()]).all(|it| it.is_some_and(|it| holds(it, always)))
        }
        NodeEnum::SubLink(link) => {
            link.sub_link_type() == pb::SubLinkType::ExistsSublink && gives_rows(link)
                || !mentions_row(node)
        }
        _ => !mentions_row(node),
    }
}

/// Whether the expression is never null, whatever the row is.
fn never_null(node: &NodeEnum) -> bool {
    match node {
        // The system's own columns.
        NodeEnum::ColumnRef(column) => {
            super::names::strings(&column.fields).last().is_some_and(|name| {
                matches!(*name, "ctid" | "tableoid" | "xmin" | "xmax" | "cmin" | "cmax")
            })
        }
        NodeEnum::AConst(constant) => !constant.isnull,
        NodeEnum::CoalesceExpr(coalesce) => coalesce.args.iter().any(|arg| holds(arg, never_null)),
        NodeEnum::TypeCast(cast) => cast.arg.as_ref().is_some_and(|arg| holds(arg, never_null)),
        NodeEnum::NullTest(_) | NodeEnum::BooleanTest(_) | NodeEnum::RowExpr(_) => true,
        _ => false,
    }
}

/// Whether an EXISTS asks only if its relations have rows at all, not which.
fn gives_rows(link: &pb::SubLink) -> bool {
    let select = match link.subselect.as_ref().and_then(|select| select.node.as_ref()) {
        Some(NodeEnum::SelectStmt(select)) => select,
        _ => return false,
    };
    let is_plain = |node: &pb::Node| matches!(node.node, Some(NodeEnum::RangeVar(_)));
    select.where_clause.is_none()
        && select.having_clause.is_none()
        && select.larg.is_none()
        && select.limit_count.is_none()
        && select.limit_offset.is_none()
        && select.from_clause.iter().all(is_plain)
}

/// Whether the condition is false for every row, which its negation turns into "all rows".
fn never(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::BoolExpr(expr) => match expr.boolop() {
            pb::BoolExprType::AndExpr => {
                expr.args.iter().any(|arg| holds(arg, never)) || covers_null(&expr.args)
            }
            pb::BoolExprType::OrExpr => expr.args.iter().all(|arg| holds(arg, never)),
            pb::BoolExprType::NotExpr => expr.args.iter().all(|arg| holds(arg, always)),
            pb::BoolExprType::Undefined => false,
        },
        NodeEnum::NullTest(test) => {
            let arg = test.arg.as_ref().and_then(|arg| arg.node.as_ref());
            test.nulltesttype() == pb::NullTestType::IsNull && arg.is_some_and(never_null)
        }
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
        Kind::AexprLike | Kind::AexprIlike | Kind::AexprSimilar => {
            same_sides(expr) || matches_anything(expr)
        }
        Kind::AexprNotDistinct => same_sides(expr),
        Kind::AexprIn => among(expr) && is_one_of(expr, &["="]),
        Kind::AexprBetween | Kind::AexprBetweenSym => among(expr),
        _ => !side_mentions_row(expr),
    }
}

/// `x LIKE '%'`, also with ESCAPE, `x SIMILAR TO '%'`, `x ~ '.*'`.
fn matches_anything(expr: &pb::AExpr) -> bool {
    let right = expr.rexpr.as_ref().and_then(|node| node.node.as_ref());
    let pattern = match right {
        Some(NodeEnum::FuncCall(escape)) => escape.args.first().and_then(|arg| arg.node.as_ref()),
        other => other,
    };
    let Some(pattern) = super::names::literal(pattern) else { return false };
    let similar = expr.kind() == pb::AExprKind::AexprSimilar;
    if is_one_of(expr, &["~~", "~~*"]) || similar && is_one_of(expr, &["~"]) {
        return !pattern.is_empty() && pattern.chars().all(|c| c == '%');
    }
    // Signs that each let a text of any length through, or say where it begins and ends.
    let rest = pattern.strip_prefix("(?s)").unwrap_or(&pattern);
    is_one_of(expr, &["~", "~*"])
        && rest.chars().all(|c| matches!(c, '^' | '$' | '.' | '*' | '(' | ')' | '|'))
        && !rest.contains("^$")
        && rest.matches('.').count() == rest.matches(".*").count()
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

/// `x IS NULL OR x IS NOT NULL`, `x = 1 OR x <> 1`, `x IS TRUE OR x IS NOT TRUE`.
fn covers_null(args: &[pb::Node]) -> bool {
    has_opposites(args, true) || covers_tests(args)
}

/// Whether two of these tests say the opposite of one column, compared with the same constant if that counts.
pub(super) fn has_opposites(args: &[pb::Node], constants: bool) -> bool {
    let plain: Vec<_> = args.iter().filter_map(comparison).take(64).collect();
    plain.iter().enumerate().any(|(at, (one, column, with))| {
        plain.iter().skip(at + 1).any(|(other, second, against)| {
            let opposite = [("=", "<>"), ("=", "!="), ("<", ">="), (">", "<="), ("true", "not true")];
            let opposes =
                opposite.iter().any(|pair| *pair == (*one, *other) || *pair == (*other, *one));
            let known = || super::names::literal(*with) == super::names::literal(*against);
            opposes && same(Some(column), Some(second)) && (!constants || known())
        })
    })
}

/// A test of a column: the operator, the column and the constant that it is compared with.
fn comparison(node: &pb::Node) -> Option<(&str, &NodeEnum, Option<&NodeEnum>)> {
    match node.node.as_ref()? {
        NodeEnum::AExpr(expr) if expr.kind() == pb::AExprKind::AexprOp => {
            let column = expr.lexpr.as_ref()?.node.as_ref()?;
            let with = expr.rexpr.as_ref()?.node.as_ref()?;
            matches!(with, NodeEnum::AConst(_)).then_some(())?;
            Some((super::names::strings(&expr.name).last()?, column, Some(with)))
        }
        NodeEnum::BooleanTest(test) => {
            use pb::BoolTestType as Test;
            let word = match test.booltesttype() {
                Test::IsTrue => "true",
                Test::IsNotTrue => "not true",
                _ => return None,
            };
            Some((word, test.arg.as_ref()?.node.as_ref()?, None))
        }
        _ => None,
    }
}

fn covers_tests(args: &[pb::Node]) -> bool {
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
        (Some(NodeEnum::RowExpr(left)), Some(NodeEnum::RowExpr(right))) => {
            same_all(&left.args, &right.args)
        }
        (Some(NodeEnum::FuncCall(left)), Some(NodeEnum::FuncCall(right))) => {
            strings(&left.funcname) == strings(&right.funcname) && same_all(&left.args, &right.args)
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

fn same_all(left: &[pb::Node], right: &[pb::Node]) -> bool {
    let pairs = || left.iter().zip(right);
    !left.is_empty()
        && left.len() == right.len()
        && pairs().all(|(left, right)| same(left.node.as_ref(), right.node.as_ref()))
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
        NodeEnum::CoalesceExpr(coalesce) => coalesce.args.iter().any(|arg| holds(arg, mentions_row)),
        NodeEnum::SubLink(link) => format!("{link:?}").contains("ColumnRef(ColumnRef {"),
        // Anything else may look at the row; the plain words "match a condition" are then true.
        other => format!("{other:?}").contains("ColumnRef(ColumnRef {"),
    }
}
