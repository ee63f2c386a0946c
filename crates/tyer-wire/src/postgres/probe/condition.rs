//! A condition that only compares columns of one table with values, and the query that counts by it.
//!
//! What is not listed here is not counted: no function, no sub-query, no operator beyond comparisons, no type
//! beyond the server's own. The query is PostgreSQL's tree put into words again and read back; unless it says the same
//! as before, there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::catch_unwind;

use pg_query::{NodeEnum, protobuf as pb};
use serde_json::Value;

use super::parsed;

/// Operators that compare.
const COMPARISONS: [&str; 11] = ["=", "<>", "!=", "<", ">", "<=", ">=", "~~", "!~~", "~~*", "!~~*"];
/// Types of the server's own that a value may be cast to.
const TYPES: [&str; 22] = [
    "bool",
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "numeric",
    "text",
    "varchar",
    "bpchar",
    "name",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "uuid",
    "bytea",
    "inet",
    "cidr",
    "macaddr",
];

/// A condition on the rows of one table; none at all lets all of them through.
#[derive(Clone, Debug)]
pub struct Condition {
    table: pb::RangeVar,
    test: Option<Box<pb::Node>>,
    found: Found,
}

/// What a condition speaks of.
#[derive(Clone, Debug, Default)]
struct Found {
    columns: BTreeSet<String>,
    types: BTreeSet<String>,
    /// Numbers of parameters as the statement has them, and as the counting query has them.
    parameters: BTreeMap<i32, i32>,
}

/// The condition of a DELETE, if it is one that can be counted by.
pub(super) fn of_delete(delete: &pb::DeleteStmt) -> Option<Condition> {
    let pb::DeleteStmt { relation, using_clause, where_clause, returning_clause: _, with_clause } =
        delete;
    let is_plain = using_clause.is_empty() && with_clause.is_none();
    Condition::of(relation.as_ref().filter(|_| is_plain)?, where_clause.as_deref())
}

/// The condition of an UPDATE, likewise.
pub(super) fn of_update(update: &pb::UpdateStmt) -> Option<Condition> {
    let pb::UpdateStmt {
        relation,
        target_list: _,
        where_clause,
        from_clause,
        returning_clause: _,
        with_clause,
    } = update;
    let is_plain = from_clause.is_empty() && with_clause.is_none();
    Condition::of(relation.as_ref().filter(|_| is_plain)?, where_clause.as_deref())
}

impl Condition {
    /// Every row of a table, without looking whether there is one: for what empties or removes it.
    #[must_use]
    pub fn all() -> Self {
        Self {
            table: pb::RangeVar { inh: true, ..pb::RangeVar::default() },
            test: None,
            found: Found::default(),
        }
    }

    fn of(table: &pb::RangeVar, test: Option<&pb::Node>) -> Option<Self> {
        let mut found = Found::default();
        let mut test = test.cloned().map(Box::new);
        if let Some(test) = &mut test {
            let qualifiers = Qualifiers::of(table);
            found.expression(test, &qualifiers)?;
        }
        Some(Self { table: table.clone(), test, found })
    }

    /// The columns that it names; each must be one, or the name is a call of a function.
    #[must_use]
    pub fn columns(&self) -> Vec<&str> {
        self.found.columns.iter().map(String::as_str).collect()
    }

    /// The types that it casts to; each must be the server's own.
    #[must_use]
    pub fn types(&self) -> Vec<&str> {
        self.found.types.iter().map(String::as_str).collect()
    }

    /// The statement's parameters that the query takes, in its order; the first is 1.
    #[must_use]
    pub fn parameters(&self) -> Vec<usize> {
        let mut numbers: Vec<_> = self.found.parameters.iter().map(|(old, new)| (*new, *old)).collect();
        numbers.sort_unstable();
        numbers.into_iter().filter_map(|(_, old)| usize::try_from(old).ok()).collect()
    }

    /// Whether the rows of its partitions and children count too.
    #[must_use]
    pub fn is_inherited(&self) -> bool {
        self.table.inh
    }

