//! Takes a submission from a zip or tar file, entry by entry and in memory.

use super::collector::{Collector, Kind};
use super::{Taken, Untaken};
use crate::interrupt;
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use zip::ZipArchive;

/// Bytes of a compressed archive that are unpacked to look for sources.
const UNPACKED_BOUND: u64 = 512 << 20;

/// What the type bits of a Unix file's mode say of a link.
const MODE_TYPE: u32 = 0o170_000;
const MODE_LINK: u32 = 0o120_000;

/// Takes what may be taken of a zip file.
pub(super) fn take_zip(path: &Path) -> Result<Taken, Untaken> {
    let mut archive =
        ZipArchive::new(BufReader::new(open(path)?)).map_err(|error| unreadable("zip", error))?;
    let mut collector = Collector::default();
    for index in 0..archive.len() {
        interrupt::check().map_err(|_| Untaken::Interrupted)?;
        if !collector.goes_on() {
            break;
        }
        // The names are read before the contents, which may be encrypted or
        // compressed by something that nobody knows.
        let raw = archive.by_index_raw(index);
        let entry = raw.map_err(|error| unreadable("zip", error))?;
        if entry.is_dir() {
            continue;
        }
        let name = entry.name_raw().to_vec();
        let kind = match entry.unix_mode().unwrap_or_default() & MODE_TYPE {
            MODE_LINK => Kind::Link,
            _ => Kind::File,
        };
        drop(entry);
        let Some(place) = collector.wanted(&name, kind) else {
            continue;
        };
        let entry = archive.by_index(index).map_err(io::Error::other);
        if let Err(error) = entry.and_then(|entry| collector.take(place, entry)) {
            let shown = String::from_utf8_lossy(&name).escape_debug().to_string();
            collector.note(format!("'{shown}' was left out: {error}"));
        }
    }
    Ok(collector.finish())
}

/// Takes what may be taken of a tar file.
pub(super) fn take_tar(path: &Path, gzip: bool) -> Result<Taken, Untaken> {
    let file = BufReader::new(open(path)?);
    let stream: Box<dyn Read> = match gzip {
        true => Box::new(GzDecoder::new(file)),
        false => Box::new(file),
    };
    let mut collector = Collector::default();
    let mut archive = tar::Archive::new(stream.take(UNPACKED_BOUND));
    let entries = archive
        .entries()
        .map_err(|error| unreadable("tar", error))?;
    for entry in entries {
        interrupt::check().map_err(|_| Untaken::Interrupted)?;
        if !collector.goes_on() {
            break;
        }
        let mut entry = entry.map_err(|error| unreadable("tar", error))?;
        let name = entry.path_bytes().into_owned();
        let kind = match entry.header().entry_type() {
            kind if kind.is_file() => Kind::File,
            kind if kind.is_symlink() || kind.is_hard_link() => Kind::Link,
            kind if kind.is_dir() => continue,
            _ => Kind::Other,
        };
        if let Some(place) = collector.wanted(&name, kind) {
            let read = collector.take(place, &mut entry);
            read.map_err(|error| unreadable("tar", error))?;
        }
    }
    Ok(collector.finish())
}

fn open(path: &Path) -> Result<File, Untaken> {
    File::open(path)
        .map_err(|error| Untaken::Host(format!("{} cannot be read: {error}", path.display())))
}

fn unreadable(format: &str, error: impl std::fmt::Display) -> Untaken {
    Untaken::Unreadable(format!("the {format} file is damaged: {error}"))
}
