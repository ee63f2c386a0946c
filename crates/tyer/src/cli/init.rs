//! `tyer init`: makes a data directory and prints the founders' enrolment links.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value as Json, json};
use toml::Value;
use tyer_core::intent::PersonId;

use super::call::{Call, waiting};
use super::failure::{Exit, Failure};
use super::print;
use crate::config;
use crate::founding::{self, EnrolmentLink, FoundingError, Plan};
use crate::gateway::people::is_person;

/// Make a data directory and print the enrolment links of the two founders
///
/// On a directory that exists, renews the links of founders who have not enrolled; else it refuses.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The two founders, such as alice,bob; they approve each other's agents
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    people: Vec<String>,
    /// A demo: approvals of production on a console on loopback are let through, which is unsafe
    #[arg(long)]
    demo: bool,
    /// What browsers call the console; passkeys need https, except on localhost
    #[arg(long, value_name = "URL", default_value = "http://localhost:7780")]
    console_origin: String,
    /// Where the console listens [default: the origin's port on 127.0.0.1, else 127.0.0.1:7780]
    #[arg(long, value_name = "ADDR")]
    console_listen: Option<SocketAddr>,
    /// The policies to start with
    #[arg(long, value_parser = ["ask", "guarded"], default_value = "ask")]
    preset: String,
    #[command(flatten)]
    first: FirstUpstream,
}

/// The first upstream. Without `--upstream`, the configuration has a commented example.
#[derive(Debug, Args)]
#[command(next_help_heading = "First upstream")]
struct FirstUpstream {
    /// Its name, such as orders
    #[arg(long, value_name = "NAME", requires_all = ["address", "database", "user", "password"])]
    upstream: Option<String>,
    /// Host and port of the real database
    #[arg(long, value_name = "HOST:PORT", requires = "upstream")]
    address: Option<String>,
    /// The database there
    #[arg(long, value_name = "NAME", requires = "upstream")]
    database: Option<String>,
    /// The role that Tyer logs in as; an ordinary one, else the door stays closed
    #[arg(long, value_name = "ROLE", requires = "upstream")]
    user: Option<String>,
    #[command(flatten)]
    password: Password,
    /// Where agents connect
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6432")]
    listen: SocketAddr,
    /// What it is; everything but a declared name counts as production
    #[arg(long, value_name = "NAME", default_value = "production")]
    environment: String,
    /// Who owns it; repeat for more
    #[arg(long, value_name = "PERSON")]
    owner: Vec<String>,
    /// How the real database is reached
    #[arg(long, value_parser = ["verify-full", "disable"], default_value = "verify-full")]
    tls: String,
    /// The PEM file of the authorities to trust with --tls verify-full; without it, the system's
    #[arg(long, value_name = "FILE")]
    authorities: Option<PathBuf>,
}

/// Where the real password is; never the password itself.
#[derive(Debug, Args)]
#[group(id = "password", multiple = false)]
struct Password {
    /// The environment variable that holds the real password when the server starts
    #[arg(long, value_name = "VARIABLE", requires = "upstream")]
    password_env: Option<String>,
    /// The file that holds the real password
    #[arg(long, value_name = "FILE", requires = "upstream")]
    password_file: Option<PathBuf>,
}

