//! What really happened, and what only looks like it: every PostgreSQL scenario is understood and decided
//! by the preset `guarded`, in production unless the scenario says otherwise, with enough people there.

use serde_json::Value;
use tyer_core::facts::Facts;
use tyer_core::intent::{
    Digest, Environment, Intent, Narrowing, PersonId, Principal, SessionId, Timestamp, Upstream,
};
use tyer_core::policy::{Policies, Preset, Situation};
use tyer_core::verdict::{Approvals, Verdict};
use tyer_wire::postgres::understand::understand;

const SCENARIOS: &str = include_str!("../../../tyer-wire/testdata/scenarios.jsonl");

/// Steps that `guarded` decides otherwise than the scenario expects, and why that is right for now.
const OTHERWISE: [(&str, usize, &str, &str); 1] = [(
    "BYP-028",
    12,
    "hold",
    "the scenario would never let a program run on the database's host; the preset asks two people, one \
     of them an owner, as for everything dangerous, and operators may forbid it",
)];

#[test]
fn every_scenario_is_decided_as_expected() {
    let policies = Policies::preset(Preset::Guarded).expect("the preset");
    let (mut wrong, mut steps_seen, mut otherwise) = (Vec::new(), 0, 0);
    for line in SCENARIOS.lines().filter(|line| !line.trim().is_empty()) {
        let scenario: Value = serde_json::from_str(line).expect("a scenario");
        let text = |key: &str| scenario[key].as_str().unwrap_or_default().to_owned();
        assert_eq!(text("protocol"), "postgres");
        let frozen = scenario["context"]["freeze"] == "on";
        let steps = scenario["steps"].as_array().expect("steps");
        let expected = scenario["expected"].as_array().expect("expectations");
        assert_eq!(steps.len(), expected.len(), "{}", text("id"));
        for (at, (step, expect)) in steps.iter().zip(expected).enumerate() {
            steps_seen += 1;
            let came = decide(&policies, step.as_str().expect("SQL"), frozen);
            let listed = OTHERWISE.iter().find(|(id, step, _, _)| *id == text("id") && *step == at);
            let wanted = listed.map_or(expect.as_str().expect("a word"), |(_, _, wanted, _)| wanted);
            otherwise += usize::from(listed.is_some());
            if came != wanted {
                wrong.push(format!("{} step {at}: {came}, not {wanted}: {step}", text("id")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(steps_seen >= 40, "the scenarios are there: {steps_seen}");
    assert_eq!(otherwise, OTHERWISE.len(), "what is listed exists");
}

fn decide(policies: &Policies, sql: &str, frozen: bool) -> &'static str {
    let understanding = understand(sql);
    assert_eq!(understanding.syntax_error, None, "{sql}");
    let intent = Intent {
        principal: Principal {
            session: SessionId::new("s-1"),
            agent: "kiro".to_owned(),
            human: false,
            controller: PersonId::new("carol"),
            also: Vec::new(),
        },
        upstream: Upstream::new("orders"),
        environment: Environment::production(),
        acts: understanding.acts,
        digest: Digest::of(sql.as_bytes()),
        shape: understanding.shape,
        text: sql.to_owned(),
        redacted: understanding.redacted,
    };
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
        facts: &Facts::default(),
    };
    match policies.decide(&intent, &situation).verdict {
        Verdict::Allow(_) => "allow",
        Verdict::Hold(_) => "hold",
        Verdict::Deny(_) => "deny",
    }
}
