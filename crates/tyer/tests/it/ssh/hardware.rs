//! SSH keys in security keys: hardware where a trusted maker attests to them, and nothing by what they say of themselves.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use xtask::security_key::{PRESENT, SecurityKey, VERIFIED};

use super::*;
use crate::attestation::{Maker, POLICIES};

const BOTH: u8 = PRESENT | VERIFIED;

async fn bed(maker: &Maker, other: &Maker) -> Bed {
    let files = vec![
        ("own.cedar", POLICIES.to_owned()),
        ("maker.pem", maker.root.clone()),
        ("other.pem", other.root.clone()),
    ];
    let policy = "files = [\"own.cedar\"]\n\n[attestation]\nroots = [\"maker.pem\"]";
    Bed::new(Shape { policy, files, ..Shape::default() }).await
}

/// The statement over which somebody makes a key.
async fn making(owner: &mut Approver) -> Value {
    owner.statement(&json!({ "make_key": true })).await.expect("a statement")
}

fn attested(key: &SecurityKey, challenge: &str, maker: &Maker) -> Vec<u8> {
    let attest = |bytes: &[u8]| maker.attest(bytes);
    key.attestation(challenge.as_bytes(), &attest).expect("an attestation")
}

/// Adds that key with what its maker says over the statement of that nonce.
async fn adds(
    owner: &mut Approver,
    key: &SecurityKey,
    (made, file): (&Value, &[u8]),
) -> Result<(), String> {
    let statement = adding(owner, &key.line()).await;
    let signature = key.sign(message(&statement).as_bytes(), BOTH);
    let file = URL_SAFE_NO_PAD.encode(file);
    let attestation = json!({ "nonce": made["statement"]["nonce"], "file": file });
    add_with(owner, &statement, json!({ "signature": signature, "attestation": attestation })).await
}

/// Bob's SSH keys as the API says them.
async fn ssh_keys(bed: &mut Bed) -> Vec<Value> {
    let (_, answer) = bed.alice.http().get("/api/v1/people").await.expect("people");
    let people = answer["people"].as_array().expect("people");
    let bob = people.iter().find(|person| person["name"] == "bob").expect("bob");
    bob["ssh_keys"].as_array().expect("keys").clone()
}

/// Alice confirms bob's newest key, which then signs an approval of that hold, its user said to be so; or what is wrong.
async fn approves(bed: &mut Bed, key: &SecurityKey, hold: &str, flags: u8) -> Result<(), String> {
    let of_bob = ssh_keys(bed).await;
    let newest = of_bob.last().expect("a key");
    if newest["counts"] == false {
        let confirm = json!({ "confirm_key": newest["fingerprint"] });
        bed.alice.decide(&confirm, "").await.expect("alice confirms");
    }
    let wish = json!({ "hold": hold, "decision": "approve", "key": newest["fingerprint"] });
    let (status, body) =
        bed.tyer.operator().post("/api/v1/ssh/statements", &wish).await.expect("an answer");
    assert!(status.is_success(), "{body}");
    let signature = key.sign(message(&body).as_bytes(), flags);
    bed.hand_in(body["statement"]["nonce"].as_str().expect("a nonce"), &signature).await
}

#[tokio::test]
async fn an_ssh_key_that_a_trusted_maker_attests_to_is_hardware() {
    let (maker, other) = (Maker::new(), Maker::new());
    let mut bed = bed(&maker, &other).await;
    let agent = bed.agent().await;
    let said = ask(&agent, CHANGE).await.unwrap_err().message;
    assert!(said.contains("hardware"), "nobody has one: {said}");
    let key = SecurityKey::new("ssh:").expect("a key");
    let made = making(&mut bed.bob).await;
    let file = attested(&key, message(&made), &maker);
    adds(&mut bed.bob, &key, (&made, &file)).await.expect("bob adds it");
    assert_eq!(ssh_keys(&mut bed).await[0]["assurance"], "hardware");
    let refused = ask(&agent, CHANGE).await.unwrap_err().message;
    assert!(refused.contains("hardware"), "it was not confirmed: {refused}");
    let confirm = json!({ "confirm_key": ssh_keys(&mut bed).await[0]["fingerprint"] });
    bed.alice.decide(&confirm, "").await.expect("alice confirms");
    let hold = ask(&agent, CHANGE).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice approves by a plain passkey");
    assert!(ask(&agent, CHANGE).await.is_err(), "which is not enough");
    for (flags, expect) in [
        (PRESENT, "did not verify its user"),
        (VERIFIED, "nobody was present"),
        (0, "nobody was present"),
    ] {
        let refused = approves(&mut bed, &key, &hold, flags).await.expect_err("not by such a touch");
        assert!(refused.contains(expect), "{refused}");
    }
    approves(&mut bed, &key, &hold, BOTH).await.expect("bob approves by hardware");
    let signed_by = bed.hold(&hold).await["approvals"].to_string();
    assert!(signed_by.contains("an attested hardware key, its user verified"), "{signed_by}");
    ask(&agent, CHANGE).await.expect("it runs");
    good_by_ssh_keygen(&bed, &bed.leaves_of("approved")[1], "approve");
    good_by_ssh_keygen(&bed, &bed.leaves_of("key_added")[0], "add_key");
    bed.verify();
    checked_again(&bed);
}

