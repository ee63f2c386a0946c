//! The black-box tests: the built program, a real PostgreSQL, real drivers, software passkeys, Chromium.
//!
//! One binary, so that everything is linked once. Each test has a cluster and a Tyer of its own.

#[cfg(test)]
mod bed;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod clients;
mod crash;
#[cfg(test)]
mod faults;
mod holds;
#[cfg(test)]
mod migrations;
mod observe;
mod people;
#[cfg(test)]
mod proposals;
#[cfg(test)]
mod proxy;
mod rollback;
#[cfg(test)]
mod scale;
#[cfg(test)]
mod scenarios;
mod sessions;
mod story;
#[cfg(test)]
mod suites;
mod waiting;
