//! What became of one VM among many: the version's claim, held against the
//! evidence.

use crate::text;
use common::trace::{Device, Event, Record};
use common::{Ending, Exit};
use evidence::host::{Deed, RunEvidence};
use std::fmt;

/// What became of a VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VmFate {
    /// It ended, and what the machine saw agrees.
    Ended(Ending),
    /// The version says that it ended like this, but the machine saw something
    /// else.
    Untrue(Ending),
    /// It had not ended when the run was over: what it was doing then, in one
    /// word.
    Alive(String),
    /// Nobody can say.
    Unknown,
}

impl VmFate {
    /// What became of `vm` in a run.
    pub fn of(run: &RunEvidence, vm: u32) -> VmFate {
        let told = run.ended.iter().find(|ended| ended.vm == vm);
        let end = run.vms.get(&vm);
        let claim = end.and_then(|end| end.claim.as_ref());
        let ending = claim.and_then(|claim| claim.ending);
        let ending = ending.or(told.map(|ended| ended.ending));
        match (ending, end, claim) {
            (Some(ending), Some(end), _) if !agrees(run, vm, &end.last, ending) => {
                VmFate::Untrue(ending)
            }
            (Some(ending), ..) => VmFate::Ended(ending),
            (None, _, Some(claim)) => VmFate::Alive(claim.state.to_string()),
            (None, ..) => VmFate::Unknown,
        }
    }

    /// How it ended, if it did.
    pub fn ending(&self) -> Option<Ending> {
        match self {
            VmFate::Ended(ending) => Some(*ending),
            _ => None,
        }
    }
}

/// Whether what the machine saw last of a VM bears out how the version says it
/// ended.
fn agrees(run: &RunEvidence, vm: u32, last: &[Record], claim: Ending) -> bool {
    let saw = |wanted: &dyn Fn(Event) -> bool| last.iter().any(|record| wanted(record.event));
    match claim {
        Ending::Exited(code) => saw(&|event| {
            matches!(
                event,
                Event::Device(access) if access.device == Device::ExitPort
                    && access.write && access.value == u64::from(code)
            )
        }),
        Ending::Halted => {
            let mut exits = last.iter().rev().filter_map(|record| match record.event {
                Event::Exit(exit) => Some(exit),
                _ => None,
            });
            let other = exits.find(|exit| !matches!(exit, Exit::Kicked | Exit::Deadline));
            other == Some(Exit::Halted)
        }
        Ending::Stopped => run
            .commands
            .iter()
            .any(|command| command.deed == Deed::ShutDown(vm) && command.refused.is_none()),
        // From version 5 on no VM has a time of its own that can be used up.
        Ending::OutOfTime => false,
        Ending::Died(exit) => saw(&|event| event == Event::Exit(exit)),
    }
}

impl fmt::Display for VmFate {
    /// One clause.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VmFate::Ended(ending) => f.write_str(&text::ending(*ending)),
            VmFate::Untrue(claim) => write!(
                f,
                "your scheduler says that {}, but the machine saw nothing of the kind",
                text::ending(*claim)
            ),
            VmFate::Alive(state) => write!(f, "the guest had not ended: it was {state}"),
            VmFate::Unknown => f.write_str("nobody can say what became of the guest"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::trace::DeviceAccess;
    use common::{Size, Time};
    use evidence::host::{CarriedOut, Claim, VmEnd};

    /// A run in which the machine saw these events of VM 0, whose ending the
    /// version claims.
    fn run(events: &[Event], ending: Option<Ending>) -> RunEvidence {
        let record = |&event| Record {
            time: Time(1),
            pcpu: 0,
            rip: 0,
            event,
        };
        let end = VmEnd {
            vm: 0,
            now: Time(2),
            claim: Some(Claim {
                state: "asleep".into(),
                ending,
                account: Default::default(),
            }),
            vcpus: vec![],
            last: events.iter().map(record).collect(),
            explanation: None,
            failure: None,
            probes: vec![],
        };
        RunEvidence {
            vms: [(0, end)].into(),
            ..RunEvidence::default()
        }
    }

    fn exit_port(value: u64) -> Event {
        Event::Device(DeviceAccess {
            device: Device::ExitPort,
            address: 0xf4,
            size: Size::Byte,
            write: true,
            value,
        })
    }

    #[test]
    fn a_claim_is_borne_out_only_by_what_the_machine_saw_of_this_vm() {
        let (halted, deadline) = (Event::Exit(Exit::Halted), Event::Exit(Exit::Deadline));
        for (events, claim, holds) in [
            (&[exit_port(0)][..], Ending::Exited(0), true),
            (&[exit_port(1)], Ending::Exited(0), false),
            (&[halted], Ending::Halted, true),
            (&[halted, deadline], Ending::Halted, true),
            (&[halted, exit_port(0)], Ending::Exited(0), true),
            (&[deadline], Ending::Halted, false),
            (&[deadline], Ending::Stopped, false),
            (&[deadline], Ending::OutOfTime, false),
        ] {
            let fate = VmFate::of(&run(events, Some(claim)), 0);
            let wanted = match holds {
                true => VmFate::Ended(claim),
                false => VmFate::Untrue(claim),
            };
            assert_eq!(fate, wanted, "{events:?}");
        }
    }

    #[test]
    fn a_vm_is_stopped_from_outside_only_if_somebody_asked() {
        let mut run = run(&[], Some(Ending::Stopped));
        run.commands.push(CarriedOut {
            time: Time(1),
            deed: Deed::ShutDown(0),
            refused: None,
        });
        assert_eq!(VmFate::of(&run, 0), VmFate::Ended(Ending::Stopped));
    }

    #[test]
    fn one_that_has_not_ended_is_alive() {
        let alive = VmFate::Alive("asleep".into());
        assert_eq!(VmFate::of(&run(&[], None), 0), alive);
        assert_eq!(VmFate::of(&RunEvidence::default(), 0), VmFate::Unknown);
    }
}
