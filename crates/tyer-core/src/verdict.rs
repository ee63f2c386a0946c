//! The proof chain: nothing runs without a [`Clearance`], a clearance needs a [`Grant`] and a durable
//! leaf, and a grant comes only from a decision.
//!
//! INVARIANT: a `Grant` is made only by `policy::Policies::decide` and passed on only by
//! `hold::Hold::step`; a `Clearance` only by `Clearance::assertion`, which the gateway alone calls,
//! after the leaf is durable. Neither can be copied or read back from storage.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::allowance::Used;
use crate::assurance::Assurance;
use crate::ceilings::{Ceilings, Measured};
use crate::hold::Standing;
use crate::intent::{Digest, HoldId, SessionId, TeamId, Timestamp};

/// What the policies say of an intent.
#[derive(Debug)]
#[must_use]
pub enum Verdict {
    /// It may run now.
    Allow(Grant),
    /// It may run once these people have agreed.
    Hold(Needs),
    /// It may not run.
    Deny(Refusal),
}

/// The people whose agreement is missing from nothing: the least that would permit the intent.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Hash)]
pub struct Needs {
    /// The controller's own agreement.
    pub controller: bool,
    /// Different people who are not controllers, by passkey or better.
    pub peers: u32,
    /// Of those, how many own the upstream.
    pub owners: u32,
    /// Different people who are not controllers, by any key. Zero unless more than `peers`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub signers: u32,
    /// Of the peers, how many by an attested hardware key.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hardware: u32,
    /// Seconds that pass between the question and the execution, in which anybody can stop it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waited: u32,
    /// Teams that a different peer each speaks for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub teams: BTreeSet<TeamId>,
    /// Of the peers, how many within their own working hours.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub on_hours: u32,
}

/// Whether a count that was added later is left out of what is stored.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Needs {
    /// Whether these approvals are enough, and the time has passed.
    #[must_use]
    pub fn met_by(&self, given: &Approvals) -> bool {
        self.agreed_by(given) && given.waited >= self.waited
    }

    /// Whether these approvals are enough, once the time has passed.
    #[must_use]
    pub fn agreed_by(&self, given: &Approvals) -> bool {
        (given.controller || !self.controller)
            && given.peers >= self.peers
            && given.owners >= self.owners
            && given.signers >= self.people()
            && given.hardware >= self.hardware
            && given.teams.is_superset(&self.teams)
            && given.on_hours >= self.on_hours
    }

    /// How many different people other than the controller are asked for, by whatever key.
    #[must_use]
    pub fn people(&self) -> u32 {
        self.signers.max(self.by_passkey())
    }

    /// How many of them by passkey or better.
    fn by_passkey(&self) -> u32 {
        let teams = u32::try_from(self.teams.len()).unwrap_or(u32::MAX);
        self.peers.max(self.owners).max(self.hardware).max(teams).max(self.on_hours)
    }

    /// Whether an approval of that standing and assurance helps at all.
    #[must_use]
    pub fn helped_by(&self, standing: Standing, assurance: Assurance) -> bool {
        match standing {
            Standing::Controller => self.controller && assurance >= Assurance::Passkey,
            Standing::Peer | Standing::Owner => {
                let (passkeys, any) = (self.by_passkey(), self.people());
                any > passkeys || (passkeys > 0 && assurance >= Assurance::Passkey)
            }
        }
    }

    /// The needs in words: `two people other than the controller, one of them an owner`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut parts = Vec::new();
        if self.controller {
            parts.push("the controller's own agreement".to_owned());
        }
        let people = self.people();
        if people > 0 {
            let who = if people == 1 { "person" } else { "different people" };
            let mut part = format!("{} {who} other than the controller", number(people));
            let passkeys = self.by_passkey();
            if people > passkeys {
                part.push_str(", by any of their keys");
                part.push_str(&of_them(passkeys, people, ["by passkey", "by passkey", "by passkey"]));
            }
            part.push_str(&of_them(self.owners, people, ["an owner", "an owner", "owners"]));
            let hardware = ["by a hardware key", "by a hardware key", "by hardware keys"];
            part.push_str(&of_them(self.hardware, people, hardware));
            let at_work = "in their working hours";
            part.push_str(&of_them(self.on_hours, people, [at_work, at_work, at_work]));
            let one = if people == 1 { "" } else { "one " };
            for team in &self.teams {
                part.push_str(&format!(", {one}from {team}"));
            }
            parts.push(part);
        }
        if self.waited > 0 {
            parts.push(format!("{} to think better of it", lasting(self.waited)));
        }
        if parts.is_empty() { "nobody".to_owned() } else { parts.join(" and ") }
    }
}

