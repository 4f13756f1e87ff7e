//! How operations load and store.
//!
//! The fast path is a TLB hit, inlined. Everything else is in a cold function
//! that is called in tail position, so that the fast path needs no stack frame.
//!
//! [`load`], [`store`] and [`update`] are for operations with one memory operand
//! that may also be a device's register. Instructions that do more use
//! [`State::read`] and [`State::write`], which insist on RAM, within
//! [`fallible`].

use super::address::{Address, Any};
use super::flags::Flags;
use super::int::Int;
use super::op::{Flow, Op, next};
use super::state::State;
use crate::context::Pending;
use crate::memory::Word;
use crate::{Access, Fault, Mmio, MmioOperation, PAGE_SIZE, Size, Trap, translate};

/// Loads the memory operand and goes on with `finish`, which gets the value and
/// must not fail.
#[inline(always)]
pub fn load<A: Address, T: Int>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
    finish: impl Fn(&mut State, &Op, u64) + Copy,
) -> Flow {
    load_then::<A, T>(s, op, rest, move |s, op, rest, value| {
        finish(s, op, value);
        next(s, rest)
    })
}

/// Loads the memory operand and gives it to `then`, which ends the operation
/// as it likes.
#[inline(always)]
pub fn load_then<A: Address, T: Int>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
    then: impl Fn(&mut State, &Op, &[Op], u64) -> Flow + Copy,
) -> Flow {
    let address = A::of(s, op);
    match s.tlb.read::<T>(address) {
        Some(value) => then(s, op, rest, value.wide()),
        None => load_cold::<T>(s, op, rest, then),
    }
}

#[cold]
#[inline(never)]
fn load_cold<T: Int>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
    then: impl Fn(&mut State, &Op, &[Op], u64) -> Flow + Copy,
) -> Flow {
    match s.load_operand::<T>(Any::of(s, op), op.stack) {
        Ok(value) => then(s, op, rest, value),
        Err(trap) => s.stop(trap, rest),
    }
}

/// Stores `value` in the memory operand and goes on.
#[inline(always)]
pub fn store<A: Address, T: Int>(s: &mut State, op: &Op, rest: &[Op], value: u64) -> Flow {
    let address = A::of(s, op);
    match s.tlb.slot::<T>(address) {
        Some(slot) => {
            if slot.store(T::of(value)) {
                return next(s, rest);
            }
            touched::<T>(s, rest, address)
        }
        None => store_cold::<T>(s, op, rest, value),
    }
}

#[cold]
#[inline(never)]
fn store_cold<T: Int>(s: &mut State, op: &Op, rest: &[Op], value: u64) -> Flow {
    match s.store_operand::<T>(Any::of(s, op), op.stack, value) {
        Ok(()) => s.next_or_leave(rest),
        Err(trap) => s.stop(trap, rest),
    }
}

/// After a store into a page with code.
#[cold]
#[inline(never)]
pub fn touched<T: Int>(s: &mut State, rest: &[Op], address: u64) -> Flow {
    s.note_store(address, T::BYTES as u64);
    s.next_or_leave(rest)
}

/// Replaces the memory operand by what `compute` makes of it, together with the
/// new flags, which are kept if `FLAGS`; then goes on.
#[inline(always)]
pub fn update<A: Address, T: Int, const FLAGS: bool>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
    compute: impl Fn(&State, &Op, u64) -> (u64, Flags) + Copy,
) -> Flow {
    let address = A::of(s, op);
    match s.tlb.slot::<T>(address) {
        Some(slot) => {
            let (value, flags) = compute(s, op, slot.load().wide());
            let clear = slot.store(T::of(value));
            if FLAGS {
                s.flags = flags;
            }
            if clear {
                return next(s, rest);
            }
            touched::<T>(s, rest, address)
        }
        None => update_cold::<T, FLAGS>(s, op, rest, compute),
    }
}

#[cold]
#[inline(never)]
fn update_cold<T: Int, const FLAGS: bool>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
    compute: impl Fn(&State, &Op, u64) -> (u64, Flags) + Copy,
) -> Flow {
    let address = Any::of(s, op);
    let done = (|| {
        s.check_write(address, T::BYTES as u64, op.stack)?;
        let old = s.load_operand::<T>(address, op.stack)?;
        let (value, flags) = compute(s, op, old);
        s.store_operand::<T>(address, op.stack, value)?;
        if FLAGS {
            s.flags = flags;
        }
        Ok(())
    })();
    match done {
        Ok(()) => s.next_or_leave(rest),
        Err(trap) => s.stop(trap, rest),
    }
}

/// Runs an operation that may fail at several points. `body` must not change
/// anything before the last thing that can fail.
#[inline(always)]
pub fn fallible(
    s: &mut State,
    op: &Op,
    rest: &[Op],
    body: impl Fn(&mut State, &Op) -> Result<(), Trap>,
) -> Flow {
    match body(s, op) {
        Ok(()) => s.next_or_leave(rest),
        Err(trap) => s.stop(trap, rest),
    }
}

impl State {
    /// Goes on with the next operation, unless a store of this one (by
    /// [`State::write`]) needs the block to be left.
    #[inline(always)]
    pub fn next_or_leave(&mut self, rest: &[Op]) -> Flow {
        if self.must_leave {
            return self.leave(rest);
        }
        next(self, rest)
    }

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
    fn load_operand<T: Word>(&mut self, address: u64, stack: bool) -> Result<u64, Trap> {
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
    fn store_operand<T: Word>(
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
