//! Two hundred random kills under load, checked against what the database itself has written down:
//! nothing ran without a leaf, nothing ran twice, and no acknowledged leaf is lost.
//!
//! Every request carries a token that no other has. A trigger in the database notes the tokens of what
//! really ran; the ledger's commitments, opened, say which tokens were cleared; the writers know which
//! were acknowledged. `TYER_TEST_SEED` repeats the pauses of another run.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use xtask::cluster::DATABASE;
use xtask::instance::{Login, Shape};

use crate::bed::{Bed, ask, connect, record};

const KILLS: u32 = 200;
/// A load lasts this long at most, in milliseconds, before the program is killed under it.
const LOAD_MS: u64 = 150;
/// Writers with a driver, and with psql.
const DRIVERS: u32 = 4;
const SHELLS: u32 = 1;
/// In one of so many rounds a held and approved request is under way as well.
const HELD_EVERY: u32 = 40;
/// Requests of one run of psql.
const SCRIPT: u32 = 3;

const SETUP: &str = "
    CREATE TABLE audit (token text NOT NULL);
    CREATE TABLE work (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, writer int, token text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN INSERT INTO public.audit VALUES (NEW.token); RETURN NULL; END $$;
    CREATE TRIGGER noted AFTER INSERT OR UPDATE ON work FOR EACH ROW EXECUTE FUNCTION note();
    ALTER TABLE work OWNER TO tyer;
    CREATE FUNCTION note_drop() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN INSERT INTO public.audit SELECT object_name FROM pg_event_trigger_dropped_objects()
            WHERE object_type = 'table'; END $$;
    CREATE FUNCTION dblink_exec(sql text) RETURNS void LANGUAGE plpgsql AS
        $$ BEGIN EXECUTE sql; END $$;
    CREATE EVENT TRIGGER dropped ON sql_drop EXECUTE FUNCTION note_drop();
    INSERT INTO work (writer, token) SELECT w, 'start-' || w FROM generate_series(0, 9) w;
    TRUNCATE audit";

/// Numbers that a seed repeats: xorshift.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let given = std::env::var("TYER_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || std::time::UNIX_EPOCH.elapsed().map_or(1, |since| u64::from(since.subsec_nanos()));
        let seed = given.unwrap_or_else(now) | 1;
        println!("TYER_TEST_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn fork(&mut self) -> Self {
        Self(self.below(u64::MAX) | 1)
    }
}

/// What the writers share.
#[derive(Clone)]
struct Load {
    port: u16,
    /// Whether the program runs. Writers do not knock while it does not.
    up: watch::Receiver<bool>,
    acknowledged: Arc<Mutex<BTreeSet<String>>>,
}

impl Load {
    async fn until_up(&mut self) -> bool {
        self.up.wait_for(|up| *up).await.is_ok()
    }

    fn acknowledge(&self, token: String) {
        self.acknowledged.lock().expect("tokens").insert(token);
    }
}

/// Inserts and updates, by the simple or the extended protocol, until the load is over.
async fn drive(mut load: Load, writer: u32, login: Login, mut chance: Chance) {
    let mut number = 0;
    while load.until_up().await {
        let Ok(client) = connect(load.port, &login.session, &login.password).await else { continue };
        loop {
            number += 1;
            let token = format!("w{writer}-{number}");
            let done = match number % 3 {
                0 => {
                    let sql = "INSERT INTO work (writer, token) VALUES (9, $1)";
                    client.execute(sql, &[&token]).await.is_ok()
                }
                1 => {
                    let sql = format!("INSERT INTO work (writer, token) VALUES (9, '{token}')");
                    ask(&client, &sql).await.is_ok()
                }
                _ => {
                    let sql = format!("UPDATE work SET token = '{token}' WHERE writer = {writer}");
                    ask(&client, &sql).await.is_ok()
                }
            };
            if !done {
                break;
            }
            load.acknowledge(token);
            tokio::time::sleep(Duration::from_millis(chance.below(15))).await;
        }
    }
}

