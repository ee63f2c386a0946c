//! Who never names whom.

use super::source::Source;
use super::{Finding, is_in};

/// Modules that never name some paths.
struct Never {
    /// Where it holds.
    scope: &'static str,
    /// Where, inside, it does not.
    except: &'static [&'static str],
    /// The crates, modules and items that are not named.
    banned: &'static [&'static str],
    /// Why, in a few words.
    why: &'static str,
}

const IO: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::time::SystemTime",
    "std::time::Instant",
    "tokio",
    "tokio_stream",
    "tokio_rustls",
    "tracing",
    "log",
    "axum",
    "hyper",
    "rusqlite",
    "tokio_postgres",
];

const NEVER: &[Never] = &[
    Never { scope: "crates/tyer-core", except: &[], banned: IO, why: "the domain does no I/O" },
    Never {
        scope: "crates/tyer-core",
        except: &[],
        banned: &["pg_query", "tyer_wire"],
        why: "the domain knows no protocol",
    },
    Never {
        scope: "",
        except: &["crates/tyer-core/src/policy"],
        banned: &["cedar_policy", "cedar_policy_core"],
        why: "decisions are made in one place",
    },
    Never { scope: "crates/tyer-wire", except: &[], banned: IO, why: "protocols do no I/O" },
    Never {
        scope: "crates/tyer",
        except: &["crates/tyer/src/store"],
        banned: &["rusqlite"],
        why: "SQL of ours stays behind the store",
    },
    Never {
        scope: "crates/tyer/src/gateway",
        except: &[],
        banned: &["axum", "crate::door", "crate::console", "crate::api"],
        why: "doors, console and API call the gateway, never the other way",
    },
    Never {
        scope: "crates/tyer/src/console",
        except: &[],
        banned: &["crate::door", "crate::upstream"],
        why: "the console shows and decides, it executes nothing",
    },
    Never {
        scope: "crates/tyer/src/api",
        except: &[],
        banned: &["crate::door", "crate::upstream"],
        why: "the API shows and decides, it executes nothing",
    },
    Never {
        scope: "crates/tyer/src/cli",
        except: &[],
        banned: &["crate::store", "crate::door"],
        why: "the command line goes through the API like everybody",
    },
    Never {
        scope: "crates/tyer/src",
        except: &["crates/tyer/src/config"],
        banned: &["std::env"],
        why: "the configuration alone reads the environment",
    },
    Never {
        scope: "crates",
        except: &[],
        banned: &["xtask", "ring::signature::EcdsaKeyPair"],
        why: "the shipped program contains no authenticator",
    },
];

/// The protocols of the wire crate: what two share goes down into a module that both import.
const PROTOCOLS: [&str; 6] = ["postgres", "aws", "kubernetes", "mcp", "shell", "terraform"];

/// Every path that a file names against its will.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in NEVER {
        let is_excepted = rule.except.iter().any(|scope| is_in(&source.path, scope));
        if is_in(&source.path, rule.scope) && !is_excepted {
            for banned in rule.banned {
                findings.extend(reaching(source, banned, rule.why));
            }
        }
    }
    let own =
        PROTOCOLS.iter().find(|name| is_in(&source.path, &format!("crates/tyer-wire/src/{name}")));
    for other in PROTOCOLS.iter().filter(|other| own.is_some_and(|own| own != *other)) {
        let why = "one protocol never imports another";
        findings.extend(reaching(source, &format!("crate::{other}"), why));
    }
    findings
}

fn reaching(source: &Source, banned: &str, why: &str) -> Vec<Finding> {
    let mut lines: Vec<usize> =
        source.names.iter().filter(|name| name.reaches(banned)).map(|name| name.line).collect();
    lines.dedup();
    lines
        .into_iter()
        .map(|line| Finding::new(&source.path, line, format!("names {banned}: {why}")))
        .collect()
}
