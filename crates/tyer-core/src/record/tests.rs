use expect_test::{Expect, expect};

use super::*;
use crate::facts::RelationFacts;
use crate::hold::Standing;
use crate::intent::{Acts, Effect, Intent, Kind, Resource, Reversibility};
use crate::statement::{Decision, Statement, Subject};

const NOON: Timestamp = Timestamp(1_767_268_800_000);

fn person(name: &str) -> PersonId {
    PersonId::new(name)
}

fn key() -> PublicKey {
    PublicKey { credential: "Y3JlZA".into(), cose: "Y29zZQ".into() }
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
    }
}

fn facts() -> Facts {
    let relation = RelationFacts {
        name: "public.orders".into(),
        rows: Some(1_200),
        touched: None,
        bytes: Some(81_920),
        dependents: vec!["payments (cascade)".into()],
    };
    Facts { relations: vec![relation], unknown: vec!["triggers of \"orders\"".into()] }
}

fn act() -> Act {
    Act {
        effect: Effect::Destroy,
        resource: Resource::new(Kind::Relation, "orders"),
        reversibility: Reversibility::Recoverable,
        local: false,
        why: "removes every row — ünïcode\u{1}".into(),
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
        basis: Basis { policies: vec!["ask-1".into()], policy_set: Digest([3; 32]), hold: None },
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
        needs: Needs { controller: true, peers: 2, owners: 1 },
        policies: vec!["ask-1".into()],
        policy_set: Digest([3; 32]),
        taken: NOON,
    }
}

/// Leaves live for ever: each of these lines may gain company, but none may ever change.
fn check(what: What, expect: Expect) {
    let record = Record::new(NOON, what);
    let leaf = record.encode();
    let text = String::from_utf8(leaf.clone()).unwrap();
    assert!(text.contains(&format!(r#""kind":"{}""#, record.what.kind())), "{text}");
    assert_eq!(Record::decode(&leaf), Ok(record));
    expect.assert_eq(&text);
}

#[test]
fn people() {
    check(What::Founded { origin: "tyer.example.com/ledger".into() }, expect![[""]]);
    let (bob, by) = (person("bob"), person("alice"));
    let enrolled = |invited_by, signed, counts| What::Enrolled {
        person: person("bob"),
        key: key(),
        invited_by,
        signed,
        counts,
    };
    check(enrolled(None, None, true), expect![[""]]);
    let enrol = signed(Decision::Enrol { person: person("bob") });
    check(enrolled(Some(by.clone()), Some(enrol), false), expect![[""]]);
    let invite = signed(Decision::Invite { person: bob.clone() });
    check(What::Invited { person: bob.clone(), by: by.clone(), signed: invite }, expect![[""]]);
    let confirm = signed(Decision::Confirm { person: bob.clone(), credential: key().digest() });
    check(What::Confirmed { person: bob, by, signed: confirm }, expect![[""]]);
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
    check(opened, expect![[""]]);
    let ended = What::SessionEnded {
        session: SessionId::new("s-7k2m9q"),
        how: "killed".into(),
        by: "bob".into(),
        open: 2,
        closed: 1,
    };
    check(ended, expect![[""]]);
    let lease = What::ReadLease { request: request(), uses: u64::MAX, until: NOON.plus(5) };
    check(lease, expect![[""]]);
    check(What::LeaseClosed { leaf: LeafIndex(3), uses: 9, failed: 1 }, expect![[""]]);
}

#[test]
fn holds() {
    let card = CardRecord::of(&card(), request());
    check(What::Held { card: Box::new(card), expires: NOON.plus(9) }, expect![[""]]);
    check(What::Approved { hold: HoldId::new("H-42"), approval: approval() }, expect![[""]]);
    let rejected = What::Rejected {
        hold: HoldId::new("H-42"),
        person: person("bob"),
        reason: "no \"backup\"".into(),
        signed: signed(Decision::Reject(subject())),
        key: key(),
    };
    check(rejected, expect![[""]]);
    check(What::HoldEnded { hold: HoldId::new("H-42"), how: "expired".into() }, expect![[""]]);
}

#[test]
fn executions() {
    let mut released = request();
    released.basis.hold = Some(HoldId::new("H-42"));
    check(What::Cleared { request: released, approvals: vec![approval()] }, expect![[""]]);
    let settled = |outcome| What::Settled { leaf: LeafIndex(3), outcome };
    check(settled(Outcome::Done { tag: "DELETE 4".into(), rows: Some(4) }), expect![[""]]);
    check(settled(Outcome::Failed { code: "42501".into() }), expect![[""]]);
    check(settled(Outcome::Unknown { why: "connection lost".into() }), expect![[""]]);
    check(What::Refused { request: request(), reason: Reason::NobodyCan }, expect![[""]]);
}

#[test]
fn freezes_and_configuration() {
    check(What::Frozen { by: "operator".into(), reason: "incident".into() }, expect![[""]]);
    let thaw = signed(Decision::Thaw { frozen: NOON });
    check(What::Thawed { by: person("bob"), signed: thaw }, expect![[""]]);
    let (part, digest) = ("upstream orders".to_owned(), Digest([6; 32]));
    let decision = Decision::Configure { part: part.clone(), digest };
    check(What::Configured { part, digest, signed: vec![signed(decision)] }, expect![[""]]);
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
    expect![[""]].assert_eq(&lines.join("\n"));
}

#[test]
fn canonical_cards() {
    expect![[""]].assert_eq(&String::from_utf8(card().canonical()).unwrap());
}

#[test]
fn canonical_statements() {
    let check = |what: Decision, expect: Expect| {
        expect.assert_eq(&String::from_utf8(statement(what).canonical()).unwrap());
    };
    let person = person("carol");
    check(Decision::Approve(subject()), expect![[""]]);
    check(Decision::Reject(subject()), expect![[""]]);
    check(Decision::Invite { person: person.clone() }, expect![[""]]);
    let credential = Digest([8; 32]);
    check(Decision::Confirm { person: person.clone(), credential }, expect![[""]]);
    check(Decision::Thaw { frozen: NOON }, expect![[""]]);
    let part = "upstream orders".to_owned();
    check(Decision::Configure { part, digest: Digest([6; 32]) }, expect![[""]]);
    check(Decision::Enrol { person }, expect![[""]]);
    check(Decision::SignIn, expect![[""]]);
}
