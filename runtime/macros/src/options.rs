//! The options between an attribute's parentheses: what may stand there, and what is said when it may not.
//!
//! Options are `name = value` pairs, in any order, each at most once. The ones that configure the runtime are
//! passed on to the builder's method of the same name as the expression that the user wrote, so a constant or
//! `num_cpus * 2` works as well as a number, and a value of the wrong type is rustc's to report. Only what
//! can be told to be wrong from the tokens alone is refused here.

use std::time::Duration;

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, Ident, Lit, LitStr, Path, Result, Token};

/// The options that are passed on to the builder under their own names.
const BUILDER: [&str; 4] = ["procs", "max_threads", "thread_name", "thread_stack_size"];

/// What stood between the parentheses.
#[derive(Default)]
pub(crate) struct Options {
    /// Calls on the builder, in the order written.
    pub(crate) builder: Vec<(Ident, Expr)>,
    /// The time limit of a test, and where it was written.
    pub(crate) timeout: Option<(Duration, Span)>,
    /// Where `pirn` is found.
    pub(crate) krate: Option<Path>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            // `crate` is a keyword, which `parse_any` takes for a name.
            let name = input.call(Ident::parse_any)?;
            if seen.contains(&name) {
                return Err(Error::new(name.span(), format!("`{name}` is given twice")));
            }
            if !input.peek(Token![=]) {
                return Err(Error::new(name.span(), expected(&name)));
            }
            input.parse::<Token![=]>()?;
            options.set(&name, input)?;
            seen.push(name);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl Options {
    fn set(&mut self, name: &Ident, input: ParseStream<'_>) -> Result<()> {
        match name.to_string().as_str() {
            "crate" => self.krate = Some(input.call(Path::parse_mod_style)?),
            "timeout" => {
                let value: Expr = input.parse()?;
                self.timeout = Some((duration(&value)?, name.span()));
            }
            known if BUILDER.contains(&known) => {
                let value: Expr = input.parse()?;
                refuse_zero(known, &value)?;
                self.builder.push((name.clone(), value));
            }
            _ => return Err(Error::new(name.span(), expected(name))),
        }
        Ok(())
    }
}

fn expected(name: &Ident) -> String {
    let known = format!("{}, timeout, crate", BUILDER.join(", "));
    if known.split(", ").any(|option| name == option) {
        format!("`{name}` needs a value: `{name} = …`")
    } else {
        format!("unknown option `{name}`; there are: {known}")
    }
}

/// `procs = 0` is an error of the builder at run time; written as a number it need not wait until then.
fn refuse_zero(name: &str, value: &Expr) -> Result<()> {
    let zero =
        matches!(value, Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if number.base10_digits() == "0");
    match name {
        "procs" if zero => Err(Error::new(value.span(), "at least one processor is needed to run tasks")),
        _ => Ok(()),
    }
}

/// Reads `"10s"`. A plain number is refused, because it does not say of what.
fn duration(value: &Expr) -> Result<Duration> {
    const HELP: &str =
        "a duration is written as a string: a whole number and us, ms, s, m or h, as in \"10s\"";
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            parse_duration(text).ok_or_else(|| Error::new(text.span(), HELP))
        }
        other => Err(Error::new(other.span(), HELP)),
    }
}

fn parse_duration(text: &LitStr) -> Option<Duration> {
    let text = text.value();
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..unit].parse().ok()?;
    let duration = match text[unit..].trim_start() {
        "us" | "µs" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60)?),
        "h" => Duration::from_secs(number.checked_mul(3600)?),
        _ => return None,
    };
    // A limit of nothing would fail every test before its first poll.
    (!duration.is_zero()).then_some(duration)
}
