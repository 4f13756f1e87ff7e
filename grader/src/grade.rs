//! Grades a version: builds it, makes its checks, and says the verdict.

use crate::checks::{Announced, Bench, Check, Course, Failure, Problem};
use crate::cli::EngineName;
use crate::compile::{Compiled, Rejection, compile};
use crate::engine::{self, Choice};
use crate::error::LabError;
use crate::exercises::Sources;
use crate::stages::Stage;
use crate::verdict::{
    CheckVerdict, Decides, FailureReport, Outcome, SCHEMA, StageVerdict, Verdict,
};
use crate::workers;
use crate::workspace::Workspace;
use evidence::Engine;
use kvm::Lack;

/// What to grade.
#[derive(Clone, Debug)]
pub struct Grading {
    /// The versions.
    pub stages: Vec<&'static Stage>,
    /// Only this check.
    pub check: Option<String>,
    /// What the guests are made from.
    pub seed: u64,
    /// What runs them.
    pub engine: EngineName,
    /// How many checks of a version are made at a time. The verdict does not
    /// depend on it.
    pub workers: usize,
}

/// The seed of a grading that names none: with the same sources everybody gets
/// the same verdict.
pub const SEED: u64 = 1;

impl Grading {
    /// The grading of whole versions with the usual seed.
    pub fn of(stages: Vec<&'static Stage>) -> Grading {
        Grading {
            stages,
            check: None,
            seed: SEED,
            engine: EngineName::Interp,
            workers: workers::all_cores(),
        }
    }

    /// Whether versions are graded as a whole and as usual: then the verdict says
    /// how far they are.
    pub fn is_usual(&self) -> bool {
        self.check.is_none() && self.seed == SEED && self.engine == EngineName::Interp
    }

