//! Takes a submission from a folder. Links in it are never followed.

use super::collector::{Collector, ENTRIES_BOUND, Kind};
use super::{Taken, Untaken};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Folders deeper than this are not looked into.
const DEEPEST: usize = 32;

/// Takes what may be taken of the files in `folder`.
pub(super) fn take(folder: &Path) -> Result<Taken, Untaken> {
    let mut collector = Collector::default();
    walk(folder, &mut collector)
        .map_err(|error| Untaken::Host(format!("{} cannot be read: {error}", folder.display())))?;
    Ok(collector.finish())
}

fn walk(root: &Path, collector: &mut Collector) -> io::Result<()> {
    let mut folders = vec![(root.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = fs::read_dir(&folder)?.take(ENTRIES_BOUND);
        let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            if !collector.goes_on() {
                return Ok(());
            }
            let path = entry.path();
            let kind = entry.file_type()?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if kind.is_dir() {
                if depth < DEEPEST && !hidden && entry.file_name() != "target" {
                    folders.push((path, depth + 1));
                }
                continue;
            }
            let name = path.strip_prefix(root).unwrap_or(&path);
            let name = name.as_os_str().as_encoded_bytes();
            let kind = match kind {
                kind if kind.is_file() => Kind::File,
                kind if kind.is_symlink() => Kind::Link,
                _ => Kind::Other,
            };
            let Some(place) = collector.wanted(name, kind) else {
                continue;
            };
            let taken = File::open(&path).and_then(|file| collector.take(place, file));
            if let Err(error) = taken {
                let shown = path.strip_prefix(root).unwrap_or(&path).display();
                collector.note(format!("'{shown}' was left out: {error}"));
            }
        }
    }
    Ok(())
}
