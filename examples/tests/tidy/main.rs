//! What this project asks of its own source text, where no lint can ask it.
//!
//! | rule | asked of | why |
//! |---|---|---|
//! | a file begins with `//!` | every file, but for tests beside a file | a newcomer learns from it what the file is, before any code |
//! | imports only point down ([`floors`]) | the libraries | a part can be read, tested and replaced without what stands on it |
//! | a weak ordering has its reason ([`orderings`]) | the libraries | `Relaxed` without a reason is a guess |
//! | one clock, one dice, one way to start a thread ([`seams`]) | the libraries | a deterministic mode needs each in one place |
//! | nothing is left for later | every file | a note to oneself is no plan |
//! | what is named exists ([`book`]) | the book | prose is not compiled |
//!
//! Tests are exempt from the second, third and fourth. Each rule is a function from a source file to what it finds wrong, so
//! that each can be shown to find something: the tests named `…_is_found`.

mod book;
mod floors;
mod orderings;
mod seams;
mod source;

use source::{Kind, Source};

/// What is wrong, and where.
type Finding = String;

/// Fails with every finding that `rule` has on the files of these kinds.
fn enforce(kinds: &[Kind], rule: impl Fn(&Source) -> Vec<Finding>) {
    let sources = Source::all();
    let looked_at: Vec<&Source> = sources.iter().filter(|source| kinds.contains(&source.kind)).collect();
    assert!(looked_at.len() > 3, "the source files were not found");
    let findings: Vec<Finding> = looked_at.into_iter().flat_map(rule).collect();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn every_file_begins_with_its_story() {
    enforce(&[Kind::Library, Kind::Program, Kind::Test], story);
}

#[test]
fn imports_only_point_down() {
    let roots = floors::Roots::read(&Source::all());
    enforce(&[Kind::Library], |source| floors::check(source, &roots));
}

#[test]
fn modules_on_one_floor_form_no_circle() {
    let sources = Source::all();
    let circles = floors::circles(&sources);
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn every_weak_ordering_has_its_reason() {
    enforce(&[Kind::Library], orderings::check);
}

#[test]
fn the_seams_are_kept() {
    enforce(&[Kind::Library], seams::check);
}

#[test]
fn the_book_speaks_of_things_that_exist() {
    let functions = book::functions(&Source::all());
    let findings: Vec<Finding> =
        book::Page::all().iter().flat_map(|page| book::check(page, &functions)).collect();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn the_book_leaves_nothing_out() {
    let (pages, sources) = (book::Page::all(), Source::all());
    let findings = [book::left_out(&pages), book::unnamed_orderings(&pages, &sources)].concat();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn nothing_is_left_for_later() {
    enforce(&[Kind::Library, Kind::Program, Kind::Test], later);
}

fn story(source: &Source) -> Vec<Finding> {
    // Tests beside a file share its story.
    let beside = source.path.contains("/src/") && source.kind == Kind::Test;
    let told = source.lines.first().is_some_and(|line| line.comment.starts_with("//!"));
    if told || beside {
        Vec::new()
    } else {
        vec![source.finding(0, "a file begins with what it is, after `//!`")]
    }
}

fn later(source: &Source) -> Vec<Finding> {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("db", "g!("),
        concat!("todo", "!("),
    ];
    let mut findings = Vec::new();
    for (index, line) in source.lines.iter().enumerate() {
        if let Some(mark) =
            marks.iter().find(|mark| line.comment.contains(**mark) || line.code.contains(**mark))
        {
            findings.push(source.finding(index, &format!("`{mark}` is left here")));
        }
    }
    findings
}

#[test]
fn a_file_without_a_story_is_found() {
    assert_eq!(story(&Source::new("sync/src/x.rs", "use std::io;\n")).len(), 1);
    assert!(story(&Source::new("sync/src/x.rs", "//! A thing.\nuse std::io;\n")).is_empty());
}

#[test]
fn a_note_to_oneself_is_found() {
    let text = concat!("//! A thing.\nfn f() {} // TO", "DO: more\n");
    assert_eq!(later(&Source::new("sync/src/x.rs", text)).len(), 1);
}
