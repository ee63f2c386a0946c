//! A store that cannot be written: a full file system, a limit of the file size, files that have become
//! immutable, a file system that is mounted read-only. Root is needed for all but the limit.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio_postgres::Client;
use xtask::instance::{Login, Shape};

use crate::bed::{Bed, Refused, ask, record};

const READ: &str = "SELECT count(*) FROM customers";
const WRITE: &str = "INSERT INTO work VALUES (1)";
const COUNT: &str = "SELECT count(*) FROM work";

/// Runs a program that must succeed.
fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said} (root is needed)");
}

/// A small file system in memory, unmounted at the end.
struct Disk {
    at: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        let at = tempfile::tempdir().expect("a directory");
        let path = at.path().to_str().expect("a path");
        run("mount", &["-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", path]);
        Self { at }
    }

    fn path(&self) -> &Path {
        self.at.path()
    }

    fn filler(&self) -> PathBuf {
        self.at.path().join("filler")
    }

    /// Not a byte is left.
    fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.filler()).expect("a filler");
        for size in [64 * 1024, 4 * 1024, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.filler()).expect("no filler");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A program of a failed test may still be on it.
        Command::new("umount").arg("-l").arg(self.at.path()).status().ok();
    }
}

async fn bed(within: Option<PathBuf>) -> Bed {
    let bed = Bed::new(Shape { environment: "staging", within, ..Shape::default() }).await;
    bed.truth("CREATE TABLE work (id int); ALTER TABLE work OWNER TO tyer");
    bed
}

/// An agent that has read and written once, so that a lease is open.
async fn agent(bed: &Bed) -> (Client, Login) {
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    assert!(ask(&agent, READ).await.is_ok());
    assert!(ask(&agent, WRITE).await.is_ok());
    (agent, login)
}

fn not_recorded(asked: Result<Vec<String>, Refused>) {
    let refused = asked.unwrap_err();
    assert_eq!(refused.code, "58030", "{refused:?}");
    let words = "this cannot be recorded, so it cannot run; nothing was executed";
    assert_eq!(refused.message, words);
}

/// While the store cannot be written: writes and new reads are refused, reads with a lease go on.
async fn refused(bed: &Bed, agent: &Client) {
    let before = bed.truth(COUNT);
    for _ in 0..5 {
        not_recorded(ask(agent, WRITE).await);
        assert!(ask(agent, READ).await.is_ok(), "its lease is open");
        not_recorded(ask(agent, "SELECT max(id) FROM payments").await);
    }
    // More than one tick, which has things to record as well.
    tokio::time::sleep(Duration::from_secs(1)).await;
    not_recorded(ask(agent, WRITE).await);
    assert_eq!(bed.truth(COUNT), before, "nothing was executed");
}

/// When it can be written again: everything works without help, now and after a restart.
async fn recovered(bed: &mut Bed, agent: &Client, login: &Login) {
    let before: u32 = bed.truth(COUNT).parse().expect("a number");
    assert!(ask(agent, WRITE).await.is_ok(), "{}", log(bed));
    assert!(ask(agent, "SELECT max(id) FROM payments").await.is_ok());
    bed.verify();
    bed.tyer.kill();
    bed.tyer.resume().expect("a restart");
    let agent = bed.connect(login).await;
    assert!(ask(&agent, WRITE).await.is_ok());
    assert_eq!(bed.truth(COUNT), (before + 2).to_string());
    bed.verify();
    let log = log(bed);
    assert!(!log.contains("panicked"), "{log}");
}

fn log(bed: &Bed) -> String {
    std::fs::read_to_string(bed.tyer.directory().join("serve.log")).expect("the log")
}

#[tokio::test]
async fn a_full_disk() {
    let disk = Disk::new();
    let mut bed = bed(Some(disk.path().to_owned())).await;
    let (agent, login) = agent(&bed).await;
    disk.fill();
    refused(&bed, &agent).await;
    disk.empty();
    recovered(&mut bed, &agent, &login).await;
    drop(bed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_is_seen_while_the_disk_is_full_is_recorded_later() {
    let disk = Disk::new();
    let mut bed = bed(Some(disk.path().to_owned())).await;
    let (agent, login) = agent(&bed).await;
    let other = bed.connect(&login).await;
    let slow = "INSERT INTO work SELECT count(*) FROM generate_series(1, 20000000)";
    let running = tokio::spawn(async move { ask(&other, slow).await });
    for _ in 0..200 {
        if bed.leaves_of("cleared").len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    disk.fill();
    running.await.expect("the agent").expect("it was cleared before");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(bed.leaves_of("settled").len(), 1, "the disk is full");
    disk.empty();
    for _ in 0..100 {
        if bed.leaves_of("settled").len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let settled = bed.leaves_of("settled");
    assert_eq!(settled.len(), 2, "without a restart");
    assert_eq!(record(&settled[1])["outcome"]["is"], "done");
    recovered(&mut bed, &agent, &login).await;
    drop(bed);
}

#[tokio::test]
async fn a_limit_of_the_file_size() {
    let mut bed = bed(None).await;
    let (agent, login) = agent(&bed).await;
    let process = bed.tyer.process().expect("a process").to_string();
    let limit = |to: &str| run("prlimit", &["--pid", &process, &format!("--fsize={to}")]);
    limit("0:unlimited");
    refused(&bed, &agent).await;
    limit("unlimited:unlimited");
    recovered(&mut bed, &agent, &login).await;
}

#[tokio::test]
async fn files_that_have_become_immutable() {
    let mut bed = bed(None).await;
    let (agent, login) = agent(&bed).await;
    let directory = bed.tyer.directory().to_owned();
    let chattr = |flag: &str| {
        for name in ["tyer.db", "tyer.db-wal"] {
            run("chattr", &[flag, directory.join(name).to_str().expect("a path")]);
        }
    };
    chattr("+i");
    refused(&bed, &agent).await;
    chattr("-i");
    recovered(&mut bed, &agent, &login).await;
}

#[tokio::test]
async fn a_read_only_file_system_refuses_the_start() {
    let disk = Disk::new();
    let mut bed = bed(Some(disk.path().to_owned())).await;
    let (agent, login) = agent(&bed).await;
    bed.tyer.kill();
    drop(agent);
    let path = disk.path().to_str().expect("a path");
    run("mount", &["-o", "remount,ro", path]);
    let output = bed.tyer.output(&["serve"]).expect("the program");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("Read-only file system"), "{said}");
    run("mount", &["-o", "remount,rw", path]);
    bed.tyer.resume().expect("a restart");
    let agent = bed.connect(&login).await;
    recovered(&mut bed, &agent, &login).await;
    drop(bed);
}
