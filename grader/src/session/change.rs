//! Branches: what follows if something is changed.
//!
//! The first change leaves a checkpoint in the recorded run. Leaving the branch
//! goes back there. Going back behind the change undoes it, too. What is refused
//! changes nothing, and makes no branch.

use super::{Session, unexpected};
use crate::error::LabError;
use evidence::Bytes;
use evidence::session::{Answer, Decision, News, Order, Place, Register, Request, What};

impl Session {
    /// Whether something has been changed: this is not the recorded run.
    pub fn is_branch(&self) -> bool {
        self.branch.is_some()
    }

    /// Changes a register.
    ///
    /// # Errors
    /// If no guest is on a physical CPU, the run is over, or the runner is gone;
    /// nothing has changed then.
    pub fn set(&mut self, register: Register, value: u64) -> Result<(), LabError> {
        self.change(&Request::Set { register, value })
    }

    /// Changes memory.
    ///
    /// # Errors
    /// As [`set`](Session::set), and if not all of it is mapped to RAM.
    pub fn write(&mut self, place: Place, bytes: Vec<u8>) -> Result<(), LabError> {
        let bytes = Bytes(bytes);
        self.change(&Request::Write { place, bytes })
    }

    /// Has the virtual CPU do something before the next instruction, and gives back
    /// the news of it, which say what came of it. If it refuses, nothing has changed:
    /// then the recorded run is no branch, and its own news say nothing of it.
    ///
    /// # Errors
    /// As [`set`](Session::set).
    pub fn order(&mut self, order: Order) -> Result<Vec<News>, LabError> {
        let was_branch = self.is_branch();
        let told = self.news.len();
        self.branch_off()?;
        self.ask_for_stop(&Request::Order(order))?;
        let news = self.news.get(told..).unwrap_or_default().to_vec();
        let refused = What::Decided(Decision::Ordered { order, done: false });
        if !was_branch && news.iter().any(|news| news.what == refused) {
            self.leave_branch()?;
        }
        Ok(news)
    }

    /// Back to the recorded run, where it was left. Stays if this is it.
    ///
    /// # Errors
    /// If the runner is gone.
    pub fn leave_branch(&mut self) -> Result<(), LabError> {
        self.retreat_while(Session::is_branch)
    }

    fn change(&mut self, request: &Request) -> Result<(), LabError> {
        let was_branch = self.is_branch();
        self.branch_off()?;
        match self.runner.ask(request)? {
            Answer::Done => self.look_again(),
            other => {
                if !was_branch {
                    self.leave_branch()?;
                }
                Err(unexpected(other))
            }
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
