//! Each case is a line of requests; the last one is asked about.

use proptest::prelude::*;

use super::*;
use crate::intent::{Acts, Digest, Environment, Kind, Reversibility};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn resource(name: &str) -> Resource {
    match name.split_once(':') {
        Some(("schema", name)) => Resource::new(Kind::Schema, name),
        Some(("object", name)) => Resource::new(Kind::Object, name),
        Some(("column", name)) => Resource::new(Kind::Column, name),
        _ => Resource::new(Kind::Relation, name),
    }
}

/// `create x`, `another x` (without a name), `copy x of y`, `drop x of y` (all copies that are kept with y), `rename x to y`, `disarm x`, `some x` (rows go), `destroy x`, `replace x`, `read x`.
fn act(text: &str) -> Act {
    let words: Vec<&str> = text.split(' ').collect();
    let (effect, tie) = match words.as_slice() {
        ["create", _] => (Effect::Create, None),
        ["copy", _, "of", of] => (Effect::Create, Some(Tie::CopyOf(resource(of)))),
        ["rename", _, "to", name] => (Effect::Change, Some(Tie::Becomes(resource(name)))),
        ["disarm", _] => (Effect::Disarm, None),
        ["some", _] => (Effect::Destroy, Some(Tie::Part)),
        ["another", _] => (Effect::Create, Some(Tie::Unnamed)),
        ["drop", _, "of", of] => (Effect::Destroy, Some(Tie::CopiesOf(resource(of)))),
        ["destroy", _] => (Effect::Destroy, None),
        ["replace", _] => (Effect::Replace, None),
        ["read", _] => (Effect::Read, None),
        _ => panic!("{text}"),
    };
    Act {
        effect,
        resource: resource(&words[1].replace('_', " ").replace("~", "_")),
        reversibility: Reversibility::Recoverable,
        local: false,
        why: text.to_owned(),
        tie,
    }
}

/// A request: `session/controller@upstream day: act, act`.
fn request(text: &str) -> (Intent, Timestamp) {
    let (who, acts) = text.split_once(": ").expect("who");
    let (who, day) = who.split_once(' ').unwrap_or((who, "0"));
    let (who, upstream) = who.split_once('@').unwrap_or((who, "orders"));
    let (session, controller) = who.split_once('/').unwrap_or((who, "alice"));
    let acts: Vec<Act> = acts.split(", ").map(act).collect();
    let principal = Principal {
        session: SessionId::new(session),
        agent: "kiro".to_owned(),
        human: false,
        controller: PersonId::new(controller),
        also: Vec::new(),
    };
    let digest = Digest::of(text.as_bytes());
    let intent = Intent {
        principal,
        upstream: Upstream::new(upstream),
        environment: Environment::production(),
        acts: Acts::new(acts[0].clone(), acts[1..].to_vec()),
        digest,
        shape: digest,
        text: String::new(),
        redacted: String::new(),
    };
    (intent, Timestamp(day.parse::<i64>().expect("a day") * DAY_MS))
}

fn words(found: &Found) -> String {
    let mut words: Vec<String> = found
        .sequences
        .iter()
        .map(|sequence| format!("{} {}", sequence.pattern.as_str(), sequence.resource.name))
        .collect();
    words.dedup();
    if found.refused.is_some() {
        words.push("refused".to_owned());
    }
    words.join(", ")
}

fn note(history: &mut History, leaf: u64, text: &str) {
    let (intent, now) = request(text);
    if let Some((mark, _)) = history.note(&intent, false, now) {
        history.recorded(mark, LeafIndex(leaf));
        history.done(LeafIndex(leaf));
    }
    history.forget(now);
}

/// Told of all but the last request in turn, what it says of that.
fn check(requests: &[&str], expect: &str) {
    let (last, earlier) = requests.split_last().expect("a request");
    let mut history = History::default();
    for (leaf, text) in (0..).zip(earlier) {
        match text.strip_prefix("end ") {
            Some(session) => history.session_ended(&SessionId::new(session)),
            None => note(&mut history, leaf, text),
        }
    }
    let (intent, now) = request(last);
    assert_eq!(words(&history.look(&intent, now)), expect, "{requests:?}");
}