/// The same by psql: a few inserts of one script in each run.
async fn shell(mut load: Load, writer: u32, login: Login, psql: std::path::PathBuf) {
    let mut number = 0;
    while load.until_up().await {
        let tokens: Vec<_> = (0..SCRIPT).map(|at| format!("w{writer}-{}", number + at)).collect();
        number += SCRIPT;
        let script: String = tokens
            .iter()
            .map(|token| format!("INSERT INTO work (writer, token) VALUES (8, '{token}');\n"))
            .collect();
        let mut command = Command::new(&psql);
        command.args(["-X", "-v", "ON_ERROR_STOP=1", "-f", "-", "-h", "127.0.0.1", "-d", DATABASE]);
        command.args(["-p", &load.port.to_string(), "-U", &login.session]);
        command.env("PGPASSWORD", &login.password).stderr(Stdio::null());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let ran = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().expect("psql");
            // It may have ended already.
            child.stdin.take().expect("stdin").write_all(script.as_bytes()).ok();
            child.wait_with_output().expect("psql")
        });
        let said = ran.await.expect("psql").stdout;
        let done = String::from_utf8_lossy(&said).matches("INSERT 0 1").count();
        for token in tokens.into_iter().take(done) {
            load.acknowledge(token);
        }
    }
}

/// A request that nobody can look into, which drops a table and has been agreed to, on a connection that
/// stands ready.
async fn held(bed: &mut Bed, login: &Login, round: u32) -> (tokio_postgres::Client, String) {
    let table = format!("doomed_{round}");
    bed.truth(&format!("CREATE TABLE {table} (); ALTER TABLE {table} OWNER TO tyer"));
    let agent = bed.connect(login).await;
    let hold = ask(&agent, &opaque(&table)).await.unwrap_err().hold();
    bed.carol.sign_in().await.expect("sign-ins end with the process");
    bed.carol.approve(&hold).await.expect("the controller agrees");
    (agent, table)
}

fn opaque(table: &str) -> String {
    format!("SELECT public.dblink_exec('DROP TABLE {table}')")
}

/// What the ledger says about a cleared request.
#[derive(Debug)]
struct Cleared {
    token: String,
    outcome: String,
}

/// Every leaf that cleared something, with its token and its one outcome.
async fn cleared(bed: &mut Bed) -> BTreeMap<u64, Cleared> {
    let mut operator = bed.tyer.operator();
    let (mut found, mut next) = (BTreeMap::new(), 0);
    loop {
        let path = format!("/api/v1/ledger?from={next}&count=1000");
        let (_, body) = operator.get(&path).await.expect("leaves");
        let leaves = body["leaves"].as_array().cloned().unwrap_or_default();
        let Some(last) = leaves.last() else { return found };
        next = last["index"].as_u64().expect("an index") + 1;
        for leaf in &leaves {
            let index = leaf["index"].as_u64().expect("an index");
            let record = record(leaf);
            match record["kind"].as_str() {
                Some("cleared") => {
                    let path = format!("/api/v1/ledger/{index}/receipt?reveal=1");
                    let (_, receipt) = operator.get(&path).await.expect("a receipt");
                    let token = token(receipt["reveal"]["text"].as_str().unwrap_or_default());
                    found.insert(index, Cleared { token, outcome: String::new() });
                }
                Some("settled") => {
                    let of = record["leaf"].as_u64().expect("a leaf");
                    let outcome = record["outcome"]["is"].as_str().unwrap_or_default().to_owned();
                    let cleared = found.get_mut(&of).expect("an earlier leaf");
                    assert_eq!(cleared.outcome, "", "leaf {of} is settled once");
                    cleared.outcome = outcome;
                }
                _ => {}
            }
        }
    }
}

/// The token in a request's text: `w1-17` or `doomed_40`, in clear or as the bytes of a parameter.
fn token(text: &str) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let is_token = |word: &String| {
        word.starts_with("doomed_")
            || word.strip_prefix('w').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let words = text.split(|letter| !is_part(letter));
    let mut words = words.map(|word| bytes(word).unwrap_or_else(|| word.to_owned()));
    words.find(is_token).unwrap_or_else(|| panic!("no token in {text}"))
}

