//! Allowances in browsers: asked for by whoever controls the agent, read whole, approved, used and revoked.

use xtask::instance::Shape;

use super::driver::Browser;
use super::{Desk, approve};
use crate::bed::ask;

/// One change of a shape whose text is longer than a line, with what looks like markup and an end that counts.
fn one(id: usize) -> String {
    format!(
        "UPDATE customers\n   SET name = 'customer <b>{id}</b>'\n WHERE id = {id}\n   AND name NOT LIKE '%a long condition that nobody should have to scroll sideways for, the end of which matters as much%'\n   AND id BETWEEN 1 AND 4"
    )
}

async fn revoke(browser: &Browser, id: &str) {
    browser.click("#reject").await;
    browser.sees("#message", "A rejection needs a reason").await;
    browser.fill("#comment", "that is <i>enough</i>").await;
    browser.click("#reject").await;
    browser.sees("#message", &format!("You rejected {id}.")).await;
}

#[tokio::test]
async fn an_allowance_is_asked_for_read_approved_used_and_revoked() {
    let desk = Desk::shaped(&Shape::default()).await;
    let Desk { alice, bob, carol, .. } = &desk;
    let agent = desk.agent("carol").await;
    let hold = ask(&agent, &one(1)).await.unwrap_err().hold();
    let card = format!("/holds/{hold}");
    alice.open(&card).await;
    alice.sees("#decision", "Your decision").await;
    assert!(
        !alice.has("#ask-allowance").await,
        "only who controls the agent asks for it to be asked less"
    );
    carol.open(&card).await;
    carol.click("#ask-allowance summary").await;
    carol.choose("#allowance-count", "3").await;
    carol.choose("#allowance-lasts", "3600").await;
    carol.picture("card-ask-allowance").await;
    carol.click("#allowance-form button").await;
    carol.sees("#allowance", "An allowance, asked for by carol.").await;
    let allowance = carol.path().await;
    let id = allowance.rsplit('/').next().expect("an id").to_owned();
    assert_ne!(id, hold);
    carol.sees("#decision", "You control this session.").await;
    assert!(!carol.has("#approve").await && carol.has("#reject").await);
    assert_eq!(ask(&agent, &one(1)).await.unwrap_err().hold(), hold, "nobody has agreed yet");

    // It comes to the others by itself, and says all that they sign for.
    alice.open("/").await;
    alice.click(&format!("li[data-hold={id}] a.what")).await;
    for words in [
        "up to 3 requests of this shape",
        "at most 5 within",
        "whoever rejects it revokes it",
        "UPDATE customers",
        "name NOT LIKE ?",
        "AND id BETWEEN ? AND ?",
    ] {
        alice.sees("#allowance", words).await;
    }
    // The request that stands for all of them, to the end.
    for line in one(1).lines() {
        alice.sees("#request", line.trim()).await;
    }
    assert!(!alice.has("#request b").await, "nothing of it is markup");
    alice.picture("card-allowance").await;
    bob.open(&allowance).await;
    approve(alice, &id).await;
    alice.sees("#state", "approved, in use").await;
    bob.sees("#decision", "Such requests run until it ends; whoever rejects it revokes it.").await;

    ask(&agent, &one(1)).await.expect("a use");
    ask(&agent, &one(2)).await.expect("another one");
    bob.sees("#allowance", "1 of 3 left").await;
    ask(&agent, "UPDATE customers SET name = 'x' WHERE id = 1").await.unwrap_err();
    carol.open("/sessions").await;
    let row = format!("li[data-allowance={id}]");
    carol.sees(&row, "1 of 3").await;
    carol.sees(&row, "AND id BETWEEN ? AND ?").await;
    carol.picture("allowances").await;
    bob.picture("card-allowance-active").await;
    revoke(bob, &id).await;
    // Nobody reloads.
    alice.sees("#fate", "that is <i>enough</i>").await;
    assert!(!alice.has("#reject").await && !bob.has("#reject").await);
    alice.picture("card-allowance-revoked").await;
    let last = ask(&agent, &one(3)).await.unwrap_err().hold();
    assert!(last != id && last != hold);
    carol.open("/sessions").await;
    assert!(!carol.has(&row).await, "there is none any more");
    desk.close().await;
}
