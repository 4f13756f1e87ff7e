//! The local APIC, as far as a kernel needs it for timer interrupts (SDM
//! volume 3, chapter "Advanced Programmable Interrupt Controller").
//!
//! Its registers lie in memory, 16 bytes apart, from [`BASE`] on. The timer
//! counts down from an initial count and interrupts at 0. How fast it counts
//! differs: on the software CPU by one for each instruction, in QEMU by one for
//! each nanosecond. So a guest may say "after ten ticks", and must never say
//! how much work fits into one. The count stands in the variable
//! [`TICK_LENGTH`], so that whoever runs an image can choose another.

use crate::asm::Asm;
use crate::image::Image;
use crate::x64;

/// Guest-physical address of the registers, as on every PC.
pub const BASE: u32 = 0xfee0_0000;
/// The model-specific register that holds this address.
pub const BASE_REGISTER: u32 = 0x1b;
/// The vector of timer interrupts: the first behind the CPU's exceptions.
pub const TIMER_VECTOR: u8 = 32;
/// The symbol of the variable with the timer's initial count.
pub const TICK_LENGTH: &str = "tick_length";
/// The usual initial count: long enough for QEMU to keep up with, and short
/// enough for a guest to live through many ticks.
pub const TICK: u32 = 20_000;

/// Address of the register with the APIC's number, in its highest byte.
pub const ID_REGISTER: u32 = BASE + register::ID as u32;
/// Address of the lower half of the interrupt command register. A write to it
/// sends an interrupt.
pub const COMMAND_REGISTER: u32 = BASE + register::COMMAND as u32;

/// Offsets of the registers from [`BASE`].
pub mod register {
    pub(super) const ID: i32 = 0x20;
    pub(super) const END_OF_INTERRUPT: i32 = 0xb0;
    pub(super) const SPURIOUS: i32 = 0xf0;
    pub(super) const REQUESTED: i32 = 0x200;
    pub(super) const COMMAND: i32 = 0x300;
    pub(super) const COMMAND_HIGH: i32 = 0x310;
    /// The timer's vector and mode.
    pub const TIMER: i32 = 0x320;
    /// What the timer counts down from; a write starts it.
    pub const INITIAL_COUNT: i32 = 0x380;
    /// What the timer has left to count.
    pub const CURRENT_COUNT: i32 = 0x390;
    /// By how much the timer's clock is divided.
    pub const DIVIDE: i32 = 0x3e0;
}

/// Values of the registers.
const DIVIDE_BY_1: i32 = 0b1011;
/// Switches the APIC on, with 0xff as the vector of spurious interrupts.
const SOFTWARE_ENABLE: i32 = 0x1ff;
const PERIODIC: i32 = 1 << 17;

/// What the timer does at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// It stops, until it is started again.
    OneShot,
    /// It begins anew.
    Periodic,
}

/// Whom an interrupt to other CPUs goes to. The value is the command's field of
/// that name, *destination shorthand*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The CPU whose number is in EAX.
    Number = 0,
    /// The sender.
    Myself = 1,
    /// Every CPU.
    All = 2,
    /// Every CPU but the sender.
    Others = 3,
}

/// The command that sends `vector` to the target.
pub const fn command(target: Target, vector: u8) -> u32 {
    (target as u32) << 18 | vector as u32
}

/// Sends an interrupt. No handler that sends one itself may strike in between:
/// there is only one destination register. Changes RAX and RCX.
pub fn send(asm: &mut Asm, target: Target, vector: u8) {
    x64!(asm ; mov ecx, BASE as i32);
    if target == Target::Number {
        x64!(asm ; shl eax, 24 ; mov [rcx + register::COMMAND_HIGH], eax);
    }
    x64!(asm ; mov DWORD [rcx + register::COMMAND], command(target, vector) as i32);
}

