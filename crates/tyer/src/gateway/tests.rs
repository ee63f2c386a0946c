//! The gateway over a store of its own, without doors.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tyer_core::assurance::Assurance;
use tyer_core::freeze::{Freeze, Zone};
use tyer_core::hold::{Approval, Event, Hold, Next, Standing};
use tyer_core::intent::{
    Act, Acts, Digest, Effect, Environment, Kind, Narrowing, PersonId, Resource, Reversibility,
    SessionId,
};
use tyer_core::limits::OPEN_HOLDS_PER_SESSION;
use tyer_core::record::PublicKey;
use tyer_core::sequence::History;
use tyer_core::statement::{Decision as Signing, Signed, Statement, Subject};

use super::*;
use crate::archive::Archive;
use crate::founding::{Plan, found};
use crate::gateway::freeze::NewFreeze;
use crate::gateway::sessions::NewSession;
use crate::gateway::world::FREEZES;
use crate::gateway::world::{Passkey, Person};
use crate::store::sqlite::Sqlite;

/// How long approvals last here.
const LAPSE_SECONDS: i64 = 2;

struct Bed {
    gateway: Arc<Gateway>,
    session: SessionId,
    store: PathBuf,
    _data: tempfile::TempDir,
}

/// A heart over which only alice has a word, before an upstream at that address.
async fn bed(address: &str) -> Bed {
    bed_with(address, "").await
}

/// The same with more in the configuration.
async fn bed_with(address: &str, more: &str) -> Bed {
    let data = tempfile::tempdir().unwrap();
    let config = format!(
        "[console]\nlisten = \"127.0.0.1:7780\"\norigin = \"http://localhost:7780\"\n\
         [holds]\nlapse_seconds = {LAPSE_SECONDS}\n\
         [upstream.orders]\nprotocol = \"postgres\"\nlisten = \"127.0.0.1:6432\"\n\
         address = \"{address}\"\ndatabase = \"orders\"\nuser = \"tyer\"\n\
         password = {{ file = \"password\" }}\ntls = \"disable\"\nenvironment = \"staging\"\n\
         owners = [\"bob\"]\n{more}"
    );
    let people = ["alice", "bob"].map(PersonId::new);
    let plan = Plan { people, config, host: "localhost".to_owned(), door_names: Vec::new() };
    let path = data.path().join("d");
    found(&path, &plan).await.unwrap();
    std::fs::write(path.join("password"), "s3cret").unwrap();
    let config = Config::load(&path).unwrap();
    let upstreams = Upstreams::new(&config.upstreams).unwrap();
    let store = Sqlite::open(&path.join(crate::serve::STORE)).unwrap();
    let mut world = World::load(&store).unwrap();
    let alice = world.people.get_mut(&PersonId::new("alice")).unwrap();
    alice.keys.push(Passkey::new(PublicKey::passkey("key", "AA"), None));
    assert!(Person::counts(alice));
    let signer = crate::serve::signer(&path, &store).unwrap();
    let sequencer = Sequencer::start(store, signer).unwrap();
    let gateway = Gateway::start(config, upstreams, sequencer, (world, History::default()), Vec::new())
        .await
        .unwrap();
    let new = NewSession {
        agent: "kiro".to_owned(),
        human: false,
        controller: PersonId::new("alice"),
        upstream: Upstream::new("orders"),
        narrowing: Narrowing::default(),
        lasts_ms: None,
        purpose: String::new(),
    };
    let session = gateway.new_session(new, "operator").await.unwrap().session.principal.session;
    Bed { gateway, session, store: path.join(crate::serve::STORE), _data: data }
}

impl Bed {
    /// A change that asks its controller, and that no rollback takes back.
    async fn submit(&self, number: usize) -> Result<Clearance, Refusal> {
        self.ask(Effect::Change, number).await
    }

