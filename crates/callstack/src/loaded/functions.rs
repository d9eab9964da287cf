//! Finds where functions begin and end, by the tables that are there for unwinding.
//!
//! The header of the tables is a sorted list of functions, each with the place of its entry in
//! `.eh_frame`. Only the encodings that every linker and compiler uses on 64-bit Linux are read.
//! Not here: names of functions (`crate::resolve`).

use std::ops::Range;

use super::{Image, Snapshot};

/// DWARF pointer encodings: 4 bytes without a sign; relative to the header, signed, 4 bytes.
const UDATA4: u8 = 0x03;
const DATAREL_SDATA4: u8 = 0x3b;
/// Bytes of the header before its list, and of each element of that.
const BEFORE: usize = 12;
const EACH: usize = 8;

impl Snapshot {
    /// The address at which the function with this instruction starts.
    pub(crate) fn function_start(&self, instruction: usize) -> Option<usize> {
        let function = self.image_at(instruction)?.function_at(instruction)?;
        Some(function.start)
    }
}

impl Image {
    /// The function around this address, if the tables know one.
    pub(crate) fn function_at(&self, address: usize) -> Option<Range<usize>> {
        let tables = self.unwind.as_ref()?;
        let header: &[u8] = &tables.header;
        let [1, _, UDATA4, DATAREL_SDATA4, ..] = header else {
            return None;
        };
        let in_file = (address as u64).wrapping_sub(self.base as u64);
        let count = word(header, 8)? as u32 as usize;
        let list = header.get(BEFORE..BEFORE.checked_add(count.checked_mul(EACH)?)?)?;
        let at = |offset: i32| {
            tables
                .header_range
                .start
                .wrapping_add_signed(i64::from(offset))
        };
        let begins = |element: &[u8]| word(element, 0).map(at);
        let (elements, _) = list.as_chunks::<EACH>();
        let behind =
            elements.partition_point(|element| begins(element).is_some_and(|at| at <= in_file));
        let element = elements.get(behind.checked_sub(1)?)?;
        let start = begins(element)?;
        // Length, the common part's place, where the function begins relative to this very field,
        // and how long it is.
        let entry = at(word(element, 4)?);
        let frames: &[u8] = &tables.frames;
        let field = entry.checked_add(8)?;
        let offset = usize::try_from(field.checked_sub(tables.frames_range.start)?).ok()?;
        if field.wrapping_add_signed(i64::from(word(frames, offset)?)) != start {
            return None;
        }
        let end = start.checked_add(u64::from(word(frames, offset.checked_add(4)?)? as u32))?;
        let in_memory = |address: u64| (address as usize).wrapping_add(self.base);
        (start..end)
            .contains(&in_file)
            .then(|| in_memory(start)..in_memory(end))
    }
}

fn word(bytes: &[u8], at: usize) -> Option<i32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|word| i32::from_ne_bytes(*word))
}

#[cfg(test)]
mod tests {
    use crate::loaded;

    #[inline(never)]
    fn one() -> u32 {
        std::hint::black_box(1)
    }

    #[test]
    fn a_function_is_known_by_any_address_in_it() {
        let snapshot = loaded::current();
        let address = one as *const () as usize;
        let image = snapshot.image_at(address).map(std::sync::Arc::clone);
        let image = image.expect("this program is loaded");
        let function = image.function_at(address).expect("it has unwind tables");
        assert_eq!(function.start, address);
        assert_eq!(image.function_at(function.end - 1), Some(function.clone()));
        assert_ne!(image.function_at(function.end), Some(function));
        assert_eq!(image.function_at(0), None);
        assert_eq!(image.function_at(usize::MAX), None);
        assert_eq!(one(), 1);
    }
}
