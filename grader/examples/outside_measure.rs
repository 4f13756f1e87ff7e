//! How good is the grader, measured with mistakes that nobody made up for it?
//!
//! ```text
//! cargo install --locked cargo-mutants
//! cargo run -p lab --example outside_measure -- v1 v2
//! ```
//!
//! `cargo-mutants` lists small changes of a version's sources: an operator
//! replaced, a function that returns at once, an arm of a `match` left out. Each
//! is graded here like a submission, on libraries that are built already, which
//! takes a second where a test run of its own takes a minute. A change is killed
//! if a check fails, and one that makes the code hang is killed by the checks'
//! patience. Those that survive show holes in the grader, or change nothing that
//! can be seen: somebody has to look at each. What was found stands in LABS.md, in
//! "Can the grader be trusted?".
//!
//! Only changes between the markers of solutions count: that is what students
//! write. Results are kept in `target/outside-measure`, so that an interrupted
//! measurement goes on where it was.

use clap::Parser;
use lab::batch::record::Record;
use lab::batch::{Batch, News, Toolbox};
use lab::cli::EngineName;
use lab::grade::SEED;
use lab::markers;
use lab::stages::Stage;
use lab::submission::{Origin, Submission};
use lab::verdict::StageVerdict;
use lab::workspace::{Workspace, files_below};
use serde::Deserialize;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Grades what `cargo-mutants` changes in the solutions.
#[derive(Parser)]
struct Options {
    /// The versions, such as v1 [default: all there are]
    stages: Vec<String>,
    /// Only changes whose description contains this, such as a file and line
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// How many are graded at a time
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,
}

/// One change, in `cargo-mutants`' own words; of those only what is needed here.
#[derive(Deserialize)]
struct Mutant {
    file: String,
    name: String,
    replacement: String,
    span: Span,
}

#[derive(Clone, Copy, Deserialize)]
struct Span {
    start: Position,
    end: Position,
}

/// Both count from 1; columns are characters.
#[derive(Clone, Copy, Deserialize)]
struct Position {
    line: usize,
    column: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    lab::interrupt::listen();
    let options = Options::parse();
    let workspace = Workspace::find()?;
    let stages = Stage::named_or_all(&options.stages, &workspace)?;
    for stage in stages {
        measure(&workspace, stage, &options)?;
    }
    Ok(())
}

/// Measures one version, and says what came of it.
fn measure(
    workspace: &Workspace,
    stage: &'static Stage,
    options: &Options,
) -> Result<(), Box<dyn Error>> {
    let listed = list(workspace, stage)?;
    let (ours, given): (Vec<_>, Vec<_>) = listed
        .into_iter()
        .filter(|mutant| mutant.name.contains(&options.only))
        .partition(|mutant| mutant.is_in_solution(workspace));
    println!(
        "{}: {} changes in solutions, and {} in given code, which are left out",
        stage.name,
        ours.len(),
        given.len()
    );
    let folder = tempfile::tempdir()?;
    let mut submissions = Vec::new();
    for (index, mutant) in ours.iter().enumerate() {
        let name = format!("{index:04}");
        let origin = folder.path().join(&name);
        lay_out(workspace, stage, mutant, &origin)?;
        submissions.push(Submission {
            name,
            origin: Origin::Folder(origin),
        });
    }
    let batch = Batch {
        toolbox: Toolbox::prepare(workspace, &[stage])?,
        stages: vec![stage],
        seed: SEED,
        engine: EngineName::Interp,
        out: workspace.target.join("outside-measure").join(stage.name),
        jobs: options.jobs,
        own: false,
    };
    let done = AtomicUsize::new(0);
    let records = batch.run(&submissions, |news| {
        if let News::Done(record, _) = news {
            let done = 1 + done.fetch_add(1, Ordering::Relaxed);
            let index: usize = record.submission.parse().unwrap_or_default();
            let fate = Fate::of(record);
            println!("  {done}/{} {fate:?}: {}", ours.len(), ours[index].name);
        }
    })?;
    report(stage, &ours, &records);
    Ok(())
}

/// What `cargo-mutants` would change.
fn list(workspace: &Workspace, stage: &Stage) -> Result<Vec<Mutant>, Box<dyn Error>> {
    let output = Command::new("cargo")
        .current_dir(&workspace.root)
        .args(["mutants", "--list", "--json", "--package", stage.package])
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo mutants, which has to be installed, failed: {said}").into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

impl Mutant {
    fn is_in_solution(&self, workspace: &Workspace) -> bool {
        let text = fs::read_to_string(workspace.root.join(&self.file)).unwrap_or_default();
        markers::is_solution(&text, self.span.start.line)
    }

    /// The text of its file with the change made.
    fn applied(&self, text: &str) -> String {
        let [start, end] = [self.span.start, self.span.end].map(|place| offset(text, place));
        format!("{}{}{}", &text[..start], self.replacement, &text[end..])
    }
}

/// Where in a text a position is, in bytes.
fn offset(text: &str, place: Position) -> usize {
    let lines = text.split_inclusive('\n');
    let before: usize = lines.take(place.line - 1).map(str::len).sum();
    let characters = text[before..].char_indices();
    let column = characters.map(|(offset, _)| offset).nth(place.column - 1);
    before + column.unwrap_or(text.len() - before)
}

/// Writes the version with a change as a submission.
fn lay_out(
    workspace: &Workspace,
    stage: &Stage,
    mutant: &Mutant,
    to: &Path,
) -> Result<(), Box<dyn Error>> {
    for path in files_below(&stage.sources(workspace))? {
        let name = workspace.relative(&path);
        let mut text = fs::read_to_string(&path)?;
        if name == mutant.file {
            text = mutant.applied(&text);
        }
        let path: PathBuf = to.join(name);
        fs::create_dir_all(path.parent().unwrap_or(to))?;
        fs::write(path, text)?;
    }
    Ok(())
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Killed,
    Survived,
    DoesNotCompile,
    /// The host failed: nothing is known.
    Unknown,
}

impl Fate {
    fn of(record: &Record) -> Fate {
        match record.stages.first().map(|stage| &stage.result) {
            Some(StageVerdict {
                compiles: false, ..
            }) => Fate::DoesNotCompile,
            Some(result) if result.has_errors() => Fate::Unknown,
            Some(result) if result.points == result.of => Fate::Survived,
            Some(_) => Fate::Killed,
            None => Fate::Unknown,
        }
    }
}

fn report(stage: &Stage, mutants: &[Mutant], records: &[Record]) {
    let fates: Vec<_> = records.iter().map(Fate::of).collect();
    let count = |fate| fates.iter().filter(|one| **one == fate).count();
    let (killed, survived) = (count(Fate::Killed), count(Fate::Survived));
    println!(
        "{}: {} changes, {killed} killed, {survived} survived, {} did not compile, {} unknown: \
         {} percent killed",
        stage.name,
        fates.len(),
        count(Fate::DoesNotCompile),
        count(Fate::Unknown),
        100 * killed / (killed + survived).max(1)
    );
    for (mutant, fate) in mutants.iter().zip(&fates) {
        if matches!(fate, Fate::Survived | Fate::Unknown) {
            println!("  {fate:?} {}", mutant.name);
        }
    }
}
