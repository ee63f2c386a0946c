//! Whether the leaves obey the rules: one rule set, applied to one leaf after the other.
//!
//! What is wrong never stops the audit; what a wrong leaf claims does not count for later ones.

mod beside;
mod keys;
mod kills;

use std::collections::{BTreeMap, BTreeSet};

use self::keys::Proofs;
use super::Tree;
use super::freezes::Freezes;
use super::glass::Reviews;
use super::holds::Holds;
use super::observed::only_reads;
use super::people::People;
use crate::assertion::RelyingParty;
use crate::assertion::attestation::Roots;
use crate::assurance;
use crate::freeze::enders;
use crate::intent::{Digest, FreezeId, HoldId, PersonId, Timestamp};
use crate::limits::{GRANT_MS_MAX, HOLD_MS_MAX};
use crate::record::{ApprovalRecord, PublicKey, RequestRecord, What};
use crate::roles::{ROLE_PART, Role};
use crate::statement::{Decision, Signed};
use crate::verdict::{LeafIndex, Outcome};

/// How much later a leaf may be dated than the check that led to it.
const SLACK_MS: i64 = 10_000;

/// The people who must confirm a part of the configuration, once there are as many.
const CONFIRMERS: usize = 2;

/// Where a leaf stands.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) index: u64,
    pub(super) at: Timestamp,
    /// The tree over the leaves before it.
    pub(super) tree: &'a Tree,
}

#[derive(Debug, Default)]
pub(super) struct Meaning {
    /// Where people sign, from the first statement.
    party: Option<RelyingParty>,
    pub(super) people: People,
    /// Which makers attest to which keys, by their digests.
    attested: BTreeMap<Digest, Digest>,
    /// Makers whom the auditor trusts, if attestations are to be checked down to them.
    roots: Option<Roots>,
    /// Leaves whose attestation was not, since nobody said whom to trust.
    unchecked: Vec<u64>,
    proofs: Proofs,
    pub(super) holds: Holds,
    /// Cleared and not settled.
    running: BTreeMap<u64, Option<HoldId>>,
    /// Leases that are not closed, with the reads that they allow.
    leases: BTreeMap<u64, u64>,
    /// Leaves that ever opened one.
    carrying: BTreeSet<u64>,
    freezes: Freezes,
    /// The digest of each part of the configuration.
    parts: BTreeMap<String, Digest>,
    pub(super) reviews: Reviews,
    signatures: u64,
}

/// A signature and what it must be.
pub(super) struct Claim<'a> {
    pub(super) person: &'a PersonId,
    pub(super) signed: &'a Signed,
    pub(super) decision: Decision,
    /// By when it was there.
    pub(super) by: Timestamp,
}

impl Meaning {
    /// Takes a leaf; what is wrong with it is returned in words.
    pub(super) fn take(&mut self, place: &Place<'_>, what: &What) -> Vec<String> {
        let result = match what {
            What::Cleared { request, approvals } => return self.cleared(place, request, approvals),
            What::Configured { part, digest, signed } => {
                return self.configured(place, part, *digest, signed);
            }
            What::Attested { .. }
            | What::Enrolled { .. }
            | What::Invited { .. }
            | What::Confirmed { .. }
            | What::Linked { .. }
            | What::KeyAttested { .. }
            | What::KeyAdded { .. }
            | What::KeyConfirmed { .. }
            | What::KeyRemoved { .. }
            | What::PasskeyAsked { .. }
            | What::PasskeyConfirmed { .. }
            | What::PasskeyRemoved { .. } => self.person(place, what),
            What::Held { card, expires } => {
                let opened = self.holds.open(card, (place.at, *expires), self.people.counting_names());
                let late = || "the hold stays open longer than a hold may".to_owned();
                let opened = opened.and_then(|()| self.rostered(card));
                opened.and_then(|()| in_time(*expires, place.at.plus(HOLD_MS_MAX), late))
            }
            What::Approved { .. } | What::Rejected { .. } => self.answered(place, what),
            What::GlassBroken { hold, approval } => self.broke(place, hold, approval),
            What::Reviewed { hold, by, signed, key } => self.reviewed(place, hold, (by, signed, key)),
            What::Noted { .. } | What::PutOff { .. } => self.beside(place, what),
            What::HoldEnded { hold, how } => self.holds.end(hold, how),
            What::ReadLease { request, uses, .. } => {
                self.leases.insert(place.index, *uses);
                self.carrying.insert(place.index);
                self.observed(place, request).and_then(|()| only_reads(request))
            }
            What::LeaseClosed { leaf, uses, .. } => match self.leases.remove(&leaf.0) {
                None => Err(format!(
                    "it closes leaf {}, which opened no read lease or was closed before",
                    leaf.0
                )),
                Some(allowed) if *uses > allowed => {
                    Err(format!("the lease of leaf {} carried {uses} reads of {allowed}", leaf.0))
                }
                Some(_) => Ok(()),
            },
            // The lease may be closed before the last of its reads has failed.
            What::Misread { leaf, .. } if self.carrying.contains(&leaf.0) => Ok(()),
            What::Misread { leaf, .. } => {
                Err(format!("it names leaf {}, which opened no read lease", leaf.0))
            }
            What::Settled { leaf, outcome, returned } => self.settled(*leaf, outcome, *returned),
            What::FreezeStarted { freeze } => {
                self.freezes.start(freeze.clone(), place.at.plus(SLACK_MS))
            }
            What::Killed { .. } => self.killed(place, what),
            What::FreezeEnded { freeze, signed } => return self.freeze_ended(place, freeze, signed),
            What::Frozen { by, reason } => {
                self.freezes.start_everything(place.at, by, reason);
                Ok(())
            }
            What::Thawed { by, signed } => self.thawed(place, by, signed),
            What::Founded { .. }
            | What::SessionOpened { .. }
            | What::SessionEnded { .. }
            | What::Slowed { .. }
            | What::Refused { .. } => Ok(()),
        };
        result.err().into_iter().collect()
    }

