//! Makes the runs on the student's own version, and compares.

use crate::checks::Problem;
use crate::error::LabError;
use crate::predict::answer::Answer;
use crate::predict::question::{Question, Truth};
use crate::predict::quiz::Quiz;
use crate::predict::scene::Seen;
use crate::predict::sheet::Sheet;
use std::collections::BTreeMap;
use std::path::Path;

/// What became of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// There is none yet, and nothing is told.
    Open,
    /// The run says the same.
    Right(Truth),
    /// The run says something else.
    Wrong(Answer, Truth),
    /// The guests did right, and the run does not tell: they did it in another way
    /// than the question had in mind.
    NotSeen,
    /// The guests did not do what they should on this version, so the run proves
    /// nothing: why.
    NoProof(String),
}

/// A question with its mark.
pub struct Marked<'a> {
    /// The question.
    pub question: &'a Question,
    /// The mark.
    pub mark: Mark,
    /// The command that shows the run.
    pub look: String,
}

/// Marks the answers of `sheet`. Each run is made once, under the version that
/// `runner` holds; none for a question that is open.
///
/// # Errors
/// If a run cannot be made: nothing in this is the student's doing.
pub fn mark<'a>(quiz: &'a Quiz, sheet: &Sheet, runner: &Path) -> Result<Vec<Marked<'a>>, LabError> {
    let mut runs: BTreeMap<String, Seen> = BTreeMap::new();
    let mut marked = Vec::new();
    for (question, answer) in quiz.questions.iter().zip(&sheet.answers) {
        let command = question.scene.command(quiz.stage);
        let mark = match answer {
            None => Mark::Open,
            Some(answer) => {
                if !runs.contains_key(&command) {
                    let seen = question.scene.run(quiz.stage, runner)?;
                    runs.insert(command.clone(), seen);
                }
                judge(question, *answer, &runs[&command])?
            }
        };
        marked.push(Marked {
            question,
            mark,
            look: command + " --trace",
        });
    }
    Ok(marked)
}

/// Compares one answer with what was seen.
fn judge(question: &Question, answer: Answer, seen: &Seen) -> Result<Mark, LabError> {
    match seen.expect_right() {
        Err(Problem::Lab(error)) => return Err(error),
        Err(Problem::Failed(failure)) if failure.not_yet.is_some() => {
            return Ok(Mark::NoProof(failure.seen.clone()));
        }
        Err(Problem::Failed(failure)) => {
            return Ok(Mark::NoProof(format!(
                "expected: {}; seen: {}",
                failure.expected, failure.seen
            )));
        }
        Ok(()) => {}
    }
    Ok(match question.truth(seen) {
        Some(truth) if question.form.accepts(answer, truth.answer) => Mark::Right(truth),
        Some(truth) => Mark::Wrong(answer, truth),
        None => Mark::NotSeen,
    })
}
