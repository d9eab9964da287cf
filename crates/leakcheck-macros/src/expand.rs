//! Turns the async function below the attribute into a plain test that calls leakcheck's harness.
//!
//! Not here: reading the arguments of the attribute (`attribute.rs`).

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ItemFn, Result, parse2};

use crate::attribute::{Attribute, Flavor};

pub(crate) fn test(attribute: TokenStream, item: TokenStream) -> TokenStream {
    match parse2::<ItemFn>(item.clone()) {
        Ok(function) => match expand(attribute, &function) {
            Ok(test) => test,
            Err(error) => {
                // The function stays, so that the compiler does not report what it uses as unused.
                let error = error.into_compile_error();
                quote!(#error #item)
            }
        },
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#error #item)
        }
    }
}

fn expand(attribute: TokenStream, function: &ItemFn) -> Result<TokenStream> {
    let attribute: Attribute = parse2(attribute)?;
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        return Err(Error::new(
            signature.fn_token.span(),
            "`#[leakcheck::test]` is for `async fn`; in a plain test, `leakcheck::assert_none_in!(&runtime)` goes at the end",
        ));
    }
    if let Some(argument) = signature.inputs.first() {
        return Err(Error::new(
            argument.span(),
            "a test takes no arguments; attributes that make tests out of a function with arguments, such as `#[rstest]`, go above this one",
        ));
    }
    let is = |attribute: &syn::Attribute, name: &str| {
        let last = attribute.path().segments.last();
        last.is_some_and(|segment| segment.ident == name)
    };
    if let Some(other) = function
        .attrs
        .iter()
        .find(|attribute| is(attribute, "test"))
    {
        return Err(Error::new(
            other.span(),
            "this is another test attribute: the test would run twice",
        ));
    }
    let should_panic = function
        .attrs
        .iter()
        .any(|attribute| is(attribute, "should_panic"));
    let krate = attribute
        .krate
        .as_ref()
        .map_or_else(|| quote!(::leakcheck), |path| quote!(#path));
    let options = options(&attribute, &krate);
    let flavor = match attribute.flavor {
        Flavor::CurrentThread => quote!(CurrentThread),
        Flavor::MultiThread => quote!(MultiThread),
        Flavor::Local => quote!(Local),
    };
    let workers = match &attribute.worker_threads {
        Some(number) => quote!(::core::option::Option::Some(#number)),
        None => quote!(::core::option::Option::None),
    };
    let configure = configure(&attribute, &krate);
    let (attributes, visibility, block) = (&function.attrs, &function.vis, &function.block);
    let (name, output) = (&signature.ident, &signature.output);
    let setup = quote! {
        #krate::__private::Setup {
            name: ::core::concat!(::core::module_path!(), "::", ::core::stringify!(#name)),
            flavor: #krate::__private::Flavor::#flavor,
            worker_threads: #workers,
            configure: #configure,
            should_panic: #should_panic,
        }
    };
    // The report's panic is where the test is, so the call is made there; but its arguments are
    // ours, which a name out of a `macro_rules!` does not see.
    let span = name.span();
    let harness = quote!(#krate::__private).into_iter().map(|mut token| {
        token.set_span(span);
        token
    });
    let harness: TokenStream = harness.collect();
    let arguments = quote!(setup, options, body);
    let run = match &attribute.runtime {
        None => quote_spanned!(span=> #harness::run_test(#arguments)),
        Some(runtime) => quote_spanned!(span=> #harness::run_test_on(#runtime, #arguments)),
    };
    Ok(quote! {
        #(#attributes)*
        #[::core::prelude::v1::test]
        #visibility fn #name() #output {
            let setup = #setup;
            let options = || #options;
            let body = async #block;
            #run
        }
    })
}

/// The closure that configures tokio's builder. It is code of the test's own crate, because a
/// method may be missing there, depending on features and flags.
fn configure(attribute: &Attribute, krate: &TokenStream) -> TokenStream {
    let paused = attribute
        .start_paused
        .then(|| quote!(builder.start_paused(true);));
    let panics = attribute.unhandled_panic.as_ref().map(
        |variant| quote!(builder.unhandled_panic(#krate::__private::UnhandledPanic::#variant);),
    );
    let name = attribute
        .name
        .as_ref()
        .map(|name| quote!(builder.name(#name);));
    match (&paused, &panics, &name) {
        (None, None, None) => quote!(|_| {}),
        _ => quote!(|builder| { #paused #panics #name }),
    }
}

fn options(attribute: &Attribute, krate: &TokenStream) -> TokenStream {
    let first = match &attribute.options {
        Some(options) => quote!(#options),
        None => quote!(#krate::Options::new()),
    };
    let methods = attribute
        .methods
        .iter()
        .map(|(name, arguments)| quote!(.#name(#arguments)));
    quote!(#first #(#methods)*)
}
