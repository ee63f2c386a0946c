//! Requests of one shape, approved together by one signature over the whole list of them; and the tricks with such lists.

use serde_json::{Value, json};
use tokio_postgres::Client;
use xtask::approver::Approver;
use xtask::instance::Shape;

use crate::bed::{Bed, ask, record};

/// A bed with notes, which carol's agent changes only if another person agrees.
pub(crate) async fn noted(shape: Shape) -> Bed {
    let bed = Bed::new(shape).await;
    bed.truth("CREATE TABLE notes (id int PRIMARY KEY, n int)");
    bed.truth("INSERT INTO notes SELECT g, 0 FROM generate_series(1, 100) g");
    bed.truth("ALTER TABLE notes OWNER TO tyer");
    bed.truth("ANALYZE notes");
    bed
}

pub(crate) fn one(id: usize) -> String {
    format!("UPDATE notes SET n = {id} WHERE id = {id}")
}

fn changed(bed: &Bed) -> String {
    bed.truth("SELECT count(*) FROM notes WHERE n > 0")
}

pub(crate) async fn held(agent: &Client, sql: &str) -> String {
    ask(agent, sql).await.expect_err(sql).hold()
}

/// So many holds of one shape.
async fn many(agent: &Client, count: usize) -> Vec<String> {
    let mut holds = Vec::new();
    for id in 1..=count {
        holds.push(held(agent, &one(id)).await);
    }
    holds
}

async fn refused(approver: &mut Approver, holds: &[&String]) -> String {
    approver.statement(&json!({ "approve_all": holds })).await.expect_err("no statement").to_string()
}

async fn given(bed: &mut Bed, hold: &str) -> Value {
    bed.hold(hold).await["given"]["peers"].clone()
}

#[tokio::test]
async fn one_signature_approves_the_whole_list_and_nothing_else() {
    let mut bed = noted(Shape::default()).await;
    let agent = bed.agent().await;
    let holds = many(&agent, 12).await;
    // Handed in in any order it is signed in one.
    let wish = json!({ "approve_all": holds[..11].iter().rev().collect::<Vec<_>>() });
    let statement = bed.alice.statement(&wish).await.expect("a statement");
    let subjects = statement["statement"]["what"]["subjects"].as_array().expect("a list").clone();
    assert_eq!(subjects.len(), 11);
    for (subject, hold) in subjects.iter().zip(&holds) {
        let card = bed.hold(hold).await;
        let of = |it: &Value, names: [&str; 4]| names.map(|name| it[name].clone());
        assert_eq!(
            of(subject, ["hold", "card", "request", "policy_set"]),
            of(&card, ["hold", "card_digest", "request_digest", "policy_set"]),
        );
    }
    bed.alice.answer(&statement, "all of these").await.expect("alice");
    for id in 1..=11 {
        ask(&agent, &one(id)).await.unwrap_or_else(|refused| panic!("{id}: {refused:?}"));
    }
    assert_eq!(held(&agent, &one(12)).await, holds[11], "it was not in the list");
    assert_eq!(held(&agent, &one(13)).await, "H-13", "and nothing follows from it");
    assert_eq!(changed(&bed), "11");
    let leaves = bed.leaves_of("approved");
    let of = |name| leaves.iter().map(|leaf| record(leaf)[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("hold"), holds[..11], "each has a leaf of its own");
    let signed = |leaf: &Value| record(leaf)["approval"]["signed"].clone();
    assert!(leaves.iter().all(|leaf| signed(leaf) == signed(&leaves[0])), "with the one signature");
    bed.verify();
}

#[tokio::test]
async fn what_is_not_alike_or_has_ended_is_not_in_a_list() {
    let mut bed = noted(Shape::default()).await;
    let agent = bed.agent().await;
    let holds = many(&agent, 3).await;
    let another = held(&agent, "UPDATE notes SET n = 1 WHERE id >= 4").await;
    let elsewhere = held(&bed.agent().await, &one(4)).await;
    bed.bob.reject(&holds[2], "not this one").await.expect("bob");
    let check = |holds: &[&String], expect: &'static str| {
        (holds.iter().map(ToString::to_string).collect::<Vec<_>>(), expect)
    };
    let nobodys = "H-99".to_owned();
    for (list, expect) in [
        check(&[&holds[0], &another], "are not of one shape, session"),
        check(&[&holds[0], &elsewhere], "are not of one shape, session"),
        check(&[&holds[0], &holds[2]], "bob rejected it"),
        check(&[&holds[0], &holds[0]], "twice"),
        check(&[&holds[0]], "from 2 to 20"),
        check(&[], "from 2 to 20"),
        check(&[&holds[0], &nobodys], "no hold H-99"),
    ] {
        let why = refused(&mut bed.alice, &list.iter().collect::<Vec<_>>()).await;
        assert!(why.contains(expect), "{list:?}: {why}");
    }
    bed.verify();
}

