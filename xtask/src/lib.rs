//! The project's own chores, as a library so that the black-box tests share them with the demo.
//!
//! Nothing here is shipped: the program never depends on this crate, and `tidy` checks that.

pub mod approver;
pub mod authenticator;
pub mod aws_table;
pub mod bench;
pub mod cluster;
pub mod demo;
pub mod http;
pub mod instance;
pub mod moto;
pub mod security_key;
pub mod tidy;
