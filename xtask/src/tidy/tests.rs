//! Each rule on a small tree that breaks it, and all of them on our own.

use std::fs;
use std::path::Path;

use super::*;

/// Findings in a tree of these files, joined; without the rules that are not about them.
fn findings_in(tree: &[(&str, &str)]) -> String {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in tree {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    files(root.path()).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A file with this content has a finding that contains `expected`, or none at all if that is empty.
#[track_caller]
fn check(path: &str, text: &str, expected: &str) {
    let text = if path.ends_with(".rs") { format!("//! Why.\n{text}") } else { text.to_owned() };
    let findings = findings_in(&[(path, &text)]);
    if expected.is_empty() {
        assert_eq!(findings, "", "{path}: {text}");
    } else {
        assert!(findings.contains(expected), "{path}: {text}\nexpected {expected}, found {findings:?}");
    }
}

#[test]
fn our_own_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let findings: Vec<String> = run(root).iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn what_is_said_to_be_tested_is() {
    let check = |row: &str, expected: &str| {
        let table = format!("# Tricks\n\n| trick | what | test |\n|---|---|---|\n{row}\n");
        let found = findings_in(&[
            ("docs/two-person-rule.md", &table),
            (
                "tests/it/x.rs",
                "//! Why.\n#[test]\nfn it_is_so() {}\n#[tokio::test]\nasync fn so_is_this() {}\n// fn not_this() {}\n",
            ),
        ]);
        assert!(found.contains(expected), "{row}: {found:?}");
        assert_eq!(found.is_empty(), expected.is_empty(), "{row}: {found:?}");
    };
    check("| a | b | `it_is_so`, `so_is_this` |", "");
    check("| a | b | `it_is_so`, `nothing` |", "docs/two-person-rule.md:5: there is no test `nothing`");
    check("| a | b | `not_this` |", "there is no test `not_this`");
    check("| a | b | none yet |", "names no test");
    check("| a `nothing` | b | `it_is_so` |", "");
}

#[test]
fn core_does_no_io() {
    let core = "crates/tyer-core/src/ledger.rs";
    check(core, "use std::fs;", "ledger.rs:2: names std::fs");
    check(core, "use std::{collections::BTreeMap, net::{IpAddr}};", "names std::net");
    check(core, "fn now() { std::time::SystemTime::now(); }", "names std::time::SystemTime");
    check(core, "use std::time::*;", "names std::time::Instant");
    check(core, "use std as s;", "names std::env");
    check(core, "use std::{self as s};", "names std::env");
    check(core, "fn f() { ::tokio::spawn(x); }", "names tokio");
    check(core, "fn f() { tracing::warn!(\"x\"); }", "names tracing");
    check(core, "use pg_query::Node;", "the domain knows no protocol");
    check(core, "use std::time::Duration;", "");
    check(
        core,
        "// std::fs\n/* use std::net; /* nested */ tokio::x */ const X: &str = \"std::env::var\";",
        "",
    );
    check(core, "const X: &str = r#\"std::fs \" \"#; fn f() { std::fs::read(x) }", "names std::fs");
    check(core, "fn f<'a>(x: &'a str) -> char { let c = '\"'; std::fs::x(); '\\'' }", "names std::fs");
    check(core, "#[cfg(test)]\nmod tests { use std::fs; }", "");
    check(core, "#[cfg(test)]\nmod tests { fn f() {} }\nuse std::fs;", "ledger.rs:4: names std::fs");
    check(core, "#[cfg(test)]\nmod tests;\nuse std::fs;", "ledger.rs:4: names std::fs");
    check("crates/tyer-core/src/policy/tests.rs", "use std::fs;", "");
}

#[test]
fn blanking_leaves_code_and_line_breaks() {
    let check = |text: &str, expected: &str| {
        let page = Page { path: "src/x.rs".to_owned(), text: text.to_owned() };
        let code = Source::read(&page, &[]).code;
        assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{text}");
        assert_eq!(code.lines().count(), text.lines().count(), "{text}");
    };
    check("a // b\nc", "a c");
    check("a /* b\n/* c */ d */ e", "a e");
    check("a /* never closed\n", "a");
    check(r#"f("a\"b", 'c', '\'', '\u{1F600}') g"#, "f( , , , ) g");
    check("f(\"a\nb\") c", "f( ) c");
    check("fn f<'a>(x: &'a str) 'b: loop {}", "fn f<'a>(x: &'a str) 'b: loop {}");
    check("r\"a\\\" b br#\"c\" d\"# e cr##\"f\"# g\"## h", "b e h");
    check("b\"a\" c\"b\" b'x' r#type", "b c b r#type");
    check("for\"x\" bar\"y\"", "for bar");
    check("\"never closed\n x", "");
}

#[test]
fn a_module_declared_for_tests_is_no_shipped_code() {
    let parent = "crates/tyer-core/src/ledger.rs";
    let child = ("crates/tyer-core/src/ledger/story.rs", "//! Why.\nuse std::fs;\n");
    let check = |declaration: &str, is_shipped: bool| {
        let findings = findings_in(&[(parent, &format!("//! Why.\n{declaration}\n")), child]);
        assert_eq!(
            findings.contains("story.rs:2: names std::fs"),
            is_shipped,
            "{declaration}: {findings}"
        );
    };
    check("#[cfg(test)]\nmod story;", false);
    check("#[cfg(test)]\npub(crate) mod story;", false);
    check("mod story;", true);
    check("#[cfg(test)]\nmod stories;\nmod story;", true);
    check("#[cfg(test)]\nmod tests {}\nmod story;", true);
}

#[test]
fn one_module_imports_cedar() {
    check("crates/tyer-core/src/policy.rs", "use cedar_policy::Policy;", "");
    check("crates/tyer-core/src/policy/load.rs", "use cedar_policy::Policy;", "");
    check("crates/tyer-core/src/policies.rs", "use cedar_policy::Policy;", "names cedar_policy");
    check("crates/tyer-core/src/hold.rs", "use cedar_policy::Policy;", "names cedar_policy");
    check("crates/tyer-wire/src/aws.rs", "use cedar_policy as cedar;", "names cedar_policy");
    check("crates/tyer/src/gateway.rs", "use cedar_policy::Policy;", "names cedar_policy");
}

#[test]
fn protocols_are_pure_and_apart() {
    let wire = "crates/tyer-wire/src/postgres/decode.rs";
    check(wire, "use tokio::io::AsyncRead;", "names tokio");
    check(wire, "use std::net::TcpStream;", "names std::net");
    check(wire, "use crate::aws::sigv4;", "names crate::aws: one protocol");
    check(wire, "use super::super::shell::quote;", "names crate::shell");
    check(wire, "use super::understand;", "");
    check(wire, "use crate::postgres::understand;", "");
    check("crates/tyer-wire/src/postgres.rs", "use super::mcp;", "names crate::mcp");
    check("crates/tyer-wire/src/lib.rs", "pub mod postgres;\nuse crate::aws::x;", "");
}

#[test]
fn the_program_keeps_its_modules_apart() {
    let tyer = |file: &str| format!("crates/tyer/src/{file}");
    check(&tyer("hold_queue.rs"), "use rusqlite::Connection;", "names rusqlite");
    check(&tyer("store.rs"), "enum E { Sqlite(rusqlite::Error) }", "");
    check(&tyer("storekeeper.rs"), "use rusqlite::Connection;", "names rusqlite");
    check(&tyer("store/sqlite.rs"), "use rusqlite::Connection;", "");
    check(&tyer("console.rs"), "use crate::door::Door;", "names crate::door");
    check(&tyer("console/pages.rs"), "use super::super::upstream;", "names crate::upstream");
    check(&tyer("console/pages.rs"), "use crate::*;", "names crate::door");
    check(&tyer("console/pages.rs"), "use super::card;", "");
    check(&tyer("api.rs"), "use crate::{gateway::Gateway, door};", "names crate::door");
    check(&tyer("gateway.rs"), "use axum::Router;", "names axum");
    check(&tyer("gateway/wait.rs"), "use crate::console::Page;", "names crate::console");
    check(&tyer("cli/holds.rs"), "use crate::store::Store;", "names crate::store");
    check(&tyer("upstream.rs"), "fn f() { std::env::var(x); }", "names std::env");
    check(&tyer("config.rs"), "fn f() { std::env::var(x); }", "");
    check(&tyer("identity.rs"), "use ring::signature::{EcdsaKeyPair};", "no authenticator");
    check(&tyer("main.rs"), "use xtask::cluster;", "names xtask");
    check("crates/tyer/tests/it/main.rs", "use xtask::cluster;\nuse rusqlite::Connection;", "");
}

#[test]
fn the_proof_chain_has_its_callers_and_no_others() {
    let once = "fn f() { Clearance::assertion(grant, leaf) }";
    check("crates/tyer/src/gateway.rs", once, "");
    check("crates/tyer/src/gateway/settle.rs", once, "");
    check("crates/tyer/src/gateway.rs", "fn f() {}", "is called 0 times");
    check(
        "crates/tyer/src/gateway.rs",
        "fn f() { Clearance::assertion(a, b); Clearance::assertion }",
        "called 2 times",
    );
    check(
        "crates/tyer/src/gateway.rs",
        "#[cfg(test)]\nmod tests { fn f() { Clearance::assertion(a, b) } }",
        "0 times",
    );
    check("crates/tyer/src/door.rs", once, "Clearance::assertion is for crates/tyer/src/gateway alone");
    check(
        "crates/tyer/src/door.rs",
        "use hyper_util::client::legacy::Client;",
        "client::legacy is for",
    );
    check("crates/tyer/src/upstream/aws.rs", "fn f() { }", "self.connections.send( is called 0 times");
    check("crates/tyer/src/door.rs", "fn f() { a.try_send_request(b) }", ".try_send_request( is for");
    check("crates/tyer/src/door.rs", "use tyer_core::verdict::Clearance as Key;", "never renamed");
    check("crates/tyer/src/door.rs", "type Key = Clearance;", "no alias");
    check("crates/tyer-core/src/verdict.rs", "fn f() { Self::assertion(a, b) }", "hides a call");
    check("crates/tyer-core/src/policy/decide.rs", "fn f() { Grant::decided(a) }", "");
    check("crates/tyer-core/src/hold.rs", "fn f() { Grant::decided(a) }", "Grant::decided is for");
    check("crates/tyer-core/src/hold.rs", "fn f() { grant.released(a) }", "");
    check("crates/tyer-core/src/policy.rs", "fn f() { grant.released(a) }", ".released( is for");
    check("crates/tyer-core/src/policy.rs", "fn released() { Grant::decided_by(a) }", "");
}

#[test]
fn names_say_something() {
    let file = "crates/tyer/src/door.rs";
    check(file, "struct ConnectionManager;", "`ConnectionManager` contains `manager`");
    check(file, "fn error_handlers() {}", "contains `handler`");
    check(file, "pub(crate) mod utils;", "contains `util`");
    check(file, "const BASE: u8 = 1;", "contains `base`");
    check(file, "type HTTPInfo = u8;", "contains `info`");
    check("crates/tyer/src/common.rs", "", "the file's name contains `common`");
    check(file, "fn read_client_data() {} fn data_directory() {}", "");
    check(file, "fn data_of_row() {}", "contains `data`");
    check(file, "fn database() {} struct DataRow; const fn informed() {}", "");
    check(file, "/// A helper.\nfn f(data: u8) {}", "");
    check(file, "#[cfg(test)]\nmod tests { fn helper() {} }", "");
}

#[test]
fn files_are_what_they_should_be() {
    let file = "crates/tyer/src/door.rs";
    assert!(findings_in(&[(file, "use x;\n")]).contains("begins without `//!`"));
    check("crates/tyer/src/door/mod.rs", "", "never `mod.rs`");
    check(file, &"\n".repeat(500), "501 lines without tests");
    check(file, &format!("#[cfg(test)]\nmod tests {{{}}}", "\n".repeat(500)), "");
    check(file, "#[allow(dead_code)]\nfn f() {}", "never allowed");
    check(file, "#![allow(dead_code)]", "never allowed");
    check(file, "#[cfg(test)]\nmod tests { #[allow(dead_code)] fn f() {} }", "never allowed");
    check(file, "#[expect(dead_code, reason = \"x\")]\nfn f() {}", "");
    check(file, "#[path = \"x.rs\"]\nmod x;", "where its name says");
    check(file, "#[cfg(feature = \"x\")]\nfn f() {}", "a Cargo feature");
    check(file, concat!("// TO", "DO: later"), "finish it or file it");
    check("README.md", concat!("FIX", "ME"), "README.md:1:");
    check("docs/x.md", concat!("see /ho", "me/somebody/x"), "a path of one machine");
    check("crates/tyer-core/src/hold.rs", "async fn f() {}", "this crate never waits");
    check(
        "crates/tyer-wire/src/aws.rs",
        "#[cfg(test)]\nmod tests { fn f() { x.await } }",
        "never waits",
    );
    check("crates/tyer-core/src/hold.rs", "// async\nconst X: &str = \"await\";", "");
    check("target/debug/x.rs", "use std::fs;\n#[allow(x)]", "nothing to check");
}

const PACKAGE: &str = "[package]\nname = \"x\"\n[lints]\nworkspace = true\n";

#[test]
fn manifests_inherit() {
    let core = "crates/tyer-core/Cargo.toml";
    let check_package = |path: &str, more: &str, expected: &str| {
        check(path, &format!("{PACKAGE}{more}"), expected);
    };
    check_package(core, "[dependencies]\nserde.workspace = true", "");
    check_package(core, "[dependencies]\nserde = \"1\"", "`serde` is not simply");
    check_package(core, "[dev-dependencies]\nsha2 = { version = \"1\" }", "`sha2` is not simply");
    check_package(
        core,
        "[dependencies]\nx = { workspace = true, features = [\"y\"] }",
        "`x` is not simply",
    );
    check_package(core, "[target.'cfg(unix)'.dependencies]\nlibc = \"1\"", "`libc` is not simply");
    check_package(core, "[features]\nx = []", "a Cargo feature");
    check_package(core, "[dependencies]\ntyer-wire.workspace = true", "depends on tyer-wire");
    check_package("crates/tyer/Cargo.toml", "[dev-dependencies]\nxtask.workspace = true", "");
    check_package(
        "crates/tyer/Cargo.toml",
        "[dependencies]\nxtask.workspace = true",
        "depends on xtask",
    );
    check_package("crates/other/Cargo.toml", "", "the rules do not know");
    check(core, "[package]\nname = \"x\"", "lints are not inherited");
    check(core, "[package", "cannot be read");
}

#[test]
fn every_dependency_says_why() {
    let check_workspace = |entries: &str, expected: &str| {
        let text = format!("[workspace]\n[workspace.dependencies]\n{entries}\n[profile.dev]\nx = 1\n");
        check("Cargo.toml", &text, expected);
    };
    check_workspace("# JSON.\nserde = \"1\"", "`serde` has no comment");
    check_workspace("serde = \"1\" # stored documents", "");
    check_workspace(
        "a = { version = \"1\", features = [\n  \"x\",\n] } # why\nb = \"1\"",
        "`b` has no comment",
    );
    check_workspace("tyer-core = { path = \"crates/tyer-core\" }", "");
}

#[test]
fn what_must_be_absent_is_looked_for_in_the_whole_tree() {
    let check = |tree: &str, expected: &str| {
        let findings = graph::present("tyer-core", tree, &["tokio", "hyper"]);
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(
            findings.join("\n").contains(expected) && findings.is_empty() == expected.is_empty(),
            "{tree}"
        );
    };
    check("tyer-core v0.1.0 (/x)\nserde v1\nserde_json v1 (*)\n", "");
    check("tyer-core v0.1.0 (/x)\nserde v1\ntokio v1.54.1\n", "tyer-core depends on tokio");
    check("tyer-core v0.1.0 (/x)\nhyper v1 (*)\n", "tyer-core depends on hyper");
    check("", "does not begin with it");
    let empty = tempfile::tempdir().unwrap();
    assert!(!graph::check(empty.path()).is_empty(), "no answer is a finding");
}
