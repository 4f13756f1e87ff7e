//! Good images are loaded, bad ones are refused by what is wrong with them.

use super::*;
use object::Endianness;
use object::write::elf as write;
use proptest::prelude::*;

/// Where an ELF64 header and the first program header keep their fields.
mod field {
    pub const CLASS: usize = 4;
    pub const DATA: usize = 5;
    pub const VERSION: usize = 6;
    pub const TYPE: usize = 16;
    pub const MACHINE: usize = 18;
    pub const ENTRY: usize = 24;
    pub const PROGRAM_HEADERS: usize = 32;
    pub const PROGRAM_HEADER_COUNT: usize = 56;
    pub const FILE_SIZE: usize = 64 + 32;
}

/// An image of segments (address, bytes in the file, bytes in memory), entered
/// at its first, with a symbol `start` there and `data` at its second.
fn build(segments: &[(u64, &[u8], u64)]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = write::Writer::new(Endianness::Little, true, &mut file);
    writer.reserve_file_header();
    writer.reserve_program_headers(segments.len() as u32);
    let offsets: Vec<_> = segments
        .iter()
        .map(|(_, bytes, _)| writer.reserve(bytes.len() as u64, 16))
        .collect();
    writer.reserve_null_symbol_index();
    let names: Vec<_> = ["start", "data"]
        .iter()
        .zip(segments)
        .map(|(name, (address, ..))| {
            writer.reserve_symbol_index(None);
            (writer.add_string(name.as_bytes()), *address)
        })
        .collect();
    writer.reserve_symtab_section_index();
    writer.reserve_strtab_section_index();
    writer.reserve_shstrtab_section_index();
    writer.reserve_symtab();
    writer.reserve_strtab().unwrap();
    writer.reserve_shstrtab().unwrap();
    writer.reserve_section_headers();

    let header = write::FileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_EXEC,
        e_machine: elf::EM_X86_64,
        e_entry: segments.first().map_or(0, |segment| segment.0),
        e_flags: elf::FileFlags(0),
    };
    writer.write_file_header(&header).unwrap();
    writer.write_align_program_headers();
    for ((address, bytes, size), offset) in segments.iter().zip(&offsets) {
        writer.write_program_header(&write::ProgramHeader {
            p_type: elf::PT_LOAD,
            p_flags: elf::PF_R | elf::PF_X,
            p_offset: *offset,
            p_vaddr: *address,
            p_paddr: *address,
            p_filesz: bytes.len() as u64,
            p_memsz: *size,
            p_align: 16,
        });
    }
    for ((_, bytes, _), offset) in segments.iter().zip(&offsets) {
        writer.pad_until(*offset);
        writer.write(bytes);
    }
    writer.write_null_symbol();
    for (name, address) in names {
        writer.write_symbol(&write::Sym {
            section: None,
            st_name: writer.string_offset(Some(name)),
            st_info: elf::SymbolInfo::new(elf::STB_GLOBAL, elf::STT_FUNC),
            st_other: elf::SymbolOther(0),
            st_shndx: elf::SHN_ABS,
            st_value: address,
            st_size: 0,
        });
    }
    writer.write_strtab();
    writer.write_shstrtab();
    writer.write_null_section_header();
    writer.write_symtab_section_header(1);
    writer.write_strtab_section_header();
    writer.write_shstrtab_section_header();
    file
}

/// Two segments: code at 1 MiB, four bytes of data and four of zeroes above.
fn good() -> Vec<u8> {
    build(&[(0x10_0000, b"\x90\xf4", 2), (0x10_2000, b"data", 8)])
}

/// The error for the good image with `bytes` put at `offset`.
fn refused(offset: usize, bytes: &[u8]) -> String {
    let mut file = good();
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
    Image::parse(&file).unwrap_err().to_string()
}

#[test]
fn a_good_image_is_loaded_with_its_zeroes_entry_and_symbols() {
    let image = Image::parse(&good()).unwrap();
    let memory = Memory::new(2 << 20).unwrap();
    image.load(&memory).unwrap();
    let mut bytes = [0; 8];
    memory.read(0x10_2000, &mut bytes).unwrap();
    assert_eq!(&bytes, b"data\0\0\0\0");
    assert_eq!(image.entry, 0x10_0000);
    assert_eq!(image.symbols.address_of("data"), Some(0x10_2000));
    assert_eq!(image.symbols.place(0x10_0001).to_string(), "start+0x01");
}

#[test]
fn an_image_at_an_odd_host_address_is_read_too() {
    let mut shifted = vec![0];
    shifted.extend(good());
    assert!(Image::parse(&shifted[1..]).is_ok());
}

