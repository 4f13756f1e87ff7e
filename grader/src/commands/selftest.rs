//! `cargo lab selftest`: can the grader be trusted?
//!
//! Whoever has changed a check, a guest or a mistake of the bank asks this before
//! a class is graded. Everything is proved by tests in `grader/tests`; this only
//! runs them, tells how far they have come, and says at the end what holds. It
//! must never judge anything by itself.

use super::paint::Paint;
use super::say::{self, say};
use crate::cli_class::SelftestArguments;
use crate::compile::cargo_command;
use crate::error::LabError;
use crate::interrupt;
use crate::stages::Stage;
use crate::text::wrapped;
use crate::workspace::Workspace;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A test that has come further says so on a line that begins like this.
pub const TOLD: &str = "· ";

/// Something that must hold of the grader, and the tests that prove it.
#[derive(Debug)]
pub struct Claim {
    /// What holds if the tests pass.
    pub says: &'static str,
    /// The file in `grader/tests`.
    pub program: &'static str,
    /// The tests there.
    pub tests: &'static [&'static str],
}

/// What must hold, the quickest first.
pub const CLAIMS: &[Claim] = &[
    Claim {
        says: "every check is failed by a mistake of the bank, which has eight for each \
               version, and two other right solutions",
        program: "mutants",
        tests: &[
            "every_check_is_failed_by_a_mutant_and_two_other_solutions_are_right",
            "mistakes_are_made_where_students_write",
        ],
    },
    Claim {
        says: "the reference gets every point, on every engine that works here",
        program: "reference",
        tests: &[
            "the_reference_gets_every_point_on_every_engine_that_works_here",
            "the_reference_gets_every_point_with_the_first_and_the_last_seed",
        ],
    },
    Claim {
        says: "the starter gets none, and each of its checks names an open exercise",
        program: "starter",
        tests: &[
            "each_starter_compiles_and_scores_zero_on_the_versions_before",
            "the_handout_compiles_and_scores_zero",
        ],
    },
    Claim {
        says: "each mistake fails exactly the checks it is listed with, and each other \
               right solution passes",
        program: "mutants",
        tests: &["each_change_fails_exactly_the_checks_it_is_listed_with"],
    },
    Claim {
        says: "every seed gives the same verdict to the byte, whatever else the host does",
        program: "seeds",
        tests: &["every_seed_gives_the_same_verdict_to_the_byte_under_load"],
    },
];

/// Whether a claim holds, and how long that took to find out.
struct Found {
    holds: bool,
    took: Duration,
}

/// Proves every claim. The exit code is 1 if one does not hold.
///
/// # Errors
/// In a student's tree, if the tests do not build, or on Ctrl-C.
pub(super) fn prove(workspace: &Workspace, arguments: &SelftestArguments) -> Result<u8, LabError> {
    refuse_a_handout(workspace)?;
    let stage = arguments.stage.as_deref();
    let stage = stage.map(|name| Stage::find(name, workspace)).transpose()?;
    say!("building the tests …");
    build(workspace)?;
    let paint = Paint::stdout();
    let mut found = Vec::new();
    for (index, claim) in CLAIMS.iter().enumerate() {
        say!("\n{}/{} {}", index + 1, CLAIMS.len(), claim.says);
        let one = try_claim(workspace, arguments, stage, claim)?;
        let took = seconds(one.took);
        match one.holds {
            true => say!("    {}, after {took}", paint.good("holds")),
            false => say!("    {}, after {took}", paint.bad("DOES NOT HOLD")),
        }
        found.push(one);
    }
    Ok(conclusion(paint, stage, &found))
}

fn refuse_a_handout(workspace: &Workspace) -> Result<(), LabError> {
    match workspace.root.join("grader/tests").is_dir() {
        true => Ok(()),
        false => Err(LabError::Usage(String::from(
            "this tree was handed out, and what proves the grader was kept back, since it tells \
             solutions: run selftest in the instructor's tree. `cargo lab doctor` says whether \
             this host is in order",
        ))),
    }
}

/// Cargo, about to test the grader.
fn cargo_test(workspace: &Workspace) -> Command {
    let mut cargo = cargo_command();
    cargo
        .current_dir(&workspace.root)
        .args(["test", "--quiet", "--package", "lab"])
        .stdin(Stdio::null());
    cargo
}

