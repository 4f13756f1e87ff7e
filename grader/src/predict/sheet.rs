//! The file with the questions and the answers.
//!
//! Lines that begin with `#` are for people. The others are a name, a colon and a
//! value: the version, the seed, a fingerprint of the questions, and the answers.

use crate::predict::answer::Answer;
use crate::predict::quiz::Quiz;
use crate::stages::Stage;
use std::fmt;

/// What a person has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// One for each question; `None` where nothing stands yet.
    pub answers: Vec<Option<Answer>>,
}

/// A line that cannot be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Its number, from 1; 0 if it is a line that is not there.
    pub line: usize,
    /// What is wrong with it, and what would be right.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.what),
            line => write!(f, "line {line}: {}", self.what),
        }
    }
}

/// A line of the file that is not for people.
struct Line<'a> {
    number: usize,
    name: &'a str,
    value: &'a str,
}

/// The lines that are not for people.
fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let numbered = text.lines().map(str::trim).zip(1..);
    numbered
        .filter(|(line, _)| !line.is_empty() && !line.starts_with('#'))
        .map(|(line, number)| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            Line {
                number,
                name: name.trim(),
                value: value.trim(),
            }
        })
}

impl Sheet {
    /// A file without answers.
    pub fn blank(quiz: &Quiz) -> String {
        let stage = quiz.stage;
        let mut text = format!(
            "# Predictions for version {}, {}. Write each answer behind its \"answer\", and then\n\
             # run `cargo lab predict {}` again: it makes the runs on your own version, and\n\
             # compares. What you leave open stays open.\n\n\
             version: {}\nseed: {}\nquestions: {}\n",
            &stage.name[1..],
            stage.title,
            stage.name,
            stage.name,
            quiz.seed,
            quiz.fingerprint()
        );
        for (question, number) in quiz.put().iter().zip(1..) {
            text.push('\n');
            for line in question.lines() {
                text += format!("# {line}").trim_end();
                text.push('\n');
            }
            text += &format!("answer {number}:\n");
        }
        text
    }

    /// The seed of a file that is about `stage`.
    ///
    /// # Errors
    /// The line that says otherwise, or that none says it.
    pub fn seed(text: &str, stage: &Stage) -> Result<u64, Damage> {
        let head = |name: &str| {
            let found = lines(text).find(|line| line.name == name);
            found.ok_or_else(|| Damage {
                line: 0,
                what: format!("there is no line '{name}: …' in it"),
            })
        };
        let version = head("version")?;
        if version.value != stage.name {
            let what = format!(
                "it is about version '{}', and must be about {}",
                version.value, stage.name
            );
            return Err(Damage {
                line: version.number,
                what,
            });
        }
        let seed = head("seed")?;
        seed.value.parse().map_err(|_| Damage {
            line: seed.number,
            what: format!("the seed '{}': must be a number", seed.value),
        })
    }

    /// Reads the answers to the questions of `quiz`.
    ///
    /// # Errors
    /// All lines that cannot be read.
    pub fn read(text: &str, quiz: &Quiz) -> Result<Sheet, Vec<Damage>> {
        let mut answers = vec![None; quiz.questions.len()];
        let mut seen = vec![false; answers.len()];
        let mut damages = Vec::new();
        for line in lines(text) {
            let what = match line.name {
                "version" | "seed" => continue,
                "questions" if line.value == quiz.fingerprint() => continue,
                "questions" => format!(
                    "the questions of seed {} are others now, since this tool or the seed has \
                     changed. Move the file away, and begin anew",
                    quiz.seed
                ),
                name => match place(name, answers.len()) {
                    Ok(index) if seen[index] => format!("'{name}' stands there twice"),
                    Ok(index) => {
                        seen[index] = true;
                        match (line.value, quiz.questions[index].form.read(line.value)) {
                            ("", _) => continue,
                            (_, Ok(answer)) => {
                                answers[index] = Some(answer);
                                continue;
                            }
                            (_, Err(what)) => what,
                        }
                    }
                    Err(what) => what,
                },
            };
            damages.push(Damage {
                line: line.number,
                what,
            });
        }
        match damages.is_empty() {
            true => Ok(Sheet { answers }),
            false => Err(damages),
        }
    }

