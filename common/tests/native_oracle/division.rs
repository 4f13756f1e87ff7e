//! Set-up of divisions: natively, a #DE would end the process, so the quotient
//! always fits.

use crate::operands::Maker;
use iced_x86::{OpKind, Register};

/// Loads dividend and divisor so that the quotient fits.
pub fn divide(maker: &mut Maker, signed: bool) {
    let memory = maker.instruction.op0_kind() == OpKind::Memory;
    let size = match memory {
        true => maker.instruction.memory_size().size(),
        false => maker.instruction.op0_register().size(),
    };
    let bits = 8 * size as u32;
    let [quotient, divisor, rest] = [(); 3].map(|()| maker.dice.value());
    let (dividend, divisor) = match signed {
        true => signed_dividend(quotient, divisor, rest, bits),
        false => unsigned_dividend(quotient, divisor, rest, bits),
    };
    match memory {
        true => maker.fill_memory(divisor, size),
        false => maker.load(maker.instruction.op0_register(), divisor),
    }
    if bits == 8 {
        maker.load(Register::RAX, dividend as u64);
    } else {
        let garbage = maker.dice.word().checked_shl(bits).unwrap_or(0);
        let mask = u64::MAX >> (64 - bits);
        maker.load(Register::RAX, dividend as u64 & mask | garbage);
        maker.load(Register::RDX, (dividend >> bits) as u64 & mask | garbage);
    }
}

fn unsigned_dividend(quotient: u64, divisor: u64, rest: u64, bits: u32) -> (u128, u64) {
    let mask = u64::MAX >> (64 - bits);
    let divisor = (divisor & mask).max(1);
    let rest = (rest & mask) % divisor;
    let dividend = u128::from(quotient & mask) * u128::from(divisor) + u128::from(rest);
    (dividend, divisor)
}

fn signed_dividend(quotient: u64, divisor: u64, rest: u64, bits: u32) -> (u128, u64) {
    let extend = |value: u64| i128::from((value as i64) << (64 - bits) >> (64 - bits));
    let divisor = match extend(divisor) {
        0 => 1,
        other => other,
    };
    let product = extend(quotient) * divisor;
    let rest = (extend(rest) % divisor).abs();
    let rest = if product < 0 { -rest } else { rest };
    ((product + rest) as u128, divisor as u64)
}
