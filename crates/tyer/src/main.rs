//! Tyer: the interlock between AI agents and production.

mod api;
mod archive;
mod audit;
mod cli;
mod clock;
mod config;
mod console;
mod door;
mod founding;
mod gateway;
mod local;
mod measure;
mod proposal;
mod secret;
mod sequencer;
mod serve;
mod store;
mod tls;
mod upstream;

fn main() -> std::process::ExitCode {
    cli::main()
}
