//! What the `dynasm!` macro expects of an assembler.
//!
//! Everything is handed on to dynasm's own assembler; the one thing added is
//! that a global label is also noted as a symbol.

use dynasmrt::x64::X64Relocation;
use dynasmrt::{AssemblyOffset, DynamicLabel, DynasmApi, DynasmLabelApi};

use super::Asm;

impl Extend<u8> for Asm {
    fn extend<T: IntoIterator<Item = u8>>(&mut self, bytes: T) {
        self.code.extend(bytes);
    }
}

impl<'a> Extend<&'a u8> for Asm {
    fn extend<T: IntoIterator<Item = &'a u8>>(&mut self, bytes: T) {
        self.code.extend(bytes);
    }
}

impl DynasmApi for Asm {
    fn offset(&self) -> AssemblyOffset {
        self.code.offset()
    }

    fn push(&mut self, byte: u8) {
        self.code.push(byte);
    }

    fn align(&mut self, alignment: usize, with: u8) {
        self.code.align(alignment, with);
    }
}

impl DynasmLabelApi for Asm {
    type Relocation = X64Relocation;

    fn local_label(&mut self, name: &'static str) {
        self.code.local_label(name);
    }

    fn global_label(&mut self, name: &'static str) {
        self.symbol(name);
        self.code.global_label(name);
    }

    fn dynamic_label(&mut self, id: DynamicLabel) {
        self.code.dynamic_label(id);
    }

    fn forward_relocation(
        &mut self,
        name: &'static str,
        target_offset: isize,
        field_offset: u8,
        ref_offset: u8,
        kind: X64Relocation,
    ) {
        self.code
            .forward_relocation(name, target_offset, field_offset, ref_offset, kind);
    }

    fn backward_relocation(
        &mut self,
        name: &'static str,
        target_offset: isize,
        field_offset: u8,
        ref_offset: u8,
        kind: X64Relocation,
    ) {
        self.code
            .backward_relocation(name, target_offset, field_offset, ref_offset, kind);
    }

    fn global_relocation(
        &mut self,
        name: &'static str,
        target_offset: isize,
        field_offset: u8,
        ref_offset: u8,
        kind: X64Relocation,
    ) {
        self.code
            .global_relocation(name, target_offset, field_offset, ref_offset, kind);
    }

    fn dynamic_relocation(
        &mut self,
        id: DynamicLabel,
        target_offset: isize,
        field_offset: u8,
        ref_offset: u8,
        kind: X64Relocation,
    ) {
        self.code
            .dynamic_relocation(id, target_offset, field_offset, ref_offset, kind);
    }

    fn value_relocation(
        &mut self,
        value: usize,
        field_offset: u8,
        ref_offset: u8,
        kind: X64Relocation,
    ) {
        self.code
            .value_relocation(value, field_offset, ref_offset, kind);
    }
}
