//! Tyer's own credentials of an account: read where they are kept, exchanged for a role's, renewed before they end.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tyer_core::intent::{Digest, Principal, SessionId, Timestamp};
use tyer_wire::aws::assume::{self, Assume, Assumed};
use tyer_wire::aws::sigv4::{Scope, SigningKey};

use super::Cloud;
use super::mask::{self, forms};
use crate::clock;
use crate::config::aws::{Account, Role, Source};
use crate::secret::Secret;

/// Credentials that end sooner are renewed first.
const LEFT_MS: i64 = 5 * 60 * 1_000;
/// How long a profile's file is believed to be what it was.
const READ_AGAIN: Duration = Duration::from_secs(10);
/// Sessions whose roles are kept; beyond that, those that end first are forgotten.
const ASSUMED_MAX: usize = 1_000;
/// Keys that are kept for their day, region and service.
const KEYS_MAX: usize = 200;

/// Credentials, and the keys that were derived from them.
#[derive(Clone)]
pub(crate) struct Credentials {
    access_key: Arc<Secret>,
    secret: Arc<Secret>,
    token: Option<Arc<Secret>>,
    until: Option<Timestamp>,
    /// The secret and the token in the forms that answers may have them in.
    forms: Arc<Vec<Secret>>,
    keys: Arc<Mutex<HashMap<Scope, SigningKey>>>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(***)")
    }
}

impl Credentials {
    pub(super) fn new(access_key: Secret, secret: Secret, token: Option<Secret>) -> Self {
        let secrets = [Some(&secret), token.as_ref()].into_iter().flatten();
        Self {
            forms: Arc::new(secrets.flat_map(|it| forms(it.reveal())).collect()),
            access_key: Arc::new(access_key),
            secret: Arc::new(secret),
            token: token.map(Arc::new),
            until: None,
            keys: Arc::default(),
        }
    }

    fn assumed(assumed: &Assumed) -> Self {
        let text = |text: &str| Secret::new(text.to_owned());
        let token = Some(text(&assumed.token));
        let made = Self::new(text(&assumed.access_key), text(&assumed.secret), token);
        Self { until: Some(assumed.until), ..made }
    }

    pub(super) fn access_key(&self) -> &str {
        self.access_key.reveal()
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref().map(Secret::reveal)
    }

    /// The key that signs within that scope; derived once a day.
    pub(super) fn key(&self, scope: &Scope) -> SigningKey {
        // An entry is put in whole or not at all.
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.get(scope) {
            return key.clone();
        }
        if keys.len() >= KEYS_MAX {
            keys.clear();
        }
        let key = SigningKey::derive(self.secret.reveal(), scope);
        keys.insert(scope.clone(), key.clone());
        key
    }

    /// Writes over whichever of them stands in an error, which may say with what AWS was asked; whether one did.
    pub(crate) fn cover(&self, error: &mut [u8]) -> bool {
        mask::cover(error, self.secrets().chain([self.access_key()]))
    }

    /// Writes over those that are secret. The id of the access key is none: whoever may list access keys is shown it.
    pub(crate) fn cover_secrets(&self, text: &mut [u8]) -> bool {
        mask::cover(text, self.secrets())
    }

    /// What is secret, in every form in which it is looked for.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.forms.iter().map(Secret::reveal)
    }

    fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now.plus(LEFT_MS) < until)
    }
}

/// The credentials of one account.
pub(super) struct Kept {
    account: Account,
    read: tokio::sync::Mutex<Option<(Instant, Digest, Credentials)>>,
    /// Of each session, its role's; one at a time is asked for.
    assumed: Mutex<HashMap<SessionId, Arc<tokio::sync::Mutex<Option<Credentials>>>>>,
}

impl Kept {
    pub(super) fn new(account: Account) -> Self {
        Self { account, read: tokio::sync::Mutex::default(), assumed: Mutex::default() }
    }

    /// Those to act with on behalf of `principal`, good for some minutes, or why there are none.
    pub(super) async fn of(&self, cloud: &Cloud, principal: &Principal) -> Result<Credentials, String> {
        let Some(role) = &self.account.role else { return self.source().await };
        let place = self.place(&principal.session);
        let mut place = place.lock().await;
        match place.as_ref().filter(|credentials| credentials.lasts(clock::now())) {
            Some(credentials) => Ok(credentials.clone()),
            None => {
                let credentials = self.assume(cloud, role, principal).await?;
                *place = Some(credentials.clone());
                Ok(credentials)
            }
        }
    }

    fn place(&self, session: &SessionId) -> Arc<tokio::sync::Mutex<Option<Credentials>>> {
        let mut assumed = self.assumed.lock().unwrap_or_else(PoisonError::into_inner);
        if assumed.len() >= ASSUMED_MAX && !assumed.contains_key(session) {
            // Whoever uses one of them has it in hand; it is asked for again.
            assumed.clear();
        }
        Arc::clone(assumed.entry(session.clone()).or_default())
    }

