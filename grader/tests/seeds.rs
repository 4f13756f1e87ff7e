//! The same sources and the same seed give the same verdict to the byte, whatever
//! else the host does.
//!
//! All gradings here are made beside each other: each is the others' load. There
//! are more at a time than the host has cores.

mod support;

use lab::compile::{Compiled, compile};
use lab::grade::Grading;
use lab::stages::Stage;
use lab::verdict::{StageVerdict, Verdict};
use lab::workers;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use support::scratch::Scratch;
use support::variant::{Variant, build};
use support::{changes, graded, tell, workspace};

/// How often each wrong solution is graded with its seed.
const ROUNDS: usize = 2;

/// Checks that let real threads loose. Who goes first is the host's affair there,
/// so what is told of a wrong solution is what one run has seen.
const THREADS: [&str; 3] = [
    "owners-reach-running-vms",
    "threads-change-nothing",
    "no-wake-lost-in-any-order",
];

/// `HEPTAVISOR_SEEDS=50` asks for more.
fn seeds() -> usize {
    let asked = std::env::var("HEPTAVISOR_SEEDS").ok();
    asked.map_or(3, |number| {
        number.parse().expect("HEPTAVISOR_SEEDS: a number")
    })
}

#[test]
fn every_seed_gives_the_same_verdict_to_the_byte_under_load() {
    let scratch = Scratch::of(&workspace());
    for stage in graded() {
        let class = Class::of(stage, &scratch);
        class.the_reference_is_graded_alike_with_every_seed();
        class.a_wrong_solution_is_graded_alike_every_time();
    }
}

/// A version's reference, and one wrong solution for each seed.
struct Class {
    stage: &'static Stage,
    reference: PathBuf,
    wrong: Vec<(String, PathBuf)>,
}

impl Class {
    fn of(stage: &'static Stage, scratch: &Scratch) -> Class {
        let bank = changes(stage);
        // What is a race is told from what was seen of it, which differs.
        let steady = bank.iter().filter(|change| change.may.is_empty());
        let wrong: Vec<_> = steady.filter(|change| !change.fails.is_empty()).collect();
        let chosen = |index: usize| wrong[index * wrong.len() / seeds()];
        let mut places = BTreeMap::new();
        for change in (0..seeds()).map(chosen) {
            let edit = |file: &str, text| Some(change.edited(file, text).expect("a change"));
            let place = || Variant::place(scratch, stage, &change.name, edit);
            places.entry(&change.name).or_insert_with(place);
        }
        let variants: Vec<_> = places.into_values().collect();
        build(&scratch.workspace, &variants);
        let runner = |stage| match compile(stage, &scratch.workspace).expect("a build") {
            Compiled::Runner(runner) => runner,
            Compiled::Rejected(rejection) => panic!("{}", rejection.diagnostics),
        };
        let built: BTreeMap<_, _> = variants
            .iter()
            .map(|variant| (&variant.name, runner(variant.stage)))
            .collect();
        let wrong = (0..seeds()).map(|index| &chosen(index).name);
        Class {
            stage,
            reference: runner(stage),
            wrong: wrong
                .map(|name| (name.clone(), built[name].clone()))
                .collect(),
        }
    }

    /// All seeds, side by side, and one at least that no check was written with.
    fn the_reference_is_graded_alike_with_every_seed(&self) {
        let verdicts = side_by_side(seeds(), |index| {
            let verdict = self.grade(&self.reference, seed(index));
            assert_eq!(verdict.exit_code(), 0, "{}", verdict.json());
            json(&verdict.stages[0])
        });
        let first = &verdicts[0];
        for (index, verdict) in verdicts.iter().enumerate() {
            assert_eq!(verdict, first, "{} seed {}", self.stage.name, seed(index));
        }
        tell(&format!(
            "{}: the reference has one verdict with {} seeds",
            self.stage.name,
            seeds()
        ));
    }

    fn a_wrong_solution_is_graded_alike_every_time(&self) {
        let verdicts = side_by_side(ROUNDS * seeds(), |turn| {
            let index = turn % seeds();
            let mut verdict = self.grade(&self.wrong[index].1, seed(index));
            let stage = &mut verdict.stages[0];
            stage
                .checks
                .retain(|check| !THREADS.contains(&&*check.name));
            stage.points = stage.checks.iter().map(|check| check.points).sum();
            verdict.json()
        });
        let (first, second) = verdicts.split_at(seeds());
        for (index, (first, second)) in first.iter().zip(second).enumerate() {
            let (stage, name) = (self.stage.name, &self.wrong[index].0);
            assert_eq!(first, second, "{stage}/{name} seed {}", seed(index));
        }
        tell(&format!(
            "{}: {} wrong solutions, each with a seed, have one verdict {ROUNDS} times",
            self.stage.name,
            seeds()
        ));
    }

    fn grade(&self, runner: &Path, seed: u64) -> Verdict {
        let grading = Grading {
            seed,
            ..Grading::of(vec![self.stage])
        };
        let built = |_| Ok(Compiled::Runner(runner.to_path_buf()));
        let verdict = grading.run_with(&workspace(), built, |_| {});
        verdict.expect("a verdict")
    }
}

/// Seeds that lie far apart: checks make further ones by adding to them.
fn seed(index: usize) -> u64 {
    1_000 * index as u64 + 7
}

/// What `grade` says of each number below `count`, with more at a time than there
/// are cores.
fn side_by_side(count: usize, grade: impl Fn(usize) -> String + Sync) -> Vec<String> {
    let numbers: Vec<_> = (0..count).collect();
    let grade = |number: &usize| Ok::<_, Infallible>(grade(*number));
    let Ok(verdicts) = workers::in_order(workers::all_cores() + 1, &numbers, grade, |_| ());
    verdicts
}

fn json(verdict: &StageVerdict) -> String {
    serde_json::to_string(verdict).expect("a verdict as text")
}
