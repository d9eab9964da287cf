//! At a rate that samples every allocation, the memory that is held is known exactly, whichever
//! thread frees it.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::cell::RefCell;
use std::sync::mpsc;
use std::thread;

use crate::{Turn, held, own_label};

/// More than any of these tests holds at once is not in the table; see `hostile`.
const BLOCKS: usize = 20_000;

#[test]
fn threads_that_free_each_others_memory_leave_what_they_hold() {
    let _turn = Turn::with_rate(1);
    // A ring of threads: each allocates, keeps one block in ten and gives the others to the next
    // one, who frees them.
    const THREADS: usize = 4;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS)
        .map(|_| mpsc::sync_channel::<Box<[u8; 48]>>(64))
        .unzip();
    let mut next = senders
        .into_iter()
        .cycle()
        .skip(1)
        .take(THREADS)
        .collect::<Vec<_>>();
    let (done, all_done) = mpsc::channel();
    let threads: Vec<_> = receivers
        .into_iter()
        .map(|receiver| {
            let next = next.remove(0);
            let done = done.clone();
            thread::spawn(move || {
                let mut kept = Vec::with_capacity(BLOCKS);
                let number = own_label();
                for at in 0..BLOCKS {
                    let block = Box::new([at as u8; 48]);
                    if at % 10 == 0 {
                        kept.push(block);
                    } else {
                        let _ = next.send(block);
                    }
                    while let Ok(other) = receiver.try_recv() {
                        drop(other);
                    }
                }
                drop(next);
                receiver.iter().for_each(drop);
                let _ = done.send((number, kept));
            })
        })
        .collect();
    drop(done);
    let kept: Vec<_> = all_done.iter().collect();
    for thread in threads {
        thread.join().unwrap();
    }
    // Nodes of the channels are of this thread's label, too, and all are freed.
    for (number, kept) in kept {
        assert_eq!(kept.len(), BLOCKS / 10);
        let sum = held(number);
        let expected = (kept.len() * 48) as u64;
        // The last message, with its node, may still be there.
        assert!(
            (expected..expected + 8192).contains(&sum.bytes()),
            "{sum:?} {:?}",
            callstack::heap::dropped()
        );
        drop(kept);
        assert!(held(number).bytes() < 8192);
    }
}

#[test]
fn memory_of_a_thread_that_has_ended_is_still_held() {
    let _turn = Turn::with_rate(1);
    let (number, block) = thread::spawn(|| (own_label(), vec![1_u8; 4096]))
        .join()
        .unwrap();
    assert!(held(number).bytes() >= 4096);
    drop(block);
    assert!(held(number).bytes() < 4096);
}

#[test]
fn a_destructor_of_a_thread_local_may_allocate_and_free() {
    struct Late(Vec<u8>, mpsc::Sender<(u64, Vec<u8>)>);
    impl Drop for Late {
        fn drop(&mut self) {
            let number = own_label();
            self.0 = Vec::new();
            for _ in 0..100 {
                drop(std::hint::black_box(vec![0_u8; 100]));
            }
            let _ = self.1.send((number, vec![0_u8; 5000]));
        }
    }
    thread_local! {
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
    }
    let _turn = Turn::with_rate(1);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || LATE.set(Some(Late(vec![0; 100], sender))))
        .join()
        .unwrap();
    let (number, block) = receiver.recv().unwrap();
    assert!(held(number).bytes() >= 5000);
    drop((block, receiver));
    assert!(held(number).bytes() < 5000);
}

#[test]
fn a_chain_of_reallocations_holds_its_last_size() {
    let _turn = Turn::with_rate(1);
    let number = own_label();
    let mut bytes: Vec<u8> = Vec::new();
    // So large that a block stands for itself.
    for size in (100..200_000).step_by(997) {
        bytes.reserve_exact(size - bytes.len());
        bytes.resize(size, 1);
        assert_eq!(held(number).bytes(), bytes.capacity() as u64);
    }
    bytes.truncate(10);
    bytes.shrink_to_fit();
    assert_eq!(held(number).bytes(), bytes.capacity() as u64);
    drop(bytes);
    assert_eq!(held(number).bytes(), 0);
}

#[test]
fn a_reallocation_that_fails_leaves_the_block_held() {
    let _turn = Turn::with_rate(1);
    let number = own_label();
    let layout = Layout::from_size_align(640, 8).unwrap();
    // SAFETY: the layout has a size; the block is freed once, with its layout; a size that no
    // system has fails.
    unsafe {
        let block = alloc(layout);
        assert!(!block.is_null());
        assert_eq!(held(number).bytes(), 640);
        let moved = realloc(block, layout, isize::MAX as usize - 4096);
        assert!(moved.is_null());
        assert_eq!(held(number).bytes(), 640);
        dealloc(block, layout);
    }
    assert_eq!(held(number).bytes(), 0);
}

#[test]
fn zeroed_and_aligned_memory_is_what_was_asked_for() {
    let _turn = Turn::with_rate(1);
    let number = own_label();
    for align in [1, 8, 64, 4096, 1 << 16] {
        let layout = Layout::from_size_align(1000, align).unwrap();
        // SAFETY: the layout has a size; each block is freed once, with its layout.
        unsafe {
            let block = alloc_zeroed(layout);
            assert!(block.addr().is_multiple_of(align));
            assert_eq!(std::slice::from_raw_parts(block, 1000), [0; 1000]);
            assert_eq!(held(number).bytes(), 1000);
            dealloc(block, layout);
        }
        assert_eq!(held(number).bytes(), 0);
    }
}
