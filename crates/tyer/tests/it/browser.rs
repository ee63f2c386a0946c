//! The console as people use it: in Chromium, with passkeys of the browser, one browser for each person.

mod allowances;
mod beside;
mod driver;
mod glass;
mod kills;
mod together;
mod told;

use serde_json::json;
use tokio_postgres::Client;
use xtask::cluster::Cluster;
use xtask::instance::{Instance, Shape};

use self::driver::{Browser, Driver};
use crate::bed::{ask, connect, program};
use crate::ssh::Keys;

const DELETE: &str = "DELETE FROM payments";
/// Takes the payments of these orders along.
const CLEAN_UP: &str = "DELETE FROM orders\nWHERE status = 'cancelled'\n  AND placed < '2025-06-01'";

/// Alice and bob (an owner) are founders, carol was invited by alice and confirmed by bob: all of it by
/// their browsers.
struct Desk {
    // The first to go, with the browsers, so that nobody writes to their profiles any more.
    driver: Driver,
    cluster: Cluster,
    tyer: Instance,
    alice: Browser,
    bob: Browser,
    carol: Browser,
}

impl Desk {
    async fn new() -> Self {
        Self::shaped(&Shape::default()).await
    }

    async fn shaped(shape: &Shape) -> Self {
        let cluster = Cluster::start().expect("a cluster");
        cluster.load_orders().expect("the orders database");
        let tyer = Instance::start(program().as_ref(), &cluster, shape).expect("an instance");
        let driver = Driver::start();
        let (alice, bob, carol) = tokio::join!(
            driver.browser(tyer.console),
            driver.browser(tyer.console),
            driver.browser(tyer.console)
        );
        tokio::join!(
            enrol(&alice, "alice", tyer.link("alice").expect("a link")),
            enrol(&bob, "bob", tyer.link("bob").expect("a link"))
        );
        let desk = Self { cluster, tyer, alice, bob, carol, driver };
        desk.welcome_carol().await;
        desk
    }

    async fn welcome_carol(&self) {
        let Self { alice, bob, carol, .. } = self;
        tokio::join!(alice.open("/people"), bob.open("/people"));
        alice.sees("#main", "needs three people who count").await;
        alice.fill("#invite-name", "carol").await;
        alice.click("#invite").await;
        alice.sees("#message", "Invited carol").await;
        let link = alice.text("#invited code").await;
        let token = link.rsplit('/').next().expect("a token");
        enrol(carol, "carol", token).await;
        carol.sees("#main", "wait to be confirmed").await;
        // It came to these two by itself.
        alice.sees("li[data-person=carol]", "somebody else has to confirm").await;
        assert!(!alice.has("[data-confirm=carol]").await, "who invites does not confirm");
        bob.picture("people").await;
        bob.click("[data-confirm=carol]").await;
        bob.sees("#message", "You confirmed carol").await;
        carol.open("/").await;
        carol.sees("h1", "Nothing waits for people").await;
        // The page that told carol to wait said so with its status, which the browser notes.
        let noted = carol.complaints().await;
        assert!(noted.iter().all(|line| line.contains("403 (Forbidden)")), "{noted:?}");
    }

    async fn agent(&self, controller: &str) -> Client {
        let login = self.tyer.session("kiro", controller, &[]).expect("a session");
        connect(self.tyer.door, &login.session, &login.password).await.expect("a connection")
    }

    /// How long the ledger is.
    fn leaves(&self) -> usize {
        let said = self.tyer.run(&["--json", "ledger", "tail", "-n", "10000"]).expect("the ledger");
        said.lines().count()
    }

