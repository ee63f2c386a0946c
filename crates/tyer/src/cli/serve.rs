//! `tyer serve`: runs the server until it is told to stop.

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::call::Call;
use super::failure::{Exit, Failure};

/// Serve doors and console until SIGTERM or SIGINT
///
/// Diagnostics go to standard error; TYER_LOG sets how much, such as `info` or `tyer=debug`.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// How much to tell
    #[arg(long, env = "TYER_LOG", value_name = "FILTER", default_value = "info")]
    log: String,
}

impl Serve {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let filter = EnvFilter::try_new(&self.log).map_err(|error| {
            Failure::usage(error.to_string(), "write it such as `info` or `tyer=debug`")
        })?;
        // A line that cannot be written, such as on a full disk, is lost: it must not become a panic.
        let started = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .log_internal_errors(false)
            .try_init();
        started.map_err(|error| Failure::failed(error.to_string(), ""))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let served = runtime.block_on(crate::serve::run(&call.data));
        let next = "run `tyer doctor` to see everything that is wrong";
        served.map_err(|error| Failure::failed(error.to_string(), next))?;
        Ok(Exit::Done)
    }
}
