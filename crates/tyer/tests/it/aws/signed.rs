//! Signatures as few SDKs make them: links, chunks one by one, and those that the door doesn't take.

use std::path::Path;
use std::process::Command;

use super::{Client, Cloud, said};
use crate::bed::needing;
use crate::clients::installed;

#[tokio::test]
async fn wrong_signatures_of_chunks_and_trailers_are_refused_and_nothing_is_stored() {
    let cloud = Cloud::new(&needing(0)).await;
    let came = said(&Client::python("chunks.py", &["wrong"]).run(&cloud.door()));
    assert!(came.starts_with("exit status: 0"), "{came}");
    let refused = |count: &str, with: &str| {
        let is =
            |line: &&str| line.contains(count) && line.contains("with a wrong") && line.contains(with);
        came.lines().filter(is).count()
    };
    // What is read before it is decided, and what streams and is cut off before its last bytes.
    assert_eq!(refused("of 10000 ", "[403, ") + refused("of 10000 ", "[400, "), 3, "{came}");
    assert_eq!(refused("of 10000 ", "Signature"), 3, "{came}");
    assert_eq!(refused("of 100000 ", "OutcomeUnknown"), 3, "{came}");
    assert!(came.contains("NoSuchKey"), "{came}");
    cloud.verify();
}

#[tokio::test]
async fn links_of_any_service_are_taken_and_those_of_version_two_are_not() {
    let cloud = Cloud::new(&needing(0)).await;
    let came = said(&Client::python("links.py", &[]).run(&cloud.door()));
    assert!(came.contains("sts 200 GetCallerIdentityResult"), "{came}");
    assert!(came.contains("iam 200 ListUsersResult"), "{came}");
    assert!(came.contains("version 2 400") && came.contains("sign with version 4"), "{came}");
    assert!(came.contains("late 403"), "{came}");
    cloud.verify();
}

/// A backup program whose SDK signs each chunk of what it sends.
#[tokio::test]
async fn a_backup_by_restic_is_made_and_read_back() {
    let restic = installed(Path::new("/usr/bin/restic"));
    let cloud = Cloud::new(&needing(0)).await;
    let seat = cloud.door();
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
    let repository = format!("s3:{}/vault", seat.endpoint);
    for arguments in [vec!["init"], vec!["backup", sources], vec!["check", "--read-data"]] {
        let mut command = Command::new(&restic);
        seat.seat(&mut command);
        command.env("RESTIC_PASSWORD", "x").env("RESTIC_REPOSITORY", &repository);
        let output = command.arg("--no-cache").args(&arguments).output().expect("restic");
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    }
    let settled = cloud.records("settled");
    assert!(settled.len() > 5, "{settled:?}");
    cloud.verify();
}
