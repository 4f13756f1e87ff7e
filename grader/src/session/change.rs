//! Branches: what follows if something is changed.
//!
//! The first change leaves a checkpoint in the recorded run. Leaving the branch
//! goes back there. Going back behind the change undoes it, too.

use super::{Session, unexpected};
use crate::error::LabError;
use evidence::Bytes;
use evidence::session::{Answer, Order, Place, Register, Request};

impl Session {
    /// Whether something has been changed: this is not the recorded run.
    pub fn is_branch(&self) -> bool {
        self.branch.is_some()
    }

    /// Changes a register.
    ///
    /// # Errors
    /// If no guest is on a physical CPU, the run is over, or the runner is gone.
    pub fn set(&mut self, register: Register, value: u64) -> Result<(), LabError> {
        self.change(&Request::Set { register, value })
    }

    /// Changes memory.
    ///
    /// # Errors
    /// As [`set`](Session::set), and if not all of it is mapped to RAM; nothing has
    /// changed then.
    pub fn write(&mut self, place: Place, bytes: Vec<u8>) -> Result<(), LabError> {
        let bytes = Bytes(bytes);
        self.change(&Request::Write { place, bytes })
    }

    /// Has the virtual CPU do something before the next instruction. The news say
    /// what came of it.
    ///
    /// # Errors
    /// As [`set`](Session::set).
    pub fn order(&mut self, order: Order) -> Result<(), LabError> {
        self.branch_off()?;
        self.ask_for_stop(&Request::Order(order))?;
        Ok(())
    }

    /// Back to the recorded run, where it was left. Stays if this is it.
    ///
    /// # Errors
    /// If the runner is gone.
    pub fn leave_branch(&mut self) -> Result<(), LabError> {
        self.retreat_while(Session::is_branch)
    }

    fn change(&mut self, request: &Request) -> Result<(), LabError> {
        self.branch_off()?;
        match self.runner.ask(request)? {
            Answer::Done => self.look_again(),
            other => Err(unexpected(other)),
        }
    }

    /// Leaves a checkpoint, unless this is a branch already.
    fn branch_off(&mut self) -> Result<(), LabError> {
        if !self.is_branch() {
            let base = self.stop.depth;
            self.ask_for_stop(&Request::Mark)?;
            self.branch = Some(base);
        }
        Ok(())
    }

    /// Has the stop show what has been changed.
    fn look_again(&mut self) -> Result<(), LabError> {
        self.ask_for_stop(&Request::Mark)?;
        Ok(())
    }
}
