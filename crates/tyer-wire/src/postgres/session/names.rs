//! Names of prepared statements and portals, as the server will see them.
//!
//! INVARIANT: `confirmed` changes only when the server has said so. What was sent or is about to be is
//! `planned`, so that later messages of a pipeline find it; plans are dropped and made anew when an
//! error shows that the server skipped some. What SQL may have redefined is unknown, not absent: code that
//! is not seen through leaves every name of before in doubt.

mod slots;

use self::slots::Slots;

/// The server compares this many bytes of a name and no more.
const NAME_BYTES: usize = 63;
/// Up to this length a name is whole in every encoding of a database.
const WHOLE_BYTES: usize = NAME_BYTES / 2;

/// A name as the server compares it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Name(Vec<u8>);

impl Name {
    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(bytes.iter().take(NAME_BYTES).copied().collect())
    }

    pub(super) fn is_unnamed(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.0).escape_debug().to_string()
    }

    /// Whether it is known what the server makes of it: it cuts names in the database's encoding.
    fn is_certain(&self) -> bool {
        self.0.len() <= WHOLE_BYTES || self.0.is_ascii()
    }
}

/// Names of one kind.
#[derive(Debug)]
pub(super) struct Names<T> {
    /// With the number of the message that gave the name this meaning.
    confirmed: Slots<(u64, T)>,
    planned: Slots<(u64, Option<T>)>,
    wiped: Option<u64>,
    /// What messages up to this one gave a name is in doubt.
    doubted: u64,
}

impl<T: Clone> Names<T> {
    pub(super) fn new() -> Self {
        Self { confirmed: Slots::default(), planned: Slots::default(), wiped: None, doubted: 0 }
    }

    /// What the name will mean once the server has done all that was planned.
    pub(super) fn get(&self, name: &Name) -> Option<&T> {
        self.find(name).filter(|(at, _)| self.is_sure(*at, name)).map(|(_, meaning)| meaning)
    }

    /// What the name meant before that came into doubt.
    pub(super) fn get_doubted(&self, name: &Name) -> Option<&T> {
        self.find(name).filter(|(at, _)| !self.is_sure(*at, name)).map(|(_, meaning)| meaning)
    }

    fn find(&self, name: &Name) -> Option<(u64, &T)> {
        match self.planned.get(name) {
            Some((at, planned)) => planned.as_ref().map(|meaning| (*at, meaning)),
            None if self.wiped.is_some() => None,
            None => self.confirmed.get(name).map(|(at, meaning)| (*at, meaning)),
        }
    }

    /// No statement of SQL can say the name that is none.
    fn is_sure(&self, at: u64, name: &Name) -> bool {
        at > self.doubted || name.is_unnamed()
    }

    pub(super) fn len(&self) -> usize {
        self.confirmed.len() + self.planned.len()
    }

    /// Message `at` will give the name this meaning, or take it away.
    pub(super) fn plan(&mut self, at: u64, name: &Name, meaning: Option<T>) {
        if name.is_certain() {
            self.planned.insert(name, (at, meaning));
        } else {
            self.doubt(at);
        }
    }

    /// Message `at` will make every name unknown.
    pub(super) fn plan_wipe(&mut self, at: u64) {
        self.planned.clear();
        self.wiped = Some(at);
    }

    /// Message `at` may give any name another meaning, whatever becomes of it.
    pub(super) fn doubt(&mut self, at: u64) {
        self.doubted = self.doubted.max(at);
    }

    /// The server has done what message `at` planned.
    pub(super) fn confirm(&mut self, at: u64, name: &Name, meaning: Option<T>) {
        if self.planned.get(name).is_some_and(|(planned, _)| *planned == at) {
            self.planned.remove(name);
        }
        match meaning.filter(|_| name.is_certain()) {
            Some(meaning) => self.confirmed.insert(name, (at, meaning)),
            None => self.confirmed.remove(name),
        }
    }

    /// The server has done what message `at` planned to do to every name.
    pub(super) fn confirm_wipe(&mut self, at: u64) {
        self.confirmed.clear();
        if self.wiped == Some(at) {
            self.wiped = None;
        }
    }

