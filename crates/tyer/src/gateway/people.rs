//! People: enrolling a passkey, inviting, confirming.
//!
//! The first two are founders and count once enrolled. Everybody later is invited by a signed statement,
//! enrols by the link, and counts only after somebody else than the inviter has confirmed them.

use tyer_core::assertion::{self, Registration, attestation};
use tyer_core::assurance;
use tyer_core::intent::{Digest, PersonId, Timestamp};
use tyer_core::limits::{ENROLMENT_MS, NAME_CHARS_MAX};
use tyer_core::record::{PublicKey, Record, What};
use tyer_core::statement::{Decision, Statement};

use crate::clock;
use crate::config::attestation::ATTESTATION;
use crate::gateway::roles::leaves_too_few;
use crate::gateway::statements::{DecisionError, Word, remember, take};
use crate::gateway::world::{Link, Passkey, Person, World};
use crate::gateway::{Gateway, News};
use crate::secret::{self, NoRandomness};
use crate::store::{Change, StoreError, Table};

/// Why something about people is not done. Texts are for the person at the console.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum PeopleError {
    /// The link is unknown, used or too old.
    #[error("this enrolment link is not valid any more; links live 15 minutes and work once")]
    Link,
    /// The passkey's registration does not hold.
    #[error("the passkey could not be enrolled: {0}")]
    Registration(String),
    /// The name cannot be used.
    #[error(
        "a name is up to 64 letters, digits, `-`, `_` or `.`, and neither taken, in any case, nor a word of Tyer's own"
    )]
    Name,
    /// The person's own word does not count yet.
    #[error("{0} does not count yet and cannot vouch for anybody")]
    DoesNotCount(PersonId),
    /// There is nothing to confirm.
    #[error("{0} is not waiting to be confirmed")]
    NotWaiting(PersonId),
    /// The inviter cannot confirm.
    #[error("somebody other than the inviter has to confirm {0}")]
    Inviter(PersonId),
    /// Nobody vouches for themself, under no name.
    #[error("nobody confirms themself, and {0} is the same human")]
    Oneself(PersonId),
    /// Once is enough.
    #[error("{by} has confirmed {guest} before")]
    Again { by: PersonId, guest: PersonId },
    /// There have to be two names of people who enrolled.
    #[error("{0} and {1} are not two people who have enrolled")]
    NotTwo(PersonId, PersonId),
    /// Nothing could be confirmed by two any more, for ever.
    #[error(
        "with {0} and {1} as one human there would not be two operators any more; have somebody else join first"
    )]
    TooFew(PersonId, PersonId),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// Whether text can be a person's name.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    !text.is_empty() && text.len() <= NAME_CHARS_MAX && text.chars().all(plain)
}

/// Words that leaves use for others than people.
const RESERVED: [&str; 4] = ["operator", "calendar", "tyer", "nobody"];