/// What `0x77302d33` stands for.
fn bytes(word: &str) -> Option<String> {
    let digits = word.strip_prefix("0x")?;
    let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    String::from_utf8(bytes?).ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_random_kills_under_load() {
    let mut chance = Chance::new();
    let mut bed = Bed::new(Shape { environment: "staging", ..Shape::default() }).await;
    bed.truth(SETUP);
    let (switch, up) = watch::channel(true);
    let load = Load { port: bed.tyer.door, up, acknowledged: Arc::default() };
    let mut writers = Vec::new();
    for writer in 0..DRIVERS {
        let login = bed.session(&[]);
        writers.push(tokio::spawn(drive(load.clone(), writer, login, chance.fork())));
    }
    for writer in DRIVERS..DRIVERS + SHELLS {
        let (login, psql) = (bed.session(&[]), bed.cluster.programs().join("psql"));
        writers.push(tokio::spawn(shell(load.clone(), writer, login, psql)));
    }
    let login = bed.session(&[]);
    let mut down = Duration::ZERO;
    for round in 1..=KILLS {
        let mut dropping = None;
        if round % HELD_EVERY == 0 {
            let (agent, table) = held(&mut bed, &login, round).await;
            let load = load.clone();
            dropping = Some(tokio::spawn(async move {
                if ask(&agent, &opaque(&table)).await.is_ok() {
                    load.acknowledge(table);
                }
            }));
            tokio::time::sleep(Duration::from_millis(chance.below(15))).await;
        } else {
            tokio::time::sleep(Duration::from_millis(chance.below(LOAD_MS))).await;
        }
        switch.send_replace(false);
        bed.tyer.kill();
        if let Some(dropping) = dropping {
            dropping.await.expect("the agent");
        }
        let killed = Instant::now();
        bed.tyer.resume().expect("a restart");
        down += killed.elapsed();
        switch.send_replace(true);
    }
    switch.send_replace(false);
    drop(switch);
    // The last load ends as it likes; each writer finds out that there is no other.
    bed.tyer.kill();
    for writer in writers {
        writer.await.expect("a writer");
    }
    bed.tyer.resume().expect("a restart");
    println!("{KILLS} restarts took {} ms each", down.as_millis() / u128::from(KILLS));
    let acknowledged = load.acknowledged.lock().expect("tokens").clone();
    compare(&mut bed, &acknowledged).await;
}

/// The database's own notes, the ledger, and what the writers were told must agree.
async fn compare(bed: &mut Bed, acknowledged: &BTreeSet<String>) {
    let ran = bed.truth("SELECT token FROM audit");
    let ran: Vec<&str> = ran.lines().collect();
    let once: BTreeSet<&str> = ran.iter().copied().collect();
    assert_eq!(once.len(), ran.len(), "nothing ran twice");
    let cleared = cleared(bed).await;
    let by_token: BTreeMap<&str, &str> =
        cleared.values().map(|leaf| (leaf.token.as_str(), leaf.outcome.as_str())).collect();
    assert_eq!(by_token.len(), cleared.len(), "nothing was cleared twice");
    for token in &once {
        assert!(by_token.contains_key(token), "{token} ran without a leaf");
    }
    for token in acknowledged {
        let outcome = by_token.get(token.as_str());
        let outcome = outcome.unwrap_or_else(|| panic!("the acknowledged leaf of {token} is lost"));
        assert!(matches!(*outcome, "done" | "unknown"), "{token} was acknowledged and {outcome}");
        assert!(once.contains(token.as_str()), "{token} was acknowledged and did not run");
    }
    for (token, outcome) in &by_token {
        let ran = once.contains(token);
        let is_right = matches!((*outcome, ran), ("done", true) | ("failed", false) | ("unknown", _));
        assert!(is_right, "{token}: {outcome}, ran: {ran}");
    }
    let unknown = by_token.values().filter(|outcome| **outcome == "unknown").count();
    // Of each connection the last request, and the outcome of the one before it.
    let in_flight = (KILLS + 1) * (DRIVERS + SHELLS + 1) * 2;
    assert!(unknown <= in_flight as usize, "{unknown} unknown");
    println!(
        "{} ran, {} cleared, {} acknowledged, {unknown} unknown",
        ran.len(),
        cleared.len(),
        acknowledged.len()
    );
    assert!(acknowledged.len() > KILLS as usize, "there was a load");
    assert!(unknown > 0, "some kills came in between");
    let unsettled = cleared.values().filter(|leaf| leaf.outcome.is_empty()).count();
    assert_eq!(unsettled, 0);
    bed.verify();
}