    /// Has attestations checked down to these roots.
    pub(super) fn trust(&mut self, roots: Roots) {
        self.roots = Some(roots);
    }

    /// Leaves whose attestation was read and not checked down to a root.
    pub(super) fn unchecked(&self) -> &[u64] {
        &self.unchecked
    }

    /// Who is a person so far.
    pub(super) fn people(&self) -> &People {
        &self.people
    }

    /// The digest of what a part of the configuration was confirmed to say.
    pub(super) fn part(&self, name: &str) -> Option<Digest> {
        self.parts.get(name).copied()
    }

    /// How many signatures were verified.
    pub(super) fn signatures(&self) -> u64 {
        self.signatures
    }

    /// The leaves that were cleared and not settled.
    pub(super) fn unsettled(&self) -> Vec<u64> {
        self.running.keys().copied().collect()
    }

    /// The holds that were let through on one person's word and are not signed off.
    pub(super) fn unreviewed(&self) -> Vec<HoldId> {
        self.reviews.open()
    }

    fn answered(&mut self, place: &Place<'_>, what: &What) -> Result<(), String> {
        match what {
            What::Approved { hold, approval } => {
                let among = self.people.among();
                let parked = self.holds.live(hold)?;
                if let Some(name) = parked.approved_by(approval, &among) {
                    return Err(format!("{name} approved hold {hold} before"));
                }
                self.approval(place, hold, approval)?;
                self.holds.get(hold)?.keep(approval);
                Ok(())
            }
            What::Rejected { hold, person, signed, key, .. } => {
                let decision = Decision::Reject(self.holds.live(hold)?.subject(hold));
                self.same_key(person, signed, key)?;
                self.counted(place, &Claim { person, signed, decision, by: place.at })?;
                self.holds.end(hold, "rejected")
            }
            _ => Ok(()),
        }
    }

    /// Checks one approval: that it is admissible, and its signature unless that was checked before.
    fn approval(
        &mut self,
        place: &Place<'_>,
        hold: &HoldId,
        approval: &ApprovalRecord,
    ) -> Result<(), String> {
        let ApprovalRecord { person, signed, key, at: by, .. } = approval;
        let verified = self.holds.get(hold).is_ok_and(|parked| parked.has_verified(approval));
        if verified {
            // Its key may have been removed since.
            self.same_key(person, signed, key)?;
        }
        // And its owner may decide less.
        self.may_decide(person, &signed.statement.what)?;
        let parked = self.holds.get(hold)?;
        parked.admits(approval, &self.people.among())?;
        if verified {
            return Ok(());
        }
        let decision = self.holds.approving(hold, approval)?;
        self.same_key(person, signed, key)?;
        in_time(*by, place.at, || format!("the approval of {person} is dated after its leaf"))?;
        self.counted(place, &Claim { person, signed, decision, by: *by })
    }

