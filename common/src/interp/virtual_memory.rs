//! Memory as the running code sees it: translation, faults, page borders, and
//! what happens where there is no RAM.

use super::state::State;
use crate::context::Pending;
use crate::memory::Word;
use crate::{Access, Fault, Mmio, MmioOperation, PAGE_SIZE, Size, Trap, translate};

impl State {
    /// Reads RAM. `stack` says whose fault a non-canonical address is.
    #[inline(always)]
    pub fn read<T: Word>(&mut self, address: u64, stack: bool) -> Result<u64, Trap> {
        match self.tlb.read::<T>(address) {
            Some(value) => Ok(value.wide()),
            None => self.read_slowly(address, T::SIZE, stack),
        }
    }

    /// Writes RAM. If this fails, nothing has been written.
    #[inline(always)]
    pub fn write<T: Word>(&mut self, address: u64, value: u64, stack: bool) -> Result<(), Trap> {
        match self.tlb.slot::<T>(address) {
            Some(slot) => {
                if !slot.store(T::of(value)) {
                    self.note_store(address, T::BYTES as u64);
                }
                Ok(())
            }
            None => self.write_slowly(address, T::SIZE, value, stack),
        }
    }

    /// Reads any number of bytes of RAM.
    pub fn read_bytes(&mut self, address: u64, bytes: &mut [u8], stack: bool) -> Result<(), Trap> {
        let length = bytes.len() as u64;
        for (gpa, part) in self.pieces(address, length, Access::Read, stack)? {
            let part = &mut bytes[part];
            let size = Size::from_bytes(part.len() as u64).unwrap_or(Size::Qword);
            self.context
                .space
                .memory
                .read(gpa, part)
                .ok_or_else(|| unsupported(gpa, size))?;
        }
        Ok(())
    }

    /// Writes any number of bytes of RAM. If this fails, nothing has been
    /// written.
    pub fn write_bytes(&mut self, address: u64, bytes: &[u8], stack: bool) -> Result<(), Trap> {
        let length = bytes.len() as u64;
        let pieces = self.pieces(address, length, Access::Write, stack)?;
        for (gpa, part) in &pieces {
            let length = part.len() as u64;
            if !self.context.space.memory.contains(*gpa, length) {
                let size = Size::from_bytes(length).unwrap_or(Size::Qword);
                return Err(unsupported(*gpa, size));
            }
        }
        let before = self.context.space.memory.epoch();
        for (gpa, part) in pieces {
            self.context.space.memory.write(gpa, &bytes[part]);
        }
        self.must_leave |= self.context.space.memory.epoch() != before;
        Ok(())
    }

    /// Replaces RAM by what `f` makes of it, atomically against other CPUs, and
    /// returns what was there: what `lock` asks for. `f` may run several times.
    /// (Across a page border only each part for itself is atomic.)
    pub fn locked<T: Word>(
        &mut self,
        address: u64,
        stack: bool,
        mut f: impl FnMut(u64) -> u64,
    ) -> Result<u64, Trap> {
        if crosses(address, T::BYTES as u64) {
            let mut bytes = [0; 8];
            self.check_write(address, T::BYTES as u64, stack)?;
            self.read_bytes(address, &mut bytes[..T::BYTES], stack)?;
            let old = u64::from_le_bytes(bytes);
            self.write_bytes(address, &f(old).to_le_bytes()[..T::BYTES], stack)?;
            return Ok(old);
        }
        let gpa = self.gpa(address, Access::Write, stack)?;
        let memory = &self.context.space.memory;
        let before = memory.epoch();
        let old = memory
            .update(gpa, T::SIZE, f)
            .ok_or_else(|| unsupported(gpa, T::SIZE))?;
        self.must_leave |= memory.epoch() != before;
        Ok(old)
    }

    /// As [`locked`](State::locked), for sixteen bytes, aligned to sixteen.
    pub fn locked_wide(
        &mut self,
        address: u64,
        stack: bool,
        f: impl FnOnce(u128) -> u128,
    ) -> Result<u128, Trap> {
        if !address.is_multiple_of(16) {
            return Err(Trap::Fault(Fault::GeneralProtection(0)));
        }
        let gpa = self.gpa(address, Access::Write, stack)?;
        let memory = &self.context.space.memory;
        let before = memory.epoch();
        let old = memory
            .update_wide(gpa, f)
            .ok_or_else(|| unsupported(gpa, Size::Qword))?;
        self.must_leave |= memory.epoch() != before;
        Ok(old)
    }

    /// Fails as a write would, and does nothing.
    pub fn check_write(&mut self, address: u64, length: u64, stack: bool) -> Result<(), Trap> {
        self.gpa(address, Access::Write, stack)?;
        if crosses(address, length) {
            self.gpa(next_page(address), Access::Write, stack)?;
        }
        Ok(())
    }

