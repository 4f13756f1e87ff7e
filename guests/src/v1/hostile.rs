//! Guests that a hypervisor has to survive.
//!
//! Each announces itself with one line and then does its deed. The fatal
//! instruction stands at the symbol `deed`, so that the explanation of a
//! guest's death can be checked; behind it the guest says that it is still
//! alive and exits with [`SURVIVED`], so that a machine which passes over the
//! instruction is found out.

use crate::asm::Asm;
use crate::catalogue::{Cause, Ending, Expected, Guest, SURVIVED};
use crate::image::Image;
use crate::random::Random;
use crate::{console, program, x64};

/// The catalogue's entries.
pub(super) const GUESTS: [Guest; 9] = [
    Guest {
        name: "endless",
        about: "says one line, then loops for ever, so that only the host's timer gets hold of it",
        vcpus: 1,
        build: |_| deed("endless", |asm| x64!(asm ; ->deed: ; jmp ->deed)),
        expected: |_| never("endless", ""),
    },
    Guest {
        name: "flood",
        about: "prints the same line for ever",
        vcpus: 1,
        build: flood,
        expected: |seed| never("flood", &flood_line(seed)),
    },
    Guest {
        name: "wild-jump",
        about: "jumps to an address where there is no memory",
        vcpus: 1,
        build: wild_jump,
        expected: |seed| death("wild-jump", Cause::JumpOutsideMemory(outside_memory(seed))),
    },
    Guest {
        name: "wild-store",
        about: "stores to an address where there is neither memory nor a device",
        vcpus: 1,
        build: wild_store,
        expected: |seed| {
            death(
                "wild-store",
                Cause::StoreOutsideMemory(outside_memory(seed)),
            )
        },
    },
    Guest {
        name: "non-canonical",
        about: "loads from an address that no page table can map",
        vcpus: 1,
        build: load_non_canonical,
        expected: |seed| {
            death(
                "non-canonical",
                Cause::NonCanonicalAddress(non_canonical(seed)),
            )
        },
    },
    Guest {
        name: "undefined",
        about: "executes ud2, the instruction that is undefined for ever",
        vcpus: 1,
        build: |_| deed("undefined", |asm| x64!(asm ; ->deed: ; ud2)),
        expected: |_| death("undefined", Cause::UndefinedInstruction),
    },
    Guest {
        name: "divide",
        about: "divides by zero",
        vcpus: 1,
        build: divide,
        expected: |_| death("divide", Cause::DivideByZero),
    },
    Guest {
        name: "privileged",
        about: "executes a system instruction, which version 1 does not emulate",
        vcpus: 1,
        build: privileged,
        expected: |seed| death("privileged", Cause::Privileged(system_instruction(seed))),
    },
    Guest {
        name: "unimplemented",
        about: "executes an AVX instruction, which the software CPU does not have",
        vcpus: 1,
        build: |_| {
            deed(
                "unimplemented",
                |asm| x64!(asm ; ->deed: ; vaddps xmm0, xmm1, xmm2),
            )
        },
        expected: |_| death("unimplemented", Cause::Unimplemented("vaddps")),
    },
];

/// The line with which a guest announces itself.
fn announcement(name: &str) -> String {
    format!("{name}: about to do it\n")
}

/// A guest that announces itself and does what `body` emits.
fn deed(name: &str, body: impl FnOnce(&mut Asm)) -> Image {
    program::build(|asm| {
        console::text(asm, &announcement(name));
        body(asm);
        console::text(asm, &format!("{name}: still alive\n"));
        program::exit(asm, SURVIVED);
    })
}

/// What is expected of a guest that dies of its deed.
fn death(name: &str, cause: Cause) -> Expected {
    Expected {
        console: announcement(name).into_bytes(),
        ending: Ending::Death(cause),
    }
}

