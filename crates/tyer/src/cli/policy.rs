//! `tyer policy check`: reads policies as strictly as the server does.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use tyer_core::policy::{LoadError, Policies, Source};

use super::call::Call;
use super::failure::{Exit, Failure};
use super::print;
use crate::config::{self, ConfigError};

/// Work on policies
#[derive(Debug, Args)]
pub(super) struct Policy {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check policies strictly against the schema
    ///
    /// Prints the ids and the hash of the set; names file, line and column of everything that is wrong.
    Check {
        /// Cedar files, taken as one set [default: the set of the data directory]
        files: Vec<PathBuf>,
    },
}

impl Policy {
    pub(super) fn run(&self, call: &Call) -> Result<Exit, Failure> {
        let Action::Check { files } = &self.action;
        match read(call, files)? {
            Ok(policies) => {
                let ids: Vec<&str> = policies.ids().collect();
                if call.json {
                    print::json(
                        &json!({ "policies": ids, "policy_set": policies.hash(), "flaws": [] }),
                    )?;
                } else {
                    for id in &ids {
                        print::line(id)?;
                    }
                    print::line(format!("{} policies, set {}", ids.len(), policies.hash()))?;
                }
                Ok(Exit::Done)
            }
            Err(error) => tell_flaws(call, &error),
        }
    }
}

fn read(call: &Call, files: &[PathBuf]) -> Result<Result<Policies, LoadError>, Failure> {
    if files.is_empty() {
        return match config::policies(&call.data) {
            Ok(policies) => Ok(Ok(policies)),
            Err(ConfigError::Policy(error)) => Ok(Err(error)),
            Err(error) => Err(Failure::failed(error.to_string(), "name the files to check")),
        };
    }
    let mut sources = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::failed(format!("cannot read {name}: {error}"), ""))?;
        sources.push(Source { name, text });
    }
    Ok(Policies::load(&sources))
}

fn tell_flaws(call: &Call, error: &LoadError) -> Result<Exit, Failure> {
    if call.json {
        let flaws = error.flaws.iter().map(|flaw| {
            let message = flaw.kind.to_string();
            json!({ "file": flaw.file, "line": flaw.line, "column": flaw.column, "message": message })
        });
        print::json(
            &json!({ "policies": [], "policy_set": null, "flaws": flaws.collect::<Vec<_>>() }),
        )?;
    } else {
        for flaw in &error.flaws {
            print::line(super::plain::one_line(&flaw.to_string()))?;
        }
    }
    Ok(Exit::Failed)
}
