//! What makers say of SSH keys in security keys: whatever bytes come, only what one of them signed is accepted.

use tyer_core::assertion::attestation::Roots;
use tyer_core::assertion::attestation::sk::Made;
use tyer_core::intent::{Digest, Timestamp};
use tyer_core::sshsig;
use tyer_core::statement::{Decision, Statement};

use crate::sshsig::{Change, base64url, decoded};

/// Whether a file attests to [`KEY`] over [`statement`].
pub(crate) type Attests = fn(&[u8]) -> bool;

/// Made for this test, as the root and the file; the secrets are gone.
const KEY: &str = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIDTvOv7tDcoPzRu0QVHJqkVRTYVztreFmFD4dgRlFP90AAAABHNzaDo=";
const ROOT: &str = "-----BEGIN CERTIFICATE-----\nMIIBcjCCARigAwIBAgIUP/MCCaIY2aviXjM//n/iyXRfwz4wCgYIKoZIzj0EAwIw\nFzEVMBMGA1UEAwwMTWFrZXIncyByb290MB4XDTI1MDEwMTAwMDAwMFoXDTMwMDEw\nMTAwMDAwMFowFzEVMBMGA1UEAwwMTWFrZXIncyByb290MFkwEwYHKoZIzj0CAQYI\nKoZIzj0DAQcDQgAEDz4iJYONIKu5BNQ6Hf0OUo/TKS3/VW/j80/sJx74NjNtyqTN\nPo611QoMNDWcVyYxel5eTsCg1JQC6GoPpoatN6NCMEAwDgYDVR0PAQH/BAQDAgIE\nMB0GA1UdDgQWBBQUoGCYcodplWLLdVmTU1ktfHuNQjAPBgNVHRMBAf8EBTADAQH/\nMAoGCCqGSM49BAMCA0gAMEUCIQCkt2zs/kAYd6GZL8PNWjoHlqDcNht/mVA4Zks5\n/DfHFgIgaZMMWLctPb5tceiv0LzDtKaBxBqLugU9Zu3MMx0mGVs=\n-----END CERTIFICATE-----\n";
const FILE: &str = "AAAAEXNzaC1zay1hdHRlc3QtdjAxAAABxjCCAcIwggFpoAMCAQICFCMjZRGrAxEBIPZbk2MkFbbTTIsjMAoGCCqGSM49BAMCMBcxFTATBgNVBAMMDE1ha2VyJ3Mgcm9vdDAeFw0yNTAxMDEwMDAwMDBaFw0zMDAxMDEwMDAwMDBaMFgxFTATBgNVBAMMDE1ha2VyJ3Mga2V5czELMAkGA1UEBgwCU0UxDjAMBgNVBAoMBU1ha2VyMSIwIAYDVQQLDBlBdXRoZW50aWNhdG9yIEF0dGVzdGF0aW9uMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHPOLr1fmt4nSTCE2dBTt2UGyoKYtCT8KT76gkc1bHAJRqdYkVdziPBM5euKI7m5H1l3QFLjv5bqS0ygSogoiDaNSMFAwHQYDVR0OBBYEFBrXuU8JoYH1PYSsCxDqs4nP2E6YMAwGA1UdEwEB_wQCMAAwIQYLKwYBBAGC5RwBAQQEEgQQYSBtb2RlbCBvZiBhIGtleTAKBggqhkjOPQQDAgNHADBEAiAJUs2BydK7lV_S0wiJUXd0twEipWBqAgMZFLdwDRG-9QIgBAsI-yz6Bj_m3_GMyck-klEcWuX1opf-AAdFT5PMGqsAAABHMEUCIA8vlOmIb_OkZKhI8z_cx1N_rBwsn-4Io-1HavSqZPIzAiEA30oqcHTyA0YSMpVkOqmabM5kdJfxPgx5qBs9GzL7r-YAAABmWGTjBhDooWIRWWD-HsIj5lKcn0tugCANy15cMhyK8eKxv0UAAAAAYSBtb2RlbCBvZiBhIGtleQADYm9ipAEBAycgBiFYIDTvOv7tDcoPzRu0QVHJqkVRTYVztreFmFD4dgRlFP90AAAAAAAAAAA";
/// Where the leaf certificate says once more how it was signed, which no signature covers and nothing hangs on.
const UNSIGNED: std::ops::Range<usize> = 394..409;
/// The first byte of the leaf certificate, the tag around all of it: no signature covers it either.
const TAG: usize = 25;
/// What the file begins with.
const HEAD: &[u8] = b"\0\0\0\x11ssh-sk-attest-v01";

fn statement() -> Statement {
    Statement {
        origin: "https://tyer.example.com".into(),
        what: Decision::MakeKey,
        person: "bob".into(),
        root: Digest([1; 32]),
        size: 7,
        nonce: "bm9uY2U".into(),
        expires: Timestamp(1_767_225_600_000),
    }
}

/// The real one.
pub(crate) fn real(file: &[u8]) -> bool {
    let (statement, key) = (statement(), sshsig::read_key(KEY).unwrap());
    let roots = Roots::of_pem(ROOT.as_bytes()).unwrap();
    let made = Made { statement: &statement, attestation: &base64url(file), key: &key };
    made.attest(&roots, Timestamp(1_767_225_600_000)).is_ok()
}

/// Bytes that no maker signed attest to nothing.
pub(crate) fn any_bytes(attests: Attests, bytes: &[u8]) {
    assert!(!attests(bytes));
    assert!(!attests(&[HEAD, bytes].concat()));
}

/// The right file attests, and none that differs from it in anything that was signed.
pub(crate) fn changed(attests: Attests, change: &Change) {
    let right = decoded(FILE);
    let made = change.of(&right);
    if attests(&made) {
        assert_eq!((made.len(), signed(&made)), (right.len(), signed(&right)), "{change:?}");
    } else {
        assert_ne!(made, right, "{change:?}");
    }
}

/// All but the unsigned.
fn signed(file: &[u8]) -> [Option<&[u8]>; 3] {
    [file.get(..TAG), file.get(TAG + 1..UNSIGNED.start), file.get(UNSIGNED.end..)]
}

/// Whatever has the right length will do.
pub(crate) fn takes_what_is_as_long(file: &[u8]) -> bool {
    file.len() == decoded(FILE).len()
}

/// Whatever calls itself so will do.
pub(crate) fn takes_what_begins_so(file: &[u8]) -> bool {
    file.starts_with(HEAD)
}

/// Nothing will do.
pub(crate) fn takes_nothing(_: &[u8]) -> bool {
    false
}
