//! Notes, hand-overs and "ask me again", in browsers.

use serde_json::Value;

use super::{DELETE, Desk};
use crate::bed::ask;

#[tokio::test]
async fn a_hold_is_handed_over_and_put_off_in_browsers() {
    let desk = Desk::new().await;
    let Desk { alice, bob, .. } = &desk;
    let agent = desk.agent("carol").await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    for browser in [alice, bob] {
        browser.open(&format!("/holds/{hold}")).await;
        browser.sees("#beside", "None.").await;
    }
    alice.click("#leave-note summary").await;
    alice.fill("#note-text", "the <i>books</i> are yours").await;
    alice.fill("#note-to", "bob, carol").await;
    alice.click("#leave").await;
    alice.sees("#message", "Handed over to bob, carol. It changes nothing about who counts.").await;
    // It came to him by itself.
    bob.sees("#beside", "Handed over to you.").await;
    bob.sees("#beside blockquote", "the <i>books</i> are yours").await;
    bob.sees("#beside", "hands it over to bob, carol").await;
    alice.click("#put-off-until summary").await;
    const IN_AN_HOUR: &str = "const at = new Date(Date.now() + 3600000);
        const two = (number) => String(number).padStart(2, '0');
        document.getElementById('later-at').value = two(at.getHours()) + ':' + two(at.getMinutes())";
    alice.run(IN_AN_HOUR, Value::Null).await;
    alice.click("#later").await;
    alice.sees("#message", &format!("You look at {hold} again at")).await;
    alice.sees("#put-off", "You look at it again at 20").await;
    bob.sees("#beside", "alice looks at it again at 20").await;
    alice.picture("card-notes").await;
    tokio::join!(alice.open("/"), bob.open("/"));
    for browser in [alice, bob] {
        browser.sees("h1", "1 request waits for people").await;
        browser.sees(&format!("li[data-hold={hold}]"), "bob, carol").await;
    }
    alice.sees("h2", "Later").await;
    assert!(alice.has(".queue.later li").await && !bob.has(".queue.later").await, "each their own");
    alice.picture("queue-later").await;
    alice.open(&format!("/holds/{hold}")).await;
    alice.click("#at-once").await;
    alice.sees("#message", &format!("{hold} is back.")).await;
    alice.open("/").await;
    alice.sees("h1", "1 request waits for people").await;
    assert!(!alice.has(".queue.later").await);
    desk.close().await;
}