    /// The query that gives these columns of the rows, or `1` for each, from the table of that schema and name.
    #[must_use]
    pub fn rows(&self, (schema, name): (&str, &str), columns: &[String]) -> Option<String> {
        let one = pb::a_const::Val::Ival(pb::Integer { ival: 1 });
        let one = NodeEnum::AConst(pb::AConst { isnull: false, location: -1, val: Some(one) });
        let targets = match columns {
            [] => vec![target(one)],
            columns => columns.iter().map(|column| target(reference(column))).collect(),
        };
        let table = pb::RangeVar {
            catalogname: String::new(),
            schemaname: schema.to_owned(),
            relname: name.to_owned(),
            relpersistence: "p".to_owned(),
            ..self.table.clone()
        };
        let select = pb::SelectStmt {
            target_list: targets,
            from_clause: vec![node(NodeEnum::RangeVar(table))],
            where_clause: self.test.clone(),
            limit_option: pb::LimitOption::Default.into(),
            op: pb::SetOperation::SetopNone.into(),
            ..pb::SelectStmt::default()
        };
        in_words(select)
    }
}

/// What the columns of a table may be qualified with.
struct Qualifiers<'a> {
    schema: &'a str,
    /// The alias if there is one, which then is the only name.
    table: &'a str,
}

impl<'a> Qualifiers<'a> {
    fn of(table: &'a pb::RangeVar) -> Self {
        match &table.alias {
            Some(alias) => Self { schema: "", table: &alias.aliasname },
            None => Self { schema: &table.schemaname, table: &table.relname },
        }
    }
}

impl Found {
    /// Whether an expression is one of those listed; parameters in it are numbered anew.
    fn expression(&mut self, node: &mut pb::Node, of: &Qualifiers<'_>) -> Option<()> {
        match node.node.as_mut()? {
            NodeEnum::BoolExpr(expr) => {
                expr.args.iter_mut().try_for_each(|arg| self.expression(arg, of))
            }
            NodeEnum::NullTest(test) => self.expression(test.arg.as_mut()?, of),
            NodeEnum::BooleanTest(test) => self.expression(test.arg.as_mut()?, of),
            NodeEnum::AExpr(expr) => self.comparison(expr, of),
            NodeEnum::ColumnRef(column) => self.column(column, of),
            NodeEnum::AConst(_) => Some(()),
            NodeEnum::ParamRef(parameter) => {
                let next = i32::try_from(self.parameters.len()).ok()? + 1;
                parameter.number = *self.parameters.entry(parameter.number).or_insert(next);
                Some(())
            }
            NodeEnum::TypeCast(cast) => {
                self.kind(cast.type_name.as_ref()?)?;
                self.expression(cast.arg.as_mut()?, of)
            }
            NodeEnum::AArrayExpr(array) => {
                array.elements.iter_mut().try_for_each(|element| self.expression(element, of))
            }
            _ => None,
        }
    }

    fn comparison(&mut self, expr: &mut pb::AExpr, of: &Qualifiers<'_>) -> Option<()> {
        use pb::AExprKind as Kind;
        match expr.kind() {
            Kind::AexprOp
            | Kind::AexprOpAny
            | Kind::AexprOpAll
            | Kind::AexprDistinct
            | Kind::AexprNotDistinct
            | Kind::AexprIn
            | Kind::AexprLike
            | Kind::AexprIlike => {
                let [name] = expr.name.as_slice() else { return None };
                COMPARISONS.contains(&string(name)?).then_some(())?;
            }
            Kind::AexprBetween
            | Kind::AexprNotBetween
            | Kind::AexprBetweenSym
            | Kind::AexprNotBetweenSym => {}
            Kind::AexprNullif | Kind::AexprSimilar | Kind::Undefined => return None,
        }
        self.expression(expr.lexpr.as_mut()?, of)?;
        let right = expr.rexpr.as_mut()?;
        match right.node.as_mut()? {
            NodeEnum::List(list) => {
                list.items.iter_mut().try_for_each(|item| self.expression(item, of))
            }
            _ => self.expression(right, of),
        }
    }

    fn column(&mut self, column: &pb::ColumnRef, of: &Qualifiers<'_>) -> Option<()> {
        let parts: Option<Vec<&str>> = column.fields.iter().map(string).collect();
        let name = match parts?.as_slice() {
            [name] => *name,
            [table, name] if *table == of.table => *name,
            [schema, table, name] if *schema == of.schema && *table == of.table => *name,
            _ => return None,
        };
        self.columns.insert(name.to_owned());
        Some(())
    }

