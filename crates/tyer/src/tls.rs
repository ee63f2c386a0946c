//! TLS of the doors: their certificate, and what both sides of a connection can tell of it, which logins are bound to.

use std::path::Path;

use ring::digest::{self, SHA256, SHA384, SHA512};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::{
    OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA384,
    OID_SIG_ECDSA_WITH_SHA512,
};
use x509_parser::prelude::FromDer as _;

use crate::founding::{DOOR_CERTIFICATE, DOOR_KEY};
use crate::serve::ServeError;

/// How every door shows itself, with its certificate of the data directory.
pub(crate) fn of_doors(data: &Path) -> Result<(ServerConfig, CertificateDer<'static>), ServeError> {
    let chain = data.join(DOOR_CERTIFICATE);
    let bad = |error: &dyn std::fmt::Display| std::io::Error::other(error.to_string());
    let certificates = CertificateDer::pem_file_iter(&chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| ServeError::io(format!("cannot read {}", chain.display()))(bad(&error)))?;
    let key = PrivateKeyDer::from_pem_file(data.join(DOOR_KEY))
        .map_err(|error| ServeError::io("cannot read the door's key")(bad(&error)))?;
    let unusable = || ServeError::io("the door's certificate cannot be used");
    let leaf = certificates.first().cloned().ok_or_else(|| unusable()(bad(&"it is empty")))?;
    let tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| unusable()(bad(&error)))?;
    Ok((tls, leaf))
}

/// A certificate that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a certificate")]
pub(crate) struct NotACertificate;

/// `tls-server-end-point` (RFC 5929, section 4.1): the certificate's hash by the hash function of its
/// signature, SHA-256 in place of those that are too weak, and of those that have none of their own.
pub(crate) fn end_point(certificate: &[u8]) -> Result<Vec<u8>, NotACertificate> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| NotACertificate)?;
    let signature = &parsed.signature_algorithm.algorithm;
    let algorithm = if [OID_PKCS1_SHA384WITHRSA, OID_SIG_ECDSA_WITH_SHA384].contains(signature) {
        &SHA384
    } else if [OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA512].contains(signature) {
        &SHA512
    } else {
        &SHA256
    };
    Ok(digest::digest(algorithm, certificate).as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_signature() {
        let check = |algorithm: &'static rcgen::SignatureAlgorithm,
                     expect: &'static digest::Algorithm| {
            let key = rcgen::KeyPair::generate_for(algorithm).expect("a key");
            let parameters = rcgen::CertificateParams::new(vec!["a".to_owned()]).expect("a name");
            let made = parameters.self_signed(&key).expect("a certificate");
            let hash = digest::digest(expect, made.der());
            assert_eq!(end_point(made.der()), Ok(hash.as_ref().to_vec()));
        };
        check(&rcgen::PKCS_ECDSA_P256_SHA256, &SHA256);
        check(&rcgen::PKCS_ECDSA_P384_SHA384, &SHA384);
        check(&rcgen::PKCS_ED25519, &SHA256);
        assert_eq!(end_point(b"garbage"), Err(NotACertificate));
    }
}
