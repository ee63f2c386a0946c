//! Tyer: the interlock between AI agents and production.

mod api;
mod archive;
mod audit;
mod authority;
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

/// A written request makes some hundred short-lived allocations; with glibc's allocator they were an eighth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // The allocator asks for huge pages, of which a program at rest needs a fraction; without the call it runs too.
    rustix::thread::disable_transparent_huge_pages(true).ok();
    cli::main()
}
