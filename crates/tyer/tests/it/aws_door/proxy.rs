//! The door as a proxy: who gets a tunnel to what, and that what goes through one is decided like anything else.

use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use xtask::instance::{AwsLogin, Shape};

use super::client::{Answer, Call, Sender, sent, spoken};
use super::real::{ACCESS_KEY, Says, now};
use super::{Desk, get_item, hold, open, put_item};
use crate::bed::needing;

const DYNAMODB: &str = "dynamodb.us-east-1.amazonaws.com";
const S3: &str = "s3.us-east-1.amazonaws.com";

fn basic(user: &str, password: &str) -> String {
    format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
}

fn own(login: &AwsLogin) -> String {
    basic(&login.session, &login.password)
}

/// Asks for a tunnel with these header lines, and reads the head of what is answered and as much as comes with it.
async fn connect(login: &AwsLogin, target: &str, lines: &str) -> (TcpStream, String) {
    let door = login.endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(door).await.expect("the door");
    let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{lines}\r\n");
    stream.write_all(head.as_bytes()).await.expect("a request");
    let mut said = Vec::new();
    while !said.windows(4).any(|it| it == b"\r\n\r\n") {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.expect("an answer");
        assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&piece[..read]);
    }
    (stream, String::from_utf8(said).expect("text"))
}

fn trusting(login: &AwsLogin) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(login.certificate.as_bytes()).expect("a certificate");
    roots.add(root).expect("a root");
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

/// A tunnel to a host, in which the client says that name.
async fn shaken(
    login: &AwsLogin,
    (host, name): (&str, &str),
    config: ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let (stream, said) = connect(login, &format!("{host}:443"), &own(login)).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn tunnel(login: &AwsLogin, host: &str) -> Sender {
    let stream = shaken(login, (host, host), trusting(login)).await.expect("a handshake");
    spoken(stream).await.expect("HTTP")
}

/// The login as it signs for another host.
fn at(login: &AwsLogin, host: &str) -> AwsLogin {
    AwsLogin { endpoint: format!("http://{host}"), ..login.clone() }
}

async fn through(sender: &mut Sender, call: &Call, login: &AwsLogin, host: &str) -> Answer {
    let head = call.signed(&at(login, host), now());
    sent(sender, &head.path, &head, call.body.clone()).await.expect("an answer")
}

#[tokio::test]
async fn what_comes_through_a_tunnel_is_decided_and_sent_like_anything_else() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    let mut sender = tunnel(&login, DYNAMODB).await;
    let read = through(&mut sender, &get_item(), &login, DYNAMODB).await;
    assert_eq!((read.status, read.body.as_str()), (200, "{}"));
    assert_eq!(through(&mut sender, &put_item("1"), &login, DYNAMODB).await.status, 200);
    let bucket = format!("orders.{S3}");
    let mut sender = tunnel(&login, &bucket).await;
    let put = Call::s3("PUT", "/a%20key", b"content".to_vec());
    assert_eq!(through(&mut sender, &put, &login, &bucket).await.status, 200);
    let seen = desk.service.seen();
    assert_eq!(seen.len(), 3);
    for seen in &seen {
        assert_eq!(seen.signer.as_deref(), Some(ACCESS_KEY));
        let own = format!("127.0.0.1:{}", desk.service.port);
        assert_eq!(seen.head.header("host"), Some(own.as_str()), "Tyer's own way, not the client's");
    }
    assert_eq!(seen[2].head.path, "/orders/a%20key");
    assert_eq!(desk.leaves("read_lease").len(), 1);
    assert_eq!(desk.leaves("cleared").len(), 2);
    assert_eq!(desk.outcomes(2).await[1]["tag"], "200");
    desk.verify();
}

