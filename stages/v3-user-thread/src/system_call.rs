//! `syscall` and `sysret`: the short way into the kernel and back.

use crate::mode::Mode;
use crate::user_thread::Core;
use common::{Context, Fault, Gpr, Size, is_canonical};

/// The flags that `sysret` takes from R11: all but the reserved ones, RF and VM
/// (SDM vol. 2, `SYSRET`).
const RETURNED: u64 = 0x3c_7fd7;

/// Forwards a system call to the guest's kernel.
///
/// # Exercise v3-E3: forward a system call
///
/// The address of the next instruction goes into RCX and the flags into R11, as
/// there is no stack to put them on. RIP becomes LSTAR; the flags lose those in
/// FMASK, the interrupt flag among them if the kernel wants that; the segments
/// are those of STAR, bits 32-47, and the one after it. The mode is kernel.
/// RSP stays: to find a stack is the kernel's first worry.
///
/// # Errors
/// #UD if the guest has not switched `syscall` on.
pub fn enter(core: &mut Core, context: &mut Context, length: u8) -> Result<(), Fault> {
    // BEGIN SOLUTION
    if !core.msrs.syscall_enabled() {
        return Err(Fault::InvalidOpcode {
            unimplemented: false,
        });
    }
    let flags = core.below.flags(context);
    context.registers[Gpr::Rcx] = context.rip + u64::from(length);
    context.registers[Gpr::R11] = flags;
    context.rip = core.msrs.lstar;
    core.below.set_flags(context, flags & !core.msrs.fmask);
    let selector = (core.msrs.star >> 32) as u16 & !3;
    core.below.cs = selector;
    core.below.ss = selector.wrapping_add(8);
    Mode::Kernel.enter(context);
    Ok(())
    // END SOLUTION
    // STUB: todo!("v3-E3: forward the system call")
}

/// Returns from a system call to user mode.
///
/// # Exercise v3-E3: return from a system call
///
/// RIP comes from RCX and the flags from R11 ([`RETURNED`]). The segments are
/// those of STAR, bits 48-63: code 16 above, stack 8 above, both with privilege
/// level 3. The mode is user. Only the 64-bit form is supported.
///
/// # Errors
/// #UD if the guest has not switched `syscall` on; #GP(0) if the address in RCX
/// is not canonical, still in kernel mode.
pub fn leave(core: &mut Core, context: &mut Context, size: Size) -> Result<(), Fault> {
    // BEGIN SOLUTION
    if !core.msrs.syscall_enabled() || size != Size::Qword {
        return Err(Fault::InvalidOpcode {
            unimplemented: size != Size::Qword,
        });
    }
    let target = context.registers[Gpr::Rcx];
    if !is_canonical(target) {
        return Err(Fault::GeneralProtection(0));
    }
    context.rip = target;
    let flags = context.registers[Gpr::R11] & RETURNED;
    core.below.set_flags(context, flags);
    let base = (core.msrs.star >> 48) as u16;
    core.below.cs = base.wrapping_add(16) | 3;
    core.below.ss = base.wrapping_add(8) | 3;
    Mode::User.enter(context);
    Ok(())
    // END SOLUTION
    // STUB: todo!("v3-E3: return from the system call")
}
