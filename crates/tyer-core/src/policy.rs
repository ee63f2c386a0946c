//! The policies: loaded, checked and asked. Nothing else in the system knows Cedar.
//!
//! Cedar answers permit or deny; a hold is what is denied now but would be permitted if more people
//! agreed, found by asking again with approvals that are only supposed. Cedar skips a policy that
//! fails while it is evaluated, even one that forbids; here any such failure is a refusal.

mod approvals;
mod load;
mod memo;
mod question;
mod teams;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{PolicySet, Schema};

pub use load::{Flaw, FlawKind, LoadError};
pub use memo::{Asks, Memo};
pub use question::counts_as_production;

use crate::facts::Facts;
use crate::intent::{Digest, Effect, Intent, Narrowing, TeamId, Timestamp};
use crate::limits::GRANT_MS_MAX;
use crate::roster;
use crate::verdict::{Approvals, Basis, Grant, Needs, Observed, Reason, Refusal, Verdict};
use approvals::Thresholds;
use question::{Answer, Failed, Question};
use teams::Asking;

/// The schema that policies are written against, with comments for those who write them.
pub const SCHEMA: &str = include_str!("../policies/schema.cedarschema");

/// A policy set: validated, sliced by action, hashed.
pub struct Policies {
    schema: Schema,
    slices: BTreeMap<Effect, Slice>,
    ids: Vec<String>,
    hash: Digest,
    /// What is wrong with each team that is named, if there is no such team.
    unknown: Vec<Flaw>,
}

/// The policies that one action can match, and the approvals that they ask for.
#[derive(Default)]
struct Slice {
    policies: PolicySet,
    thresholds: Thresholds,
    /// Those of them that ask for teams.
    asking: Vec<Asking>,
}

/// A text with policies in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What errors call it: a file's name.
    pub name: String,
    /// The policies, in Cedar.
    pub text: String,
}

/// The policy sets that Tyer brings with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preset {
    /// Every action asks its controller; production asks others.
    Ask,
    /// Reads and writes outside production flow; the rest is as in `ask`.
    Guarded,
}

/// What surrounds an intent when it is decided.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// The time.
    pub now: Timestamp,
    /// Changes are frozen.
    pub frozen: bool,
    /// How the session was narrowed.
    pub narrowing: &'a Narrowing,
    /// The approvals that were really given for this request; none unless it comes from a hold.
    pub given: Approvals,
    /// The most distinct people who can agree at all, those in `given` included.
    pub possible: Approvals,
    /// The teams of each person who can agree at all as another than the controller.
    pub speakers: &'a [BTreeSet<TeamId>],
    /// This session already got a release for a read of this shape.
    pub asked: bool,
    /// The consequences as known.
    pub facts: &'a Facts,
}

/// A verdict and what it rests on.
#[derive(Debug)]
#[must_use]
pub struct Decision {
    /// May it run.
    pub verdict: Verdict,
    /// Allow: the policies that permit. Hold: those that forbid now and those that would permit. Deny
    /// because nobody can agree: those that would permit. Any other deny: those that forbid or failed; none if merely nothing permits.
    pub basis: Basis,
}

impl Policies {
    /// A policy set that Tyer brings with it.
    ///
    /// # Errors
    /// Never, as the tests show; the caller refuses to start all the same.
    pub fn preset(preset: Preset) -> Result<Self, LoadError> {
        let text = preset.text().to_owned();
        Self::load(&[Source { name: format!("{}.cedar", preset.as_str()), text }])
    }

    /// Reads, validates and slices policies.
    ///
    /// # Errors
    /// All flaws of all sources, each with file, line, column and what to do about it.
    pub fn load(sources: &[Source]) -> Result<Self, LoadError> {
        load::load(sources)
    }

    /// The identity of the set: over the schema and every policy with its id, whatever their order,
    /// layout and comments.
    #[must_use]
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// Whether every team that the policies name is one of these.
    ///
    /// # Errors
    /// Each policy that names another, with its place.
    pub fn name_only(&self, teams: &BTreeSet<TeamId>) -> Result<(), LoadError> {
        let is_unknown =
            |flaw: &&Flaw| matches!(&flaw.kind, FlawKind::NoTeam { team, .. } if !teams.contains(team));
        let flaws: Vec<Flaw> = self.unknown.iter().filter(is_unknown).cloned().collect();
        if flaws.is_empty() { Ok(()) } else { Err(LoadError { flaws }) }
    }

    /// The ids of all policies, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    /// Decides one intent. All its acts together are allowed, held or denied.
    pub fn decide(&self, intent: &Intent, situation: &Situation<'_>) -> Decision {
        if let Some(act) = situation.narrowing.outside(intent) {
            let refusal = Refusal::new(
                Reason::Narrowed,
                format!("this session was narrowed and may not {} {}", act.effect, act.resource),
                format!("stay within it, or ask {} for another session", intent.principal.controller),
            );
            return self.deny(refusal, Vec::new());
        }
        self.weigh(intent, situation).unwrap_or_else(|failed| {
            let refusal = Refusal::new(
                Reason::PolicyError,
                "the policies could not be evaluated for this request, so it is refused",
                format!("tell {}; the record says which policies failed", intent.principal.controller),
            );
            self.deny(refusal, failed.policies)
        })
    }

