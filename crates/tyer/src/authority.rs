//! Tyer's own authority, which says of a certificate that it is one of a host of AWS: only for clients that come through
//! the door as their proxy and trust it.
//!
//! RFC 5280, sections 4.2.1.9 and 4.2.1.10: no certificate that it issues is good for a host outside of AWS's domains, for
//! an address or for issuing more. So whoever steals its key can be AWS to clients that trust it, and nobody else.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
    date_time_ymd,
};
use tokio_rustls::rustls::crypto::ring::sign::any_ecdsa_type;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::{NoServerSessionStorage, ResolvesServerCertUsingSni};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tyer_core::intent::{Digest, Timestamp};
use tyer_wire::aws::table;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;

use crate::clock;
use crate::founding;
use crate::secret::Secret;
use crate::serve::ServeError;

/// What clients are to trust.
pub(crate) const CERTIFICATE: &str = "aws-ca.crt";
/// Its private key.
pub(crate) const KEY: &str = "aws-ca.key";
/// How long the authority lasts.
const LASTS_MS: i64 = 10 * 365 * DAY_MS;
/// How long a host's certificate lasts, and how long before its end it is made anew.
const LEAF_LASTS_MS: i64 = 12 * HOUR_MS;
const LEAF_RENEWED_MS: i64 = 6 * HOUR_MS;
/// How far behind a client's clock may be.
const SKEW_MS: i64 = HOUR_MS;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Hosts whose certificates are kept.
const HOSTS_MAX: usize = 1_000;

/// The authority with what it has issued lately.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    kept: Mutex<HashMap<String, (Arc<ServerConfig>, Timestamp)>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// Why a host has no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssueError {
    #[error("no certificate can be made: {0}")]
    Made(#[from] rcgen::Error),
    #[error("no certificate can be used: {0}")]
    Used(#[from] rustls::Error),
}

impl Authority {
    /// Reads that of a data directory, which is made when it is first needed.
    pub(crate) fn at_home(data: &Path) -> Result<Self, ServeError> {
        let (certificate, key) = (data.join(CERTIFICATE), data.join(KEY));
        let bad = |why: String| ServeError::Authority(format!("{}: {why}", certificate.display()));
        if !key.exists() {
            if certificate.exists() {
                return Err(bad("its key is gone; remove it to have another made".to_owned()));
            }
            let made = KeyPair::generate().map_err(|error| bad(error.to_string()))?;
            let made = Secret::new(made.serialize_pem());
            founding::write_private(&key, made.reveal()).map_err(|error| bad(error.to_string()))?;
        }
        let pair = founding::read_private(&key, bad)?;
        let pair = KeyPair::from_pem(pair.reveal()).map_err(|error| bad(error.to_string()))?;
        let now = clock::now();
        if !certificate.exists() {
            let made = params(&pair, now).self_signed(&pair).map_err(|error| bad(error.to_string()))?;
            founding::write_private(&certificate, &made.pem()).map_err(|it| bad(it.to_string()))?;
        }
        let pem = founding::read_private(&certificate, bad)?.reveal().to_owned();
        check(&pem, &pair, now).map_err(|why| bad(format!("{why}; remove it to have another made")))?;
        Ok(Self { pem, issuer: Issuer::new(params(&pair, now), pair), kept: Mutex::default() })
    }

    /// Its certificate, as text.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// How to be that host, and no other: a client that asks for another by name, or for none, is refused.
    pub(crate) fn host(&self, host: &str) -> Result<Arc<ServerConfig>, IssueError> {
        let now = clock::now();
        // An entry is put in whole or not at all.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((tls, until)) = kept.get(host)
            && now < *until
        {
            return Ok(Arc::clone(tls));
        }
        if kept.len() >= HOSTS_MAX {
            kept.clear();
        }
        let tls = Arc::new(self.made(host, now)?);
        let until = now.plus(LEAF_LASTS_MS - LEAF_RENEWED_MS);
        kept.insert(host.to_owned(), (Arc::clone(&tls), until));
        Ok(tls)
    }

    fn made(&self, host: &str, now: Timestamp) -> Result<ServerConfig, IssueError> {
        let (leaf, key) = self.issue(host, now)?;
        let key = PrivateKeyDer::try_from(key.serialize_der())
            .map_err(|why| rustls::Error::General(why.to_owned()))?;
        let key = CertifiedKey::new(vec![leaf.der().clone()], any_ecdsa_type(&key)?);
        let mut names = ResolvesServerCertUsingSni::new();
        names.add(host, key)?;
        let mut tls = ServerConfig::builder().with_no_client_auth().with_cert_resolver(Arc::new(names));
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Every tunnel says anew whom it is for.
        tls.session_storage = Arc::new(NoServerSessionStorage {});
        tls.send_tls13_tickets = 0;
        Ok(tls)
    }

    fn issue(&self, host: &str, now: Timestamp) -> Result<(rcgen::Certificate, KeyPair), rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![host.to_owned()])?;
        params.distinguished_name = named("Tyer in place of a host of AWS".to_owned());
        valid(&mut params, now.plus(-SKEW_MS), now.plus(LEAF_LASTS_MS));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        Ok((params.signed_by(&key, &self.issuer)?, key))
    }
}

