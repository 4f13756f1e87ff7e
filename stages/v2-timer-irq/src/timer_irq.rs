//! What version 2 knows: the handler table, the interrupt flag, and how a
//! handler is entered and left.

use crate::delivery::{DescriptorTable, Frame, escalate};
use crate::interrupts::Interrupts;
use common::{Chain, Context, Exit, Fault, Gpr, NotReady, Size, SystemInstruction, Trap};
use common::{boot, flags, is_canonical};
use v1::{Emulate, Event, Limit, Next};

/// The interrupt flag's place in RFLAGS.
const IF: u64 = 1 << 9;
/// The bits of RFLAGS that this version can give back: the user's flags, the
/// interrupt flag and the bit that is always set.
const KNOWN: u64 = flags::USER | flags::ALWAYS | IF;

/// The virtual state of version 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// Version 1 knows everything else.
    pub below: v1::Core,
    /// The interrupt flag.
    pub interrupts: Interrupts,
    /// The handler table; its limit is 0 after reset, so it has no gate.
    pub handlers: DescriptorTable,
    /// The segment registers, which the raw CPU does not have.
    pub cs: u16,
    /// As `cs`.
    pub ss: u16,
    /// The faults that led to a double fault that is being delivered.
    chain: Option<Chain>,
}