#[test]
fn what_is_deleted_and_made_anew() {
    check(&["s: destroy orders", "s: create orders"], "recreate orders");
    check(&["s: destroy orders, create orders"], "recreate orders");
    check(&["s: destroy public.orders", "s: create orders"], "recreate orders");
    check(&["s: create orders", "s: destroy orders"], "recreate orders");
    check(&["s: destroy orders", "s: create items"], "");
    check(&["s: destroy orders", "t/bob: create orders"], "");
    check(&["s: destroy orders", "s: read orders"], "");
    check(&["s: some orders", "s: create orders"], "");
    check(&["s: destroy schema:a", "s: create a.orders"], "recreate a.orders");
    check(&["s: destroy schema:a", "s: create orders"], "recreate orders");
    check(&["s: destroy schema:a", "s: create b.orders"], "");
    check(&["s: destroy column:orders.note", "s: create column:orders.note"], "recreate orders.note");
    // Once it is made anew, loading it further is nothing new.
    check(&["s: destroy orders", "s: create orders", "s: create orders"], "");
    check(&["s: destroy orders", "s: create orders", "s: destroy orders"], "recreate orders");
    check(&["s: destroy schema:a", "s: create a.orders", "s: create a.orders"], "");
}

#[test]
fn before_anything_follows_what_may_is_announced() {
    let check = |text: &str, expect: &str| {
        let (intent, now) = request(text);
        let seen: Vec<Sequence> = History::default().look(&intent, now).sequences.into_iter().collect();
        let risk = Risk::of(&intent.acts, &seen);
        let said = risk.map(|risk| format!("{} +{}", risk.resource.name, risk.more));
        assert_eq!(said.unwrap_or_default(), expect, "{text}");
    };
    check("s: destroy orders", "orders +0");
    check("s: destroy object:stack/ce", "stack/ce +0");
    check("s: read items, destroy orders, destroy items, some customers", "orders +1");
    check("s: some orders", "");
    check("s: create orders", "");
    check("s: disarm orders, read orders", "");
    check("s: drop object:a:backups of object:a", "");
    // What is seen already is named as such.
    check("s: destroy orders, create orders", "");
    check("s: destroy public.orders, create orders, destroy items", "items +0");
    let risk = Risk { resource: resource("orders"), more: 2 };
    assert_eq!(
        risk.in_words(),
        "If relation:orders or any of 2 more is made anew afterwards, what goes now does not come back with \
         it: data, grants and dependents"
    );
}

#[test]
fn what_sessions_of_one_person_come_to() {
    check(&["s: destroy orders", "t: create orders"], "recreate orders");
    check(&["s: destroy orders", "t 1: create orders"], "");
    check(&["s: destroy orders", "s 1: create orders"], "recreate orders");
    check(&["s: disarm orders", "t: destroy orders"], "disarm_then_destroy orders");
    check(&["s: destroy orders", "t/bob: create orders", "u: create orders"], "recreate orders");
    check(&["s: create object:a/b", "end s", "t: destroy object:a/b"], "recreate a/b");
    check(&["s: destroy object:a/*", "end s", "t/bob: create object:a/b"], "");
}

#[test]
fn what_has_one_name_everywhere_is_followed_from_door_to_door() {
    check(&["s@cloud: destroy object:arn:x", "t: create object:arn:x"], "recreate arn:x");
    check(&["s@cloud: destroy object:stack/x", "t: create object:stack/x"], "");
    check(&["s@cloud: destroy orders", "t: create orders"], "");
    check(&["s@cloud: destroy orders", "s@cloud: create orders"], "recreate orders");
}

#[test]
fn what_takes_the_name_of_something_else() {
    check(&["s: destroy orders", "s: rename new to orders"], "recreate orders");
    check(&["s: copy new of orders, destroy orders, rename new to orders"], "recreate orders");
    check(&["s: rename orders to old", "s: create orders", "s: destroy old"], "recreate orders");
    check(&["s: rename orders to old", "s: rename new to orders", "s: destroy old"], "recreate orders");
    check(
        &["s: rename orders to old", "s: rename old to older", "s: create orders, destroy older"],
        "recreate orders",
    );
    check(&["s: rename orders to old", "s: destroy old"], "");
    check(&["s: create new", "s: rename new to newer", "s: destroy newer"], "recreate newer");
    check(&["s: rename orders to old", "s: create items", "s: destroy items"], "recreate items");
}

