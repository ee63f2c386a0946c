//! The pace of calls by people who have not signed in: token buckets, one per address and one for all.
//!
//! Passkeys cannot be guessed, so this only keeps strangers from using up statements and time. Enrolling
//! and signing in are two calls each, and behind a reverse proxy everybody shares the proxy's address; the
//! numbers leave room for both.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use tyer_core::intent::Timestamp;

/// Calls per minute and address.
const PER_ADDRESS: u32 = 30;
/// Calls per minute of everybody together.
const OVERALL: u32 = 120;
/// Addresses that are remembered; when there are more, those that have rested are forgotten.
const ADDRESSES_MAX: usize = 10_000;
const MINUTE_MS: i64 = 60_000;

/// Who has called how often lately.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    overall: Option<Bucket>,
    by_address: HashMap<IpAddr, Bucket>,
}

/// Milliseconds of credit: a call costs a minute divided by the calls per minute.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    credit_ms: i64,
    at: Timestamp,
}

impl Bucket {
    fn full(at: Timestamp) -> Self {
        Self { credit_ms: MINUTE_MS, at }
    }

    fn refilled(self, now: Timestamp) -> Self {
        let since = now.0.saturating_sub(self.at.0).clamp(0, MINUTE_MS);
        Self { credit_ms: (self.credit_ms + since).min(MINUTE_MS), at: now }
    }
}

impl Pace {
    /// Takes a call into account.
    ///
    /// # Errors
    /// The seconds to wait when there are too many.
    pub(crate) fn call(&self, from: IpAddr, now: Timestamp) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let from = network(from);
        buckets.forget_rested(now);
        let overall = buckets.overall.unwrap_or(Bucket::full(now)).refilled(now);
        let address = buckets.by_address.get(&from).copied().unwrap_or(Bucket::full(now)).refilled(now);
        let (cost_overall, cost) = (MINUTE_MS / i64::from(OVERALL), MINUTE_MS / i64::from(PER_ADDRESS));
        let missing = (cost_overall - overall.credit_ms).max(cost - address.credit_ms);
        if missing > 0 {
            return Err(u64::try_from(missing).unwrap_or_default().div_ceil(1_000));
        }
        buckets.overall = Some(Bucket { credit_ms: overall.credit_ms - cost_overall, ..overall });
        buckets.by_address.insert(from, Bucket { credit_ms: address.credit_ms - cost, ..address });
        Ok(())
    }
}

impl Buckets {
    fn forget_rested(&mut self, now: Timestamp) {
        if self.by_address.len() >= ADDRESSES_MAX {
            self.by_address.retain(|_, bucket| bucket.refilled(now).credit_ms < MINUTE_MS);
        }
    }
}

/// One household has one IPv4 address or one IPv6 network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => IpAddr::V4(four),
            None => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_may_call_thirty_times_a_minute() {
        let pace = Pace::default();
        let at = |second: i64| pace.call(address("192.0.2.1"), Timestamp(second * 1_000));
        for _ in 0..30 {
            assert_eq!(at(0), Ok(()));
        }
        assert_eq!(at(0), Err(2));
        assert_eq!(at(1), Err(1));
        assert_eq!(at(2), Ok(()));
        assert_eq!(at(2), Err(2));
        assert_eq!(pace.call(address("192.0.2.2"), Timestamp(2_000)), Ok(()));
        assert_eq!(at(-100), Err(2), "a clock that goes back gives nothing away");
    }

    #[test]
    fn everybody_together_may_call_twice_a_second() {
        let pace = Pace::default();
        let call =
            |last: u32, ms: i64| pace.call(IpAddr::V4((0xC000_0200 + last).into()), Timestamp(ms));
        assert!((0..120).all(|last| call(last, 0) == Ok(())));
        assert_eq!(call(120, 0), Err(1));
        assert_eq!(call(120, 500), Ok(()));
        assert_eq!(call(121, 500), Err(1));
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let check = |left: &str, right: &str, same: bool| {
            assert_eq!(network(address(left)) == network(address(right)), same, "{left} {right}");
        };
        check("2001:db8::1", "2001:db8::ffff:2", true);
        check("2001:db8:0:1::1", "2001:db8:0:2::1", false);
        check("::ffff:192.0.2.1", "192.0.2.1", true);
        check("192.0.2.1", "192.0.2.2", false);
    }
}