impl Init {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        if founding::is_founded(&call.data) {
            return renew(call);
        }
        let plan = self.plan(&call.data)?;
        let founded =
            waiting(founding::found(&call.data, &plan))?.map_err(|error| failed(&error, &call.data))?;
        if self.demo {
            print::note(
                "a demo: approvals of production on this loopback console are let through; \
                 never do this before a real database",
            );
        }
        if let Some(user) = &self.first.user {
            print::note(format!(
                "the role {user} must be an ordinary one, else its door stays closed; `tyer doctor` looks"
            ));
        }
        if let Err(error) = config::Config::load(&call.data) {
            print::note(format!("not ready to serve yet: {error}"));
        }
        let config = call.data.join(config::FILE).display().to_string();
        if !call.json {
            print::line(format!("made {} for the ledger {}", call.data.display(), founded.origin))?;
            print::line(format!("  edit     {config}"))?;
            print::line(format!("  publish  {}", founded.verifier))?;
        }
        let ledger = json!({ "origin": founded.origin, "verifier_key": founded.verifier });
        tell_links(call, &founded.links, &[("config", json!(config)), ("ledger", ledger)])
    }

    fn plan(&self, data: &Path) -> Result<Plan, Failure> {
        let path = data.join(config::FILE);
        let people = self.founders()?;
        let text = self.config()?;
        let console = config::console_of(&path, &text)
            .map_err(|error| Failure::usage(error.to_string(), "see `tyer init --help`"))?;
        let listen = self.first.listen.ip();
        let door_names = if listen.is_unspecified() { Vec::new() } else { vec![listen.to_string()] };
        Ok(Plan { people, config: text, host: console.relying_party.id().to_owned(), door_names })
    }

    fn founders(&self) -> Result<[PersonId; 2], Failure> {
        let next = "name them, such as --people alice,bob";
        let [one, two] = self.people.as_slice() else {
            return Err(Failure::usage("a Tyer is founded by exactly two people", next));
        };
        if one == two {
            return Err(Failure::usage("the two founders are different people", next));
        }
        if let Some(wrong) = [one, two].into_iter().find(|name| !is_person(name)) {
            let message = format!("`{wrong}` is not a name: up to 64 letters, digits, `-`, `_` or `.`");
            return Err(Failure::usage(message, next));
        }
        Ok([PersonId::new(one.as_str()), PersonId::new(two.as_str())])
    }

    /// The text of the configuration.
    fn config(&self) -> Result<String, Failure> {
        let origin = self.console_origin.trim_end_matches('/');
        let port = origin.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(7780);
        let listen = self.console_listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], port)));
        let demo = if self.demo {
            "allow_loopback_approvals = true"
        } else {
            "# allow_loopback_approvals = true"
        };
        let first = self.first.section()?;
        Ok(format!(
            r#"# Tyer's configuration. `tyer doctor` checks it; changes take effect when the server starts.
# The parts [console], [policy] and each [upstream.NAME] are hashed: once two people have enrolled, a
# change keeps the doors that it touches closed until two people have confirmed it in the console.

# Where people see holds and answer them.
[console]
listen = {listen}
origin = {origin}
# tls = {{ certificate = "console.crt", key = "console.key" }}
# A console on loopback is within reach of agents on this machine, so it cannot approve production
# unless this says so. Unsafe, for demos only.
{demo}

# `ask`: every action asks people. `guarded`: reads, and writes outside production, flow.
[policy]
preset = {preset}
# files = ["policies/mine.cedar"]

# How long things wait and live.
[holds]
# wait_seconds = 20       # a door waits this long for people, then refuses with "come again"
# expire_seconds = 86400  # an unanswered hold
# lapse_seconds = 900     # approvals that nobody uses

# When nothing is changed, whoever agrees: either `from` and `until`, or `every` week or year, on a zone's clocks.
# [[freeze]]
# name = "quiet"
# reason = "nobody is there to help"
# environment = "production"           # or upstream = "orders"; without either, everything
# zone = "Europe/Berlin"
# every = ["Fri 16:00 - Mon 08:00", "12-24 00:00 - 01-02 08:00"]

# A database, and the door before it. Secrets are references, never values.
{first}"#,
            listen = Value::from(listen.to_string()),
            origin = Value::from(origin),
            preset = Value::from(self.preset.as_str()),
        ))
    }
}

