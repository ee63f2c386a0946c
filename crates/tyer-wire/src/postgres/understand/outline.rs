//! Texts that differ only in the values of plain constants, and mean the same.
//!
//! A program that puts its values into the text sends a new text each time, and parsing is most of the work
//! of understanding one. The outline of a text has `?` for each plain integer and `!` for each plain string,
//! since the grammar tells them apart. An understanding
//! holds for every text of its outline if both of this is true: the scanner cannot come out elsewhere
//! (`4.1 Lexical Structure` in the PostgreSQL documentation), which [`Outline::of`] sees to by giving up on
//! all that is not letters, digits, spaces and a few signs; and the walk looks at no value, which
//! [`Outline::holds`] sees to by naming every place where a constant may stand.

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::limits::REQUEST_BYTES_MAX;

use super::truth;

/// More digits may be another kind of token.
const DIGITS_MAX: usize = 9;

/// A text without the values of its constants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    /// The text with `?` and `!` for its constants.
    pub(crate) text: String,
    /// Where each constant begins in the text itself.
    starts: Vec<usize>,
}

impl Outline {
    /// The outline of a text; none if it has no constants, or anything that a simple scanner could misread.
    pub(crate) fn of(sql: &str) -> Option<Self> {
        if sql.len() > REQUEST_BYTES_MAX {
            return None;
        }
        let mut outline = Self { text: String::with_capacity(sql.len()), starts: Vec::new() };
        let (mut rest, mut before) = (sql, ' ');
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '0'..='9' if !joins(before) => {
                    outline.constant('?', sql.len() - rest.len(), integer(rest)?)
                }
                '\'' if !joins(before) => outline.constant('!', sql.len() - rest.len(), string(rest)?),
                _ => outline.plain(before, first)?,
            };
            before = rest.get(..length)?.chars().next_back()?;
            rest = rest.get(length..)?;
        }
        (!outline.starts.is_empty()).then_some(outline)
    }

    fn constant(&mut self, sign: char, start: usize, length: usize) -> usize {
        self.starts.push(start);
        self.text.push(sign);
        length
    }

    fn plain(&mut self, before: char, sign: char) -> Option<usize> {
        let is_plain = sign.is_ascii_alphanumeric()
            || matches!(sign, ' ' | '\n' | '\r' | '\t' | '_' | ',' | ';' | '(' | ')' | '.')
            || matches!(sign, '=' | '<' | '>' | '+' | '-' | '*' | '/' | ':');
        let opens_comment = matches!((before, sign), ('-', '-') | ('/', '*'));
        self.text.push(sign);
        (is_plain && !opens_comment).then_some(1)
    }

    /// Whether what the text means, of which this is the tree, every text of its outline means: each constant
    /// of the text is one of the tree, in a place where the walk does not look at its value.
    pub(super) fn holds(&self, tree: &pg_query::ParseResult) -> bool {
        let mut found = Vec::new();
        let statements = tree.protobuf.stmts.iter().map(|raw| raw.stmt.as_deref());
        let known = statements.map(|statement| constants(statement, &mut found)).all(|it| it.is_some());
        found.sort_unstable();
        // A sign belongs to its constant, so that may begin before the digits, but behind the one before.
        let mut after = 0;
        known
            && found.len() == self.starts.len()
            && found.iter().zip(&self.starts).all(|(at, start)| {
                let is_it = *at >= after && *at <= *start;
                after = start + 1;
                is_it
            })
    }
}

/// Whether a digit or quote behind this character may belong to the same token.
fn joins(before: char) -> bool {
    before.is_ascii_alphanumeric() || matches!(before, '_' | '.')
}

/// How long the integer is that begins here, if it is no other kind of number.
fn integer(rest: &str) -> Option<usize> {
    let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let next = rest.get(length..)?.chars().next();
    (length <= DIGITS_MAX && !next.is_some_and(joins)).then_some(length)
}

/// How long the string is that begins here, if no setting decides where it ends.
fn string(rest: &str) -> Option<usize> {
    let mut length = 1;
    loop {
        let inside = rest.get(length..)?;
        length += inside.find(['\'', '\\', '\0'])?;
        if !rest.get(length..)?.starts_with('\'') {
            return None;
        }
        length += 1;
        match rest.get(length..)?.chars().next() {
            Some('\'') => length += 1,
            Some(next) if joins(next) => return None,
            _ => return Some(length),
        }
    }
}

