//! The instructions that the oracle tries, by family.
//!
//! A family lists mnemonics; the test tries every encoding that iced knows for
//! each of them in 64-bit mode. Nothing outside these lists ever runs on the
//! host, so a line here says: whatever its operands, this instruction does no
//! harm once its addresses are in the scratch pages.

use iced_x86::{Code, CpuidFeature, EncodingKind, Mnemonic, Mnemonic::*, OpCodeOperandKind};

/// A name and its instructions.
pub struct Family {
    pub name: &'static str,
    pub mnemonics: &'static [Mnemonic],
}

pub const FAMILIES: [Family; 8] = [
    Family {
        name: "moves and arithmetic",
        mnemonics: &[
            Mov,
            Movzx,
            Movsx,
            Movsxd,
            Lea,
            Xchg,
            Bswap,
            Xlatb,
            Add,
            Adc,
            Sub,
            Sbb,
            Cmp,
            And,
            Or,
            Xor,
            Test,
            Inc,
            Dec,
            Neg,
            Not,
            Cbw,
            Cwde,
            Cdqe,
            Cwd,
            Cdq,
            Cqo,
            Clc,
            Stc,
            Cmc,
            Cld,
            Std,
            Lahf,
            Sahf,
            Nop,
            Pause,
            Lfence,
            Mfence,
            Sfence,
            Prefetchnta,
            Prefetcht0,
            Prefetcht1,
            Prefetcht2,
            Prefetchw,
        ],
    },
    Family {
        name: "shifts, multiplication and division",
        mnemonics: &[
            Shl, Sal, Shr, Sar, Rol, Ror, Rcl, Rcr, Shld, Shrd, Mul, Imul, Div, Idiv,
        ],
    },
    Family {
        name: "conditions and flow",
        mnemonics: &[
            Seta, Setae, Setb, Setbe, Sete, Setg, Setge, Setl, Setle, Setne, Setno, Setnp, Setns,
            Seto, Setp, Sets, Cmova, Cmovae, Cmovb, Cmovbe, Cmove, Cmovg, Cmovge, Cmovl, Cmovle,
            Cmovne, Cmovno, Cmovnp, Cmovns, Cmovo, Cmovp, Cmovs, Ja, Jae, Jb, Jbe, Je, Jg, Jge, Jl,
            Jle, Jne, Jno, Jnp, Jns, Jo, Jp, Js, Jrcxz, Jecxz, Loop, Loope, Loopne, Jmp, Call, Ret,
            Push, Pop, Enter, Leave, Cmp, Test, Add, Sub, Inc, Dec, And,
        ],
    },
    Family {
        name: "bits",
        mnemonics: &[
            Bt, Bts, Btr, Btc, Bsf, Bsr, Popcnt, Lzcnt, Tzcnt, Andn, Bextr, Blsi, Blsr, Blsmsk,
            Bzhi, Mulx, Pdep, Pext, Rorx, Sarx, Shlx, Shrx, Movbe, Crc32,
        ],
    },
    Family {
        name: "strings",
        mnemonics: &[
            Movsb, Movsw, Movsd, Movsq, Stosb, Stosw, Stosd, Stosq, Lodsb, Lodsw, Lodsd, Lodsq,
            Scasb, Scasw, Scasd, Scasq, Cmpsb, Cmpsw, Cmpsd, Cmpsq,
        ],
    },
    Family {
        name: "atomics",
        mnemonics: &[
            Xchg, Xadd, Cmpxchg, Cmpxchg8b, Cmpxchg16b, Add, Adc, Sub, Sbb, And, Or, Xor, Inc, Dec,
            Neg, Not, Bts, Btr, Btc,
        ],
    },
    Family {
        name: "SSE moves",
        mnemonics: &[
            Movaps, Movups, Movapd, Movupd, Movdqa, Movdqu, Movd, Movq, Movss, Movsd, Movlps,
            Movhps, Movlpd, Movhpd, Movlhps, Movhlps, Movnti, Movntdq, Movntps, Movntpd, Movntdqa,
            Lddqu, Movmskps, Movmskpd, Pmovmskb, Movddup, Movsldup, Movshdup, Shufps, Shufpd,
            Unpcklps, Unpckhps, Unpcklpd, Unpckhpd, Pinsrb, Pinsrw, Pinsrd, Pinsrq, Pextrb, Pextrw,
            Pextrd, Pextrq, Insertps, Extractps, Ldmxcsr, Stmxcsr,
        ],
    },
    Family {
        name: "SSE integers",
        mnemonics: &[
            Andps, Andpd, Andnps, Andnpd, Orps, Orpd, Xorps, Xorpd, Pand, Pandn, Por, Pxor, Paddb,
            Paddw, Paddd, Paddq, Paddsb, Paddsw, Paddusb, Paddusw, Psubb, Psubw, Psubd, Psubq,
            Psubsb, Psubsw, Psubusb, Psubusw, Pcmpeqb, Pcmpeqw, Pcmpeqd, Pcmpeqq, Pcmpgtb, Pcmpgtw,
            Pcmpgtd, Pcmpgtq, Pshufd, Pshuflw, Pshufhw, Pshufb, Punpcklbw, Punpcklwd, Punpckldq,
            Punpcklqdq, Punpckhbw, Punpckhwd, Punpckhdq, Punpckhqdq, Packsswb, Packssdw, Packuswb,
            Packusdw, Psllw, Pslld, Psllq, Psrlw, Psrld, Psrlq, Psraw, Psrad, Pslldq, Psrldq,
            Pminub, Pmaxub, Pminsw, Pmaxsw, Pminsb, Pmaxsb, Pminuw, Pmaxuw, Pminsd, Pmaxsd, Pminud,
            Pmaxud, Pmuludq, Pmuldq, Pmullw, Pmulhw, Pmulhuw, Pmulld, Pmaddwd, Pavgb, Pavgw,
            Psadbw, Pabsb, Pabsw, Pabsd, Palignr, Ptest, Pmovzxbw, Pmovzxbd, Pmovzxbq, Pmovzxwd,
            Pmovzxwq, Pmovzxdq, Pmovsxbw, Pmovsxbd, Pmovsxbq, Pmovsxwd, Pmovsxwq, Pmovsxdq,
            Pblendw, Pblendvb, Blendps, Blendpd, Blendvps, Blendvpd,
        ],
    },
];

