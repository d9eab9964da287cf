//! Finds the frame of a function that addresses it by `rbp`, without knowing `rbp` (x86-64).
//!
//! For a blocked thread the kernel tells only the next instruction and the stack pointer. That is
//! enough for functions whose unwind rule goes by the stack pointer, and for those that have stored
//! `rbp` themselves. For a function that addresses its frame by `rbp`, the first instructions say
//! how far `rbp` is from the stack pointer: how many registers they store and how much room they
//! make. They are decoded here, and believed only if a return address is found at the place where
//! it must be. Nothing is guessed: a function that begins in another way is not unwound.
//!
//! Not here: walking ([`super::hop`]).

use std::ops::Range;

/// `push rbp; mov rbp, rsp`.
const BEGINS_FRAME: [u8; 4] = [0x55, 0x48, 0x89, 0xe5];
/// How many bytes at the start of a function are searched for the instructions that make its frame.
const LONGEST: usize = 256;

/// The code of this process.
pub(crate) trait Code {
    /// The function around an address, by its unwind table.
    fn function(&self, address: usize) -> Option<Range<usize>>;
    /// The bytes from `start` on; fewer than `len` if not all can be read, or are code.
    fn bytes(&self, start: usize, len: usize) -> Vec<u8>;
}

/// Finds the value of `rbp` in the function that contains `address`, a return address within it, if
/// the stack pointer was `sp` at the call. `None` if that is not certain.
pub(crate) fn find(
    code: &impl Code,
    address: usize,
    sp: usize,
    read: &mut impl FnMut(u64) -> Result<u64, ()>,
) -> Option<usize> {
    let function = code.function(address.checked_sub(1)?)?;
    let frame = Frame::made_by(&code.bytes(function.start, LONGEST.min(address - function.start)))?;
    let lowest = sp.checked_add(frame.room)?.checked_add(frame.stored)?;
    let above = lowest.checked_add(frame.aligned_to)?;
    let first = match frame.aligned_to {
        1 => lowest,
        // An aligned stack pointer may have lost some bytes. Every frame begins at a multiple of
        // 16.
        _ => lowest.next_multiple_of(16),
    };
    let mut found = None;
    for rbp in (first..above).step_by(16) {
        let return_address = read(rbp.checked_add(8)? as u64).ok();
        if return_address.is_some_and(|address| is_behind_a_call(code, address as usize)) {
            if found.is_some() {
                return None;
            }
            found = Some(rbp);
        }
    }
    found
}

/// The frame that the first instructions of a function make.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    /// Bytes of registers that are stored below `rbp`.
    stored: usize,
    /// The alignment that the stack pointer gets after that; 1 for none.
    aligned_to: usize,
    /// Bytes of room below that.
    room: usize,
}