    async fn ask(&self, effect: Effect, number: usize) -> Result<Clearance, Refusal> {
        let text = format!("UPDATE orders SET note = 'round {number}'");
        let act = Act {
            effect,
            resource: Resource::new(Kind::Relation, "public.orders"),
            reversibility: Reversibility::Recoverable,
            local: false,
            why: "changes rows of public.orders".to_owned(),
            tie: None,
        };
        let request = Request {
            environment: None,
            session: self.session.clone(),
            acts: Acts::new(act, []),
            digest: Digest::of(text.as_bytes()),
            shape: Digest::of(b"shape"),
            redacted: text.clone(),
            text,
            transactional: false,
            fits_block: true,
            about: About { relations: vec!["public.orders".to_owned()], ..About::default() },
        };
        let patience = Patience { wait: Duration::ZERO, gone: watch::channel(false).1 };
        self.gateway.submit(request, patience).await
    }

    /// The controller agrees to a hold, as if the signature had been verified.
    async fn approve(&self, id: &str) -> Timestamp {
        let mut world = self.gateway.world().await;
        let hold = world.holds.get(&HoldId::new(id)).unwrap().clone();
        let (now, approval) = (clock::now(), approval(&hold));
        let Next::Stays(hold, _) = hold.step(Event::Approve(Box::new(approval)), now) else {
            panic!("not approved")
        };
        assert_eq!(hold.state_word(), "approved");
        let lapses = hold.ends();
        world.holds.insert(hold);
        lapses
    }

    async fn state(&self, id: &str) -> &'static str {
        let id = HoldId::new(id);
        if let Some(hold) = self.gateway.world().await.holds.get(&id) {
            return hold.state_word();
        }
        let archive = Archive::new(&self.gateway.config.data);
        archive.ended(&id).await.unwrap().unwrap().hold.state_word()
    }

    /// What the ledger says of each outcome, in order.
    fn settled(&self) -> Vec<(Outcome, bool)> {
        let store = Sqlite::open_read_only(&self.store).unwrap();
        let leaves = store.leaves(0, 1_000).unwrap().into_iter();
        let records = leaves.map(|(_, leaf)| Record::decode(&leaf).unwrap().what);
        records
            .filter_map(|what| match what {
                What::Settled { outcome, returned, .. } => Some((outcome, returned)),
                _ => None,
            })
            .collect()
    }

    /// The kinds of all leaves, in order.
    fn kinds(&self) -> Vec<&'static str> {
        let store = Sqlite::open_read_only(&self.store).unwrap();
        let leaves = store.leaves(0, 1_000).unwrap().into_iter();
        leaves.map(|(_, leaf)| Record::decode(&leaf).unwrap().what.kind()).collect()
    }

    /// How many leaves say how a session or a lease ended.
    fn endings(&self) -> usize {
        let store = Sqlite::open_read_only(&self.store).unwrap();
        let leaves = store.leaves(0, 1_000).unwrap().into_iter();
        let records = leaves.map(|(_, leaf)| Record::decode(&leaf).unwrap().what);
        records
            .filter(|what| matches!(what, What::SessionEnded { .. } | What::LeaseClosed { .. }))
            .count()
    }
}

fn approval(hold: &Hold) -> Approval {
    let card = hold.card();
    let subject = Subject {
        hold: hold.id().clone(),
        request: card.intent.digest,
        card: card.digest(),
        policy_set: card.policy_set,
    };
    let statement = Statement {
        origin: String::new(),
        what: Signing::Approve(subject),
        person: "alice".to_owned(),
        root: Digest([0; 32]),
        size: 0,
        nonce: String::new(),
        expires: clock::now(),
    };
    let signed = Signed {
        statement,
        credential: "key".to_owned(),
        authenticator_data: String::new(),
        client_data: String::new(),
        signature: String::new(),
    };
    let (person, standing) = (PersonId::new("alice"), Standing::Controller);
    let (at, comment, assurance) = (clock::now(), String::new(), Assurance::Passkey);
    Approval { person, standing, at, comment, signed, assurance }
}

fn failed(code: &str) -> Outcome {
    Outcome::Failed { code: code.to_owned() }
}

