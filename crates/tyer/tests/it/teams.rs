//! Named teams: one from each, who are different people, and who was in a team when people were asked.

use serde_json::{Value, json};
use tokio_postgres::Client;
use xtask::instance::{Login, Shape};

use crate::bed::{Bed, ask, connect};

const UPDATE: &str = "UPDATE customers SET name = name WHERE id = 1";
const POLICY: &str = r#"
    @id("reads") permit (principal, action == Action::"read", resource);
    @id("writes") permit (principal, action in Action::"write", resource)
    when { context.approvals.teams.containsAll(["payments", "sre"]) };"#;
/// Carol controls the sessions.
const TEAMS: &str = "[team.payments]\nmembers = [\"alice\", \"bob\", \"carol\"]\n\
                     [team.sre]\nmembers = [\"alice\", \"carol\", \"erin\"]\n";

fn shape(sections: &'static str) -> Shape {
    let files = vec![("teams.cedar", POLICY.to_owned())];
    Shape { policy: "files = [\"teams.cedar\"]", files, sections, ..Shape::default() }
}

#[tokio::test]
async fn one_from_each_team_are_different_people_other_than_the_controller() {
    let mut bed = Bed::new(shape(TEAMS)).await;
    let agent = bed.agent().await;
    // Alice is in both teams; carol, who controls the session, speaks for none.
    let both = "two different people other than the controller, one from payments, one from sre";
    let hold = ask(&agent, UPDATE).await.unwrap_err();
    assert!(hold.message.contains(both), "{hold:?}");
    let hold = hold.hold();
    let said = bed.hold(&hold).await;
    assert_eq!(said["needs"]["teams"], json!(["payments", "sre"]));
    assert_eq!(said["still"]["words"], "alice, bob");
    bed.alice.approve(&hold).await.expect("alice speaks for one");
    let said = bed.hold(&hold).await;
    assert_eq!((&said["state"], &said["given"]["teams"]), (&json!("open"), &json!(["payments"])));
    assert_eq!(said["still"]["people"], json!(["bob"]));
    assert_eq!(ask(&agent, UPDATE).await.unwrap_err().hold(), hold, "one human is not two");
    let why = bed.carol.approve(&hold).await.expect_err("the controller").to_string();
    assert!(why.contains("controls the session"), "{why}");
    let shown = bed.tyer.run(&["show", &hold]).expect("the card");
    assert!(shown.contains("still can  bob"), "{shown}");
    bed.bob.approve(&hold).await.expect("bob");
    assert_eq!(bed.hold(&hold).await.get("still"), None);
    ask(&agent, UPDATE).await.expect("it runs");
    bed.verify();
}

#[tokio::test]
async fn who_joins_a_team_after_the_request_does_not_speak_for_it() {
    let sections = "[team.payments]\nmembers = [\"bob\"]\n[team.sre]\nmembers = [\"alice\"]\n";
    let mut bed = Bed::new(shape(sections)).await;
    let mut dave = bed.joins("dave").await;
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    let hold = ask(&agent, UPDATE).await.unwrap_err().hold();
    // Dave joins by a change of the file that two people confirm; until then the door is closed.
    bed.tyer.kill();
    let later = "[team.payments]\nmembers = [\"bob\"]\n[team.sre]\nmembers = [\"alice\", \"dave\"]\n";
    bed.tyer.configure(&bed.cluster, &shape(later)).expect("a changed configuration");
    bed.tyer.resume().expect("a restart");
    assert!(connect(bed.tyer.door, &login.session, &login.password).await.is_err(), "closed");
    for person in [&mut bed.alice, &mut bed.bob] {
        person.sign_in().await.expect("sign-in");
        person.decide(&json!({ "configure": "team sre" }), "").await.expect("a confirmation");
    }
    let agent = bed.connect(&login).await;
    dave.sign_in().await.expect("sign-in");
    assert_eq!(bed.hold(&hold).await["still"]["people"], json!(["alice", "bob"]));
    bed.bob.approve(&hold).await.expect("bob");
    dave.approve(&hold).await.expect("dave is a peer, and no more than that here");
    assert_eq!(bed.hold(&hold).await["state"], "open");
    assert_eq!(ask(&agent, UPDATE).await.unwrap_err().hold(), hold);
    bed.alice.approve(&hold).await.expect("alice was there");
    ask(&agent, UPDATE).await.expect("it runs");
    // At later ones he speaks for it.
    let hold = ask(&agent, UPDATE).await.unwrap_err().hold();
    bed.bob.approve(&hold).await.expect("bob");
    dave.approve(&hold).await.expect("dave");
    ask(&agent, UPDATE).await.expect("it runs");
    bed.verify();
}

