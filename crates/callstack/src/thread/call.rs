//! The system call that a thread is in: its name, and whether a signal may interrupt it.
//!
//! A handler that was installed with `SA_RESTART` lets the kernel start most calls again, but not
//! all (`man 7 signal`), and for some it depends on their arguments or on the kind of their
//! descriptors: a read from a socket with a timeout is ended. So the list here has only calls that
//! are certainly started again, and it is short: a call that is not in it is never interrupted.
//!
//! Not here: how the call of a thread is read (`linux/activity.rs`).

use std::fmt;

/// A system call of a thread that is blocked in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemCall {
    number: u32,
    arguments: [u64; 6],
}

impl SystemCall {
    #[cfg(all(
        target_os = "linux",
        target_pointer_width = "64",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    pub(super) fn new(number: u32, arguments: [u64; 6]) -> Self {
        Self { number, arguments }
    }

    /// The kernel's number of the call, which depends on the architecture.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The arguments as they were passed in registers. The registers of unused arguments are there,
    /// too.
    pub fn arguments(&self) -> [u64; 6] {
        self.arguments
    }

    /// The name, if it is a call in which threads usually block.
    pub fn name(&self) -> Option<&'static str> {
        let number = i64::from(self.number);
        let mut known = names::ALL.iter();
        known
            .find(|(known, _)| *known == number)
            .map(|(_, name)| *name)
    }
}

/// The name, or the number: `poll`, `system call 321`.
impl fmt::Display for SystemCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "system call {}", self.number),
        }
    }
}