/// A time in words, by its two greatest units.
pub(crate) fn lasting(seconds: u32) -> String {
    let units = [(seconds / 3600, "hour"), (seconds / 60 % 60, "minute"), (seconds % 60, "second")];
    let some = units.into_iter().filter(|(count, _)| *count > 0).take(2);
    let words =
        some.map(|(count, unit)| format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
    words.collect::<Vec<_>>().join(" ")
}

/// How many of the people are something: what that is called of the only one, of one of several, and of more.
fn of_them(count: u32, people: u32, [only, one, more]: [&str; 3]) -> String {
    match (count, people) {
        (0, _) => String::new(),
        (1, 1) => format!(", {only}"),
        (count, people) if count == people => format!(", all {more}"),
        (1, _) => format!(", one of them {one}"),
        (count, _) => format!(", {} of them {more}", number(count)),
    }
}

fn number(count: u32) -> String {
    match count {
        1 => "one".to_owned(),
        2 => "two".to_owned(),
        3 => "three".to_owned(),
        more => more.to_string(),
    }
}

/// Approvals that were given (or are supposed, or are possible), counted by distinct people.
/// An owner's approval is also a peer's, and a peer's is also a signer's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvals {
    /// The controller agreed, by passkey or better.
    pub controller: bool,
    /// Different people who are not controllers, by passkey or better.
    pub peers: u32,
    /// Of those, how many own the upstream.
    pub owners: u32,
    /// Different people who are not controllers, by any key.
    pub signers: u32,
    /// Of the peers, how many by an attested hardware key.
    pub hardware: u32,
    /// Seconds since people were asked.
    #[serde(default)]
    pub waited: u32,
    /// Teams that a different one of the peers each speaks for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub teams: BTreeSet<TeamId>,
    /// One operator has let exactly this request through, by hardware key; others review that afterwards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub glass: bool,
    /// Of the peers, how many agreed within their own working hours.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub on_hours: u32,
}

impl Approvals {
    /// Counts one more person's approval. What is less than a passkey counts as a signer's and nothing else.
    #[must_use]
    pub fn with(mut self, standing: Standing, assurance: Assurance) -> Self {
        let one_more = |count: u32| count.saturating_add(1);
        let by_passkey = assurance >= Assurance::Passkey;
        match standing {
            Standing::Controller => self.controller |= by_passkey,
            Standing::Peer | Standing::Owner => {
                self.signers = one_more(self.signers);
                if by_passkey {
                    self.peers = one_more(self.peers);
                }
                if by_passkey && standing == Standing::Owner {
                    self.owners = one_more(self.owners);
                }
                if assurance >= Assurance::Hardware {
                    self.hardware = one_more(self.hardware);
                }
            }
        }
        self
    }
}

/// What a decision rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The policies that determined it, by id; sorted.
    pub policies: Vec<String>,
    /// The hash of the whole policy set that was asked.
    pub policy_set: Digest,
    /// The hold through which people agreed, if any.
    pub hold: Option<HoldId>,
    /// What the policies said, if that was only written down because the upstream is observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// Which use of that hold it is, if that is an allowance for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Used>,
}

/// What the policies said of a request that ran all the same, because its upstream is only observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Hash)]
#[serde(rename_all = "lowercase", tag = "is")]
pub enum Observed {
    /// It would have run.
    Allow,
    /// It would have waited for these people.
    Hold {
        /// Whose agreement it would have needed.
        needs: Needs,
    },
    /// It would have been refused.
    Deny {
        /// For a reason of this class.
        reason: Reason,
    },
}

impl Observed {
    /// What would have become of it, in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Allow => "it would have run".to_owned(),
            Self::Hold { needs } => format!("it would have been held: needs {}", needs.in_words()),
            Self::Deny { reason } => format!("it would have been refused ({})", reason.as_str()),
        }
    }
}

/// The right to run exactly one request, once, before it lapses.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Grant {
    digest: Digest,
    session: SessionId,
    lapses: Timestamp,
    basis: Arc<Basis>,
    ceilings: Option<Arc<Ceilings>>,
}

