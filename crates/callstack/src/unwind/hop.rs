//! Unwinding with framehop, from the `.eh_frame` sections that are in memory.
//!
//! Every thread keeps a [`Walker`]: the snapshot it used last and framehop's rule cache. A rule is only valid for the
//! modules it was made from, and framehop tells them apart by a 16-bit number that wraps; so a new snapshot gets a new
//! cache. The walker is taken out of its slot while it is used: somebody who captures again in the meantime (a global
//! allocator, a signal handler) finds the slot empty, works with a walker of their own, and nothing is borrowed twice.

use std::cell::Cell;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use framehop::{
    CacheNative, Error, ExplicitModuleSectionInfo, FrameAddress, Module,
    MustNotAllocateDuringUnwind, UnwindRegsNative, Unwinder as _, UnwinderNative,
};

use super::registers::Registers;
use super::window::Window;
use super::{Frames, Unwinder as UnwinderTrait};
use crate::Completeness;
use crate::loaded::dl::Section;
use crate::loaded::{self, Image, Snapshot};

/// framehop with the modules of one snapshot; shared by all threads.
pub(crate) struct Unwinder {
    framehop: UnwinderNative<Section, MustNotAllocateDuringUnwind>,
    /// False if not even the main program has unwind tables.
    usable: bool,
}

impl std::fmt::Debug for Unwinder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unwinder")
            .field("usable", &self.usable)
            .finish_non_exhaustive()
    }
}

pub(crate) fn unwinder(images: &[Arc<Image>]) -> Unwinder {
    let mut framehop = UnwinderNative::new();
    for image in images {
        let Some(tables) = &image.unwind else {
            continue;
        };
        framehop.add_module(Module::new(
            image.path.deref().to_owned(),
            image.range.start as u64..image.range.end as u64,
            image.base as u64,
            ExplicitModuleSectionInfo {
                eh_frame_hdr_svma: Some(tables.header_range.clone()),
                eh_frame_hdr: Some(tables.header.clone()),
                eh_frame_svma: Some(tables.frames_range.clone()),
                eh_frame: Some(tables.frames.clone()),
                ..ExplicitModuleSectionInfo::default()
            },
        ));
    }
    Unwinder {
        framehop,
        usable: images
            .iter()
            .any(|image| image.is_main && image.unwind.is_some()),
    }
}

/// What one thread needs to walk its stack.
pub(crate) struct Walker {
    snapshot: Arc<Snapshot>,
    cache: CacheNative<MustNotAllocateDuringUnwind>,
}

thread_local! {
    static WALKER: Cell<Option<Box<Walker>>> = const { Cell::new(None) };
    /// No destructor: readable as long as the thread runs.
    static MAKING: Cell<bool> = const { Cell::new(false) };
}

/// Calls `f` with the walker of this thread; with `None` if framehop cannot be used here.
pub(crate) fn with(f: impl FnOnce(Option<&mut Walker>) -> Completeness) -> Completeness {
    // A thread whose thread-locals are gone already works with a temporary walker.
    let kept = WALKER.try_with(Cell::take).ok().flatten();
    let walker = match kept {
        Some(walker) if walker.snapshot.generation == loaded::generation() => Some(walker),
        outdated => make(outdated),
    };
    let Some(mut walker) = walker else {
        return f(None);
    };
    if !walker.snapshot.unwinder.usable {
        return f(None);
    }
    // framehop and gimli return errors, but a sum over damaged tables can still overflow, and a debug build then panics.
    // The cache may be inconsistent after that and is dropped.
    let Ok(completeness) = catch_unwind(AssertUnwindSafe(|| f(Some(&mut walker)))) else {
        return Completeness::Broken;
    };
    let _ = WALKER.try_with(|slot| slot.set(Some(walker)));
    completeness
}

/// A walker for the newest snapshot. `None` if this thread is making one already: making allocates, and a global
/// allocator that captures stacks would come here again without end.
fn make(outdated: Option<Box<Walker>>) -> Option<Box<Walker>> {
    struct Made;
    impl Drop for Made {
        fn drop(&mut self) {
            MAKING.set(false);
        }
    }
    if MAKING.replace(true) {
        return None;
    }
    let _made = Made;
    drop(outdated);
    Some(Box::new(Walker {
        snapshot: loaded::current(),
        cache: CacheNative::new_in(),
    }))
}

impl UnwinderTrait for Walker {
    fn walk(
        &mut self,
        start: &Registers,
        window: &Window<'_>,
        frames: &mut Frames<'_>,
    ) -> Completeness {
        let unwinder = &self.snapshot.unwinder.framehop;
        let mut registers = native(start, unwinder.max_known_code_address());
        let mut address = FrameAddress::from_instruction_pointer(start.ip as u64);
        let mut read = |address| window.read(address);
        loop {
            match unwinder.unwind_frame(address, &mut registers, &mut self.cache, &mut read) {
                Ok(Some(return_address)) => {
                    let Some(next) = FrameAddress::from_return_address(return_address) else {
                        return frames.at_root();
                    };
                    address = next;
                    if let Err(end) = frames.push(return_address as usize, registers.sp() as usize)
                    {
                        return end;
                    }
                }
                Ok(None) => return frames.at_root(),
                Err(Error::CouldNotReadStack(address)) => return frames.at_end_of_window(address),
                Err(_) => return Completeness::Broken,
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn native(start: &Registers, _highest_code: u64) -> UnwindRegsNative {
    UnwindRegsNative::new(start.ip as u64, start.sp as u64, start.fp as u64)
}

/// Code built with pointer authentication signs return addresses in the bits above those that any code address uses.
#[cfg(target_arch = "aarch64")]
fn native(start: &Registers, highest_code: u64) -> UnwindRegsNative {
    let mask = framehop::aarch64::PtrAuthMask::from_max_known_address(highest_code);
    UnwindRegsNative::new_with_ptr_auth_mask(
        mask,
        start.lr as u64,
        start.sp as u64,
        start.fp as u64,
    )
}
