//! A thread that takes a processor for as short as possible when somebody else wants it.
//!
//! Not here: which threads should.

/// Has the calling thread give way to the other threads of the system, for as long as it lives. True if the system does all of that.
///
/// For threads that look up names and write profiles: milliseconds of work that nobody needs to have at once. On Linux the thread does
/// not interrupt another one when it wakes (`SCHED_BATCH`), has a nice value that is 13 above the program's, and asks for time slices of 200 µs: a thread that wakes on the same processor runs after that at the latest,
/// instead of after one to three milliseconds. Unlike with `SCHED_IDLE` the thread is never stopped for long: beside one thread that takes a whole processor it gets some 5 % of it, so a lock that it
/// holds, of an allocator for example, comes free.
///
/// # Errors
///
/// None: where the system refuses, the thread stays what it is.
///
/// # Overhead
///
/// One system call.
///
/// # Limitations
///
/// Time slices need Linux 6.12; older ones take the rest. Elsewhere than on Linux nothing happens. Without privileges it cannot be undone.
pub fn give_way() -> bool {
    imp::give_way()
}

#[cfg(target_os = "linux")]
mod imp {
    /// With less, a slice of ours would, weighed, be due before that of a usual thread (0.7 to 2.8 ms, by the number of processors), and the kernel would let us end first.
    const NICER: i32 = 13;
    const NICEST: i32 = 19;
    const SLICE_NANOS: u64 = 200_000;

    /// The nice value of the program, which is that of its first thread.
    fn of_program() -> i32 {
        // SAFETY: the call reads a number that the kernel has of a thread of ours. An error is -1, which is as good as 0 here.
        #[allow(unsafe_code, reason = "a whole library more for one number")]
        unsafe {
            libc::getpriority(libc::PRIO_PROCESS, std::process::id())
        }
    }

    pub(super) fn give_way() -> bool {
        let nice = (of_program() + NICER).min(NICEST);
        let wanted = libc::sched_attr {
            size: size_of::<libc::sched_attr>() as u32,
            sched_policy: libc::SCHED_BATCH as u32,
            sched_flags: 0,
            sched_nice: nice,
            sched_priority: 0,
            sched_runtime: SLICE_NANOS,
            sched_deadline: 0,
            sched_period: 0,
        };
        // SAFETY: the kernel reads `size` bytes at the address, which is that of a whole and initialised value, and keeps nothing of it. 0 is the calling thread.
        #[allow(unsafe_code, reason = "a system call that no library wraps")]
        let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const wanted, 0) };
        result == 0
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    pub(super) fn give_way() -> bool {
        false
    }
}
