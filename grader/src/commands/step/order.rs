//! What is to be changed, as somebody writes it.

use crate::error::LabError;
use crate::session::Session;
use crate::session::number::{general, no, number};
use evidence::session::{Order, Register};

/// Something that is to be changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The virtual CPU is to do this.
    Order(Order),
    /// These bytes are to stand at this guest-virtual address.
    Memory(u64, Vec<u8>),
    /// A register is to hold this.
    Register(Register, u64),
}

impl Change {
    /// Reads such as `rax=5`, `IF=0`, `[0x5000]=1f 2e` or `inject 32`.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub(super) fn parse(text: &str, session: &Session) -> Result<Change, LabError> {
        if let Some(vector) = text.strip_prefix("inject ") {
            let vector = vector.trim().parse();
            let vector = vector.map_err(|_| no(text, "a vector is a number from 0 to 255"))?;
            return Ok(Change::Order(Order::Inject(vector)));
        }
        let Some((what, value)) = text.split_once('=') else {
            let right = "write such as rax=5, IF=0, [0x5000]=1f or inject 32";
            return Err(no(text, right));
        };
        let (what, value) = (what.trim(), value.trim());
        let place = what
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        Ok(match (what, place) {
            (name, _) if name.eq_ignore_ascii_case("IF") => {
                Change::Order(Order::SetInterrupts(number(value, session)? != 0))
            }
            (_, Some(place)) => Change::Memory(number(place, session)?, bytes(value)?),
            _ => Change::Register(register(what)?, number(value, session)?),
        })
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, LabError> {
    let bytes = text.split_whitespace();
    let bytes: Result<Vec<_>, _> = bytes.map(|byte| u8::from_str_radix(byte, 16)).collect();
    bytes
        .ok()
        .filter(|bytes| !bytes.is_empty())
        .ok_or_else(|| no(text, "bytes are pairs of hexadecimal digits"))
}

fn register(name: &str) -> Result<Register, LabError> {
    match (general(name), &*name.to_ascii_lowercase()) {
        (Some(general), _) => Ok(Register::General(general)),
        (None, "rip") => Ok(Register::Rip),
        (None, "flags") => Ok(Register::Flags),
        _ => Err(no(name, "is no register: rax to r15, rip or flags")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::Gpr;

    #[test]
    fn registers_are_known_by_their_names_and_others_refused() {
        assert_eq!(register("r15").unwrap(), Register::General(Gpr::R15));
        assert_eq!(register("rip").unwrap(), Register::Rip);
        assert_eq!(register("RIP").unwrap(), Register::Rip);
        let error = register("eax").unwrap_err();
        assert!(error.to_string().contains("'eax': is no register"));
    }

    #[test]
    fn bytes_are_hexadecimal_and_at_least_one() {
        assert_eq!(bytes("1f 00 e").unwrap(), [0x1f, 0, 0xe]);
        for wrong in ["", "1g", "100"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
