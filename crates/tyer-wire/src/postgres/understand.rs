//! What a text of PostgreSQL's SQL would do, by PostgreSQL 18's own grammar and an exhaustive walk.
//!
//! [`understand`] is pure and total: what it cannot classify becomes `opaque` on the whole upstream.
//! It sees only the text. What views, rules, triggers, defaults, user-defined operators and the
//! search path add is for the facts that are taken where the statement will run.

mod acts;
mod alter;
mod bodies;
mod builtin;
mod calls;
mod create;
mod drops;
mod grants;
mod lasting;
mod locks;
mod names;
mod outline;
mod prepared;
mod rows;
mod session;
mod settings;
mod text;
mod tree;
mod truth;
mod walk;

use std::collections::{HashMap, HashSet};
use std::panic::catch_unwind;
use std::sync::Arc;

use tyer_core::intent::{Act, Acts, Digest, Effect, Kind};
use tyer_core::limits::REQUEST_BYTES_MAX;

pub use self::lasting::Lasting;
pub use self::locks::{Along, Lock, Mode, On, Parts, To};
pub(super) use self::names::dotted;
pub(super) use self::outline::Outline;
use self::prepared::Bodies;
pub(super) use self::prepared::below;
pub use self::prepared::{Body, Naming};
use self::text::Texts;
use self::walk::Walk;

/// What a text of SQL would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Understanding {
    /// What would be done.
    pub acts: Acts,
    /// The identity of the text without its literals, comments and white space.
    pub shape: Digest,
    /// The text with every literal replaced by `?` and without comments; when it has no tokens that
    /// can be told apart, `(not understood: N bytes)`.
    pub redacted: String,
    /// PostgreSQL's own message, only if its grammar refuses the text.
    pub syntax_error: Option<String>,
    /// How many statements the text has.
    pub statements: usize,
    /// The statements that control the transaction, in order.
    pub controls: Vec<Control>,
    /// What a rollback behind it does not take back, as far as the text shows.
    pub lasting: Lasting,
    /// Whether the server may ask for rows while it runs: `COPY FROM STDIN`, or nobody can tell.
    pub takes_rows: bool,
    /// What is done to the names of prepared statements, in order.
    pub namings: Vec<Naming>,
    /// Prepared statements of earlier texts that are executed by name.
    pub executes: Vec<String>,
    /// Relations that would lose or change rows, as written and dotted.
    pub relations: Vec<String>,
    /// Which locks keep others waiting.
    pub locks: Vec<Lock>,
    /// Whether it can run in a transaction block of somebody else's: it neither controls one nor commits by itself,
    /// leaves nothing to run at its end, takes no rows, and executes nothing by name.
    pub fits_block: bool,
    /// Whether EXPLAIN before the text, without ANALYZE, runs no code that cannot be seen through:
    /// exactly one SELECT, INSERT, UPDATE, DELETE or MERGE that does nothing graver than to rows.
    pub explainable: bool,
    /// What its statements are about.
    pub about: About,
}

/// What the statements of a text are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// What the database holds, and what goes with that wherever it runs.
    Contents,
    /// Nothing that it matters for whether the server may write.
    Neither,
    /// Some decide or show whether the session may write, control its transaction, or nobody can tell.
    Session,
}

/// A statement that controls the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// BEGIN, START TRANSACTION.
    Begin,
    /// COMMIT, END; `chain` opens the next transaction at once.
    Commit {
        /// AND CHAIN was written.
        chain: bool,
    },
    /// ROLLBACK, ABORT; `chain` opens the next transaction at once.
    Rollback {
        /// AND CHAIN was written.
        chain: bool,
    },
    /// SAVEPOINT, with its name.
    Savepoint(String),
    /// RELEASE SAVEPOINT, with its name.
    Release(String),
    /// ROLLBACK TO SAVEPOINT, with its name.
    RollbackTo(String),
    /// PREPARE TRANSACTION: the first of two steps.
    Prepare,
}

impl Understanding {
    /// Of what can't be understood.
    pub(super) fn opaque(acts: Acts, shape: Digest, redacted: String) -> Self {
        Self {
            acts,
            shape,
            redacted,
            syntax_error: None,
            statements: 0,
            controls: Vec::new(),
            lasting: Lasting::Before,
            takes_rows: true,
            namings: Vec::new(),
            executes: Vec::new(),
            relations: Vec::new(),
            locks: Vec::new(),
            fits_block: false,
            explainable: false,
            about: About::Session,
        }
    }

    /// Whether a rollback takes all of it back, as far as the text shows.
    #[must_use]
    pub fn transactional(&self) -> bool {
        self.lasting == Lasting::Nothing
    }

    /// The relations that would lose or change rows, and behind them those that are only read, as written and
    /// dotted; none where no rows would be lost or changed.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = self.relations.clone();
        if names.is_empty() {
            return names;
        }
        let reads = |act: &&Act| act.effect == Effect::Read && act.resource.kind == Kind::Relation;
        let mut seen: HashSet<&str> = self.relations.iter().map(String::as_str).collect();
        let reads = self.acts.iter().filter(reads).map(|act| act.resource.name.as_str());
        names.extend(reads.filter(|name| seen.insert(name)).map(ToOwned::to_owned));
        names
    }

    /// Whether running it may commit what was done before it, as far as the text shows.
    #[must_use]
    pub fn may_commit(&self) -> bool {
        let commits = |control: &Control| matches!(control, Control::Commit { .. } | Control::Prepare);
        self.lasting == Lasting::Before || self.controls.iter().any(commits)
    }

    /// Whether code may run that is not seen through.
    #[must_use]
    pub fn hides(&self) -> bool {
        self.acts.iter().any(|act| matches!(act.effect, Effect::Execute | Effect::Opaque))
    }

    /// Whether the server itself can be made to refuse whatever it would write, and nothing else is different then.
    #[must_use]
    pub fn is_enforceable(&self) -> bool {
        self.about == About::Contents && self.acts.worst() == Effect::Read
    }

    /// Whether there is nothing in it that a rollback would have to take back.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        !self.acts.worst().is_write() || self.acts.all_local()
    }
}

