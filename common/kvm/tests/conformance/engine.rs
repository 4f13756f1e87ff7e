//! The engines, as a script plays them.

use common::{Boot, Context, Cpu, Exit, Gpr, Interp, Memory, Pcpu, Time, Vcpu};
use std::time::Duration;

/// An engine with one vCPU on one physical CPU.
pub trait Engine {
    /// The vCPU's kind.
    type Vcpu: Vcpu;

    /// The vCPU and the physical CPU that it is on.
    fn parts(&mut self) -> (&mut Self::Vcpu, &mut Pcpu<<Self::Vcpu as Vcpu>::Cpu>);

    /// Sets registers.
    fn set(&mut self, values: &[(Gpr, u64)]);

    /// A register between two instructions.
    fn get(&mut self, register: Gpr) -> u64;

    /// Goes on as another vCPU with the same state, if the vCPU stands between
    /// two instructions.
    fn become_another(&mut self);

    /// What the engine adds to its last exit.
    fn explain(&self) -> String {
        String::new()
    }

    /// Runs, but not for ever.
    fn run(&mut self) -> Exit {
        let (vcpu, pcpu) = self.parts();
        let until = pcpu.now + 2_000_000;
        pcpu.run(vcpu, until)
    }

    /// Runs for a while that is over soon.
    fn run_for_a_while(&mut self) -> Exit {
        let (vcpu, pcpu) = self.parts();
        let until = pcpu.now + 2_000;
        let exit = pcpu.run(vcpu, until);
        assert!(
            exit != Exit::Deadline || pcpu.now >= until,
            "a deadline came too early"
        );
        exit
    }

    /// Runs until the moment that it is.
    fn run_until_now(&mut self) -> Exit {
        let (vcpu, pcpu) = self.parts();
        let until = pcpu.now;
        pcpu.run(vcpu, until)
    }

    /// Runs until `until` or until another thread kicks, in two milliseconds.
    fn run_until_kicked(&mut self, until: Time) -> Exit {
        let (vcpu, pcpu) = self.parts();
        let kick = pcpu.kick.clone();
        let kicker = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(2));
            kick.kick();
        });
        let exit = pcpu.run(vcpu, until);
        kicker.join().unwrap();
        exit
    }

    /// Runs until a moment at which another thread kicks, too. Whoever comes first,
    /// the kick is told exactly once.
    fn run_until_kicked_at_deadline(&mut self) -> Exit {
        let until = self.parts().1.now + 2_000;
        match self.run_until_kicked(until) {
            Exit::Deadline => self.run(),
            exit => exit,
        }
    }

    fn kick(&mut self) {
        self.parts().1.kick.kick();
    }

    fn complete(&mut self, value: u64) {
        let (vcpu, pcpu) = self.parts();
        vcpu.complete(pcpu, value);
    }

    fn want_window(&mut self) {
        self.parts().0.want_window(true);
    }

    fn inject(&mut self, vector: u8) -> bool {
        let (vcpu, pcpu) = self.parts();
        let can = vcpu.can_inject();
        let injected = pcpu.inject(vcpu, vector).is_ok();
        assert_eq!(can, injected, "can_inject must foretell inject");
        injected
    }
}

/// Version 3 on the software CPU.
pub struct Software {
    pcpu: Pcpu<Box<dyn Cpu>>,
    vcpu: v3::VirtualCpu,
}

impl Software {
    pub fn new(memory: Memory, boot: &Boot) -> Software {
        let mut engine = Software {
            pcpu: software_pcpu(memory),
            vcpu: v3::VirtualCpu::default(),
        };
        v1::prepare(boot, engine.pcpu.context());
        engine
    }

    fn context(&mut self) -> &mut Context {
        self.pcpu.context()
    }
}

fn software_pcpu(memory: Memory) -> Pcpu<Box<dyn Cpu>> {
    Pcpu::new(0, Box::new(Interp::new(memory)))
}

impl Engine for Software {
    type Vcpu = v3::VirtualCpu;

    fn parts(&mut self) -> (&mut v3::VirtualCpu, &mut Pcpu<Box<dyn Cpu>>) {
        (&mut self.vcpu, &mut self.pcpu)
    }

    fn set(&mut self, values: &[(Gpr, u64)]) {
        for (register, value) in values {
            self.context().registers[*register] = *value;
        }
    }

    fn get(&mut self, register: Gpr) -> u64 {
        self.context().registers[register]
    }

    fn become_another(&mut self) {
        let context = self.context().clone();
        let mut pcpu = software_pcpu(context.space.memory.clone());
        *pcpu.context() = context;
        pcpu.now = self.pcpu.now;
        self.pcpu = pcpu;
        self.vcpu = self.vcpu.clone();
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use hardware::Hardware;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod hardware {
    use super::*;
    use kvm::{Error, HostCpu, Machine};

    /// This host's KVM.
    pub struct Hardware {
        pcpu: Pcpu<HostCpu>,
        vcpu: kvm::Vcpu,
        boot: Boot,
        window: bool,
    }

    impl Hardware {
        pub fn new(memory: Memory, boot: &Boot) -> Hardware {
            Hardware {
                pcpu: HostCpu::pcpu(0, HostCpu::TICK),
                vcpu: Machine::new(&memory).unwrap().vcpu(boot).unwrap(),
                boot: *boot,
                window: false,
            }
        }
    }

    impl Engine for Hardware {
        type Vcpu = kvm::Vcpu;

        fn parts(&mut self) -> (&mut kvm::Vcpu, &mut Pcpu<HostCpu>) {
            (&mut self.vcpu, &mut self.pcpu)
        }

        fn set(&mut self, values: &[(Gpr, u64)]) {
            let mut state = self.vcpu.state().unwrap();
            for (register, value) in values {
                state.set(*register, *value);
            }
            self.vcpu.set_state(&state).unwrap();
        }

        fn get(&mut self, register: Gpr) -> u64 {
            self.vcpu.general().unwrap().registers[register]
        }

        fn want_window(&mut self) {
            self.window = true;
            self.vcpu.want_window(true);
        }

        fn run(&mut self) -> Exit {
            let until = self.pcpu.now + 2_000_000;
            let exit = self.pcpu.run(&mut self.vcpu, until);
            self.window &= exit != Exit::WindowOpen;
            exit
        }

        fn become_another(&mut self) {
            let state = match self.vcpu.state() {
                Ok(state) => state,
                Err(Error::NotSettled(_)) => return,
                Err(error) => panic!("{error}"),
            };
            let machine = Machine::new(self.vcpu.machine().memory()).unwrap();
            self.vcpu = machine.vcpu(&self.boot).unwrap();
            self.vcpu.set_state(&state).unwrap();
            self.vcpu.want_window(self.window);
            let now = self.pcpu.now;
            self.pcpu = HostCpu::pcpu(1, HostCpu::TICK);
            self.pcpu.now = now;
        }

        fn explain(&self) -> String {
            self.vcpu
                .failure()
                .map(ToString::to_string)
                .unwrap_or_default()
        }
    }
}
