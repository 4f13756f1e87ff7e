//! The state in which a guest finds its CPU.

use common::{Boot, Context, Gpr};

/// Puts a raw CPU's context into the state in which a guest kernel expects its
/// boot CPU: 64-bit mode, page tables and stack ready, nothing else defined.
///
/// # Exercise v1-E1: prepare the context
///
/// Somebody else may have used this CPU before, so its registers hold garbage,
/// and what one guest left there must never reach the next. Fill *all* of the
/// context:
///
/// - RIP is the image's entry, RSP the top of the stack;
/// - RDI holds the number of the vCPU, as the first argument of a C function
///   would; every other general register is 0, and so are the SSE registers
///   and the bases of FS and GS;
/// - of the flags only bit 1 is set, which is always set, and MXCSR has its
///   value after reset, 0x1f80 (SDM vol. 1, 10.2.3);
/// - the page tables are those that the boot structures hold, seen with the
///   kernel's eyes; the memory stays the one that is there.
///
/// [`Context::new`] knows what nothing looks like.
///
/// You see that it is right when the check `context-is-prepared` passes. The
/// guest itself does not run before v1-E3.
pub fn prepare(boot: &Boot, context: &mut Context) {
    // BEGIN SOLUTION
    let mut fresh = Context::new(context.space.memory.clone());
    fresh.rip = boot.entry;
    fresh.registers[Gpr::Rsp] = boot.stack;
    fresh.registers[Gpr::Rdi] = boot.vcpu;
    fresh.space.set_root(boot.root);
    *context = fresh;
    // END SOLUTION
    // STUB: todo!("v1-E1: prepare the context")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::scripted;
    use common::{Memory, flags};

    #[test]
    fn nothing_of_the_last_guest_is_left_in_the_registers() {
        let (mut pcpu, _) = scripted(vec![]);
        pcpu.scramble(7);
        let memory = Memory::new(2 << 20).unwrap();
        let boot = Boot::prepare(&memory, 0x10_0000).unwrap();
        let boot = boot.for_vcpu(3).unwrap();
        prepare(&boot, pcpu.context());

        let context = pcpu.context();
        for register in Gpr::ALL {
            let expected = match register {
                Gpr::Rsp => boot.stack,
                Gpr::Rdi => 3,
                _ => 0,
            };
            assert_eq!(context.registers[register], expected, "{}", register.name());
        }
        assert_eq!(context.rip, 0x10_0000);
        assert_eq!(context.flags, flags::ALWAYS);
        assert_eq!((context.fs_base, context.gs_base), (0, 0));
        assert_eq!((context.xmm, context.mxcsr), ([0; 16], 0x1f80));
        assert_eq!(context.space.root(), boot.root);
    }
}
