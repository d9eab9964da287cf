//! `#[leakcheck::test]`. Documented where it is used: in `leakcheck`.
//!
//! Not here: what happens when the test runs (`leakcheck::harness`).
#![forbid(unsafe_code)]

mod attribute;
mod expand;

use proc_macro::TokenStream;

/// See `leakcheck::test`.
#[proc_macro_attribute]
pub fn test(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand::test(attribute.into(), item.into()).into()
}
