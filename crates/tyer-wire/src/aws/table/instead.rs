//! Hosts of AWS that SDKs call when they are set to, or by a name of another kind, and what leads them elsewhere.

use super::suffixes;

/// What to set instead, for a host of AWS that is not one of the table's.
#[must_use]
pub fn instead(host: &str) -> Option<&'static str> {
    let rest =
        suffixes().into_iter().rev().find_map(|suffix| host.strip_suffix(suffix)?.strip_suffix('.'))?;
    let labels: Vec<&str> = rest.split('.').collect();
    let is = |at: usize, name: &str| labels.iter().rev().nth(at).is_some_and(|it| *it == name);
    let starts = |start: &str| labels.iter().any(|label| label.starts_with(start));
    match () {
        () if is(1, "ddb") => {
            Some("an account's own host of DynamoDB; set AWS_ACCOUNT_ID_ENDPOINT_MODE=disabled")
        }
        () if starts("s3-website") => {
            Some("a website in S3, which is no API; name the bucket to S3 itself")
        }
        () if starts("s3express-") => {
            Some("a host of directory buckets; they are reached with AWS_ENDPOINT_URL alone")
        }
        () if starts("s3-accesspoint") || starts("s3-object-lambda") || starts("s3-outposts") => Some(
            "a host of access points or Outposts; name the bucket instead of its access point's ARN",
        ),
        () if starts("s3-accelerate") => {
            Some("a host of transfer acceleration; set use_accelerate_endpoint = false")
        }
        () if is(0, "mrap") || is(1, "accesspoint") => {
            Some("a host of multi-region access points; name the bucket and its region instead")
        }
        () if starts("execute-api") => Some("a stage of an API, which is not AWS's own"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::table::endpoint;

    #[test]
    fn what_is_no_endpoint_of_the_table_names_the_setting() {
        let check = |host: &str, expect: &str| {
            assert_eq!(endpoint(host), None, "{host}");
            let got = instead(host).unwrap_or_default();
            assert!(got.contains(expect) && got.is_empty() == expect.is_empty(), "{host}: {got}");
        };
        check("111122223333.ddb.us-east-1.amazonaws.com", "AWS_ACCOUNT_ID_ENDPOINT_MODE=disabled");
        check("b.s3-website-us-east-1.amazonaws.com", "website");
        check("b.s3-website.eu-west-1.amazonaws.com", "website");
        check("b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com", "AWS_ENDPOINT_URL");
        check("ap-111122223333.s3-accesspoint.us-east-1.amazonaws.com", "access point");
        check("b.s3-accelerate.amazonaws.com", "use_accelerate_endpoint");
        check("abc.execute-api.us-east-1.amazonaws.com", "stage");
        check("nothing.us-east-1.amazonaws.com", "");
        check("111122223333.ddb.us-east-1.example.com", "");
    }
}
