//! Who could still give what a hold waits for.

use serde::Serialize;
use tyer_core::hold::Still;

use super::Moment;
use crate::clock;

/// Who could still give what a hold waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct StillBody {
    /// Whose agreement would help now, by name.
    pub(crate) people: Vec<String>,
    /// Whose would help only once they are at work.
    pub(crate) later: Vec<LaterBody>,
    /// Whether all that is missing can still be met in time.
    pub(crate) enough: bool,
    /// From when on it can be met, if not now.
    pub(crate) from: Option<Moment>,
    /// The same in words.
    pub(crate) words: String,
}

/// Somebody who is at work from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LaterBody {
    pub(crate) person: String,
    pub(crate) from: Moment,
}

impl StillBody {
    pub(super) fn of(still: &Still) -> Self {
        let later = still.later.iter();
        let mut body = Self {
            people: still.people.iter().map(ToString::to_string).collect(),
            later: later
                .map(|(from, person)| LaterBody { person: person.to_string(), from: Moment(*from) })
                .collect(),
            enough: still.is_enough,
            from: still.from.map(Moment),
            words: String::new(),
        };
        body.words = body.in_words();
        body
    }

    fn in_words(&self) -> String {
        if self.people.is_empty() && self.later.is_empty() {
            return "nobody can give what is missing".to_owned();
        }
        let mut words = self.people.clone();
        let later =
            |it: &LaterBody| format!("{} at work from {} on", it.person, clock::civil(it.from.0));
        words.extend(self.later.iter().map(later));
        let words = words.join(", ");
        match self.from {
            _ if !self.enough => format!("{words}, and even all of them are not enough"),
            None => words,
            Some(from) => format!("{words}; not all of it before {}", clock::civil(from.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tyer_core::intent::{PersonId, Timestamp};

    use super::*;

    #[test]
    fn who_is_left_is_said_plainly() {
        let check = |people: &[&str],
                     later: &[(i64, &str)],
                     (is_enough, from): (bool, Option<i64>),
                     expect: &str| {
            let still = Still {
                people: people.iter().copied().map(PersonId::new).collect(),
                later: later.iter().map(|(at, who)| (Timestamp(*at), PersonId::new(*who))).collect(),
                is_enough,
                from: from.map(Timestamp),
            };
            assert_eq!(StillBody::of(&still).words, expect);
        };
        let hour = 3_600_000;
        check(&[], &[], (false, None), "nobody can give what is missing");
        check(&["ann", "bob"], &[], (true, None), "ann, bob");
        check(&["ann"], &[], (false, None), "ann, and even all of them are not enough");
        check(
            &["ann"],
            &[(hour, "cat")],
            (true, Some(hour)),
            "ann, cat at work from 1970-01-01 01:00:00Z on; not all of it before 1970-01-01 01:00:00Z",
        );
    }
}
