//! A stack that is watched: loom sees a look that does not happen after the making and before the
//! drop.

use std::sync::{Arc, Weak};

use crate::sync::cell::UnsafeCell;

struct Token {
    alive: UnsafeCell<bool>,
}

// SAFETY: checked by loom.
unsafe impl Sync for Token {}

/// A stack that a capture found. Aligned like the real one: no address has the bit of a reader.
#[repr(align(8))]
pub(super) struct Stack {
    number: u32,
    token: &'static Token,
}

impl Stack {
    pub(super) fn look(&self) -> u32 {
        // SAFETY: checked by loom.
        let alive = self.token.alive.with(|alive| unsafe { *alive });
        assert!(alive, "seen after its drop");
        self.number
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: checked by loom.
        let alive = |alive: *mut bool| unsafe { alive.replace(false) };
        assert!(self.token.alive.with_mut(alive), "dropped once");
    }
}

/// Looks after a stack that was given away. It keeps the memory, so that a look after the drop is
/// seen and not undefined.
pub(super) struct Watch {
    token: &'static Token,
    _memory: Weak<Stack>,
}

impl Watch {
    /// Whether the stack has been dropped. Everything that was done with it must have happened
    /// before.
    pub(super) fn is_dropped(&self) -> bool {
        // SAFETY: checked by loom.
        self.token.alive.with(|alive| unsafe { !*alive })
    }
}

pub(super) fn stack(number: u32) -> (Arc<Stack>, Watch) {
    let token: &'static Token = Box::leak(Box::new(Token {
        alive: UnsafeCell::new(true),
    }));
    let stack = Arc::new(Stack { number, token });
    let watch = Watch {
        token,
        _memory: Arc::downgrade(&stack),
    };
    (stack, watch)
}
