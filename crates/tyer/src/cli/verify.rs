//! `tyer ledger verify` and `checkpoint`: on files alone, so that an outsider can run them on a copy.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use tyer_core::assertion::attestation::Roots;
use tyer_core::ledger::verify::{Proves, Report};

use super::call::Call;
use super::failure::{Exit, Failure};
use super::plain::one_line;
use super::print;
use crate::audit::{AuditError, LedgerCopy};

/// What to verify, against what.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A copy of the data directory or of its tyer.db [default: the data directory]
    #[arg(long, value_name = "FILE-OR-DIR")]
    pub(super) store: Option<PathBuf>,
    /// A file with an older checkpoint that was kept elsewhere; repeat for more
    #[arg(long, value_name = "CHECKPOINT-FILE")]
    pub(super) older: Vec<PathBuf>,
    /// The ledger's verifier key, or a file with it [default: the one that lies beside the copy]
    #[arg(long, value_name = "VKEY")]
    pub(super) key: Option<String>,
    /// Root certificates, PEM, of makers down to whom attestations of keys are checked
    #[arg(long, value_name = "FILE")]
    pub(super) attestation_roots: Option<PathBuf>,
}

impl Verify {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let copy = open(call, self.store.as_deref())?;
        let older = self.older.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
        let key = self.key.as_ref().map(|key| key_or_file(key)).transpose()?;
        let roots = self.attestation_roots.as_deref().map(roots).transpose()?;
        let report = copy.audit(key.as_deref(), &older, roots).map_err(|error| failed(&error))?;
        if call.json {
            print::json(&document(&report))?;
        } else {
            tell(&report)?;
            if key.is_none() {
                print::note("the key came with the copy; `--key` takes one that you got another way");
            }
        }
        Ok(if report.is_clean() { Exit::Done } else { Exit::Found })
    }
}

/// Prints the latest checkpoint, to be kept elsewhere.
pub(super) fn checkpoint(call: &Call) -> Result<Exit, Failure> {
    let copy = open(call, None)?;
    let head = copy.head().map_err(|error| failed(&error))?;
    let head = head.ok_or_else(|| Failure::failed("the ledger has no leaves yet", ""))?;
    if call.json {
        let (size, root, note) = (head.size, head.root, &head.checkpoint);
        let document = json!({ "size": size, "root": root, "checkpoint": note, "at": head.at, "verifier_key": copy.own_key() });
        print::json(&document)?;
    } else {
        print::line(head.checkpoint.trim_end_matches('\n'))?;
        if let Some(key) = copy.own_key() {
            print::note(format!("verify it with {key}"));
        }
    }
    Ok(Exit::Done)
}

fn open(call: &Call, store: Option<&Path>) -> Result<LedgerCopy, Failure> {
    LedgerCopy::open(store.unwrap_or(&call.data)).map_err(|error| failed(&error))
}

fn failed(error: &AuditError) -> Failure {
    let next = match error {
        AuditError::Missing(_) => "name a data directory with `--data`, or a copy with `--store`",
        AuditError::NoKey | AuditError::Key(_) => "name the ledger's verifier key with `--key`",
        AuditError::Store(_) => {
            "verify a complete copy, tyer.db-wal included, in a directory that can be written"
        }
    };
    Failure::failed(error.to_string(), next)
}

fn roots(file: &Path) -> Result<Roots, Failure> {
    Roots::of_pem(read(file)?.as_bytes())
        .map_err(|error| Failure::failed(format!("{}: {error}", file.display()), ""))
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::failed(format!("cannot read {}: {error}", file.display()), ""))
}

fn key_or_file(key: &str) -> Result<String, Failure> {
    // A verifier key has plus signs between its parts; should a file have them too, the file wins.
    let path = Path::new(key);
    if path.is_file() { Ok(read(path)?.trim().to_owned()) } else { Ok(key.to_owned()) }
}

fn document(report: &Report) -> serde_json::Value {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| json!({ "leaf": finding.leaf, "what": finding.what }))
        .collect();
    let extends = match report.proves {
        Proves::SelfConsistencyOnly => None,
        Proves::ExtendsOlder { size } => Some(size),
    };
    json!({
        "origin": report.origin,
        "size": report.size,
        "root": report.root,
        "clean": report.is_clean(),
        "findings": findings,
        "more_findings": report.more,
        "proves": report.proves.to_string(),
        "extends_older": extends,
        "kinds": report.kinds,
        "signatures": report.signatures,
        "unchecked_attestations": report.unchecked,
        "unproven_keys": report.unproven,
        "unsettled": report.unsettled,
        "unreviewed": report.unreviewed,
    })
}

fn tell(report: &Report) -> Result<(), Failure> {
    print::line(format!("{}: {} leaves, root {}", one_line(&report.origin), report.size, report.root))?;
    print::line(format!("{} signatures of people verified", report.signatures))?;
    if !report.unchecked.is_empty() {
        let leaves = report.unchecked.len();
        print::note(format!(
            "{leaves} attestations of keys were not checked; `--attestation-roots` names whom you trust"
        ));
    }
    if !report.unproven.is_empty() {
        let keys = report.unproven.len();
        print::note(format!("{keys} SSH keys were added before keys had to sign that themselves"));
    }
    for (kind, count) in &report.kinds {
        print::line(format!("  {count:>8} {kind}"))?;
    }
    for leaf in &report.unsettled {
        print::line(format!("leaf {leaf} was cleared and its outcome is not recorded (yet)"))?;
    }
    for hold in &report.unreviewed {
        print::line(format!("{hold} was let through on one person's word and is not reviewed (yet)"))?;
    }
    for finding in &report.findings {
        print::line(format!("FOUND {}", one_line(&finding.to_string())))?;
    }
    if report.more > 0 {
        print::line(format!("FOUND {} more", report.more))?;
    }
    if report.is_clean() {
        print::line("nothing was changed, dropped or reordered")?;
        print::line(report.proves.to_string())?;
    }
    Ok(())
}
