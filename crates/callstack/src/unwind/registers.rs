//! The registers that framehop starts from.
//!
//! # Invariant
//!
//! [`Registers::here`] is inlined into its caller, so the values belong to the frame of that
//! caller, and they describe it only until that function returns. Code that uses them must be
//! called by that function, and not as a tail call: they are passed by reference, because a frame
//! that lends something cannot be left. [`Registers::interrupted`] has no such rule: it only says
//! what a thread was about to do.
//!
//! Not here: platforms without framehop (`stack_pointer.rs`).

#![allow(unsafe_code)]

/// Registers of a frame that is still on the stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Registers {
    /// An address inside of the function.
    pub(crate) ip: usize,
    pub(crate) sp: usize,
    /// `rbp` or `x29`, whatever the function uses it for.
    pub(crate) fp: usize,
    /// `x30`; elsewhere the return address is on the stack.
    #[cfg(target_arch = "aarch64")]
    pub(crate) lr: usize,
}

impl Registers {
    pub(crate) const NONE: Self = Self {
        ip: 0,
        sp: 0,
        fp: 0,
        #[cfg(target_arch = "aarch64")]
        lr: 0,
    };

    /// Stands for a register that is not known. No frame and no function has this address, and it
    /// is not 0, which would mean the end.
    pub(crate) const UNKNOWN: usize = 1;

    /// The registers of a blocked thread, as far as the kernel tells: the next instruction and the
    /// stack pointer.
    pub(crate) fn blocked(ip: usize, sp: usize) -> Self {
        Self {
            ip,
            sp,
            fp: Self::UNKNOWN,
            #[cfg(target_arch = "aarch64")]
            lr: Self::UNKNOWN,
        }
    }

    /// The registers of whatever a signal has interrupted. The address is that of the next
    /// instruction, and the frame may be half-way built or taken down.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn interrupted(context: &libc::ucontext_t) -> Self {
        let register =
            |register: libc::c_int| context.uc_mcontext.gregs[register as usize] as usize;
        Self {
            ip: register(libc::REG_RIP),
            sp: register(libc::REG_RSP),
            fp: register(libc::REG_RBP),
        }
    }

    /// The registers of whatever a signal has interrupted. The address is that of the next
    /// instruction, and the frame may be half-way built or taken down.
    #[cfg(target_arch = "aarch64")]
    pub(crate) fn interrupted(context: &libc::ucontext_t) -> Self {
        let machine = &context.uc_mcontext;
        Self {
            ip: machine.pc as usize,
            sp: machine.sp as usize,
            fp: machine.regs[29] as usize,
            lr: machine.regs[30] as usize,
        }
    }

    /// The registers of the function that calls this.
    #[inline(always)]
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn here() -> Self {
        let (ip, sp, fp): (u64, u64, u64);
        // SAFETY: only reads registers; writes only its outputs.
        unsafe {
            std::arch::asm!(
                "lea {ip}, [rip]",
                "mov {sp}, rsp",
                "mov {fp}, rbp",
                ip = out(reg) ip,
                sp = out(reg) sp,
                fp = out(reg) fp,
                options(nostack, preserves_flags),
            );
        }
        Self {
            ip: ip as usize,
            sp: sp as usize,
            fp: fp as usize,
        }
    }

    /// The registers of the function that calls this.
    #[inline(always)]
    #[cfg(target_arch = "aarch64")]
    pub(crate) fn here() -> Self {
        let (ip, sp, fp, lr): (u64, u64, u64, u64);
        // SAFETY: only reads registers; writes only its outputs.
        unsafe {
            std::arch::asm!(
                "adr {ip}, .",
                "mov {sp}, sp",
                "mov {fp}, x29",
                "mov {lr}, x30",
                ip = out(reg) ip,
                sp = out(reg) sp,
                fp = out(reg) fp,
                lr = out(reg) lr,
                options(nostack, preserves_flags),
            );
        }
        Self {
            ip: ip as usize,
            sp: sp as usize,
            fp: fp as usize,
            lr: lr as usize,
        }
    }
}