#[tokio::test]
async fn what_never_left_gives_its_grant_back() {
    let bed = bed("127.0.0.1:1").await;
    let held = bed.submit(1).await.unwrap_err();
    assert_eq!((held.reason, held.hold), (Reason::Held, Some(HoldId::new("H-1"))));
    bed.approve("H-1").await;
    let clearance = bed.submit(1).await.unwrap();
    bed.gateway.never_left(clearance.leaf());
    bed.gateway.settle_soon(clearance.leaf(), failed("57P01")).await.unwrap();
    assert_eq!(bed.state("H-1").await, "approved");
    let clearance = bed.submit(1).await.unwrap();
    bed.gateway.settle_soon(clearance.leaf(), failed("57P01")).await.unwrap();
    assert_eq!(bed.state("H-1").await, "spent", "it has left, and no rollback takes it back");
    assert_eq!(bed.settled(), [(failed("57P01"), true), (failed("57P01"), false)]);
}

#[tokio::test]
async fn a_grant_that_lapses_while_its_leaf_is_written_clears_nothing() {
    let bed = Arc::new(bed("127.0.0.1:1").await);
    bed.submit(1).await.unwrap_err();
    let lapses = bed.approve("H-1").await;
    let stalled = bed.gateway.sequencer.stall();
    let again = Arc::clone(&bed);
    let submitted = tokio::spawn(async move { again.submit(1).await });
    while clock::now() <= lapses {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(stalled);
    let refusal = submitted.await.unwrap().unwrap_err();
    assert_eq!(refusal.reason, Reason::NotRecorded, "{refusal:?}");
    assert_eq!(bed.settled(), [(failed("57014"), false)]);
    assert_eq!(bed.state("H-1").await, "spent", "nothing is left of its time");
}

#[tokio::test]
async fn an_agent_with_too_many_open_holds_makes_nobody_look_for_facts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            drop(connection);
        }
    });
    let bed = bed(&address).await;
    for number in 0..OPEN_HOLDS_PER_SESSION {
        assert_eq!(bed.submit(number).await.unwrap_err().reason, Reason::Held);
    }
    let looked = asked.load(Ordering::SeqCst);
    assert!(looked >= OPEN_HOLDS_PER_SESSION, "{looked}");
    for number in 0..50 {
        let refusal = bed.submit(OPEN_HOLDS_PER_SESSION + number).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::TooMany, "{refusal:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), looked);
    assert_eq!(bed.submit(0).await.unwrap_err().reason, Reason::Held, "what waits goes on waiting");
}

#[tokio::test]
async fn endings_that_could_not_be_recorded_are_recorded_later() {
    let bed = bed("127.0.0.1:1").await;
    bed.ask(Effect::Read, 1).await.unwrap_err();
    bed.approve("H-1").await;
    let clearance = bed.ask(Effect::Read, 1).await.unwrap();
    let done = Outcome::done("SELECT 1".to_owned(), Some(1));
    bed.gateway.settle(clearance.leaf(), done.clone()).await.unwrap();
    let carried = bed.ask(Effect::Read, 1).await.unwrap();
    assert_ne!(carried.leaf(), clearance.leaf());
    Sqlite::fail_leaves(&bed.store, true).unwrap();
    assert!(bed.gateway.end_session(&bed.session, "ended", "operator").await.is_err());
    // Outcomes that no hold waits for go the same way.
    bed.gateway.unsettled().insert(LeafIndex(1), None);
    assert!(bed.gateway.settle(LeafIndex(1), done.clone()).await.is_err());
    assert_eq!((bed.endings(), bed.settled().len()), (0, 1));
    Sqlite::fail_leaves(&bed.store, false).unwrap();
    bed.gateway.settle_owed().await;
    assert_eq!(bed.endings(), 2, "the lease's totals and the session's end");
    assert_eq!(bed.settled(), [(done.clone(), false), (done, false)]);
}

