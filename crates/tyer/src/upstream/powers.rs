//! What Tyer's own role at an upstream could do beyond an ordinary role, asked of the database over each
//! connection before an agent gets it.
//!
//! Asked of both the session's and the current user, with every role that either could become by `SET ROLE`.
//! The question names no function or operator that a search path could replace.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tyer_core::intent::Upstream;
use tyer_wire::postgres::decode::{self, Complaint, DecodeError, Decoder, Piece, Side};
use tyer_wire::postgres::encode;

use super::login::{self, LOGIN_WAIT, LoggedIn};
use super::{DialError, Target, Upstreams};
use crate::config::Power;

/// How long what a look has found is good enough for those who only want to know. Logins never rely on it.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// How long such a look may take.
const LOOK_WAIT: Duration = Duration::from_secs(3);

/// One row: the role, the words of its powers, and the process that answers.
const QUESTION: &str = "
    SELECT CAST(session_user AS pg_catalog.text), pg_catalog.concat_ws(',',
           CASE WHEN pg_catalog.bool_or(r.rolsuper) THEN 'superuser' END,
           CASE WHEN pg_catalog.bool_or(r.rolreplication) THEN 'replication' END,
           CASE WHEN pg_catalog.bool_or(r.rolbypassrls) THEN 'bypassrls' END,
           CASE WHEN pg_catalog.bool_or(r.rolcreaterole) THEN 'createrole' END,
           CASE WHEN pg_catalog.pg_has_role(session_user, 'pg_execute_server_program', 'MEMBER')
                  OR pg_catalog.pg_has_role(current_user, 'pg_execute_server_program', 'MEMBER')
                THEN 'execute_server_program' END,
           CASE WHEN pg_catalog.pg_has_role(session_user, 'pg_read_server_files', 'MEMBER')
                  OR pg_catalog.pg_has_role(current_user, 'pg_read_server_files', 'MEMBER')
                THEN 'read_server_files' END,
           CASE WHEN pg_catalog.pg_has_role(session_user, 'pg_write_server_files', 'MEMBER')
                  OR pg_catalog.pg_has_role(current_user, 'pg_write_server_files', 'MEMBER')
                THEN 'write_server_files' END), pg_catalog.pg_backend_pid()
      FROM pg_catalog.pg_roles r
     WHERE pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
        OR pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')";

/// A role as its database describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) name: String,
    /// What it could do beyond an ordinary role, itself or as another that it may become.
    pub(crate) powers: BTreeSet<Power>,
    /// The server's process that answered.
    process: i32,
}

impl Role {
    /// The powers that nobody has allowed.
    pub(crate) fn beyond(&self, allowed: &BTreeSet<Power>) -> BTreeSet<Power> {
        self.powers.iter().copied().filter(|power| !power.is_allowed(allowed)).collect()
    }

    /// Whether the one that answered is the one that was logged in to, so that nothing in between deals out its
    /// sessions to others.
    pub(super) fn is_of(&self, logged_in: &LoggedIn) -> bool {
        self.process == logged_in.cancel.process
    }

    /// The row of the answer. A superuser has every other power, so that one says it all.
    fn read(columns: &[Option<&[u8]>]) -> Option<Self> {
        let [Some(name), Some(words), Some(process)] = columns else { return None };
        let (name, words) = (str::from_utf8(name).ok()?, str::from_utf8(words).ok()?);
        let process = str::from_utf8(process).ok()?.parse().ok()?;
        let mut powers = BTreeSet::new();
        for word in words.split(',').filter(|word| !word.is_empty()) {
            powers.insert(Power::ALL.into_iter().find(|power| power.as_str() == word)?);
        }
        if powers.contains(&Power::Superuser) {
            powers = BTreeSet::from([Power::Superuser]);
        }
        Some(Self { name: name.to_owned(), powers, process })
    }
}

/// What was last seen of an upstream's role.
#[derive(Debug, Default)]
pub(super) struct Seen {
    role: std::sync::Mutex<Option<Role>>,
    looked: tokio::sync::Mutex<Option<Instant>>,
}

impl Upstreams {
    /// The role of that upstream, asked over a connection of its own.
    pub(crate) async fn role(&self, upstream: &Upstream) -> Result<Role, DialError> {
        look(self.targets.get(upstream).ok_or(DialError::Unknown)?).await
    }

    /// What has the role that was last seen there beyond what is allowed, and what is allowed of what it has.
    /// Nothing of an upstream that has not answered yet.
    pub(crate) fn powers_seen(&self, upstream: &Upstream) -> (BTreeSet<Power>, BTreeSet<Power>) {
        let Some(target) = self.targets.get(upstream) else { return Default::default() };
        let role = target.seen.role.lock().unwrap_or_else(PoisonError::into_inner);
        let powers = role.as_ref().map(|role| role.powers.iter().copied());
        let allowed = &target.config.allow_role_powers;
        powers.into_iter().flatten().partition(|power| !power.is_allowed(allowed))
    }

