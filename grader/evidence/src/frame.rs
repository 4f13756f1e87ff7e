//! The frames of an evidence file: one JSON value a line.
//!
//! A frame without its line end was cut off while being written, and does not
//! count. Everything before it does.

use crate::Measured;
use common::trace::Record;
use common::{Context, Explanation, Gpr, Time, View};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The first frame's text: which format the others are in.
pub const SCHEMA: &str = "heptavisor/evidence/v1";

/// One line of an evidence file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Frame {
    /// The first frame.
    Begin {
        /// [`SCHEMA`].
        schema: String,
    },
    /// The version has prepared the context.
    Prepared(Box<Prepared>),
    /// Something happened between guest and CPU.
    Record(Record),
    /// The version came back because of the scenario's kick; it is run on.
    Stopped,
    /// The guest wrote to its console.
    Console(Bytes),
    /// The stand stopped the version, since it got nowhere.
    GivenUp(GivenUp),
    /// The version's code panicked.
    Panic(Panic),
    /// The last frame: the run is over and the runner still stands.
    End(Box<End>),
}

/// Bytes, written as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(self.0.len() * 2);
        for byte in &self.0 {
            text.push(DIGITS[usize::from(byte >> 4)].into());
            text.push(DIGITS[usize::from(byte & 15)].into());
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits: Option<Vec<_>> = text.chars().map(|digit| digit.to_digit(16)).collect();
        match digits {
            Some(digits) if digits.len().is_multiple_of(2) => Ok(Bytes(
                digits
                    .chunks_exact(2)
                    .map(|pair| (pair[0] << 4 | pair[1]) as u8)
                    .collect(),
            )),
            _ => Err(serde::de::Error::custom("not pairs of hexadecimal digits")),
        }
    }
}

/// Why the stand stopped a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GivenUp {
    /// It goes round and round without any virtual time passing.
    StandsStill,
    /// It lets the guest run on, long after the limit.
    RunsOn,
    /// There is a trap at nearly every instruction, without end.
    OnlyTraps,
}

/// A panic in the version's code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panic {
    /// What it said.
    pub message: String,
    /// File and line, as the compiler names them.
    pub place: Option<String>,
}

/// How things stood when the run was over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// What the version's monitor says how it ended; `None` if it panicked.
    /// To be believed only where the records say the same.
    pub claim: Option<common::Ending>,
    /// Virtual time.
    pub now: Time,
    /// The registers.
    pub registers: RegisterFile,
    /// How many exits of each kind there were, in order of first appearance.
    pub exits: Vec<(String, u64)>,
    /// How many records there were, those beyond the scenario's bound included.
    pub records: u64,
    /// The last records, oldest first.
    pub last: Vec<Record>,
    /// Where the guest was and why it came there, for people.
    pub explanation: Explanation,
    /// Why the engine could not go on, in its own words.
    pub failure: Option<String>,
    /// Everything in numbers, if the scenario asks for them.
    pub measured: Option<Measured>,
}

/// The integer registers at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterFile {
    /// The general registers in the order of [`Gpr::ALL`].
    pub general: [u64; 16],
    /// Address of the next instruction.
    pub rip: u64,
    /// The user's flags.
    pub flags: u64,
}

impl RegisterFile {
    /// The registers of `context`.
    pub fn of(context: &Context) -> RegisterFile {
        RegisterFile {
            general: context.registers.0,
            rip: context.rip,
            flags: context.flags,
        }
    }

    /// One general register.
    pub fn get(&self, register: Gpr) -> u64 {
        self.general[register as usize]
    }
}

/// The context as the version prepared it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// The integer registers.
    pub registers: RegisterFile,
    /// Base of the FS segment.
    pub fs_base: u64,
    /// Base of the GS segment.
    pub gs_base: u64,
    /// How many of the SSE registers are not 0.
    pub xmm_in_use: usize,
    /// Control and status of SSE arithmetic.
    pub mxcsr: u32,
    /// Guest-physical address of the page tables.
    pub root: u64,
    /// Whether memory is seen with the kernel's rights.
    pub kernel_view: bool,
}

impl Prepared {
    /// What there is in `context`.
    pub fn of(context: &Context) -> Prepared {
        Prepared {
            registers: RegisterFile::of(context),
            fs_base: context.fs_base,
            gs_base: context.gs_base,
            xmm_in_use: context.xmm.iter().filter(|&&value| value != 0).count(),
            mxcsr: context.mxcsr,
            root: context.space.root(),
            kernel_view: context.space.view == View::Kernel,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_went() {
        let bytes = Bytes((0..=255).collect());
        let text = serde_json::to_string(&bytes).unwrap();
        assert_eq!(serde_json::from_str::<Bytes>(&text).unwrap(), bytes);
    }

    #[test]
    fn half_a_byte_is_refused() {
        for text in ["\"0\"", "\"0g\"", "\"\u{e9}\""] {
            assert!(serde_json::from_str::<Bytes>(text).is_err(), "{text}");
        }
    }
}
