//! The pure modules stay pure: no AWS crate, no async runtime, no environment, no clock.
//!
//! Invariant: reads the sources themselves, so that a new module is covered without being named here.

use std::{fs, path::Path};

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

#[test]
fn no_pure_module_names_the_outside_world() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = 0;
    // `adapter/` is a folder of its own: only the files directly in `src` are pure.
    for entry in fs::read_dir(sources).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        modules += 1;
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            for name in FORBIDDEN {
                assert!(!code(line).contains(name), "{}:{}: {name}", path.display(), number + 1);
            }
        }
    }
    assert!(modules >= 15, "only {modules} modules found");
}