/// Understands one text of SQL, of any number of statements.
#[must_use]
pub fn understand(sql: &str) -> Understanding {
    understand_outlined(sql, None).0
}

/// The same, with whether it holds for every text of the outline.
pub(super) fn understand_outlined(sql: &str, outline: Option<&Outline>) -> (Understanding, bool) {
    let texts = Texts::of(sql);
    match parsed(sql) {
        Ok(tree) => {
            let holds = outline.is_some_and(|outline| outline.holds(&tree));
            (understood(sql, &tree, texts, Bodies::default()), holds)
        }
        Err(refused) => (refused.understanding(texts), false),
    }
}

/// The same where these names stand for prepared statements.
#[must_use]
pub fn understand_among(sql: &str, bodies: HashMap<String, Arc<Understanding>>) -> Understanding {
    let texts = Texts::of(sql);
    match parsed(sql) {
        Ok(tree) => understood(sql, &tree, texts, Bodies::knowing(bodies)),
        Err(refused) => refused.understanding(texts),
    }
}

/// Whether a session may set this without being asked: it changes nothing but how the session shows or plans
/// things, or puts a safeguard on.
pub(super) fn is_free_setting(name: &str, value: &str) -> bool {
    settings::set(name, Some(value)).local
}

/// Why there is no tree.
struct Refused {
    why: String,
    syntax_error: Option<String>,
}

impl Refused {
    fn because(why: impl Into<String>) -> Self {
        Self { why: why.into(), syntax_error: None }
    }

    fn understanding(self, texts: Texts) -> Understanding {
        let acts = Acts::new(Act::opaque(self.why), []);
        let shape = texts.shape(&acts);
        let syntax_error = self.syntax_error;
        Understanding { syntax_error, ..Understanding::opaque(acts, shape, texts.redacted) }
    }
}

fn parsed(sql: &str) -> Result<pg_query::ParseResult, Refused> {
    if sql.len() > REQUEST_BYTES_MAX {
        let why = format!("is longer than {REQUEST_BYTES_MAX} bytes, too long to be understood");
        return Err(Refused::because(why));
    }
    // The parser's own summary of the tree, which is of no use here, indexes and casts without
    // looking; a panic there must not become one of the caller's.
    match catch_unwind(|| pg_query::parse(sql, 0)) {
        Ok(Ok(tree)) => Ok(tree),
        Ok(Err(pg_query::Error::Parse(message))) if !is_limit(&message) => {
            Err(Refused { why: format!("is not valid SQL: {message}"), syntax_error: Some(message) })
        }
        Ok(Err(pg_query::Error::Conversion(_))) => Err(Refused::because("contains a NUL byte")),
        Ok(Err(_)) => Err(Refused::because("is nested too deeply to be understood")),
        Err(_) => Err(Refused::because("could not be understood by the parser")),
    }
}

/// Whether the parser gave up for a reason that is its own and not the text's.
fn is_limit(message: &str) -> bool {
    ["stack depth", "memory", "too complex", "limit exceeded", "too deep", "protobuf"]
        .iter()
        .any(|word| message.contains(word))
}

fn understood(sql: &str, tree: &pg_query::ParseResult, texts: Texts, bodies: Bodies) -> Understanding {
    let mut walk = Walk::among(bodies);
    for raw in &tree.protobuf.stmts {
        walk.names.enter(sql, raw);
        raw.stmt.iter().for_each(|statement| walk.top(statement));
    }
    let statements: Vec<_> = tree.protobuf.stmts.iter().filter_map(|raw| raw.stmt.as_ref()).collect();
    let lone = match statements.as_slice() {
        [lone] => lone.node.as_ref(),
        _ => None,
    };
    let nodes = || statements.iter().filter_map(|statement| statement.node.as_ref());
    let lasting = walk.lasting.max(nodes().map(lasting::of).max().unwrap_or_default());
    let about = session::about(nodes, walk.session);
    let (mut acts, (relations, locks), names) = walk.finish();
    let reads = |act: &Act| act.effect == Effect::Read && act.resource.kind == Kind::Relation;
    if acts.iter().any(reads) && session::decides_beside_contents(nodes) {
        let why = "reads beside what decides whether the session may write";
        acts = Acts::new(Act::opaque(why), acts.iter().cloned());
    }
    let harmless = |act: &Act| match act.effect {
        Effect::Read | Effect::Create | Effect::Change => true,
        Effect::Destroy => act.resource.kind == Kind::Relation,
        _ => false,
    };
    Understanding {
        shape: names.shape(texts.shape(&acts)),
        about,
        redacted: names.redacted(texts.redacted),
        syntax_error: None,
        statements: statements.len(),
        controls: nodes().filter_map(session::control).collect(),
        takes_rows: nodes().any(rows::takes_rows),
        fits_block: names.executes.is_empty()
            && acts.worst() != Effect::Opaque
            && nodes().all(session::fits_block),
        lasting: acts.iter().map(lasting::of_act).fold(lasting, Ord::max),
        explainable: lone.is_some_and(rows::is_plain) && acts.iter().all(harmless),
        namings: names.namings,
        executes: names.executes,
        relations,
        locks,
        acts,
    }
}

#[cfg(test)]
mod tests;
