//! The floors of each library, and the check that imports only point down.
//!
//! A module may name what stands on a lower floor, or beside it on its own; modules on one floor may not form a
//! circle. The crate's root is above all floors: it declares the modules and re-exports from them. An import of
//! `crate::Handle` counts as one of the module that the root has it from.
//!
//! Exempt is what is no import: paths in macros that users call, exported macros, which always stand in the root, and
//! `pub use`, by which a public module shows what stands above it.

use std::collections::{BTreeMap, BTreeSet};

use crate::Finding;
use crate::source::{Kind, Source};

/// The modules of a crate from the ground up. Each one stands here, so that a new one must be given its place.
const FLOORS: [(&str, &[&[&str]]); 4] = [
    (
        "sync/src/",
        &[
            &["clock", "error", "host", "primitive", "random", "slab", "unwind"],
            &["block", "patience", "shard", "wait_list"],
            &["atomic", "permits", "pool", "signals"],
            &["barrier", "mutex", "notify", "once", "rwlock", "semaphore", "wait_group"],
            &["cond", "once_cell", "single_flight"],
        ],
    ),
    (
        "channel/src/",
        &[
            &["block", "cargo", "claim", "error", "lock", "model", "ring", "wake_list"],
            &["wait_queue", "waiter"],
            &["monitor", "state"],
            &["broadcast", "chan", "oneshot", "watch"],
            &["handle", "recv", "send", "stats", "stream", "wait"],
            &["receiver", "sender"],
            &["pull", "select"],
        ],
    ),
    (
        "runtime/src/",
        &[
            &["netpoll", "park", "signal", "task", "thread", "timer"],
            &["queue"],
            &["sched"],
            &["builder", "dump", "global", "handle", "metrics", "quit", "runtime", "trace"],
            &["block_on", "spawn", "yield_now"],
            &["context", "fs", "io", "scope", "task_local", "time"],
            &["group", "process"],
            &["net"],
            &["hyper"],
            &["testing"],
        ],
    ),
    ("runtime/macros/src/", &[&["function", "options"], &["expand"]]),
];

/// The imports that point up all the same, each with its reason.
const UPWARD: [(&str, &str, &str, &str); 2] = [
    ("runtime/src/", "sched", "global", "a sleep whose runtime is gone moves to the global one"),
    ("channel/src/", "recv", "receiver", "any other receive on a handle ends what its stream waits for"),
];

/// Modules that may know each other: what users see of one thing, told in several files.
const TOGETHER: [(&str, &[&str]); 1] = [("runtime/src/", &["builder", "global", "handle", "runtime"])];

fn is_excused(folder: &str, from: &str, to: &str) -> bool {
    let upward =
        UPWARD.iter().any(|(crate_, above, below, _)| (*crate_, *above, *below) == (folder, from, to));
    upward
        || TOGETHER
            .iter()
            .any(|(crate_, group)| *crate_ == folder && group.contains(&from) && group.contains(&to))
}

