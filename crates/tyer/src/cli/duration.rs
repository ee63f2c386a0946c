//! Lengths of time as people write them: `90s`, `30m`, `2h`, `7d`.

use std::time::Duration;

/// Reads a whole number with its unit.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let unknown =
        || format!("`{text}` is no length of time; write a number and s, m, h or d, such as 30m or 2h");
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text.strip_prefix(number).unwrap_or_default();
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(unknown()),
    };
    if number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(unknown());
    }
    let number: u64 = number.parse().map_err(|_| unknown())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(parse(text).ok().map(|length| length.as_secs()), expect, "{text}");
        };
        check("90s", Some(90));
        check("30m", Some(1_800));
        check("2h", Some(7_200));
        check("7d", Some(604_800));
        check("0m", Some(0));
        for wrong in
            ["", "2", "h", "-2h", "+2h", "2 h", "1.5h", "2w", "2H", "2hm", "99999999999999999999d"]
        {
            check(wrong, None);
        }
        check("999999999999999999d", None);
    }
}
