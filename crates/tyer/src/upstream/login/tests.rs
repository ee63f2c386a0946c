//! Logins at real servers of every version: each method, and certificates that must not be believed.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tokio::net::TcpListener;
use tyer_core::intent::{Environment, Upstream};
use xtask::cluster::{Cluster, DATABASE, ROLE};

use super::super::{Connected, Upstreams, facts};
use super::*;
use crate::config::{Mode, PostgresConfig, TargetConfig, TlsFiles, UpstreamConfig, UpstreamTls};
use crate::secret::Secret;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().expect("a key")).expect("an authority")
}

/// A certificate for that host, and its key, as PEM.
fn certificate(authority: &Authority, host: &str, common: &str, until: i32) -> (String, String) {
    let mut parameters = CertificateParams::new(vec![host.to_owned()]).expect("parameters");
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, common);
    parameters.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().expect("a key");
    (parameters.signed_by(&key, authority).expect("a certificate").pem(), key.serialize_pem())
}

/// A server that lets the role in by that method, by TLS with that certificate.
fn serve(cluster: &mut Cluster, method: &str, (certificate, key): &(String, String)) {
    let access = format!(
        "hostssl all {ROLE} 127.0.0.1/32 {method}\nhost all postgres 127.0.0.1/32 scram-sha-256\n"
    );
    cluster.put("pg_hba.conf", &access).expect("access");
    cluster.put("server.crt", certificate).expect("a certificate");
    cluster.put("server.key", key).expect("a key");
    cluster.resume().expect("a server");
}

/// The upstreams of which one is that server.
fn before(port: u16, password: &str, tls: UpstreamTls) -> Result<Upstreams, String> {
    let name = Upstream::new("orders");
    let config = UpstreamConfig {
        name: name.clone(),
        listen: ([127, 0, 0, 1], 0).into(),
        environment: Environment::new("test"),
        owners: BTreeSet::new(),
        mode: Mode::Enforce,
        target: TargetConfig::Postgres(Box::new(PostgresConfig {
            address: format!("127.0.0.1:{port}"),
            database: DATABASE.to_owned(),
            user: ROLE.to_owned(),
            password: Secret::new(password.to_owned()),
            tls,
            allow_role_powers: BTreeSet::new(),
            reads: std::sync::Arc::default(),
            backup: None,
        })),
    };
    Upstreams::new(&BTreeMap::from([(name, config)])).map_err(|error| error.to_string())
}

/// Logs in as an agent's connection does, and as the one that asks about facts does.
async fn login_at(cluster: &Cluster, tls: UpstreamTls) -> Result<Connected, String> {
    let name = Upstream::new("orders");
    let upstreams = before(cluster.port(), cluster.password(), tls)?;
    let connected = upstreams.connect(&name, &[]).await.map_err(|error| error.to_string());
    let target = upstreams.targets.get(&name).expect("the upstream");
    let asking = facts::side_connection(target).await.map_err(|error| error.to_string());
    match (connected, asking) {
        (Ok(connected), Ok(client)) => {
            let sql = "SELECT current_setting('default_transaction_read_only')";
            let row = client.query_one(sql, &[]).await.expect("an answer");
            assert_eq!(row.get::<_, String>(0), "on");
            Ok(connected)
        }
        (Err(one), Err(other)) => {
            // Some name the second in which they were made.
            let undated = |text: &str| text.replace(|letter: char| letter.is_ascii_digit(), "");
            assert_eq!(undated(&one), undated(&other));
            Err(one)
        }
        (connected, asking) => panic!("{:?}, {:?}", connected.err(), asking.err()),
    }
}

/// Certificates of an authority that is trusted, and of another.
struct Papers {
    own: Authority,
    roots: PathBuf,
    others: PathBuf,
    client: TlsFiles,
}

impl Papers {
    fn new(cluster: &Cluster) -> Self {
        let (own, other) = (authority("own"), authority("other"));
        let put = |name: &str, text: &str| cluster.put(name, text).expect("a file");
        let (chain, key) = certificate(&own, "client", ROLE, 2100);
        put("postgresql.auto.conf", "ssl = on\nssl_ca_file = 'root.crt'\n");
        Self {
            roots: put("root.crt", &own.pem()),
            others: put("other.crt", &other.pem()),
            client: TlsFiles { certificate: put("client.crt", &chain), key: put("client.key", &key) },
            own,
        }
    }
}

fn by(authorities: &Path, client: Option<&TlsFiles>) -> UpstreamTls {
    UpstreamTls::VerifyFull { authorities: Some(authorities.to_owned()), client: client.cloned() }
}

async fn refused(cluster: &Cluster, tls: UpstreamTls, expect: &str) {
    let said = login_at(cluster, tls).await.err().unwrap_or_default();
    assert!(said.contains(expect), "{expect}: {said}");
}

