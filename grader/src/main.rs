//! The `cargo lab` command.

use clap::Parser;
use lab::cli::Cli;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    lab::interrupt::listen();
    let code = lab::commands::carry_out(Cli::parse());
    ExitCode::from(code.unwrap_or_else(|error| {
        // Whoever closed the pipe does not want to know.
        let _ = writeln!(std::io::stderr(), "error: {error}");
        error.exit_code()
    }))
}