impl Grant {
    /// Only `policy::decide` calls this.
    pub(crate) fn decided(
        digest: Digest,
        session: SessionId,
        lapses: Timestamp,
        basis: impl Into<Arc<Basis>>,
    ) -> Self {
        Self { digest, session, lapses, basis: basis.into(), ceilings: None }
    }

    /// Only `hold::step` calls this: the grant of the decision at release, bound to its hold and
    /// lapsing no later than the hold's approvals do, good for no more than its card says.
    pub(crate) fn released(self, hold: HoldId, ceilings: Option<Ceilings>, lapses: Timestamp) -> Self {
        let basis = Basis { hold: Some(hold), ..Basis::clone(&self.basis) };
        let ceilings = ceilings.map(Arc::new);
        Self { basis: Arc::new(basis), lapses: self.lapses.min(lapses), ceilings, ..self }
    }

    /// The same as one use of an allowance. Only `hold::step` calls this, with what it has just released.
    pub(crate) fn used_as(self, used: Used) -> Self {
        let basis = Basis { used: Some(used), ..Basis::clone(&self.basis) };
        Self { basis: Arc::new(basis), ..self }
    }

    /// The identity of the request that may run.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The session that may run it.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// What the decision rests on.
    #[must_use]
    pub fn basis(&self) -> &Basis {
        &self.basis
    }

    /// Whether it can still be used.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.lapses
    }
}

/// The index of a leaf in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeafIndex(pub u64);

/// A grant together with the durable leaf that says it is about to be used.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Clearance {
    grant: Grant,
    leaf: LeafIndex,
}

impl Clearance {
    /// The caller asserts that `leaf` is durable and names this grant's request. The gateway is the
    /// only caller; a check counts them.
    pub fn assertion(grant: Grant, leaf: LeafIndex) -> Self {
        Self { grant, leaf }
    }

    /// The identity of the request that may run.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.grant.digest
    }

    /// The leaf that its outcome refers to.
    #[must_use]
    pub fn leaf(&self) -> LeafIndex {
        self.leaf
    }

    /// What it may do at most: whoever executes it takes back what does more.
    #[must_use]
    pub fn ceilings(&self) -> Option<&Arc<Ceilings>> {
        self.grant.ceilings.as_ref()
    }
}

/// What came back from the upstream, as the gateway observed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "is")]
pub enum Outcome {
    /// The upstream said it was done.
    Done {
        /// The upstream's own words, such as `DELETE 4`.
        tag: String,
        /// Rows affected, as far as the upstream said.
        rows: Option<u64>,
        /// What it did to rows of each relation, where that was counted; bounded.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        did: Vec<Measured>,
        /// How many of the things that it asked for were not done, where the upstream said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undone: Option<u64>,
    },
    /// The upstream refused or failed.
    Failed {
        /// The protocol's code, such as a SQLSTATE.
        code: String,
    },
    /// The upstream refused as a write what was understood as a read, and wrote nothing: a finding.
    Misread {
        /// The protocol's code.
        code: String,
    },
    /// Nobody knows: the connection or Tyer was lost in between.
    Unknown {
        /// What was lost.
        why: String,
    },
}

impl Outcome {
    /// It was done, and what it did was not counted.
    #[must_use]
    pub fn done(tag: String, rows: Option<u64>) -> Self {
        Self::Done { tag, rows, did: Vec::new(), undone: None }
    }
}

/// Why a request does not run, as a class that a caller can branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No policy permits it, whoever agrees.
    Policy,
    /// A policy could not be evaluated.
    PolicyError,
    /// It would need more or other people than there are.
    NobodyCan,
    /// The session was narrowed.
    Narrowed,
    /// It would destroy something together with its last known backup, or soon after that.
    LastBackup,
    /// Changes are frozen.
    Frozen,
    /// People must agree first.
    Held,
    /// A person said no to this request.
    Rejected,
    /// Too many holds are open.
    TooMany,
    /// It cannot be recorded, so it cannot run.
    NotRecorded,
    /// The session has ended.
    Ended,
    /// The protocol's message is not understood or not supported.
    Unsupported,
}

impl Reason {
    /// The word used in records and by the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::PolicyError => "policy_error",
            Self::NobodyCan => "nobody_can",
            Self::Narrowed => "narrowed",
            Self::LastBackup => "last_backup",
            Self::Frozen => "frozen",
            Self::Held => "held",
            Self::Rejected => "rejected",
            Self::TooMany => "too_many",
            Self::NotRecorded => "not_recorded",
            Self::Ended => "ended",
            Self::Unsupported => "unsupported",
        }
    }
}

