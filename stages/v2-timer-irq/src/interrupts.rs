//! May the guest be interrupted now, and what waits until it may?

use common::{Exit, NotReady};
use v1::{Event, Limit, Next};

/// The virtual interrupt flag and everything that hangs on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interrupts {
    /// The interrupt flag, IF: 0 after reset.
    open: bool,
    /// The instruction after `sti` still runs uninterrupted.
    shadow: bool,
    /// The vector that was injected and is delivered before the next entry.
    injected: Option<u8>,
    /// The monitor wants to know when interrupts are open.
    window: bool,
}

impl Interrupts {
    /// Whether IF is set.
    pub fn are_open(&self) -> bool {
        self.open
    }

    /// `cli`, or an interrupt gate: closes interrupts at once.
    pub fn close(&mut self) {
        // BEGIN SOLUTION
        self.open = false;
        self.shadow = false;
        // END SOLUTION
        // STUB: todo!("v2-E2: close interrupts")
    }

    /// `sti`: opens interrupts, but not before the next instruction is over.
    ///
    /// # Exercise v2-E2: the interrupt flag and the shadow of `sti`
    ///
    /// The shadow is there for `sti; hlt`: were the interrupt taken between the
    /// two, the guest would halt *after* the interrupt it wanted to wait for.
    /// An `sti` while interrupts are already open casts no shadow (SDM vol. 2,
    /// `STI`).
    pub fn open_after_next(&mut self) {
        // BEGIN SOLUTION
        self.shadow = !self.open;
        self.open = true;
        // END SOLUTION
        // STUB: todo!("v2-E2: open interrupts behind the next instruction")
    }

    /// `iretq` and `popf`: the flag takes a new value at once, without a
    /// shadow.
    pub fn set(&mut self, open: bool) {
        self.open = open;
        self.shadow = false;
    }

    /// Whether an interrupt would be taken before the next instruction, and
    /// none is on its way yet.
    pub fn can_inject(&self) -> bool {
        // BEGIN SOLUTION
        self.open && !self.shadow && self.injected.is_none()
        // END SOLUTION
        // STUB: todo!("v2-E3: may the guest be interrupted now?")
    }

    /// Makes `vector` the next thing that the guest sees.
    ///
    /// # Errors
    /// [`NotReady`] while [`can_inject`](Self::can_inject) says no.
    pub fn inject(&mut self, vector: u8) -> Result<(), NotReady> {
        // BEGIN SOLUTION
        if !self.can_inject() {
            return Err(NotReady);
        }
        self.injected = Some(vector);
        Ok(())
        // END SOLUTION
        // STUB: todo!("v2-E3: remember what is to be delivered")
    }

    /// Asks for [`Exit::WindowOpen`], or takes the wish back.
    pub fn want_window(&mut self, on: bool) {
        self.window = on;
    }

    /// Before each entry: what comes first, and how far may the guest run?
    ///
    /// # Exercise v2-E4: a masked interrupt is held, not lost (first half)
    ///
    /// In this order: an injected vector is delivered; a wish for the window
    /// is granted as soon as an interrupt would be taken (once, then it is
    /// forgotten); in the shadow of `sti` the guest runs one instruction, and
    /// the shadow is over; otherwise it runs as far as time allows.
    ///
    /// # Errors
    /// What has to happen instead of an entry.
    pub fn before_enter(&mut self) -> Result<Limit, Next> {
        // BEGIN SOLUTION
        if let Some(vector) = self.injected.take() {
            return Err(Next::Raise(Event::Interrupt(vector)));
        }
        if self.window && self.can_inject() {
            self.window = false;
            return Err(Next::Exit(Exit::WindowOpen));
        }
        match std::mem::take(&mut self.shadow) {
            true => Ok(Limit::OneInstruction),
            false => Ok(Limit::Time),
        }
        // END SOLUTION
        // STUB: if self.injected.is_some() || self.window || self.shadow {
        // STUB:     todo!("v2-E4: look at what waits before the guest goes on");
        // STUB: }
        // STUB: Ok(Limit::Time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Interrupts {
        let mut interrupts = Interrupts::default();
        interrupts.set(true);
        interrupts
    }

    /// Looks at the bits themselves: what they mean to an interrupt is v2-E3.
    fn bits(interrupts: &Interrupts) -> (bool, bool) {
        (interrupts.open, interrupts.shadow)
    }

    #[test]
    fn the_flag_opens_with_a_shadow_and_closes_without_one() {
        let mut interrupts = Interrupts::default();
        interrupts.open_after_next();
        assert_eq!(bits(&interrupts), (true, true));
        interrupts.open_after_next();
        assert_eq!(
            bits(&interrupts),
            (true, false),
            "no shadow when already open"
        );
        interrupts.close();
        assert_eq!(bits(&interrupts), (false, false));
        interrupts.open_after_next();
        interrupts.close();
        assert_eq!(
            bits(&interrupts),
            (false, false),
            "nothing is left to shadow"
        );
    }

    #[test]
    fn a_guest_is_not_interrupted_before_it_opens_interrupts() {
        assert_eq!(Interrupts::default().inject(32), Err(NotReady));
    }

    #[test]
    fn one_instruction_runs_in_the_shadow_of_sti() {
        let mut interrupts = Interrupts::default();
        interrupts.open_after_next();
        assert!(!interrupts.can_inject());
        assert_eq!(interrupts.before_enter(), Ok(Limit::OneInstruction));
        assert!(interrupts.can_inject());
        assert_eq!(interrupts.before_enter(), Ok(Limit::Time));
    }

    #[test]
    fn sti_casts_no_shadow_when_interrupts_are_already_open() {
        let mut interrupts = open();
        interrupts.open_after_next();
        assert!(interrupts.can_inject());
    }

    #[test]
    fn an_injected_vector_is_delivered_once_and_before_anything_else() {
        let mut interrupts = open();
        interrupts.want_window(true);
        interrupts.inject(32).unwrap();
        assert_eq!(interrupts.inject(33), Err(NotReady));
        let delivered = Err(Next::Raise(Event::Interrupt(32)));
        assert_eq!(interrupts.before_enter(), delivered);
        assert_ne!(interrupts.before_enter(), delivered);
    }

    #[test]
    fn the_window_is_reported_once_and_only_when_it_is_open() {
        let mut interrupts = Interrupts::default();
        interrupts.want_window(true);
        assert_eq!(interrupts.before_enter(), Ok(Limit::Time));
        interrupts.open_after_next();
        assert_eq!(interrupts.before_enter(), Ok(Limit::OneInstruction));
        let window = Err(Next::Exit(Exit::WindowOpen));
        assert_eq!(interrupts.before_enter(), window);
        assert_eq!(interrupts.before_enter(), Ok(Limit::Time));
    }
}
