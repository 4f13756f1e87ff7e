//! One question: what it is about, how it is answered, and what is true.

use crate::predict::answer::{Answer, Form, Name, letter};
use crate::predict::draw::Draw;
use crate::predict::scene::{Recorded, Scene, Seen};
use crate::stages::Stage;
use crate::text::wrapped;
use std::fmt::Write;

/// What a run says about a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// The answer.
    pub answer: Answer,
    /// Why it is so, with the numbers of the run.
    pub why: String,
}

/// What is true of a run; `None` if the run does not tell.
type Judge = Box<dyn Fn(&Seen) -> Option<Truth>>;

/// A question.
pub struct Question {
    /// What it asks for, in two or three words with hyphens.
    pub kind: &'static str,
    /// The run that it is about.
    pub scene: Scene,
    /// The question itself.
    pub text: String,
    /// How it is answered.
    pub form: Form,
    judge: Judge,
}

/// A sentence about a run, and whether it holds.
pub(super) struct Claim<R> {
    sentence: String,
    holds: Box<dyn Fn(&R) -> bool>,
}

/// The sentence that the run bears out, or does not.
pub(super) fn claim<R>(
    sentence: impl Into<String>,
    holds: impl Fn(&R) -> bool + 'static,
) -> Claim<R> {
    Claim {
        sentence: sentence.into(),
        holds: Box::new(holds),
    }
}

impl Question {
    /// One that is answered with a number. `truth` gives it, and why.
    pub(super) fn number<R: Recorded>(
        kind: &'static str,
        scene: Scene,
        text: impl Into<String>,
        truth: impl Fn(&R) -> Option<(u64, String)> + 'static,
    ) -> Question {
        let judge = move |seen: &Seen| {
            let (number, why) = truth(R::of(seen)?)?;
            let answer = Answer::Number(number);
            Some(Truth { answer, why })
        };
        Question {
            kind,
            scene,
            text: text.into(),
            form: Form::Number { slack: 0 },
            judge: Box::new(judge),
        }
    }

    /// The same, and so much more or less is right, too.
    pub(super) fn within(mut self, slack: u64) -> Question {
        self.form = Form::Number { slack };
        self
    }

    /// One that is answered with one of the names. `truth` gives it, and why.
    pub(super) fn name<R: Recorded>(
        kind: &'static str,
        scene: Scene,
        text: impl Into<String>,
        names: &'static [Name],
        truth: impl Fn(&R) -> Option<(&'static str, String)> + 'static,
    ) -> Question {
        let judge = move |seen: &Seen| {
            let (name, why) = truth(R::of(seen)?)?;
            let known = names.iter().find(|one| one.name == name)?;
            let answer = Answer::Name(known.name);
            Some(Truth { answer, why })
        };
        Question {
            kind,
            scene,
            text: text.into(),
            form: Form::Name(names),
            judge: Box::new(judge),
        }
    }

    /// One that is answered with the only one of these claims that the run bears
    /// out. They are put into some order.
    pub(super) fn choice<R: Recorded + 'static>(
        kind: &'static str,
        scene: Scene,
        text: impl Into<String>,
        draw: &mut Draw,
        claims: [Claim<R>; 3],
        why: impl Fn(&R) -> String + 'static,
    ) -> Question {
        let claims = draw.shuffled(claims.into_iter().collect());
        let sentences = claims.iter().map(|one| one.sentence.clone()).collect();
        let judge = move |seen: &Seen| {
            let run = R::of(seen)?;
            let mut true_ones = claims
                .iter()
                .enumerate()
                .filter(|(_, one)| (one.holds)(run));
            let (index, _) = true_ones.next()?;
            let answer = Answer::Choice(index);
            true_ones.next().is_none().then(|| Truth {
                answer,
                why: why(run),
            })
        };
        Question {
            kind,
            scene,
            text: text.into(),
            form: Form::Choice(sentences),
            judge: Box::new(judge),
        }
    }

    /// What the run says; `None` if it does not tell.
    pub fn truth(&self, seen: &Seen) -> Option<Truth> {
        (self.judge)(seen)
    }

    /// The question as it is put, in lines, with its number.
    pub fn put(&self, number: usize, stage: &Stage) -> String {
        let lead = format!("{number}. ");
        let indent = " ".repeat(lead.len());
        let mut text = wrapped(&lead, &self.text);
        if let Form::Choice(sentences) = &self.form {
            for (index, sentence) in sentences.iter().enumerate() {
                text += &wrapped(&format!("{indent}{}) ", letter(index)), sentence);
            }
        }
        // A String never refuses to grow.
        let _ = writeln!(text, "{indent}run: {}", self.scene.command(stage));
        text + &wrapped(&indent, &format!("({})", self.form))
    }
}
