//! The assembler that guests are written with.
//!
//! A guest is a Rust function that takes an [`Asm`] and writes Intel-syntax
//! text into it with [`x64!`](crate::x64). What the text cannot say has a
//! method here: constant data, text for the console, zeroed memory. They are
//! collected and placed behind the code, so that code is only ever code and a
//! disassembler can read it from its first byte to its last.
//!
//! Every global label (`->name:`) becomes a symbol of the finished image, for
//! traces and the debugger; local labels (`name:`, used as `>name` and
//! `<name`) do not.
//!
//! This module knows nothing of any guest, and it never runs what it assembles.

mod dynasm;

use dynasmrt::x64::X64Relocation;
use dynasmrt::{AssemblyOffset, VecAssembler};
pub use dynasmrt::{DynamicLabel, DynasmApi, DynasmError, DynasmLabelApi};

use crate::image::{Access, Image, PAGE_SIZE, Segment, Symbol, SymbolKind};

/// Guest-physical address at which every guest image begins: 1 MiB, the first
/// byte above a PC's low memory and the address Linux is traditionally loaded at.
pub const LOAD_ADDRESS: u64 = 0x10_0000;

/// The general registers in the order of their numbers in instructions: the
/// text `Rq(number)` means the register of this index.
pub const GENERAL_REGISTERS: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15",
];

/// Assembles x86-64 text into an [`Asm`](crate::asm::Asm).
///
/// This is `dynasm!` with the architecture named, since `dynasm!` otherwise
/// assembles for the host, which need not be an x86. The calling crate must
/// depend on `dynasmrt`, to which the macro expands.
///
/// ```
/// use guests::asm::Asm;
///
/// let mut asm = Asm::new();
/// guests::x64!(&mut asm
///     ; ->start:
///     ; mov eax, 42
///     ; jmp ->start
/// );
/// let image = asm.finish().unwrap();
/// assert_eq!(image.symbols[0].name, "start");
/// ```
#[macro_export]
macro_rules! x64 {
    ($asm:expr ; $($text:tt)*) => {{
        #[allow(unused_imports)]
        use $crate::asm::{DynasmApi as _, DynasmLabelApi as _};
        let asm: &mut $crate::asm::Asm = $asm;
        // dynasm converts the number of a register, whatever its type.
        #[allow(clippy::useless_conversion)]
        {
            ::dynasmrt::dynasm!(asm ; .arch x64 ; $($text)*);
        }
    }};
}

/// An assembler for one guest: code first, then data, then zeroed memory.
pub struct Asm {
    base: u64,
    code: VecAssembler<X64Relocation>,
    /// Names of places, with their offsets from `base`, in the order of definition.
    symbols: Vec<(String, usize)>,
    data: Vec<Data>,
    zeroed: Vec<Zeroed>,
}

/// A segment register that can be loaded, with its number in instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SegmentRegister {
    Es = 0,
    Ss = 2,
    Ds = 3,
    Fs = 4,
    Gs = 5,
}

/// A constant, or a variable with its initial value, that waits for its place.
struct Data {
    label: Label,
    alignment: usize,
    bytes: Vec<u8>,
}

/// How the code refers to a piece of data.
enum Label {
    /// By name, as `->name`: a symbol of the image.
    Named(&'static str),
    /// By number, as `=>label`: too small to deserve a name.
    Anonymous(DynamicLabel),
}

/// Memory that is zero when the guest starts and takes no room in the file.
struct Zeroed {
    name: &'static str,
    alignment: usize,
    size: usize,
}

impl Default for Asm {
    fn default() -> Self {
        Self::new()
    }
}

impl Asm {
    /// An empty assembler whose first byte of code will stand at [`LOAD_ADDRESS`].
    pub fn new() -> Self {
        Self::at(LOAD_ADDRESS)
    }

    /// An empty assembler whose first byte of code will stand at `base`.
    ///
    /// # Panics
    ///
    /// If `base` is not the start of a page.
    pub fn at(base: u64) -> Self {
        assert!(
            base.is_multiple_of(PAGE_SIZE),
            "base {base:#x} is not the start of a page"
        );
        Self {
            base,
            code: VecAssembler::new(base as usize),
            symbols: Vec::new(),
            data: Vec::new(),
            zeroed: Vec::new(),
        }
    }

    /// Marks the current place in the code with a symbol that no instruction
    /// refers to. (A place that is referred to takes a label, `->name:`, which
    /// is a symbol by itself.)
    pub fn symbol(&mut self, name: impl Into<String>) {
        self.symbols.push((name.into(), self.code.offset().0));
    }

    /// A new label for a place that a Rust loop makes and that therefore has no
    /// name of its own. Defined by a line `=>label`, used as `=>label`.
    pub fn new_label(&mut self) -> DynamicLabel {
        self.code.new_dynamic_label()
    }