#[tokio::test]
async fn a_freeze_between_approval_and_release_binds_and_makes_people_look_again() {
    let bed = bed("127.0.0.1:1").await;
    bed.submit(1).await.unwrap_err();
    bed.approve("H-1").await;
    let reason = "the launch".to_owned();
    bed.gateway.freeze("bob", NewFreeze { reason, ..NewFreeze::default() }).await.unwrap();
    let refusal = bed.submit(1).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::Frozen);
    let said = "changes to everything are frozen until people end it (F-1, by bob): the launch";
    assert_eq!(refusal.message, said);
    assert_eq!(bed.state("H-1").await, "approved");
    assert!(!bed.kinds().contains(&"cleared"));
    // What it was approved for is not what it is now, though nothing is frozen any more.
    let mut world = bed.gateway.world().await;
    let freeze = world.freezes.holding(clock::now()).next().unwrap().freeze.digest();
    world.freezes.find_mut(freeze, clock::now()).unwrap().is_ended = true;
    world.freezes.forget_past(clock::now());
    drop(world);
    // What is opened within its millisecond counts as opened before it.
    tokio::time::sleep(Duration::from_millis(2)).await;
    let refusal = bed.submit(1).await.unwrap_err();
    assert_eq!(refusal.hold, Some(HoldId::new("H-2")), "{refusal:?}");
    assert_eq!(bed.state("H-1").await, "abandoned");
    bed.approve("H-2").await;
    assert!(bed.submit(1).await.is_ok());
    assert_eq!(bed.state("H-2").await, "taken");
}

#[tokio::test]
async fn a_freeze_within_the_millisecond_of_a_hold_has_begun_since() {
    let bed = bed("127.0.0.1:1").await;
    bed.submit(1).await.unwrap_err();
    bed.approve("H-1").await;
    let mut world = bed.gateway.world().await;
    let opened = world.holds.get(&HoldId::new("H-1")).unwrap().opened();
    let until = Some(opened.plus(1));
    world.freezes.start(Freeze { until, ..Freeze::of_everything(opened, "bob", "the launch") });
    drop(world);
    tokio::time::sleep(Duration::from_millis(2)).await;
    let refusal = bed.submit(1).await.unwrap_err();
    assert_eq!(refusal.hold, Some(HoldId::new("H-2")), "{refusal:?}");
}

