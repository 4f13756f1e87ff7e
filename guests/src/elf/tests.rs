use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{LittleEndian, Object, ObjectSection, ObjectSegment, ObjectSymbol};

use super::*;

/// One byte of code, three bytes of data, zeroed memory behind them.
fn sample() -> Image {
    let symbol = |name: &str, address, size, kind| Symbol {
        name: name.to_string(),
        address,
        size,
        kind,
    };
    Image {
        entry: 0x10_0000,
        segments: vec![
            Segment {
                address: 0x10_0000,
                bytes: vec![0xf4],
                memory_size: 1,
                access: Access::Execute,
            },
            Segment {
                address: 0x10_1000,
                bytes: vec![1, 2, 3],
                memory_size: 0x5000,
                access: Access::Write,
            },
        ],
        symbols: vec![
            symbol("start", 0x10_0000, 1, SymbolKind::Code),
            symbol("numbers", 0x10_1000, 0x1000, SymbolKind::Data),
            symbol("heap", 0x10_2000, 0x4000, SymbolKind::Data),
        ],
    }
}

fn parse(file: &[u8]) -> ElfFile64<'_, LittleEndian> {
    ElfFile64::parse(file).expect("a well-formed ELF64 file")
}

#[test]
fn the_header_names_an_x86_64_executable_and_its_entry() {
    let file = write(&sample(), None);
    let parsed = parse(&file);
    assert_eq!(parsed.architecture(), object::Architecture::X86_64);
    assert_eq!(
        parsed.elf_header().e_type(LittleEndian),
        object::elf::ET_EXEC
    );
    assert_eq!(parsed.entry(), 0x10_0000);
}

#[test]
fn segments_carry_address_size_bytes_and_access() {
    let file = write(&sample(), None);
    let segments: Vec<_> = parse(&file)
        .segments()
        .map(|segment| {
            let flags = segment.elf_program_header().p_flags(LittleEndian);
            let bytes = segment.data().unwrap().to_vec();
            (segment.address(), segment.size(), bytes, flags)
        })
        .collect();
    let expected = [
        (0x10_0000, 1, vec![0xf4], elf::PF_R | elf::PF_X),
        (0x10_1000, 0x5000, vec![1, 2, 3], elf::PF_R | elf::PF_W),
    ];
    assert_eq!(segments, expected);
}

#[test]
fn file_offsets_agree_with_addresses_modulo_the_page() {
    let file = write(&sample(), Some(b"note"));
    for segment in parse(&file).segments() {
        assert_eq!(segment.file_range().0 % PAGE_SIZE, 0);
    }
}

#[test]
fn symbols_carry_address_size_and_section() {
    let file = write(&sample(), None);
    let parsed = parse(&file);
    let symbols: Vec<_> = parsed
        .symbols()
        .map(|symbol| {
            let section = symbol.section_index().expect("a section");
            let section = parsed.section_by_index(section).unwrap();
            let section = section.name().unwrap().to_string();
            (symbol.name().unwrap().to_string(), symbol.size(), section)
        })
        .collect();
    let expected = [
        ("start", 1, ".text"),
        ("numbers", 0x1000, ".data"),
        ("heap", 0x4000, ".bss"),
    ];
    assert_eq!(
        symbols,
        expected.map(|(name, size, section)| (name.to_string(), size, section.to_string()))
    );
}

#[test]
fn a_note_is_its_own_segment() {
    let file = write(&sample(), Some(b"12345678"));
    let headers = parse(&file).elf_program_headers().to_vec();
    let note = &headers[0];
    assert_eq!(note.p_type(LittleEndian), elf::PT_NOTE);
    let offset = note.p_offset(LittleEndian) as usize;
    assert_eq!(&file[offset..offset + 8], b"12345678");
}

#[test]
fn equal_images_give_equal_bytes() {
    assert_eq!(write(&sample(), None), write(&sample(), None));
}