#[tokio::test]
async fn what_is_held_in_a_tunnel_passes_in_whichever_way_it_comes_again() {
    let mut desk = Desk::new(&needing(2)).await;
    let login = desk.session(&[]);
    let mut sender = tunnel(&login, DYNAMODB).await;
    let held = through(&mut sender, &put_item("1"), &login, DYNAMODB).await;
    assert_eq!(held.status, 403, "{}", held.body);
    let id = hold(&held);
    assert_eq!(hold(&put_item("1").send(&login).await), id, "it is the same request");
    desk.alice.approve(&id).await.expect("alice agrees");
    desk.bob.approve(&id).await.expect("bob agrees");
    assert_eq!(desk.service.seen().len(), 0);
    assert_eq!(through(&mut sender, &put_item("1"), &login, DYNAMODB).await.status, 200);
    assert_eq!(desk.service.seen().len(), 1);
    desk.verify();
}

#[tokio::test]
async fn only_a_credential_of_a_session_gets_a_tunnel_and_only_to_aws() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    let ended = desk.session(&[]);
    desk.tyer.run(&["session", "end", &ended.session]).expect("an end");
    let key = basic(&login.access_key, &login.secret);
    let own = own(&login);
    let good = format!("{DYNAMODB}:443");
    let twice = format!("{own}{own}");
    let bearer = format!("Proxy-Authorization: Bearer {}\r\n", login.password);
    let not_for_it = own.replacen("Proxy-Authorization", "Authorization", 1);
    let short = basic(&login.access_key, login.secret.split_at(1).1);
    let cases: &[(&str, &str, u16, &str)] = &[
        (&good, &own, 200, ""),
        (&good, &key, 200, ""),
        ("DynamoDB.us-east-1.amazonaws.com:443", &own, 200, ""),
        ("iam.amazonaws.com:443", &own, 200, ""),
        ("111122223333.s3-control.eu-west-1.amazonaws.com:443", &own, 200, ""),
        ("ec2.eu-west-1.api.aws:443", &own, 200, ""),
        ("data-lakeformation.eu-west-1.amazonaws.com:443", &own, 200, ""),
        ("api.iotsitewise.eu-west-1.amazonaws.com:443", &own, 200, ""),
        ("stream-logs.eu-west-1.amazonaws.com:443", &own, 200, ""),
        ("orders.s3.dualstack.eu-west-1.amazonaws.com:443", &own, 200, ""),
        ("sts-fips.us-east-1.amazonaws.com:443", &own, 200, ""),
        (&good, "", 407, "id and password of a session"),
        (&good, &not_for_it, 407, "id and password of a session"),
        (&good, &bearer, 407, "id and password of a session"),
        (&good, &twice, 407, "id and password of a session"),
        (&good, "Proxy-Authorization: Basic !\r\n", 407, "id and password of a session"),
        (&good, &basic(&login.session, "x"), 407, "id and password of a session"),
        (&good, &basic(&login.session, ""), 407, "id and password of a session"),
        (&good, &basic(&login.session, &login.secret), 407, "id and password of a session"),
        (&good, &basic(&login.access_key, &login.password), 407, "id and password of a session"),
        (&good, &basic(&login.access_key, ""), 407, "id and password of a session"),
        (&good, &short, 407, "id and password of a session"),
        (&good, &basic(ACCESS_KEY, super::real::SECRET), 407, "id and password of a session"),
        (&good, &basic(&ended.session, &ended.password), 407, "id and password of a session"),
        (&good, &basic(&ended.access_key, &ended.secret), 407, "id and password of a session"),
        (&good, &basic("alice", "x"), 407, "id and password of a session"),
        ("example.com:443", "", 407, "id and password of a session"),
        ("example.com:443", &own, 403, "an endpoint of AWS that Tyer knows"),
        ("dynamodb.us-east-1.amazonaws.com.example.com:443", &own, 403, "an endpoint of AWS"),
        ("abc.execute-api.us-east-1.amazonaws.com:443", &own, 403, "an endpoint of AWS"),
        ("evil-logs.eu-west-1.amazonaws.com:443", &own, 403, "an endpoint of AWS"),
        ("111122223333.ddb.us-east-1.amazonaws.com:443", &own, 403, "ENDPOINT_MODE=disabled"),
        ("orders.s3-website-us-east-1.amazonaws.com:443", &own, 403, "no API"),
        ("127.0.0.1:443", &own, 403, "an endpoint of AWS"),
        ("169.254.169.254:443", &own, 403, "an endpoint of AWS"),
        ("localhost:443", &own, 403, "an endpoint of AWS"),
        ("x@dynamodb.us-east-1.amazonaws.com:443", &own, 403, "an endpoint of AWS"),
        ("dynamodb.us-east-1.amazonaws.com:80", &own, 403, "port 443"),
        ("dynamodb.us-east-1.amazonaws.com:0443", &own, 403, "port 443"),
        ("dynamodb.ap-south-1.amazonaws.com:443", &own, 403, "ap-south-1 is not behind this door"),
        ("iam.cn-north-1.amazonaws.com.cn:443", &own, 403, "cn-north-1 is not behind this door"),
    ];
    for (target, lines, status, why) in cases {
        let (mut stream, mut said) = connect(&login, target, lines).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{target} {lines}: {said}");
        let asks = said.to_ascii_lowercase().contains("proxy-authenticate: basic realm=\"tyer\"");
        assert_eq!(asks, *status == 407, "{said}");
        if !why.is_empty() && !said.contains(why) {
            let mut rest = [0; 4096];
            let read = stream.read(&mut rest).await.expect("the rest");
            said.push_str(&String::from_utf8_lossy(&rest[..read]));
        }
        assert!(said.contains(why), "{target} {lines}: {said}");
    }
    assert_eq!(desk.service.seen().len(), 0);
}