    fn cleared(
        &mut self,
        place: &Place<'_>,
        request: &RequestRecord,
        approvals: &[ApprovalRecord],
    ) -> Vec<String> {
        self.running.insert(place.index, request.basis.hold.clone());
        let mut wrong: Vec<String> = self.observed(place, request).err().into_iter().collect();
        let Some(hold) = &request.basis.hold else {
            if !approvals.is_empty() {
                wrong.push("it carries approvals, but names no hold".to_owned());
            }
            if request.basis.used.is_some() {
                wrong.push("it is a use of an allowance that it does not name".to_owned());
            }
            return wrong;
        };
        let mut counted: Vec<&ApprovalRecord> = Vec::new();
        let among = self.people.among();
        for approval in approvals {
            let twice = counted.iter().any(|other| among.are_one(&other.person, &approval.person));
            match self.approval(place, hold, approval) {
                Ok(()) if twice => wrong.push(format!("{} is counted twice", approval.person)),
                Ok(()) => counted.push(approval),
                Err(why) => wrong.push(why),
            }
        }
        let enough = self.enough(place, hold, request, &counted);
        wrong.extend(enough.err());
        wrong
    }

    /// What is only observed needs nobody and comes from no hold, and during a freeze nothing is.
    fn observed(&self, place: &Place<'_>, request: &RequestRecord) -> Result<(), String> {
        if request.basis.observed.is_none() {
            Ok(())
        } else if request.basis.hold.is_some() {
            Err("it was only observed, but names a hold".to_owned())
        } else if self.freezes.cover(request, place.at) {
            Err("it was only observed, but during a freeze".to_owned())
        } else {
            Ok(())
        }
    }

    fn enough(
        &mut self,
        place: &Place<'_>,
        hold: &HoldId,
        request: &RequestRecord,
        counted: &[&ApprovalRecord],
    ) -> Result<(), String> {
        let among = self.people.among();
        let parked = self.holds.get(hold)?;
        if parked.allowance().is_some() {
            let parked = self.holds.live(hold)?;
            parked.enough(counted)?;
            let allowance = parked.allowance();
            return allowance.map_or(Ok(()), |it| it.take(place.at, request, (counted, &among)));
        }
        if request.basis.used.is_some() {
            return Err(format!("it is a use of hold {hold}, which is no allowance"));
        }
        if !parked.matches(request) {
            return Err(format!("it is not the request of hold {hold}"));
        }
        let (enough, not_before) = (parked.enough(counted), parked.not_before());
        let glass = parked.glass.clone();
        self.holds.end(hold, "cleared")?;
        if let Some(ApprovalRecord { person, signed, key, .. }) = &glass {
            // The same of whoever let it through alone.
            self.same_key(person, signed, key)?;
            self.may_decide(person, &signed.statement.what)?;
        }
        enough?;
        if place.at < not_before {
            return Err("it ran before people had had the time to stop it".to_owned());
        }
        let approvals = counted.iter().map(|approval| approval.at);
        let last = approvals.chain(glass.map(|broken| broken.at)).max().unwrap_or(not_before);
        if place.at > last.max(not_before).plus(GRANT_MS_MAX + SLACK_MS) {
            return Err("it ran after its approvals had lapsed".to_owned());
        }
        Ok(())
    }

    fn settled(&mut self, leaf: LeafIndex, outcome: &Outcome, returned: bool) -> Result<(), String> {
        let Some(hold) = self.running.remove(&leaf.0) else {
            return Err(format!(
                "it settles leaf {}, which cleared nothing or was settled before",
                leaf.0
            ));
        };
        match (returned, hold, outcome) {
            (false, ..) => Ok(()),
            (true, Some(hold), Outcome::Failed { .. }) => self.holds.reopen(&hold),
            (true, Some(hold), _) => {
                Err(format!("the grant of {hold} came back from what was not seen to fail"))
            }
            (true, None, _) => Err("a grant came back that no hold had given".to_owned()),
        }
    }

    fn thawed(&mut self, place: &Place<'_>, by: &PersonId, signed: &Signed) -> Result<(), String> {
        let Decision::Thaw { frozen } = signed.statement.what else {
            return Err(format!("{by} signed another decision"));
        };
        let decision = Decision::Thaw { frozen };
        self.counted(place, &Claim { person: by, signed, decision, by: place.at })?;
        self.freezes.end_everything(frozen)
    }

    fn freeze_ended(&mut self, place: &Place<'_>, id: &FreezeId, signed: &[Signed]) -> Vec<String> {
        let meant = signed.iter().find_map(|signed| match signed.statement.what {
            Decision::EndFreeze { digest, .. } => self.freezes.holding(id, digest, place.at),
            _ => None,
        });
        let Some(freeze) = meant else {
            return vec![format!(
                "it ends a freeze {id} that did not hold then, or nobody signed that"
            )];
        };
        let (decision, digest) = (freeze.ending(), freeze.digest());
        let (counted, mut wrong) = self.consenting(place, signed, &decision);
        // Names that are one human are one here, and make no fewer that are needed.
        if counted.len() < enders(self.people.count()) {
            wrong.push(format!("the freeze {id} was ended early by {} people of two", counted.len()));
        } else {
            self.freezes.end(digest);
        }
        wrong
    }

