//! The configuration: one TOML file, read completely before anything is bound.
//!
//! Two types: [`RawConfig`] is what was written, [`Config`] is what will be done. Unknown keys are
//! refused, errors name the line, secrets are references. This module is the only reader of
//! configuration files and of the environment.

mod agents;
pub(crate) mod attestation;
pub(crate) mod aws;
mod freezes;
pub(crate) mod glass;
mod hours;
mod limits;
mod policy;
mod power;
pub(crate) mod teams;
mod upstream;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tyer_core::assertion::RelyingParty;
use tyer_core::assertion::attestation::Roots;
use tyer_core::freeze::Calendar;
use tyer_core::hold::Lifetimes;
use tyer_core::intent::{Digest, PersonId, Upstream};
use tyer_core::policy::Policies;
use tyer_core::record::canonical;
use tyer_core::roles::Role;
use tyer_core::roster::Roster;

use self::agents::RawAgent;
use self::attestation::{ATTESTATION, RawAttestation};
use self::freezes::RawFreeze;
pub(crate) use self::freezes::{PART as FREEZES_PART, no_freezes, scope};
use self::glass::{GLASS, RawGlass};
use self::hours::RawPerson;
pub(crate) use self::limits::Limits;
use self::limits::RawLimits;
use self::policy::{RawPolicy, load_policies};
pub(crate) use self::power::Power;
use self::teams::RawTeam;
pub(crate) use self::upstream::{Mode, PostgresConfig, TargetConfig, UpstreamConfig, UpstreamTls};
use self::upstream::{RawUpstream, upstream_config};
use crate::authority::Authority;
use crate::secret::Secret;

/// The file's name inside the data directory.
pub(crate) const FILE: &str = "tyer.toml";

/// What Tyer will do.
#[derive(Debug)]
pub(crate) struct Config {
    /// Where everything is kept.
    pub(crate) data: PathBuf,
    pub(crate) console: Console,
    pub(crate) policies: Policies,
    pub(crate) holds: Holds,
    pub(crate) limits: Limits,
    pub(crate) upstreams: BTreeMap<Upstream, UpstreamConfig>,
    /// The people who own each agent, and so control its sessions.
    pub(crate) agents: BTreeMap<String, BTreeSet<PersonId>>,
    /// The people in each team that a policy may ask for, and when people work.
    pub(crate) roster: Roster,
    /// What people may decide who are no operators.
    pub(crate) roles: BTreeMap<PersonId, Role>,
    /// The makers of authenticators whose attestations count.
    pub(crate) roots: Roots,
    /// What the secrets of minted access keys follow from.
    pub(crate) session_key: Option<Secret>,
    /// What clients of AWS are to trust who come through their door as their proxy.
    pub(crate) authority: Option<Box<Authority>>,
    /// How many reviews of one human's may be open when they break glass; nobody can if there is none.
    pub(crate) open_reviews: Option<u32>,
    pub(crate) calendar: Calendar,
    /// The digest of each security part of the file: `console`, `policy`, `upstream NAME`, `agent NAME`,
    /// `team NAME`, `person NAME`, `role NAME`, and `freezes`, `attestation` and `break_glass` if there are any.
    pub(crate) parts: BTreeMap<String, Digest>,
}

/// Where people look at holds and answer them.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    pub(crate) listen: SocketAddr,
    /// What browsers call it, such as `https://tyer.example.com`.
    pub(crate) origin: String,
    /// For whom passkeys sign.
    pub(crate) relying_party: RelyingParty,
    pub(crate) tls: Option<TlsFiles>,
    /// Approvals of production on a loopback console are let through: an unsafe posture.
    pub(crate) allow_loopback_approvals: bool,
}

impl Console {
    /// Whether agents on this machine could reach the console as people do.
    pub(crate) fn is_loopback(&self) -> bool {
        self.listen.ip().is_loopback()
    }
}

/// A certificate chain and its key, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// How long things wait and live.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holds {
    /// How long a door waits for people before it says "come again".
    pub(crate) wait: Duration,
    pub(crate) lifetimes: Lifetimes,
}

