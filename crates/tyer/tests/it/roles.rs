//! Roles: auditors decide nothing, approvers give nobody power, and the last two operators stay.

use serde_json::{Value, json};
use xtask::approver::Approver;
use xtask::cluster::Cluster;
use xtask::instance::{Instance, Shape};

use crate::bed::{Bed, ask, connect, program};

const UPDATE: &str = "UPDATE customers SET name = name WHERE id = 1";

fn shape(sections: &'static str) -> Shape {
    Shape { sections, ..Shape::default() }
}

async fn refused(person: &mut Approver, wish: Value, why: &str) {
    let said = person.decide(&wish, "").await.expect_err(why).to_string();
    assert!(said.contains(why), "{wish}: {said}");
}

#[tokio::test]
async fn who_becomes_an_auditor_decides_nothing_and_what_they_approved_is_taken_back() {
    let mut bed = Bed::new(shape("")).await;
    let mut dave = bed.joins("dave").await;
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    let hold = ask(&agent, UPDATE).await.unwrap_err().hold();
    dave.approve(&hold).await.expect("dave");
    bed.until(&hold, "approved").await;
    assert!(bed.restarts(&shape("[person.dave]\nrole = \"auditor\"\n")), "it starts");
    // Doors are closed until two others have confirmed it, and he is one already.
    assert!(connect(bed.tyer.door, &login.session, &login.password).await.is_err(), "closed");
    dave.sign_in().await.expect("an auditor signs in");
    let nothing = "reads everything and decides nothing";
    refused(&mut dave, json!({ "configure": "role dave" }), nothing).await;
    for person in [&mut bed.alice, &mut bed.bob] {
        person.sign_in().await.expect("sign-in");
        person.decide(&json!({ "configure": "role dave" }), "").await.expect("a confirmation");
    }
    assert_eq!(bed.hold(&hold).await["state"], "abandoned");
    let agent = bed.connect(&login).await;
    let hold = ask(&agent, UPDATE).await.unwrap_err().hold();
    refused(&mut dave, json!({ "approve": hold }), nothing).await;
    refused(&mut dave, json!({ "reject": hold }), nothing).await;
    let (status, card) = dave.http().get(&format!("/api/v1/holds/{hold}")).await.expect("an answer");
    assert_eq!((status.as_u16(), &card["state"]), (200, &json!("open")));
    let (_, people) = bed.alice.http().get("/api/v1/people").await.expect("an answer");
    assert!(people.to_string().contains("\"role\":\"auditor\""), "{people}");
    bed.alice.approve(&hold).await.expect("alice");
    ask(&agent, UPDATE).await.expect("it runs");
    bed.verify();
    // Being one no more takes two others as well.
    assert!(bed.restarts(&shape("")), "it starts");
    dave.sign_in().await.expect("he still signs in");
    refused(&mut dave, json!({ "configure": "role dave" }), nothing).await;
    for person in [&mut bed.alice, &mut bed.bob] {
        person.sign_in().await.expect("sign-in");
        person.decide(&json!({ "configure": "role dave" }), "").await.expect("a confirmation");
    }
    let agent = bed.connect(&login).await;
    let other = "UPDATE customers SET name = name WHERE id = 2";
    let hold = ask(&agent, other).await.unwrap_err().hold();
    dave.approve(&hold).await.expect("he counts again");
    ask(&agent, other).await.expect("it runs");
    bed.verify();
}

#[tokio::test]
async fn an_approver_answers_and_gives_nobody_power() {
    let mut bed = Bed::new(shape("[person.dave]\nrole = \"approver\"\n")).await;
    let mut dave = bed.joins("dave").await;
    let agent = bed.agent().await;
    let hold = ask(&agent, UPDATE).await.unwrap_err().hold();
    dave.approve(&hold).await.expect("dave");
    ask(&agent, UPDATE).await.expect("it runs");
    bed.alice.decide(&json!({ "invite": "erin" }), "").await.expect("an invitation");
    for wish in [json!({ "invite": "frank" }), json!({ "recover": "bob" })] {
        refused(&mut dave, wish, "dave is an approver, who may not decide that").await;
    }
    bed.verify();
}

#[tokio::test]
async fn the_last_two_operators_stay() {
    let mut bed = Bed::new(shape("")).await;
    let two = "[person.alice]\nrole = \"auditor\"\n[person.bob]\nrole = \"approver\"\n";
    assert!(!bed.restarts(&shape(two)), "carol alone is not enough");
    assert!(bed.restarts(&shape("[person.bob]\nrole = \"approver\"\n")), "alice and carol are");
    for person in [&mut bed.alice, &mut bed.carol] {
        person.sign_in().await.expect("sign-in");
        person.decide(&json!({ "configure": "role bob" }), "").await.expect("a confirmation");
    }
    bed.bob.sign_in().await.expect("sign-in");
    let (_, people) = bed.alice.http().get("/api/v1/people").await.expect("an answer");
    let all = people["people"].as_array().expect("people");
    let carol = all.iter().find(|it| it["name"] == "carol").expect("carol");
    let key = carol["passkey_list"][0]["digest"].clone();
    refused(&mut bed.bob, json!({ "remove_passkey": key }), "of the last two operators").await;
    bed.verify();
}