/// Where the constants below a node are; nothing if it has a part in which their values may count.
fn constants(node: Option<&pb::Node>, found: &mut Vec<usize>) -> Option<()> {
    let Some(node) = node.and_then(|node| node.node.as_ref()) else { return Some(()) };
    match node {
        NodeEnum::SelectStmt(select) => query(select, found),
        NodeEnum::InsertStmt(insert) => {
            let plain = insert.on_conflict_clause.is_none() && insert.with_clause.is_none();
            plain.then_some(())?;
            all(&insert.cols, found)?;
            constants(insert.select_stmt.as_deref(), found)?;
            returning(insert.returning_clause.as_ref(), found)
        }
        NodeEnum::UpdateStmt(update) => {
            update.with_clause.is_none().then_some(())?;
            all(&update.target_list, found)?;
            all(&update.from_clause, found)?;
            constants(update.where_clause.as_deref(), found)?;
            returning(update.returning_clause.as_ref(), found)
        }
        NodeEnum::DeleteStmt(delete) => {
            delete.with_clause.is_none().then_some(())?;
            all(&delete.using_clause, found)?;
            constants(delete.where_clause.as_deref(), found)?;
            returning(delete.returning_clause.as_ref(), found)
        }
        expression => part(expression, found),
    }
}

/// The same for what statements are made of.
fn part(node: &NodeEnum, found: &mut Vec<usize>) -> Option<()> {
    use pb::a_const::Val;
    match node {
        NodeEnum::AConst(constant) => match &constant.val {
            Some(Val::Ival(_) | Val::Sval(_)) => found.push(usize::try_from(constant.location).ok()?),
            Some(Val::Boolval(_)) | None => {}
            Some(Val::Fval(_) | Val::Bsval(_)) => return None,
        },
        NodeEnum::ResTarget(target) => {
            all(&target.indirection, found)?;
            constants(target.val.as_deref(), found)?;
        }
        NodeEnum::AExpr(expr) => {
            is_blind(expr.kind()).then_some(())?;
            constants(expr.lexpr.as_deref(), found)?;
            constants(expr.rexpr.as_deref(), found)?;
        }
        NodeEnum::BoolExpr(expr) => {
            // Together they may let every row through, or none, if the constants are the same.
            (!truth::has_opposites(&expr.args, false)).then_some(())?;
            all(&expr.args, found)?;
        }
        NodeEnum::List(list) => all(&list.items, found)?,
        NodeEnum::SortBy(sort) => constants(sort.node.as_deref(), found)?,
        NodeEnum::NullTest(test) => constants(test.arg.as_deref(), found)?,
        NodeEnum::TypeCast(cast) => {
            let is_plain =
                |name: &pb::TypeName| name.typmods.is_empty() && name.array_bounds.is_empty();
            cast.type_name.as_ref().is_some_and(is_plain).then_some(())?;
            constants(cast.arg.as_deref(), found)?;
        }
        NodeEnum::FuncCall(call) => {
            // What a function does may depend on what it is given.
            let before = found.len();
            let is_plain =
                call.agg_order.is_empty() && call.agg_filter.is_none() && call.over.is_none();
            is_plain.then_some(())?;
            all(&call.args, found)?;
            (found.len() == before).then_some(())?;
        }
        NodeEnum::JoinExpr(join) => {
            constants(join.larg.as_deref(), found)?;
            constants(join.rarg.as_deref(), found)?;
            constants(join.quals.as_deref(), found)?;
        }
        // Which settings are read decides whether they are secret.
        NodeEnum::RangeVar(var) => (var.relname != "pg_settings").then_some(())?,
        NodeEnum::RangeSubselect(sub) => constants(sub.subquery.as_deref(), found)?,
        NodeEnum::ColumnRef(_)
        | NodeEnum::AStar(_)
        | NodeEnum::String(_)
        | NodeEnum::SqlvalueFunction(_)
        | NodeEnum::SetToDefault(_) => {}
        _ => return None,
    }
    Some(())
}

/// Expressions of which the walk looks at the operator and at columns only.
fn is_blind(kind: pb::AExprKind) -> bool {
    use pb::AExprKind as Kind;
    matches!(
        kind,
        Kind::AexprOp
            | Kind::AexprIn
            | Kind::AexprBetween
            | Kind::AexprNotBetween
            | Kind::AexprDistinct
            | Kind::AexprNotDistinct
    )
}

fn query(select: &pb::SelectStmt, found: &mut Vec<usize>) -> Option<()> {
    let is_plain =
        select.into_clause.is_none() && select.with_clause.is_none() && select.window_clause.is_empty();
    is_plain.then_some(())?;
    all(&select.distinct_clause, found)?;
    all(&select.target_list, found)?;
    all(&select.from_clause, found)?;
    all(&select.group_clause, found)?;
    all(&select.values_lists, found)?;
    all(&select.sort_clause, found)?;
    let clauses =
        [&select.where_clause, &select.having_clause, &select.limit_offset, &select.limit_count];
    for clause in clauses {
        constants(clause.as_deref(), found)?;
    }
    for side in [&select.larg, &select.rarg].into_iter().flatten() {
        query(side, found)?;
    }
    Some(())
}

