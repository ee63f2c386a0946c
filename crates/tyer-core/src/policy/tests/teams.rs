//! Which teams a hold asks for.

use super::*;

fn teams(text: &str) -> BTreeSet<TeamId> {
    text.split_whitespace().map(TeamId::new).collect()
}

const ALL: &str = r#"@id("all") permit (principal, action, resource);"#;

/// Asks of a destruction; `speakers` are people's teams, `given` the teams that have agreed, each by a peer.
fn check(text: &str, speakers: &str, given: &str, expect: &str) {
    let set = own(text);
    let peers = u32::try_from(teams(given).len()).expect("few");
    let speakers: Vec<_> = speakers.split(',').map(teams).collect();
    let given = Approvals { teams: teams(given), ..passkeys(false, peers, 0) };
    let around = Around { speakers, given, ..Around::default() };
    let decision = set.decide(&intent("production", &[act(Effect::Destroy, "t")]), &around.situation());
    let said = match &decision.verdict {
        Verdict::Hold(needs) => needs.in_words(),
        Verdict::Deny(refusal) => format!("{}: {}", refusal.reason.as_str(), refusal.message),
        Verdict::Allow(_) => "allow".to_owned(),
    };
    assert_eq!(said, expect, "{text}");
}

fn unless(condition: &str) -> String {
    format!("{ALL}\n@id(\"teams\") forbid (principal, action, resource) unless {{ {condition} }};")
}

#[test]
fn each_team_asks_for_a_person_of_its_own() {
    let both = unless(r#"context.approvals.teams.containsAll(["payments", "sre"])"#);
    let two = "two different people other than the controller, one from payments, one from sre";
    check(&both, "payments,sre", "", two);
    check(&both, "payments sre,sre", "payments", two);
    check(&both, "payments,sre", "payments sre", "allow");
    let apart = unless(r#"context.approvals.teams.contains("sre")"#)
        + r#"@id("too") forbid (principal, action, resource) unless { context.approvals.teams.contains("payments") };"#;
    check(&apart, "payments,sre", "", two);
    let more = unless(r#"context.approvals.peers >= 3 && context.approvals.teams.contains("sre")"#);
    check(&more, "sre", "", "three different people other than the controller, one from sre");
}

#[test]
fn one_human_in_two_teams_is_not_two_people() {
    let both = unless(r#"context.approvals.teams.containsAll(["payments", "sre"])"#);
    let nobody = "nobody_can: it would need two different people other than the controller, one from payments, \
                  one from sre, and there are not enough of them";
    check(&both, "payments sre", "", nobody);
    check(&both, "payments,payments", "", nobody);
    check(&both, "payments sre,", "", nobody);
}

#[test]
fn the_fewest_that_there_are_are_asked() {
    let either =
        unless(r#"context.approvals.teams.contains("payments") || context.approvals.peers >= 2"#);
    check(&either, "payments", "", "one person other than the controller, from payments");
    check(&either, "", "", "two different people other than the controller");
    let any = unless(
        r#"context.approvals.teams.contains("a") || context.approvals.teams.containsAll(["b", "c"])"#,
    );
    check(&any, "a,b,c", "", "one person other than the controller, from a");
    check(&any, "b,c", "", "two different people other than the controller, one from b, one from c");
}

#[test]
fn teams_of_other_upstreams_cost_nothing() {
    let mut text = ALL.to_owned();
    for at in 0..40 {
        text.push_str(&format!(
            "@id(\"u{at}\") forbid (principal, action, resource) when {{ resource.upstream == \"u{at}\" }}\n\
             unless {{ context.approvals.teams.contains(\"t{at}\") }};"
        ));
    }
    check(&text, "", "", "allow");
    let ours = text.replace("u7\" }", "orders\" }");
    check(&ours, "t7,t8", "", "one person other than the controller, from t7");
}

#[test]
fn too_many_ways_are_refused() {
    let some = |count: usize| {
        let ways = (0..count).map(|at| format!("context.approvals.teams.contains(\"t{at}\")"));
        unless(&ways.collect::<Vec<_>>().join(" || "))
    };
    check(&some(6), "t5", "", "one person other than the controller, from t5");
    let why = "policy_error: the policies could not be evaluated for this request, so it is refused";
    check(&some(7), "t5", "", why);
}

#[test]
fn a_team_that_is_not_configured_is_refused_with_the_place() {
    let text = unless(r#"context.approvals.teams.containsAll(["payments", "sre"])"#);
    let set = own(&text);
    assert_eq!(set.name_only(&teams("payments sre others")), Ok(()));
    let error = set.name_only(&teams("payments")).expect_err("there is no sre");
    let says = "own.cedar:2:1: policy `teams` names the team `sre`, which the configuration does not have; add [team.sre]";
    assert_eq!(error.to_string(), says);
    assert_eq!(set.name_only(&teams("")).expect_err("neither").flaws.len(), 2);
}

#[test]
fn people_at_work_are_peers_whom_there_must_be() {
    let check = |possible: u32, given: (u32, u32), expect: &str| {
        let set = own(&unless("context.approvals.on_hours >= 1 && context.approvals.peers >= 2"));
        let (peers, on_hours) = given;
        let given = Approvals { on_hours, ..passkeys(false, peers, 0) };
        let possible = Approvals { on_hours: possible, ..passkeys(true, 4, 4) };
        let around = Around { given, possible, ..Around::default() };
        let asks = intent("production", &[act(Effect::Destroy, "t")]);
        let said = match set.decide(&asks, &around.situation()).verdict {
            Verdict::Hold(needs) => needs.in_words(),
            Verdict::Deny(refusal) => refusal.reason.as_str().to_owned(),
            Verdict::Allow(_) => "allow".to_owned(),
        };
        assert_eq!(said, expect);
    };
    let two = "two different people other than the controller, one of them in their working hours";
    check(1, (0, 0), two);
    check(1, (2, 0), two);
    check(1, (2, 1), "allow");
    check(0, (0, 0), "nobody_can");
}
