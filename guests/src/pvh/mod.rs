//! Makes an image that QEMU boots: the same guest, started by a small stub.
//!
//! Our own loader puts a guest straight into 64-bit mode. A PC does not: QEMU's
//! `-kernel` starts an ELF image by the PVH boot protocol, in 32-bit protected
//! mode without paging, at the address that a Xen note in the file names. The
//! stub here stands at that address, brings the CPU into the state that the
//! [crate's documentation](crate) promises, and jumps to the guest's entry. Not
//! one byte of the guest itself is changed, so a guest that prints the same in
//! QEMU as on our machine shows that our machine is a real one.
//!
//! The stub stands behind the 16 MiB that a guest may call its own. It masks
//! the legacy interrupt controller, which the firmware leaves on. On a PC only
//! one CPU, the boot CPU, runs at first. The stub wakes the others, however many
//! QEMU was given (`-smp`), and they arrive at the guest's entry as vCPUs do:
//! all in the same state, but for the number in RDI and the stack. A CPU wakes
//! in 16-bit mode below 1 MiB, so the stub copies a *trampoline* there.
//!
//! Source: Xen's `docs/misc/pvh.pandoc` for the protocol.

mod code;

use crate::elf;
use crate::image::{Access, Image, PAGE_SIZE, Segment, Symbol, SymbolKind};

/// Guest-physical address of the stub, 16 MiB: the end of the guest's memory.
const STUB: u64 = 0x100_0000;
/// The stub's pages, one for each purpose: code for the two modes, tables.
const PROTECTED_MODE_CODE: u64 = STUB;
const LONG_MODE_CODE: u64 = STUB + PAGE_SIZE;
const PAGE_MAP_LEVEL_4: u64 = STUB + 2 * PAGE_SIZE;
const PAGE_DIRECTORY_POINTERS: u64 = STUB + 3 * PAGE_SIZE;
const DESCRIPTORS: u64 = STUB + 4 * PAGE_SIZE;
const TRAMPOLINE_COPY: u64 = STUB + 5 * PAGE_SIZE;
/// Where the other CPUs start: a page of low memory that no guest uses, and that
/// the firmware does not need any more.
const TRAMPOLINE: u64 = 0x8000;
/// The operand of `lgdt` stands behind the descriptors.
const DESCRIPTORS_POINTER: u64 = DESCRIPTORS + 8 * GDT.len() as u64;

/// The GDT, with Linux's selectors. All segments are flat.
const GDT: [u64; 7] = [
    0,
    0x00cf_9b00_0000_ffff, // 0x08: kernel code, 32 bits
    0x00af_9b00_0000_ffff, // 0x10: kernel code, 64 bits
    0x00cf_9300_0000_ffff, // 0x18: kernel data
    0x00cf_fb00_0000_ffff, // 0x23: user code, 32 bits
    0x00cf_f300_0000_ffff, // 0x2b: user data
    0x00af_fb00_0000_ffff, // 0x33: user code, 64 bits
];
const KERNEL_CODE_32: i32 = 0x08;
const KERNEL_CODE: i32 = 0x10;
const KERNEL_DATA: i32 = 0x18;

/// CR0: protected mode, monitor coprocessor, numeric errors, write protection
/// in kernel mode, paging; bit 4 is always 1.
const CR0: u32 = 1 << 0 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 16 | 1 << 31;
/// CR4: physical address extension, FXSAVE and SSE, SSE exceptions.
const CR4: u32 = 1 << 5 | 1 << 9 | 1 << 10;
/// The EFER register and its bits: long mode, no-execute.
const EFER: u32 = 0xc000_0080;
const EFER_VALUE: u32 = 1 << 8 | 1 << 11;

/// Bits of a page-table entry: present, writable; and "this is a page" on the
/// level of 1 GiB.
const PRESENT_WRITABLE: u64 = 0b11;
const HUGE_PAGE: u64 = 1 << 7;
const GIB: u64 = 1 << 30;

/// An ELF file that holds `image` and the stub, for
/// `qemu-system-x86_64 -cpu max -kernel FILE`. (The CPU must know 1 GiB pages,
/// as `max` does, and QEMU must have more than 16 MiB of memory.)
///
/// # Panics
///
/// If the image reaches beyond the 16 MiB that a guest has.
pub fn bootable(image: &Image) -> Vec<u8> {
    for segment in &image.segments {
        let end = segment.address + segment.memory_size;
        assert!(
            end <= STUB,
            "segment ends at {end:#x}, beyond the guest's memory ({STUB:#x})"
        );
    }
    let stub = stub(image.entry);
    let mut image = image.clone();
    for (name, address) in [
        ("pvh_protected_mode", PROTECTED_MODE_CODE),
        ("pvh_long_mode", LONG_MODE_CODE),
    ] {
        image.symbols.push(Symbol {
            name: name.to_string(),
            address,
            size: PAGE_SIZE,
            kind: SymbolKind::Code,
        });
    }
    image.segments.push(Segment {
        address: STUB,
        memory_size: stub.len() as u64,
        bytes: stub,
        access: Access::Execute,
    });
    elf::write(&image, Some(&entry_note()))
}

