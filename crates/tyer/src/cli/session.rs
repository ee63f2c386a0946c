//! `tyer session`: a session is one run of one agent for one person, with credentials of its own.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tyer_core::intent::Effect;

use super::call::{Call, id};
use super::duration;
use super::failure::{Exit, Failure};
use super::holds;
use super::plain::one_line;
use super::print::{self, at};
use crate::authority::CERTIFICATE as AUTHORITY;
use crate::founding::DOOR_CERTIFICATE;

/// Sessions: make, list, end
#[derive(Debug, Args)]
pub(super) struct Sessions {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    New(New),
    /// List sessions
    List,
    /// Show a session, with what it asked people and what became of that
    Show {
        /// Its id, such as s-7k2m9q
        #[arg(value_parser = id)]
        session: String,
    },
    /// End a session: its connections are closed and its holds taken back
    End {
        /// Its id, such as s-7k2m9q
        #[arg(value_parser = id)]
        session: String,
    },
    /// Kill a session: as `end`, and recorded as killed
    Kill {
        /// Its id, such as s-7k2m9q
        #[arg(value_parser = id)]
        session: String,
    },
}

/// Make a session and print what a driver needs, once
///
/// The output is meant for a shell: eval "$(tyer session new --agent kiro --for alice --upstream orders)"
#[derive(Debug, Args)]
struct New {
    /// The agent's name, or the human's with --human
    #[arg(long)]
    agent: String,
    /// The person on whose behalf it acts; never a peer for it
    #[arg(long = "for", value_name = "PERSON")]
    controller: String,
    /// Where
    #[arg(long)]
    upstream: String,
    /// The session is a human's
    #[arg(long)]
    human: bool,
    /// The only effects allowed, such as read,change
    #[arg(long, value_name = "EFFECTS", value_delimiter = ',', value_parser = effect)]
    may: Vec<String>,
    /// The only resources allowed, such as 'orders.*'; repeat for more
    #[arg(long, value_name = "PATTERN")]
    on: Vec<String>,
    /// How long it lasts, such as 30m, 2h or 7d [default: 2h]
    #[arg(long, value_name = "LENGTH", value_parser = duration::parse)]
    until: Option<Duration>,
    /// Why it is made, for approvers to read
    #[arg(long, default_value = "")]
    purpose: String,
}

fn effect(word: &str) -> Result<String, String> {
    if Effect::parse(word).is_some() {
        return Ok(word.to_owned());
    }
    let all: Vec<&str> = Effect::ALL.iter().map(|effect| effect.as_str()).collect();
    Err(format!("there are {}", all.join(", ")))
}

impl Sessions {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        match &self.action {
            Action::New(new) => new.run(call),
            Action::List => call.print(&call.get("/api/v1/sessions")?, table),
            Action::Show { session } => {
                call.print(&call.get(&format!("/api/v1/sessions/{session}"))?, one)
            }
            Action::End { session } => end(call, session, "ended"),
            Action::Kill { session } => end(call, session, "killed"),
        }
    }
}

impl New {
    fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let body = json!({
            "agent": self.agent,
            "human": self.human,
            "controller": self.controller,
            "upstream": self.upstream,
            "may": self.may,
            "on": self.on,
            "lasts_seconds": self.until.map(|length| length.as_secs()),
            "purpose": self.purpose,
        });
        let answer = call.post("/api/v1/sessions", &body)?;
        call.print(&answer, |minted| exports(call, minted))
    }
}

/// Shell lines that set what clients of the upstream and `tyer propose` read.
fn exports(call: &Call, minted: &Value) -> Result<(), Failure> {
    print::note(format!(
        "session {} until {}; what is secret is shown only now",
        one_line(&at(minted, "/session")),
        one_line(&at(minted, "/expires"))
    ));
    let certificate = std::path::absolute(call.data.join(DOOR_CERTIFICATE))?.display().to_string();
    match print::list(minted, "aws") {
        [] => of_postgres(call, minted, &certificate),
        [first, others @ ..] => {
            of_aws(call, minted, (first, certificate))?;
            others.iter().try_for_each(other_account)
        }
    }
}

fn set(variables: &[(&str, String)]) -> Result<(), Failure> {
    variables
        .iter()
        .try_for_each(|(name, value)| print::line(format!("export {name}={}", quoted(value))))
}