fn build(workspace: &Workspace) -> Result<(), LabError> {
    let mut cargo = cargo_test(workspace);
    cargo.arg("--no-run");
    for claim in CLAIMS {
        cargo.args(["--test", claim.program]);
    }
    let output = cargo.output().map_err(|error| no_cargo(&error))?;
    interrupt::check()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(LabError::infrastructure(
            "the tests of the grader do not build",
            String::from_utf8_lossy(&output.stderr).trim_end(),
        )),
    }
}

fn no_cargo(error: &std::io::Error) -> LabError {
    LabError::infrastructure("cargo cannot be run", error)
}

fn try_claim(
    workspace: &Workspace,
    arguments: &SelftestArguments,
    stage: Option<&Stage>,
    claim: &Claim,
) -> Result<Found, LabError> {
    let begin = Instant::now();
    let lost = |error| LabError::infrastructure("what a test says cannot be kept", error);
    let mut errors = tempfile::tempfile().map_err(lost)?;
    let mut cargo = cargo_test(workspace);
    cargo
        .args(["--test", claim.program, "--"])
        .args(claim.tests)
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .env("HEPTAVISOR_SEEDS", arguments.seeds.to_string())
        // All that is listed, whatever the shell has set.
        .env_remove("HEPTAVISOR_CHANGE")
        .env_remove("HEPTAVISOR_BANK")
        .env("RUST_BACKTRACE", "0")
        .env("HEPTAVISOR_STAGE", stage.map_or("", |stage| stage.name))
        .stdout(Stdio::piped())
        .stderr(errors.try_clone().map_err(lost)?);
    let mut child = cargo.spawn().map_err(|error| no_cargo(&error))?;
    let mut passed = 0;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if let Some(told) = line.find(TOLD) {
                say!("    {}", &line[told + TOLD.len()..]);
            }
            passed += tests_passed(&line);
        }
    }
    let status = child.wait().map_err(|error| no_cargo(&error))?;
    interrupt::check()?;
    let holds = status.success() && passed == claim.tests.len();
    if !holds {
        explain(claim, &mut errors).map_err(lost)?;
    }
    Ok(Found {
        holds,
        took: begin.elapsed(),
    })
}

/// How many tests passed, if this is the line that says so.
fn tests_passed(line: &str) -> usize {
    let counted = line.strip_prefix("test result: ok. ");
    let number = counted.and_then(|rest| rest.split(' ').next());
    number.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What the tests said of their failure.
fn explain(claim: &Claim, errors: &mut File) -> std::io::Result<()> {
    errors.rewind()?;
    let mut said = Vec::new();
    errors.read_to_end(&mut said)?;
    for line in String::from_utf8_lossy(&said).trim().lines() {
        say!("    {line}");
    }
    let tests = claim.tests.join(" ");
    say!(
        "    again: cargo test -p lab --test {} -- --exact {tests}",
        claim.program
    );
    Ok(())
}

/// The closing table, and the exit code.
fn conclusion(paint: Paint, stage: Option<&Stage>, found: &[Found]) -> u8 {
    say!("");
    for (claim, one) in CLAIMS.iter().zip(found) {
        let (word, painted) = match one.holds {
            true => ("yes", paint.good("yes")),
            false => ("NO ", paint.bad("NO ")),
        };
        let lead = format!("  {word} {:>9}  ", seconds(one.took));
        let lines = wrapped(&lead, claim.says);
        say::piece(&lines.replacen(word, &painted, 1));
    }
    let whom = stage.map_or("all versions", |stage| stage.name);
    let wrong = found.iter().filter(|one| !one.holds).count();
    match wrong {
        0 => say!("\nthe grader can be trusted with {whom}"),
        _ => say!(
            "\ndo not grade {whom} yet: {wrong} of {} do not hold; what failed stands above",
            found.len()
        ),
    }
    u8::from(wrong > 0)
}

/// As `7 s` or `3:07 min`.
fn seconds(time: Duration) -> String {
    match time.as_secs() {
        few @ ..60 => format!("{few} s"),
        many => format!("{}:{:02} min", many / 60, many % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_seconds_or_minutes() {
        let told = [0, 59, 60, 3_601].map(|time| seconds(Duration::from_secs(time)));
        assert_eq!(told, ["0 s", "59 s", "1:00 min", "60:01 min"]);
    }

    #[test]
    fn only_the_line_of_the_result_says_how_many_passed() {
        let line = "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out";
        assert_eq!(tests_passed(line), 2);
        assert_eq!(tests_passed("test result: FAILED. 1 passed; 1 failed"), 0);
        assert_eq!(tests_passed("running 2 tests"), 0);
    }
}
