//! The virtual privilege mode.

use common::{Context, View};

/// Which half of the guest runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Its kernel: privilege level 0.
    #[default]
    Kernel,
    /// Its user code: privilege level 3.
    User,
}

impl Mode {
    /// The mode of code whose segment selector is `cs`: its low two bits are
    /// the privilege level (SDM vol. 3, 5.5).
    pub const fn of_selector(cs: u16) -> Mode {
        match cs & 3 {
            0 => Mode::Kernel,
            _ => Mode::User,
        }
    }

    /// Puts the guest into this mode.
    ///
    /// # Exercise v3-E1: the mode and its view of memory
    ///
    /// The raw CPU does not know the mode, but it checks each access against
    /// the page tables, and the user bit there must count in user mode only.
    /// So the mode decides the [`View`] of the context's memory, from the next
    /// instruction on.
    pub fn enter(self, context: &mut Context) {
        // BEGIN SOLUTION
        context.space.view = match self {
            Mode::Kernel => View::Kernel,
            Mode::User => View::User,
        };
        // END SOLUTION
        // STUB: todo!("v3-E1: show memory as {self:?} mode sees it")
    }

    /// Does something as code in this mode would, and then the mode is what it
    /// was. The CPU reads descriptor tables with the kernel's eyes, whoever
    /// runs (SDM vol. 3, 4.6.1).
    pub fn during<T>(self, context: &mut Context, action: impl FnOnce(&mut Context) -> T) -> T {
        let before = Mode::of(context);
        self.enter(context);
        let result = action(context);
        before.enter(context);
        result
    }

    /// The mode that the guest is in.
    pub fn of(context: &Context) -> Mode {
        match context.space.view {
            View::Kernel => Mode::Kernel,
            View::User => Mode::User,
        }
    }
}
