//! Public keys: how one is made of its parts, and what names it in statements.

use super::PublicKey;
use crate::intent::Digest;

impl PublicKey {
    /// A passkey's: its credential id and COSE key, both base64url.
    #[must_use]
    pub fn passkey(credential: impl Into<String>, cose: impl Into<String>) -> Self {
        Self { credential: credential.into(), cose: cose.into(), ssh: String::new(), attested: None }
    }

    /// What a confirmer signs for: the digest over credential id and key, so that neither can be
    /// exchanged under the other.
    #[must_use]
    pub fn digest(&self) -> Digest {
        if !self.ssh.is_empty() {
            return Digest::of_parts(&[b"tyer/ssh-key/v1", self.ssh.as_bytes()]);
        }
        Digest::of_parts(&[b"tyer/credential/v1", self.credential.as_bytes(), self.cose.as_bytes()])
    }
}