    fn kind(&mut self, name: &pb::TypeName) -> Option<()> {
        let parts: Option<Vec<&str>> = name.names.iter().map(string).collect();
        let kind = match parts?.as_slice() {
            [kind] | ["pg_catalog", kind] if TYPES.contains(kind) => (*kind).to_owned(),
            _ => return None,
        };
        let is_constant = |node: &pb::Node| matches!(node.node, Some(NodeEnum::AConst(_)));
        let is_plain = !name.setof && !name.pct_type && name.typmods.iter().all(is_constant);
        self.types.insert(kind);
        is_plain.then_some(())
    }
}

fn string(node: &pb::Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::String(string) => Some(&string.sval),
        _ => None,
    }
}

fn node(node: NodeEnum) -> pb::Node {
    pb::Node { node: Some(node) }
}

fn target(value: NodeEnum) -> pb::Node {
    let val = Some(Box::new(node(value)));
    node(NodeEnum::ResTarget(Box::new(pb::ResTarget { val, ..pb::ResTarget::default() })))
}

fn reference(column: &str) -> NodeEnum {
    let name = NodeEnum::String(pb::String { sval: column.to_owned() });
    NodeEnum::ColumnRef(pb::ColumnRef { fields: vec![node(name)], location: -1 })
}

/// The query as text, if that text means the same query.
fn in_words(select: pb::SelectStmt) -> Option<String> {
    let statement = node(NodeEnum::SelectStmt(Box::new(select)));
    let raw = pb::RawStmt { stmt: Some(Box::new(statement)), ..pb::RawStmt::default() };
    let tree = pb::ParseResult { version: 0, stmts: vec![raw] };
    let options = pg_query::DeparseOptions::default();
    let text = catch_unwind(|| pg_query::deparse(&tree, options)).ok()?.ok()?;
    (meaning(&parsed(&text)?)? == meaning(&tree)?).then_some(text)
}

/// The tree without what says only where in the text something stood.
fn meaning(tree: &pb::ParseResult) -> Option<Value> {
    let mut value = serde_json::to_value(&tree.stmts).ok()?;
    placeless(&mut value);
    Some(value)
}

