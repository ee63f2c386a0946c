//! The holds that the leaves so far opened, and what became of them.

use std::collections::{BTreeMap, BTreeSet};

use super::allowances::Allowance;
use super::together::Kind;
use crate::assurance::{self, Assurance};
use crate::hold::Standing;
use crate::intent::{Digest, HoldId, PersonId, Principal, Timestamp, Upstream};
use crate::limits::{CHALLENGE_MS, GRANT_MS_MAX};
use crate::people::People;
use crate::record::{ApprovalRecord, CardRecord, RequestRecord};
use crate::roster::Roster;
use crate::statement::Subject;
use crate::verdict::{Approvals, Needs};

#[derive(Debug, Default)]
pub(super) struct Holds(BTreeMap<HoldId, Parked>);

/// A hold as its leaf described it.
#[derive(Debug)]
pub(super) struct Parked {
    request: Digest,
    card: Digest,
    policy_set: Digest,
    principal: Principal,
    upstream: Upstream,
    needs: Needs,
    roster: Roster,
    opened: Timestamp,
    expires: Timestamp,
    /// Who counted then.
    electorate: BTreeSet<PersonId>,
    /// Approvals that have been verified.
    approvals: Vec<ApprovalRecord>,
    /// What it covers, if it is an allowance.
    allowance: Option<Allowance>,
    /// Who let it through on their own word.
    pub(super) glass: Option<ApprovalRecord>,
    /// What it has in common with those that are approved together with it.
    kind: Kind,
    /// How it ended.
    ended: Option<String>,
}

impl Holds {
    pub(super) fn open<'a>(
        &mut self,
        card: &CardRecord,
        (opened, expires): (Timestamp, Timestamp),
        counting: impl Iterator<Item = &'a PersonId>,
    ) -> Result<(), String> {
        let parked = Parked {
            request: card.request.digest,
            card: card.card,
            policy_set: card.request.basis.policy_set,
            principal: card.request.principal.clone(),
            upstream: card.request.upstream.clone(),
            needs: card.needs.clone(),
            roster: card.roster.clone(),
            opened,
            expires,
            electorate: counting.cloned().collect(),
            approvals: Vec::new(),
            allowance: Allowance::of(card),
            glass: None,
            kind: Kind::of(card),
            ended: None,
        };
        let possible = parked.allowance.as_ref().map_or(Ok(()), |allowance| {
            let like = card.allowance.as_ref().and_then(|terms| self.0.get(&terms.like));
            allowance.possible(card, like)
        });
        match self.0.entry(card.hold.clone()) {
            std::collections::btree_map::Entry::Occupied(_) => {
                Err(format!("hold {} was opened before", card.hold))
            }
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(parked);
                possible
            }
        }
    }

    /// The same, to look at.
    pub(super) fn opened(&self, hold: &HoldId) -> Option<&Parked> {
        self.0.get(hold)
    }

    /// The hold, whatever became of it.
    pub(super) fn get(&mut self, hold: &HoldId) -> Result<&mut Parked, String> {
        self.0.get_mut(hold).ok_or_else(|| format!("hold {hold} was never opened"))
    }

    /// The hold, if nothing ended it yet.
    pub(super) fn live(&mut self, hold: &HoldId) -> Result<&mut Parked, String> {
        let parked = self.get(hold)?;
        match &parked.ended {
            None => Ok(parked),
            Some(how) => Err(format!("hold {hold} had ended before: {how}")),
        }
    }

    /// Ends a hold; only the first end counts.
    pub(super) fn end(&mut self, hold: &HoldId, how: &str) -> Result<(), String> {
        self.live(hold)?.ended = Some(how.to_owned());
        Ok(())
    }

    /// The one grant of a hold came back, so that it can leave once more; or a use of an allowance.
    pub(super) fn reopen(&mut self, hold: &HoldId) -> Result<(), String> {
        let parked = self.get(hold)?;
        if let Some(allowance) = &mut parked.allowance {
            allowance.came_back();
            return Ok(());
        }
        if parked.ended.as_deref() != Some("cleared") {
            return Err(format!("a grant came back to hold {hold}, which had not given one"));
        }
        parked.ended = None;
        Ok(())
    }
}

impl Parked {
    /// When nothing can come of it any more, whenever people agreed.
    pub(super) fn ends_at_most(&self) -> Timestamp {
        self.expires.max(self.not_before()).plus(GRANT_MS_MAX)
    }

    /// When it could run at the earliest.
    pub(super) fn not_before(&self) -> Timestamp {
        self.opened.plus(i64::from(self.needs.waited).saturating_mul(1000))
    }

    /// What must have been signed to answer it.
    pub(super) fn subject(&self, hold: &HoldId) -> Subject {
        Subject {
            hold: hold.clone(),
            request: self.request,
            card: self.card,
            policy_set: self.policy_set,
        }
    }

    /// Who asked.
    pub(super) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What is wrong with somebody letting it through alone; their signature is checked elsewhere.
    pub(super) fn admits_alone(&self, broken: &ApprovalRecord) -> Result<(), String> {
        let person = &broken.person;
        if assurance::of_key(&broken.key) < Assurance::Hardware {
            Err(format!("{person} let it through alone by less than an attested hardware key"))
        } else if !self.electorate.contains(person) {
            Err(format!("{person} did not count yet when the hold was opened"))
        } else if broken.at >= self.expires {
            Err(format!("{person} let it through after the hold had expired"))
        } else if self.allowance.is_some() {
            Err(format!("{person} let more than one request through alone"))
        } else if self.glass.is_some() {
            Err("it had been let through on one person's word before".to_owned())
        } else {
            Ok(())
        }
    }

