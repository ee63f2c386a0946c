//! Conditions on parameters, as the rules write them.

use serde_json::Value;

/// How names and values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    /// Without their case, and numbers as numbers: for what makes a request graver.
    Loosely,
    /// As they are written: for what makes it harmless.
    Exactly,
}

/// Whether every test of the condition holds; none always does.
pub(super) fn holds(condition: &str, parameters: &Value, compare: Compare) -> bool {
    condition.split(", ").filter(|test| !test.is_empty()).all(|test| {
        let (is_contrary, test) = test.strip_prefix('!').map_or((false, test), |rest| (true, rest));
        let (path, values) = test.split_once('=').map_or((test, None), |(path, it)| (path, Some(it)));
        let steps: Vec<&str> = path.split('.').collect();
        // What takes away from how grave it is has to be there as it is written, and under no other spelling besides.
        let spelt = if is_contrary { Compare::Exactly } else { compare };
        let (mut found, mut loosely) = (Vec::new(), Vec::new());
        collect(parameters, &steps, spelt, &mut found);
        if spelt == Compare::Exactly {
            collect(parameters, &steps, Compare::Loosely, &mut loosely);
            if loosely.len() > found.len() {
                return is_contrary;
            }
        }
        let is_met = match values {
            Some(values) => {
                let meant = |value: &&Value| values.split('|').any(|it| is(value, it, spelt));
                found.iter().any(meant)
            }
            // A block that is empty takes away what it had; a text that is empty is as good as none.
            None => found
                .iter()
                .any(|value| !(value.is_null() || is_contrary && value.as_str() == Some(""))),
        };
        is_met != is_contrary
    })
}

/// What stands at the end of a path.
fn collect<'a>(value: &'a Value, steps: &[&str], compare: Compare, found: &mut Vec<&'a Value>) {
    let Some((step, rest)) = steps.split_first() else {
        found.push(value);
        return;
    };
    let is_it = |name: &str| match compare {
        Compare::Loosely => name.eq_ignore_ascii_case(step),
        Compare::Exactly => name == *step,
    };
    match value {
        Value::Object(map) => {
            for (_, inner) in map.iter().filter(|(name, _)| *step == "*" || is_it(name)) {
                collect(inner, rest, compare, found);
            }
        }
        Value::Array(items) if *step == "*" => {
            items.iter().for_each(|item| collect(item, rest, compare, found));
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is(value: &Value, wanted: &str, compare: Compare) -> bool {
    match (value, compare) {
        (Value::Bool(it), _) => wanted == if *it { "true" } else { "false" },
        (Value::String(text), Compare::Exactly) => text == wanted,
        (Value::String(text), Compare::Loosely) => {
            let text = text.trim();
            text.eq_ignore_ascii_case(wanted) || same_number(text, wanted)
        }
        (Value::Number(number), _) => same_number(&number.to_string(), wanted),
        (Value::Null | Value::Array(_) | Value::Object(_), _) => false,
    }
}

fn same_number(one: &str, other: &str) -> bool {
    let (one, other) = (one.parse::<f64>(), other.parse::<f64>());
    matches!((one, other), (Ok(one), Ok(other)) if one.total_cmp(&other).is_eq() || one + other == 0.0 && one == 0.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn conditions() {
        let check = |condition: &str, parameters: Value, expect: bool| {
            let got = holds(condition, &parameters, Compare::Loosely);
            assert_eq!(got, expect, "{condition} {parameters}");
        };
        check("", json!({}), true);
        check("Skip=true", json!({"Skip": true}), true);
        check("Skip=true", json!({"skip": "True"}), true);
        check("Skip=true", json!({"Skip": false}), false);
        check("Skip=true", json!({}), false);
        check("!Skip=false", json!({}), true);
        check("!Skip=false", json!({"Skip": false}), false);
        check("Size=0", json!({"Size": 0}), true);
        check("Size=0", json!({"Size": "00"}), true);
        check("Size=0", json!({"Size": -0.0}), true);
        check("Size=0", json!({"Size": 1}), false);
        check("Block", json!({"Block": {}}), true);
        check("Block", json!({"Block": null}), false);
        check("!Final", json!({"Final": ""}), true);
        check("!Skip=true", json!({"Skip": true}), false);
        check("!Skip=true", json!({"skip": true}), true);
        check("!Skip=true", json!({"Skip": "TRUE"}), true);
        check("!Skip=true", json!({"Skip": true, "skip": false}), true);
        check("!Final", json!({"final": "f"}), true);
        check("!A.*.B=1", json!({"A": [{"B": 1, "b": 2}]}), true);
        check("!Final", json!({"Final": "f"}), false);
        check("A.*.B=1|2", json!({"A": [{"B": 3}, {"B": 2}]}), true);
        check("A.*.B=1|2", json!({"A": {"x": {"B": "1"}}}), true);
        check("A.*.B=1", json!({"A": {"B": 1}}), false);
        check("A=1, B=2", json!({"A": 1, "B": 2}), true);
        check("A=1, B=2", json!({"A": 1}), false);
        let exactly = |it: Value| holds("DryRun=true", &it, Compare::Exactly);
        assert!(exactly(json!({"DryRun": true})) && exactly(json!({"DryRun": "true"})));
        assert!(!exactly(json!({"DryRun": true, "dryrun": false})));
        assert!(!exactly(json!({"dryRun": true})) && !exactly(json!({"DryRun": "TRUE"})));
    }
}
