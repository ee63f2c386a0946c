//! Credentials of a role, for one session: they say in AWS's own trail for whom Tyer acts.
//!
//! Follows `AssumeRole` of the "AWS Security Token Service API Reference", version 2011-06-15.

use std::fmt;

use tyer_core::intent::Timestamp;
use zeroize::Zeroizing;

use super::identity::STS;
use super::own::{Doc, query};
use super::request::Head;

/// Seconds for which a role is assumed: the least that every role allows.
const LASTS_S: &str = "3600";

/// A role and for whom it is assumed.
#[derive(Clone, Copy, Debug)]
pub struct Assume<'a> {
    /// The role's ARN.
    pub role: &'a str,
    /// What its trust policy asks for.
    pub external_id: Option<&'a str>,
    /// Names the session at AWS.
    pub session: &'a str,
    /// Tags of the session, name and value.
    pub tags: &'a [(&'a str, &'a str)],
}

/// Credentials that end.
#[derive(Clone)]
pub struct Assumed {
    /// The access key's id.
    pub access_key: String,
    /// Its secret.
    pub secret: Zeroizing<String>,
    /// The token that belongs to it.
    pub token: Zeroizing<String>,
    /// When they end.
    pub until: Timestamp,
}

impl fmt::Debug for Assumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assumed").field("until", &self.until).finish_non_exhaustive()
    }
}

/// The request that asks for them, to be signed for `sts`, and its body.
#[must_use]
pub fn request(assume: &Assume<'_>) -> (Head, Vec<u8>) {
    let tags: Vec<(String, &str)> = (1..)
        .zip(assume.tags)
        .flat_map(|(at, (name, value))| {
            [(format!("Tags.member.{at}.Key"), *name), (format!("Tags.member.{at}.Value"), *value)]
        })
        .collect();
    let mut parameters = vec![
        ("RoleArn", assume.role),
        ("RoleSessionName", assume.session),
        ("DurationSeconds", LASTS_S),
    ];
    parameters.extend(assume.external_id.map(|id| ("ExternalId", id)));
    parameters.extend(tags.iter().map(|(name, value)| (name.as_str(), *value)));
    query(("AssumeRole", STS), &parameters)
}

/// Reads the answer; `None` if it is not one with credentials.
#[must_use]
pub fn read(answer: &[u8]) -> Option<Assumed> {
    let answer = Doc::of(answer)?;
    let until: jiff::Timestamp = answer.text("Expiration")?.parse().ok()?;
    Some(Assumed {
        access_key: answer.text("AccessKeyId")?,
        secret: Zeroizing::new(answer.text("SecretAccessKey")?),
        token: Zeroizing::new(answer.text("SessionToken")?),
        until: Timestamp(until.as_millisecond()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_asked_for_with_its_session() {
        let assume = Assume {
            role: "arn:aws:iam::111122223333:role/tyer",
            external_id: Some("a b"),
            session: "s-7k2m9q",
            tags: &[("tyer-controller", "carol")],
        };
        let (_, body) = request(&assume);
        assert_eq!(
            String::from_utf8(body).expect("ASCII"),
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Ftyer\
             &RoleSessionName=s-7k2m9q&DurationSeconds=3600&ExternalId=a%20b&Tags.member.1.Key=tyer-controller\
             &Tags.member.1.Value=carol"
        );
    }

    #[test]
    fn an_answer_without_all_of_it_gives_nothing() {
        let answer = "<AssumeRoleResponse xmlns=\"x\"><AssumeRoleResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>\
             <SecretAccessKey>s3cret</SecretAccessKey><SessionToken>t0ken==</SessionToken>\
             <Expiration>2026-11-28T12:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
        let read_all = read(answer.as_bytes()).expect("credentials");
        assert_eq!((read_all.access_key.as_str(), read_all.secret.as_str()), ("ASIA1", "s3cret"));
        assert_eq!(
            (read_all.token.as_str(), read_all.until),
            ("t0ken==", Timestamp(1_795_867_200_000))
        );
        assert!(!format!("{read_all:?}").contains("s3cret"));
        for gone in ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"] {
            assert!(read(answer.replace(gone, "Else").as_bytes()).is_none(), "{gone}");
        }
        assert!(read(b"<a>").is_none() && read(b"").is_none());
    }
}
