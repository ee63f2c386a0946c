//! Breaking the glass and reviewing that, in browsers from the hardware key's enrolment to the second signature.
//!
//! Chromium's virtual security key attests to what it makes by a key of its own, in the format `packed`. The certificate
//! that it gives itself for that key is nobody's whom an operator could trust: it names no model and has issued itself
//! without being an authority. So the test's maker certifies the same key, as makers do, and only the certificate is exchanged
//! on the way to the server; keys, authenticator data and signatures are the browser's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm};
use serde_json::{Value, json};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use xtask::instance::Shape;

use super::driver::Browser;
use super::{DELETE, Desk, enrol, sign_in};
use crate::attestation::Maker;
use crate::bed::ask;

const REASON: &str = "the <b>shop</b> is down";

/// Keeps what the authenticator has made, until it is known with which certificate it goes on.
const HOLD: &str = "const real = window.fetch;
    window.fetch = async (path, options) => {
        if (!String(path).endsWith('/finish')) return real(path, options);
        const body = JSON.parse(options.body);
        window.made = body.attestation_object;
        while (!window.certified) await new Promise((done) => setTimeout(done, 20));
        body.attestation_object = window.certified;
        return real(path, { ...options, body: JSON.stringify(body) });
    };
    return true";

/// The public key that Chromium's authenticator attests with.
struct Attesting(Vec<u8>);

