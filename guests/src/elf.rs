//! Writes an [`Image`] as an ELF64 file.
//!
//! The layout is the plainest there is: file header, program headers, a note
//! (where there is one), the segments at page boundaries, symbol table, string
//! tables, section headers. A loader reads the program headers; the sections
//! (`.text`, `.data`, and `.bss` for memory that is zero at the start) are for
//! disassemblers and debuggers.
//!
//! Source: the System V ABI, chapters 4 and 5; `elf(5)` sums them up.

use object::Endianness;
use object::elf;
use object::write::StringId;
use object::write::elf::{FileHeader, ProgramHeader, SectionHeader, SectionIndex, Sym, Writer};

use crate::image::{Access, Image, PAGE_SIZE, Segment, Symbol, SymbolKind};

/// Alignment of an ELF note in bytes, in 64-bit files too: what every writer
/// and reader of notes does, whatever the ABI says.
const NOTE_ALIGNMENT: u64 = 4;

/// The bytes of an ELF64 file that holds `image` and, if given, one `PT_NOTE`
/// segment with the (already encoded) `note`.
pub(crate) fn write(image: &Image, note: Option<&[u8]>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = Writer::new(Endianness::Little, true, &mut file);
    let layout = Layout::reserve(&mut writer, image, note);
    layout.write(&mut writer, image.entry);
    file
}

/// Where everything stands in the file, decided before anything is written.
struct Layout<'a> {
    note: Option<Placed<'a>>,
    segments: Vec<(Placed<'a>, &'a Segment)>,
    sections: Vec<Section>,
    symbols: Vec<(StringId, &'a Symbol, SectionIndex)>,
}

/// Bytes and their offset in the file.
struct Placed<'a> {
    offset: u64,
    bytes: &'a [u8],
}

/// A section that stands for a segment or for a part of one.
struct Section {
    name: StringId,
    index: SectionIndex,
    header: SectionHeader,
}

impl<'a> Layout<'a> {
    /// The first phase: gives everything its place.
    fn reserve(writer: &mut Writer<'a>, image: &'a Image, note: Option<&'a [u8]>) -> Self {
        writer.reserve_file_header();
        writer.reserve_program_headers((image.segments.len() + note.iter().len()) as u32);
        let note = note.map(|bytes| Placed {
            offset: writer.reserve(bytes.len() as u64, NOTE_ALIGNMENT),
            bytes,
        });
        let mut segments = Vec::new();
        let mut sections = Vec::new();
        for segment in &image.segments {
            let offset = writer.reserve(segment.bytes.len() as u64, PAGE_SIZE);
            sections.extend(sections_of(writer, segment, offset));
            let bytes = &segment.bytes;
            segments.push((Placed { offset, bytes }, segment));
        }
        writer.reserve_null_symbol_index();
        let mut symbols = Vec::new();
        for symbol in &image.symbols {
            let section = section_at(&sections, symbol.address);
            writer.reserve_symbol_index(Some(section));
            symbols.push((writer.add_string(symbol.name.as_bytes()), symbol, section));
        }
        writer.reserve_symtab_section_index();
        writer.reserve_strtab_section_index();
        writer.reserve_shstrtab_section_index();
        writer.reserve_symtab();
        let short = "fewer than 4 GiB of names";
        writer.reserve_strtab().expect(short);
        writer.reserve_shstrtab().expect(short);
        writer.reserve_section_headers();
        Self {
            note,
            segments,
            sections,
            symbols,
        }
    }

    /// The second phase: writes everything, in the order of the first.
    fn write(&self, writer: &mut Writer<'_>, entry: u64) {
        let header = FileHeader {
            os_abi: elf::ELFOSABI_NONE,
            abi_version: 0,
            e_type: elf::ET_EXEC,
            e_machine: elf::EM_X86_64,
            e_entry: entry,
            e_flags: elf::FileFlags(0),
        };
        writer
            .write_file_header(&header)
            .expect("a table of fewer than 65,280 headers");
        self.write_program_headers(writer);
        let contents = self.segments.iter().map(|(placed, _)| placed);
        for placed in self.note.iter().chain(contents) {
            writer.pad_until(placed.offset);
            writer.write(placed.bytes);
        }
        self.write_symbols(writer);
        writer.write_strtab();
        writer.write_shstrtab();
        self.write_section_headers(writer);
    }