/// The stub's pages, one after the other.
fn stub(guest_entry: u64) -> Vec<u8> {
    let mut page_map_level_4 = [0; 512];
    page_map_level_4[0] = PAGE_DIRECTORY_POINTERS | PRESENT_WRITABLE;
    let mut page_directory_pointers = [0; 512];
    for (entry, gib) in page_directory_pointers[..4].iter_mut().zip(0..) {
        *entry = (gib * GIB) | PRESENT_WRITABLE | HUGE_PAGE;
    }
    let mut descriptors = words(&GDT);
    descriptors.extend(descriptors_pointer());

    let pages = [
        code::protected_mode(),
        code::long_mode(guest_entry),
        words(&page_map_level_4),
        words(&page_directory_pointers),
        descriptors,
        code::trampoline(),
    ];
    let mut stub = Vec::new();
    for mut page in pages {
        page.resize(PAGE_SIZE as usize, 0);
        stub.extend(page);
    }
    stub
}

/// The operand of `lgdt`: limit and address.
fn descriptors_pointer() -> Vec<u8> {
    let limit = 8 * GDT.len() as u16 - 1;
    let mut pointer = limit.to_le_bytes().to_vec();
    pointer.extend((DESCRIPTORS as u32).to_le_bytes());
    pointer
}

/// The bytes of 64-bit words.
fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The note that tells where to start in 32-bit mode (`elfnote.h` of Xen):
/// lengths of name and value, type, name, value.
fn entry_note() -> Vec<u8> {
    const XEN_ELFNOTE_PHYS32_ENTRY: u32 = 18;
    let name = *b"Xen\0";
    let value = PROTECTED_MODE_CODE.to_le_bytes();
    let mut note = Vec::new();
    note.extend((name.len() as u32).to_le_bytes());
    note.extend((value.len() as u32).to_le_bytes());
    note.extend(XEN_ELFNOTE_PHYS32_ENTRY.to_le_bytes());
    note.extend(name);
    note.extend(value);
    note
}

#[cfg(test)]
mod tests {
    use object::read::elf::{ElfFile64, ProgramHeader as _};
    use object::{LittleEndian, Object, ObjectSegment};

    use super::*;
    use crate::{program, x64};

    #[test]
    fn the_guest_itself_is_unchanged() {
        let image = crate::v1::guest("compute").unwrap().build(1);
        let file = bootable(&image);
        let parsed: ElfFile64<'_, LittleEndian> = ElfFile64::parse(&*file).unwrap();
        for (segment, wanted) in parsed.segments().zip(&image.segments) {
            assert_eq!(segment.address(), wanted.address);
            assert_eq!(segment.size(), wanted.memory_size);
            assert_eq!(segment.data().unwrap(), wanted.bytes);
        }
        assert_eq!(parsed.entry(), image.entry);
    }

    #[test]
    fn the_note_names_the_stub() {
        let file = bootable(&program::build(|asm| x64!(asm ; hlt)));
        let parsed: ElfFile64<'_, LittleEndian> = ElfFile64::parse(&*file).unwrap();
        let header = &parsed.elf_program_headers()[0];
        let mut notes = header.notes(LittleEndian, &*file).unwrap().unwrap();
        let note = notes.next().unwrap().unwrap();
        assert_eq!(note.name(), b"Xen");
        assert_eq!(note.n_type(LittleEndian), object::elf::NoteType(18));
        assert_eq!(note.desc(), STUB.to_le_bytes());
    }

    #[test]
    fn each_page_of_the_stub_has_room_for_its_content() {
        assert_eq!(stub(0x10_0000).len() as u64, 6 * PAGE_SIZE);
        assert!(code::protected_mode().len() as u64 <= PAGE_SIZE);
        assert!(code::long_mode(0x10_0000).len() as u64 <= PAGE_SIZE);
        assert!(code::trampoline().len() as u64 <= PAGE_SIZE);
    }

    #[test]
    #[should_panic(expected = "beyond the guest's memory (0x1000000)")]
    fn an_image_that_reaches_into_the_stub_is_refused() {
        let too_large = program::build(|asm| asm.zeroed("heap", 4096, 16 << 20));
        bootable(&too_large);
    }
}
