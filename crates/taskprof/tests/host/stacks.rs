//! Threads with little room on their stacks: the handler must need next to nothing of it.

use std::ffi::c_void;
use std::mem::zeroed;
use std::ptr::null_mut;
use std::thread::Builder;
use std::time::Duration;

use crate::{burn, samples};

const TIME: Duration = Duration::from_secs(2);
const MOMENT: Duration = Duration::from_millis(1);

fn busy() -> ! {
    loop {
        burn(MOMENT);
    }
}

/// Threads of Rust whose whole stack has so many KiB.
pub(crate) fn rust(kib: usize) {
    for _ in 0..2 {
        Builder::new()
            .stack_size(kib * 1024)
            .spawn(|| busy())
            .unwrap();
    }
    samples(999, TIME);
}

#[inline(never)]
fn eat(floor: usize) {
    let room = [0_u8; 128];
    std::hint::black_box(&room);
    if room.as_ptr() as usize > floor + 600 {
        eat(floor);
    } else {
        busy();
    }
    std::hint::black_box(&room);
}

/// Threads with an ordinary stack of which so many KiB are left.
pub(crate) fn left(kib: usize) {
    for _ in 0..2 {
        let thread = Builder::new().stack_size(2 << 20).spawn(move || {
            let (mut low, mut size) = (null_mut(), 0);
            // SAFETY: the attributes are those of this thread, and filled in before use.
            unsafe {
                let mut attributes: libc::pthread_attr_t = zeroed();
                libc::pthread_getattr_np(libc::pthread_self(), &mut attributes);
                libc::pthread_attr_getstack(&attributes, &mut low, &mut size);
            }
            eat(low as usize + kib * 1024);
        });
        thread.unwrap();
    }
    samples(999, TIME);
}

extern "C" fn in_c(_: *mut c_void) -> *mut c_void {
    let mut x = 0_u64;
    loop {
        x = std::hint::black_box(x + 1);
    }
}

/// Threads that no Rust code has started: they have no alternate stack.
pub(crate) fn c(kib: usize) {
    for _ in 0..2 {
        // SAFETY: the attributes are initialised before use; the function takes no argument and
        // never returns.
        unsafe {
            let mut attributes: libc::pthread_attr_t = zeroed();
            let mut thread: libc::pthread_t = zeroed();
            libc::pthread_attr_init(&mut attributes);
            assert_eq!(
                libc::pthread_attr_setstacksize(&mut attributes, kib * 1024),
                0
            );
            assert_eq!(
                libc::pthread_create(&mut thread, &attributes, in_c, null_mut()),
                0
            );
        }
    }
    samples(999, TIME);
}

extern "C" fn busy_handler(_: i32) {
    burn(Duration::from_millis(300));
}

/// Handlers of the application that run on the alternate stack that every thread of Rust has, and
/// are interrupted there.
pub(crate) fn alternate() {
    for _ in 0..2 {
        std::thread::spawn(|| {
            // SAFETY: the handler touches nothing but its own stack.
            unsafe {
                let mut action: libc::sigaction = zeroed();
                action.sa_sigaction = busy_handler as *const () as usize;
                action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
                libc::sigaction(libc::SIGUSR1, &action, null_mut());
            }
            loop {
                // SAFETY: this thread has a handler for the signal.
                unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGUSR1) };
            }
        });
    }
    samples(999, TIME);
}
