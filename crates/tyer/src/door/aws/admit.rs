//! Who sent a request: its signature is verified with the secret that was minted for the session.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use hyper::http::request::Parts;
use tyer_core::intent::Digest;
use tyer_wire::aws::asked::path_style;
use tyer_wire::aws::chunked::{ChunkError, Decoder};
use tyer_wire::aws::decode::{Scope as Seen, decode};
use tyer_wire::aws::protocol::Protocol;
use tyer_wire::aws::refuse::Kind;
use tyer_wire::aws::request::Head;
use tyer_wire::aws::sigv4::{Claim, Scope, SigningKey, Verified};
use tyer_wire::aws::table::{self, Api};

use super::Door;
use super::answer::Refused;
use super::tunnel::Tunnel;
use crate::clock;
use crate::gateway::access_keys::Holder;

/// Keys that are kept for their access key, day, region and service.
const KEYS_MAX: usize = 10_000;

/// Keys derived from the secrets of access keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    kept: Mutex<HashMap<(String, Scope), SigningKey>>,
}

impl Keys {
    fn of(&self, id: &str, holder: &Holder, scope: &Scope) -> SigningKey {
        // An entry is put in whole or not at all.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (id.to_owned(), scope.clone());
        if let Some(key) = kept.get(&place) {
            return key.clone();
        }
        if kept.len() >= KEYS_MAX {
            kept.clear();
        }
        let key = SigningKey::derive(holder.secret.reveal(), scope);
        kept.insert(place, key.clone());
        key
    }
}

/// A request whose sender is claimed, and known if the claim is true.
pub(super) struct Claimed {
    /// As it was signed.
    head: Head,
    /// Without the signature, with S3's buckets in the path.
    pub(super) plain: Head,
    pub(super) claim: Claim,
    pub(super) holder: Holder,
    key: SigningKey,
}

impl Claimed {
    /// What reads a body in chunks.
    pub(super) fn decoder(&self, verified: &Verified) -> Result<Decoder, ChunkError> {
        Decoder::new(verified, &self.head)
    }

    /// Whether it is true; `body` is the SHA-256 of the whole body, if that is there.
    pub(super) fn verify(&self, body: Option<&Digest>) -> Result<Verified, Refused> {
        self.claim
            .verify(&self.head, body, &self.key, clock::now())
            .map_err(|why| self.refuse(Kind::from(&why), why.to_string()))
    }

    pub(super) fn refuse(&self, kind: Kind, message: impl Into<String>) -> Refused {
        let Scope { service, region, .. } = self.claim.scope();
        Refused::new(seems(&self.head, service, region), kind, message)
    }
}

/// The head of a request, as it was sent.
pub(super) fn head(parts: &Parts) -> Result<Head, Refused> {
    let mut headers = Vec::with_capacity(parts.headers.len());
    for (name, value) in &parts.headers {
        let Ok(value) = std::str::from_utf8(value.as_bytes()) else {
            let message = format!("the header {name} is not UTF-8");
            return Err(Refused::new(Protocol::Query, Kind::Malformed, message));
        };
        headers.push((name.as_str().to_owned(), value.to_owned()));
    }
    if parts.uri.scheme().is_some() {
        let message =
            "this is no proxy for plain HTTP; give its address as AWS_ENDPOINT_URL or HTTPS_PROXY";
        return Err(Refused::new(Protocol::Query, Kind::NotImplemented, message));
    }
    Ok(Head {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers,
    })
}

/// Finds out whose access key it is, and what keeps the door closed.
pub(super) async fn claimed(
    door: &Door,
    through: Option<&Tunnel>,
    head: Head,
) -> Result<Claimed, Refused> {
    let unsigned = |protocol, why: &tyer_wire::aws::sigv4::Unsigned| {
        Refused::new(protocol, Kind::from(*why), why.to_string())
    };
    let claim = Claim::read(&head).map_err(|why| unsigned(seems(&head, "", ""), &why))?;
    let (service, region) = (&claim.scope().service, &claim.scope().region);
    let protocol = || seems(&head, service, region);
    let refuse = |kind, message: &str| Refused::new(protocol(), kind, message);
    let holder = door.gateway.holder(claim.access_key(), &door.upstream).await.ok_or_else(|| {
        let message = "Tyer: this access key is none of a session that runs here; use the one that \
                       `tyer session new` shows";
        refuse(Kind::UnknownKey, message)
    })?;
    if claim.token().is_some() {
        let message = "Tyer: access keys of sessions have no session token; unset AWS_SESSION_TOKEN";
        return Err(refuse(Kind::Ended, message));
    }
    let session = &holder.principal.session;
    if let Some(why) = through.and_then(|it| it.disagreement(&head, claim.scope(), session)) {
        return Err(refuse(Kind::Denied, &format!("Tyer: {why}")));
    }
    if !holder.closed_by.is_empty() {
        let (message, next) = door.gateway.closed_in_words(&holder.closed_by);
        return Err(refuse(Kind::Denied, &format!("Tyer: {message} -- {next}")));
    }
    if !is_reached(door, table::signed_for(service), region) {
        return Err(refuse(Kind::Denied, &format!("Tyer: {}", not_reached(door, region))));
    }
    let plain = claim.plain(&head).map_err(|why| unsigned(protocol(), &why))?.into_owned();
    let plain = path_style(plain, service, &door.names);
    let key = door.keys.of(claim.access_key(), &holder, claim.scope());
    Ok(Claimed { head, plain, claim, holder, key })
}

/// Whether one of these may be asked in a region: one that is configured, or where a service is that has one place for
/// all.
pub(super) fn is_reached(door: &Door, mut apis: impl Iterator<Item = Api>, region: &str) -> bool {
    let config = door.cloud.config();
    if config.regions.contains(region) {
        return true;
    }
    let is_of_partition =
        config.regions.iter().any(|it| table::partition(it) == table::partition(region));
    let is_global = |api| {
        table::host(api, region).is_some_and(|host| {
            table::endpoint(&host).is_some_and(|it| it.region == region) && !host.contains(region)
        })
    };
    is_of_partition && apis.any(is_global)
}

pub(super) fn not_reached(door: &Door, region: &str) -> String {
    let regions: Vec<&str> = door.cloud.config().regions.iter().map(String::as_str).collect();
    format!("the region {region} is not behind this door; {}", regions.join(", "))
}

/// The protocol that a request seems to speak, before anybody knows who sent it.
fn seems(head: &Head, service: &str, region: &str) -> Protocol {
    decode(head, &[], &Seen { service, region }).protocol.unwrap_or(Protocol::Query)
}
