//! The registers that a walk starts from on platforms without framehop: only the stack pointer, and
//! only nearly, by the address of a local variable. The unwinder of the platform finds the others
//! itself.
//!
//! Not here: 64-bit Linux (`registers.rs`).

/// Registers of a frame that is still on the stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Registers {
    /// An address within the frame.
    pub(crate) sp: usize,
}

impl Registers {
    /// The registers of the function that calls this.
    #[inline(always)]
    pub(crate) fn here() -> Self {
        let marker = 0_u8;
        Self {
            sp: std::hint::black_box(&raw const marker) as usize,
        }
    }
}
