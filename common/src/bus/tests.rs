//! The bus with its devices.

use super::*;
use std::io;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Console(Arc<Mutex<Vec<u8>>>);

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

struct Fixture {
    bus: Bus,
    recorder: Recorder,
    console: Console,
}

impl Fixture {
    fn new() -> Fixture {
        let console = Console::default();
        Fixture {
            bus: Bus::new(Box::new(console.clone())),
            recorder: Recorder::new(0),
            console,
        }
    }

    fn read(&mut self, port: u16, size: Size) -> u64 {
        self.bus.read_port(&mut self.recorder, Time(7), port, size)
    }

    fn write(&mut self, port: u16, size: Size, value: u32) -> Option<u32> {
        let recorder = &mut self.recorder;
        self.bus.write_port(recorder, Time(7), port, size, value)
    }

    fn printed(&self) -> Vec<u8> {
        self.console.0.lock().unwrap().clone()
    }

    fn accesses(&self) -> Vec<DeviceAccess> {
        self.recorder
            .last()
            .filter_map(|record| match record.event {
                Event::Device(access) => Some(access),
                _ => None,
            })
            .collect()
    }
}

#[test]
fn a_byte_written_to_com1_reaches_the_console() {
    let mut machine = Fixture::new();
    assert_eq!(machine.write(COM1, Size::Byte, u32::from(b'H')), None);
    assert_eq!(machine.printed(), b"H");
}

#[test]
fn a_wide_write_is_split_into_bytes_at_consecutive_ports_but_recorded_once() {
    let mut machine = Fixture::new();
    // 'A' to the data register, 0x0f to the interrupt enable register.
    machine.write(COM1, Size::Word, 0x0f41);
    assert_eq!(machine.printed(), b"A");
    assert_eq!(machine.read(COM1 + 1, Size::Byte), 0x0f);
    let written = machine.accesses()[0];
    assert_eq!((written.size, written.value), (Size::Word, 0x0f41));
    assert_eq!(machine.accesses().len(), 2);
}

#[test]
fn a_wide_read_puts_the_byte_of_the_lowest_port_lowest() {
    let mut machine = Fixture::new();
    let line_status = machine.read(COM1 + 5, Size::Byte);
    let modem_status = machine.read(COM1 + 6, Size::Byte);
    let both = machine.read(COM1 + 5, Size::Word);
    assert_eq!(both, modem_status << 8 | line_status);
    assert_ne!(line_status, modem_status);
}

#[test]
fn bytes_of_a_wide_access_that_nobody_answers_are_ones() {
    let mut machine = Fixture::new();
    machine.write(COM1 + 7, Size::Byte, 0x5a);
    assert_eq!(machine.read(COM1 + 7, Size::Dword), 0xffff_ff5a);
    assert_eq!(machine.accesses()[1].device, Device::Serial);
}

#[test]
fn a_port_without_device_reads_as_ones_of_the_width_and_swallows_writes() {
    let mut machine = Fixture::new();
    let read = [Size::Byte, Size::Word, Size::Dword].map(|size| machine.read(0x80, size));
    assert_eq!(read, [0xff, 0xffff, 0xffff_ffff]);
    assert_eq!(machine.write(0xffff, Size::Dword, 0), None);
    assert!(
        machine
            .accesses()
            .iter()
            .all(|access| access.device == Device::Nobody)
    );
}

#[test]
fn the_exit_port_gives_the_value_cut_to_the_width() {
    let mut machine = Fixture::new();
    assert_eq!(machine.write(EXIT_PORT, Size::Byte, 0x1_03), Some(3));
    assert_eq!(machine.write(EXIT_PORT, Size::Dword, 0x103), Some(0x103));
    assert_eq!(machine.accesses()[0].device, Device::ExitPort);
}

#[test]
fn a_broken_console_loses_the_byte_and_nothing_else() {
    let mut bus = Bus::new(Box::new(Broken));
    let mut recorder = Recorder::new(0);
    let size = Size::Byte;
    assert_eq!(bus.write_port(&mut recorder, Time(0), COM1, size, 65), None);
    assert_eq!(
        bus.write_port(&mut recorder, Time(0), EXIT_PORT, size, 0),
        Some(0)
    );
}

#[test]
fn the_apic_answers_aligned_dwords_in_its_page_and_nothing_else() {
    let mut apic = Apic::new(3);
    let mut recorder = Recorder::new(0);
    let mut read = |gpa, size| read_memory(&mut apic, &mut recorder, Time(0), gpa, size);
    assert_eq!(read(APIC + 0x20, Size::Dword), 3 << 24);
    assert_eq!(read(APIC + 0x20, Size::Byte), 0xff);
    assert_eq!(read(APIC + 0x21, Size::Dword), 0xffff_ffff);
    assert_eq!(read(APIC + 0x1020, Size::Dword), 0xffff_ffff);
    assert_eq!(read(APIC - 0x10, Size::Qword), u64::MAX);
    let answered: Vec<_> = recorder
        .last()
        .map(|record| match record.event {
            Event::Device(access) => access.device,
            other => panic!("recorded {other:?}"),
        })
        .collect();
    assert_eq!(answered[0], Device::Apic);
    assert!(answered[1..].iter().all(|device| *device == Device::Nobody));
}