#[test]
fn what_loses_its_protection_first() {
    check(&["s: disarm orders", "s: destroy orders"], "disarm_then_destroy orders");
    check(&["s: disarm orders, destroy orders"], "disarm_then_destroy orders");
    check(&["s: disarm object:trigger_orders.spy", "s: destroy orders"], "disarm_then_destroy orders");
    check(&["s: disarm object:event_trigger", "s: destroy orders"], "disarm_then_destroy orders");
    check(&["s: disarm orders", "s: some orders"], "disarm_then_destroy orders");
    check(&["s: disarm orders", "s: rename orders to old", "s: some old"], "disarm_then_destroy old");
    check(&["s: disarm orders", "s: destroy schema:public"], "disarm_then_destroy public");
    check(&["s: disarm items", "s: destroy orders"], "");
    check(&["s: disarm orders", "t/bob: destroy orders"], "");
    check(&["s: destroy orders", "s: disarm orders"], "");
}

#[test]
fn what_goes_with_its_last_known_backup() {
    let refused = "backup_then_destroy orders, refused";
    let copied = "s: copy b of orders";
    check(&[copied, "t: destroy b", "u: destroy orders"], refused);
    check(&[copied, "t: destroy b, destroy orders"], refused);
    check(&[copied, "t: destroy orders, destroy b"], refused);
    check(&[copied, "t 1: destroy b", "u 7: destroy orders"], refused);
    check(&[copied, "t 1: destroy b", "u 8: destroy orders"], "");
    check(&["s: copy b of orders", "t 400: destroy b", "u 401: destroy orders"], refused);
    check(&[copied, "t/alice: destroy b", "u/bob: destroy orders"], "");
    check(&[copied, "t/bob: destroy b, destroy orders"], refused);
    check(&[copied, "t: destroy orders"], "");
    check(&[copied, "s: copy c of orders", "t: destroy orders", "t: destroy b"], "");
    check(&[copied, "s: copy c of orders", "t: destroy b", "u: destroy orders"], "");
    check(&[copied, "s: copy c of b", "t: destroy b", "u: destroy orders"], "");
    check(&[copied, "s: copy c of b", "t: destroy b, destroy c", "u: destroy orders"], refused);
    check(&[copied, "t: destroy b", "t: copy c of orders", "u: destroy orders"], "");
    check(&[copied, "t: some b", "u: destroy orders"], refused);
    check(&[copied, "t: replace b", "u: destroy orders"], refused);
    check(&[copied, "t: destroy b", "u: some orders"], "backup_then_destroy orders");
    check(&[copied, "t: destroy b", "u: destroy items"], "");
    check(&["s: copy a.b of a.orders", "t: destroy schema:a"], "backup_then_destroy a.orders, refused");
    // Whether they are in that schema cannot be told.
    check(&[copied, "t: destroy schema:a"], "backup_then_destroy orders");
}

