//! The domain of Tyer: what a request would do, who must agree, what was recorded.
//!
//! This crate never does I/O, never waits and never asks for the time: every moment is an argument,
//! every consequence is a returned value. Modules stand in reading order.

pub mod allowance;
pub mod assertion;
pub mod assurance;
pub mod ceilings;
pub mod facts;
pub mod figures;
pub mod freeze;
pub mod glass;
pub mod hold;
pub mod hours;
pub mod intent;
pub mod ledger;
pub mod limits;
pub mod locks;
pub mod names;
pub mod pace;
pub mod people;
pub mod policy;
pub mod record;
pub mod roles;
pub mod roster;
pub mod sequence;
pub mod sshsig;
pub mod statement;
pub mod verdict;
