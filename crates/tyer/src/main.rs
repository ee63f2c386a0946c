//! Tyer: the interlock between AI agents and production.

mod cli;
mod clock;
mod config;
mod console;
mod door;
mod gateway;
mod secret;
mod sequencer;
mod serve;
mod store;
mod upstream;

fn main() -> std::process::ExitCode {
    cli::main()
}
