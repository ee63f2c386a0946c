//! Every supported version of PostgreSQL behind the door; all other tests run the system's own.
//!
//! Tyer reaches each by TLS, its certificate verified and the login bound to it. Real clients see through the
//! door what they see past it, held writes are approved and released, and the newest libpq comes in by every
//! way that the protocol has.

mod transcript;

use std::path::Path;

use expect_test::expect;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use xtask::cluster::Cluster;
use xtask::instance::Shape;

use crate::bed::{Bed, ask};
use crate::clients::{self, Ground, Seat};

/// A server of that version that also speaks TLS, and the authority to trust.
fn cluster(version: u32) -> (Cluster, String) {
    let mut cluster = Cluster::of_version(version).expect("a cluster");
    let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(parameters, key).expect("an authority");
    let parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
    let key = KeyPair::generate().expect("a key");
    let certificate = parameters.signed_by(&key, &authority).expect("a certificate");
    for (name, text) in [
        ("server.crt", certificate.pem()),
        ("server.key", key.serialize_pem()),
        ("postgresql.auto.conf", "ssl = on\n".to_owned()),
    ] {
        cluster.put(name, &text).expect("a file");
    }
    cluster.resume().expect("a server");
    (cluster, authority.pem())
}

async fn bed(version: u32, environment: &'static str) -> Bed {
    let (cluster, authority) = cluster(version);
    let bed = Bed::over(
        cluster,
        Shape {
            environment,
            tls: "verify-full",
            upstream: "authorities = \"authority.crt\"",
            files: vec![("authority.crt", authority)],
            ..Shape::default()
        },
    );
    let bed = bed.await;
    assert_eq!(
        bed.truth("SELECT current_setting('server_version_num')::int / 10000"),
        version.to_string()
    );
    bed
}

/// The server says what was recorded, and clients see the same through the door as past it.
async fn says_the_same(version: u32) {
    let bed = bed(version, "staging").await;
    // What the wire crate's tests replay; `UPDATE_EXPECT=1` records it anew.
    let recorded = format!("../tyer-wire/testdata/postgres/servers/{version}.txt");
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join(recorded);
    expect_test::expect_file![recorded].assert_eq(&transcript::record(&bed.cluster, version));
    bed.cluster.query(clients::TABLES).expect("tables");
    clients::compare(&bed, Ground::Staging, clients::psql);
    clients::compare(&bed, Ground::Staging, |_| clients::python("psycopg_sync.py"));
    clients::tokio_postgres::compare(&bed).await;
    bed.verify();
}

/// A write is held, approved and released, and libpq comes in.
async fn holds_and_lets_in(version: u32) {
    let mut bed = bed(version, "production").await;
    let agent = bed.agent().await;
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE usename = 'tyer'";
    assert_eq!(bed.truth(encrypted), "t");
    let hold = ask(&agent, "DELETE FROM payments").await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    assert_eq!(ask(&agent, "DELETE FROM payments").await, Ok(vec!["#60000".to_owned()]));
    assert_eq!(bed.truth("SELECT count(*) FROM payments"), "0");
    libpq(&bed);
    bed.verify();
}

/// The ways into the door of a client that knows more than most servers do.
fn libpq(bed: &Bed) {
    let seat = Seat::door(bed);
    let mut command = clients::python("libpq.py");
    seat.seat(&mut command);
    command.env_remove("PGSSLMODE").env("AUTHORITY", bed.tyer.directory().join("door.crt"));
    command.env("OTHER_AUTHORITY", bed.tyer.directory().join("authority.crt"));
    let output = command.output().expect("python");
    let said = seat.mask(&String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    expect![[r#"
        libpq 18
        as it comes, 30000, TLS, cancelled, cancelled, usable
        with TLS at once, 30000, TLS, cancelled, cancelled, usable
        bound to the channel, 30000, TLS, cancelled, cancelled, usable
        with TLS at once, bound, 30000, TLS, cancelled, cancelled, usable
        by 3.0, 30000, TLS, cancelled, cancelled, usable
        by 3.2, 30002, TLS, cancelled, cancelled, usable
        by the latest, 30002, TLS, cancelled, cancelled, usable
        by SCRAM or not at all, 30000, TLS, cancelled, cancelled, usable
        with GSSAPI if there is any, 30000, TLS, cancelled, cancelled, usable
        in clear on this machine, 30000, clear, cancelled, cancelled, usable
        by MD5 or not at all: server requested SASL authentication
        without a password: server requested SASL authentication
        bound in clear: channel binding required, but SSL not in use
        trusting another authority: SSL error: certificate verify failed
        expecting another host: server certificate for "localhost" (and 3 other names) does not match host name "elsewhere.test"
        with a wrong password: password authentication failed
        GSSAPI, then TLS: b'N' b'S'"#]].assert_eq(&said);
}

#[tokio::test]
async fn clients_see_13() {
    says_the_same(13).await;
}

#[tokio::test]
async fn clients_see_14() {
    says_the_same(14).await;
}

#[tokio::test]
async fn clients_see_16() {
    says_the_same(16).await;
}

#[tokio::test]
async fn clients_see_17() {
    says_the_same(17).await;
}

#[tokio::test]
async fn clients_see_18() {
    says_the_same(18).await;
}

#[tokio::test]
async fn holds_before_13() {
    holds_and_lets_in(13).await;
}

#[tokio::test]
async fn holds_before_14() {
    holds_and_lets_in(14).await;
}

#[tokio::test]
async fn holds_before_16() {
    holds_and_lets_in(16).await;
}

#[tokio::test]
async fn holds_before_17() {
    holds_and_lets_in(17).await;
}

#[tokio::test]
async fn holds_before_18() {
    holds_and_lets_in(18).await;
}
