//! Requests of one shape, approved together on a page that shows all of them.

use serde_json::json;
use xtask::instance::Shape;

use super::Desk;
use crate::bed::ask;

fn one(id: usize) -> String {
    format!("UPDATE customers SET name = 'customer {id}' WHERE id = {id}")
}

/// Exchanges what the server says of a statement for something else, as a card swapped behind the page would.
const SWAP: &str = "const real = window.fetch;
    window.fetch = async (path, options) => {
        const response = await real(path, options);
        if (path !== '/api/v1/statements') return response;
        const body = await response.json();
        const [one, two] = body.statement.what.subjects;
        if (arguments[0] === 'card') two.card = one.card; else body.statement.what.subjects = [one];
        return new Response(JSON.stringify(body), { status: 200 });
    }";

#[tokio::test]
async fn the_list_that_is_shown_is_the_list_that_is_signed() {
    let desk = Desk::shaped(&Shape::default()).await;
    let Desk { alice, bob, carol, .. } = &desk;
    let agent = desk.agent("carol").await;
    let mut holds = Vec::new();
    for id in 1..=3 {
        holds.push(ask(&agent, &one(id)).await.unwrap_err().hold());
    }
    let other = ask(&agent, "UPDATE customers SET name = 'x' WHERE id >= 4").await.unwrap_err().hold();
    let page = format!("/holds/{}", holds[1]);
    for trick in ["card", "list"] {
        bob.open(&page).await;
        bob.run(SWAP, json!(trick)).await;
        bob.click("#approve-all").await;
        bob.sees("#message", "The list has changed. Read it again.").await;
    }
    alice.open(&format!("/holds/{other}")).await;
    alice.sees("#decision", "Your decision").await;
    assert!(!alice.has("#together").await, "there is no other like it");
    carol.open(&page).await;
    carol.sees("#decision", "Your approval does not count").await;
    assert!(!carol.has("#together").await, "nor for whom it would not count");
    alice.open(&page).await;
    alice.sees("#together h2", "3 requests of this shape wait").await;
    for (hold, id) in holds.iter().zip(1..) {
        let row = format!("#together [data-together={hold}]");
        alice.sees(&row, &one(id)).await;
        alice.sees(&row, "rows of public.customers").await;
    }
    assert!(!alice.has(&format!("[data-together={other}]")).await);
    alice.picture("card-together").await;
    alice.click("#approve-all").await;
    alice.sees("#message", &format!("You approved {}.", holds.join(", "))).await;
    alice.sees("#decision", "You have approved this.").await;
    assert!(!alice.has("#together").await);
    bob.open("/").await;
    for id in 1..=3 {
        ask(&agent, &one(id)).await.expect("it was approved");
    }
    assert_eq!(
        ask(&agent, "UPDATE customers SET name = 'x' WHERE id >= 4").await.unwrap_err().hold(),
        other
    );
    desk.close().await;
}
