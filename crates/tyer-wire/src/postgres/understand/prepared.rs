//! Prepared statements: what PREPARE gives a name, and what EXECUTE of a name does.
//!
//! EXECUTE is judged by the body that its name stands for: one that this text prepared, or one that the
//! caller knows. It is judged as it stands alone, without temporary tables, since the server may look up
//! its names again. A body that itself controls transactions, names statements or executes others stays
//! opaque ("PREPARE", "EXECUTE" and "DEALLOCATE" in the PostgreSQL documentation).

use std::collections::HashMap;
use std::sync::Arc;

use pg_query::{NodeEnum, protobuf as pb};
use tyer_core::intent::{Act, Digest};

use super::acts::free;
use super::walk::Walk;
use super::{About, Understanding, text, understand};

/// What a text does to the names of prepared statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Naming {
    /// PREPARE: from here on the name stands for this.
    Prepare(String, Arc<Body>),
    /// DEALLOCATE of one name.
    Forget(String),
    /// DEALLOCATE ALL, DISCARD ALL.
    ForgetAll,
    /// FETCH and MOVE: whatever a cursor stands for runs.
    Fetch,
}

/// What PREPARE gave a name.
#[derive(Debug, PartialEq, Eq)]
pub struct Body {
    /// The statement.
    pub sql: String,
    /// The types of its parameters in parentheses, as written; empty if none were.
    pub types: String,
    /// What each execution would do.
    pub understanding: Arc<Understanding>,
}

/// The bodies that a text can execute, as far as the walk has come.
#[derive(Default)]
pub(super) struct Bodies {
    /// Those the caller knows.
    outside: HashMap<String, Arc<Understanding>>,
    /// Names that this text touched, with what they stand for now.
    inside: HashMap<String, Option<Arc<Understanding>>>,
    /// Whether what the caller knows no longer holds.
    sealed: bool,
    /// Type list and body of the PREPARE that is walked over.
    preparing: Option<(String, String)>,
    /// What was done to names, in order.
    pub(super) namings: Vec<Naming>,
    /// Names that were looked up outside of this text.
    pub(super) executes: Vec<String>,
    /// What was found there.
    ran: Vec<(String, Arc<Understanding>)>,
}

impl Bodies {
    pub(super) fn knowing(outside: HashMap<String, Arc<Understanding>>) -> Self {
        Self { outside, ..Self::default() }
    }

    /// Code that is not known may have given every name another body.
    pub(super) fn distrust(&mut self) {
        self.inside.clear();
        self.sealed = true;
    }

    /// The statement that is walked over next.
    pub(super) fn enter(&mut self, sql: &str, raw: &pb::RawStmt) {
        let is_prepare = |node: &pb::Node| matches!(node.node, Some(NodeEnum::PrepareStmt(_)));
        self.preparing = raw
            .stmt
            .as_ref()
            .filter(|node| is_prepare(node))
            .and_then(|_| statement(sql, raw))
            .and_then(text::prepared)
            .map(|(types, body)| (types.to_owned(), body.to_owned()));
    }

    /// What the name stands for here, and whether this text gave it that.
    fn find(&mut self, name: &str) -> Option<(Arc<Understanding>, bool)> {
        if let Some(body) = self.inside.get(name) {
            return body.clone().map(|body| (body, true));
        }
        if !self.executes.iter().any(|known| known == name) {
            self.executes.push(name.to_owned());
        }
        let body = Arc::clone(self.outside.get(name).filter(|_| !self.sealed)?);
        if !self.ran.iter().any(|(known, _)| known == name) {
            self.ran.push((name.to_owned(), Arc::clone(&body)));
        }
        Some((body, false))
    }

    /// The shape of a text with that shape of its own, which executes these bodies.
    pub(super) fn shape(&self, own: Digest) -> Digest {
        if self.ran.is_empty() {
            return own;
        }
        let mut parts: Vec<&[u8]> = vec![b"tyer shape with bodies 1", &own.0];
        parts.extend(self.ran.iter().map(|(_, body)| body.shape.0.as_slice()));
        Digest::of_parts(&parts)
    }

