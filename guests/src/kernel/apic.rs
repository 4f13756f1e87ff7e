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
/// The vector of timer interrupts: the first behind the CPU's exceptions.
pub const TIMER_VECTOR: u8 = 32;
/// The symbol of the variable with the timer's initial count.
pub const TICK_LENGTH: &str = "tick_length";
/// The usual initial count: long enough for QEMU to keep up with, and short
/// enough for a guest to live through many ticks.
pub const TICK: u32 = 20_000;

/// Offsets of the registers, and their values.
const END_OF_INTERRUPT: i32 = 0xb0;
const SPURIOUS: i32 = 0xf0;
const REQUESTED: i32 = 0x200;
const TIMER: i32 = 0x320;
const INITIAL_COUNT: i32 = 0x380;
const CURRENT_COUNT: i32 = 0x390;
const DIVIDE: i32 = 0x3e0;
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

/// Switches the APIC on and sets the timer's mode, but does not start it. To be
/// emitted once in a guest. `tick` is the [`TICK_LENGTH`].
pub fn enable(asm: &mut Asm, timer: Timer, tick: u32) {
    asm.words(TICK_LENGTH, &[tick.into()]);
    let periodic = match timer {
        Timer::OneShot => 0,
        Timer::Periodic => PERIODIC,
    };
    x64!(asm
        ; mov ecx, BASE as i32
        ; mov DWORD [rcx + SPURIOUS], SOFTWARE_ENABLE
        ; mov DWORD [rcx + TIMER], periodic | i32::from(TIMER_VECTOR)
        ; mov DWORD [rcx + DIVIDE], DIVIDE_BY_1
    );
}

/// Starts the timer. Changes RAX and RCX.
pub fn start_timer(asm: &mut Asm) {
    x64!(asm
        ; mov eax, [->tick_length]
        ; mov ecx, BASE as i32
        ; mov [rcx + INITIAL_COUNT], eax
    );
}

/// Stops the timer. A tick that it has requested stays requested. Changes RCX.
pub fn stop_timer(asm: &mut Asm) {
    x64!(asm
        ; mov ecx, BASE as i32
        ; mov DWORD [rcx + INITIAL_COUNT], 0
    );
}

/// Reads what the timer has left to count into EAX. Changes RCX.
pub fn current_count(asm: &mut Asm) {
    x64!(asm
        ; mov ecx, BASE as i32
        ; mov eax, [rcx + CURRENT_COUNT]
    );
}

/// Clears the zero flag if a tick is requested and waits to be taken. Changes
/// RAX and RCX.
pub fn test_requested(asm: &mut Asm) {
    let (word, bit) = (i32::from(TIMER_VECTOR) / 32, TIMER_VECTOR % 32);
    x64!(asm
        ; mov ecx, BASE as i32
        ; mov eax, [rcx + REQUESTED + 0x10 * word]
        ; test eax, 1 << bit
    );
}

/// Ends the interrupt in service, without which no other is delivered. Changes
/// RCX.
pub fn end_of_interrupt(asm: &mut Asm) {
    x64!(asm
        ; mov ecx, BASE as i32
        ; mov DWORD [rcx + END_OF_INTERRUPT], 0
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
