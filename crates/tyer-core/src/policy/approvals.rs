//! Which approvals a policy asks for, read from its structure.
//!
//! A hold can only be found by supposing more approvals if these never take a permission away. So they
//! may appear only where more of them helps: bare comparisons with a constant, joined by `&&` and `||`,
//! in the `when` of a permit or the `unless` of a forbid. Everything else is refused at load. This
//! reads Cedar's JSON form of a policy, which keeps the operators as they were written.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::intent::TeamId;
use crate::limits::{APPROVALS_MAX, WAITED_S_MAX};
use crate::verdict::Needs;

/// The approvals that policies ask for, by dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Thresholds {
    controller: bool,
    peers: BTreeSet<u32>,
    owners: BTreeSet<u32>,
    signers: BTreeSet<u32>,
    hardware: BTreeSet<u32>,
    waited: BTreeSet<u32>,
    teams: BTreeSet<TeamId>,
    on_hours: BTreeSet<u32>,
}

/// How a policy misuses approvals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misuse {
    /// More of them could take a permission away, or Tyer can't tell that they could not.
    Shape,
    /// So many people can't be asked for.
    Count,
    /// Nor so much time.
    Time,
    /// Time alone would permit something.
    Alone,
}

impl Thresholds {
    /// What a policy asks for, given Cedar's JSON form of it.
    pub(super) fn of(policy: &Value) -> Result<Self, Misuse> {
        let helpful = match policy.get("effect").and_then(Value::as_str) {
            Some("permit") => "when",
            Some("forbid") => "unless",
            _ => return Err(Misuse::Shape),
        };
        let mut thresholds = Self::default();
        // What is asked for, each way in which it can be met: people, time.
        let mut ways = BTreeSet::from([[false, false]]);
        let conditions = policy.get("conditions").and_then(Value::as_array).ok_or(Misuse::Shape)?;
        for condition in conditions {
            let body = condition.get("body").ok_or(Misuse::Shape)?;
            if condition.get("kind").and_then(Value::as_str) == Some(helpful) {
                thresholds.read(body)?;
                ways = both(&ways, &ways_of(body));
            } else if mentions(body) {
                return Err(Misuse::Shape);
            }
        }
        // No time-out allows, nor stands in for people. What is permitted anyway may be put off.
        let instead = helpful == "when" || ways.iter().any(|[people, _]| *people);
        if instead && ways.contains(&[false, true]) {
            return Err(Misuse::Alone);
        }
        Ok(thresholds)
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.controller |= other.controller;
        self.peers.extend(&other.peers);
        self.owners.extend(&other.owners);
        self.signers.extend(&other.signers);
        self.hardware.extend(&other.hardware);
        self.waited.extend(&other.waited);
        self.teams.extend(other.teams.iter().cloned());
        self.on_hours.extend(&other.on_hours);
    }

    /// Every team that is named.
    pub(super) fn teams(&self) -> &BTreeSet<TeamId> {
        &self.teams
    }

    /// Everybody that is asked for anywhere.
    pub(super) fn most(&self) -> Needs {
        let most = |counts: &BTreeSet<u32>| counts.last().copied().unwrap_or(0);
        let some = [&self.owners, &self.hardware, &self.on_hours].map(most);
        let counts = [most(&self.signers), most(&self.peers)];
        let people = needs(self.controller, counts, some, &self.teams);
        Needs { waited: most(&self.waited), ..people }
    }

    /// Every combination with one of these sets of teams that the policies can tell apart, the least first: fewest
    /// people, owners, hardware keys and teams, then without the controller, then fewest people by passkey, then the
    /// shortest time. An owner is a peer, too, and so is who speaks for a team.
    pub(super) fn ascending(&self, teams: &[BTreeSet<TeamId>]) -> Vec<Needs> {
        let mut all: Vec<(u32, Needs)> =
            teams.iter().flat_map(|teams| self.with_teams(teams)).collect();
        let key = |(sum, needs): &(u32, Needs)| {
            let Needs { controller, peers, owners, hardware, on_hours, .. } = *needs;
            (*sum, controller, peers, (owners, hardware, on_hours))
        };
        all.sort_by(|one, other| key(one).cmp(&key(other)).then_with(|| one.1.cmp(&other.1)));
        all.dedup();
        all.into_iter().map(|(_, needs)| needs).collect()
    }

