//! `tyer reviews`: what somebody let through alone and others have not signed off.

use clap::Args;
use serde_json::Value;

use super::call::Call;
use super::failure::{Exit, Failure};
use super::print::{self, at};

/// List what was let through on one person's word and waits for two others to review it
#[derive(Debug, Args)]
pub(super) struct Reviews {}

impl Reviews {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        call.print(&call.get("/api/v1/reviews")?, table)
    }
}

fn table(answer: &Value) -> Result<(), Failure> {
    let row = |review: &Value| {
        let signed: Vec<&str> = review["findings"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|finding| finding["by"].as_str())
            .collect();
        let mut cells: Vec<String> =
            ["/hold", "/by", "/at", "/agent", "/controller"].map(|key| at(review, key)).to_vec();
        cells.extend([signed.join(", "), at(review, "/reason")]);
        cells
    };
    let rows: Vec<Vec<String>> = print::list(answer, "reviews").iter().map(row).collect();
    print::table(&["HOLD", "BY", "AT", "AGENT", "CONTROLLER", "SIGNED OFF BY", "REASON"], &rows)
}
