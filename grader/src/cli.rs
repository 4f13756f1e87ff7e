//! The command line.

use crate::cli_class::{
    BatchArguments, ConfinedArguments, ExportArguments, HandoutArguments, MergeArguments,
    SelftestArguments,
};
use crate::cli_number::{self, within};
use crate::cli_trace::TraceArguments;
use crate::vm_spec::PCPUS;
use clap::{Args, Parser, Subcommand, ValueEnum};
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
  cargo lab step v2                    walk through a run, forwards and back
  cargo lab debug v4                   the same with gdb
  cargo lab trace v2 --html tick.html  the same as a picture, in a browser
  cargo lab grade v1                   points, and what is wrong
  cargo lab watch                      the same again after every save
  cargo lab doctor                     what this host can do, and what to mend
  cargo lab compare v2                 what the hardware takes over, in numbers
  cargo lab hint v1-E3                 how it fails, and a question; --level 3 nearly tells
  cargo lab predict v2                 questions to answer before you run anything
  cargo lab diff v2 v3                 what version 3 added, in code and in behaviour

Exit codes: 0 all well, 1 something failed, 2 wrong command line, 3 the host failed."
)]
pub struct Cli {
    /// Use the runners in this folder, and build none: for a machine without cargo
    #[arg(long, value_name = "DIR", global = true, hide = true)]
    pub runners: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the versions, their guests, exercises and checks
    List,
    /// Boot a guest, or several VMs from version 5 on, and show what they print
    #[command(
        after_help = "The guest's console goes to stdout, everything else to stderr. The exit \
code is 0 if the guest wrote 0 to the exit port, else 1.

Examples:
  cargo lab run v1
  cargo lab run v1 --guest keeper --tick 97 --seed 5
  cargo lab run v1 --image my-kernel.elf --trace 2> trace.txt
  cargo lab run v2 --engine kvm
  cargo lab run v5 --vm idle:weight=300 --vm keeper:seed=7 --vm my-kernel.elf
  cargo lab run v5 --vm ticks --vm ticks --at 50000:pause:1 --at 400000:resume:1"
    )]
    Run(RunArguments),
    /// Step through a run, instruction by instruction, forwards and back
    #[command(
        after_help = "Takes what `cargo lab run` takes, and shows for each moment the guest's \
instruction, what it changed, and what the virtual CPU decided. --at with a number alone is the time \
to begin at.

Examples:
  cargo lab step v2                    from the first instruction
  cargo lab step v2 --at 5000          from time 5,000
  cargo lab step v2 --from 5000 --to 5400 > moments.txt
                                       as plain text, for a diff or a report
  cargo lab step v5 --vm ticks --vm hog"
    )]
    Step(StepArguments),
    /// Debug a run with gdb: breakpoints, watchpoints, threads, forwards and back
    #[command(after_help = DEBUG_EXAMPLES)]
    Debug(DebugArguments),
    /// Show a run as a picture: who ran when, what happened, and why it came late
    #[command(after_help = crate::cli_trace::EXAMPLES)]
    Trace(TraceArguments),
    /// Grade versions: what is right, what is not, where and why
    #[command(after_help = "Examples:
  cargo lab grade                      every version there is
  cargo lab grade v1 --check timer-loses-nothing
  cargo lab grade v1 --seed 99         the same checks on guests nobody has seen
  cargo lab grade v1 --json            for programs: the same bytes every time")]
    Grade(GradeArguments),
    /// Grade again after every save: leave it running beside your editor
    #[command(after_help = "Examples:
  cargo lab watch                      the version where you are
  cargo lab watch v2 v3                these, whatever else is open

A save in version 2 is graded in version 2 first, and then in those of the versions above it that \
you have begun. What you save while a grading runs, ends that grading: it begins anew. It shows the \
first failure in full; `cargo lab grade` shows the others. Ctrl-C ends it, with exit code 0.")]
    Watch(WatchArguments),
    /// Give a hint about an exercise: how it fails, a question, where to look, nearly the answer
    #[command(after_help = "Examples:
  cargo lab hint                       the exercise that is next
  cargo lab hint v1-E3                 how it fails now, if it does, and a question
  cargo lab hint v1-E3 --level 3       nearly the answer

