//! Forwards and back.

use super::{Session, event};
use crate::error::LabError;
use common::Time;
use evidence::session::{Kind, News, Request, Scene, Stop, Until, Why};

impl Session {
    /// To a position, or the first moment behind it, or the end.
    ///
    /// # Errors
    /// If the runner is gone, or on Ctrl-C; so with every way from here to there.
    pub fn go_to(&mut self, position: u64) -> Result<(), LabError> {
        self.retreat_while(|session| session.stop.position > position)?;
        if self.stop.position < position {
            self.run(Until {
                position: Some(position),
                ..Until::default()
            })?;
        }
        Ok(())
    }

    /// To the first moment at which a physical CPU has come to `time`, or the end.
    ///
    /// # Errors
    /// As [`go_to`](Session::go_to).
    pub fn go_to_time(&mut self, time: Time) -> Result<(), LabError> {
        self.retreat_while(|session| session.stop.latest >= time)?;
        if self.stop.latest < time {
            self.run(Until {
                time: Some(time),
                ..Until::default()
            })?;
        }
        Ok(())
    }

    /// So many instructions on.
    ///
    /// # Errors
    /// As [`go_to`](Session::go_to).
    pub fn step(&mut self, instructions: u64) -> Result<(), LabError> {
        self.go_to(self.stop.position.saturating_add(instructions))
    }

    /// To the instruction before this one; says whether there is one.
    ///
    /// # Errors
    /// As [`go_to`](Session::go_to).
    pub fn step_back(&mut self) -> Result<bool, LabError> {
        let here = self.stop.position;
        // Ticks may pass without an instruction: then the way back is longer.
        for way in (0..64).map(|doublings| 1 << doublings) {
            self.go_to(here.saturating_sub(way))?;
            if self.stop.position < here {
                return self.approach(here).map(|()| true);
            }
            if way >= here {
                break;
            }
        }
        Ok(false)
    }

    /// On, instruction by instruction, to the last one before a position.
    fn approach(&mut self, position: u64) -> Result<(), LabError> {
        loop {
            let last = self.stop.position;
            if last + 1 >= position {
                return Ok(());
            }
            self.step(1)?;
            if self.stop.position >= position {
                return self.go_to(last);
            }
        }
    }

    /// To the next moment behind an event of this kind; says whether there is one,
    /// and stays if not.
    ///
    /// # Errors
    /// As [`go_to`](Session::go_to).
    pub fn next(&mut self, kind: Kind) -> Result<bool, LabError> {
        self.on_until(Until {
            kinds: vec![kind],
            ..Until::default()
        })
    }

    /// On to the first moment at which what `until` asks for is so, its kinds and
    /// addresses; says whether there is one, and stays if not. What happens at the
    /// very end counts, too. If somebody is impatient, or the version's code does not
    /// come so far, the run stands elsewhere, and the [stop](Session::stop) says so.
    ///
    /// # Errors
    /// As [`go_to`](Session::go_to).
    pub fn on_until(&mut self, until: Until) -> Result<bool, LabError> {
        let here = self.stop.position;
        let told = self.news.len();
        self.run(until.clone())?;
        let asked_for = |news: &News| {
            let kind = event(news).and_then(Kind::of);
            kind.is_some_and(|kind| until.kinds.contains(&kind))
        };
        let mut new = self.news.get(told..).unwrap_or_default().iter();
        if !self.is_over() || new.any(asked_for) {
            return Ok(true);
        }
        self.go_to(here).map(|()| false)
    }

    /// Back to the last moment before this one that was behind an event of this
    /// kind; says whether there is one, and stays if not.
    ///
    /// # Errors
    /// As [`go_to`](Session::go_to).
    pub fn previous(&mut self, kind: Kind) -> Result<bool, LabError> {
        let here = self.stop.position;
        let found = self
            .news
            .iter()
            .rev()
            .find(|news| news.position < here && event(news).and_then(Kind::of) == Some(kind));
        match found.map(|news| news.position) {
            Some(position) => self.go_to(position).map(|()| true),
            None => Ok(false),
        }
    }

    /// Back to the last moment before this one at which what `until` asks for was
    /// so, its kinds, addresses, changes and vCPU; says whether there is one. If
    /// not, the run stands at its beginning. If somebody is impatient it stands
    /// where it is then, and the [stop](Session::stop) says so.
    ///
    /// # Errors
    /// As [`go_to`](Session::go_to).
    pub fn back_until(&mut self, until: &Until) -> Result<bool, LabError> {
        let mut end = self.stop.position;
        while end > 0 {
            self.retreat_while(|session| session.stop.position >= end)?;
            let begin = self.stop.position;
            let begins_there = self.stands_at(until).then_some(begin);
            self.run(Until {
                position: Some(end),
                time: None,
                scan: true,
                ..until.clone()
            })?;
            if self.stop.why == Why::Interrupted {
                return Ok(true);
            }
            if let Some(hit) = self.stop.last_hit.or(begins_there) {
                return self.go_to(hit).map(|()| true);
            }
            end = begin;
        }
        self.go_to(0).map(|()| false)
    }

    /// Whether what `until` asks for is so here, as far as one moment shows it.
    fn stands_at(&self, until: &Until) -> bool {
        let Stop { scene, vcpu, .. } = &self.stop;
        let vm_counts = until.vm.is_none() || until.vm == vcpu.map(|name| name.vm);
        let at = |scene: &Scene| until.addresses.contains(&scene.registers.rip);
        vm_counts && scene.as_ref().is_some_and(at) || until.vcpu.is_some() && until.vcpu == *vcpu
    }

    /// Back from checkpoint to checkpoint while `further` says so, and there is
    /// one.
    pub(super) fn retreat_while(
        &mut self,
        further: impl Fn(&Session) -> bool,
    ) -> Result<(), LabError> {
        while further(self) && self.stop.depth > 0 {
            self.ask_for_stop(&Request::Retreat)?;
            if !matches!(self.stop.why, Why::Back(_)) {
                return Err(LabError::Infrastructure(String::from(
                    "the runner was asked to go back, and did something else",
                )));
            }
        }
        Ok(())
    }
}
