//! The markers in a stage's sources: what is solution, what stands in its
//! place in the student's tree.
//!
//! The names are those of TMC. Each stands alone on its line, as a comment:
//!
//! | marker | meaning |
//! | --- | --- |
//! | `BEGIN SOLUTION` to `END SOLUTION` | left out of the student's tree |
//! | `STUB: code` | the student's tree has `code` instead |
//! | `BEGIN HIDDEN` to `END HIDDEN` | left out, nothing instead |
//! | `SOLUTION FILE`, `HIDDEN FILE` | the whole file is left out |
//!
//! In a version that is handed out solved, solutions stay and stubs are left out.

use std::fmt;

/// A marker that does not fit the ones before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct MarkerError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A block begins inside another one.
    Nested,
    /// A block ends that did not begin.
    NotBegun,
    /// The block that begins here does not end.
    NotEnded,
    /// A stub inside a block, where it would be left out with it.
    StubInside,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::Nested => "a block begins inside another block",
            Problem::NotBegun => "a block ends that did not begin",
            Problem::NotEnded => "the block that begins here does not end",
            Problem::StubInside => "a stub stands inside a block",
        })
    }
}

/// One line's meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    Begin(Block),
    End(Block),
    Stub(&'a str),
    LeaveOut(Block),
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Solution,
    Hidden,
}

impl Line<'_> {
    fn of(line: &str) -> Line<'_> {
        let Some(comment) = line.trim().strip_prefix("// ") else {
            return Line::Text;
        };
        match comment {
            "BEGIN SOLUTION" => Line::Begin(Block::Solution),
            "END SOLUTION" => Line::End(Block::Solution),
            "BEGIN HIDDEN" => Line::Begin(Block::Hidden),
            "END HIDDEN" => Line::End(Block::Hidden),
            "SOLUTION FILE" => Line::LeaveOut(Block::Solution),
            "HIDDEN FILE" => Line::LeaveOut(Block::Hidden),
            _ => comment
                .strip_prefix("STUB: ")
                .map_or(Line::Text, Line::Stub),
        }
    }
}

/// What a source file is in the student's tree: `None` if it is left out.
///
/// # Errors
/// If the markers do not fit together.
pub fn strip(text: &str) -> Result<Option<String>, MarkerError> {
    kept(text, Keep::Stubs)
}

/// What a source file is in a tree that shows the solution: `None` if it is left
/// out.
///
/// # Errors
/// If the markers do not fit together.
pub fn solve(text: &str) -> Result<Option<String>, MarkerError> {
    kept(text, Keep::Solutions)
}

/// What stays of a source file, markers never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Stubs,
    Solutions,
}

fn kept(text: &str, keep: Keep) -> Result<Option<String>, MarkerError> {
    let solved = keep == Keep::Solutions;
    let mut kept = String::with_capacity(text.len());
    let mut open: Option<(usize, Block)> = None;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let number = index + 1;
        let wrong = |problem| {
            Err(MarkerError {
                line: number,
                problem,
            })
        };
        match (Line::of(line), open) {
            (Line::LeaveOut(Block::Solution), _) if solved => {}
            (Line::LeaveOut(_), _) => return Ok(None),
            (Line::Begin(_), Some(_)) => return wrong(Problem::Nested),
            (Line::Begin(block), None) => open = Some((number, block)),
            (Line::End(block), Some((_, begun))) if block == begun => open = None,
            (Line::End(_), _) => return wrong(Problem::NotBegun),
            (Line::Stub(_), Some(_)) => return wrong(Problem::StubInside),
            (Line::Stub(_), None) if solved => {}
            (Line::Stub(code), None) => kept.push_str(&in_place_of(line, code)),
            (Line::Text, Some((_, Block::Solution))) if solved => kept.push_str(line),
            (Line::Text, Some(_)) => {}
            (Line::Text, None) => kept.push_str(line),
        }
    }
    match open {
        Some((line, _)) => Err(MarkerError {
            line,
            problem: Problem::NotEnded,
        }),
        None => Ok(Some(kept)),
    }
}

/// A stub's code with the indentation and line end of its marker.
fn in_place_of(line: &str, code: &str) -> String {
    let indentation = &line[..line.len() - line.trim_start().len()];
    let end = if line.ends_with('\n') { "\n" } else { "" };
    format!("{indentation}{}{end}", code.trim_end())
}

