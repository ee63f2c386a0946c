//! Statements: what people are handed to sign, and what their signatures set off.
//!
//! Every decision of a person goes this way: the gateway fills in the statement (so that nobody signs
//! digests that a browser made up), the person's passkey signs its digest, or their SSH key the statement as a file,
//! and the signature is verified against the key that was enrolled before anything happens. A statement is good once
//! and for minutes.

use tyer_core::assurance;
use tyer_core::intent::{Digest, FreezeId, HoldId, PersonId, Timestamp};
use tyer_core::limits::CHALLENGE_MS;
use tyer_core::record::PublicKey;
use tyer_core::roles::Role;
use tyer_core::sshsig;
use tyer_core::statement::{Decision, Signed, Statement};

use crate::clock;
use crate::gateway::Gateway;
use crate::gateway::configuration::ConfirmError;
use crate::gateway::freeze::ThawError;
use crate::gateway::glass::GlassError;
use crate::gateway::holds::AnswerError;
use crate::gateway::keys::KeyError;
use crate::gateway::kill::{Kill, Target};
use crate::gateway::passkeys::PasskeyError;
use crate::gateway::people::{PeopleError, counting};
use crate::gateway::proofs::KeyProof;
use crate::gateway::sessions::SessionError;
use crate::gateway::world::World;
use crate::secret::{self, NoRandomness};

/// Statements that may wait to be signed; the oldest give way.
const STATEMENTS_MAX: usize = 1_000;

/// What a person wants to decide, by name only; the gateway fills in the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Approve(HoldId),
    ApproveAll(Vec<HoldId>),
    Reject(HoldId),
    /// With the reason.
    BreakGlass(HoldId, String),
    /// With what was found.
    Review(HoldId, String),
    Invite(PersonId),
    Confirm(PersonId),
    Link(PersonId, PersonId),
    Thaw(FreezeId),
    Kill(Target),
    Configure(String),
    SignIn,
    /// A new SSH key of one's own in a security key.
    MakeKey,
    /// An SSH key of one's own, as OpenSSH writes it.
    AddKey(String),
    /// Somebody's SSH key, by its fingerprint.
    ConfirmKey(String),
    /// Anybody's SSH key, by its fingerprint.
    RemoveKey(String),
    /// A further passkey of one's own.
    AddPasskey,
    /// New passkeys for somebody who lost theirs.
    Recover(PersonId),
    /// Somebody's passkey, by its digest.
    ConfirmPasskey(Digest),
    /// Anybody's passkey, by its digest.
    RemovePasskey(Digest),
}

/// A passkey's answer to a statement; byte strings are base64url.
#[derive(Clone, Debug)]
pub(crate) struct Assertion {
    pub(crate) credential: String,
    pub(crate) authenticator_data: String,
    pub(crate) client_data: String,
    pub(crate) signature: String,
    /// What comes with an SSH key that is added.
    pub(crate) key: Option<KeyProof>,
}

/// A person's word: a statement whose signature was verified against that person's enrolled key.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) signed: Signed,
    pub(super) by: PersonId,
    /// Their own words beside it.
    pub(super) comment: String,
    pub(super) now: Timestamp,
    /// What comes with an SSH key that is added.
    pub(super) key: Option<KeyProof>,
}

