//! Holds and their cards, as the API and the pages show them.

use serde::Serialize;
use tyer_core::hold::{Approval, Hold, Standing, State, Still};
use tyer_core::intent::{Act, Effect, Timestamp};
use tyer_core::people::People;
use tyer_core::sshsig;
use tyer_core::statement::Decision;
use tyer_core::verdict::{Approvals, Needs};

use super::allowances::AllowanceBody;
use super::beside::{LaterBody, NoteBody};
use super::still::StillBody;
use super::{FactsBody, Moment};
use crate::gateway::world::answers::fate;
use crate::gateway::world::paces::Paces;

/// People whose agreement is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NeedsBody {
    pub(crate) controller: bool,
    pub(crate) peers: u32,
    pub(crate) owners: u32,
    /// People by any key, where that is more than the peers.
    pub(crate) signers: u32,
    pub(crate) hardware: u32,
    /// Seconds between the question and the execution.
    pub(crate) waited: u32,
    /// Teams that a different one of the peers each speaks for.
    pub(crate) teams: Vec<String>,
    /// Of the peers, how many in their working hours.
    pub(crate) on_hours: u32,
    pub(crate) words: String,
}

impl NeedsBody {
    pub(crate) fn of(needs: &Needs) -> Self {
        let words = needs.in_words();
        let Needs { controller, peers, owners, signers, hardware, waited, ref teams, on_hours } =
            *needs;
        let teams = teams.iter().map(ToString::to_string).collect();
        Self { controller, peers, owners, signers, hardware, waited, teams, on_hours, words }
    }

    /// How many people other than the controller are asked for.
    pub(crate) fn people(&self) -> u32 {
        self.signers.max(self.peers).max(self.owners)
    }
}

/// People who have agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct GivenBody {
    pub(crate) controller: bool,
    pub(crate) peers: u32,
    pub(crate) owners: u32,
    pub(crate) signers: u32,
    pub(crate) hardware: u32,
    /// Teams that a different one of the peers each speaks for.
    pub(crate) teams: Vec<String>,
    /// One operator has let it through alone.
    pub(crate) glass: bool,
    /// Of the peers, how many agreed in their working hours.
    pub(crate) on_hours: u32,
}

impl GivenBody {
    fn of(given: Approvals) -> Self {
        let Approvals { controller, peers, owners, signers, hardware, waited: _, .. } = given;
        let Approvals { teams, on_hours, glass, .. } = given;
        let teams = teams.iter().map(ToString::to_string).collect();
        Self { controller, peers, owners, signers, hardware, teams, on_hours, glass }
    }
}

/// A hold in short.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HoldBody {
    pub(crate) hold: String,
    pub(crate) state: &'static str,
    /// The gravest effect.
    pub(crate) effect: &'static str,
    pub(crate) dangerous: bool,
    /// What would be done, in words, gravest first.
    pub(crate) what: Vec<String>,
    pub(crate) session: String,
    pub(crate) agent: String,
    pub(crate) human: bool,
    pub(crate) controller: String,
    /// Who else controls the session, and is no peer for it either.
    pub(crate) also: Vec<String>,
    pub(crate) upstream: String,
    pub(crate) environment: String,
    pub(crate) needs: NeedsBody,
    pub(crate) given: GivenBody,
    pub(crate) opened: Moment,
    /// When it may run at the earliest.
    pub(crate) not_before: Moment,
    /// When it ends by itself.
    pub(crate) ends: Moment,
    pub(crate) rejected: Option<RejectionBody>,
    /// Who let it through alone.
    pub(crate) broken: Option<BrokenBody>,
    /// Who asks, named, if they are slowed down because they keep asking.
    pub(crate) pace: Option<String>,
    /// To whom it was handed over last; it changes nothing about who counts.
    pub(crate) handed_to: Vec<String>,
    /// Who looks at it again, and when.
    pub(crate) later: Vec<LaterBody>,
    /// Until when the caller has put it off.
    pub(crate) put_off: Option<Moment>,
    /// What became of it and when, in a sentence, once nobody can answer it any more.
    pub(crate) fate: Option<String>,
    /// What it covers beyond one request, if it is an allowance.
    pub(crate) allowance: Option<AllowanceBody>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RejectionBody {
    pub(crate) by: String,
    pub(crate) reason: String,
    /// Until when the same request is refused unasked.
    pub(crate) until: Moment,
}

/// One operator's word in place of all others.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BrokenBody {
    pub(crate) by: String,
    pub(crate) at: Moment,
    pub(crate) reason: String,
}

