//! The canonical form of every kind of leaf, pinned.

use expect_test::{Expect, expect};

use super::*;
use crate::allowance::{Pace, Terms, Used, Whose};
use crate::facts::{Card, Facts, RelationFacts};
use crate::hold::Standing;
use crate::intent::{Act, Acts, Effect, Environment, Intent, Kind, Resource, Reversibility, TeamId};
use crate::roster::Roster;
use crate::statement::{Decision, Statement, Subject};
use crate::verdict::{Basis, Needs};

const NOON: Timestamp = Timestamp(1_767_268_800_000);

fn person(name: &str) -> PersonId {
    PersonId::new(name)
}

fn key() -> PublicKey {
    PublicKey::passkey("Y3JlZA", "Y29zZQ")
}

fn signed(what: Decision) -> Signed {
    Signed {
        statement: statement(what),
        credential: "Y3JlZA".into(),
        authenticator_data: "YQ".into(),
        client_data: "Yw".into(),
        signature: "cw".into(),
    }
}

fn statement(what: Decision) -> Statement {
    Statement {
        origin: "https://tyer.example.com".into(),
        what,
        person: "bob".into(),
        root: Digest([1; 32]),
        size: 7,
        nonce: "bm9uY2U".into(),
        expires: NOON.plus(1),
    }
}

fn principal() -> Principal {
    Principal {
        session: SessionId::new("s-7k2m9q"),
        agent: "kiro".into(),
        human: false,
        controller: person("alice"),
        also: Vec::new(),
    }
}

fn facts() -> Facts {
    let relation = RelationFacts {
        name: "public.orders".into(),
        rows: Some(1_200),
        bytes: Some(81_920),
        dependents: vec!["payments (cascade)".into()],
        ..RelationFacts::default()
    };
    let unknown = vec!["triggers of \"orders\"".into()];
    Facts { relations: vec![relation], unknown, ..Facts::default() }
}

fn act() -> Act {
    Act {
        effect: Effect::Destroy,
        resource: Resource::new(Kind::Relation, "orders"),
        reversibility: Reversibility::Recoverable,
        local: false,
        why: "removes every row — ünïcode\u{1}".into(),
        tie: None,
    }
}

fn request() -> RequestRecord {
    RequestRecord {
        principal: principal(),
        upstream: Upstream::new("orders"),
        environment: Environment::production(),
        digest: Digest([2; 32]),
        redacted: "DELETE FROM orders WHERE id = $1".into(),
        commitment: commit(&[9; 32], "DELETE FROM orders WHERE id = 1"),
        acts: vec![act()],
        facts: facts(),
        basis: Basis {
            policies: vec!["ask-1".into()],
            policy_set: Digest([3; 32]),
            hold: None,
            observed: None,
            used: None,
        },
    }
}

fn approval() -> ApprovalRecord {
    ApprovalRecord {
        person: person("bob"),
        standing: Standing::Owner,
        at: NOON,
        comment: "ok".into(),
        signed: signed(Decision::Approve(subject())),
        key: key(),
    }
}

fn subject() -> Subject {
    Subject {
        hold: HoldId::new("H-42"),
        request: Digest([2; 32]),
        card: Digest([4; 32]),
        policy_set: Digest([3; 32]),
    }
}

fn card() -> Card {
    Card {
        hold: HoldId::new("H-42"),
        intent: Intent {
            principal: principal(),
            upstream: Upstream::new("orders"),
            environment: Environment::production(),
            acts: Acts::new(act(), []),
            digest: Digest([2; 32]),
            shape: Digest([5; 32]),
            text: "DELETE FROM orders WHERE id = 1".into(),
            redacted: "DELETE FROM orders WHERE id = $1".into(),
        },
        purpose: "clean up".into(),
        facts: facts(),
        needs: Needs { controller: true, peers: 2, owners: 1, ..Needs::default() },
        policies: vec!["ask-1".into()],
        policy_set: Digest([3; 32]),
        taken: NOON,
        roster: Roster::default(),
        allowance: None,
    }
}

