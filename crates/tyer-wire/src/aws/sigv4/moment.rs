//! Moments as signatures write them: `20150830T123600Z` (ISO 8601, basic format, UTC).

use jiff::civil::DateTime;
use jiff::tz::Offset;
use tyer_core::intent::Timestamp;

/// Characters of a moment.
const CHARS: usize = 16;

/// The moment as text; `None` beyond what has four digits for its year.
pub(super) fn text(at: Timestamp) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
    let at = Offset::UTC.to_datetime(at);
    let text = format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    Some(text).filter(|text| text.len() == CHARS && at.year() >= 0)
}

/// The moment of a text.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    let is_digit = |at: usize| !matches!(at, 8 | 15);
    let is_shaped = text.len() == CHARS
        && text.bytes().enumerate().all(|(at, byte)| match byte {
            b'T' => at == 8,
            b'Z' => at == 15,
            _ => is_digit(at) && byte.is_ascii_digit(),
        });
    if !is_shaped {
        return None;
    }
    let part = |from: usize| text.get(from..from + 2)?.parse::<i8>().ok();
    let year = text.get(..4)?.parse().ok()?;
    let at = DateTime::new(year, part(4)?, part(6)?, part(9)?, part(11)?, part(13)?, 0).ok()?;
    Some(Timestamp(Offset::UTC.to_timestamp(at).ok()?.as_millisecond()))
}

/// The moment of a `Date` header (RFC 9110, section 5.6.7, its preferred form).
pub(super) fn read_date(text: &str) -> Option<Timestamp> {
    let at = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp(at.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_they_are_written() {
        for at in [0, 1_440_938_160_000, 951_827_696_000, 253_402_207_200_000] {
            let written = text(Timestamp(at)).expect("a moment");
            assert_eq!(read(&written), Some(Timestamp(at)), "{written}");
        }
        assert_eq!(text(Timestamp(1_440_938_160_999)).as_deref(), Some("20150830T123600Z"));
        assert_eq!(text(Timestamp(i64::MAX)), None);
        assert_eq!(text(Timestamp(-100_000_000_000_000)), None);
        assert_eq!(read_date("Sun, 30 Aug 2015 12:36:00 GMT"), Some(Timestamp(1_440_938_160_000)));
    }

    #[test]
    fn what_is_no_moment_is_not_read() {
        for text in [
            "",
            "20150830T123600",
            "20150830T123600z",
            "20150830 123600Z",
            "20151330T123600Z",
            "20150830T126000Z",
            "2015-830T123600Z",
            "+0150830T123600Z",
            "20150830T1236ሴ0",
            "2015083TT123600Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