fn params(key: &KeyPair, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name(key));
    valid(&mut params, now.plus(-SKEW_MS), now.plus(LASTS_MS));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let suffixes = table::suffixes().into_iter();
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: suffixes.map(|it| GeneralSubtree::DnsName(it.to_owned())).collect(),
        excluded_subtrees: vec![
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([0; 4], 0)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix([0; 16], 0)),
        ],
    });
    params
}

/// Another key is another authority.
fn name(key: &KeyPair) -> String {
    let digest = Digest::of(key.public_key_raw()).to_string();
    format!("Tyer in place of AWS {}", digest.get(..16).unwrap_or_default())
}

fn named(name: String) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

fn valid(params: &mut CertificateParams, since: Timestamp, until: Timestamp) {
    let date =
        |at: Timestamp| date_time_ymd(1970, 1, 1) + Duration::from_secs(at.0.unsigned_abs() / 1_000);
    params.not_before = date(since);
    params.not_after = date(until);
}

/// Whether a certificate is of that key, and binds it as far as the authority of this program is bound.
fn check(pem: &str, key: &KeyPair, now: Timestamp) -> Result<(), &'static str> {
    let (_, pem) = parse_x509_pem(pem.as_bytes()).map_err(|_| "it is not a certificate")?;
    let parsed = pem.parse_x509().map_err(|_| "it is not a certificate")?;
    let is_own = parsed.public_key().subject_public_key.data.as_ref() == key.public_key_raw()
        && parsed.subject().to_string() == format!("CN={}", name(key))
        && parsed.verify_signature(None).is_ok();
    if !is_own {
        return Err("it is not that of the key beside it");
    }
    if !is_constrained(&parsed) {
        return Err("it is not limited to the hosts of AWS");
    }
    if parsed.validity().not_after.timestamp() < now.0 / 1_000 {
        return Err("it has expired");
    }
    Ok(())
}

