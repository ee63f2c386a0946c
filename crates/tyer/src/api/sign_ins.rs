//! Who is signed in: random tokens in `__Host-` cookies, kept by their digest only.
//!
//! Sign-ins live in memory. After a restart people sign in again, which costs them one touch.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue, header};
use tyer_core::intent::{Digest, PersonId, Timestamp};
use tyer_core::limits::SIGN_IN_MS;

use crate::secret::{self, NoRandomness};

/// The prefix makes browsers insist on `Secure`, on `Path=/` and on no `Domain`.
const COOKIE: &str = "__Host-tyer";
/// Sign-ins of one person at a time; the one that ends first gives way.
const PER_PERSON_MAX: usize = 20;

/// The sign-ins of this process.
#[derive(Debug, Default)]
pub(crate) struct SignIns {
    open: Mutex<HashMap<Digest, SignIn>>,
}

#[derive(Clone, Debug)]
struct SignIn {
    person: PersonId,
    ends: Timestamp,
}

impl SignIns {
    /// Signs a person in; returns the cookie's token.
    pub(crate) fn open(&self, person: PersonId, now: Timestamp) -> Result<String, NoRandomness> {
        let token = secret::token()?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, sign_in| now < sign_in.ends);
        while open.values().filter(|sign_in| sign_in.person == person).count() >= PER_PERSON_MAX {
            let of_person = open.iter().filter(|(_, sign_in)| sign_in.person == person);
            let Some(first) = of_person.min_by_key(|(_, sign_in)| sign_in.ends).map(|(key, _)| *key)
            else {
                break;
            };
            open.remove(&first);
        }
        open.insert(Digest::of(token.as_bytes()), SignIn { person, ends: now.plus(SIGN_IN_MS) });
        Ok(token)
    }

    /// Whose cookie these headers carry.
    pub(crate) fn person(&self, headers: &HeaderMap, now: Timestamp) -> Option<PersonId> {
        let token = token(headers)?;
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let sign_in = open.get(&Digest::of(token.as_bytes()))?;
        (now < sign_in.ends).then(|| sign_in.person.clone())
    }

    /// Ends the sign-in whose cookie these headers carry.
    pub(crate) fn close(&self, headers: &HeaderMap) {
        if let Some(token) = token(headers) {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.remove(&Digest::of(token.as_bytes()));
        }
    }

    /// Ends every sign-in of a person: a passkey of theirs may be in other hands.
    pub(crate) fn close_of(&self, person: &PersonId) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, sign_in| sign_in.person != *person);
    }
}

/// The header that hands out a token.
pub(crate) fn set_cookie(token: &str) -> HeaderValue {
    cookie(token, SIGN_IN_MS / 1_000)
}

/// The header that takes the cookie away.
pub(crate) fn clear_cookie() -> HeaderValue {
    cookie("", 0)
}

fn cookie(token: &str, seconds: i64) -> HeaderValue {
    let text =
        format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={seconds}");
    // Tokens are base64url, so this is always a header.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// The one cookie of that name. If there are several, somebody is playing tricks: then there is none.
fn token(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut tokens = pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned());
    let token = tokens.next()?;
    if tokens.next().is_some() { None } else { Some(token) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().expect("a header"));
        }
        headers
    }

    #[test]
    fn a_token_is_found_among_cookies_if_it_is_the_only_one() {
        let check = |lines: &[&str], expect: Option<&str>| {
            assert_eq!(token(&headers(lines)).as_deref(), expect, "{lines:?}");
        };
        check(&["__Host-tyer=abc"], Some("abc"));
        check(&["a=b; __Host-tyer=abc; c=d"], Some("abc"));
        check(&["a=b", "__Host-tyer=abc"], Some("abc"));
        check(&["tyer=abc"], None);
        check(&["__host-tyer=abc"], None);
        check(&["__Host-tyer=abc; __Host-tyer=def"], None);
        check(&["__Host-tyer=abc", "__Host-tyer=abc"], None);
        check(&[], None);
    }

    #[test]
    fn a_sign_in_ends_by_time_and_by_signing_out() {
        let sign_ins = SignIns::default();
        let alice = PersonId::new("alice");
        let token = sign_ins.open(alice.clone(), Timestamp(0)).expect("randomness");
        let mine = headers(&[&format!("{COOKIE}={token}")]);
        assert_eq!(sign_ins.person(&mine, Timestamp(SIGN_IN_MS - 1)), Some(alice.clone()));
        assert_eq!(sign_ins.person(&mine, Timestamp(SIGN_IN_MS)), None);
        assert_eq!(sign_ins.person(&headers(&["__Host-tyer=guess"]), Timestamp(0)), None);
        sign_ins.close(&mine);
        assert_eq!(sign_ins.person(&mine, Timestamp(0)), None);
    }

    #[test]
    fn one_person_cannot_fill_the_memory() {
        let sign_ins = SignIns::default();
        for at in 0..100 {
            sign_ins.open(PersonId::new("alice"), Timestamp(at)).expect("randomness");
        }
        assert_eq!(sign_ins.open.lock().expect("the lock").len(), PER_PERSON_MAX);
    }

    #[test]
    fn the_token_itself_is_not_kept() {
        let sign_ins = SignIns::default();
        let token = sign_ins.open(PersonId::new("alice"), Timestamp(0)).expect("randomness");
        assert!(!format!("{sign_ins:?}").contains(&token));
    }

    #[test]
    fn cookies_are_bound_to_this_host() {
        let text = set_cookie("abc");
        assert_eq!(text, "__Host-tyer=abc; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=43200");
        assert_eq!(
            clear_cookie(),
            "__Host-tyer=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"
        );
    }
}
