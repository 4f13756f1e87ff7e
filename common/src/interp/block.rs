//! The cache of decoded basic blocks.
//!
//! Invariant: a block whose stamp is the present one (see [`State::stamp`]) has
//! been decoded from the bytes that its view of the present address space shows
//! at its RIP. Whatever could change that (a store into code, a flush, another
//! address space) changes the stamp, and then [`Cache::lookup`] looks again:
//! first at the mapping, then at the generations of the pages, then at the
//! bytes themselves.
//!
//! Blocks of other address spaces and other memories stay, so that a VM that
//! comes back finds its own. VMs of one image have blocks of their own, too, but
//! those share what was decoded once: a block is made from another one of the
//! same bytes at the same RIP, if there is one.

use super::decode;
use super::fetch::{Fetched, Window, bytes_are, fetch, generations, mark};
use super::op::Op;
use super::state::{Stamp, State};
use crate::{PAGE_SIZE, Trap, View};
use iced_x86::Instruction;
use std::collections::HashMap;
use std::sync::Arc;

/// No block.
pub const NONE: u32 = u32::MAX;
/// How many blocks are kept, and how many addresses whose bytes were decoded;
/// then all are forgotten.
const CAPACITY: usize = 1 << 16;
/// How many targets of computed jumps are at hand; a power of two.
const RECENT: usize = 1 << 10;

/// Instructions that run one after the other, up to a jump, a trap or a page
/// border.
#[derive(Clone)]
pub struct Block {
    /// Guest-virtual address of the first instruction.
    pub rip: u64,
    /// When it was last found to be true.
    pub stamp: Stamp,
    /// How many instructions it has.
    pub length: u64,
    /// The fast form.
    pub code: Code,
    /// Where it goes on: behind it, and at the jump's target.
    pub targets: [u64; 2],
    /// The blocks there, once known.
    pub links: [u32; 2],
    /// The instruction at its end, if the system has to interpret that.
    pub system: Option<Instruction>,
    /// One operation an instruction, made when first needed.
    precise: Option<Code>,
    view: View,
    memory: u64,
    /// The guest-physical addresses of the bytes, one for each page.
    frames: [Option<u64>; 2],
    generations: [u64; 2],
    bytes: Arc<[u8]>,
    /// The next block with the same hash.
    chain: u32,
}

/// Operations with the place of each in the block.
#[derive(Clone)]
pub struct Code {
    /// The operations; the last may end the block.
    pub ops: Arc<[Op]>,
    /// Where the instructions of each begin; one more for the end.
    pub places: Arc<[Place]>,
}

/// A place in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Bytes from the block's start.
    pub offset: u16,
    /// Instructions from the block's start.
    pub number: u16,
}

impl Block {
    /// The form with one operation for each instruction, every one of which
    /// leaves right flags: any first part of it can be run alone.
    pub fn precise(&mut self) -> &Code {
        self.precise
            .get_or_insert_with(|| decode::precise(self.rip, &self.bytes))
    }
}

/// All decoded blocks of one CPU.
pub struct Cache {
    blocks: Vec<Block>,
    /// First block of each hash; a power of two of them.
    heads: Vec<u32>,
    /// The block that was found last for each lowest part of an address.
    recent: Box<[u32; RECENT]>,
    /// The block that was decoded last at each RIP, for others of its bytes.
    originals: HashMap<u64, Block>,
}

impl Cache {
    pub fn new() -> Cache {
        Cache {
            blocks: Vec::new(),
            heads: vec![NONE; 64],
            recent: Box::new([NONE; RECENT]),
            originals: HashMap::new(),
        }
    }

    #[inline(always)]
    pub fn block(&self, id: u32) -> &Block {
        &self.blocks[id as usize]
    }

    #[inline(always)]
    pub fn block_mut(&mut self, id: u32) -> &mut Block {
        &mut self.blocks[id as usize]
    }

    /// A block at `rip` that was found not long ago, for the returns and
    /// computed jumps of a program. Whether it is true now is not said.
    #[inline(always)]
    pub fn recent(&self, rip: u64, view: View) -> Option<u32> {
        let id = self.recent[rip as usize % RECENT];
        let block = self.blocks.get(id as usize)?;
        (block.rip == rip && block.view == view).then_some(id)
    }

    /// A block at `rip` that is true now, without any work.
    pub fn find(&mut self, s: &State, rip: u64) -> Option<u32> {
        let stamp = s.stamp();
        let view = s.context.space.view;
        let mut id = self.heads[self.hash(rip, s.context.space.memory.id())];
        while let Some(block) = self.blocks.get(id as usize) {
            if block.rip == rip && block.stamp == stamp && block.view == view {
                self.recent[rip as usize % RECENT] = id;
                return Some(id);
            }
            id = block.chain;
        }
        None
    }

