//! What breaks around Tyer: the upstream in the middle of things, the disk, the clock. Refusals are
//! clear, outcomes are never claimed, and everything works again without help.

mod clock;
mod store;
mod upstream;
