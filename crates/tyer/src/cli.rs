//! The command line: arguments become one subcommand, and its end becomes an exit code.
//!
//! Results go to standard output, everything else to standard error. Commands about a running Tyer go
//! through its API like everybody; those that need no server work on files alone.

mod allowance;
mod answer;
mod call;
mod completions;
mod doctor;
mod duration;
mod failure;
mod freeze;
mod holds;
mod init;
mod kill;
mod ledger;
mod measure;
mod people;
mod plain;
mod policy;
mod print;
mod propose;
mod reviews;
mod serve;
mod session;
mod signature;
mod understand;
mod verify;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use call::Call;
use failure::{EXIT_CODES, Exit, Failure};

/// The interlock between AI agents and production.
#[derive(Debug, Parser)]
#[command(name = "tyer", version, propagate_version = true, after_help = EXIT_CODES)]
struct Cli {
    /// The data directory [default: $TYER_DATA, else ./tyer-data]
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    data: Option<PathBuf>,
    /// Print results as JSON; errors become one JSON line on standard error
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// What can be done; one file each.
#[derive(Debug, Subcommand)]
enum Command {
    Init(Box<init::Init>),
    Serve(serve::Serve),
    People(people::People),
    Session(session::Sessions),
    #[command(alias = "hold")]
    Holds(holds::Holds),
    Show(holds::Show),
    #[command(visible_alias = "standing")]
    Allowance(allowance::Allowance),
    Approve(answer::Approve),
    Reject(answer::Reject),
    Propose(propose::Propose),
    Ledger(ledger::Ledger),
    Kill(kill::Kill),
    Reviews(reviews::Reviews),
    Freeze(freeze::Freeze),
    Thaw(freeze::Thaw),
    Policy(policy::Policy),
    Understand(understand::Understand),
    Doctor(doctor::Doctor),
    Measure(measure::Measure),
    Completions(completions::Completions),
}

impl Command {
    fn run(&self, call: &Call) -> Result<Exit, Failure> {
        match self {
            Self::Init(command) => command.run(call),
            Self::Serve(command) => command.run(call),
            Self::People(command) => command.run(call),
            Self::Session(command) => command.run(call),
            Self::Holds(command) => command.run(call),
            Self::Show(command) => command.run(call),
            Self::Allowance(command) => command.run(call),
            Self::Approve(command) => command.run(call),
            Self::Reject(command) => command.run(call),
            Self::Propose(command) => command.run(call),
            Self::Ledger(command) => command.run(call),
            Self::Kill(command) => command.run(call),
            Self::Reviews(command) => command.run(call),
            Self::Freeze(command) => command.run(call),
            Self::Thaw(command) => command.run(call),
            Self::Policy(command) => command.run(call),
            Self::Understand(command) => command.run(call),
            Self::Doctor(command) => command.run(call),
            Self::Measure(command) => command.run(call),
            Self::Completions(command) => command.run(call),
        }
    }
}

/// Runs what the process was started with.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody reads it any more if this fails.
            error.print().ok();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    let call = Call { data: crate::config::data_directory(cli.data), json: cli.json };
    let exit = match cli.command.run(&call) {
        Ok(exit) => exit,
        Err(failure) => {
            print::failure(&failure, call.json);
            failure.exit()
        }
    };
    exit.into()
}