    /// The decision where an upstream is only observed: whatever the policies said is written down, and the
    /// intent runs. What a session was narrowed to, and a freeze, still bind.
    pub fn observe_only(&self, intent: &Intent, decided: Decision, now: Timestamp) -> Decision {
        let observed = match &decided.verdict {
            Verdict::Allow(_) => Observed::Allow,
            Verdict::Hold(needs) => Observed::Hold { needs: needs.clone() },
            Verdict::Deny(refusal) => match refusal.reason {
                Reason::Narrowed | Reason::Frozen => return decided,
                reason => Observed::Deny { reason },
            },
        };
        let basis = Basis { observed: Some(observed), ..decided.basis };
        let grant = Grant::decided(
            intent.digest,
            intent.principal.session.clone(),
            now.plus(GRANT_MS_MAX),
            basis.clone(),
        );
        Decision { verdict: Verdict::Allow(grant), basis }
    }

    /// As [`Policies::decide`], and notes in the memo what was permitted.
    pub fn decide_noting(
        &self,
        memo: &mut Memo,
        intent: &Intent,
        situation: &Situation<'_>,
    ) -> Decision {
        let decision = self.decide(intent, situation);
        if let Verdict::Allow(_) = decision.verdict {
            memo.note(Asks::from(intent), situation, &decision.basis);
        }
        decision
    }

    /// The grant that [`Policies::decide`] would give, if it gave one for equal inputs before. None says
    /// nothing: the request has to be decided.
    #[must_use]
    pub fn decide_again(
        &self,
        memo: &Memo,
        asks: Asks<'_>,
        situation: &Situation<'_>,
    ) -> Option<Grant> {
        let basis = Arc::clone(memo.recall(self.hash, asks, situation)?);
        let (session, lapses) = (asks.principal.session.clone(), situation.now.plus(GRANT_MS_MAX));
        Some(Grant::decided(asks.digest, session, lapses, basis))
    }

    /// The basis of a refusal that no policy was asked about.
    #[must_use]
    pub fn unasked(&self) -> Basis {
        self.basis(Vec::new())
    }

    fn weigh(&self, intent: &Intent, situation: &Situation<'_>) -> Result<Decision, Failed> {
        let panel = self.panel(intent, situation)?;
        let frozen = situation.frozen;
        let now = panel.answer(situation.given.clone(), frozen)?;
        if now.permitted {
            return Ok(self.allow(intent, situation.now, now.policies));
        }
        // Approvals only ever help, so what all of them together cannot permit, none of them can.
        let most = panel.answer(supposed(&panel.thresholds.most()), frozen)?;
        if most.permitted {
            return self.hold(&panel, intent, (situation, now.policies));
        }
        let thawed = frozen && panel.answer(supposed(&panel.thresholds.most()), false)?.permitted;
        let controller = &intent.principal.controller;
        let refusal = if thawed {
            let next = "present the same request again once the freeze has ended";
            Refusal::new(Reason::Frozen, "changes are frozen for everyone", next)
        } else {
            let next = format!("do not try again; ask {controller} what to do instead");
            Refusal::new(Reason::Policy, "no policy permits this, whoever agrees", next)
        };
        Ok(self.deny(refusal, most.policies))
    }

