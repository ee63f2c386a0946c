//! Holds answered by SSH keys: over the socket in the data directory, by whoever is signed in, and from afar.
//!
//! From afar nothing but signatures counts: one to look at cards, which nobody sees without, and one to answer them.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use tyer_core::intent::HoldId;
use tyer_core::limits::{NAME_CHARS_MAX, TOGETHER_MAX};

use super::Body;
use super::bodies::EffectedBody;
use super::bodies::ssh::{
    AnswerBody, CardsBody, LookBody, LookedBody, SshDecisionBody, SshStatementBody, SshWishBody,
};
use super::ceremonies::{check_comment, said};
use super::error::ApiError;
use super::guard::{Caller, decides_nothing};
use super::site::Site;

type Shared = State<Arc<Site>>;

/// A statement about holds, for an SSH key to sign. Whoever may read the cards may have it: it is worth nothing
/// without the signature. A person gets those for their own keys only.
pub(super) async fn statement(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Body(body): Body<SshWishBody>,
) -> Result<Json<SshStatementBody>, ApiError> {
    let holds = body.named().ok_or_else(one_or_several)?;
    let wish = (holds.as_slice(), body.decision == AnswerBody::Approve);
    let statement =
        said(&site, site.gateway.prepare_for_key(&body.key, wish, caller.person()).await).await?;
    Ok(Json(SshStatementBody::of(&statement)))
}

/// Does what a statement says that an SSH key has signed. The signature alone is the authority, so it does not matter
/// who brings it, unless that is somebody else who is signed in.
pub(super) async fn decide(
    State(site): Shared,
    Extension(caller): Extension<Caller>,
    Body(body): Body<SshDecisionBody>,
) -> Result<Json<EffectedBody>, ApiError> {
    if matches!(caller, Caller::Person { audits: true, .. }) {
        return Err(decides_nothing());
    }
    let is_theirs = |name: &str| caller == Caller::Nobody || caller.hands_in_of(name);
    let comment = body.comment.trim().to_owned();
    check_comment(&site, &body.nonce, &comment, is_theirs).await?;
    let done = site.gateway.decide_by_ssh(&body.nonce, &body.signature, comment).await;
    said(&site, done).await?;
    Ok(Json(EffectedBody::Done(true)))
}

/// A statement for whoever wants to look at cards from where nobody is signed in. It says nothing of them.
pub(super) async fn look(
    State(site): Shared,
    Body(body): Body<LookBody>,
) -> Result<Json<SshStatementBody>, ApiError> {
    let is_id = |hold: &String| hold.len() <= NAME_CHARS_MAX;
    if !(1..=TOGETHER_MAX).contains(&body.holds.len()) || !body.holds.iter().all(is_id) {
        return Err(ApiError::bad("name from 1 to 20 holds"));
    }
    let holds = body.holds.into_iter().map(HoldId::new).collect();
    let statement = said(&site, site.gateway.prepare_look(holds).await).await?;
    Ok(Json(SshStatementBody::of(&statement)))
}

/// The cards for whoever signed that they look at them, with the statement by which that key answers them.
pub(super) async fn cards(
    State(site): Shared,
    Body(body): Body<LookedBody>,
) -> Result<Json<CardsBody>, ApiError> {
    let look = said(&site, site.gateway.look(&body.nonce, &body.signature).await).await?;
    let approve = body.decision == AnswerBody::Approve;
    if look.holds.len() > 1 && !approve {
        return Err(one_or_several());
    }
    let mut cards = Vec::new();
    for hold in &look.holds {
        let card = site.card(hold, look.by.as_str()).await?;
        let (card, _) = card.ok_or_else(|| ApiError::not_found(format!("there is no hold {hold}")))?;
        cards.push(card);
    }
    let wish = (look.holds.as_slice(), approve);
    let answer = said(&site, site.gateway.prepare_for_key(&look.key, wish, Some(&look.by)).await);
    let answer = SshStatementBody::of(&answer.await?);
    Ok(Json(CardsBody { person: look.by.to_string(), cards, answer }))
}

fn one_or_several() -> ApiError {
    ApiError::bad("name one `hold`, or several `holds` that are approved together")
}
