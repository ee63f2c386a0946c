//! Text as the value that a member's type makes of it, so that a form says what JSON would.

use serde_json::Value;

use super::{Unclear, number};
use crate::aws::table::{Kind, What};

/// The value of a text of that type.
pub(super) fn scalar(kind: Kind, text: &str) -> Result<Value, Unclear> {
    match kind.what() {
        What::Integer => match text.parse::<i64>() {
            Ok(value) if value.to_string() == text => Ok(Value::from(value)),
            _ => Err(Unclear::Value),
        },
        What::Float => match text {
            "NaN" | "Infinity" | "-Infinity" => Ok(Value::from(text)),
            _ => {
                let is_number = text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
                is_number.then(|| number::written(text)).flatten().ok_or(Unclear::Value)
            }
        },
        What::Boolean => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(Unclear::Value),
        },
        What::Timestamp => Ok(seconds(text).unwrap_or_else(|| Value::from(text))),
        What::Structure(_) | What::List { .. } | What::Map { .. } => Err(Unclear::Value),
        What::Text | What::Blob | What::Document => Ok(Value::from(text)),
    }
}

/// Seconds since the epoch of a date as RFC 3339 writes it in UTC; `None` for one in another way.
fn seconds(text: &str) -> Option<Value> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 1970 in the Gregorian calendar, its years beginning in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let whole = days * 86_400 + hour * 3600 + minute * 60 + second;
    match fraction.trim_end_matches('0') {
        "" => Some(Value::from(whole)),
        digits if whole >= 0 && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            number::written(&format!("{whole}.{digits}"))
        }
        _ => None,
    }
}

/// Three numbers of so many digits.
fn numbers(text: &str, between: char, lengths: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut numbers = [0; 3];
    for (number, length) in numbers.iter_mut().zip(lengths) {
        let part = parts.next().filter(|part| part.len() == length)?;
        *number =
            part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten()?;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_seconds() {
        let check = |text: &str, expect: &str| {
            assert_eq!(seconds(text).map(|it| it.to_string()).unwrap_or_default(), expect, "{text}");
        };
        check("1970-01-01T00:00:00Z", "0");
        check("2024-02-29T12:30:15Z", "1709209815");
        check("2024-02-29T12:30:15.250Z", "1709209815.25");
        check("1969-12-31T23:59:59Z", "-1");
        check("2026-11-28T00:00:00.000Z", "1795824000");
        check("2026-11-28", "");
        check("2026-11-28T00:00:00+01:00", "");
        check("2026-13-28T00:00:00Z", "");
        check("Sat, 28 Nov 2026 00:00:00 GMT", "");
    }
}
