//! Results and values of any size pass through a Tyer whose memory stays as it was.

use std::fs;
use std::pin::pin;
use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use tokio_stream::StreamExt as _;

use super::Ground;
use crate::bed::Bed;

const ROWS: i64 = 1_000_000;
/// The size of a value that PostgreSQL sends as one message.
const VALUE_BYTES: usize = 64 << 20;
/// How much the peak of Tyer's memory may rise: far less than any of what passes.
const GROWTH_KB: u64 = 60 << 10;

/// The peak of Tyer's resident memory, in kilobytes.
fn peak(bed: &Bed) -> u64 {
    let process = bed.tyer.process().expect("a process");
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak");
    line.trim().trim_end_matches(" kB").parse().expect("kilobytes")
}

async fn check<T>(what: impl AsyncFnOnce(&Bed, Client) -> T) -> T {
    let bed = Ground::Staging.bed().await;
    let agent = bed.agent().await;
    agent.simple_query("SELECT 1").await.expect("warm");
    let before = peak(&bed);
    let got = what(&bed, agent).await;
    let grown = peak(&bed).saturating_sub(before);
    assert!(grown < GROWTH_KB, "Tyer's memory rose by {grown} kB");
    got
}

#[tokio::test]
async fn a_million_rows_are_streamed() {
    check(async |_, agent| {
        let sql = "SELECT n, repeat('x', 100) FROM generate_series(1, $1::int8) AS n";
        let mut rows = pin!(agent.query_raw(sql, [ROWS]).await.expect("a query"));
        let (mut count, mut sum) = (0, 0);
        while let Some(row) = rows.next().await {
            let row = row.expect("a row");
            count += 1;
            sum += row.get::<_, i64>(0);
            if count == 1000 {
                // Whoever reads slowly makes the server wait, and nobody's memory grow.
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
        assert_eq!((count, sum), (ROWS, ROWS * (ROWS + 1) / 2));
    })
    .await;
}

#[tokio::test]
async fn a_million_rows_are_copied_out() {
    check(async |_, agent| {
        let sql = "COPY (SELECT n FROM generate_series(1, 1000000) AS n) TO STDOUT";
        let mut blocks = pin!(agent.copy_out(sql).await.expect("a copy"));
        let mut lines = 0_i64;
        while let Some(block) = blocks.next().await {
            lines +=
                block.expect("a block").iter().filter(|byte| **byte == b'\n').map(|_| 1).sum::<i64>();
        }
        assert_eq!(lines, ROWS);
    })
    .await;
}

#[tokio::test]
async fn a_huge_value_passes_in_both_directions() {
    check(async |bed, agent| {
        let sql = format!("SELECT repeat('x', {VALUE_BYTES})");
        let row = agent.query_one(&sql, &[]).await.expect("a row");
        assert_eq!(row.get::<_, &str>(0).len(), VALUE_BYTES);
        let sink = agent.copy_in("COPY probe.kinds (id, bytes) FROM STDIN (FORMAT binary)");
        let mut writer =
            pin!(BinaryCopyInWriter::new(sink.await.expect("a copy"), &[Type::INT4, Type::BYTEA]));
        writer.as_mut().write(&[&1_i32, &vec![7_u8; VALUE_BYTES]]).await.expect("a row");
        assert_eq!(writer.finish().await.expect("the end"), 1);
        assert_eq!(bed.truth("SELECT length(bytes) FROM probe.kinds"), VALUE_BYTES.to_string());
    })
    .await;
}

#[tokio::test]
async fn a_million_rows_are_copied_in() {
    check(async |bed, agent| {
        let sink = agent.copy_in("COPY probe.parts (id) FROM STDIN (FORMAT binary)");
        let mut writer = pin!(BinaryCopyInWriter::new(sink.await.expect("a copy"), &[Type::INT8]));
        for id in 0..ROWS {
            writer.as_mut().write(&[&id]).await.expect("a row");
        }
        assert_eq!(writer.finish().await.expect("the end").to_string(), ROWS.to_string());
        assert_eq!(bed.truth("SELECT count(*) FROM probe.parts"), ROWS.to_string());
    })
    .await;
}