#[test]
fn what_the_file_header_has_wrong_is_named_with_what_is_right() {
    let cases: [(usize, &[u8], &str); 7] = [
        (0, b"#!/b", "is not an ELF file"),
        (field::CLASS, &[1], "not 64-bit"),
        (field::DATA, &[2], "big-endian: must be little-endian"),
        (field::VERSION, &[9], "version 9: must be 1"),
        (
            field::MACHINE,
            &[183, 0],
            "machine is aarch64, must be x86-64",
        ),
        (field::MACHINE, &[0x34, 0x12], "machine is number 4660"),
        (field::TYPE, &[3, 0], "position-independent"),
    ];
    for (offset, bytes, expected) in cases {
        let error = refused(offset, bytes);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let file = good();
    for length in 0..file.len() {
        let error = Image::parse(&file[..length]).unwrap_err();
        assert!(!error.to_string().is_empty());
    }
    assert_eq!(
        Image::parse(&file[..20]).unwrap_err(),
        ImageError::Truncated(20)
    );
}

#[test]
fn tables_outside_of_the_file_are_refused() {
    let error = refused(field::PROGRAM_HEADERS, &0xffff_0000_u64.to_le_bytes());
    assert!(error.contains("program header table"), "{error}");
}

#[test]
fn an_image_that_loads_nothing_is_refused() {
    let error = refused(field::PROGRAM_HEADER_COUNT, &[0, 0]);
    assert!(error.contains("no loadable segment"), "{error}");
}

#[test]
fn a_segment_larger_in_the_file_than_in_memory_is_refused_with_both_sizes() {
    let error = Image::parse(&build(&[(0x10_0000, b"long", 2)])).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("0x4 bytes in the file") && error.contains("0x2 bytes in memory"));
}

#[test]
fn a_segment_whose_bytes_are_not_in_the_file_is_refused() {
    let mut file = build(&[(0x10_0000, b"code", 0x10_0000)]);
    file[field::FILE_SIZE..field::FILE_SIZE + 4].copy_from_slice(&0x8000_u32.to_le_bytes());
    let error = Image::parse(&file).unwrap_err().to_string();
    assert!(
        error.contains("0x8000 bytes of segment 0x100000"),
        "{error}"
    );
}

#[test]
fn a_segment_whose_physical_address_is_another_is_refused_with_both() {
    const PHYSICAL_ADDRESS: usize = 64 + 24;
    let error = refused(PHYSICAL_ADDRESS, &0x50_0000_u64.to_le_bytes());
    assert!(error.contains("virtual address 0x100000") && error.contains("0x500000"));
}

#[test]
fn a_segment_beyond_the_last_address_is_refused() {
    let error = Image::parse(&build(&[(u64::MAX - 1, b"x", 0x10)])).unwrap_err();
    assert!(matches!(error, ImageError::AddressWraps { .. }), "{error}");
}

#[test]
fn a_segment_in_the_boot_area_is_refused() {
    let error = Image::parse(&build(&[(0xf_fff0, b"x", 0x20)])).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("0xffff0..0x100010") && error.contains("boot structures"));
}

#[test]
fn overlapping_segments_are_refused_with_both_ranges() {
    let error = Image::parse(&build(&[(0x10_1000, b"x", 1), (0x10_0000, b"y", 0x1001)]));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("0x100000..0x101001 and 0x101000..0x101001"),
        "{error}"
    );
}

#[test]
fn segments_that_touch_do_not_overlap() {
    let image = build(&[(0x10_0000, b"x", 0x1000), (0x10_1000, b"y", 1)]);
    assert!(Image::parse(&image).is_ok());
}

#[test]
fn an_entry_outside_of_every_segment_is_refused_by_its_address() {
    let error = refused(field::ENTRY, &0x10_0002_u64.to_le_bytes());
    assert!(error.contains("entry 0x100002"), "{error}");
}

#[test]
fn a_segment_outside_guest_memory_is_refused_with_the_memory_size_and_nothing_is_written() {
    let file = build(&[(0x10_0000, b"code", 4), (0x1f_fff0, b"x", 0x11)]);
    let memory = Memory::new(2 << 20).unwrap();
    let error = Image::parse(&file).unwrap().load(&memory).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("0x1ffff0..0x200001"), "{error}");
    assert!(error.contains("memory of 0x200000 bytes"), "{error}");
    assert_eq!(memory.load(0x10_0000, crate::Size::Dword), Some(0));
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _any_answer = Image::parse(&bytes);
    }

    #[test]
    fn a_damaged_image_is_refused_or_loads_without_harm(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut file = good();
        for (place, byte) in damage {
            let place = place.index(file.len());
            file[place] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        if let Ok(image) = Image::parse(&file) {
            let memory = Memory::new(2 << 20).unwrap();
            let _may_not_fit = image.load(&memory);
            prop_assert!(image.segments.iter().any(|one| one.range.contains(&image.entry)));
            prop_assert_eq!(memory.load(boot::IMAGE_START - 8, crate::Size::Qword), Some(0));
        }
    }
}