    /// The redacted text, with the redacted bodies below.
    pub(super) fn redacted(&self, own: String) -> String {
        self.ran.iter().fold(own, |text, (name, body)| text + &below(name, "", &body.redacted))
    }
}

/// A body as it is shown below a text that executes it.
pub(crate) fn below(name: &str, types: &str, body: &str) -> String {
    let mut text = format!("\n-- {}{types} is:", name.escape_debug());
    for line in body.lines() {
        text.push_str("\n-- ");
        text.push_str(line);
    }
    text
}

/// The text of one statement of many.
fn statement<'a>(sql: &'a str, raw: &pb::RawStmt) -> Option<&'a str> {
    let rest = sql.get(usize::try_from(raw.stmt_location).ok()?..)?;
    match usize::try_from(raw.stmt_len).ok()? {
        0 => Some(rest),
        length => rest.get(..length),
    }
}

impl Walk {
    pub(super) fn prepares(&mut self, prepare: &pb::PrepareStmt) {
        self.used(&prepare.query);
        let Some(at) = self.naming() else { return };
        let body = at.preparing.take().map(|(types, sql)| {
            let understanding = Arc::new(understand(&sql));
            Arc::new(Body { sql, types, understanding })
        });
        let name = &prepare.name;
        at.inside.insert(name.clone(), body.as_ref().map(|body| Arc::clone(&body.understanding)));
        at.namings.push(match body {
            Some(body) => Naming::Prepare(name.clone(), body),
            None => Naming::Forget(name.clone()),
        });
    }

    pub(super) fn executes(&mut self, execute: &pb::ExecuteStmt) {
        let name = &execute.name;
        let is_plain = |body: &Understanding| {
            body.controls.is_empty() && body.namings.is_empty() && body.executes.is_empty()
        };
        let found = self.naming().and_then(|names| names.find(name));
        match found {
            Some((body, inside)) if is_plain(&body) => self.runs_body(name, &body, inside),
            Some(_) => {
                self.distrust();
                let why = format!("runs {name}, which is about other statements or transactions");
                self.found.push(Act::opaque(why));
            }
            None => {
                self.distrust();
                let why = format!("runs the prepared statement {name}, which is not in this text");
                self.found.push(Act::opaque(why));
            }
        }
        self.used(&execute.params);
    }

    fn runs_body(&mut self, name: &str, body: &Understanding, inside: bool) {
        let whose = if inside { "which this text prepared" } else { "which was prepared before" };
        self.found.push(free(format!("runs {name}, {whose}")));
        body.acts.iter().for_each(|act| self.found.push(act.clone()));
        self.session |= body.about == About::Session;
        body.relations.iter().for_each(|relation| self.loses(relation));
        body.locks.iter().for_each(|lock| self.locking.add(lock.clone()));
        self.lasting = self.lasting.max(body.lasting);
        if body.hides() {
            self.distrust();
        } else if !inside {
            // It need not be about rows alone, and what tables are called may change.
            self.forget();
        }
    }

    pub(super) fn deallocates(&mut self, deallocate: &pb::DeallocateStmt) {
        self.found.push(free("forgets a prepared statement"));
        if deallocate.isall {
            return self.forgets_names();
        }
        let Some(names) = self.naming() else { return };
        names.inside.insert(deallocate.name.clone(), None);
        names.namings.push(Naming::Forget(deallocate.name.clone()));
    }

    pub(super) fn forgets_names(&mut self) {
        let Some(names) = self.naming() else { return };
        names.distrust();
        names.namings.push(Naming::ForgetAll);
    }

    /// What a cursor stands for may be code that was not seen through where it was made.
    pub(super) fn fetches(&mut self) {
        self.found.push(free("uses a cursor that this session declared"));
        let Some(names) = self.naming() else { return };
        names.namings.push(Naming::Fetch);
        if names.sealed {
            names.distrust();
        }
    }

    /// The names, unless the statement belongs to the body of a function: that runs another time.
    fn naming(&mut self) -> Option<&mut Bodies> {
        (self.bodies == 0).then_some(&mut self.names)
    }
}
