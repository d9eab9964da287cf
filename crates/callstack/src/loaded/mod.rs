//! The program and libraries that are loaded into this process, as one immutable [`Snapshot`] for
//! each state of the dynamic loader.
//!
//! A snapshot is read without holding any lock of ours, then published under a short one, and
//! [`generation`] goes up. Readers that have stored a snapshot compare its generation with one
//! atomic load and need no lock while nothing changes. An [`Image`] that is still loaded moves on
//! to the next snapshot, with its copied sections.
//!
//! Not here: how a stack is walked (`crate::unwind`), and how an image is symbolised
//! (`crate::resolve`).

pub(crate) mod build_id;
pub(crate) mod dl;
mod functions;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod unwinder;

use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use libc::{PF_X, PT_GNU_EH_FRAME, PT_LOAD, PT_NOTE};

use crate::Module;
use crate::sync::Mutex;
use dl::{Counters, Object, Section};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) use unwinder::Unwinder;

/// The unwind tables of an image: their addresses in the file, and their bytes.
#[derive(Debug, Clone)]
pub(crate) struct UnwindTables {
    pub(crate) header_range: Range<u64>,
    pub(crate) header: Section,
    pub(crate) frames_range: Range<u64>,
    pub(crate) frames: Section,
}

/// One loaded program or library.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) is_main: bool,
    pub(crate) path: Arc<str>,
    pub(crate) build_id: Arc<str>,
    /// The address in memory less the address in the file.
    pub(crate) base: usize,
    /// From the first to the last mapped address; may have holes.
    pub(crate) range: Range<usize>,
    pub(crate) unwind: Option<UnwindTables>,
    /// Executable mappings, page-aligned as in `/proc/self/maps`, and their offsets in the file.
    executable: Vec<(Range<usize>, u64)>,
    /// Whether the image has neither symbols nor debug information, now or later.
    pub(crate) has_nothing_to_read: AtomicBool,
}

/// All images at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Unique and growing; never 0.
    pub(crate) generation: u64,
    pub(crate) images: Vec<Arc<Image>>,
    pub(crate) modules: Arc<[Module]>,
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    pub(crate) unwinder: Arc<Unwinder>,
    counters: Counters,
}

impl Snapshot {
    /// The image with executable code at this address.
    pub(crate) fn image_at(&self, address: usize) -> Option<&Arc<Image>> {
        self.images.iter().find(|image| {
            image
                .executable
                .iter()
                .any(|(range, _)| range.contains(&address))
        })
    }
}

static CURRENT: Mutex<Option<Arc<Snapshot>>> = Mutex::new(None);
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// The generation of the newest snapshot; 0 before the first.
pub(crate) fn generation() -> u64 {
    // Acquire pairs with the release in `publish`: a thread that sees a generation gets its
    // snapshot, or a newer one.
    GENERATION.load(Ordering::Acquire)
}

/// The newest snapshot. Only the very first call asks the loader.
pub(crate) fn current() -> Arc<Snapshot> {
    let published = CURRENT.lock().clone();
    published.unwrap_or_else(|| publish(read(None)))
}

/// The unwinder of the newest snapshot and its generation, for the global allocator: never waits
/// and never allocates. `None` if there is no snapshot, or if one is just being published.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) fn try_current_unwinder() -> Option<(u64, Arc<Unwinder>)> {
    let current = CURRENT.try_lock()?;
    let current = current.as_ref()?;
    Some((current.generation, Arc::clone(&current.unwinder)))
}

/// An unwinder that knows only the main program, which is found without the loader.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) fn main_unwinder() -> Option<Arc<Unwinder>> {
    let image = dl::main_program(|object| image(object, None))??;
    Some(Arc::new(Unwinder::new(&[image])))
}

/// Makes a new snapshot if something was loaded or unloaded. True if something was unloaded.
pub(crate) fn refresh() -> bool {
    let before = current();
    if before.counters == dl::counters() {
        return false;
    }
    let after = publish(read(Some(&before)));
    after.counters.unloads != before.counters.unloads
}

/// Publishes `new` unless a concurrent caller has published the same or a later state of the loader
/// already.
fn publish(mut new: Snapshot) -> Arc<Snapshot> {
    let mut current = CURRENT.lock();
    if let Some(current) = &*current {
        if current.counters.loads >= new.counters.loads
            && current.counters.unloads >= new.counters.unloads
        {
            return Arc::clone(current);
        }
        new.generation = current.generation + 1;
    }
    let generation = new.generation;
    let new = Arc::new(new);
    let old = current.replace(Arc::clone(&new));
    GENERATION.store(generation, Ordering::Release);
    drop(current);
    // Dropped without the lock, because dropping the old snapshot may close files.
    drop(old);
    new
}

fn read(previous: Option<&Snapshot>) -> Snapshot {
    let mut images = Vec::new();
    let counters = dl::for_each(|object| {
        if let Some(image) = image(object, previous) {
            images.push(image);
        }
    });
    Snapshot {
        generation: 1,
        modules: modules(&images),
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        unwinder: Arc::new(Unwinder::new(&images)),
        images,
        counters,
    }
}

