//! The pure modules stay pure: no AWS crate, no async runtime, no environment, no clock.
//!
//! Invariant: reads the sources themselves, so that a new module is covered without being named here.

use std::{
    fs,
    path::{Path, PathBuf},
};

const FORBIDDEN: [&str; 5] = ["aws_", "tokio", "std::env", "SystemTime", "Instant::now"];

/// A line without its comment. `//` inside of a URL is none.
fn code(line: &str) -> &str {
    let starts = line.match_indices("//").map(|(at, _)| at);
    let comment = starts
        .into_iter()
        .find(|at| !line.get(..*at).is_some_and(|before| before.ends_with(':')));
    comment.and_then(|at| line.get(..at)).unwrap_or(line)
}

#[test]
fn comments_are_no_code() {
    assert_eq!(code("let a = 1; // tokio"), "let a = 1; ");
    assert_eq!(code("//! std::env"), "");
    assert_eq!(code("\"https://example.com\" // aws_"), "\"https://example.com\" ");
    assert_eq!(code("use tokio;"), "use tokio;");
}

/// Every source of a pure module: all but `adapter` and what is in its folder.
fn pure_sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "adapter") {
                pure_sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_pure_module_names_the_outside_world() {
    let mut sources = Vec::new();
    pure_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    for path in &sources {
        let text = fs::read_to_string(path).unwrap();
        for (number, line) in text.lines().enumerate() {
            for name in FORBIDDEN {
                assert!(!code(line).contains(name), "{}:{}: {name}", path.display(), number + 1);
            }
        }
    }
    assert!(sources.len() >= 30, "only {} sources found", sources.len());
}
