//! The pace at which an agent asks people: whoever keeps asking is slowed down, and named.
//!
//! Counted are questions that people are, or would be, asked, by a session (an agent cannot make itself another), and
//! which of them were rejected. Beyond so many in ten minutes each further one is put off for longer and longer, up to
//! a bound, and is told when to come again; a time that was given is kept. What people agreed to is no question.

use std::collections::BTreeMap;

use crate::intent::Timestamp;
use crate::limits::{PACE_FREE, PACE_MS, PACE_STEP_MS, PACE_WAIT_MS_MAX};

const MINUTE_MS: i64 = 60_000;

/// How often somebody asked lately; of constant size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    minutes: BTreeMap<i64, Counted>,
    /// When the next question is heard, while it is slowed.
    next: Option<Timestamp>,
}

/// Questions of the last ten minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many there were.
    pub asked: u32,
    /// How many people rejected, or were of what they had rejected.
    pub rejected: u32,
}

/// What a question comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paced {
    /// People are asked.
    Heard,
    /// They are not, until then.
    Later {
        /// When a question is heard again.
        until: Timestamp,
        /// It is slowed from now on, and was not before.
        begins: bool,
    },
}

impl Pace {
    /// People would be asked.
    #[must_use]
    pub fn asks(self, now: Timestamp) -> (Self, Paced) {
        let mut pace = self.at(now);
        let minute = pace.minute(now);
        minute.asked = minute.asked.saturating_add(1);
        let over = pace.counted(now).weight().saturating_sub(PACE_FREE);
        if over == 0 {
            pace.next = None;
            return (pace, Paced::Heard);
        }
        let wait = PACE_STEP_MS.saturating_mul(i64::from(over)).min(PACE_WAIT_MS_MAX);
        let paced = match pace.next {
            Some(until) if now < until => return (pace, Paced::Later { until, begins: false }),
            Some(_) => Paced::Heard,
            None => Paced::Later { until: now.plus(wait), begins: true },
        };
        pace.next = Some(now.plus(wait));
        (pace, paced)
    }

    /// People rejected a question, or it was one that they had rejected.
    #[must_use]
    pub fn rejected(self, now: Timestamp) -> Self {
        let mut pace = self.at(now);
        let minute = pace.minute(now);
        minute.rejected = minute.rejected.saturating_add(1);
        pace
    }

    /// The questions of the last ten minutes.
    #[must_use]
    pub fn counted(&self, now: Timestamp) -> Counted {
        let lately = self.minutes.range(first_minute(now)..);
        lately.fold(Counted::default(), |sum, (_, counted)| Counted {
            asked: sum.asked.saturating_add(counted.asked),
            rejected: sum.rejected.saturating_add(counted.rejected),
        })
    }

    /// Whether its questions are put off.
    #[must_use]
    pub fn is_slowed(&self, now: Timestamp) -> bool {
        self.next.is_some() && self.counted(now).weight() > PACE_FREE
    }

    /// Whether there is nothing to remember of it.
    #[must_use]
    pub fn is_quiet(&self, now: Timestamp) -> bool {
        self.counted(now) == Counted::default() && self.next.is_none_or(|next| next <= now)
    }

    fn at(mut self, now: Timestamp) -> Self {
        self.minutes = self.minutes.split_off(&first_minute(now));
        self
    }

    fn minute(&mut self, now: Timestamp) -> &mut Counted {
        self.minutes.entry(now.0.div_euclid(MINUTE_MS)).or_default()
    }
}

impl Counted {
    /// Whatever was rejected counts twice.
    fn weight(self) -> u32 {
        self.asked.saturating_add(self.rejected)
    }

    /// `has asked 37 times in 10 minutes, 12 were rejected`.
    #[must_use]
    pub fn in_words(self) -> String {
        let Self { asked, rejected } = self;
        format!("has asked {asked} times in {} minutes, {rejected} were rejected", PACE_MS / MINUTE_MS)
    }
}

/// The oldest minute that is still counted.
fn first_minute(now: Timestamp) -> i64 {
    now.0.saturating_sub(PACE_MS).div_euclid(MINUTE_MS).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What so many questions, so many milliseconds apart, come to: `.` heard, `b` slowed from here on, `w` put off.
    fn script(count: u32, apart: i64) -> String {
        let mut pace = Pace::default();
        let mut said = String::new();
        for number in 0..count {
            let (next, paced) = pace.asks(Timestamp(i64::from(number) * apart));
            pace = next;
            said.push(match paced {
                Paced::Heard => '.',
                Paced::Later { begins: true, .. } => 'b',
                Paced::Later { begins: false, .. } => 'w',
            });
        }
        said
    }

    #[test]
    fn whoever_keeps_asking_is_slowed_more_and_more() {
        let check = |count: u32, apart: i64, tail: &str| {
            let said = script(count, apart);
            let (head, rest) = said.split_at(PACE_FREE as usize);
            assert!(head.chars().all(|it| it == '.') && rest.starts_with(tail), "{said}");
        };
        // Two seconds after the first, then four, ten and so on.
        check(45, 1_000, "bw.");
        check(200, 10, "bwwwwwwwwwwwwwwwwww");
        // One in 21 seconds is never too many.
        assert!(script(500, 21_000).chars().all(|it| it == '.'));
    }

    #[test]
    fn rejections_count_and_after_ten_quiet_minutes_all_is_as_before() {
        let mut pace = Pace::default();
        for _ in 0..PACE_FREE {
            pace = pace.rejected(Timestamp(0));
        }
        let (pace, paced) = pace.asks(Timestamp(0));
        assert_eq!(paced, Paced::Later { until: Timestamp(PACE_STEP_MS), begins: true });
        assert_eq!(pace.counted(Timestamp(0)), Counted { asked: 1, rejected: PACE_FREE });
        assert!(pace.is_slowed(Timestamp(0)) && !pace.is_quiet(Timestamp(0)));
        assert!(!pace.is_slowed(Timestamp(PACE_MS)) && pace.is_quiet(Timestamp(PACE_MS)));
        let (pace, paced) = pace.asks(Timestamp(PACE_MS));
        assert_eq!((paced, pace.is_slowed(Timestamp(PACE_MS))), (Paced::Heard, false));
        let words = Counted { asked: 37, rejected: 12 }.in_words();
        assert_eq!(words, "has asked 37 times in 10 minutes, 12 were rejected");
    }

    proptest! {
        /// Its size and every wait are bounded, a time that was given is kept, and it is named from when it is slowed.
        #[test]
        fn no_wait_is_longer_than_the_bound_and_times_given_are_kept(
            steps in proptest::collection::vec((0..30_000_i64, any::<bool>()), 0..400),
        ) {
            let (mut pace, mut now, mut promised) = (Pace::default(), Timestamp(0), None::<Timestamp>);
            for (after, rejected) in steps {
                now = now.plus(after);
                if rejected {
                    pace = pace.rejected(now);
                }
                let (next, paced) = pace.asks(now);
                pace = next;
                prop_assert!(pace.minutes.len() <= 11);
                match paced {
                    Paced::Later { until, begins } => {
                        prop_assert!(now < until && until.0 - now.0 <= PACE_WAIT_MS_MAX);
                        prop_assert!(pace.is_slowed(now));
                        prop_assert!(begins || promised.is_none_or(|earlier| until == earlier));
                        promised = Some(until);
                    }
                    Paced::Heard => {
                        let is_free = pace.counted(now).weight() <= PACE_FREE;
                        prop_assert!(is_free || promised.is_none_or(|until| until <= now));
                        promised = None;
                    }
                }
            }
        }
    }
}
