//! Version 3's virtual CPU, which also tells of spin loops.

use common::{Context, Exit, NotReady, PauseFilter, Trap};
use v1::{Emulate, Event, Limit, Next};

/// The virtual state of version 7.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Core {
    /// Version 3 knows everything else.
    pub below: v3::Core,
    /// When a loop of `pause` is to be told; never, if there is none.
    pub pause_filter: Option<PauseFilter>,
}

impl Core {
    /// A CPU that tells of spin loops as `pause_filter` says.
    pub fn new(pause_filter: Option<PauseFilter>) -> Core {
        Core {
            below: v3::Core::new(),
            pause_filter,
        }
    }
}

/// # Exercise v7-E4: spin loops (first half)
///
/// The filter is a setting of the raw CPU: it must be in the context before the
/// guest runs, and stay as it is from then on, since it counts. The trap that it
/// causes is nothing to the guest: the `pause` is done. Only the monitor wants to
/// know ([`Exit::SpinLoop`]). All else is version 3's.
impl Emulate for Core {
    fn before_enter(&mut self, context: &mut Context) -> Result<Limit, Next> {
        // BEGIN SOLUTION
        if context.pause_filter.is_none() {
            context.pause_filter = self.pause_filter;
        }
        // END SOLUTION
        // STUB: // TODO v7-E4: put the filter into the context
        self.below.before_enter(context)
    }

    fn on_trap(&mut self, context: &mut Context, trap: Trap) -> Next {
        match trap {
            // BEGIN SOLUTION
            Trap::SpinLoop => Next::Exit(Exit::SpinLoop),
            // END SOLUTION
            _ => self.below.on_trap(context, trap),
        }
    }

    fn deliver(&mut self, context: &mut Context, event: Event) -> Next {
        self.below.deliver(context, event)
    }

    fn finish_port_read(&mut self, context: &mut Context, value: u64) {
        self.below.finish_port_read(context, value);
    }

    fn can_inject(&self) -> bool {
        self.below.can_inject()
    }

    fn inject(&mut self, vector: u8) -> Result<(), NotReady> {
        self.below.inject(vector)
    }

    fn want_window(&mut self, on: bool) {
        self.below.want_window(on);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::{Memory, Size};

    fn context() -> Context {
        Context::new(Memory::new(4096).unwrap())
    }

    #[test]
    fn a_spin_loop_is_told_to_the_monitor() {
        let mut core = Core::default();
        let next = core.on_trap(&mut context(), Trap::SpinLoop);
        assert_eq!(next, Next::Exit(Exit::SpinLoop));
    }

    #[test]
    fn the_filter_is_set_once_and_keeps_its_count() {
        let mut core = Core::new(Some(PauseFilter::new(3, 100)));
        let mut context = context();
        core.before_enter(&mut context).unwrap();
        let other = Some(PauseFilter::new(7, 100));
        assert_eq!(context.pause_filter, core.pause_filter);
        context.pause_filter = other;
        core.before_enter(&mut context).unwrap();
        assert_eq!(context.pause_filter, other);
    }

    #[test]
    fn everything_else_is_version_3s() {
        let trap = Trap::System {
            instruction: common::SystemInstruction::In {
                port: 0x3f8,
                size: Size::Byte,
            },
            length: 1,
        };
        let ours = Core::default().on_trap(&mut context(), trap);
        assert_eq!(ours, v3::Core::new().on_trap(&mut context(), trap));
    }
}