#[tokio::test]
async fn a_dangerous_one_is_in_no_list_in_production() {
    for (environment, is_listed) in [("production", false), ("unheard-of", false), ("staging", true)] {
        let text =
            "@id(\"asks\") permit (principal, action, resource) when { context.approvals.peers >= 1 };";
        let (policy, files) = ("files = [\"own.cedar\"]", vec![("own.cedar", text.to_owned())]);
        let shape = Shape { preset: "ask", environment, policy, files, ..Shape::default() };
        let mut bed = noted(shape).await;
        let agent = bed.agent().await;
        let delete = |id: u32| format!("DELETE FROM notes WHERE id = {id}");
        let holds = [held(&agent, &delete(1)).await, held(&agent, &delete(2)).await];
        let said = bed.alice.decide(&json!({ "approve_all": holds }), "").await;
        assert_eq!(said.is_ok(), is_listed, "{environment}: {said:?}");
        if let Err(why) = said {
            assert!(why.to_string().contains("is dangerous in production"), "{environment}: {why}");
            assert_eq!(held(&agent, &delete(1)).await, holds[0]);
        } else {
            ask(&agent, &delete(1)).await.expect("approved");
        }
        bed.verify();
    }
}

#[tokio::test]
async fn an_allowance_is_in_no_list() {
    let mut bed = noted(Shape::default()).await;
    let agent = bed.agent().await;
    let holds = many(&agent, 2).await;
    let said = bed.tyer.run(&["--json", "allowance", "ask", &holds[0], "--for", "2h", "--count", "5"]);
    let asked: Value = serde_json::from_str(&said.expect("it is asked for")).expect("JSON");
    let allowance = asked["hold"].as_str().expect("a hold").to_owned();
    let why = refused(&mut bed.alice, &[&holds[1], &allowance]).await;
    assert!(why.contains("asks for an allowance"), "{why}");
    bed.verify();
}

/// The signature of one statement handed in for another.
fn crossed(signed: &Value, nonce_of: &Value) -> Value {
    let mut crossed = signed.clone();
    crossed["nonce"] = nonce_of["statement"]["nonce"].clone();
    crossed
}

#[tokio::test]
async fn the_signature_of_a_list_is_good_once_and_for_no_other() {
    let mut bed = noted(Shape::default()).await;
    let agent = bed.agent().await;
    let holds = many(&agent, 4).await;
    let wish = json!({ "approve_all": [holds[0], holds[1]] });
    let statement = bed.alice.statement(&wish).await.expect("a statement");
    let signed = bed.alice.signed(&statement, "").expect("a signature");
    for other in [
        json!({ "approve": holds[2] }),
        json!({ "approve": holds[0] }),
        json!({ "approve_all": [holds[2], holds[3]] }),
        json!({ "approve_all": [holds[0], holds[1], holds[2]] }),
        json!({ "approve_all": [holds[0], holds[1]] }),
    ] {
        let target = bed.alice.statement(&other).await.expect("a statement");
        let why = bed.alice.send(&crossed(&signed, &target)).await.expect_err("refused").to_string();
        assert!(why.contains("over another statement"), "{other}: {why}");
    }
    // What was signed is what the gateway keeps, whatever list is sent along.
    let mut swapped = statement.clone();
    swapped["statement"]["what"]["subjects"][1]["hold"] = json!(holds[2]);
    let sent = bed.alice.signed(&swapped, "").expect("a signature");
    bed.alice.send(&sent).await.expect("the statement that was prepared");
    assert_eq!(given(&mut bed, &holds[1]).await, 1);
    for hold in &holds[2..] {
        assert_eq!(given(&mut bed, hold).await, 0, "{hold}");
    }
    let again = bed.alice.send(&signed).await.expect_err("it was used").to_string();
    assert!(again.contains("used already"), "{again}");
    bed.verify();
}

#[tokio::test]
async fn a_list_of_which_one_has_changed_approves_none() {
    let mut bed = noted(Shape::default()).await;
    let agent = bed.agent().await;
    let holds = many(&agent, 3).await;
    let wish = json!({ "approve_all": holds });
    let statement = bed.alice.statement(&wish).await.expect("a statement");
    bed.bob.reject(&holds[1], "not this one").await.expect("bob");
    let why = bed.alice.answer(&statement, "").await.expect_err("refused").to_string();
    assert!(why.contains(&holds[1]) && why.contains("nothing of the list was approved"), "{why}");
    for hold in [&holds[0], &holds[2]] {
        assert_eq!(given(&mut bed, hold).await, 0, "{hold}");
        assert_eq!(bed.hold(hold).await["state"], "open");
    }
    // Nor does whoever has approved one of them approve it again with others.
    bed.alice.approve(&holds[0]).await.expect("alice");
    let both = json!({ "approve_all": [holds[0], holds[2]] });
    let why = bed.alice.decide(&both, "").await.expect_err("refused").to_string();
    assert!(why.contains("does not wait"), "{why}");
    assert!(bed.carol.decide(&json!({ "approve_all": [holds[0], holds[2]] }), "").await.is_err());
    assert_eq!(given(&mut bed, &holds[2]).await, 0);
    bed.verify();
}

#[tokio::test]
async fn the_controller_approves_no_list_either() {
    let mut bed = noted(Shape::default()).await;
    let agent = bed.agent().await;
    let holds = many(&agent, 2).await;
    let why = bed.carol.decide(&json!({ "approve_all": holds }), "").await.expect_err("refused");
    let why = why.to_string();
    assert!(why.contains("controls the session") && why.contains("nothing of the list"), "{why}");
    assert_eq!(bed.hold(&holds[0]).await["state"], "open");
    assert_eq!(changed(&bed), "0");
    bed.verify();
}
