//! Texts of agents and people on one line, wherever a protocol or a log shows them.

/// `text` with everything escaped that could break a line or disguise it.
#[must_use]
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\t' => line.push_str("\\t"),
            c if c.is_control() || is_disguise(c) => line.extend(c.escape_unicode()),
            c => line.push(c),
        }
    }
    line
}

/// Zero-width and bidirectional controls, line and paragraph separators, selectors of variations, tags.
pub(crate) fn is_disguise(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_or_disguises_a_line() {
        assert_eq!(
            one_line("a\nb\tc\r\u{202e}\0é\u{fe0f}"),
            "a\\nb\\tc\\u{d}\\u{202e}\\u{0}é\\u{fe0f}"
        );
    }
}
