//! Access keys for sessions at AWS doors. Nothing is kept of them: the id says which session and account it is, and the
//! secret follows from it by a key of the data directory, because whoever verifies a signature needs the secret itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::hmac;
use tyer_core::intent::{Principal, SessionId, Upstream};

use super::Gateway;
use super::world::Session;
use crate::clock;
use crate::secret::Secret;

/// What every minted id begins with, so that it is never taken for one of AWS's.
const PREFIX: &str = "TYER";
/// Digits of an account's place among those of the session.
const PLACE_DIGITS: usize = 3;

/// An access key that was minted for a session.
#[derive(Clone, Debug)]
pub(crate) struct AccessKey {
    /// The account, by the operator's name.
    pub(crate) account: String,
    pub(crate) id: String,
    pub(crate) secret: Secret,
}

/// Whose access key it is.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) principal: Principal,
    pub(crate) account: String,
    pub(crate) secret: Secret,
    /// The parts of the configuration whose change keeps the door closed.
    pub(crate) closed_by: Vec<String>,
}

impl Gateway {
    /// Every access key of a session, one for each account.
    pub(crate) fn access_keys(&self, session: &Session) -> Vec<AccessKey> {
        let accounts = session.accounts.iter().enumerate();
        let key = |(place, account): (usize, &String)| {
            let id = id(&session.principal.session, place)?;
            Some(AccessKey { account: account.clone(), secret: self.secret_of(&id)?, id })
        };
        accounts.filter_map(key).collect()
    }

    /// Whose access key that is at this upstream, if their session runs.
    pub(crate) async fn holder(&self, id: &str, upstream: &Upstream) -> Option<Holder> {
        let (word, place) = parts(id)?;
        let world = self.world().await;
        let session = super::sessions::running(&world, &format!("s-{word}"), clock::now())?;
        if session.upstream != *upstream {
            return None;
        }
        let account = session.accounts.get(place)?.clone();
        let (principal, secret) = (session.principal.clone(), self.secret_of(id)?);
        Some(Holder { principal, account, secret, closed_by: Self::closed_by(&world.parts, upstream) })
    }

    /// The session whose credentials these are at this upstream, if it runs: its id and password, or one of its access
    /// keys and that one's secret.
    pub(crate) async fn presented(
        &self,
        user: &str,
        password: &str,
        upstream: &Upstream,
    ) -> Option<SessionId> {
        if user.starts_with(PREFIX) {
            let holder = self.holder(user, upstream).await?;
            return self.is_secret_of(user, password).then_some(holder.principal.session);
        }
        let (session, verifier) = self.verifier(user, upstream).await?;
        verifier.accepts(password).then_some(session)
    }

    /// In constant time.
    fn is_secret_of(&self, id: &str, secret: &str) -> bool {
        let (Some(key), Ok(tag)) = (self.key(), STANDARD_NO_PAD.decode(secret)) else { return false };
        hmac::verify(&key, &said(id), &tag).is_ok()
    }

    fn key(&self) -> Option<hmac::Key> {
        let key = self.config.session_key.as_ref()?;
        Some(hmac::Key::new(hmac::HMAC_SHA256, key.reveal().as_bytes()))
    }

    fn secret_of(&self, id: &str) -> Option<Secret> {
        let tag = hmac::sign(&self.key()?, &said(id));
        Some(Secret::new(STANDARD_NO_PAD.encode(tag.as_ref())))
    }
}

/// What a secret is the tag of.
fn said(id: &str) -> Vec<u8> {
    format!("aws access key {id}").into_bytes()
}

/// `TYER7K2M9QXA000`: the session's word in capitals and the account's place.
fn id(session: &SessionId, place: usize) -> Option<String> {
    let word = session.as_str().strip_prefix("s-")?;
    Some(format!("{PREFIX}{}{place:0PLACE_DIGITS$}", word.to_ascii_uppercase()))
}

/// The session's word and the account's place.
fn parts(id: &str) -> Option<(String, usize)> {
    let rest = id.strip_prefix(PREFIX)?;
    let (word, place) = rest.split_at_checked(rest.len().checked_sub(PLACE_DIGITS)?)?;
    let is_plain = |text: &str| text.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit());
    if word.is_empty() || !is_plain(word) || !place.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    Some((word.to_ascii_lowercase(), place.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_whose_it_is() {
        let made = id(&SessionId::new("s-7k2m9qxa"), 12).expect("an id");
        assert_eq!(made, "TYER7K2M9QXA012");
        assert_eq!(parts(&made), Some(("7k2m9qxa".to_owned(), 12)));
        for other in ["AKIA7K2M9QXA012", "TYER", "TYER012", "TYER7k2m9qxa012", "TYER7K2M9QXA-12", ""] {
            assert_eq!(parts(other), None, "{other}");
        }
    }
}
