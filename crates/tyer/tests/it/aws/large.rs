//! Bodies far larger than what Tyer may keep of them.

use std::fs;

use super::{Client, Cloud, said};
use crate::bed::needing;

/// What memory may grow by while 256 MiB go in and come out again, in KiB: what a few connections have under way. A
/// whole body, or a queue of its parts, is more.
const GROWTH_KIB_MAX: u64 = 48 * 1024;

/// The most memory that Tyer ever had resident, in KiB.
fn peak(cloud: &Cloud) -> u64 {
    let path = format!("/proc/{}/status", cloud.tyer.process().expect("it runs"));
    let status = fs::read_to_string(path).expect("its memory");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number")
}

async fn check(way: &'static [&'static str], expect: &str) {
    let cloud = Cloud::new(&needing(0)).await;
    let before = peak(&cloud);
    let came = said(&Client::python("large.py", way).run(&cloud.door()));
    assert!(came.contains(expect), "{came}");
    let grown = peak(&cloud) - before;
    assert!(grown < GROWTH_KIB_MAX, "it grew by {grown} KiB");
    cloud.verify();
}

#[tokio::test]
async fn two_hundred_fifty_six_mebibytes_in_parts_pass_in_constant_memory() {
    check(&["parts"], "True True 32").await;
}

#[tokio::test]
async fn two_hundred_fifty_six_mebibytes_in_one_body_pass_in_constant_memory() {
    check(&["whole"], "True True \n").await;
}
