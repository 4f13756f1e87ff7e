//! How long does it take to grade a class, and how long does a student wait?
//!
//! ```text
//! cargo bench -p lab --bench class
//! cargo bench -p lab --bench class -- --submissions 20 --stages v1,v2
//! cargo bench -p lab --bench class -- --submissions 0
//! ```
//!
//! How it measures:
//!
//! - A made-up class is graded by the command `cargo lab batch`, as an instructor
//!   has it: built for development, each submission confined. Most submissions are
//!   variations of the reference, a quarter has a mistake of the bank, some are
//!   copies, starters, or do not compile. The class is graded anew for each number
//!   of jobs. Building the clean tree is not counted.
//! - What the cache has spared is what was asked for and not graded, since the same
//!   sources had been graded already.
//! - From save to verdict: a line is added at the head of a version's file, cargo
//!   builds the runner, the checks are made, as `cargo lab watch` does it. That is
//!   done on all cores, and on one. The building by itself is the same once more,
//!   with cargo alone. Medians of the samples.
//! - All is built in a copy of the tree, in `target/class`, which stays there for the
//!   next time. The first build of it is not counted.
//! - All times are the host's, so nothing else should run.

mod synthetic;

use clap::Parser;
use lab::batch::record::Record;
use lab::error::LabError;
use lab::stages::Stage;
use lab::workspace::{Workspace, files_below};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use synthetic::Original;

/// What grading takes.
#[derive(Parser)]
struct Options {
    /// How large the class is; 0 for none
    #[arg(long, value_name = "N", default_value_t = 200)]
    submissions: usize,
    /// Only these versions [default: all there are]
    #[arg(long, value_name = "V1,V2,…", value_delimiter = ',')]
    stages: Vec<String>,
    /// How many submissions are graded at a time, one run for each
    #[arg(long, value_name = "N,M,…", value_delimiter = ',', default_values_t = [1, 2])]
    jobs: Vec<usize>,
    /// How often a student saves a file of each version; 0 for never
    #[arg(long, value_name = "N", default_value_t = 3)]
    samples: usize,
    /// What cargo passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(options: &Options) -> Result<(), LabError> {
    let workspace = Workspace::find()?;
    let stages = Stage::named_or_all(&options.stages, &workspace)?;
    let lab = Lab::build(copied(&workspace)?)?;
    if options.submissions > 0 {
        lab.grade_a_class(options, &stages)?;
    }
    if options.samples > 0 {
        lab.save_and_wait(options.samples, &stages)?;
    }
    Ok(())
}

/// The command as people have it.
struct Lab {
    workspace: Workspace,
    program: PathBuf,
}

impl Lab {
    fn build(workspace: Workspace) -> Result<Lab, LabError> {
        let lab = Lab {
            program: workspace.target.join("debug/lab"),
            workspace,
        };
        lab.cargo_build("lab")?;
        Ok(lab)
    }

    fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command
            .current_dir(&self.workspace.root)
            .env("CARGO_TARGET_DIR", &self.workspace.target)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    fn cargo_build(&self, package: &str) -> Result<Duration, LabError> {
        let mut cargo = self.command("cargo");
        cargo.args(["build", "--quiet", "--package", package]);
        timed(&mut cargo, &[0])
    }

