//! `cargo lab predict`: questions first, and then what the run says.

use super::paint::Paint;
use super::run::runner;
use super::say::say;
use crate::cli::PredictArguments;
use crate::error::LabError;
use crate::predict::{Answer, Damage, Form, Mark, Marked, Quiz, Sheet, mark};
use crate::stages::Stage;
use crate::text::{count, wrapped};
use crate::workspace::Workspace;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Asks, or marks what has been answered. The exit code is 1 if an answer is not
/// right, or cannot be marked.
pub(super) fn predict(workspace: &Workspace, arguments: &PredictArguments) -> Result<u8, LabError> {
    let stage = Stage::find(&arguments.stage, workspace)?;
    let path = match &arguments.file {
        Some(file) => file.clone(),
        None => file_of(workspace, stage),
    };
    let shown = workspace.relative(&path);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let quiz = Quiz::of(stage, arguments.seed.unwrap_or_else(new_seed));
            return ask(&quiz, &path, &shown, arguments);
        }
        Err(error) => return Err(unusable(&shown, error)),
    };
    let seed = Sheet::seed(&text, stage).map_err(|damage| damaged(&shown, &[damage]))?;
    let quiz = Quiz::of(stage, seed);
    let sheet = Sheet::read(&text, &quiz).map_err(|damages| damaged(&shown, &damages))?;
    match (
        arguments.seed.filter(|asked| *asked != seed),
        sheet.is_blank(),
    ) {
        (Some(other), true) => ask(&Quiz::of(stage, other), &path, &shown, arguments),
        (Some(other), false) => Err(LabError::Usage(format!(
            "'{shown}' holds answers to the questions of seed {seed}, and they shall not be lost: \
             leave --seed out to have them marked, or name another file for the questions of seed \
             {other} with --file"
        ))),
        (None, true) => {
            put(&quiz, &shown, arguments);
            Ok(0)
        }
        (None, false) => match runner(workspace, stage)? {
            Some(runner) => {
                let marked = mark(&quiz, &sheet, &runner)?;
                Ok(tell(&quiz, &marked, &shown))
            }
            None => Ok(1),
        },
    }
}

/// Where a version's questions stand unless somebody says otherwise.
fn file_of(workspace: &Workspace, stage: &Stage) -> PathBuf {
    let name = format!("{}.txt", stage.name);
    workspace.root.join("predictions").join(name)
}

/// A seed that is short, and hardly ever the same as another person's.
fn new_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(1, |now| u64::from(now.subsec_micros()) + 1)
}

/// Writes a file with the questions, and puts them.
fn ask(
    quiz: &Quiz,
    path: &Path,
    shown: &str,
    arguments: &PredictArguments,
) -> Result<u8, LabError> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(path, Sheet::blank(quiz)))
        .map_err(|error| unusable(shown, error))?;
    put(quiz, shown, arguments);
    Ok(0)
}

fn put(quiz: &Quiz, shown: &str, arguments: &PredictArguments) {
    let Quiz { stage, seed, .. } = quiz;
    say!(
        "{} {}: the questions of seed {seed}\n",
        stage.name,
        stage.title
    );
    for question in quiz.put() {
        say!("{question}");
    }
    let file = match &arguments.file {
        Some(file) => format!(" --file {}", file.display()),
        None => String::new(),
    };
    say!("Write your answers into {shown}, before you run anything.");
    say!("Then: cargo lab predict {}{file}", stage.name);
}

