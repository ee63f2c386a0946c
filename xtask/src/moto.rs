//! An AWS of one's own: moto, which answers for several hundred services from memory.
//!
//! `./dev setup` installs it beside what is built. It takes a port that the system gives it, answers nobody but
//! this machine, calls nobody, and ends with the process that started it.

use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// Starts it; prints the port.
const SERVE: &str = include_str!("moto/serve.py");
/// Credentials that it takes; it takes any.
pub const CREDENTIALS: (&str, &str) = ("AKIAREALREALREALREAL", "the-real-secret-of-the-account");

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum MotoError {
    /// The system refused something.
    #[error("{0}: {1}")]
    System(&'static str, #[source] io::Error),
    /// It is not installed.
    #[error("moto is not there: ./dev setup installs it")]
    Missing,
    /// It ended before it listened.
    #[error("moto does not start")]
    NotStarted,
}

/// A running one. Dropping it ends it.
#[derive(Debug)]
pub struct Moto {
    child: Child,
    port: u16,
}

impl Moto {
    /// Starts one with nothing in it.
    ///
    /// # Errors
    /// When it does not listen.
    pub fn start() -> Result<Self, MotoError> {
        let mut command = Command::new(python()?);
        command.args(["-B", "-c", SERVE]).env_clear().env("PATH", "/usr/bin:/bin");
        // The same order of what has none, each time.
        command.env("PYTHONHASHSEED", "0");
        // It asks itself for credentials where one of its services calls another.
        command.env("AWS_ACCESS_KEY_ID", "moto").env("AWS_SECRET_ACCESS_KEY", "moto");
        // A group of its own: an interrupt at the terminal must not stop it before the demo's end.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| MotoError::System("moto", error))?;
        let said = child.stdout.take().ok_or(MotoError::NotStarted)?;
        let mut line = String::new();
        let read = BufReader::new(said).read_line(&mut line);
        read.map_err(|error| MotoError::System("moto", error))?;
        let mut moto = Self { child, port: 0 };
        moto.port = line.trim().parse().map_err(|_| MotoError::NotStarted)?;
        Ok(moto)
    }

    /// Where it listens on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What clients call it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://localhost:{}", self.port)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.child.kill();
        let _code = self.child.wait();
    }
}

/// The interpreter that has it: beside what was built.
///
/// # Errors
/// When it is not installed.
pub fn python() -> Result<PathBuf, MotoError> {
    let program = std::env::current_exe().map_err(|error| MotoError::System("this program", error))?;
    let mut places = program.ancestors().map(|place| place.join("aws/venv/bin/python"));
    places.find(|place| place.exists()).ok_or(MotoError::Missing)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn it_listens_and_ends_with_whoever_started_it() {
        let moto = Moto::start().unwrap();
        let port = moto.port();
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
        drop(moto);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        // What the system does when this process is killed: it closes the pipe, and nobody waits.
        let mut moto = Moto::start().unwrap();
        drop(moto.child.stdin.take());
        assert!(moto.child.wait().unwrap().success());
    }
}
