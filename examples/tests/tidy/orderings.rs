//! Every ordering weaker than `SeqCst` has its reason: in the table at its file's head, or in a comment beside it.
//!
//! A row of the head's table counts when it names the ordering (or a stronger one: an exchange's row speaks of the
//! look before it too) and also something that stands by the access: the function around it, or a name in the
//! statement; or when it speaks of many at once (`every other load`). So a table cannot excuse an access that it does
//! not speak of.

use std::collections::BTreeSet;

use crate::Finding;
use crate::source::Source;

/// Each ordering with those that are at least as strong.
const WEAK: [(&str, &[&str]); 4] = [
    ("Relaxed", &["Relaxed", "Acquire", "Release", "AcqRel"]),
    ("Acquire", &["Acquire", "AcqRel"]),
    ("Release", &["Release", "AcqRel"]),
    ("AcqRel", &["AcqRel"]),
];

/// Words by which a row speaks of accesses that it does not name one by one.
const MANY: [&str; 5] = ["every", "all", "any", "other", "loads"];

/// How many lines rustfmt may spread a statement over before its ordering comes.
const STATEMENT: usize = 6;

/// How far above the access the comment may end.
const BESIDE: usize = 4;

pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let head: Vec<BTreeSet<&str>> = source.head().map(|line| words(line).collect()).collect();
    let imported = imported(source);
    let mut findings = Vec::new();
    let mut function = "";
    for (index, line) in source.shipped() {
        if let Some(name) = function_begun(&line.code) {
            function = name;
        }
        for (order, as_strong) in said(&line.code, &imported) {
            let mut names: BTreeSet<&str> = statement(source, index).flat_map(words).collect();
            names.insert(function);
            let speaks_of_it = |word: &&str| MANY.contains(word) || is_name(word) && names.contains(word);
            let told = head
                .iter()
                .any(|row| as_strong.iter().any(|order| row.contains(order)) && row.iter().any(speaks_of_it));
            if !told && !reason_beside(source, index) {
                let what = format!(
                    "`{order}` has no reason: no row of the head names it with `{function}` or what is accessed, and no comment stands beside it"
                );
                findings.push(source.finding(index, &what));
            }
        }
    }
    findings
}

/// Whether a file that ships says a weak ordering anywhere, or fences.
pub(crate) fn are_said(source: &Source) -> bool {
    let imported = imported(source);
    let fences = |code: &str| code.contains("fence(Ordering");
    source.shipped().any(|(_, line)| fences(&line.code) || said(&line.code, &imported).next().is_some())
}

/// The weak orderings in a line of code, each with those that are at least as strong.
fn said<'a>(
    code: &'a str,
    imported: &'a BTreeSet<&str>,
) -> impl Iterator<Item = (&'static str, &'static [&'static str])> + 'a {
    let code = code.trim_start();
    let is_import = code.starts_with("use ") || code.starts_with("pub use ");
    WEAK.into_iter().filter(move |(order, _)| {
        let is_said = match imported.contains(order) {
            true => words(code).any(|word| word == *order),
            false => code.contains(&format!("Ordering::{order}")),
        };
        is_said && !is_import
    })
}

/// What the file imports beside `Ordering`. Without such an import a bare `Acquire` is something else, such as the
/// future of a semaphore.
fn imported(source: &Source) -> BTreeSet<&str> {
    uses(source).filter(|code| code.contains("Ordering")).flat_map(words).collect()
}

/// The code of the file's imports, a line each where rustfmt leaves them on one.
fn uses(source: &Source) -> impl Iterator<Item = &str> {
    let code = source.shipped().map(|(_, line)| line.code.trim_start());
    code.filter(|code| ["use ", "pub use ", "pub(crate) use "].iter().any(|begin| code.starts_with(begin)))
}

/// The name of the function whose first line this is.
pub(crate) fn function_begun(code: &str) -> Option<&str> {
    let mut words = words(code);
    words.by_ref().find(|word| *word == "fn")?;
    words.next()
}

/// The code from the beginning of the statement to the line itself, as far as can be told from its looks.
fn statement(source: &Source, index: usize) -> impl Iterator<Item = &str> {
    let first = index.saturating_sub(STATEMENT);
    let begin =
        (first..index).rev().find(|above| source.lines[*above].code.trim_end().ends_with([';', '{', '}']));
    let begin = begin.map_or(first, |above| above + 1);
    source.lines[begin..=index].iter().map(|line| line.code.as_str())
}

fn reason_beside(source: &Source, index: usize) -> bool {
    let is_reason = |comment: &str| comment.starts_with("// ") || comment.starts_with("/// ");
    let above = index.saturating_sub(BESIDE);
    source.lines[above..=index].iter().any(|line| is_reason(&line.comment))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Whether a word says which access is meant. `self` and what every atomic has do not.
fn is_name(word: &str) -> bool {
    let said_of_every_access =
        ["self", "load", "store", "swap", "fence", "Ordering", "let", "if", "match", "fn", "the", "a", "is"];
    !WEAK.iter().any(|(order, _)| *order == word) && !said_of_every_access.contains(&word)
}

#[test]
fn an_ordering_without_a_reason_is_found() {
    let text = "//! A flag.\nuse std::sync::atomic::Ordering;\nfn f(flag: &AtomicBool) -> bool {\n    let _x = 1;\n    let _y = 2;\n    let _z = 3;\n    flag.load(Ordering::Relaxed)\n}\n";
    assert_eq!(check(&Source::new("sync/src/x.rs", text)).len(), 1);
}

#[test]
fn an_ordering_that_another_row_speaks_of_is_found() {
    let text = "//! | [`g`]: `tail` | Relaxed | because |\nuse std::sync::atomic::Ordering::Relaxed;\nfn f() {\n    head.load(Relaxed)\n}\n";
    assert_eq!(check(&Source::new("sync/src/x.rs", text)).len(), 1);
}

#[test]
fn a_row_or_a_comment_is_a_reason() {
    for text in [
        "//! | [`f`]: `tail` | Relaxed | because |\nuse Ordering::Relaxed;\nfn f() {\n    head.load(Relaxed)\n}\n",
        "//! | `head` | Relaxed | because |\nuse Ordering::Relaxed;\nfn f() {\n    self\n        .head\n        .load(Relaxed)\n}\n",
        "//! | every other load | Relaxed | a guess |\nuse Ordering::Relaxed;\nfn f() {\n    head.load(Relaxed)\n}\n",
        "//! A flag.\nuse Ordering::Relaxed;\nfn f() {\n    // Relaxed: it is advice.\n    head.load(Relaxed)\n}\n",
        "//! A flag.\nuse Ordering::Relaxed;\nfn f() {\n    head.load(Relaxed) // it is advice\n}\n",
        "//! A flag.\nfn f() -> Relaxed {}\n",
        "//! A flag.\nuse Ordering::Relaxed;\n#[cfg(test)]\nmod tests {\n    fn f() { head.load(Relaxed) }\n}\n",
    ] {
        assert!(check(&Source::new("sync/src/x.rs", text)).is_empty(), "{text}");
    }
}
