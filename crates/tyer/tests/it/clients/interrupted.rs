//! psql that watches something until somebody interrupts it: the request under way is cancelled.

use std::fs::{File, read_to_string};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Ground, Seat, same};
use crate::bed::Bed;

/// A round ends at once, until the one that is to be interrupted, which lasts until it is.
const WATCH: &str = "SELECT 1 AS again, pg_sleep(seconds) FROM probe.pause \\watch 0.05\n\
    \\echo behind it\nSELECT 2\n";
const LIMIT: Duration = Duration::from_secs(60);

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// How psql ends, and what it says: each line once, since how many rounds there were depends on the machine.
fn interrupted(bed: &Bed, seat: &Seat) -> String {
    bed.truth("UPDATE probe.pause SET seconds = 0");
    let home = bed.cluster.home();
    let (script, said) = (home.join("watch"), home.join("said"));
    std::fs::write(&script, WATCH).expect("a script");
    let file = File::create(&said).expect("a file");
    let mut psql = Command::new(bed.cluster.programs().join("psql"));
    seat.seat(&mut psql);
    psql.args(["-X", "-f"]).arg(&script).stdin(Stdio::null());
    psql.stdout(file.try_clone().expect("the same file")).stderr(file);
    let mut child = psql.spawn().expect("psql");
    let text = || read_to_string(&said).unwrap_or_default();
    until("three rounds", || text().matches("again").count() >= 3);
    bed.truth("UPDATE probe.pause SET seconds = 600");
    until("the round that lasts", || {
        bed.truth("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "1"
    });
    let pid = child.id().to_string();
    assert!(Command::new("sh").args(["-c", "kill -INT $0", &pid]).status().expect("kill").success());
    until("the end of psql", || child.try_wait().expect("psql").is_some());
    let status = child.wait().expect("psql");
    let said = seat.mask(&text()).replace(&*script.to_string_lossy(), "watch");
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    format!("{status}\n{}", lines.join("\n"))
}

#[tokio::test]
async fn psql_that_is_interrupted_says_the_same() {
    for ground in Ground::ALL {
        let bed = ground.bed().await;
        bed.truth("CREATE TABLE probe.pause AS SELECT 0 AS seconds");
        bed.truth("ALTER TABLE probe.pause OWNER TO tyer");
        let expected = interrupted(&bed, &Seat::direct(&bed));
        assert!(expected.contains("canceling statement due to user request"), "{expected}");
        assert!(!expected.contains("behind it"), "{expected}");
        same(&expected, &interrupted(&bed, &Seat::door(&bed)));
        bed.verify();
    }
}
