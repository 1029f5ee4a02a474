//! What the attributes write: the code that stands where the `async fn` stood.
//!
//! # Rules
//! E1. Every path is absolute (`::pirn`, `::core`, `::std`) or the user's own, so nothing that the user's module
//!     defines or lacks changes what is meant.
//! E2. The user's attributes stay on the outer function, which is the one that rustc and libtest look at.
//! E3. A test hands over the *function*, not a future: the runtime's test harness calls it on a thread of the
//!     test's own, so neither the future nor its output need be `Send`.
//! E4. A test whose body returns something returns an exit code instead. libtest makes nothing of such a value
//!     but success or failure, and an `ExitCode` can cross threads, which `Result<(), Box<dyn Error>>` cannot.
//!     A body that returns nothing keeps its type, because `#[should_panic]` insists on it.
//! E5. An error comes with as much of the function as makes sense, so that one mistake gives one message.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{Error, Path, parse_quote};

use crate::function::Function;
use crate::options::Options;

/// Which of the two attributes is expanded.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Attribute {
    Main,
    Test,
}

/// The whole expansion; an error becomes a `compile_error!` beside what could be salvaged.
pub(crate) fn expand(attribute: Attribute, options: TokenStream, item: TokenStream) -> TokenStream {
    let function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let error = error.into_compile_error();
            return quote!(#error #item);
        }
    };
    if let Err(error) = check(attribute, &function) {
        let error = error.into_compile_error();
        let stub = stub(&function);
        return quote!(#error #stub);
    }
    let parsed = syn::parse2::<Options>(options).and_then(|options| fit(attribute, options));
    let (options, error) = match parsed {
        Ok(options) => (options, None),
        Err(error) => (Options::default(), Some(error.into_compile_error())),
    };
    let expanded = match attribute {
        Attribute::Main => main(&function, &options),
        Attribute::Test => test(&function, &options),
    };
    quote!(#error #expanded)
}

fn check(attribute: Attribute, function: &Function) -> syn::Result<()> {
    match attribute {
        Attribute::Main => function.check("main"),
        Attribute::Test => {
            if let Some(second) = function.is_test_already() {
                let message = "#[pirn::test] makes this a test by itself; remove #[test]";
                return Err(Error::new_spanned(second, message));
            }
            function.check("test")
        }
    }
}

/// Options that only one of the attributes has.
fn fit(attribute: Attribute, options: Options) -> syn::Result<Options> {
    match (attribute, options.timeout) {
        (Attribute::Main, Some((_, span))) => {
            Err(Error::new(span, "only a test has a time limit: `timeout` belongs to #[pirn::test]"))
        }
        _ => Ok(options),
    }
}

/// An empty function of the same name, so that a refused `main` is not also reported as missing.
fn stub(function: &Function) -> TokenStream {
    let name = function.name();
    quote!(#[allow(dead_code)] fn #name() {})
}

fn main(function: &Function, options: &Options) -> TokenStream {
    let Function { attrs, vis, sig, body } = function;
    let (name, output) = (&sig.ident, &sig.output);
    let krate = krate(options);
    let configure = (!options.builder.is_empty()).then(|| {
        let builder = builder(options, &krate);
        quote! {
            ::core::result::Result::expect(
                #builder.install_global(),
                "#[pirn::main] could not configure the global runtime",
            );
        }
    });
    quote! {
        #(#attrs)*
        #vis fn #name() #output {
            #sig #body
            #configure
            #krate::start_or_exit();
            #krate::block_on(#name())
        }
    }
}

fn test(function: &Function, options: &Options) -> TokenStream {
    let Function { attrs, vis, sig, body } = function;
    let name = &sig.ident;
    let krate = krate(options);
    let builder = builder(options, &krate);
    let limit = match options.timeout {
        Some((limit, _)) => {
            let (seconds, nanos) = (limit.as_secs(), limit.subsec_nanos());
            quote!(::core::time::Duration::new(#seconds, #nanos))
        }
        None => quote!(#krate::testing::DEFAULT_TIME_LIMIT),
    };
    let run = quote! {
        #krate::testing::run(
            #builder,
            #limit,
            ::core::concat!(::core::module_path!(), "::", ::core::stringify!(#name)),
            #name,
        )
    };
    let (output, run) = if function.returns_nothing() {
        (None, quote!(#run;))
    } else {
        (Some(quote!(-> ::std::process::ExitCode)), run)
    };
    quote! {
        #[::core::prelude::v1::test]
        #(#attrs)*
        #vis fn #name() #output {
            #sig #body
            #run
        }
    }
}

/// `Builder::new()` with a call for each option, spanned as the option so that a wrong type is shown there.
fn builder(options: &Options, krate: &Path) -> TokenStream {
    let calls = options.builder.iter().map(|(name, value)| {
        let argument = value.to_token_stream();
        quote_spanned!(name.span()=> .#name(#argument))
    });
    quote!(#krate::Builder::new() #(#calls)*)
}

fn krate(options: &Options) -> Path {
    options.krate.clone().unwrap_or_else(|| parse_quote!(::pirn))
}
