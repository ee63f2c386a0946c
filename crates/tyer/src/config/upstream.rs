//! One upstream and the door before it: an `[upstream.NAME]` section of the file.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tyer_core::intent::{Environment, PersonId, Upstream};

use super::aws::{AwsConfig, RawAccount, RawPlace};
use super::{ConfigError, Power, Reference, TlsFiles};
use crate::secret::Secret;

/// One upstream and the door before it.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamConfig {
    pub(crate) name: Upstream,
    /// Where agents connect.
    pub(crate) listen: SocketAddr,
    pub(crate) environment: Environment,
    pub(crate) owners: BTreeSet<PersonId>,
    pub(crate) mode: Mode,
    pub(crate) target: TargetConfig,
}

/// What is behind the door.
#[derive(Clone, Debug)]
pub(crate) enum TargetConfig {
    Postgres(Box<PostgresConfig>),
    Aws(Arc<AwsConfig>),
}

impl UpstreamConfig {
    /// The database, if it is one.
    pub(crate) fn postgres(&self) -> Option<&PostgresConfig> {
        match &self.target {
            TargetConfig::Postgres(config) => Some(config),
            TargetConfig::Aws(_) => None,
        }
    }

    /// The accounts, if it is AWS.
    pub(crate) fn aws(&self) -> Option<&Arc<AwsConfig>> {
        match &self.target {
            TargetConfig::Aws(config) => Some(config),
            TargetConfig::Postgres(_) => None,
        }
    }

    /// Every environment in which something of it may stand.
    pub(crate) fn environments(&self) -> impl Iterator<Item = &Environment> {
        let places = self.aws().into_iter().flat_map(|aws| aws.places.iter());
        std::iter::once(&self.environment).chain(places.map(|place| &place.environment))
    }
}

/// A real database.
#[derive(Clone, Debug)]
pub(crate) struct PostgresConfig {
    /// Its host and port.
    pub(crate) address: String,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) password: Secret,
    pub(crate) tls: UpstreamTls,
    /// What Tyer's role there may be able to do beyond an ordinary role.
    pub(crate) allow_role_powers: BTreeSet<Power>,
    /// Functions that are taken for reads, `schema.name`.
    pub(crate) reads: Arc<BTreeSet<String>>,
    /// The question whose answer is when the last backup was made.
    pub(crate) backup: Option<String>,
}

/// How the real database is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UpstreamTls {
    /// In clear; only sensible on the same machine or a private network.
    Disable,
    /// By TLS, the server's certificate checked against these authorities, or the system's, and its
    /// host name.
    VerifyFull {
        authorities: Option<PathBuf>,
        /// What Tyer shows of itself, if the server asks for a certificate.
        client: Option<TlsFiles>,
    },
}

/// Whether the policies bind at an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// They do.
    #[default]
    Enforce,
    /// Everything runs, and leaves say what the policies would have said; for trying Tyer out.
    Observe,
}

impl Mode {
    fn is_enforce(&self) -> bool {
        *self == Self::Enforce
    }
}

/// The keys of every protocol. Those that are missing are not written, but for the two that always were, so that a
/// part's digest stays what it was confirmed as.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUpstream {
    protocol: String,
    listen: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<String>,
    authorities: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_key: Option<PathBuf>,
    environment: String,
    #[serde(default)]
    owners: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Mode::is_enforce")]
    mode: Mode,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    allow_role_powers: BTreeSet<Power>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    reads: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<RawBackup>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) regions: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) account: BTreeMap<String, RawAccount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) environment_tags: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) place: Vec<RawPlace>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawBackup {
    query: String,
}

/// A key and what is wrong with it.
pub(super) type Wrong = (String, String);

fn wrong<T>(key: &str, message: impl Into<String>) -> Result<T, Wrong> {
    Err((key.to_owned(), message.into()))
}

pub(super) fn upstream_config(
    data: &Path,
    path: &Path,
    name: &str,
    raw: RawUpstream,
) -> Result<UpstreamConfig, ConfigError> {
    read(data, name, raw).map_err(|(key, message)| ConfigError::Value {
        path: path.to_owned(),
        key: format!("upstream.{name}.{key}"),
        message,
    })
}