fn returning(clause: Option<&pb::ReturningClause>, found: &mut Vec<usize>) -> Option<()> {
    let Some(clause) = clause else { return Some(()) };
    clause.options.is_empty().then_some(())?;
    all(&clause.exprs, found)
}

fn all(nodes: &[pb::Node], found: &mut Vec<usize>) -> Option<()> {
    nodes.iter().try_for_each(|node| constants(Some(node), found))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{understand, understand_outlined};
    use super::*;

    /// The outline of the text, with whether the understanding holds for it.
    fn check(sql: &str) -> Option<(String, bool)> {
        let outline = Outline::of(sql)?;
        let (understanding, holds) = understand_outlined(sql, Some(&outline));
        assert_eq!(understanding, understand(sql));
        Some((outline.text, holds))
    }

    #[test]
    fn plain_constants_are_left_out() {
        for (sql, outline) in [
            ("SELECT abalance FROM t1 WHERE aid = 42;", "SELECT abalance FROM t1 WHERE aid = ?;"),
            (
                "UPDATE t SET a = a + -7 WHERE b = 'it''s -- \u{e9}'",
                "UPDATE t SET a = a + -? WHERE b = !",
            ),
            (
                "INSERT INTO t VALUES (1, 'x', CURRENT_TIMESTAMP)",
                "INSERT INTO t VALUES (?, !, CURRENT_TIMESTAMP)",
            ),
            (
                "SELECT a FROM t WHERE a IN (1, 2) ORDER BY 1 LIMIT 10",
                "SELECT a FROM t WHERE a IN (?, ?) ORDER BY ? LIMIT ?",
            ),
            ("DELETE FROM t WHERE d < '2024-01-01'::date", "DELETE FROM t WHERE d < !::date"),
            (
                "SELECT count(*) FROM t JOIN u ON t.a = u.a WHERE u.b = 5",
                "SELECT count(*) FROM t JOIN u ON t.a = u.a WHERE u.b = ?",
            ),
        ] {
            assert_eq!(check(sql), Some((outline.to_owned(), true)), "{sql}");
        }
    }

    #[test]
    fn where_a_value_may_count_the_text_is_understood_by_itself() {
        for sql in [
            "SELECT nextval('s')",
            "SELECT set_config('row_security', 'off', false)",
            "SELECT pg_terminate_backend(7)",
            "SET statement_timeout = 0",
            "SELECT a FROM t WHERE a LIKE '%'",
            "UPDATE t SET a = 1 WHERE b LIKE 'x'",
            "DELETE FROM t WHERE a IN (SELECT 'ColumnRef')",
            "SELECT CAST(a AS float(24)) FROM t FETCH FIRST ROW ONLY",
            "SELECT CAST(a AS varchar(10)) FROM t",
            "SELECT a FROM t; FETCH 4 FROM c",
            "COPY t TO 'x'",
            "ALTER TABLE t ALTER a SET STATISTICS 5",
            "SELECT 'a'\n'b'",
            "SELECT interval '1' day",
        ] {
            assert!(!check(sql).is_some_and(|(_, holds)| holds), "{sql}");
        }
    }

    #[test]
    fn what_a_simple_scanner_could_misread_has_no_outline() {
        for sql in [
            r"SELECT E'a'",
            r"SELECT U&'a'",
            r"SELECT B'1'",
            r"SELECT 'a\'",
            "SELECT '\0'",
            "SELECT 'a",
            "SELECT 1 -- 2",
            "SELECT 1 /* 2 */",
            "SELECT 1.5",
            "SELECT 1e5",
            "SELECT 0x1F",
            "SELECT 1_000",
            "SELECT 1234567890",
            "SELECT $1, 2",
            "SELECT $$a$$, 2",
            "SELECT \"a\", 2",
            "SELECT 1a",
            "SELECT 'a'b",
            "SELECT 2 ~ 3",
            "SELECT \u{e9}, 2",
            "SELECT a",
        ] {
            assert_eq!(Outline::of(sql), None, "{sql}");
        }
        assert_eq!(Outline::of(&format!("SELECT '{}'", "x".repeat(REQUEST_BYTES_MAX))), None);
    }

    /// Expressions with `?` where a constant may be put; the walk looks at some of them.
    fn expression() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "?",
            "a",
            "t.b",
            "-?",
            "NULL",
            "true",
            "current_date",
            "?::text",
            "?::regclass",
            "date ?",
            "CAST(a AS float(?))",
            "now()",
            "nextval(?)",
            "set_config(?, ?, false)",
            "lower(b)",
            "pg_sleep(?)",
            "mine(?)",
            "(SELECT ?)",
            "EXISTS (SELECT a FROM u WHERE b = ?)",
            "interval ? day",
            "ARRAY[?, a]",
            "CASE WHEN a = ? THEN ? END",
        ]);
        leaf.prop_map(str::to_owned).prop_recursive(3, 12, 2, |inner| {
            let signs = prop::sample::select(vec![
                "=",
                "<>",
                "<",
                ">=",
                "+",
                "-",
                "*",
                "/",
                " AND ",
                " OR ",
                " LIKE ",
                " ILIKE ",
                " IS DISTINCT FROM ",
                " SIMILAR TO ",
            ]);
            prop_oneof![
                (inner.clone(), signs, inner.clone()).prop_map(|(l, s, r)| format!("({l}{s}{r})")),
                (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} IN ({r}, ?))")),
                (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} BETWEEN {r} AND ?)")),
                inner.prop_map(|it| format!("({it} IS NULL)")),
            ]
        })
    }

    /// Statements of the same kind.
    fn statement() -> impl Strategy<Value = String> {
        let frame = prop::sample::select(vec![
            "SELECT %1 FROM t WHERE %2",
            "SELECT %1 FROM t JOIN u ON %2 ORDER BY ? LIMIT ? OFFSET ?",
            "SELECT DISTINCT %1 FROM (SELECT a, %2 FROM u) AS t FOR UPDATE",
            "SELECT a FROM t GROUP BY %1 HAVING %2 UNION ALL VALUES (?)",
            "SELECT %1 FROM t WHERE %2 FETCH FIRST ROW ONLY",
            "UPDATE t SET a = %1 WHERE %2 RETURNING ?",
            "DELETE FROM t USING u WHERE %1 AND %2",
            "DELETE FROM t WHERE %1 OR %2",
            "INSERT INTO t (a, b) VALUES (%1, %2), (?, DEFAULT)",
            "INSERT INTO t SELECT %1 FROM u WHERE %2",
            "WITH x AS (DELETE FROM t WHERE %1) SELECT %2",
            "MERGE INTO t USING u ON %1 WHEN MATCHED AND %2 THEN DELETE",
            "SET search_path = ?",
            "EXPLAIN (ANALYZE ?) SELECT %1, %2",
            "CALL f(?)",
            "FETCH ? FROM c",
            "COPY t TO ?",
            "CREATE TABLE x (a int DEFAULT ?)",
        ]);
        (frame, expression(), expression())
            .prop_map(|(frame, one, two)| frame.replace("%1", &one).replace("%2", &two))
    }

    /// Constants, among them those that some place of the walk knows.
    fn constant() -> impl Strategy<Value = String> {
        let known = prop::sample::select(vec![
            "999999999",
            "'%'",
            "''",
            "'ColumnRef'",
            "'row_security'",
            "'off'",
            "'on'",
            "'a''b'",
            "'/etc/passwd'",
            "'x; DROP TABLE t'",
        ]);
        prop_oneof![(0..60u32).prop_map(|number| number.to_string()), known.prop_map(str::to_owned)]
    }

    fn fill(pattern: &str, values: &[String]) -> String {
        let mut values = values.iter().cycle();
        let mut sql = String::new();
        for (at, part) in pattern.split('?').enumerate() {
            if at > 0 {
                sql.push_str(values.next().unwrap());
            }
            sql.push_str(part);
        }
        sql
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn an_understanding_that_holds_is_that_of_every_text_of_the_outline(
            pattern in statement(),
            ones in prop::collection::vec(constant(), 24),
            others in prop::collection::vec(constant(), 24),
        ) {
            // The other text has constants of the same kinds.
            let same = |(one, other): (&String, &String)| match (one.starts_with('\''), other.starts_with('\'')) {
                (true, false) => format!("'{other}'"),
                (false, true) => one.len().to_string(),
                _ => other.clone(),
            };
            let others: Vec<_> = ones.iter().zip(&others).map(same).collect();
            let (one, other) = (fill(&pattern, &ones), fill(&pattern, &others));
            if let (Some(outline), Some(same)) = (Outline::of(&one), Outline::of(&other)) {
                prop_assert_eq!(&outline.text, &same.text);
                let (understanding, holds) = understand_outlined(&one, Some(&outline));
                if holds {
                    prop_assert_eq!(understanding, understand(&other), "{} / {}", one, other);
                }
            }
        }
    }
}
