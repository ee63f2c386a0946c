//! The console and the API as callers see them, without a network.

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tyer_core::facts::{Card, Facts};
use tyer_core::hold::{Hold, Lifetimes};
use tyer_core::intent::{
    Act, Acts, Digest, Effect, Environment, HoldId, Intent, Kind, PersonId, Principal, Resource,
    Reversibility, SessionId, Timestamp, Upstream,
};
use tyer_core::ledger::checkpoint::SigningKey;
use tyer_core::record::PublicKey;
use tyer_core::sequence::History;
use tyer_core::verdict::Needs;

use super::*;
use crate::api::guard::Access;
use crate::clock;
use crate::config::Config;
use crate::founding::{Plan, found};
use crate::gateway::freeze::NewFreeze;
use crate::gateway::world::{Passkey, World};
use crate::sequencer::Sequencer;
use crate::store::sqlite::Sqlite;
use crate::upstream::Upstreams;

mod auditor;
mod ended;
pub(super) mod sample;

const ORIGIN: &str = "http://localhost:7780";
const HOST: &str = "localhost:7780";
const CONFIG: &str = r#"
[console]
listen = "127.0.0.1:7780"
origin = "http://localhost:7780"
allow_loopback_approvals = true

[upstream.orders]
protocol = "postgres"
listen = "127.0.0.1:6432"
address = "127.0.0.1:5432"
database = "or ders"
user = "tyer"
password = { file = "password" }
tls = "disable"
environment = "production"
owners = ["bob"]
"#;

/// A running heart with two people who count, one who does not yet, and one hold.
struct Bed {
    site: Arc<Site>,
    close: watch::Sender<bool>,
    /// The token of alice's enrolment link.
    link: String,
    _data: tempfile::TempDir,
}

async fn bed() -> Bed {
    let data = tempfile::tempdir().expect("a directory");
    let plan = Plan {
        people: ["alice", "bob"].map(PersonId::new),
        config: CONFIG.to_owned(),
        host: "localhost".to_owned(),
        door_names: Vec::new(),
    };
    let path = data.path().join("d");
    let founded = found(&path, &plan).await.expect("a data directory");
    std::fs::write(path.join("password"), "s3cret").expect("a password");
    let config = Config::load(&path).expect("a configuration");
    let upstreams = Upstreams::new(&config.upstreams).expect("upstreams");
    let store = Sqlite::open(&path.join(crate::serve::STORE)).expect("a store");
    let mut world = World::load(&store).expect("a world");
    for (name, counts) in [("alice", true), ("bob", true), ("carol", false)] {
        let link = crate::gateway::people::link(clock::now()).expect("a link").1;
        let id = PersonId::new(name);
        let mut person = crate::gateway::world::Person::named(id.clone(), counts, link);
        let key = PublicKey::passkey(format!("key-of-{name}"), "AA");
        person.keys.push(Passkey::new(key, None));
        let link = world.people.get(&id).and_then(|known| known.link.clone());
        person.link = link;
        world.people.insert(id, person);
    }
    for (name, digest) in &config.parts {
        world.parts.entry(name.clone()).or_default().confirmed = Some(*digest);
    }
    let hold = hold(clock::now());
    world.next_hold = 2;
    world.holds.insert(hold);
    let signer = signer(&path, &founded.origin);
    let sequencer = Sequencer::start(store, signer).expect("a sequencer");
    let gateway = Gateway::start(config, upstreams, sequencer, (world, History::default()), Vec::new())
        .await
        .expect("a gateway");
    let (close, closing) = watch::channel(false);
    let link = founded.links.first().expect("a link").token.reveal().to_owned();
    Bed { site: Site::new(gateway, closing), close, link, _data: data }
}

fn signer(data: &std::path::Path, origin: &str) -> SigningKey {
    let text = std::fs::read_to_string(data.join(crate::serve::KEY)).expect("a key");
    let seed = Digest::try_from(text.trim().to_owned()).expect("a seed");
    SigningKey::from_seed(origin, &seed.0).expect("a signing key")
}