impl FirstUpstream {
    fn section(&self) -> Result<String, Failure> {
        let Some(name) = &self.upstream else {
            return Ok(EXAMPLE.to_owned());
        };
        let mut table = toml::Table::new();
        let text = |value: &Option<String>| Value::from(value.clone().unwrap_or_default());
        table.insert("protocol".to_owned(), Value::from("postgres"));
        table.insert("listen".to_owned(), Value::from(self.listen.to_string()));
        table.insert("address".to_owned(), text(&self.address));
        table.insert("database".to_owned(), text(&self.database));
        table.insert("user".to_owned(), text(&self.user));
        table.insert("tls".to_owned(), Value::from(self.tls.as_str()));
        match (&self.authorities, self.tls.as_str()) {
            (Some(file), "verify-full") => {
                table.insert("authorities".to_owned(), Value::from(absolute(file)?));
            }
            (Some(_), _) => {
                let next = "leave --authorities out, or ask for --tls verify-full";
                return Err(Failure::usage("--authorities are for --tls verify-full", next));
            }
            (None, _) => {}
        }
        table.insert("environment".to_owned(), Value::from(self.environment.as_str()));
        table.insert("owners".to_owned(), Value::from(self.owner.clone()));
        let mut password = toml::Table::new();
        match (&self.password.password_env, &self.password.password_file) {
            (Some(variable), _) => password.insert("env".to_owned(), Value::from(variable.as_str())),
            (None, Some(file)) => password.insert("file".to_owned(), Value::from(absolute(file)?)),
            (None, None) => None,
        };
        table.insert("password".to_owned(), Value::Table(password));
        let lines = table.iter().map(|(key, value)| format!("{key} = {value}\n"));
        Ok(format!("[upstream.{}]\n{}", Value::from(name.as_str()), lines.collect::<String>()))
    }
}

const EXAMPLE: &str = r#"# [upstream.orders]
# protocol = "postgres"
# listen = "127.0.0.1:6432"            # where agents connect
# address = "db.example.com:5432"      # the real database
# database = "orders"
# user = "tyer"                        # an ordinary role
# allow_role_powers = []               # what it may be able to do beyond that; see docs/postgres.md
# password = { env = "ORDERS_PASSWORD" }   # or { file = "orders.password" }
# tls = "verify-full"                  # or "disable" on the same machine
# authorities = "orders-ca.pem"        # PEM; without it, those that the system trusts
# client_certificate = "tyer.crt"      # what Tyer shows of itself, if the database asks for it
# client_key = "tyer.key"
# environment = "production"
# owners = ["alice"]
# backup = { query = "SELECT max(made) FROM backups" }   # when the last backup was made
"#;

fn absolute(file: &Path) -> Result<String, Failure> {
    let path = std::path::absolute(file)?;
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::usage(format!("{} is not UTF-8", path.display()), "rename the file"))
}

fn renew(call: &Call) -> Result<Exit, Failure> {
    let links = founding::renew(&call.data).map_err(|error| failed(&error, &call.data))?;
    print::note("this data directory exists; the links of founders who have not enrolled were renewed");
    tell_links(call, &links, &[])
}

fn tell_links(call: &Call, links: &[EnrolmentLink], more: &[(&str, Json)]) -> Result<Exit, Failure> {
    let mut shown = Vec::new();
    for link in links {
        let page = call.page(&format!("/enrol/{}", link.token.reveal()))?;
        shown.push(json!({ "person": link.person, "url": page, "expires": link.expires }));
    }
    if call.json {
        let mut document = serde_json::Map::new();
        document.insert("directory".to_owned(), json!(call.data));
        document.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        document.insert("links".to_owned(), json!(shown));
        print::json(&document)?;
        return Ok(Exit::Done);
    }
    print::line(
        "each founder opens their own link, within 15 minutes, once; start `tyer serve` before:",
    )?;
    for link in &shown {
        print::line(format!("  {}  {}", print::at(link, "/person"), print::at(link, "/url")))?;
    }
    Ok(Exit::Done)
}

fn failed(error: &FoundingError, data: &Path) -> Failure {
    let next = match error {
        FoundingError::Exists(_) => {
            "invite further people in the console; see `tyer people invite`".to_owned()
        }
        FoundingError::NotEmpty(_) => {
            "name an empty directory with `--data`, or remove what is there".to_owned()
        }
        FoundingError::Serve(crate::serve::ServeError::Running) => {
            format!("stop the server on {} first", data.display())
        }
        _ => String::new(),
    };
    Failure::failed(error.to_string(), next)
}