#[tokio::test]
async fn a_tunnel_is_for_the_host_that_was_asked_for_and_no_other() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    let refused =
        |result: std::io::Result<TlsStream<TcpStream>>| result.expect_err("no handshake").to_string();
    let other = "sts.us-east-1.amazonaws.com";
    assert!(refused(shaken(&login, (DYNAMODB, other), trusting(&login)).await).contains("Denied"));
    let mut nameless = trusting(&login);
    nameless.enable_sni = false;
    assert!(refused(shaken(&login, (DYNAMODB, DYNAMODB), nameless).await).contains("Denied"));
    let address = shaken(&login, (DYNAMODB, "127.0.0.1"), trusting(&login)).await;
    assert!(refused(address).contains("Denied"));
    let mut newer = trusting(&login);
    newer.alpn_protocols = vec![b"h2".to_vec()];
    let said = refused(shaken(&login, (DYNAMODB, DYNAMODB), newer).await);
    assert!(said.contains("NoApplicationProtocol"), "{said}");
    // Not one that the system trusts.
    let strange =
        ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let said = refused(shaken(&login, (DYNAMODB, DYNAMODB), strange).await);
    assert!(said.contains("UnknownIssuer"), "{said}");
    assert_eq!(desk.service.seen().len(), 0);
}

#[tokio::test]
async fn what_disagrees_with_its_tunnel_is_refused() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    let other = desk.session(&[]);
    let mut nobody = login.clone();
    nobody.access_key = "AKIAIOSFODNN7EXAMPLE".to_owned();
    let mut liar = login.clone();
    liar.secret.push('x');
    let call = get_item();
    let sts = "sts.us-east-1.amazonaws.com";
    let elsewhere = Call { region: "eu-west-1", ..call.clone() };
    let something = Call { service: "sts", ..call.clone() };
    let cases = [
        (call.signed(&at(&login, sts), now()), "is for another host"),
        (call.signed(&at(&login, "127.0.0.1"), now()), "is for another host"),
        (call.signed(&at(&login, &format!("{DYNAMODB}:80")), now()), "is for another host"),
        (elsewhere.signed(&at(&login, DYNAMODB), now()), "is not where dynamodb is in eu-west-1"),
        (something.signed(&at(&login, DYNAMODB), now()), "is not where sts is in us-east-1"),
        (call.signed(&at(&other, DYNAMODB), now()), "the credential of another session"),
        (call.signed(&at(&nobody, DYNAMODB), now()), "none of a session that runs here"),
        (call.signed(&at(&liar, DYNAMODB), now()), "InvalidSignatureException"),
    ];
    for (head, why) in cases {
        let mut sender = tunnel(&login, DYNAMODB).await;
        let answer = sent(&mut sender, &head.path, &head, call.body.clone()).await.expect("an answer");
        assert_eq!(answer.status, 403, "{why}: {}", answer.body);
        assert!(answer.body.contains(why), "{why}: {}", answer.body);
    }
    let good = call.signed(&at(&login, &format!("{DYNAMODB}:443")), now());
    let mut sender = tunnel(&login, DYNAMODB).await;
    let answer = sent(&mut sender, &good.path, &good, call.body.clone()).await.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut twice = good.clone();
    twice.headers.push(("host".to_owned(), sts.to_owned()));
    let answer = sent(&mut sender, "/", &twice, call.body.clone()).await.expect("an answer");
    assert!(answer.status >= 400, "{}", answer.body);
    let absolute = format!("https://{DYNAMODB}/");
    let mut sender = tunnel(&login, DYNAMODB).await;
    let answer = sent(&mut sender, &absolute, &good, call.body.clone()).await.expect("an answer");
    assert!(answer.status == 501 && answer.body.contains("no proxy for plain HTTP"), "{}", answer.body);
    // A tunnel in a tunnel.
    let mut stream = shaken(&login, (DYNAMODB, DYNAMODB), trusting(&login)).await.expect("a handshake");
    let nested =
        format!("CONNECT {DYNAMODB}:443 HTTP/1.1\r\nHost: {DYNAMODB}:443\r\n{}\r\n", own(&login));
    stream.write_all(nested.as_bytes()).await.expect("a request");
    let mut said = [0; 12];
    stream.read_exact(&mut said).await.expect("an answer");
    assert_eq!(&said, b"HTTP/1.1 403");
    assert_eq!(desk.service.seen().len(), 1);
}