impl BrokenBody {
    fn of(approval: &Approval) -> Self {
        let reason = match &approval.signed.statement.what {
            Decision::BreakGlass { reason, .. } => reason.clone(),
            _ => String::new(),
        };
        Self { by: approval.person.to_string(), at: Moment(approval.at), reason }
    }
}

/// What stands beside a hold when it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beside<'a> {
    /// Who asks; nobody in particular if empty.
    pub(crate) caller: &'a str,
    /// Who people are to one another now.
    pub(crate) people: &'a People,
    /// How often sessions asked lately; of what has ended that is not told.
    pub(crate) paces: Option<&'a Paces>,
    /// When it ended, where that is known.
    pub(crate) ended: Option<Timestamp>,
    pub(crate) now: Timestamp,
}

impl HoldBody {
    /// A hold as it stands at `now`: one that ran out counts as expired before that is recorded.
    pub(crate) fn of(hold: &Hold, beside: &Beside<'_>) -> Self {
        let now = beside.now;
        let intent = &hold.card().intent;
        let over = hold.is_live() && now >= hold.ends();
        let mut acts: Vec<&Act> = intent.acts.iter().filter(|act| !act.local).collect();
        if acts.is_empty() {
            acts = intent.acts.iter().collect();
        }
        acts.sort_by_key(|act| std::cmp::Reverse(act.effect));
        let effect = intent.acts.worst();
        let put_off = hold.put_off_by(now).filter(|_| hold.is_live() && !over);
        let later: Vec<LaterBody> =
            put_off.map(|(by, until)| LaterBody { by: by.to_owned(), until: Moment(until) }).collect();
        Self {
            hold: hold.id().to_string(),
            state: if over { "expired" } else { hold.state_word() },
            effect: effect.as_str(),
            dangerous: effect.is_dangerous(),
            what: (hold.card().allowance.iter())
                .map(|terms| format!("up to {} times without being asked:", terms.count))
                .chain(acts.into_iter().map(|act| act.why.clone()))
                .collect(),
            session: intent.principal.session.to_string(),
            agent: intent.principal.agent.clone(),
            human: intent.principal.human,
            controller: intent.principal.controller.to_string(),
            also: intent.principal.also.iter().map(ToString::to_string).collect(),
            upstream: intent.upstream.to_string(),
            environment: intent.environment.to_string(),
            needs: NeedsBody::of(&hold.card().needs),
            // What has ended is told as it counted then.
            given: GivenBody::of(if hold.has_ended() {
                hold.counted()
            } else {
                hold.counted_among(beside.people, now)
            }),
            opened: Moment(hold.opened()),
            not_before: Moment(hold.not_before()),
            ends: Moment(hold.ends()),
            rejected: match hold.state() {
                State::Rejected { by, reason, until } => Some(RejectionBody {
                    by: by.to_string(),
                    reason: reason.clone(),
                    until: Moment(*until),
                }),
                _ => None,
            },
            broken: hold.broken_by().map(BrokenBody::of),
            pace: beside.paces.and_then(|paces| paces.naming(&intent.principal, now)),
            handed_to: hold
                .notes()
                .iter()
                .rfind(|note| !note.to.is_empty())
                .map(|note| note.to.iter().map(ToString::to_string).collect())
                .unwrap_or_default(),
            put_off: later.iter().find(|later| later.by == beside.caller).map(|later| later.until),
            later,
            fate: fate(hold, beside.ended, now),
            allowance: AllowanceBody::of(hold),
        }
    }

    /// The order of a queue: what can still be answered first, what the caller has put off last of what people can
    /// change; then the gravest, then the oldest.
    pub(crate) fn queue_key(&self) -> (u8, std::cmp::Reverse<Option<Effect>>, Moment) {
        let rank = match self.state {
            "open" | "approved" if self.put_off.is_some() => 2,
            "open" => 0,
            "approved" => 1,
            _ => 3,
        };
        (rank, std::cmp::Reverse(Effect::parse(self.effect)), self.opened)
    }
}

