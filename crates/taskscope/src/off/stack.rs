//! callstack's types in public signatures. There are no values of them: without records nothing is unwound.

use std::convert::Infallible;
use std::sync::Arc;

/// A captured stack. There is none without the feature `enable`; with it, this is `callstack::Stack`.
#[derive(Debug)]
pub struct Stack(Infallible);

/// One function of a [`Stack`]: `callstack::Symbol`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Symbol {
    /// Its name.
    pub name: Option<Arc<str>>,
    /// The source file.
    pub file: Option<Arc<str>>,
    /// Counted from 1.
    pub line: Option<u32>,
    /// Counted from 1.
    pub column: Option<u32>,
    /// Whether it was inlined.
    pub inlined: bool,
}

impl Stack {
    /// The return addresses, leaf first, with a 0 between branches.
    pub fn frames(&self) -> &[usize] {
        match self.0 {}
    }

    /// A hash of the content.
    pub fn id(&self) -> u64 {
        match self.0 {}
    }

    /// The return addresses of each branch.
    pub fn branches(&self) -> impl Iterator<Item = &[usize]> {
        std::iter::once(self.frames())
    }

    /// Symbols, leaf first.
    pub fn symbols(&self) -> Vec<Arc<Symbol>> {
        match self.0 {}
    }

    /// The symbols of each branch.
    pub fn branch_symbols(&self) -> Vec<Vec<Arc<Symbol>>> {
        match self.0 {}
    }
}
