//! What became of a hold, on pages that were open when it happened.

use serde_json::Value;
use xtask::instance::Shape;

use super::{DELETE, Desk};
use crate::bed::ask;

const OTHER: &str = "DELETE FROM payments WHERE id > 0";

#[tokio::test]
async fn open_pages_say_what_became_of_a_hold_and_its_controller_is_told() {
    let desk = Desk::new().await;
    let Desk { alice, bob, carol, .. } = &desk;
    let agent = desk.agent("carol").await;
    carol.open("/").await;
    const LISTEN: &str = "window.heard = [];
        new EventSource('/api/v1/events').onmessage = (event) => window.heard.push(event.data)";
    carol.run(LISTEN, Value::Null).await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    for browser in [alice, bob] {
        browser.open(&format!("/holds/{hold}")).await;
        browser.sees("#decision", "Your decision").await;
    }
    bob.fill("#comment", "the books are <b>closed</b>").await;
    bob.click("#reject").await;
    // Nobody reloads.
    for browser in [alice, bob] {
        browser.sees("#fate", "bob rejected it at 20").await;
        browser.sees("#fate", ": the books are <b>closed</b>").await;
        assert!(!browser.has("#approve").await && !browser.has("#reject").await);
    }
    carol.sees("li[data-answered]", "bob rejected it 20").await;
    carol.sees("li[data-answered] blockquote", "the books are <b>closed</b>").await;
    let heard = carol.run("return window.heard", Value::Null).await;
    assert!(heard.to_string().contains(&format!("\"answered {hold}\"")), "{heard}");
    carol.picture("answered").await;
    carol.click("#answers-seen").await;
    carol.sees("#main", "Decided lately").await;
    carol.open("/").await;
    assert!(!carol.has("li[data-answered]").await, "until it was seen");

    // A page that hears nothing any more.
    let hold = ask(&agent, OTHER).await.unwrap_err().hold();
    for browser in [alice, bob] {
        browser.open(&format!("/holds/{hold}")).await;
        browser.sees("#decision", "Your decision").await;
    }
    alice.run("stream.close()", Value::Null).await;
    bob.fill("#comment", "no").await;
    bob.click("#reject").await;
    bob.sees("#fate", "bob rejected it at 20").await;
    assert!(alice.has("#approve").await, "it does not know");
    alice.click("#approve").await;
    alice.sees("#message", &format!("{hold} can no longer be answered: bob rejected it at 20")).await;
    alice.sees("#fate", "bob rejected it at 20").await;
    let refused = alice.complaints().await;
    assert!(refused.iter().all(|line| line.contains("409 (Conflict)")), "{refused:?}");
    desk.close().await;
}

#[tokio::test]
async fn a_card_that_runs_out_of_time_or_is_answered_without_a_script_says_so() {
    let desk = Desk::shaped(&Shape { holds: "expire_seconds = 8", ..Shape::default() }).await;
    let Desk { alice, bob, .. } = &desk;
    let agent = desk.agent("carol").await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    for browser in [alice, bob] {
        browser.open(&format!("/holds/{hold}")).await;
        browser.sees("#decision", "Your decision").await;
    }
    alice.run("stream.close()", Value::Null).await;
    const SUBMIT: &str = "HTMLFormElement.prototype.submit.call(document.getElementById('answer'))";
    bob.run("stream.close()", Value::Null).await;
    bob.run(SUBMIT, Value::Null).await;
    bob.sees("#said", "Nothing was decided: a passkey signs the answer").await;
    bob.open(&format!("/holds/{hold}")).await;
    bob.run("stream.close(); later = () => {}; tick = () => {}", Value::Null).await;
    // By the clock alone.
    alice.sees("#fate", "nobody answered in time: it ran out at 20").await;
    assert!(!alice.has("#approve").await);
    alice.picture("card-expired").await;
    bob.run(SUBMIT, Value::Null).await;
    bob.sees("#said", "nobody answered in time: it ran out at 20").await;
    assert_eq!(bob.path().await, format!("/holds/{hold}"));
    let refused = bob.complaints().await;
    assert!(refused.iter().all(|line| line.contains("409 (Conflict)")), "{refused:?}");
    desk.close().await;
}
