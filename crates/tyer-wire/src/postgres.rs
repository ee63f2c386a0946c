//! The PostgreSQL frontend/backend protocol, versions 3.0 and 3.2, as seen from between an agent and its
//! database (PostgreSQL documentation, chapter "Frontend/Backend Protocol").
//!
//! Reading order: bytes become frames in [`decode`]; the first packets are [`startup`] and [`scram`] towards
//! an agent, and [`welcome`] from its server; [`session`] relays the rest and asks before anything runs;
//! [`understand`] says what it would do, [`probe`] what may be asked about it beforehand, [`identity`] which
//! request it is, [`refuse`] how a refusal sounds to a driver.

pub mod decode;
pub mod encode;
pub mod identity;
pub mod probe;
pub mod refuse;
pub mod scram;
pub mod session;
pub mod startup;
pub mod understand;
pub mod welcome;
