//! Seals: what tells a line of evidence that the stand wrote from one that a
//! submission wrote.
//!
//! The evidence goes through a file that lies in the folder of the runner's
//! process, and the version's code runs in that process. So the grader leaves a
//! key beside the file. The stand takes it and removes it before it calls the
//! version, and from then on it is in the stand's memory only: safe code cannot
//! look there, and the process is [confined](crate::confine), so it cannot open its
//! own memory as a file. Each line ends with a seal over the key, the line's number
//! and its text; one that is made up, altered, moved, repeated or left out does not
//! fit, and all that comes after it is damaged.
//!
//! A pipe whose number nobody tells would not do: its number is soon guessed.

#[allow(deprecated)] // in favour of a hash that may change with the compiler
use std::hash::SipHasher;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::Path;

/// The name of the file with the key, beside the evidence.
const FILE: &str = "key";

/// What stands between a line and its seal. No JSON has it unescaped.
const BETWEEN: u8 = b'\t';

/// A secret between the grader and the stand, and the number of lines so far.
#[derive(Clone, Debug)]
pub struct Seal {
    key: (u64, u64),
    lines: u64,
}

impl Seal {
    /// A new secret, left in `folder` for the stand.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn leave(folder: &Path) -> io::Result<Seal> {
        // The standard library seeds its hash tables from the host's randomness.
        let random = || RandomState::new().build_hasher().finish();
        let key = (random(), random());
        std::fs::write(folder.join(FILE), format!("{:016x}{:016x}", key.0, key.1))?;
        Ok(Seal { key, lines: 0 })
    }

    /// Takes the secret that lies beside `evidence`, and removes it; `None` if
    /// there is none: then nobody asks for seals.
    pub(crate) fn take(evidence: &Path) -> io::Result<Option<Seal>> {
        let path = evidence.with_file_name(FILE);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        std::fs::remove_file(path)?;
        let half = |range| {
            let digits = text.get(range).unwrap_or_default();
            u64::from_str_radix(digits, 16).map_err(io::Error::other)
        };
        let key = (half(0..16)?, half(16..32)?);
        Ok(Some(Seal { key, lines: 0 }))
    }

    /// The seal of the next line.
    #[allow(deprecated)]
    fn next(&mut self, line: &[u8]) -> u64 {
        let mut hash = SipHasher::new_with_keys(self.key.0, self.key.1);
        hash.write_u64(self.lines);
        hash.write(line);
        self.lines += 1;
        hash.finish()
    }

    /// Puts the seal behind a line without its end.
    pub(crate) fn put(&mut self, line: &mut Vec<u8>) {
        let seal = self.next(line);
        line.push(BETWEEN);
        line.extend(format!("{seal:016x}").bytes());
    }

    /// A sealed line without its seal; `None` if that does not fit.
    fn open<'a>(&mut self, line: &'a [u8]) -> Option<&'a [u8]> {
        let at = line.iter().rposition(|&byte| byte == BETWEEN)?;
        let seal = std::str::from_utf8(&line[at + 1..]).ok()?;
        let seal = u64::from_str_radix(seal, 16).ok()?;
        let line = &line[..at];
        (self.next(line) == seal).then_some(line)
    }
}

/// Opens seals while evidence comes in, piece by piece.
#[derive(Debug)]
pub struct Opener {
    seal: Seal,
    lines: crate::lines::LinesIn,
    broken: bool,
}

impl Opener {
    /// Opens what was sealed with this secret.
    pub fn new(seal: Seal) -> Opener {
        Opener {
            seal,
            lines: crate::lines::LinesIn::default(),
            broken: false,
        }
    }

    /// Takes the next piece, and gives the whole lines in it without their seals.
    /// In the place of the first that was not sealed, and of all after it, stands
    /// one that no reader takes for evidence.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut opened = Vec::with_capacity(bytes.len());
        let (seal, broken) = (&mut self.seal, &mut self.broken);
        self.lines.feed(bytes, |line| match seal.open(line) {
            _ if *broken => {}
            Some(line) => {
                opened.extend_from_slice(line);
                opened.push(b'\n');
            }
            None => {
                *broken = true;
                opened.extend_from_slice(b"a line without a seal\n");
            }
        });
        opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(lines: &[&str], seal: &Seal) -> Vec<Vec<u8>> {
        let mut seal = seal.clone();
        let lines = lines.iter().map(|line| {
            let mut line = line.as_bytes().to_vec();
            seal.put(&mut line);
            line.push(b'\n');
            line
        });
        lines.collect()
    }

    fn opened(lines: &[&[u8]], seal: &Seal) -> String {
        let mut opener = Opener::new(seal.clone());
        String::from_utf8(opener.feed(&lines.concat())).unwrap()
    }

    const KEY: Seal = Seal {
        key: (1, 2),
        lines: 0,
    };
    const REFUSED: &str = "a line without a seal\n";

    #[test]
    fn what_the_stand_wrote_comes_through_in_any_pieces() {
        let lines = sealed(&["one", "two\\t", ""], &KEY);
        let mut opener = Opener::new(KEY);
        let bytes = lines.concat();
        let pieces = bytes.chunks(3).flat_map(|piece| opener.feed(piece));
        let opened: Vec<u8> = pieces.collect();
        assert_eq!(opened, b"one\ntwo\\t\n\n");
    }

    #[test]
    fn what_is_made_up_altered_moved_repeated_or_left_out_is_refused() {
        let lines = sealed(&["one", "two", "three"], &KEY);
        let [one, two, three] = [&*lines[0], &*lines[1], &*lines[2]];
        let altered = String::from_utf8_lossy(two).replace("two", "too");
        for forged in [
            &[one, b"two\n"][..],
            &[one, b"two\t0000000000000000\n"],
            &[one, altered.as_bytes(), three],
            &[one, three, two],
            &[one, one, two],
            &[one, three],
        ] {
            assert_eq!(opened(forged, &KEY), format!("one\n{REFUSED}"));
        }
    }

    #[test]
    fn the_key_is_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let left = Seal::leave(folder.path()).unwrap();
        let evidence = folder.path().join("evidence");
        let taken = Seal::take(&evidence).unwrap().unwrap();
        assert_eq!(taken.key, left.key);
        assert!(Seal::take(&evidence).unwrap().is_none());
        assert_ne!(Seal::leave(folder.path()).unwrap().key, left.key);
    }
}
