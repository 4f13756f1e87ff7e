//! What guests print.

use evidence::Frame;
use evidence::host::Frame as HostFrame;
use evidence::session::{News, What};
use std::collections::BTreeMap;

/// What guests print, line by line if there are many: then it is said whose it is.
#[derive(Default)]
pub struct Printed {
    /// What each VM has begun and not ended.
    begun: BTreeMap<u32, Vec<u8>>,
}

impl Printed {
    /// What can be shown after this piece of news.
    pub fn hear(&mut self, news: &News) -> String {
        match &news.what {
            What::One(Frame::Console(bytes)) => String::from_utf8_lossy(&bytes.0).into_owned(),
            What::Many(HostFrame::Console { vm, bytes }) => {
                let begun = self.begun.entry(*vm).or_default();
                begun.extend(&bytes.0);
                let ended = begun.iter().rposition(|byte| *byte == b'\n');
                let ended = ended.map_or(0, |last| last + 1);
                lines(*vm, &begun.drain(..ended).collect::<Vec<_>>())
            }
            _ => String::new(),
        }
    }

    /// What has been begun.
    pub fn rest(self) -> String {
        let begun = self.begun.iter();
        begun.map(|(vm, bytes)| lines(*vm, bytes)).collect()
    }
}

fn lines(vm: u32, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines();
    lines.map(|line| format!("vm {vm} | {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use evidence::Bytes;

    #[test]
    fn the_lines_of_many_vms_are_told_apart_and_kept_together() {
        let mut printed = Printed::default();
        let mut told = String::new();
        for (vm, text) in [(0, "on"), (1, "two\nth"), (0, "e\n"), (1, "ree")] {
            let bytes = Bytes(text.as_bytes().to_vec());
            told += &printed.hear(&News {
                position: 0,
                what: What::Many(HostFrame::Console { vm, bytes }),
            });
        }
        told += &printed.rest();
        assert_eq!(told, "vm 1 | two\nvm 0 | one\nvm 1 | three\n");
    }
}
