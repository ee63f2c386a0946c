//! A demo approver: a name, a software passkey, and the console's API in place of a browser.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};

use crate::authenticator::{Authenticator, AuthenticatorError, Maker};
use crate::http::{Answer, Http, HttpError};

/// Somebody who enrols, signs in and decides.
#[derive(Debug)]
pub struct Approver {
    /// The name they were invited under.
    pub name: String,
    authenticator: Authenticator,
    http: Http,
}

/// Why an approver could not do something.
#[derive(Debug, thiserror::Error)]
pub enum ApproverError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// No passkey.
    #[error(transparent)]
    Authenticator(#[from] AuthenticatorError),
    /// The console said no; with its words.
    #[error("{0}: {1}")]
    Refused(&'static str, String),
}

impl Approver {
    /// Enrols by a link's token and signs in.
    ///
    /// # Errors
    /// When the console refuses.
    pub async fn enrol(name: &str, token: &str, console: u16) -> Result<Self, ApproverError> {
        let mut approver = Self::enrol_only(name, token, console).await?;
        approver.sign_in().await?;
        Ok(approver)
    }

    /// Enrols by a link's token. A passkey beside or in place of others cannot sign in before it is confirmed.
    ///
    /// # Errors
    /// When the console refuses.
    pub async fn enrol_only(name: &str, token: &str, console: u16) -> Result<Self, ApproverError> {
        Self::enrol_by(name, token, console, None).await
    }

    /// As [`Approver::enrol_only`]; the authenticator's maker, if any, attests to it.
    ///
    /// # Errors
    /// When the console refuses.
    pub async fn enrol_by(
        name: &str,
        token: &str,
        console: u16,
        maker: Option<&Maker<'_>>,
    ) -> Result<Self, ApproverError> {
        let mut approver = Self {
            name: name.to_owned(),
            authenticator: Authenticator::new()?,
            http: Http::new(console),
        };
        let begun =
            approver.http.post(&format!("/api/v1/enrolments/{token}/begin"), &json!({})).await?;
        let begun = accepted("begin of the enrolment", begun)?;
        let (nonce, challenge) = to_sign(&begun);
        let made = approver.authenticator.register_by(
            ("localhost", &approver.http.origin()),
            &challenge,
            maker,
        )?;
        let body = json!({
            "nonce": nonce,
            "client_data": made.client_data_json,
            "attestation_object": made.attestation_object,
        });
        let path = format!("/api/v1/enrolments/{token}/finish");
        accepted("enrolment", approver.http.post(&path, &body).await?)?;
        Ok(approver)
    }

    /// Signs in.
    ///
    /// # Errors
    /// When the console refuses.
    pub async fn sign_in(&mut self) -> Result<(), ApproverError> {
        self.decide(&json!({ "sign_in": true }), "").await.map(drop)
    }

    /// Approves a hold.
    ///
    /// # Errors
    /// When the console refuses.
    pub async fn approve(&mut self, hold: &str) -> Result<(), ApproverError> {
        self.decide(&json!({ "approve": hold }), "").await.map(drop)
    }

    /// Rejects a hold.
    ///
    /// # Errors
    /// When the console refuses.
    pub async fn reject(&mut self, hold: &str, reason: &str) -> Result<(), ApproverError> {
        self.decide(&json!({ "reject": hold }), reason).await.map(drop)
    }

    /// Signs the early end of a freeze.
    ///
    /// # Errors
    /// When the console refuses.
    pub async fn thaw(&mut self, freeze: &str) -> Result<(), ApproverError> {
        self.decide(&json!({ "thaw": freeze }), "").await.map(drop)
    }

    /// Asks for a statement, signs it, and sends the decision.
    ///
    /// # Errors
    /// When the console refuses either.
    pub async fn decide(&mut self, wish: &Value, comment: &str) -> Result<Value, ApproverError> {
        let statement = accepted("statement", self.http.post("/api/v1/statements", wish).await?)?;
        self.answer(&statement, comment).await
    }

    /// Asks for a statement without signing it.
    ///
    /// # Errors
    /// When the console refuses.
    pub async fn statement(&mut self, wish: &Value) -> Result<Value, ApproverError> {
        accepted("statement", self.http.post("/api/v1/statements", wish).await?)
    }

    /// Signs a statement that was asked for and sends the decision.
    ///
    /// # Errors
    /// When the console refuses.
    pub async fn answer(&mut self, statement: &Value, comment: &str) -> Result<Value, ApproverError> {
        let body = self.signed(statement, comment)?;
        self.send(&body).await
    }

    /// Signs a statement that was asked for: the decision as it would be sent.
    ///
    /// # Errors
    /// When the authenticator has no such passkey.
    pub fn signed(&self, statement: &Value, comment: &str) -> Result<Value, ApproverError> {
        let (nonce, challenge) = to_sign(statement);
        let made = self.authenticator.assert("localhost", &self.http.origin(), &challenge)?;
        Ok(json!({
            "nonce": nonce,
            "comment": comment,
            "assertion": {
                "credential": made.id,
                "authenticator_data": made.authenticator_data,
                "client_data": made.client_data_json,
                "signature": made.signature,
            },
        }))
    }

    /// Sends a decision, whoever signed it.
    ///
    /// # Errors
    /// When the console refuses.
    pub async fn send(&mut self, decision: &Value) -> Result<Value, ApproverError> {
        accepted("decision", self.http.post("/api/v1/decisions", decision).await?)
    }

    /// The API as this person sees it.
    pub fn http(&mut self) -> &mut Http {
        &mut self.http
    }
}

fn accepted(what: &'static str, (status, body): Answer) -> Result<Value, ApproverError> {
    if status.is_success() {
        return Ok(body);
    }
    let message = body.pointer("/error/message").and_then(Value::as_str).map(ToOwned::to_owned);
    Err(ApproverError::Refused(what, message.unwrap_or_else(|| format!("{status} {body}"))))
}

/// The nonce and the raw challenge of an answer that holds a statement.
fn to_sign(answer: &Value) -> (String, Vec<u8>) {
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let challenge = BASE64URL.decode(text("/challenge")).unwrap_or_default();
    (text("/statement/nonce").to_owned(), challenge)
}
