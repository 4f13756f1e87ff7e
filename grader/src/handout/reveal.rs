//! Which versions are handed out solved: `v1..v3`, `v2`, `v1,v4`.

use crate::error::LabError;
use crate::stages::Stage;
use crate::workspace::Workspace;

/// The versions that `text` names, in their order: names and ranges, with commas
/// between them.
///
/// # Errors
/// If one of them is not there, or a range goes backwards.
pub fn parse(text: &str, workspace: &Workspace) -> Result<Vec<&'static Stage>, LabError> {
    let mut revealed = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        let (first, last) = part.split_once("..").unwrap_or((part, part));
        let find = |name| Stage::find(name, workspace);
        let (first, last) = (find(first)?, find(last)?);
        if first.number() > last.number() {
            return Err(LabError::Usage(format!(
                "'{part}' goes backwards: write {}..{}",
                last.name, first.name
            )));
        }
        let within = |stage: &&Stage| (first.number()..=last.number()).contains(&stage.number());
        revealed.extend(Stage::all_in(workspace).into_iter().filter(within));
    }
    revealed.sort_by_key(|stage| stage.number());
    revealed.dedup();
    Ok(revealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn names(text: &str) -> Result<Vec<&'static str>, String> {
        let tree = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        match parse(text, &Workspace::at(tree)) {
            Ok(stages) => Ok(stages.iter().map(|stage| stage.name).collect()),
            Err(error) => {
                assert_eq!(error.exit_code(), 2);
                Err(error.to_string())
            }
        }
    }

    #[test]
    fn ranges_and_names_give_versions_in_order_and_once() {
        for (text, revealed) in [
            ("v1..v3", &["v1", "v2", "v3"][..]),
            ("v2", &["v2"]),
            ("v4, v1", &["v1", "v4"]),
            ("v3..v3,v2..v4", &["v2", "v3", "v4"]),
        ] {
            assert_eq!(names(text).unwrap(), revealed, "{text}");
        }
    }

    #[test]
    fn what_names_no_version_and_what_goes_backwards_is_refused_by_name() {
        for (text, named) in [
            ("v3..v1", "'v3..v1' goes backwards: write v1..v3"),
            ("v9", "'v9'"),
            ("v1..", "''"),
            ("v1-v3", "'v1-v3'"),
            ("", "''"),
        ] {
            let said = names(text).unwrap_err();
            assert!(said.contains(named), "{said}");
        }
    }
}