    /// No browser complained and the ledger is whole.
    async fn close(self) {
        for browser in [&self.alice, &self.bob, &self.carol] {
            assert_eq!(browser.complaints().await, Vec::<String>::new());
        }
        let output = self.tyer.output(&["ledger", "verify"]).expect("verify");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

async fn enrol(browser: &Browser, name: &str, token: &str) {
    browser.open(&format!("/enrol/{token}")).await;
    browser.sees("h1", &format!("Enrol a passkey for {name}")).await;
    if name == "alice" {
        browser.picture("enrol").await;
    }
    browser.click("#enrol").await;
    browser.sees("#message", "Enrolled.").await;
    browser.click("a[href='/sign-in']").await;
    sign_in(browser).await;
}

async fn sign_in(browser: &Browser) {
    browser.click("#sign-in").await;
    browser.sees("body", "Sign out").await;
}

async fn approve(browser: &Browser, hold: &str) {
    browser.click("#approve").await;
    browser.sees("#message", &format!("You approved {hold}.")).await;
    browser.sees("#decision", "You have approved this.").await;
    assert!(!browser.has("#approve").await, "one human is one vote");
}

#[tokio::test]
async fn two_people_decide_in_their_browsers() {
    let desk = Desk::new().await;
    let Desk { alice, bob, .. } = &desk;
    alice.open("/").await;
    alice.click(".me button").await;
    alice.sees("h1", "Sign in").await;
    alice.open("/").await;
    assert_eq!(alice.path().await, "/sign-in", "nobody is signed in");
    sign_in(alice).await;
    bob.open("/").await;

    let agent = desk.agent("carol").await;
    let before = desk.cluster.query("SELECT count(*) FROM payments").expect("the truth");
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    let row = format!("li[data-hold={hold}]");
    for browser in [alice, bob] {
        browser.sees(&row, "agent kiro for carol").await;
        browser.sees(&row, "0 of 2 so far").await;
        browser.click(&format!("{row} a.what")).await;
        for (part, words) in [
            (".request", DELETE),
            (".card-head", "PRODUCTION"),
            (".card-head", "destroy"),
            (".card-head", "agent kiro for carol"),
            (".card-head", "orders"),
            (".relation", "public.payments"),
            ("aside", "two different people"),
            ("#decision", "Your decision"),
        ] {
            browser.sees(part, words).await;
        }
    }
    approve(alice, &hold).await;
    assert_eq!(ask(&agent, DELETE).await.unwrap_err().hold(), hold, "one person is not two");
    // Bob's page learns it by itself.
    bob.sees(".approvals", "alice as").await;
    bob.picture("card").await;
    approve(bob, &hold).await;
    alice.sees("#state", "approved, not used yet").await;
    let ran = ask(&agent, DELETE).await.expect("it runs");
    assert_eq!(ran, [format!("#{}", before.trim())]);
    alice.sees("#state", "approved and used").await;
    alice.sees("#decision", "Observed:").await;
    alice.sees("#foot", &format!("ledger of {} leaves", desk.leaves())).await;
    alice.picture("card-used").await;

    let second = ask(&agent, DELETE).await.unwrap_err().hold();
    assert_ne!(second, hold, "an approval is used once");
    bob.open(&format!("/holds/{second}")).await;
    bob.narrow().await;
    bob.click("#reject").await;
    bob.sees("#message", "A rejection needs a reason").await;
    assert!(bob.shows("#message").await, "far down on a narrow screen, too");
    bob.wide().await;
    bob.fill("#comment", "the books are <b>closed</b>").await;
    bob.click("#reject").await;
    bob.sees("#message", &format!("You rejected {second}.")).await;
    bob.sees("#decision blockquote", "the books are <b>closed</b>").await;
    let refused = ask(&agent, DELETE).await.unwrap_err();
    assert!(refused.message.contains("bob rejected"), "{refused:?}");
    assert!(refused.message.contains("the books are <b>closed</b>"), "{refused:?}");
    for sql in [
        "DROP TABLE executives CASCADE",
        "UPDATE customers SET name = name",
        "CREATE TABLE notes (line text)",
    ] {
        ask(&agent, sql).await.unwrap_err();
    }
    alice.open("/").await;
    alice.sees("#main", "Decided lately").await;
    alice.picture("queue").await;
    desk.close().await;
}

#[tokio::test]
async fn a_controller_makes_a_session_and_is_no_peer_of_it() {
    let desk = Desk::new().await;
    let Desk { alice, bob, carol, .. } = &desk;
    alice.open("/sessions").await;
    alice.click("#new-session summary").await;
    alice.fill("#session-agent", "kiro").await;
    alice.fill("#session-purpose", "Remove the cancelled orders that the load test left behind").await;
    alice.click("#session-form button").await;
    alice.sees("#message", "Its password is shown this once").await;
    alice.picture("sessions").await;
    let session = alice.text("#minted dl div:nth-child(5) code").await;
    let password = alice.text("#minted dl div:nth-child(6) code").await;
    let agent = connect(desk.tyer.door, &session, &password).await.expect("a connection");

    let hold = ask(&agent, CLEAN_UP).await.unwrap_err().hold();
    alice.open(&format!("/holds/{hold}")).await;
    alice.sees("#decision", "Your approval does not count").await;
    alice.sees(".reading", "cancelled orders that the load test left").await;
    assert!(alice.has("#reject").await && !alice.has("#approve").await);
    alice.picture("card-of-the-controller").await;
    let said = alice.signs(&json!({ "approve": hold })).await;
    assert!(said.contains("controls the session"), "{said}");
    assert_eq!(alice.complaints().await.len(), 1, "the refusal itself");

    for peer in [carol, bob] {
        peer.open(&format!("/holds/{hold}")).await;
        // What would go with it.
        peer.sees(".relation", "payments").await;
    }
    approve(carol, &hold).await;
    bob.sees(".approvals", "carol as peer").await;
    bob.picture("console").await;

    bob.open("/").await;
    bob.fill("#freeze-reason", "the launch").await;
    bob.click("#freeze").await;
    bob.sees("#freeze-bar", "Frozen by bob").await;
    alice.sees("#freeze-bar", "the launch").await;
    assert_eq!(ask(&agent, CLEAN_UP).await.unwrap_err().code, "25006");
    bob.picture("frozen").await;
    alice.click("[data-thaw=F-1]").await;
    alice.sees("#message", "You signed the end of F-1. It goes on").await;
    bob.sees("#freeze-bar", "Its end was signed by alice").await;
    assert_eq!(ask(&agent, CLEAN_UP).await.unwrap_err().code, "25006", "one of two");
    assert!(!alice.has("[data-thaw=F-1]").await, "one human is one word");
    bob.click("[data-thaw=F-1]").await;
    bob.sees("#message", "F-1 has ended.").await;
    alice.sees("#freeze-bar", "Changes flow").await;
    let anew = ask(&agent, CLEAN_UP).await.unwrap_err().hold();
    assert_ne!(anew, hold, "a freeze began since");

    bob.open("/sessions").await;
    bob.click(&format!("[data-kill=session][data-name='{session}']")).await;
    bob.agree().await;
    bob.sees("#message", &format!("Killed session {session}. All of it was seen to end.")).await;
    bob.sees("#killed", "1 of 1 connections were seen to close; credentials refused: yes").await;
    bob.sees("#killed", &anew).await;
    assert!(ask(&agent, "SELECT 1").await.is_err());
    bob.open("/ledger?verify=1").await;
    bob.picture("ledger").await;
    desk.close().await;
}

#[tokio::test]
async fn two_people_end_a_freeze_in_their_browsers() {
    // Comes once every week at least.
    let sections = "[[freeze]]\nname = \"weekends\"\nreason = \"nobody is there\"\nzone = \"Europe/Berlin\"\n\
        environment = \"production\"\nevery = [\"Sat 00:00 - Sat 00:01\", \"Wed 00:00 - Wed 00:01\"]\n";
    let desk = Desk::shaped(&Shape { sections, ..Shape::default() }).await;
    let Desk { alice, bob, .. } = &desk;
    let agent = desk.agent("carol").await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    alice.open("/").await;
    alice.click("#freeze-bar a[href='/freezes']").await;
    alice.sees("h1", "Nothing is frozen").await;
    alice.sees("#main .cards", "nobody is there").await;
    alice.sees("#main .cards", "(Europe/Berlin)").await;
    bob.open(&format!("/holds/{hold}")).await;
    bob.sees("#decision", "A freeze begins").await;
    alice.choose("#freeze-upstream", "orders").await;
    alice.choose("#freeze-until", "2100-06-01T08:00").await;
    alice.fill("#freeze-zone", "Asia/Tokyo").await;
    alice.fill("#freeze-why", "the <b>audit</b>").await;
    alice.click("#freeze-some").await;
    alice.sees("#message", "Frozen as F-1: nothing is changed in upstream orders.").await;
    alice.sees("li[data-freeze=F-1]", "Tue 2100-06-01 08:00 (Asia/Tokyo)").await;
    assert!(ask(&agent, DELETE).await.unwrap_err().message.contains("the <b>audit</b>"));
    bob.sees("#decision", "this cannot run before that, whoever approves").await;
    bob.sees("#freeze-bar", "the <b>audit</b>").await;
    bob.picture("card-frozen").await;
    alice.click("#freeze-bar [data-thaw=F-1]").await;
    alice.sees("#message", "You signed the end of F-1. It goes on").await;
    alice.sees("li[data-freeze=F-1]", "Its end was signed by alice").await;
    alice.picture("freezes").await;
    assert_eq!(ask(&agent, DELETE).await.unwrap_err().code, "25006", "one of two");
    assert!(!alice.has("[data-thaw=F-1]").await, "one human is one word");
    bob.sees("#freeze-bar", "Its end was signed by alice").await;
    bob.click("#freeze-bar [data-thaw=F-1]").await;
    bob.sees("#message", "F-1 has ended.").await;
    alice.sees("h1", "Nothing is frozen").await;
    assert_ne!(ask(&agent, DELETE).await.unwrap_err().hold(), hold, "a freeze began since");
    desk.close().await;
}

#[tokio::test]
async fn two_people_confirm_a_changed_configuration() {
    let mut desk = Desk::new().await;
    // Sign-ins do not outlive the program, and a page that learns it goes to the sign-in by itself.
    for browser in [&desk.alice, &desk.bob, &desk.carol] {
        browser.leave().await;
    }
    desk.tyer.kill();
    let shape = Shape { environment: "staging", ..Shape::default() };
    desk.tyer.configure(&desk.cluster, &shape).expect("a changed configuration");
    desk.tyer.resume().expect("a restart");
    let Desk { alice, bob, carol, tyer, .. } = &desk;
    let part = "[data-configure='upstream orders']";
    for browser in [alice, bob, carol] {
        browser.open("/configuration").await;
        assert_eq!(browser.path().await, "/sign-in");
        sign_in(browser).await;
        assert_eq!(browser.path().await, "/configuration");
        browser.sees("h1", "1 change waits for people").await;
    }
    alice.sees(".posture", "Closed. The door to orders is closed").await;
    alice.picture("configuration").await;
    alice.click(part).await;
    alice.sees("#message", "You confirmed the change of upstream orders").await;
    alice.sees("#main", "it needs a second person").await;
    assert!(!alice.has(part).await, "one person is not two");
    bob.sees("#main", "Confirmed so far by alice").await;
    bob.click(part).await;
    alice.sees("h1", "The configuration is as it was confirmed").await;
    let login = tyer.session("kiro", "carol", &[]).expect("a session");
    let agent = connect(tyer.door, &login.session, &login.password).await.expect("the door is open");
    ask(&agent, "UPDATE customers SET name = name WHERE id = 1").await.expect("staging flows");
    desk.close().await;
}

#[tokio::test]
async fn an_ssh_key_is_added_confirmed_and_removed() {
    let keys = Keys::new();
    let file = keys.make("bob", "ed25519");
    let public = std::fs::read_to_string(file.with_extension("pub")).expect("a key");
    let desk = Desk::new().await;
    let Desk { alice, bob, .. } = &desk;
    tokio::join!(alice.open("/people"), bob.open("/people"));
    bob.click("#hardware summary").await;
    bob.click("#make-key").await;
    bob.sees("#making-command", "-O verify-required -O challenge=challenge").await;
    bob.fill("#key", public.trim()).await;
    bob.click("#add-key").await;
    bob.sees("#message", "Sign it with the key").await;
    bob.picture("ssh-key-proof").await;
    // The command as it stands there, with the key's file.
    let command = bob.text("#proving-command").await;
    let command = command.replace("-f KEY", &format!("-q -f {}", file.display()));
    let signed = std::process::Command::new("sh").args(["-c", &command]).output().expect("sh");
    bob.fill("#proof", String::from_utf8_lossy(&signed.stdout).trim()).await;
    bob.click("#prove").await;
    bob.sees("#message", "Added. Somebody other than you has to confirm it").await;
    let (row, confirm) = ("li[data-person=bob] [data-key]", "li[data-person=bob] [data-confirm-key]");
    alice.sees(row, "Software key, waits to be confirmed and does not count").await;
    assert!(!bob.has(confirm).await, "not by the owner");
    alice.picture("ssh-key").await;
    alice.click(confirm).await;
    alice.sees("#message", "You confirmed a key of bob").await;
    bob.sees(row, "confirmed by alice").await;
    alice.click("li[data-person=bob] [data-remove-key]").await;
    alice.agree().await;
    alice.sees("#message", "You removed a key of bob").await;
    bob.sees(row, "removed by alice: it counts no more").await;
    assert!(!bob.has("[data-remove-key]").await);
    desk.close().await;
}

#[tokio::test]
async fn a_further_passkey_is_enrolled_by_a_link_and_a_lost_one_replaced() {
    let desk = Desk::new().await;
    let Desk { alice, bob, carol, .. } = &desk;
    tokio::join!(alice.open("/people"), bob.open("/people"));
    bob.click("#add-passkey").await;
    bob.sees("#message", "Open the link where the new passkey is to be").await;
    let row = "li[data-person=bob]";
    assert!(bob.text("#added code").await.contains("/enrol/"));
    // Alice asks for bob, who enrols in a browser that has no passkey of his.
    alice.fill("#recover-name", "bob").await;
    alice.click("#recover").await;
    alice.sees("#message", "Somebody other than you confirms").await;
    let link = alice.text("#recovering code").await;
    carol.open(&format!("/enrol/{}", link.rsplit('/').next().expect("a token"))).await;
    carol.click("#enrol").await;
    carol.sees("#message", "Tell somebody other than alice these digits").await;
    alice.sees(row, "You asked for it, so somebody else has to confirm").await;
    alice.picture("passkeys").await;
    carol.open("/people").await;
    carol.click("li[data-person=bob] [data-confirm-passkey]").await;
    carol.sees("#message", "You confirmed a passkey of bob").await;
    alice.sees(row, "removed by carol: it counts no more").await;
    bob.open("/people").await;
    bob.sees("body", "Sign in").await;
    desk.close().await;
}
