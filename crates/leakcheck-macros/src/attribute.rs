//! Parses the arguments of the attribute, and refuses those that do not go together.
//!
//! Not here: the code that is made of them (`expand.rs`).

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, Ident, LitBool, LitInt, LitStr, Path, Result, Token, parenthesized};

/// The known keys, as an error names them.
const KNOWN: &str = "known are `flavor`, `worker_threads`, `start_paused`, `unhandled_panic`, `name`, `runtime`, `options`, `crate`, and each method of `leakcheck::Options`, such as `settle(..)`";

#[derive(Default)]
pub(crate) struct Attribute {
    pub(crate) flavor: Flavor,
    pub(crate) worker_threads: Option<LitInt>,
    pub(crate) start_paused: bool,
    /// The variant of tokio's `UnhandledPanic`.
    pub(crate) unhandled_panic: Option<Ident>,
    /// The name of the runtime.
    pub(crate) name: Option<LitStr>,
    /// An expression for a runtime that is shared with other tests.
    pub(crate) runtime: Option<Expr>,
    /// An expression for the options that the methods below are called on.
    pub(crate) options: Option<Expr>,
    pub(crate) methods: Vec<(Ident, TokenStream)>,
    pub(crate) krate: Option<Path>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Flavor {
    #[default]
    CurrentThread,
    MultiThread,
    Local,
}

/// One argument: `key = value` or `method(arguments)`.
enum Item {
    Value(Ident, Value),
    Method(Ident, TokenStream),
}

enum Value {
    Text(LitStr),
    Number(LitInt),
    Bool(LitBool),
    Expr(Expr),
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> Result<Item> {
        let key = input.call(Ident::parse_any)?;
        if input.peek(syn::token::Paren) {
            let arguments;
            parenthesized!(arguments in input);
            return Ok(Item::Method(key, arguments.parse()?));
        }
        if !input.peek(Token![=]) {
            return Err(unknown(&key));
        }
        input.parse::<Token![=]>()?;
        let value = match key.to_string().as_str() {
            "flavor" | "crate" | "unhandled_panic" | "name" => Value::Text(input.parse()?),
            "worker_threads" => Value::Number(input.parse()?),
            "start_paused" => Value::Bool(input.parse()?),
            "runtime" | "options" => Value::Expr(input.parse()?),
            _ => return Err(unknown(&key)),
        };
        Ok(Item::Value(key, value))
    }
}

fn unknown(key: &Ident) -> Error {
    Error::new(
        key.span(),
        format!("`{key}` is not known to `#[leakcheck::test]`: {KNOWN}"),
    )
}

impl Parse for Attribute {
    fn parse(input: ParseStream<'_>) -> Result<Attribute> {
        let items = Punctuated::<Item, Token![,]>::parse_terminated(input)?;
        let mut attribute = Attribute::default();
        let mut seen: Vec<Ident> = Vec::new();
        for item in items {
            let (key, value) = match item {
                Item::Method(key, arguments) => {
                    attribute.methods.push((key, arguments));
                    continue;
                }
                Item::Value(key, value) => (key, value),
            };
            if seen.contains(&key) {
                return Err(Error::new(key.span(), format!("`{key}` is set twice")));
            }
            attribute.set(&key, value)?;
            seen.push(key);
        }
        attribute.check(&seen)?;
        Ok(attribute)
    }
}

impl Attribute {
    fn set(&mut self, key: &Ident, value: Value) -> Result<()> {
        match (key.to_string().as_str(), value) {
            ("flavor", Value::Text(text)) => {
                self.flavor = match text.value().as_str() {
                    "current_thread" => Flavor::CurrentThread,
                    "multi_thread" => Flavor::MultiThread,
                    "local" => Flavor::Local,
                    _ => {
                        return Err(Error::new(
                            text.span(),
                            "the flavors are \"current_thread\", the default, \"multi_thread\" and \"local\"",
                        ));
                    }
                };
            }
            ("unhandled_panic", Value::Text(text)) => {
                let variant = match text.value().as_str() {
                    "ignore" => "Ignore",
                    "shutdown_runtime" => "ShutdownRuntime",
                    _ => {
                        return Err(Error::new(
                            text.span(),
                            "a panic of a task can \"ignore\", the default, or \"shutdown_runtime\"",
                        ));
                    }
                };
                self.unhandled_panic = Some(Ident::new(variant, text.span()));
            }
            ("name", Value::Text(text)) => self.name = Some(text),
            ("crate", Value::Text(text)) => self.krate = Some(text.parse()?),
            ("worker_threads", Value::Number(number)) => {
                if number.base10_parse::<usize>()? == 0 {
                    return Err(Error::new(
                        number.span(),
                        "a runtime needs at least one worker",
                    ));
                }
                self.worker_threads = Some(number);
            }
            ("start_paused", Value::Bool(bool)) => self.start_paused = bool.value,
            ("runtime", Value::Expr(expr)) => self.runtime = Some(expr),
            ("options", Value::Expr(expr)) => self.options = Some(expr),
            _ => return Err(unknown(key)),
        }
        Ok(())
    }

    /// Refuses arguments that do not go together.
    fn check(&self, seen: &[Ident]) -> Result<()> {
        let at = |key: &str| {
            let key = seen.iter().find(|seen| *seen == key);
            key.map_or_else(Span::call_site, |key| key.span())
        };
        if self.worker_threads.is_some() && self.flavor != Flavor::MultiThread {
            return Err(Error::new(
                at("worker_threads"),
                "`worker_threads` needs `flavor = \"multi_thread\"`",
            ));
        }
        if self.start_paused && self.flavor == Flavor::MultiThread {
            return Err(Error::new(
                at("start_paused"),
                "`start_paused` needs the flavor \"current_thread\": tokio cannot pause the clock of several workers",
            ));
        }
        if self.unhandled_panic.is_some() && self.flavor == Flavor::MultiThread {
            return Err(Error::new(
                at("unhandled_panic"),
                "`unhandled_panic` needs the flavor \"current_thread\" or \"local\": tokio cannot do it with several workers",
            ));
        }
        if let Some(runtime) = &self.runtime
            && [
                "flavor",
                "worker_threads",
                "start_paused",
                "unhandled_panic",
                "name",
            ]
            .iter()
            .any(|key| seen.iter().any(|seen| seen == key))
        {
            return Err(Error::new(
                runtime.span(),
                "a runtime that is given has its flavor, its workers and its clock already",
            ));
        }
        Ok(())
    }
}
