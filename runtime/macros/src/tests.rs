//! What the attributes write, and where their errors point.

use proc_macro2::TokenStream;
use syn::Item;

use crate::expand::{Attribute, expand};

/// Expands source text; proc-macro2 keeps the places of its tokens, as rustc does.
fn written(attribute: Attribute, options: &str, item: &str) -> TokenStream {
    let parse = |text: &str| text.parse().expect("the test's own source has balanced tokens");
    expand(attribute, parse(options), parse(item))
}

fn text(tokens: &TokenStream) -> String {
    tokens.to_string().split_whitespace().collect()
}

/// The message of the `compile_error!` in an expansion, with the column that it points at.
fn error(attribute: Attribute, options: &str, item: &str) -> (String, usize) {
    let tokens = written(attribute, options, item);
    let file: syn::File = syn::parse2(tokens).expect("errors come as items");
    for item in &file.items {
        if let Item::Macro(call) = item
            && call.mac.path.segments.last().is_some_and(|name| name.ident == "compile_error")
        {
            let message: syn::LitStr = call.mac.parse_body().expect("compile_error takes a string");
            return (message.value(), call.mac.bang_token.span.start().column);
        }
    }
    panic!("no error was written");
}

#[test]
fn main_without_options_leaves_the_global_runtime_to_itself() {
    let written = text(&written(Attribute::Main, "", "async fn main() { work().await }"));
    assert_eq!(
        written,
        "fnmain(){asyncfnmain(){work().await}::pirn::start_or_exit();::pirn::block_on(main())}"
    );
}

#[test]
fn main_keeps_its_return_type_inside_and_outside() {
    let written = text(&written(Attribute::Main, "", "async fn main() -> io::Result<()> { Ok(()) }"));
    assert!(
        written.starts_with("fnmain()->io::Result<()>{asyncfnmain()->io::Result<()>{Ok(())}"),
        "{written}"
    );
}

#[test]
fn options_become_calls_on_the_builder_in_the_order_written() {
    let options = "thread_name = \"w\", procs = 2 + N, max_threads = 8, thread_stack_size = 1 << 20,";
    let written = text(&written(Attribute::Main, options, "async fn main() {}"));
    let calls =
        "::pirn::Builder::new().thread_name(\"w\").procs(2+N).max_threads(8).thread_stack_size(1<<20)";
    assert!(written.contains(calls), "{written}");
    assert!(written.contains(".install_global()"), "{written}");
}

#[test]
fn the_crate_can_be_found_elsewhere() {
    let written = text(&written(Attribute::Test, "crate = my::pirn", "async fn t() {}"));
    assert!(written.contains("my::pirn::testing::run(my::pirn::Builder::new()"), "{written}");
    assert!(!written.contains("::pirn::pirn"), "{written}");
}

#[test]
fn a_test_keeps_its_attributes_and_has_a_minute() {
    let written = text(&written(Attribute::Test, "", "#[should_panic] #[ignore] async fn t() {}"));
    assert!(
        written.starts_with("#[::core::prelude::v1::test]#[should_panic]#[ignore]fnt(){asyncfnt(){}"),
        "{written}"
    );
    assert!(written.contains("::pirn::testing::DEFAULT_TIME_LIMIT"), "{written}");
}

#[test]
fn a_test_that_returns_something_returns_an_exit_code() {
    let written = text(&written(Attribute::Test, "", "async fn t() -> Result<(), E> { Ok(()) }"));
    assert!(written.contains("fnt()->::std::process::ExitCode{asyncfnt()->Result<(),E>{"), "{written}");
    assert!(!written.ends_with(";}"), "{written}");
}

#[test]
fn time_limits_know_their_units() {
    for (option, seconds, nanos) in
        [("10s", 10, 0), ("250 ms", 0, 250_000_000), ("2m", 120, 0), ("1h", 3600, 0), ("7us", 0, 7_000)]
    {
        let written = text(&written(Attribute::Test, &format!("timeout = \"{option}\""), "async fn t() {}"));
        let duration = format!("::core::time::Duration::new({seconds}u64,{nanos}u32)");
        assert!(written.contains(&duration), "{option}: {written}");
    }
}

#[test]
fn a_bad_duration_is_pointed_at() {
    for option in
        ["\"10\"", "\"s\"", "\"ten s\"", "\"0s\"", "\"1.5s\"", "\"99999999999999999999s\"", "10", "LIMIT"]
    {
        let (message, column) = error(Attribute::Test, &format!("timeout = {option}"), "async fn t() {}");
        assert!(message.starts_with("a duration is written as a string"), "{option}: {message}");
        assert_eq!(column, 10, "{option}");
    }
}

#[test]
fn an_unknown_option_is_pointed_at_and_the_known_ones_are_named() {
    let (message, column) = error(Attribute::Main, "procs = 2, flavor = \"x\"", "async fn main() {}");
    assert_eq!(column, 11);
    assert!(message.contains("unknown option `flavor`") && message.contains("max_threads"), "{message}");
}

#[test]
fn an_option_given_twice_or_without_its_value_is_refused() {
    let (message, column) = error(Attribute::Main, "procs = 2, procs = 3", "async fn main() {}");
    assert_eq!((message.as_str(), column), ("`procs` is given twice", 11));
    let (message, _) = error(Attribute::Main, "procs", "async fn main() {}");
    assert_eq!(message, "`procs` needs a value: `procs = …`");
}

#[test]
fn no_processor_and_a_limit_for_main_are_refused() {
    let (message, column) = error(Attribute::Main, "procs = 0", "async fn main() {}");
    assert_eq!((message.as_str(), column), ("at least one processor is needed to run tasks", 8));
    let (message, _) = error(Attribute::Main, "timeout = \"1s\"", "async fn main() {}");
    assert!(message.contains("belongs to #[pirn::test]"), "{message}");
}

#[test]
fn a_signature_that_nobody_could_call_is_refused_where_it_goes_wrong() {
    for (item, says, column) in [
        ("fn main() {}", "the `async` keyword is missing", 0),
        ("async fn main(a: u8) {}", "takes no arguments", 14),
        ("async fn main<T>() {}", "cannot be generic", 14),
        ("async unsafe fn main() {}", "unsafe", 6),
        ("async extern \"C\" fn main() {}", "extern", 6),
        ("struct Main;", "stands on an `async fn`", 0),
        ("async fn main();", "with a body", 15),
    ] {
        let (message, at) = error(Attribute::Main, "", item);
        assert!(message.contains(says), "{item}: {message}");
        assert_eq!(at, column, "{item}");
    }
}

#[test]
fn a_second_test_attribute_is_refused() {
    let (message, column) = error(Attribute::Test, "", "#[test] async fn t() {}");
    assert!(message.contains("remove #[test]"), "{message}");
    assert_eq!(column, 0);
}

#[test]
fn an_error_in_the_options_still_leaves_the_function() {
    let written = text(&written(Attribute::Main, "flavor = 1", "async fn main() { body() }"));
    assert!(
        written.contains("fnmain(){asyncfnmain(){body()}::pirn::start_or_exit();::pirn::block_on(main())}"),
        "{written}"
    );
}