    /// Every combination of the counts with that set of teams, and how much it asks for.
    fn with_teams(&self, teams: &BTreeSet<TeamId>) -> Vec<(u32, Needs)> {
        let with_zero = |counts: &BTreeSet<u32>| -> BTreeSet<u32> {
            std::iter::once(0).chain(counts.iter().copied()).collect()
        };
        let [signers, peers] = [with_zero(&self.signers), with_zero(&self.peers)];
        let [owners, hardware, on_hours] =
            [&self.owners, &self.hardware, &self.on_hours].map(with_zero);
        let pairs = owners.iter().flat_map(|it| hardware.iter().map(move |by| (*it, *by)));
        let (mut all, on_hours) = (Vec::new(), &on_hours);
        for (owners, hardware, on_hours) in
            pairs.flat_map(|(one, two)| on_hours.iter().map(move |three| (one, two, *three)))
        {
            for (&peers, &signers) in peers.iter().flat_map(|it| signers.iter().map(move |by| (it, by)))
            {
                for controller in [false, self.controller] {
                    let some = [owners, hardware, on_hours];
                    let needs = needs(controller, [signers, peers], some, teams);
                    let special = some.into_iter().fold(count(teams), u32::saturating_add);
                    let sum = needs.people().saturating_add(special);
                    for waited in with_zero(&self.waited) {
                        all.push((sum, Needs { waited, ..needs.clone() }));
                    }
                }
            }
        }
        all
    }

    fn read(&mut self, expression: &Value) -> Result<(), Misuse> {
        if !mentions(expression) {
            return Ok(());
        }
        match operator(expression) {
            Some(("&&" | "||", sides)) => {
                self.read(sides.get("left").ok_or(Misuse::Shape)?)?;
                self.read(sides.get("right").ok_or(Misuse::Shape)?)
            }
            Some((">=", sides)) => self.count(sides, 0),
            Some((">", sides)) => self.count(sides, 1),
            Some(("contains" | "containsAll", sides)) => self.name(sides),
            Some(("==", sides)) if literal(sides.get("right")) == Some(&Value::Bool(true)) => {
                self.agreed(sides.get("left"))
            }
            _ => self.agreed(Some(expression)),
        }
    }

    /// `context.approvals.peers >= N`, or `> N` with one more; `context.waited` likewise, in seconds.
    fn count(&mut self, sides: &Value, more: i64) -> Result<(), Misuse> {
        if sides.get("left").is_some_and(is_waited) {
            let seconds = least(sides, more)?.filter(|seconds| *seconds <= WAITED_S_MAX);
            self.waited.insert(seconds.ok_or(Misuse::Time)?);
            return Ok(());
        }
        let counts = match sides.get("left").and_then(approval) {
            Some("peers") => &mut self.peers,
            Some("owners") => &mut self.owners,
            Some("signers") => &mut self.signers,
            Some("hardware") => &mut self.hardware,
            Some("on_hours") => &mut self.on_hours,
            _ => return Err(Misuse::Shape),
        };
        let least = least(sides, more)?.filter(|least| *least <= APPROVALS_MAX);
        counts.insert(least.ok_or(Misuse::Count)?);
        Ok(())
    }

    /// `context.approvals.teams.contains("payments")`, or `containsAll(["payments", "sre"])`.
    fn name(&mut self, sides: &Value) -> Result<(), Misuse> {
        if sides.get("left").and_then(approval) != Some("teams") {
            return Err(Misuse::Shape);
        }
        let right = sides.get("right").ok_or(Misuse::Shape)?;
        let listed = right.get("Set").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let named =
            literal(Some(right)).into_iter().chain(listed.iter().filter_map(|it| literal(Some(it))));
        let named: Vec<TeamId> = named.filter_map(Value::as_str).map(TeamId::new).collect();
        // One that is no literal, or none at all, is nothing that people could be asked for.
        if named.is_empty() || named.len() < listed.len() {
            return Err(Misuse::Shape);
        }
        let named: BTreeSet<TeamId> = named.into_iter().collect();
        if count(&named) > APPROVALS_MAX {
            return Err(Misuse::Count);
        }
        self.teams.extend(named);
        Ok(())
    }

    /// `context.approvals.controller`; or `context.approvals.glass`, which nobody is ever asked for.
    fn agreed(&mut self, expression: Option<&Value>) -> Result<(), Misuse> {
        match expression.and_then(approval) {
            Some("controller") => self.controller = true,
            Some("glass") => {}
            _ => return Err(Misuse::Shape),
        }
        Ok(())
    }
}