If the exercise is filled in, and nothing is known of your sources as they are, they are graded \
first.")]
    Hint(HintArguments),
    /// Run the same workload on every engine that works here, and compare
    #[command(after_help = "Examples:
  cargo lab compare v2                 the version's first guest
  cargo lab compare v2 --guest idle
  cargo lab compare v5                 the VMs that `cargo lab run v5` runs

What is counted: traps to the version's virtual CPU (on kvm there are none), exits to the monitor, \
injected interrupts. The time is that of a build for development.")]
    Compare(CompareArguments),
    /// Ask what a version's guests will do, and hold your answers against a run
    #[command(
        after_help = "The first time it writes a file with questions, such as \
predictions/v2.txt. Answer them there, before you run anything. The next time it runs the guests \
on your own version and compares; what you have left open stays open.

Examples:
  cargo lab predict v2
  cargo lab predict v2 --seed 7        the questions of seed 7
  cargo lab predict v2 --file more.txt

The exit code is 0 if every answer is right, or none is there yet; 1 if one is wrong, or a guest \
did not do what it should."
    )]
    Predict(PredictArguments),
    /// Show what a version added to another, in code and in behaviour
    #[command(after_help = "Examples:
  cargo lab diff v2 v3
  cargo lab diff v1 v4
  cargo lab diff v4 v5 --guest compute

Code: modules, lines without comments, tests and blank ones, public names. Behaviour: a guest that \
both can run, counted on both; and what the newer one's first guest does on the older one. All \
runs are made on the versions of this tree.")]
    Diff(DiffArguments),
    /// Say what this host can do, what it cannot, and what to do about it
    #[command(after_help = "The exit code is 0 if the software CPU can be used; kvm is optional.")]
    Doctor,
    /// Make the student's tree: solutions out, stubs in
    #[command(after_help = "Examples:
  cargo lab handout --out ../heptavisor-student
  cargo lab handout --out ../student-v4 --reveal v1..v3
                                       version 4 for a class that has handed in the three before
  cargo lab handout --out ../student --config course.json --vendor
                                       without the hidden checks, and with all crates

The folder must not exist yet, or be empty.")]
    Handout(HandoutArguments),
    /// Grade the submissions of a class
    #[command(after_help = "Examples:
  cargo lab batch submissions --out results --roster class.csv
  cargo lab batch submissions --out part-2 --shard 2/8

A line for each submission goes to stdout. The exit code is 0 if all was graded, whatever the \
points; 3 if the host kept something from being graded: the same command tries just that again.")]
    Batch(BatchArguments),
    /// Join the results of a batch that was split with --shard
    Merge(MergeArguments),
    /// Write results in the format of a gradebook, a course system, a test viewer, a page
    #[command(after_help = "Examples:
  cargo lab export csv results --out grades.csv --config course.json --roster class.csv
  cargo lab export html results --out pages
  cargo lab export similarity results --submissions submissions --out compare")]
    Export(ExportArguments),
    /// Prove that the grader can be trusted: for whoever has changed something in it
    #[command(after_help = "Examples:
  cargo lab selftest v3                after a change to one version's checks or mistakes
  cargo lab selftest v3 --seeds 5      the same, but sooner
  cargo lab selftest                   before a course begins

It runs tests of `grader/tests` and says what each has proved. That takes minutes for a version, \
and hours for all. The exit code is 0 if all holds, 1 if something does not, 2 in a tree that was \
handed out, 3 if the tests do not build.")]
    Selftest(SelftestArguments),
    /// Run a program that can write to one folder only, and has no network
    #[command(hide = true)]
    Confined(ConfinedArguments),
}

/// How to run a guest, or many.
#[derive(Debug, Args)]
// `trace` takes these or a subcommand: whoever names a version has given them.
#[group(arg = "stage")]
pub struct RunArguments {
    /// The version, such as v1
    pub stage: String,
    /// A guest of the catalogue (see `cargo lab list`) [default: the first]
    #[arg(long, value_name = "NAME", conflicts_with = "image")]
    pub guest: Option<String>,
    /// An ELF image of your own
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// What the guest is made from, and from version 5 on also the order of events
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = cli_number::any)]
    pub seed: u64,
    /// What the guest sets its own timer to, if it has one
    #[arg(long, value_name = "N", value_parser = within(0..=u32::MAX))]
    pub guest_tick: Option<u32>,
    /// The virtual time at which all is stopped, or `never`
    #[arg(long, value_name = "N", default_value_t = evidence::Scenario::LIMIT.0, value_parser = limit)]
    pub limit: u64,
    /// Show every trap, exit and device access
    #[arg(long)]
    pub trace: bool,
    /// What runs the guest: the software CPU, the host's own through KVM, or KVM where it can
    #[arg(long, value_name = "ENGINE", default_value = "interp")]
    pub engine: EngineName,
    /// For a single guest.
    #[command(flatten)]
    pub single: SingleArguments,
    /// For many.
    #[command(flatten)]
    pub host: HostArguments,
}

