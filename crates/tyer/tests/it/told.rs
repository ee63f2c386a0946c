//! Who is told what became of a hold: the people on whose behalf was asked, and whoever comes too late.

use serde_json::{Value, json};
use xtask::approver::Approver;
use xtask::instance::Shape;

use crate::bed::{Bed, ask};

const DELETE: &str = "DELETE FROM payments";
const UPDATE: &str = "UPDATE customers SET name = name WHERE id = 1";

async fn unseen(who: &mut Approver) -> Vec<Value> {
    let (status, answer) = who.http().get("/api/v1/answers").await.expect("an answer");
    assert!(status.is_success(), "{answer}");
    answer["answers"].as_array().cloned().expect("answers")
}

async fn sees(who: &mut Approver, holds: &[&str]) {
    let (status, said) =
        who.http().post("/api/v1/answers/seen", &json!({ "holds": holds })).await.expect("an answer");
    assert!(status.is_success(), "{said}");
}

#[tokio::test]
async fn controllers_are_told_who_answered_and_why_until_they_have_seen_it() {
    let mut bed = Bed::new(Shape::default()).await;
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    let rejected = ask(&agent, DELETE).await.unwrap_err().hold();
    assert_eq!(unseen(&mut bed.carol).await, Vec::<Value>::new());
    bed.bob.reject(&rejected, "the <b>books</b>").await.expect("bob rejects");
    let told = unseen(&mut bed.carol).await;
    assert_eq!((told.len(), &told[0]["how"]), (1, &json!("rejected")), "{told:?}");
    assert_eq!((&told[0]["said"][0]["person"], &told[0]["agent"]), (&json!("bob"), &json!("kiro")));
    assert_eq!(told[0]["said"][0]["words"], "the <b>books</b>");
    assert_eq!(told[0]["session"], login.session.as_str());

    let approved = ask(&agent, UPDATE).await.unwrap_err().hold();
    bed.alice.approve(&approved).await.expect("alice");
    let told = unseen(&mut bed.carol).await;
    let words = told[0]["words"].as_str().unwrap_or_default();
    assert!(words.starts_with("alice approved it at 20"), "{told:?}");
    // It is for those who control the session, and lives until they have seen it.
    assert_eq!(unseen(&mut bed.alice).await, Vec::<Value>::new());
    assert_eq!(unseen(&mut bed.bob).await, Vec::<Value>::new());
    let (status, _) = bed.alice.http().get("/api/v1/answers?person=carol").await.expect("an answer");
    assert_eq!(status.as_u16(), 403);
    bed.tyer.kill();
    bed.tyer.resume().expect("a restart");
    for who in [&mut bed.alice, &mut bed.carol] {
        who.sign_in().await.expect("a sign-in");
    }
    assert_eq!(unseen(&mut bed.carol).await.len(), 2);
    sees(&mut bed.alice, &[&rejected, &approved]).await;
    assert_eq!(unseen(&mut bed.carol).await.len(), 2, "nobody sees it for another");

    // The command line tells the same.
    let said = bed.tyer.run(&["holds", "answered", "--for", "carol"]).expect("answers");
    assert!(said.contains(&format!("{rejected} of kiro")), "{said}");
    assert!(said.contains("bob rejected it at 20") && said.contains("the <b>books</b>"), "{said}");
    assert_eq!(bed.tyer.run(&["holds", "answered", "--for", "bob"]).expect("answers"), "");
    for arguments in [&["session", "show", &login.session][..], &["holds", "list", "--all"]] {
        let said = bed.tyer.run(arguments).expect("holds");
        assert!(said.contains("bob rejected it at 20") && said.contains("the <b>books</b>"), "{said}");
    }
    sees(&mut bed.carol, &[&rejected]).await;
    assert_eq!(unseen(&mut bed.carol).await[0]["hold"], approved.as_str());
    sees(&mut bed.carol, &[&approved]).await;
    assert_eq!(unseen(&mut bed.carol).await, Vec::<Value>::new());
    bed.verify();
}

#[tokio::test]
async fn whoever_rejects_their_own_agents_request_knows_and_the_others_are_told() {
    let sections = "[agent.kiro]\nowners = [\"alice\"]\n";
    let mut bed = Bed::new(Shape { sections, ..Shape::default() }).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, UPDATE).await.unwrap_err().hold();
    bed.carol.reject(&hold, "not now").await.expect("carol rejects");
    assert_eq!(unseen(&mut bed.carol).await, Vec::<Value>::new());
    assert_eq!(unseen(&mut bed.alice).await[0]["hold"], hold.as_str(), "she controls it, too");
}

/// The error of an answer, in the words of the API.
async fn late(who: &mut Approver, hold: &str) -> String {
    who.approve(hold).await.expect_err("too late").to_string()
}

#[tokio::test]
async fn whoever_answers_too_late_is_told_what_became_of_it() {
    let mut bed = Bed::new(Shape { holds: "expire_seconds = 6", ..Shape::default() }).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    let signed = bed.alice.statement(&json!({ "approve": hold })).await.expect("a statement");
    let signed = bed.alice.signed(&signed, "").expect("a signature");
    bed.bob.reject(&hold, "the books").await.expect("bob rejects");
    for why in [
        bed.alice.send(&signed).await.expect_err("it was answered meanwhile").to_string(),
        late(&mut bed.alice, &hold).await,
    ] {
        assert!(
            why.contains(&format!("{hold} can no longer be answered: bob rejected it at 20")),
            "{why}"
        );
        assert!(why.contains(": the books"), "{why}");
    }
    let spent = ask(&agent, UPDATE).await.unwrap_err().hold();
    bed.alice.approve(&spent).await.expect("alice");
    ask(&agent, UPDATE).await.expect("it runs");
    let why = late(&mut bed.bob, &spent).await;
    assert!(why.contains("alice approved it, and it was used at 20"), "{why}");
    let open = ask(&agent, "DROP TABLE executives CASCADE").await.unwrap_err().hold();
    bed.until(&open, "expired").await;
    let why = late(&mut bed.bob, &open).await;
    assert!(why.contains("nobody answered in time: it ran out at 20"), "{why}");
    assert_eq!(unseen(&mut bed.carol).await[0]["how"], "expired");
    bed.verify();
}