/// Why the configuration is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}", path = .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// The file is not what it should be; the message names the line.
    #[error("{path}: {message}", path = .path.display())]
    Malformed { path: PathBuf, message: String },
    /// A value makes no sense.
    #[error("{path}: {key}: {message}", path = .path.display())]
    Value { path: PathBuf, key: String, message: String },
    /// A policy does not load.
    #[error("{0}")]
    Policy(#[from] tyer_core::policy::LoadError),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    console: RawConsole,
    #[serde(default)]
    policy: RawPolicy,
    #[serde(default)]
    holds: RawHolds,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    upstream: BTreeMap<String, RawUpstream>,
    #[serde(default)]
    agent: BTreeMap<String, RawAgent>,
    #[serde(default)]
    team: BTreeMap<String, RawTeam>,
    #[serde(default)]
    person: BTreeMap<String, RawPerson>,
    #[serde(default)]
    freeze: Vec<RawFreeze>,
    attestation: Option<RawAttestation>,
    break_glass: Option<RawGlass>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawConsole {
    listen: SocketAddr,
    origin: String,
    tls: Option<TlsFiles>,
    #[serde(default)]
    allow_loopback_approvals: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHolds {
    wait_seconds: Option<u64>,
    expire_seconds: Option<u32>,
    lapse_seconds: Option<u32>,
}

/// Where a secret is; never the secret itself.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum Reference {
    Env(String),
    File(PathBuf),
}

impl Reference {
    /// The secret, or why there is none.
    fn load(&self, data: &Path) -> Result<Secret, String> {
        match self {
            Self::Env(variable) => std::env::var(variable)
                .map(Secret::new)
                .map_err(|_| format!("the environment variable {variable} is not set")),
            Self::File(file) => {
                let path = data.join(file);
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                Ok(Secret::new(text.trim_end_matches('\n').to_owned()))
            }
        }
    }
}

impl Config {
    /// Reads the configuration of a data directory, with its policies and secrets.
    pub(crate) fn load(data: &Path) -> Result<Self, ConfigError> {
        let path = data.join(FILE);
        let text = read(&path)?;
        Self::parse(data, &path, &text)
    }

    fn parse(data: &Path, path: &Path, text: &str) -> Result<Self, ConfigError> {
        let raw = raw(path, text)?;
        let mut parts = BTreeMap::new();
        parts.insert("console".to_owned(), part_digest(&raw.console));
        let teams = teams::teams(path, raw.team)?;
        parts.extend(teams::parts(&teams));
        let (hours, roles) = (hours::hours(path, &raw.person)?, hours::roles(&raw.person));
        parts.extend(hours::parts(&hours, &roles));
        let policies = load_policies(data, path, &raw.policy, &teams)?;
        parts.insert("policy".to_owned(), policies.hash());
        let mut roots = Roots::default();
        if let Some(raw) = &raw.attestation {
            let (read, digest) = raw.load(data)?;
            parts.insert(ATTESTATION.to_owned(), digest);
            roots = read;
        }
        let mut open_reviews = None;
        if let Some(raw) = &raw.break_glass {
            parts.insert(GLASS.to_owned(), part_digest(raw));
            open_reviews = Some(raw.load(path, &roots)?);
        }
        let mut upstreams = BTreeMap::new();
        for (name, upstream) in raw.upstream {
            parts.insert(format!("upstream {name}"), part_digest(&upstream));
            let config = upstream_config(data, path, &name, upstream)?;
            upstreams.insert(Upstream::new(name), config);
        }
        parts.extend(
            raw.agent.iter().map(|(name, agent)| (format!("agent {name}"), part_digest(agent))),
        );
        let agents = raw.agent.into_iter().map(|(name, agent)| (name, agent.owners())).collect();
        if !raw.freeze.is_empty() {
            parts.insert(FREEZES_PART.to_owned(), part_digest(&raw.freeze));
        }
        Ok(Self {
            data: data.to_owned(),
            console: console(path, raw.console)?,
            calendar: freezes::calendar(path, raw.freeze, &upstreams)?,
            policies,
            holds: holds(&raw.holds),
            limits: limits::limits(path, &raw.limits)?,
            upstreams,
            agents,
            roster: Roster { teams, hours },
            roles,
            roots,
            session_key: None,
            authority: None,
            open_reviews,
            parts,
        })
    }
}

/// The console as the file says, without reading policies and secrets; for the command line.
pub(crate) fn console_of(path: &Path, text: &str) -> Result<Console, ConfigError> {
    console(path, raw(path, text)?.console)
}

/// The console's origin by the file of a data directory.
pub(crate) fn console_origin(data: &Path) -> Result<String, ConfigError> {
    let path = data.join(FILE);
    Ok(console_of(&path, &read(&path)?)?.origin)
}

/// The policies of a data directory, without reading secrets.
pub(crate) fn policies(data: &Path) -> Result<Policies, ConfigError> {
    let path = data.join(FILE);
    let raw = raw(&path, &read(&path)?)?;
    load_policies(data, &path, &raw.policy, &teams::teams(&path, raw.team)?)
}

fn raw(path: &Path, text: &str) -> Result<RawConfig, ConfigError> {
    toml::from_str(text).map_err(|error| ConfigError::Malformed {
        path: path.to_owned(),
        message: located(text, &error),
    })
}

/// The data directory: the flag, else `TYER_DATA`, else `tyer-data` here.
pub(crate) fn data_directory(flag: Option<PathBuf>) -> PathBuf {
    flag.or_else(|| std::env::var_os("TYER_DATA").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("tyer-data"))
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

/// The message with the line and column where the file goes wrong.
fn located(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
    format!("line {line}, column {column}: {}", error.message().replace('\n', "; "))
}

fn part_digest<T: Serialize>(part: &T) -> Digest {
    let value = serde_json::to_value(part).unwrap_or(serde_json::Value::Null);
    Digest::of(&canonical(&value))
}

fn console(path: &Path, raw: RawConsole) -> Result<Console, ConfigError> {
    let origin = raw.origin.trim_end_matches('/').to_owned();
    let relying_party = RelyingParty::of_origin(&origin).map_err(|error| ConfigError::Value {
        path: path.to_owned(),
        key: "console.origin".to_owned(),
        message: format!("`{origin}`: {error}"),
    })?;
    Ok(Console {
        listen: raw.listen,
        origin,
        relying_party,
        tls: raw.tls,
        allow_loopback_approvals: raw.allow_loopback_approvals,
    })
}

fn holds(raw: &RawHolds) -> Holds {
    let ms = |value: Option<u32>, default_ms: i64| {
        value.map_or(default_ms, |seconds| i64::from(seconds).saturating_mul(1_000))
    };
    Holds {
        wait: Duration::from_secs(raw.wait_seconds.unwrap_or(20).min(300)),
        lifetimes: Lifetimes::new(
            ms(raw.expire_seconds, tyer_core::limits::HOLD_MS_MAX),
            ms(raw.lapse_seconds, tyer_core::limits::GRANT_MS_MAX),
        ),
    }
}

#[cfg(test)]
mod tests {
    use tyer_core::intent::Timestamp;

    use super::*;

    const GOOD: &str = r#"
[console]
listen = "127.0.0.1:7780"
origin = "http://localhost:7780"

[upstream.orders]
protocol = "postgres"
listen = "127.0.0.1:6432"
address = "127.0.0.1:5432"
database = "orders"
user = "tyer"
password = { file = "password" }
tls = "disable"
environment = "production"
owners = ["alice"]
"#;

    fn parse(text: &str) -> Result<Config, String> {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("password"), "s3cret\n").expect("a file");
        let path = Path::new("tyer.toml");
        Config::parse(directory.path(), path, text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_good_file_is_read_and_shows_no_secret() {
        let config = parse(GOOD).expect("a good file");
        let orders = config.upstreams.get(&Upstream::new("orders")).expect("the upstream");
        assert_eq!(orders.postgres().expect("a database").password.reveal(), "s3cret");
        assert!(!format!("{config:?}").contains("s3cret"));
        assert_eq!(config.console.relying_party.id(), "localhost");
        assert_eq!(config.parts.keys().collect::<Vec<_>>(), ["console", "policy", "upstream orders"]);
    }

    #[test]
    fn teams_are_security_parts_and_policies_name_no_others() {
        let team = |members: &str| format!("{GOOD}\n[team.sre]\nmembers = [{members}]\n");
        let digest = |text: &str| parse(text).expect("a good file").parts.get("team sre").copied();
        assert_eq!(digest(GOOD), None);
        assert_eq!(digest(&team("\"bob\", \"ann\"")), digest(&team("\"ann\", \"bob\"")));
        assert_ne!(digest(&team("\"ann\"")), digest(&team("\"ann\", \"bob\"")));
        let error = parse(&format!("{GOOD}\n[team.\"s re\"]\nmembers = []\n")).expect_err("a bad name");
        assert!(error.contains("team.s re: names are letters"), "{error}");
        let error = parse(&format!("{GOOD}\n[team.sre]\nlead = \"ann\"\n")).expect_err("a bad key");
        assert!(error.contains("unknown field `lead`"), "{error}");
    }

    #[test]
    fn working_hours_are_security_parts() {
        let bob = |says: &str| format!("{GOOD}\n[person.bob]\n{says}\n");
        let good = bob("zone = \"Europe/Berlin\"\nhours = [\"Mon-Fri 09:00-17:00\"]");
        let config = parse(&good).expect("a good file");
        // Monday 2026-11-23, 14:00 in Berlin.
        assert!(config.roster.is_at_work(&PersonId::new("bob"), Timestamp(1_795_438_800_000)));
        assert!(!config.roster.is_at_work(&PersonId::new("ann"), Timestamp(1_795_438_800_000)));
        let digest = |text: &str| parse(text).expect("a good file").parts.get("person bob").copied();
        assert_ne!(digest(&good), digest(&good.replace("17:00", "18:00")));
        assert_ne!(digest(&good), digest(&good.replace("Berlin", "London")));
        let check = |says: &str, expect: &str| {
            let error = parse(&bob(says)).expect_err(says);
            assert!(error.contains(expect), "{says}: {error}");
        };
        check("zone = \"UTC\"\nhours = []", "person.bob.hours: give one to 32 windows");
        check(
            "zone = \"UTC\"\nhours = [\"Mon-Fri 9-17\"]",
            "line 19, column 9: `Mon-Fri 9-17` is not like",
        );
        check("zone = \"Berlin\"\nhours = []", "is not the name of a time zone");
        check("hours = []", "person.bob: `zone` and `hours` stand together");
        check("role = \"owner\"", "unknown variant `owner`");
        let auditor = parse(&bob("role = \"auditor\"")).expect("a good file");
        assert_eq!(auditor.roles[&PersonId::new("bob")], Role::Auditor);
        assert_eq!(auditor.parts.get("role bob"), Some(&Role::Auditor.digest()));
        let error = parse(&format!("{GOOD}\n[person.\"b b\"]\nzone = \"UTC\"\nhours = []\n"));
        assert!(error.expect_err("a bad name").contains("cannot be a person's name"));
    }

    #[test]
    fn a_security_part_has_another_digest_once_it_says_something_else() {
        let digest = |text: &str| parse(text).expect("a good file").parts["upstream orders"];
        assert_eq!(digest(GOOD), digest(&GOOD.replace("7780", "7781")));
        for (from, to) in [
            ("production", "staging"),
            ("[\"alice\"]", "[\"mallory\"]"),
            ("127.0.0.1:5432", "127.0.0.1:5433"),
            ("user = \"tyer\"", "user = \"postgres\""),
            ("tls = \"disable\"", "tls = \"disable\"\nmode = \"observe\""),
            ("tls = \"disable\"", "tls = \"disable\"\nallow_role_powers = [\"superuser\"]"),
            ("tls = \"disable\"", "tls = \"disable\"\nbackup = { query = \"SELECT now()\" }"),
        ] {
            assert_ne!(digest(GOOD), digest(&GOOD.replace(from, to)), "{from} -> {to}");
        }
        let usual = GOOD.replace("tls = \"disable\"", "tls = \"disable\"\nmode = \"enforce\"");
        assert_eq!(digest(GOOD), digest(&usual));
        let none = GOOD.replace("tls = \"disable\"", "tls = \"disable\"\nallow_role_powers = []");
        assert_eq!(digest(GOOD), digest(&none));
    }

    const FREEZE: &str = "\n[[freeze]]\nname = \"weekends\"\nreason = \"nobody is there\"\n\
        zone = \"Europe/Berlin\"\nevery = [\"Fri 16:00 - Mon 08:00\"]\n";

    #[test]
    fn a_calendar_is_a_security_part() {
        let good = format!("{GOOD}{FREEZE}");
        let config = parse(&good).expect("a calendar");
        let all = config.calendar.within(Timestamp(1_800_000_000_000), Timestamp(1_800_604_800_000));
        assert_eq!((all.len(), config.calendar.is_empty()), (1, false));
        let digest = |text: &str| parse(text).expect("a good file").parts.get(FREEZES_PART).copied();
        assert_eq!(digest(GOOD), None);
        for (from, to) in [
            ("weekends", "ends-of-weeks"),
            ("nobody is there", "nobody"),
            ("Europe/Berlin", "UTC"),
            ("Fri 16:00", "Fri 16:01"),
            ("zone", "environment = \"production\"\nzone"),
            ("zone", "upstream = \"orders\"\nzone"),
            (
                "every = [\"Fri 16:00 - Mon 08:00\"]",
                "from = \"2026-12-20T18:00\"\nuntil = \"2026-12-21T18:00\"",
            ),
        ] {
            let other = good.replace(from, to);
            assert!(digest(&other).is_some() && digest(&other) != digest(&good), "{from} -> {to}");
        }
        assert_ne!(digest(&good), Some(no_freezes()));
    }

    #[test]
    fn a_bad_calendar_is_refused_with_the_place() {
        let check = |from: &str, to: &str, expect: &str| {
            let error = parse(&format!("{GOOD}{}", FREEZE.replace(from, to))).expect_err(to);
            assert!(error.contains(expect), "{to}: {error}");
        };
        check("reason", "colour = 1\nreason", "line 19, column 1: unknown field `colour`");
        check(
            "Europe/Berlin",
            "Europe/Atlantis",
            "line 20, column 8: `Europe/Atlantis` is not the name of a time zone",
        );
        check("Mon 08:00", "Mon 8:00", "line 21, column 9: `Fri 16:00 - Mon 8:00` is neither like");
        check("zone = \"Europe/Berlin\"\n", "", "missing field `zone`");
        check("nobody is there", " ", "freeze.weekends.reason");
        check("\"weekends\"", "\"week ends\"", "freeze.week ends.name: names are letters");
        check(
            "zone",
            "environment = \"prodution\"\nzone",
            "freeze.weekends.environment: no upstream stands in",
        );
        check(
            "zone",
            "upstream = \"books\"\nzone",
            "freeze.weekends.upstream: there is no upstream `books`",
        );
        check("zone", "upstream = \"orders\"\nenvironment = \"production\"\nzone", "not both");
        check("every = [\"Fri 16:00 - Mon 08:00\"]", "", "freeze.weekends.every: give either");
        check("every", "from = \"2026-12-20T18:00\"\nevery", "freeze.weekends.every: give either");
        let once = |until: &str| format!("from = \"2026-12-20T18:00\"\nuntil = \"{until}\"");
        let every = "every = [\"Fri 16:00 - Mon 08:00\"]";
        check(every, &once("2026-12-20T18:00"), "freeze.weekends.until: it does not come after");
        check(every, &once("2026-12-20"), "line 22, column 9: `2026-12-20` is not a day and a time");
        check(
            "\n[[freeze]]",
            &format!("{FREEZE}[[freeze]]"),
            "freeze.weekends.name: another freeze has this name",
        );
    }

    #[test]
    fn a_bad_file_is_refused_with_the_place() {
        let check = |from: &str, to: &str, expect: &str| {
            let error = parse(&GOOD.replace(from, to)).expect_err(to);
            assert!(error.contains(expect), "{to}: {error}");
        };
        check("[console]", "[console]\ncolour = 1", "line 3, column 1: unknown field `colour`");
        check("listen = \"127.0.0.1:6432\"", "listen = 6432", "line 8");
        check("protocol = \"postgres\"", "protocol = \"mysql\"", "upstream.orders.protocol");
        check("tls = \"disable\"", "tls = \"prefer\"", "upstream.orders.tls");
        let limit = |line: &str| format!("[limits]\n{line}\n[upstream.orders]");
        check("[upstream.orders]", &limit("connections = 0"), "limits.connections: 0 is not between 1");
        check("[upstream.orders]", &limit("login_seconds = 301"), "limits.login_seconds");
        check("[upstream.orders]", &limit("colour = 1"), "unknown field `colour`");
        check("tls = \"disable\"", "tls = \"disable\"\nmode = \"off\"", "line 14, column 8");
        let powers = "tls = \"disable\"\nallow_role_powers = [\"superuser\", \"root\"]";
        check("tls = \"disable\"", powers, "line 14, column 35: unknown variant `root`");
        let further = |line: &str| format!("tls = \"disable\"\n{line}");
        check("tls = \"disable\"", &further("authorities = \"a\""), "authorities");
        check("tls = \"disable\"", &further("client_key = \"a\""), "client_certificate");
        check("tls = \"disable\"", &further("backup = { text = \"x\" }"), "unknown field `text`");
        check("{ file = \"password\" }", "\"s3cret\"", "line 12");
        check("{ file = \"password\" }", "{ env = \"TYER_NO_SUCH\" }", "TYER_NO_SUCH is not set");
        check("http://localhost:7780", "http://127.0.0.1:7780", "console.origin");
        check("http://localhost:7780", "http://tyer.example.com", "console.origin");
        check(
            "tls = \"disable\"",
            "tls = \"disable\"\nreads = [\"full_name\"]",
            "upstream.orders.reads",
        );
        check("[upstream.orders]", "[policy]\npreset = \"yolo\"\n[upstream.orders]", "policy.preset");
    }
}
