//! `tyer measure`: how fast leaves become durable here, before anybody relies on it.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::call::Call;
use super::failure::{Exit, Failure};
use super::print;
use crate::measure;

/// Measure how fast leaves become durable on the disk of the data directory
///
/// Writes to a file of its own beside the ledger for a few seconds and removes it. Works while a server
/// runs, and then measures what that leaves free.
#[derive(Debug, Args)]
pub(super) struct Measure {
    /// How many write at once
    #[arg(long, value_name = "COUNT", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1024))]
    writers: u32,
    /// For how many seconds
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
}

impl Measure {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let time = Duration::from_secs(self.seconds);
        let measured = runtime.block_on(measure::run(&call.data, self.writers, time));
        let measured = measured.map_err(|error| {
            Failure::failed(error.to_string(), "check that the data directory can be written to")
        })?;
        let us = |latency: Duration| latency.as_secs_f64() * 1e6;
        let (p10, median) = (us(measured.p10), us(measured.median));
        if call.json {
            print::json(&json!({
                "writers": measured.writers,
                "leaves": measured.leaves,
                "leaves_per_second": measured.per_second,
                "p10_us": p10,
                "median_us": median,
            }))?;
        } else {
            let (writers, rate) = (measured.writers, measured.per_second);
            print::line(format!("{rate:.0} leaves a second by {writers} at once"))?;
            print::line(format!(
                "durable after {median:.0} us at the median, {p10:.0} us in the best tenth"
            ))?;
        }
        Ok(Exit::Done)
    }
}