    /// What is wrong with an approval as such; its signature is checked elsewhere.
    pub(super) fn admits(&self, approval: &ApprovalRecord, people: &People) -> Result<(), String> {
        let (person, controller) = (&approval.person, &self.principal.controller);
        let controls = self.principal.is_controlled_by(person);
        if controls && approval.standing != Standing::Controller {
            return Err(format!("{person} controls the session and was counted as a peer"));
        }
        if person != controller && approval.standing == Standing::Controller {
            return Err(format!("{person} was counted as the controller, who is {controller}"));
        }
        if !self.electorate.contains(person) {
            return Err(format!("{person} did not count yet when the hold was opened"));
        }
        if !controls && let Some(barred) = people.barred(person, &self.principal) {
            return Err(format!("{barred}, and was counted as a peer"));
        }
        if approval.at >= self.expires {
            return Err(format!("{person} approved after the hold had expired"));
        }
        Ok(())
    }

    /// What it is like.
    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether nothing had ended it yet, nor its time, at that moment.
    pub(super) fn is_open_at(&self, at: Timestamp) -> bool {
        self.ended.is_none() && at < self.expires
    }

    /// Whether it is an allowance.
    pub(super) fn is_allowance(&self) -> bool {
        self.allowance.is_some()
    }

    /// Whether the same people were asked, for the same principal.
    pub(super) fn asks_like(&self, other: &Self) -> bool {
        self.principal == other.principal
            && self.upstream == other.upstream
            && self.needs == other.needs
    }

    /// What it covers, if it is an allowance.
    pub(super) fn allowance(&mut self) -> Option<&mut Allowance> {
        self.allowance.as_mut()
    }

    /// Whose agreement it needs.
    pub(super) fn needs(&self) -> Needs {
        self.needs.clone()
    }

    pub(super) fn has_verified(&self, approval: &ApprovalRecord) -> bool {
        self.approvals.contains(approval)
    }

    /// The name under which that human has approved it before: another one of theirs, or the same by a better key, or
    /// by such a key and, where that is asked for, at work.
    pub(super) fn approved_by(&self, again: &ApprovalRecord, people: &People) -> Option<&PersonId> {
        let rank =
            |approval: &ApprovalRecord| (assurance::of_key(&approval.key), self.is_at_work(approval));
        let stands = |before: &&ApprovalRecord| {
            people.are_one(&before.person, &again.person)
                && (before.person != again.person || rank(before) >= rank(again))
        };
        self.approvals.iter().find(stands).map(|before| &before.person)
    }

    pub(super) fn keep(&mut self, approval: &ApprovalRecord) {
        self.approvals.push(approval.clone());
    }

    /// Whether the request that ran is the one that was held.
    pub(super) fn matches(&self, request: &RequestRecord) -> bool {
        self.request == request.digest
            && self.principal == request.principal
            && self.upstream == request.upstream
    }

    /// Whether a peer agreed within their working hours. When is what the leaf says, as far as the statement that they
    /// signed allows: it was made not long before.
    fn is_at_work(&self, approval: &ApprovalRecord) -> bool {
        let ApprovalRecord { person, standing, at, signed, key, .. } = approval;
        let made = signed.statement.expires.plus(-CHALLENGE_MS);
        *standing != Standing::Controller
            && assurance::of_key(key) >= Assurance::Passkey
            && *at >= made
            && self.roster.is_at_work(person, *at)
    }

    /// What is wrong with the approvals that count, taken together.
    pub(super) fn enough(&self, counted: &[&ApprovalRecord]) -> Result<(), String> {
        let given = counted.iter().fold(Approvals::default(), |given, approval| {
            given.with(approval.standing, assurance::of_key(&approval.key))
        });
        let by_passkey = counted.iter().filter(|it| assurance::of_key(&it.key) >= Assurance::Passkey);
        let speak = by_passkey.map(|approval| (&approval.person, approval.standing));
        let teams = self.roster.spoken_for(speak);
        let on_hours = counted.iter().filter(|it| self.is_at_work(it)).count();
        let on_hours = u32::try_from(on_hours).unwrap_or(u32::MAX);
        let given = Approvals { teams, on_hours, ..given };
        if self.needs.agreed_by(&given) || self.glass.is_some() {
            return Ok(());
        }
        Err(format!(
            "it ran without the people that it needed ({}): what counts is {} by peers, {} of them \
             owners{}{}{}{}",
            self.needs.in_words(),
            given.peers,
            given.owners,
            match given.signers.saturating_sub(given.peers) {
                0 => String::new(),
                weaker => format!(", {weaker} by less than a passkey"),
            },
            if self.needs.on_hours > 0 {
                format!(", {} at work", given.on_hours)
            } else {
                String::new()
            },
            given.teams.iter().map(|team| format!(", one from {team}")).collect::<String>(),
            if given.controller { ", and the controller's own" } else { "" },
        ))
    }
}