#[test]
fn the_last_known_backup_of_what_was_destroyed_stays() {
    let refused = "backup_then_destroy orders, refused";
    let copied = "s: copy b of orders";
    check(&[copied, "t: destroy orders", "u: destroy b"], refused);
    check(&[copied, "t: destroy orders", "u: some b"], refused);
    check(&[copied, "t: destroy orders", "u: replace b"], refused);
    check(&[copied, "t 1: destroy orders", "u 7: destroy b"], refused);
    check(&[copied, "t 1: destroy orders", "u 8: destroy b"], "");
    check(&[copied, "t/alice: destroy orders", "u/bob: destroy b"], "");
    check(&[copied, "t: some orders", "u: destroy b"], "");
    check(&[copied, "t: destroy items", "u: destroy b"], "");
    check(&["s: copy b of orders, destroy orders", "t: destroy b"], refused);
    check(&["s: copy a.b of a.orders", "t: destroy schema:a"], "backup_then_destroy a.orders, refused");
    check(
        &["s: copy c.b of a.orders", "t: destroy schema:a", "t: destroy c.b"],
        "backup_then_destroy a.orders, refused",
    );
    // As long as another is known; however the last of them is called by then.
    let other = "s: copy c of orders";
    check(&[copied, other, "t: destroy orders", "t: destroy b"], "");
    check(&[copied, other, "t: destroy orders", "t: destroy b", "t: destroy c"], refused);
    check(&[copied, "s: copy c of b", "t: destroy orders", "t: destroy b"], "");
    check(&[copied, "t: destroy orders", "t: rename b to c", "t: destroy c"], refused);
    // Something else of its name does not bring it back, a copy does.
    check(&[copied, "t: destroy orders", "u: create orders", "u: destroy b"], refused);
    check(
        &[copied, "t: destroy orders", "u: create orders", "u: rename orders to old", "u: destroy b"],
        "backup_then_destroy old, refused",
    );
    check(&[copied, "t: destroy orders", "u: copy orders of b", "u: destroy b"], "");
    check(
        &[copied, "t: destroy orders", "u: copy orders of b", "u: destroy orders", "u: destroy b"],
        "backup_then_destroy b, backup_then_destroy orders, refused",
    );
}

#[test]
fn a_backup_that_nobody_told_of_is_asked_about_when_it_goes() {
    let gone = "t: destroy object:arn:db/costs";
    let last = "u: drop object:arn:snapshot/1 of object:arn:db/costs";
    let refused = "backup_then_destroy arn:db/costs, refused";
    check(&[gone, last], refused);
    check(&[gone, "end t", "u 6: drop object:arn:snapshot/1 of object:arn:db/costs"], refused);
    check(&[gone, "u 7: drop object:arn:snapshot/1 of object:arn:db/costs"], "");
    check(&["t/bob: destroy object:arn:db/costs", last], "");
    check(&["t: destroy object:arn:db/items", last], "");
    check(&["t@cloud: destroy object:arn:db/costs", last], "");
    let any = "u: drop object:arn:snapshot/1 of object:arn:db/*";
    check(&[gone, any], "backup_then_destroy arn:db/*");
}

#[test]
fn whoever_destroys_more_than_fits_removes_no_last_backup_for_a_week() {
    let mut history = History::default();
    let mut leaf = 0;
    while history.unsaid.is_empty() {
        let (intent, now) = request(&format!("s{leaf}: destroy object:arn:object/{leaf}"));
        if let Some((mark, _)) = history.note(&intent, false, now) {
            history.recorded(mark, LeafIndex(leaf));
            history.done(LeafIndex(leaf));
        }
        leaf += 1;
        assert!(leaf < 20_000, "never full");
    }
    let look = |text: &str| {
        let (intent, now) = request(text);
        history.look(&intent, now).refused.is_some()
    };
    assert!(look("t/alice 6: drop object:arn:snapshot/1 of object:arn:db/costs"));
    assert!(!look("t/alice 7: drop object:arn:snapshot/1 of object:arn:db/costs"));
    assert!(!look("t/bob: drop object:arn:snapshot/1 of object:arn:db/costs"));
    assert!(!look("t/alice: destroy object:arn:db/costs"));
    history.forget(Timestamp(7 * DAY_MS));
    assert!(history.unsaid.is_empty() && history.losses.is_empty());
}

#[test]
fn what_is_exchanged_for_another_of_its_kind() {
    let exchange = "exchange machine/a";
    check(&["s: destroy object:machine/a", "s: another object:machine/*"], exchange);
    check(&["s: another object:machine/*", "s: destroy object:machine/a"], exchange);
    check(&["s: destroy object:machine/a, another object:machine/*"], exchange);
    check(&["s: destroy object:machine/a", "s: another object:volume/*"], "");
    check(&["s: destroy object:machine/a", "t/bob: another object:machine/*"], "");
    // One more is nothing new.
    check(
        &["s: destroy object:machine/a", "s: another object:machine/*", "s: another object:machine/*"],
        "",
    );
    check(
        &["s: another object:machine/*", "s: another object:machine/*", "s: destroy object:machine/a"],
        exchange,
    );
    // A name of which a part is not known is a name.
    check(&["s: destroy object:stack/a/51af", "s: create object:stack/a/*"], "recreate stack/a/*");
    check(&["s: create object:stack/a/*", "s: destroy object:stack/a/51af"], "recreate stack/a/51af");
    check(&["s: destroy object:stack/b/51af", "s: create object:stack/a/*"], "");
}