#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod names {
    use super::SystemCall;

    // Newer than the C library's list. Since 2019, calls have the same number on all architectures.
    const FUTEX_WAITV: i64 = 449;
    const FUTEX_WAIT: i64 = 455;
    const EPOLL_PWAIT2: i64 = 441;

    /// A table of `name => SYS_name`.
    macro_rules! calls {
        ($($name:ident => $number:ident),* $(,)?) => {
            &[$((libc::$number, stringify!($name))),*]
        };
    }

    const EVERYWHERE: &[(i64, &str)] = calls![
        read => SYS_read, readv => SYS_readv, pread64 => SYS_pread64, preadv => SYS_preadv,
        write => SYS_write, writev => SYS_writev, pwrite64 => SYS_pwrite64, pwritev => SYS_pwritev,
        recvfrom => SYS_recvfrom, recvmsg => SYS_recvmsg, recvmmsg => SYS_recvmmsg,
        sendto => SYS_sendto, sendmsg => SYS_sendmsg, sendmmsg => SYS_sendmmsg,
        accept => SYS_accept, accept4 => SYS_accept4, connect => SYS_connect,
        ppoll => SYS_ppoll, pselect6 => SYS_pselect6, epoll_pwait => SYS_epoll_pwait,
        nanosleep => SYS_nanosleep, clock_nanosleep => SYS_clock_nanosleep,
        rt_sigtimedwait => SYS_rt_sigtimedwait, rt_sigsuspend => SYS_rt_sigsuspend,
        futex => SYS_futex,
        semop => SYS_semop, semtimedop => SYS_semtimedop,
        msgrcv => SYS_msgrcv, msgsnd => SYS_msgsnd,
        mq_timedreceive => SYS_mq_timedreceive, mq_timedsend => SYS_mq_timedsend,
        io_getevents => SYS_io_getevents, io_uring_enter => SYS_io_uring_enter,
        wait4 => SYS_wait4, waitid => SYS_waitid, restart_syscall => SYS_restart_syscall,
        flock => SYS_flock, fcntl => SYS_fcntl, ioctl => SYS_ioctl,
        openat => SYS_openat, close => SYS_close, fsync => SYS_fsync, fdatasync => SYS_fdatasync,
        sync => SYS_sync, sync_file_range => SYS_sync_file_range, ftruncate => SYS_ftruncate,
        sendfile => SYS_sendfile, splice => SYS_splice, copy_file_range => SYS_copy_file_range,
        getdents64 => SYS_getdents64, unlinkat => SYS_unlinkat, mkdirat => SYS_mkdirat,
        renameat2 => SYS_renameat2, statx => SYS_statx, newfstatat => SYS_newfstatat,
        getrandom => SYS_getrandom, sched_yield => SYS_sched_yield,
        mmap => SYS_mmap, munmap => SYS_munmap, mprotect => SYS_mprotect, madvise => SYS_madvise,
        brk => SYS_brk, clone => SYS_clone, clone3 => SYS_clone3, execve => SYS_execve,
        membarrier => SYS_membarrier, exit => SYS_exit,
    ];

    #[cfg(target_arch = "x86_64")]
    const HERE: &[(i64, &str)] = calls![
        poll => SYS_poll, select => SYS_select, epoll_wait => SYS_epoll_wait, pause => SYS_pause,
        open => SYS_open, unlink => SYS_unlink, rename => SYS_rename, mkdir => SYS_mkdir,
        stat => SYS_stat, fork => SYS_fork, vfork => SYS_vfork,
    ];
    #[cfg(not(target_arch = "x86_64"))]
    const HERE: &[(i64, &str)] = &[];

    const NEW: &[(i64, &str)] = &[
        (EPOLL_PWAIT2, "epoll_pwait2"),
        (FUTEX_WAITV, "futex_waitv"),
        (FUTEX_WAIT, "futex_wait"),
    ];

    pub(super) struct All;
    pub(super) static ALL: All = All;

    impl All {
        pub(super) fn iter(&self) -> impl Iterator<Item = &'static (i64, &'static str)> {
            EVERYWHERE.iter().chain(HERE).chain(NEW)
        }
    }

    impl SystemCall {
        /// Whether the kernel certainly starts this call again after a handler that was installed
        /// with `SA_RESTART`.
        pub(in crate::thread) fn is_restarted(&self) -> bool {
            let [_, operation, _, timeout, ..] = self.arguments;
            match i64::from(self.number) {
                // With a timeout it returns `EINTR`, as `sem_timedwait` then does.
                libc::SYS_futex => is_wait(operation) && timeout == 0,
                libc::SYS_wait4 | libc::SYS_waitid => true,
                _ => false,
            }
        }
    }

    /// Whether a futex operation waits, as for a mutex, a condition, a semaphore or a parked
    /// thread.
    fn is_wait(operation: u64) -> bool {
        let flags = libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME;
        let operation = operation as i32 & !flags;
        matches!(operation, libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET)
    }

    #[cfg(test)]
    mod tests {
        use super::super::SystemCall;
        use super::ALL;

        #[test]
        fn a_call_is_told_by_its_name_or_by_its_number() {
            let call = |number| SystemCall::new(number, [0; 6]).to_string();
            assert_eq!(call(libc::SYS_ppoll as u32), "ppoll");
            assert_eq!(call(441), "epoll_pwait2");
            assert_eq!(call(9999), "system call 9999");
        }

        #[test]
        fn no_number_has_two_names() {
            for (number, name) in ALL.iter() {
                let same = ALL.iter().filter(|(other, _)| other == number).count();
                assert_eq!(same, 1, "{name}");
            }
        }

        #[test]
        fn only_what_is_certainly_started_again_may_be_interrupted() {
            let call = |number: i64, operation: i32, timeout| {
                let arguments = [1, operation as u64, 0, timeout, 0, 0];
                SystemCall::new(number as u32, arguments).is_restarted()
            };
            let private = libc::FUTEX_PRIVATE_FLAG;
            for wait in [libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET] {
                assert!(call(libc::SYS_futex, wait, 0));
                assert!(call(libc::SYS_futex, wait | private, 0));
                assert!(!call(libc::SYS_futex, wait | private, 0x7fff_0000));
            }
            assert!(call(libc::SYS_wait4, 0, 0));
            let others = [
                libc::SYS_ppoll,
                libc::SYS_nanosleep,
                libc::SYS_read,
                libc::SYS_semop,
                9999,
            ];
            for other in others {
                assert!(!call(other, 0, 0), "{other}");
            }
        }
    }
}

#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
mod names {
    pub(super) static ALL: [(i64, &str); 0] = [];
}
