//! What people leave beside a hold: notes, to whom they hand it over, and until when each has put it off.
//!
//! Nothing of it changes who counts, how many are needed, or when the hold ends. Each person puts a hold off for
//! themself alone: were it for all, one person could move it out of everybody's sight.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Hold;
use crate::intent::{PersonId, Timestamp};
use crate::limits::{COMMENT_CHARS_MAX, HANDED_TO_MAX, NOTES_PER_HOLD, PUT_OFF_PER_HOLD};

/// Words that somebody left, and to whom they handed the hold over with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// A person, or `operator` for the local command line.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The words.
    pub text: String,
    /// Who is asked to look at it; nobody in particular if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<PersonId>,
}

/// All that was left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<Note>,
    /// Until when, by who has put it off.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    later: BTreeMap<String, Timestamp>,
}

/// Why it is not left there; for whoever wanted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BesideError {
    /// Nobody can answer the hold any more.
    #[error("the hold has ended")]
    Ended,
    /// A note is words.
    #[error("a note needs words, at most {COMMENT_CHARS_MAX} characters")]
    Words,
    /// A hold has room for so many.
    #[error("there are {NOTES_PER_HOLD} notes beside this hold already")]
    Full,
    /// So many people are everybody.
    #[error("a hold is handed over to at most {HANDED_TO_MAX} people at once")]
    TooMany,
    /// That time is over.
    #[error("that time has passed")]
    Passed,
    /// Putting off lengthens nothing.
    #[error("the hold ends before that, and the agent will have to ask again")]
    EndsBefore(Timestamp),
}

impl Beside {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Hold {
    /// The hold with one note more.
    ///
    /// # Errors
    /// When it has ended, or the note has no words, too many, or no room.
    pub fn noted(mut self, note: Note, now: Timestamp) -> Result<Self, BesideError> {
        let characters = note.text.chars().count();
        if !self.is_answerable(now) {
            return Err(BesideError::Ended);
        }
        if note.text.trim().is_empty() || characters > COMMENT_CHARS_MAX {
            return Err(BesideError::Words);
        }
        if note.to.len() > HANDED_TO_MAX {
            return Err(BesideError::TooMany);
        }
        if self.beside.notes.len() >= NOTES_PER_HOLD {
            return Err(BesideError::Full);
        }
        self.beside.notes.push(note);
        Ok(self)
    }

    /// The hold, which `by` wants to look at again at `until`; `None` takes that back.
    ///
    /// # Errors
    /// When it has ended, that time has passed, or the hold ends before it.
    pub fn put_off(
        mut self,
        by: &str,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Self, BesideError> {
        if !self.is_answerable(now) {
            return Err(BesideError::Ended);
        }
        let later = &mut self.beside.later;
        later.retain(|_, until| now < *until);
        let Some(until) = until else {
            later.remove(by);
            return Ok(self);
        };
        if until <= now {
            return Err(BesideError::Passed);
        }
        if !later.contains_key(by) && later.len() >= PUT_OFF_PER_HOLD {
            return Err(BesideError::Full);
        }
        if until >= self.ends() {
            return Err(BesideError::EndsBefore(self.ends()));
        }
        self.beside.later.insert(by.to_owned(), until);
        Ok(self)
    }

    /// The notes beside it, oldest first.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.beside.notes
    }

    /// Who looks at it again, and when; nobody whose time has come.
    pub fn put_off_by(&self, now: Timestamp) -> impl Iterator<Item = (&str, Timestamp)> {
        let later = self.beside.later.iter().filter(move |(_, until)| now < **until);
        later.map(|(by, until)| (by.as_str(), *until))
    }

