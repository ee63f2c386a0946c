//! Numbers as people read them, the same wherever a card is shown.

/// `1,204,331`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 row`, `12,000 rows`.
#[must_use]
pub fn counted(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {many}", grouped(number)) }
}

/// `1.4 GB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    let mut scaled = number;
    let mut tenths = 0;
    for unit in ["bytes", "kB", "MB", "GB", "TB"] {
        if scaled < 1_000 || unit == "TB" {
            return match tenths {
                0 => format!("{} {unit}", grouped(scaled)),
                _ => format!("{}.{tenths} {unit}", grouped(scaled)),
            };
        }
        tenths = scaled % 1_000 / 100;
        scaled /= 1_000;
    }
    grouped(number)
}

/// `2 h 05 min`, `14 min`, `40 s`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1_000;
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes:02} min"),
        (days, hours, _) => format!("{} d {hours} h", grouped(days)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        let check = |number: u64, expect: &str| assert_eq!(grouped(number), expect);
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(1_204_331, "1,204,331");
        check(u64::MAX, "18,446,744,073,709,551,615");
        assert_eq!(counted(1, "row", "rows"), "1 row");
        assert_eq!(counted(0, "row", "rows"), "0 rows");
        assert_eq!(counted(12_000, "row", "rows"), "12,000 rows");
    }

    #[test]
    fn sizes_are_readable() {
        let check = |number: u64, expect: &str| assert_eq!(bytes(number), expect);
        check(0, "0 bytes");
        check(8_192, "8.1 kB");
        check(1_450_000_000, "1.4 GB");
        check(5_000_000, "5 MB");
        check(12_000_000_000_000_000, "12,000 TB");
    }

    #[test]
    fn durations_are_readable() {
        let check = |seconds: u64, expect: &str| assert_eq!(duration(seconds * 1_000), expect);
        check(0, "0 s");
        check(59, "59 s");
        check(60, "1 min");
        check(3_599, "59 min");
        check(7_500, "2 h 05 min");
        check(90_000, "1 d 1 h");
    }
}