/// Sends the interrupt of the command in EAX. EDX is the number of the CPU, for
/// [`Target::Number`]. Changes RCX and RDX.
pub fn send_command(asm: &mut Asm) {
    x64!(asm
        ; mov ecx, BASE as i32
        ; shl edx, 24
        ; mov [rcx + register::COMMAND_HIGH], edx
        ; mov [rcx + register::COMMAND], eax
    );
}

/// Switches the APIC on. Interrupts that are sent to it before are lost.
pub fn switch_on(asm: &mut Asm) {
    x64!(asm
        ; mov ecx, BASE as i32
        ; mov DWORD [rcx + register::SPURIOUS], SOFTWARE_ENABLE
    );
}

/// Switches the APIC on and sets the timer's mode, but does not start it. To be
/// emitted once in a guest. `tick` is the [`TICK_LENGTH`].
pub fn enable(asm: &mut Asm, timer: Timer, tick: u32) {
    asm.words(TICK_LENGTH, &[tick.into()]);
    let periodic = match timer {
        Timer::OneShot => 0,
        Timer::Periodic => PERIODIC,
    };
    switch_on(asm);
    x64!(asm
        ; mov DWORD [rcx + register::TIMER], periodic | i32::from(TIMER_VECTOR)
        ; mov DWORD [rcx + register::DIVIDE], DIVIDE_BY_1
    );
}

/// Starts the timer. Changes RAX and RCX.
pub fn start_timer(asm: &mut Asm) {
    x64!(asm
        ; mov eax, [->tick_length]
        ; mov ecx, BASE as i32
        ; mov [rcx + register::INITIAL_COUNT], eax
    );
}

/// Stops the timer. A tick that it has requested stays requested. Changes RCX.
pub fn stop_timer(asm: &mut Asm) {
    x64!(asm
        ; mov ecx, BASE as i32
        ; mov DWORD [rcx + register::INITIAL_COUNT], 0
    );
}

/// Reads what the timer has left to count into EAX. Changes RCX.
pub fn current_count(asm: &mut Asm) {
    read(asm, register::CURRENT_COUNT);
}

/// Reads a register into EAX. Changes RCX.
pub fn read(asm: &mut Asm, register: i32) {
    x64!(asm
        ; mov ecx, BASE as i32
        ; mov eax, [rcx + register]
    );
}

/// Writes a register. Changes RCX.
pub fn write(asm: &mut Asm, register: i32, value: i32) {
    x64!(asm
        ; mov ecx, BASE as i32
        ; mov DWORD [rcx + register], value
    );
}

/// Clears the zero flag if an interrupt is requested and waits to be taken.
/// Changes RAX and RCX.
pub fn test_requested(asm: &mut Asm, vector: u8) {
    let (word, bit) = (i32::from(vector) / 32, vector % 32);
    x64!(asm
        ; mov ecx, BASE as i32
        ; mov eax, [rcx + register::REQUESTED + 0x10 * word]
        ; test eax, 1 << bit
    );
}

/// Ends the interrupt in service, without which no other is delivered. Changes
/// RCX.
pub fn end_of_interrupt(asm: &mut Asm) {
    x64!(asm
        ; mov ecx, BASE as i32
        ; mov DWORD [rcx + register::END_OF_INTERRUPT], 0
    );
}

/// Gives an image another [`TICK_LENGTH`]. An image without a timer is left as
/// it is.
pub fn set_tick_length(image: &mut Image, tick: u32) {
    let Some(address) = image.symbol(TICK_LENGTH).map(|symbol| symbol.address) else {
        return;
    };
    for segment in &mut image.segments {
        let offset = address.wrapping_sub(segment.address) as usize;
        if let Some(bytes) = segment.bytes.get_mut(offset..offset.saturating_add(4)) {
            bytes.copy_from_slice(&tick.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program;

    #[test]
    fn an_image_takes_another_tick_length() {
        let build = |tick| program::build(|asm| enable(asm, Timer::Periodic, tick));
        let mut image = build(TICK);
        assert!(image != build(5));
        set_tick_length(&mut image, 5);
        assert!(image == build(5));
    }
}
