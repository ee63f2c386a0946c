//! Answering from another machine, over the console's address: nothing of it trusts where it runs, and the key signs
//! for nothing but the console that was named.
//!
//! Cards are confidential, so the key first signs that it looks at them; the server knows by that whose it is.

use std::path::Path;

use serde_json::{Value, json};
use tyer_core::assertion::RelyingParty;
use tyer_core::intent::HoldId;
use tyer_core::statement::{Decision, Statement};

use super::super::call::{accepted, waiting};
use super::super::failure::{Exit, Failure};
use super::super::print;
use crate::local::Client;

/// A console elsewhere.
pub(super) struct Afar {
    client: Client,
    party: RelyingParty,
}

impl Afar {
    pub(super) fn new(url: &str, authorities: &Path) -> Result<Self, Failure> {
        let next = "name the console's address, such as https://tyer.example.com";
        let wrong = |why: &dyn std::fmt::Display| Failure::usage(why.to_string(), next);
        let url = url.trim_end_matches('/');
        let party = RelyingParty::of_origin(url).map_err(|why| wrong(&why))?;
        let client = Client::of_address(url, authorities).map_err(|why| wrong(&why))?;
        Ok(Self { client, party })
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let sent = waiting(self.client.send("POST", path, Some(body)))?;
        let answer = sent.map_err(|error| {
            let next = "see whether the address is right and the console can be reached from here";
            Failure::told(Exit::Unreachable, "unreachable", error.to_string(), next)
        })?;
        Ok(accepted(answer)?.body)
    }

    /// What the key signs to see those cards.
    pub(super) fn look(&self, holds: &[String]) -> Result<Statement, Failure> {
        let prepared = self.post("/api/v1/ssh/looks", &json!({ "holds": holds }))?;
        let statement = prepared.get("statement").cloned().unwrap_or_default();
        let statement: Statement = serde_json::from_value(statement).map_err(|_| other())?;
        let same = match &statement.what {
            Decision::Look { holds: named } => named.iter().map(HoldId::as_str).eq(holds),
            _ => false,
        };
        self.own(&statement)?;
        if same { Ok(statement) } else { Err(other()) }
    }

    /// The cards in the order of the holds, and the answer to sign.
    pub(super) fn cards(
        &self,
        look: &Statement,
        signature: &str,
        decision: &str,
    ) -> Result<(Vec<Value>, Value), Failure> {
        let body = json!({ "nonce": look.nonce, "signature": signature, "decision": decision });
        let seen = self.post("/api/v1/ssh/cards", &body)?;
        let cards = print::list(&seen, "cards").to_vec();
        Ok((cards, seen))
    }

    /// Whether the statement is for that console; another might have handed on what it got from there.
    pub(super) fn own(&self, statement: &Statement) -> Result<(), Failure> {
        if statement.origin == self.party.origin() { Ok(()) } else { Err(other()) }
    }
}

fn other() -> Failure {
    Failure::failed(
        "the console wants something else to be signed than was asked for, so nothing was",
        "make sure that the address is your console's",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consoles_are_reached_by_https_and_sign_for_themselves() {
        let check = |url: &str, expect: Option<&str>| {
            let afar = Afar::new(url, Path::new("ca.pem")).ok();
            let found = afar.as_ref().map(|afar| afar.party.origin());
            assert_eq!(found, expect, "{url}");
        };
        check("https://tyer.example.com", Some("https://tyer.example.com"));
        check("https://tyer.example.com/", Some("https://tyer.example.com"));
        check("https://tyer.example.com:8443", Some("https://tyer.example.com:8443"));
        check("http://localhost:7780", Some("http://localhost:7780"));
        check("http://tyer.example.com", None);
        check("https://tyer.example.com/holds/H-1", None);
        check("tyer.example.com", None);
        check("", None);
        let afar = Afar::new("https://tyer.example.com", Path::new("ca.pem")).expect("a console");
        let statement = |origin: &str| Statement {
            origin: origin.to_owned(),
            what: Decision::SignIn,
            person: String::new(),
            root: tyer_core::intent::Digest([0; 32]),
            size: 1,
            nonce: "n".to_owned(),
            expires: tyer_core::intent::Timestamp(1),
        };
        assert!(afar.own(&statement("https://tyer.example.com")).is_ok());
        assert!(afar.own(&statement("https://evil.example.com")).is_err());
        assert!(afar.own(&statement("https://tyer.example.com:8443")).is_err());
    }
}