    /// Asks every upstream that was not asked lately. One that does not answer stays as it was seen.
    pub(crate) async fn look_at_roles(&self) {
        let mut looks = JoinSet::new();
        for target in self.targets.values().map(Arc::clone) {
            looks.spawn(async move {
                let mut looked = target.seen.looked.lock().await;
                if looked.is_none_or(|at| at.elapsed() >= LOOK_AGAIN) {
                    match tokio::time::timeout(LOOK_WAIT, look(&target)).await {
                        Ok(Ok(role)) => drop(admit(&target, role)),
                        Ok(Err(error)) => tracing::debug!(%error, "a role was not looked at"),
                        Err(_) => tracing::debug!("a role was not looked at in time"),
                    }
                    *looked = Some(Instant::now());
                }
            });
        }
        while looks.join_next().await.is_some() {}
    }
}

async fn look(target: &Target) -> Result<Role, DialError> {
    let mut logged_in = login::login(target, &[("application_name", "tyer facts")]).await?;
    ask(&mut logged_in).await
}

/// Notes the role that a database has just described, and refuses one with more power than was allowed.
pub(super) fn admit(target: &Target, role: Role) -> Result<(), DialError> {
    let beyond = role.beyond(&target.config.allow_role_powers);
    let name = role.name.clone();
    *target.seen.role.lock().unwrap_or_else(PoisonError::into_inner) = Some(role);
    if beyond.is_empty() {
        return Ok(());
    }
    let refused = DialError::Powers { role: name, powers: in_words(&beyond) };
    tracing::error!(upstream = %target.name, "{refused}");
    Err(refused)
}

/// The words of some powers, in one line.
pub(crate) fn in_words(powers: &BTreeSet<Power>) -> String {
    powers.iter().map(|power| power.as_str()).collect::<Vec<_>>().join(", ")
}

/// Asks over a connection that nobody else uses yet, and leaves it ready for queries.
pub(super) async fn ask(logged_in: &mut LoggedIn) -> Result<Role, DialError> {
    tokio::time::timeout(LOGIN_WAIT, question(logged_in)).await.map_err(|_| DialError::TooSlow)?
}

async fn question(logged_in: &mut LoggedIn) -> Result<Role, DialError> {
    logged_in.stream.write_all(&encode::query(QUESTION.as_bytes())).await?;
    logged_in.stream.flush().await?;
    let mut decoder = Decoder::new(Side::Upstream);
    decoder.push(&std::mem::take(&mut logged_in.rest));
    let malformed = |error: DecodeError| io::Error::new(io::ErrorKind::InvalidData, error);
    let unexpected = || DialError::Unsupported("an answer about its own role that is not understood");
    let mut role = None;
    loop {
        while let Some(frame) = decoder.frame().map_err(malformed)? {
            match frame.tag() {
                b'D' if role.is_none() && frame.piece() == Piece::Whole => {
                    let columns = decode::row(frame.body()).map_err(malformed)?;
                    role = Some(Role::read(&columns).ok_or_else(unexpected)?);
                }
                b'S' => {
                    let said = decode::parameter_status(frame.body()).map_err(malformed)?;
                    logged_in.parameters.retain(|(name, _)| *name != said.0);
                    logged_in.parameters.push(said);
                }
                b'E' => {
                    let said = Complaint::decode(frame.body()).map_err(malformed)?;
                    return Err(DialError::Refused(said.message));
                }
                // The columns' description, the command's end, a notice.
                b'T' | b'C' | b'N' => {}
                b'Z' => {
                    logged_in.rest = decoder.rest().to_vec();
                    return role.ok_or_else(unexpected);
                }
                _ => return Err(unexpected()),
            }
        }
        let mut bytes = [0; 4096];
        let count = logged_in.stream.read(&mut bytes).await?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        decoder.push(bytes.get(..count).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_or_refused() {
        let check = |columns: &[Option<&str>], expect: Option<&str>| {
            let columns: Vec<_> = columns.iter().map(|column| column.map(str::as_bytes)).collect();
            let read = Role::read(&columns).map(|role| in_words(&role.powers));
            assert_eq!(read.as_deref(), expect, "{columns:?}");
        };
        let pid = Some("77");
        check(&[Some("tyer"), Some(""), pid], Some(""));
        check(&[Some("tyer"), Some("bypassrls,replication"), pid], Some("replication, bypassrls"));
        check(&[Some("tyer"), Some("superuser,write_server_files"), pid], Some("superuser"));
        check(&[Some("tyer"), Some("root"), pid], None);
        check(&[Some("tyer"), None, pid], None);
        check(&[None, Some(""), pid], None);
        check(&[Some("tyer"), Some(""), Some("x")], None);
        check(&[Some("tyer"), Some("")], None);
    }
}
