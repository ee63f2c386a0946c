//! SCRAM-SHA-256, the server's side (RFC 5802, RFC 7677), over a stored verifier.
//!
//! The exchange ends here and is never passed through, so the agent's password is good for Tyer only.
//! Over TLS it can be bound to the door's certificate (`tls-server-end-point`, RFC 5929), so that nobody
//! in between can pass it on; a client that could have done so and was kept from it is refused. A user that does not exist runs the same exchange over a verifier made from a secret of the
//! server, and fails at its end like a wrong password.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::{digest, hmac, pbkdf2};

/// The name of the mechanism.
pub const MECHANISM: &str = "SCRAM-SHA-256";
/// The name of the mechanism that binds the exchange to the channel.
pub const MECHANISM_PLUS: &str = "SCRAM-SHA-256-PLUS";
/// How often the password is hashed, unless said otherwise; PostgreSQL's default.
pub const ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(4095);
/// Characters that a client's nonce may have.
const NONCE_MAX: usize = 256;

/// Why an exchange failed. The client learns no more than that it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// Not a message of this exchange.
    #[error("malformed SCRAM message")]
    Malformed,
    /// The client binds the exchange to another channel, or was told that it could not bind it to this one.
    #[error("the exchange is not bound to this channel")]
    ChannelBinding,
    /// The password is wrong, or there is no such user.
    #[error("password authentication failed")]
    Wrong,
    /// The stored verifier cannot be read.
    #[error("not a SCRAM-SHA-256 verifier")]
    NotAVerifier,
}

/// What an exchange runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel<'a> {
    /// Nothing that it could be bound to.
    Plain,
    /// TLS, and the client chose not to bind it.
    Offered,
    /// TLS with this end point (RFC 5929), and the client chose to bind it.
    Bound(&'a [u8]),
}

impl<'a> Channel<'a> {
    /// What the client must show of the channel, having sent this flag (`gs2-cbind-flag` of RFC 5802).
    fn bound(self, flag: &str) -> Result<&'a [u8], ScramError> {
        match (self, flag) {
            (Self::Plain, "n" | "y") | (Self::Offered, "n") => Ok(&[]),
            (Self::Bound(end_point), "p=tls-server-end-point") => Ok(end_point),
            // It could bind the exchange, and somebody has hidden from it that we can.
            (Self::Offered, "y") => Err(ScramError::ChannelBinding),
            (_, flag) if flag.starts_with("p=") => Err(ScramError::ChannelBinding),
            _ => Err(ScramError::Malformed),
        }
    }
}

/// What is stored instead of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    stored: [u8; 32],
    server: [u8; 32],
}