/// Whether text can be the name of a new person: none that leaves use otherwise.
pub(crate) fn is_person(text: &str) -> bool {
    is_name(text) && !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// A fresh enrolment token and the link that keeps its digest.
pub(crate) fn link(now: Timestamp) -> Result<(String, Link), NoRandomness> {
    let token = secret::token()?;
    let digest = Digest::of(token.as_bytes());
    Ok((token, Link { token: digest, expires: now.plus(ENROLMENT_MS), asked_by: None }))
}

impl Gateway {
    /// Who may enrol with this link, and the statement that their new passkey is to be made over.
    pub(crate) async fn begin_enrolment(&self, token: &str) -> Result<Statement, DecisionError> {
        let mut world = self.world().await;
        let person = linked(&world, token, clock::now()).ok_or(PeopleError::Link)?.id.clone();
        let statement = self.statement(Some(&person), Decision::Enrol { person: person.clone() })?;
        remember(&mut world, statement.clone());
        Ok(statement)
    }

    /// Who may enrol with this link.
    pub(crate) async fn invited(&self, token: &str) -> Option<PersonId> {
        let world = self.world().await;
        linked(&world, token, clock::now()).map(|person| person.id.clone())
    }

    /// Enrols the new passkey; the link is used up.
    pub(crate) async fn finish_enrolment(
        &self,
        token: &str,
        nonce: &str,
        registration: &Registration,
    ) -> Result<Person, DecisionError> {
        let now = clock::now();
        let mut world = self.world().await;
        let statement = take(&mut world, nonce, now)?;
        let person = linked(&world, token, now).ok_or(PeopleError::Link)?.clone();
        if statement.what != (Decision::Enrol { person: person.id.clone() }) {
            return Err(DecisionError::Stale);
        }
        let mut key = assertion::register(&self.config.console.relying_party, &statement, registration)
            .map_err(|error| PeopleError::Registration(error.to_string()))?;
        let is_it = |other: &PublicKey| assurance::are_same(other, &key);
        if world.people.values().flat_map(Person::all_keys).any(is_it) {
            return Err(PeopleError::Registration("this passkey is enrolled already".to_owned()).into());
        }
        let made = (&statement, registration);
        key.attested = self.attested(&world, made, now);
        let leaf = key.attested.map(|root| What::Attested {
            person: person.id.clone(),
            key: key.digest(),
            root,
            statement: statement.clone(),
            registration: registration.clone(),
        });
        let change = leaf.into_iter().map(|what| Record::new(now, what));
        let change = change.fold(Change::default(), |change, record| change.leaf(&record));
        Ok(self.enrol(&mut world, (person, key), change, now).await?)
    }

    /// The root of a maker who attests to a new passkey and is trusted, unless that changed and waits for people.
    fn attested(
        &self,
        world: &World,
        made: (&Statement, &Registration),
        now: Timestamp,
    ) -> Option<Digest> {
        let pending = world.parts.get(ATTESTATION).is_some_and(|part| part.pending.is_some());
        let roots = (!pending).then_some(&self.config.roots)?;
        let attested = attestation::attest(&self.config.console.relying_party, made, roots, now);
        if let Err(why) = &attested
            && !roots.is_empty()
        {
            tracing::info!(person = %made.0.person, %why, "a passkey is no hardware key");
        }
        attested.ok()
    }

    async fn enrol(
        &self,
        world: &mut World,
        (mut person, key): (Person, PublicKey),
        change: Change,
        now: Timestamp,
    ) -> Result<Person, PeopleError> {
        let asked_by = person.link.take().and_then(|link| link.asked_by);
        let passkey = Passkey::new(key.clone(), asked_by.clone());
        person.keys.push(passkey.clone());
        let what = What::Enrolled {
            person: person.id.clone(),
            key,
            counts: passkey.counts() && person.counts(),
            invited_by: asked_by.or_else(|| person.invited_by.clone()),
            signed: None,
        };
        self.keep_person(world, &person, change.leaf(&Record::new(now, what))).await?;
        Ok(person)
    }

    /// Names a new person and makes their enrolment link. The name is checked here, since statements
    /// carry whatever was typed.
    pub(super) async fn invite(
        &self,
        world: &mut World,
        word: Word,
        guest: PersonId,
    ) -> Result<String, PeopleError> {
        let Word { signed, by, now, .. } = word;
        counting(world, &by)?;
        let waiting =
            world.people.get(&guest).is_some_and(|known| known.keys.is_empty() && !known.founder);
        let alike =
            |known: &PersonId| *known != guest && known.as_str().eq_ignore_ascii_case(guest.as_str());
        let is_taken = world.people.contains_key(&guest) && !waiting;
        if !is_person(guest.as_str()) || is_taken || world.people.keys().any(alike) {
            return Err(PeopleError::Name);
        }
        let (token, link) = link(now)?;
        let mut person = Person::named(guest.clone(), false, link);
        person.invited_by = Some(by.clone());
        let what = What::Invited { person: guest, by, signed };
        self.keep_person(world, &person, Change::default().leaf(&Record::new(now, what))).await?;
        Ok(token)
    }

    /// What a person signs to confirm somebody.
    pub(super) fn confirmation(world: &World, guest: &PersonId) -> Result<Decision, PeopleError> {
        let stands = |person: &&Person| person.founder && !person.recovered;
        let person = world.people.get(guest).filter(|person| !stands(person));
        let key = person.and_then(|person| person.passkeys().next());
        let key = key.ok_or_else(|| PeopleError::NotWaiting(guest.clone()))?;
        Ok(Decision::Confirm { person: guest.clone(), credential: key.digest() })
    }

    /// Confirms an invited person, who counts from now on; or stands behind one who counts already.
    pub(super) async fn confirm(
        &self,
        world: &mut World,
        word: Word,
        guest: PersonId,
        credential: Digest,
    ) -> Result<(), PeopleError> {
        let Word { signed, by, now, .. } = word;
        counting(world, &by)?;
        let same = Self::confirmation(world, &guest)?;
        if same != (Decision::Confirm { person: guest.clone(), credential }) {
            return Err(PeopleError::NotWaiting(guest));
        }
        let Some(mut person) = world.people.get(&guest).cloned() else {
            return Err(PeopleError::NotWaiting(guest));
        };
        let among = world.among();
        if among.are_one(&by, &guest) {
            return Err(PeopleError::Oneself(guest));
        }
        if person.confirmers().any(|earlier| *earlier == by) {
            return Err(PeopleError::Again { by, guest });
        }
        let invited = |inviter: &PersonId| among.are_one(inviter, &by);
        if person.counts() {
            person.confirmed_also.push(by.clone());
        } else if person.invited_by.as_ref().is_some_and(invited) {
            return Err(PeopleError::Inviter(guest));
        } else {
            person.confirmed_by = Some(by.clone());
        }
        let what = What::Confirmed { person: guest, by, signed };
        self.keep_person(world, &person, Change::default().leaf(&Record::new(now, what))).await
    }

    /// Says that two names are one human. It only ever takes votes away, so one signature is enough.
    pub(super) async fn link_names(
        &self,
        world: &mut World,
        word: Word,
        (person, other): (PersonId, PersonId),
    ) -> Result<(), PeopleError> {
        let Word { signed, by, now, .. } = word;
        counting(world, &by)?;
        let enrolled =
            |id: &PersonId| world.people.get(id).filter(|known| !known.keys.is_empty()).cloned();
        let (Some(mut known), true, true) =
            (enrolled(&person), enrolled(&other).is_some(), person != other)
        else {
            return Err(PeopleError::NotTwo(person, other));
        };
        known.one_with.insert(other.clone());
        if leaves_too_few(world, &known) {
            return Err(PeopleError::TooFew(person, other));
        }
        let what = What::Linked { person, other, by, signed };
        self.keep_person(world, &known, Change::default().leaf(&Record::new(now, what))).await
    }

    pub(super) async fn keep_person(
        &self,
        world: &mut World,
        person: &Person,
        change: Change,
    ) -> Result<(), PeopleError> {
        self.sequencer.commit(change.put(Table::Person, person.id.as_str(), person)).await?;
        world.people.insert(person.id.clone(), person.clone());
        self.assign_roles(world);
        self.tell(News::Rules);
        Ok(())
    }
}

/// The person of that name, if their word counts.
pub(super) fn counting(world: &World, person: &PersonId) -> Result<Person, PeopleError> {
    let known = world.people.get(person).filter(|person| person.counts());
    known.cloned().ok_or_else(|| PeopleError::DoesNotCount(person.clone()))
}

fn linked<'a>(world: &'a World, token: &str, now: Timestamp) -> Option<&'a Person> {
    let token = Digest::of(token.as_bytes());
    world.people.values().find(|person| {
        let link = person.link.as_ref().filter(|link| now < link.expires);
        link.is_some_and(|link| link.token == token)
    })
}
