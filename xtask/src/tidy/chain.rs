//! The proof chain: who alone makes a grant, passes it on, and clears it.

use super::source::Source;
use super::{Finding, is_in};

/// One link: a call that only one module makes.
struct Link {
    /// The call, as it stands in the code.
    call: &'static str,
    /// The only module that makes it.
    caller: &'static str,
    /// Once, or as often as that module wants.
    is_once: bool,
}

const LINKS: [Link; 8] = [
    Link { call: "Grant::decided", caller: "crates/tyer-core/src/policy", is_once: false },
    Link { call: ".released(", caller: "crates/tyer-core/src/hold", is_once: false },
    Link { call: ".used_as(", caller: "crates/tyer-core/src/hold", is_once: false },
    Link { call: ".observe_only(", caller: "crates/tyer/src/gateway", is_once: false },
    Link { call: "Clearance::assertion", caller: "crates/tyer/src/gateway", is_once: true },
    Link { call: "client::legacy", caller: "crates/tyer/src/upstream/aws", is_once: false },
    Link { call: ".try_send_request(", caller: "crates/tyer/src/upstream/aws", is_once: true },
    Link { call: "self.connections.send(", caller: "crates/tyer/src/upstream/aws", is_once: true },
];

/// Types that nobody renames, because a rename would hide such a call.
const CHAIN: [&str; 2] = ["Grant", "Clearance"];

/// The file that defines them, where `Self` would be such a name.
const HOME: &str = "crates/tyer-core/src/verdict";

/// Every call of a link by somebody else, and a link that is called never or more than once.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for link in &LINKS {
        // Chores are not shipped.
        let calls: Vec<(&Source, usize)> = sources
            .iter()
            .filter(|source| !is_in(&source.path, "xtask"))
            .flat_map(|source| {
                lines_with(source, link.call).into_iter().map(move |line| (source, line))
            })
            .collect();
        let (allowed, foreign): (Vec<_>, Vec<_>) =
            calls.into_iter().partition(|(source, _)| is_in(&source.path, link.caller));
        findings.extend(foreign.into_iter().map(|(source, line)| {
            Finding::new(&source.path, line, format!("{} is for {} alone", link.call, link.caller))
        }));
        let exists = sources.iter().any(|source| is_in(&source.path, link.caller));
        if link.is_once && exists && allowed.len() != 1 {
            let message = format!("{} is called {} times, not once", link.call, allowed.len());
            let (path, line) =
                allowed.get(1).map_or((link.caller, 0), |(source, line)| (&source.path, *line));
            findings.push(Finding::new(path, line, message));
        }
    }
    findings.extend(sources.iter().flat_map(hidden));
    findings
}

fn hidden(source: &Source) -> Vec<Finding> {
    let renamed = source.names.iter().filter_map(|name| {
        let last = name.segments.last()?;
        (name.is_open && CHAIN.contains(&last.as_str())).then_some(name.line)
    });
    let mut findings: Vec<Finding> = renamed
        .map(|line| Finding::new(&source.path, line, "the types of the proof chain are never renamed"))
        .collect();
    for chained in CHAIN {
        for line in lines_with(source, &format!("= {chained};")) {
            findings.push(Finding::new(
                &source.path,
                line,
                "the types of the proof chain have no alias",
            ));
        }
    }
    if is_in(&source.path, HOME) {
        for call in ["Self::decided", "Self::assertion"] {
            let lines = lines_with(source, call).into_iter();
            findings.extend(
                lines.map(|line| Finding::new(&source.path, line, format!("{call} hides a call"))),
            );
        }
    }
    findings
}

/// The lines of shipped code that contain `call`, once for each time; a longer name is no call.
fn lines_with(source: &Source, call: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    for (line, text) in source.shipped.lines().enumerate() {
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(call) {
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            let joins = call.starts_with(is_name) && before.ends_with(is_name)
                || call.ends_with(is_name) && after.starts_with(is_name);
            if !joins {
                lines.push(line + 1);
            }
            rest = after;
        }
    }
    lines
}