impl Frame {
    /// Decodes `code`, the beginning of a function.
    fn made_by(code: &[u8]) -> Option<Frame> {
        let mut places = code.windows(BEGINS_FRAME.len()).enumerate();
        let (begin, _) = places.find(|(_, window)| *window == BEGINS_FRAME)?;
        let mut rest = &code[begin + BEGINS_FRAME.len()..];
        let mut frame = Frame {
            stored: 0,
            aligned_to: 1,
            room: 0,
        };
        loop {
            rest = match rest {
                // push r8 to r15; push rax to rdi
                [0x41, 0x50..=0x57, rest @ ..] | [0x50..=0x57, rest @ ..] if frame.is_plain() => {
                    frame.stored += 8;
                    rest
                }
                // and rsp, -n
                [0x48, 0x83, 0xe4, mask, rest @ ..] if frame.is_plain() => {
                    frame.aligned_to = usize::from(mask.wrapping_neg());
                    rest
                }
                [0x48, 0x81, 0xe4, a, b, c, d, rest @ ..] if frame.is_plain() => {
                    let mask = i32::from_le_bytes([*a, *b, *c, *d]);
                    frame.aligned_to = usize::try_from(mask.checked_neg()?).ok()?;
                    rest
                }
                // lea r11, [rsp - n], and from there to it page by page: a large frame
                [0x4c, 0x8d, 0x9c, 0x24, a, b, c, d, rest @ ..] => {
                    let distance = i32::from_le_bytes([*a, *b, *c, *d]).checked_neg()?;
                    frame.room += usize::try_from(distance).ok()?;
                    // sub rsp, page; mov qword ptr [rsp], 0; cmp rsp, r11; jne
                    rest.get(7 + 8 + 3 + 2..)?
                }
                // sub rsp, n
                [0x48, 0x83, 0xec, room, rest @ ..] => {
                    frame.room += usize::from(*room);
                    rest
                }
                [0x48, 0x81, 0xec, a, b, c, d, rest @ ..] => {
                    frame.room += u32::from_le_bytes([*a, *b, *c, *d]) as usize;
                    rest
                }
                // mov qword ptr [rsp], 0
                [0x48, 0xc7, 0x04, 0x24, 0, 0, 0, 0, rest @ ..] if frame.room > 0 => rest,
                _ => break,
            };
        }
        let is_sound =
            frame.aligned_to.is_power_of_two() && (frame.aligned_to == 1 || frame.aligned_to >= 16);
        // Registers that are pushed later may have been popped before the call.
        let pushes_more = matches!(rest, [0x41, 0x50..=0x57, ..] | [0x50..=0x57, ..]);
        (is_sound && !pushes_more).then_some(frame)
    }

    /// Whether the instructions so far only store registers.
    fn is_plain(&self) -> bool {
        self.aligned_to == 1 && self.room == 0
    }
}

/// Whether the instruction before `address` is a call.
fn is_behind_a_call(code: &impl Code, address: usize) -> bool {
    /// The longest call.
    const LONGEST: usize = 7;
    let Some(start) = address.checked_sub(LONGEST) else {
        return false;
    };
    let bytes = code.bytes(start, LONGEST);
    let ends_with = |len: usize| {
        bytes
            .get(LONGEST - len..)
            .filter(|_| bytes.len() == LONGEST)
    };
    // call near; call through register or memory (opcode ff, the register field of the next byte is
    // 2), by length
    let direct = ends_with(5).is_some_and(|call| call[0] == 0xe8);
    direct
        || (2..=LONGEST).any(|len| {
            ends_with(len).is_some_and(|call| {
                call[0] == 0xff && call[1] & 0x38 == 0x10 && length_through(call) == Some(len)
            })
        })
}

