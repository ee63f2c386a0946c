//! AWS behind a door: its accounts with Tyer's own credentials, its regions, and where what is in them stands.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tyer_core::intent::Environment;
use tyer_core::policy::counts_as_production;
use tyer_wire::aws::resources::{Owner, Resource};
use tyer_wire::aws::table;
use tyer_wire::aws::tags::Tag;
use tyer_wire::aws::understand::{ENVIRONMENT_TAGS, says_where};

use super::Reference;
use super::upstream::{RawUpstream, Wrong};
use crate::secret::Secret;

/// Accounts of one upstream; more do not fit into the names of access keys.
const ACCOUNTS_MAX: usize = 1_000;
/// Digits of an account's id.
const ACCOUNT_DIGITS: usize = 12;

/// AWS behind a door.
#[derive(Clone, Debug)]
pub(crate) struct AwsConfig {
    /// Where everything is sent, instead of the hosts of AWS.
    pub(crate) endpoint: Option<Endpoint>,
    /// Whose certificates are trusted there, instead of those that the system trusts.
    pub(crate) authorities: Option<PathBuf>,
    /// The regions that agents may reach.
    pub(crate) regions: BTreeSet<String>,
    pub(crate) accounts: BTreeMap<String, Account>,
    /// Keys of tags that say where something stands; changing one weakens a safeguard.
    pub(crate) environment_tags: Vec<String>,
    /// Where things stand, the first that fits.
    pub(crate) places: Vec<Place>,
}

/// An emulator, or a private endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) is_tls: bool,
    /// Host and port.
    pub(crate) authority: String,
}

/// An account of AWS.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Such as `111122223333`.
    pub(crate) id: String,
    /// Tyer's own.
    pub(crate) source: Source,
    /// What they are exchanged for.
    pub(crate) role: Option<Role>,
}

/// Where credentials that last are.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Keys {
        access_key: Secret,
        secret: Secret,
        token: Option<Secret>,
    },
    /// A file in the format of the AWS command line, read again when it changes.
    Profile {
        file: PathBuf,
        name: String,
    },
}

/// A role that is assumed anew for each session, so that AWS's own trail says for whom.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) external_id: Option<Secret>,
    /// Where that is asked.
    pub(crate) region: String,
}

