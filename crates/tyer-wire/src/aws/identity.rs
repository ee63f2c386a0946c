//! Who Tyer is at AWS.
//!
//! Follows `GetCallerIdentity` of the "AWS Security Token Service API Reference", version 2011-06-15.

use super::own::{Doc, query};
use super::request::Head;

/// The version of the API.
pub(super) const STS: &str = "2011-06-15";

/// The request that asks, to be signed for `sts`, and its body.
#[must_use]
pub fn request() -> (Head, Vec<u8>) {
    query(("GetCallerIdentity", STS), &[])
}

/// The account and the ARN that the answer names.
#[must_use]
pub fn read(answer: &[u8]) -> Option<(String, String)> {
    let answer = Doc::of(answer)?;
    Some((answer.text("Account")?, answer.text("Arn")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_who_it_is() {
        let answer = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/t</Arn>\
             <UserId>A</UserId><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
        let (account, arn) = read(answer.as_bytes()).expect("an identity");
        assert_eq!(
            (account.as_str(), arn.as_str()),
            ("111122223333", "arn:aws:iam::111122223333:user/t")
        );
        assert_eq!(read(b"<GetCallerIdentityResponse/>"), None);
    }
}
