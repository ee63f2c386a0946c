//! Where a request is sent: to the one endpoint that is configured, else to the host of AWS that follows from what is asked.
//! Nothing else decides it, least of all what the client says of hosts.

use tyer_wire::aws::asked::Asked;

use crate::config::aws::Endpoint;

/// Where a connection is made to, and which host is signed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Way {
    pub(super) is_tls: bool,
    /// A host, with a port where it is not the usual one.
    pub(super) authority: String,
}

impl Way {
    /// Of a request; `None` if nothing says where it belongs.
    pub(super) fn of(endpoint: Option<&Endpoint>, asked: &Asked) -> Option<Self> {
        Self::to(endpoint, || asked.host())
    }

    /// To the endpoint, else to that host of AWS.
    pub(super) fn to(
        endpoint: Option<&Endpoint>,
        host: impl FnOnce() -> Option<String>,
    ) -> Option<Self> {
        match endpoint {
            Some(own) => Some(Self { is_tls: own.is_tls, authority: own.authority.clone() }),
            None => host().map(|authority| Self { is_tls: true, authority }),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tyer_core::intent::Digest;
    use tyer_wire::aws::asked::{Content, Destination, path_style};
    use tyer_wire::aws::request::Head;

    use super::*;

    const REGION: &str = "eu-west-1";

    fn asked(service: &str, region: &str, more: &[(&str, &str)], body: &str) -> Asked {
        let headers = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let head = Head {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            headers: headers.collect(),
        };
        let head = path_style(head, service, &["localhost".to_owned()]);
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        let content = Content::Whole { digest: Digest::of(&bytes), bytes };
        Asked::new(head, content, Destination { account: "111122223333", service, region })
    }

    fn way(endpoint: Option<&Endpoint>, asked: &Asked) -> Option<String> {
        let shown =
            |way: Way| format!("{}://{}", if way.is_tls { "https" } else { "http" }, way.authority);
        Way::of(endpoint, asked).map(shown)
    }

    const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.0");
    const GET: (&str, &str) = ("x-amz-target", "AmazonSSM.GetParameters");

    #[test]
    fn what_the_client_says_of_hosts_never_decides() {
        // As they stand in `Host`, which is all of a request's URI and of a `CONNECT` that comes this far.
        let said = [
            "localhost:7443",
            "evil.example",
            "ssm.eu-west-1.amazonaws.com",
            "ssm.us-east-1.amazonaws.com:443",
            "ssm-fips.eu-west-1.amazonaws.com",
            "sts.amazonaws.com",
            "https://evil.example/",
            "169.254.169.254",
            "",
        ];
        let own = |is_tls| Endpoint { is_tls, authority: "aws.example.com:8443".to_owned() };
        for host in said {
            let more = [("host", host), ("x-forwarded-host", host), JSON, GET];
            let asked = asked("ssm", REGION, &more, "{}");
            let aws = "https://ssm.eu-west-1.amazonaws.com";
            assert_eq!(way(None, &asked).as_deref(), Some(aws), "{host}");
            assert_eq!(way(Some(&own(true)), &asked).as_deref(), Some("https://aws.example.com:8443"));
            assert_eq!(way(Some(&own(false)), &asked).as_deref(), Some("http://aws.example.com:8443"));
        }
    }

    #[test]
    fn every_kind_of_request_has_its_place_or_none() {
        let check = |service: &str, region: &str, target: &str, expect: Option<&str>| {
            let more = [("host", "localhost"), JSON, ("x-amz-target", target)];
            let asked = asked(service, region, &more, "{}");
            assert_eq!(way(None, &asked).as_deref(), expect, "{service} {region} {target}");
        };
        let china = Some("https://dynamodb.cn-north-1.amazonaws.com.cn");
        check("dynamodb", "cn-north-1", "DynamoDB_20120810.GetItem", china);
        check("dynamodb", "nowhere", "DynamoDB_20120810.GetItem", None);
        // Operations that nobody knows, where the service that is signed for has one place.
        check("sts", REGION, "Sts.BrandNew", Some("https://sts.eu-west-1.amazonaws.com"));
        check("ssm", REGION, "AmazonSSM.BrandNew", Some("https://ssm.eu-west-1.amazonaws.com"));
        // Two services at two hosts are signed for by these names, and by the last none.
        check("dynamodb", REGION, "DynamoDB_20120810.BrandNew", None);
        check("s3", REGION, "S3.BrandNew", None);
        check("nothing", REGION, "Nothing.BrandNew", None);
    }
}
