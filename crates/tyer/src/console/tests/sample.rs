//! A card to look at: the story that this program exists for.

use tyer_core::intent::Timestamp;

use crate::api::bodies::Moment;
use crate::api::bodies::facts::{
    AheadBody, CascadeBody, CountedBody, FactsBody, InUseBody, LockBody, RelationBody, ReplicaBody,
    SafetyBody, ThingBody,
};
use crate::api::bodies::holds::{ActBody, ApprovalBody, CardBody, GivenBody, HoldBody, NeedsBody};
use crate::api::bodies::still::StillBody;

pub(crate) const NOW: Timestamp = Timestamp(1_795_442_400_000);

fn ago(minutes: i64) -> Moment {
    Moment(NOW.plus(-minutes * 60_000))
}

/// Alice's agent asks; bob, an owner, has agreed.
pub(crate) fn hold() -> HoldBody {
    HoldBody {
        hold: "H-42".to_owned(),
        state: "open",
        effect: "destroy",
        dangerous: true,
        what: vec![
            "removes every row of public.customers".to_owned(),
            "removes table public.orders_old with everything that depends on it".to_owned(),
        ],
        session: "s-7k2m9qxy".to_owned(),
        agent: "kiro".to_owned(),
        human: false,
        controller: "alice".to_owned(),
        also: Vec::new(),
        upstream: "orders".to_owned(),
        environment: "production".to_owned(),
        needs: NeedsBody {
            controller: false,
            peers: 2,
            owners: 1,
            signers: 0,
            hardware: 0,
            waited: 0,
            teams: Vec::new(),
            on_hours: 0,
            words: "two different people other than the controller, one of them an owner".to_owned(),
        },
        given: GivenBody {
            controller: false,
            peers: 1,
            owners: 1,
            signers: 1,
            hardware: 0,
            teams: Vec::new(),
            glass: false,
            on_hours: 0,
        },
        opened: ago(3),
        not_before: ago(3),
        ends: ago(-1_437),
        rejected: None,
        broken: None,
        pace: None,
        handed_to: Vec::new(),
        later: Vec::new(),
        put_off: None,
        fate: None,
        allowance: None,
    }
}

pub(crate) fn card() -> CardBody {
    let act = |effect, why: &str, resource: &str, reversibility| ActBody {
        effect,
        dangerous: effect == "destroy",
        resource: resource.to_owned(),
        reversibility,
        local: false,
        why: why.to_owned(),
    };
    CardBody {
        hold: hold(),
        purpose: "Migrate the customers table to the new schema (TICKET-311).".to_owned(),
        text: "-- harmless clean-up, reviewed\u{202E} yesterday\nBEGIN;\nDELETE FROM customers;\nDROP TABLE оrders_old CASCADE;\nSELECT 1;\nCOMMIT;".to_owned(),
        request_digest: "3f".repeat(32),
        card_digest: "a7".repeat(32),
        acts: vec![
            act("destroy", "removes every row of public.customers", "relation:public.customers", "recoverable"),
            act("destroy", "removes table public.orders_old with everything that depends on it", "relation:public.orders_old", "irreversible"),
            act("read", "reads from nothing", "database", "reversible"),
        ],
        facts: facts(),
        policies: vec!["guarded.dangerous-production".to_owned()],
        policy_set: "c1".repeat(32),
        taken: ago(3),
        approvals: vec![ApprovalBody {
            person: "bob".to_owned(),
            standing: "owner",
            assurance: "passkey",
            signed_by: "a passkey".to_owned(),
            at: ago(1),
            comment: "We have this morning's snapshot.".to_owned(),
        }],
        still: Some(StillBody {
            people: vec!["carol".to_owned(), "dave".to_owned()],
            later: Vec::new(),
            from: None,
            enough: true,
            words: "carol, dave".to_owned(),
        }),
        notes: Vec::new(),
    }
}

fn facts() -> FactsBody {
    let relation = RelationBody {
        name: "public.customers".to_owned(),
        rows: Some(1_204_331),
        touched: Some(1_204_331),
        bytes: Some(1_450_000_000),
        dependents: vec![
            "orders (rows are deleted with it)".to_owned(),
            "payments (its foreign key blocks, unless CASCADE)".to_owned(),
            "customer_totals (reads it)".to_owned(),
        ],
        counted: Some(CountedBody { rows: 100_000, exact: false }),
        share_percent: Some(100),
        parts: vec!["public.customers_2025".to_owned(), "public.customers_2026".to_owned()],
        cascades: vec![CascadeBody {
            name: "public.orders".to_owned(),
            how: "deleted",
            rows: Some(60_000),
            counted: Some(CountedBody { rows: 59_998, exact: true }),
        }],
        in_use: Some(InUseBody { sessions: 3, applications: vec!["web".to_owned()] }),
    };
    let replica = |name: &str, lag_ms, lag_bytes| ReplicaBody {
        name: name.to_owned(),
        state: "streaming".to_owned(),
        lag_ms,
        lag_bytes,
    };
    FactsBody {
        relations: vec![relation],
        names: vec!["orders: the view public.orders".to_owned()],
        unknown: vec!["public.orders_old is not a table that Tyer's role can see".to_owned()],
        differences: vec![
            "H-40 was approved for something else".to_owned(),
            "about 1,204,331 rows of public.customers, not 120".to_owned(),
        ],
        ceilings: vec![
            "public.customers: at most 1,324,764 rows".to_owned(),
            "any other table, by cascades or triggers: at most 1,324,764 rows".to_owned(),
        ],
        sequences: vec![
            "With what was done at 2026-11-23 14:00:00Z (makes the table public.orders_old), this deletes and recreates relation:public.orders_old".to_owned(),
        ],
        risk: Some("If relation:public.customers is made anew afterwards, what goes now does not come back with it: data, grants and dependents".to_owned()),
        locks: vec![lock()],
        things: vec![ThingBody {
            name: "stack costs".to_owned(),
            is: vec!["it is not protected from being deleted".to_owned()],
            now: vec!["its state is CREATE_COMPLETE".to_owned()],
        }],
        code: vec!["function public.archive()".to_owned(), "trigger archive of orders".to_owned()],
        safety: Some(SafetyBody {
            archived: Some(ago(4)),
            backup: Some(ago(8 * 60)),
            replicas: Some(vec![replica("lisbon", Some(120), Some(0)), replica("lagos", None, None)]),
        }),
    }
}

fn lock() -> LockBody {
    let (name, mode) = ("public.customers".to_owned(), "ACCESS EXCLUSIVE".to_owned());
    LockBody {
        name,
        mode,
        blocks: "reads_and_writes",
        work: "rewrite",
        through: None,
        parts: 2,
        bytes: Some(1_450_000_000),
        seconds: Some(15),
        ahead: Some(AheadBody { sessions: 3, oldest_ms: Some(720_000) }),
        words: "blocks reads and writes of public.customers and 2 parts of it (ACCESS EXCLUSIVE) while all of it is written anew: 1.4 GB, about 15 s at an assumed 100 MB/s".to_owned(),
        waits: Some("It has to wait for 3 sessions first; the oldest transaction had run for 12 min. Whoever comes after it waits behind it.".to_owned()),
    }
}
