//! Who Tyer is at AWS.
//!
//! Follows `GetCallerIdentity` of the "AWS Security Token Service API Reference", version 2011-06-15.

use super::request::Head;
use super::xml::texts;

/// The request that asks, to be signed for `sts`, and its body.
#[must_use]
pub fn request() -> (Head, Vec<u8>) {
    form(b"Action=GetCallerIdentity&Version=2011-06-15".to_vec())
}

/// The account and the ARN that the answer names.
#[must_use]
pub fn read(answer: &[u8]) -> Option<(String, String)> {
    let [account, arn] = texts(answer, ["Account", "Arn"])?;
    Some((account?, arn?))
}

/// A request of the query protocol.
pub(super) fn form(body: Vec<u8>) -> (Head, Vec<u8>) {
    let headers = vec![
        ("content-type".into(), "application/x-www-form-urlencoded; charset=utf-8".into()),
        ("content-length".into(), body.len().to_string()),
    ];
    (Head { method: "POST".into(), path: "/".into(), query: String::new(), headers }, body)
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