    /// The least approvals that would do, of people that there are or, failing that, of any.
    fn hold(
        &self,
        panel: &Panel<'_>,
        intent: &Intent,
        (situation, mut asking): (&Situation<'_>, Vec<String>),
    ) -> Result<Decision, Failed> {
        let teams = panel.choices(situation.frozen)?;
        let (within, beyond): (Vec<Needs>, Vec<Needs>) = panel
            .thresholds
            .ascending(&teams)
            .into_iter()
            .partition(|needs| can_be_met(needs, situation));
        for needs in within {
            if panel.permits(supposed(&needs), situation.frozen)? {
                // Those that forbid now ask for people as much as those that would permit then.
                asking.extend(panel.answer(supposed(&needs), situation.frozen)?.policies);
                asking.sort_unstable();
                asking.dedup();
                return Ok(Decision { verdict: Verdict::Hold(needs), basis: self.basis(asking) });
            }
        }
        for needs in beyond {
            if panel.permits(supposed(&needs), situation.frozen)? {
                let answer = panel.answer(supposed(&needs), situation.frozen)?;
                let refusal = Refusal::new(
                    Reason::NobodyCan,
                    format!("it would need {}, and there are not enough of them", needs.in_words()),
                    format!("tell {}: more people must be enrolled first", intent.principal.controller),
                );
                return Ok(self.deny(refusal, answer.policies));
            }
        }
        // The highest point of the lattice permits, so this is reached only by a policy that takes
        // a permission away when more people agree, which loading refuses.
        Err(Failed { policies: Vec::new() })
    }

    fn panel(&self, intent: &Intent, situation: &Situation<'_>) -> Result<Panel<'_>, Failed> {
        let questions = question::all(self, intent, situation.facts)?;
        let mut thresholds = Thresholds::default();
        for question in &questions {
            thresholds.merge(&question.slice.thresholds);
        }
        Ok(Panel { schema: &self.schema, questions, thresholds, asked: situation.asked })
    }

    fn allow(&self, intent: &Intent, now: Timestamp, policies: Vec<String>) -> Decision {
        let basis = self.basis(policies);
        let lapses = now.plus(GRANT_MS_MAX);
        let session = intent.principal.session.clone();
        let grant = Grant::decided(intent.digest, session, lapses, basis.clone());
        Decision { verdict: Verdict::Allow(grant), basis }
    }

    fn deny(&self, refusal: Refusal, policies: Vec<String>) -> Decision {
        let refusal = Refusal { policies: policies.clone(), ..refusal };
        Decision { verdict: Verdict::Deny(refusal), basis: self.basis(policies) }
    }

    fn basis(&self, policies: Vec<String>) -> Basis {
        Basis { policies, policy_set: self.hash, hold: None, observed: None, used: None }
    }
}

/// The questions that one intent raises: one a distinct act.
struct Panel<'p> {
    schema: &'p Schema,
    questions: Vec<Question<'p>>,
    thresholds: Thresholds,
    asked: bool,
}

impl Panel<'_> {
    /// Asks everything, and names the policies that decide: those that permit if all is permitted,
    /// else those that forbid.
    fn answer(&self, approvals: Approvals, frozen: bool) -> Result<Answer, Failed> {
        let circumstances = self.circumstances(approvals, frozen);
        let answers = self
            .questions
            .iter()
            .map(|question| question.ask(self.schema, &circumstances))
            .collect::<Result<Vec<_>, _>>()?;
        let permitted = answers.iter().all(|answer| answer.permitted);
        let decisive = answers.into_iter().filter(|answer| answer.permitted == permitted);
        let mut policies: Vec<String> = decisive.flat_map(|answer| answer.policies).collect();
        policies.sort_unstable();
        policies.dedup();
        Ok(Answer { permitted, policies })
    }

    /// Whether all is permitted, asking no further than the first act that is not.
    fn permits(&self, approvals: Approvals, frozen: bool) -> Result<bool, Failed> {
        let circumstances = self.circumstances(approvals, frozen);
        for question in &self.questions {
            if !question.ask(self.schema, &circumstances)?.permitted {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn circumstances(&self, approvals: Approvals, frozen: bool) -> question::Circumstances {
        question::Circumstances { approvals, frozen, asked: self.asked }
    }
}

/// Needs, supposed to be met exactly.
fn supposed(needs: &Needs) -> Approvals {
    Approvals {
        controller: needs.controller,
        peers: needs.peers,
        owners: needs.owners,
        signers: needs.people(),
        hardware: needs.hardware,
        waited: needs.waited,
        teams: needs.teams.clone(),
        glass: false,
        on_hours: needs.on_hours,
    }
}

/// Whether there are people who can agree to it, each for one team at most.
fn can_be_met(needs: &Needs, situation: &Situation<'_>) -> bool {
    let speakers = situation.speakers;
    let can = Approvals { teams: roster::spoken_for(&needs.teams, speakers), ..reachable(situation) };
    let agreed = Approvals { teams: situation.given.teams.clone(), ..can.clone() };
    needs.met_by(&can) || needs.met_by(&agreed)
}

/// Whoever can agree, or has: who agreed once stays possible, even if they could not do so again.
fn reachable(situation: &Situation<'_>) -> Approvals {
    let (given, possible) = (&situation.given, &situation.possible);
    Approvals {
        controller: given.controller || possible.controller,
        peers: given.peers.max(possible.peers),
        owners: given.owners.max(possible.owners),
        signers: given.signers.max(possible.signers),
        hardware: given.hardware.max(possible.hardware),
        // Time passes.
        waited: u32::MAX,
        teams: BTreeSet::new(),
        glass: given.glass,
        on_hours: given.on_hours.max(possible.on_hours),
    }
}

impl Preset {
    /// The word used in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Guarded => "guarded",
        }
    }

    /// The policies themselves, for people to read and to start from.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Ask => include_str!("../policies/ask.cedar"),
            Self::Guarded => include_str!("../policies/guarded.cedar"),
        }
    }
}

/// Not the name of a preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the presets are `ask` and `guarded`")]
pub struct NotAPreset;

impl FromStr for Preset {
    type Err = NotAPreset;

    fn from_str(word: &str) -> Result<Self, NotAPreset> {
        [Self::Ask, Self::Guarded].into_iter().find(|preset| preset.as_str() == word).ok_or(NotAPreset)
    }
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies")
            .field("ids", &self.ids)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
