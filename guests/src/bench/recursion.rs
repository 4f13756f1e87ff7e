//! `recursion`: the 29th Fibonacci number by its definition.
//!
//! A round is 1,664,079 calls, half of which save a register and call on: about
//! 14.1 million instructions, of which a third touch the stack.

use super::Kernel;
use crate::asm::Asm;
use crate::x64;

pub(super) const KERNEL: Kernel = Kernel {
    name: "recursion",
    emit,
    checksum,
};

/// Which Fibonacci number is computed.
const ARGUMENT: u64 = 29;

fn emit(asm: &mut Asm) {
    let fibonacci = asm.new_label();
    x64!(asm
        ; push rbx
        ; mov r8, rdi                   // R8: rounds to go
        ; xor r9d, r9d                  // R9: checksum
        ; round:
        ; test r8, r8
        ; jz >done
        ; mov edi, ARGUMENT as i32
        ; call =>fibonacci
        ; rol r9, 5
        ; add r9, rax
        ; dec r8
        ; jmp <round
        ; done:
        ; mov rax, r9
        ; pop rbx
        ; ret

        ; =>fibonacci                   // RAX = fibonacci(RDI)
        ; mov eax, edi
        ; cmp edi, 2
        ; jb >small
        ; push rbx
        ; mov ebx, edi
        ; lea edi, [rbx - 1]
        ; call =>fibonacci
        ; lea edi, [rbx - 2]
        ; mov ebx, eax
        ; call =>fibonacci
        ; add eax, ebx
        ; pop rbx
        ; small:
        ; ret
    );
}

fn checksum(rounds: u64) -> u64 {
    let (fibonacci, _) = (0..ARGUMENT).fold((0_u64, 1), |(one, next), _| (next, one + next));
    (0..rounds).fold(0_u64, |sum, _| sum.rotate_left(5).wrapping_add(fibonacci))
}
