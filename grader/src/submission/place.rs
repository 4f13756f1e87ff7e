//! Which file of a submission is taken, by its name alone.

use crate::stages::{STAGES, Stage};

/// A source file of a stage in a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The folder in the submission that holds the student's tree: archives
    /// often have one around all.
    pub tree: String,
    /// The version.
    pub stage: &'static Stage,
    /// The name in the workspace, such as `stages/v1-kernel-only/src/lib.rs`.
    pub file: String,
}

/// Where the file called `name` belongs; `None` if it is not taken.
///
/// # Errors
/// If the name leads out of the submission: why.
pub(super) fn place(name: &str) -> Result<Option<Place>, &'static str> {
    let name = name.replace('\\', "/");
    if name.starts_with('/') || name.as_bytes().get(1) == Some(&b':') {
        return Err("its name is an absolute path");
    }
    let parts: Vec<&str> = name.split('/').filter(|part| *part != ".").collect();
    if parts.contains(&"..") {
        return Err("its name leads out of the submission with `..`");
    }
    if name.chars().any(char::is_control) {
        return Err("its name holds a control character");
    }
    let ignored = |part: &&str| part.starts_with('.') || ["target", "__MACOSX"].contains(part);
    if !name.ends_with(".rs") || parts.iter().any(ignored) {
        return Ok(None);
    }
    let stage_at = |at: usize| {
        let stage = STAGES.iter().find(|stage| stage.package == parts[at])?;
        (parts.get(at + 1) == Some(&"src")).then_some((at, stage))
    };
    let Some((at, stage)) = (0..parts.len()).find_map(stage_at) else {
        return Ok(None);
    };
    let around = match parts[..at] {
        [ref tree @ .., "stages"] => tree,
        ref tree => tree,
    };
    Ok(Some(Place {
        tree: around.join("/"),
        stage,
        file: format!("stages/{}", parts[at..].join("/")),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_found_below_any_folder_around_the_tree() {
        for (name, tree) in [
            ("stages/v1-kernel-only/src/a/b.rs", ""),
            ("./stages/v1-kernel-only/src/a/b.rs", ""),
            ("alice/lab/stages/v1-kernel-only/src/a/b.rs", "alice/lab"),
            ("alice\\v1-kernel-only\\src\\a\\b.rs", "alice"),
        ] {
            let place = place(name).unwrap().unwrap();
            assert_eq!(place.tree, tree);
            assert_eq!(place.stage.name, "v1");
            assert_eq!(place.file, "stages/v1-kernel-only/src/a/b.rs");
        }
    }

    #[test]
    fn what_is_no_source_of_a_stage_is_not_taken() {
        for name in [
            "stages/v1-kernel-only/Cargo.toml",
            "stages/v1-kernel-only/build.rs",
            "stages/v1-kernel-only/tests/mine.rs",
            "stages/v1-kernel-only/src/notes.md",
            "stages/v9-time-travel/src/lib.rs",
            ".cargo/config.toml",
            "grader/src/main.rs",
            "target/stages/v1-kernel-only/src/lib.rs",
            "__MACOSX/stages/v1-kernel-only/src/lib.rs",
            "stages/v1-kernel-only/src/.hidden.rs",
        ] {
            assert_eq!(place(name), Ok(None), "{name}");
        }
    }

    #[test]
    fn a_name_that_leads_out_is_refused() {
        for name in [
            "../stages/v1-kernel-only/src/lib.rs",
            "stages/v1-kernel-only/src/../../../x.rs",
            "stages\\v1-kernel-only\\..\\src\\lib.rs",
            "/etc/stages/v1-kernel-only/src/lib.rs",
            "C:/stages/v1-kernel-only/src/lib.rs",
            "stages/v1-kernel-only/src/a\nb.rs",
        ] {
            assert!(place(name).is_err(), "{name}");
        }
    }
}
