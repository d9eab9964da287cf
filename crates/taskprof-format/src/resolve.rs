//! Names of frames: the one place where writers look addresses up.
//!
//! An address without a symbol is named `module+0xoffset` and counted. The offset is the address in
//! the file, as `addr2line -e module` takes it, and stable across runs. Not here: symbol lookup and
//! its process-wide cache (`callstack`), escaping for a format (each writer's own).

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::text::{MAX_PATH, bounded};
use callstack::Module;

use crate::profile::Frame;

/// One function at a frame; an address has several when functions were inlined.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) name: Arc<str>,
    pub(crate) file: Option<Arc<str>>,
    pub(crate) line: Option<u32>,
}

/// The kinds of information that lookups found in a module: each is true if one address had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Known {
    pub(crate) functions: bool,
    pub(crate) files: bool,
    pub(crate) lines: bool,
    pub(crate) inlined: bool,
}

/// Names the frames of one profile, and counts addresses without a name.
#[derive(Debug)]
pub(crate) struct Resolver {
    modules: Arc<[Module]>,
    /// One per module, in the order of `modules`.
    known: Vec<Known>,
    /// Indexes into `modules`, by start address: the list itself has the main program first.
    by_start: Vec<usize>,
    lines: HashMap<usize, Arc<[Line]>>,
    unknown: HashSet<usize>,
}

impl Resolver {
    pub(crate) fn new() -> Self {
        let modules = callstack::modules();
        let mut by_start: Vec<usize> = (0..modules.len()).collect();
        by_start.sort_unstable_by_key(|&at| modules[at].start);
        Resolver {
            known: vec![Known::default(); modules.len()],
            modules,
            by_start,
            lines: HashMap::new(),
            unknown: HashSet::new(),
        }
    }

    /// The functions at this frame, innermost first; never empty.
    pub(crate) fn lines(&mut self, frame: &Frame) -> Arc<[Line]> {
        match frame {
            Frame::Named { name, file, line } => Arc::new([Line {
                name: cut(name),
                file: file.as_ref().map(cut),
                line: *line,
            }]),
            Frame::Address(address) => {
                if let Some(lines) = self.lines.get(address) {
                    return Arc::clone(lines);
                }
                let lines = self.look_up(*address);
                self.lines.insert(*address, Arc::clone(&lines));
                lines
            }
        }
    }

    fn look_up(&mut self, address: usize) -> Arc<[Line]> {
        let symbols = callstack::symbolize(address);
        if symbols.iter().all(|symbol| symbol.name.is_none()) {
            self.unknown.insert(address);
        }
        if let Some(module) = self.module_at(address.wrapping_sub(1)) {
            let known = &mut self.known[module];
            for symbol in symbols.iter() {
                known.functions |= symbol.name.is_some();
                known.files |= symbol.file.is_some();
                known.lines |= symbol.line.is_some();
                known.inlined |= symbol.inlined;
            }
        }
        symbols
            .iter()
            .map(|symbol| Line {
                name: match &symbol.name {
                    Some(name) if !name.is_empty() => cut(name),
                    _ => self.place(address),
                },
                file: symbol.file.as_ref().map(cut),
                line: symbol.line,
            })
            .collect()
    }

    fn place(&self, address: usize) -> Arc<str> {
        let instruction = address.wrapping_sub(1);
        match self.module_at(instruction) {
            None => format!("{instruction:#x}").into(),
            Some(at) => {
                let module = &self.modules[at];
                let file = module.path.rsplit('/').next().unwrap_or(&module.path);
                let offset = instruction.wrapping_sub(module.base);
                format!("{file}+{offset:#x}").into()
            }
        }
    }

    /// The index in [`modules`](Self::modules) of the module that holds this instruction.
    pub(crate) fn module_at(&self, instruction: usize) -> Option<usize> {
        let after = self
            .by_start
            .partition_point(|&at| self.modules[at].start <= instruction);
        let at = *self.by_start.get(after.checked_sub(1)?)?;
        (instruction < self.modules[at].end).then_some(at)
    }

    pub(crate) fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// The kinds of information found so far in the module with this index.
    pub(crate) fn known(&self, module: usize) -> Known {
        self.known[module]
    }

    /// A sentence about the addresses that had no symbol so far; `None` if all had one.
    pub(crate) fn unknown(&self) -> Option<String> {
        let unknown = self.unknown.len();
        (unknown > 0).then(|| {
            format!(
                "{unknown} of {} addresses have no symbol (shown as module+offset; build with debug = 1, unstripped)",
                self.lines.len()
            )
        })
    }
}

/// Cuts a name or path at the bound for all that are shown.
fn cut(path: &Arc<str>) -> Arc<str> {
    match bounded(path, MAX_PATH) {
        Cow::Borrowed(_) => Arc::clone(path),
        Cow::Owned(cut) => cut.into(),
    }
}
