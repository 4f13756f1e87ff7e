//! What a person wrote as an answer, read leniently.

use std::fmt;

/// Something that has a name, and what else people call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// As it is shown.
    pub name: &'static str,
    /// Other words for it, in lower case and without spaces, hyphens or signs.
    pub also: &'static [&'static str],
}

/// In which form a question is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A number.
    Number {
        /// So much more or less is right, too.
        slack: u64,
    },
    /// One of these names.
    Name(&'static [Name]),
    /// One of these sentences, by its letter.
    Choice(Vec<String>),
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A number.
    Number(u64),
    /// A name of the question's list.
    Name(&'static str),
    /// The sentence of this number, counted from 0.
    Choice(usize),
}

impl Form {
    /// Reads an answer in this form.
    ///
    /// # Errors
    /// What would be right.
    pub fn read(&self, text: &str) -> Result<Answer, String> {
        let plain = plain(text);
        match self {
            Form::Number { .. } => number(text).map(Answer::Number).ok_or_else(|| {
                format!("'{text}' is no number: must be such as 1200, 1,200 or 0x4b0")
            }),
            Form::Name(names) => {
                let found = names
                    .iter()
                    .find(|one| self::plain(one.name) == plain || one.also.contains(&&*plain));
                found.map(|one| Answer::Name(one.name)).ok_or_else(|| {
                    let names: Vec<_> = names.iter().map(|one| one.name).collect();
                    format!("'{text}' is none of the names: must be {}", one_of(&names))
                })
            }
            Form::Choice(sentences) => {
                let letters: Vec<_> = (0..sentences.len()).map(letter).collect();
                let found = letters.iter().position(|letter| *letter == plain);
                found.map(Answer::Choice).ok_or_else(|| {
                    let letters: Vec<_> = letters.iter().map(String::as_str).collect();
                    format!("'{text}' is no choice: must be {}", one_of(&letters))
                })
            }
        }
    }

    /// Whether an answer is as good as the true one.
    pub fn accepts(&self, answer: Answer, truth: Answer) -> bool {
        match (self, answer, truth) {
            (Form::Number { slack }, Answer::Number(one), Answer::Number(other)) => {
                one.abs_diff(other) <= *slack
            }
            _ => answer == truth,
        }
    }
}

/// In words, for whoever is about to answer.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::Number { slack: 0 } => f.write_str("a number"),
            Form::Number { slack } => {
                write!(f, "a number; {slack} more or less is right, too")
            }
            Form::Name(names) => {
                let names: Vec<_> = names.iter().map(|one| one.name).collect();
                f.write_str(&one_of(&names))
            }
            Form::Choice(sentences) => {
                let letters: Vec<_> = (0..sentences.len()).map(letter).collect();
                let letters: Vec<_> = letters.iter().map(String::as_str).collect();
                f.write_str(&one_of(&letters))
            }
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Number(number) => number.fmt(f),
            Answer::Name(name) => f.write_str(name),
            Answer::Choice(index) => f.write_str(&letter(*index)),
        }
    }
}

/// The letter of a choice.
pub(super) fn letter(index: usize) -> String {
    char::from(b'a' + index as u8).to_string()
}

/// Hexadecimal if it says so, else decimal; digits may be grouped.
fn number(text: &str) -> Option<u64> {
    let grouping = [' ', ',', '_', '\''];
    let digits = text.trim().replace(grouping, "").to_lowercase();
    match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => digits.parse().ok(),
    }
}

/// Without what does not matter: case, spaces, hyphens, signs.
fn plain(text: &str) -> String {
    let kept = text.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|letter| letter.to_ascii_lowercase()).collect()
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => String::from("nothing"),
        [name] => name.to_string(),
        [names @ .., last] => format!("{} or {last}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLOURS: &[Name] = &[
        Name {
            name: "#PF",
            also: &["14", "pagefault"],
        },
        Name {
            name: "port-out",
            also: &[],
        },
    ];

    #[test]
    fn numbers_are_read_in_any_usual_form() {
        let form = Form::Number { slack: 0 };
        for text in ["1200", " 1,200 ", "1_200", "0x4b0", "0X4B0", "1 200"] {
            assert_eq!(form.read(text), Ok(Answer::Number(1200)), "{text}");
        }
    }

    #[test]
    fn names_are_read_whatever_their_case_and_signs() {
        let form = Form::Name(COLOURS);
        for text in ["#PF", "pf", "14", "Page fault"] {
            assert_eq!(form.read(text), Ok(Answer::Name("#PF")), "{text}");
        }
        for text in ["port-out", "Port Out", "port_out"] {
            assert_eq!(form.read(text), Ok(Answer::Name("port-out")), "{text}");
        }
    }

    #[test]
    fn a_choice_is_a_letter() {
        let form = Form::Choice(vec![String::new(); 3]);
        for text in ["b", " B", "b)", "(b)"] {
            assert_eq!(form.read(text), Ok(Answer::Choice(1)), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_what_would_be_right() {
        let choice = Form::Choice(vec![String::new(); 3]);
        for (form, text, right) in [
            (Form::Number { slack: 0 }, "about 12", "0x4b0"),
            (Form::Name(COLOURS), "green", "#PF or port-out"),
            (choice, "d", "a, b or c"),
        ] {
            let told = form.read(text).unwrap_err();
            assert!(told.contains(text) && told.contains(right), "{told}");
        }
    }

    #[test]
    fn a_slack_is_forgiven_and_no_more() {
        let accepts = |slack, number| {
            let (answer, truth) = (Answer::Number(number), Answer::Number(100));
            Form::Number { slack }.accepts(answer, truth)
        };
        assert!(accepts(0, 100) && accepts(5, 95) && accepts(5, 105));
        assert!(!accepts(0, 101) && !accepts(5, 94) && !accepts(5, 106));
    }
}
