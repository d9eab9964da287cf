//! Sends an interrupted thread back into the system call that our signal has ended.
//!
//! A signal is only sent to a thread that is not in a system call ([`super::check_interruptible`]),
//! but the thread may enter one before the signal arrives. A call that the kernel does not start
//! again then returns `EINTR`, which it would not have done without us. The handler sees that in
//! the context that it will return to: the thread stands right behind the instruction that enters
//! the kernel, and the result is `EINTR`. The arguments are still in their registers, so it is
//! enough to put the number back and to step back over that instruction. A relative timeout begins
//! anew; it had begun microseconds ago. On ARM the first argument is lost, so nothing can be done
//! there.
//!
//! Only calls that return `EINTR` without having done anything are started again: not `close`, not
//! `connect`. If a signal of the application arrives in the same moment, it is as if that had come
//! before the call.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

use libc::ucontext_t;

use super::memory;

static NOT_RESUMED: AtomicU64 = AtomicU64::new(0);

/// How many calls were ended by our signal and have returned `EINTR`.
pub(in crate::thread) fn not_resumed() -> u64 {
    NOT_RESUMED.load(Ordering::Relaxed)
}

/// Makes the thread enter the call again that the signal has ended, if it has ended one. Called by
/// the handler.
pub(crate) fn resume(context: &mut ucontext_t) {
    if !machine::was_ended(context) {
        return;
    }
    match machine::number(context).filter(|number| may_be_repeated(*number)) {
        Some(number) => machine::enter_again(context, number),
        None => {
            NOT_RESUMED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether the call does nothing if it returns `EINTR`.
fn may_be_repeated(number: i64) -> bool {
    const EPOLL_PWAIT2: i64 = 441;
    let everywhere = [
        libc::SYS_read,
        libc::SYS_readv,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_recvmmsg,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_ppoll,
        libc::SYS_pselect6,
        libc::SYS_epoll_pwait,
        EPOLL_PWAIT2,
        libc::SYS_nanosleep,
        libc::SYS_clock_nanosleep,
        libc::SYS_rt_sigtimedwait,
        libc::SYS_rt_sigsuspend,
        libc::SYS_futex,
        libc::SYS_semop,
        libc::SYS_semtimedop,
        libc::SYS_msgrcv,
        libc::SYS_msgsnd,
        libc::SYS_mq_timedreceive,
        libc::SYS_mq_timedsend,
        libc::SYS_io_getevents,
    ];
    everywhere.contains(&number) || machine::HERE.contains(&number)
}

#[cfg(target_arch = "x86_64")]
mod machine {
    use super::{memory, ucontext_t};

    pub(super) const HERE: &[i64] = &[
        libc::SYS_poll,
        libc::SYS_select,
        libc::SYS_epoll_wait,
        libc::SYS_pause,
    ];
    const SYSCALL: [u8; 2] = [0x0f, 0x05];
    /// `mov eax, n`
    const LOADS: u8 = 0xb8;

    pub(super) fn was_ended(context: &ucontext_t) -> bool {
        let registers = &context.uc_mcontext.gregs;
        registers[libc::REG_RAX as usize] == -i64::from(libc::EINTR)
            && code::<2>(context, 2) == Some(SYSCALL)
    }

    /// The number of the call, if the instruction before it loads that; the kernel does not say.
    pub(super) fn number(context: &ucontext_t) -> Option<i64> {
        let [before, loads, a, b, c, d, ..] = code::<8>(context, 8)?;
        // A prefix would make it another register.
        let is_prefix = before & 0xf0 == 0x40;
        (loads == LOADS && !is_prefix).then(|| i64::from(i32::from_le_bytes([a, b, c, d])))
    }

    pub(super) fn enter_again(context: &mut ucontext_t, number: i64) {
        let registers = &mut context.uc_mcontext.gregs;
        registers[libc::REG_RAX as usize] = number;
        registers[libc::REG_RIP as usize] -= SYSCALL.len() as i64;
    }

    /// The bytes of code that begin `before` bytes before the next instruction.
    fn code<const N: usize>(context: &ucontext_t, before: usize) -> Option<[u8; N]> {
        let next = context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize;
        let mut bytes = [0; N];
        (memory::copy_bytes(next.checked_sub(before)?, &mut bytes) == N).then_some(bytes)
    }
}

#[cfg(target_arch = "aarch64")]
mod machine {
    use super::{memory, ucontext_t};

    pub(super) const HERE: &[i64] = &[];
    /// `svc #0`
    const SYSCALL: [u8; 4] = 0xd400_0001_u32.to_le_bytes();

    pub(super) fn was_ended(context: &ucontext_t) -> bool {
        let machine = &context.uc_mcontext;
        let Some(call) = (machine.pc as usize).checked_sub(SYSCALL.len()) else {
            return false;
        };
        let mut bytes = [0; 4];
        machine.regs[0] as i64 == -i64::from(libc::EINTR)
            && memory::copy_bytes(call, &mut bytes) == bytes.len()
            && bytes == SYSCALL
    }

    /// Always `None`: the result has replaced the first argument, so the call cannot be made again.
    pub(super) fn number(_: &ucontext_t) -> Option<i64> {
        None
    }

    pub(super) fn enter_again(_: &mut ucontext_t, _: i64) {}
}
