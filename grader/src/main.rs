//! The `cargo lab` command.

use clap::Parser;
use lab::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    lab::interrupt::listen();
    let code = lab::commands::carry_out(Cli::parse());
    ExitCode::from(code.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        error.exit_code()
    }))
}