    /// Whether anything is planned that the server has not confirmed.
    pub(super) fn has_plans(&self) -> bool {
        self.wiped.is_some() || !self.planned.is_empty()
    }

    /// Drops every plan; the caller makes those anew that still hold.
    pub(super) fn drop_plans(&mut self) {
        self.planned.clear();
        self.wiped = None;
    }

    /// Forgets what was confirmed, keeping plans.
    pub(super) fn forget(&mut self) {
        self.confirmed.clear();
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        let planned = self.planned.values().filter_map(|(_, planned)| planned.as_ref());
        self.confirmed.values().map(|(_, meaning)| meaning).chain(planned)
    }

    /// What the server has confirmed and nothing in flight will change.
    pub(super) fn settled_mut(&mut self, name: &Name) -> Option<&mut T> {
        if self.wiped.is_some() || self.planned.get(name).is_some() {
            return None;
        }
        let doubted = self.doubted;
        let (at, meaning) = self.confirmed.get_mut(name)?;
        (*at > doubted || name.is_unnamed()).then_some(meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_seen_at_once_and_confirmed_in_order() {
        let (mut names, s) = (Names::new(), Name::new(b"s"));
        names.plan(1, &s, Some("one"));
        assert_eq!(names.get(&s), Some(&"one"));
        names.plan(2, &s, None);
        names.plan(3, &s, Some("three"));
        names.confirm(1, &s, Some("one"));
        assert_eq!(names.get(&s), Some(&"three"));
        assert_eq!(names.settled_mut(&s), None);
        names.drop_plans();
        assert_eq!(names.get(&s), Some(&"one"));
    }

    #[test]
    fn a_wipe_hides_what_is_confirmed_after_it_was_planned() {
        let (mut names, s, t) = (Names::new(), Name::new(b"s"), Name::new(b"t"));
        names.plan(1, &s, Some("one"));
        names.plan_wipe(2);
        names.plan(3, &t, Some("three"));
        names.confirm(1, &s, Some("one"));
        assert_eq!((names.get(&s), names.get(&t)), (None, Some(&"three")));
        names.confirm_wipe(2);
        assert_eq!((names.get(&s), names.get(&t)), (None, Some(&"three")));
    }

    #[test]
    fn what_is_in_doubt_is_not_known_and_not_forgotten() {
        let (mut names, none, s, t) = (Names::new(), Name::new(b""), Name::new(b"s"), Name::new(b"t"));
        names.plan(1, &none, Some("none"));
        names.plan(1, &s, Some("one"));
        names.confirm(1, &s, Some("one"));
        names.doubt(2);
        names.plan(3, &t, Some("three"));
        names.drop_plans();
        names.plan(1, &none, Some("none"));
        names.plan(3, &t, Some("three"));
        assert_eq!((names.get(&s), names.get_doubted(&s)), (None, Some(&"one")));
        assert_eq!((names.get(&t), names.get_doubted(&t)), (Some(&"three"), None));
        assert_eq!((names.get(&none), names.get_doubted(&none)), (Some(&"none"), None));
        assert_eq!(names.settled_mut(&s), None);
        names.confirm(4, &s, Some("four"));
        assert_eq!(names.get(&s), Some(&"four"));
    }

    #[test]
    fn a_name_that_another_encoding_may_cut_is_never_known() {
        let (mut names, s, long) =
            (Names::new(), Name::new(b"s"), Name::new("é".repeat(16).as_bytes()));
        names.confirm(1, &s, Some("one"));
        names.plan(2, &long, Some("two"));
        names.confirm(2, &long, Some("two"));
        assert_eq!((names.get(&s), names.get(&long)), (None, None));
        assert!(!names.has_plans());
    }

    #[test]
    fn names_are_compared_as_the_server_does() {
        assert_eq!(Name::new(&[b'x'; 63]), Name::new(&[b'x'; 70]));
        assert_ne!(Name::new(b"x"), Name::new(b"X"));
    }
}