impl PublicKeyData for Attesting {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// The position behind these bytes.
fn behind(bytes: &[u8], head: &[u8]) -> usize {
    let at = bytes.windows(head.len()).position(|it| it == head).expect("a part of an attestation");
    at + head.len()
}

/// An attestation object with the maker's certificate for the key of the one that is in it.
fn certified(object: &[u8], maker: &Maker) -> Vec<u8> {
    // `"x5c": [h'…']`, with the length in two bytes.
    let at = behind(object, b"\x63x5c\x81\x59");
    let length = usize::from(u16::from_be_bytes([object[at], object[at + 1]]));
    let (own, rest) = object[at + 2..].split_at(length);
    let (_, own) = X509Certificate::from_der(own).expect("a certificate");
    let key = Attesting(own.public_key().subject_public_key.data.to_vec());
    // `"authData": h'…'`: a hash, flags and a counter before the model.
    let data = &rest[behind(rest, b"\x68authData\x58") + 1..];
    let model = data[37..53].try_into().expect("a model");
    let leaf = maker.certifies(&key, model);
    let length = u16::try_from(leaf.len()).expect("a length").to_be_bytes();
    [&object[..at], &length, &leaf, rest].concat()
}

/// A browser with a security key of bob's, which alice has confirmed.
async fn hardware(desk: &Desk, maker: &Maker) -> Browser {
    let Desk { alice, bob, tyer, driver, .. } = desk;
    bob.open("/people").await;
    bob.click("#add-passkey").await;
    bob.sees("#message", "Open the link").await;
    let link = bob.text("#added code").await;
    let key = driver.browser_with_key(tyer.console).await;
    key.open(&format!("/enrol/{}", link.rsplit('/').next().expect("a token"))).await;
    key.run(HOLD, Value::Null).await;
    key.click("#enrol").await;
    key.until("it has made one", "return !!window.made", Value::Null).await;
    let made = key.run("return window.made", Value::Null).await;
    let made = BASE64URL.decode(made.as_str().expect("a text")).expect("base64url");
    let issued = BASE64URL.encode(certified(&made, maker));
    key.run("window.certified = arguments[0]; return true", json!(issued)).await;
    key.sees("#message", "Tell somebody other than bob these digits").await;
    alice.open("/people").await;
    alice.sees("li[data-person=bob]", "hardware attested by its maker").await;
    alice.click("[data-confirm-passkey]").await;
    alice.sees("#message", "You confirmed a passkey of bob").await;
    key.open("/sign-in").await;
    sign_in(&key).await;
    key
}

/// Somebody whom bob invites and alice confirms.
async fn welcome(desk: &Desk, name: &str) -> Browser {
    let Desk { alice, bob, tyer, driver, .. } = desk;
    let browser = driver.browser(tyer.console).await;
    bob.open("/people").await;
    bob.fill("#invite-name", name).await;
    bob.click("#invite").await;
    bob.sees("#message", &format!("Invited {name}")).await;
    let link = bob.text("#invited code").await;
    enrol(&browser, name, link.rsplit('/').next().expect("a token")).await;
    alice.open("/people").await;
    alice.click(&format!("[data-confirm={name}]")).await;
    alice.sees("#message", &format!("You confirmed {name}")).await;
    browser
}

/// Bob breaks the glass of that hold by his hardware key, and by no other passkey of his.
async fn break_it(desk: &Desk, key: &Browser, hold: &str) {
    let bob = &desk.bob;
    let card = format!("/holds/{hold}");
    // Whoever has a hardware key sees the button.
    bob.open(&card).await;
    bob.click("#glass summary").await;
    bob.picture("card-glass").await;
    bob.click("#break-glass").await;
    bob.sees("#message", "Say why").await;
    bob.fill("#glass-reason", REASON).await;
    bob.click("#break-glass").await;
    bob.agree().await;
    bob.sees("#message", "the glass is broken by an attested hardware key only").await;
    let noted = bob.complaints().await;
    assert!(noted.iter().all(|line| line.contains("409 (Conflict)")), "{noted:?}");
    bob.sees("#state", "waits for people").await;
    key.open(&card).await;
    key.click("#glass summary").await;
    key.fill("#glass-reason", REASON).await;
    key.click("#break-glass").await;
    key.agree().await;
    key.sees("#message", &format!("You let {hold} through alone.")).await;
}

#[tokio::test]
async fn glass_is_broken_by_hardware_is_on_every_page_and_reviewed_by_two_others() {
    let maker = Maker::new();
    let files = vec![("maker.pem", maker.root.clone())];
    let policy = "[attestation]\nroots = [\"maker.pem\"]\n\n[break_glass]";
    let desk = Desk::shaped(&Shape { policy, files, ..Shape::default() }).await;
    let Desk { alice, bob, carol, .. } = &desk;
    let dave = welcome(&desk, "dave").await;
    let agent = desk.agent("carol").await;
    let early = ask(&agent, DELETE).await.unwrap_err().hold();
    bob.open(&format!("/holds/{early}")).await;
    bob.sees("#decision", "Your decision").await;
    assert!(!bob.has("#glass").await, "his passkey is none of a trusted maker's");
    let key = hardware(&desk, &maker).await;

    break_it(&desk, &key, &early).await;
    // It comes to whoever looks at anything, and stands wherever they go.
    alice.sees("#glass-bar", "Glass broken by bob").await;
    for page in [
        "/",
        "/people",
        "/sessions",
        "/freezes",
        "/configuration",
        "/ledger",
        &format!("/holds/{early}"),
    ] {
        carol.open(page).await;
        carol.sees("#glass-bar", "Glass broken by bob").await;
        carol.sees("#glass-bar", REASON).await;
    }
    carol.sees("#broken", "Others sign it off").await;
    carol.sees("#decision", "One person let this through alone. It runs once").await;
    carol.picture("card-broken").await;
    assert!(!carol.has("#review").await, "who controls the session does not review it");
    for browser in [&key, bob] {
        browser.sees("#broken", "let this through alone").await;
        assert!(!browser.has("#review").await, "who broke it does not review it");
    }
    ask(&agent, DELETE).await.expect("it runs");
    assert_ne!(ask(&agent, DELETE).await.unwrap_err().hold(), early, "once");

    alice.click("#glass-bar a").await;
    alice.click("#review").await;
    alice.sees("#message", "Say what you found").await;
    alice.fill("#finding", "four orders, nobody hurt").await;
    alice.picture("card-review").await;
    alice.click("#review").await;
    alice.sees("#message", &format!("You signed the review of {early} off")).await;
    bob.sees("#broken", "four orders, nobody hurt").await;
    bob.sees("#glass-bar", "1 of 2 signed").await;
    assert!(!alice.has("#review").await, "one human is one word");
    dave.open("/").await;
    dave.click("#glass-bar a").await;
    dave.fill("#finding", "agreed, and told the owners").await;
    dave.click("#review").await;
    dave.sees("#message", &format!("You signed the review of {early} off")).await;
    // With the second signature it is over, on every page.
    for browser in [alice, bob, carol, &key] {
        browser
            .until("no bar", "return !document.querySelector('#glass-bar [data-review]')", Value::Null)
            .await;
    }
    bob.sees("#broken", "No review of it is open.").await;
    dave.picture("card-reviewed").await;
    desk.close().await;
}