impl Verifier {
    /// The verifier of a password. It is prepared as PostgreSQL does: by SASLprep, or taken as it is
    /// where that is not possible.
    #[must_use]
    pub fn from_password(password: &str, salt: &[u8], iterations: NonZeroU32) -> Self {
        let prepared = stringprep::saslprep(password).unwrap_or_else(|_| password.into());
        let mut salted = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, prepared.as_bytes(), &mut salted);
        let client = mac(&salted, b"Client Key");
        Self {
            iterations,
            salt: salt.to_vec(),
            stored: sha256(&client),
            server: mac(&salted, b"Server Key"),
        }
    }

    /// Whether this is the password, for credentials that come outside of an exchange.
    #[must_use]
    pub fn accepts(&self, password: &str) -> bool {
        let other = Self::from_password(password, &self.salt, self.iterations);
        same(&other.stored, &self.stored) & same(&other.server, &self.server)
    }

    /// A verifier that nothing satisfies, always the same for a user, so that asking twice does not
    /// tell whether the user exists.
    #[must_use]
    pub fn mock(secret: &[u8], user: &str) -> Self {
        let derive = |what: &[u8]| mac(secret, &[what, user.as_bytes()].concat());
        let salt = derive(b"salt:").iter().take(16).copied().collect();
        Self { iterations: ITERATIONS, salt, stored: derive(b"stored:"), server: derive(b"server:") }
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [&self.salt[..], &self.stored, &self.server].map(|it| BASE64.encode(it));
        write!(f, "{MECHANISM}${}:{salt}${stored}:{server}", self.iterations)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl FromStr for Verifier {
    type Err = ScramError;

    fn from_str(text: &str) -> Result<Self, ScramError> {
        let parts = || -> Option<Self> {
            let (iterations, rest) =
                text.strip_prefix(MECHANISM)?.strip_prefix('$')?.split_once(':')?;
            let (salt, keys) = rest.split_once('$')?;
            let (stored, server) = keys.split_once(':')?;
            let key = |text| BASE64.decode(text).ok()?.try_into().ok();
            Some(Self {
                iterations: iterations.parse().ok()?,
                salt: BASE64.decode(salt).ok()?,
                stored: key(stored)?,
                server: key(server)?,
            })
        };
        parts().ok_or(ScramError::NotAVerifier)
    }
}

/// An exchange after the server's first message.
#[derive(Debug)]
#[must_use]
pub struct Challenge {
    verifier: Verifier,
    exists: bool,
    binding: String,
    nonce: String,
    transcript: String,
}

/// Proof that the client knows the password.
#[derive(Debug)]
#[must_use]
pub struct Proven(());

impl Challenge {
    /// Answers the client's first message. `exists` tells whether the verifier is a user's or a mock;
    /// `nonce` is fresh randomness in printable characters without commas. Gives the state and the
    /// bytes for `AuthenticationSASLContinue`.
    ///
    /// # Errors
    /// The message is malformed or insists on channel binding.
    pub fn answer(
        first: &[u8],
        verifier: Verifier,
        exists: bool,
        nonce: &str,
    ) -> Result<(Self, Vec<u8>), ScramError> {
        Self::answer_over(first, verifier, exists, nonce, Channel::Plain)
    }

    /// As [`Challenge::answer`], over that channel.
    ///
    /// # Errors
    /// The message is malformed, or not bound to the channel as it must be.
    pub fn answer_over(
        first: &[u8],
        verifier: Verifier,
        exists: bool,
        nonce: &str,
        channel: Channel<'_>,
    ) -> Result<(Self, Vec<u8>), ScramError> {
        let first = std::str::from_utf8(first).map_err(|_| ScramError::Malformed)?;
        let (flag, rest) = first.split_once(',').ok_or(ScramError::Malformed)?;
        let bound = channel.bound(flag)?;
        // An authorisation identity would come next; PostgreSQL does not support one either.
        let bare = rest.strip_prefix(',').ok_or(ScramError::Malformed)?;
        let mut parts = bare.split(',');
        // The user is the one of the start-up message; the name here is often empty and ignored.
        parts.next().and_then(|user| user.strip_prefix("n=")).ok_or(ScramError::Malformed)?;
        let client = parts.next().and_then(|nonce| nonce.strip_prefix("r="));
        let client = client.filter(|nonce| is_nonce(nonce)).ok_or(ScramError::Malformed)?;
        let nonce = format!("{client}{nonce}");
        let answer = format!("r={nonce},s={},i={}", BASE64.encode(&verifier.salt), verifier.iterations);
        let transcript = format!("{bare},{answer}");
        let binding = BASE64.encode([flag.as_bytes(), b",,", bound].concat());
        Ok((Self { verifier, exists, binding, nonce, transcript }, answer.into_bytes()))
    }

    /// Checks the client's final message. Gives the proof and the bytes for `AuthenticationSASLFinal`.
    ///
    /// # Errors
    /// The message is malformed, or the password wrong, or the user does not exist.
    pub fn finish(self, last: &[u8]) -> Result<(Proven, Vec<u8>), ScramError> {
        let last = std::str::from_utf8(last).map_err(|_| ScramError::Malformed)?;
        let (unproven, proof) = last.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut parts = unproven.split(',');
        let binding = parts.next().and_then(|binding| binding.strip_prefix("c="));
        let nonce = parts.next().and_then(|nonce| nonce.strip_prefix("r="));
        if binding != Some(&self.binding) || nonce != Some(&self.nonce) {
            return Err(ScramError::Malformed);
        }
        let proof: [u8; 32] = BASE64
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok())
            .ok_or(ScramError::Malformed)?;
        let transcript = format!("{},{unproven}", self.transcript);
        let signature = mac(&self.verifier.stored, transcript.as_bytes());
        let mut client = proof;
        client.iter_mut().zip(signature).for_each(|(byte, with)| *byte ^= with);
        let right = same(&sha256(&client), &self.verifier.stored);
        if !(right & self.exists) {
            return Err(ScramError::Wrong);
        }
        let server = mac(&self.verifier.server, transcript.as_bytes());
        Ok((Proven(()), format!("v={}", BASE64.encode(server)).into_bytes()))
    }
}

fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.len() <= NONCE_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

fn mac(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes).as_ref());
    out
}