    /// Whether nothing has been answered yet.
    pub fn is_blank(&self) -> bool {
        self.answers.iter().all(Option::is_none)
    }
}

/// The question that a line named `answer 3` belongs to, of so many; from 0.
fn place(name: &str, questions: usize) -> Result<usize, String> {
    let wrong = || {
        format!(
            "'{name}' is not known here: must be 'answer' and a number from 1 to {questions}, \
             with a colon behind it, or begin with '#'"
        )
    };
    let number = name.strip_prefix("answer").ok_or_else(wrong)?;
    let number: usize = number.trim().parse().map_err(|_| wrong())?;
    match (1..=questions).contains(&number) {
        true => Ok(number - 1),
        false => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::STAGES;

    fn quiz() -> Quiz {
        Quiz::of(&STAGES[0], 7)
    }

    fn damages(text: &str) -> Vec<Damage> {
        Sheet::read(text, &quiz()).expect_err("damages")
    }

    #[test]
    fn a_blank_file_can_be_read_again_and_has_no_answers() {
        for stage in STAGES {
            let quiz = Quiz::of(stage, 7);
            let text = Sheet::blank(&quiz);
            assert_eq!(Sheet::seed(&text, stage), Ok(7));
            assert!(Sheet::read(&text, &quiz).expect("a sheet").is_blank());
        }
    }

    #[test]
    fn no_line_for_people_is_too_long_but_for_commands() {
        for stage in STAGES {
            let text = Sheet::blank(&Quiz::of_all_kinds(stage, 7));
            let long = text
                .lines()
                .find(|line| line.chars().count() > 90 && !line.contains("run: "));
            assert_eq!(long, None, "{}", stage.name);
        }
    }

    #[test]
    fn a_damaged_line_is_named_by_its_number() {
        let blank = Sheet::blank(&quiz());
        let last = blank.lines().count();
        let unknown = damages(&format!("{blank}anwser 1: 5\n"));
        assert_eq!(unknown[0].line, last + 1);
        assert!(unknown[0].what.contains("'anwser 1'"), "{unknown:?}");
        let twice = damages(&format!("{blank}answer 2: 5\n"));
        assert!(twice[0].what.contains("twice"), "{twice:?}");
        let beyond = damages(&format!("{blank}answer 99: 5\n"));
        assert!(beyond[0].what.contains("from 1 to"), "{beyond:?}");
    }

    #[test]
    fn every_answer_that_cannot_be_read_is_named() {
        let blank = Sheet::blank(&quiz());
        let text = blank.replace("answer 1:", "answer 1: perhaps");
        let text = text.replace("answer 3:", "answer 3: maybe");
        let damages = damages(&text);
        let line = |number| {
            let answer = format!("answer {number}:");
            let found = blank.lines().position(|line| line == answer);
            found.expect("the line") + 1
        };
        let named: Vec<_> = damages.iter().map(|damage| damage.line).collect();
        assert_eq!(named, [line(1), line(3)]);
        assert!(damages[0].to_string().contains("'perhaps'"), "{damages:?}");
    }

    #[test]
    fn a_file_of_another_version_or_without_a_seed_is_refused() {
        let blank = Sheet::blank(&quiz());
        let other = Sheet::seed(&blank, &STAGES[1]).expect_err("another version");
        assert!(other.what.contains("'v1'") && other.line > 0, "{other}");
        let damage = |text: &str| Sheet::seed(text, &STAGES[0]).expect_err("no seed");
        let none = damage(&blank.replace("seed: 7", ""));
        assert!(none.what.contains("'seed: …'"), "{none}");
        let word = damage(&blank.replace("seed: 7", "seed: seven"));
        assert!(word.what.contains("'seven'"), "{word}");
    }

    #[test]
    fn a_file_whose_seed_was_changed_by_hand_is_noticed() {
        let text = Sheet::blank(&quiz()).replace("seed: 7", "seed: 8");
        let other = Quiz::of(&STAGES[0], 8);
        let damages = Sheet::read(&text, &other).expect_err("other questions");
        assert!(damages[0].what.contains("seed 8 are others"), "{damages:?}");
    }
}
