//! Where the bytes of a block come from.

use super::state::State;
use crate::{Access, Mmio, MmioOperation, PAGE_SIZE, Size, Trap, translate};

/// How many bytes a block can have: it never leaves its page, but for the tail
/// of one only instruction.
const WINDOW: usize = 256;

/// Where an instruction is fetched from.
pub struct Fetched {
    pub rip: u64,
    pub gpa: u64,
}

pub fn fetch(s: &State, rip: u64) -> Result<Fetched, Trap> {
    let to = translate(&s.context.space, rip, Access::Fetch).map_err(Trap::Fault)?;
    if s.context.space.memory.contains(to.gpa, 1) {
        return Ok(Fetched { rip, gpa: to.gpa });
    }
    Err(Trap::Mmio(Mmio {
        gpa: to.gpa,
        size: Size::Byte,
        operation: MmioOperation::Fetch,
    }))
}

/// The bytes from which a block is decoded: to the end of the page, and, if the
/// first instruction asks for it, a few of the next page.
pub struct Window<'a> {
    s: &'a State,
    rip: u64,
    frames: [Option<u64>; 2],
    first: usize,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    pub fn new(s: &'a State, fetched: &Fetched) -> Window<'a> {
        let first = (PAGE_SIZE - fetched.rip % PAGE_SIZE).min(WINDOW as u64) as usize;
        let mut bytes = vec![0; first];
        // A page is RAM as a whole.
        let _in_ram = s.context.space.memory.read(fetched.gpa, &mut bytes);
        Window {
            s,
            rip: fetched.rip,
            frames: [Some(fetched.gpa), None],
            first,
            bytes,
        }
    }

    /// The bytes there are.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds the start of the next page, for an instruction that goes on there.
    ///
    /// # Errors
    /// The trap that the fetch from there causes.
    pub fn extend(&mut self) -> Result<(), Trap> {
        let next = self.rip.wrapping_add(self.first as u64);
        let more = fetch(self.s, next)?;
        let mut bytes = [0; 15];
        let _in_ram = self.s.context.space.memory.read(more.gpa, &mut bytes);
        self.bytes.extend(bytes);
        self.frames[1] = Some(more.gpa);
        Ok(())
    }

    pub fn frames(&self, length: usize) -> [Option<u64>; 2] {
        let second = self.frames[1].filter(|_| length > self.first);
        [self.frames[0], second]
    }
}

/// The parts of `length` bytes in their frames.
fn parts(frames: [Option<u64>; 2], length: u64) -> impl Iterator<Item = (u64, u64)> {
    let first = frames[0].map_or(0, |gpa| (PAGE_SIZE - gpa % PAGE_SIZE).min(length));
    let lengths = [first, length - first];
    frames.into_iter().flatten().zip(lengths)
}

pub fn mark(s: &State, frames: [Option<u64>; 2], length: u64) {
    for (gpa, part) in parts(frames, length) {
        if let Some(page) = s.context.space.memory.code(gpa) {
            page.mark(gpa % PAGE_SIZE, part);
        }
    }
}

pub fn generations(s: &State, frames: [Option<u64>; 2]) -> [u64; 2] {
    let memory = &s.context.space.memory;
    frames.map(|frame| {
        frame
            .and_then(|gpa| memory.code(gpa))
            .map_or(0, |page| page.generation())
    })
}

pub fn bytes_are(s: &State, frames: [Option<u64>; 2], expected: &[u8]) -> bool {
    let mut found = [0; WINDOW + 15];
    let mut done = 0;
    for (gpa, part) in parts(frames, expected.len() as u64) {
        let end = done + part as usize;
        let _in_ram = s.context.space.memory.read(gpa, &mut found[done..end]);
        done = end;
    }
    found[..done] == *expected
}
