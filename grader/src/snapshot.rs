//! Reads the snapshots that the tests of the grader keep with insta.
//!
//! The grader compares by itself, in its own process and byte by byte, so that
//! no setting of insta in the student's tree has a say.

use crate::error::LabError;
use crate::workspace::Workspace;

/// The contents of a version's snapshot.
///
/// # Errors
/// If the file cannot be read, or is no snapshot.
pub fn read(workspace: &Workspace, stage: &str, name: &str) -> Result<Vec<u8>, LabError> {
    let path = workspace
        .root
        .join("grader/snapshots")
        .join(stage)
        .join(format!("{name}.snap"));
    let shown = workspace.relative(&path);
    let text = std::fs::read(&path)
        .map_err(|error| LabError::infrastructure(format!("{shown} cannot be read"), error))?;
    let contents = contents(&text).map(<[u8]>::to_vec);
    contents.ok_or_else(|| {
        LabError::Infrastructure(format!(
            "{shown} is no snapshot: it has no header between two `---`"
        ))
    })
}

/// What follows the header: a block between two lines `---`.
fn contents(text: &[u8]) -> Option<&[u8]> {
    const LINE: &[u8] = b"---\n";
    let header = text.strip_prefix(LINE)?;
    let end = header
        .windows(LINE.len() + 1)
        .position(|window| window.starts_with(b"\n") && window.ends_with(LINE))?;
    Some(&header[end + 1 + LINE.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contents_follow_the_header_byte_for_byte() {
        let file = b"---\nsource: a.rs\nexpression: b\n---\none\n---\ntwo\xff\n";
        assert_eq!(contents(file).unwrap(), b"one\n---\ntwo\xff\n");
    }

    #[test]
    fn a_file_without_a_header_is_refused() {
        for file in [&b""[..], b"---\n", b"one\n", b"---\nsource: a"] {
            assert_eq!(contents(file), None);
        }
    }
}
