//! Whose bucket a request to S3 means.
//!
//! The names of buckets don't say whose they are. So what does more than read one says whom it is expected to be of, and S3
//! refuses it where that is not so. Follows the header `x-amz-expected-bucket-owner` of S3's API.

use std::borrow::Cow;

use super::asked::Asked;
use super::decode::{Call, Decoded};
use super::request::Head;
use super::resources::{Owner, Resource};
use super::table::Place;

/// The member that says so.
const MEMBER: &str = "ExpectedBucketOwner";

impl Asked {
    /// The head that is sent when the bucket, if there is one, is to be of `owner`, an account. What the agent expects
    /// stays as it is.
    #[must_use]
    pub fn expecting(&self, owner: &str) -> Cow<'_, Head> {
        let head = self.head();
        let Some(header) = takes_owner(self.decoded()) else { return Cow::Borrowed(head) };
        if owner.is_empty() || head.headers(header).next().is_some() {
            return Cow::Borrowed(head);
        }
        let mut head = head.clone();
        head.headers.push((header.to_owned(), owner.to_owned()));
        Cow::Owned(head)
    }
}

impl Decoded {
    /// The bucket of the account that the request itself expects it to be of, if that is another than `own`.
    #[must_use]
    pub fn of_another(&self, own: Owner<'_>) -> Option<Resource> {
        takes_owner(self)?;
        let text = |name: &str| self.parameters.get(name)?.as_str();
        let (owner, bucket) = (text(MEMBER).filter(|it| *it != own.account)?, text("Bucket")?);
        Some(Resource::of_arn(&format!("arn:{}:s3::{owner}:{bucket}", own.partition)))
    }
}

/// The header, if the operation has it. Directory buckets do not.
fn takes_owner(decoded: &Decoded) -> Option<&'static str> {
    let Call::Known(operation) = decoded.call else { return None };
    if operation.api().folder() != "s3" || decoded.service != "s3" {
        return None;
    }
    let member = operation.member(MEMBER).filter(|member| member.place == Place::Header)?;
    (member.wire == "x-amz-expected-bucket-owner").then_some(member.wire)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::asked::{Content, Destination};
    use crate::aws::line::Line;
    use crate::aws::table::named;

    const OWN: &str = "111122223333";

    /// The owner that is sent, and that the request is taken to be of.
    fn check(line: &str, expect: (&str, &str)) {
        let line = Line::read(line).unwrap();
        let (bytes, digest) =
            (bytes::Bytes::from(line.body.clone()), tyer_core::intent::Digest::of(&line.body));
        let to = Destination { account: OWN, service: &line.service, region: &line.region };
        let asked = Asked::new(line.head.clone(), Content::Whole { bytes, digest }, to);
        let sent = asked.expecting(OWN);
        let values: Vec<&str> = sent.headers("x-amz-expected-bucket-owner").collect();
        let other = asked.decoded().of_another(Owner { account: OWN, partition: "aws" });
        let got = (values.join(","), other.map(|it| it.arn).unwrap_or_default());
        assert_eq!((got.0.as_str(), got.1.as_str()), expect, "{line:?}");
    }

    #[test]
    fn what_takes_an_owner_is_told_one() {
        let bucket = "https://b.s3.eu-west-1.amazonaws.com";
        check(&format!("PUT {bucket}/k | content"), (OWN, ""));
        check(&format!("DELETE {bucket}/k"), (OWN, ""));
        check(&format!("DELETE {bucket}/"), (OWN, ""));
        check(&format!("POST {bucket}/k?uploads"), (OWN, ""));
        let owner = "x-amz-expected-bucket-owner";
        check(&format!("DELETE {bucket}/k | {owner}: {OWN}"), (OWN, ""));
        let other = "444455556666";
        check(&format!("DELETE {bucket}/k | {owner}: {other}"), (other, "arn:aws:s3::444455556666:b"));
        // There is no bucket yet, or no such header.
        check(&format!("PUT {bucket}/"), ("", ""));
        check("GET https://s3.eu-west-1.amazonaws.com/", ("", ""));
        check(
            "POST https://sqs.eu-west-1.amazonaws.com/ | X-Amz-Target: AmazonSQS.ListQueues | {}",
            ("", ""),
        );
    }

    #[test]
    fn whatever_writes_to_a_bucket_takes_an_owner() {
        let api = named("s3", "PutObject")[0].api();
        let takes = |name: &str| {
            api.operation(name)
                .and_then(|it| it.member(MEMBER))
                .is_some_and(|it| it.place == Place::Header)
        };
        let without: Vec<&str> = api
            .operations()
            .filter(|it| it.member("Bucket").is_some() && it.method() != "GET" && !takes(it.name()))
            .map(|it| it.name())
            .collect();
        // One makes it, and one is for directory buckets alone.
        assert_eq!(without, ["CreateBucket", "RenameObject"]);
    }
}
