//! Passkeys in hardware: makers whom the operator trusts attest to them, and policies ask for them.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, PublicKeyData,
    SigningKey as _,
};
use serde_json::{Value, json};
use xtask::approver::Approver;
use xtask::instance::Shape;

use crate::bed::{Bed, ask};

pub(crate) const POLICIES: &str = r#"
@id("own/read")
permit (principal, action == Action::"read", resource);
@id("own/local")
permit (principal, action, resource) when { context.local };
@id("own/change")
permit (principal, action == Action::"change", resource)
when { context.approvals.peers >= 1 && context.approvals.hardware >= 1 };
"#;
const CHANGE: &str = "UPDATE customers SET name = name WHERE id = 1";

/// A maker of authenticators, with the root that its certificates lead to.
pub(crate) struct Maker {
    pub(crate) root: String,
    issuer: Issuer<'static, KeyPair>,
    leaf: Vec<u8>,
    key: KeyPair,
}

impl Maker {
    pub(crate) fn new() -> Self {
        let mut root = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        root.distinguished_name.push(DnType::CommonName, "Maker's root");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_key = KeyPair::generate().expect("a key");
        let pem = root.self_signed(&root_key).expect("a root").pem();
        let (issuer, key) = (Issuer::new(root, root_key), KeyPair::generate().expect("a key"));
        // The software authenticator says that it is no model.
        let leaf = certificate(&issuer, &key, [0; 16]);
        Self { root: pem, issuer, leaf, key }
    }

    /// A certificate for the key of such an authenticator.
    pub(crate) fn certifies(&self, key: &impl PublicKeyData, model: [u8; 16]) -> Vec<u8> {
        certificate(&self.issuer, key, model)
    }

    pub(crate) fn attest(&self, bytes: &[u8]) -> (Vec<Vec<u8>>, Vec<u8>) {
        (vec![self.leaf.clone()], self.key.sign(bytes).expect("a signature"))
    }
}

fn certificate(
    issuer: &Issuer<'static, KeyPair>,
    key: &impl PublicKeyData,
    model: [u8; 16],
) -> Vec<u8> {
    let mut leaf = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    for (kind, name) in [
        (DnType::CountryName, "SE"),
        (DnType::OrganizationName, "Maker"),
        (DnType::OrganizationalUnitName, "Authenticator Attestation"),
        (DnType::CommonName, "Maker's keys"),
    ] {
        leaf.distinguished_name.push(kind, name);
    }
    leaf.is_ca = IsCa::ExplicitNoCa;
    let oid = [1, 3, 6, 1, 4, 1, 45724, 1, 1, 4];
    let model = [&[4, 16], model.as_slice()].concat();
    leaf.custom_extensions.push(CustomExtension::from_oid_content(&oid, model));
    leaf.signed_by(key, issuer).expect("a leaf").der().to_vec()
}

/// A further passkey of bob's by that maker, which alice confirms; whether it is taken as attested.
pub(crate) async fn further(bed: &mut Bed, maker: &Maker) -> (Approver, bool) {
    let link = bed.bob.decide(&json!({ "add_passkey": true }), "").await.expect("a link");
    let url = link.pointer("/invited/url").and_then(Value::as_str).expect("a link");
    let token = url.rsplit('/').next().expect("a token");
    let attest = |bytes: &[u8]| maker.attest(bytes);
    let mut made =
        Approver::enrol_by("bob", token, bed.tyer.console, Some(&attest)).await.expect("enrolled");
    let (_, answer) = bed.alice.http().get("/api/v1/people").await.expect("people");
    let bob = answer.pointer("/people/1").expect("bob");
    assert_eq!(bob.get("name"), Some(&json!("bob")));
    let newest = bob.get("passkey_list").and_then(Value::as_array).and_then(|list| list.last());
    let newest = newest.expect("a passkey");
    let digest = newest.get("digest").cloned();
    bed.alice.decide(&json!({ "confirm_passkey": digest }), "").await.expect("alice confirms");
    made.sign_in().await.expect("a sign-in");
    (made, newest.get("attested") == Some(&json!(true)))
}

#[tokio::test]
async fn a_trusted_makers_passkey_is_hardware_and_nothing_else_is() {
    let (maker, other) = (Maker::new(), Maker::new());
    let files = vec![
        ("own.cedar", POLICIES.to_owned()),
        ("maker.pem", maker.root.clone()),
        ("other.pem", other.root.clone()),
    ];
    let policy = "files = [\"own.cedar\"]\n\n[attestation]\nroots = [\"maker.pem\"]";
    let mut bed = Bed::new(Shape { policy, files, ..Shape::default() }).await;
    let agent = bed.agent().await;
    let said = ask(&agent, CHANGE).await.unwrap_err().message;
    assert!(said.contains("hardware"), "nobody has one: {said}");
    // Of the same names, but not the trusted root.
    let (_, attested) = further(&mut bed, &other).await;
    assert!(!attested);
    assert!(ask(&agent, CHANGE).await.unwrap_err().message.contains("hardware"));
    let (mut hardware, attested) = further(&mut bed, &maker).await;
    assert!(attested);
    let hold = ask(&agent, CHANGE).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice approves by a plain passkey");
    assert!(ask(&agent, CHANGE).await.is_err(), "which is not enough");
    hardware.approve(&hold).await.expect("bob approves by hardware");
    ask(&agent, CHANGE).await.expect("it runs");
    bed.verify();
    let verified = |roots: &str| {
        let file = bed.tyer.directory().join(roots);
        let file = file.to_str().expect("a path").to_owned();
        let output = bed.tyer.output(&["--json", "ledger", "verify", "--attestation-roots", &file]);
        let output = output.expect("verify");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (clean, said) = verified("maker.pem");
    assert!(clean, "{said}");
    let (clean, said) = verified("other.pem");
    assert!(!clean && said.contains("does not lead to a root that is trusted here"), "{said}");
    assert!(said.contains("no leaf shows who attests to the passkey of bob"), "{said}");
    let plain = bed.tyer.run(&["--json", "ledger", "verify"]).expect("verify");
    let plain: Value = serde_json::from_str(&plain).expect("JSON");
    let unchecked = plain.get("unchecked_attestations").and_then(Value::as_array).map(Vec::len);
    assert_eq!(unchecked, Some(1), "{plain}");
}
