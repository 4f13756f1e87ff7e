//! `hog`, `hog-for-ever` and `hang`: guests that never give their CPU away.
//!
//! They make no port access, take no interrupt and never halt, so nothing but
//! the hypervisor's own timer ends their turn. `hog` ends some time, with a
//! number that shows whether all of its work was done. The other two do not:
//! `hog-for-ever` counts in memory what it has done, at the symbol `work`, by
//! which its share of the CPU can be seen, and `hang` closes interrupts and
//! jumps to itself, as a crashed kernel does.

use crate::catalogue::{Ending, Expected, Guest};
use crate::image::Image;
use crate::random::{self, Random};
use crate::{console, program, x64};

/// The catalogue's entries.
pub(super) const GUESTS: [Guest; 3] = [
    Guest {
        name: "hog",
        about: "computes for one to three million instructions and prints what came out",
        vcpus: 1,
        build: build_hog,
        expected: expected_hog,
    },
    Guest {
        name: "hog-for-ever",
        about: "counts in its memory for ever and says nothing",
        vcpus: 1,
        build: |_| build_hog_for_ever(),
        expected: |_| silent_for_ever(),
    },
    Guest {
        name: "hang",
        about: "closes interrupts and jumps to itself for ever",
        vcpus: 1,
        build: |_| program::build(|asm| x64!(asm ; cli ; ->hang: ; jmp ->hang)),
        expected: |_| silent_for_ever(),
    },
];

/// Steps of the generator, with eleven instructions each, and its start.
fn parameters(seed: u64) -> (i32, u64) {
    let mut random = Random::new(seed);
    let steps = random.between(100_000, 270_000) as i32;
    (steps, random.next() | 1)
}

fn build_hog(seed: u64) -> Image {
    let (steps, start) = parameters(seed);
    program::build(|asm| {
        x64!(asm
            ; mov rax, QWORD start as i64
            ; mov ecx, steps
            ; ->step:
        );
        random::advance(asm);
        x64!(asm
            ; dec ecx
            ; jnz ->step
            ; mov rbx, rax
        );
        console::text(asm, "hog: computed ");
        x64!(asm ; mov rax, rbx);
        console::hexadecimal(asm, 16);
        console::text(asm, "\n");
        program::exit(asm, 0);
    })
}

fn expected_hog(seed: u64) -> Expected {
    let (steps, start) = parameters(seed);
    let number = (0..steps).fold(start, |number, _| random::advanced(number));
    Expected::exit(format!("hog: computed {number:#018x}\n"), 0)
}

fn build_hog_for_ever() -> Image {
    program::build(|asm| {
        asm.words("work", &[0]);
        x64!(asm
            ; ->count:
            ; inc QWORD [->work]
            ; jmp ->count
        );
    })
}

fn silent_for_ever() -> Expected {
    Expected {
        console: Vec::new(),
        ending: Ending::Never {
            repeats: Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_of_a_hog_can_be_found_by_its_symbol() {
        let image = build_hog_for_ever();
        assert!(image.symbol("work").expect("its work").size >= 8);
    }
}
