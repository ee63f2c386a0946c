//! Protocols without I/O: bytes in, intents out.

pub mod postgres;
