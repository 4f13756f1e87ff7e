//! A number, as somebody writes it who looks at a run.

use super::Session;
use crate::error::LabError;
use common::Gpr;

/// A number, hexadecimal with 0x, or what a register holds, or the address of a
/// name.
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
        let scene = session.stop().scene.as_ref()?;
        Some(scene.registers.get(general(text)?))
    };
    let named = || session.symbols().address_of(text);
    number.or_else(held).or_else(named).ok_or_else(|| {
        no(
            text,
            "must be a number such as 80 or 0x50, a register, or a name of the guest",
        )
    })
}

/// A general register by its name.
pub(crate) fn general(name: &str) -> Option<Gpr> {
    Gpr::ALL
        .into_iter()
        .find(|register| register.name() == name)
}

/// What was written cannot be, and why.
pub(crate) fn no(text: &str, why: &str) -> LabError {
    LabError::Usage(format!("'{text}': {why}"))
}
