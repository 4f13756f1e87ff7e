//! What the student fills in, and where in the sources it stands.
//!
//! An exercise is found by its number: the documentation of the function to
//! fill in has the heading `# Exercise v1-E3: title`, and a hole that is still
//! open says `todo!("v1-E3: …")`, or `// TODO v1-E3: …` where the code around it
//! works without it, only not yet well.

use crate::markers;
use crate::stages::Stage;
use crate::workspace::{Workspace, files_below};
use std::io;

/// One thing to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exercise {
    /// Such as `v1-E3`.
    pub name: &'static str,
    /// What to build, in a few words.
    pub title: &'static str,
    /// A question; where to look; nearly the answer.
    pub hints: [&'static str; 3],
}

/// A place in the student's sources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, relative to the workspace.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A stage's sources as they are now.
#[derive(Clone, Debug, Default)]
pub struct Sources(Vec<(String, String)>);

impl Sources {
    /// Reads the sources of a stage.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn read(stage: &Stage, workspace: &Workspace) -> io::Result<Sources> {
        let files = files_below(&stage.sources(workspace))?;
        let rust = files
            .iter()
            .filter(|path| path.extension().is_some_and(|end| end == "rs"));
        rust.map(|path| {
            let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
            Ok((workspace.relative(path), text))
        })
        .collect::<io::Result<_>>()
        .map(Sources)
    }

    /// Where `exercise` is to be done: its open holes if there are any, else
    /// the functions whose documentation names it.
    pub fn places(&self, exercise: &str) -> Vec<Place> {
        let open = self.holes(exercise);
        if !open.is_empty() {
            return open;
        }
        let parts = self.parts(exercise).into_iter();
        parts.map(|place| self.documented(place)).collect()
    }

    /// The headings of `exercise`: there is one for each of its parts.
    fn parts(&self, exercise: &str) -> Vec<Place> {
        let heading = format!("# Exercise {exercise}:");
        self.lines(|line| line.trim_start().starts_with("///") && line.contains(&heading))
    }

    /// The holes of `exercise` that are still open.
    pub fn holes(&self, exercise: &str) -> Vec<Place> {
        let stub = format!("todo!(\"{exercise}:");
        self.lines(|line| {
            let line = line.trim_start();
            let stops = !line.starts_with("//") && line.contains(&stub);
            stops || is_quiet_hole(line, exercise)
        })
    }

    /// Those of `exercises` that may be the reason of a mistake: where nothing has
    /// been written yet nothing is wrong. All, if that is so of all.
    pub fn suspects(&self, exercises: Vec<String>) -> Vec<String> {
        let is_begun = |exercise: &&String| self.holes(exercise).len() < self.parts(exercise).len();
        let begun: Vec<_> = exercises.iter().filter(is_begun).cloned().collect();
        match begun.is_empty() {
            true => exercises,
            false => begun,
        }
    }

    /// The first of `exercises` that has an open hole which stops nobody: nothing
    /// tells that such a one was reached, so it has to be looked for.
    pub fn quietly_open(&self, exercises: &[String]) -> Option<String> {
        let is_open = |exercise: &&String| {
            let holes = self.lines(|line| is_quiet_hole(line, exercise));
            !holes.is_empty()
        };
        exercises.iter().find(is_open).cloned()
    }

    /// Whether these are the marked sources, of which handouts are made.
    pub fn are_marked(&self) -> bool {
        self.0
            .iter()
            .any(|(_, text)| markers::first_marker(text).is_some())
    }

    fn lines(&self, wanted: impl Fn(&str) -> bool) -> Vec<Place> {
        let mut places = Vec::new();
        for (file, text) in &self.0 {
            let found = text.lines().enumerate().filter(|(_, line)| wanted(line));
            places.extend(found.map(|(index, _)| Place {
                file: file.clone(),
                line: index + 1,
            }));
        }
        places
    }

    /// From a line of documentation to the line that it documents.
    fn documented(&self, place: Place) -> Place {
        let text = self.0.iter().find(|(file, _)| *file == place.file);
        let behind = text
            .iter()
            .flat_map(|(_, text)| text.lines())
            .skip(place.line);
        let comments = behind.take_while(|line| {
            let line = line.trim_start();
            line.starts_with("///") || line.starts_with("#[")
        });
        Place {
            line: place.line + comments.count() + 1,
            ..place
        }
    }
}

fn is_quiet_hole(line: &str, exercise: &str) -> bool {
    let comment = format!("// TODO {exercise}:");
    line.contains(&comment) && markers::first_marker(line).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Sources {
        let text = "/// Does it.\n///\n/// # Exercise v1-E3: time\n///\n/// More.\n#[inline]\nfn f() {\n    todo!(\"v1-E4: x\")\n}\n// STUB: todo!(\"v1-E3: y\")\n";
        Sources(vec![(String::from("a.rs"), text.to_string())])
    }

    #[test]
    fn an_exercise_that_was_not_begun_is_not_suspected_beside_one_that_was() {
        let begun = "/// # Exercise v1-E3: time (first half)\nfn f() {}\n/// # Exercise v1-E3: time (second half)\nfn g() {\n    todo!(\"v1-E3: g\")\n}\n";
        let open = "/// # Exercise v1-E4: ports\nfn h() {\n    todo!(\"v1-E4: h\")\n}\n";
        let files = [("a.rs", begun), ("b.rs", open)];
        let sources = Sources(files.map(|(name, text)| (name.into(), text.into())).into());
        let suspects = |names: &[&str]| {
            let names = names.iter().map(ToString::to_string);
            sources.suspects(names.collect())
        };
        assert_eq!(suspects(&["v1-E3", "v1-E4"]), ["v1-E3"]);
        assert_eq!(suspects(&["v1-E4"]), ["v1-E4"]);
    }

    fn lines(places: Vec<Place>) -> Vec<usize> {
        places.iter().map(|place| place.line).collect()
    }

    #[test]
    fn an_exercise_is_where_its_documentation_ends() {
        assert_eq!(lines(sources().places("v1-E3")), [7]);
    }

    #[test]
    fn an_open_hole_goes_before_documentation_and_a_comment_is_no_hole() {
        assert_eq!(lines(sources().places("v1-E4")), [8]);
        assert!(sources().holes("v1-E3").is_empty());
    }

    #[test]
    fn a_hole_that_stops_nobody_is_a_comment_that_begins_with_todo() {
        let text = "x // TODO v1-E1: y\n// TODO v1-E1: z\n// STUB: // TODO v1-E1: a\n// v1-E1: b\n";
        let sources = Sources(vec![(String::from("a.rs"), text.to_string())]);
        assert_eq!(lines(sources.holes("v1-E1")), [1, 2]);
        let exercises = ["v1-E2", "v1-E1"].map(String::from);
        assert_eq!(sources.quietly_open(&exercises), Some("v1-E1".into()));
    }

    #[test]
    fn a_hole_that_stops_everybody_is_not_quiet() {
        assert_eq!(sources().quietly_open(&["v1-E4".into()]), None);
    }
}
