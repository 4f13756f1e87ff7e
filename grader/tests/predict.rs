//! Predictions: what a run says is accepted, everything else is not, and a run that
//! went wrong proves nothing.

mod support;

use lab::compile::{Compiled, compile};
use lab::predict::{Answer, Form, Mark, Question, Quiz, Seen, Sheet, Truth, mark};
use lab::stages::Stage;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};
use support::{graded, stage, workspace};

/// What questions are made from here. `HEPTAVISOR_SEEDS=50` asks for more.
fn seeds() -> Vec<u64> {
    let asked = std::env::var("HEPTAVISOR_SEEDS").ok();
    let more = asked.and_then(|number| number.parse().ok()).unwrap_or(0);
    [1, 7, 90_210].into_iter().chain(100..100 + more).collect()
}

fn runner(stage: &Stage) -> PathBuf {
    match compile(stage, &workspace()).expect("a build") {
        Compiled::Runner(runner) => runner,
        Compiled::Rejected(rejection) => panic!("{}", rejection.diagnostics),
    }
}

/// The truth of each question of a quiz. Several tests ask for the same.
fn truths(quiz: &Quiz) -> Vec<Truth> {
    static KNOWN: Mutex<BTreeMap<String, Vec<Truth>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let found = known.entry(quiz.put().concat());
    found.or_insert_with(|| look(quiz)).clone()
}

/// Makes the runs, each once, and looks.
fn look(quiz: &Quiz) -> Vec<Truth> {
    let runner = runner(quiz.stage);
    let mut runs: BTreeMap<String, Seen> = BTreeMap::new();
    let truth = |question: &Question| {
        let command = question.scene.command(quiz.stage);
        let seen = runs
            .entry(command.clone())
            .or_insert_with(|| question.scene.run(quiz.stage, &runner).expect("a run"));
        if let Err(problem) = seen.expect_right() {
            panic!("{command}: {problem:?}");
        }
        let truth = question.truth(seen);
        truth.unwrap_or_else(|| panic!("{}: {command} does not tell", question.kind))
    };
    quiz.questions.iter().map(truth).collect()
}

/// Something else than the truth, as far off as the question forgives and one more.
fn wrong(form: &Form, truth: Answer) -> Answer {
    match (form, truth) {
        (Form::Number { slack }, Answer::Number(number)) => Answer::Number(number + slack + 1),
        (Form::Name(names), Answer::Name(name)) => {
            let other = names.iter().find(|other| other.name != name);
            Answer::Name(other.expect("another name").name)
        }
        (Form::Choice(sentences), Answer::Choice(index)) => {
            Answer::Choice((index + 1) % sentences.len())
        }
        _ => panic!("{truth:?} is no answer to {form:?}"),
    }
}

/// The answers written into the blank file, and read again.
fn filled(quiz: &Quiz, answers: &[Answer]) -> Sheet {
    let mut text = Sheet::blank(quiz);
    for (answer, number) in answers.iter().zip(1..) {
        text = text.replace(
            &format!("answer {number}:\n"),
            &format!("answer {number}: {answer}\n"),
        );
    }
    Sheet::read(&text, quiz).expect("a sheet")
}

#[test]
fn what_the_reference_does_is_accepted_and_every_other_answer_is_refused() {
    for stage in graded() {
        for seed in seeds() {
            let quiz = Quiz::of_all_kinds(stage, seed);
            let truths = truths(&quiz);
            let right: Vec<_> = truths.iter().map(|truth| truth.answer).collect();
            let sheet = filled(&quiz, &right);
            let read: Vec<_> = sheet.answers.iter().flatten().copied().collect();
            assert_eq!(read, right, "the file survives the round trip");
            for one in mark(&quiz, &sheet, &runner(stage)).expect("marks") {
                let Mark::Right(truth) = one.mark else {
                    panic!("{} {:?}", one.look, one.mark);
                };
                let form = &one.question.form;
                assert!(
                    !form.accepts(wrong(form, truth.answer), truth.answer),
                    "{}",
                    one.look
                );
            }
        }
    }
}

/// Two students with two seeds do not have the same answers, kind by kind. And an
/// explanation is a sentence or two, without the last full stop.
#[test]
fn what_is_true_changes_with_the_seed() {
    for stage in graded() {
        let mut answers: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for seed in seeds().into_iter().chain([2]) {
            let quiz = Quiz::of_all_kinds(stage, seed);
            for (question, truth) in quiz.questions.iter().zip(truths(&quiz)) {
                let own = answers.entry(question.kind).or_default();
                own.insert(truth.answer.to_string());
                let why = truth.why;
                assert!((40..400).contains(&why.len()), "{}: {why}", question.kind);
                assert!(!why.ends_with('.'), "{}: {why}", question.kind);
            }
        }
        let same = answers.iter().find(|(_, answers)| answers.len() == 1);
        assert_eq!(same, None, "{}", stage.name);
    }
}

