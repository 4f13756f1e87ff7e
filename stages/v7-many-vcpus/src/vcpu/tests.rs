use super::*;
use crate::Mitigation;
use common::devices::Apic;
use common::scripted::{ScriptedVcpu, switched_on};
use common::{Bus, NotReady};
use v5::Id;

/// A halted vCPU, and what a sibling does elsewhere at the very moment in which
/// it is asked whether it takes interrupts.
struct Meanwhile<F> {
    halted: ScriptedVcpu,
    sibling: F,
}

impl<F: Fn() + Send> common::Vcpu for Meanwhile<F> {
    type Cpu = ();

    fn run(&mut self, pcpu: &mut Pcpu<()>, until: Time) -> Exit {
        self.halted.run(pcpu, until)
    }

    fn complete(&mut self, pcpu: &mut Pcpu<()>, value: u64) {
        self.halted.complete(pcpu, value);
    }

    fn can_inject(&self) -> bool {
        (self.sibling)();
        self.halted.can_inject()
    }

    fn inject(&mut self, vector: u8) -> Result<(), NotReady> {
        self.halted.inject(vector)
    }

    fn want_window(&mut self, on: bool) {
        self.halted.want_window(on);
    }
}

impl<F: Fn() + Send> Switch for Meanwhile<F> {
    type Saved = ();

    fn save(&mut self, _: &mut Pcpu<()>) {}

    fn restore(&mut self, _: &mut Pcpu<()>, (): ()) {}
}

/// Nobody hears anything.
struct Deaf;

impl Peers for Deaf {
    fn wake(&self, _: Id, _: Time) {}

    fn promote(&self, _: Id, _: Option<usize>) -> bool {
        false
    }
}

#[test]
fn a_sibling_that_falls_asleep_while_a_letter_is_being_read_does_not_end_the_machine() {
    let bus = Bus::new(Box::new(std::io::sink()));
    let machine = Arc::new(Machine::new(bus, 2, Mitigation::None));
    let sender = Arc::clone(&machine);
    let awake = Meanwhile {
        halted: ScriptedVcpu::new([]).with_interrupts_open(),
        sibling: move || sender.doze(0, &Deaf, Time(9)),
    };
    let mut processor = Processor::new(awake, switched_on(Apic::new(1)), ());
    processor.halt(Time(1));
    machine.mail(1).insert(40);
    machine.doze(1, &Deaf, Time(1));
    let mut vcpu = Vcpu::new(1, processor, Arc::clone(&machine));
    assert_eq!(vcpu.look_up(Time(9), &Deaf), None);
    assert_eq!(machine.ending(), None);
}
