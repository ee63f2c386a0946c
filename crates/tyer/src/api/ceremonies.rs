//! Passkey ceremonies: statements to sign, signed decisions, and enrolment.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use tyer_core::assertion::Registration;
use tyer_core::intent::{Digest, FreezeId, HoldId, PersonId};
use tyer_core::limits::COMMENT_CHARS_MAX;
use tyer_core::statement::Decision;

use super::Body;
use super::bodies::ssh::KeyProofBody;
use super::bodies::{
    DecisionBody, EffectedBody, EnrolmentBody, KillBody, PersonBody, RegistrationBody, StatementBody,
    WishBody, base64url,
};
use super::error::ApiError;
use super::guard::{Caller, decides_nothing};
use super::sign_ins::set_cookie;
use super::site::Site;
use crate::clock;
use crate::gateway::people::is_name;
use crate::gateway::statements::{Assertion, DecisionError, Effected, Wish};
use crate::gateway::world::Person;

type Shared = State<Arc<Site>>;

/// A statement for the caller to sign.
pub(super) async fn statement(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Body(body): Body<WishBody>,
) -> Result<Json<StatementBody>, ApiError> {
    let wish = wish(body)?;
    let person = match (&wish, caller) {
        (_, Caller::Operator) => return Err(needs_a_passkey()),
        (Wish::SignIn, _) => None,
        (_, Caller::Person { id, counts: true, .. }) => Some(id),
        (_, Caller::Person { audits: true, .. }) => return Err(decides_nothing()),
        (_, Caller::Person { .. } | Caller::Nobody) => {
            return Err(ApiError::forbidden(
                "only people who count decide",
                "sign in with the passkey of a person who counts",
            ));
        }
    };
    let statement = said(&site, site.gateway.prepare(person.as_ref(), wish).await).await?;
    let allow = match person {
        Some(person) => credentials(&site, &person).await,
        None => Vec::new(),
    };
    Ok(Json(StatementBody::of(&statement, allow, site.gateway.config.console.relying_party.id())))
}

fn wish(body: WishBody) -> Result<Wish, ApiError> {
    Ok(match body {
        WishBody::Approve(hold) => Wish::Approve(HoldId::new(hold)),
        WishBody::ApproveAll(holds) => Wish::ApproveAll(holds.into_iter().map(HoldId::new).collect()),
        WishBody::Reject(hold) => Wish::Reject(HoldId::new(hold)),
        WishBody::BreakGlass(body) => Wish::BreakGlass(HoldId::new(body.hold), words(&body.reason)?),
        WishBody::Review(body) => Wish::Review(HoldId::new(body.hold), words(&body.finding)?),
        WishBody::Invite(name) if is_name(&name) => Wish::Invite(PersonId::new(name)),
        WishBody::Invite(_) => {
            return Err(ApiError::bad("a name is up to 64 letters, digits, `-`, `_` or `.`"));
        }
        WishBody::Confirm(name) => Wish::Confirm(PersonId::new(name)),
        WishBody::Link([person, other]) => Wish::Link(PersonId::new(person), PersonId::new(other)),
        WishBody::Thaw(freeze) => Wish::Thaw(FreezeId::new(freeze)),
        WishBody::Kill(target) => {
            Wish::Kill(target.target().ok_or_else(|| ApiError::bad("say `true` or leave it"))?)
        }
        WishBody::Configure(part) => Wish::Configure(part),
        WishBody::SignIn(true) => Wish::SignIn,
        WishBody::MakeKey(true) => Wish::MakeKey,
        WishBody::AddKey(key) => Wish::AddKey(key),
        WishBody::ConfirmKey(fingerprint) => Wish::ConfirmKey(fingerprint),
        WishBody::RemoveKey(fingerprint) => Wish::RemoveKey(fingerprint),
        WishBody::AddPasskey(true) => Wish::AddPasskey,
        WishBody::Recover(name) => Wish::Recover(PersonId::new(name)),
        WishBody::ConfirmPasskey(digest) => Wish::ConfirmPasskey(passkey(&digest)?),
        WishBody::RemovePasskey(digest) => Wish::RemovePasskey(passkey(&digest)?),
        WishBody::SignIn(false) | WishBody::AddPasskey(false) | WishBody::MakeKey(false) => {
            return Err(ApiError::bad("say `true` or leave it"));
        }
    })
}

/// Words that are signed with a decision.
fn words(text: &str) -> Result<String, ApiError> {
    match text.chars().count() <= COMMENT_CHARS_MAX {
        true => Ok(text.trim().to_owned()),
        false => Err(ApiError::bad("that is at most 2,000 characters")),
    }
}

fn passkey(digest: &str) -> Result<Digest, ApiError> {
    let named = |_| ApiError::bad("a passkey is named by its digest, 64 hexadecimal digits");
    Digest::try_from(digest.to_owned()).map_err(named)
}

