//! What every guest has: the symbol `start` at its entry, the routines of the
//! console, and a way to end.

use crate::asm::Asm;
use crate::console;
use crate::image::Image;
use crate::x64;

/// The exit port. A write ends the machine, the value being the guest's exit
/// code; 0 is success. (QEMU's `isa-debug-exit` stands at the same port and
/// ends QEMU with twice the value plus one.)
pub const EXIT_PORT: u8 = 0xf4;

/// The yield port. A vCPU that waits for a lock writes the number of the vCPU
/// that holds it, a byte: a hint to run that one. On a PC nobody is there, and
/// the hint does no harm.
pub const YIELD_PORT: u8 = 0xe0;

/// Top of the first vCPU's stack, its RSP at entry: below the area at the end of
/// low memory that a PC's firmware keeps for itself. The stacks of further
/// vCPUs stand below it, [`STACK_SIZE`] bytes each.
pub const STACK_TOP: u64 = 0x9_0000;
/// Size of each vCPU's stack in bytes.
pub const STACK_SIZE: u64 = 0x4000;

/// Builds a guest. `body` writes its code, of which the first instruction is
/// the entry point; the routines it may call are placed behind.
///
/// # Panics
///
/// If the text does not assemble (a label missing or defined twice): a mistake
/// in the guest, which its first test shows.
pub fn build(body: impl FnOnce(&mut Asm)) -> Image {
    let mut asm = Asm::new();
    asm.symbol("start");
    body(&mut asm);
    console::library(&mut asm);
    exit_routine(&mut asm);
    match asm.finish() {
        Ok(image) => image,
        Err(error) => panic!("guest does not assemble: {error}"),
    }
}

/// Ends the guest with this exit code.
pub fn exit(asm: &mut Asm, code: u8) {
    x64!(asm
        ; mov eax, i32::from(code)
        ; jmp ->exit
    );
}

/// `exit`: ends the guest with the exit code in AL. `halted`, behind it, is
/// where a guest stays if a machine has no exit port.
fn exit_routine(asm: &mut Asm) {
    x64!(asm
        ; ->exit:
        ; out EXIT_PORT as i8, al
        ; ->halted:
        ; hlt
        ; jmp ->halted
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_is_the_first_instruction_of_the_body() {
        let image = build(|asm| x64!(asm ; ud2));
        assert_eq!(image.entry, image.symbol("start").unwrap().address);
        assert_eq!(image.segments[0].bytes[..2], [0x0f, 0x0b]);
    }

    #[test]
    #[should_panic(expected = "guest does not assemble: Unknown label: 'label ->nowhere'")]
    fn a_mistake_in_the_text_is_named() {
        build(|asm| x64!(asm ; jmp ->nowhere));
    }
}