fn hold(now: Timestamp) -> Hold {
    let act = Act {
        effect: Effect::Destroy,
        resource: Resource::new(Kind::Relation, "public.customers"),
        reversibility: Reversibility::Recoverable,
        local: false,
        why: "removes every row of public.customers".to_owned(),
        tie: None,
    };
    let intent = Intent {
        principal: Principal {
            session: SessionId::new("s-7k2m9qxy"),
            agent: "kiro".to_owned(),
            human: false,
            controller: PersonId::new("alice"),
            also: Vec::new(),
        },
        upstream: Upstream::new("orders"),
        environment: Environment::production(),
        acts: Acts::new(act, []),
        digest: Digest::of(b"request"),
        shape: Digest::of(b"shape"),
        text: "DELETE FROM customers".to_owned(),
        redacted: "DELETE FROM customers".to_owned(),
    };
    let card = Card {
        hold: HoldId::new("H-1"),
        intent,
        purpose: "tidy up".to_owned(),
        facts: Facts::default(),
        needs: Needs { peers: 2, owners: 1, ..Needs::default() },
        policies: vec!["guarded.dangerous".to_owned()],
        policy_set: Digest::of(b"policies"),
        taken: now,
        roster: tyer_core::roster::Roster::default(),
        allowance: None,
    };
    Hold::open(card, Lifetimes::default(), now)
}

