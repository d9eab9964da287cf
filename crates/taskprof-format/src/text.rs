//! The rules for text from outside, as this crate uses them: which characters are hidden, how names
//! are escaped and cut.
//!
//! The only file that names `taskscope-core`. Not here: the rules themselves
//! (`taskscope_core::text`), characters that a single format gives a meaning (that format's writer,
//! and `escape.rs` for XML).

pub(crate) use taskscope_core::text::{
    MAX_NAME, MAX_PATH, OneLine, bounded, is_hidden, json, plain, read_plain, write_escape,
};