/// The audit checks the attestation down to the roots that it is given.
fn checked_again(bed: &Bed) {
    let verified = |roots: &str| {
        let file = bed.tyer.directory().join(roots);
        let file = file.to_str().expect("a path").to_owned();
        let output = bed.tyer.output(&["--json", "ledger", "verify", "--attestation-roots", &file]);
        let output = output.expect("verify");
        (output.status.success(), text(&output.stdout))
    };
    let (clean, said) = verified("maker.pem");
    assert!(clean, "{said}");
    let (clean, said) = verified("other.pem");
    assert!(!clean && said.contains("does not lead to a root that is trusted here"), "{said}");
    assert!(said.contains("no leaf shows who attests to the SSH key of bob"), "{said}");
    let plain = bed.tyer.run(&["--json", "ledger", "verify"]).expect("verify");
    let plain: Value = serde_json::from_str(&plain).expect("JSON");
    assert_eq!(plain["unchecked_attestations"].as_array().map(Vec::len), Some(1), "{plain}");
}

#[tokio::test]
async fn forged_attestations_of_ssh_keys_are_refused() {
    let (maker, other) = (Maker::new(), Maker::new());
    let mut bed = bed(&maker, &other).await;
    let key = SecurityKey::new("ssh:").expect("a key");
    let another = SecurityKey::new("ssh:").expect("a key");
    type Forge<'a> = &'a dyn Fn(&str) -> Vec<u8>;
    let of_the_console = key.made_for("tyer.example.com").expect("a key");
    let table: [(&str, Forge<'_>, &str); 8] = [
        ("another root", &|it| attested(&key, it, &other), "does not lead to a root"),
        ("another key", &|it| attested(&another, it, &maker), "is for another key"),
        ("another application", &|it| attested(&of_the_console, it, &maker), "another application"),
        ("another challenge", &|it| attested(&key, &format!("{it}\n"), &maker), "not over this key"),
        ("no challenge", &|_| attested(&key, "", &maker), "not over this key"),
        ("nothing", &|_| Vec::new(), "cannot be read"),
        (
            "cut short",
            &|it| attested(&key, it, &maker).split_last().expect("bytes").1.to_vec(),
            "cannot be read",
        ),
        ("something more", &|it| [attested(&key, it, &maker), vec![0]].concat(), "cannot be read"),
    ];
    for (case, forge, expect) in table {
        let made = making(&mut bed.bob).await;
        let refused = adds(&mut bed.bob, &key, (&made, &forge(message(&made)))).await;
        let refused = refused.expect_err(case);
        assert!(refused.contains(expect), "{case}: {refused}");
    }
    // Somebody else's, and what was used before.
    let made = making(&mut bed.bob).await;
    let file = attested(&key, message(&made), &maker);
    let refused = adds(&mut bed.alice, &key, (&made, &file)).await.expect_err("bob's");
    assert!(refused.contains("not valid any more, or not yours"), "{refused}");
    let refused = adds(&mut bed.bob, &key, (&made, &file)).await.expect_err("used");
    assert!(refused.contains("not valid any more, or not yours"), "{refused}");
    let anew = making(&mut bed.bob).await;
    let refused = adds(&mut bed.bob, &key, (&anew, &file)).await.expect_err("replayed");
    assert!(refused.contains("not over this key"), "{refused}");
    let in_file = adding(&mut bed.bob, &key.line()).await;
    let refused = adds(&mut bed.bob, &key, (&in_file, &file)).await.expect_err("another statement");
    assert!(refused.contains("not valid any more, or not yours"), "{refused}");
    assert!(bed.leaves_of("key_added").is_empty() && bed.leaves_of("key_attested").is_empty());
    bed.verify();
}

#[tokio::test]
async fn a_security_keys_word_for_itself_is_worth_nothing() {
    let (maker, other) = (Maker::new(), Maker::new());
    let mut bed = bed(&maker, &other).await;
    let agent = bed.agent().await;
    let key = SecurityKey::new("ssh:").expect("a key");
    let statement = adding(&mut bed.bob, &key.line()).await;
    let signature = key.sign(message(&statement).as_bytes(), BOTH);
    let proof = json!({ "signature": signature });
    add_with(&mut bed.bob, &statement, proof).await.expect("without an attestation");
    assert_eq!(ssh_keys(&mut bed).await[0]["assurance"], "unattested");
    let confirm = json!({ "confirm_key": ssh_keys(&mut bed).await[0]["fingerprint"] });
    bed.alice.decide(&confirm, "").await.expect("alice confirms");
    let said = ask(&agent, CHANGE).await.unwrap_err().message;
    assert!(said.contains("hardware") && said.contains("not enough"), "{said}");
    bed.verify();
}
