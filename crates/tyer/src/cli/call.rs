//! What every command knows: which data directory, which form of output; and the way to the server.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::failure::{Exit, Failure};
use super::print;
use crate::local::{Answer, Client, LocalError};

/// How the program was called.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) data: PathBuf,
    pub(super) json: bool,
}

/// Whom to believe a console elsewhere.
#[derive(Debug, Args)]
pub(super) struct Authorities {
    /// The PEM file of the authorities to check an https console with
    #[arg(
        id = "authorities",
        long = "authorities",
        env = "SSL_CERT_FILE",
        value_name = "FILE",
        default_value = "/etc/ssl/certs/ca-certificates.crt"
    )]
    pub(super) file: PathBuf,
}

impl Call {
    /// Asks the API of the server on this data directory.
    pub(super) fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.ask("GET", path, None)
    }

    /// Sends to the API of the server on this data directory.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.ask("POST", path, Some(body))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, Failure> {
        let client = Client::of_socket(&self.data);
        accepted(waiting(client.send(method, path, body))?.map_err(|error| self.unreachable(&error))?)
    }

    /// The failure that an unreachable server is.
    pub(super) fn unreachable(&self, error: &LocalError) -> Failure {
        let next = if error.is_absent() {
            format!(
                "the server isn't running here: start it with `tyer serve --data {}`",
                self.data.display()
            )
        } else {
            "look at the server's log".to_owned()
        };
        Failure::told(Exit::Unreachable, "unreachable", error.to_string(), next)
    }

    /// Prints an answer unchanged as JSON, or as text.
    pub(super) fn print(
        &self,
        answer: &Answer,
        text: impl FnOnce(&Value) -> Result<(), Failure>,
    ) -> Result<Exit, Failure> {
        if self.json {
            print::line(answer.text.trim_end())?;
        } else {
            text(&answer.body)?;
        }
        Ok(Exit::Done)
    }

    /// A page of the console, by the configuration file.
    pub(super) fn page(&self, path: &str) -> Result<String, Failure> {
        let next = "name the data directory with `--data`, or make one with `tyer init`";
        let origin = crate::config::console_origin(&self.data)
            .map_err(|error| Failure::failed(error.to_string(), next))?;
        Ok(format!("{origin}{path}"))
    }
}

/// Runs something that waits, on this thread.
pub(super) fn waiting<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(work))
}

/// An answer that is no error; else the API's error as ours.
pub(super) fn accepted(answer: Answer) -> Result<Answer, Failure> {
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let text = |key: &str| answer.body.pointer(&format!("/error/{key}")).and_then(Value::as_str);
    let exit = match answer.status {
        401 | 403 => Exit::Refused,
        _ => Exit::Failed,
    };
    let unsaid = format!("the server answered {} and did not say why", answer.status);
    Err(Failure::told(
        exit,
        text("code").unwrap_or("failed"),
        text("message").unwrap_or(&unsaid),
        text("next").unwrap_or_default(),
    ))
}

/// An id that may stand in a path.
pub(super) fn id(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let is_id = text.chars().all(plain) && text.chars().any(|letter| letter.is_ascii_alphanumeric());
    if is_id { Ok(text.to_owned()) } else { Err(format!("`{}` is not an id", text.escape_default())) }
}