/// Leaves live for ever: each of these lines may gain company, but none may ever change.
fn check(what: What, expect: &Expect) {
    let record = Record::new(NOON, what);
    let leaf = record.encode();
    let text = String::from_utf8(leaf.clone()).unwrap();
    assert!(text.contains(&format!(r#""kind":"{}""#, record.what.kind())), "{text}");
    assert_eq!(Record::decode(&leaf), Ok(record));
    expect.assert_eq(&text);
}

#[test]
fn people() {
    check(
        What::Founded { origin: "tyer.example.com/ledger".into() },
        &expect![[r#"{"at":1767268800000,"kind":"founded","origin":"tyer.example.com/ledger","v":1}"#]],
    );
    let (bob, by) = (person("bob"), person("alice"));
    let enrolled = |invited_by, signed, counts| What::Enrolled {
        person: person("bob"),
        key: key(),
        invited_by,
        signed,
        counts,
    };
    check(
        enrolled(None, None, true),
        &expect![[
            r#"{"at":1767268800000,"counts":true,"invited_by":null,"key":{"cose":"Y29zZQ","credential":"Y3JlZA"},"kind":"enrolled","person":"bob","signed":null,"v":1}"#
        ]],
    );
    let enrol = signed(Decision::Enrol { person: person("bob") });
    check(
        enrolled(Some(by.clone()), Some(enrol), false),
        &expect![[
            r#"{"at":1767268800000,"counts":false,"invited_by":"alice","key":{"cose":"Y29zZQ","credential":"Y3JlZA"},"kind":"enrolled","person":"bob","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"enrol","person":"bob"}}},"v":1}"#
        ]],
    );
    let invite = signed(Decision::Invite { person: bob.clone() });
    check(
        What::Invited { person: bob.clone(), by: by.clone(), signed: invite },
        &expect![[
            r#"{"at":1767268800000,"by":"alice","kind":"invited","person":"bob","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"invite","person":"bob"}}},"v":1}"#
        ]],
    );
    let confirm = signed(Decision::Confirm { person: bob.clone(), credential: key().digest() });
    check(
        What::Confirmed { person: bob, by, signed: confirm },
        &expect![[
            r#"{"at":1767268800000,"by":"alice","kind":"confirmed","person":"bob","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"credential":"d1dc782160c375d99ce9eecafdffd7912b282ff1c89c79af319381f0c2072808","decision":"confirm","person":"bob"}}},"v":1}"#
        ]],
    );
}

fn ssh_key() -> PublicKey {
    PublicKey {
        credential: "SHA256:a2V5".into(),
        cose: String::new(),
        ssh: "ssh-ed25519 AAAAC3Nz".into(),
        attested: None,
    }
}

fn signed_by_ssh(what: Decision) -> Signed {
    Signed {
        statement: statement(what),
        credential: "SHA256:a2V5".into(),
        authenticator_data: String::new(),
        client_data: String::new(),
        signature: "U1NIU0lH".into(),
    }
}

#[test]
fn attested_passkeys() {
    let attested = What::Attested {
        person: person("bob"),
        key: key().digest(),
        root: Digest([3; 32]),
        statement: statement(Decision::Enrol { person: person("bob") }),
        registration: Registration { client_data: "Yw".into(), attestation_object: "YQ".into() },
    };
    check(
        attested,
        &expect![[
            r#"{"at":1767268800000,"key":"d1dc782160c375d99ce9eecafdffd7912b282ff1c89c79af319381f0c2072808","kind":"attested","person":"bob","registration":{"attestation_object":"YQ","client_data":"Yw"},"root":"0303030303030303030303030303030303030303030303030303030303030303","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"enrol","person":"bob"}},"v":1}"#
        ]],
    );
    let enrolled = What::Enrolled {
        person: person("bob"),
        key: PublicKey { attested: Some(Digest([3; 32])), ..key() },
        invited_by: None,
        signed: None,
        counts: true,
    };
    check(
        enrolled,
        &expect![[
            r#"{"at":1767268800000,"counts":true,"invited_by":null,"key":{"attested":"0303030303030303030303030303030303030303030303030303030303030303","cose":"Y29zZQ","credential":"Y3JlZA"},"kind":"enrolled","person":"bob","signed":null,"v":1}"#
        ]],
    );
}

#[test]
fn further_passkeys() {
    let digest = key().digest();
    let (bob, alice) = (person("bob"), person("alice"));
    let asked = What::PasskeyAsked {
        person: bob.clone(),
        by: bob.clone(),
        signed: signed(Decision::AddPasskey),
    };
    check(
        asked,
        &expect![[
            r#"{"at":1767268800000,"by":"bob","kind":"passkey_asked","person":"bob","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"add_passkey"}}},"v":1}"#
        ]],
    );
    let asked = What::PasskeyAsked {
        person: bob.clone(),
        by: alice.clone(),
        signed: signed(Decision::Recover { person: bob.clone() }),
    };
    check(
        asked,
        &expect![[
            r#"{"at":1767268800000,"by":"alice","kind":"passkey_asked","person":"bob","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"recover","person":"bob"}}},"v":1}"#
        ]],
    );
    let replaces = vec![Digest([2; 32])];
    let confirmed = What::PasskeyConfirmed {
        person: bob.clone(),
        by: alice.clone(),
        signed: signed(Decision::ConfirmPasskey { person: bob.clone(), key: digest, replaces }),
    };
    check(
        confirmed,
        &expect![[
            r#"{"at":1767268800000,"by":"alice","kind":"passkey_confirmed","person":"bob","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"confirm_passkey","key":"d1dc782160c375d99ce9eecafdffd7912b282ff1c89c79af319381f0c2072808","person":"bob","replaces":["0202020202020202020202020202020202020202020202020202020202020202"]}}},"v":1}"#
        ]],
    );
    let removed = What::PasskeyRemoved {
        person: bob.clone(),
        by: alice,
        signed: signed(Decision::RemovePasskey { person: bob, key: digest }),
    };
    check(
        removed,
        &expect![[
            r#"{"at":1767268800000,"by":"alice","kind":"passkey_removed","person":"bob","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"remove_passkey","key":"d1dc782160c375d99ce9eecafdffd7912b282ff1c89c79af319381f0c2072808","person":"bob"}}},"v":1}"#
        ]],
    );
}

#[test]
fn allowances() {
    let terms = Terms {
        like: HoldId::new("H-42"),
        shape: Digest([5; 32]),
        whose: Whose::Agent,
        count: 20,
        lasts_ms: 7_200_000,
        pace: Some(Pace { uses: 5, within_ms: 60_000 }),
        by: "alice".into(),
    };
    let card = Card { hold: HoldId::new("H-43"), allowance: Some(terms), ..card() };
    let leaf = CardRecord::of(&card, request());
    let text = serde_json::to_string(&leaf.allowance).unwrap();
    expect![[
        r#"{"like":"H-42","shape":"0505050505050505050505050505050505050505050505050505050505050505","whose":"agent","count":20,"lasts_ms":7200000,"pace":{"uses":5,"within_ms":60000},"by":"alice"}"#
    ]]
    .assert_eq(&text);
    let held = What::Held { card: Box::new(leaf), expires: NOON.plus(1) };
    let leaf = Record::new(NOON, held.clone()).encode();
    assert_eq!(Record::decode(&leaf), Ok(Record::new(NOON, held)));
    let used = Used { number: 3, at: NOON, shape: Digest([5; 32]) };
    let basis = Basis { hold: Some(HoldId::new("H-43")), used: Some(used), ..request().basis };
    let text = serde_json::to_string(&basis).unwrap();
    expect![[
        r#"{"policies":["ask-1"],"policy_set":"0303030303030303030303030303030303030303030303030303030303030303","hold":"H-43","used":{"number":3,"at":1767268800000,"shape":"0505050505050505050505050505050505050505050505050505050505050505"}}"#
    ]]
    .assert_eq(&text);
    let what =
        What::Cleared { request: RequestRecord { basis, ..request() }, approvals: vec![approval()] };
    let leaf = Record::new(NOON, what.clone()).encode();
    assert_eq!(Record::decode(&leaf), Ok(Record::new(NOON, what)));
}

#[test]
fn ssh_keys_that_are_proven_and_attested() {
    let proven = What::KeyAdded {
        person: person("bob"),
        key: PublicKey { attested: Some(Digest([3; 32])), ..ssh_key() },
        signed: signed(Decision::AddKey { key: ssh_key().ssh }),
        proof: Some("cHJvb2Y".to_owned()),
    };
    check(
        proven,
        &expect![[
            r#"{"at":1767268800000,"key":{"attested":"0303030303030303030303030303030303030303030303030303030303030303","credential":"SHA256:a2V5","ssh":"ssh-ed25519 AAAAC3Nz"},"kind":"key_added","person":"bob","proof":"cHJvb2Y","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"add_key","key":"ssh-ed25519 AAAAC3Nz"}}},"v":1}"#
        ]],
    );
    let attested = What::KeyAttested {
        person: person("bob"),
        key: ssh_key(),
        root: Digest([3; 32]),
        statement: signed(Decision::MakeKey).statement,
        attestation: "ZmlsZQ".to_owned(),
    };
    check(
        attested,
        &expect![[
            r#"{"at":1767268800000,"attestation":"ZmlsZQ","key":{"credential":"SHA256:a2V5","ssh":"ssh-ed25519 AAAAC3Nz"},"kind":"key_attested","person":"bob","root":"0303030303030303030303030303030303030303030303030303030303030303","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"make_key"}},"v":1}"#
        ]],
    );
    let looked = What::Rejected {
        hold: HoldId::new("H-42"),
        person: person("bob"),
        reason: String::new(),
        signed: signed(Decision::Look { holds: vec![HoldId::new("H-42")] }),
        key: ssh_key(),
    };
    check(
        looked,
        &expect![[
            r#"{"at":1767268800000,"hold":"H-42","key":{"credential":"SHA256:a2V5","ssh":"ssh-ed25519 AAAAC3Nz"},"kind":"rejected","person":"bob","reason":"","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"look","holds":["H-42"]}}},"v":1}"#
        ]],
    );
}

#[test]
fn ssh_keys() {
    let added = What::KeyAdded {
        person: person("bob"),
        key: ssh_key(),
        signed: signed(Decision::AddKey { key: ssh_key().ssh }),
        proof: None,
    };
    check(
        added,
        &expect![[
            r#"{"at":1767268800000,"key":{"credential":"SHA256:a2V5","ssh":"ssh-ed25519 AAAAC3Nz"},"kind":"key_added","person":"bob","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"add_key","key":"ssh-ed25519 AAAAC3Nz"}}},"v":1}"#
        ]],
    );
    let confirmed = What::KeyConfirmed {
        person: person("bob"),
        by: person("alice"),
        signed: signed(Decision::ConfirmKey { person: person("bob"), key: ssh_key().digest() }),
    };
    check(
        confirmed,
        &expect![[
            r#"{"at":1767268800000,"by":"alice","kind":"key_confirmed","person":"bob","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"confirm_key","key":"702b74c15a599f5dc4b3f074e334972e15a8285ca23fb7912e841170bc86b5cc","person":"bob"}}},"v":1}"#
        ]],
    );
    let removed = What::KeyRemoved {
        person: person("bob"),
        by: person("alice"),
        signed: signed(Decision::RemoveKey { person: person("bob"), key: ssh_key().digest() }),
    };
    check(
        removed,
        &expect![[
            r#"{"at":1767268800000,"by":"alice","kind":"key_removed","person":"bob","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"remove_key","key":"702b74c15a599f5dc4b3f074e334972e15a8285ca23fb7912e841170bc86b5cc","person":"bob"}}},"v":1}"#
        ]],
    );
    let approval = ApprovalRecord {
        signed: signed_by_ssh(Decision::Approve(subject())),
        key: ssh_key(),
        ..approval()
    };
    check(
        What::Approved { hold: HoldId::new("H-42"), approval },
        &expect![[
            r#"{"approval":{"at":1767268800000,"comment":"ok","key":{"credential":"SHA256:a2V5","ssh":"ssh-ed25519 AAAAC3Nz"},"person":"bob","signed":{"credential":"SHA256:a2V5","signature":"U1NIU0lH","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"card":"0404040404040404040404040404040404040404040404040404040404040404","decision":"approve","hold":"H-42","policy_set":"0303030303030303030303030303030303030303030303030303030303030303","request":"0202020202020202020202020202020202020202020202020202020202020202"}}},"standing":"owner"},"at":1767268800000,"hold":"H-42","kind":"approved","v":1}"#
        ]],
    );
    let needs = Needs { peers: 1, signers: 2, hardware: 1, ..Needs::default() };
    let card = CardRecord { needs, shape: None, ..CardRecord::of(&card(), request()) };
    check(
        What::Held { card: Box::new(card), expires: NOON.plus(9) },
        &expect![[
            r#"{"at":1767268800000,"card":{"card":"932bb5f3740978eca16c8a178e0935befb9410bf4ba6676f38a3abeab98c5871","hold":"H-42","needs":{"controller":false,"hardware":1,"owners":0,"peers":1,"signers":2},"purpose":"clean up","request":{"acts":[{"effect":"destroy","local":false,"resource":{"kind":"relation","name":"orders"},"reversibility":"recoverable","why":"removes every row — ünïcode\u0001"}],"basis":{"hold":null,"policies":["ask-1"],"policy_set":"0303030303030303030303030303030303030303030303030303030303030303"},"commitment":"e97f93dc34b6e27aa6b947e2705ef89703673d32d57182ae3afa3956c5deeb56","digest":"0202020202020202020202020202020202020202020202020202020202020202","environment":"production","facts":{"relations":[{"bytes":81920,"dependents":["payments (cascade)"],"name":"public.orders","rows":1200,"touched":null}],"unknown":["triggers of \"orders\""]},"principal":{"agent":"kiro","controller":"alice","human":false,"session":"s-7k2m9q"},"redacted":"DELETE FROM orders WHERE id = $1","upstream":"orders"},"taken":1767268800000},"expires":1767268800009,"kind":"held","v":1}"#
        ]],
    );
}

#[test]
fn a_card_with_its_shape() {
    let shape = card().intent.shape;
    let card = CardRecord::of(&card(), request());
    assert_eq!(card.shape, Some(shape));
    let leaf = Record::new(NOON, What::Held { card: Box::new(card), expires: NOON.plus(9) }).encode();
    let text = String::from_utf8(leaf.clone()).expect("text");
    assert!(text.contains(&format!("\"shape\":\"{shape}\",\"taken\":")), "{text}");
    assert_eq!(Record::decode(&leaf).map(|record| record.encode()), Ok(leaf));
}

#[test]
fn a_card_with_teams() {
    let teams = ["sre", "payments"].map(TeamId::new).into();
    let needs = Needs { peers: 2, teams, ..Needs::default() };
    let members = ["carol", "bob"].map(PersonId::new).into();
    let roster = Roster { teams: [(TeamId::new("sre"), members)].into(), ..Roster::default() };
    let card = CardRecord { needs, roster, ..CardRecord::of(&card(), request()) };
    let leaf = Record::new(NOON, What::Held { card: Box::new(card), expires: NOON.plus(9) }).encode();
    let text = String::from_utf8(leaf.clone()).expect("text");
    for part in [
        r#""needs":{"controller":false,"owners":0,"peers":2,"teams":["payments","sre"]}"#,
        r#""roster":{"teams":{"sre":["bob","carol"]}},"shape":"#,
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(Record::decode(&leaf).map(|record| record.encode()), Ok(leaf));
}

#[test]
fn a_card_with_working_hours() {
    let shift = crate::hours::Shift::parse("Mon-Fri 09:00-17:00").expect("a window");
    let zone = crate::freeze::Zone::parse("Europe/Berlin").expect("a zone");
    let hours = crate::hours::Hours::new(zone, vec![shift]).expect("hours");
    let roster = Roster { hours: [(person("bob"), hours)].into(), ..Roster::default() };
    let needs = Needs { peers: 1, on_hours: 1, ..Needs::default() };
    let card = CardRecord { needs, roster, ..CardRecord::of(&card(), request()) };
    let leaf = Record::new(NOON, What::Held { card: Box::new(card), expires: NOON.plus(9) }).encode();
    let text = String::from_utf8(leaf.clone()).expect("text");
    for part in [
        r#""needs":{"controller":false,"on_hours":1,"owners":0,"peers":1}"#,
        r#""roster":{"hours":{"bob":{"hours":["Mon-Fri 09:00-17:00"],"zone":"Europe/Berlin"}}},"shape":"#,
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(Record::decode(&leaf).map(|record| record.encode()), Ok(leaf));
}

#[test]
fn slowed_sessions() {
    let slowed = What::Slowed { principal: principal(), asked: 31, rejected: 4 };
    check(
        slowed,
        &expect![[
            r#"{"asked":31,"at":1767268800000,"kind":"slowed","principal":{"agent":"kiro","controller":"alice","human":false,"session":"s-7k2m9q"},"rejected":4,"v":1}"#
        ]],
    );
}

#[test]
fn what_people_leave_beside_a_hold() {
    let noted = |to: Vec<PersonId>| What::Noted {
        hold: HoldId::new("H-42"),
        by: "alice".into(),
        text: "yours".into(),
        to,
    };
    check(
        noted(Vec::new()),
        &expect![[
            r#"{"at":1767268800000,"by":"alice","hold":"H-42","kind":"noted","text":"yours","v":1}"#
        ]],
    );
    check(
        noted(vec![PersonId::new("bob")]),
        &expect![[
            r#"{"at":1767268800000,"by":"alice","hold":"H-42","kind":"noted","text":"yours","to":["bob"],"v":1}"#
        ]],
    );
    let put_off = |until| What::PutOff { hold: HoldId::new("H-42"), by: "operator".into(), until };
    check(
        put_off(Some(NOON.plus(5))),
        &expect![[
            r#"{"at":1767268800000,"by":"operator","hold":"H-42","kind":"put_off","until":1767268800005,"v":1}"#
        ]],
    );
    check(
        put_off(None),
        &expect![[
            r#"{"at":1767268800000,"by":"operator","hold":"H-42","kind":"put_off","until":null,"v":1}"#
        ]],
    );
}

#[test]
fn sessions_and_reads() {
    let opened = What::SessionOpened {
        principal: principal(),
        upstream: Upstream::new("orders"),
        narrowing: Narrowing { may: vec![Effect::Read], on: vec!["orders.*".into()] },
        until: NOON.plus(5),
        purpose: "clean up".into(),
        by: "operator".into(),
    };
    check(
        opened,
        &expect![[
            r#"{"at":1767268800000,"by":"operator","kind":"session_opened","narrowing":{"may":["read"],"on":["orders.*"]},"principal":{"agent":"kiro","controller":"alice","human":false,"session":"s-7k2m9q"},"purpose":"clean up","until":1767268800005,"upstream":"orders","v":1}"#
        ]],
    );
    let killed = What::Killed {
        what: "agent kiro".into(),
        by: "bob".into(),
        sessions: 1,
        open: 2,
        closed: 1,
        holds: 1,
        seen: 0,
        unseen: vec![LeafIndex(4)],
        more: 0,
        signed: None,
    };
    check(
        killed,
        &expect![[
            r#"{"at":1767268800000,"by":"bob","closed":1,"holds":1,"kind":"killed","open":2,"seen":0,"sessions":1,"unseen":[4],"v":1,"what":"agent kiro"}"#
        ]],
    );
    let ended = What::SessionEnded {
        session: SessionId::new("s-7k2m9q"),
        how: "killed".into(),
        by: "bob".into(),
        open: 2,
        closed: 1,
    };
    check(
        ended,
        &expect![[
            r#"{"at":1767268800000,"by":"bob","closed":1,"how":"killed","kind":"session_ended","open":2,"session":"s-7k2m9q","v":1}"#
        ]],
    );
    let lease = What::ReadLease { request: request(), uses: u64::MAX, until: NOON.plus(5) };
    check(
        lease,
        &expect![[
            r#"{"at":1767268800000,"kind":"read_lease","request":{"acts":[{"effect":"destroy","local":false,"resource":{"kind":"relation","name":"orders"},"reversibility":"recoverable","why":"removes every row — ünïcode\u0001"}],"basis":{"hold":null,"policies":["ask-1"],"policy_set":"0303030303030303030303030303030303030303030303030303030303030303"},"commitment":"e97f93dc34b6e27aa6b947e2705ef89703673d32d57182ae3afa3956c5deeb56","digest":"0202020202020202020202020202020202020202020202020202020202020202","environment":"production","facts":{"relations":[{"bytes":81920,"dependents":["payments (cascade)"],"name":"public.orders","rows":1200,"touched":null}],"unknown":["triggers of \"orders\""]},"principal":{"agent":"kiro","controller":"alice","human":false,"session":"s-7k2m9q"},"redacted":"DELETE FROM orders WHERE id = $1","upstream":"orders"},"until":1767268800005,"uses":18446744073709551615,"v":1}"#
        ]],
    );
    check(
        What::LeaseClosed { leaf: LeafIndex(3), uses: 9, failed: 1 },
        &expect![[r#"{"at":1767268800000,"failed":1,"kind":"lease_closed","leaf":3,"uses":9,"v":1}"#]],
    );
    check(
        What::Misread { leaf: LeafIndex(3), code: "25006".into() },
        &expect![[r#"{"at":1767268800000,"code":"25006","kind":"misread","leaf":3,"v":1}"#]],
    );
}

#[test]
fn holds() {
    // As earlier versions wrote it.
    let card = CardRecord { shape: None, ..CardRecord::of(&card(), request()) };
    check(
        What::Held { card: Box::new(card), expires: NOON.plus(9) },
        &expect![[
            r#"{"at":1767268800000,"card":{"card":"932bb5f3740978eca16c8a178e0935befb9410bf4ba6676f38a3abeab98c5871","hold":"H-42","needs":{"controller":true,"owners":1,"peers":2},"purpose":"clean up","request":{"acts":[{"effect":"destroy","local":false,"resource":{"kind":"relation","name":"orders"},"reversibility":"recoverable","why":"removes every row — ünïcode\u0001"}],"basis":{"hold":null,"policies":["ask-1"],"policy_set":"0303030303030303030303030303030303030303030303030303030303030303"},"commitment":"e97f93dc34b6e27aa6b947e2705ef89703673d32d57182ae3afa3956c5deeb56","digest":"0202020202020202020202020202020202020202020202020202020202020202","environment":"production","facts":{"relations":[{"bytes":81920,"dependents":["payments (cascade)"],"name":"public.orders","rows":1200,"touched":null}],"unknown":["triggers of \"orders\""]},"principal":{"agent":"kiro","controller":"alice","human":false,"session":"s-7k2m9q"},"redacted":"DELETE FROM orders WHERE id = $1","upstream":"orders"},"taken":1767268800000},"expires":1767268800009,"kind":"held","v":1}"#
        ]],
    );
    check(
        What::Approved { hold: HoldId::new("H-42"), approval: approval() },
        &expect![[
            r#"{"approval":{"at":1767268800000,"comment":"ok","key":{"cose":"Y29zZQ","credential":"Y3JlZA"},"person":"bob","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"card":"0404040404040404040404040404040404040404040404040404040404040404","decision":"approve","hold":"H-42","policy_set":"0303030303030303030303030303030303030303030303030303030303030303","request":"0202020202020202020202020202020202020202020202020202020202020202"}}},"standing":"owner"},"at":1767268800000,"hold":"H-42","kind":"approved","v":1}"#
        ]],
    );
    let broken = What::GlassBroken {
        hold: HoldId::new("H-42"),
        approval: ApprovalRecord {
            person: person("bob"),
            standing: Standing::Owner,
            at: NOON,
            comment: String::new(),
            signed: signed(Decision::BreakGlass { subject: subject(), reason: "down".into() }),
            key: key(),
        },
    };
    check(
        broken,
        &expect![[
            r#"{"approval":{"at":1767268800000,"comment":"","key":{"cose":"Y29zZQ","credential":"Y3JlZA"},"person":"bob","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"break_glass","reason":"down","subject":{"card":"0404040404040404040404040404040404040404040404040404040404040404","hold":"H-42","policy_set":"0303030303030303030303030303030303030303030303030303030303030303","request":"0202020202020202020202020202020202020202020202020202020202020202"}}}},"standing":"owner"},"at":1767268800000,"hold":"H-42","kind":"glass_broken","v":1}"#
        ]],
    );
    let finding = "as it should be".to_owned();
    let (hold, broken) = (HoldId::new("H-42"), Digest([9; 32]));
    let reviewed = What::Reviewed {
        hold: hold.clone(),
        by: person("bob"),
        signed: signed(Decision::Review { hold, broken, finding }),
        key: key(),
    };
    check(
        reviewed,
        &expect![[
            r#"{"at":1767268800000,"by":"bob","hold":"H-42","key":{"cose":"Y29zZQ","credential":"Y3JlZA"},"kind":"reviewed","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"broken":"0909090909090909090909090909090909090909090909090909090909090909","decision":"review","finding":"as it should be","hold":"H-42"}}},"v":1}"#
        ]],
    );
    let rejected = What::Rejected {
        hold: HoldId::new("H-42"),
        person: person("bob"),
        reason: "no \"backup\"".into(),
        signed: signed(Decision::Reject(subject())),
        key: key(),
    };
    check(
        rejected,
        &expect![[
            r#"{"at":1767268800000,"hold":"H-42","key":{"cose":"Y29zZQ","credential":"Y3JlZA"},"kind":"rejected","person":"bob","reason":"no \"backup\"","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"card":"0404040404040404040404040404040404040404040404040404040404040404","decision":"reject","hold":"H-42","policy_set":"0303030303030303030303030303030303030303030303030303030303030303","request":"0202020202020202020202020202020202020202020202020202020202020202"}}},"v":1}"#
        ]],
    );
    check(
        What::HoldEnded { hold: HoldId::new("H-42"), how: "expired".into() },
        &expect![[r#"{"at":1767268800000,"hold":"H-42","how":"expired","kind":"hold_ended","v":1}"#]],
    );
}

#[test]
fn executions() {
    let mut released = request();
    released.basis.hold = Some(HoldId::new("H-42"));
    check(
        What::Cleared { request: released, approvals: vec![approval()] },
        &expect![[
            r#"{"approvals":[{"at":1767268800000,"comment":"ok","key":{"cose":"Y29zZQ","credential":"Y3JlZA"},"person":"bob","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"card":"0404040404040404040404040404040404040404040404040404040404040404","decision":"approve","hold":"H-42","policy_set":"0303030303030303030303030303030303030303030303030303030303030303","request":"0202020202020202020202020202020202020202020202020202020202020202"}}},"standing":"owner"}],"at":1767268800000,"kind":"cleared","request":{"acts":[{"effect":"destroy","local":false,"resource":{"kind":"relation","name":"orders"},"reversibility":"recoverable","why":"removes every row — ünïcode\u0001"}],"basis":{"hold":"H-42","policies":["ask-1"],"policy_set":"0303030303030303030303030303030303030303030303030303030303030303"},"commitment":"e97f93dc34b6e27aa6b947e2705ef89703673d32d57182ae3afa3956c5deeb56","digest":"0202020202020202020202020202020202020202020202020202020202020202","environment":"production","facts":{"relations":[{"bytes":81920,"dependents":["payments (cascade)"],"name":"public.orders","rows":1200,"touched":null}],"unknown":["triggers of \"orders\""]},"principal":{"agent":"kiro","controller":"alice","human":false,"session":"s-7k2m9q"},"redacted":"DELETE FROM orders WHERE id = $1","upstream":"orders"},"v":1}"#
        ]],
    );
    let settled = |outcome| What::Settled { leaf: LeafIndex(3), outcome, returned: false };
    check(
        settled(Outcome::done("DELETE 4".into(), Some(4))),
        &expect![[
            r#"{"at":1767268800000,"kind":"settled","leaf":3,"outcome":{"is":"done","rows":4,"tag":"DELETE 4"},"v":1}"#
        ]],
    );
    check(
        settled(Outcome::Failed { code: "42501".into() }),
        &expect![[
            r#"{"at":1767268800000,"kind":"settled","leaf":3,"outcome":{"code":"42501","is":"failed"},"v":1}"#
        ]],
    );
    check(
        settled(Outcome::Unknown { why: "connection lost".into() }),
        &expect![[
            r#"{"at":1767268800000,"kind":"settled","leaf":3,"outcome":{"is":"unknown","why":"connection lost"},"v":1}"#
        ]],
    );
    check(
        What::Refused { request: request(), reason: Reason::NobodyCan },
        &expect![[
            r#"{"at":1767268800000,"kind":"refused","reason":"nobody_can","request":{"acts":[{"effect":"destroy","local":false,"resource":{"kind":"relation","name":"orders"},"reversibility":"recoverable","why":"removes every row — ünïcode\u0001"}],"basis":{"hold":null,"policies":["ask-1"],"policy_set":"0303030303030303030303030303030303030303030303030303030303030303"},"commitment":"e97f93dc34b6e27aa6b947e2705ef89703673d32d57182ae3afa3956c5deeb56","digest":"0202020202020202020202020202020202020202020202020202020202020202","environment":"production","facts":{"relations":[{"bytes":81920,"dependents":["payments (cascade)"],"name":"public.orders","rows":1200,"touched":null}],"unknown":["triggers of \"orders\""]},"principal":{"agent":"kiro","controller":"alice","human":false,"session":"s-7k2m9q"},"redacted":"DELETE FROM orders WHERE id = $1","upstream":"orders"},"v":1}"#
        ]],
    );
}

#[test]
fn freezes() {
    let freeze = Freeze::of_everything(NOON, "operator", "incident");
    check(
        What::FreezeStarted { freeze: freeze.clone() },
        &expect![[
            r#"{"at":1767268800000,"freeze":{"by":"operator","id":"F-1767268800000","reason":"incident","scope":"everything","since":1767268800000},"kind":"freeze_started","v":1}"#
        ]],
    );
    let scope = crate::freeze::Scope::Environment(Environment::production());
    let (until, zone) = (Some(NOON.plus(1000)), Some("Europe/Berlin".to_owned()));
    let scoped = Freeze { scope, until, zone, ..freeze.clone() };
    check(
        What::FreezeStarted { freeze: scoped },
        &expect![[
            r#"{"at":1767268800000,"freeze":{"by":"operator","id":"F-1767268800000","reason":"incident","scope":{"environment":"production"},"since":1767268800000,"until":1767268801000,"zone":"Europe/Berlin"},"kind":"freeze_started","v":1}"#
        ]],
    );
    let scope = crate::freeze::Scope::Upstream(Upstream::new("orders"));
    let one = Freeze { scope, ..freeze };
    check(
        What::FreezeStarted { freeze: one.clone() },
        &expect![[
            r#"{"at":1767268800000,"freeze":{"by":"operator","id":"F-1767268800000","reason":"incident","scope":{"upstream":"orders"},"since":1767268800000},"kind":"freeze_started","v":1}"#
        ]],
    );
    let signed = vec![signed(one.ending())];
    check(
        What::FreezeEnded { freeze: one.id, signed },
        &expect![[
            r#"{"at":1767268800000,"freeze":"F-1767268800000","kind":"freeze_ended","signed":[{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"end_freeze","digest":"a78377e0c18587e561aec8b36022831b6d465bc2be0b383f2d082322818e55fa","freeze":"F-1767268800000"}}}],"v":1}"#
        ]],
    );
}

#[test]
fn freezes_and_configuration() {
    check(
        What::Frozen { by: "operator".into(), reason: "incident".into() },
        &expect![[r#"{"at":1767268800000,"by":"operator","kind":"frozen","reason":"incident","v":1}"#]],
    );
    let thaw = signed(Decision::Thaw { frozen: NOON });
    check(
        What::Thawed { by: person("bob"), signed: thaw },
        &expect![[
            r#"{"at":1767268800000,"by":"bob","kind":"thawed","signed":{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"thaw","frozen":1767268800000}}},"v":1}"#
        ]],
    );
    let (part, digest) = ("upstream orders".to_owned(), Digest([6; 32]));
    let decision = Decision::Configure { part: part.clone(), digest };
    check(
        What::Configured { part, digest, signed: vec![signed(decision)] },
        &expect![[
            r#"{"at":1767268800000,"digest":"0606060606060606060606060606060606060606060606060606060606060606","kind":"configured","part":"upstream orders","signed":[{"authenticator_data":"YQ","client_data":"Yw","credential":"Y3JlZA","signature":"cw","statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"configure","digest":"0606060606060606060606060606060606060606060606060606060606060606","part":"upstream orders"}}}],"v":1}"#
        ]],
    );
}

#[test]
fn only_the_canonical_form_is_read() {
    let leaf = r#"{"at":5,"kind":"frozen","reason":"x","by":"y","v":1}"#;
    let canonical = r#"{"at":5,"by":"y","kind":"frozen","reason":"x","v":1}"#;
    let check = |leaf: &str, expect: Option<NotARecord>| {
        assert_eq!(Record::decode(leaf.as_bytes()).err(), expect, "{leaf}");
    };
    check(canonical, None);
    check(leaf, Some(NotARecord::NotCanonical));
    check(&canonical.replace(':', ": "), Some(NotARecord::NotCanonical));
    check(&format!("{canonical}\n"), Some(NotARecord::NotCanonical));
    check(&canonical.replace('x', r"\u0078"), Some(NotARecord::NotCanonical));
    check(&canonical.replace(r#""by""#, r#""and":1,"by""#), Some(NotARecord::NotCanonical));
    check(&canonical.replace(r#""at":5"#, r#""at":5.0"#), Some(NotARecord::Malformed));
    check(&canonical.replace(r#""at":5"#, r#""at":4,"at":5"#), Some(NotARecord::Malformed));
    check(&canonical.replace(r#""v":1"#, r#""v":2"#), Some(NotARecord::Malformed));
    check(&canonical.replace("frozen", "melted"), Some(NotARecord::Malformed));
    check(&canonical.replace(r#""reason":"x","#, ""), Some(NotARecord::Malformed));
    check("", Some(NotARecord::Malformed));
    check("{}{}", Some(NotARecord::Malformed));
}

#[test]
fn keys_are_sorted_at_every_level() {
    let value =
        serde_json::json!({"b": [{"z": 1, "a": null}], "a": {"é": true, "e": "\u{7f}\n"}, "A": -1});
    let text = String::from_utf8(canonical(&value)).unwrap();
    assert_eq!(text, "{\"A\":-1,\"a\":{\"e\":\"\u{7f}\\n\",\"é\":true},\"b\":[{\"a\":null,\"z\":1}]}");
}

#[test]
fn identities() {
    let lines = [
        format!("card       {}", card().digest()),
        format!("credential {}", key().digest()),
        format!("commitment {}", commit(&[9; 32], "DELETE FROM orders WHERE id = 1")),
        format!("enrol      {}", statement(Decision::Enrol { person: person("bob") }).challenge()),
        format!("approve    {}", statement(Decision::Approve(subject())).challenge()),
        format!("reject     {}", statement(Decision::Reject(subject())).challenge()),
        format!("sign in    {}", statement(Decision::SignIn).challenge()),
    ];
    expect![[r#"
        card       932bb5f3740978eca16c8a178e0935befb9410bf4ba6676f38a3abeab98c5871
        credential d1dc782160c375d99ce9eecafdffd7912b282ff1c89c79af319381f0c2072808
        commitment e97f93dc34b6e27aa6b947e2705ef89703673d32d57182ae3afa3956c5deeb56
        enrol      cf214c1b90167ec986267f37e0600ded129c33e11ef59e2c4568c34ea4fa1730
        approve    996dfa855f532cd71e1f7765c0591ef790012354f19b97779e7bfd69726a0107
        reject     cb459e1ba48fa034cb36fc345e6e7d921afc861555aa738065a3ad8fd4dfa4b7
        sign in    0469953d44afa15958d04da845ed805e8ed0d3f37caa79aa0c6587442855ab4f"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn canonical_cards() {
    expect![[r#"{"card":{"facts":{"relations":[{"bytes":81920,"dependents":["payments (cascade)"],"name":"public.orders","rows":1200,"touched":null}],"unknown":["triggers of \"orders\""]},"hold":"H-42","intent":{"acts":[{"effect":"destroy","local":false,"resource":{"kind":"relation","name":"orders"},"reversibility":"recoverable","why":"removes every row — ünïcode\u0001"}],"digest":"0202020202020202020202020202020202020202020202020202020202020202","environment":"production","principal":{"agent":"kiro","controller":"alice","human":false,"session":"s-7k2m9q"},"redacted":"DELETE FROM orders WHERE id = $1","shape":"0505050505050505050505050505050505050505050505050505050505050505","text":"DELETE FROM orders WHERE id = 1","upstream":"orders"},"needs":{"controller":true,"owners":1,"peers":2},"policies":["ask-1"],"policy_set":"0303030303030303030303030303030303030303030303030303030303030303","purpose":"clean up","taken":1767268800000},"v":1}"#]].assert_eq(&String::from_utf8(card().canonical()).unwrap());
}

#[test]
fn canonical_statements() {
    let check = |what: Decision, expect: &Expect| {
        expect.assert_eq(&String::from_utf8(statement(what).canonical()).unwrap());
    };
    let person = person("carol");
    check(
        Decision::Approve(subject()),
        &expect![[
            r#"{"statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"card":"0404040404040404040404040404040404040404040404040404040404040404","decision":"approve","hold":"H-42","policy_set":"0303030303030303030303030303030303030303030303030303030303030303","request":"0202020202020202020202020202020202020202020202020202020202020202"}},"tyer":"statement/v1"}"#
        ]],
    );
    check(
        Decision::ApproveAll { subjects: vec![subject()] },
        &expect![[
            r#"{"statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"approve_all","subjects":[{"card":"0404040404040404040404040404040404040404040404040404040404040404","hold":"H-42","policy_set":"0303030303030303030303030303030303030303030303030303030303030303","request":"0202020202020202020202020202020202020202020202020202020202020202"}]}},"tyer":"statement/v1"}"#
        ]],
    );
    check(
        Decision::Reject(subject()),
        &expect![[
            r#"{"statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"card":"0404040404040404040404040404040404040404040404040404040404040404","decision":"reject","hold":"H-42","policy_set":"0303030303030303030303030303030303030303030303030303030303030303","request":"0202020202020202020202020202020202020202020202020202020202020202"}},"tyer":"statement/v1"}"#
        ]],
    );
    check(
        Decision::Invite { person: person.clone() },
        &expect![[
            r#"{"statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"invite","person":"carol"}},"tyer":"statement/v1"}"#
        ]],
    );
    let credential = Digest([8; 32]);
    check(
        Decision::Confirm { person: person.clone(), credential },
        &expect![[
            r#"{"statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"credential":"0808080808080808080808080808080808080808080808080808080808080808","decision":"confirm","person":"carol"}},"tyer":"statement/v1"}"#
        ]],
    );
    check(
        Decision::EndFreeze { freeze: FreezeId::new("F-1"), digest: Digest([6; 32]) },
        &expect![[
            r#"{"statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"end_freeze","digest":"0606060606060606060606060606060606060606060606060606060606060606","freeze":"F-1"}},"tyer":"statement/v1"}"#
        ]],
    );
    check(
        Decision::Thaw { frozen: NOON },
        &expect![[
            r#"{"statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"thaw","frozen":1767268800000}},"tyer":"statement/v1"}"#
        ]],
    );
    let part = "upstream orders".to_owned();
    check(
        Decision::Configure { part, digest: Digest([6; 32]) },
        &expect![[
            r#"{"statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"configure","digest":"0606060606060606060606060606060606060606060606060606060606060606","part":"upstream orders"}},"tyer":"statement/v1"}"#
        ]],
    );
    check(
        Decision::Enrol { person },
        &expect![[
            r#"{"statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"enrol","person":"carol"}},"tyer":"statement/v1"}"#
        ]],
    );
    check(
        Decision::SignIn,
        &expect![[
            r#"{"statement":{"expires":1767268800001,"nonce":"bm9uY2U","origin":"https://tyer.example.com","person":"bob","root":"0101010101010101010101010101010101010101010101010101010101010101","size":7,"what":{"decision":"sign_in"}},"tyer":"statement/v1"}"#
        ]],
    );
}