    fn is_answerable(&self, now: Timestamp) -> bool {
        self.is_live() && now < self.ends()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hold::tests::{OPEN_MS, held};
    use crate::hold::{Event, Next};
    use crate::verdict::Needs;

    const NOW: Timestamp = Timestamp(10);

    fn note(text: &str, to: usize) -> Note {
        let to = (0..to).map(|number| PersonId::new(format!("p{number}"))).collect();
        Note { by: "alice".to_owned(), at: NOW, text: text.to_owned(), to }
    }

    fn open() -> Hold {
        held(Needs { peers: 2, ..Needs::default() })
    }

    #[test]
    fn notes_are_words_and_bounded() {
        let check = |text: &str, to: usize, expect: Result<(), BesideError>| {
            assert_eq!(open().noted(note(text, to), NOW).map(|_| ()), expect, "{text}");
        };
        check("look at the backups first", 0, Ok(()));
        check("yours", HANDED_TO_MAX, Ok(()));
        check("yours", HANDED_TO_MAX + 1, Err(BesideError::TooMany));
        check(" \n", 0, Err(BesideError::Words));
        check(&"é".repeat(COMMENT_CHARS_MAX), 0, Ok(()));
        check(&"é".repeat(COMMENT_CHARS_MAX + 1), 0, Err(BesideError::Words));
        let mut full = open();
        for _ in 0..NOTES_PER_HOLD {
            full = full.noted(note("again", 0), NOW).unwrap();
        }
        assert_eq!(full.noted(note("once more", 0), NOW).unwrap_err(), BesideError::Full);
    }

    #[test]
    fn putting_off_is_each_persons_own_and_lengthens_nothing() {
        let ends = open().ends();
        let check = |until: i64, expect: Result<(), BesideError>| {
            let put_off = open().put_off("alice", Some(Timestamp(until)), NOW);
            assert_eq!(put_off.as_ref().map(|_| ()).map_err(|error| *error), expect, "{until}");
            assert!(put_off.is_err() || put_off.unwrap().ends() == ends);
        };
        check(NOW.0, Err(BesideError::Passed));
        check(NOW.0 + 1, Ok(()));
        check(ends.0 - 1, Ok(()));
        check(ends.0, Err(BesideError::EndsBefore(ends)));
        check(i64::MAX, Err(BesideError::EndsBefore(ends)));
        let until = |hundreds: i64| Some(NOW.plus(hundreds * 100));
        let hold =
            open().put_off("alice", until(2), NOW).unwrap().put_off("bob", until(1), NOW).unwrap();
        let at = |hold: &Hold, now: Timestamp| {
            hold.put_off_by(now).map(|(by, _)| by.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(at(&hold, NOW), ["alice", "bob"]);
        assert_eq!(at(&hold, NOW.plus(100)), ["alice"], "bob's time has come");
        let hold = hold.put_off("alice", None, NOW).unwrap();
        assert_eq!(at(&hold, NOW), ["bob"]);
        let Next::Stays(over, _) = hold.step(Event::Abandon, NOW) else { panic!("it ends") };
        assert_eq!(over.put_off("bob", until(1), NOW).unwrap_err(), BesideError::Ended);
        let over = open();
        let late = over.ends();
        assert_eq!(over.noted(note("late", 0), late).unwrap_err(), BesideError::Ended);
    }

    proptest! {
        /// Whatever is left beside a hold, the hold itself is what it was.
        #[test]
        fn what_stands_beside_a_hold_changes_nothing_of_it(
            left in proptest::collection::vec((0..3_u8, 0..OPEN_MS, 0..9_usize), 0..20),
        ) {
            let before = open();
            let mut hold = before.clone();
            for (who, until, to) in left {
                let by = format!("p{who}");
                let after = hold.clone().put_off(&by, Some(NOW.plus(until)), NOW);
                let after = after.unwrap_or(hold);
                hold = after.clone().noted(note("look", to), NOW).unwrap_or(after);
            }
            prop_assert_eq!(hold.ends(), before.ends());
            prop_assert_eq!(Hold { beside: Beside::default(), ..hold }, before);
        }
    }
}
