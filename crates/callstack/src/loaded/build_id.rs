//! The GNU build id: the fingerprint that says whether a file is the one that was loaded.
//!
//! Parses bytes from memory ([`in_notes`]) or from a file ([`of_file`]). Not here: the dynamic
//! loader ([`super::dl`]).

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

const NT_GNU_BUILD_ID: u32 = 3;
const PT_NOTE: u32 = 4;
/// The largest note segment that is read. A larger one is damaged.
const MAX_NOTES: u64 = 1 << 20;

/// The build id in a `PT_NOTE` segment as lower-case hex. `align` is the segment's `p_align`.
pub(crate) fn in_notes(mut notes: &[u8], align: u64) -> Option<String> {
    let align = if align == 8 { 8 } else { 4 };
    loop {
        let name_len = u32_at(notes, 0)? as usize;
        let desc_len = u32_at(notes, 4)? as usize;
        let kind = u32_at(notes, 8)?;
        let name_end = name_len.checked_add(12)?;
        let desc_start = name_end.checked_next_multiple_of(align)?;
        let desc_end = desc_start.checked_add(desc_len)?;
        let name = notes.get(12..name_end)?;
        let desc = notes.get(desc_start..desc_end)?;
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" {
            return Some(hex(desc));
        }
        notes = notes.get(desc_end.checked_next_multiple_of(align)?..)?;
    }
}

/// The build id recorded in a 64-bit ELF file of this machine's byte order.
pub(crate) fn of_file(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    let mut header = [0; 64];
    file.read_exact_at(&mut header, 0).ok()?;
    if !header.starts_with(b"\x7fELF\x02") {
        return None;
    }
    let table = u64_at(&header, 32)?;
    let entry = u16_at(&header, 54)?;
    let count = u16_at(&header, 56)?;
    let mut program_header = [0; 56];
    for i in 0..u64::from(count) {
        let at = table.checked_add(i * u64::from(entry))?;
        file.read_exact_at(&mut program_header, at).ok()?;
        if u32_at(&program_header, 0)? != PT_NOTE {
            continue;
        }
        let offset = u64_at(&program_header, 8)?;
        let size = u64_at(&program_header, 32)?;
        let align = u64_at(&program_header, 48)?;
        let mut notes = vec![0; usize::try_from(size.min(MAX_NOTES)).ok()?];
        file.read_exact_at(&mut notes, offset).ok()?;
        if let Some(id) = in_notes(&notes, align) {
            return Some(id);
        }
    }
    None
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
            // Writing to a `String` cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::in_notes;

    fn note(name: &[u8], kind: u32, desc: &[u8], align: usize) -> Vec<u8> {
        let mut note = Vec::new();
        note.extend((name.len() as u32).to_ne_bytes());
        note.extend((desc.len() as u32).to_ne_bytes());
        note.extend(kind.to_ne_bytes());
        note.extend(name);
        note.resize(note.len().next_multiple_of(align), 0);
        note.extend(desc);
        note.resize(note.len().next_multiple_of(align), 0);
        note
    }

    #[test]
    fn the_build_id_is_found_behind_other_notes_of_either_alignment() {
        for align in [4, 8] {
            let mut notes = note(b"GNU\0", 5, &[1, 2, 3, 4, 5], align);
            notes.extend(note(b"GNU\0", 3, &[0xab, 0x01], align));
            assert_eq!(in_notes(&notes, align as u64).as_deref(), Some("ab01"));
        }
    }

    #[test]
    fn damaged_notes_have_no_build_id() {
        let whole = note(b"GNU\0", 3, &[7; 20], 4);
        for cut in 0..whole.len() {
            assert_eq!(in_notes(&whole[..cut], 4), None, "cut at {cut}");
        }
        assert_eq!(in_notes(&[0xff; 64], 4), None);
    }
}
