//! A folder that both JPlag and Dolos can read: who wrote what others wrote?
//!
//! ```text
//!  submissions/NAME/v1-kernel-only/src/….rs    java -jar jplag.jar -l rust -bc base submissions
//!  base/v1-kernel-only/src/….rs                what everybody was given
//!  info.csv                                    dolos run -l rust info.csv
//! ```

use super::{Class, write};
use crate::csv;
use crate::error::LabError;
use crate::markers;
use crate::stages::Stage;
use crate::submission::discover;
use crate::workspace::{Workspace, files_below};
use std::path::Path;

/// Writes the folder for the submissions in `handed_in`, and says how many
/// there are. The versions that were handed out solved are `revealed`.
///
/// # Errors
/// If they cannot be read, or the folder cannot be written.
pub fn similarity(
    class: &Class,
    workspace: &Workspace,
    revealed: &[&Stage],
    handed_in: &Path,
    out: &Path,
) -> Result<usize, LabError> {
    base(workspace, revealed, &out.join("base"))?;
    let mut table = csv::line(["filename", "label", "created_at", "full_name"]);
    let mut count = 0;
    for submission in discover(handed_in)? {
        let Ok(taken) = submission.take() else {
            continue; // its record says why
        };
        count += 1;
        let mut entries = class.entries.iter();
        let entry = entries.find(|entry| entry.record.submission == submission.name);
        let time = entry.and_then(|entry| entry.time);
        let time = time.map(|time| time.to_string()).unwrap_or_default();
        let full_name = entry.map(|entry| {
            let student = &entry.student;
            format!("{} {}", student.first_name, student.last_name)
        });
        let full_name = full_name.unwrap_or_default();
        for (name, text) in &taken.files {
            let name = name.trim_start_matches("stages/");
            let file = format!("submissions/{}/{name}", submission.name);
            write(&out.join(&file), text)?;
            table += &csv::line([&file, &submission.name, &time, full_name.trim()]);
        }
    }
    write(&out.join("info.csv"), &table)?;
    Ok(count)
}

/// What everybody was given: the stages with their stubs, those that were
/// `revealed` with their solutions.
fn base(workspace: &Workspace, revealed: &[&Stage], out: &Path) -> Result<(), LabError> {
    let failed = |error: &dyn std::fmt::Display| {
        LabError::infrastructure("the clean tree cannot be read", error)
    };
    for stage in Stage::all_in(workspace) {
        let sources = stage.sources(workspace);
        for file in files_below(&sources).map_err(|error| failed(&error))? {
            let text = std::fs::read_to_string(&file).map_err(|error| failed(&error))?;
            let solved = revealed.iter().any(|one| one.name == stage.name);
            let given = match solved {
                true => markers::solve(&text),
                false => markers::strip(&text),
            };
            let given = given.map_err(|error| failed(&error))?;
            let name = file.strip_prefix(&sources).unwrap_or(&file);
            if let Some(given) = given {
                write(&out.join(stage.package).join("src").join(name), &given)?;
            }
        }
    }
    Ok(())
}
