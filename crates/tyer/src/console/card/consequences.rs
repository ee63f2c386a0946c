//! What the database said of a request's consequences, in words; what is not known is said as such.

use maud::{Markup, html};

use super::super::escape::Line;
use super::super::words;
use crate::api::bodies::facts::{InUseBody, LockBody, ReplicaBody, ThingBody};
use crate::api::bodies::{CascadeBody, CountedBody, FactsBody, Moment, RelationBody, SafetyBody};

pub(super) fn section(facts: &FactsBody, taken: Moment) -> Markup {
    html! {
        section {
            h2 { "Consequences" }
            @if !facts.differences.is_empty() {
                h3 { "Not what was approved before" }
                ul.unknown { @for difference in &facts.differences { li { (Line(difference)) } } }
            }
            @if !facts.sequences.is_empty() {
                h3 { "What it comes to" }
                ul.unknown { @for sequence in &facts.sequences { li { (Line(sequence)) } } }
            }
            @if let Some(risk) = &facts.risk {
                h3 { "What could follow" }
                ul.names { li { (Line(risk)) } }
            }
            @if !facts.names.is_empty() {
                h3 { "What its names mean" }
                ul.names { @for name in &facts.names { li { (Line(name)) } } }
            }
            @for relation in &facts.relations { (relation_box(relation)) }
            @for thing in &facts.things { (thing_box(thing)) }
            @if !facts.locks.is_empty() { (locks(&facts.locks)) }
            @if !facts.code.is_empty() {
                h3 { "Code of the database's own that it may run" }
                ul { @for code in &facts.code { li { code { (Line(code)) } } } }
            }
            @if let Some(safety) = &facts.safety { (safety_box(safety, taken)) }
            @if !facts.unknown.is_empty() {
                h3 { "Not known" }
                ul.unknown { @for unknown in &facts.unknown { li { (Line(unknown)) } } }
            }
            @if !facts.ceilings.is_empty() {
                h3 { "Taken back if it does more" }
                ul.ceilings { @for ceiling in &facts.ceilings { li { (Line(ceiling)) } } }
                p.quiet { "Tyer runs it in a transaction of its own and counts the rows before it commits." }
            }
            @if facts.relations.is_empty() && facts.locks.is_empty() && facts.things.is_empty() && facts.unknown.is_empty() {
                p.unknown { "Nothing is known about how much this touches. Tyer asks a database only about tables that lose or change rows, or that others wait for, and AWS only about what it knows how to ask for." }
            }
            p.quiet { "As the upstream said at " (words::civil(taken)) ". Figures are estimates where they do not say counted." }
        }
    }
}

/// The same in a few lines, for one of several that are alike; what is not known is said here, too.
pub(super) fn short(facts: &FactsBody) -> Markup {
    html! {
        ul {
            @for relation in &facts.relations {
                li { "Touches " (touched(relation)) " rows of " code { (Line(&relation.name)) } }
            }
            @for cascade in facts.relations.iter().flat_map(|relation| &relation.cascades) {
                li { "Goes along: " (along(cascade)) }
            }
            @for thing in &facts.things {
                li { code { (Line(&thing.name)) } ": " (Line(&thing.is.join("; "))) }
            }
            @for said in facts.differences.iter().chain(&facts.sequences).chain(&facts.risk) { li { (Line(said)) } }
            @for unknown in &facts.unknown { li { "Not known: " (Line(unknown)) } }
            @for ceiling in &facts.ceilings { li { "Taken back if it does more: " (Line(ceiling)) } }
        }
    }
}

/// What AWS said of one thing.
fn thing_box(thing: &ThingBody) -> Markup {
    html! {
        div.relation {
            h3 { code { (Line(&thing.name)) } }
            ul { @for is in &thing.is { li { (Line(is)) } } }
            @if !thing.now.is_empty() {
                p.quiet { "Just now: " (Line(&thing.now.join("; "))) }
            }
        }
    }
}

