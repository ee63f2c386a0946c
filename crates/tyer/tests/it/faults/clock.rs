//! Steps of the machine's clock, with libfaketime of Debian's package `faketime`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use xtask::instance::Shape;

use crate::bed::{Bed, ask, record};
use crate::ssh;

/// Where Debian keeps the library, whatever the architecture.
fn library() -> PathBuf {
    let places = std::fs::read_dir("/usr/lib").expect("/usr/lib").filter_map(Result::ok);
    let found = places.map(|place| place.path().join("faketime/libfaketimeMT.so.1"));
    found.into_iter().find(|path| path.exists()).expect("install the package faketime")
}

/// Sets the clock of the program: `+0`, `-2h` and the like.
fn step(file: &Path, offset: &str) {
    // Not in place: a half-written offset must not be read.
    let next = file.with_extension("next");
    std::fs::write(&next, offset).expect("an offset");
    std::fs::rename(&next, file).expect("an offset");
}

/// A Tyer whose clock `step` sets.
async fn bed(shape: Shape) -> (Bed, PathBuf) {
    let mut bed = Bed::new(shape).await;
    let file = bed.tyer.directory().join("clock");
    step(&file, "+0");
    bed.tyer.set("LD_PRELOAD", &library().to_string_lossy());
    bed.tyer.set("FAKETIME_TIMESTAMP_FILE", &file.to_string_lossy());
    bed.tyer.set("FAKETIME_NO_CACHE", "1");
    // Steps of the wall clock leave the steady one alone.
    bed.tyer.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    bed.tyer.resume().expect("a restart");
    for person in [&mut bed.alice, &mut bed.bob] {
        person.sign_in().await.expect("sign-ins end with the process");
    }
    (bed, file)
}

/// The moments of all leaves, which must be in order.
fn moments(bed: &Bed) -> Vec<i64> {
    let of = |leaf: &Value| record(leaf)["at"].as_i64().expect("a moment");
    let moments: Vec<i64> = bed.leaves().iter().map(of).collect();
    assert!(moments.is_sorted(), "{moments:?}");
    moments
}

/// Longer than two ticks of the program.
async fn ticks() {
    tokio::time::sleep(Duration::from_millis(1_500)).await;
}

#[tokio::test]
async fn a_step_back_lengthens_nothing_and_keeps_the_order() {
    let (mut bed, clock) = bed(Shape { environment: "staging", ..Shape::default() }).await;
    let login = bed.session(&["--until", "1m"]);
    let agent = bed.connect(&login).await;
    assert!(ask(&agent, "UPDATE customers SET name = name WHERE id = 1").await.is_ok());
    let before = *moments(&bed).last().expect("leaves");
    step(&clock, "-2h");
    assert!(ask(&agent, "UPDATE customers SET name = name WHERE id = 2").await.is_ok());
    let after = *moments(&bed).last().expect("leaves");
    assert!((before..before + 60_000).contains(&after), "{before} {after}");
    // A minute later the session is over, however far back the clock was set.
    let mut is_over = false;
    for _ in 0..75 {
        is_over = ask(&agent, "SELECT 1").await.is_err();
        if is_over {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(is_over, "the session outlived its minute");
    // The next start finds leaves of a later moment, goes on from there, and doctor says why.
    bed.tyer.resume().expect("a restart");
    drop(bed.agent().await);
    moments(&bed);
    bed.verify();
}

#[tokio::test]
async fn a_statement_that_expired_is_signed_in_vain() {
    let (mut bed, clock) = bed(ssh::shape()).await;
    let keys = ssh::Keys::new();
    let file = keys.make("bob", "ed25519");
    ssh::register(&mut bed.bob, &mut bed.alice, &file).await;
    let agent = bed.agent().await;
    let change = "UPDATE customers SET name = name WHERE id = 1";
    let hold = ask(&agent, change).await.unwrap_err().hold();
    let (nonce, message) = bed.prepared(&file, &hold, "approve").await;
    step(&clock, "+6m");
    let late = bed.hand_in(&nonce, &ssh::sign(&file, "tyer", &[], &message)).await.unwrap_err();
    assert!(late.contains("took too long"), "{late}");
    let (nonce, message) = bed.prepared(&file, &hold, "approve").await;
    bed.hand_in(&nonce, &ssh::sign(&file, "tyer", &[], &message)).await.expect("in time");
    assert!(ask(&agent, change).await.is_ok());
    bed.verify();
}

#[tokio::test]
async fn a_step_forth_ends_what_ends_by_time_and_a_step_back_revives_nothing() {
    let (mut bed, clock) = bed(Shape::default()).await;
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    assert!(ask(&agent, "SELECT count(*) FROM payments").await.is_ok(), "a lease opens");
    let delete = "DELETE FROM payments";
    let hold = ask(&agent, delete).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    let before = bed.truth("SELECT count(*) FROM payments");
    step(&clock, "+1h");
    ticks().await;
    // An hour is longer than an approval may be used and a lease carries, and shorter than the session.
    let again = ask(&agent, delete).await.unwrap_err().hold();
    assert_ne!(again, hold, "the approval has lapsed");
    step(&clock, "+0");
    ticks().await;
    assert_eq!(ask(&agent, delete).await.unwrap_err().hold(), again, "and stays so");
    assert!(ask(&agent, "SELECT count(*) FROM payments").await.is_ok());
    assert_eq!(bed.leaves_of("read_lease").len(), 2, "the first lease carries no more reads");
    step(&clock, "+3h");
    ticks().await;
    step(&clock, "+0");
    assert!(ask(&agent, "SELECT 1").await.is_err(), "the session of two hours is over and stays so");
    assert_eq!(bed.truth("SELECT count(*) FROM payments"), before, "nothing ran");
    moments(&bed);
    bed.verify();
    let doctor = bed.tyer.output(&["doctor"]).expect("doctor");
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("stands before the newest leaf"), "{said}");
}

#[tokio::test]
async fn a_freeze_ends_by_the_clock_and_a_step_back_neither_lengthens_nor_revives_it() {
    let (bed, clock) = bed(Shape { environment: "staging", ..Shape::default() }).await;
    let agent = bed.connect(&bed.session(&["--until", "12h"])).await;
    let update = "UPDATE customers SET name = name WHERE id = 1";
    let in_hours = |hours: u64| {
        let since =
            std::time::UNIX_EPOCH.elapsed().expect("a time") + Duration::from_secs(hours * 3_600);
        let said = std::process::Command::new("date")
            .args(["-u", "+%Y-%m-%dT%H:%M", "-d", &format!("@{}", since.as_secs())])
            .output()
            .expect("date");
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    };
    bed.tyer.run(&["freeze", "--until", &in_hours(1)]).expect("a freeze");
    assert_eq!(ask(&agent, update).await.unwrap_err().code, "25006");
    step(&clock, "-3h");
    ticks().await;
    assert_eq!(ask(&agent, update).await.unwrap_err().code, "25006", "it is not longer for that");
    step(&clock, "+2h");
    ticks().await;
    ask(&agent, update).await.expect("its end has come");
    step(&clock, "+0");
    ticks().await;
    ask(&agent, update).await.expect("and stays so");
    moments(&bed);
    bed.verify();
}