/// Connections that are open of a session, as the operator is shown.
pub(super) fn connections(desk: &Desk, login: &AwsLogin) -> u64 {
    let said = desk.tyer.run(&["--json", "session", "list"]).expect("sessions");
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let sessions = said["sessions"].as_array().expect("sessions");
    let own = sessions.iter().find(|it| it["session"] == login.session.as_str()).expect("it");
    own["connections"].as_u64().expect("a number")
}

#[tokio::test]
async fn a_killed_session_loses_its_tunnels() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    let (mut fresh, _) = connect(&login, &format!("{DYNAMODB}:443"), &own(&login)).await;
    let mut idle = shaken(&login, (DYNAMODB, DYNAMODB), trusting(&login)).await.expect("a handshake");
    desk.service.says(Says::Waits);
    let mut sender = tunnel(&login, DYNAMODB).await;
    let agent = login.clone();
    let waiting =
        tokio::spawn(async move { through(&mut sender, &put_item("1"), &agent, DYNAMODB).await });
    while desk.service.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(connections(&desk, &login), 3, "a tunnel with its request is one");
    let said = desk.tyer.run(&["session", "kill", &login.session]).expect("a kill");
    assert!(said.contains("3 of 3 connections were seen to close"), "{said}");
    let answer = waiting.await.expect("an answer");
    assert!(answer.body.contains("ExpiredTokenException"), "{}", answer.body);
    assert_eq!(fresh.read(&mut [0; 16]).await.unwrap_or_default(), 0);
    assert_eq!(idle.read(&mut [0; 16]).await.unwrap_or_default(), 0);
    let outcomes = desk.outcomes(1).await;
    assert_eq!(outcomes[0]["is"], "unknown", "{outcomes:?}");
    let (_, said) = connect(&login, &format!("{DYNAMODB}:443"), &own(&login)).await;
    assert!(said.starts_with("HTTP/1.1 407"), "{said}");
    desk.service.let_go();
    desk.verify();
}

