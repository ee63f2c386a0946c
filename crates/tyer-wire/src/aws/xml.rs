//! Texts of elements in AWS's answers to what Tyer asks itself.

use quick_xml::Reader;
use quick_xml::events::Event;

/// The text of the last element of each name, where there is one; `None` if the document is not one.
pub(super) fn texts<const N: usize>(document: &[u8], names: [&str; N]) -> Option<[Option<String>; N]> {
    let mut reader = Reader::from_str(std::str::from_utf8(document).ok()?);
    let (mut found, mut inside): ([Option<String>; N], Option<usize>) = ([const { None }; N], None);
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                inside = names.iter().position(|own| *own == start.local_name().as_ref());
            }
            Event::Text(text) => {
                if let Some(place) = inside.and_then(|at| found.get_mut(at)) {
                    *place = Some(text.trim().to_owned());
                }
            }
            Event::End(_) => inside = None,
            Event::Eof => return Some(found),
            _ => {}
        }
    }
}