fn placeless(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(placeless),
        Value::Object(fields) => {
            for place in [
                "location",
                "stmt_location",
                "stmt_len",
                "rexpr_list_start",
                "rexpr_list_end",
                "list_start",
                "list_end",
            ] {
                fields.remove(place);
            }
            fields.values_mut().for_each(placeless);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Probe, Touch};
    use super::*;

    fn condition(sql: &str) -> Option<Condition> {
        match Probe::of(sql).touch {
            Touch::Delete(condition) | Touch::Update { condition, .. } => condition,
            _ => None,
        }
    }

    /// The counting query of a statement; `-` if it has none.
    fn check(sql: &str, expect: &str) {
        let query = condition(sql).and_then(|it| it.rows(("public", "t"), &[]));
        assert_eq!(query.unwrap_or_else(|| "-".to_owned()), expect, "{sql}");
    }

    #[test]
    fn comparisons_of_columns_are_counted() {
        let from = |rest: &str| format!("SELECT 1 FROM public.t{rest}");
        check("DELETE FROM t", &from(""));
        check("DELETE FROM ONLY x.t", "SELECT 1 FROM ONLY public.t");
        check("DELETE FROM t AS a WHERE a.b = 1", &from(" a WHERE a.b = 1"));
        check("DELETE FROM t WHERE t.b", &from(" WHERE t.b"));
        check("DELETE FROM s.t WHERE s.t.b = 1", &from(" WHERE s.t.b = 1"));
        check(
            "DELETE FROM t WHERE a = 1 AND (b <> 'x' OR NOT c) RETURNING f(a)",
            &from(" WHERE a = 1 AND (b <> 'x' OR NOT c)"),
        );
        check(
            "DELETE FROM t WHERE a IN (1, -2) AND b NOT IN ('y')",
            &from(" WHERE a IN (1, -2) AND b NOT IN ('y')"),
        );
        check("DELETE FROM t WHERE a BETWEEN 1 AND 2", &from(" WHERE a BETWEEN 1 AND 2"));
        check(
            "DELETE FROM t WHERE a LIKE 'x%' AND b NOT ILIKE '_'",
            &from(" WHERE a LIKE 'x%' AND b NOT ILIKE '_'"),
        );
        check(
            "DELETE FROM t WHERE a IS NULL AND b IS NOT TRUE",
            &from(" WHERE a IS NULL AND b IS NOT TRUE"),
        );
        check("DELETE FROM t WHERE a IS DISTINCT FROM 'x'", &from(" WHERE a IS DISTINCT FROM 'x'"));
        check("DELETE FROM t WHERE a = ANY (ARRAY[1, 2])", &from(" WHERE a = ANY(ARRAY[1, 2])"));
        check("DELETE FROM t WHERE a < '2020-01-01'::date", &from(" WHERE a < '2020-01-01'::date"));
        check(
            "DELETE FROM t WHERE \"Übung\" = E'it''s \\\\'",
            &from(" WHERE \"Übung\" = E'it''s \\\\'"),
        );
        check(
            "UPDATE t SET a = f(b), c = $1 WHERE d = $3 AND e = $2 AND g = $3",
            &from(" WHERE d = $1 AND e = $2 AND g = $1"),
        );
        check("UPDATE t SET a = 1", &from(""));
    }

    #[test]
    fn whatever_might_run_something_is_not() {
        for sql in [
            "DELETE FROM t WHERE f(a)",
            "DELETE FROM t WHERE a = lower('x')",
            "DELETE FROM t WHERE a = now()",
            "DELETE FROM t WHERE a < CURRENT_DATE",
            "DELETE FROM t WHERE a + 1 = 2",
            "DELETE FROM t WHERE a === 2",
            "DELETE FROM t WHERE a OPERATOR(public.=) 2",
            "DELETE FROM t WHERE a OPERATOR(pg_catalog.=) 2",
            "DELETE FROM t WHERE a IN (SELECT 1)",
            "DELETE FROM t WHERE EXISTS (SELECT 1)",
            "DELETE FROM t WHERE a::kind = 'x'",
            "DELETE FROM t WHERE a::public.text = 'x'",
            "DELETE FROM t WHERE a = 'x' COLLATE \"C\"",
            "DELETE FROM t WHERE u.a = 1",
            "DELETE FROM t WHERE (t).a = 1",
            "DELETE FROM t AS x WHERE t.a = 1",
            "DELETE FROM t WHERE t.* IS NULL",
            "DELETE FROM t WHERE a[1] = 1",
            "DELETE FROM t WHERE (a, b) = (1, 2)",
            "DELETE FROM t WHERE a LIKE 'x' ESCAPE '!'",
            "DELETE FROM t WHERE a SIMILAR TO 'x'",
            "DELETE FROM t WHERE a ~ '(x+x+)+y'",
            "DELETE FROM t WHERE NULLIF(a, 1) = 1",
            "DELETE FROM t WHERE CASE WHEN a = 1 THEN b END",
            "DELETE FROM t WHERE COALESCE(a, b)",
            "DELETE FROM t WHERE CURRENT OF c",
            "DELETE FROM t USING u WHERE t.a = 1",
            "WITH w AS (SELECT 1) DELETE FROM t WHERE a = 1",
            "UPDATE t SET a = 1 FROM u WHERE b = 1",
            "INSERT INTO t VALUES (1)",
        ] {
            check(sql, "-");
        }
    }

    #[test]
    fn a_query_says_what_it_needs() {
        let condition =
            condition("UPDATE t SET a = $1 WHERE b = $4 AND t.c = $2::int AND $4 > d").unwrap();
        assert_eq!(condition.columns(), ["b", "c", "d"]);
        assert_eq!(condition.types(), ["int4"]);
        assert_eq!(condition.parameters(), [4, 2]);
        let keys = ["Key".to_owned(), "b".to_owned()];
        let rows = condition.rows(("My.Schema", "T\"x"), &keys);
        let expect =
            "SELECT \"Key\", b FROM \"My.Schema\".\"T\"\"x\" WHERE b = $1 AND t.c = $2::int AND $1 > d";
        assert_eq!(rows.as_deref(), Some(expect));
        assert_eq!(
            Condition::all().rows(("public", "t"), &[]).as_deref(),
            Some("SELECT 1 FROM public.t")
        );
    }
}
