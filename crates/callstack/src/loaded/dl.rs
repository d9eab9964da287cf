//! The only calls of the dynamic loader: `dl_iterate_phdr`.
//!
//! # Invariant
//!
//! An [`Object`] exists only while the loader calls us back. The loader holds its lock during that
//! time, so the segments of every object in its list are mapped. Nothing leaves the callback by
//! reference, with one exception: the main program is never unmapped, so its sections may be
//! borrowed for `'static` ([`Section::Main`]). Sections of all other objects are copied
//! ([`Section::Copied`]); a later `dlclose` cannot make anybody read unmapped memory.
//!
//! The callback must not unwind (it is called by C) and must not wait for a lock that a thread may
//! hold while it loads a library.
//!
//! Not here: what is made of an object ([`super`]).

#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_void};
use std::ops::{Deref, Range};
use std::slice;
use std::sync::Arc;

use libc::{Elf64_Phdr, PT_LOAD, dl_phdr_info};

/// How many objects were ever loaded and unloaded. Equal numbers mean an unchanged list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counters {
    pub(crate) loads: u64,
    pub(crate) unloads: u64,
}

/// One loaded object, during the callback.
pub(crate) struct Object<'a> {
    /// The loader reports the main program first.
    pub(crate) is_main: bool,
    /// The loader's name for it; empty for the main program.
    pub(crate) name: &'a CStr,
    /// The address in memory less the address in the file.
    pub(crate) base: usize,
    pub(crate) headers: &'a [Elf64_Phdr],
}

/// The bytes of a section that outlive the callback.
#[derive(Debug, Clone)]
pub(crate) enum Section {
    /// Mapped until the process ends.
    Main(&'static [u8]),
    Copied(Arc<[u8]>),
}

impl Default for Section {
    fn default() -> Self {
        Section::Main(&[])
    }
}

impl Deref for Section {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Section::Main(bytes) => bytes,
            Section::Copied(bytes) => bytes,
        }
    }
}

impl Object<'_> {
    /// The readable segment that contains the file address `address`, as a range of file addresses.
    pub(crate) fn segment_around(&self, address: u64) -> Option<Range<u64>> {
        self.headers
            .iter()
            .filter(|header| header.p_type == PT_LOAD && header.p_flags & libc::PF_R != 0)
            .map(|header| {
                header.p_vaddr
                    ..header
                        .p_vaddr
                        .saturating_add(header.p_filesz.min(header.p_memsz))
            })
            .find(|segment| segment.contains(&address))
    }

    /// The bytes of a range of file addresses, if one readable segment contains it all.
    pub(crate) fn bytes(&self, range: Range<u64>) -> Option<&[u8]> {
        let segment = self.segment_around(range.start)?;
        if range.end > segment.end {
            return None;
        }
        let len = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
        let start = self.base.wrapping_add(usize::try_from(range.start).ok()?);
        // SAFETY: the range lies in a readable segment of an object that the loader keeps mapped
        // for as long as `self` exists (module invariant), and such segments are not written after
        // relocation.
        Some(unsafe { slice::from_raw_parts(std::ptr::with_exposed_provenance(start), len) })
    }

    /// The bytes of a range of file addresses, for longer than the callback. `previous` is an
    /// earlier copy of the same range, shared again if it is still equal.
    pub(crate) fn section(&self, range: Range<u64>, previous: Option<&Section>) -> Option<Section> {
        let bytes = self.bytes(range)?;
        if self.is_main {
            // SAFETY: the segments of the main program stay mapped until the process ends.
            return Some(Section::Main(unsafe {
                slice::from_raw_parts(bytes.as_ptr(), bytes.len())
            }));
        }
        match previous {
            Some(same) if **same == *bytes => Some(same.clone()),
            _ => Some(Section::Copied(bytes.into())),
        }
    }
}

/// Asks the loader whether its list has changed. One call, one callback.
pub(crate) fn counters() -> Counters {
    let mut counters = Counters::default();
    iterate(&mut |_, now| {
        counters = now;
        false
    });
    counters
}

/// Shows every loaded object to `visit`, the main program first, and returns the counters of that
/// list.
pub(crate) fn for_each(mut visit: impl FnMut(&Object<'_>)) -> Counters {
    let mut counters = Counters::default();
    iterate(&mut |object, now| {
        counters = now;
        visit(object);
        true
    });
    counters
}

/// Shows the main program to `visit`, as the kernel describes it to the process, without waiting
/// for the loader. `None` if the kernel does not.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) fn main_program<T>(visit: impl FnOnce(&Object<'_>) -> T) -> Option<T> {
    // SAFETY: `getauxval` has no preconditions.
    let [table, size, count] = [libc::AT_PHDR, libc::AT_PHENT, libc::AT_PHNUM]
        .map(|entry| unsafe { libc::getauxval(entry) } as usize);
    if table == 0 || size != size_of::<Elf64_Phdr>() {
        return None;
    }
    // SAFETY: the kernel's own address of the main program's table of `count` headers, which stays
    // mapped.
    let headers: &[Elf64_Phdr] =
        unsafe { slice::from_raw_parts(std::ptr::with_exposed_provenance(table), count) };
    // The table says where it lies itself. In a program without that entry addresses are those of
    // the file.
    let base = headers
        .iter()
        .find(|header| header.p_type == libc::PT_PHDR)
        .map_or(0, |header| table.wrapping_sub(header.p_vaddr as usize));
    Some(visit(&Object {
        is_main: true,
        name: c"",
        base,
        headers,
    }))
}

/// The size of a page, a power of two.
pub(crate) fn page_size() -> u64 {
    const SMALLEST: u64 = 4096;
    // SAFETY: `sysconf` has no preconditions.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size)
        .ok()
        .filter(|size| size.is_power_of_two())
        .unwrap_or(SMALLEST)
}

struct Visit<'a> {
    /// Returns false to stop.
    visit: &'a mut dyn FnMut(&Object<'_>, Counters) -> bool,
    first: bool,
}

fn iterate(visit: &mut dyn FnMut(&Object<'_>, Counters) -> bool) {
    let mut data = Visit { visit, first: true };
    // SAFETY: the callback has the required signature, and `data` is what it expects and outlives
    // the call.
    unsafe { libc::dl_iterate_phdr(Some(callback), (&raw mut data).cast()) };
}

/// # Safety
///
/// To be called by `dl_iterate_phdr` with a pointer to a [`Visit`].
unsafe extern "C" fn callback(info: *mut dl_phdr_info, size: usize, data: *mut c_void) -> c_int {
    // SAFETY: `iterate` passes a `Visit` that nobody else uses during the call.
    let data = unsafe { &mut *data.cast::<Visit<'_>>() };
    if size < size_of::<dl_phdr_info>() {
        // A loader from before the counters (glibc 2.4): its list cannot be watched.
        return 1;
    }
    // SAFETY: the loader passes a structure of `size` bytes, checked above.
    let info = unsafe { &*info };
    if info.dlpi_phdr.is_null() || info.dlpi_name.is_null() {
        return 0;
    }
    let object = Object {
        is_main: std::mem::take(&mut data.first),
        // SAFETY: a C string that lives as long as the object, see the module invariant.
        name: unsafe { CStr::from_ptr(info.dlpi_name) },
        base: info.dlpi_addr as usize,
        // SAFETY: the loader's own table of `dlpi_phnum` headers, mapped as long as the object.
        headers: unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) },
    };
    let counters = Counters {
        loads: info.dlpi_adds,
        unloads: info.dlpi_subs,
    };
    if (data.visit)(&object, counters) {
        0
    } else {
        1
    }
}
