//! What really happened, and what only looks like it: every scenario of PostgreSQL and AWS is understood and decided by
//! the preset `guarded`, in production unless the scenario says otherwise, with enough people there. The steps of one
//! scenario are those of one session, and what is held was approved and done before the next.

use serde_json::Value;
use tyer_core::facts::Facts;
use tyer_core::intent::{
    Acts, Digest, Environment, Intent, Narrowing, PersonId, Principal, SessionId, Timestamp, Upstream,
};
use tyer_core::policy::{Policies, Preset, Situation, Source};
use tyer_core::sequence::{History, Pattern};
use tyer_core::verdict::{Approvals, LeafIndex, Verdict};
use tyer_wire::aws;
use tyer_wire::aws::resources::Owner;
use tyer_wire::aws::understand::{Change, ENVIRONMENT_TAGS, Terms, carried_out};
use tyer_wire::postgres::understand::understand;

const SCENARIOS: &str = include_str!("../../../tyer-wire/testdata/scenarios.jsonl");
/// Policies that refuse agents what raises their own power or blinds the audit trail, as the documentation gives them.
const NO_ESCALATION: &str = include_str!("../../../../docs/policies/aws-agents.cedar");

/// Steps that `guarded` decides otherwise than the scenario expects, and why that is right for now.
const OTHERWISE: [(&str, usize, &str, &str); 4] = [
    (
        "BYP-028",
        12,
        "hold",
        "the scenario would never let a program run on the database's host; the preset asks two people, one \
         of them an owner, as for everything dangerous, and operators may forbid it",
    ),
    ("BYP-031", 0, "hold", ESCALATION),
    ("BYP-031", 2, "hold", ESCALATION),
    ("BYP-031", 3, "hold", ESCALATION),
];

const ESCALATION: &str = "the preset asks two people, one of them an owner, since somebody has to be able to do it; \
                          docs/policies/aws-agents.cedar refuses it to agents";

