//! Makers of authenticators whose attestations make a passkey a hardware key.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tyer_core::assertion::attestation::Roots;
use tyer_core::intent::Digest;

use super::{ConfigError, read};

/// The name of the part.
pub(crate) const ATTESTATION: &str = "attestation";

/// The section as the file says it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAttestation {
    /// Files with root certificates, PEM, relative to the data directory.
    roots: Vec<PathBuf>,
}

impl RawAttestation {
    /// The roots, and the digest of all that the files say.
    pub(super) fn load(&self, data: &Path) -> Result<(Roots, Digest), ConfigError> {
        let (mut all, mut said) = (Roots::default(), String::new());
        for file in &self.roots {
            let path = data.join(file);
            let text = read(&path)?;
            let roots = Roots::of_pem(text.as_bytes()).map_err(|error| ConfigError::Value {
                path,
                key: "attestation.roots".to_owned(),
                message: error.to_string(),
            })?;
            all = all.and(roots);
            said.push_str(&text);
        }
        Ok((all, Digest::of_parts(&[b"tyer/attestation-roots/v1", said.as_bytes()])))
    }
}
