//! With whose credentials requests go out: each account's own, from wherever they are kept, or those of a role that is assumed for
//! the session.

use std::time::Duration;

use xtask::instance::Shape;

use super::real::{ACCESS_KEY, KEYS, Says, Seen, now};
use super::{Desk, get_item, open, put_item};

const TOKEN: &str = "t0ken/of+the=role";

/// What STS answers, whose credentials end in so many minutes.
fn assumed(minutes: i64) -> Says {
    let (id, secret) = KEYS[3];
    let until = jiff::Timestamp::from_millisecond(now().plus(minutes * 60_000).0).expect("a moment");
    let answer = format!(
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>{id}</AccessKeyId>\
         <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{TOKEN}</SessionToken>\
         <Expiration>{until}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    );
    Says::Script(vec![("Action=AssumeRole", answer)])
}

fn with_files(files: Vec<(&'static str, String)>) -> Shape {
    let open = open();
    Shape { files: [open.files, files].concat(), ..open }
}

fn is_assuming(seen: &Seen) -> bool {
    seen.body.starts_with(b"Action=AssumeRole")
}

/// What asked for a role, as its parameters.
fn parameters(seen: &Seen) -> Vec<String> {
    let body = String::from_utf8(seen.body.to_vec()).expect("a form");
    body.split('&').map(str::to_owned).collect()
}

#[tokio::test]
async fn a_role_is_assumed_for_each_session_and_renewed_before_it_ends() {
    let role = "role = \"arn:aws:iam::123456789012:role/tyer\"\n\
                external_id = { file = \"aws.external-id\" }";
    let desk = Desk::with(&with_files(vec![("aws.external-id", "e x/1".to_owned())]), role).await;
    let login = desk.session(&[]);
    // Nearer to its end than Tyer lets it come.
    desk.service.says(assumed(4));
    put_item("1").send(&login).await;
    let seen = desk.service.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].signer.as_deref(), Some(ACCESS_KEY), "by the account's own key");
    let asked = parameters(&seen[0]);
    let expect = [
        "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Ftyer".to_owned(),
        "ExternalId=e%20x%2F1".to_owned(),
        format!("RoleSessionName={}", login.session),
        "Tags.member.1.Key=tyer-session".to_owned(),
        format!("Tags.member.1.Value={}", login.session),
        "Tags.member.2.Value=kiro".to_owned(),
        "Tags.member.3.Key=tyer-controller".to_owned(),
        "Tags.member.3.Value=carol".to_owned(),
    ];
    for parameter in expect {
        assert!(asked.contains(&parameter), "{parameter}: {asked:?}");
    }
    assert_eq!(seen[1].body, put_item("1").body);
    assert_eq!(seen[1].signer.as_deref(), Some(KEYS[3].0), "by the role's");
    assert_eq!(seen[1].head.header("x-amz-security-token"), Some(TOKEN));
    // The role is asked for again while the first credentials would still do; those that last are kept.
    desk.service.says(assumed(60));
    for value in ["2", "3", "4"] {
        put_item(value).send(&login).await;
    }
    let seen = desk.service.seen();
    let assuming: Vec<bool> = seen.iter().map(is_assuming).collect();
    assert_eq!(assuming, [true, false, true, false, false, false]);
    let other = desk.tyer.aws_session("kiro", "bob", &[]).expect("a session");
    get_item().send(&other).await;
    let seen = desk.service.seen();
    let asked = parameters(&seen[6]);
    assert!(
        is_assuming(&seen[6]) && asked.contains(&"Tags.member.3.Value=bob".to_owned()),
        "{asked:?}"
    );
    assert!(asked.contains(&format!("RoleSessionName={}", other.session)), "{asked:?}");
    assert_eq!(seen[7].signer.as_deref(), Some(KEYS[3].0));
    desk.verify();
}

#[tokio::test]
async fn a_role_that_is_not_given_lets_nothing_out() {
    let role = "role = \"arn:aws:iam::123456789012:role/tyer\"";
    let desk = Desk::with(&open(), role).await;
    let login = desk.session(&[]);
    let denied = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>";
    for says in [Says::Answer(403, denied.to_owned()), Says::Answer(200, "<R/>".to_owned())] {
        desk.service.says(says);
        let answer = put_item("1").send(&login).await;
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.body.contains("no credentials for this account just now; nothing was sent"));
    }
    assert!(desk.service.seen().iter().all(is_assuming));
    desk.verify();
}

#[tokio::test]
async fn each_account_is_asked_with_its_own_credentials() {
    let (other, profile) = (KEYS[1], KEYS[2]);
    let credentials = |(id, secret): (&str, &str)| {
        format!(
            "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = default\n\n[mine]\n\
             aws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        )
    };
    let files = vec![
        ("other.id", other.0.to_owned()),
        ("other.secret", other.1.to_owned()),
        ("credentials", credentials(profile)),
    ];
    let accounts = "[upstream.cloud.account.other]\nid = \"444455556666\"\n\
                    access_key_id = { file = \"other.id\" }\nsecret_access_key = { file = \"other.secret\" }\n\
                    [upstream.cloud.account.profile]\nid = \"777788889999\"\nprofile = \"mine\"\n\
                    credentials_file = \"credentials\"\n";
    let desk = Desk::with(&with_files(files), accounts).await;
    let login = desk.session(&[]);
    let check = async |account: &str, expect: &str| {
        let own = login.of(account).expect("a key of it");
        let answer = put_item(account).send(&own).await;
        assert_eq!(answer.status, 200, "{account}: {}", answer.body);
        let last = desk.service.seen().pop().expect("it came");
        assert_eq!(last.signer.as_deref(), Some(expect), "{account}");
    };
    check("main", ACCESS_KEY).await;
    check("other", other.0).await;
    check("profile", profile.0).await;
    check("main", ACCESS_KEY).await;
    // The file is believed for ten seconds.
    let file = desk.tyer.directory().join("credentials");
    std::fs::write(&file, credentials(other)).expect("a changed file");
    tokio::time::sleep(Duration::from_secs(11)).await;
    check("profile", other.0).await;
    desk.verify();
}
