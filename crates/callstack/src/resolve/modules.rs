//! The loaded images at one moment, and which of them an address belongs to.
//!
//! Not here: how an image's files are read ([`super::reader`], [`super::elf`]).

use std::sync::Arc;

use super::{Lookup, reader};
use crate::loaded::{self, Snapshot};

/// The images at one moment.
pub(crate) struct Modules(Arc<Snapshot>);

impl Modules {
    pub(crate) fn now() -> Self {
        Self(loaded::current())
    }

    pub(crate) fn is_current(&self) -> bool {
        self.0.generation == loaded::generation()
    }

    pub(crate) fn in_main_program(&self, address: usize) -> bool {
        self.0.image_at(address).is_some_and(|image| image.is_main)
    }

    /// The symbols at `address`.
    pub(crate) fn symbols(&self, address: usize) -> Lookup {
        let Some(image) = self.0.image_at(address) else {
            return Lookup::Nowhere;
        };
        let in_file = address.wrapping_sub(image.base) as u64;
        reader::look_up(image, in_file)
    }
}
