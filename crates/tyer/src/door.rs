//! Doors: where agents connect. A door speaks one protocol with the agent, asks the gateway before
//! anything runs, and relays. Doors call the gateway; the gateway never calls a door.

pub(crate) mod accept;
pub(crate) mod aws;
mod lasting;
pub(crate) mod postgres;
pub(crate) mod threads;
