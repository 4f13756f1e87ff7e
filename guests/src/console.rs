//! The console library: text, decimal and hexadecimal numbers on COM1.
//!
//! The functions here emit a call; [`library`] emits the routines that are
//! called. All of them keep RBX, RBP, RSP and R8 to R15, and change RAX, RCX,
//! RDX, RSI, RDI and the flags.
//!
//! Before each piece of text a guest reads the line status register until the
//! transmitter is empty, as a driver does, and then writes all its bytes. A
//! chip from 1987 would want to be asked before each byte (or each 16 with its
//! FIFO on); the virtual ones never refuse a byte, and one question for each
//! piece keeps traces short. The registers are those of the 16550's data sheet;
//! OSDev's page "Serial Ports" lists them.

use crate::asm::Asm;
use crate::x64;

/// COM1's first port: the transmit buffer when written.
pub const COM1: u16 = 0x3f8;
/// COM1's line status register.
pub const LINE_STATUS: u16 = COM1 + 5;
/// COM1's scratch register: a byte that the chip keeps and does not look at.
pub const SCRATCH: u16 = COM1 + 7;
/// Bit of the line status register: the transmit buffer takes another byte.
const TRANSMITTER_EMPTY: i8 = 1 << 5;

/// Prints `text`.
pub fn text(asm: &mut Asm, text: &str) {
    let label = asm.string(text);
    x64!(asm
        ; lea rsi, [=>label]
        ; mov ecx, text.len() as i32
        ; call ->console_text
    );
}

/// Prints RAX as an unsigned decimal number.
pub fn decimal(asm: &mut Asm) {
    x64!(asm ; call ->console_decimal);
}

/// Prints the lowest `digits` hexadecimal digits of RAX, with `0x` before them.
///
/// # Panics
///
/// If there are no `digits`, or more than the 16 of a register.
pub fn hexadecimal(asm: &mut Asm, digits: i32) {
    assert!(
        (1..=16).contains(&digits),
        "{digits} digits asked for; a register has 1 to 16"
    );
    x64!(asm
        ; mov ecx, digits
        ; call ->console_hexadecimal
    );
}

/// Emits the routines. [`program::build`](crate::program::build) does it once
/// for each guest.
pub fn library(asm: &mut Asm) {
    asm.data("console_digits", 16, *b"0123456789abcdef");
    text_routine(asm);
    decimal_routine(asm);
    hexadecimal_routine(asm);
}

/// `console_text`: prints RCX bytes from address RSI.
fn text_routine(asm: &mut Asm) {
    x64!(asm
        ; ->console_text:
        ; mov edx, LINE_STATUS as i32
        ; wait:
        ; in al, dx
        ; test al, TRANSMITTER_EMPTY
        ; jz <wait
        ; mov edx, COM1 as i32
        ; byte:
        ; test rcx, rcx
        ; jz >done
        ; mov al, [rsi]
        ; out dx, al
        ; inc rsi
        ; dec rcx
        ; jmp <byte
        ; done:
        ; ret
    );
}

/// `console_decimal`: prints RAX. The digits come out last first, so they are
/// put into a buffer on the stack from its end.
fn decimal_routine(asm: &mut Asm) {
    x64!(asm
        ; ->console_decimal:
        ; sub rsp, 32
        ; lea rsi, [rsp + 32]
        ; mov ecx, 10
        ; digit:
        ; xor edx, edx
        ; div rcx                       // quotient to RAX, next digit to RDX
        ; add dl, b'0' as i8
        ; dec rsi
        ; mov [rsi], dl
        ; test rax, rax
        ; jnz <digit
        ; lea rcx, [rsp + 32]
        ; sub rcx, rsi                  // the length: buffer's end less first digit
        ; call ->console_text
        ; add rsp, 32
        ; ret
    );
}

/// `console_hexadecimal`: prints the lowest RCX digits of RAX.
fn hexadecimal_routine(asm: &mut Asm) {
    let prefix = i16::from_le_bytes(*b"0x");
    x64!(asm
        ; ->console_hexadecimal:
        ; sub rsp, 32
        ; lea rsi, [rsp + 32]
        ; lea rdi, [->console_digits]
        ; digit:
        ; mov edx, eax
        ; and edx, 0xf
        ; mov dl, [rdi + rdx]
        ; dec rsi
        ; mov [rsi], dl
        ; shr rax, 4
        ; dec ecx
        ; jnz <digit
        ; sub rsi, 2
        ; mov WORD [rsi], prefix
        ; lea rcx, [rsp + 32]
        ; sub rcx, rsi
        ; call ->console_text
        ; add rsp, 32
        ; ret
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "17 digits asked for")]
    fn a_register_has_no_more_than_16_digits() {
        hexadecimal(&mut Asm::new(), 17);
    }
}
