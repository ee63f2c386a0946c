//! The door's own authority, as OpenSSL sees it: what its key could issue in other hands is good for AWS's hosts alone.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::{Desk, open};

/// Runs OpenSSL in a directory, and says how it went and what it said.
fn openssl(home: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl").args(arguments).current_dir(home).output().expect("openssl");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// A certificate that somebody makes who has the authority's key.
fn issue(home: &Path, by: (&str, &str), name: &str, more: &[&str]) {
    let mut arguments = vec!["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    arguments.extend(["-noenc", "-keyout", "leaf.key", "-out", "leaf.crt", "-days", "2"]);
    arguments.extend(["-subj", "/CN=anything", "-CA", by.0, "-CAkey", by.1, "-addext", name]);
    arguments.extend_from_slice(more);
    let (is_made, said) = openssl(home, &arguments);
    assert!(is_made, "{said}");
}

#[tokio::test]
async fn whoever_has_its_key_can_be_no_other_host() {
    let desk = Desk::new(&open()).await;
    let home = tempfile::tempdir().expect("a directory");
    for name in ["aws-ca.crt", "aws-ca.key"] {
        std::fs::copy(desk.tyer.directory().join(name), home.path().join(name)).expect("a copy");
    }
    let own = ("aws-ca.crt", "aws-ca.key");
    let check = |name: &str, expect: Option<&str>| {
        let more = ["-addext", "basicConstraints=critical,CA:FALSE"];
        issue(home.path(), own, &format!("subjectAltName={name}"), &more);
        let (is_good, said) = openssl(
            home.path(),
            &["verify", "-purpose", "sslserver", "-CAfile", "aws-ca.crt", "leaf.crt"],
        );
        assert_eq!(is_good, expect.is_none(), "{name}: {said}");
        assert!(said.contains(expect.unwrap_or("OK")), "{name}: {said}");
    };
    check("DNS:sts.amazonaws.com", None);
    check("DNS:ec2.cn-north-1.amazonaws.com.cn", None);
    check("DNS:example.com", Some("permitted subtree violation"));
    check("DNS:amazonaws.com.example.com", Some("permitted subtree violation"));
    check("DNS:sts.amazonaws.com,DNS:example.com", Some("permitted subtree violation"));
    check("IP:127.0.0.1", Some("excluded subtree violation"));
    check("IP:::1", Some("excluded subtree violation"));
    // Nor can it make another authority.
    issue(
        home.path(),
        own,
        "basicConstraints=critical,CA:TRUE",
        &["-keyout", "sub.key", "-out", "sub.crt"],
    );
    issue(
        home.path(),
        ("sub.crt", "sub.key"),
        "subjectAltName=DNS:sts.amazonaws.com",
        &["-addext", "basicConstraints=critical,CA:FALSE"],
    );
    let (is_good, said) =
        openssl(home.path(), &["verify", "-CAfile", "aws-ca.crt", "-untrusted", "sub.crt", "leaf.crt"]);
    assert!(!is_good && said.contains("path length constraint exceeded"), "{said}");
}

#[tokio::test]
async fn its_key_is_private_and_outlives_a_restart() {
    let mut desk = Desk::new(&open()).await;
    let first = desk.session(&[]).certificate;
    assert!(first.starts_with("-----BEGIN CERTIFICATE-----"), "{first}");
    let key = desk.tyer.directory().join("aws-ca.key");
    let mode = |path: &Path| path.metadata().expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&key), 0o600);
    assert_eq!(mode(&desk.tyer.directory().join("aws-ca.crt")), 0o600);
    desk.tyer.kill();
    desk.tyer.resume().expect("a restart");
    assert_eq!(desk.session(&[]).certificate, first);
    desk.tyer.kill();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    let said = desk.tyer.resume().expect_err("a refusal").to_string();
    assert!(said.contains("aws-ca.key") && said.contains("can be read by other users"), "{said}");
}
