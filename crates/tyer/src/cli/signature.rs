//! An SSH signature of a leaf as files that `ssh-keygen -Y verify` takes, so that it can be checked without
//! believing a line of Tyer's. Whose the key is, the ledger says: `tyer ledger verify` compares that.

use std::path::Path;

use serde_json::json;
use tyer_core::record::{PublicKey, Record, What};
use tyer_core::sshsig::{self, NAMESPACE};
use tyer_core::statement::Statement;

use super::call::{Call, id};
use super::failure::{Exit, Failure};
use super::print;

pub(super) fn write(call: &Call, index: u64, to: &Path) -> Result<Exit, Failure> {
    let leaf = call.get(&format!("/api/v1/ledger/{index}"))?.body;
    let leaf = leaf.get("leaf").cloned().unwrap_or_default();
    let unsigned = || {
        let message = format!("leaf {index} is nothing that an SSH key has signed");
        Failure::failed(message, "look for `SSH` in `tyer ledger tail`")
    };
    let record: Record = serde_json::from_value(leaf).map_err(|_| unsigned())?;
    let (statement, signature, key) = of_ssh(&record.what).ok_or_else(unsigned)?;
    let signature = sshsig::armored(signature).map_err(|_| unsigned())?;
    let person = &statement.person;
    std::fs::create_dir_all(to)?;
    std::fs::write(to.join("message"), statement.canonical())?;
    std::fs::write(to.join("message.sig"), signature)?;
    std::fs::write(to.join("allowed_signers"), sshsig::allowed_signer(person, key))?;
    if call.json {
        let files = ["message", "message.sig", "allowed_signers"];
        print::json(&json!({ "person": person, "namespace": NAMESPACE, "files": files }))?;
    } else {
        print::line(format!(
            "ssh-keygen -Y verify -f allowed_signers -I {person} -n {NAMESPACE} -s message.sig < message"
        ))?;
    }
    Ok(Exit::Done)
}

/// The statement that an SSH key signed in a leaf, its signature, and that key.
fn of_ssh(what: &What) -> Option<(&Statement, &str, &PublicKey)> {
    let (signed, signature, key) = match what {
        What::Approved { approval, .. } => {
            (&approval.signed, Some(&approval.signed.signature), &approval.key)
        }
        What::Rejected { signed, key, .. } => (signed, Some(&signed.signature), key),
        // The other signature over the same statement is a passkey's.
        What::KeyAdded { signed, proof, key, .. } => (signed, proof.as_ref(), key),
        _ => return None,
    };
    // They go into a file of one line each, and into a command.
    let is_plain = sshsig::check_key(key).is_ok() && id(&signed.statement.person).is_ok();
    is_plain.then_some((&signed.statement, signature?.as_str(), key))
}
