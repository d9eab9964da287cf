//! Gives memory that this thread has freed back to the system.
//!
//! An allocator keeps freed memory for the thread: glibc gives back only the top of an arena, and
//! only if that is more than twice the largest block that was ever unmapped. `malloc_trim` would
//! stop every thread that allocates while it searches all arenas. So this module allocates blocks,
//! which come out of the freed memory, has the system take the pages behind them, and frees the
//! blocks again. It touches only memory of its own, and waits for nobody.
//!
//! # Invariant
//!
//! Pages are taken only inside of blocks that are allocated here, never initialised and never read,
//! so it does not matter that their content becomes zero. The allocator's own data lies outside of
//! blocks.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ops::Range;

/// Sizes of blocks, the largest first: small enough to be taken out of an arena (from 128 KiB on,
/// blocks are mapped), and then smaller ones for what is left between the few that something lies
/// beside.
const BLOCKS: [usize; 3] = [60 << 10, 16 << 10, 8 << 10];
/// A block size is finished after this many bytes of blocks in a row without memory behind them.
const MAX_EMPTY: usize = 4 << 20;
/// The most bytes of blocks that are allocated at a time.
const MAX_BYTES: usize = 512 << 20;

type Block = Box<[MaybeUninit<u8>]>;

/// Gives the memory that this thread has freed back to the system, up to [`MAX_BYTES`].
pub(super) fn release_freed_memory() {
    let Some(page) = page_size() else {
        return;
    };
    // Blocks are freed only at the end, or the allocator would hand out the same memory again.
    let (mut blocks, mut taken) = (Vec::new(), 0);
    // From two pages on, a block has a whole page inside, wherever it begins.
    for size in BLOCKS.into_iter().filter(|size| *size >= 2 * page) {
        let mut without = 0;
        while taken < MAX_BYTES && without < MAX_EMPTY {
            let mut block = Box::new_uninit_slice(size);
            if is_resident(&mut block, page) {
                without = 0;
                take_away(&mut block, page);
            } else {
                without += size;
            }
            taken += size;
            blocks.push(block);
        }
    }
}

/// The whole pages inside of a block.
fn pages(block: &mut Block, page: usize) -> Range<usize> {
    let start = block.as_mut_ptr().expose_provenance();
    let end = (start + block.len()) / page * page;
    start.next_multiple_of(page)..end
}

/// Whether there is memory behind a page in the middle.
fn is_resident(block: &mut Block, page: usize) -> bool {
    let pages = pages(block, page);
    let middle = (pages.start + pages.len() / 2) / page * page;
    let mut resident = 0_u8;
    // SAFETY: one page of a block of our own, and one byte to say so.
    let asked = unsafe {
        libc::mincore(
            std::ptr::with_exposed_provenance_mut(middle),
            page,
            &raw mut resident,
        )
    };
    asked == 0 && resident & 1 == 1
}

/// Has the system take the pages of a block.
fn take_away(block: &mut Block, page: usize) {
    let pages = pages(block, page);
    // SAFETY: whole pages inside of a block that is ours alone and has no content (module
    // invariant). If the system refuses, as for locked memory, nothing changes.
    unsafe {
        libc::madvise(
            std::ptr::with_exposed_provenance_mut(pages.start),
            pages.len(),
            libc::MADV_DONTNEED,
        )
    };
}

fn page_size() -> Option<usize> {
    // SAFETY: `sysconf` has no preconditions.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size)
        .ok()
        .filter(|size| size.is_power_of_two())
}
