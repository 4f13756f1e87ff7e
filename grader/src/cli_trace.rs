//! The command line of `cargo lab trace`.

use crate::cli::RunArguments;
use crate::cli_number::{self, within};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What is said below the help.
pub const EXAMPLES: &str = "Without a file to write, the timeline goes to the terminal. A saved \
trace can be shown again in any way: give its path in place of the version (a path has a dot or a \
slash in it).

Examples:
  cargo lab trace v2                              a timeline in the terminal
  cargo lab trace v7 --html trace.html            a page for the browser: zoom, hover, ask
  cargo lab trace v7 --vm contended --vm hog --policy spin-exits --json after.json
  cargo lab trace after.json --svg after.svg      the same run, without running it
  cargo lab trace diff before.json after.json     where two runs begin to differ";

/// What to show, and how.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(mut_arg("trace", |trace| trace.hide(true)))]
#[command(mut_arg("stage", |stage| stage.help("The version, such as v1, or a saved trace")))]
pub struct TraceArguments {
    /// Or something else to do with traces.
    #[command(subcommand)]
    pub command: Option<TraceCommand>,
    /// What to run.
    #[command(flatten)]
    pub run: Option<RunArguments>,
    /// How to show it.
    #[command(flatten)]
    pub pictures: PictureArguments,
}

/// The ways to show a trace. Each may be asked for beside the others.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pictures")]
pub struct PictureArguments {
    /// A timeline in the terminal
    #[arg(long)]
    pub text: bool,
    /// Save all of it as JSON, or `-` for stdout
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// A page for the browser that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// A small picture for a report
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Show only what happened from this time on (text and SVG; a page can zoom)
    #[arg(long, value_name = "TIME", value_parser = cli_number::any)]
    pub from: Option<u64>,
    /// And only until this time
    #[arg(long, value_name = "TIME", value_parser = cli_number::any)]
    pub to: Option<u64>,
    /// For Perfetto's and Chrome's trace viewers
    #[arg(long, value_name = "FILE")]
    pub perfetto: Option<PathBuf>,
}

/// What else can be done with traces.
#[derive(Debug, Subcommand)]
pub enum TraceCommand {
    /// Put two saved traces side by side, from where they begin to differ. The exit code is 1 if
    /// they do
    Diff(DiffArguments),
}

/// Which traces to compare.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// A saved trace
    pub one: PathBuf,
    /// Another one
    pub other: PathBuf,
    /// How many lines are shown from the first difference on
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = within(0..=usize::MAX))]
    pub lines: usize,
}
