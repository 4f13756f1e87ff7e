//! Fingerprints: equal if and only if what they were taken of is.

use crate::workspace::{Workspace, files_below};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::io;
use std::path::Path;

/// The SHA-256 of a list of texts, in which no two lists are mixed up.
pub fn of_texts<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        let text = text.as_ref();
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    let mut digits = String::new();
    for byte in hash.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// The fingerprint of files of a workspace, with their names: of `parts`, each a
/// file, or a folder with all that lies below it. A part that is not there counts
/// as such.
///
/// # Errors
/// If one cannot be read.
pub fn of_files(
    workspace: &Workspace,
    parts: impl IntoIterator<Item = impl AsRef<Path>>,
) -> io::Result<String> {
    let mut texts = Vec::new();
    for part in parts {
        let path = workspace.root.join(part);
        let files = match path.is_dir() {
            true => files_below(&path)?,
            false => vec![path],
        };
        for file in files {
            texts.push(workspace.relative(&file).into_bytes());
            match std::fs::read(&file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                bytes => texts.push(bytes?),
            }
        }
    }
    Ok(of_texts(texts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_text_ends_makes_a_difference() {
        assert_ne!(of_texts(["a", "bc"]), of_texts(["ab", "c"]));
        assert_eq!(of_texts(["a", "bc"]), of_texts(["a", "bc"]));
    }

    #[test]
    fn a_byte_a_name_and_an_absence_make_a_difference() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(folder.path());
        let write = |name: &str, text: &str| {
            std::fs::create_dir_all(workspace.root.join("part")).unwrap();
            std::fs::write(workspace.root.join(name), text).unwrap();
            of_files(&workspace, ["part", "gone"]).unwrap()
        };
        let first = write("part/a", "one");
        let changed = write("part/a", "two");
        let named = write("part/b", "");
        let there = write("gone", "");
        let back = {
            std::fs::remove_file(workspace.root.join("gone")).unwrap();
            std::fs::remove_file(workspace.root.join("part/b")).unwrap();
            write("part/a", "one")
        };
        let different = std::collections::BTreeSet::from([&first, &changed, &named, &there]);
        assert_eq!(different.len(), 4);
        assert_eq!(first, back);
    }
}
