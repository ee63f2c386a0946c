//! Who people are to one another: which names are one human, who vouched for whom, and who therefore cannot be a peer
//! for a request.
//!
//! INVARIANTS: whoever controls a request never counts for it as another person, under no name of theirs; nor does
//! anybody whom only they, or only people vouched for by them, have vouched for.

use std::collections::{BTreeMap, BTreeSet};

use crate::intent::{PersonId, Principal};

/// What is known of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Whether their word counts at all.
    pub counts: bool,
    /// One of the first two, whom nobody had to confirm.
    pub founder: bool,
    /// Whether others have let them enrol anew in place of lost passkeys. Then even a founder is who the last ones say
    /// who confirmed that.
    pub recovered: bool,
    /// Who has confirmed them, since they were recovered if they were. An invitation vouches for nothing: who used the link is what a confirmation says.
    pub confirmed_by: BTreeSet<PersonId>,
    /// Names that were said to be the same human.
    pub one_with: BTreeSet<PersonId>,
}

/// Everybody, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People(BTreeMap<PersonId, Known>);

/// Why somebody's agreement does not count as another person's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    /// They control what asks.
    #[error("{0} controls the session")]
    Controls(PersonId),
    /// They are somebody who does, under another name.
    #[error("{name} is the same human as {controller}, who controls the session")]
    OneWith {
        /// Who wants to agree.
        name: PersonId,
        /// Their other name.
        controller: PersonId,
    },
    /// Nobody independent has confirmed them.
    #[error(
        "{0} was confirmed only by people who control the session, or whom they vouched for; somebody else has to confirm them first"
    )]
    VouchedFor(PersonId),
}

impl FromIterator<(PersonId, Known)> for People {
    fn from_iter<I: IntoIterator<Item = (PersonId, Known)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl People {
    /// All names of the human with that name, itself among them.
    #[must_use]
    pub fn human(&self, name: &PersonId) -> BTreeSet<PersonId> {
        let mut names = BTreeSet::new();
        let mut next = vec![name.clone()];
        while let Some(name) = next.pop() {
            if names.insert(name.clone()) {
                next.extend(
                    self.0.get(&name).into_iter().flat_map(|known| known.one_with.iter().cloned()),
                );
                // Said of one is said of both.
                let says = |(other, known): (&PersonId, &Known)| {
                    known.one_with.contains(&name).then(|| other.clone())
                };
                next.extend(self.0.iter().filter_map(says));
            }
        }
        names
    }

    /// Whether both names are one human.
    #[must_use]
    pub fn are_one(&self, one: &PersonId, other: &PersonId) -> bool {
        one == other || self.human(one).contains(other)
    }

    /// How many different humans are behind these names.
    #[must_use]
    pub fn humans<'a>(&self, names: impl IntoIterator<Item = &'a PersonId>) -> usize {
        names.into_iter().map(|name| self.human(name)).collect::<BTreeSet<_>>().len()
    }

    /// Why a person cannot be another person for what this principal asks, if so.
    #[must_use]
    pub fn barred(&self, person: &PersonId, principal: &Principal) -> Option<Barred> {
        if principal.is_controlled_by(person) {
            return Some(Barred::Controls(person.clone()));
        }
        if let Some(controller) =
            self.human(person).into_iter().find(|it| principal.is_controlled_by(it))
        {
            return Some(Barred::OneWith { name: person.clone(), controller });
        }
        let is_independent = self.independent_of(principal).contains(person);
        (!is_independent).then(|| Barred::VouchedFor(person.clone()))
    }

    /// How many humans count, or would if that name did not.
    #[must_use]
    pub fn humans_without(&self, name: &PersonId) -> usize {
        let counting = self.0.iter().filter(|(other, known)| known.counts && *other != name);
        let counting = counting.map(|(other, _)| other);
        counting.map(|name| self.human(name)).collect::<BTreeSet<_>>().len()
    }

    /// Whom somebody vouches for who has nothing to do with those who control it: founders, and whoever was confirmed
    /// by one of these. A founder who was recovered is one only as long as such a person stands behind them.
    fn independent_of(&self, principal: &Principal) -> BTreeSet<PersonId> {
        let controls: BTreeSet<PersonId> =
            principal.controllers().flat_map(|controller| self.human(controller)).collect();
        let others: BTreeMap<&PersonId, &Known> =
            self.0.iter().filter(|(name, known)| known.counts && !controls.contains(*name)).collect();
        let mut roots: BTreeSet<PersonId> =
            others.iter().filter(|(_, known)| known.founder).map(|(name, _)| (*name).clone()).collect();
        loop {
            let found = vouched_for(&others, &roots);
            let stands = |name: &PersonId| {
                let backed = |by: &PersonId| by != name && found.contains(by);
                others.get(name).is_some_and(|it| !it.recovered || it.confirmed_by.iter().any(backed))
            };
            let standing: BTreeSet<PersonId> =
                roots.iter().filter(|name| stands(name)).cloned().collect();
            if standing == roots {
                return found;
            }
            roots = standing;
        }
    }
}

