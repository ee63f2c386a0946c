//! What was understood of a text against what it did: its command tag, rows of each table, and the catalogue.

use tyer_core::intent::{Act, Effect, Kind};
use tyer_wire::postgres::understand::Understanding;

use super::relay::Ran;
use super::rows::{Change, Did};

/// Parts of the catalogue that only something dangerous changes: code that runs, who may do what, safeguards.
const GRAVE: &[&str] = &[
    "pg_aggregate",
    "pg_am",
    "pg_amop",
    "pg_amproc",
    "pg_auth_members",
    "pg_authid",
    "pg_cast",
    "pg_conversion",
    "pg_database",
    "pg_db_role_setting",
    "pg_default_acl",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_language",
    "pg_operator",
    "pg_parameter_acl",
    "pg_policy",
    "pg_proc",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_replication_origin",
    "pg_seclabel",
    "pg_shseclabel",
    "pg_subscription",
    "pg_subscription_rel",
    "pg_tablespace",
    "pg_transform",
    "pg_user_mapping",
];

/// By what the change of a table is accounted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum By {
    /// The table itself is named, with that effect.
    Name,
    /// A table, view or parent that leads to it is named.
    Along,
    /// Code that may do anything is named.
    Act,
    /// A table is named where code runs.
    Code,
}

/// What happened beyond what was understood, and by what the rest is accounted for.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) beyond: Vec<String>,
    pub(super) by: Vec<By>,
}

/// Compares one text; `found` is all that may take effect with it.
pub(super) fn compare(ran: &Ran, found: &[&Understanding]) -> Compared {
    let acts: Vec<&Act> = found.iter().flat_map(|one| one.acts.iter()).collect();
    let mut compared = Compared::default();
    if !ran.failed {
        let beyond = ran.tags.iter().filter(|tag| !allows(&acts, tag));
        compared.beyond.extend(beyond.map(|tag| format!("its tag is {tag}")));
    }
    let Some(did) = &ran.did else { return compared };
    for change in &did.changes {
        let name = format!("{}.{}", change.relation.0, change.relation.1);
        if change.is_catalog {
            if !covers(&acts) && !may_define(found, change, did) {
                compared.beyond.push(format!("it changed {name}"));
            }
        } else {
            let defines = || did.watched && found.iter().any(|one| !only_rows(one));
            match accounted(&acts, change, did).or_else(|| defines().then_some(By::Code)) {
                Some(by) => compared.by.push(by),
                None => compared.beyond.push(format!("it {} {name}", words(change))),
            }
        }
    }
    compared
}

fn words(change: &Change) -> String {
    let all =
        [("added to", change.added), ("changed", change.changed), ("removed from", change.removed)];
    all.iter().filter(|(_, did)| *did).map(|(word, _)| *word).collect::<Vec<_>>().join(" and ")
}

/// Whether something may do anything.
fn covers(acts: &[&Act]) -> bool {
    acts.iter().any(|act| !act.local && matches!(act.effect, Effect::Execute | Effect::Opaque))
}

/// Whether the acts have what a command tag says.
fn allows(acts: &[&Act], tag: &str) -> bool {
    let any = |effects: &[Effect]| acts.iter().any(|act| effects.contains(&act.effect));
    let writes = acts.iter().any(|act| act.effect != Effect::Read);
    let (first, rest) = tag.split_once(' ').unwrap_or((tag, ""));
    let rows = rest.rsplit(' ').next().and_then(|rows| rows.parse::<u64>().ok());
    covers(acts)
        || match first {
            "INSERT" => any(&[Effect::Create, Effect::Disarm]) || rows == Some(0),
            "UPDATE" => any(&[Effect::Change, Effect::Disarm, Effect::Destroy]) || rows == Some(0),
            "DELETE" => any(&[Effect::Destroy, Effect::Disarm]) || rows == Some(0),
            "MERGE" => writes || rows == Some(0),
            "TRUNCATE" => any(&[Effect::Destroy]),
            "DROP" => any(&[Effect::Destroy, Effect::Disarm, Effect::Grant]),
            "GRANT" | "REVOKE" | "REASSIGN" => any(&[Effect::Grant]),
            "CREATE" | "ALTER" | "COMMENT" | "SECURITY" | "IMPORT" | "REFRESH" | "REINDEX"
            | "CLUSTER" | "VACUUM" | "ANALYZE" | "LOCK" | "NOTIFY" | "LOAD" | "CHECKPOINT" | "DO"
            | "CALL" => writes,
            // They read, or are about the session.
            "SELECT" | "COPY" | "FETCH" | "MOVE" | "EXPLAIN" | "SHOW" | "SET" | "RESET" | "DISCARD"
            | "BEGIN" | "START" | "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" | "PREPARE"
            | "DEALLOCATE" | "DECLARE" | "CLOSE" | "LISTEN" | "UNLISTEN" => true,
            _ => false,
        }
}

/// Whether a part of the catalogue may have changed: rows alone change none but one that is named, and some are
/// changed only by what is dangerous.
fn may_define(found: &[&Understanding], change: &Change, did: &Did) -> bool {
    let name = change.relation.1.as_str();
    found.iter().any(|one| {
        let written = || one.acts.iter().filter(|act| act.effect != Effect::Read).filter_map(table_of);
        let coded = written().any(|table| did.coded.contains(&table) || table == name);
        let grave = !GRAVE.contains(&name) || one.acts.worst().is_dangerous();
        one.acts.worst().is_write() && (coded || grave && !only_rows(one))
    })
}

/// Whether it does nothing but to rows of tables.
fn only_rows(one: &Understanding) -> bool {
    one.explainable && one.acts.iter().all(|act| act.resource.kind == Kind::Relation)
}

/// By what the change of a table is accounted for, if it is.
fn accounted(acts: &[&Act], change: &Change, did: &Did) -> Option<By> {
    let writes = |act: &&&Act| act.effect != Effect::Read;
    let named: Vec<(Effect, String)> =
        acts.iter().filter(writes).filter_map(|act| Some((act.effect, table_of(act)?))).collect();
    let own = |effects: &[Effect]| {
        let mut own = named.iter().filter(|(_, table)| *table == change.relation.1);
        own.any(|(effect, _)| effects.contains(effect) || *effect >= Effect::Disarm)
    };
    // What is computed again is computed in place.
    let anew = change.is_computed && own(&[Effect::Change]);
    let by_name = (!change.added || anew || own(&[Effect::Create]))
        && (!change.changed || own(&[Effect::Change]))
        && (!change.removed || anew || own(&[]));
    if by_name {
        Some(By::Name)
    } else if named.iter().any(|(_, table)| change.along.contains(table)) {
        Some(By::Along)
    } else if covers(acts) {
        Some(By::Act)
    } else if named.iter().any(|(_, table)| did.coded.contains(table)) {
        Some(By::Code)
    } else {
        None
    }
}

/// The table that an act is about, without its schema.
fn table_of(act: &Act) -> Option<String> {
    let mut parts = parts(&act.resource.name);
    match act.resource.kind {
        Kind::Relation => parts.pop(),
        Kind::Column => parts.pop().and_then(|_| parts.pop()),
        _ => None,
    }
}

/// The parts of a dotted name; those in quotation marks may have dots.
fn parts(name: &str) -> Vec<String> {
    let (mut parts, mut quoted) = (vec![String::new()], false);
    for letter in name.chars() {
        match letter {
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            _ => parts.iter_mut().last().into_iter().for_each(|part| part.push(letter)),
        }
    }
    parts
}
