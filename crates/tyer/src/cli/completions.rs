//! `tyer completions`: what a shell needs to complete the command line.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::call::Call;
use super::failure::{Exit, Failure};
use super::{Cli, print};

/// Print completions for a shell
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, _call: &Call) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "tyer", &mut script);
        print::line(String::from_utf8_lossy(&script).trim_end())?;
        Ok(Exit::Done)
    }
}
