//! Finds the file with an image's debug information: its own file, or a separate debug file.
//!
//! The places are those that gdb knows: `/usr/lib/debug/.build-id/xx/yyyy.debug` by build id, and
//! the name in `.gnu_debuglink` beside the file, in `.debug` beside it, and below `/usr/lib/debug`.
//! A file counts only if its build id is the image's, or, where an image has none, if the checksum
//! in `.gnu_debuglink` is its own.
//!
//! Not here: debuginfod, which would ask another machine; `.gnu_debugaltlink` (files of `dwz`).

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use object::Object as _;

use crate::loaded::{Image, build_id};

const DEBUG_ROOT: &str = "/usr/lib/debug";
/// The running program, even if its file was deleted or replaced.
const SELF: &str = "/proc/self/exe";

/// The file that the image was loaded from: its real path as long as that is still the same file,
/// because files beside it, such as a `.dwp`, are found by it.
pub(super) fn own(image: &Image) -> &Path {
    if image.is_main && !is_same_file(&image.path, SELF) {
        return Path::new(SELF);
    }
    Path::new(&*image.path)
}

fn is_same_file(a: &str, b: &str) -> bool {
    let id = |path| std::fs::metadata(path).map(|file| (file.dev(), file.ino()));
    matches!((id(a), id(b)), (Ok(a), Ok(b)) if a == b)
}

/// The separate debug file of an image whose own file has no debug information.
pub(super) fn separate(image: &Image) -> Option<PathBuf> {
    let by_build_id = build_id_path(&image.build_id);
    if let Some(path) = by_build_id.filter(|path| is_of(path, image, None)) {
        return Some(path);
    }
    let own = own(image);
    let (name, checksum) = debug_link(own)?;
    // By the real path and not `/proc/self/exe`: the debug file lies beside the program.
    let directory = Path::new(&*image.path).parent()?;
    let below_root = Path::new(DEBUG_ROOT).join(directory.strip_prefix("/").unwrap_or(directory));
    [
        directory.join(&name),
        directory.join(".debug").join(&name),
        below_root.join(&name),
    ]
    .into_iter()
    .find(|path| !is_same(path, own) && is_of(path, image, Some(checksum)))
}

fn is_same(a: &Path, b: &Path) -> bool {
    match (a.to_str(), b.to_str()) {
        (Some(a), Some(b)) => is_same_file(a, b),
        _ => false,
    }
}

/// The path `ab/cdef….debug` below the directory for build ids.
fn build_id_path(id: &str) -> Option<PathBuf> {
    let (first, rest) = id.split_at_checked(2)?;
    (!rest.is_empty())
        .then(|| Path::new(DEBUG_ROOT).join(format!(".build-id/{first}/{rest}.debug")))
}

/// Whether this is the debug file of the image.
fn is_of(path: &Path, image: &Image, checksum: Option<u32>) -> bool {
    // A regular file only: opening a pipe would wait for a writer.
    if !path.metadata().is_ok_and(|file| file.is_file()) {
        return false;
    }
    if !image.build_id.is_empty() {
        return build_id::of_file(path).is_some_and(|id| id[..] == image.build_id[..]);
    }
    checksum.is_some_and(|expected| crc32(path).is_ok_and(|sum| sum == expected))
}

/// The name and the checksum in `.gnu_debuglink`.
fn debug_link(path: &Path) -> Option<(PathBuf, u32)> {
    let cache = object::ReadCache::new(File::open(path).ok()?);
    let file = object::File::parse(&cache).ok()?;
    let (name, checksum) = file.gnu_debuglink().ok()??;
    let name = Path::new(OsStr::from_bytes(name));
    // Only the last component: the link must not lead to another directory.
    Some((name.file_name()?.into(), checksum))
}

/// The checksum of `.gnu_debuglink`: CRC-32 as in zip.
fn crc32(path: &Path) -> io::Result<u32> {
    let mut file = File::open(path)?;
    let mut piece = [0; 16 << 10];
    let mut sum = !0_u32;
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(!sum),
            len => sum = piece[..len].iter().fold(sum, |sum, byte| next(sum, *byte)),
        }
    }
}

fn next(sum: u32, byte: u8) -> u32 {
    const TABLE: [u32; 256] = table();
    TABLE[((sum ^ u32::from(byte)) & 0xff) as usize] ^ (sum >> 8)
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut sum = at as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ 0xedb8_8320
            } else {
                sum >> 1
            };
            bit += 1;
        }
        table[at] = sum;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{build_id_path, next};

    #[test]
    fn the_checksum_is_that_of_zip() {
        // The check value that every list of such sums has.
        let sum = b"123456789".iter().fold(!0, |sum, byte| next(sum, *byte));
        assert_eq!(!sum, 0xcbf4_3926);
    }

    #[test]
    fn a_build_id_is_a_directory_and_a_file() {
        let path = build_id_path("abcdef01");
        let expected = Path::new("/usr/lib/debug/.build-id/ab/cdef01.debug");
        assert_eq!(path.as_deref(), Some(expected));
        assert_eq!(build_id_path(""), None);
        assert_eq!(build_id_path("ab"), None);
    }
}