impl Family {
    /// The family of this name.
    pub fn named(name: &str) -> &'static Family {
        let mut all = FAMILIES.iter();
        all.find(|family| family.name == name).expect("a family")
    }

    /// Every encoding of the family's instructions that the host can run. What
    /// it cannot run is named as skipped.
    pub fn codes(&self) -> Vec<Code> {
        let listed = |code: &Code| self.mnemonics.contains(&code.mnemonic()) && is_tried(*code);
        let (codes, skipped): (Vec<_>, Vec<_>) = Code::values()
            .filter(listed)
            .partition(|code| code.cpuid_features().iter().all(|needed| host_has(*needed)));
        if !skipped.is_empty() {
            eprintln!("skipped: the host's CPU has no {skipped:?}");
        }
        codes
    }
}

/// Whether the generator can make this encoding, and the manual says what it
/// does.
fn is_tried(code: Code) -> bool {
    let info = code.op_code();
    info.mode64()
        && info.decoder_option() == 0
        && matches!(code.encoding(), EncodingKind::Legacy | EncodingKind::VEX)
        && info.op_kinds().iter().copied().all(is_made)
        && !code.is_call_far_indirect()
        && !code.is_jmp_far_indirect()
        && !is_odd(code)
}

fn is_made(kind: OpCodeOperandKind) -> bool {
    use OpCodeOperandKind::*;
    !matches!(
        kind,
        mm_or_mem
            | mm_reg
            | mm_rm
            | seg_reg
            | cr_reg
            | dr_reg
            | tr_reg
            | fs
            | gs
            | br16_1
            | br16_2
            | br32_1
            | br32_4
    )
}

/// Encodings whose result the manual leaves open or on which AMD and Intel
/// differ.
fn is_odd(code: Code) -> bool {
    matches!(
        code,
        Code::Bswap_r16
            | Code::Call_rm16
            | Code::Jmp_rm16
            | Code::Retnw
            | Code::Retnw_imm16
            | Code::Movsxd_r16_rm16
            // Shares a mnemonic with a string instruction, but is floating point.
            | Code::Cmpsd_xmm_xmmm64_imm8
    )
}

/// Whether this host's CPU has what an encoding needs.
#[cfg(target_arch = "x86_64")]
fn host_has(feature: CpuidFeature) -> bool {
    match feature {
        CpuidFeature::SSE3 => is_x86_feature_detected!("sse3"),
        CpuidFeature::SSSE3 => is_x86_feature_detected!("ssse3"),
        CpuidFeature::SSE4_1 => is_x86_feature_detected!("sse4.1"),
        CpuidFeature::SSE4_2 => is_x86_feature_detected!("sse4.2"),
        CpuidFeature::POPCNT => is_x86_feature_detected!("popcnt"),
        CpuidFeature::LZCNT => is_x86_feature_detected!("lzcnt"),
        CpuidFeature::BMI1 => is_x86_feature_detected!("bmi1"),
        CpuidFeature::BMI2 => is_x86_feature_detected!("bmi2"),
        CpuidFeature::MOVBE => is_x86_feature_detected!("movbe"),
        CpuidFeature::CMPXCHG16B => is_x86_feature_detected!("cmpxchg16b"),
        // What every CPU with a 64-bit mode has.
        _ => true,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn host_has(_: CpuidFeature) -> bool {
    false
}
