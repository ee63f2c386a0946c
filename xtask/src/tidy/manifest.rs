//! What the manifests say: one place for versions, with a reason each, and which crate knows which.

use toml::{Table, Value};

use super::{Finding, Page};

/// The crates of ours that each crate may depend on, apart from tests.
const DIRECTION: [(&str, &[&str]); 5] = [
    ("crates/tyer-core/Cargo.toml", &[]),
    ("crates/tyer-wire/Cargo.toml", &["tyer-core"]),
    ("crates/tyer/Cargo.toml", &["tyer-core", "tyer-wire"]),
    ("fuzz/Cargo.toml", &[]),
    // What it measures.
    ("xtask/Cargo.toml", &["tyer-core", "tyer-wire"]),
];
const OURS: [&str; 4] = ["tyer-core", "tyer-wire", "tyer", "xtask"];
const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Every manifest against its rules.
pub(super) fn check(pages: &[Page]) -> Vec<Finding> {
    let manifests =
        pages.iter().filter(|page| page.path == "Cargo.toml" || page.path.ends_with("/Cargo.toml"));
    manifests.flat_map(check_one).collect()
}

fn check_one(page: &Page) -> Vec<Finding> {
    let Ok(manifest) = page.text.parse::<Table>() else {
        return vec![Finding::new(&page.path, 0, "the manifest cannot be read")];
    };
    let mut messages = Vec::new();
    if manifest.contains_key("features") {
        messages.push("a Cargo feature: everything is always compiled".to_owned());
    }
    if manifest.contains_key("workspace") {
        messages.extend(unexplained(&page.text));
    }
    if manifest.contains_key("package") {
        let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        if inherits != Some(&Value::Boolean(true)) {
            messages.push("the workspace's lints are not inherited".to_owned());
        }
        messages.extend(stray(&manifest));
        messages.extend(misdirected(&page.path, &manifest));
    }
    messages.into_iter().map(|message| Finding::new(&page.path, 0, message)).collect()
}

/// Dependencies that do not come from the workspace as they stand there.
fn stray(manifest: &Table) -> Vec<String> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(|targets| targets.values().filter_map(Value::as_table));
    let mut messages = Vec::new();
    for table in std::iter::once(manifest).chain(targets) {
        for kind in KINDS {
            for (name, dependency) in table.get(kind).and_then(Value::as_table).into_iter().flatten() {
                let alone = dependency.as_table().is_some_and(|table| table.len() == 1);
                let inherits = dependency.get("workspace") == Some(&Value::Boolean(true));
                if !alone || !inherits {
                    messages.push(format!("{kind}: `{name}` is not simply `{name}.workspace = true`"));
                }
            }
        }
    }
    messages
}

/// Dependencies among our own crates in the wrong direction.
fn misdirected(path: &str, manifest: &Table) -> Vec<String> {
    let allowed =
        DIRECTION.iter().find(|(crate_path, _)| *crate_path == path).map(|(_, allowed)| *allowed);
    let Some(allowed) = allowed else {
        return vec!["a crate that the rules do not know: say what it must not depend on".to_owned()];
    };
    let mut messages = Vec::new();
    for kind in ["dependencies", "build-dependencies"] {
        for (name, _) in manifest.get(kind).and_then(Value::as_table).into_iter().flatten() {
            if OURS.contains(&name.as_str()) && !allowed.contains(&name.as_str()) {
                messages
                    .push(format!("depends on {name}: tyer -> tyer-wire -> tyer-core, nothing else"));
            }
        }
    }
    messages
}

/// Foreign dependencies of the workspace that have no comment on their own lines.
fn unexplained(text: &str) -> Vec<String> {
    let section = text.lines().skip_while(|line| line.trim() != "[workspace.dependencies]").skip(1);
    let section = section.take_while(|line| !line.starts_with('['));
    let mut entries: Vec<(&str, String)> = Vec::new();
    for line in section.filter(|line| !line.trim_start().starts_with('#')) {
        match (line.split_once(" = "), entries.last_mut()) {
            (Some((name, rest)), _) if !line.starts_with(' ') => entries.push((name, rest.to_owned())),
            (_, Some((_, entry))) => entry.push_str(line),
            _ => {}
        }
    }
    let bare = entries.iter().filter(|(_, entry)| !entry.contains(" # ") && !entry.contains("path = "));
    bare.map(|(name, _)| format!("`{name}` has no comment that says why")).collect()
}