/// The first line that is a marker, from 1.
pub fn first_marker(text: &str) -> Option<usize> {
    let found = text.lines().position(|line| Line::of(line) != Line::Text);
    found.map(|index| index + 1)
}

/// The lines between the markers of solutions: what a student must not get.
pub fn solution_lines(text: &str) -> Vec<&str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        match Line::of(line) {
            Line::Begin(_) => inside = true,
            Line::End(_) => inside = false,
            _ if inside => lines.push(line.trim()),
            _ => {}
        }
    }
    lines
}

/// Whether a line, from 1, is a part of a solution.
pub fn is_solution(text: &str, line: usize) -> bool {
    let mut inside = false;
    for line in text.lines().take(line).map(Line::of) {
        match line {
            Line::Begin(block) => inside = block == Block::Solution,
            Line::End(_) => inside = false,
            _ => {}
        }
    }
    let whole = text.lines().any(|line| line.trim() == "// SOLUTION FILE");
    inside || whole
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `@` for the comment sign, so that this file holds no markers.
    fn source(text: &str) -> String {
        text.replace('@', "//")
    }

    #[test]
    fn the_stub_takes_the_place_of_the_solution() {
        let text = source(
            "fn f() {\n    @ BEGIN SOLUTION\n    1;\n    @ END SOLUTION\n    @ STUB: todo!(\"v1-E1: f\")\n}\n",
        );
        let stripped = strip(&text).unwrap().unwrap();
        assert_eq!(stripped, "fn f() {\n    todo!(\"v1-E1: f\")\n}\n");
        assert_eq!(first_marker(&stripped), None);
        assert_eq!(first_marker(&text), Some(2));
        assert_eq!(solution_lines(&text), ["1;"]);
    }

    #[test]
    fn hidden_blocks_and_files_are_left_out() {
        let text = source("a\n@ BEGIN HIDDEN\nb\n@ END HIDDEN\nc");
        assert_eq!(strip(&text).unwrap().unwrap(), "a\nc");
        assert_eq!(strip(&source("@ SOLUTION FILE\na")), Ok(None));
    }

    #[test]
    fn a_solved_file_keeps_the_solution_without_its_markers_and_has_no_stub() {
        let text = source(
            "a\n@ BEGIN SOLUTION\n1;\n@ END SOLUTION\n@ STUB: todo!()\n@ BEGIN HIDDEN\nb\n@ END HIDDEN\nc",
        );
        assert_eq!(solve(&text).unwrap().unwrap(), "a\n1;\nc");
        let whole = source("@ SOLUTION FILE\na");
        assert_eq!(solve(&whole).unwrap().unwrap(), "a");
        assert_eq!(solve(&source("@ HIDDEN FILE\na")), Ok(None));
    }

    #[test]
    fn a_line_is_solution_between_the_markers_and_in_a_solutions_file() {
        let text = source("a\n@ BEGIN SOLUTION\nb\n@ END SOLUTION\n@ BEGIN HIDDEN\nc\n");
        let inside = (1..=6).filter(|line| is_solution(&text, *line));
        assert_eq!(inside.collect::<Vec<_>>(), [2, 3]);
        assert!(is_solution(&source("@ SOLUTION FILE\na"), 2));
    }

    #[test]
    fn text_without_markers_stays_as_it_is() {
        for text in ["", "\n", "a\n\n  // b\r\n", "x // BEGIN SOLUTION"] {
            assert_eq!(strip(text).unwrap().unwrap(), text);
            assert_eq!(solve(text).unwrap().unwrap(), text);
        }
    }

    #[test]
    fn markers_that_do_not_fit_are_named_by_line() {
        for (text, line, problem) in [
            ("@ BEGIN SOLUTION\n", 1, Problem::NotEnded),
            ("a\n@ END SOLUTION\n", 2, Problem::NotBegun),
            ("@ BEGIN SOLUTION\n@ BEGIN HIDDEN\n", 2, Problem::Nested),
            ("@ BEGIN SOLUTION\n@ END HIDDEN\n", 2, Problem::NotBegun),
            ("@ BEGIN SOLUTION\n@ STUB: x\n", 2, Problem::StubInside),
        ] {
            assert_eq!(
                strip(&source(text)),
                Err(MarkerError { line, problem }),
                "{text}"
            );
        }
    }
}
