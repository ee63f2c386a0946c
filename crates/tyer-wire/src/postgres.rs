//! PostgreSQL: its wire protocol and its SQL.

pub mod understand;