#[test]
fn every_scenario_is_decided_as_expected() {
    let policies = Policies::preset(Preset::Guarded).expect("the preset");
    let (mut wrong, mut steps_seen, mut otherwise) = (Vec::new(), 0, 0);
    for scenario in scenarios() {
        let id = scenario.id.as_str();
        for (at, (came, expect)) in decide_all(&policies, &scenario).into_iter().enumerate() {
            steps_seen += 1;
            let listed = OTHERWISE.iter().find(|(of, step, _, _)| *of == id && *step == at);
            let wanted = listed.map_or(expect.as_str(), |(_, _, wanted, _)| wanted);
            otherwise += usize::from(listed.is_some());
            if came.verdict != wanted {
                wrong.push(format!("{id} step {at}: {}, not {wanted}", came.verdict));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(steps_seen >= 60, "the scenarios are there: {steps_seen}");
    assert_eq!(otherwise, OTHERWISE.len(), "what is listed exists");
}

#[test]
fn what_steps_come_to_together_is_named() {
    let policies = Policies::preset(Preset::Guarded).expect("the preset");
    let patterns = |id: &str, step: usize| {
        let scenario = scenarios().into_iter().find(|scenario| scenario.id == id).expect("a scenario");
        decide_all(&policies, &scenario).swap_remove(step).0.patterns
    };
    assert!(patterns("INC-001", 1).is_empty());
    assert_eq!(patterns("INC-001", 2), [Pattern::Recreate]);
    assert_eq!(patterns("INC-009", 1), [Pattern::DisarmThenDestroy, Pattern::BackupThenDestroy]);
}

/// The policies of the documentation refuse agents what the scenario wants refused, and leave the rest to people.
#[test]
fn agents_are_refused_more_power_where_the_documented_policies_are_used() {
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.to_owned() };
    let sources =
        [source("guarded", Preset::Guarded.text()), source("aws-agents.cedar", NO_ESCALATION)];
    let policies = Policies::load(&sources).expect("the policies");
    for id in ["BYP-031", "INC-001", "INC-002", "BEN-083", "BEN-084", "CLS-002"] {
        let scenario = scenarios().into_iter().find(|scenario| scenario.id == id).expect("a scenario");
        for (came, expect) in decide_all(&policies, &scenario) {
            assert_eq!(came.verdict, expect, "{id}");
        }
    }
}

struct Scenario {
    id: String,
    protocol: String,
    frozen: bool,
    /// What a change set would do, if the scenario says.
    changes: Option<Change>,
    steps: Vec<(String, String)>,
}

fn scenarios() -> Vec<Scenario> {
    let read = |line: &str| {
        let scenario: Value = serde_json::from_str(line).expect("a scenario");
        let text = |key: &str| scenario[key].as_str().unwrap_or_default().to_owned();
        let texts = |key: &str| {
            let items = scenario[key].as_array().expect("a list").iter();
            items.map(|it| it.as_str().expect("a text").to_owned()).collect::<Vec<_>>()
        };
        let (steps, expected) = (texts("steps"), texts("expected"));
        assert_eq!(steps.len(), expected.len(), "{}", text("id"));
        Scenario {
            id: text("id"),
            protocol: text("protocol"),
            frozen: scenario["context"]["freeze"] == "on",
            changes: scenario["context"]["changeset"].as_str().map(change),
            steps: steps.into_iter().zip(expected).collect(),
        }
    };
    SCENARIOS.lines().filter(|line| !line.trim().is_empty()).map(read).collect()
}

/// `Modify AWS::RDS::DBInstance CostStore Replacement=True`.
fn change(text: &str) -> Change {
    let words: Vec<&str> = text.split(' ').collect();
    let [action, kind, logical, replacement] = words.as_slice() else { panic!("{text}") };
    Change {
        action: (*action).to_owned(),
        replacement: replacement.trim_start_matches("Replacement=").to_owned(),
        kind: (*kind).to_owned(),
        logical: (*logical).to_owned(),
        ..Change::default()
    }
}

struct Decided {
    verdict: &'static str,
    patterns: Vec<Pattern>,
}

/// What comes of each step, and what is expected.
fn decide_all(policies: &Policies, scenario: &Scenario) -> Vec<(Decided, String)> {
    let mut history = History::default();
    let mut decided = Vec::new();
    for (leaf, (step, expect)) in (0..).map(LeafIndex).zip(&scenario.steps) {
        let acts = match scenario.protocol.as_str() {
            "aws" => of_aws(step),
            _ => of_sql(step),
        };
        let intent = intent(step, acts);
        let found = decide(policies, (&intent, &history), scenario.frozen);
        // What is known of a change set makes it no less than what has to be feared of it.
        if let Some(change) = scenario.changes.clone() {
            let acts = carried_out(&intent.acts, &[change], &ENVIRONMENT_TAGS.map(str::to_owned));
            let known = Intent { acts, ..intent.clone() };
            assert_eq!(decide(policies, (&known, &history), scenario.frozen).verdict, found.verdict);
        }
        if let Some((mark, _)) =
            history.note(&intent, true, Timestamp(0)).filter(|_| found.verdict != "deny")
        {
            history.recorded(mark, leaf);
            history.done(leaf);
        }
        decided.push((found, expect.clone()));
    }
    decided
}

fn of_sql(sql: &str) -> Acts {
    let understanding = understand(sql);
    assert_eq!(understanding.syntax_error, None, "{sql}");
    understanding.acts
}

fn of_aws(request: &str) -> Acts {
    let decoded =
        aws::written::read(request, "us-east-1").unwrap_or_else(|why| panic!("{request}: {why}"));
    let partition = aws::table::partition(&decoded.region).expect("a region");
    let tags = ENVIRONMENT_TAGS.map(str::to_owned);
    let owner = Owner { account: "111122223333", partition };
    aws::understand::understand(&decoded, &Terms { owner, environment_tags: &tags })
}

fn intent(text: &str, acts: Acts) -> Intent {
    Intent {
        principal: Principal {
            session: SessionId::new("s-1"),
            agent: "kiro".to_owned(),
            human: false,
            controller: PersonId::new("carol"),
            also: Vec::new(),
        },
        upstream: Upstream::new("orders"),
        environment: Environment::production(),
        acts,
        digest: Digest::of(text.as_bytes()),
        shape: Digest::of(text.as_bytes()),
        text: text.to_owned(),
        redacted: text.to_owned(),
    }
}

fn decide(policies: &Policies, (intent, history): (&Intent, &History), frozen: bool) -> Decided {
    let found = history.look(intent, Timestamp(0));
    let facts = Facts { sequences: found.sequences.into_iter().collect(), ..Facts::default() };
    let patterns = facts.sequences.iter().map(|sequence| sequence.pattern).collect();
    let situation = Situation {
        now: Timestamp(0),
        frozen,
        narrowing: &Narrowing::default(),
        given: Approvals::default(),
        possible: Approvals {
            controller: true,
            peers: 2,
            owners: 1,
            signers: 2,
            ..Approvals::default()
        },
        speakers: &[],
        asked: false,
        facts: &facts,
    };
    let verdict = match policies.decide(intent, &situation).verdict {
        _ if found.refused.is_some() => "deny",
        Verdict::Allow(_) => "allow",
        Verdict::Hold(_) => "hold",
        Verdict::Deny(_) => "deny",
    };
    Decided { verdict, patterns }
}