async fn credentials(site: &Site, person: &PersonId) -> Vec<String> {
    let world = site.gateway.world().await;
    let person = world.people.get(person).into_iter();
    person.flat_map(Person::passkeys).map(|key| key.credential.clone()).collect()
}

/// Does what a signed statement says.
pub(super) async fn decide(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Body(body): Body<DecisionBody>,
) -> Result<Response, ApiError> {
    if caller == Caller::Operator {
        return Err(needs_a_passkey());
    }
    let comment = body.comment.trim().to_owned();
    check_comment(&site, &body.nonce, &comment, |name| caller.hands_in_of(name)).await?;
    let assertion = Assertion {
        credential: body.assertion.credential,
        authenticator_data: body.assertion.authenticator_data,
        client_data: body.assertion.client_data,
        signature: body.assertion.signature,
        key: body.key.map(KeyProofBody::proof),
    };
    let effected =
        said(&site, site.gateway.decide_signed(&body.nonce, assertion, comment).await).await?;
    Ok(match effected {
        Effected::Done => Json(EffectedBody::Done(true)).into_response(),
        Effected::Invited { token } => {
            let url = format!("{}/enrol/{token}", site.gateway.config.console.origin);
            Json(EffectedBody::Invited { url }).into_response()
        }
        Effected::Killed(kill) => {
            Json(EffectedBody::Killed(Box::new(KillBody::of(*kill)))).into_response()
        }
        Effected::Removed(person) => {
            site.sign_ins.close_of(&person);
            Json(EffectedBody::Done(true)).into_response()
        }
        Effected::SignedIn(person) => {
            let token = site.sign_ins.open(person.clone(), clock::now())?;
            let body = Json(EffectedBody::SignedIn(person.to_string()));
            ([(header::SET_COOKIE, set_cookie(&token))], body).into_response()
        }
    })
}

/// What was decided, or why not: of a hold that has ended, what became of it.
pub(super) async fn said<T>(site: &Site, decided: Result<T, DecisionError>) -> Result<T, ApiError> {
    match decided {
        Ok(decided) => Ok(decided),
        Err(error) => Err(site.gateway.saying(error).await.into()),
    }
}

/// Looks at what belongs to a signature before the statement is used up by it. The statement must be the
/// caller's own, so that a signature made in one browser is not handed in from another.
pub(super) async fn check_comment(
    site: &Site,
    nonce: &str,
    comment: &str,
    is_theirs: impl FnOnce(&str) -> bool,
) -> Result<(), ApiError> {
    if comment.chars().count() > COMMENT_CHARS_MAX {
        return Err(ApiError::bad("a comment is at most 2,000 characters"));
    }
    let world = site.gateway.world().await;
    let Some(statement) = world.statements.get(nonce) else { return Ok(()) };
    if !statement.person.is_empty() && !is_theirs(&statement.person) {
        return Err(ApiError::forbidden(
            "this statement was made for somebody else",
            "sign in and repeat it",
        ));
    }
    if matches!(statement.what, Decision::Reject(_)) && comment.is_empty() {
        return Err(ApiError::bad("a rejection needs a reason, for the agent to read"));
    }
    Ok(())
}

/// Begins an enrolment: what the browser needs to make a passkey.
pub(super) async fn begin_enrolment(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(token): Path<String>,
) -> Result<Json<EnrolmentBody>, ApiError> {
    if caller == Caller::Operator {
        return Err(needs_a_passkey());
    }
    let statement = site.gateway.begin_enrolment(&token).await?;
    let user_id =
        base64url(&Digest::of(format!("tyer/{}/{}", statement.origin, statement.person).as_bytes()).0);
    let person = statement.person.clone();
    // An authenticator keeps one passkey of a user; it would exchange one that is to stay.
    let exclude = credentials(&site, &PersonId::new(person.clone())).await;
    let statement =
        StatementBody::of(&statement, Vec::new(), site.gateway.config.console.relying_party.id());
    let attestation = if site.gateway.config.roots.is_empty() { "none" } else { "direct" };
    Ok(Json(EnrolmentBody { person, user_id, attestation, exclude, statement }))
}

/// Ends an enrolment with the new passkey.
pub(super) async fn finish_enrolment(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Path(token): Path<String>,
    Body(body): Body<RegistrationBody>,
) -> Result<Json<PersonBody>, ApiError> {
    if caller == Caller::Operator {
        return Err(needs_a_passkey());
    }
    let registration =
        Registration { client_data: body.client_data, attestation_object: body.attestation_object };
    let person = site.gateway.finish_enrolment(&token, &body.nonce, &registration).await?;
    Ok(Json(PersonBody::of(&person)))
}

fn needs_a_passkey() -> ApiError {
    ApiError::forbidden(
        "this needs a passkey, and the operator has none",
        "open the console in a browser",
    )
}
