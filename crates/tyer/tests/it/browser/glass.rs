//! Breaking the glass and reviewing that, in browsers.

use serde_json::json;
use xtask::approver::Approver;
use xtask::instance::Shape;

use super::{DELETE, Desk};
use crate::attestation::Maker;
use crate::bed::ask;

#[tokio::test]
async fn broken_glass_is_on_every_page_until_others_have_reviewed_it() {
    let maker = Maker::new();
    let files = vec![("maker.pem", maker.root.clone())];
    let policy = "[attestation]\nroots = [\"maker.pem\"]\n\n[break_glass]";
    let desk = Desk::shaped(&Shape { policy, files, ..Shape::default() }).await;
    let Desk { alice, bob, carol, tyer, .. } = &desk;
    let agent = desk.agent("carol").await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    bob.open(&format!("/holds/{hold}")).await;
    assert!(!bob.has("#glass").await, "his passkey is none of a trusted maker's");
    // A hardware key of his, which the browser does not have.
    bob.open("/people").await;
    bob.click("#add-passkey").await;
    bob.sees("#message", "Open the link").await;
    let link = bob.text("#added code").await;
    let token = link.rsplit('/').next().expect("a token");
    let attest = |bytes: &[u8]| maker.attest(bytes);
    let made = Approver::enrol_by("bob", token, tyer.console, Some(&attest)).await;
    let mut hardware = made.expect("enrolled");
    alice.open("/people").await;
    alice.click("[data-confirm-passkey]").await;
    alice.sees("#message", "You confirmed a passkey of bob").await;
    bob.open(&format!("/holds/{hold}")).await;
    bob.click("#glass summary").await;
    bob.picture("card-glass").await;
    bob.click("#break-glass").await;
    bob.sees("#message", "Say why").await;
    bob.fill("#glass-reason", "the <b>shop</b> is down").await;
    bob.click("#break-glass").await;
    bob.agree().await;
    bob.sees("#message", "the glass is broken by an attested hardware key only").await;
    let noted = bob.complaints().await;
    assert!(noted.iter().all(|line| line.contains("409 (Conflict)")), "{noted:?}");
    assert!(ask(&agent, DELETE).await.is_err());
    hardware.sign_in().await.expect("a sign-in");
    let breaking = json!({ "break_glass": { "hold": hold, "reason": "the <b>shop</b> is down" } });
    hardware.decide(&breaking, "").await.expect("the glass is broken");
    // It comes to whoever looks at anything.
    alice.sees("#glass-bar", "Glass broken by bob").await;
    alice.sees("#glass-bar", "the <b>shop</b> is down").await;
    bob.sees("#broken", "let this through alone").await;
    assert!(!bob.has("#review").await, "who broke it does not review it");
    carol.open(&format!("/holds/{hold}")).await;
    carol.sees("#broken", "Others sign it off").await;
    ask(&agent, DELETE).await.expect("it runs");
    alice.click("#glass-bar a").await;
    alice.click("#review").await;
    alice.sees("#message", "Say what you found").await;
    alice.fill("#finding", "four orders, nobody hurt").await;
    alice.picture("card-review").await;
    alice.click("#review").await;
    alice.sees("#message", &format!("You signed the review of {hold} off")).await;
    bob.sees("#broken", "four orders, nobody hurt").await;
    bob.sees("#glass-bar", "1 of 2 signed").await;
    assert!(!alice.has("#review").await, "one human is one word");
    desk.close().await;
}
