//! `tyer doctor`: everything that can be wrong with a setup, one line each.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::Args;
use serde_json::json;
use tyer_core::intent::Upstream;
use tyer_core::policy::counts_as_production;

use super::call::{Call, waiting};
use super::failure::{Exit, Failure};
use super::plain::one_line;
use super::print;
use crate::clock;
use crate::config::{
    self, Config, Mode, PostgresConfig, Power, TargetConfig, UpstreamConfig, UpstreamTls,
};
use crate::founding::{self, DOOR_CERTIFICATE, DOOR_KEY};
use crate::gateway::roles::leave_two;
use crate::gateway::world::World;
use crate::local::Client;
use crate::serve::{KEY, STORE};
use crate::upstream::{Upstreams, in_words};

/// Check the setup: files, configuration, people, console, upstreams
///
/// One line each: ok, warn or fail. Ends with 1 if anything fails.
#[derive(Debug, Args)]
pub(super) struct Doctor {}

/// How far the clock may stand behind without a word; adjustments of a second are nobody's concern.
const CLOCK_SLACK_MS: i64 = 2_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Ok,
    Warn,
    Fail,
}

/// Lines said so far.
#[derive(Debug, Default)]
struct Lines(Vec<(Level, String)>);

impl Lines {
    fn ok(&mut self, text: impl Into<String>) {
        self.0.push((Level::Ok, text.into()));
    }

    fn warn(&mut self, text: impl Into<String>) {
        self.0.push((Level::Warn, text.into()));
    }

    fn fail(&mut self, text: impl Into<String>) {
        self.0.push((Level::Fail, text.into()));
    }
}

impl Doctor {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let Self {} = self;
        let mut lines = Lines::default();
        files(&mut lines, &call.data);
        people(&mut lines, &call.data);
        time(&mut lines, &call.data);
        match Config::load(&call.data) {
            Ok(config) => {
                lines.ok(format!("{} can be read, its policies and secrets too", config::FILE));
                operators(&mut lines, &call.data, &config);
                console(&mut lines, &config);
                waiting(upstreams(&mut lines, &config))?;
            }
            Err(error) => lines.fail(error.to_string()),
        }
        waiting(server(&mut lines, &call.data))?;
        tell(call, &lines)
    }
}

fn files(lines: &mut Lines, data: &Path) {
    if !founding::is_founded(data) {
        lines.fail(format!("{} is not a data directory; make one with `tyer init`", data.display()));
        return;
    }
    let paths = [config::FILE, STORE, KEY, DOOR_CERTIFICATE, DOOR_KEY].map(|name| data.join(name));
    let mut all_private = true;
    for path in std::iter::once(data).chain(paths.iter().map(std::path::PathBuf::as_path)) {
        match fs::metadata(path) {
            Ok(found) if found.permissions().mode() & 0o077 != 0 => {
                all_private = false;
                lines.fail(format!("others can read {0}; run `chmod go= {0}`", path.display()));
            }
            Ok(_) => {}
            Err(error) => {
                all_private = false;
                lines.fail(format!("{}: {error}", path.display()));
            }
        }
    }
    if all_private {
        lines.ok(format!("only its owner can read {}", data.display()));
    }
    let key = fs::read_to_string(data.join(KEY)).unwrap_or_default();
    match tyer_core::intent::Digest::try_from(key.trim().to_owned()) {
        Ok(_) => lines.ok("the ledger's key is there"),
        Err(_) => lines.fail(format!("{KEY} is not 64 hexadecimal digits; restore it from a backup")),
    }
}

fn people(lines: &mut Lines, data: &Path) {
    match founding::people(data) {
        Ok(people) => {
            let counting = people.iter().filter(|person| person.counts()).count();
            if counting >= 2 {
                lines.ok(format!("{counting} people count"));
            } else {
                lines.warn(format!(
                    "{counting} of {} people have enrolled and count; two are needed: run `tyer init` again for new links",
                    people.len()
                ));
            }
        }
        Err(error) => lines.fail(error.to_string()),
    }
}

/// Whether two people are left who run it, as the file gives roles.
fn operators(lines: &mut Lines, data: &Path, config: &Config) {
    let people = founding::people(data).unwrap_or_default();
    let people = people.into_iter().map(|person| (person.id.clone(), person)).collect();
    let world = World { people, ..World::default() };
    if let Err(error) = leave_two(&config.roles, &world) {
        lines.fail(error.to_string());
    }
}

fn time(lines: &mut Lines, data: &Path) {
    match founding::newest(data) {
        Ok(Some(at)) if clock::behind(at) > CLOCK_SLACK_MS => lines.warn(format!(
            "the machine's clock stands before the newest leaf of {}: set it right; until then time goes on from that leaf",
            clock::civil(at)
        )),
        Ok(_) => lines.ok("the machine's clock stands after the newest leaf"),
        Err(error) => lines.fail(error.to_string()),
    }
}

fn console(lines: &mut Lines, config: &Config) {
    let mut environments = config.upstreams.values().flat_map(UpstreamConfig::environments);
    let has_production = environments.any(counts_as_production);
    let console = &config.console;
    match (console.is_loopback() && has_production, console.allow_loopback_approvals) {
        (true, true) => lines.warn(
            "unsafe: the console is on loopback, within reach of agents here, and may approve production all the same",
        ),
        (true, false) => lines.warn(
            "the console is on loopback, within reach of agents here, so production cannot be approved; \
             run Tyer on a machine of its own",
        ),
        (false, true) => lines.warn("console.allow_loopback_approvals is set without need; take it out"),
        (false, false) => lines.ok("the console can answer for every upstream"),
    }
    if !console.is_loopback() && console.tls.is_none() {
        lines.warn("the console speaks plain HTTP; put it behind something that speaks TLS, or set console.tls");
    }
}

