//! What the gateway knows right now: people, sessions, holds, freezes. Loaded once from the store;
//! every change becomes durable before it is seen here.

pub(crate) mod answers;
pub(crate) mod freezes;
pub(crate) mod holds;
pub(crate) mod paces;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tyer_core::freeze::enders;
use tyer_core::glass::Review;
use tyer_core::hold::Hold;
use tyer_core::intent::{
    Digest, HoldId, Narrowing, PersonId, Principal, SessionId, Timestamp, Upstream,
};
use tyer_core::people::{Known, People};
use tyer_core::record::PublicKey;
use tyer_core::roles::Role;
use tyer_core::sequence::Note;
use tyer_core::statement::{Signed, Statement};
use tyer_core::verdict::LeafIndex;

use self::answers::{Answered, Answers};
use self::freezes::{Freezes, Single};
use self::holds::{Holds, Rejected};
use self::paces::Paces;
use crate::store::sqlite::Sqlite;
use crate::store::{StoreError, Table};

/// A human whom this Tyer knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) id: PersonId,
    /// One of the first two.
    pub(crate) founder: bool,
    pub(crate) invited_by: Option<PersonId>,
    pub(crate) confirmed_by: Option<PersonId>,
    /// Who else stands behind them since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) confirmed_also: Vec<PersonId>,
    /// Other names of the same human.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) one_with: BTreeSet<PersonId>,
    /// They lost their passkeys, and others have let them enrol anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) recovered: bool,
    /// Their passkeys, also those that do not count yet or any more.
    pub(crate) keys: Vec<Passkey>,
    /// Their SSH keys.
    #[serde(default)]
    pub(crate) ssh: Vec<SshKey>,
    /// The enrolment link that was printed for them, by the digest of its token.
    pub(crate) link: Option<Link>,
    /// What they may decide, by the configuration.
    #[serde(skip)]
    pub(crate) role: Role,
}

/// A passkey that a person enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passkey {
    #[serde(flatten)]
    pub(crate) key: PublicKey,
    /// Who asked for it, if it is not the person's first: themself, or another because they had lost theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asked_by: Option<PersonId>,
    /// Who has confirmed it, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) confirmed_by: Option<PersonId>,
    /// It counts no more, and stays so that nobody enrols it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removed_by: Option<PersonId>,
}

impl Passkey {
    /// A passkey as it is enrolled.
    pub(crate) fn new(key: PublicKey, asked_by: Option<PersonId>) -> Self {
        Self { key, asked_by, confirmed_by: None, removed_by: None }
    }

    /// Whether its signatures count, if its owner's do.
    pub(crate) fn counts(&self) -> bool {
        self.removed_by.is_none() && (self.asked_by.is_none() || self.confirmed_by.is_some())
    }

    /// Whether it was asked for, and nobody has confirmed or removed it.
    pub(crate) fn waits(&self) -> bool {
        self.removed_by.is_none() && self.asked_by.is_some() && self.confirmed_by.is_none()
    }
}

/// An SSH key that a person added. It counts once somebody else has confirmed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SshKey {
    pub(crate) key: PublicKey,
    pub(crate) confirmed_by: Option<PersonId>,
    /// It counts no more, and stays so that nobody adds it again.
    pub(crate) removed_by: Option<PersonId>,
}

impl SshKey {
    /// Whether its signatures count, if its owner's do.
    pub(crate) fn counts(&self) -> bool {
        self.confirmed_by.is_some() && self.removed_by.is_none()
    }
}

/// An enrolment link: whoever has the token may enrol once, until it expires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) token: Digest,
    pub(crate) expires: Timestamp,
    /// Who asked for one more passkey, if it is not for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asked_by: Option<PersonId>,
}

impl Person {
    /// Somebody who has been named and nothing else.
    pub(crate) fn named(id: PersonId, founder: bool, link: Link) -> Self {
        Self {
            id,
            founder,
            invited_by: None,
            confirmed_by: None,
            confirmed_also: Vec::new(),
            one_with: BTreeSet::new(),
            recovered: false,
            keys: Vec::new(),
            ssh: Vec::new(),
            link: Some(link),
            role: Role::default(),
        }
    }

    /// Everybody who has confirmed them.
    pub(crate) fn confirmers(&self) -> impl Iterator<Item = &PersonId> {
        self.confirmed_by.iter().chain(&self.confirmed_also)
    }

    /// Those of their passkeys whose signatures count if theirs do.
    pub(crate) fn passkeys(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter().filter(|passkey| passkey.counts()).map(|passkey| &passkey.key)
    }

    /// Every key that is or was theirs.
    pub(crate) fn all_keys(&self) -> impl Iterator<Item = &PublicKey> {
        let passkeys = self.keys.iter().map(|passkey| &passkey.key);
        passkeys.chain(self.ssh.iter().map(|ssh| &ssh.key))
    }

    /// Those of their keys whose signatures may count: passkeys, and SSH keys that were confirmed.
    pub(crate) fn counting_keys(&self) -> impl Iterator<Item = &PublicKey> {
        let confirmed = self.ssh.iter().filter(|ssh| ssh.counts());
        self.passkeys().chain(confirmed.map(|ssh| &ssh.key))
    }

    /// The one of these with that id.
    pub(crate) fn key(&self, credential: &str) -> Option<&PublicKey> {
        self.counting_keys().find(|key| key.credential == credential)
    }

    /// Whether their word counts: with a passkey that does, a founder or confirmed by somebody independent, and no
    /// auditor.
    pub(crate) fn counts(&self) -> bool {
        self.role > Role::Auditor && self.is_confirmed()
    }

    /// Whether they may see everything.
    pub(crate) fn reads(&self) -> bool {
        self.is_confirmed()
    }

