//! The command line of those who grade a class.

use crate::batch::Shard;
use crate::cli::EngineName;
use crate::cli_number::{self, within};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Where to make the student's tree, and what is in it.
#[derive(Debug, Args)]
pub struct HandoutArguments {
    /// The folder to make
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Fill in the reference solutions of these versions, such as v1..v3 or v1,v4
    #[arg(long, value_name = "VERSIONS")]
    pub reveal: Option<String>,
    /// The course's rules: leave out the checks that are hidden there, and announce them
    #[arg(long, value_name = "FILE.json")]
    pub config: Option<PathBuf>,
    /// Put the sources of all crates along (about 300 MB), so that it builds without a network
    #[arg(long)]
    pub vendor: bool,
}

/// What to grade, and where to leave the results.
#[derive(Debug, Args)]
pub struct BatchArguments {
    /// The folder with one entry for each student: a folder, a zip or tar file, or a file
    /// NAME.giturl with the address of a repository
    pub submissions: PathBuf,
    /// The folder of the results; a batch that was stopped goes on there
    #[arg(long, value_name = "RESULTS")]
    pub out: PathBuf,
    /// How many submissions are graded at a time [default: one for each core]
    #[arg(long, value_name = "N", value_parser = within(1..=u16::MAX))]
    pub jobs: Option<u16>,
    /// What runs the guests
    #[arg(long, value_name = "ENGINE", default_value = "interp")]
    pub engine: EngineName,
    /// Only this part of the class, for one of several machines; see `cargo lab merge`
    #[arg(long, value_name = "I/N", default_value = "1/1")]
    pub shard: Shard,
    /// Only these versions [default: all there are]
    #[arg(long, value_name = "V1,V2,…", value_delimiter = ',')]
    pub stages: Vec<String>,
    /// What the guests are made from
    #[arg(long, value_name = "N", default_value_t = crate::grade::SEED, value_parser = cli_number::any)]
    pub seed: u64,
    /// A table of the class: who handed nothing in gets a row, too
    #[arg(long, value_name = "FILE.csv")]
    pub roster: Option<PathBuf>,
    /// Leave out how versions do on the student's own earlier ones: that takes half the time
    #[arg(long)]
    pub reference_only: bool,
    /// Grade although this host cannot confine what is graded
    #[arg(long)]
    pub unsafe_host: bool,
}

/// What to join.
#[derive(Debug, Args)]
pub struct MergeArguments {
    /// The folders that `cargo lab batch --shard` wrote to
    #[arg(required = true)]
    pub results: Vec<PathBuf>,
    /// The folder of all results
    #[arg(long, value_name = "RESULTS")]
    pub out: PathBuf,
}

/// What to export, and how.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// The format
    pub format: FormatName,
    /// The folder that `cargo lab batch` or `cargo lab merge` wrote to
    pub results: PathBuf,
    /// The file or folder to write
    #[arg(long, value_name = "PATH")]
    pub out: PathBuf,
    /// The course's rules: weights, late days, caps, hidden checks
    #[arg(long, value_name = "FILE.json")]
    pub config: Option<PathBuf>,
    /// A table of the class: names, addresses, times
    #[arg(long, value_name = "FILE.csv")]
    pub roster: Option<PathBuf>,
    /// The folder with the submissions, for `similarity`
    #[arg(long, value_name = "DIR")]
    pub submissions: Option<PathBuf>,
    /// The versions that were handed out solved, for `similarity`: its base has them, too
    #[arg(long, value_name = "VERSIONS")]
    pub reveal: Option<String>,
}

/// What to prove of the grader.
#[derive(Debug, Args)]
pub struct SelftestArguments {
    /// Only for this version, such as v3 [default: all there are]
    pub stage: Option<String>,
    /// With how many seeds verdicts are compared
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = within(1..=u16::MAX))]
    pub seeds: u16,
}

/// What to run, and where it may write.
#[derive(Debug, Args)]
pub struct ConfinedArguments {
    /// A file or folder that it may read
    #[arg(long, value_name = "PATH")]
    pub read: Vec<PathBuf>,
    /// The only folder that it may write to
    pub folder: PathBuf,
    /// The program
    pub program: PathBuf,
    /// What it is given
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<std::ffi::OsString>,
}

/// A format, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// Everything, in one versioned file for programs.
    Json,
    /// A results.json for each student, and the bundle that makes one.
    Gradescope,
    /// A result.json for each student.
    Classroom50,
    /// A file for test viewers for each student.
    Junit,
    /// A gradebook, with nbgrader's columns.
    Csv,
    /// A page for the class, and one for each student.
    Html,
    /// A folder for the detectors of copied code JPlag and Dolos.
    Similarity,
}
