//! Signal handlers that allocate, with an allocator that can bear it: the sampler around it must
//! bear it, too.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use callstack::heap::Sampler;

use crate::{Turn, held, own_label};

const ROOM: usize = 16 << 20;

/// Hands out one place after the other and never takes one back: safe in signal handlers.
struct Bump {
    room: UnsafeCell<[u8; ROOM]>,
    used: AtomicUsize,
}

// SAFETY: no two callers get the same place.
unsafe impl Sync for Bump {}

// SAFETY: places are disjoint, aligned to 64, and stay for ever.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        assert!(layout.align() <= 16);
        let size = layout.size().next_multiple_of(16);
        let at = self.used.fetch_add(size, Ordering::Relaxed) % (ROOM - (1 << 16));
        // SAFETY: within the room.
        unsafe { self.room.get().cast::<u8>().add(at.next_multiple_of(16)) }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

static BUMP: Sampler<Bump> = Sampler::new(Bump {
    room: UnsafeCell::new([0; ROOM]),
    used: AtomicUsize::new(0),
});
static HANDLED: AtomicU64 = AtomicU64::new(0);

fn allocate_and_free() {
    let layout = Layout::new::<[u64; 4]>();
    // SAFETY: the layout has a size, and the memory is freed with it.
    unsafe {
        let block = BUMP.alloc(layout);
        let block = BUMP.realloc(block, layout, 64);
        BUMP.dealloc(block, Layout::new::<[u64; 8]>());
    }
}

extern "C" fn handler(_: libc::c_int) {
    allocate_and_free();
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn a_handler_that_interrupts_the_sampler_may_allocate() {
    const SIGNALS: u64 = 2000;
    let _turn = Turn::with_rate(1);
    // The bounds of this thread's stack are asked for once, which is not for handlers.
    drop(std::hint::black_box(Box::new(1)));
    let number = own_label();
    // SAFETY: a handler that only touches atomics and an allocator that is made for it. A timer of
    // this thread, deleted below.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGUSR2, &raw const action, std::ptr::null_mut());
        let mut event: libc::sigevent = std::mem::zeroed();
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGUSR2;
        event.sigev_notify_thread_id = libc::gettid();
        let mut timer: libc::timer_t = std::ptr::null_mut();
        let made = libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer);
        assert_eq!(made, 0);
        let interval = libc::timespec {
            tv_sec: 0,
            tv_nsec: 50_000,
        };
        let every = libc::itimerspec {
            it_interval: interval,
            it_value: interval,
        };
        libc::timer_settime(timer, 0, &raw const every, std::ptr::null_mut());
        while HANDLED.load(Ordering::Relaxed) < SIGNALS {
            allocate_and_free();
        }
        libc::timer_delete(timer);
    }
    assert_eq!(held(number).bytes(), 0);
}