/// Why a decision is not accepted. Texts are for the person who made it.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum DecisionError {
    /// The statement is unknown, used or too old.
    #[error("this took too long or was used already; look at the page again and repeat it")]
    Stale,
    /// The signature does not hold.
    #[error("the signature does not hold: {0}")]
    Signature(String),
    /// The key belongs to nobody, or to somebody else.
    #[error("this passkey is not enrolled here")]
    UnknownKey,
    /// The SSH key belongs to nobody, or nobody has confirmed it.
    #[error("the SSH key {0} is nobody's here, or waits to be confirmed")]
    UnknownSshKey(String),
    /// Nobody signs for another.
    #[error("this is somebody else's key")]
    NotYours,
    /// Their role does not let them decide that.
    #[error("{0} is an {role}, who may not decide that", role = .1.as_str())]
    Role(PersonId, Role),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error(transparent)]
    People(#[from] PeopleError),
    #[error(transparent)]
    Thaw(#[from] ThawError),
    #[error(transparent)]
    Confirm(#[from] ConfirmError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Passkey(#[from] PasskeyError),
    #[error(transparent)]
    Glass(#[from] GlassError),
    #[error(transparent)]
    Kill(#[from] SessionError),
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// What a decision set off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effected {
    /// It is done.
    Done,
    /// An enrolment link was made; the token is shown once.
    Invited { token: String },
    /// This person has fewer passkeys now.
    Removed(PersonId),
    /// Sessions were killed.
    Killed(Box<Kill>),
    /// This person has signed in.
    SignedIn(PersonId),
}

impl Gateway {
    /// A statement for `person` (nobody yet, when signing in) to sign.
    pub(crate) async fn prepare(
        &self,
        person: Option<&PersonId>,
        wish: Wish,
    ) -> Result<Statement, DecisionError> {
        let mut world = self.world().await;
        let what = match wish {
            Wish::Approve(hold) => Self::hold_decision(&world, &hold, true)?,
            Wish::ApproveAll(holds) => Self::approving_all(&world, &holds)?,
            Wish::Reject(hold) => Self::hold_decision(&world, &hold, false)?,
            Wish::BreakGlass(hold, reason) => self.breaking(&world, &hold, reason)?,
            Wish::Review(hold, finding) => Self::reviewing(&world, &hold, finding)?,
            Wish::Invite(person) => Decision::Invite { person },
            Wish::Confirm(person) => Self::confirmation(&world, &person)?,
            Wish::Link(person, other) => Decision::Link { person, other },
            Wish::Thaw(freeze) => Self::thawing(&world, &freeze)?,
            Wish::Kill(target) => Decision::Kill { what: target.in_words() },
            Wish::Configure(part) => Self::configuring(&world, &part)?,
            Wish::SignIn => Decision::SignIn,
            Wish::MakeKey => Decision::MakeKey,
            Wish::AddKey(key) => Self::adding(&world, person, &key)?,
            Wish::ConfirmKey(fingerprint) => Self::confirming(&world, &fingerprint)?,
            Wish::RemoveKey(fingerprint) => Self::removing(&world, &fingerprint)?,
            Wish::AddPasskey => Decision::AddPasskey,
            Wish::Recover(person) => Decision::Recover { person },
            Wish::ConfirmPasskey(key) => Self::confirming_passkey(&world, key)?,
            Wish::RemovePasskey(key) => Self::removing_passkey(&world, key)?,
        };
        let statement = self.statement(person, what)?;
        remember(&mut world, statement.clone());
        Ok(statement)
    }

    /// A statement about holds for whoever has the SSH key of that fingerprint to sign: several are approved together.
    /// `caller` is the person who asks, if it is one; nobody has one made for another's key, nor anything remembered
    /// for it.
    pub(crate) async fn prepare_for_key(
        &self,
        fingerprint: &str,
        (holds, approve): (&[HoldId], bool),
        caller: Option<&PersonId>,
    ) -> Result<Statement, DecisionError> {
        let mut world = self.world().await;
        let person = world.people.values().find(|person| person.key(fingerprint).is_some());
        let unknown = || DecisionError::UnknownSshKey(fingerprint.to_owned());
        let person = person.ok_or_else(unknown)?.id.clone();
        if caller.is_some_and(|caller| *caller != person) {
            return Err(DecisionError::NotYours);
        }
        let what = match holds {
            [hold] => Self::hold_decision(&world, hold, approve)?,
            several => Self::approving_all(&world, several)?,
        };
        let statement = self.statement(Some(&person), what)?;
        remember(&mut world, statement.clone());
        Ok(statement)
    }

    /// A statement over where the ledger stands now.
    pub(super) fn statement(
        &self,
        person: Option<&PersonId>,
        what: Decision,
    ) -> Result<Statement, NoRandomness> {
        let head = self.sequencer.head();
        Ok(Statement {
            origin: self.config.console.origin.clone(),
            what,
            person: person.map(ToString::to_string).unwrap_or_default(),
            root: head.as_ref().map_or(Digest([0; 32]), |head| head.root),
            size: head.map_or(0, |head| head.size),
            nonce: secret::token()?,
            expires: clock::now().plus(CHALLENGE_MS),
        })
    }

    /// Verifies a signed statement and does what it says. `comment` is the person's own words: a reason
    /// when rejecting.
    pub(crate) async fn decide_signed(
        &self,
        nonce: &str,
        assertion: Assertion,
        comment: String,
    ) -> Result<Effected, DecisionError> {
        let now = clock::now();
        let mut world = self.world().await;
        let statement = take(&mut world, nonce, now)?;
        let signed = Signed {
            statement,
            credential: assertion.credential,
            authenticator_data: assertion.authenticator_data,
            client_data: assertion.client_data,
            signature: assertion.signature,
        };
        let key = assertion.key;
        if let Decision::Kill { what } = &signed.statement.what {
            let by = self.signer(&world, &signed)?;
            counting(&world, &by)?;
            let target = Target::parse(what).ok_or(DecisionError::Stale)?;
            // It looks at the world itself, again and again.
            drop(world);
            let kill = self.kill(&target, by.as_str(), Some(signed)).await?;
            return Ok(Effected::Killed(Box::new(kill)));
        }
        self.carry_out(&mut world, signed, (comment, key, now)).await
    }

    /// As [`Gateway::decide_signed`], for a statement that an SSH key signed as a file; `armored` is what
    /// `ssh-keygen -Y sign` made.
    pub(crate) async fn decide_by_ssh(
        &self,
        nonce: &str,
        armored: &str,
        comment: String,
    ) -> Result<Effected, DecisionError> {
        // What is no signature uses nothing up.
        let (signature, credential) = sshsig::take_armored(armored)
            .map_err(|error| DecisionError::Signature(error.to_string()))?;
        let now = clock::now();
        let mut world = self.world().await;
        let statement = take(&mut world, nonce, now)?;
        let (authenticator_data, client_data) = (String::new(), String::new());
        let signed = Signed { statement, credential, authenticator_data, client_data, signature };
        self.carry_out(&mut world, signed, (comment, None, now)).await
    }

    async fn carry_out(
        &self,
        world: &mut World,
        signed: Signed,
        (comment, key, now): (String, Option<KeyProof>, Timestamp),
    ) -> Result<Effected, DecisionError> {
        let by = self.signer(world, &signed)?;
        let role = world.people.get(&by).map_or(Role::Auditor, |person| person.role);
        if !role.may(&signed.statement.what) {
            return Err(DecisionError::Role(by, role));
        }
        let what = signed.statement.what.clone();
        let word = Word { signed, by, comment, now, key };
        Ok(match what {
            Decision::SignIn => Effected::SignedIn(word.by),
            Decision::Invite { person: guest } => {
                Effected::Invited { token: self.invite(world, word, guest).await? }
            }
            Decision::AddPasskey => {
                let person = word.by.clone();
                Effected::Invited { token: self.ask_passkey(world, word, person).await? }
            }
            Decision::Recover { person } => {
                Effected::Invited { token: self.ask_passkey(world, word, person).await? }
            }
            Decision::ConfirmPasskey { person, key, replaces } => {
                let lost = !replaces.is_empty();
                self.confirm_passkey(world, word, (&person, key), &replaces).await?;
                if lost { Effected::Removed(person) } else { Effected::Done }
            }
            Decision::RemovePasskey { person, key } => {
                self.remove_passkey(world, word, &person, key).await?;
                Effected::Removed(person)
            }
            other => {
                self.carry_out_more(world, word, other).await?;
                Effected::Done
            }
        })
    }

    /// What hands nothing out and takes no sign-in away.
    async fn carry_out_more(
        &self,
        world: &mut World,
        word: Word,
        what: Decision,
    ) -> Result<(), DecisionError> {
        match what {
            Decision::Approve(subject) => self.approve(world, word, &subject).await?,
            Decision::ApproveAll { subjects } => self.approve_all(world, word, &subjects).await?,
            Decision::Reject(subject) => self.reject(world, word, &subject).await?,
            Decision::BreakGlass { subject, reason } => {
                self.break_glass(world, word, (&subject, reason)).await?;
            }
            Decision::Review { hold, broken, finding } => {
                self.review(world, word, (hold, broken, finding)).await?;
            }
            Decision::Confirm { person: guest, credential } => {
                self.confirm(world, word, guest, credential).await?;
            }
            Decision::Link { person, other } => {
                self.link_names(world, word, (person, other)).await?;
            }
            Decision::EndFreeze { freeze, digest } => {
                self.thaw(world, word, (freeze, digest)).await?;
            }
            Decision::Configure { part, digest } => {
                self.confirm_part(world, word, part, digest).await?
            }
            Decision::AddKey { key } => self.add_key(world, word, &key).await?,
            Decision::ConfirmKey { person, key } => self.confirm_key(world, word, &person, key).await?,
            Decision::RemoveKey { person, key } => self.remove_key(world, word, &person, key).await?,
            Decision::Enrol { .. }
            | Decision::Thaw { .. }
            | Decision::SignIn
            | Decision::Look { .. }
            | Decision::MakeKey
            | Decision::Kill { .. }
            | Decision::Invite { .. }
            | Decision::AddPasskey
            | Decision::Recover { .. }
            | Decision::ConfirmPasskey { .. }
            | Decision::RemovePasskey { .. } => return Err(DecisionError::Stale),
        }
        Ok(())
    }

    /// The person whose enrolled key signed; must be the person the statement was made for.
    pub(super) fn signer(&self, world: &World, signed: &Signed) -> Result<PersonId, DecisionError> {
        let enrolled = world.people.values().find_map(|person| {
            let key = person.key(&signed.credential)?;
            Some((person.id.clone(), key.clone()))
        });
        let (person, key) = enrolled.ok_or(DecisionError::UnknownKey)?;
        let named = &signed.statement.person;
        let names_nobody = matches!(signed.statement.what, Decision::SignIn | Decision::Look { .. });
        let anonymous = names_nobody && named.is_empty();
        if !anonymous && named != person.as_str() {
            return Err(DecisionError::UnknownKey);
        }
        assurance::verify(&self.config.console.relying_party, signed, &key)
            .map_err(|error| DecisionError::Signature(error.to_string()))?;
        Ok(person)
    }

    /// The key of a person by its id, if its signatures count.
    pub(super) fn key_of(
        &self,
        world: &World,
        person: &PersonId,
        credential: &str,
    ) -> Option<PublicKey> {
        let person = world.people.get(person).filter(|person| person.counts())?;
        person.key(credential).cloned()
    }
}

/// Keeps a statement until it is signed or too old.
pub(super) fn remember(world: &mut World, statement: Statement) {
    let now = clock::now();
    world.statements.retain(|_, kept| now < kept.expires);
    while world.statements.len() >= STATEMENTS_MAX {
        let oldest =
            world.statements.values().min_by_key(|kept| kept.expires).map(|kept| kept.nonce.clone());
        let Some(oldest) = oldest else { break };
        world.statements.remove(&oldest);
    }
    world.statements.insert(statement.nonce.clone(), statement);
}

/// Takes a statement out, so that it is good once.
pub(super) fn take(world: &mut World, nonce: &str, now: Timestamp) -> Result<Statement, DecisionError> {
    let statement = world.statements.remove(nonce).ok_or(DecisionError::Stale)?;
    if now < statement.expires { Ok(statement) } else { Err(DecisionError::Stale) }
}
