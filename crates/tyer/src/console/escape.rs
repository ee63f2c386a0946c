//! Text from outside, made harmless to look at.
//!
//! Characters that are invisible, that reorder or cover others, or that imitate ASCII are shown by their
//! number, as `⟨U+202E⟩`. Words that mix scripts, or that are spelled with letters of another script to
//! look Latin, are marked. Follows the intent of Unicode Technical Standard 39 with tables of its own:
//! what is shown too carefully is only ugly.

use maud::{Markup, Render, html};

/// Text on one line: line breaks and tabs are shown by their number too.
pub(crate) struct Line<'a>(pub(crate) &'a str);

/// Text that keeps its lines and tabs.
pub(crate) struct Block<'a>(pub(crate) &'a str);

/// A part of text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Plain(String),
    /// A character that is shown by its number.
    Odd(char),
    /// A word that may not be what it looks like, and why.
    Marked(String, &'static str),
}

impl Render for Line<'_> {
    fn render(&self) -> Markup {
        markup(&pieces(self.0, false))
    }
}

impl Render for Block<'_> {
    fn render(&self) -> Markup {
        markup(&pieces(self.0, true))
    }
}

fn markup(pieces: &[Piece]) -> Markup {
    html! {
        @for piece in pieces {
            @match piece {
                Piece::Plain(text) => (text),
                Piece::Odd(odd) => span.odd { (number(*odd)) },
                Piece::Marked(word, why) => { mark.mixed { (word) } span.odd { "⟨" (why) "⟩" } },
            }
        }
    }
}

fn number(odd: char) -> String {
    format!("⟨U+{:04X}⟩", u32::from(odd))
}

fn pieces(text: &str, lines: bool) -> Vec<Piece> {
    let mut pieces = Pieces::default();
    let mut marks = 0;
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        marks = if is_combining(character) { marks + 1 } else { 0 };
        let line_end = character == '\r' && rest.peek() == Some(&'\n');
        if lines && (matches!(character, '\n' | '\t') || line_end) {
            pieces.plain(if line_end {
                ""
            } else if character == '\n' {
                "\n"
            } else {
                "\t"
            });
        } else if is_odd(character) || marks > 2 || (marks > 0 && pieces.at_word_start()) {
            pieces.odd(character);
        } else if character.is_alphanumeric() || character == '_' || marks > 0 {
            pieces.word.push(character);
        } else {
            pieces.plain(character.encode_utf8(&mut [0; 4]));
        }
    }
    pieces.end_word();
    pieces.done
}

#[derive(Default)]
struct Pieces {
    done: Vec<Piece>,
    /// The word under way.
    word: String,
}

impl Pieces {
    fn at_word_start(&self) -> bool {
        self.word.is_empty()
    }

    fn plain(&mut self, text: &str) {
        self.end_word();
        self.push(text);
    }

    fn odd(&mut self, odd: char) {
        self.end_word();
        self.done.push(Piece::Odd(odd));
    }

    fn end_word(&mut self) {
        let word = std::mem::take(&mut self.word);
        match suspicion(&word) {
            Some(why) => self.done.push(Piece::Marked(word, why)),
            None => self.push(&word),
        }
    }

    fn push(&mut self, text: &str) {
        match self.done.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Plain(plain)) => plain.push_str(text),
            _ => self.done.push(Piece::Plain(text.to_owned())),
        }
    }
}

/// Whether a character is shown by its number: whoever looks at it would not see it, or would see
/// something else.
fn is_odd(character: char) -> bool {
    if character == ' ' || character.is_ascii_graphic() {
        return false;
    }
    character.is_control()
        || character.is_whitespace()
        || ODD.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(character)))
}

/// Ranges of code points: formatting, invisible, reordering, private, and imitations of ASCII.
const ODD: [(u32, u32); 33] = [
    (0x00AD, 0x00AD),     // soft hyphen
    (0x034F, 0x034F),     // combining grapheme joiner
    (0x0600, 0x0605),     // Arabic number signs, which span what follows
    (0x061C, 0x061C),     // Arabic letter mark
    (0x06DD, 0x06DD),     // end of ayah, which encloses
    (0x070F, 0x070F),     // Syriac abbreviation mark
    (0x115F, 0x1160),     // Hangul fillers
    (0x1680, 0x1680),     // Ogham space
    (0x17B4, 0x17B5),     // invisible Khmer vowels
    (0x180B, 0x180F),     // Mongolian selectors
    (0x2000, 0x200F),     // spaces, zero-width characters, direction marks
    (0x2024, 0x2024),     // one dot leader
    (0x2028, 0x202F),     // separators, direction embeddings and overrides
    (0x203F, 0x2040),     // ties that look like underscores
    (0x2044, 0x2044),     // fraction slash
    (0x205F, 0x206F),     // spaces, invisible operators, direction isolates
    (0x20D0, 0x20FF),     // enclosing and covering marks
    (0x2215, 0x2217),     // division slash, set minus, asterisk operator
    (0x2223, 0x2223),     // divides
    (0x2236, 0x2236),     // ratio
    (0x27E8, 0x27E9),     // the brackets of this very notation
    (0x2800, 0x2800),     // blank Braille
    (0x3000, 0x3000),     // ideographic space
    (0x3164, 0x3164),     // Hangul filler
    (0xA789, 0xA789),     // modifier colon
    (0xE000, 0xF8FF),     // private use
    (0xFE00, 0xFE0F),     // variation selectors
    (0xFEFF, 0xFEFF),     // byte order mark
    (0xFF01, 0xFF5E),     // full-width ASCII
    (0xFFA0, 0xFFA0),     // half-width Hangul filler
    (0xFFF0, 0xFFFF),     // specials
    (0x1D400, 0x1D7FF),   // mathematical letters
    (0xE0000, 0x10_FFFF), // tags, selectors, private use
];

