//! Text from elsewhere, made plain: what could move the cursor, reorder letters or hide is shown escaped.

/// On one line: line breaks and tabs are escaped as well.
pub(super) fn one_line(text: &str) -> String {
    plain(text, false)
}

/// On as many lines as it has.
pub(super) fn block(text: &str) -> String {
    plain(text, true)
}

fn plain(text: &str, keeps_lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for letter in text.chars() {
        if letter.is_alphabetic() {
            word.push(letter);
            continue;
        }
        end_word(&mut word, &mut out);
        match letter {
            '\n' | '\t' if keeps_lines => out.push(letter),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            hidden if is_hidden(hidden) => escape(hidden, &mut out),
            other => out.push(other),
        }
    }
    end_word(&mut word, &mut out);
    out
}

/// A word that mixes ASCII letters with letters of other scripts that could pass for them shows the
/// others escaped; Latin letters with marks are no mixture.
fn end_word(word: &mut String, out: &mut String) {
    let has_ascii = word.chars().any(|letter| letter.is_ascii());
    for letter in word.chars() {
        let is_latin = letter <= '\u{24f}' || ('\u{1e00}'..='\u{1eff}').contains(&letter);
        if is_hidden(letter) || (has_ascii && !is_latin) {
            escape(letter, out)
        } else {
            out.push(letter)
        }
    }
    word.clear();
}

fn escape(letter: char, out: &mut String) {
    out.extend(letter.escape_unicode());
}

/// Control characters, and characters without a shape of their own: marks of direction, joiners,
/// fillers, variation selectors, tags, unusual breaks.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hides() {
        let check = |text: &str, expect: &str| assert_eq!(one_line(text), expect);
        check("DELETE FROM orders", "DELETE FROM orders");
        check("a\nb\tc", "a\\nb\\tc");
        check("\u{1b}[2Jgone", "\\u{1b}[2Jgone");
        check("safe\u{202e}evil", "safe\\u{202e}evil");
        check("ord\u{200b}ers", "ord\\u{200b}ers");
        check("\u{3164}\u{e0041}", "\\u{3164}\\u{e0041}");
        check("\u{43e}rders", "\\u{43e}rders");
        check("\u{437}\u{430}\u{43a}\u{430}\u{437}", "\u{437}\u{430}\u{43a}\u{430}\u{437}");
        check("K\u{e4}se \u{1f9c0}", "K\u{e4}se \u{1f9c0}");
        assert_eq!(block("a\n\u{7}b"), "a\n\\u{7}b");
    }
}
