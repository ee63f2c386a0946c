//! Protocols without I/O: bytes in, intents and bytes out.
//!
//! Everything here is a function or a state machine over bytes that a door has read; nothing here
//! waits, reads a clock or opens a socket. One protocol never imports another.

pub mod aws;
pub mod line;
pub mod postgres;