/// The length of a call through a register or memory, which begins with `ff`.
fn length_through(call: &[u8]) -> Option<usize> {
    let operand = call[1];
    let (mode, base) = (operand >> 6, operand & 7);
    let by_table = usize::from(mode != 3 && base == 4);
    let distance = match (mode, base) {
        (0, 5) => 4,
        (0, 4) if call.get(2)? & 7 == 5 => 4,
        (1, _) => 1,
        (2, _) => 4,
        _ => 0,
    };
    Some(2 + by_table + distance)
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::{Code, Frame, find, is_behind_a_call};

    fn frame(code: &[u8]) -> Option<(usize, usize, usize)> {
        Frame::made_by(code).map(|frame| (frame.stored, frame.aligned_to, frame.room))
    }

    #[test]
    fn the_first_instructions_say_how_large_a_frame_is() {
        // push rbp; mov rbp, rsp; push r15; push rbx; sub rsp, 24; xor eax, eax
        let usual = [
            0x55, 0x48, 0x89, 0xe5, 0x41, 0x57, 0x53, 0x48, 0x83, 0xec, 24, 0x31, 0xc0,
        ];
        assert_eq!(frame(&usual), Some((16, 1, 24)));
        // These instructions after a test of an argument.
        let late = [&[0x48, 0x85, 0xff, 0x74, 0x20][..], &usual].concat();
        assert_eq!(frame(&late), Some((16, 1, 24)));
        // and rsp, -32; sub rsp, 0x140
        let aligned = [
            0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xe4, 0xe0, 0x48, 0x81, 0xec, 0x40, 1, 0, 0,
        ];
        assert_eq!(frame(&aligned), Some((0, 32, 0x140)));
        // lea r11, [rsp - 0x5000]; one page after the other; sub rsp, 0x40
        let large = [
            0x55, 0x48, 0x89, 0xe5, 0x4c, 0x8d, 0x9c, 0x24, 0, 0xb0, 0xff, 0xff, 0x48, 0x81, 0xec,
            0, 0x10, 0, 0, 0x48, 0xc7, 0x04, 0x24, 0, 0, 0, 0, 0x4c, 0x39, 0xdc, 0x75, 0xec, 0x48,
            0x83, 0xec, 0x40, 0x90,
        ];
        assert_eq!(frame(&large), Some((0, 1, 0x5040)));
    }

    #[test]
    fn a_function_that_begins_in_another_way_says_nothing() {
        assert_eq!(frame(&[]), None);
        // push rbp; sub rsp, 8
        assert_eq!(frame(&[0x55, 0x48, 0x83, 0xec, 8]), None);
        // A mask that is none.
        assert_eq!(
            frame(&[0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xe4, 0xe1]),
            None
        );
    }

    /// One function at 0x1000; it is called from 0x2000 and 0x2010 on.
    struct Known;

    impl Code for Known {
        fn function(&self, address: usize) -> Option<Range<usize>> {
            (0x1000..0x1100)
                .contains(&address)
                .then_some(0x1000..0x1100)
        }

        fn bytes(&self, start: usize, len: usize) -> Vec<u8> {
            let mut memory = vec![0x90; 0x2000];
            // push rbp; mov rbp, rsp; and rsp, -64; sub rsp, 64
            let begin = [
                0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xe4, 0xc0, 0x48, 0x83, 0xec, 64,
            ];
            memory[..begin.len()].copy_from_slice(&begin);
            // call near; call [rax + 8]
            memory[0x1000..0x1005].copy_from_slice(&[0xe8, 1, 2, 3, 4]);
            memory[0x1010..0x1013].copy_from_slice(&[0xff, 0x50, 8]);
            let from = start.saturating_sub(0x1000).min(memory.len());
            memory[from..(from + len).min(memory.len())].to_vec()
        }
    }

    #[test]
    fn only_what_follows_a_call_is_a_return_address() {
        for behind in [0x2005, 0x2013] {
            assert!(is_behind_a_call(&Known, behind), "{behind:#x}");
        }
        for other in [0, 5, 0x2004, 0x2006, 0x2012, 0x1050, 0x9000] {
            assert!(!is_behind_a_call(&Known, other), "{other:#x}");
        }
    }

    #[test]
    fn the_frame_is_where_a_return_address_is_and_nowhere_if_that_is_ambiguous() {
        let sp = 0x7000;
        // Aligned to 64, so one of four.
        let at = |return_addresses: &[(usize, u64)]| {
            let mut read = |address: u64| {
                let found = return_addresses
                    .iter()
                    .find(|(place, _)| *place as u64 == address);
                Ok(found.map_or(0, |(_, value)| *value))
            };
            find(&Known, 0x1050, sp, &mut read)
        };
        assert_eq!(at(&[(0x7040 + 32 + 8, 0x2005)]), Some(0x7040 + 32));
        assert_eq!(at(&[]), None);
        assert_eq!(at(&[(0x7040 + 8, 0x2004)]), None);
        assert_eq!(at(&[(0x7040 + 8, 0x2005), (0x7050 + 8, 0x2013)]), None);
        // Not a multiple of 16 away.
        assert_eq!(at(&[(0x7040, 0x2005)]), None);
        // Nothing is known of a function without a table.
        let mut read = |_| Ok(0x2005);
        assert_eq!(find(&Known, 0x5000, sp, &mut read), None);
    }
}
