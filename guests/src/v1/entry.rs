//! `entry`: what a guest finds in its registers when it starts.
//!
//! A guest relies on the state that the hypervisor prepares for it: a stack,
//! the number of its vCPU in RDI (0 for the first), zero in all other general
//! registers. This one stores them before anything else and prints them.
//! The seed decides where the list begins.

use crate::asm::GENERAL_REGISTERS;
use crate::catalogue::{Expected, Guest};
use crate::image::Image;
use crate::program::STACK_TOP;
use crate::{console, program, x64};

/// The catalogue's entry.
pub(super) const GUEST: Guest = Guest {
    name: "entry",
    about: "prints the general registers as they were at its first instruction",
    vcpus: 1,
    build,
    expected,
};

/// The register numbers in the order in which they are printed.
fn order(seed: u64) -> impl Iterator<Item = usize> {
    let first = (seed % 16) as usize;
    (0..16).map(move |place| (first + place) % 16)
}

fn build(seed: u64) -> Image {
    program::build(|asm| {
        asm.zeroed("registers", 16, 8 * GENERAL_REGISTERS.len());
        for register in 0..16_u8 {
            let place = 8 * isize::from(register);
            x64!(asm ; mov [->registers + place], Rq(register));
        }
        for register in order(seed) {
            console::text(asm, &format!("entry: {} is ", GENERAL_REGISTERS[register]));
            let place = 8 * register as isize;
            x64!(asm ; mov rax, [->registers + place]);
            console::hexadecimal(asm, 16);
            console::text(asm, "\n");
        }
        program::exit(asm, 0);
    })
}

fn expected(seed: u64) -> Expected {
    let line = |register| {
        let name = GENERAL_REGISTERS[register];
        let value = if name == "rsp" { STACK_TOP } else { 0 };
        format!("entry: {name} is {value:#018x}\n")
    };
    Expected::exit(order(seed).map(line).collect(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_register_is_printed_once_whatever_the_seed() {
        for seed in [0, 1, 15, u64::MAX] {
            let mut registers: Vec<usize> = order(seed).collect();
            registers.sort();
            assert_eq!(registers, (0..16).collect::<Vec<usize>>());
        }
    }
}