/// An answer: status, headers, text.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Bed {
    fn cookie(&self, person: &str) -> String {
        let token = self.site.sign_ins.open(PersonId::new(person), clock::now()).expect("randomness");
        format!("__Host-tyer={token}")
    }

    /// A GET of somebody; of nobody if the name is empty.
    async fn get(&self, who: &str, path: &str) -> Answer {
        self.send(router(&self.site), self.request(who, "GET", path), "").await
    }

    async fn post(&self, who: &str, path: &str, body: &Value) -> Answer {
        let request = self
            .request(who, "POST", path)
            .header(header::ORIGIN, ORIGIN)
            .header(header::CONTENT_TYPE, "application/json");
        self.send(router(&self.site), request, &body.to_string()).await
    }

    fn request(&self, who: &str, method: &str, path: &str) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(path).header(header::HOST, HOST);
        if who.is_empty() { request } else { request.header(header::COOKIE, self.cookie(who)) }
    }

    async fn local(&self, method: &str, path: &str, body: &Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json");
        self.send(local_router(&self.site), request, &body.to_string()).await
    }

    async fn send(&self, router: Router, request: axum::http::request::Builder, body: &str) -> Answer {
        let mut request = request.body(Body::from(body.to_owned())).expect("a request");
        request.extensions_mut().insert(ConnectInfo(Peer([192, 0, 2, 1].into())));
        let response = router.oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

/// A path of the table with something in place of its parameters.
fn filled(path: &str) -> String {
    path.replace("{id}", "H-1").replace("{token}", "x").replace("{index}", "0")
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let bed = bed().await;
    for path in
        ["/", "/sign-in", "/assets/app.js", "/healthz", "/nothing", "/api/v1/nothing", "/api/v1/status"]
    {
        let answer = bed.get("", path).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert_eq!(answer.header(header::REFERRER_POLICY), "same-origin", "{path}");
        assert!(!answer.header(header::CACHE_CONTROL).is_empty(), "{path}");
    }
    let page = bed.get("alice", "/").await;
    assert_eq!(page.header(header::CACHE_CONTROL), "no-store");
}

#[tokio::test]
async fn pages_have_no_inline_script_or_style() {
    let bed = bed().await;
    for path in [
        "/",
        "/holds/H-1",
        "/sessions",
        "/people",
        "/ledger?verify=1",
        "/ledger/0",
        "/configuration",
        "/freezes",
    ] {
        let page = bed.get("alice", path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
        assert_eq!(page.text.matches("<script").count(), 1, "{path}");
        for banned in ["<style", " style=", " onclick=", "javascript:", "http://", "https://"] {
            assert!(!page.text.contains(banned), "{path} contains {banned}");
        }
        for there in
            ["id=\"freeze\"", "id=\"freeze-reason\"", "id=\"message\"", "id=\"main\"", "class=\"skip\""]
        {
            assert!(page.text.contains(there), "{path} lacks {there}");
        }
    }
}

#[tokio::test]
async fn other_hosts_and_origins_are_refused() {
    let bed = bed().await;
    let foreign = Request::builder().uri("/sign-in").header(header::HOST, "evil.example");
    assert_eq!(bed.send(router(&bed.site), foreign, "").await.status, StatusCode::MISDIRECTED_REQUEST);
    for origin in [None, Some("null"), Some("https://evil.example")] {
        let mut request = bed
            .request("alice", "POST", "/api/v1/freeze")
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        let answer = bed.send(router(&bed.site), request, "{}").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin:?}");
        assert_eq!(answer.json()["error"]["code"], "other_origin");
    }
    assert!(bed.site.gateway.world().await.freezes.holding(clock::now()).next().is_none());
}

#[tokio::test]
async fn nothing_is_shown_to_strangers() {
    let bed = bed().await;
    for route in api::routes() {
        let answer = match route.method.as_str() {
            "GET" => bed.get("", &filled(route.path)).await,
            _ => bed.post("", &filled(route.path), &json!({})).await,
        };
        let closed = matches!(route.access, Access::Counting | Access::SignedIn | Access::Reading);
        assert_eq!(
            answer.status == StatusCode::UNAUTHORIZED,
            closed,
            "{} {}",
            route.path,
            answer.status
        );
        assert!(!answer.text.contains("customers"), "{}", route.path);
    }
    for path in [
        "/",
        "/holds/H-1",
        "/sessions",
        "/people",
        "/ledger",
        "/ledger/0",
        "/configuration",
        "/freezes",
        "/nothing",
    ] {
        let answer = bed.get("", path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(answer.header(header::LOCATION).starts_with("/sign-in"), "{path}");
    }
    assert_eq!(bed.get("", "/holds/H-1").await.header(header::LOCATION), "/sign-in?next=/holds/H-1");
}

#[tokio::test]
async fn whoever_does_not_count_may_only_freeze() {
    let bed = bed().await;
    for path in ["/", "/holds/H-1"] {
        let page = bed.get("carol", path).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
        assert!(page.text.contains("wait to be confirmed"));
    }
    for route in
        api::routes().iter().filter(|route| route.access == Access::Reading && route.method == "GET")
    {
        let answer = bed.get("carol", &filled(route.path)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", route.path);
    }
    let wish = bed.post("carol", "/api/v1/statements", &json!({ "approve": "H-1" })).await;
    assert_eq!(wish.status, StatusCode::FORBIDDEN);
    let frozen = bed.post("carol", "/api/v1/freeze", &json!({ "reason": "stop" })).await;
    assert_eq!(frozen.json()["by"], "carol");
}

#[tokio::test]
async fn strangers_are_slowed_down() {
    let bed = bed().await;
    let mut statuses = Vec::new();
    for _ in 0..31 {
        statuses.push(bed.post("", "/api/v1/statements", &json!({ "sign_in": true })).await.status);
    }
    assert!(statuses[..30].iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    assert_eq!(statuses[30], StatusCode::TOO_MANY_REQUESTS);
    for answer in [
        bed.post("", "/api/v1/enrolments/x/begin", &json!({})).await,
        bed.post("", "/api/v1/decisions", &json!({})).await,
        bed.get("", "/enrol/x").await,
    ] {
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.header(header::RETRY_AFTER), "2");
    }
    let own = bed.post("alice", "/api/v1/statements", &json!({ "approve": "H-1" })).await;
    assert_eq!(own.status, StatusCode::OK, "{}", own.text);
}

#[tokio::test]
async fn a_statement_is_over_the_card_that_is_shown() {
    let bed = bed().await;
    let card = bed.get("bob", "/api/v1/holds/H-1").await.json();
    let statement = bed.post("bob", "/api/v1/statements", &json!({ "approve": "H-1" })).await.json();
    assert_eq!(statement["statement"]["what"]["decision"], "approve");
    assert_eq!(statement["statement"]["what"]["card"], card["card_digest"]);
    assert_eq!(statement["statement"]["person"], "bob");
    assert_eq!(statement["allow"], json!(["key-of-bob"]));
    assert_eq!(statement["rp_id"], "localhost");
    let page = bed.get("bob", "/holds/H-1").await.text;
    let digest = card["card_digest"].as_str().expect("a digest");
    assert!(page.contains(&format!("data-card=\"{digest}\"")));
    assert!(page.contains("id=\"approve\"") && page.contains("id=\"comment\""));
    assert_eq!(card["text"], "DELETE FROM customers");
    assert_eq!(
        card["needs"]["words"],
        "two different people other than the controller, one of them an owner"
    );
}

#[tokio::test]
async fn a_decision_is_its_signers_and_has_its_reason() {
    let bed = bed().await;
    let statement = bed.post("bob", "/api/v1/statements", &json!({ "reject": "H-1" })).await.json();
    let mut decision = json!({
        "nonce": statement["statement"]["nonce"],
        "assertion": { "credential": "key-of-bob", "authenticator_data": "AA", "client_data": "AA", "signature": "AA" },
    });
    let bare = bed.post("bob", "/api/v1/decisions", &decision).await;
    assert_eq!((bare.status, bare.text.contains("needs a reason")), (StatusCode::BAD_REQUEST, true));
    decision["comment"] = json!("no");
    assert_eq!(bed.post("alice", "/api/v1/decisions", &decision).await.status, StatusCode::FORBIDDEN);
    let forged = bed.post("bob", "/api/v1/decisions", &decision).await;
    assert_eq!(
        (forged.status, forged.text.contains("passkey")),
        (StatusCode::FORBIDDEN, true),
        "{}",
        forged.text
    );
    let again = bed.post("bob", "/api/v1/decisions", &decision).await;
    assert_eq!(again.json()["error"]["code"], "stale", "a statement is good once");
    assert_eq!(bed.get("bob", "/api/v1/holds/H-1").await.json()["state"], "open");
}

#[tokio::test]
async fn people_make_sessions_for_themselves_only() {
    let bed = bed().await;
    let new =
        |controller: Value| json!({ "agent": "kiro", "upstream": "orders", "controller": controller });
    let other = bed.post("alice", "/api/v1/sessions", &new(json!("bob"))).await;
    assert_eq!(other.status, StatusCode::FORBIDDEN);
    let made = bed.post("alice", "/api/v1/sessions", &new(Value::Null)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let made = made.json();
    let (user, password) =
        (made["user"].as_str().expect("a user"), made["password"].as_str().expect("a password"));
    assert_eq!(made["url"], format!("postgresql://{user}:{password}@127.0.0.1:6432/or%20ders"));
    let listed = bed.get("bob", "/api/v1/sessions").await;
    assert!(!listed.text.contains(password) && !listed.text.contains("SCRAM"));
    assert_eq!(listed.json()["sessions"][0]["controller"], "alice");
    let by_operator = bed.local("POST", "/api/v1/sessions", &new(json!("bob"))).await;
    assert_eq!(by_operator.status, StatusCode::CREATED, "{}", by_operator.text);
    let ended =
        bed.post("bob", &format!("/api/v1/sessions/{user}/end"), &json!({ "how": "killed" })).await;
    assert_eq!(ended.json(), json!({ "open": 0, "closed": 0 }));
    let again =
        bed.post("bob", &format!("/api/v1/sessions/{user}/end"), &json!({ "how": "ended" })).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_operator_reads_and_freezes_and_decides_nothing() {
    let bed = bed().await;
    for path in [
        "/api/v1/status",
        "/api/v1/people",
        "/api/v1/holds/H-1",
        "/api/v1/ledger",
        "/api/v1/ledger/0/receipt",
    ] {
        assert_eq!(bed.local("GET", path, &Value::Null).await.status, StatusCode::OK, "{path}");
    }
    for wish in [
        json!({ "approve": "H-1" }),
        json!({ "thaw": "F-1" }),
        json!({ "invite": "dave" }),
        json!({ "sign_in": true }),
    ] {
        assert_eq!(
            bed.local("POST", "/api/v1/statements", &wish).await.status,
            StatusCode::FORBIDDEN,
            "{wish}"
        );
    }
    let begin = format!("/api/v1/enrolments/{}/begin", bed.link);
    assert_eq!(bed.local("POST", &begin, &json!({})).await.status, StatusCode::FORBIDDEN);
    assert_eq!(bed.local("GET", "/", &Value::Null).await.status, StatusCode::NOT_FOUND);
    let frozen = bed.local("POST", "/api/v1/freeze", &json!({})).await.json();
    assert_eq!(
        (frozen["by"].as_str(), frozen["reason"].as_str()),
        (Some("operator"), Some("no reason given"))
    );
    let page = bed.get("alice", "/people").await.text;
    assert!(page.contains("data-thaw=\"F-1\"") && page.contains("Frozen"));
}

#[tokio::test]
async fn freezes_are_asked_for_and_shown() {
    let bed = bed().await;
    let post = async |body: Value| bed.post("alice", "/api/v1/freeze", &body).await;
    for (wrong, why) in [
        (json!({ "environment": "nowhere" }), "no upstream stands in `nowhere`"),
        (json!({ "upstream": "nothing" }), "there is no upstream `nothing`"),
        (json!({ "environment": "production", "upstream": "orders" }), "not both"),
        (json!({ "until": "2020-01-01T00:00" }), "later than now"),
        (json!({ "until": "tomorrow" }), "`tomorrow` is not a day and a time"),
        (json!({ "until": "2100-01-01T00:00", "zone": "Nowhere" }), "`Nowhere` is not the name"),
    ] {
        let answer = post(wrong).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
        assert!(answer.text.contains(why), "{}", answer.text);
    }
    assert_eq!(bed.get("alice", "/api/v1/freezes").await.json()["freezes"], json!([]));
    let wide = json!({ "environment": "production", "until": "2100-01-01T09:00", "zone": "Europe/Berlin", "reason": "<b>" });
    let made = post(wide.clone()).await.json();
    assert_eq!(made["freeze"], "F-1");
    assert_eq!(made["until"], "2100-01-01T08:00:00Z");
    assert_eq!(made["until_local"], "Fri 2100-01-01 09:00 (Europe/Berlin)");
    assert_eq!((&made["enders"], &made["holds"]), (&json!(2), &json!(true)));
    assert_eq!(
        post(wide).await.json()["freeze"],
        "F-1",
        "what is frozen in just this way stays as it is"
    );
    let narrow = post(json!({ "upstream": "orders" })).await.json();
    assert_eq!((&narrow["freeze"], &narrow["covers"]), (&json!("F-2"), &json!("upstream orders")));
    let all = bed.get("bob", "/api/v1/freezes").await.json();
    assert_eq!(all["freezes"].as_array().map(Vec::len), Some(2), "{all}");
    assert_eq!(bed.get("bob", "/api/v1/status").await.json()["freezes"], all["freezes"]);
    for path in ["/freezes", "/", "/holds/H-1"] {
        let page = bed.get("bob", path).await.text;
        for there in
            ["&lt;b&gt;", "Fri 2100-01-01 09:00 (Europe/Berlin)", "data-thaw=\"F-2\"", "id=\"freeze\""]
        {
            assert!(page.contains(there), "{path} lacks {there}");
        }
    }
    let card = bed.get("bob", "/holds/H-1").await.text;
    assert!(card.contains("this cannot run before that, whoever approves"), "{card}");
}

#[tokio::test]
async fn an_enrolment_begins_by_its_link_only() {
    let bed = bed().await;
    let page = bed.get("", &format!("/enrol/{}", bed.link)).await;
    assert_eq!((page.status, page.text.contains("for alice")), (StatusCode::OK, true), "{}", page.text);
    assert_eq!(bed.get("", "/enrol/guess").await.status, StatusCode::GONE);
    let begun =
        bed.post("", &format!("/api/v1/enrolments/{}/begin", bed.link), &json!({})).await.json();
    assert_eq!(begun["person"], "alice");
    assert_eq!(begun["statement"]["what"], json!({ "decision": "enrol", "person": "alice" }));
    assert_eq!(
        bed.post("", "/api/v1/enrolments/guess/begin", &json!({})).await.status,
        StatusCode::GONE
    );
}

#[tokio::test]
async fn the_ledger_is_read_and_verified() {
    let bed = bed().await;
    let frozen = bed.post("alice", "/api/v1/freeze", &json!({ "reason": "quiet" })).await;
    assert_eq!(frozen.status, StatusCode::OK);
    let leaves = bed.get("alice", "/api/v1/ledger").await.json();
    let last = leaves["leaves"].as_array().expect("leaves").last().expect("a leaf").clone();
    assert_eq!(last["words"], "alice froze everything (F-1): quiet");
    let report = bed.get("alice", "/api/v1/ledger/verify").await.json();
    assert_eq!(report["clean"], true, "{report}");
    assert!(report["proves"].as_str().is_some_and(|words| words.contains("self-consistency only")));
    let receipt = bed.get("alice", "/api/v1/ledger/0/receipt").await.json();
    let text = receipt["receipt"].as_str().expect("a receipt");
    let receipt = tyer_core::ledger::receipt::Receipt::from_text(text).expect("a receipt");
    let vkey =
        std::fs::read_to_string(bed.site.gateway.config.data.join(crate::founding::VERIFIER_KEY))
            .expect("a key");
    let key = tyer_core::ledger::checkpoint::VerifierKey::parse(vkey.trim()).expect("a key");
    receipt.verify(&key).expect("it proves");
    let checkpoint = bed.get("", "/checkpoint").await.text;
    tyer_core::ledger::checkpoint::Checkpoint::verify(&checkpoint, &key).expect("it is signed");
    assert_eq!(bed.get("alice", "/api/v1/ledger/99").await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        bed.get("alice", "/api/v1/ledger/0/receipt?reveal=1").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn an_unsafe_setup_is_not_ready() {
    let bed = bed().await;
    let ready = bed.get("", "/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.json()["unsafe"], json!(["loopback_console_approves_production"]));
    assert!(bed.get("alice", "/").await.text.contains("Unsafe setup."));
    bed.site.gateway.world().await.parts.entry("policy".to_owned()).or_default().pending =
        Some(Digest::of(b"new"));
    let status = bed.get("alice", "/api/v1/status").await.json();
    assert_eq!(status["doors"][0]["open"], false);
    assert_eq!(status["doors"][0]["closed_by"], json!(["policy"]));
    assert!(status["unsafe"].as_array().expect("words").contains(&json!("door_closed orders")));
    let page = bed.get("alice", "/configuration").await.text;
    assert!(page.contains("data-configure=\"policy\""));
}

#[tokio::test]
async fn the_sign_in_leads_on_whoever_is_signed_in() {
    let bed = bed().await;
    let check = async |who: &str, path: &str, expect: (StatusCode, &str)| {
        let answer = bed.get(who, path).await;
        let location = answer.headers.get(header::LOCATION).map_or("", |to| to.to_str().expect("text"));
        assert_eq!((answer.status, location), expect, "{who} {path}");
    };
    check("", "/sign-in?next=/people", (StatusCode::OK, "")).await;
    check("alice", "/sign-in", (StatusCode::SEE_OTHER, "/")).await;
    check("alice", "/sign-in?next=/people", (StatusCode::SEE_OTHER, "/people")).await;
    check("alice", "/sign-in?next=//evil.example", (StatusCode::SEE_OTHER, "/")).await;
}

#[tokio::test]
async fn signing_out_ends_the_cookie() {
    let bed = bed().await;
    let cookie = bed.cookie("alice");
    let get = || Request::builder().uri("/").header(header::HOST, HOST).header(header::COOKIE, &cookie);
    assert_eq!(bed.send(router(&bed.site), get(), "").await.status, StatusCode::OK);
    let out = Request::builder()
        .method("POST")
        .uri("/sign-out")
        .header(header::HOST, HOST)
        .header(header::ORIGIN, ORIGIN)
        .header(header::COOKIE, &cookie);
    let out = bed.send(router(&bed.site), out, "").await;
    assert!(out.header(header::SET_COOKIE).contains("Max-Age=0"));
    assert_eq!(bed.send(router(&bed.site), get(), "").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn news_reach_whoever_follows_and_end_with_the_server() {
    let bed = bed().await;
    let request = bed.request("alice", "GET", "/api/v1/events").body(Body::empty()).expect("a request");
    let response = router(&bed.site).oneshot(request).await.expect("an answer");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = response.into_body();
    // The stream follows the news as soon as its task has begun.
    let frozen = async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        bed.site.gateway.freeze("alice", NewFreeze::default()).await.expect("a freeze");
    };
    let (frame, ()) = tokio::join!(body.frame(), frozen);
    let frame = frame.expect("a message").expect("a frame").into_data().expect("text");
    assert_eq!(String::from_utf8_lossy(&frame), "data: rules\n\n");
    bed.close.send_replace(true);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn bodies_are_bounded_and_explained() {
    let bed = bed().await;
    let long =
        bed.post("alice", "/api/v1/freeze", &json!({ "reason": "x".repeat(BODY_BYTES_MAX) })).await;
    assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
    let wrong = bed.post("alice", "/api/v1/freeze", &json!({ "why": "x" })).await;
    assert!(wrong.status.is_client_error() && wrong.text.contains("unknown field"), "{}", wrong.text);
    assert!(wrong.json()["error"]["next"].is_string());
}

/// A statement is kept for whoever asked for it by a key of their own, and for nobody else.
#[tokio::test]
async fn nothing_is_kept_of_statements_that_are_refused() {
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0TJK0kRF1MP9Mhpl0OfFQbyBoG2FwRXm5P9v0RYo7j";
    let bed = bed().await;
    let key = tyer_core::sshsig::read_key(KEY).expect("a key");
    let fingerprint = key.credential.clone();
    let alice = PersonId::new("alice");
    let ssh = crate::gateway::world::SshKey { key, confirmed_by: Some(alice), removed_by: None };
    let bob = PersonId::new("bob");
    bed.site.gateway.world().await.people.get_mut(&bob).expect("bob").ssh.push(ssh);
    let wish = json!({ "hold": "H-1", "decision": "approve", "key": fingerprint });
    let kept = || async { bed.site.gateway.world().await.statements.len() };
    let path = "/api/v1/ssh/statements";
    assert_eq!(bed.post("alice", path, &wish).await.status, StatusCode::FORBIDDEN);
    assert_eq!(kept().await, 0, "another's key");
    let unknown = json!({ "hold": "H-1", "decision": "approve", "key": "SHA256:unknown" });
    assert_eq!(bed.post("bob", path, &unknown).await.status, StatusCode::FORBIDDEN);
    assert_eq!(kept().await, 0, "nobody's key");
    let made = bed.post("bob", path, &wish).await.json();
    assert_eq!(kept().await, 1);
    // What is no signature uses it up as little.
    let answer = json!({ "nonce": made["statement"]["nonce"], "signature": "none" });
    let refused = bed.post("bob", "/api/v1/ssh/decisions", &answer).await;
    assert_eq!((refused.status, kept().await), (StatusCode::FORBIDDEN, 1), "{}", refused.text);
}