    fn is_confirmed(&self) -> bool {
        self.passkeys().next().is_some() && (self.founder || self.confirmed_by.is_some())
    }
}

/// One run of one agent (or human) for one controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) principal: Principal,
    pub(crate) upstream: Upstream,
    /// The SCRAM verifier of the password that was minted; the password itself is not kept.
    pub(crate) verifier: String,
    pub(crate) narrowing: Narrowing,
    pub(crate) opened: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) purpose: String,
    /// The accounts for which it has access keys, in the order of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) accounts: Vec<String>,
    /// How it ended: `ended`, `killed` or `expired`.
    pub(crate) ended: Option<String>,
    /// Shapes of reads that people have let through for this session.
    pub(crate) asked: BTreeSet<Digest>,
}

/// A security part of the configuration: what was confirmed, and what the file says now if it differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) confirmed: Option<Digest>,
    pub(crate) pending: Option<Digest>,
    /// Confirmations of `pending` so far.
    pub(crate) signed: Vec<Signed>,
}

/// Everything that decisions and pages look at.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) people: BTreeMap<PersonId, Person>,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) holds: Holds,
    /// What became of holds, for their controllers to see.
    pub(crate) answers: Answers,
    /// How often sessions asked people lately.
    pub(crate) paces: Paces,
    pub(crate) freezes: Freezes,
    pub(crate) parts: BTreeMap<String, Part>,
    /// What was let through on one person's word and is not signed off.
    pub(crate) reviews: BTreeMap<HoldId, Review>,
    /// The number that the next hold gets.
    pub(crate) next_hold: u64,
    /// Statements that were handed out to be signed, by nonce. Lost with the process, on purpose.
    pub(crate) statements: BTreeMap<String, Statement>,
}

/// What was cleared and can be part of a pattern, in the order of the leaves.
pub(crate) fn notes(store: &Sqlite) -> Result<BTreeMap<LeafIndex, Note>, StoreError> {
    let read = |(key, note): (String, Note)| {
        let leaf = key.parse().map_err(|_| StoreError::Corrupt(format!("sequence of leaf {key}")))?;
        Ok((LeafIndex(leaf), note))
    };
    read_all(store, Table::Sequence)?.into_iter().map(read).collect()
}

/// The names of single values in the store.
pub(crate) const FREEZES: &str = "freezes";
/// As it was stored when there was one at a time.
const FREEZE: &str = "freeze";
pub(crate) const NEXT_HOLD: &str = "next_hold";
pub(crate) const PARTS: &str = "parts";
pub(crate) const REVIEWS: &str = "reviews";

impl World {
    /// Reads everything that a decision can rest on. A document that does not read back refuses the start.
    pub(crate) fn load(store: &Sqlite) -> Result<Self, StoreError> {
        let mut world = Self { next_hold: 1, ..Self::default() };
        for (id, person) in read_all::<Person>(store, Table::Person)? {
            world.people.insert(PersonId::new(id), person);
        }
        for (id, session) in read_all::<Session>(store, Table::Session)? {
            world.sessions.insert(SessionId::new(id), session);
        }
        for (_, hold) in read_all::<Hold>(store, Table::Hold)? {
            world.holds.insert(hold);
        }
        for (_, rejected) in read_all::<Rejected>(store, Table::Rejected)? {
            world.holds.reject(rejected);
        }
        for (_, answered) in read_all::<Answered>(store, Table::Answered)? {
            world.answers.insert(answered);
        }
        world.freezes = match read_setting(store, FREEZES)? {
            Some(freezes) => freezes,
            None => {
                let mut freezes = Freezes::default();
                read_setting::<Option<Single>>(store, FREEZE)?
                    .flatten()
                    .iter()
                    .for_each(|it| freezes.adopt(it));
                freezes
            }
        };
        world.parts = read_setting(store, PARTS)?.unwrap_or_default();
        world.reviews = read_setting(store, REVIEWS)?.unwrap_or_default();
        world.next_hold = read_setting(store, NEXT_HOLD)?.unwrap_or(1);
        Ok(world)
    }

    /// Who people are to one another.
    pub(crate) fn among(&self) -> People {
        let known = |person: &Person| Known {
            counts: person.counts(),
            founder: person.founder,
            recovered: person.recovered,
            confirmed_by: person.confirmers().cloned().collect(),
            one_with: person.one_with.clone(),
        };
        self.people.values().map(|person| (person.id.clone(), known(person))).collect()
    }

    /// The people whose word counts.
    pub(crate) fn counting(&self) -> impl Iterator<Item = &Person> {
        self.people.values().filter(|person| person.counts())
    }

    /// How many different people must sign to end a freeze early. Auditors decide nothing, and make it no fewer.
    pub(crate) fn enders(&self) -> usize {
        enders(self.people.values().filter(|person| person.reads()).count())
    }
}

fn read_all<T: serde::de::DeserializeOwned>(
    store: &Sqlite,
    table: Table,
) -> Result<Vec<(String, T)>, StoreError> {
    store
        .documents(table)?
        .into_iter()
        .map(|(key, body)| parse(table, &key, &body).map(|document| (key, document)))
        .collect()
}

fn read_setting<T: serde::de::DeserializeOwned>(
    store: &Sqlite,
    key: &str,
) -> Result<Option<T>, StoreError> {
    let body = store.document(Table::Setting, key)?;
    body.map(|body| parse(Table::Setting, key, &body)).transpose()
}

fn parse<T: serde::de::DeserializeOwned>(table: Table, key: &str, body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body)
        .map_err(|error| StoreError::Corrupt(format!("{} {key}: {error}", table.as_str())))
}
