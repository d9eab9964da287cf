//! [`CopiedStack`]: a stack that was copied while its thread stood still, for a walk by another
//! thread.
//!
//! Not here: who copies it ([`crate::thread`], [`crate::sampler`]).

/// The words of a stack from some frame on, and where they were.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CopiedStack<'a> {
    start: usize,
    words: &'a [u64],
    /// Whether there was no room for more. Otherwise the stack ends with the copy, or a little
    /// before.
    cut: bool,
}

impl<'a> CopiedStack<'a> {
    pub(crate) fn new(start: usize, words: &'a [u64], cut: bool) -> Self {
        Self { start, words, cut }
    }

    /// Reads the word that was at `address`.
    #[inline]
    pub(crate) fn read(&self, address: u64) -> Result<u64, ()> {
        let offset = usize::try_from(address).map_err(|_| ())?;
        let offset = offset.checked_sub(self.start).ok_or(())?;
        if !offset.is_multiple_of(size_of::<u64>()) {
            return Err(());
        }
        let word = self.words.get(offset / size_of::<u64>());
        word.copied().ok_or(())
    }

    /// Whether `address` may be on the stack, but behind what was copied of it.
    pub(crate) fn lacks(&self, address: u64) -> bool {
        self.cut && address >= (self.start + size_of_val(self.words)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::CopiedStack;

    #[test]
    fn only_whole_words_of_the_copy_are_read() {
        let stack = CopiedStack::new(0x1000, &[1, 2], false);
        assert_eq!(stack.read(0x1000), Ok(1));
        assert_eq!(stack.read(0x1008), Ok(2));
        for outside in [0xff8, 0x1004, 0x1010, 0, u64::MAX] {
            assert_eq!(stack.read(outside), Err(()), "{outside:#x}");
        }
    }

    #[test]
    fn a_copy_that_was_cut_lacks_what_is_behind_it() {
        assert!(!CopiedStack::new(0x1000, &[1, 2], false).lacks(0x1010));
        let cut = CopiedStack::new(0x1000, &[1, 2], true);
        assert!(cut.lacks(0x1010));
        assert!(!cut.lacks(0x1008) && !cut.lacks(0xff8));
    }
}