/// Which module each crate's root re-exports a name from.
pub(crate) struct Roots(BTreeMap<(&'static str, String), String>);

impl Roots {
    pub(crate) fn read(sources: &[Source]) -> Self {
        let mut from = BTreeMap::new();
        for (folder, _) in FLOORS {
            let Some(root) = sources.iter().find(|source| source.path == format!("{folder}lib.rs")) else {
                continue;
            };
            let code: String =
                root.shipped().map(|(_, line)| line.code.as_str()).collect::<Vec<_>>().join(" ");
            for statement in code.split(';') {
                let Some((_, path)) = statement.split_once("pub use ") else { continue };
                let path = path.trim_start_matches("crate::");
                let Some((module, names)) = path.split_once("::") else { continue };
                for name in names.split(['{', '}', ',', ':']).map(str::trim).filter(|name| !name.is_empty()) {
                    let name = name.split(" as ").last().unwrap_or(name).trim();
                    from.insert((folder, name.to_owned()), module.to_owned());
                }
            }
        }
        Self(from)
    }

    /// The module that an import of `name` reaches.
    fn resolve(&self, folder: &'static str, name: String) -> String {
        self.0.get(&(folder, name.clone())).cloned().unwrap_or(name)
    }
}

pub(crate) fn check(source: &Source, roots: &Roots) -> Vec<Finding> {
    let Some((folder, floors, module)) = place(source) else { return Vec::new() };
    let Some(floor) = floor_of(floors, &module) else {
        return vec![
            source.finding(0, &format!("`{module}` stands on no floor; give it one in tidy/floors.rs")),
        ];
    };
    let mut findings = Vec::new();
    for (index, name) in imports(source) {
        let name = roots.resolve(folder, name);
        if is_excused(folder, &module, &name) {
            continue;
        }
        match floor_of(floors, &name) {
            Some(other) if other <= floor => {}
            Some(other) => {
                let what =
                    format!("`{module}` on floor {floor} imports `{name}` from floor {other}, above it");
                findings.push(source.finding(index, &what));
            }
            None => {
                let what = format!(
                    "`crate::{name}` is no module that has a floor, and nothing that the root re-exports"
                );
                findings.push(source.finding(index, &what));
            }
        }
    }
    findings
}

/// The circles among modules of one crate, each as a line of text.
pub(crate) fn circles(sources: &[Source]) -> Vec<Finding> {
    let roots = Roots::read(sources);
    let mut found = Vec::new();
    for (folder, _) in FLOORS {
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for source in
            sources.iter().filter(|source| source.kind == Kind::Library && source.path.starts_with(folder))
        {
            let Some((.., module)) = place(source) else { continue };
            let names = imports(source).into_iter().map(|(_, name)| roots.resolve(folder, name));
            let names = names.filter(|name| *name != module && !is_excused(folder, &module, name));
            edges.entry(module.clone()).or_default().extend(names);
        }
        // What nobody below reaches any more is taken away until nothing changes; what is left goes round in circles.
        while let Some(leaf) = edges.iter().find(|(_, to)| to.iter().all(|to| !edges.contains_key(to))) {
            let leaf = leaf.0.clone();
            edges.remove(&leaf);
        }
        // From the other end too: a module that only stands above a circle is no part of it.
        while let Some(top) = edges.keys().find(|name| !edges.values().any(|to| to.contains(*name))) {
            let top = top.clone();
            edges.remove(&top);
        }
        found.extend(edges.iter().map(|(name, to)| {
            let to: Vec<&str> = to.iter().filter(|to| edges.contains_key(*to)).map(String::as_str).collect();
            format!("{folder}: `{name}` is part of a circle, through {}", to.join(", "))
        }));
    }
    found
}

/// The crate that a file belongs to, with its floors, and the file's module; none for a crate's root.
fn place(source: &Source) -> Option<(&'static str, &'static [&'static [&'static str]], String)> {
    let (folder, floors) = FLOORS.iter().find(|(folder, _)| source.path.starts_with(folder))?;
    let module = source.path[folder.len()..].split('/').next()?.trim_end_matches(".rs");
    (module != "lib").then(|| (*folder, *floors, module.to_owned()))
}

fn floor_of(floors: &[&[&str]], module: &str) -> Option<usize> {
    floors.iter().position(|floor| floor.contains(&module))
}

/// The first names after `crate::` in the file's code, with the lines where they stand.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    // How deep inside the braces of `crate::{…}` the text is; 0 outside.
    let mut depth = 0_usize;
    for (index, line) in source.shipped() {
        let mut rest = line.code.as_str();
        if rest.trim_start().starts_with("pub use ") {
            continue;
        }
        let mut expects_name = depth == 1;
        loop {
            if depth == 0 {
                let Some(at) = rest.find("crate::") else { break };
                // `$crate::` stands in a macro for others, and `pub(in crate::…)` limits who may see an item.
                let exempt = rest[..at].ends_with('$') || rest[..at].ends_with("(in ");
                rest = &rest[at + "crate::".len()..];
                if exempt {
                    continue;
                }
                match rest.strip_prefix('{') {
                    Some(inner) => {
                        (rest, depth, expects_name) = (inner, 1, true);
                    }
                    None if rest[name(rest).len()..].starts_with('!') => {}
                    None => found.push((index, name(rest))),
                }
                continue;
            }
            let Some(next) = rest.chars().next() else { break };
            match next {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => expects_name = true,
                c if expects_name && (c.is_alphanumeric() || c == '_') => {
                    found.push((index, name(rest)));
                    expects_name = false;
                }
                _ => {}
            }
            rest = &rest[next.len_utf8()..];
        }
    }
    found
}

fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn imports_are_read_in_every_form() {
    let text = "//! x\nuse crate::a::B;\nuse crate::{c::D, e::{F, g}, h};\nuse crate::{\n    i::J,\n    k::{self, L},\n    m,\n};\nfn f() { crate::n::o() } // crate::no\n$crate::no();\npub(in crate::no) struct P;\npub use crate::no::R;\ncrate::no!();\n";
    let names: Vec<String> =
        imports(&Source::new("sync/src/x.rs", text)).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["a", "c", "e", "h", "i", "k", "m", "n"]);
}

/// What is wrong with a file in a crate whose root re-exports `Handle` and `go`.
#[cfg(test)]
fn findings(path: &str, text: &str) -> usize {
    let root = Source::new(
        "runtime/src/lib.rs",
        "//! x\npub use handle::{Handle, NoRuntime as None};\npub use spawn::go;\n",
    );
    check(&Source::new(path, text), &Roots::read(&[root])).len()
}

#[test]
fn an_import_that_points_up_is_found() {
    assert_eq!(findings("runtime/src/sched/idle.rs", "//! x\nuse crate::handle::Handle;\n"), 1);
    assert_eq!(findings("runtime/src/handle.rs", "//! x\nuse crate::sched::Shared;\n"), 0);
}

#[test]
fn an_import_through_the_root_is_one_of_the_module_behind_it() {
    assert_eq!(findings("runtime/src/sched.rs", "//! x\nuse crate::{Handle, None};\n"), 2);
    assert_eq!(findings("runtime/src/spawn.rs", "//! x\nuse crate::Handle;\n"), 0);
    assert_eq!(findings("runtime/src/spawn.rs", "//! x\nuse crate::Unknown;\n"), 1);
}

#[test]
fn a_module_without_a_floor_is_found() {
    assert_eq!(findings("runtime/src/attic.rs", "//! x\n"), 1);
}

#[test]
fn a_circle_is_found() {
    let sources = [
        Source::new("runtime/src/spawn.rs", "//! x\nuse crate::block_on::A;\n"),
        Source::new("runtime/src/block_on.rs", "//! x\nuse crate::yield_now::B;\nuse crate::sched::C;\n"),
        Source::new("runtime/src/yield_now.rs", "//! x\nuse crate::spawn::D;\n"),
        Source::new("runtime/src/time.rs", "//! x\nuse crate::spawn::D;\n"),
        Source::new("runtime/src/sched.rs", "//! x\n"),
    ];
    assert_eq!(circles(&sources).len(), 3);
    assert!(circles(&sources[1..]).is_empty());
}
