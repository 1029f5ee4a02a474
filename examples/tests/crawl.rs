//! `crawl` against `find` and `wc`, on trees with everything in them that makes counting hard.

mod support;

#[allow(dead_code, reason = "the program's own way to its locale is not tested here")]
#[path = "../crawl/count.rs"]
mod count;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use count::{Count, Locale, count};
use support::{Running, limited, path, program, run};

/// A folder that is gone when the test is.
struct Tree(PathBuf);

impl Tree {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pirn-crawl-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: impl AsRef<OsStr>, contents: &[u8]) {
        let path = self.0.join(name.as_ref());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What `find`, `cat` and `wc` make of a tree, as `crawl` would print it.
fn reference(dir: &Path, locale: &str) -> String {
    let script =
        r#"find "$1" -type f -printf . | wc -c; find "$1" -type f -print0 | xargs -0 -r cat -- | wc -lw"#;
    let output =
        Command::new("sh").args(["-c", script, "sh"]).arg(dir).env("LC_ALL", locale).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let [files, lines, words] = text.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{text}") };
    format!("{files} files, {lines} lines, {words} words")
}

/// Names and contents that are easy to count wrongly. Each word holds a letter: versions of `wc` differ about others.
fn awkward(test: &str) -> Tree {
    let tree = Tree::new(test);
    tree.write("a/plain.txt", b"one two\nthree\n");
    tree.write("a/no newline at the end", b"four five");
    tree.write("a/b/goes on where that ended", b"six\tseven\x0beight\x0cnine\r\n");
    tree.write("a/b/empty", b"");
    tree.write("a/b/only-space", b" \n\n \t");
    tree.write("a/b/one-word", b"word");
    tree.write("a/b/another-word", b"word");
    tree.write("c/no UTF-8", b"caf\xe9 na\xefve \xffa\xfe b\x00c x\x80\n");
    tree.write("c/UTF-8", "übung caf\u{e9} a\u{a0}b c\u{2003}d e\u{3000}f a\u{200b}b\n".as_bytes());
    tree.write("c/cut in two", b"abc \xe2\x80");
    tree.write("c/-n", b"looks like an option\n");
    tree.write("c/.hidden", b"hidden\n");
    tree.write("d/'quotes' \"and\" \\ back", b"quoted\n");
    tree.write(OsStr::from_bytes(b"d/not \xff UTF-8"), b"named badly\n");
    tree.write("d/two\nlines", b"its name is long\n");
    // More than a batch of files, and more than a buffer of text that falls on odd boundaries.
    for number in 0..100 {
        tree.write(format!("many/{number}"), format!("file {number}").as_bytes());
    }
    tree.write("long", "ümläut wörds ".repeat(30_000).as_bytes());
    symlink(&tree.0, tree.0.join("loop")).unwrap();
    symlink("nowhere", tree.0.join("dangling")).unwrap();
    symlink("a/plain.txt", tree.0.join("to a file")).unwrap();
    let pipe = tree.0.join("pipe");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    tree
}

#[test]
fn crawl_agrees_with_find_and_wc() {
    let tree = awkward("agrees");
    for locale in ["C", "C.UTF-8"] {
        let expected = reference(&tree.0, locale);
        for arguments in [&[][..], &["--workers", "1"], &["--workers", "50"]] {
            for processors in ["1", "8"] {
                let mut command = program("crawl");
                command.arg(&tree.0).args(arguments).env("LC_ALL", locale).env("PIRN_PROCS", processors);
                let ended = run(&mut command).expect(0);
                assert_eq!(ended.last_line(), expected, "{locale} {arguments:?}\n{}", ended.stderr);
                assert!(!ended.stderr.contains("cannot read"), "{}", ended.stderr);
            }
        }
    }
}

#[test]
fn a_tree_of_thousands_of_files_is_counted_whole() {
    let tree = Tree::new("thousands");
    for number in 0..5000 {
        tree.write(format!("{}/{}/{number}", number % 7, number % 53), b"<one> word\nand <another>");
    }
    let ended = run(program("crawl").arg(&tree.0)).expect(0);
    assert_eq!(ended.last_line(), "5000 files, 5000 lines, 15001 words");
    assert_eq!(ended.last_line(), reference(&tree.0, "C"));
}

#[test]
fn a_large_directory_is_walked_in_the_order_of_find() {
    let tree = Tree::new("large");
    // What two neighbours come to depends on both, so that every other order gives another number of words.
    for number in 0..10_500_u32 {
        let begins = if number.wrapping_mul(2_654_435_761) % 3 == 0 { " " } else { "" };
        let ends = if number.wrapping_mul(40_503) % 5 < 2 { "\n" } else { "" };
        tree.write(format!("{number}"), format!("{begins}word{ends}").as_bytes());
    }
    let ended = run(program("crawl").arg(&tree.0)).expect(0);
    assert_eq!(ended.last_line(), reference(&tree.0, "C"));
}

#[test]
fn a_single_file_is_a_small_tree_and_a_link_to_a_tree_is_that_tree() {
    let tree = Tree::new("small");
    tree.write("file", b"one two\n");
    let ended = run(program("crawl").arg(tree.0.join("file"))).expect(0);
    assert_eq!(ended.last_line(), "1 files, 1 lines, 2 words");
    let elsewhere = Tree::new("link");
    symlink(&tree.0, elsewhere.0.join("link")).unwrap();
    let ended = run(program("crawl").arg(elsewhere.0.join("link"))).expect(0);
    assert_eq!(ended.last_line(), "1 files, 1 lines, 2 words");
}

#[test]
fn a_tree_that_is_not_there_is_bad_input() {
    let ended = run(program("crawl").arg("/no/such/tree")).expect(2);
    assert_eq!(ended.stderr, "crawl: /no/such/tree: No such file or directory (os error 2)\n");
    assert_eq!(ended.stdout, "");
    run(&mut program("crawl")).expect(2);
    run(program("crawl").args(["--workers", "0", "."])).expect(2);
    run(program("crawl").args(["--timeout", "soon", "."])).expect(2);
}

/// `crawl` as somebody who may not read everything.
fn without_privileges(tree: &Tree) -> Command {
    // Root may, so for root the program is run as nobody, from where nobody can reach it.
    let copy = tree.0.join("crawl");
    fs::copy(path("crawl"), &copy).unwrap();
    let mut command = Command::new(&copy);
    if fs::metadata(&copy).unwrap().uid() == 0 {
        command.uid(65534);
    }
    command
}

#[test]
fn a_single_file_that_cannot_be_read_is_bad_input() {
    let tree = Tree::new("forbidden");
    tree.write("forbidden", b"one two\n");
    let forbidden = tree.0.join("forbidden");
    fs::set_permissions(&forbidden, fs::Permissions::from_mode(0o000)).unwrap();
    let ended = run(without_privileges(&tree).arg(&forbidden)).expect(2);
    assert!(ended.stderr.ends_with("forbidden: Permission denied (os error 13)\n"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[test]
fn what_cannot_be_read_is_named_and_passed_over() {
    let tree = Tree::new("unreadable");
    tree.write("tree/readable", b"one two\n");
    tree.write("tree/se\ncret", b"three\n");
    tree.write("tree/locked/inside", b"four\n");
    let locked = tree.0.join("tree/locked");
    fs::set_permissions(tree.0.join("tree/se\ncret"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let mut crawl = without_privileges(&tree);
    let ended = run(crawl.arg(tree.0.join("tree"))).expect(1);
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(ended.last_line(), "1 files, 1 lines, 2 words");
    assert!(ended.stderr.contains(r#"se\ncret": Permission denied"#), "{}", ended.stderr);
    assert!(ended.stderr.contains(r#"locked": Permission denied"#), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("crawl: 2 could not be read\n"), "{}", ended.stderr);
}

#[test]
fn what_there_is_no_descriptor_for_is_missing() {
    let tree = Tree::new("descriptors");
    // Each batch holds one open for as long as the program runs, and there are more batches than descriptors.
    for number in 0..32 * 32 {
        tree.write(format!("{number}"), b"");
        fs::File::options()
            .write(true)
            .open(tree.0.join(format!("{number}")))
            .unwrap()
            .set_len(1 << 42)
            .unwrap();
    }
    let mut crawl = limited("crawl", "-n 16");
    let ended = run(crawl.args(["--workers", "32", "--timeout", "1s"]).arg(&tree.0)).expect(1);
    assert!(ended.stderr.contains("Too many open files"), "{}", ended.stderr);
    assert!(ended.stderr.ends_with(" could not be read\n"), "{}", ended.stderr);
    assert!(ended.last_line().ends_with(" words"), "{}", ended.stdout);
}

/// A tree with a file that takes hours to read, though it takes no room.
fn endless(test: &str) -> Tree {
    let tree = Tree::new(test);
    tree.write("short", b"one two\n");
    fs::File::create(tree.0.join("endless")).unwrap().set_len(1 << 42).unwrap();
    tree
}

#[test]
fn a_timeout_ends_the_count_early() {
    let tree = endless("timeout");
    let ended = run(program("crawl").args(["--timeout", "200ms"]).arg(&tree.0)).expect(0);
    assert!(ended.stderr.contains("stopped early: context deadline exceeded"), "{}", ended.stderr);
    assert!(ended.last_line().ends_with(" words"), "{}", ended.stdout);
}

#[test]
fn a_signal_ends_the_count_early() {
    for signal in ["INT", "TERM"] {
        let tree = endless(signal);
        let running = Running::start(program("crawl").arg(&tree.0));
        // The first line of progress says that the program is on its way.
        running.wait_for("files after");
        running.signal(signal);
        let ended = running.end().expect(0);
        assert!(ended.stderr.contains("stopped early: "), "{}", ended.stderr);
        assert!(ended.last_line().ends_with(" words"), "{}", ended.stdout);
    }
}

/// The UTF-8 locale, with the C library set to it. Every test that counts characters asks for it first.
fn utf8() -> Locale {
    static SET: LazyLock<()> = LazyLock::new(|| {
        // SAFETY: the name is a C string; nobody reads the locale's tables before this has returned.
        let set = unsafe { libc::setlocale(libc::LC_CTYPE, c"C.UTF-8".as_ptr()) };
        assert!(!set.is_null(), "the C library has no UTF-8 locale");
    });
    LazyLock::force(&SET);
    Locale::Utf8
}

fn counted(bytes: &[u8], locale: Locale) -> (u64, u64) {
    let count = count(bytes, locale, || true).unwrap();
    (count.lines, count.words)
}

#[test]
fn a_word_holds_something_printable() {
    assert_eq!(counted(b"a\x80b \x01 \xc2\xa0x y\x00z", Locale::C), (0, 3));
    assert_eq!(counted(b"\xff\xfe \x7f\n", Locale::C), (1, 0));
    assert_eq!(counted(b"\xff\xfe \x7f\n", utf8()), (1, 0));
    assert_eq!(counted(b"\n\n a", utf8()), (2, 1));
    assert_eq!(counted("— \u{e9} \u{378}\u{2003}x".as_bytes(), utf8()), (0, 3));
    assert_eq!(counted("— \u{e9} \u{378}\u{2003}x".as_bytes(), Locale::C), (0, 1));
}

#[test]
fn a_character_cut_in_two_by_a_read_is_one() {
    /// Gives one byte at a time.
    struct Drop(Vec<u8>);
    impl std::io::Read for Drop {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            buffer[0] = self.0.remove(0);
            Ok(1)
        }
    }
    let text = "a\u{a0}b c\u{2060}d\n";
    let dripped = count(Drop(text.into()), utf8(), || true).unwrap();
    assert_eq!((dripped.lines, dripped.words), (1, 4));
    assert_eq!(dripped, count(text.as_bytes(), utf8(), || true).unwrap());
}

#[test]
fn counts_add_up_to_the_count_of_the_whole() {
    let text = "one two\n three \u{a0} f\u{2014}o\u{1f600} ur\u{a0}x \u{1f600}\u{2003}\u{e9}\nfive";
    // Valid text, the same with its characters cut short, and the same with stray ends of characters.
    let cut_short: Vec<u8> = text.bytes().filter(|byte| *byte != 0x80).collect();
    let stray: Vec<u8> = text
        .bytes()
        .flat_map(|byte| if byte == b' ' { vec![0xE2, 0x80, b' ', 0x94] } else { vec![byte] })
        .collect();
    for whole in [text.as_bytes(), &cut_short, &stray] {
        for locale in [Locale::C, utf8()] {
            adds_up(whole, locale);
        }
    }
}

fn adds_up(whole: &[u8], locale: Locale) {
    let expected = count(whole, locale, || true).unwrap();
    let part = |range: std::ops::Range<usize>| count(&whole[range], locale, || true).unwrap();
    for first in 0..=whole.len() {
        for second in first..=whole.len() {
            let (a, b, c) = (part(0..first), part(first..second), part(second..whole.len()));
            assert_eq!(a.then(b).then(c), expected, "{whole:?} cut at {first} and {second}");
            assert_eq!(a.then(b.then(c)), expected, "{whole:?} cut at {first} and {second}");
            assert_eq!(Count::default().then(b), b);
            assert_eq!(b.then(Count::default()), b);
        }
    }
}

#[test]
fn a_count_that_is_told_to_stop_stops() {
    assert_eq!(count(&b"one two"[..], Locale::C, || false).unwrap(), Count::default());
}
