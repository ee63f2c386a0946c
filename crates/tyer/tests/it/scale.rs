//! Many connections and many sessions: none is refused, and nothing of them stays behind.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::task::JoinSet;
use tokio_postgres::Client;
use xtask::cluster::Cluster;
use xtask::instance::{Login, Shape};

use crate::bed::{Bed, ask, connect};

/// Connections at once.
const CROWD: usize = 1_000;
/// Connections one after the other, and how many of them at a time.
const CONNECTIONS: usize = 10_000;
/// Sessions one after the other.
const SESSIONS: usize = 3_000;
const AT_A_TIME: usize = 16;
/// What memory may grow by over two thirds of the connections, in KiB: half of what 1 KiB lost with each
/// of them would come to.
const GROWTH_KIB: u64 = 2 * CONNECTIONS as u64 / 3 / 2;
/// Ended sessions that the program lists at most.
const LISTED_MAX: usize = 1_200;

const CONNECTED: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE usename = 'tyer' AND application_name <> 'tyer facts'";

async fn crowded(settings: &[&str]) -> Bed {
    let cluster = Cluster::with(settings).expect("a cluster");
    Bed::over(cluster, Shape { environment: "staging", ..Shape::default() }).await
}

fn process(bed: &Bed) -> String {
    format!("/proc/{}", bed.tyer.process().expect("a process"))
}

/// The memory that the program has resident, in KiB.
fn resident(bed: &Bed) -> u64 {
    let status = std::fs::read_to_string(process(bed) + "/status").expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Of this process, and of those that it starts.
fn limit_open_files(current: Option<u64>) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).expect("a limit");
}

fn open_files(bed: &Bed) -> usize {
    std::fs::read_dir(process(bed) + "/fd").expect("its files").count()
}

/// Waits until nothing is connected to the upstream any more and the files are as few as at the start.
async fn until_quiet(bed: &Bed, files: usize) {
    for _ in 0..200 {
        // The API's own connections come and go.
        if bed.truth(CONNECTED) == "0" && open_files(bed) <= files + 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} connected, {} files, {files} before", bed.truth(CONNECTED), open_files(bed));
}

/// Runs `work` for all numbers below `count`, some at a time.
async fn each<F: Future<Output = ()> + Send + 'static>(count: usize, work: impl Fn(usize) -> F) {
    let mut running = JoinSet::new();
    for number in 0..count {
        if running.len() >= AT_A_TIME {
            running.join_next().await.expect("one runs").expect("it ends well");
        }
        running.spawn(work(number));
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("it ends well");
    }
}

/// Connects, asks once and leaves.
async fn visit(port: u16, login: Login, number: usize) {
    let agent = connect(port, &login.session, &login.password).await.expect("a connection");
    let sql = format!("SELECT {number}");
    assert_eq!(ask(&agent, &sql).await.expect("an answer")[0], number.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_at_once() {
    // The program starts with few open files, as services often do, and helps itself to more.
    let most = getrlimit(Resource::Nofile).maximum;
    limit_open_files(Some(256));
    let bed = crowded(&["max_connections=1200"]).await;
    limit_open_files(most);
    let logins: Vec<Login> = (0..AT_A_TIME).map(|_| bed.session(&[])).collect();
    let files = open_files(&bed);
    let mut arriving = JoinSet::new();
    for number in 0..CROWD {
        // Spread over sessions: one alone may not have as many.
        let (port, login) = (bed.tyer.door, logins[number % logins.len()].clone());
        arriving.spawn(async move { connect(port, &login.session, &login.password).await });
    }
    let crowd: Vec<Client> =
        arriving.join_all().await.into_iter().map(|one| one.expect("a connection")).collect();
    assert_eq!(bed.truth(CONNECTED), CROWD.to_string());
    let mut asking = JoinSet::new();
    for (number, agent) in crowd.into_iter().enumerate() {
        asking.spawn(async move {
            let answer = ask(&agent, &format!("SELECT {number}")).await;
            assert_eq!(answer.expect("an answer")[0], number.to_string());
            agent
        });
    }
    let crowd = asking.join_all().await;
    assert_eq!(crowd.len(), CROWD);
    println!("{} KiB resident with {CROWD} connections", resident(&bed));
    drop(crowd);
    until_quiet(&bed, files).await;
    println!("{} KiB resident without", resident(&bed));
    bed.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connections_leave_nothing_behind() {
    let bed = crowded(&[]).await;
    let login = bed.session(&[]);
    let files = open_files(&bed);
    let port = bed.tyer.door;
    let visits = |number| visit(port, login.clone(), number);
    each(CONNECTIONS / 3, visits).await;
    until_quiet(&bed, files).await;
    let warm = resident(&bed);
    each(CONNECTIONS - CONNECTIONS / 3, visits).await;
    until_quiet(&bed, files).await;
    let end = resident(&bed);
    println!("{warm} KiB after a third, {end} KiB at the end");
    assert!(end < warm + GROWTH_KIB, "{warm} KiB became {end} KiB");
    bed.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_short_sessions_leave_nothing_behind() {
    let bed = crowded(&[]).await;
    let files = open_files(&bed);
    let short = |number| {
        let (mut operator, port) = (bed.tyer.operator(), bed.tyer.door);
        async move {
            let wish = json!({ "agent": "kiro", "controller": "carol", "upstream": "orders" });
            let (status, made) = operator.post("/api/v1/sessions", &wish).await.expect("an answer");
            assert!(status.is_success(), "{made}");
            let text = |key: &str| made[key].as_str().expect("a text").to_owned();
            let login = Login { session: text("session"), password: text("password") };
            let end = format!("/api/v1/sessions/{}/end", login.session);
            visit(port, login, number).await;
            let (status, ended) =
                operator.post(&end, &json!({ "how": "ended" })).await.expect("an answer");
            assert!(status.is_success(), "{ended}");
        }
    };
    each(SESSIONS / 3, short).await;
    until_quiet(&bed, files).await;
    let warm = resident(&bed);
    each(SESSIONS - SESSIONS / 3, short).await;
    until_quiet(&bed, files).await;
    let end = resident(&bed);
    println!("{warm} KiB after a third, {end} KiB at the end");
    let lost_kib_each = 2;
    let growth = lost_kib_each * 2 * SESSIONS as u64 / 3 / 2;
    assert!(end < warm + growth, "{warm} KiB became {end} KiB");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (_, listed) = bed.tyer.operator().get("/api/v1/sessions").await.expect("the sessions");
    let listed = listed["sessions"].as_array().expect("a list").len();
    assert!(listed <= LISTED_MAX, "{listed} sessions are listed");
    assert_eq!(leaves_of(&bed, "session_opened").await, SESSIONS, "the ledger has them all");
    bed.verify();
}

/// How many leaves of one kind there are, beyond what the command line lists at once.
async fn leaves_of(bed: &Bed, kind: &str) -> usize {
    let (mut operator, mut next, mut found) = (bed.tyer.operator(), 0, 0);
    loop {
        let path = format!("/api/v1/ledger?from={next}&count=1000");
        let (_, body) = operator.get(&path).await.expect("leaves");
        let leaves = body["leaves"].as_array().cloned().unwrap_or_default();
        if leaves.is_empty() {
            return found;
        }
        next += leaves.len();
        found += leaves.iter().filter(|leaf| leaf["kind"] == kind).count();
    }
}
