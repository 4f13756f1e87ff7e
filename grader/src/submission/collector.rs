//! Collects the sources of a submission, within bounds.

use super::place::{Place, place};
use crate::fingerprint;
use crate::stages::Stage;
use std::collections::BTreeMap;
use std::io::{self, Read};

/// Bytes of one source file; the largest of the reference has a tenth of it.
pub(super) const FILE_BOUND: u64 = 256 << 10;
/// Bytes of all of them.
const BYTES_BOUND: u64 = 4 << 20;
/// How many source files there may be.
const FILES_BOUND: usize = 500;
/// How many files of any kind are looked at.
pub(super) const ENTRIES_BOUND: usize = 50_000;
/// How many notes are kept.
const NOTES_BOUND: usize = 20;

/// What is taken of a submission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Sources by their names in the workspace, such as
    /// `stages/v1-kernel-only/src/lib.rs`.
    pub files: BTreeMap<String, String>,
    /// What was left out, and why, one sentence each.
    pub notes: Vec<String>,
    /// When it was handed in, if the submission itself knows: a commit's time.
    pub time: Option<String>,
}

impl Taken {
    /// The sources of one version: names and texts.
    pub fn of<'a>(&'a self, stage: &Stage) -> impl Iterator<Item = (&'a str, &'a str)> {
        let folder = format!("stages/{}/", stage.package);
        let files = self.files.iter();
        let files = files.filter(move |(name, _)| name.starts_with(&folder));
        files.map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// A fingerprint of the sources of one version: equal if and only if they are.
    pub fn fingerprint(&self, stage: &Stage) -> String {
        fingerprint::of_texts(self.of(stage).flat_map(|(name, text)| [name, text]))
    }
}

/// What an entry of a submission is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    /// A symbolic or hard link.
    Link,
    Other,
}

/// Takes sources one by one.
#[derive(Debug, Default)]
pub(super) struct Collector {
    /// By the folder of the student's tree, since there may be several.
    trees: BTreeMap<String, BTreeMap<String, String>>,
    notes: Vec<String>,
    bytes: u64,
    files: usize,
    entries: usize,
}

impl Collector {
    /// Takes a source that is [wanted](Collector::wanted). It is read to a bound.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn take(&mut self, place: Place, content: impl Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        content.take(FILE_BOUND + 1).read_to_end(&mut bytes)?;
        self.keep(place, bytes);
        Ok(())
    }

    /// Whether another entry may be looked at.
    pub(super) fn goes_on(&mut self) -> bool {
        self.entries += 1;
        if self.entries == ENTRIES_BOUND + 1 {
            self.note(format!(
                "only the first {ENTRIES_BOUND} files were looked at: the submission holds more"
            ));
        }
        self.entries <= ENTRIES_BOUND
    }

    /// Says something about what was left out.
    pub(super) fn note(&mut self, note: String) {
        match self.notes.len() {
            ..NOTES_BOUND => self.notes.push(note),
            NOTES_BOUND => self.notes.push(String::from("and more of this kind")),
            _ => {}
        }
    }

    /// Where an entry belongs if it is to be taken. If it looks like a source and
    /// is not to be taken, a note says why.
    pub(super) fn wanted(&mut self, name: &[u8], kind: Kind) -> Option<Place> {
        let shown = String::from_utf8_lossy(name).escape_debug().to_string();
        let Ok(text) = std::str::from_utf8(name) else {
            if name.ends_with(b".rs") {
                self.note(format!("'{shown}' was left out: its name is not UTF-8"));
            }
            return None;
        };
        let place = match place(text) {
            Ok(place) => place?,
            Err(why) => {
                self.note(format!("'{shown}' was left out: {why}"));
                return None;
            }
        };
        let why = match kind {
            Kind::File if self.files < FILES_BOUND => return Some(place),
            Kind::File => format!("there are more than {FILES_BOUND} source files"),
            Kind::Link => String::from("it is a link, and links are not followed"),
            Kind::Other => String::from("it is no ordinary file"),
        };
        self.note(format!("'{shown}' was left out: {why}"));
        None
    }

    fn keep(&mut self, place: Place, bytes: Vec<u8>) {
        let Place { tree, file, .. } = place;
        let size = bytes.len() as u64;
        let why = if size > FILE_BOUND {
            format!("it has more than {} KiB", FILE_BOUND >> 10)
        } else if self.bytes + size > BYTES_BOUND {
            format!(
                "all sources together have more than {} MiB",
                BYTES_BOUND >> 20
            )
        } else {
            match String::from_utf8(bytes) {
                Ok(text) => {
                    let twice = self.trees.entry(tree).or_default();
                    if twice.insert(file.clone(), text).is_some() {
                        self.note(format!("'{file}' is there twice: the last one counts"));
                    }
                    self.bytes += size;
                    self.files += 1;
                    return;
                }
                Err(_) => String::from("it is not UTF-8 text"),
            }
        };
        self.note(format!("'{file}' was left out: {why}"));
    }

    /// What was taken. Of several trees, the one nearest to the top counts.
    pub(super) fn finish(mut self) -> Taken {
        let depth = |tree: &str| match tree {
            "" => 0,
            tree => tree.split('/').count(),
        };
        let trees: Vec<String> = self.trees.keys().cloned().collect();
        let nearest = trees.iter().min_by_key(|tree| depth(tree)).cloned();
        let nearest = nearest.unwrap_or_default();
        for other in trees.iter().filter(|tree| **tree != nearest) {
            self.note(format!(
                "'{other}' holds a second tree with stages: only '{}' counts",
                if nearest.is_empty() { "." } else { &nearest }
            ));
        }
        Taken {
            files: self.trees.remove(&nearest).unwrap_or_default(),
            notes: self.notes,
            time: None,
        }
    }
}