    /// The block at `rip`, checked or decoded if need be; it becomes the link
    /// of `from`, if given.
    ///
    /// # Errors
    /// The trap that the fetch of its first instruction causes.
    #[cold]
    #[inline(never)]
    pub fn lookup(
        &mut self,
        s: &mut State,
        rip: u64,
        from: Option<(u32, usize)>,
    ) -> Result<u32, Trap> {
        let stamp = s.stamp();
        let id = match self.find(s, rip) {
            Some(id) => id,
            None => {
                let fetched = fetch(s, rip)?;
                match self.find_same(s, rip, &fetched) {
                    Some(id) if self.still_true(s, id) => id,
                    Some(id) => {
                        let block = self.make(s, rip, &fetched)?;
                        let chain = self.block(id).chain;
                        *self.block_mut(id) = Block { chain, ..block };
                        id
                    }
                    None => {
                        let block = self.make(s, rip, &fetched)?;
                        if self.blocks.len() == CAPACITY {
                            *self = Cache {
                                originals: std::mem::take(&mut self.originals),
                                ..Cache::new()
                            };
                            return Ok(self.insert(block, stamp));
                        }
                        self.insert(block, stamp)
                    }
                }
            }
        };
        self.block_mut(id).stamp = stamp;
        if let Some((from, link)) = from {
            self.block_mut(from).links[link] = id;
        }
        Ok(id)
    }

    /// A block of the same address, view, memory and frame.
    fn find_same(&self, s: &State, rip: u64, fetched: &Fetched) -> Option<u32> {
        let memory = s.context.space.memory.id();
        let view = s.context.space.view;
        let mut id = self.heads[self.hash(rip, memory)];
        while let Some(block) = self.blocks.get(id as usize) {
            if block.rip == rip
                && block.view == view
                && block.memory == memory
                && block.frames[0] == Some(fetched.gpa)
            {
                return Some(id);
            }
            id = block.chain;
        }
        None
    }

    /// Whether a block whose first frame is right has its other frame and its
    /// bytes still.
    fn still_true(&mut self, s: &mut State, id: u32) -> bool {
        let block = &mut self.blocks[id as usize];
        if let Some(frame) = block.frames[1] {
            let next_page = (block.rip & !(PAGE_SIZE - 1)).wrapping_add(PAGE_SIZE);
            if s.fetch_address(next_page) != Ok(frame) {
                return false;
            }
        }
        let generations = generations(s, block.frames);
        if block.generations == generations {
            return true;
        }
        block.generations = generations;
        bytes_are(s, block.frames, &block.bytes)
    }

    /// A block of the bytes that are at `rip` now.
    fn make(&mut self, s: &mut State, rip: u64, fetched: &Fetched) -> Result<Block, Trap> {
        loop {
            let mut window = Window::new(s, fetched);
            let original = self.original(rip, &mut window)?;
            let length = original.bytes.len();
            let frames = window.frames(length);
            mark(s, frames, length as u64);
            let block = Block {
                view: s.context.space.view,
                memory: s.context.space.memory.id(),
                frames,
                generations: generations(s, frames),
                ..original
            };
            if bytes_are(s, frames, &block.bytes) {
                return Ok(block);
            }
        }
    }

    /// A block that is decoded from the bytes in `window`, but belongs nowhere.
    fn original(&mut self, rip: u64, window: &mut Window) -> Result<Block, Trap> {
        if let Some(block) = self.originals.get(&rip)
            && window.bytes().starts_with(&block.bytes)
        {
            return Ok(block.clone());
        }
        let decoded = decode::block(rip, window)?;
        let block = Block {
            rip,
            stamp: Stamp::NEVER,
            length: decoded.length,
            bytes: window.bytes()[..decoded.length_in_bytes()].into(),
            code: decoded.code,
            targets: decoded.targets,
            links: [NONE; 2],
            system: decoded.system,
            precise: None,
            view: View::Kernel,
            memory: 0,
            frames: [None; 2],
            generations: [0; 2],
            chain: NONE,
        };
        if self.originals.len() == CAPACITY {
            self.originals.clear();
        }
        self.originals.insert(rip, block.clone());
        Ok(block)
    }

    fn insert(&mut self, block: Block, stamp: Stamp) -> u32 {
        if self.blocks.len() == self.heads.len() {
            self.grow();
        }
        let id = self.blocks.len() as u32;
        let slot = self.hash(block.rip, block.memory);
        let chain = std::mem::replace(&mut self.heads[slot], id);
        self.blocks.push(Block {
            chain,
            stamp,
            ..block
        });
        id
    }

    fn grow(&mut self) {
        self.heads = vec![NONE; self.heads.len() * 4];
        for id in 0..self.blocks.len() {
            let slot = self.hash(self.blocks[id].rip, self.blocks[id].memory);
            self.blocks[id].chain = std::mem::replace(&mut self.heads[slot], id as u32);
        }
    }

    #[inline(always)]
    fn hash(&self, rip: u64, memory: u64) -> usize {
        // VMs of one image have their code at the same addresses.
        let mixed = rip ^ rip >> 8 ^ memory.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        mixed as usize & (self.heads.len() - 1)
    }
}
