//! The kill, in browsers: confirmed by a passkey, and told as it was seen.

use super::{DELETE, Desk, connect};
use crate::bed::ask;

#[tokio::test]
async fn an_agent_an_upstream_and_everything_are_killed_by_passkey() {
    let desk = Desk::new().await;
    let Desk { alice, bob, tyer, .. } = &desk;
    let session = |agent: &str| tyer.session(agent, "carol", &[]).expect("a session");
    let [kiro, devin, idle] = ["kiro", "devin", "idle"].map(session);
    let one = connect(tyer.door, &kiro.session, &kiro.password).await.expect("a connection");
    let other = connect(tyer.door, &devin.session, &devin.password).await.expect("a connection");
    let hold = ask(&one, DELETE).await.unwrap_err().hold();
    for browser in [alice, bob] {
        browser.open("/sessions").await;
        browser.click("#kill summary").await;
    }
    bob.click("[data-kill=agent][data-name=kiro]").await;
    bob.agree().await;
    bob.sees("#message", "Killed agent kiro. All of it was seen to end.").await;
    bob.sees("#killed", &format!("{} of kiro", kiro.session)).await;
    bob.sees("#killed", "1 of 1 connections were seen to close; credentials refused: yes").await;
    bob.sees("#killed", &hold).await;
    bob.picture("killed").await;
    assert!(ask(&one, "SELECT 1").await.is_err());
    ask(&other, "SELECT 1").await.expect("another agent goes on");
    // Alice's page has learnt it.
    alice.sees("#kill", "Kill agent devin").await;
    alice.click("[data-kill=upstream][data-name=orders]").await;
    alice.agree().await;
    alice.sees("#message", "Killed upstream orders. All of it was seen to end.").await;
    alice.sees("#killed", &idle.session).await;
    assert!(ask(&other, "SELECT 1").await.is_err());
    let last = tyer.session("kiro", "carol", &[]).expect("a session");
    bob.sees(&format!("li[data-session='{}']", last.session), "Agent kiro").await;
    bob.click("[data-kill=everything]").await;
    bob.agree().await;
    bob.sees("#message", "Killed everything.").await;
    bob.sees("#killed", "Held requests taken back").await;
    // The word is in the leaf, and checked again by the audit.
    let said = tyer.run(&["ledger", "tail", "-n", "100"]).expect("the ledger");
    for words in [
        "bob killed agent kiro by passkey",
        "alice killed upstream orders by passkey",
        "bob killed everything by passkey",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    desk.close().await;
}