fn image(object: &Object<'_>, previous: Option<&Snapshot>) -> Option<Arc<Image>> {
    let loads = || {
        object
            .headers
            .iter()
            .filter(|header| header.p_type == PT_LOAD)
    };
    let first = loads().map(|header| header.p_vaddr).min()?;
    let end = loads()
        .map(|header| header.p_vaddr.saturating_add(header.p_memsz))
        .max()?;
    let in_memory = |address: u64| object.base.wrapping_add(address as usize);
    let range = in_memory(first)..in_memory(end);
    let build_id = object
        .headers
        .iter()
        .filter(|header| header.p_type == PT_NOTE)
        .find_map(|header| {
            let notes =
                object.bytes(header.p_vaddr..header.p_vaddr.checked_add(header.p_filesz)?)?;
            build_id::in_notes(notes, header.p_align)
        })
        .unwrap_or_default();
    let old = previous.and_then(|previous| previous.images.iter().find(|old| old.range == range));
    let unwind = unwind_tables(object, old.and_then(|old| old.unwind.as_ref()));
    let name = object.name.to_string_lossy();
    if let Some(old) = old
        && old.is_main == object.is_main
        && old.build_id[..] == build_id[..]
        && (old.is_main || old.path[..] == name[..])
        && same_tables(old.unwind.as_ref(), unwind.as_ref())
    {
        return Some(Arc::clone(old));
    }
    let page = dl::page_size();
    let executable = loads()
        .filter(|header| header.p_flags & PF_X != 0)
        .map(|header| {
            let start = header.p_vaddr & !(page - 1);
            let end = header
                .p_vaddr
                .saturating_add(header.p_memsz)
                .next_multiple_of(page);
            let offset = header.p_offset.saturating_sub(header.p_vaddr - start);
            (in_memory(start)..in_memory(end), offset)
        })
        .collect();
    Some(Arc::new(Image {
        is_main: object.is_main,
        path: if object.is_main {
            main_path()
        } else {
            name.into()
        },
        build_id: build_id.into(),
        base: object.base,
        range,
        unwind,
        executable,
        has_nothing_to_read: AtomicBool::new(false),
    }))
}

/// `.eh_frame_hdr` says where `.eh_frame` starts; nothing loaded says where it ends, so it ends
/// with its segment.
fn unwind_tables(object: &Object<'_>, previous: Option<&UnwindTables>) -> Option<UnwindTables> {
    /// DWARF pointer encoding "relative to this field, signed, 4 bytes": the one every linker uses
    /// here.
    const PCREL_SDATA4: u8 = 0x1b;
    let header = object
        .headers
        .iter()
        .find(|header| header.p_type == PT_GNU_EH_FRAME)?;
    let header_range = header.p_vaddr..header.p_vaddr.checked_add(header.p_filesz)?;
    let bytes = object.bytes(header_range.clone())?;
    let ([1, PCREL_SDATA4, ..], Some(offset)) =
        (bytes, bytes.get(4..).and_then(<[u8]>::first_chunk))
    else {
        return None;
    };
    let offset = i64::from(i32::from_ne_bytes(*offset));
    let frames_start = header_range
        .start
        .checked_add(4)?
        .checked_add_signed(offset)?;
    let frames_range = frames_start..object.segment_around(frames_start)?.end;
    Some(UnwindTables {
        header: object.section(header_range.clone(), previous.map(|tables| &tables.header))?,
        frames: object.section(frames_range.clone(), previous.map(|tables| &tables.frames))?,
        header_range,
        frames_range,
    })
}

/// `Object::section` hands out the previous bytes again when they are equal, so identity is
/// equality here.
fn same_tables(old: Option<&UnwindTables>, new: Option<&UnwindTables>) -> bool {
    match (old, new) {
        (None, None) => true,
        (Some(old), Some(new)) => {
            old.header.as_ptr() == new.header.as_ptr() && old.frames.as_ptr() == new.frames.as_ptr()
        }
        _ => false,
    }
}

fn modules(images: &[Arc<Image>]) -> Arc<[Module]> {
    let mut modules: Vec<(bool, Module)> = images
        .iter()
        .flat_map(|image| {
            image.executable.iter().map(|(range, file_offset)| {
                let module = Module {
                    path: Arc::clone(&image.path),
                    start: range.start,
                    end: range.end,
                    file_offset: *file_offset,
                    base: image.base,
                    build_id: Arc::clone(&image.build_id),
                };
                (!image.is_main, module)
            })
        })
        .collect();
    modules.sort_by_key(|(is_library, module)| (*is_library, module.start));
    modules.into_iter().map(|(_, module)| module).collect()
}

/// The path of the main program, for which the loader has no name. The kernel appends ` (deleted)`
/// to that of a deleted file.
fn main_path() -> Arc<str> {
    const DELETED: &[u8] = b" (deleted)";
    let path = std::env::current_exe().unwrap_or_default();
    let bytes = path.as_os_str().as_bytes();
    String::from_utf8_lossy(bytes.strip_suffix(DELETED).unwrap_or(bytes)).into()
}