fn relation_box(relation: &RelationBody) -> Markup {
    html! {
        div.relation {
            h3 { code { (Line(&relation.name)) } }
            dl.figures {
                div {
                    dt { "Rows touched" }
                    dd { (touched(relation)) }
                }
                div {
                    dt { "Rows in it" }
                    dd { (figure(relation.rows.map(words::count))) }
                }
                div {
                    dt { "Size" }
                    dd { (figure(relation.bytes.map(words::bytes))) }
                }
            }
            @if let Some(share) = relation.share_percent { p { (share_of(share)) } }
            @if !relation.cascades.is_empty() {
                p { "Goes along with it:" }
                ul { @for cascade in &relation.cascades { li { (along(cascade)) } } }
            }
            @if !relation.parts.is_empty() {
                p { "It consists of:" }
                ul { @for part in &relation.parts { li { code { (Line(part)) } } } }
            }
            @if relation.dependents.is_empty() {
                p.quiet { "Nothing that the database knows of depends on it." }
            } @else {
                p { "Depends on it:" }
                ul { @for dependent in &relation.dependents { li { (Line(dependent)) } } }
            }
            @if let Some(in_use) = &relation.in_use { (used(in_use)) }
        }
    }
}

/// What was counted, and the estimate where that says more.
fn touched(relation: &RelationBody) -> Markup {
    html! {
        @match relation.counted {
            Some(counted) => {
                (number(counted))
                @if !counted.exact { @if let Some(about) = relation.touched.filter(|it| *it > counted.rows) {
                    ", about " (words::count(about)) " by estimate"
                } }
            }
            None => { (figure(relation.touched.map(words::count))) }
        }
    }
}

fn figure(known: Option<String>) -> Markup {
    html! {
        @match known {
            Some(figure) => { "about " (figure) }
            None => span.unknown { "not known" }
        }
    }
}

/// `120 (counted)`, `at least 100,000 (counted)`.
fn number(counted: CountedBody) -> Markup {
    html! {
        @if !counted.exact { "at least " }
        (words::count(counted.rows)) " (counted)"
    }
}

fn share_of(percent: u64) -> String {
    match percent {
        0 => "That is less than 1 % of the table.".to_owned(),
        100 => "That is the whole table, or nearly.".to_owned(),
        _ => format!("That is about {percent} % of the table."),
    }
}

fn along(cascade: &CascadeBody) -> Markup {
    let what = match cascade.how {
        "deleted" => "are deleted",
        "changed" => "have their references changed",
        "emptied" => "go, since all of it is emptied",
        other => other,
    };
    html! {
        code { (Line(&cascade.name)) } ": "
        @match cascade.counted {
            Some(counted) => { (number(counted)) " rows " (what) }
            None => { "rows " (what) ", " span.unknown { "not known how many" } }
        }
        @if let Some(rows) = cascade.rows { ", of about " (words::count(rows)) }
    }
}

fn used(in_use: &InUseBody) -> Markup {
    html! {
        @if in_use.sessions == 0 {
            p.quiet { "No session of the database had a lock on it at that moment." }
        } @else {
            p {
                "In use at that moment by " b { (words::counted(in_use.sessions, "session", "sessions")) }
                @if !in_use.applications.is_empty() { ": " (Line(&in_use.applications.join(", "))) }
                "."
            }
        }
    }
}

/// Who has to wait, for what, and about how long.
fn locks(locks: &[LockBody]) -> Markup {
    html! {
        h3 { "Others have to wait" }
        ul.locks {
            @for lock in locks {
                li {
                    "It " (Line(&lock.words)) "."
                    @if let Some(waits) = &lock.waits { " " (Line(waits)) }
                }
            }
        }
        p.quiet { "Each lock is kept until the transaction ends in which the request runs. Times are worked out from sizes, not measured." }
    }
}

fn safety_box(safety: &SafetyBody, taken: Moment) -> Markup {
    let before = |at: Moment| {
        let ago = words::duration(taken.0.0 - at.0.0);
        html! { (words::civil(at)) ", " (ago) " before" }
    };
    let moment = |at: Option<Moment>| {
        html! {
            @match at { Some(at) => { (before(at)) } None => span.unknown { "not known" } }
        }
    };
    html! {
        h3 { "If it has to be made good" }
        dl.small {
            div { dt { "Last backup" } dd { (moment(safety.backup)) } }
            div { dt { "Log last archived" } dd { (moment(safety.archived)) } }
            div {
                dt { "Replicas" }
                dd {
                    @match safety.replicas.as_deref() {
                        None => span.unknown { "not known" },
                        Some([]) => "none follow this server",
                        Some(all) => ul { @for replica in all { li { (behind(replica)) } } },
                    }
                }
            }
        }
        p.quiet { "A replica is no backup: what is deleted here is deleted there." }
    }
}