#[test]
fn what_goes_with_the_copies_that_are_kept_with_it() {
    let refused = "backup_then_destroy orders, refused";
    let gone = "t: drop object:auto/orders of orders";
    check(&["t: destroy orders, drop object:auto/orders of orders"], refused);
    check(&["t: drop object:auto/orders of orders, destroy orders"], refused);
    check(&[gone, "u 6: destroy orders"], refused);
    check(&[gone, "u 7: destroy orders"], "");
    check(&["t/bob: drop object:auto/orders of orders", "u/alice: destroy orders"], "");
    check(&[gone, "u: destroy items"], "");
    check(&[gone, "u: some orders"], "backup_then_destroy orders");
    check(&[gone], "");
    // Another copy is known, made before or within the same request.
    check(&["s: copy b of orders", "t: destroy orders, drop object:auto/orders of orders"], "");
    check(&["t: copy b of orders, destroy orders, drop object:auto/orders of orders"], "");
    check(
        &[
            "s: copy b of orders",
            "t: destroy b",
            "u: destroy orders, drop object:auto/orders of orders",
        ],
        refused,
    );
    check(&[gone, "t: rename orders to old", "t: destroy old"], "backup_then_destroy old, refused");
}

#[test]
fn a_copy_without_a_name_may_be_any() {
    let copied = "s: copy object:snapshot/* of object:volume/a";
    let named = "backup_then_destroy volume/a";
    check(&[copied, "t: destroy object:snapshot/1", "u: destroy object:volume/a"], named);
    check(&[copied, "u: destroy object:volume/a"], "");
    let other = "s: copy object:snapshot/* of object:volume/b";
    check(&[copied, other, "t: destroy object:snapshot/1, destroy object:volume/a"], named);
}

#[test]
fn a_backup_is_followed_through_its_names() {
    let copied = "s: copy b of orders";
    let refused = "backup_then_destroy old, refused";
    check(
        &[copied, "t: rename b to c", "t: destroy c", "u: destroy orders"],
        "backup_then_destroy orders, refused",
    );
    check(&[copied, "t: destroy b", "t: rename orders to old", "u: destroy old"], refused);
    check(&[copied, "t: rename orders to old", "t: destroy b", "u: destroy old"], refused);
    // The usual way to rewrite a table leaves the copy in its place.
    check(&[copied, "t: destroy orders", "t: rename b to orders", "u: destroy orders"], "");
    check(
        &["s: copy b of orders", "t: rename orders to old", "t: rename b to orders", "u: destroy old"],
        "recreate orders",
    );
}

#[test]
fn what_failed_never_was_unless_it_may_stand() {
    let check = |stands: bool, expect: &str| {
        let mut history = History::default();
        let (intent, now) = request("s: destroy orders");
        let (mark, _) = history.note(&intent, stands, now).expect("a note");
        let (next, _) = request("s: create orders");
        assert_eq!(words(&history.look(&next, now)), "recreate orders", "it may be running");
        history.recorded(mark, LeafIndex(7));
        assert_eq!(history.failed(LeafIndex(7)), !stands);
        assert_eq!(words(&history.look(&next, now)), expect);
    };
    check(false, "");
    check(true, "recreate orders");
}