/// Everything on a card, and what stands beside it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CardBody {
    #[serde(flatten)]
    pub(crate) hold: HoldBody,
    /// Why the session exists, in the words of whoever made it.
    pub(crate) purpose: String,
    /// The complete request.
    pub(crate) text: String,
    pub(crate) request_digest: String,
    /// The digest that approvers sign.
    pub(crate) card_digest: String,
    pub(crate) acts: Vec<ActBody>,
    pub(crate) facts: FactsBody,
    /// The policies that ask for people, by id.
    pub(crate) policies: Vec<String>,
    pub(crate) policy_set: String,
    /// When the facts were taken.
    pub(crate) taken: Moment,
    pub(crate) approvals: Vec<ApprovalBody>,
    /// Who could still give what is missing; absent unless it waits for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) still: Option<StillBody>,
    /// What people left beside it, oldest first.
    pub(crate) notes: Vec<NoteBody>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ActBody {
    pub(crate) effect: &'static str,
    pub(crate) dangerous: bool,
    pub(crate) resource: String,
    pub(crate) reversibility: &'static str,
    pub(crate) local: bool,
    pub(crate) why: String,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ApprovalBody {
    pub(crate) person: String,
    /// `controller`, `peer` or `owner`.
    pub(crate) standing: &'static str,
    /// By what kind of key: `software`, `unattested`, `passkey` or `hardware`.
    pub(crate) assurance: &'static str,
    /// The same in words.
    pub(crate) signed_by: String,
    pub(crate) at: Moment,
    pub(crate) comment: String,
}

impl ApprovalBody {
    fn of(approval: &Approval) -> Self {
        let verified = if sshsig::says_verified(&approval.signed) { ", its user verified" } else { "" };
        Self {
            person: approval.person.to_string(),
            standing: standing_word(approval.standing),
            assurance: approval.assurance.as_str(),
            signed_by: format!("{}{verified}", approval.assurance.in_words()),
            at: Moment(approval.at),
            comment: approval.comment.clone(),
        }
    }
}

impl CardBody {
    /// `still`: who could give what is missing, if it waits for people.
    pub(crate) fn of(hold: &Hold, still: Option<&Still>, beside: &Beside<'_>) -> Self {
        let card = hold.card();
        Self {
            hold: HoldBody::of(hold, beside),
            purpose: card.purpose.clone(),
            text: card.intent.text.clone(),
            request_digest: card.intent.digest.to_string(),
            card_digest: card.digest().to_string(),
            acts: card.intent.acts.iter().map(act).collect(),
            facts: FactsBody::of(card),
            policies: card.policies.clone(),
            policy_set: card.policy_set.to_string(),
            taken: Moment(card.taken),
            approvals: hold.approvals().iter().map(ApprovalBody::of).collect(),
            still: still.filter(|_| beside.now < hold.ends()).map(StillBody::of),
            notes: hold.notes().iter().map(NoteBody::of).collect(),
        }
    }
}

/// The word for a person's standing towards a hold.
pub(crate) fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Controller => "controller",
        Standing::Peer => "peer",
        Standing::Owner => "owner",
    }
}

fn act(act: &Act) -> ActBody {
    ActBody {
        effect: act.effect.as_str(),
        dangerous: act.effect.is_dangerous(),
        resource: act.resource.to_string(),
        reversibility: act.reversibility.as_str(),
        local: act.local,
        why: act.why.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_rfc_3339() {
        let check = |ms: i64, expect: &str| {
            assert_eq!(serde_json::to_value(Moment(Timestamp(ms))).expect("JSON"), expect);
        };
        check(0, "1970-01-01T00:00:00Z");
        check(1_795_442_400_123, "2026-11-23T14:00:00.123Z");
        check(i64::MAX, "9223372036854775807");
    }

    #[test]
    fn the_gravest_and_then_the_oldest_stands_first() {
        let hold = |state, effect, opened| {
            let mut hold = crate::console::sample_hold();
            (hold.state, hold.effect, hold.opened) = (state, effect, Moment(Timestamp(opened)));
            hold
        };
        let put_off = |mut hold: HoldBody| {
            hold.put_off = Some(Moment(Timestamp(9)));
            hold
        };
        let mut holds = [
            hold("spent", "destroy", 0),
            hold("open", "change", 1),
            put_off(hold("open", "destroy", 0)),
            hold("open", "destroy", 3),
            hold("open", "destroy", 2),
        ];
        holds.sort_by_key(HoldBody::queue_key);
        let order: Vec<_> =
            holds.iter().map(|hold| (hold.state, hold.effect, hold.opened.0.0)).collect();
        assert_eq!(
            order,
            [
                ("open", "destroy", 2),
                ("open", "destroy", 3),
                ("open", "change", 1),
                ("open", "destroy", 0),
                ("spent", "destroy", 0)
            ]
        );
    }
}
