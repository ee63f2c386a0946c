//! Freezes: anyone may start one, the calendar starts its own, and two passkeys end one early.
//!
//! Whether something is frozen is looked up in the calendar itself at every decision; that a freeze of the calendar
//! has begun is recorded within a tick, so that it stands in the ledger and can be signed against.

use std::sync::PoisonError;

use tyer_core::freeze::{Freeze, LocalTime, Scope, Zone};
use tyer_core::intent::{Digest, Environment, FreezeId, Intent, PersonId, Timestamp, Upstream};
use tyer_core::limits::{FREEZES_MAX, FREEZES_SHOWN_MS};
use tyer_core::record::{Record, What};
use tyer_core::statement::Decision;
use tyer_core::verdict::{Reason, Verdict};

use crate::clock;
use crate::config::scope;
use crate::gateway::statements::Word;
use crate::gateway::world::freezes::{Freezes, Started};
use crate::gateway::world::{FREEZES, Person, World};
use crate::gateway::{Gateway, News};
use crate::store::{Change, StoreError, Table};

/// What somebody asks of a new freeze.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewFreeze {
    pub(crate) reason: String,
    pub(crate) environment: Option<String>,
    pub(crate) upstream: Option<String>,
    /// A local time in `zone`.
    pub(crate) until: Option<String>,
    /// The name of a time zone; UTC unless given.
    pub(crate) zone: Option<String>,
}

/// Why a freeze is not started.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum FreezeError {
    #[error("{0}")]
    Asked(String),
    #[error("there are {FREEZES_MAX} freezes already")]
    TooMany,
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Why a freeze is not ended.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ThawError {
    #[error("no freeze `{0}` holds, or another one has this name by now; look again")]
    NotFrozen(FreezeId),
    #[error("{0} has signed already, under whatever name; it needs a second person")]
    Twice(PersonId),
    #[error("{0} does not count and cannot end a freeze")]
    DoesNotCount(PersonId),
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// A freeze that holds or will, as people see it.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) freeze: Freeze,
    pub(crate) holds: bool,
    /// Who has signed to end it early.
    pub(crate) signed_by: Vec<String>,
    /// How many have to.
    pub(crate) enders: usize,
}

impl Gateway {
    /// Starts a freeze. What is frozen in just this way already stays as it is.
    pub(crate) async fn freeze(&self, by: &str, new: NewFreeze) -> Result<Freeze, FreezeError> {
        let now = clock::now();
        let (scope, until, zone) = self.asked(&new, now)?;
        let _gate = self.gate.write().await;
        let mut world = self.world().await;
        let now = clock::now();
        let same = |it: &&Started| {
            it.freeze.scope == scope && it.freeze.until == until && !it.freeze.is_of_calendar()
        };
        if let Some(same) = world.freezes.holding(now).find(same) {
            return Ok(same.freeze.clone());
        }
        if world.freezes.holding(now).count() >= FREEZES_MAX {
            return Err(FreezeError::TooMany);
        }
        let mut freezes = world.freezes.clone();
        let (id, by, reason) = (freezes.next(), by.to_owned(), new.reason);
        let freeze = Freeze { id, scope, since: now, until, zone, by, reason };
        freezes.start(freeze.clone());
        let what = What::FreezeStarted { freeze: freeze.clone() };
        self.keep_freezes(&mut world, freezes, Change::default().leaf(&Record::new(now, what))).await?;
        Ok(freeze)
    }

    /// What is to be frozen and until when.
    fn asked(
        &self,
        new: &NewFreeze,
        now: Timestamp,
    ) -> Result<(Scope, Option<Timestamp>, Option<String>), FreezeError> {
        let asked = |error: String| FreezeError::Asked(error);
        let scope = scope(new.environment.clone(), new.upstream.clone(), &self.config.upstreams);
        let scope = scope.map_err(|(_, message)| asked(message))?;
        let Some(until) = &new.until else { return Ok((scope, None, None)) };
        let zone = new.zone.as_deref().map_or_else(|| Ok(Zone::default()), Zone::parse);
        let zone = zone.map_err(|error| asked(error.to_string()))?;
        let until = zone.end(LocalTime::parse(until).map_err(|error| asked(error.to_string()))?);
        if until <= now {
            return Err(asked("a freeze ends later than now".to_owned()));
        }
        Ok((scope, Some(until), Some(zone.name().to_owned())))
    }

