use super::*;

/// A guest with code, data and zeroed memory that refers to all of them.
fn sample() -> Image {
    let mut asm = Asm::new();
    asm.words("numbers", &[1, 2]);
    asm.zeroed("buffer", 4096, 100);
    x64!(&mut asm
        ; ->start:
        ; lea rax, [->numbers]
        ; ->second:
        ; lea rbx, [->buffer + 8]
        ; ret
    );
    asm.finish().unwrap()
}

#[test]
fn data_begins_on_the_page_behind_the_code() {
    let image = sample();
    assert_eq!(image.segments[0].address, LOAD_ADDRESS);
    assert_eq!(image.segments[1].address, LOAD_ADDRESS + PAGE_SIZE);
    assert_eq!(image.segments[1].bytes[..2], [1, 0]);
}

#[test]
fn zeroed_memory_takes_no_bytes() {
    let data = &sample().segments[1];
    assert_eq!(data.bytes.len(), 16);
    assert_eq!(data.memory_size, 4096 + 100);
}

#[test]
fn code_refers_to_data_and_zeroed_memory_relative_to_rip() {
    let code = &sample().segments[0].bytes;
    let displacement = |at: usize| i32::from_le_bytes(code[at..at + 4].try_into().unwrap());
    // lea is seven bytes long: three of opcode, four of displacement.
    assert_eq!(displacement(3), 0x1000 - 7);
    assert_eq!(displacement(10), 0x2000 + 8 - 14);
}

#[test]
fn labels_become_symbols_that_reach_to_the_next() {
    let symbols: Vec<_> = sample()
        .symbols
        .into_iter()
        .map(|symbol| (symbol.name, symbol.address, symbol.size, symbol.kind))
        .collect();
    let expected = [
        ("start", 0x10_0000, 7, SymbolKind::Code),
        ("second", 0x10_0007, 8, SymbolKind::Code),
        ("numbers", 0x10_1000, 0x1000, SymbolKind::Data),
        ("buffer", 0x10_2000, 100, SymbolKind::Data),
    ];
    assert_eq!(
        symbols,
        expected.map(|(name, address, size, kind)| (name.to_string(), address, size, kind))
    );
}

#[test]
fn code_alone_makes_one_segment() {
    let mut asm = Asm::new();
    x64!(&mut asm ; hlt);
    let image = asm.finish().unwrap();
    assert_eq!(image.segments.len(), 1);
    assert_eq!(image.segments[0].bytes, [0xf4]);
}

#[test]
fn segment_registers_are_loaded_and_not_stored() {
    use SegmentRegister::{Ds, Es, Fs, Gs, Ss};
    let mut asm = Asm::new();
    for register in [Ds, Es, Ss, Fs, Gs] {
        asm.load_segment(register);
    }
    let code = asm.finish().unwrap().segments.swap_remove(0).bytes;
    let text: Vec<String> = iced_x86::Decoder::new(64, &code, 0)
        .into_iter()
        .map(|instruction| instruction.to_string())
        .collect();
    let registers = ["ds", "es", "ss", "fs", "gs"];
    assert_eq!(text, registers.map(|register| format!("mov {register},ax")));
}

#[test]
fn segment_registers_are_stored_into_eax() {
    use SegmentRegister::{Ds, Es, Fs, Gs, Ss};
    let mut asm = Asm::new();
    for register in [Ds, Es, Ss, Fs, Gs] {
        asm.store_segment(register);
    }
    let code = asm.finish().unwrap().segments.swap_remove(0).bytes;
    let text: Vec<String> = iced_x86::Decoder::new(64, &code, 0)
        .into_iter()
        .map(|instruction| instruction.to_string())
        .collect();
    let registers = ["ds", "es", "ss", "fs", "gs"];
    assert_eq!(
        text,
        registers.map(|register| format!("mov eax,{register}"))
    );
}

#[test]
fn an_undefined_label_is_an_error() {
    let mut asm = Asm::new();
    x64!(&mut asm ; jmp ->nowhere);
    assert!(asm.finish().unwrap_err().to_string().contains("nowhere"));
}

#[test]
fn a_label_defined_twice_is_an_error() {
    let mut asm = Asm::new();
    x64!(&mut asm ; ->here: ; ->here: ; hlt);
    assert!(asm.finish().unwrap_err().to_string().contains("here"));
}
