//! Deadlines, kicks, and interrupts at every boundary.

use crate::exceptions::with_handlers;
use crate::{Case, HALT, Step, WINDOW, out};
use common::Size;
use common::boot::selectors::{KERNEL_CODE, KERNEL_DATA};
use guests::x64;
use kvm::Ability;

/// What the handler of vector 0x40 says.
const TAKEN: Step = out(0x71, Size::Byte, 0x40);

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "a guest that does nothing for us is called back in time, again and again",
            code: |asm| x64!(asm ; forever: ; jmp <forever),
            start: vec![],
            script: vec![Step::Deadline, Step::Deadline, Step::Deadline],
            end: vec![],
            needs: None,
            handlers: false,
        },
        Case {
            name: "a deadline that is over lets nothing run",
            code: |asm| x64!(asm ; out 0x70, al ; hlt),
            start: vec![],
            script: vec![
                Step::TooLate,
                out(0x70, Size::Byte, 0),
                Step::TooLate,
                HALT,
                Step::TooLate,
            ],
            end: vec![],
            needs: None,
            handlers: false,
        },
        Case {
            name: "a kick ends one run, whether it came before or meanwhile",
            code: |asm| x64!(asm ; forever: ; jmp <forever),
            start: vec![],
            script: vec![
                Step::KickBefore,
                Step::Deadline,
                Step::KickMeanwhile,
                Step::Deadline,
                Step::KickMeanwhile,
                Step::KickBefore,
                Step::Deadline,
            ],
            end: vec![],
            needs: None,
            handlers: false,
        },
        Case {
            name: "a kick at the deadline is told once, whoever comes first",
            code: |asm| x64!(asm ; forever: ; jmp <forever),
            start: vec![],
            script: vec![
                Step::KickAtDeadline,
                Step::Deadline,
                Step::KickAtDeadline,
                Step::KickAtDeadline,
                Step::Deadline,
            ],
            end: vec![],
            needs: None,
            handlers: false,
        },
        Case {
            name: "a kick between a read and its answer loses neither",
            code: |asm| x64!(asm ; in al, 0x70 ; out 0x71, al ; hlt),
            start: vec![],
            script: vec![
                crate::input(0x70, Size::Byte, 0x5a),
                Step::KickBefore,
                out(0x71, Size::Byte, 0x5a),
                Step::KickBefore,
                HALT,
            ],
            end: vec![],
            needs: None,
            handlers: false,
        },
        Case {
            name: "a guest with interrupts closed takes none",
            code: |asm| x64!(asm ; out 0x70, al ; hlt),
            start: vec![],
            script: vec![
                Step::Refused(0x40),
                out(0x70, Size::Byte, 0),
                Step::Refused(0x40),
                HALT,
                Step::Refused(0x40),
            ],
            end: vec![],
            needs: None,
            handlers: false,
        },
        Case {
            name: "an interrupt is taken as the first thing of the next run, and only once",
            code: |asm| {
                with_handlers(
                    asm,
                    |asm| x64!(asm ; sti ; nop ; out 0x70, al ; out 0x70, al ; hlt),
                );
            },
            start: vec![],
            script: vec![out(0x70, Size::Byte, 0), Step::Inject(0x40), TAKEN, HALT],
            end: vec![],
            needs: None,
            handlers: true,
        },
        Case {
            name: "an interrupt that was accepted waits for the next run, whatever comes between",
            code: |asm| {
                with_handlers(
                    asm,
                    |asm| x64!(asm ; sti ; nop ; out 0x70, al ; inc rbx ; hlt),
                );
            },
            start: vec![],
            script: vec![
                out(0x70, Size::Byte, 0),
                Step::Inject(0x40),
                Step::Refused(0x40),
                Step::KickBefore,
                Step::TooLate,
                TAKEN,
                HALT,
            ],
            end: vec![(common::Gpr::Rbx, 0)],
            needs: None,
            handlers: true,
        },
        Case {
            // Or one instruction later: on PVM no step ends with `iretq`.
            name: "the window opens where iretq opens interrupts",
            code: |asm| {
                with_handlers(asm, |asm| {
                    x64!(asm
                        ; mov rcx, rsp
                        ; push i32::from(KERNEL_DATA) ; push rcx ; push 0x202
                        ; push i32::from(KERNEL_CODE) ; lea rax, [>target] ; push rax
                        ; out 0x70, al
                        ; iretq
                        ; target: ; nop ; inc rbx ; cli ; hlt
                    );
                });
            },
            start: vec![],
            script: vec![
                Step::Kind("port-out"),
                Step::Want,
                WINDOW,
                Step::Inject(0x40),
                TAKEN,
                HALT,
            ],
            end: vec![(common::Gpr::Rbx, 0)],
            needs: None,
            handlers: true,
        },
        Case {
            name: "the window opens behind the shadow of sti, and is told once",
            code: |asm| {
                with_handlers(
                    asm,
                    |asm| x64!(asm ; out 0x70, al ; sti ; inc rbx ; inc rbx ; cli ; mov al, bl ; out 0x70, al ; hlt),
                );
            },
            start: vec![],
            script: vec![
                out(0x70, Size::Byte, 0),
                Step::Want,
                WINDOW,
                Step::Inject(0x40),
                TAKEN,
                HALT,
            ],
            end: vec![(common::Gpr::Rbx, 1)],
            needs: None,
            handlers: true,
        },
        Case {
            name: "a window that is open already is told at once, and nothing runs before",
            code: |asm| {
                with_handlers(asm, |asm| x64!(asm ; sti ; nop ; hlt ; inc rbx ; hlt));
            },
            start: vec![],
            script: vec![HALT, Step::Want, WINDOW, HALT],
            end: vec![(common::Gpr::Rbx, 1)],
            needs: None,
            handlers: true,
        },
        Case {
            name: "an interrupt for a guest that sleeps wakes it behind its hlt",
            code: |asm| {
                with_handlers(asm, |asm| x64!(asm ; sti ; hlt ; cli ; hlt));
            },
            start: vec![],
            script: vec![HALT, Step::Inject(0x40), TAKEN, HALT],
            end: vec![],
            needs: None,
            handlers: true,
        },
        Case {
            name: "a kick in the shadow of sti does not let the interrupt in early",
            code: |asm| {
                with_handlers(
                    asm,
                    |asm| x64!(asm ; out 0x70, al ; sti ; hlt ; inc rbx ; hlt),
                );
            },
            start: vec![],
            script: vec![
                out(0x70, Size::Byte, 0),
                Step::Want,
                HALT,
                Step::Inject(0x40),
                TAKEN,
                HALT,
            ],
            end: vec![],
            needs: Some(Ability::Shadow),
            handlers: true,
        },
    ]
}