fn read(data: &Path, name: &str, raw: RawUpstream) -> Result<UpstreamConfig, Wrong> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if name.is_empty() || name.len() > tyer_core::limits::NAME_CHARS_MAX || !name.chars().all(plain) {
        return wrong("", "names are letters, digits, `-` and `_`");
    }
    let foreign = match raw.protocol.as_str() {
        "postgres" => raw.of_aws(),
        "aws" => raw.of_postgres(),
        other => {
            return wrong(
                "protocol",
                format!("`{other}` is not known; there are `postgres` and `aws`"),
            );
        }
    };
    if let Some(key) = foreign.into_iter().find_map(|(key, is_there)| is_there.then_some(key)) {
        return wrong(key, format!("an upstream with protocol = `{}` has none", raw.protocol));
    }
    let (listen, mode) = (raw.listen, raw.mode);
    let environment = Environment::new(raw.environment.as_str());
    let owners = raw.owners.iter().map(PersonId::new).collect();
    let target = match raw.protocol.as_str() {
        "postgres" => TargetConfig::Postgres(Box::new(raw.postgres(data)?)),
        _ => TargetConfig::Aws(Arc::new(AwsConfig::load(data, &raw)?)),
    };
    Ok(UpstreamConfig { name: Upstream::new(name), listen, environment, owners, mode, target })
}

impl RawUpstream {
    fn of_postgres(&self) -> Vec<(&'static str, bool)> {
        vec![
            ("address", self.address.is_some()),
            ("database", self.database.is_some()),
            ("user", self.user.is_some()),
            ("password", self.password.is_some()),
            ("tls", self.tls.is_some()),
            ("client_certificate", self.client_certificate.is_some()),
            ("client_key", self.client_key.is_some()),
            ("allow_role_powers", !self.allow_role_powers.is_empty()),
            ("reads", !self.reads.is_empty()),
            ("backup", self.backup.is_some()),
        ]
    }

    fn of_aws(&self) -> Vec<(&'static str, bool)> {
        vec![
            ("endpoint", self.endpoint.is_some()),
            ("regions", !self.regions.is_empty()),
            ("account", !self.account.is_empty()),
            ("environment_tags", self.environment_tags.is_some()),
            ("place", !self.place.is_empty()),
        ]
    }

    /// The authorities of the upstream's own, as a path.
    pub(super) fn authorities(&self, data: &Path) -> Option<PathBuf> {
        self.authorities.as_ref().map(|file| data.join(file))
    }

    fn postgres(self, data: &Path) -> Result<PostgresConfig, Wrong> {
        let is_whole = |function: &&String| matches!(function.split('.').collect::<Vec<_>>().as_slice(), [schema, name] if !schema.is_empty() && !name.is_empty());
        if let Some(function) = self.reads.iter().find(|function| !is_whole(function)) {
            return wrong("reads", format!("`{function}` is not of the form schema.name"));
        }
        let tls = self.tls(data)?;
        let needed = |key: &str| (key.to_owned(), "missing".to_owned());
        let password = self.password.ok_or_else(|| needed("password"))?.load(data);
        Ok(PostgresConfig {
            address: self.address.ok_or_else(|| needed("address"))?,
            database: self.database.ok_or_else(|| needed("database"))?,
            user: self.user.ok_or_else(|| needed("user"))?,
            password: password.map_err(|message| ("password".to_owned(), message))?,
            tls,
            allow_role_powers: self.allow_role_powers,
            reads: Arc::new(self.reads),
            backup: self.backup.map(|backup| backup.query),
        })
    }

    /// How the database is reached.
    fn tls(&self, data: &Path) -> Result<UpstreamTls, Wrong> {
        let client = match (&self.client_certificate, &self.client_key) {
            (Some(certificate), Some(key)) => {
                Some(TlsFiles { certificate: data.join(certificate), key: data.join(key) })
            }
            (None, None) => None,
            (Some(_), None) => return wrong("client_key", "name the certificate's key too"),
            (None, Some(_)) => return wrong("client_certificate", "name the key's certificate too"),
        };
        match (self.tls.as_deref(), &self.authorities, client) {
            (Some("disable"), None, None) => Ok(UpstreamTls::Disable),
            (Some("disable"), _, Some(_)) => {
                wrong("client_certificate", "it needs tls = `verify-full`")
            }
            (Some("disable"), Some(_), None) => wrong("authorities", "they need tls = `verify-full`"),
            (Some("verify-full"), _, client) => {
                Ok(UpstreamTls::VerifyFull { authorities: self.authorities(data), client })
            }
            (Some(other), ..) => wrong("tls", format!("`{other}` is not `verify-full` or `disable`")),
            (None, ..) => wrong("tls", "missing; give `verify-full` or `disable`"),
        }
    }
}
