//! A number, as somebody writes it who looks at a run.

use super::Session;
use crate::error::LabError;
use common::Gpr;
use evidence::RegisterFile;

/// A number, hexadecimal with 0x, or what a register holds (its name in any case,
/// RIP included, and with gdb's `$` before it or without), or the address of a name.
///
/// # Errors
/// If it is none of these.
pub fn number(text: &str, session: &Session) -> Result<u64, LabError> {
    let text = text.trim();
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let held = || {
        let registers = &session.stop().scene.as_ref()?.registers;
        held(text.strip_prefix('$').unwrap_or(text), registers)
    };
    let named = || session.symbols().address_of(text);
    number.or_else(held).or_else(named).ok_or_else(|| {
        let elsewhere = session.symbols_by_vm().find(|(_, symbols)| {
            let address = symbols.address_of(text);
            address.is_some()
        });
        match (session.stop().vcpu, elsewhere) {
            (Some(here), Some((there, _))) => LabError::Usage(format!(
                "vm {}'s guest has no '{text}'; vm {there}'s has",
                here.vm
            )),
            _ => no(
                text,
                "must be a number such as 80 or 0x50, a register, or a name of the guest",
            ),
        }
    })
}

/// What the register with this name holds.
fn held(name: &str, registers: &RegisterFile) -> Option<u64> {
    match name.eq_ignore_ascii_case("rip") {
        true => Some(registers.rip),
        false => Some(registers.get(general(name)?)),
    }
}

/// A general register by its name, in any case.
pub(crate) fn general(name: &str) -> Option<Gpr> {
    Gpr::ALL
        .into_iter()
        .find(|register| register.name().eq_ignore_ascii_case(name))
}

/// What was written cannot be, and why.
pub(crate) fn no(text: &str, why: &str) -> LabError {
    LabError::Usage(format!("'{text}': {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_and_rip_among_them_are_known_in_any_case() {
        let mut registers = RegisterFile {
            general: [0; 16],
            rip: 0x1000,
            flags: 2,
        };
        registers.general[Gpr::R8 as usize] = 8;
        for (name, value) in [("rip", 0x1000), ("RIP", 0x1000), ("r8", 8), ("R8", 8)] {
            assert_eq!(held(name, &registers), Some(value), "{name}");
        }
        assert_eq!(held("ip", &registers), None);
    }
}
