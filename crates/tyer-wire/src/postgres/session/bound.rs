//! A read that is bound and not executed at once, as drivers' cursors do.
//!
//! Planning may run code, and SQL's `FETCH` runs a bound portal without an `Execute`; so such a `Bind` is
//! asked about when `Flush` or `Sync` would send it, as its `Execute` would be. Only reads are: what a
//! cleared `FETCH` may show was then decided, and nothing else can come of it. An `Execute` of the portal is
//! asked about anew.

use std::sync::Arc;

use tyer_core::verdict::{LeafIndex, Outcome};

use super::expect::{Awaits, Known};
use super::{Asked, Run, Session, Skipping, Step};
use crate::postgres::decode::Frame;
use crate::postgres::refuse::Answer;

/// The tag of a `Bind` in leaves.
const BOUND: &str = "BIND";

impl Session {
    /// Asks about the one `Bind` that `Flush` or `Sync` would send unasked, if it only reads.
    pub(super) fn ask_to_bind(&mut self, frame: &Frame<'_>) -> Option<Step> {
        if self.observes() || self.skipping.is_some() || self.unreadable().is_some() {
            return None;
        }
        let at = self.only_grave()?;
        let (name, portal) = match self.held.get(at).map(|held| &held.expect.what) {
            Some(Awaits::Bind { name, portal }) if portal.only_reads() => {
                (name.clone(), portal.clone())
            }
            _ => return None,
        };
        let prepared = Arc::clone(&portal.prepared);
        if let Some(step) = self.ground_for(&prepared.understanding) {
            return Some(step);
        }
        let parameters = prepared.parameters(&portal.values);
        let asked = (parameters, Awaits::Bind { name, portal });
        Some(self.ask(frame, &prepared.text, Arc::clone(&prepared.understanding), asked))
    }

    /// The `Bind` may be sent under that leaf, and the `Flush` or `Sync` behind it.
    pub(super) fn bind_cleared(&mut self, asked: &Asked, leaf: LeafIndex) -> Run {
        let mut bytes = Vec::new();
        if let Some(Skipping::Errored(code)) = &self.skipping {
            let known = Known::failed(self.sent, leaf, code);
            self.known.push(known);
        } else {
            if let Some(held) = self.only_grave().and_then(|at| self.held.get_mut(at)) {
                held.expect.leaf = Some(leaf);
            }
            self.release_all(&mut bytes);
        }
        self.behind(&asked.bytes, &mut bytes);
        Run { digest: asked.digest, leaf, bytes, is_bounded: false }
    }

    /// The `Bind` may not be sent: it is made to fail, and the `Flush` or `Sync` follows.
    pub(super) fn bind_refused(&mut self, asked: &Asked, answer: Answer, out: &mut Vec<u8>) {
        if self.skipping.is_none() {
            let at = self.only_grave().unwrap_or(self.held.len());
            self.refuse_from(at, answer, out);
        }
        self.behind(&asked.bytes, out);
    }

    /// `Flush` or `Sync` itself.
    pub(super) fn behind(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if bytes.first() == Some(&b'S') {
            self.skipping = None;
            self.ends_pipeline();
            out.extend_from_slice(bytes);
            let expect = self.expect(Awaits::Sync);
            self.expects.push_back(expect);
        } else if self.skipping.is_none() {
            out.extend_from_slice(bytes);
        }
    }

    /// The server has planned a `Bind` that was cleared.
    pub(super) fn bound(&mut self, at: u64, leaf: Option<LeafIndex>) {
        let outcome = || Outcome::done(BOUND.to_owned(), None);
        self.known.extend(leaf.map(|leaf| Known {
            at,
            leaf,
            outcome: outcome(),
            is_final: false,
            only_reads: true,
        }));
    }
}
