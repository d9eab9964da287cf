//! Where functions start and end, by the sorted table in `.eh_frame_hdr` and the entries in `.eh_frame` it points to.
//!
//! Only the encodings that linkers and compilers use here are read; any other is "not known". All offsets are checked.

use super::{Image, Snapshot, UnwindTables};

/// DWARF pointer encoding "unsigned, 4 bytes".
const UDATA4: u8 = 0x03;
/// DWARF pointer encoding "relative to the header, signed, 4 bytes".
const DATAREL_SDATA4: u8 = 0x3b;
/// Before the table: four bytes of encodings, the address of `.eh_frame`, the number of entries.
const TABLE: usize = 12;
/// An entry of the table: start of the function, address of its description.
const ENTRY: usize = 8;

impl Snapshot {
    /// The address in memory at which the function with this instruction starts.
    pub(crate) fn function_start(&self, instruction: usize) -> Option<usize> {
        let image = self.image_at(instruction)?;
        let tables = image.unwind.as_ref()?;
        let in_file = instruction.wrapping_sub(image.base) as u64;
        let start = tables.function_start(in_file)?;
        Some(in_memory(image, start))
    }
}

fn in_memory(image: &Image, address: u64) -> usize {
    image.base.wrapping_add(address as usize)
}

impl UnwindTables {
    fn function_start(&self, instruction: u64) -> Option<u64> {
        let header: &[u8] = &self.header;
        if header.get(2..4)? != [UDATA4, DATAREL_SDATA4] {
            return None;
        }
        let count = u32::from_ne_bytes(bytes(header, 8)?) as usize;
        let table = header.get(TABLE..)?;
        let entries = table
            .get(..count.checked_mul(ENTRY)?)?
            .as_chunks::<ENTRY>()
            .0;
        let start_of = |entry: &[u8; ENTRY]| self.behind_header(entry, 0);
        let after = entries
            .partition_point(|entry| start_of(entry).is_some_and(|start| start <= instruction));
        let entry = &entries[after.checked_sub(1)?];
        let start = start_of(entry)?;
        let len = self.function_len(start, self.behind_header(entry, 4)?)?;
        (instruction - start < u64::from(len)).then_some(start)
    }

    /// The address that is written at this place of the table, relative to the header.
    fn behind_header(&self, entry: &[u8], at: usize) -> Option<u64> {
        let offset = i32::from_ne_bytes(bytes(entry, at)?);
        self.header_range.start.checked_add_signed(offset.into())
    }

    /// The length of the function at `start` by its description, if that is written in the usual way.
    fn function_len(&self, start: u64, description: u64) -> Option<u32> {
        let at = usize::try_from(description.checked_sub(self.frames_range.start)?).ok()?;
        let description_bytes = self.frames.get(at..)?;
        // Its length, then where its common part is, then start (relative to this field) and length.
        let offset = i32::from_ne_bytes(bytes(description_bytes, 8)?);
        let begins = description
            .checked_add(8)?
            .checked_add_signed(offset.into())?;
        let len = u32::from_ne_bytes(bytes(description_bytes, 12)?);
        (begins == start).then_some(len)
    }
}

fn bytes(from: &[u8], at: usize) -> Option<[u8; 4]> {
    from.get(at..)?.first_chunk().copied()
}