/// A formula, held against the trace: the question itself knows none.
#[test]
fn each_byte_of_a_console_is_an_exit_and_the_end_is_one_more() {
    let mut asked = 0;
    for stage in ["v1", "v3", "v4"].map(stage) {
        let quiz = Quiz::of_all_kinds(stage, 1);
        for (question, truth) in quiz.questions.iter().zip(truths(&quiz)) {
            if question.kind == "console-exits" {
                let bytes = question.scene.console().len() as u64;
                assert_eq!(truth.answer, Answer::Number(bytes + 1), "{}", truth.why);
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 3);
}

#[test]
fn an_open_question_is_not_run_and_tells_nothing() {
    let quiz = Quiz::of(stage("v1"), 7);
    let sheet = Sheet::read(&Sheet::blank(&quiz), &quiz).expect("a sheet");
    // With a runner that is not there a run would be an error.
    let marked = mark(&quiz, &sheet, &PathBuf::from("no-such-runner")).expect("marks");
    assert!(marked.iter().all(|one| one.mark == Mark::Open));
}

/// Version 2's guests on version 1: their runs prove nothing.
#[test]
fn a_run_that_went_wrong_proves_nothing() {
    let quiz = Quiz::of(stage("v2"), 7);
    let answers: Vec<_> = quiz
        .questions
        .iter()
        .map(|question| match &question.form {
            Form::Number { .. } => Answer::Number(1),
            Form::Name(names) => Answer::Name(names[0].name),
            Form::Choice(_) => Answer::Choice(0),
        })
        .collect();
    let below = runner(stage("v1"));
    for one in mark(&quiz, &filled(&quiz, &answers), &below).expect("marks") {
        let Mark::NoProof(why) = &one.mark else {
            panic!("{}: {:?}", one.look, one.mark);
        };
        assert!(why.contains("expected") && why.contains("seen"), "{why}");
    }
}

fn lab(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(arguments).output().expect("the lab command")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_command_asks_first_and_marks_what_was_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("deep/v1.txt");
    let name = file.to_string_lossy().into_owned();
    let predict = |more: &[&str]| lab(&[&["predict", "v1", "--file", &name], more].concat());

    let asked = predict(&["--seed", "7"]);
    assert_eq!(asked.status.code(), Some(0), "{}", said(&asked));
    let blank = std::fs::read_to_string(&file).expect("the file");
    assert!(
        blank.contains("\nseed: 7\n") && blank.contains("\nanswer 6:\n"),
        "{blank}"
    );

    let again = predict(&[]);
    assert_eq!(
        again.status.code(),
        Some(0),
        "nothing is answered: {}",
        said(&again)
    );
    assert!(!said(&again).contains("the trace says"), "{}", said(&again));

    let quiz = Quiz::of(stage("v1"), 7);
    let right = truths(&quiz)[0].answer;
    let write = |answer: &str| {
        let text = blank.replace("answer 1:\n", &format!("answer 1: {answer}\n"));
        std::fs::write(&file, text).expect("an answer");
    };
    write(&right.to_string());
    let marked = predict(&[]);
    assert_eq!(marked.status.code(), Some(0), "{}", said(&marked));
    assert!(
        said(&marked).contains("1 of 1 answer right; 5 still open"),
        "{}",
        said(&marked)
    );

    write(&wrong(&quiz.questions[0].form, right).to_string());
    let marked = predict(&[]);
    assert_eq!(marked.status.code(), Some(1), "{}", said(&marked));
    let text = said(&marked);
    for words in ["not right", "the trace says", "why", "look", "--trace"] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
}

#[test]
fn answers_are_never_overwritten_and_a_damaged_line_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("v3.txt");
    let name = file.to_string_lossy().into_owned();
    let predict = |more: &[&str]| lab(&[&["predict", "v3", "--file", &name], more].concat());
    predict(&["--seed", "5"]);
    predict(&["--seed", "6"]);
    let blank = std::fs::read_to_string(&file).expect("the file");
    assert!(
        blank.contains("\nseed: 6\n"),
        "an empty file may be made anew: {blank}"
    );

    let text = blank.replace("answer 2:\n", "answer 2: gibberish!\n");
    std::fs::write(&file, &text).expect("an answer");
    let refused = predict(&[]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    let line = text
        .lines()
        .position(|line| line.contains("gibberish"))
        .expect("the line")
        + 1;
    assert!(
        said(&refused).contains(&format!("line {line}: 'gibberish!'")),
        "{}",
        said(&refused)
    );

    let first = &Quiz::of(stage("v3"), 6).questions[0].form;
    let valid = match first {
        Form::Number { .. } => "1".to_string(),
        Form::Name(names) => names[0].name.to_string(),
        Form::Choice(_) => "a".to_string(),
    };
    let text = blank.replace("answer 1:\n", &format!("answer 1: {valid}\n"));
    std::fs::write(&file, &text).expect("an answer");
    let refused = predict(&["--seed", "9"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("--file"), "{}", said(&refused));
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), text);
}