async fn upstreams(lines: &mut Lines, config: &Config) {
    if config.upstreams.is_empty() {
        lines.warn(format!("no upstream is configured; add one to {}", config::FILE));
    }
    match Upstreams::new(&config.upstreams) {
        Ok(upstreams) => {
            for (name, one) in &config.upstreams {
                posture(lines, name, one);
                match &one.target {
                    TargetConfig::Postgres(database) => {
                        transport(lines, name, database);
                        role(lines, &upstreams, (name, database)).await;
                    }
                    TargetConfig::Aws(_) => accounts(lines, &upstreams, name).await,
                }
            }
        }
        Err(error) => lines.fail(error.to_string()),
    }
}

fn transport(lines: &mut Lines, name: &Upstream, one: &PostgresConfig) {
    let host = one.address.rsplit_once(':').map_or(one.address.as_str(), |(host, _)| host);
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let is_local = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    if one.tls == UpstreamTls::Disable && !is_local {
        lines.warn(format!(
            "upstream {name}: the real password travels in clear to {host}; use verify-full"
        ));
    }
}

fn posture(lines: &mut Lines, name: &Upstream, one: &UpstreamConfig) {
    if one.mode == Mode::Observe {
        lines.warn(format!("upstream {name}: policies only observe; everything that is asked runs"));
    }
    if one.owners.is_empty() && counts_as_production(&one.environment) {
        lines.warn(format!(
            "upstream {name}: nobody owns it, so nothing that needs an owner can be approved"
        ));
    }
}

/// What Tyer's own role could do there, and whether that is allowed.
async fn role(lines: &mut Lines, upstreams: &Upstreams, (name, one): (&Upstream, &PostgresConfig)) {
    let role = match upstreams.role(name).await {
        Ok(role) => role,
        Err(error) => return lines.fail(format!("upstream {name}: {error}")),
    };
    let beyond = role.beyond(&one.allow_role_powers);
    let allowed: BTreeSet<_> = role.powers.difference(&beyond).copied().collect();
    let user = &role.name;
    if role.powers.is_empty() {
        lines.ok(format!("upstream {name}: reached as {user}, an ordinary role"));
    }
    if !beyond.is_empty() {
        lines.fail(format!(
            "upstream {name}: its door is closed: the role {user} has {}; take that away, or name it in allow_role_powers",
            in_words(&beyond)
        ));
    }
    if !allowed.is_empty() {
        lines.warn(format!(
            "upstream {name}: the role {user} has {}, which allow_role_powers lets pass; an ordinary role is safer",
            in_words(&allowed)
        ));
    }
    let unused: BTreeSet<_> = one.allow_role_powers.difference(&role.powers).copied().collect();
    // Whoever allows a superuser has said everything.
    if !unused.is_empty() && !allowed.contains(&Power::Superuser) {
        let unused = in_words(&unused);
        lines.warn(format!(
            "upstream {name}: allow_role_powers names {unused} without need; take it out"
        ));
    }
}

/// Whether each account is the one that Tyer's credentials are of.
async fn accounts(lines: &mut Lines, upstreams: &Upstreams, name: &Upstream) {
    let Some(cloud) = upstreams.cloud(name) else { return };
    for (alias, account) in &cloud.config().accounts {
        match cloud.identity(alias).await {
            Ok((id, who)) if id == account.id => {
                lines.ok(format!("upstream {name}: account {alias} reached as {who}"));
            }
            Ok((id, _)) => lines.fail(format!(
                "upstream {name}: the credentials of account {alias} are of {id}, not of {}",
                account.id
            )),
            Err(why) => lines.fail(format!("upstream {name}: account {alias}: {why}")),
        }
    }
}

async fn server(lines: &mut Lines, data: &Path) {
    match Client::of_socket(data).send("GET", "/api/v1/status", None).await {
        Ok(answer) => {
            lines.ok(format!("the server runs and answers with {}", answer.status));
            for word in print::list(&answer.body, "unsafe") {
                lines.warn(format!("the server says: {}", word.as_str().unwrap_or_default()));
            }
        }
        Err(error) if error.is_absent() => {
            lines.warn(format!(
                "the server isn't running: start it with `tyer serve --data {}`",
                data.display()
            ));
        }
        Err(error) => lines.fail(error.to_string()),
    }
}

fn tell(call: &Call, lines: &Lines) -> Result<Exit, Failure> {
    let word = |level: Level| match level {
        Level::Ok => "ok",
        Level::Warn => "warn",
        Level::Fail => "fail",
    };
    if call.json {
        let checks = lines.0.iter().map(|(level, text)| json!({ "level": word(*level), "text": text }));
        print::json(&json!({ "checks": checks.collect::<Vec<_>>() }))?;
    } else {
        for (level, text) in &lines.0 {
            print::line(format!("{:<4}  {}", word(*level), one_line(text)))?;
        }
    }
    let any_fails = lines.0.iter().any(|(level, _)| *level == Level::Fail);
    Ok(if any_fails { Exit::Failed } else { Exit::Done })
}
