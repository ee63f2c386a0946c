//! Logins at a real server: each method, and certificates that must not be believed.

use std::collections::{BTreeMap, BTreeSet};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tyer_core::intent::{Environment, Upstream};
use xtask::cluster::{Cluster, DATABASE, ROLE};

use super::super::Upstreams;
use super::*;
use crate::config::{Mode, UpstreamConfig, UpstreamTls};
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

async fn login_at(cluster: &Cluster, tls: UpstreamTls) -> Result<Connected, String> {
    let name = Upstream::new("orders");
    let config = UpstreamConfig {
        name: name.clone(),
        listen: ([127, 0, 0, 1], 0).into(),
        address: format!("127.0.0.1:{}", cluster.port()),
        database: DATABASE.to_owned(),
        user: ROLE.to_owned(),
        password: Secret::new(cluster.password().to_owned()),
        tls,
        environment: Environment::new("test"),
        owners: BTreeSet::new(),
        mode: Mode::Enforce,
    };
    let upstreams =
        Upstreams::new(&BTreeMap::from([(name.clone(), config)])).map_err(|error| error.to_string())?;
    upstreams.connect(&name, &[]).await.map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_log_in() {
    let mut cluster = Cluster::start().expect("a cluster");
    cluster.load_orders().expect("the database");
    let (own, other) = (authority("own"), authority("other"));
    let roots = cluster.put("root.crt", &own.pem()).expect("a file");
    let others = cluster.put("other.crt", &other.pem()).expect("a file");
    cluster.put("postgresql.auto.conf", "ssl = on\nssl_ca_file = 'root.crt'\n").expect("settings");
    let (chain, key) = certificate(&own, "client", ROLE, 2100);
    let client = TlsFiles {
        certificate: cluster.put("client.crt", &chain).expect("a file"),
        key: cluster.put("client.key", &key).expect("a file"),
    };
    let by = |authorities: &Path, client: Option<&TlsFiles>| UpstreamTls::VerifyFull {
        authorities: authorities.to_owned(),
        client: client.cloned(),
    };
    let good = certificate(&own, "127.0.0.1", "server", 2100);
    let refused = async |cluster: &Cluster, tls: UpstreamTls, expect: &str| {
        let said = login_at(cluster, tls).await.err().unwrap_or_default();
        assert!(said.contains(expect), "{expect}: {said}");
    };

    serve(&mut cluster, "scram-sha-256", &good);
    let connected = login_at(&cluster, by(&roots, None)).await.expect("SCRAM bound to the channel");
    assert_eq!(connected.cancel.secret.len(), 4);
    refused(&cluster, by(&others, None), "UnknownIssuer").await;
    refused(&cluster, UpstreamTls::Disable, "no pg_hba.conf entry").await;

    serve(&mut cluster, "password", &good);
    login_at(&cluster, by(&roots, None)).await.expect("a password inside TLS");

    serve(&mut cluster, "md5", &good);
    let renew = format!("ALTER ROLE {ROLE} PASSWORD '{}'", cluster.password());
    cluster.query(&format!("SET password_encryption = 'md5'; {renew}")).expect("an MD5 password");
    login_at(&cluster, by(&roots, None)).await.expect("an MD5 password");

    serve(&mut cluster, "cert", &good);
    login_at(&cluster, by(&roots, Some(&client))).await.expect("a client certificate");
    refused(&cluster, by(&roots, None), "requires a valid client certificate").await;
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(&client.key, open).expect("permissions");
    refused(&cluster, by(&roots, Some(&client)), "can be read by other users").await;

    serve(&mut cluster, "scram-sha-256", &certificate(&own, "elsewhere.test", "server", 2100));
    refused(&cluster, by(&roots, None), "not valid for name").await;
    serve(&mut cluster, "scram-sha-256", &certificate(&own, "127.0.0.1", "server", 2001));
    refused(&cluster, by(&roots, None), "expired").await;
}

#[test]
fn keys_for_cancelling_have_any_length() {
    let check = |secret: &[u8], expect: Option<usize>| {
        let mut buffer = bytes::BytesMut::from(encode::backend_key(7, secret).as_slice());
        let found = take_key(&mut buffer).ok().flatten().map(|key| (key.process, key.secret.len()));
        assert_eq!(found, expect.map(|length| (7, length)), "{}", secret.len());
    };
    check(&[1; 4], Some(4));
    check(&[1; 32], Some(32));
    check(&[1; 256], Some(256));
    check(&[1; 257], None);
    check(&[1; 3], None);
    let whole = encode::backend_key(7, &[1; 32]);
    let mut part = bytes::BytesMut::from(whole.get(..20).unwrap_or_default());
    assert!(matches!(take_key(&mut part), Ok(None)));
    assert_eq!(part.len(), 20);
}