/// What stands where.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    account: Option<String>,
    region: Option<String>,
    name: Option<String>,
    /// The key of a tag, and what its value is like.
    tag: Option<(String, String)>,
    pub(crate) environment: Environment,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccount {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_access_key: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_token: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<Reference>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlace {
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    environment: String,
}

impl AwsConfig {
    pub(super) fn load(data: &Path, raw: &RawUpstream) -> Result<Self, Wrong> {
        let endpoint = raw.endpoint.as_deref().map(endpoint).transpose()?;
        let authorities = raw.authorities(data);
        if authorities.is_some() && !endpoint.as_ref().is_some_and(|it| it.is_tls) {
            return Err(wrong("authorities", "they are those of an https `endpoint`"));
        }
        if raw.regions.is_empty() {
            return Err(wrong("regions", "name the regions that agents may reach"));
        }
        if let Some(region) = raw.regions.iter().find(|region| table::partition(region).is_none()) {
            return Err(wrong("regions", format!("`{region}` is not the name of a region")));
        }
        if raw.account.is_empty() || raw.account.len() > ACCOUNTS_MAX {
            return Err(wrong("account", format!("give one to {ACCOUNTS_MAX} accounts")));
        }
        let mut accounts = BTreeMap::new();
        for (name, account) in &raw.account {
            let of = |(key, message): Wrong| (format!("account.{name}.{key}"), message);
            let region = raw.regions.first().map_or("", String::as_str);
            accounts.insert(name.clone(), account.load(data, region).map_err(of)?);
        }
        let places = raw.place.iter().map(|place| place.load(&accounts)).collect::<Result<_, _>>()?;
        let tags = || ENVIRONMENT_TAGS.map(str::to_owned).to_vec();
        let environment_tags = raw.environment_tags.clone().unwrap_or_else(tags);
        let regions = raw.regions.clone();
        Ok(Self { endpoint, authorities, regions, accounts, environment_tags, places })
    }

    /// Where what a request names stands: the first place that fits its account and region, else `otherwise`. Names can
    /// only make that production, since agents choose them; so does what is of an account that is not known here.
    pub(crate) fn environment(
        &self,
        otherwise: &Environment,
        (account, region): (&str, &str),
        resources: &[Resource],
    ) -> Environment {
        let mut found = self.stands(otherwise, account, region);
        // What is not named may be anything.
        if resources.iter().any(|it| it.name.ends_with('*')) {
            let raised = self.places.iter().find(|it| !it.is_of_all() && it.covers(account, region));
            found = graver(found, raised.map(|place| place.environment.clone()));
        }
        for resource in resources {
            let mut parts = resource.arn.splitn(6, ':').skip(3);
            let (own_region, own_account) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
            let of = self.accounts.iter().find(|(_, it)| it.id == own_account).map(|(name, _)| name);
            let elsewhere = match (own_account, of) {
                ("" | "*" | "aws", _) => self.stands(otherwise, account, or(own_region, region)),
                // What an account has in no region serves all of them.
                (_, Some(name)) if own_region.is_empty() => self.stands_anywhere(otherwise, name),
                (_, Some(name)) => self.stands(otherwise, name, or(own_region, region)),
                (_, None) => Environment::production(),
            };
            let raised = self.places.iter().find(|place| place.raises(account, region, resource));
            for other in [Some(elsewhere), raised.map(|place| place.environment.clone())] {
                found = graver(found, other);
            }
        }
        found
    }

    /// Where something stands that has these tags, if `found` is what is known without them. They can only make that
    /// production: as a place says, or by the value of a tag that says where things stand.
    pub(crate) fn tagged(
        &self,
        found: Environment,
        (account, region): (&str, &str),
        tags: &[Tag],
    ) -> Environment {
        let of_places = || self.places.iter().filter(|place| place.covers(account, region));
        let raised = tags.iter().find_map(|(key, value)| {
            let told = of_places().find(|place| place.is_tagged(key, value));
            let is_plain = says_where(key, &self.environment_tags) && is_production(value);
            told.map(|place| place.environment.clone())
                .or_else(|| is_plain.then(Environment::production))
        });
        graver(found, raised)
    }

    fn stands_anywhere(&self, otherwise: &Environment, account: &str) -> Environment {
        let mut places = self.regions.iter().map(|region| self.stands(otherwise, account, region));
        let first = places.next().unwrap_or_else(Environment::production);
        places.fold(first, |one, other| graver(one, Some(other)))
    }

    fn stands(&self, otherwise: &Environment, account: &str, region: &str) -> Environment {
        let fits = |place: &&Place| place.is_of_all() && place.covers(account, region);
        self.places.iter().find(fits).map_or(otherwise, |place| &place.environment).clone()
    }

    /// Whose an account's resources are.
    pub(crate) fn owner(&self, account: &str, region: &str) -> Owner<'_> {
        Owner {
            account: self.accounts.get(account).map_or("", |it| it.id.as_str()),
            partition: table::partition(region).unwrap_or("aws"),
        }
    }
}

/// What an ARN leaves out is that of the request.
fn or<'a>(own: &'a str, otherwise: &'a str) -> &'a str {
    if own.is_empty() || own == "*" { otherwise } else { own }
}

/// Production, if one of them is; of two others neither is known to be the graver.
fn graver(one: Environment, other: Option<Environment>) -> Environment {
    match other {
        None => one,
        Some(other) if one == other || counts_as_production(&one) => one,
        Some(other) if counts_as_production(&other) => other,
        Some(_) => Environment::production(),
    }
}

impl Place {
    fn covers(&self, account: &str, region: &str) -> bool {
        let is = |own: &Option<String>, asked: &str| own.as_ref().is_none_or(|own| own == asked);
        is(&self.account, account) && is(&self.region, region)
    }

    /// Whether what is in it stands there by account and region alone.
    fn is_of_all(&self) -> bool {
        self.name.is_none() && self.tag.is_none()
    }

    fn is_tagged(&self, key: &str, value: &str) -> bool {
        self.tag.as_ref().is_some_and(|(own, pattern)| own == key && matches(pattern, value))
    }

    fn raises(&self, account: &str, region: &str, resource: &Resource) -> bool {
        let fits = |pattern: &str| matches(pattern, &resource.name) || matches(pattern, &resource.arn);
        self.covers(account, region) && self.name.as_deref().is_some_and(fits)
    }
}

