//! The black-box tests: the built program, a real PostgreSQL, real drivers, software passkeys, Chromium.
//!
//! One binary, so that everything is linked once. Each test has a cluster and a Tyer of its own.

#[cfg(test)]
mod allowances;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod attestation;
#[cfg(test)]
mod aws;
#[cfg(test)]
mod aws_door;
#[cfg(test)]
mod bed;
#[cfg(test)]
mod beside;
#[cfg(test)]
mod beyond;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod ceilings;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod controllers;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod enforced;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod flood;
#[cfg(test)]
mod freezes;
#[cfg(test)]
mod glass;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod hours;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod locks;
#[cfg(test)]
mod meaning;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod observe;
#[cfg(test)]
mod passkeys;
#[cfg(test)]
mod people;
#[cfg(test)]
mod powers;
#[cfg(test)]
mod prepared;
#[cfg(test)]
mod proposals;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod rollback;
#[cfg(test)]
mod scale;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod sequence;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod ssh;
#[cfg(test)]
mod story;
#[cfg(test)]
mod suites;
#[cfg(test)]
mod teams;
#[cfg(test)]
mod think;
#[cfg(test)]
mod together;
#[cfg(test)]
mod told;
#[cfg(test)]
mod tricks;
#[cfg(test)]
mod two_person;
#[cfg(test)]
mod versions;
#[cfg(test)]
mod waiting;