fn of_aws(call: &Call, minted: &Value, (key, certificate): (&Value, String)) -> Result<(), Failure> {
    let endpoint = at(minted, "/url");
    print::line(format!("# account {}", one_line(&at(key, "/account"))))?;
    print::line("unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE")?;
    set(&[
        ("AWS_ACCESS_KEY_ID", at(key, "/access_key_id")),
        ("AWS_SECRET_ACCESS_KEY", at(key, "/secret_access_key")),
        ("AWS_ENDPOINT_URL", endpoint.clone()),
        // Nothing stands before the door's own name.
        ("AWS_DISABLE_HOST_PREFIX_INJECTION", "true".to_owned()),
        ("TYER_SESSION", at(minted, "/user")),
        ("TYER_PASSWORD", at(minted, "/password")),
        ("TYER_URL", call.page("")?),
    ])?;
    if endpoint.starts_with("https://") {
        set(&[("AWS_CA_BUNDLE", certificate)])?;
    }
    let authority = std::path::absolute(call.data.join(AUTHORITY))?.display().to_string();
    print::line("# for clients that don't take an endpoint:")?;
    print::line(format!("# export HTTPS_PROXY={}", quoted(&at(minted, "/proxy/url"))))?;
    print::line(format!("# export AWS_CA_BUNDLE={}", quoted(&authority)))
}

/// The key of another account, which is not the one that is set.
fn other_account(key: &Value) -> Result<(), Failure> {
    let [account, id, secret] =
        ["/account", "/access_key_id", "/secret_access_key"].map(|it| at(key, it));
    print::line(format!(
        "# account {}: AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}",
        one_line(&account),
        quoted(&id),
        quoted(&secret)
    ))
}

fn of_postgres(call: &Call, minted: &Value, certificate: &str) -> Result<(), Failure> {
    let variables = [
        ("PGHOST", at(minted, "/host")),
        ("PGPORT", at(minted, "/port")),
        ("PGUSER", at(minted, "/user")),
        ("PGPASSWORD", at(minted, "/password")),
        ("PGDATABASE", at(minted, "/database")),
        ("PGSSLMODE", "verify-full".to_owned()),
        ("PGSSLROOTCERT", certificate.to_owned()),
        ("TYER_URL", call.page("")?),
    ];
    set(&variables)?;
    let url = at(minted, "/url");
    let joint = if url.contains('?') { '&' } else { '?' };
    let certificate = percent_encoded(certificate);
    print::line(format!("# {}{joint}sslmode=verify-full&sslrootcert={certificate}", one_line(&url)))
}

/// Text as a value in a URL's query.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A word that a shell takes as it is.
fn quoted(value: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@%+=,".contains(letter);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

fn table(answer: &Value) -> Result<(), Failure> {
    let row = |session: &Value| {
        let state = match at(session, "/ended").as_str() {
            "-" => "runs".to_owned(),
            how => how.to_owned(),
        };
        let columns = [
            "/agent",
            "/controller",
            "/upstream",
            "/may",
            "/on",
            "/connections",
            "/expires",
            "/purpose",
        ];
        let mut row = vec![at(session, "/session"), state];
        row.extend(columns.iter().map(|column| at(session, column)));
        row
    };
    let rows: Vec<Vec<String>> = print::list(answer, "sessions").iter().map(row).collect();
    let headings =
        ["SESSION", "STATE", "AGENT", "FOR", "UPSTREAM", "MAY", "ON", "OPEN", "UNTIL", "PURPOSE"];
    print::table(&headings, &rows)
}

/// The session's own line, and its holds.
fn one(session: &Value) -> Result<(), Failure> {
    table(&json!([session]))?;
    if session.get("pace").is_some_and(Value::is_string) {
        print::line(one_line(&at(session, "/pace")))?;
    }
    holds::table(session)
}

fn end(call: &Call, session: &str, how: &str) -> Result<Exit, Failure> {
    let answer = call.post(&format!("/api/v1/sessions/{session}/end"), &json!({ "how": how }))?;
    let count = |key: &str| answer.body.get(key).and_then(Value::as_u64);
    let (open, closed) = (count("open"), count("closed"));
    call.print(&answer, |ending| {
        let (open, closed) = (at(ending, "/open"), at(ending, "/closed"));
        print::line(format!(
            "session {session} was {how}: {closed} of {open} connections were seen to close"
        ))
    })?;
    if open.is_some() && open == closed {
        return Ok(Exit::Done);
    }
    print::note(
        "not every connection was seen to close; nothing new is decided for the session all the same",
    );
    Ok(Exit::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_a_shell() {
        let check = |value: &str, expect: &str| assert_eq!(quoted(value), expect);
        check("127.0.0.1", "127.0.0.1");
        check("", "''");
        check("a b", "'a b'");
        check("it's $HOME `x`", "'it'\\''s $HOME `x`'");
        check("a\nb", "'a\nb'");
    }
}