#[test]
fn an_ended_session_leaves_what_concerns_backups_and_nothing_else() {
    let mut history = History::default();
    for (leaf, text) in (0..).zip(["s: destroy items", "s: copy b of orders", "s 1: destroy b"]) {
        note(&mut history, leaf, text);
    }
    history.session_ended(&SessionId::new("s"));
    assert_eq!(history.forget(Timestamp(2 * DAY_MS)), [LeafIndex(0)]);
    let (next, now) = request("t 2: destroy orders");
    assert!(history.look(&next, now).refused.is_some());
    assert_eq!(history.forget(Timestamp(8 * DAY_MS)), [LeafIndex(1), LeafIndex(2)]);
    assert!(history.notes.is_empty() && history.bytes == 0);
}

#[test]
fn repetition_takes_no_room() {
    let mut history = History::default();
    for leaf in 0..2_000 {
        note(&mut history, leaf, "s: create orders");
    }
    assert_eq!(history.notes.len(), 1);
    for leaf in 2_000..2_200 {
        note(&mut history, leaf, if leaf % 2 == 0 { "s: destroy orders" } else { "s: create orders" });
    }
    assert_eq!(history.notes.len(), 1);
}

#[test]
fn what_does_not_fit_is_told() {
    let mut history = History::default();
    let mut leaf = 0;
    while history.untold.is_empty() {
        let (intent, now) = request(&format!("s: destroy t{leaf}"));
        if let Some((mark, _)) = history.note(&intent, false, now) {
            history.recorded(mark, LeafIndex(leaf));
        }
        leaf += 1;
        assert!(leaf < 5_000, "never full");
    }
    let look = |text: &str| {
        let (intent, now) = request(text);
        words(&history.look(&intent, now))
    };
    assert_eq!(look("s: create unseen"), "untold unseen");
    assert_eq!(look("s: create t0"), "recreate t0, untold t0");
    assert_eq!(look("t: create unseen"), "");
}

#[test]
fn whoever_makes_more_copies_than_fit_destroys_nothing_for_a_week() {
    let mut history = History::default();
    let mut leaf = 0;
    while history.unknown.is_empty() {
        let (intent, now) = request(&format!("s{leaf}: copy b{leaf} of t{leaf}"));
        history.note(&intent, false, now);
        leaf += 1;
        assert!(leaf < 20_000, "never full");
    }
    let look = |text: &str| {
        let (intent, now) = request(text);
        history.look(&intent, now).refused.is_some()
    };
    assert!(look("t/alice 6: destroy anything"));
    assert!(!look("t/alice 7: destroy anything") && !look("t/bob: destroy anything"));
    assert!(!look("t/alice: some anything"));
}

proptest! {
    /// Whatever happened to other things in between, and however often was swept, loaded anew or repeated: what was
    /// destroyed and not made since is recreated by making it.
    #[test]
    fn nothing_is_forgotten_within_the_limits(
        others in proptest::collection::vec((0..4_u8, 0..6_u8), 0..40),
        at in 0..40_usize,
        reload in any::<bool>(),
    ) {
        let mut kept = BTreeMap::new();
        let mut history = History::default();
        let mut texts: Vec<String> = others
            .iter()
            .map(|(verb, name)| {
                let verb = ["create", "destroy", "disarm", "some"][usize::from(*verb)];
                format!("s: {verb} t{name}")
            })
            .collect();
        texts.insert(at.min(texts.len()), "s: destroy orders".to_owned());
        for (leaf, text) in (0..).map(LeafIndex).zip(&texts) {
            let (intent, now) = request(text);
            if let Some((mark, note)) = history.note(&intent, false, now) {
                history.recorded(mark, leaf);
                history.done(leaf);
                kept.insert(leaf, note);
            }
            for gone in history.forget(now) {
                kept.remove(&gone);
            }
        }
        if reload {
            history = History::of(kept, Timestamp(0));
        }
        let (intent, now) = request("s: create orders");
        prop_assert_eq!(words(&history.look(&intent, now)), "recreate orders");
    }

    /// What is noted stays within the bounds, whatever comes.
    #[test]
    fn memory_is_bounded(names in proptest::collection::vec("[a-z]{1,2000}", 1..200)) {
        let mut history = History::default();
        for name in names {
            let (intent, now) = request(&format!("s: destroy {name}"));
            history.note(&intent, false, now);
            prop_assert!(history.bytes <= SESSION_SEQUENCE_BYTES_MAX);
        }
    }
}
