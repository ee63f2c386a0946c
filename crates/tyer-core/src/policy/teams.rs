//! Which teams' agreement could help a request at all, so that a hold asks for no more than it must.
//!
//! A set of policies may name many teams, of which a request concerns few. A policy whose say changes with nobody's
//! agreement concerns it not; a team without which all the others do not suffice is needed in any case. Only what is
//! left has to be tried in every combination.

use std::collections::BTreeSet;

use cedar_policy::PolicySet;

use super::question::Failed;
use super::{Panel, supposed};
use crate::intent::TeamId;
use crate::limits::TEAMS_OPEN_MAX;
use crate::verdict::{Approvals, Needs};

/// A policy that asks for teams, by itself.
pub(super) struct Asking {
    pub(super) policies: PolicySet,
    pub(super) teams: BTreeSet<TeamId>,
}

impl Panel<'_> {
    /// The sets of teams that may be the least to ask for.
    pub(super) fn choices(&self, frozen: bool) -> Result<Vec<BTreeSet<TeamId>>, Failed> {
        let most = self.thresholds.most();
        let concerned = self.concerned(&most, frozen)?;
        let (mut needed, mut open) = (BTreeSet::new(), Vec::new());
        for team in concerned {
            let mut others = supposed(&most);
            others.teams.remove(&team);
            if self.permits(others, frozen)? {
                open.push(team);
            } else {
                needed.insert(team);
            }
        }
        if open.len() > TEAMS_OPEN_MAX {
            return Err(Failed { policies: Vec::new() });
        }
        let mut choices = vec![needed];
        for team in open {
            let with = |choice: &BTreeSet<TeamId>| choice.iter().chain([&team]).cloned().collect();
            let more: Vec<BTreeSet<TeamId>> = choices.iter().map(with).collect();
            choices.extend(more);
        }
        Ok(choices)
    }

    /// The teams that are named by a policy whose say depends on who has agreed.
    fn concerned(&self, most: &Needs, frozen: bool) -> Result<BTreeSet<TeamId>, Failed> {
        let nobody = self.circumstances(Approvals::default(), frozen);
        let everybody = self.circumstances(supposed(most), frozen);
        let mut concerned = BTreeSet::new();
        for question in &self.questions {
            for Asking { policies, teams } in &question.slice.asking {
                let before = question.ask_of(policies, self.schema, &nobody)?;
                let after = question.ask_of(policies, self.schema, &everybody)?;
                // The policy is named if what it says applies, be it a permit or a forbid.
                if before.policies != after.policies {
                    concerned.extend(teams.iter().cloned());
                }
            }
        }
        Ok(concerned)
    }
}