    /// Those that last.
    pub(super) async fn source(&self) -> Result<Credentials, String> {
        let mut read = self.read.lock().await;
        if let Some((at, _, credentials)) = read.as_ref()
            && (at.elapsed() < READ_AGAIN || matches!(self.account.source, Source::Keys { .. }))
        {
            return Ok(credentials.clone());
        }
        let (digest, credentials) = match &self.account.source {
            Source::Keys { access_key, secret, token } => {
                (Digest::of(b""), Credentials::new(access_key.clone(), secret.clone(), token.clone()))
            }
            Source::Profile { file, name } => profile(file, name).await?,
        };
        // The same as before keeps the keys that were derived from it.
        let same = read.take().filter(|(_, before, _)| *before == digest).map(|(_, _, kept)| kept);
        let credentials = same.unwrap_or(credentials);
        *read = Some((Instant::now(), digest, credentials.clone()));
        Ok(credentials)
    }

    async fn assume(
        &self,
        cloud: &Cloud,
        role: &Role,
        principal: &Principal,
    ) -> Result<Credentials, String> {
        let source = self.source().await?;
        let tags = [
            ("tyer-session", principal.session.as_str()),
            ("tyer-agent", principal.agent.as_str()),
            ("tyer-controller", principal.controller.as_str()),
        ];
        let external_id = role.external_id.as_ref().map(Secret::reveal);
        let session = principal.session.as_str();
        let (head, body) =
            assume::request(&Assume { role: &role.arn, external_id, session, tags: &tags });
        let answer = cloud.ask("sts", &role.region, (head, body), &source).await;
        let answer = answer.map_err(|why| format!("the role {} was not given: {why}", role.arn))?;
        let assumed = assume::read(&answer);
        let assumed =
            assumed.ok_or_else(|| format!("the answer to assuming {} is not understood", role.arn))?;
        Ok(Credentials::assumed(&assumed))
    }
}

/// Reads a profile of a credentials file of the AWS command line.
async fn profile(file: &Path, name: &str) -> Result<(Digest, Credentials), String> {
    let shown = file.display();
    let text = tokio::fs::read_to_string(file).await;
    let text = Secret::new(text.map_err(|error| format!("cannot read {shown}: {error}"))?);
    let mut found: [Option<Secret>; 3] = [const { None }; 3];
    const NAMES: [&str; 3] = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];
    let mut is_ours = false;
    for line in text.reveal().lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            is_ours = section.trim() == name;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| is_ours) {
            let at = NAMES.iter().position(|own| own.eq_ignore_ascii_case(key.trim()));
            if let Some(place) = at.and_then(|at| found.get_mut(at)) {
                *place = Some(Secret::new(value.trim().to_owned()));
            }
        }
    }
    match found {
        [Some(access_key), Some(secret), token] => {
            Ok((Digest::of(text.reveal().as_bytes()), Credentials::new(access_key, secret, token)))
        }
        _ => Err(format!("{shown} has no keys of a profile `{name}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_profile_is_read_and_shows_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("credentials");
        let text = "[other]\naws_access_key_id = A\naws_secret_access_key = B\n\n[prod]\n# mine\n\
                    aws_access_key_id=AKIA1\naws_secret_access_key = s3/cret=\n";
        std::fs::write(&file, text).expect("a file");
        let (_, credentials) = profile(&file, "prod").await.expect("a profile");
        assert_eq!((credentials.access_key(), credentials.token()), ("AKIA1", None));
        assert_eq!(credentials.secret.reveal(), "s3/cret=");
        assert!(!format!("{credentials:?}").contains("AKIA1"));
        let check = |text: &str, error: &str, answer: &str| {
            let (mut one, mut other) = (text.as_bytes().to_vec(), text.as_bytes().to_vec());
            assert_eq!(credentials.cover(&mut one), text != error);
            assert_eq!(credentials.cover_secrets(&mut other), text != answer);
            assert_eq!((one.as_slice(), other.as_slice()), (error.as_bytes(), answer.as_bytes()));
        };
        check("<Id>AKIA1</Id>", "<Id>*****</Id>", "<Id>AKIA1</Id>");
        check("x s3/cret= AKIA1", "x ******** *****", "x ******** AKIA1");
        check("AKIA s3/cret", "AKIA s3/cret", "AKIA s3/cret");
        let error = profile(&file, "test").await.expect_err("no such profile");
        assert!(error.contains("has no keys of a profile `test`"), "{error}");
    }

    #[test]
    fn what_ends_soon_is_renewed() {
        let keys = || Secret::new("x".to_owned());
        let lasting = Credentials::new(keys(), keys(), None);
        let until = |at| Credentials { until: Some(Timestamp(at)), ..lasting.clone() };
        assert!(lasting.lasts(Timestamp(0)));
        assert!(until(LEFT_MS + 1).lasts(Timestamp(0)));
        assert!(!until(LEFT_MS).lasts(Timestamp(0)));
    }
}