/// With two people who are less than two operators nobody could ever change that again: it is said before they enrol.
#[tokio::test]
async fn a_founder_who_is_no_operator_is_refused_before_anybody_enrols() {
    let cluster = Cluster::start().expect("a cluster");
    let sections = "[person.bob]\nrole = \"approver\"\n";
    let refused = Instance::start(program().as_ref(), &cluster, &shape(sections)).unwrap_err();
    let said = refused.to_string();
    let line = "tyer.toml makes them fewer by [person.bob] role = ";
    assert!(said.contains(line), "{said}");
}

/// What somebody asked for who may not ask for it any more is not confirmed.
#[tokio::test]
async fn who_is_no_operator_any_more_has_let_nobody_enrol_anew() {
    let mut bed = Bed::new(Shape::default()).await;
    let link = bed.bob.decide(&json!({ "recover": "carol" }), "").await.expect("a link");
    let url = link.pointer("/invited/url").and_then(Value::as_str).expect("a link");
    let token = url.rsplit('/').next().expect("a token");
    Approver::enrol_only("carol", token, bed.tyer.console).await.expect("enrolled");
    restarted(&mut bed, "[person.bob]\nrole = \"approver\"\n").await;
    for person in [&mut bed.alice, &mut bed.carol] {
        person.decide(&json!({ "configure": "role bob" }), "").await.expect("an approver");
    }
    let (_, people) = bed.alice.http().get("/api/v1/people").await.expect("an answer");
    let all = people["people"].as_array().expect("people");
    let carol = all.iter().find(|it| it["name"] == "carol").expect("carol");
    let confirm = json!({ "confirm_passkey": carol["passkey_list"][1]["digest"] });
    refused(&mut bed.alice, confirm, "bob asked for it and may not do so any more").await;
    bed.carol.sign_in().await.expect("her passkey counts still");
    bed.verify();
}

#[tokio::test]
async fn names_are_not_made_one_so_that_two_are_not_left() {
    let mut bed = Bed::new(Shape::default()).await;
    bed.alice.decide(&json!({ "link": ["alice", "bob"] }), "").await.expect("two are left");
    let refused = bed.carol.decide(&json!({ "link": ["carol", "alice"] }), "").await.unwrap_err();
    assert!(refused.to_string().contains("not be two operators"), "{refused}");
}

/// Whoever is said to be what they are is that without anybody's word.
#[tokio::test]
async fn a_role_that_everybody_has_anyway_closes_nothing() {
    let mut bed = Bed::new(Shape::default()).await;
    let sections = "[person.alice]\nrole = \"operator\"\n\n[person.bob]\nrole = \"operator\"\n";
    restarted(&mut bed, sections).await;
    bed.agent().await;
    let (_, said) = bed.alice.http().get("/api/v1/people").await.expect("people");
    let people = said["people"].as_array().expect("people").iter();
    assert_eq!(people.filter(|person| person["counts"] == true).count(), 3, "{said}");
}

/// What somebody signed who may not confirm any more counts for nothing.
#[tokio::test]
async fn who_is_no_operator_any_more_has_confirmed_nothing() {
    let mut bed = Bed::new(Shape::default()).await;
    restarted(&mut bed, "[agent.kiro]\nowners = [\"alice\"]\n").await;
    bed.bob.decide(&json!({ "configure": "agent kiro" }), "").await.expect("bob is one of two");
    let both = "[agent.kiro]\nowners = [\"alice\"]\n\n[person.bob]\nrole = \"approver\"\n";
    restarted(&mut bed, both).await;
    for person in [&mut bed.alice, &mut bed.carol] {
        person.decide(&json!({ "configure": "role bob" }), "").await.expect("an approver");
    }
    bed.alice.decide(&json!({ "configure": "agent kiro" }), "").await.expect("alice");
    let (_, said) = bed.alice.http().get("/api/v1/configuration").await.expect("parts");
    let parts = said["parts"].as_array().expect("parts");
    let kiro = parts.iter().find(|part| part["part"] == "agent kiro").expect("the agent");
    assert!(kiro["pending"].is_string(), "one operator is not two: {kiro}");
    bed.carol.decide(&json!({ "configure": "agent kiro" }), "").await.expect("carol");
    bed.agent().await;
    bed.verify();
}

/// Starts it again with these sections; everybody signs in anew.
async fn restarted(bed: &mut Bed, sections: &'static str) {
    assert!(bed.restarts(&shape(sections)), "it starts");
    for person in [&mut bed.alice, &mut bed.bob, &mut bed.carol] {
        person.sign_in().await.expect("a sign-in");
    }
}