    /// The guest-physical address of an access, from the TLB or by a walk.
    fn gpa(&mut self, address: u64, access: Access, stack: bool) -> Result<u64, Trap> {
        if let Some(gpa) = self.tlb.gpa(address, access) {
            return Ok(gpa);
        }
        let to = translate(&self.context.space, address, access).map_err(|fault| {
            Trap::Fault(match fault {
                Fault::GeneralProtection(0) if stack => Fault::StackSegment(0),
                other => other,
            })
        })?;
        self.tlb.fill(address, &to);
        Ok(to.gpa)
    }

    /// The guest-physical pieces of an access, all checked.
    fn pieces(
        &mut self,
        address: u64,
        length: u64,
        access: Access,
        stack: bool,
    ) -> Result<Vec<(u64, std::ops::Range<usize>)>, Trap> {
        let mut pieces = Vec::new();
        let mut done = 0;
        while done < length {
            let at = address.wrapping_add(done);
            let part = (PAGE_SIZE - at % PAGE_SIZE).min(length - done);
            let range = done as usize..(done + part) as usize;
            pieces.push((self.gpa(at, access, stack)?, range));
            done += part;
        }
        Ok(pieces)
    }

    #[cold]
    #[inline(never)]
    fn read_slowly(&mut self, address: u64, size: Size, stack: bool) -> Result<u64, Trap> {
        if crosses(address, size.bytes()) {
            let mut bytes = [0; 8];
            self.read_bytes(address, &mut bytes[..size.bytes() as usize], stack)?;
            return Ok(u64::from_le_bytes(bytes));
        }
        let gpa = self.gpa(address, Access::Read, stack)?;
        let value = self.context.space.memory.load(gpa, size);
        value.ok_or_else(|| unsupported(gpa, size))
    }

    #[cold]
    #[inline(never)]
    fn write_slowly(
        &mut self,
        address: u64,
        size: Size,
        value: u64,
        stack: bool,
    ) -> Result<(), Trap> {
        self.write_bytes(
            address,
            &value.to_le_bytes()[..size.bytes() as usize],
            stack,
        )
    }

    /// Reads an operand that may be a device's.
    pub(super) fn load_operand<T: Word>(&mut self, address: u64, stack: bool) -> Result<u64, Trap> {
        self.read_slowly(address, T::SIZE, stack).or_else(|trap| {
            match (whole_access(trap, T::SIZE), self.answer) {
                (None, _) => Err(trap),
                (Some(_), Some(answer)) => Ok(T::of(answer).wide()),
                (Some(gpa), None) => Err(Trap::Mmio(Mmio {
                    gpa,
                    size: T::SIZE,
                    operation: MmioOperation::Read,
                })),
            }
        })
    }

    /// Writes an operand that may be a device's: then the write waits in the
    /// context to be reported as soon as the instruction is done.
    pub(super) fn store_operand<T: Word>(
        &mut self,
        address: u64,
        stack: bool,
        value: u64,
    ) -> Result<(), Trap> {
        let written = self.write_slowly(address, T::SIZE, value, stack);
        written.or_else(|trap| {
            let gpa = whole_access(trap, T::SIZE).ok_or(trap)?;
            self.context.pending = Pending::Write(Mmio {
                gpa,
                size: T::SIZE,
                operation: MmioOperation::Write(value),
            });
            self.must_leave = true;
            Ok(())
        })
    }

    /// After a store of `length` bytes that hit a page with code.
    #[cold]
    #[inline(never)]
    pub fn note_store(&mut self, address: u64, length: u64) {
        if let Some(gpa) = self.tlb.gpa(address, Access::Write) {
            self.must_leave |= self.context.space.memory.touch(gpa, length);
        }
    }
}

/// The address of an access that found no RAM, if all of it lies in one page.
fn whole_access(trap: Trap, wanted: Size) -> Option<u64> {
    match trap {
        Trap::Mmio(Mmio {
            gpa,
            size,
            operation: MmioOperation::Unsupported,
        }) if size == wanted && !crosses(gpa, size.bytes()) => Some(gpa),
        _ => None,
    }
}

fn unsupported(gpa: u64, size: Size) -> Trap {
    Trap::Mmio(Mmio {
        gpa,
        size,
        operation: MmioOperation::Unsupported,
    })
}

fn crosses(address: u64, length: u64) -> bool {
    address % PAGE_SIZE + length > PAGE_SIZE
}

fn next_page(address: u64) -> u64 {
    (address & !(PAGE_SIZE - 1)).wrapping_add(PAGE_SIZE)
}