/// The roots, and everybody whom one of them, or of those so found, has confirmed.
fn vouched_for(among: &BTreeMap<&PersonId, &Known>, roots: &BTreeSet<PersonId>) -> BTreeSet<PersonId> {
    let mut found = roots.clone();
    loop {
        let vouched = |(name, known): &(&&PersonId, &&Known)| {
            // A founder is a root or nothing.
            !known.founder
                && !found.contains(**name)
                && known.confirmed_by.iter().any(|by| found.contains(by))
        };
        let more: Vec<PersonId> =
            among.iter().filter(vouched).map(|(name, _)| (*name).clone()).collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::SessionId;

    fn name(text: &str) -> PersonId {
        PersonId::new(text)
    }

    /// `ann!` is a founder, `ann?bob,dan` one who was recovered since and confirmed by both, `cat<bob,dan` was confirmed by
    /// both, `cat=kat` are one human.
    fn people(said: &str) -> People {
        let mut all: BTreeMap<PersonId, Known> = BTreeMap::new();
        for word in said.split_whitespace() {
            if let Some((one, other)) = word.split_once('=') {
                all.entry(name(one)).or_default().one_with.insert(name(other));
            } else if let Some((who, by)) = word.split_once('<') {
                let known = all.entry(name(who)).or_default();
                (known.counts, known.confirmed_by) = (true, by.split(',').map(name).collect());
            } else if let Some((who, by)) = word.split_once('?') {
                let known = all.entry(name(who)).or_default();
                (known.counts, known.founder, known.recovered) = (true, true, true);
                known.confirmed_by = by.split(',').map(name).collect();
            } else if let Some(founder) = word.strip_suffix('!') {
                let known = all.entry(name(founder)).or_default();
                (known.counts, known.founder) = (true, true);
            } else {
                all.entry(name(word)).or_default();
            }
        }
        all.into_iter().collect()
    }

    fn principal(controllers: &str) -> Principal {
        let mut names = controllers.split(',').map(name);
        Principal {
            session: SessionId::new("s-1"),
            agent: "fixer".to_owned(),
            human: false,
            controller: names.next().unwrap(),
            also: names.collect(),
        }
    }

    #[test]
    fn who_can_be_another_person() {
        let check = |said: &str, controllers: &str, expect: &[&str]| {
            let people = people(said);
            let principal = principal(controllers);
            let free: Vec<_> =
                people.0.keys().filter(|name| people.barred(name, &principal).is_none()).collect();
            assert_eq!(
                free,
                expect.iter().map(|text| name(text)).collect::<Vec<_>>().iter().collect::<Vec<_>>(),
                "{said} / {controllers}"
            );
        };
        check("ann! bob!", "ann", &["bob"]);
        check("ann! bob!", "ann,bob", &[]);
        check("ann! bob! cat<bob", "ann", &["bob", "cat"]);
        check("ann! bob! cat<ann", "ann", &["bob"]);
        check("ann! bob! cat<ann,bob", "ann", &["bob", "cat"]);
        // A chain of people whom only the controller stands behind.
        check("ann! bob! cat<ann dan<cat eve<dan", "ann", &["bob"]);
        check("ann! bob! cat<ann dan<cat eve<dan,bob", "ann", &["bob", "eve"]);
        // Two who vouch for each other.
        check("ann! bob! cat<dan dan<cat", "ann", &["bob"]);
        // Another name of the controller, and what it vouched for.
        check("ann! bob! kat<bob ann=kat", "ann", &["bob"]);
        check("ann! bob! kat<bob kat=ann dan<kat", "ann", &["bob"]);
        check("ann! bob! kat<bob a=b b=kat ann=a", "ann", &["bob"]);
        check("ann! bob! cat<bob dan<ann,cat", "ann,cat", &["bob"]);
        // Whoever does not count vouches for nobody.
        check("ann! bob! cat dan<cat", "ann", &["bob"]);
        // A recovered founder stands on whoever confirmed that, and is no root of their own.
        check("ann? bob! cat<bob", "cat", &["bob"]);
        check("ann?cat bob! cat<bob", "cat", &["bob"]);
        check("ann?cat bob! cat<bob", "bob", &[]);
        check("ann?cat bob! cat<bob dan<bob", "dan", &["ann", "bob", "cat"]);
        check("ann?cat,bob bob! cat<bob", "cat", &["ann", "bob"]);
        check("ann?dan bob! cat<bob dan<cat", "cat", &["bob"]);
        // All founders were recovered once.
        check("ann?cat bob?cat cat<bob dan<bob", "dan", &["ann", "bob", "cat"]);
        check("ann?cat bob?cat cat<bob dan<bob", "cat", &[]);
        check("ann?cat,dan bob?cat,dan cat<bob dan<bob", "cat", &["ann", "bob", "dan"]);
        // Two who stand behind each other and nobody else.
        check("ann?bob bob?ann cat<bob", "cat", &["ann", "bob"]);
    }

    #[test]
    fn humans_are_counted_once() {
        let check = |said: &str, expect: usize| {
            assert_eq!(people(said).humans_without(&name("ann")), expect, "{said}");
        };
        check("", 0);
        check("ann!", 0);
        check("ann! bob! cat", 1);
        check("ann! bob! cat<bob", 2);
        check("ann! bob! cat<bob ann=cat", 2);
        check("ann! bob! cat<bob bob=cat", 1);
        check("ann! bob! cat<bob bob=x x=cat", 1);
    }

    #[test]
    fn names_of_one_human() {
        let all = people("ann! bob! a=b c=b ann=c dan");
        assert!(all.are_one(&name("a"), &name("ann")));
        assert!(all.are_one(&name("bob"), &name("bob")));
        assert!(!all.are_one(&name("ann"), &name("bob")));
        assert_eq!(all.human(&name("dan")).len(), 1);
        assert_eq!(all.human(&name("nobody")).len(), 1);
    }
}