/// Needs in their one form: an owner, the holder of a hardware key, who is at work and who speaks for a team are peers, and signers
/// are asked for only if they are more than those.
fn needs(
    controller: bool,
    [signers, peers]: [u32; 2],
    [owners, hardware, on_hours]: [u32; 3],
    teams: &BTreeSet<TeamId>,
) -> Needs {
    let peers = peers.max(owners).max(hardware).max(on_hours).max(count(teams));
    let signers = if signers > peers { signers } else { 0 };
    Needs { controller, peers, owners, signers, hardware, waited: 0, teams: teams.clone(), on_hours }
}

fn count(teams: &BTreeSet<TeamId>) -> u32 {
    u32::try_from(teams.len()).unwrap_or(u32::MAX)
}

/// The least of what a comparison asks for, if it can be counted.
fn least(sides: &Value, more: i64) -> Result<Option<u32>, Misuse> {
    let least = literal(sides.get("right")).and_then(Value::as_i64).ok_or(Misuse::Shape)?;
    Ok(least.checked_add(more).and_then(|least| u32::try_from(least).ok()))
}

/// The ways in which what an expression asks for can be met: whether by people, and whether by time.
fn ways_of(expression: &Value) -> BTreeSet<[bool; 2]> {
    let side = |sides: &Value, name: &str| sides.get(name).map(ways_of).unwrap_or_default();
    match operator(expression) {
        Some(("&&", sides)) => both(&side(sides, "left"), &side(sides, "right")),
        Some(("||", sides)) => &side(sides, "left") | &side(sides, "right"),
        Some((">=" | ">", sides)) if sides.get("left").is_some_and(is_waited) => {
            BTreeSet::from([[false, true]])
        }
        Some((">=", sides)) if asks_nobody(sides, 0) => BTreeSet::from([[false, false]]),
        Some((">", sides)) if asks_nobody(sides, 1) => BTreeSet::from([[false, false]]),
        _ => BTreeSet::from([[mentions(expression), false]]),
    }
}

/// Whether so many people are none.
fn asks_nobody(sides: &Value, more: i64) -> bool {
    matches!(least(sides, more), Ok(Some(0)))
}

fn both(left: &BTreeSet<[bool; 2]>, right: &BTreeSet<[bool; 2]>) -> BTreeSet<[bool; 2]> {
    let joined = |one: &[bool; 2]| {
        let one = *one;
        right.iter().map(move |other| [one[0] || other[0], one[1] || other[1]])
    };
    left.iter().flat_map(joined).collect()
}

fn is_waited(expression: &Value) -> bool {
    attribute(expression).is_some_and(|(context, attr)| is_context(context) && attr == "waited")
}

/// The only operator at the top of an expression, with its operands.
fn operator(expression: &Value) -> Option<(&str, &Value)> {
    let map = expression.as_object().filter(|map| map.len() == 1)?;
    map.iter().next().map(|(operator, operands)| (operator.as_str(), operands))
}

fn literal(expression: Option<&Value>) -> Option<&Value> {
    expression?.get("Value")
}

/// Which approval an expression names, if it is `context.approvals.x` and nothing else.
fn approval(expression: &Value) -> Option<&str> {
    let (approvals, name) = attribute(expression)?;
    let (context, attr) = attribute(approvals)?;
    (is_context(context) && attr == "approvals").then_some(name)
}

fn attribute(expression: &Value) -> Option<(&Value, &str)> {
    let (_, operands) = operator(expression).filter(|(operator, _)| *operator == ".")?;
    Some((operands.get("left")?, operands.get("attr")?.as_str()?))
}

fn is_context(expression: &Value) -> bool {
    operator(expression).is_some_and(|(operator, name)| operator == "Var" && name == "context")
}

/// Whether approvals take any part in an expression, be it through the context as a whole.
fn mentions(expression: &Value) -> bool {
    if is_context(expression) {
        return true;
    }
    if let Some(("." | "has", operands)) = operator(expression)
        && operands.get("left").is_some_and(is_context)
        && let Some(attr) = operands.get("attr").and_then(Value::as_str)
    {
        return matches!(attr, "approvals" | "waited");
    }
    match expression {
        Value::Array(items) => items.iter().any(mentions),
        Value::Object(map) => map.values().any(mentions),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