#[tokio::test]
async fn a_team_that_nobody_else_is_in_is_refused_and_one_that_emptied_is_said() {
    // Only alice could speak for either.
    let sections =
        "[team.payments]\nmembers = [\"alice\", \"carol\"]\n[team.sre]\nmembers = [\"alice\"]\n";
    let bed = Bed::new(shape(sections)).await;
    let agent = bed.agent().await;
    let refused = ask(&agent, UPDATE).await.unwrap_err();
    assert!(refused.message.contains("there are not enough of them"), "{refused:?}");
    drop(bed);
    let sections = "[team.payments]\nmembers = [\"bob\"]\n[team.sre]\nmembers = [\"alice\"]\n";
    let mut bed = Bed::new(shape(sections)).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, UPDATE).await.unwrap_err().hold();
    bed.carol.decide(&json!({ "link": ["bob", "carol"] }), "").await.expect("said to be one human");
    let said = bed.hold(&hold).await;
    assert_eq!(
        (&said["still"]["people"], &said["still"]["enough"]),
        (&json!(["alice"]), &json!(false))
    );
    bed.alice.approve(&hold).await.expect("alice");
    let words = "nobody can give what is missing";
    assert_eq!(bed.hold(&hold).await["still"]["words"], words);
    bed.verify();
}

#[tokio::test]
async fn a_policy_that_names_a_team_which_there_is_not_does_not_load() {
    let mut bed = Bed::new(shape(TEAMS)).await;
    bed.tyer.kill();
    let without = shape("[team.payments]\nmembers = [\"bob\"]\n");
    bed.tyer.configure(&bed.cluster, &without).expect("a changed configuration");
    assert!(bed.tyer.resume().is_err(), "it does not start");
    let names = "names the team `sre`, which the configuration does not have";
    for arguments in [&["doctor"][..], &["policy", "check"]] {
        let output = bed.tyer.output(arguments).expect("an answer");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && said.contains(names), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn an_allowance_asks_for_the_teams_on_its_card_after_a_restart_too() {
    let mut bed = Bed::new(shape(TEAMS)).await;
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    let hold = ask(&agent, UPDATE).await.unwrap_err().hold();
    let words = ["--json", "allowance", "ask", hold.as_str(), "--count", "3", "--for", "1h"];
    let said = bed.tyer.run(&words).expect("an allowance is asked for");
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let allowance = said["hold"].as_str().expect("a hold").to_owned();
    bed.alice.approve(&allowance).await.expect("alice speaks for one");
    let agent = restarted(&mut bed, &login).await;
    let card = bed.hold(&allowance).await;
    assert_eq!((&card["state"], &card["given"]["teams"]), (&json!("open"), &json!(["payments"])));
    assert_eq!(card["needs"]["teams"], json!(["payments", "sre"]));
    assert_eq!(ask(&agent, UPDATE).await.unwrap_err().hold(), hold, "one of two");
    bed.bob.approve(&allowance).await.expect("bob");
    ask(&agent, UPDATE).await.expect("a use");
    let agent = restarted(&mut bed, &login).await;
    let card = bed.hold(&allowance).await;
    assert_eq!(
        (&card["state"], &card["given"]["teams"]),
        (&json!("active"), &json!(["payments", "sre"]))
    );
    ask(&agent, UPDATE).await.expect("another one");
    assert_eq!(bed.hold(&allowance).await["allowance"]["left"], 1);
    bed.verify();
}

async fn restarted(bed: &mut Bed, login: &Login) -> Client {
    bed.tyer.kill();
    bed.tyer.resume().expect("a restart");
    for person in [&mut bed.alice, &mut bed.bob] {
        person.sign_in().await.expect("sign-in");
    }
    bed.connect(login).await
}