/// Whether two keys are the same, in a time that does not tell where they differ.
fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"compare");
    hmac::verify(&key, one, hmac::sign(&key, other).as_ref()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

    fn verifier(password: &str) -> Verifier {
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        Verifier::from_password(password, &salt, ITERATIONS)
    }

    #[test]
    fn the_example_of_rfc_7677() {
        let nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let (challenge, first) =
            Challenge::answer(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", verifier("pencil"), true, nonce)
                .unwrap();
        assert_eq!(
            first,
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let (_, answer) = challenge.finish(last).unwrap();
        assert_eq!(answer, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn against_a_real_client() {
        let check = |stored: Verifier, exists, password: &str, expect: Result<(), ScramError>| {
            let mut client = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
            let (challenge, first) =
                Challenge::answer(client.message(), stored, exists, "3rfcNHYJY1ZVvWVs7j").unwrap();
            client.update(&first).unwrap();
            let got = challenge.finish(client.message());
            let answer = got.map(|(_, last)| client.finish(&last).unwrap());
            assert_eq!(answer, expect, "{password}");
        };
        check(verifier("pencil"), true, "pencil", Ok(()));
        check(verifier("I\u{ad}X \u{2168}"), true, "IX IX", Ok(()));
        check(verifier("pencil"), true, "pencils", Err(ScramError::Wrong));
        check(verifier("pencil"), false, "pencil", Err(ScramError::Wrong));
        check(Verifier::mock(b"secret", "nobody"), false, "pencil", Err(ScramError::Wrong));
    }

    #[test]
    fn an_exchange_is_bound_to_its_channel() {
        let end_point = [7; 32];
        let check = |client: ChannelBinding, channel: Channel<'_>, expect: Result<(), ScramError>| {
            let mut client = ScramSha256::new(b"pencil", client);
            let got =
                Challenge::answer_over(client.message(), verifier("pencil"), true, "abc", channel)
                    .and_then(|(challenge, first)| {
                        client.update(&first).unwrap();
                        challenge.finish(client.message())
                    });
            assert_eq!(got.map(|(_, last)| client.finish(&last).unwrap()), expect, "{channel:?}");
        };
        let bound = |data: [u8; 32]| ChannelBinding::tls_server_end_point(data.to_vec());
        check(bound(end_point), Channel::Bound(&end_point), Ok(()));
        check(bound([8; 32]), Channel::Bound(&end_point), Err(ScramError::Malformed));
        check(ChannelBinding::unsupported(), Channel::Bound(&end_point), Err(ScramError::Malformed));
        check(ChannelBinding::unsupported(), Channel::Offered, Ok(()));
        check(ChannelBinding::unrequested(), Channel::Offered, Err(ScramError::ChannelBinding));
        check(ChannelBinding::unrequested(), Channel::Plain, Ok(()));
        check(bound(end_point), Channel::Plain, Err(ScramError::ChannelBinding));
    }

    #[test]
    fn what_is_refused() {
        let start = |first: &[u8]| {
            Challenge::answer(first, verifier("pencil"), true, "abc").map(|(challenge, _)| challenge)
        };
        let first = |text: &[u8], expect: ScramError| assert_eq!(start(text).unwrap_err(), expect);
        first(b"p=tls-server-end-point,,n=,r=abc", ScramError::ChannelBinding);
        first(b"n,a=root,n=,r=abc", ScramError::Malformed);
        first(b"n,,m=ext,n=,r=abc", ScramError::Malformed);
        first(b"n,,n=,r=", ScramError::Malformed);
        first(b"n,,n=,r=a\x01", ScramError::Malformed);
        first(b"\xff", ScramError::Malformed);
        let last = |text: &[u8], expect: ScramError| {
            assert_eq!(start(b"y,,n=,r=abc").unwrap().finish(text).unwrap_err(), expect);
        };
        let wrong = BASE64.encode([0; 32]);
        last(format!("c=eSws,r=abcabc,p={wrong}").as_bytes(), ScramError::Wrong);
        last(format!("c=biws,r=abcabc,p={wrong}").as_bytes(), ScramError::Malformed);
        last(format!("c=eSws,r=abcabd,p={wrong}").as_bytes(), ScramError::Malformed);
        last(b"c=eSws,r=abcabc,p=AAAA", ScramError::Malformed);
        last(b"c=eSws,r=abcabc", ScramError::Malformed);
    }

    #[test]
    fn verifiers_read_back() {
        let stored = verifier("pencil");
        assert_eq!(stored.to_string().parse(), Ok(stored.clone()));
        assert_eq!(format!("{stored:?}"), "Verifier");
        for text in ["", "SCRAM-SHA-256$0:YQ==$YQ==:YQ==", "md5abc"] {
            assert_eq!(text.parse::<Verifier>(), Err(ScramError::NotAVerifier));
        }
        assert_eq!(Verifier::mock(b"s", "a"), Verifier::mock(b"s", "a"));
        assert_ne!(Verifier::mock(b"s", "a").salt, Verifier::mock(b"s", "b").salt);
    }
}