fn is_constrained(certificate: &X509Certificate<'_>) -> bool {
    let suffixes = table::suffixes();
    let is_known =
        |name: &GeneralName<'_>| matches!(name, GeneralName::DNSName(name) if suffixes.contains(name));
    let is_address = |name: &GeneralName<'_>| matches!(name, GeneralName::IPAddress(all) if all.iter().all(|it| *it == 0));
    let Ok(Some(constraints)) = certificate.name_constraints() else { return false };
    let permitted = constraints.value.permitted_subtrees.as_deref().unwrap_or_default();
    let excluded = constraints.value.excluded_subtrees.as_deref().unwrap_or_default();
    let path = certificate.basic_constraints().ok().flatten();
    constraints.critical
        && !permitted.is_empty()
        && permitted.iter().all(|tree| is_known(&tree.base))
        && excluded.iter().filter(|tree| is_address(&tree.base)).count() == 2
        && path.is_some_and(|it| it.value.ca && it.value.path_len_constraint == Some(0))
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::client::WebPkiServerVerifier;
    use tokio_rustls::rustls::client::danger::ServerCertVerifier as _;
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use tokio_rustls::rustls::{CertificateError, Error, RootCertStore};

    use super::*;

    fn private() -> tempfile::TempDir {
        tempfile::tempdir().expect("a directory")
    }

    #[test]
    fn what_it_issues_is_good_for_hosts_of_aws_alone() {
        let home = private();
        let authority = Authority::at_home(home.path()).expect("an authority");
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("a certificate");
        roots.add(root).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = verifier.build().expect("a verifier");
        let check = |host: &'static str, expect: Option<&str>| {
            let (leaf, _) = authority.issue(host, clock::now()).expect("a certificate");
            let name = ServerName::try_from(host).expect("a name");
            let result = verifier.verify_server_cert(leaf.der(), &[], &name, &[], UnixTime::now());
            let said = match result {
                Ok(_) => None,
                Err(Error::InvalidCertificate(CertificateError::Other(other))) => {
                    Some(other.to_string())
                }
                Err(other) => Some(other.to_string()),
            };
            match expect {
                None => assert_eq!(said, None, "{host}"),
                Some(expect) => {
                    assert!(said.as_deref().is_some_and(|it| it.contains(expect)), "{said:?}")
                }
            }
        };
        check("ec2.eu-west-1.amazonaws.com", None);
        check("my_old.bucket.s3.amazonaws.com", None);
        check("ec2.cn-north-1.amazonaws.com.cn", None);
        check("ec2.eu-west-1.api.aws", None);
        for other in ["example.com", "amazonaws.com.example.com", "xamazonaws.com", "127.0.0.1", "::1"]
        {
            check(other, Some("NameConstraintViolation"));
        }
    }

    #[test]
    fn it_is_the_same_at_the_next_start_and_refused_if_it_is_not_its_own() {
        let home = private();
        let first = Authority::at_home(home.path()).expect("an authority").pem().to_owned();
        assert_eq!(Authority::at_home(home.path()).expect("the same").pem(), first);
        let said = |home: &Path| Authority::at_home(home).expect_err("a refusal").to_string();
        let certificate = home.path().join(CERTIFICATE);
        let with = |params: CertificateParams, key: &KeyPair| {
            std::fs::write(&certificate, params.self_signed(key).expect("one").pem()).expect("a file");
        };
        let key = std::fs::read_to_string(home.path().join(KEY)).expect("a key");
        let key = KeyPair::from_pem(&key).expect("a key");
        let now = clock::now();
        with(params(&key, now), &KeyPair::generate().expect("a key"));
        assert!(said(home.path()).contains("not that of the key beside it"));
        with(params(&key, now.plus(-LASTS_MS - DAY_MS)), &key);
        assert!(said(home.path()).contains("has expired"));
        let mut wide = params(&key, now);
        wide.name_constraints = None;
        with(wide, &key);
        assert!(said(home.path()).contains("not limited to the hosts of AWS"));
        let mut wide = params(&key, now);
        wide.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        with(wide, &key);
        assert!(said(home.path()).contains("not limited to the hosts of AWS"));
        let mut wide = params(&key, now);
        let others = GeneralSubtree::DnsName("example.com".to_owned());
        wide.name_constraints.as_mut().expect("some").permitted_subtrees.push(others);
        with(wide, &key);
        assert!(said(home.path()).contains("not limited to the hosts of AWS"));
        std::fs::remove_file(home.path().join(KEY)).expect("gone");
        assert!(said(home.path()).contains("its key is gone"));
    }

    #[test]
    fn certificates_are_kept_within_a_bound() {
        let home = private();
        let authority = Authority::at_home(home.path()).expect("an authority");
        let host = |name: &str| authority.host(name).expect("a certificate");
        let first = host("sts.amazonaws.com");
        assert!(Arc::ptr_eq(&first, &host("sts.amazonaws.com")));
        for number in 0..HOSTS_MAX {
            host(&format!("b{number}.s3.amazonaws.com"));
        }
        assert!(authority.kept.lock().expect("kept").len() <= HOSTS_MAX);
        assert!(!Arc::ptr_eq(&first, &host("sts.amazonaws.com")), "it was forgotten");
    }
}
