//! Numbers as JSON values that lose nothing, equal for equal numbers however they were written.

use serde_json::{Number, Value};

/// Integers beyond this are not told from their neighbours once they are floats.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The value of a float; `None` if it is no number.
pub(super) fn float(number: f64) -> Option<Value> {
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "it is an integer, and small enough")]
        return Some(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number)
}

/// The value of a number that was written in JSON's grammar; `None` if it cannot be kept as it was written.
pub(super) fn written(text: &str) -> Option<Value> {
    if let Ok(integer) = text.parse::<i64>() {
        return Some(Value::from(integer));
    }
    if let Ok(integer) = text.parse::<u64>() {
        return Some(Value::from(integer));
    }
    let number: f64 = text.parse().ok()?;
    let is_exact = number.is_finite() && digits(text)? == digits(&format!("{number:e}"))?;
    is_exact.then(|| float(number)).flatten()
}

/// The digits of a number without zeros at the ends, and the power of ten that the first of them stands for.
fn digits(text: &str) -> Option<(String, i64)> {
    let text = text.trim_start_matches('-');
    let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let power: i64 = power.trim_start_matches('+').parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    if significant.is_empty() {
        return Some((String::new(), 0));
    }
    let zeros = i64::try_from(all.len() - significant.len()).ok()?;
    let first = power.checked_add(i64::try_from(whole.len()).ok()?)?.checked_sub(zeros)?;
    Some((significant.trim_end_matches('0').to_owned(), first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_or_refused() {
        let check = |text: &str, expect: &str| {
            let kept = written(text).map(|value| value.to_string()).unwrap_or_default();
            assert_eq!(kept, expect, "{text}");
        };
        check("0", "0");
        check("-0", "0");
        check("-0.0", "0");
        check("1.0", "1");
        check("1e3", "1000");
        check("12.50", "12.5");
        check("0.1", "0.1");
        check("1732752000.1234567", "1732752000.1234567");
        check("9223372036854775807", "9223372036854775807");
        check("18446744073709551615", "18446744073709551615");
        check("18446744073709551616", "");
        check("0.10000000000000000001", "");
        check("1e400", "");
        check("123456789012345678.5", "");
    }
}