#[tokio::test]
async fn tunnels_that_nobody_uses_end_and_there_are_no_more_than_connections() {
    let limits = "[limits]\nlogin_seconds = 1\nconnections_per_session = 2\n";
    let desk = Desk::new(&Shape { sections: limits, ..open() }).await;
    let login = desk.session(&[]);
    let since = Instant::now();
    let (mut fresh, _) = connect(&login, &format!("{DYNAMODB}:443"), &own(&login)).await;
    let mut idle = shaken(&login, (DYNAMODB, DYNAMODB), trusting(&login)).await.expect("a handshake");
    let (_, said) = connect(&login, &format!("{DYNAMODB}:443"), &own(&login)).await;
    assert!(said.starts_with("HTTP/1.1 503"), "{said}");
    assert_eq!(fresh.read(&mut [0; 16]).await.unwrap_or_default(), 0);
    assert_eq!(idle.read(&mut [0; 16]).await.unwrap_or_default(), 0);
    assert!(since.elapsed() >= Duration::from_millis(900), "{:?}", since.elapsed());
    while connections(&desk, &login) > 0 {
        assert!(since.elapsed() < Duration::from_secs(20), "they are still counted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut sender = tunnel(&login, DYNAMODB).await;
    assert_eq!(through(&mut sender, &get_item(), &login, DYNAMODB).await.status, 200);
}

/// curl, which takes no endpoint, only a proxy and what to trust.
async fn curl(desk: &Desk, login: &AwsLogin, arguments: &[&str]) -> Output {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail-with-body", "--max-time", "20"])
        .args(["--user", &format!("{}:{}", login.access_key, login.secret)])
        .arg("--cacert")
        .arg(desk.tyer.directory().join("aws-ca.crt"))
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HTTPS_PROXY", &login.proxy);
    tokio::task::spawn_blocking(move || curl.output().expect("curl")).await.expect("curl")
}

#[tokio::test]
async fn curl_reaches_aws_through_its_proxy() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    desk.service.says(Says::Answer(200, "<who/>".to_owned()));
    let sts = ["--aws-sigv4", "aws:amz:us-east-1:sts", "https://sts.us-east-1.amazonaws.com/"];
    let asked = ["--data", "Action=GetCallerIdentity&Version=2011-06-15"];
    let said = curl(&desk, &login, &[&sts[..], &asked].concat()).await;
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(said.stdout, b"<who/>");
    let seen = desk.service.seen();
    assert_eq!(seen[0].signer.as_deref(), Some(ACCESS_KEY));
    assert_eq!(seen[0].body, "Action=GetCallerIdentity&Version=2011-06-15");
    let said = curl(&desk, &login, &["https://example.com/"]).await;
    assert!(String::from_utf8_lossy(&said.stderr).contains("403"), "{said:?}");
    let mut stranger = login.clone();
    stranger.proxy = login.proxy.replace(&login.password, "x");
    let said = curl(&desk, &stranger, &[&sts[..], &asked].concat()).await;
    assert!(String::from_utf8_lossy(&said.stderr).contains("407"), "{said:?}");
    assert_eq!(desk.service.seen().len(), 1);
    let shown =
        desk.tyer.run(&["session", "new", "--agent", "kiro", "--for", "carol", "--upstream", "cloud"]);
    let shown = shown.expect("a session");
    assert!(shown.contains("# export HTTPS_PROXY=http://s-"), "{shown}");
    let bundle =
        format!("# export AWS_CA_BUNDLE={}", desk.tyer.directory().join("aws-ca.crt").display());
    assert!(shown.contains(&bundle), "{shown}");
}
