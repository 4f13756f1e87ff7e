//! The state of the raw CPU that one vCPU owns while it runs there.

use crate::{Fault, Memory, Mmio, PauseFilter, Registers, Size, flags, memory};

/// Everything that the raw CPU holds for the code it runs: what must be saved
/// and restored when another vCPU takes its place.
///
/// What is deliberately absent: the interrupt flag, the privilege level, the
/// descriptor tables, the MSRs. Those are *virtual* state and belong to the
/// virtual CPU.
#[derive(Clone, Debug)]
pub struct Context {
    /// The general registers.
    pub registers: Registers,
    /// Address of the next instruction.
    pub rip: u64,
    /// The user's flags and bit 1 (see [`flags`]).
    pub flags: u64,
    /// Base of the FS segment.
    pub fs_base: u64,
    /// Base of the GS segment.
    pub gs_base: u64,
    /// The SSE registers.
    pub xmm: [u128; 16],
    /// Control and status of SSE arithmetic.
    pub mxcsr: u32,
    /// The memory that code here sees.
    pub space: Space,
    /// When loops of `pause` are reported; never, if there is none.
    pub pause_filter: Option<PauseFilter>,
    /// An access to a device that is not finished. It belongs to the code that
    /// makes it, so it leaves the CPU with that code's registers.
    pub(crate) pending: Pending,
}

/// What a raw CPU still has to do for an access outside RAM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pending {
    /// Nothing.
    #[default]
    Nothing,
    /// A read waits for its answer.
    Read,
    /// An instruction that has finished wrote this; it is still to be reported.
    Write(Mmio),
}

impl Context {
    /// A context with every register zero, flags clear, in the kernel view of
    /// an address space whose page tables are at guest-physical address 0.
    pub fn new(memory: Memory) -> Context {
        Context {
            registers: Registers::default(),
            rip: 0,
            flags: flags::ALWAYS,
            fs_base: 0,
            gs_base: 0,
            xmm: [0; 16],
            mxcsr: 0x1f80,
            space: Space::new(memory),
            pause_filter: None,
            pending: Pending::Nothing,
        }
    }

    /// Reads `size` at a guest-virtual address as the code running here would.
    ///
    /// # Errors
    /// The page fault or general-protection fault that the access causes.
    pub fn read(&self, address: u64, size: Size) -> Result<u64, Fault> {
        let mut bytes = [0; 8];
        memory::read_virtual(&self.space, address, &mut bytes[..size.bytes() as usize])?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Writes `size` at a guest-virtual address as the code running here would.
    ///
    /// # Errors
    /// The page fault or general-protection fault that the access causes; then
    /// nothing has been written.
    pub fn write(&mut self, address: u64, size: Size, value: u64) -> Result<(), Fault> {
        let bytes = value.to_le_bytes();
        memory::write_virtual(&self.space, address, &bytes[..size.bytes() as usize])
    }
}

/// An address space as the raw CPU sees it: guest memory, the root of the page
/// tables, and the view.
#[derive(Clone, Debug)]
pub struct Space {
    /// Guest-physical memory.
    pub memory: Memory,
    /// Whose access rights count.
    pub view: View,
    root: u64,
    flush: Flush,
    /// Names the raw CPU that ran code here last, and its last entry then. What a
    /// CPU has cached can be trusted only under the same token: not if another
    /// CPU ran code here since, and not if a copy of this ran there.
    pub(crate) token: u64,
}

impl Space {
    /// The kernel view of `memory` with page tables at 0.
    pub fn new(memory: Memory) -> Space {
        Space {
            memory,
            view: View::Kernel,
            root: 0,
            flush: Flush::All,
            token: 0,
        }
    }

    /// Guest-physical address of the top page table (CR3 without its low bits).
    pub fn root(&self) -> u64 {
        self.root
    }

    /// Switches to the page tables at `root`, a multiple of 4096, and forgets
    /// all cached translations, as a move to CR3 does (even of the same value).
    pub fn set_root(&mut self, root: u64) {
        self.root = root;
        self.flush = Flush::All;
    }

    /// Forgets the cached translation of the page at a guest-virtual address,
    /// as `invlpg` does.
    pub fn invalidate(&mut self, address: u64) {
        self.flush = match self.flush {
            Flush::Nothing => Flush::Page(address),
            Flush::Page(same) if same >> 12 == address >> 12 => Flush::Page(address),
            _ => Flush::All,
        };
    }

    /// What the raw CPU must forget before it goes on; asked once an entry.
    pub fn take_flush(&mut self) -> Flush {
        std::mem::replace(&mut self.flush, Flush::Nothing)
    }
}

/// Whose rights count at a memory access. The raw CPU is always deprivileged;
/// the view says for which virtual mode it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// The guest's kernel: supervisor and user pages.
    Kernel,
    /// The guest's user mode: user pages only.
    User,
}

/// Cached translations that are no longer valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// None.
    Nothing,
    /// Those of the page that holds this guest-virtual address.
    Page(u64),
    /// Every one.
    All,
}