    fn write_program_headers(&self, writer: &mut Writer<'_>) {
        writer.write_align_program_headers();
        if let Some(note) = &self.note {
            writer.write_program_header(&ProgramHeader {
                p_type: elf::PT_NOTE,
                p_flags: elf::PF_R,
                p_offset: note.offset,
                p_vaddr: 0,
                p_paddr: 0,
                p_filesz: note.bytes.len() as u64,
                p_memsz: note.bytes.len() as u64,
                p_align: NOTE_ALIGNMENT,
            });
        }
        for (placed, segment) in &self.segments {
            let access = match segment.access {
                Access::Execute => elf::PF_X,
                Access::Write => elf::PF_W,
            };
            writer.write_program_header(&ProgramHeader {
                p_type: elf::PT_LOAD,
                p_flags: elf::PF_R | access,
                p_offset: placed.offset,
                p_vaddr: segment.address,
                p_paddr: segment.address,
                p_filesz: placed.bytes.len() as u64,
                p_memsz: segment.memory_size,
                p_align: PAGE_SIZE,
            });
        }
    }

    fn write_symbols(&self, writer: &mut Writer<'_>) {
        writer.write_null_symbol();
        for (name, symbol, section) in &self.symbols {
            let kind = match symbol.kind {
                SymbolKind::Code => elf::STT_FUNC,
                SymbolKind::Data => elf::STT_OBJECT,
            };
            writer.write_symbol(&Sym {
                section: Some(section.0),
                st_name: writer.string_offset(Some(*name)),
                st_info: elf::SymbolInfo::new(elf::STB_GLOBAL, kind),
                st_other: elf::SymbolOther(0),
                st_shndx: elf::SHN_UNDEF, // replaced by `section`
                st_value: symbol.address,
                st_size: symbol.size,
            });
        }
    }

    fn write_section_headers(&self, writer: &mut Writer<'_>) {
        /// All symbols are global; only the null symbol counts as local.
        const LOCAL_SYMBOLS: u32 = 1;
        writer.write_null_section_header();
        for section in &self.sections {
            writer.write_section_header(&SectionHeader {
                sh_name: writer.section_name_offset(Some(section.name)),
                ..section.header.clone()
            });
        }
        writer.write_symtab_section_header(LOCAL_SYMBOLS);
        writer.write_strtab_section_header();
        writer.write_shstrtab_section_header();
    }
}

/// The sections of a segment whose bytes stand at `offset` in the file: one for
/// its bytes, one for the zeroed memory behind them.
fn sections_of(writer: &mut Writer<'_>, segment: &Segment, offset: u64) -> Vec<Section> {
    let file_size = segment.bytes.len() as u64;
    let (name, access): (&[u8], _) = match segment.access {
        Access::Execute => (b".text", elf::SHF_EXECINSTR),
        Access::Write => (b".data", elf::SHF_WRITE),
    };
    let header = SectionHeader {
        sh_name: 0, // known only when all names are
        sh_type: elf::SHT_PROGBITS,
        sh_flags: elf::SHF_ALLOC | access,
        sh_addr: segment.address,
        sh_offset: offset,
        sh_size: file_size,
        sh_link: 0,
        sh_info: 0,
        sh_addralign: 1,
        sh_entsize: 0,
    };
    let zeroed = SectionHeader {
        sh_type: elf::SHT_NOBITS,
        sh_addr: segment.address + file_size,
        sh_offset: offset + file_size,
        sh_size: segment.memory_size - file_size,
        ..header.clone()
    };
    [(name, header), (b".bss", zeroed)]
        .into_iter()
        .filter(|(_, header)| header.sh_size > 0)
        .map(|(name, header)| Section {
            name: writer.add_section_name(name),
            index: writer.reserve_section_index(),
            header,
        })
        .collect()
}

/// The section that holds `address`. A symbol may also stand at the very end of
/// one, where nothing follows: then it belongs to that section.
fn section_at(sections: &[Section], address: u64) -> SectionIndex {
    sections
        .iter()
        .rev()
        .find(|section| section.header.sh_addr <= address)
        .map_or(SectionIndex(0), |section| section.index)
}

#[cfg(test)]
mod tests;
