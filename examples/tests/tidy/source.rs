//! Source files as lines of code and comment, with the lines that are tests marked.
//!
//! This is no parser. It knows line comments, strings that end on their line, and rustfmt's indentation, by which it
//! finds the end of a module of tests. That is enough for formatted code, and short enough to trust.

use std::fs;
use std::path::{Path, PathBuf};

/// What a file is to the rules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Part of a crate that users link.
    Library,
    /// A program or a benchmark.
    Program,
    /// A test, beside the code or in a folder of tests.
    Test,
}

pub(crate) struct Source {
    /// From the workspace's root.
    pub(crate) path: String,
    pub(crate) kind: Kind,
    pub(crate) lines: Vec<Line>,
}

pub(crate) struct Line {
    /// Without comments, and with nothing between the quotes of its strings.
    pub(crate) code: String,
    /// From `//` on.
    pub(crate) comment: String,
    /// Part of a module of tests inside a file of something else.
    pub(crate) in_tests: bool,
}

const FOLDERS: [&str; 5] = ["sync", "channel", "runtime", "examples", "benches"];

impl Source {
    /// Every source file of the workspace.
    pub(crate) fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("the programs' folder stands in the workspace");
        let mut files = Vec::new();
        for folder in FOLDERS {
            gather(&root.join(folder), &mut files);
        }
        files.sort();
        let read = |file: PathBuf| {
            let path = file
                .strip_prefix(root)
                .expect("the file stands below the root")
                .to_string_lossy()
                .into_owned();
            let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"));
            Self::new(&path, &text)
        };
        files.into_iter().map(read).collect()
    }

    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut lines: Vec<Line> = text.lines().map(Line::new).collect();
        mark_tests(&mut lines);
        Self { path: path.to_owned(), kind: kind(path), lines }
    }

    /// The prose at the file's beginning.
    pub(crate) fn head(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.comment.as_str()).take_while(|comment| comment.starts_with("//!"))
    }

    /// The lines that are not tests, with their indices.
    pub(crate) fn shipped(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.lines.iter().enumerate().filter(|(_, line)| !line.in_tests)
    }

    pub(crate) fn finding(&self, index: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.path, index + 1)
    }
}

/// What a crate's own tests share, and nobody else sees.
const TEST_SUPPORT: [&str; 4] =
    ["channel/src/model.rs", "sync/src/models.rs", "sync/src/testing.rs", "runtime/src/time/testing.rs"];

fn kind(path: &str) -> Kind {
    let file = path.rsplit('/').next().unwrap_or(path);
    let in_tests = ["/tests/", "/loom/"].iter().any(|folder| path.contains(folder))
        || ["tests.rs", "loom.rs"].contains(&file)
        || TEST_SUPPORT.contains(&path);
    match path.split('/').next() {
        _ if in_tests => Kind::Test,
        Some("examples" | "benches") => Kind::Program,
        _ => Kind::Library,
    }
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            gather(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

impl Line {
    fn new(text: &str) -> Self {
        let (mut code, mut in_string, mut escaped) = (String::new(), false, false);
        for (at, character) in text.char_indices() {
            match character {
                '"' if !escaped && !code.ends_with('\'') => {
                    in_string = !in_string;
                    code.push('"');
                }
                '/' if !in_string && text[at..].starts_with("//") => {
                    return Self { code, comment: text[at..].to_owned(), in_tests: false };
                }
                other if !in_string => code.push(other),
                _ => {}
            }
            escaped = character == '\\' && !escaped;
        }
        Self { code, comment: String::new(), in_tests: false }
    }

    fn indent(&self) -> usize {
        self.code.len() - self.code.trim_start().len()
    }
}

/// Marks everything from a `#[cfg(test)]` to the end of the item under it.
fn mark_tests(lines: &mut [Line]) {
    let mut index = 0;
    while index < lines.len() {
        let code = lines[index].code.trim_start();
        if !(code.starts_with("#[cfg(test") || code.starts_with("#[cfg(all(test")) {
            index += 1;
            continue;
        }
        let indent = lines[index].indent();
        loop {
            lines[index].in_tests = true;
            let ended = {
                let line = &lines[index];
                let code = line.code.trim();
                line.indent() == indent
                    && (code.ends_with(';') || code == "}" || code == "};" || code.ends_with("{}"))
            };
            index += 1;
            if ended || index == lines.len() {
                break;
            }
        }
    }
}

#[test]
fn strings_and_comments_are_told_apart() {
    let line = Line::new(r#"let a = "// \" no"; b('"'); // yes "really""#);
    assert_eq!(line.code, r#"let a = ""; b('"'); "#);
    assert_eq!(line.comment, r#"// yes "really""#);
}

#[test]
fn a_module_of_tests_is_marked_to_its_end() {
    let text = "//! x\nfn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n#[cfg(all(test, loom))]\nmod loom;\nfn d() {}";
    let source = Source::new("sync/src/x.rs", text);
    let marked: Vec<usize> = (0..source.lines.len()).filter(|index| source.lines[*index].in_tests).collect();
    assert_eq!(marked, [2, 3, 4, 5, 6, 8, 9]);
}

#[test]
fn files_are_told_apart_by_their_place() {
    assert_eq!(Source::new("sync/src/mutex.rs", "").kind, Kind::Library);
    assert_eq!(Source::new("sync/src/mutex/tests.rs", "").kind, Kind::Test);
    assert_eq!(Source::new("sync/src/mutex/loom.rs", "").kind, Kind::Test);
    assert_eq!(Source::new("runtime/tests/spawn.rs", "").kind, Kind::Test);
    assert_eq!(Source::new("examples/tour.rs", "").kind, Kind::Program);
}