    /// Makes freezes durable with their leaf, and only then seen.
    async fn keep_freezes(
        &self,
        world: &mut World,
        freezes: Freezes,
        change: Change,
    ) -> Result<(), StoreError> {
        self.sequencer.commit(change.put(Table::Setting, FREEZES, &freezes)).await?;
        world.freezes = freezes;
        self.tell(News::Rules);
        Ok(())
    }

    /// Whether changes at this upstream are frozen.
    pub(super) fn is_frozen(
        &self,
        world: &World,
        place: (&Environment, &Upstream),
        now: Timestamp,
    ) -> bool {
        world.freezes.cover(place, now) || {
            let comes =
                |it: &&Freeze| it.scope.covers(place.0, place.1) && world.freezes.known(it).is_none();
            self.of_calendar(now, |freezes| freezes.iter().any(|it| comes(&it)))
        }
    }

    /// The freezes of this upstream that began after `from`, up to `until`, whether they hold still or not.
    pub(super) fn begun_between(
        &self,
        world: &World,
        place: (&Environment, &Upstream),
        (from, until): (Timestamp, Timestamp),
    ) -> Vec<Freeze> {
        let begun =
            |it: &Freeze| from <= it.since && it.since <= until && it.scope.covers(place.0, place.1);
        let mut all: Vec<Freeze> = world.freezes.ever().filter(|it| begun(it)).cloned().collect();
        // While nothing ran none was recorded.
        let of_calendar = self.config.calendar.within(from, until.plus(1)).into_iter().filter(begun);
        let unknown: Vec<Freeze> = of_calendar.filter(|it| !all.contains(it)).collect();
        all.extend(unknown);
        all
    }

    /// Whether the policies only observe what is asked. During a freeze everything is enforced.
    pub(super) fn observes_now(&self, world: &World, intent: &Intent, now: Timestamp) -> bool {
        let place = (&intent.environment, &intent.upstream);
        self.observes(&intent.upstream) && !self.is_frozen(world, place, now)
    }

    /// The same decision; if it refuses what is frozen, it names the freeze that goes on for longest.
    pub(super) fn naming(
        &self,
        decision: tyer_core::policy::Decision,
        world: &World,
        place: (&Environment, &Upstream),
        now: Timestamp,
    ) -> tyer_core::policy::Decision {
        let mut decision = decision;
        if let Verdict::Deny(refusal) = &mut decision.verdict
            && refusal.reason == Reason::Frozen
        {
            let covers = |it: &Shown| it.holds && it.freeze.scope.covers(place.0, place.1);
            let all = self.freezes(world, now).into_iter().filter(covers);
            let longest = all.max_by_key(|it| it.freeze.until.unwrap_or(Timestamp(i64::MAX)));
            if let Some(longest) = longest {
                refusal.message = longest.freeze.in_words();
            }
        }
        decision
    }

    /// What the calendar freezes at that moment; looked up anew only when that changes.
    fn of_calendar<T>(&self, now: Timestamp, look: impl FnOnce(&[Freeze]) -> T) -> T {
        if self.config.calendar.is_empty() {
            return look(&[]);
        }
        let mut spell = self.spell.lock().unwrap_or_else(PoisonError::into_inner);
        if !spell.as_ref().is_some_and(|spell| spell.is_at(now)) {
            *spell = Some(self.config.calendar.at(now));
        }
        look(spell.as_ref().map_or(&[], |spell| &spell.freezes))
    }