    /// Grades. `watch` hears of each check when it has been made.
    ///
    /// # Errors
    /// If the check does not exist, cargo fails, or on Ctrl-C.
    pub fn run(
        &self,
        workspace: &Workspace,
        watch: impl FnMut(Progress<'_>),
    ) -> Result<Verdict, LabError> {
        self.run_with(workspace, |stage| compile(stage, workspace), watch)
    }

    /// The same with runners that `build` makes.
    ///
    /// # Errors
    /// If the check does not exist, the build cannot be made, or on Ctrl-C.
    pub fn run_with(
        &self,
        workspace: &Workspace,
        build: impl Fn(&'static Stage) -> Result<Compiled, LabError>,
        mut watch: impl FnMut(Progress<'_>),
    ) -> Result<Verdict, LabError> {
        let mut stages = Vec::new();
        for stage in &self.stages {
            let checks = self.checks(stage)?;
            let engine = match Choice::of(self.engine, stage, engine::probed) {
                Ok(Choice { engine, why }) => {
                    why.iter().for_each(|why| watch(Progress::Chosen(why)));
                    engine
                }
                Err(lack) => {
                    stages.push(passed_over(stage, &checks, lack));
                    continue;
                }
            };
            let graded = self.stage(stage, engine, &checks, workspace, &build, &mut watch);
            stages.push(match graded {
                Err(LabError::Infrastructure(reason)) => untold(stage, engine, &checks, &reason),
                verdict => verdict?,
            });
        }
        Ok(Verdict {
            schema: SCHEMA,
            engine: self.engine.name(),
            seed: self.seed,
            stages,
        })
    }

    fn stage(
        &self,
        stage: &'static Stage,
        engine: Engine,
        checks: &[&'static Check],
        workspace: &Workspace,
        build: &impl Fn(&'static Stage) -> Result<Compiled, LabError>,
        watch: &mut impl FnMut(Progress<'_>),
    ) -> Result<StageVerdict, LabError> {
        let sources = Sources::read(stage, workspace).map_err(|error| {
            LabError::infrastructure("the stage's sources cannot be read", error)
        })?;
        watch(Progress::Compiling(stage));
        let compiled = build(stage)?;
        watch(Progress::Compiled);
        let runner = match compiled {
            Compiled::Runner(runner) => runner,
            Compiled::Rejected(rejection) => {
                return Ok(rejected(stage, engine, checks, &rejection));
            }
        };
        let bench = Bench::new(workspace, stage.name, &runner, self.seed, engine);
        let mut verdict = blank(stage, engine, checks);
        verdict.first_hole = first_hole(stage, &sources);
        let make = |check: &&Check| match not_made(engine, check) {
            Some(why) => Ok(skipped(check, why.to_string())),
            None => self.make(check, &bench, &sources),
        };
        verdict.checks = workers::in_order(self.workers, checks, make, |made| {
            watch(Progress::Made(made));
        })?;
        verdict.points = verdict.checks.iter().map(|made| made.points).sum();
        Ok(verdict)
    }

    fn checks(&self, stage: &Stage) -> Result<Vec<&'static Check>, LabError> {
        let Some(course) = Course::of(stage) else {
            return Err(LabError::Infrastructure(format!(
                "{} has no checks yet",
                stage.name
            )));
        };
        match &self.check {
            Some(name) => Ok(vec![course.check(name)?]),
            None => Ok(course.checks.iter().collect()),
        }
    }

    fn make(
        &self,
        check: &Check,
        bench: &Bench<'_>,
        sources: &Sources,
    ) -> Result<CheckVerdict, LabError> {
        let mut verdict = skipped(check, String::new());
        verdict.reason = None;
        match (check.run)(bench) {
            Ok(()) => {
                verdict.outcome = Outcome::Pass;
                verdict.points = check.points;
            }
            Err(Problem::Failed(failure)) => {
                verdict.outcome = Outcome::Fail;
                verdict.failure = Some(self.report(check, bench, sources, *failure));
            }
            Err(Problem::Lab(LabError::Interrupted)) => return Err(LabError::Interrupted),
            Err(Problem::Lab(error)) => {
                verdict.outcome = Outcome::Error;
                verdict.reason = Some(error.to_string());
            }
        }
        Ok(verdict)
    }

    fn report(
        &self,
        check: &Check,
        bench: &Bench<'_>,
        sources: &Sources,
        failure: Failure,
    ) -> FailureReport {
        let all = check.exercises.iter().map(|name| name.to_string());
        let exercises = match failure.exercises.is_empty() {
            true => all.collect(),
            false => failure.exercises,
        };
        let not_yet = failure.not_yet.or(sources.quietly_open(&exercises));
        let exercises = match not_yet {
            Some(_) => exercises,
            None => sources.suspects(exercises),
        };
        let places = exercises
            .iter()
            .map(|name| Decides::new(name, &sources.places(name)));
        let seed = self.seed;
        FailureReport {
            places: places.collect(),
            again: format!(
                "cargo lab grade {} --check {} --seed {seed}{}",
                bench.stage,
                check.name,
                match bench.engine {
                    Engine::Interp => "",
                    Engine::Kvm => " --engine kvm",
                }
            ),
            expected: failure.expected,
            seen: failure.seen,
            not_yet,
            moments: failure.moments,
            registers: failure.registers,
            thought: failure.thought,
            look: failure.look,
            step: failure.step,
        }
    }
}

/// The verdict on a version before any check has been made.
fn blank(stage: &'static Stage, engine: Engine, checks: &[&'static Check]) -> StageVerdict {
    let points = |made| {
        let counted = checks
            .iter()
            .filter(|check| not_made(engine, check).is_none() == made);
        counted.map(|check| check.points).sum()
    };
    StageVerdict {
        stage: stage.name.into(),
        title: stage.title.into(),
        engine: engine.name().into(),
        skipped: points(false),
        compiles: true,
        diagnostics: None,
        points: 0,
        of: points(true),
        announced: Announced::of(stage.name),
        checks: Vec::new(),
        first_hole: None,
    }
}

/// The first exercise in the order of the course that has a hole.
fn first_hole(stage: &Stage, sources: &Sources) -> Option<Decides> {
    let exercises = Course::of(stage)?.exercises.iter();
    let mut holes = exercises.map(|one| (one.name, sources.holes(one.name)));
    let (exercise, places) = holes.find(|(_, holes)| !holes.is_empty())?;
    Some(Decides::new(exercise, &places))
}

/// The verdict on a version that does not compile.
fn rejected(
    stage: &'static Stage,
    engine: Engine,
    checks: &[&'static Check],
    rejection: &Rejection,
) -> StageVerdict {
    let Rejection { lead, diagnostics } = rejection;
    // Its first words: it does not compile, was refused, or is not complete.
    let reason = lead.split([',', ':', '.']).next().unwrap_or_default();
    StageVerdict {
        compiles: false,
        diagnostics: Some(format!("{lead}\n\n{diagnostics}")),
        checks: checks
            .iter()
            .map(|check| skipped(check, reason.to_string()))
            .collect(),
        ..blank(stage, engine, checks)
    }
}

/// The verdict on a version that this host's KVM cannot run.
fn passed_over(stage: &'static Stage, checks: &[&'static Check], lack: &Lack) -> StageVerdict {
    let all = checks.iter().map(|check| check.points).sum();
    let skipped = |check: &&'static Check| skipped(check, engine::with_mend(lack));
    StageVerdict {
        of: 0,
        skipped: all,
        checks: checks.iter().map(skipped).collect(),
        ..blank(stage, Engine::Kvm, checks)
    }
}

/// Why a check is not made on an engine; `None` if it is.
fn not_made(engine: Engine, check: &Check) -> Option<&'static str> {
    match engine {
        Engine::Interp => None,
        Engine::Kvm => check.on_kvm.reason(engine::probed()),
    }
}

/// The verdict on a version that the host kept from being graded.
fn untold(
    stage: &'static Stage,
    engine: Engine,
    checks: &[&'static Check],
    reason: &str,
) -> StageVerdict {
    let error = |check: &&'static Check| CheckVerdict {
        outcome: Outcome::Error,
        ..skipped(check, reason.to_string())
    };
    StageVerdict {
        checks: checks.iter().map(error).collect(),
        ..blank(stage, engine, checks)
    }
}

fn skipped(check: &Check, reason: String) -> CheckVerdict {
    CheckVerdict {
        name: check.name.into(),
        tests: check.tests.into(),
        points: 0,
        of: check.points,
        outcome: Outcome::Skipped,
        reason: Some(reason),
        failure: None,
    }
}

/// How far a grading has come.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// This engine was chosen, and why.
    Chosen(&'a str),
    /// A version is being built.
    Compiling(&'static Stage),
    /// It has been built, or has not.
    Compiled,
    /// A check has been made.
    Made(&'a CheckVerdict),
}
