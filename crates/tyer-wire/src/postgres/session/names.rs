//! Names of prepared statements and portals, as the server will see them.
//!
//! INVARIANT: `confirmed` changes only when the server has said so. What was sent or is about to be is
//! `planned`, so that later messages of a pipeline find it; plans are dropped and made anew when an
//! error shows that the server skipped some. What SQL may have redefined is unknown, not absent.

use std::collections::HashMap;

/// The server compares this many bytes of a name and no more.
const NAME_BYTES: usize = 63;

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

    pub(super) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.0).escape_debug().to_string()
    }
}

/// Names of one kind.
#[derive(Debug)]
pub(super) struct Names<T> {
    confirmed: HashMap<Name, T>,
    planned: HashMap<Name, (u64, Option<T>)>,
    wiped: Option<u64>,
}

impl<T: Clone> Names<T> {
    pub(super) fn new() -> Self {
        Self { confirmed: HashMap::new(), planned: HashMap::new(), wiped: None }
    }

    /// What the name will mean once the server has done all that was planned.
    pub(super) fn get(&self, name: &Name) -> Option<&T> {
        match self.planned.get(name) {
            Some((_, planned)) => planned.as_ref(),
            None if self.wiped.is_some() => None,
            None => self.confirmed.get(name),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.confirmed.len() + self.planned.len()
    }

    /// Message `at` will give the name this meaning, or take it away.
    pub(super) fn plan(&mut self, at: u64, name: &Name, meaning: Option<T>) {
        self.planned.insert(name.clone(), (at, meaning));
    }

    /// Message `at` will make every name unknown.
    pub(super) fn plan_wipe(&mut self, at: u64) {
        self.planned.clear();
        self.wiped = Some(at);
    }

    /// The server has done what message `at` planned.
    pub(super) fn confirm(&mut self, at: u64, name: &Name, meaning: Option<T>) {
        if self.planned.get(name).is_some_and(|(planned, _)| *planned == at) {
            self.planned.remove(name);
        }
        match meaning {
            Some(meaning) => self.confirmed.insert(name.clone(), meaning),
            None => self.confirmed.remove(name),
        };
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
        self.confirmed.values().chain(planned)
    }

    /// What the server has confirmed and nothing in flight will change.
    pub(super) fn settled_mut(&mut self, name: &Name) -> Option<&mut T> {
        if self.wiped.is_some() || self.planned.contains_key(name) {
            return None;
        }
        self.confirmed.get_mut(name)
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
    fn names_are_compared_as_the_server_does() {
        assert_eq!(Name::new(&[b'x'; 63]), Name::new(&[b'x'; 70]));
        assert_ne!(Name::new(b"x"), Name::new(b"X"));
    }
}