/// Whether the value of a tag means production, as people write it.
fn is_production(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    ["prod", "prd", "live"].iter().any(|start| value.starts_with(start))
}

/// Whether a text is as the pattern says, in which `*` is any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

fn wrong(key: &str, message: impl Into<String>) -> Wrong {
    (key.to_owned(), message.into())
}

fn endpoint(text: &str) -> Result<Endpoint, Wrong> {
    let refuse = || wrong("endpoint", format!("`{text}` is not like https://aws.example.com:8443"));
    let (is_tls, authority) = match text.split_once("://").ok_or_else(refuse)? {
        ("http", authority) => (false, authority),
        ("https", authority) => (true, authority),
        _ => return Err(refuse()),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
    if authority.is_empty() || !authority.chars().all(is_plain) {
        return Err(refuse());
    }
    Ok(Endpoint { is_tls, authority: authority.to_ascii_lowercase() })
}

impl RawAccount {
    fn load(&self, data: &Path, region: &str) -> Result<Account, Wrong> {
        let digits = |id: &str| id.len() == ACCOUNT_DIGITS && id.bytes().all(|it| it.is_ascii_digit());
        if !digits(&self.id) {
            return Err(wrong("id", format!("`{}` is not {ACCOUNT_DIGITS} digits", self.id)));
        }
        let secret = |key: &str, reference: &Reference| {
            reference.load(data).map_err(|message| wrong(key, message))
        };
        let source = match (&self.access_key_id, &self.secret_access_key, &self.profile) {
            (Some(id), Some(key), None) => Source::Keys {
                access_key: secret("access_key_id", id)?,
                secret: secret("secret_access_key", key)?,
                token: match &self.session_token {
                    Some(token) => Some(secret("session_token", token)?),
                    None => None,
                },
            },
            (None, None, Some(name)) => {
                let file = self.credentials_file.as_ref();
                let file = file.ok_or_else(|| wrong("credentials_file", "name the profile's file"))?;
                Source::Profile { file: data.join(file), name: name.clone() }
            }
            _ => {
                let message = "give `access_key_id` and `secret_access_key`, or `profile` and \
                               `credentials_file`";
                return Err(wrong("access_key_id", message));
            }
        };
        let role = self.role.as_ref().map(|arn| {
            let external_id = self.external_id.as_ref().map(|it| secret("external_id", it));
            let external_id = external_id.transpose()?;
            Ok::<_, Wrong>(Role { arn: arn.clone(), external_id, region: region.to_owned() })
        });
        Ok(Account { id: self.id.clone(), source, role: role.transpose()? })
    }
}

impl RawPlace {
    fn load(&self, accounts: &BTreeMap<String, Account>) -> Result<Place, Wrong> {
        let environment = Environment::new(self.environment.as_str());
        if let Some(account) = self.account.as_ref().filter(|it| !accounts.contains_key(*it)) {
            return Err(wrong("place", format!("there is no account `{account}`")));
        }
        if (self.name.is_some() || self.tag.is_some()) && !counts_as_production(&environment) {
            let message =
                "agents choose names and tags, so `name` and `tag` can only say what is production";
            return Err(wrong("place", message));
        }
        let tag = self.tag.as_deref().map(|tag| tag.split_once('='));
        let tag = match (tag, &self.name) {
            (None, _) => None,
            (Some(Some((key, value))), None) if !key.is_empty() => {
                Some((key.to_owned(), value.to_owned()))
            }
            (Some(_), Some(_)) => {
                return Err(wrong("place", "give `name` or `tag`, and another place for the other"));
            }
            (Some(_), None) => return Err(wrong("place", "a `tag` is like \"env=prod*\"")),
        };
        let (account, region, name) = (self.account.clone(), self.region.clone(), self.name.clone());
        Ok(Place { account, region, name, tag, environment })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_of_the_whole_text() {
        let check = |pattern: &str, text: &str, expect: bool| {
            assert_eq!(matches(pattern, text), expect, "{pattern} {text}");
        };
        check("prod-*", "prod-orders", true);
        check("prod-*", "my-prod-orders", false);
        check("*-prod", "orders-prod", true);
        check("*-prod", "orders-prod-2", false);
        check("*prod*", "my-production", true);
        check("a*b*c", "abc", true);
        check("a*b*c", "acb", false);
        check("orders", "orders", true);
        check("orders", "orders2", false);
        check("ab*ba", "aba", false);
        check("*", "", true);
    }

    fn config(places: Vec<Place>) -> AwsConfig {
        let account = |id: &str| Account {
            id: id.to_owned(),
            source: Source::Profile { file: PathBuf::new(), name: String::new() },
            role: None,
        };
        AwsConfig {
            endpoint: None,
            authorities: None,
            regions: BTreeSet::from(["eu-west-1".to_owned()]),
            accounts: BTreeMap::from([
                ("main".to_owned(), account("111122223333")),
                ("play".to_owned(), account("444455556666")),
            ]),
            environment_tags: Vec::new(),
            places,
        }
    }

    fn place(account: Option<&str>, region: Option<&str>, name: Option<&str>, is: &str) -> Place {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let environment = Environment::new(is);
        Place { account: own(account), region: own(region), name: own(name), tag: None, environment }
    }

    #[test]
    fn tags_only_raise() {
        let tag = |key: &str, value: &str| Some((key.to_owned(), value.to_owned()));
        let environment = Environment::production();
        let (account, region, name) = (Some("play".to_owned()), None, None);
        let tier = Place { account, region, name, tag: tag("tier", "gold*"), environment };
        let mut config = config(vec![place(None, None, None, "staging"), tier]);
        config.environment_tags = vec!["env".to_owned()];
        let check = |account: &str, tags: &[(&str, &str)], expect: &str| {
            let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            let tags: Vec<_> = tags.iter().map(own).collect();
            let stands = config.environment(&Environment::production(), (account, "eu-west-1"), &[]);
            let found = config.tagged(stands, (account, "eu-west-1"), &tags);
            assert_eq!(found.as_str(), expect, "{tags:?}");
        };
        check("play", &[], "staging");
        check("play", &[("env", "dev")], "staging");
        check("play", &[("env", "Production")], "production");
        check("play", &[("Team:Env", "live-eu")], "production");
        check("play", &[("name", "production")], "staging");
        check("play", &[("tier", "gold-1")], "production");
        check("play", &[("tier", "silver")], "staging");
        check("main", &[("tier", "gold-1")], "staging");
        check("play", &[("env", "dev"), ("env", "prod")], "production");
    }

    #[test]
    fn names_only_raise_and_what_is_unknown_is_production() {
        let config = config(vec![
            place(None, None, Some("*prod*"), "production"),
            place(Some("play"), None, None, "staging"),
            place(None, Some("eu-north-1"), None, "test"),
        ]);
        let check = |at: (&str, &str), arns: &[&str], expect: &str| {
            let resource = |arn: &&str| Resource {
                arn: (*arn).to_owned(),
                service: String::new(),
                kind: String::new(),
                name: arn.rsplit(['/', ':']).next().unwrap_or_default().to_owned(),
            };
            let resources: Vec<_> = arns.iter().map(resource).collect();
            let otherwise = Environment::production();
            assert_eq!(config.environment(&otherwise, at, &resources).as_str(), expect, "{arns:?}");
        };
        check(("main", "eu-west-1"), &[], "production");
        check(("play", "eu-west-1"), &[], "staging");
        check(("main", "eu-north-1"), &[], "test");
        check(("play", "eu-west-1"), &["arn:aws:ec2:eu-west-1:444455556666:instance/i-1"], "staging");
        check(("play", "eu-west-1"), &["arn:aws:s3:::orders"], "staging");
        check(("play", "eu-west-1"), &["arn:aws:dynamodb:eu-west-1:444455556666:*"], "production");
        check(("main", "eu-north-1"), &["arn:aws:iam::111122223333:role/x"], "production");
        check(("play", "eu-west-1"), &["arn:aws:iam::444455556666:role/x"], "staging");
        check(("play", "eu-west-1"), &["arn:aws:rds:eu-west-1:444455556666:db/my-prod"], "production");
        // Of the other account, of one that nobody knows, and of a region that stands elsewhere.
        check(("play", "eu-west-1"), &["arn:aws:sns:eu-west-1:111122223333:x"], "production");
        check(("play", "eu-west-1"), &["arn:aws:sns:eu-west-1:999999999999:x"], "production");
        check(("main", "eu-north-1"), &["arn:aws:sns:eu-west-1:111122223333:x"], "production");
        check(("main", "eu-north-1"), &["arn:aws:sns:eu-north-1:444455556666:x"], "production");
    }
}