    fn grade_a_class(&self, options: &Options, stages: &[&'static Stage]) -> Result<(), LabError> {
        let failed = |error| LabError::infrastructure("a folder for the class", error);
        let folder = tempfile::tempdir().map_err(failed)?;
        let class = folder.path().join("class");
        let one = folder.path().join("one");
        for stage in stages {
            let original = Original::read(stage, &self.workspace)?;
            original.write(0, &one.join("nobody"))?;
            for number in 0..options.submissions {
                original.write(number, &class.join(format!("student-{number:04}")))?;
            }
        }
        let names: Vec<_> = stages.iter().map(|stage| stage.name).collect();
        let names = names.join(",");
        // Builds the clean tree.
        self.batch(&one, &folder.path().join("first"), &names, 1)?;
        println!("a class of {} on {names}\n", options.submissions);
        println!(
            "{:>5} {:>8} {:>21} {:>8}",
            "jobs", "seconds", "submissions a minute", "speed-up"
        );
        let mut first = None;
        let mut spared = String::new();
        for jobs in &options.jobs {
            let out = folder.path().join(format!("results-{jobs}"));
            let time = self.batch(&class, &out, &names, *jobs)?.as_secs_f64();
            let rate = options.submissions as f64 * 60.0 / time;
            let speed_up = *first.get_or_insert(time) / time;
            println!("{jobs:>5} {time:>8.0} {rate:>21.1} {speed_up:>8.2}");
            spared = what_was_spared(&out)?;
        }
        println!("\n{spared}\n");
        Ok(())
    }

    fn batch(
        &self,
        class: &Path,
        out: &Path,
        stages: &str,
        jobs: usize,
    ) -> Result<Duration, LabError> {
        let mut lab = self.command(&self.program);
        lab.arg("batch").arg(class).arg("--out").arg(out);
        lab.args(["--stages", stages, "--jobs", &jobs.to_string()]);
        timed(&mut lab, &[0])
    }

    fn save_and_wait(&self, samples: usize, stages: &[&'static Stage]) -> Result<(), LabError> {
        println!("seconds from save to verdict (medians of {samples})\n");
        println!(
            "{:>8} {:>8} {:>14} {:>14}",
            "version", "build", "and verdict", "on one core"
        );
        for stage in stages {
            self.cargo_build(stage.runner)?;
            let median = |measure: &dyn Fn() -> Result<Duration, LabError>| {
                let times = (0..samples).map(|_| {
                    self.save(stage)?;
                    measure()
                });
                let mut times = times.collect::<Result<Vec<_>, _>>()?;
                times.sort();
                Ok::<_, LabError>(times[samples / 2].as_secs_f64())
            };
            let build = median(&|| self.cargo_build(stage.runner))?;
            let arguments = ["grade", stage.name, "--json"];
            let all = median(&|| timed(self.command(&self.program).args(arguments), &[0, 1]))?;
            let one = median(&|| {
                let mut on_one = self.command("taskset");
                on_one
                    .args(["--cpu-list", "0"])
                    .arg(&self.program)
                    .args(arguments);
                timed(&mut on_one, &[0, 1])
            });
            let one = one.map_or("–".to_string(), |seconds| format!("{seconds:.1}"));
            println!("{:>8} {build:>8.1} {all:>14.1} {one:>14}", stage.name);
        }
        Ok(())
    }

    /// Adds a line at the head of the version's largest file, so that everything in
    /// it has moved.
    fn save(&self, stage: &Stage) -> Result<(), LabError> {
        let failed = |error| LabError::infrastructure("a source to save", error);
        let files = files_below(&stage.sources(&self.workspace)).map_err(failed)?;
        let text = |path: PathBuf| Ok((fs::read_to_string(&path)?, path));
        let texts: Result<Vec<_>, _> = files.into_iter().map(text).collect();
        let texts = texts.map_err(failed)?;
        let largest = texts.into_iter().max_by_key(|(text, _)| text.len());
        let (text, path) = largest.unwrap_or_default();
        fs::write(&path, format!("// saved\n{text}")).map_err(failed)
    }
}

/// A copy of the tree, which may be changed. What is equal already stays untouched.
fn copied(from: &Workspace) -> Result<Workspace, LabError> {
    let failed = |error| LabError::infrastructure("a copy of the tree", error);
    let folder = from.target.join("class");
    let root = folder.join("tree");
    for path in files_below(&from.root).map_err(failed)? {
        let bytes = fs::read(&path).map_err(failed)?;
        let to = root.join(from.relative(&path));
        if fs::read(&to).ok().as_ref() != Some(&bytes) {
            fs::create_dir_all(to.parent().unwrap_or(&root)).map_err(failed)?;
            fs::write(&to, bytes).map_err(failed)?;
        }
    }
    Ok(Workspace {
        target: folder.join("target"),
        ..Workspace::at(&root)
    })
}

/// How long a program takes, which ends with one of these exit codes.
fn timed(command: &mut Command, codes: &[i32]) -> Result<Duration, LabError> {
    let begin = Instant::now();
    let shown = command.get_program().display().to_string();
    let failed = |error| LabError::infrastructure(&shown, error);
    let status = command.status().map_err(failed)?;
    match status.code() {
        Some(code) if codes.contains(&code) => Ok(begin.elapsed()),
        _ => Err(LabError::Infrastructure(format!(
            "{shown} ended with {status}"
        ))),
    }
}

fn what_was_spared(out: &Path) -> Result<String, LabError> {
    let failed = |error| LabError::infrastructure(out.display(), error);
    let made = fs::read_dir(out.join("verdicts")).map_err(failed)?.count();
    let records = Record::read_all(out)?;
    let stages: Vec<_> = records.iter().flat_map(|record| &record.stages).collect();
    let handed_in = stages.iter().filter(|stage| stage.handed_in).count();
    let on_own = stages.iter().filter(|stage| stage.own.is_some()).count();
    let full = stages
        .iter()
        .filter(|stage| stage.result.points == stage.result.of)
        .count();
    let rejected = stages.iter().filter(|stage| !stage.result.compiles).count();
    let asked = handed_in + on_own;
    Ok(format!(
        "{handed_in} versions handed in, {full} with full marks, {rejected} that do not compile; \
         with those on the\nstudents' own versions {asked} gradings, of which the cache spared {}",
        asked - made
    ))
}