/// What only the versions with one VM know.
#[derive(Debug, Args)]
#[command(next_help_heading = "Versions 1 to 4")]
pub struct SingleArguments {
    /// Period of the host's timer, in ticks of virtual time [default: 10000]
    #[arg(long, value_name = "N", value_parser = cli_number::any)]
    pub tick: Option<u64>,
    /// The number of the vCPU [default: 0]
    #[arg(long, value_name = "N", value_parser = within(0..=MAX_VCPUS - 1))]
    pub vcpu: Option<u64>,
    /// Kick the physical CPU at this entry into the guest
    #[arg(long, value_name = "ENTRY", value_parser = cli_number::any)]
    pub kick_at: Option<u64>,
}

/// What only the versions with many VMs know.
#[derive(Debug, Args)]
#[command(next_help_heading = "Versions 5 to 7")]
pub struct HostArguments {
    /// A VM, again and again: a guest's name or the path of an image, and values for weight, seed,
    /// vcpus, memory (in MiB), home, affinity, start, tick [default: a set that shows the version]
    #[arg(long, value_name = "NAME[:KEY=VALUE,…]", conflicts_with_all = ["guest", "image"])]
    pub vm: Vec<String>,
    /// How many physical CPUs there are [default: 1; from version 6 on 2]
    #[arg(long, value_name = "N", value_parser = within(PCPUS))]
    pub pcpus: Option<u64>,
    /// Who goes on next: nearly the one that is behind, as badly as can be, or one host thread
    /// each [default: fair; of several on kvm: threads]
    #[arg(long, value_name = "ORDER")]
    pub order: Option<OrderName>,
    /// How long a turn is, in ticks [default: 10000]
    #[arg(long, value_name = "N", value_parser = within(1..=u64::MAX))]
    pub slice: Option<u64>,
    /// Ask for something at a time: start, pause, resume, shut-down, destroy with the number of a
    /// VM, unplug, plug with that of a physical CPU
    #[arg(long, value_name = "TIME:WHAT:NUMBER")]
    pub at: Vec<String>,
    /// What is done about vCPUs that spin for a lock (version 7) [default: none]
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<PolicyName>,
}

/// An engine, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// KVM where it can run the version, else the software CPU.
    Auto,
    /// The software CPU.
    Interp,
    /// The host's CPU, through KVM.
    Kvm,
}

impl EngineName {
    /// As on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            EngineName::Auto => "auto",
            EngineName::Interp => "interp",
            EngineName::Kvm => "kvm",
        }
    }
}

/// An order of events, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OrderName {
    /// Nearly in the order of the clocks.
    Fair,
    /// As badly as the seed can.
    Adversarial,
    /// As the host's threads come.
    Threads,
}

/// A policy for spinning vCPUs, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PolicyName {
    /// Nothing is done.
    None,
    /// The CPU notices, and the turn is over.
    SpinExits,
    /// The guest says whom it waits for.
    YieldPort,
    /// The vCPUs of a VM run together or not at all.
    CoScheduling,
}

/// What to step through.
#[derive(Debug, Args)]
pub struct StepArguments {
    /// Plain text: from this time on [default: that of --at, else 0]
    #[arg(long, value_name = "TIME", value_parser = cli_number::any)]
    pub from: Option<u64>,
    /// Plain text: up to this time [default: 100 ticks]
    #[arg(long, value_name = "TIME", value_parser = cli_number::any)]
    pub to: Option<u64>,
    /// The run.
    #[command(flatten)]
    pub run: RunArguments,
}

/// What to debug.
#[derive(Debug, Args)]
pub struct DebugArguments {
    /// The port of 127.0.0.1 at which to wait for gdb [default: a free one, and gdb is started
    /// here if this is a terminal]
    #[arg(long, value_name = "N", value_parser = within(1..=u16::MAX))]
    pub port: Option<u16>,
    /// From version 5 on: the VM whose symbols gdb gets, and in which breakpoints and watchpoints
    /// count [default: 0]
    #[arg(long, value_name = "VM", value_parser = within(0..=u32::MAX))]
    pub symbols: Option<u32>,
    /// The run.
    #[command(flatten)]
    pub run: RunArguments,
}

