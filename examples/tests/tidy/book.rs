//! The book speaks of things that exist.
//!
//! Prose is not compiled, so what it names goes out of date in silence. Four kinds of names can be checked by reading:
//! where a link leads, a path in backticks that begins with a folder of the workspace, the long name of a test in
//! backticks, and, the other way round, that the page on memory ordering names every file that has a weak ordering.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Finding;
use crate::orderings;
use crate::source::{Kind, Source};

/// A path that begins with one of these is meant to lead somewhere.
const FOLDERS: [&str; 7] = ["sync/", "channel/", "runtime/", "examples/", "benches/", "docs/", ".ci/"];

/// The name of a test is a sentence: shorter ones may be anything.
const WORDS: usize = 4;

/// One page: where it stands, from the workspace's root, and its lines outside of blocks of code.
pub(crate) struct Page {
    path: String,
    lines: Vec<(usize, String)>,
}

impl Page {
    /// The book, and what stands at the root.
    pub(crate) fn all() -> Vec<Self> {
        let root = root();
        let mut files: Vec<PathBuf> = ["", "docs"]
            .iter()
            .flat_map(|folder| fs::read_dir(root.join(folder)).expect("the folder can be listed"))
            .map(|entry| entry.expect("the folder can be listed").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
            .collect();
        files.sort();
        let read = |file: PathBuf| {
            let path = file.strip_prefix(&root).expect("the file stands below the root").to_string_lossy();
            Self::new(&path, &fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}")))
        };
        files.into_iter().map(read).collect()
    }

    fn new(path: &str, text: &str) -> Self {
        let mut in_code = false;
        let mut lines = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let fence = line.trim_start().starts_with("```");
            if !fence && !in_code {
                lines.push((index, line.to_owned()));
            }
            in_code ^= fence;
        }
        Self { path: path.to_owned(), lines }
    }

    fn finding(&self, index: usize, what: &str) -> Finding {
        format!("{}:{}: {what}", self.path, index + 1)
    }

    /// What stands in backticks, with the line.
    fn quoted(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines
            .iter()
            .flat_map(|(index, line)| line.split('`').skip(1).step_by(2).map(|text| (*index, text)))
    }

    /// Where links to files lead, with the line.
    fn links(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines.iter().flat_map(|(index, line)| {
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            targets.filter(|to| !to.contains("://") && !to.starts_with('#')).map(|to| (*index, to))
        })
    }
}

/// Links and paths that lead nowhere, and names of tests that there are not.
pub(crate) fn check(page: &Page, functions: &BTreeSet<String>) -> Vec<Finding> {
    let here = root().join(&page.path).parent().expect("a page stands in a folder").to_owned();
    let mut findings = Vec::new();
    for (index, link) in page.links() {
        let file = link.split('#').next().unwrap_or(link);
        if !here.join(file).exists() {
            findings.push(page.finding(index, &format!("the link leads nowhere: {link}")));
        }
    }
    for (index, quoted) in page.quoted() {
        for word in quoted.split_whitespace().filter(|word| is_path(word)) {
            if !root().join(word).exists() {
                findings.push(page.finding(index, &format!("there is no `{word}`")));
            }
        }
        let names = quoted.split(|c: char| !c.is_alphanumeric() && c != '_');
        for name in names.filter(|name| is_sentence(name) && !functions.contains(*name)) {
            findings.push(page.finding(index, &format!("there is no test `{name}`")));
        }
    }
    findings
}

/// A file or a folder (Go's `sync/atomic` is neither), and nothing that stands for several.
fn is_path(word: &str) -> bool {
    let is_meant = FOLDERS.iter().any(|folder| word.starts_with(folder));
    is_meant && (word.contains('.') || word.ends_with('/')) && !word.contains(['{', '*', '…', ':'])
}

fn is_sentence(name: &str) -> bool {
    let words = name.split('_').filter(|word| !word.is_empty()).count();
    words >= WORDS && !name.chars().any(char::is_uppercase)
}

/// The names of all functions of the workspace.
pub(crate) fn functions(sources: &[Source]) -> BTreeSet<String> {
    let lines = sources.iter().flat_map(|source| &source.lines);
    lines.filter_map(|line| orderings::function_begun(&line.code)).map(str::to_owned).collect()
}

/// Pages of the book that its table of contents leaves out.
pub(crate) fn left_out(pages: &[Page]) -> Vec<Finding> {
    let contents = pages.iter().find(|page| page.path == "docs/SUMMARY.md").expect("the book has contents");
    let listed: BTreeSet<String> = contents.links().map(|(_, link)| format!("docs/{link}")).collect();
    let in_book = pages.iter().filter(|page| page.path.starts_with("docs/") && page.path != contents.path);
    let missing = in_book.filter(|page| !listed.contains(&page.path));
    missing.map(|page| format!("{}: docs/SUMMARY.md does not list it", page.path)).collect()
}

/// Files with an ordering weaker than `SeqCst`, or a fence, that the page on memory ordering leaves out.
pub(crate) fn unnamed_orderings(pages: &[Page], sources: &[Source]) -> Vec<Finding> {
    let page = pages.iter().find(|page| page.path == "docs/memory-ordering.md").expect("the page exists");
    let named: BTreeSet<&str> = page.quoted().map(|(_, text)| text).collect();
    let weak = sources.iter().filter(|source| source.kind == Kind::Library && orderings::are_said(source));
    let unnamed = weak.filter(|source| !named.contains(source.path.as_str()));
    unnamed.map(|source| format!("{}: docs/memory-ordering.md does not name it", source.path)).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the programs' folder stands in the workspace")
        .to_owned()
}

#[test]
fn what_leads_nowhere_is_found() {
    let functions = BTreeSet::from(["this_is_a_test".to_owned()]);
    for text in ["[a](nowhere.md)", "`docs/nowhere.md`", "see `sync/src/x.rs`", "`loom::this_is_no_test`"] {
        assert_eq!(check(&Page::new("docs/x.md", text), &functions).len(), 1, "{text}");
    }
    for text in [
        "[a](SUMMARY.md#part) [b](https://example.org/) [c](#here)",
        "`docs/SUMMARY.md`, `sync/src/`, `foo/bar.rs` and Go's `sync/atomic`",
        "`this_is_a_test`, `max_threads`, `SO_INCOMING_CPU_X`",
        "```text\n[a](nowhere.md)\n```",
    ] {
        assert!(check(&Page::new("docs/x.md", text), &functions).is_empty(), "{text}");
    }
}

#[test]
fn what_the_book_leaves_out_is_found() {
    let text = "//! A flag.\nuse Ordering::Relaxed;\nfn f() {\n    head.load(Relaxed)\n}\n";
    let sources = [Source::new("sync/src/x.rs", text), Source::new("sync/src/y.rs", text)];
    let page = |path, text| Page::new(path, text);
    let pages = [
        page("docs/SUMMARY.md", "[a](memory-ordering.md)"),
        page("docs/memory-ordering.md", "`sync/src/x.rs`"),
    ];
    assert_eq!(unnamed_orderings(&pages, &sources).len(), 1);
    assert!(left_out(&pages).is_empty());
    assert_eq!(left_out(&[page("docs/SUMMARY.md", ""), page("docs/x.md", "")]).len(), 1);
}
