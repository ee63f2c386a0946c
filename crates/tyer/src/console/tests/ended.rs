//! Holds that have ended leave memory and can still be looked at.

use std::collections::BTreeSet;
use std::time::Duration;

use tyer_core::limits::HOLD_MS_MAX;
use tyer_core::verdict::Reason;

use super::*;
use crate::gateway::sessions::NewSession;
use crate::gateway::{About, Patience, Request};
use crate::serve::STORE;

/// As many as one session may have open, this many times.
const ROUNDS: u64 = 60;
const EACH: u64 = 20;

fn request(session: &SessionId, number: u64) -> Request {
    let text = format!("UPDATE orders SET note = 'round {number}'");
    let act = Act {
        effect: Effect::Change,
        resource: Resource::new(Kind::Relation, "public.orders"),
        reversibility: Reversibility::Recoverable,
        local: false,
        why: "changes rows of public.orders".to_owned(),
        tie: None,
    };
    Request {
        environment: None,
        session: session.clone(),
        acts: Acts::new(act, []),
        digest: Digest::of(text.as_bytes()),
        shape: Digest::of(b"shape"),
        redacted: text.clone(),
        text,
        transactional: true,
        fits_block: true,
        about: About::default(),
    }
}

#[tokio::test]
async fn thousands_of_holds_leave_memory_and_stay_readable() {
    let bed = bed().await;
    let gateway = &bed.site.gateway;
    let new = NewSession {
        agent: "kiro".to_owned(),
        human: false,
        controller: PersonId::new("alice"),
        upstream: Upstream::new("orders"),
        narrowing: Default::default(),
        lasts_ms: None,
        purpose: "tidy up".to_owned(),
    };
    for round in 0..ROUNDS {
        // One that keeps asking would be slowed down.
        let session = gateway.new_session(new.clone(), "operator").await.expect("a session").session;
        let session = session.principal.session;
        for number in 0..EACH {
            let patience = Patience { wait: Duration::ZERO, gone: watch::channel(false).1 };
            let asked = request(&session, round * EACH + number);
            let refusal = gateway.submit(asked, patience).await.expect_err("it is held");
            assert_eq!(refusal.reason, Reason::Held, "{refusal:?}");
        }
        assert!(gateway.world().await.holds.iter().count() <= 21);
        gateway.tick_holds(clock::now().plus(HOLD_MS_MAX)).await;
        assert_eq!(gateway.world().await.holds.iter().count(), 0, "nothing of what ended stays");
    }
    let all: BTreeSet<String> = (1..=ROUNDS * EACH + 1).map(|number| format!("H-{number}")).collect();
    let old = bed.get("bob", "/api/v1/holds/H-7").await.json();
    assert_eq!((&old["state"], &old["purpose"]), (&json!("expired"), &json!("tidy up")), "{old}");
    assert_eq!(old["text"], "UPDATE orders SET note = 'round 5'");
    assert!(bed.get("bob", "/holds/H-7").await.text.contains("round 5"));
    assert_eq!(bed.get("bob", "/api/v1/holds/H-9999").await.status, StatusCode::NOT_FOUND);
    let (mut seen, mut before, mut pages) = (BTreeSet::new(), String::new(), 0);
    loop {
        let page = bed.get("bob", &format!("/api/v1/holds?state=all{before}")).await.json();
        let ids = page["holds"].as_array().expect("holds").iter();
        let fresh = ids.filter(|hold| seen.insert(hold["hold"].as_str().expect("an id").to_owned()));
        assert_eq!(fresh.count(), page["holds"].as_array().map_or(0, Vec::len), "each once");
        pages += 1;
        let Some(older) = page["older"].as_str() else { break };
        before = format!("&before={older}");
    }
    assert_eq!(seen, all);
    assert!(pages > 10, "{pages}");
    let newest = format!("H-{}", all.len());
    assert!(bed.get("bob", "/").await.text.contains(&format!("/holds/{newest}\"")));
    assert_eq!(bed.get("bob", "/api/v1/holds").await.json()["holds"], json!([]));
    assert_eq!(
        bed.get("bob", "/api/v1/holds?state=all&before=H-99999").await.status,
        StatusCode::BAD_REQUEST
    );
    let answer = bed.post("bob", "/api/v1/statements", &json!({ "approve": "H-7" })).await;
    assert!(answer.text.contains("can no longer be answered"), "{}", answer.text);
    let store = Sqlite::open_read_only(&gateway.config.data.join(STORE)).expect("the store");
    let world = World::load(&store).expect("a world");
    assert_eq!((world.holds.iter().count(), world.next_hold), (0, ROUNDS * EACH + 2));
}