/// Marks that are drawn over the letter before them.
fn is_combining(character: char) -> bool {
    matches!(u32::from(character),
        0x0300..=0x036F | 0x0483..=0x0489 | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0xFE20..=0xFE2F)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    /// Han, Kana, Hangul and Bopomofo, which are written together and beside Latin.
    EastAsian,
    /// Any other, by its block of 128 code points.
    Other(u32),
}

fn script(character: char) -> Option<Script> {
    if !character.is_alphabetic() {
        return None;
    }
    Some(match u32::from(character) {
        0x41..=0x5A
        | 0x61..=0x7A
        | 0xAA
        | 0xBA
        | 0xC0..=0x24F
        | 0x1E00..=0x1EFF
        | 0x2C60..=0x2C7F
        | 0xA722..=0xA7FF
        | 0xAB30..=0xAB64 => Script::Latin,
        0x370..=0x3FF | 0x1F00..=0x1FFF => Script::Greek,
        0x400..=0x52F | 0x1C80..=0x1C8F | 0x2DE0..=0x2DFF | 0xA640..=0xA69F => Script::Cyrillic,
        0x1100..=0x11FF
        | 0x2E80..=0x2FDF
        | 0x3005..=0x4DBF
        | 0x4E00..=0x9FFF
        | 0xA960..=0xA97F
        | 0xAC00..=0xD7FF
        | 0xF900..=0xFAFF
        | 0xFF66..=0xFFDC
        | 0x1AFF0..=0x1B16F
        | 0x20000..=0x3FFFF => Script::EastAsian,
        other => Script::Other(other / 128),
    })
}

/// Letters of other scripts that are drawn like Latin ones.
const LOOKALIKES: &str = "аеорсухіјѕһԁԛԝвкмнтгьАВЕКМНОРСТУХІЈЅԌԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορυχγϲϳօսոհցԁᎪᎡᏔᎠ";

/// Why a word may not be what it looks like.
fn suspicion(word: &str) -> Option<&'static str> {
    if word.is_ascii() {
        return None;
    }
    let mut scripts: Vec<Script> = Vec::new();
    for script in word.chars().filter_map(script) {
        if !scripts.contains(&script) {
            scripts.push(script);
        }
    }
    let written_together =
        scripts.iter().all(|script| matches!(script, Script::Latin | Script::EastAsian));
    if scripts.len() > 1 && !written_together {
        return Some("mixed scripts");
    }
    let foreign = scripts.iter().any(|script| *script != Script::Latin);
    let looks_latin = |letter: char| letter.is_ascii() || LOOKALIKES.contains(letter);
    (foreign && word.chars().all(looks_latin)).then_some("not Latin letters")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        Line(text).render().into_string().replace("<span class=\"odd\">", "").replace("</span>", "")
    }

    #[test]
    fn what_cannot_be_seen_is_shown_by_its_number() {
        let check = |text: &str, expect: &str| assert_eq!(line(text), expect, "{text:?}");
        check("DELETE FROM orders", "DELETE FROM orders");
        check("a\u{202E}b", "a⟨U+202E⟩b");
        check("a\u{200B}b\u{200D}c\u{FEFF}", "a⟨U+200B⟩b⟨U+200D⟩c⟨U+FEFF⟩");
        check("\u{2066}x\u{2069}", "⟨U+2066⟩x⟨U+2069⟩");
        check("a\u{0}\u{1b}[31m\u{7f}", "a⟨U+0000⟩⟨U+001B⟩[31m⟨U+007F⟩");
        check("one\ntwo\tthree\r", "one⟨U+000A⟩two⟨U+0009⟩three⟨U+000D⟩");
        check("a\u{a0}b\u{3000}c", "a⟨U+00A0⟩b⟨U+3000⟩c");
        check("\u{E0041}\u{1F600}", "⟨U+E0041⟩\u{1F600}");
        check("⟨U+202E⟩", "⟨U+27E8⟩U+202E⟨U+27E9⟩");
        check("ＤＲＯＰ", "⟨U+FF24⟩⟨U+FF32⟩⟨U+FF2F⟩⟨U+FF30⟩");
        check("𝐃x", "⟨U+1D403⟩x");
        check("e\u{301}", "e\u{301}");
        check("e\u{301}\u{301}\u{301}", "e\u{301}\u{301}⟨U+0301⟩");
        check("\u{338}=", "⟨U+0338⟩=");
        check("<b>&\"", "&lt;b&gt;&amp;&quot;");
    }

    #[test]
    fn blocks_keep_their_lines() {
        let block = |text: &str| Block(text).render().into_string();
        assert_eq!(block("a\n\tb"), "a\n\tb");
        assert_eq!(block("a\r\nb"), "a\nb");
        assert!(block("a\rb").contains("⟨U+000D⟩"));
        assert!(block("a\u{2028}b").contains("⟨U+2028⟩"));
    }

    #[test]
    fn words_that_may_not_be_what_they_look_like_are_marked() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(suspicion(text), expect, "{text}");
        check("orders", None);
        check("größe", None);
        check("заказы", None);
        check("αλφα", None);
        check("注文テーブル", None);
        check("SQL文", None);
        check("оrders", Some("mixed scripts"));
        check("ordеrs_2", Some("mixed scripts"));
        check("αlpha", Some("mixed scripts"));
        check("сору", Some("not Latin letters"));
        check("РОТ", Some("not Latin letters"));
        check("ОРС_2", Some("not Latin letters"));
        assert!(
            line("drop оrders now").contains("<mark class=\"mixed\">оrders</mark>⟨mixed scripts⟩ now")
        );
    }
}