fn behind(replica: &ReplicaBody) -> Markup {
    let lag_ms = replica.lag_ms.map(|ms| words::duration(i64::try_from(ms).unwrap_or(i64::MAX)));
    html! {
        (Line(&replica.name)) ", " (Line(&replica.state)) ", "
        @match (lag_ms, replica.lag_bytes) {
            (None, None) => span.unknown { "not known how far behind" },
            (time, bytes) => {
                @if let Some(time) = time { (time) }
                @if let Some(bytes) = bytes { " " (words::bytes(bytes)) }
                " behind"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::sample;
    use super::*;

    fn check(change: impl Fn(&mut FactsBody), expect: &[&str]) {
        let mut card = sample::card();
        change(&mut card.facts);
        let page = section(&card.facts, card.taken).into_string();
        let mut text = String::new();
        let mut inside = false;
        for letter in page.chars() {
            match letter {
                '<' => inside = true,
                '>' => inside = false,
                letter if !inside => text.push(letter),
                _ => {}
            }
        }
        for words in expect {
            assert!(text.contains(words), "{words:?} not in {text}");
        }
    }

    #[test]
    fn figures_say_whether_they_were_counted() {
        let relation = |change: fn(&mut RelationBody)| {
            move |facts: &mut FactsBody| change(&mut facts.relations[0])
        };
        check(|_| {}, &["at least 100,000 (counted), about 1,204,331 by estimate"]);
        let exact = |it: &mut RelationBody| it.counted = Some(CountedBody { rows: 120, exact: true });
        check(relation(exact), &["touched120 (counted)Rows in itabout 1,204,331"]);
        check(relation(|it| it.counted = None), &["Rows touchedabout 1,204,331"]);
        let none = |it: &mut RelationBody| (it.counted, it.touched) = (None, None);
        check(relation(none), &["Rows touchednot known"]);
        check(relation(|it| it.share_percent = Some(0)), &["less than 1 % of the table"]);
        check(|_| {}, &["public.orders: 59,998 (counted) rows are deleted, of about 60,000"]);
        let uncounted = |it: &mut RelationBody| it.cascades[0].counted = None;
        check(relation(uncounted), &["rows are deleted, not known how many, of about 60,000"]);
        check(|_| {}, &["In use at that moment by 3 sessions: web."]);
        let nobody = |it: &mut RelationBody| it.in_use.iter_mut().for_each(|it| it.sessions = 0);
        check(relation(nobody), &["No session of the database had a lock"]);
    }

    #[test]
    fn what_could_follow_stands_beside_what_was_seen() {
        check(|_| {}, &["What could followIf relation:public.customers is made anew afterwards"]);
        let page = |facts: &FactsBody| section(facts, sample::card().taken).into_string();
        let mut facts = sample::card().facts;
        facts.risk = None;
        assert!(!page(&facts).contains("What could follow"));
    }

    #[test]
    fn who_has_to_wait_is_said() {
        check(
            |_| {},
            &[
                "It blocks reads and writes of public.customers and 2 parts of it (ACCESS EXCLUSIVE) \
                 while all of it is written anew: 1.4 GB, about 15 s at an assumed 100 MB/s.",
                "It has to wait for 3 sessions first; the oldest transaction had run for 12 min.",
            ],
        );
    }

    #[test]
    fn what_a_loss_could_be_made_good_from_is_said_or_said_to_be_unknown() {
        check(
            |_| {},
            &["7 h 57 min before", "1 min before", "lagos, streaming, not known how far behind"],
        );
        let nothing = |facts: &mut FactsBody| {
            let safety = SafetyBody { archived: None, backup: None, replicas: None };
            facts.safety = Some(safety);
        };
        check(nothing, &["Last backupnot known", "archivednot known", "Replicasnot known"]);
        let alone = |facts: &mut FactsBody| {
            facts.safety.iter_mut().for_each(|it| it.replicas = Some(Vec::new()));
        };
        check(alone, &["none follow this server"]);
    }
}
