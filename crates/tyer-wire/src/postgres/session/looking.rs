//! What the names of an open question mean on the agent's own connection, asked before anybody sees a card.
//!
//! Only where nothing else is under way: outside of a transaction, or in one of the agent's behind a mark that is
//! taken back whatever comes of it, so that a name that the server refuses does not fail the agent's transaction.
//!
//! INVARIANT: what is sent from here is of Tyer's own and fixed; names of the agent's go as a value.

use tyer_core::names::{Meant, NAMES_MAX};

use super::exchange::{Answered, Exchange, Own, own};
use super::{Chore, Fatal, Relay, Session, Status, Turn};
use crate::postgres::decode::{Complaint, Frame};
use crate::postgres::probe::names;

const MARK: &str = "tyer_names";

/// Questions of Tyer's own that are being answered.
#[derive(Debug)]
pub(super) struct Looking {
    names: Vec<String>,
    exchange: Exchange,
    /// What follows to take the mark back, and what was found before it.
    back: Option<Exchange>,
    found: Option<Meant>,
}

impl Session {
    /// Asks what the names of the open question mean here; nothing if there are none, or if something else is under
    /// way. [`Turn::Meant`] is the answer.
    pub fn look_up(&mut self) -> Option<Chore> {
        let names = self.asked.as_ref()?.understanding.names();
        let is_quiet = self.expects.is_empty() && !self.unsynced && self.skipping.is_none();
        let is_busy = self.owned.is_some() || self.looking.is_some() || self.status == Status::Failed;
        if names.is_empty() || names.len() > NAMES_MAX || !is_quiet || is_busy {
            return None;
        }
        let asks = Own::of(names::MEANINGS, &names::array(&names));
        let (first, back) = match self.status {
            Status::Idle => (vec![asks], None),
            Status::Open | Status::Failed => {
                let back = [format!("ROLLBACK TO {MARK}"), format!("RELEASE {MARK}")];
                let back: Vec<Own> = back.iter().map(|sql| Own::plain(sql)).collect();
                (vec![Own::plain(&format!("SAVEPOINT {MARK}")), asks], Some(back))
            }
        };
        let exchange = Exchange::of(&first);
        let mut bytes = own(first);
        let back = back.map(|back| {
            let exchange = Exchange::of(&back);
            bytes.extend(own(back));
            exchange
        });
        self.looking = Some(Looking { names, exchange, back, found: None });
        Some(Chore(bytes))
    }

    /// A message of the upstream while names are looked up.
    pub(super) fn looking(&mut self, mut looking: Looking, frame: &Frame<'_>) -> Result<Relay, Fatal> {
        let is_aside = matches!(frame.tag(), b'N' | b'A' | b'S');
        let is_fatal = frame.tag() == b'E' && Complaint::decode(frame.body())?.is_fatal();
        if is_aside || is_fatal {
            self.looking = Some(looking);
            return self.alone(frame);
        }
        let mut relay = Relay::nothing();
        let Some(answered) = looking.exchange.take(frame)? else {
            self.looking = Some(looking);
            return Ok(relay);
        };
        let found = looking.found.take().or_else(|| looking.found_in(&answered));
        match looking.back.take() {
            Some(exchange) => self.looking = Some(Looking { exchange, found, ..looking }),
            None => relay.turn = Turn::Meant(found),
        }
        Ok(relay)
    }
}

impl Looking {
    fn found_in(&self, answered: &Answered) -> Option<Meant> {
        let rows = answered.results.last().filter(|_| answered.error.is_none())?;
        names::meant(&self.names, rows)
    }
}