    /// Places `bytes` into writable memory behind the code, at a multiple of
    /// `alignment` bytes. The code refers to them as `[->name]`.
    pub fn data(&mut self, name: &'static str, alignment: usize, bytes: impl Into<Vec<u8>>) {
        self.data.push(Data {
            label: Label::Named(name),
            alignment,
            bytes: bytes.into(),
        });
    }

    /// Places 64-bit words into writable memory behind the code. The code
    /// refers to the first as `[->name]`.
    pub fn words(&mut self, name: &'static str, words: &[u64]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.data(name, 16, bytes);
    }

    /// Places text behind the code and returns the label of its first byte.
    /// No zero ends it: whoever uses it knows its length.
    pub fn string(&mut self, text: &str) -> DynamicLabel {
        let label = self.new_label();
        self.data.push(Data {
            label: Label::Anonymous(label),
            alignment: 1,
            bytes: text.into(),
        });
        label
    }

    /// Reserves `size` bytes of zeroed memory behind the data, at a multiple of
    /// `alignment` bytes. The code refers to them as `[->name]`.
    pub fn zeroed(&mut self, name: &'static str, alignment: usize, size: usize) {
        self.zeroed.push(Zeroed {
            name,
            alignment,
            size,
        });
    }

    /// Emits `mov register, ax`: the text for it is a trap. dynasm 5.1 gives
    /// `mov ds, ax` the opcode of the opposite direction, 8C instead of 8E.
    pub fn load_segment(&mut self, register: SegmentRegister) {
        let operands = 0b11_000_000 | (register as u8) << 3;
        self.extend([0x8e, operands]);
    }

    /// Emits `mov eax, register`, the counterpart of [`load_segment`](Self::load_segment).
    pub fn store_segment(&mut self, register: SegmentRegister) {
        let operands = 0b11_000_000 | (register as u8) << 3;
        self.extend([0x8c, operands]);
    }

    /// Places data and zeroed memory, resolves all labels, and returns the
    /// image. Its entry point is the first byte of the code.
    ///
    /// # Errors
    ///
    /// A label that is used but not defined, or defined twice.
    pub fn finish(mut self) -> Result<Image, DynasmError> {
        let code_end = self.code.offset().0;
        if !(self.data.is_empty() && self.zeroed.is_empty()) {
            self.code.align(PAGE_SIZE as usize, 0);
        }
        let data_start = self.code.offset().0;
        self.place_data();
        let memory_end = self.place_zeroed()?;
        let symbols = self.sized_symbols(code_end, memory_end);

        let mut code = self.code.finalize()?;
        let data = code.split_off(data_start);
        code.truncate(code_end);
        let mut segments = vec![Segment {
            address: self.base,
            memory_size: code.len() as u64,
            bytes: code,
            access: Access::Execute,
        }];
        if memory_end > data_start {
            segments.push(Segment {
                address: self.base + data_start as u64,
                memory_size: (memory_end - data_start) as u64,
                bytes: data,
                access: Access::Write,
            });
        }
        Ok(Image {
            entry: self.base,
            segments,
            symbols,
        })
    }

    /// Appends the data that was collected, and defines its labels.
    fn place_data(&mut self) {
        for item in std::mem::take(&mut self.data) {
            self.align(item.alignment, 0);
            match item.label {
                Label::Named(name) => self.global_label(name),
                Label::Anonymous(label) => self.dynamic_label(label),
            }
            self.extend(item.bytes);
        }
    }

    /// Defines the labels of zeroed memory, which begins where the data ends,
    /// and returns the offset of its end.
    fn place_zeroed(&mut self) -> Result<usize, DynasmError> {
        let mut end = self.code.offset().0;
        for item in std::mem::take(&mut self.zeroed) {
            let start = end.next_multiple_of(item.alignment);
            self.symbols.push((item.name.to_string(), start));
            self.code
                .labels_mut()
                .define_global(item.name, AssemblyOffset(start))?;
            end = start + item.size;
        }
        Ok(end)
    }

    /// The symbols in the order of their addresses. Each reaches to the next
    /// one, the last of the code to the code's end, the last of all to the end
    /// of memory.
    fn sized_symbols(&self, code_end: usize, memory_end: usize) -> Vec<Symbol> {
        let mut places = self.symbols.clone();
        places.sort_by_key(|(_, offset)| *offset);
        let ends: Vec<usize> = places.iter().skip(1).map(|(_, offset)| *offset).collect();
        let symbol = |(index, (name, start)): (usize, (String, usize))| {
            let next = *ends.get(index).unwrap_or(&memory_end);
            let (kind, end) = if start < code_end {
                (SymbolKind::Code, next.min(code_end))
            } else {
                (SymbolKind::Data, next)
            };
            Symbol {
                name,
                address: self.base + start as u64,
                size: (end - start) as u64,
                kind,
            }
        };
        places.into_iter().enumerate().map(symbol).collect()
    }
}

#[cfg(test)]
mod tests;