/// Logs in to a server of that version by each method; its keys for cancelling are that long.
async fn check(mut cluster: Cluster, key_bytes: usize) {
    cluster.load_orders().expect("the database");
    let papers = Papers::new(&cluster);
    let Papers { own, roots, others, client } = &papers;
    let good = certificate(own, "127.0.0.1", "server", 2100);

    serve(&mut cluster, "scram-sha-256", &good);
    let connected = login_at(&cluster, by(roots, None)).await.expect("SCRAM bound to the channel");
    assert_eq!(connected.cancel.secret.len(), key_bytes);
    assert_eq!(bound_to_another_channel(&cluster, roots).await, "SCRAM channel binding check failed");
    refused(&cluster, by(others, None), "UnknownIssuer").await;
    let system = UpstreamTls::VerifyFull { authorities: None, client: None };
    refused(&cluster, system, "UnknownIssuer").await;
    refused(&cluster, UpstreamTls::Disable, "no pg_hba.conf entry").await;

    serve(&mut cluster, "password", &good);
    login_at(&cluster, by(roots, None)).await.expect("a password inside TLS");

    serve(&mut cluster, "md5", &good);
    let renew = format!("ALTER ROLE {ROLE} PASSWORD '{}'", cluster.password());
    cluster.query(&format!("SET password_encryption = 'md5'; {renew}")).expect("an MD5 password");
    login_at(&cluster, by(roots, None)).await.expect("an MD5 password");

    serve(&mut cluster, "cert", &good);
    login_at(&cluster, by(roots, Some(client))).await.expect("a client certificate");
    refused(&cluster, by(roots, None), "requires a valid client certificate").await;
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&client.key, open).expect("permissions");
    refused(&cluster, by(roots, Some(client)), "can be read by other users").await;

    serve(&mut cluster, "scram-sha-256", &certificate(own, "elsewhere.test", "server", 2100));
    refused(&cluster, by(roots, None), "not valid for name").await;
    serve(&mut cluster, "scram-sha-256", &certificate(own, "127.0.0.1", "server", 2001));
    refused(&cluster, by(roots, None), "expired").await;
}

/// What the server says to a login that comes over another channel than the one that it is bound to.
async fn bound_to_another_channel(cluster: &Cluster, roots: &Path) -> String {
    let upstreams = before(cluster.port(), cluster.password(), by(roots, None)).expect("upstreams");
    let target = upstreams.targets.get(&Upstream::new("orders")).expect("the upstream");
    let (stream, _) = dial::open(target).await.expect("a stream");
    let end_point = Some(vec![0; 32]);
    let mut login = Login { stream, decoder: Decoder::new(Side::Upstream), end_point };
    login.send(&encode::startup(MINOR, &[("user", ROLE), ("database", DATABASE)])).await.expect("sent");
    let first = login.first(MINOR).await.expect("a question");
    match login.authenticate(target, first).await {
        Err(DialError::Refused(said)) => said,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_into_the_systems_own() {
    check(Cluster::start().expect("a cluster"), 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_into_13() {
    check(Cluster::of_version(13).expect("a cluster"), 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_into_14() {
    check(Cluster::of_version(14).expect("a cluster"), 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_into_16() {
    check(Cluster::of_version(16).expect("a cluster"), 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_into_17() {
    check(Cluster::of_version(17).expect("a cluster"), 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_into_18() {
    check(Cluster::of_version(18).expect("a cluster"), 32).await;
}

/// A server that answers a start-up packet by what it is asked for: the last two bytes of the version.
async fn answering(answer: impl Fn(u8) -> Vec<u8> + Send + 'static) -> Result<Vec<u8>, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut startup = [0; 8];
            stream.read_exact(&mut startup).await.expect("a start-up packet");
            stream.write_all(&answer(startup[7])).await.expect("an answer");
            // Whatever else comes is read, so that nothing is reset.
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok();
        }
    });
    let upstreams = before(port, "secret", UpstreamTls::Disable)?;
    let target = upstreams.targets.get(&Upstream::new("orders")).expect("the upstream");
    let logged_in = login(target, &[]).await;
    logged_in.map(|logged_in| logged_in.cancel.secret).map_err(|error| error.to_string())
}

#[tokio::test]
async fn versions_are_negotiated_down_and_never_up() {
    let welcome = |key: &[u8]| {
        [encode::authentication_ok(), encode::backend_key(7, key), encode::ready()].concat()
    };
    let said = |code| encode::complaint(b'E', &[(b'S', "FATAL"), (b'C', code), (b'M', "no")]);
    let check = async |expect: Result<usize, &str>, answer: Box<dyn Fn(u8) -> Vec<u8> + Send>| {
        let got = answering(answer).await;
        assert_eq!(got.as_ref().map(Vec::len).map_err(String::as_str), expect);
    };
    check(Ok(32), Box::new(move |_| welcome(&[1; 32]))).await;
    check(Ok(4), Box::new(move |_| [encode::negotiate(0, &[]), welcome(&[1; 4])].concat())).await;
    // A pooler that only knows 3.0 and says so by ending the connection.
    for code in UNKNOWN_VERSION {
        let old = move |minor| if minor == 0 { welcome(&[1; 4]) } else { said(code) };
        check(Ok(4), Box::new(old)).await;
        check(Err("the upstream refused the login: no"), Box::new(move |_| said(code))).await;
    }
    check(Err("the upstream refused the login: no"), Box::new(move |_| said("28P01"))).await;
    let unexpected = "the upstream asks for a way to log in that is not supported: \
                      an unexpected first message";
    check(Err(unexpected), Box::new(|_| encode::negotiate(2, &[]))).await;
    check(Err(unexpected), Box::new(|_| encode::ready())).await;
    let password = "the upstream asks for a way to log in that is not supported: \
                    a password in clear over a connection in clear";
    let clear = encode::message(b'R', |out| out.extend([0, 0, 0, 3]));
    check(Err(password), Box::new(move |_| clear.clone())).await;
}
