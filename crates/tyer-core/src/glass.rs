//! Requests that one operator let through on their own word, and the others who sign that off afterwards.
//!
//! A review stays open until it is signed off; while somebody has too many open, they break no more glass.

use serde::{Deserialize, Serialize};

use crate::intent::{Digest, HoldId, PersonId, Principal, Timestamp};
use crate::people::{Barred, People};
use crate::statement::Decision;

/// The part of the configuration that lets operators break glass.
pub const PART: &str = "break_glass";

/// The digest of that part, and of others, where the file has none.
#[must_use]
pub fn absent() -> Digest {
    Digest::of(b"tyer/absent/v1")
}

/// How many others sign a review.
pub const REVIEWERS: usize = 2;

/// What there is to review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The hold whose glass was broken.
    pub hold: HoldId,
    /// By whom.
    pub by: PersonId,
    /// When.
    pub at: Timestamp,
    /// Their reason.
    pub reason: String,
    /// Whose request it was.
    pub principal: Principal,
    /// The challenge of the statement that they signed.
    pub broken: Digest,
    /// Who has signed it off so far.
    pub findings: Vec<Finding>,
}

/// One reviewer's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Who.
    pub by: PersonId,
    /// When.
    pub at: Timestamp,
    /// What they found.
    pub text: String,
}

/// Why somebody does not sign a review.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReviewed {
    /// They broke it, or have signed already, under whatever name.
    #[error("{0} broke the glass or has signed already, under whatever name; it needs somebody else")]
    Same(PersonId),
    /// They control the session whose request it was.
    #[error("{0}; a review is another person's")]
    Barred(#[from] Barred),
    /// Nobody else stands behind them than whoever broke it and who controls the session, together.
    #[error(
        "{0} was confirmed only by whoever broke the glass, by people who control the session, or by whom these vouched for"
    )]
    Theirs(PersonId),
    /// Enough others have signed it.
    #[error("it is signed off already")]
    Closed,
    /// A review says something.
    #[error("say what you found; it is signed with the review")]
    NoFinding,
}

impl Review {
    /// The review with one more finding.
    ///
    /// # Errors
    /// When that person cannot sign it, or finds nothing.
    pub fn with(self, finding: Finding, people: &People) -> Result<Self, NotReviewed> {
        let by = &finding.by;
        let before = self.findings.iter().map(|earlier| &earlier.by).chain([&self.by]);
        if before.into_iter().any(|other| people.are_one(other, by)) {
            return Err(NotReviewed::Same(by.clone()));
        }
        if self.is_closed() {
            return Err(NotReviewed::Closed);
        }
        if let Some(barred) = people.barred(by, &self.principal) {
            return Err(barred.into());
        }
        // Whoever broke it and who controls the session could make reviewers together.
        let also = self.principal.also.iter().chain([&self.by]).cloned().collect();
        let together = Principal { also, ..self.principal.clone() };
        if people.barred(by, &together).is_some() {
            return Err(NotReviewed::Theirs(by.clone()));
        }
        if finding.text.trim().is_empty() {
            return Err(NotReviewed::NoFinding);
        }
        let findings = self.findings.into_iter().chain([finding]).collect();
        Ok(Self { findings, ..self })
    }

    /// Whether enough others have signed it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.findings.len() >= REVIEWERS
    }

    /// What a reviewer signs.
    #[must_use]
    pub fn decision(&self, finding: String) -> Decision {
        Decision::Review { hold: self.hold.clone(), broken: self.broken, finding }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::SessionId;
    use crate::people::Known;

    /// `ann` broke the glass of carl's session, whom bob confirmed; `dan` was confirmed by ann alone, `eve` by carl
    /// alone, `gil` by both, `hal` by gil, `ida` by gil and bob, `bob` is a founder as ann is, `bo` another name of
    /// bob, and `fay` was confirmed by bob.
    #[test]
    fn two_others_sign_it() {
        let name = |text: &str| PersonId::new(text);
        let known = |founder: bool, by: &[&str]| Known {
            counts: true,
            founder,
            confirmed_by: by.iter().map(|it| name(it)).collect(),
            ..Known::default()
        };
        let bo = Known { one_with: [name("bob")].into(), ..known(false, &["fay"]) };
        let people: People = [
            ("ann", known(true, &[])),
            ("bob", known(true, &[])),
            ("bo", bo),
            ("carl", known(false, &["ann", "bob"])),
            ("dan", known(false, &["ann"])),
            ("eve", known(false, &["carl"])),
            ("fay", known(false, &["bob"])),
            ("gil", known(false, &["ann", "carl"])),
            ("hal", known(false, &["gil"])),
            ("ida", known(false, &["gil", "bob"])),
        ]
        .into_iter()
        .map(|(who, known)| (name(who), known))
        .collect();
        let principal = Principal {
            session: SessionId::new("s-1"),
            agent: "kiro".to_owned(),
            human: false,
            controller: name("carl"),
            also: Vec::new(),
        };
        let check = |script: &str, expect: &str| {
            let mut review = Review {
                hold: HoldId::new("H-1"),
                by: name("ann"),
                at: Timestamp(0),
                reason: "the shop is down".to_owned(),
                principal: principal.clone(),
                broken: Digest([1; 32]),
                findings: Vec::new(),
            };
            for word in script.split_whitespace() {
                let text = if word.ends_with('!') { " " } else { "as it should be" }.to_owned();
                let by = name(word.trim_end_matches('!'));
                match review.clone().with(Finding { by, at: Timestamp(1), text }, &people) {
                    Ok(next) => review = next,
                    Err(why) => return assert!(why.to_string().contains(expect), "{script}: {why}"),
                }
            }
            assert_eq!(if review.is_closed() { "closed" } else { "open" }, expect, "{script}");
        };
        check("", "open");
        check("bob", "open");
        check("bob fay", "closed");
        check("fay bo", "closed");
        check("bob bo", "has signed already");
        check("bob bob", "has signed already");
        check("ann", "broke the glass");
        check("carl", "controls the session");
        check("dan", "was confirmed only by whoever broke");
        check("eve", "was confirmed only by people");
        check("gil", "was confirmed only by whoever broke the glass, by people who control");
        check("hal", "was confirmed only by whoever broke the glass, by people who control");
        check("bob ida", "closed");
        check("bob!", "say what you found");
        check("bob fay dan", "signed off already");
    }
}
