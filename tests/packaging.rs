//! `infra/package.py` and what of `infra/build.py` can be seen without an optimised build: packages are the same bytes for the same
//! binary, and nothing is packaged that the Lambda runtime could not start.
//!
//! Invariant: a refusal leaves no package behind. That two builds in two folders give the same binary is shown by building twice
//! (infra/README.md), which takes minutes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, SystemTime},
};

use twinpool_tests::stand_ins::unique;

const X86_64: u16 = 62;
const ARM64: u16 = 183;

fn infra(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra").join(name)
}

/// A folder of its own, gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("packaging"));
        fs::create_dir_all(folder.join("bin")).expect("a folder");
        Self(folder)
    }

    /// A function's binary as far as its header and its symbol versions go.
    fn binary(&self, name: &str, machine: u16, glibc: &str) {
        let mut content = b"\x7fELF\x02\x01\x01".to_vec();
        content.resize(16, 0);
        content.extend(3_u16.to_le_bytes());
        content.extend(machine.to_le_bytes());
        content.resize(64, 0);
        content.extend(format!("\0GLIBC_2.2.5\0GLIBC_{glibc}\0{name}").bytes());
        self.file(name, &content);
    }

    fn file(&self, name: &str, content: &[u8]) {
        fs::write(self.0.join("bin").join(name), content).expect("a file");
    }

    fn package(&self, out: &str, arguments: &[&str]) -> Output {
        let (options, names) = arguments.split_at(arguments.iter().take_while(|word| word.starts_with("--")).count());
        let done = Command::new("python3")
            .arg(infra("package.py"))
            .args(options)
            .arg(self.0.join("bin"))
            .arg(self.0.join(out))
            .args(names)
            .output();
        done.expect("Python runs")
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.0.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Asks coreutils, which did not write them.
    fn sums_verify(&self, out: &str) -> bool {
        let done = Command::new("sha256sum")
            .args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(self.0.join(out))
            .output();
        done.expect("sha256sum runs").status.success()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

fn refusal(done: &Output) -> String {
    assert!(!done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    String::from_utf8_lossy(&done.stderr).into_owned()
}

#[test]
fn the_same_binary_gives_the_same_bytes_and_sums_that_verify() {
    let scratch = Scratch::new();
    scratch.binary("one", X86_64, "2.34");
    scratch.binary("two", X86_64, "2.17");
    let first = scratch.package("first", &["one", "two"]);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    // Neither the file's age nor the order may show.
    let file = fs::File::options().write(true).open(scratch.0.join("bin/one"));
    let older = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    file.and_then(|file| file.set_modified(older)).expect("an older file");
    assert!(scratch.package("second", &["two", "one"]).status.success());
    for file in ["one.zip", "two.zip", "SHA256SUMS"] {
        let [first, second] = ["first", "second"].map(|out| scratch.read(&format!("{out}/{file}")));
        assert!(first == second, "{file} differs");
    }
    assert_ne!(scratch.read("first/one.zip"), scratch.read("first/two.zip"));
    assert!(scratch.sums_verify("first"));

    let mut altered = scratch.read("first/one.zip");
    let last = altered.len() - 1;
    altered[last] ^= 1;
    fs::write(scratch.0.join("first/one.zip"), altered).expect("a file");
    assert!(!scratch.sums_verify("first"), "the sums say nothing");
}

#[test]
fn the_package_holds_the_binary_as_an_executable_bootstrap() {
    const LOOK: &str = "import sys, zipfile\n\
        archive = zipfile.ZipFile(sys.argv[1])\n\
        for entry in archive.infolist():\n\
        \x20   same = archive.read(entry) == open(sys.argv[2], 'rb').read()\n\
        \x20   print(entry.filename, oct(entry.external_attr >> 16), entry.create_system, same)";
    let scratch = Scratch::new();
    scratch.binary("one", ARM64, "2.34");
    let packaged = scratch.package("out", &["--architecture=arm64", "one"]);
    assert!(
        packaged.status.success(),
        "{}",
        String::from_utf8_lossy(&packaged.stderr)
    );
    let done = Command::new("python3")
        .args(["-c", LOOK])
        .args(["out/one.zip", "bin/one"].map(|path| scratch.0.join(path)))
        .output();
    let done = done.expect("Python runs");
    assert_eq!(String::from_utf8_lossy(&done.stdout), "bootstrap 0o100755 3 True\n");
}

#[test]
fn a_binary_that_needs_a_newer_glibc_is_refused_and_nothing_is_packaged() {
    let scratch = Scratch::new();
    scratch.binary("fits", X86_64, "2.34");
    scratch.binary("newer", X86_64, "2.35");
    let why = refusal(&scratch.package("out", &["fits", "newer"]));
    assert!(why.contains("newer needs glibc 2.35"), "{why}");
    assert!(!scratch.0.join("out").exists(), "half of a package set was written");
}

#[test]
fn a_binary_for_another_processor_or_none_is_refused() {
    let scratch = Scratch::new();
    scratch.binary("ours", X86_64, "2.34");
    scratch.binary("arm", ARM64, "2.34");
    scratch.binary("power", 21, "2.34");
    scratch.file("script", b"#!/bin/sh\nexec sleep 1000000\n");
    for (arguments, expected) in [
        (&["arm"][..], "arm is for arm64, not x86_64"),
        (
            &["--architecture=arm64", "ours"][..],
            "not arm64: make package ARCHITECTURE=arm64",
        ),
        (&["power"][..], "a processor that Lambda does not have"),
        (&["script"][..], "is no 64-bit Linux program"),
        (&["absent"][..], "build it first"),
    ] {
        let why = refusal(&scratch.package("out", arguments));
        assert!(why.contains(expected), "{arguments:?}: {why}");
    }
    assert!(!scratch.0.join("out").exists());
}

#[test]
fn a_missing_rust_target_is_named_before_anything_is_built() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    // A rustc whose folder of the target's libraries is empty, and a cargo that tells when it is called.
    let called = scratch.0.join("called");
    for (name, script) in [
        ("rustc", format!("#!/bin/sh\necho {}\n", scratch.0.display())),
        ("cargo", format!("#!/bin/sh\ntouch {}\n", called.display())),
    ] {
        scratch.file(name, script.as_bytes());
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(scratch.0.join("bin").join(name), mode).expect("a mode");
    }
    let path = std::env::var_os("PATH").expect("a path");
    let path = std::env::join_paths([scratch.0.join("bin")].into_iter().chain(std::env::split_paths(&path)));
    let done = Command::new("python3")
        .arg(infra("build.py"))
        .args(["--architecture", "arm64", "twinpool-triggers"])
        .env("PATH", path.expect("a path"))
        .output();
    let why = refusal(&done.expect("Python runs"));
    assert!(why.contains("rustup target add aarch64-unknown-linux-gnu"), "{why}");
    assert!(!called.exists(), "cargo was called");
}