/// What gdb's user has to know.
const DEBUG_EXAMPLES: &str =
    "Takes what `cargo lab run` takes. --at with a number alone is the time \
to begin at. Each vCPU is a thread of gdb's.

Examples:
  cargo lab debug v4                   starts gdb here, if it is installed
  cargo lab debug v4 --at 50000        from time 50,000
  cargo lab debug v2 --port 1234       waits for a gdb, or an editor that speaks to one
  cargo lab debug v7 --symbols 1       with the symbols of VM 1

In gdb:
  break tick                           stop where the guest comes to its handler
  watch *(long *)0x5000                stop when something else stands there
  continue, stepi                      on, or one instruction
  reverse-continue, reverse-stepi      back, exactly as it came
  info threads, thread 2               all vCPUs; look at another one
  set $rax = 5                         change something: from here on it is a branch
  monitor help                         what the virtual CPU holds, and what the VMM decided
  monitor leave                        leave the branch: back to the recorded run";

/// What to grade.
#[derive(Debug, Args)]
pub struct GradeArguments {
    /// The versions, such as v1 [default: all there are]
    pub stages: Vec<String>,
    /// Only this check (see `cargo lab list`)
    #[arg(long, value_name = "NAME")]
    pub check: Option<String>,
    /// What the guests are made from
    #[arg(long, value_name = "N", default_value_t = crate::grade::SEED, value_parser = cli_number::any)]
    pub seed: u64,
    /// What runs the guests (see `cargo lab run --help`). On kvm the monitor and the schedulers
    /// are graded, and the virtual CPU is not: it does not run there
    #[arg(long, value_name = "ENGINE", default_value = "interp")]
    pub engine: EngineName,
    /// The verdict as JSON, and nothing else, on stdout
    #[arg(long)]
    pub json: bool,
}

/// What to compare.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// The version, such as v2
    pub stage: String,
    /// A guest of the catalogue [default: the first; from version 5 on the set that shows the
    /// version]
    #[arg(long, value_name = "NAME")]
    pub guest: Option<String>,
    /// What the guests are made from
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = cli_number::any)]
    pub seed: u64,
    /// The numbers as JSON, and nothing else, on stdout
    #[arg(long)]
    pub json: bool,
}

/// What to watch.
#[derive(Debug, Args)]
pub struct WatchArguments {
    /// The versions, such as v2 [default: the one where you are, and what a save touches]
    pub stages: Vec<String>,
}

/// What to ask about.
#[derive(Debug, Args)]
pub struct PredictArguments {
    /// The version, such as v2
    pub stage: String,
    /// What the questions are made from [default: a new one; it stands in the file]
    #[arg(long, value_name = "N", value_parser = cli_number::any)]
    pub seed: Option<u64>,
    /// Where the questions and answers stand [default: predictions/VERSION.txt]
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// What to hold against what.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// The older version, such as v2
    pub older: String,
    /// The newer one, such as v3
    pub newer: String,
    /// A guest that both can run [default: the older one's first]
    #[arg(long, value_name = "NAME")]
    pub guest: Option<String>,
    /// What the guests are made from
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = cli_number::any)]
    pub seed: u64,
    /// The numbers as JSON, and nothing else, on stdout
    #[arg(long)]
    pub json: bool,
}

/// What to give a hint about.
#[derive(Debug, Args)]
pub struct HintArguments {
    /// The exercise, such as v1-E3 [default: the next]
    pub exercise: Option<String>,
    /// Do not grade: say how it fails only if that is known
    #[arg(long)]
    pub no_grade: bool,
    /// 1 asks a question, 2 shows where to look, 3 nearly tells
    #[arg(long, value_name = "1..3", default_value_t = 1, value_parser = within(1..=3_u8))]
    pub level: u8,
}

/// A time in ticks.
fn limit(text: &str) -> Result<u64, String> {
    match text {
        "never" => Ok(common::Time::NEVER.0),
        number => number
            .parse()
            .map_err(|_| String::from("must be a number of ticks, such as 2000000, or never")),
    }
}
