//! The facts of a card as lines of a terminal: a label and a text each.

use serde_json::Value;

use tyer_core::figures::grouped;

use crate::cli::print::{at, list};

/// What the database said, in the order of the console's card.
pub(super) fn lines(facts: &Value) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    for relation in list(facts, "relations") {
        lines.push(("touches", touched(relation)));
        lines.extend(list(relation, "cascades").iter().map(|cascade| ("along", along(cascade))));
        lines.extend(list(relation, "parts").iter().map(|part| ("part", text(part))));
        lines.extend(list(relation, "dependents").iter().map(|object| ("depends", text(object))));
        lines.extend(relation.get("in_use").filter(|it| it.is_object()).map(|it| ("in use", used(it))));
    }
    for thing in list(facts, "things") {
        let name = at(thing, "/name");
        lines.extend(list(thing, "is").iter().map(|is| ("is", format!("{name}: {}", text(is)))));
        lines.extend(list(thing, "now").iter().map(|now| ("now", format!("{name}: {}", text(now)))));
    }
    for lock in facts.get("locks").and_then(Value::as_array).into_iter().flatten() {
        lines.push(("locks", at(lock, "/words")));
        lines
            .extend(lock.get("waits").and_then(Value::as_str).map(|waits| ("waits", waits.to_owned())));
    }
    lines.extend(list(facts, "code").iter().map(|code| ("may run", text(code))));
    if let Some(safety) = facts.get("safety").filter(|safety| safety.is_object()) {
        lines.push(("backup", format!("last made: {}", known(safety, "/backup"))));
        lines.push(("archive", format!("last of the log: {}", known(safety, "/archived"))));
        match safety.get("replicas").and_then(Value::as_array) {
            None => lines.push(("replicas", "not known".to_owned())),
            Some(none) if none.is_empty() => {
                lines.push(("replicas", "none follow this server".to_owned()));
            }
            Some(all) => lines.extend(all.iter().map(|replica| ("replica", behind(replica)))),
        }
    }
    lines
}

/// `public.orders: 120 rows (counted), 12 %; rows in it: 1,000, bytes: 8,192`.
fn touched(relation: &Value) -> String {
    let estimate = relation.get("touched").filter(|it| !it.is_null());
    let rows = match (number(relation), estimate) {
        (Some(counted), _) => counted,
        (None, Some(_)) => format!("about {} rows", known(relation, "/touched")),
        (None, None) => "not known how many rows".to_owned(),
    };
    let share = match relation.get("share_percent").and_then(Value::as_u64) {
        Some(share) => format!(", {share} %"),
        None => String::new(),
    };
    let (name, all, bytes) =
        (at(relation, "/name"), known(relation, "/rows"), known(relation, "/bytes"));
    format!("{name}: {rows}{share}; rows in it: {all}, bytes: {bytes}")
}

/// What was counted, if something was.
fn number(of: &Value) -> Option<String> {
    let counted = of.get("counted")?;
    let rows = grouped(counted.get("rows")?.as_u64()?);
    let is_exact = counted.get("exact").and_then(Value::as_bool).unwrap_or_default();
    Some(if is_exact {
        format!("{rows} rows (counted)")
    } else {
        format!("at least {rows} rows (counted)")
    })
}

fn along(cascade: &Value) -> String {
    let (name, how, all) = (at(cascade, "/name"), at(cascade, "/how"), known(cascade, "/rows"));
    let rows = number(cascade).unwrap_or_else(|| "not known how many rows".to_owned());
    format!("{name}: {rows} {how}; rows in it: {all}")
}

fn used(in_use: &Value) -> String {
    format!("sessions with a lock: {} ({})", at(in_use, "/sessions"), at(in_use, "/applications"))
}

fn behind(replica: &Value) -> String {
    let (name, state) = (at(replica, "/name"), at(replica, "/state"));
    let (ms, bytes) = (known(replica, "/lag_ms"), known(replica, "/lag_bytes"));
    format!("{name}, {state}; behind by ms: {ms}, bytes: {bytes}")
}

fn known(of: &Value, pointer: &str) -> String {
    match of.pointer(pointer) {
        None | Some(Value::Null) => "not known".to_owned(),
        Some(number) => number.as_u64().map_or_else(|| at(of, pointer), grouped),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(facts: &Value, expect: &[&str]) {
        let lines: Vec<_> =
            lines(facts).into_iter().map(|(label, text)| format!("{label}: {text}")).collect();
        assert_eq!(lines, expect);
    }

    #[test]
    fn what_is_known_and_what_is_not_has_a_line() {
        let counted = json!({ "rows": 120, "exact": true });
        let cascade = json!({ "name": "items", "how": "deleted", "rows": null, "counted": counted });
        let relation = json!({
            "name": "public.orders", "rows": 1_000, "touched": 90, "bytes": 8_192, "share_percent": 12,
            "counted": counted, "dependents": ["trigger spy"], "parts": ["public.orders_1"],
            "cascades": [cascade], "in_use": { "sessions": 2, "applications": ["web"] },
        });
        let replica = json!({ "name": "lagos", "state": "streaming", "lag_ms": null, "lag_bytes": 5 });
        let safety =
            json!({ "backup": null, "archived": "2026-11-27T05:00:00Z", "replicas": [replica] });
        let locks = json!([{ "words": "blocks t", "waits": "for 3" }, { "words": "u" }]);
        check(
            &json!({ "relations": [relation], "locks": locks, "safety": safety, "code": ["function public.f()"] }),
            &[
                "touches: public.orders: 120 rows (counted), 12 %; rows in it: 1,000, bytes: 8,192",
                "along: items: 120 rows (counted) deleted; rows in it: not known",
                "part: public.orders_1",
                "depends: trigger spy",
                "in use: sessions with a lock: 2 (web)",
                "locks: blocks t",
                "waits: for 3",
                "locks: u",
                "may run: function public.f()",
                "backup: last made: not known",
                "archive: last of the log: 2026-11-27T05:00:00Z",
                "replica: lagos, streaming; behind by ms: not known, bytes: 5",
            ],
        );
        let at_least = json!({ "rows": 100_000, "exact": false });
        let relation = |counted: &Value| json!({ "name": "t", "counted": counted });
        let none = json!({ "relations": [relation(&Value::Null), relation(&at_least)] });
        check(
            &none,
            &[
                "touches: t: not known how many rows; rows in it: not known, bytes: not known",
                "touches: t: at least 100,000 rows (counted); rows in it: not known, bytes: not known",
            ],
        );
    }
}
