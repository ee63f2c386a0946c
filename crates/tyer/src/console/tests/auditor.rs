//! An auditor reads everything, and no route that changes anything lets them.

use tyer_core::roles::Role;

use super::*;

/// Bob audits from now on; he may have signed in before.
async fn bed() -> Bed {
    let bed = super::bed().await;
    let mut world = bed.site.gateway.world().await;
    world.people.get_mut(&PersonId::new("bob")).expect("bob").role = Role::Auditor;
    drop(world);
    bed
}

#[tokio::test]
async fn an_auditor_reads_everything() {
    let bed = bed().await;
    for path in ["/", "/holds/H-1", "/sessions", "/people", "/ledger", "/configuration", "/freezes"] {
        assert_eq!(bed.get("bob", path).await.status, StatusCode::OK, "{path}");
    }
    let people = bed.get("bob", "/people").await.text;
    assert!(people.contains("You are an auditor."), "{people}");
    for button in ["invite-form", "data-confirm", "data-remove", "add-passkey", "recover-form"] {
        assert!(!people.contains(button), "{button}");
    }
    // The news never end.
    for route in api::routes().iter().filter(|it| it.method == "GET" && it.path != "/api/v1/events") {
        let status = bed.get("bob", &filled(route.path)).await.status;
        assert!(
            status != StatusCode::FORBIDDEN && status != StatusCode::UNAUTHORIZED,
            "{}",
            route.path
        );
    }
}

#[tokio::test]
async fn an_auditor_changes_nothing_by_any_route() {
    let bed = bed().await;
    let mut tried = 0;
    for route in api::routes().iter().filter(|route| route.method != "GET") {
        // The others ask for a signature, a link or a session's password, whoever is signed in.
        if matches!(route.access, Access::Counting | Access::SignedIn | Access::Reading) {
            let answer = bed.post("bob", &filled(route.path), &json!({})).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", route.path);
            assert!(answer.text.contains("reads everything and decides nothing"), "{}", answer.text);
            tried += 1;
        }
    }
    assert!(tried >= 6, "{tried}");
    for path in ["/holds/H-1", "/answers/seen", "/freeze"] {
        assert_eq!(bed.post("bob", path, &json!({})).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    for wish in [
        json!({ "approve": "H-1" }),
        json!({ "reject": "H-1" }),
        json!({ "approve_all": ["H-1", "H-2"] }),
        json!({ "break_glass": { "hold": "H-1", "reason": "down" } }),
        json!({ "review": { "hold": "H-1", "finding": "fine" } }),
        json!({ "kill": { "everything": true } }),
        json!({ "invite": "dave" }),
        json!({ "confirm": "carol" }),
        json!({ "link": ["alice", "bob"] }),
        json!({ "thaw": "F-1" }),
        json!({ "configure": "policy" }),
        json!({ "add_passkey": true }),
        json!({ "recover": "alice" }),
        json!({ "remove_key": "SHA256:x" }),
    ] {
        let answer = bed.post("bob", "/api/v1/statements", &wish).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{wish}");
    }
    assert!(bed.site.gateway.world().await.freezes.holding(clock::now()).next().is_none());
    assert_eq!(bed.get("alice", "/api/v1/holds/H-1").await.json()["state"], "open");
}