    /// The freezes that hold or will within the next days, those that hold first.
    pub(crate) fn freezes(&self, world: &World, now: Timestamp) -> Vec<Shown> {
        let enders = world.enders();
        let signer = |signed: &tyer_core::statement::Signed| signed.statement.person.clone();
        let started = world.freezes.holding(now).map(|it| Shown {
            freeze: it.freeze.clone(),
            holds: true,
            signed_by: it.signed.iter().map(signer).collect(),
            enders,
        });
        let coming = self.config.calendar.within(now, now.plus(FREEZES_SHOWN_MS)).into_iter();
        let coming = coming.filter(|freeze| world.freezes.known(freeze).is_none());
        let coming = coming.map(|freeze| {
            let holds = freeze.holds(now);
            Shown { freeze, holds, signed_by: Vec::new(), enders }
        });
        let mut all: Vec<Shown> = started.chain(coming).collect();
        all.sort_by_key(|shown| (!shown.holds, shown.freeze.since));
        all
    }

    /// Records freezes of the calendar that have begun, and forgets those that are over; called now and then.
    pub(crate) async fn note_freezes(&self) {
        let begun = |world: &World, now: Timestamp| -> Vec<Freeze> {
            let new = |it: &&Freeze| world.freezes.known(it).is_none();
            self.of_calendar(now, |freezes| freezes.iter().filter(new).cloned().collect())
        };
        {
            let (mut world, now) = (self.world().await, clock::now());
            let mut freezes = world.freezes.clone();
            if freezes.forget_past(now)
                && let Err(error) = self.keep_freezes(&mut world, freezes, Change::default()).await
            {
                tracing::error!(%error, "freezes that are over stay listed for now");
            }
            if begun(&world, now).is_empty() {
                return;
            }
        }
        // No decision from before is recorded after it.
        let _gate = self.gate.write().await;
        let (mut world, now) = (self.world().await, clock::now());
        let (mut freezes, mut change) = (world.freezes.clone(), Change::default());
        for freeze in begun(&world, now) {
            freezes.start(freeze.clone());
            change = change.leaf(&Record::new(now, What::FreezeStarted { freeze }));
        }
        if let Err(error) = self.keep_freezes(&mut world, freezes, change).await {
            tracing::error!(%error, "a freeze of the calendar holds and is not recorded yet");
        }
    }

    /// What a person signs to end a freeze early.
    pub(super) fn thawing(world: &World, id: &FreezeId) -> Result<Decision, ThawError> {
        let started = world.freezes.find(id, clock::now());
        Ok(started.ok_or_else(|| ThawError::NotFrozen(id.clone()))?.freeze.ending())
    }

    /// Adds a person's word against the freeze that they saw; with the second one it ends.
    pub(super) async fn thaw(
        &self,
        world: &mut World,
        word: Word,
        (id, digest): (FreezeId, Digest),
    ) -> Result<(), ThawError> {
        let Word { signed, by, now, .. } = word;
        let counts = |name: &str| world.people.get(&PersonId::new(name)).is_some_and(Person::counts);
        if !counts(by.as_str()) {
            return Err(ThawError::DoesNotCount(by));
        }
        let mut freezes = world.freezes.clone();
        let Some(started) = freezes.find_mut(digest, now).filter(|it| it.freeze.id == id) else {
            return Err(ThawError::NotFrozen(id));
        };
        // Whoever has stopped counting since does not count here either.
        started.signed.retain(|earlier| counts(&earlier.statement.person));
        let among = world.among();
        let same = |name: &str| among.are_one(&PersonId::new(name), &by);
        if started.signed.iter().any(|earlier| same(&earlier.statement.person)) {
            return Err(ThawError::Twice(by));
        }
        started.signed.push(signed);
        let mut change = Change::default();
        let signers = started.signed.iter().map(|it| PersonId::new(it.statement.person.clone()));
        let humans = among.humans(&signers.collect::<Vec<_>>());
        // Names that are one human are one, and make no fewer that are needed.
        if humans >= world.enders() {
            started.is_ended = true;
            let what = What::FreezeEnded { freeze: id, signed: started.signed.clone() };
            change = change.leaf(&Record::new(now, what));
        }
        freezes.forget_past(now);
        Ok(self.keep_freezes(world, freezes, change).await?)
    }
}
