//! The command line.

use clap::{Args, Parser, Subcommand};
use common::boot::MAX_VCPUS;
use std::path::PathBuf;

/// Heptavisor: a hypervisor in seven versions, built and graded.
#[derive(Debug, Parser)]
#[command(
    name = "cargo lab",
    bin_name = "cargo lab",
    about = "Heptavisor: a hypervisor in seven versions. Without a command: where you stand.",
    after_help = "Examples:
  cargo lab                            where you stand, and what is next
  cargo lab run v1                     boot the first guest, see its console
  cargo lab run v1 --guest halt --trace
                                       watch another one, trap by trap
  cargo lab grade v1                   points, and what is wrong
  cargo lab hint v1-E3                 a question that leads on; --level 3 nearly tells

Exit codes: 0 all well, 1 something failed, 2 wrong command line, 3 the host failed.",
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the versions, their guests, exercises and checks
    List,
    /// Boot a guest under one version and show its console
    #[command(
        after_help = "The guest's console goes to stdout, everything else to stderr. The exit \
code is 0 if the guest wrote 0 to the exit port, else 1.

Examples:
  cargo lab run v1
  cargo lab run v1 --guest keeper --tick 97 --seed 5
  cargo lab run v1 --image my-kernel.elf --trace 2> trace.txt"
    )]
    Run(RunArguments),
    /// Grade versions: what is right, what is not, where and why
    #[command(after_help = "Examples:
  cargo lab grade                      every version there is
  cargo lab grade v1 --check timer-loses-nothing
  cargo lab grade v1 --seed 99         the same checks on guests nobody has seen
  cargo lab grade v1 --json            for programs: the same bytes every time")]
    Grade(GradeArguments),
    /// Give a hint about an exercise: a question, where to look, nearly the answer
    #[command(after_help = "Examples:
  cargo lab hint v1-E3                 a question
  cargo lab hint v1-E3 --level 3       nearly the answer")]
    Hint(HintArguments),
    /// Make the student's tree: solutions out, stubs in
    #[command(after_help = "Example:
  cargo lab handout --out ../heptavisor-student

The folder must not exist yet, or be empty.")]
    Handout(HandoutArguments),
}

/// How to run a guest.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// The version, such as v1
    pub stage: String,
    /// A guest of the catalogue (see `cargo lab list`) [default: the first]
    #[arg(long, value_name = "NAME", conflicts_with = "image")]
    pub guest: Option<String>,
    /// An ELF image of your own
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// What the guest is made from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Period of the host's timer, in ticks of virtual time
    #[arg(long, value_name = "N", default_value_t = evidence::Scenario::TICK)]
    pub tick: u64,
    /// What the guest sets its own timer to, if it has one
    #[arg(long, value_name = "N")]
    pub guest_tick: Option<u32>,
    /// The virtual time at which the guest is stopped
    #[arg(long, value_name = "N", default_value_t = evidence::Scenario::LIMIT.0)]
    pub limit: u64,
    /// Show every entry, trap, exit and device access
    #[arg(long)]
    pub trace: bool,
    /// The number of the vCPU
    #[arg(long, value_name = "N", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u64).range(..MAX_VCPUS))]
    pub vcpu: u64,
    /// Kick the physical CPU at this entry into the guest
    #[arg(long, value_name = "ENTRY")]
    pub kick_at: Option<u64>,
}

/// What to grade.
#[derive(Debug, Args)]
pub struct GradeArguments {
    /// The versions, such as v1 [default: all there are]
    pub stages: Vec<String>,
    /// Only this check (see `cargo lab list`)
    #[arg(long, value_name = "NAME")]
    pub check: Option<String>,
    /// What the guests are made from
    #[arg(long, value_name = "N", default_value_t = crate::grade::SEED)]
    pub seed: u64,
    /// The verdict as JSON, and nothing else, on stdout
    #[arg(long)]
    pub json: bool,
}

/// What to give a hint about.
#[derive(Debug, Args)]
pub struct HintArguments {
    /// The exercise, such as v1-E3
    pub exercise: String,
    /// 1 asks a question, 2 shows where to look, 3 nearly tells
    #[arg(long, value_name = "1..3", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub level: u8,
}

/// Where to make the student's tree.
#[derive(Debug, Args)]
pub struct HandoutArguments {
    /// The folder to make
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