/// A reason that the agent may read, with the next step. Evaluator details are not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The class.
    pub reason: Reason,
    /// One sentence for the agent.
    pub message: String,
    /// What to do next, for the agent.
    pub next: String,
    /// The policies that determined it, for the operator and the record; never sent to the agent.
    pub policies: Vec<String>,
    /// The hold that it waits in, if it does.
    pub hold: Option<HoldId>,
}

impl Refusal {
    /// A refusal that no policy determined.
    pub fn new(reason: Reason, message: impl Into<String>, next: impl Into<String>) -> Self {
        Self { reason, message: message.into(), next: next.into(), policies: Vec::new(), hold: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(controller: bool, peers: u32, owners: u32) -> Needs {
        Needs { controller, peers, owners, ..Needs::default() }
    }

    /// By any key, by passkey, owners, by hardware.
    fn keys([signers, peers, owners, hardware]: [u32; 4]) -> Needs {
        Needs { peers, owners, signers, hardware, ..Needs::default() }
    }

    #[test]
    fn needs_are_met_by_enough() {
        let check = |needs: Needs, (controller, peers, owners): (bool, u32, u32), expect: bool| {
            let given = Approvals { controller, peers, owners, signers: peers, ..Approvals::default() };
            assert_eq!(needs.met_by(&given), expect, "{needs:?} by {given:?}");
        };
        check(needs(false, 0, 0), (false, 0, 0), true);
        check(needs(true, 0, 0), (false, 9, 9), false);
        check(needs(true, 0, 0), (true, 0, 0), true);
        check(needs(false, 2, 1), (true, 1, 1), false);
        check(needs(false, 2, 1), (true, 2, 0), false);
        check(needs(false, 2, 1), (false, 2, 1), true);
        check(needs(false, 2, 1), (false, 3, 2), true);
    }

    #[test]
    fn approvals_count_for_what_their_keys_prove() {
        use Assurance::{Hardware, Passkey, Software, Unattested};
        use Standing::{Controller, Owner, Peer};
        let check = |given: &[(Standing, Assurance)],
                     [signers, peers, owners, hardware]: [u32; 4],
                     controller| {
            let counted = given.iter().fold(Approvals::default(), |sum, (standing, assurance)| {
                sum.with(*standing, *assurance)
            });
            let expect =
                Approvals { controller, peers, owners, signers, hardware, ..Approvals::default() };
            assert_eq!(counted, expect, "{given:?}");
        };
        check(&[], [0, 0, 0, 0], false);
        check(&[(Peer, Software), (Owner, Software)], [2, 0, 0, 0], false);
        check(&[(Peer, Unattested), (Owner, Unattested)], [2, 0, 0, 0], false);
        check(&[(Peer, Passkey), (Owner, Passkey)], [2, 2, 1, 0], false);
        check(&[(Peer, Hardware), (Owner, Hardware)], [2, 2, 1, 2], false);
        check(&[(Owner, Software), (Owner, Passkey), (Peer, Hardware)], [3, 2, 1, 1], false);
        check(&[(Controller, Software), (Controller, Unattested)], [0, 0, 0, 0], false);
        check(&[(Controller, Passkey)], [0, 0, 0, 0], true);
    }

    #[test]
    fn needs_of_keys_are_met_by_such_keys_and_better() {
        let check = |needs: [u32; 4], [signers, peers, owners, hardware]: [u32; 4], expect: bool| {
            let given = Approvals { peers, owners, signers, hardware, ..Approvals::default() };
            assert_eq!(keys(needs).met_by(&given), expect, "{needs:?} by {given:?}");
        };
        check([1, 0, 0, 0], [1, 0, 0, 0], true);
        check([1, 0, 0, 0], [1, 1, 0, 0], true);
        check([0, 1, 0, 0], [9, 0, 0, 0], false);
        check([2, 1, 0, 0], [1, 1, 0, 0], false);
        check([2, 1, 0, 0], [2, 0, 0, 0], false);
        check([2, 1, 0, 0], [2, 1, 0, 0], true);
        check([0, 1, 0, 1], [2, 2, 1, 0], false);
        check([0, 1, 0, 1], [1, 1, 0, 1], true);
    }

    #[test]
    fn only_what_helps_is_taken() {
        use Assurance::{Passkey, Software, Unattested};
        use Standing::{Controller, Owner, Peer};
        let check = |needs: Needs, standing, assurance, expect: bool| {
            assert_eq!(
                needs.helped_by(standing, assurance),
                expect,
                "{needs:?} {standing:?} {assurance:?}"
            );
        };
        for standing in [Peer, Owner] {
            check(needs(false, 2, 1), standing, Software, false);
            check(needs(false, 2, 1), standing, Unattested, false);
            check(needs(false, 2, 1), standing, Passkey, true);
            check(keys([1, 0, 0, 0]), standing, Software, true);
            check(keys([1, 0, 0, 0]), standing, Passkey, true);
            check(keys([3, 2, 1, 0]), standing, Unattested, true);
            check(needs(true, 0, 0), standing, Passkey, false);
        }
        check(needs(true, 1, 0), Controller, Software, false);
        check(needs(true, 1, 0), Controller, Passkey, true);
        check(needs(false, 1, 0), Controller, Passkey, false);
        check(keys([1, 0, 0, 0]), Controller, Software, false);
    }

    #[test]
    fn needs_in_words() {
        let check = |needs: Needs, expect: &str| assert_eq!(needs.in_words(), expect);
        check(needs(false, 0, 0), "nobody");
        check(needs(true, 0, 0), "the controller's own agreement");
        check(needs(false, 1, 0), "one person other than the controller");
        check(needs(false, 1, 1), "one person other than the controller, an owner");
        check(
            needs(false, 2, 1),
            "two different people other than the controller, one of them an owner",
        );
        check(needs(false, 2, 2), "two different people other than the controller, all owners");
        check(needs(false, 4, 2), "4 different people other than the controller, two of them owners");
        check(
            needs(true, 1, 0),
            "the controller's own agreement and one person other than the controller",
        );
        check(keys([1, 0, 0, 0]), "one person other than the controller, by any of their keys");
        check(
            keys([3, 2, 1, 0]),
            "three different people other than the controller, by any of their keys, two of them by passkey, \
             one of them an owner",
        );
        let waits = |waited: u32, needs: Needs| Needs { waited, ..needs };
        check(waits(600, needs(false, 0, 0)), "10 minutes to think better of it");
        check(
            waits(3661, needs(false, 1, 0)),
            "one person other than the controller and 1 hour 1 minute to think better of it",
        );
        let from = |needs: Needs, teams: &[&str]| Needs {
            teams: teams.iter().map(|team| TeamId::new(*team)).collect(),
            ..needs
        };
        check(
            from(needs(false, 2, 0), &["sre", "payments"]),
            "two different people other than the controller, one from payments, one from sre",
        );
        check(
            from(needs(false, 2, 1), &["sre"]),
            "two different people other than the controller, one of them an owner, one from sre",
        );
        check(from(needs(false, 1, 0), &["sre"]), "one person other than the controller, from sre");
        let at_work = |on_hours: u32, needs: Needs| Needs { on_hours, ..needs };
        check(
            at_work(1, needs(false, 1, 0)),
            "one person other than the controller, in their working hours",
        );
        check(
            at_work(1, needs(false, 2, 1)),
            "two different people other than the controller, one of them an owner, one of them in their working hours",
        );
        check(
            at_work(2, needs(false, 2, 0)),
            "two different people other than the controller, all in their working hours",
        );
        check(keys([0, 1, 0, 1]), "one person other than the controller, by a hardware key");
        check(
            keys([0, 2, 1, 2]),
            "two different people other than the controller, one of them an owner, all by hardware keys",
        );
    }

    #[test]
    fn a_released_grant_is_bound_and_lapses_no_later_than_either() {
        let check =
            |decided: i64, released: i64, last: i64| {
                let basis = Basis {
                    policies: vec!["p".to_owned()],
                    policy_set: Digest::of(b"set"),
                    hold: None,
                    observed: None,
                    used: None,
                };
                let session = SessionId::new("s-1");
                let grant = Grant::decided(Digest::of(b"r"), session, Timestamp(decided), basis)
                    .released(HoldId::new("H-1"), None, Timestamp(released));
                assert!(grant.is_live(Timestamp(last)) && !grant.is_live(Timestamp(last + 1)));
                assert_eq!(grant.basis().hold, Some(HoldId::new("H-1")));
                assert_eq!((grant.digest(), grant.session().as_str()), (Digest::of(b"r"), "s-1"));
                assert_eq!(Clearance::assertion(grant, LeafIndex(7)).leaf(), LeafIndex(7));
            };
        check(10, 20, 9);
        check(20, 10, 9);
    }
}
