//! The function under the attribute: parsed as far as its signature, and checked.
//!
//! A program's entry and a test are called by nobody who could pass an argument or choose a type, so the
//! signature may hold a name and a return type and nothing else. Each refusal points at the token that is
//! in the way, or at `fn` where `async` is missing.

use proc_macro2::{Group, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Ident, Result, ReturnType, Safety, Signature, Type, Visibility};

/// An `async fn name() -> output { body }` with its attributes.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    /// The braces and what they hold, as it came.
    pub(crate) body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig: Signature = input.parse().map_err(|error| {
            Error::new(error.span(), format!("this attribute stands on an `async fn`: {error}"))
        })?;
        match input.parse()? {
            TokenTree::Group(body) if input.is_empty() => Ok(Self { attrs, vis, sig, body }),
            other => Err(Error::new(other.span(), "a function with a body is needed here")),
        }
    }
}

impl Function {
    pub(crate) fn name(&self) -> &Ident {
        &self.sig.ident
    }

    /// Whether the body gives nothing, so that the function may stay without a return type.
    pub(crate) fn returns_nothing(&self) -> bool {
        match &self.sig.output {
            ReturnType::Default => true,
            ReturnType::Type(_, ty) => matches!(&**ty, Type::Tuple(tuple) if tuple.elems.is_empty()),
        }
    }

    /// Whether libtest's own attribute stands on it too, which would make two tests of one.
    pub(crate) fn is_test_already(&self) -> Option<&Attribute> {
        self.attrs.iter().find(|attr| attr.path().is_ident("test"))
    }

    /// Refuses a signature that nobody could call, naming `attribute` in the message.
    pub(crate) fn check(&self, attribute: &str) -> Result<()> {
        let sig = &self.sig;
        if sig.asyncness.is_none() {
            let message = format!("the `async` keyword is missing: #[pirn::{attribute}] runs an `async fn`");
            return Err(Error::new(sig.fn_token.span, message));
        }
        if let Some(constness) = &sig.constness {
            return Err(Error::new(constness.span, "an async function cannot be const"));
        }
        if !matches!(sig.safety, Safety::Default) {
            return Err(Error::new(
                sig.safety.span(),
                format!("#[pirn::{attribute}] cannot run an unsafe function"),
            ));
        }
        if let Some(abi) = &sig.abi {
            return Err(Error::new(
                abi.span(),
                format!("#[pirn::{attribute}] cannot run an extern function"),
            ));
        }
        if !sig.generics.params.is_empty() {
            let message =
                format!("the function under #[pirn::{attribute}] cannot be generic: nobody would choose");
            return Err(Error::new(sig.generics.params.span(), message));
        }
        if let Some(clause) = &sig.generics.where_clause {
            return Err(Error::new(clause.span(), "a where clause has nothing to bound here"));
        }
        if !sig.inputs.is_empty() {
            let message =
                format!("the function under #[pirn::{attribute}] takes no arguments: nobody would pass them");
            return Err(Error::new(sig.inputs.span(), message));
        }
        Ok(())
    }
}