/// What is expected of a guest that has no end.
fn never(name: &str, repeats: &str) -> Expected {
    Expected {
        console: announcement(name).into_bytes(),
        ending: Ending::Never {
            repeats: repeats.into(),
        },
    }
}

/// The line of `flood`, by which runs of different seeds can be told apart.
fn flood_line(seed: u64) -> String {
    format!("flood {:#018x}\n", Random::new(seed).next())
}

fn flood(seed: u64) -> Image {
    deed("flood", |asm| {
        x64!(asm ; ->deed:);
        console::text(asm, &flood_line(seed));
        x64!(asm ; jmp ->deed);
    })
}

/// An address between 1 and 2 GiB: mapped by the boot page tables, beyond the
/// machine's memory, and below where a PC's devices begin.
fn outside_memory(seed: u64) -> u64 {
    Random::new(seed).between(0x4000_0000, 0x8000_0000) & !0xf
}

fn wild_jump(seed: u64) -> Image {
    deed("wild-jump", |asm| {
        x64!(asm
            ; mov rax, QWORD outside_memory(seed) as i64
            ; ->deed:
            ; jmp rax
        );
    })
}

fn wild_store(seed: u64) -> Image {
    deed("wild-store", |asm| {
        x64!(asm
            ; mov rbx, QWORD outside_memory(seed) as i64
            ; mov eax, 0x600d_f00d
            ; ->deed:
            ; mov [rbx], eax
        );
    })
}

/// An address whose bit 47 is set while the bits above are not.
fn non_canonical(seed: u64) -> u64 {
    1 << 47 | Random::new(seed).next() >> 17
}

fn load_non_canonical(seed: u64) -> Image {
    deed("non-canonical", |asm| {
        x64!(asm
            ; mov rbx, QWORD non_canonical(seed) as i64
            ; ->deed:
            ; mov al, [rbx]
        );
    })
}

fn divide(seed: u64) -> Image {
    deed("divide", |asm| {
        x64!(asm
            ; mov eax, Random::new(seed).next() as i32
            ; xor edx, edx
            ; xor ecx, ecx
            ; ->deed:
            ; div ecx
        );
    })
}

/// Mnemonic of the system instruction that the seed picks.
fn system_instruction(seed: u64) -> &'static str {
    let mnemonics = ["cli", "lidt", "mov", "wrmsr"];
    mnemonics[Random::new(seed).between(0, 4) as usize]
}

/// All of them are harmless on a real CPU, where the guest survives.
fn privileged(seed: u64) -> Image {
    /// The register that holds the selectors for `syscall`.
    const STAR: i32 = 0xc000_0081_u32 as i32;
    deed("privileged", |asm| match system_instruction(seed) {
        "cli" => x64!(asm ; ->deed: ; cli),
        "lidt" => x64!(asm ; push 0 ; push 0 ; ->deed: ; lidt [rsp] ; add rsp, 16),
        "mov" => x64!(asm ; ->deed: ; mov rax, cr3),
        _ => x64!(asm ; mov ecx, STAR ; xor eax, eax ; xor edx, edx ; ->deed: ; wrmsr),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_guest_has_its_deed_marked() {
        for guest in GUESTS {
            let image = guest.build(1);
            assert!(image.symbol("deed").is_some(), "{} has no deed", guest.name);
        }
    }

    #[test]
    fn addresses_outside_memory_lie_where_no_pc_has_memory_or_devices() {
        for seed in 0..1000 {
            assert!((0x4000_0000..0x8000_0000).contains(&outside_memory(seed)));
        }
    }

    #[test]
    fn non_canonical_addresses_have_unequal_upper_bits() {
        for seed in 0..1000 {
            assert_eq!(non_canonical(seed) >> 47, 1);
        }
    }

    #[test]
    fn seeds_pick_every_system_instruction() {
        for mnemonic in ["cli", "lidt", "mov", "wrmsr"] {
            assert!((0..100).any(|seed| system_instruction(seed) == mnemonic));
        }
    }
}
