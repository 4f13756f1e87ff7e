//! A whole machine around a version's virtual CPU: what the tests run guests on.
#![allow(dead_code)] // each test program uses a part of it

use common::devices::Apic;
use common::trace::{Event, Sink};
use common::{Boot, Bus, Cpu, Ending, HostTimer, Image, Interp, Memory, Pcpu, Time, Vcpu};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// A machine with one guest in it.
pub struct Machine<V> {
    pub vcpu: V,
    pub pcpu: Pcpu<Box<dyn Cpu>>,
    bus: Bus,
    apic: Apic,
    console: Console,
}

/// Takes what the guest prints, without allocating for the first 64 KiB.
#[derive(Clone)]
struct Console(Arc<Mutex<Vec<u8>>>);

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<V: Vcpu<Cpu = Box<dyn Cpu>> + Default> Machine<V> {
    /// A machine that has just been switched on.
    pub fn new(elf: &[u8]) -> Machine<V> {
        Machine::on(elf, |memory| Box::new(Interp::new(memory)))
    }

    /// The same on a raw CPU of one's own.
    pub fn on(elf: &[u8], cpu: impl FnOnce(Memory) -> Box<dyn Cpu>) -> Machine<V> {
        let image = Image::parse(elf).unwrap();
        let memory = Memory::new(16 << 20).unwrap();
        image.load(&memory).unwrap();
        let boot = Boot::prepare(&memory, image.entry).unwrap();
        let mut pcpu = Pcpu::new(0, cpu(memory));
        v1::prepare(&boot, pcpu.context());
        let console = Console(Arc::new(Mutex::new(Vec::with_capacity(64 << 10))));
        Machine {
            vcpu: V::default(),
            pcpu,
            bus: Bus::new(Box::new(console.clone())),
            apic: Apic::new(0),
            console,
        }
    }

    /// Runs the guest until it ends, or until `limit`: then it may be run on.
    pub fn run(&mut self, host_tick: u64, limit: u64) -> Ending {
        let mut host = HostTimer::new(host_tick, Time(limit));
        host.tick(self.pcpu.now);
        let Machine {
            vcpu,
            pcpu,
            bus,
            apic,
            ..
        } = self;
        v2::monitor::run(vcpu, pcpu, bus, apic, &mut host)
    }

    /// What it has printed.
    pub fn console(&self) -> Vec<u8> {
        self.console.0.lock().unwrap().clone()
    }

    /// From now on counts the events that `wanted` picks.
    pub fn count(&mut self, wanted: impl Fn(Event) -> bool + Send + 'static) -> Arc<Mutex<u64>> {
        let count = Arc::new(Mutex::new(0));
        let counted = count.clone();
        let sink: Sink = Box::new(move |record| {
            *counted.lock().unwrap() += u64::from(wanted(record.event));
        });
        self.pcpu.recorder.record_all(sink);
        count
    }
}
