//! The one table of endpoints: the index prints it, and the parser of parameters takes its names from it.
//!
//! Each endpoint's own entry stands next to its handler.

/// A page of the router.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Relative to the router, with a leading `/`.
    pub(crate) path: &'static str,
    /// One sentence for the index.
    pub(crate) summary: &'static str,
    /// Everything that may stand behind the `?`.
    pub(crate) parameters: &'static [Parameter],
    /// Queries worth a link of their own: what it shows, and the text behind the `?`.
    pub(crate) examples: &'static [(&'static str, &'static str)],
}

/// A query parameter.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// Values, range and default, for people.
    pub(crate) summary: &'static str,
}

/// Every page but the index, in the order in which the index shows them.
pub(crate) static ALL: &[&Endpoint] = &[&super::tasks::ENDPOINT, &super::cpu::ENDPOINT];