    /// The different people whose signatures over the same decision hold, and what is wrong with the others.
    fn consenting(
        &mut self,
        place: &Place<'_>,
        signed: &[Signed],
        decision: &Decision,
    ) -> (BTreeSet<PersonId>, Vec<String>) {
        let (mut wrong, mut counted) = (Vec::new(), BTreeSet::<PersonId>::new());
        let among = self.people.among();
        // Nobody signs at the moment of the leaf but the last one, so the latest expiry is compared.
        let last = signed.iter().map(|signed| signed.statement.expires).max();
        for signed in signed {
            let person = &PersonId::new(signed.statement.person.clone());
            let expires = signed.statement.expires;
            let by = if last == Some(expires) { place.at } else { expires };
            match self.counted(place, &Claim { person, signed, decision: decision.clone(), by }) {
                Ok(()) if counted.iter().any(|other| among.are_one(other, person)) => {}
                Ok(()) => {
                    counted.insert(person.clone());
                }
                Err(why) => wrong.push(why),
            }
        }
        (counted, wrong)
    }

    fn configured(
        &mut self,
        place: &Place<'_>,
        part: &str,
        digest: Digest,
        signed: &[Signed],
    ) -> Vec<String> {
        let decision = Decision::Configure { part: part.to_owned(), digest };
        let (counted, mut wrong) = self.consenting(place, signed, &decision);
        wrong.extend(self.own_role(part, &counted));
        let unchanged = self.parts.get(part) == Some(&digest);
        let needed = if unchanged || self.people.count() < CONFIRMERS { 0 } else { CONFIRMERS };
        if counted.len() < needed {
            wrong.push(format!(
                "{part} was changed with the consent of {} of two people",
                counted.len()
            ));
        } else {
            self.parts.insert(part.to_owned(), digest);
            if let Some(person) = part.strip_prefix(ROLE_PART).map(PersonId::new) {
                let audits = self.role(&person) == Role::Auditor;
                self.people.audits(person, audits);
            }
        }
        wrong
    }

    /// Checks a signature by a person who counts, with a key of theirs that counts.
    pub(super) fn counted(&mut self, place: &Place<'_>, claim: &Claim<'_>) -> Result<(), String> {
        self.may_decide(claim.person, &claim.decision)?;
        let key = self.people.counting(claim.person, &claim.signed.credential)?.clone();
        self.verify(place, claim, &key)
    }

    /// The key that a leaf carries beside a signature must be the one that was enrolled.
    pub(super) fn same_key(
        &self,
        person: &PersonId,
        signed: &Signed,
        key: &PublicKey,
    ) -> Result<(), String> {
        if self.people.counting(person, &signed.credential)? == key {
            Ok(())
        } else {
            Err(format!("the key beside the signature of {person} is not the enrolled one"))
        }
    }

    fn verify(&mut self, place: &Place<'_>, claim: &Claim<'_>, key: &PublicKey) -> Result<(), String> {
        let (person, statement) = (claim.person, &claim.signed.statement);
        if statement.person != person.as_str() {
            return Err(format!("{} signed in place of {person}", statement.person));
        }
        if statement.what != claim.decision {
            return Err(format!("{person} signed another decision"));
        }
        in_time(claim.by, statement.expires, || {
            format!("{person} signed after the statement had expired")
        })?;
        if statement.size > place.index || place.tree.root(statement.size) != Some(statement.root) {
            return Err(format!("{person} signed on top of another ledger than this one"));
        }
        let party = self.party(&statement.origin)?;
        assurance::verify(&party, claim.signed, key)
            .map_err(|why| format!("the signature of {person}: {why}"))?;
        self.party = Some(party);
        self.signatures = self.signatures.saturating_add(1);
        Ok(())
    }

    /// The one origin at which all statements were signed: that of the first good signature.
    fn party(&self, origin: &str) -> Result<RelyingParty, String> {
        let party = match &self.party {
            Some(party) => party.clone(),
            None => RelyingParty::of_origin(origin).map_err(|why| format!("{origin}: {why}"))?,
        };
        if party.origin() == origin {
            Ok(party)
        } else {
            Err(format!("it was signed at {origin}, all before at {}", party.origin()))
        }
    }
}

pub(super) fn in_time(at: Timestamp, end: Timestamp, late: impl Fn() -> String) -> Result<(), String> {
    if at <= end.plus(SLACK_MS) { Ok(()) } else { Err(late()) }
}