#[tokio::test]
async fn nothing_decided_before_a_freeze_is_recorded_after_it() {
    let bed = Arc::new(bed("127.0.0.1:1").await);
    bed.submit(1).await.unwrap_err();
    bed.approve("H-1").await;
    let stalled = bed.gateway.sequencer.stall();
    let (again, freezing) = (Arc::clone(&bed), Arc::clone(&bed));
    let submitted = tokio::spawn(async move { again.submit(1).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let frozen =
        tokio::spawn(async move { freezing.gateway.freeze("bob", NewFreeze::default()).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!submitted.is_finished() && !frozen.is_finished());
    drop(stalled);
    assert!(submitted.await.unwrap().is_ok(), "it was decided before");
    frozen.await.unwrap().unwrap();
    let kinds = bed.kinds();
    let at = |kind: &str| kinds.iter().position(|it| *it == kind).unwrap();
    assert!(at("cleared") < at("freeze_started"), "{kinds:?}");
    assert_eq!(bed.submit(2).await.unwrap_err().reason, Reason::Frozen);
}

#[tokio::test]
async fn a_kill_between_approval_and_release_lets_nothing_run() {
    let bed = bed("127.0.0.1:1").await;
    for number in [1, 2] {
        bed.submit(number).await.unwrap_err();
        bed.approve(&format!("H-{number}")).await;
    }
    let clearance = bed.submit(2).await.unwrap();
    bed.gateway.end_session(&bed.session, "killed", "operator").await.unwrap();
    assert_eq!(bed.state("H-1").await, "abandoned");
    assert_eq!(bed.submit(1).await.unwrap_err().reason, Reason::Ended);
    // The grant of what was under way comes back, and is of no use to anybody.
    bed.gateway.never_left(clearance.leaf());
    bed.gateway.settle(clearance.leaf(), failed("57P01")).await.unwrap();
    assert_eq!(bed.submit(2).await.unwrap_err().reason, Reason::Ended);
    assert_eq!(bed.kinds().iter().filter(|kind| **kind == "cleared").count(), 1);
}

/// A calendar whose only freeze holds from an hour before the test until an hour after it, or an hour later.
fn calendar(now: Timestamp, hours: i64) -> String {
    let local = |hours: i64| {
        let at = Zone::default().local(now.plus(hours * 60 * 60 * 1000));
        at.split_once(' ').unwrap().1.replace(' ', "T")
    };
    let (from, until) = (local(hours), local(hours + 2));
    format!(
        "[[freeze]]\nname = \"books\"\nreason = \"the year's end\"\nenvironment = \"staging\"\nzone = \"UTC\"\n\
         from = \"{from}\"\nuntil = \"{until}\"\n"
    )
}

#[tokio::test]
async fn the_calendar_binds_before_it_is_recorded_and_is_recorded_once() {
    let bed = bed_with("127.0.0.1:1", &calendar(clock::now(), -1)).await;
    let refusal = bed.submit(1).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::Frozen);
    assert!(refusal.message.contains("everything in staging are frozen until"), "{refusal:?}");
    assert!(refusal.message.contains("by calendar): the year's end"), "{refusal:?}");
    assert!(!bed.kinds().contains(&"freeze_started"));
    for _ in 0..2 {
        bed.gateway.note_freezes().await;
        assert_eq!(bed.kinds().iter().filter(|kind| **kind == "freeze_started").count(), 1);
        assert_eq!(bed.gateway.freezes(&*bed.gateway.world().await, clock::now()).len(), 1);
        assert_eq!(bed.submit(1).await.unwrap_err().reason, Reason::Frozen);
    }
    // What two people have ended does not begin again.
    let mut world = bed.gateway.world().await;
    let freeze = world.freezes.holding(clock::now()).next().unwrap().freeze.clone();
    world.freezes.find_mut(freeze.digest(), clock::now()).unwrap().is_ended = true;
    drop(world);
    bed.gateway.note_freezes().await;
    assert_eq!(bed.submit(1).await.unwrap_err().reason, Reason::Held);
    // Long after, nothing of it is kept.
    let mut freezes = bed.gateway.world().await.freezes.clone();
    assert!(!freezes.forget_past(clock::now()) && freezes.forget_past(freeze.until.unwrap()));
    assert!(freezes.known(&freeze).is_none());
}

#[tokio::test]
async fn the_calendar_says_what_comes() {
    let bed = bed_with("127.0.0.1:1", &calendar(clock::now(), 48)).await;
    assert_eq!(bed.submit(1).await.unwrap_err().reason, Reason::Held);
    let now = clock::now();
    let shown = bed.gateway.freezes(&*bed.gateway.world().await, now);
    assert_eq!((shown.len(), shown[0].holds), (1, false), "{shown:?}");
    let later = shown[0].freeze.since;
    let world = bed.gateway.world().await;
    let place = (&Environment::new("staging"), &Upstream::new("orders"));
    assert!(!bed.gateway.is_frozen(&world, place, now));
    assert!(bed.gateway.is_frozen(&world, place, later));
    assert!(!bed.gateway.is_frozen(&world, (&Environment::production(), place.1), later));
    let early = Gateway::thawing(&world, &shown[0].freeze.id).unwrap_err().to_string();
    assert!(early.contains("no freeze `books@"), "nobody ends what has not begun: {early}");
}

#[tokio::test]
async fn the_one_freeze_of_an_older_store_goes_on() {
    let bed = bed("127.0.0.1:1").await;
    let single = serde_json::json!({ "since": 1_000, "by": "operator", "reason": "launch" });
    let change = Change::default().put(Table::Setting, "freeze", &single);
    bed.gateway.sequencer.commit(change).await.unwrap();
    let load = || World::load(&Sqlite::open_read_only(&bed.store).unwrap()).unwrap();
    let world = load();
    let held: Vec<_> = world.freezes.holding(clock::now()).map(|it| it.freeze.clone()).collect();
    assert_eq!(held, [Freeze::of_everything(Timestamp(1_000), "operator", "launch")]);
    // Once it was stored anew, what was stored before counts no more.
    let mut freezes = world.freezes.clone();
    freezes.find_mut(held[0].digest(), clock::now()).unwrap().is_ended = true;
    freezes.forget_past(clock::now());
    let change = Change::default().put(Table::Setting, FREEZES, &freezes);
    bed.gateway.sequencer.commit(change).await.unwrap();
    assert_eq!(load().freezes.holding(clock::now()).count(), 0);
}
