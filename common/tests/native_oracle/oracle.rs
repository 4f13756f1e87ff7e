//! The comparison itself.

use crate::corpus::{FAMILIES, Family};
use crate::guest::Guest;
use crate::native::Native;
use crate::program::Program;
use crate::state::State;
use crate::step::Step;
use iced_x86::Code;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use std::env;

/// Numbers that a step may use before it has to make its own from them.
const WORDS: usize = 12;
/// The longest sequence, in steps.
const STEPS: usize = 24;

/// How many sequences a family tries, unless the environment says otherwise.
const CASES: u32 = 4000;
const SEED: u64 = 0x6865_7074_6176_6973;

/// A sequence, what it starts from, and how the software CPU is to run it.
#[derive(Clone, Debug)]
struct Case {
    steps: Vec<Step>,
    seed: u64,
    budget: u64,
}

impl Case {
    /// Runs on both CPUs.
    ///
    /// # Errors
    /// What differs, with the program.
    fn check(&self, native: &Native, guest: &Guest) -> Result<(), String> {
        let layout = native.layout();
        let program = Program::assemble(&self.steps, layout);
        let from = State::random(self.seed, layout);
        let want = native.run(&program, &from);
        let difference = match guest.run(&program, &from, self.budget) {
            Ok(have) => State::difference(&want, &have, program.undefined, layout),
            Err(stop) => Some(format!("interp: {stop}\n")),
        };
        match difference {
            None => Ok(()),
            Some(difference) => Err(format!(
                "{difference}from state {:#x}, budget {}, after\n{}",
                self.seed,
                self.budget,
                program.disassemble()
            )),
        }
    }
}

fn steps_of(codes: Vec<Code>) -> impl Strategy<Value = Step> {
    (prop::sample::select(codes), vec(any::<u64>(), WORDS))
        .prop_map(|(code, words)| Step { code, words })
}

fn cases_of(codes: Vec<Code>) -> impl Strategy<Value = Case> {
    let budget = prop::sample::select(vec![u64::MAX, 1, 2, 3, 7]);
    (vec(steps_of(codes), 1..=STEPS), any::<u64>(), budget).prop_map(|(steps, seed, budget)| Case {
        steps,
        seed,
        budget,
    })
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    let parsed = text.parse();
    Some(parsed.unwrap_or_else(|_| panic!("{variable}={text}: must be a decimal number")))
}

fn config() -> Config {
    Config {
        cases: number("HEPTAVISOR_ORACLE_CASES").map_or(CASES, |cases| cases as u32),
        rng_seed: RngSeed::Fixed(number("HEPTAVISOR_ORACLE_SEED").unwrap_or(SEED)),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    }
}

/// Compares sequences made of these codes; fails with the shortest that
/// differs.
fn compare(codes: Vec<Code>) {
    let native = Native::new();
    let guest = Guest::new(native.layout());
    let check = |case: Case| case.check(&native, &guest).map_err(TestCaseError::fail);
    match TestRunner::new(config()).run(&cases_of(codes), check) {
        Ok(()) => {}
        Err(TestError::Fail(difference, _)) => panic!("{difference}"),
        Err(error) => panic!("{error}"),
    }
}

fn compare_family(name: &str) {
    compare(Family::named(name).codes());
}

#[test]
fn moves_and_arithmetic() {
    compare_family("moves and arithmetic");
}

#[test]
fn shifts_multiplication_and_division() {
    compare_family("shifts, multiplication and division");
}

#[test]
fn conditions_and_flow() {
    compare_family("conditions and flow");
}

#[test]
fn bits() {
    compare_family("bits");
}

#[test]
fn strings() {
    compare_family("strings");
}

#[test]
fn atomics() {
    compare_family("atomics");
}

#[test]
fn sse_moves() {
    compare_family("SSE moves");
}

#[test]
fn sse_integers() {
    compare_family("SSE integers");
}

#[test]
fn everything_mixed() {
    compare(FAMILIES.iter().flat_map(Family::codes).collect());
}

/// Each code by itself, so that none depends on chance for its turn; reports
/// all that differ, not only the first.
#[test]
fn each_code_alone() {
    let native = Native::new();
    let guest = Guest::new(native.layout());
    let mut wrong = Vec::new();
    let mut runner = TestRunner::new(config());
    let each = (config().cases / 100).max(1);
    for code in FAMILIES.iter().flat_map(Family::codes) {
        let strategy = (steps_of(vec![code]), any::<u64>());
        for _ in 0..each {
            let tree = strategy.new_tree(&mut runner).expect("nothing is rejected");
            let (step, seed) = tree.current();
            let case = Case {
                steps: vec![step],
                seed,
                budget: u64::MAX,
            };
            if let Err(difference) = case.check(&native, &guest) {
                wrong.push(format!("{code:?}: {difference}"));
                break;
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} codes differ\n\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The oracle must be one: the same sequence from the same state, twice.
#[test]
fn the_host_agrees_with_itself() {
    let native = Native::new();
    let codes = FAMILIES.iter().flat_map(Family::codes).collect();
    let check = |case: Case| {
        let program = Program::assemble(&case.steps, native.layout());
        let from = State::random(case.seed, native.layout());
        let (first, second) = (native.run(&program, &from), native.run(&program, &from));
        match State::difference(&first, &second, 0, native.layout()) {
            None => Ok(()),
            Some(difference) => Err(TestCaseError::fail(difference)),
        }
    };
    let result = TestRunner::new(config()).run(&cases_of(codes), check);
    assert!(result.is_ok(), "{}", result.unwrap_err());
}
