//! Symbols from the ELF files of the loaded images.
//!
//! The main program is opened through `/proc/self/exe` if its path is no longer the running
//! program. A library that was replaced is recognised by its build id and has no symbols: none is
//! better than wrong ones.
//!
//! Not here: which file has the debug information ([`files`]), and how long it stays open
//! ([`super::reader`]).

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::path::Path;

use addr2line::Loader;

use super::{RawSymbol, files, name};
use crate::loaded::{Image, build_id};

/// The files of an image, mapped, with the index of their debug information.
pub(super) struct Opened(Loader);

impl Opened {
    /// Opens the files of an image. `None` if there is nothing to read, now or later.
    ///
    /// # Errors
    ///
    /// If a file cannot be opened just now. The caller should try again later.
    pub(super) fn open(image: &Image) -> io::Result<Option<Self>> {
        // The vdso has a name, but no file.
        if !image.is_main && !image.path.contains('/') {
            return Ok(None);
        }
        let path = files::own(image);
        if !is_readable(path)? {
            return Ok(None);
        }
        let in_file = build_id::of_file(path).unwrap_or_default();
        if in_file[..] != image.build_id[..] {
            // An error if the file could not be opened just now: then it may work later.
            is_readable(path)?;
            return Ok(None);
        }
        let Ok(mut loader) = Loader::new(path) else {
            is_readable(path)?;
            return Ok(None);
        };
        if loader.get_section_range(b".debug_info").is_none()
            && let Some(separate) = files::separate(image)
            && let Ok(better) = Loader::new(separate)
        {
            loader = better;
        }
        Ok(Some(Self(loader)))
    }

    /// The symbols at an address in the file, innermost first.
    pub(super) fn symbols(&mut self, address: u64) -> Vec<RawSymbol> {
        let Opened(loader) = self;
        let mut symbols = Vec::new();
        let from_table = loader.find_symbol(address).map(name::demangle);
        // Damaged debug information ends the list early; what was found before is kept.
        if let Ok(mut frames) = loader.find_frames(address) {
            let mut next = frames.next().ok().flatten();
            while let Some(frame) = next {
                next = frames.next().ok().flatten();
                let inlined = next.is_some();
                let location = frame.location.as_ref();
                let file = location.and_then(|location| location.file);
                let function = frame
                    .function
                    .as_ref()
                    .and_then(|function| function.demangle().ok());
                let function = match &from_table {
                    Some(symbol) if !inlined => {
                        name::physical(function, Some(Cow::Borrowed(symbol)))
                    }
                    _ => function.map(|function| name::qualified(function, file)),
                };
                symbols.push(RawSymbol {
                    name: function.map(Cow::into_owned),
                    file: file.map(str::to_owned),
                    // DWARF writes 0 for "unknown".
                    line: location
                        .and_then(|location| location.line)
                        .filter(|line| *line != 0),
                    column: location
                        .and_then(|location| location.column)
                        .filter(|column| *column != 0),
                    inlined,
                });
            }
        }
        if symbols.is_empty()
            && let Some(name) = from_table
        {
            symbols.push(RawSymbol {
                name: Some(name.into_owned()),
                ..RawSymbol::default()
            });
        }
        symbols
    }
}

/// Whether the file exists and may be read.
///
/// # Errors
///
/// Any other failure to open it: above all that no file descriptor is left, as in a program that
/// leaks them.
fn is_readable(path: &Path) -> io::Result<bool> {
    match File::open(path) {
        Ok(_) => Ok(true),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Ok(false),
            _ => Err(error),
        },
    }
}