/// Says how it went, and gives the exit code.
fn tell(quiz: &Quiz, marked: &[Marked<'_>], shown: &str) -> u8 {
    let Quiz { stage, seed, .. } = quiz;
    say!("{} {}: {shown}, seed {seed}\n", stage.name, stage.title);
    for (at, one) in marked.iter().enumerate() {
        match &one.mark {
            Mark::NoProof(why) => tell_no_proof(marked, at, why),
            _ => tell_one(one, at + 1),
        }
    }
    let number = |counts: fn(&Mark) -> bool| {
        let counted = marked.iter().filter(|one| counts(&one.mark));
        counted.count()
    };
    let right = number(|mark| matches!(mark, Mark::Right(_)));
    let wrong = number(|mark| matches!(mark, Mark::Wrong(..)));
    let no_proof = number(|mark| matches!(mark, Mark::NoProof(_)));
    let open = number(|mark| *mark == Mark::Open);
    let more = [(no_proof, "without proof"), (open, "still open")];
    let more = more.iter().filter(|(number, _)| *number > 0);
    let more: Vec<_> = more
        .map(|(number, words)| format!("; {number} {words}"))
        .collect();
    let answers = count(right + wrong, "answer");
    say!("\n{right} of {answers} right{}", more.concat());
    if no_proof > 0 {
        say!(
            "First `cargo lab grade {}`, until what was seen there is mended.",
            stage.name
        );
    }
    if right + wrong > 0 {
        say!(
            "The traces are of your own version: whether it is right, says `cargo lab grade {}`.",
            stage.name
        );
    }
    u8::from(wrong + no_proof > 0)
}

/// Says why a run proves nothing, once for all the questions of which that is true.
fn tell_no_proof(marked: &[Marked<'_>], at: usize, why: &str) {
    let is_same = |one: &Marked<'_>| matches!(&one.mark, Mark::NoProof(other) if other == why);
    if marked[..at].iter().any(is_same) {
        return;
    }
    let same = marked.iter().zip(1..).filter(|(one, _)| is_same(one));
    let (kinds, numbers): (Vec<_>, Vec<_>) = same
        .map(|(one, number): (_, usize)| (one.question.kind, number.to_string()))
        .unzip();
    let word = Paint::stdout().bad("no proof ");
    let counts = match numbers.len() {
        1 => "this run does not count",
        _ => "these runs do not count",
    };
    say!(
        "{}. {word}  {}: {counts}",
        numbers.join(", "),
        kinds.join(", ")
    );
    row("seen", why);
    row("look", &marked[at].look);
}

fn tell_one(one: &Marked<'_>, number: usize) {
    let paint = Paint::stdout();
    let kind = one.question.kind;
    match &one.mark {
        Mark::NoProof(_) => return, // told together
        Mark::Open => {
            say!("{number}. {}  {kind}", paint.open("open     "));
            return;
        }
        Mark::Right(truth) => {
            say!(
                "{number}. {}  {kind}: {}",
                paint.good("right    "),
                truth.answer
            );
            row("why", &truth.why);
        }
        Mark::Wrong(answer, truth) => {
            let said = format!("you say {answer}, the trace says {}", truth.answer);
            say!("{number}. {}  {kind}: {said}", paint.bad("not right"));
            if let (Form::Choice(sentences), Answer::Choice(index)) =
                (&one.question.form, truth.answer)
            {
                row(&truth.answer.to_string(), &sentences[index]);
            }
            row("why", &truth.why);
        }
        Mark::NotSeen => {
            let word = paint.open("not seen ");
            say!("{number}. {word}  {kind}: this run does not tell");
            row("why", NOT_SEEN);
        }
    }
    row("look", &one.look);
}

/// What is said where a right solution leaves no trace of what is asked.
const NOT_SEEN: &str = "the guests did right on your version, in another way than this question had \
     in mind: none of the answers, or more than one, can be seen in the trace";

/// A line or more behind a name. A command stays on one line, to be copied.
fn row(name: &str, text: &str) {
    let lead = format!("     {name:6} ");
    match name {
        "look" => say!("{lead}{text}"),
        _ => say!("{}", wrapped(&lead, text).trim_end()),
    }
}

fn unusable(shown: &str, error: std::io::Error) -> LabError {
    LabError::Usage(format!(
        "'{shown}' cannot be used: {error}. Name another file with --file."
    ))
}

/// All that cannot be read, a line each.
fn damaged(shown: &str, damages: &[Damage]) -> LabError {
    let lines: Vec<_> = damages
        .iter()
        .map(|damage| format!("\n  {damage}"))
        .collect();
    LabError::Usage(format!("'{shown}' cannot be read:{}", lines.concat()))
}
