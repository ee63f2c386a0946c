//! What the names of a request mean: on the agent's own connection where that could be asked, and on this one, which
//! plans and counts.

use tokio_postgres::{Client, Error, Row};
use tyer_core::names::{Meant, NAMES_MAX, differences};
use tyer_wire::postgres::probe::names;

use super::Gathered;
use crate::gateway::About;

/// Whether this connection means the same by the names as the request's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meanings {
    Same,
    Differ,
}

/// Puts on the card what the names mean.
pub(super) async fn ask(
    client: &Client,
    about: &About,
    here: Option<&Meant>,
    gathered: &mut Gathered,
) -> Result<Meanings, Error> {
    if about.names.len() > NAMES_MAX {
        gathered.unknown(format!("what its names mean: there are more than {NAMES_MAX}"));
        return Ok(Meanings::Differ);
    }
    if let Some(path) = here.and_then(|here| here.path.as_deref()) {
        let sql = "SELECT pg_catalog.set_config('search_path', $1, false)";
        client.execute(sql, &[&path]).await?;
    }
    let asked = names::asked(&about.names);
    let found = gathered.query(client, "what its names mean", (names::MEANINGS, &[&asked])).await?;
    let rows: Vec<Vec<Option<String>>> = found.iter().flatten().map(fields).collect();
    let there = names::meant(&about.names, &rows);
    let Some(here) = here else {
        gathered.unknown(
            "what its names mean on the agent's connection, where something else was under way: they were looked up on another",
        );
        gathered.facts.names = there.unwrap_or_default().names;
        return Ok(Meanings::Same);
    };
    gathered.facts.names.clone_from(&here.names);
    let is_same = there.is_some_and(|there| differences(&here.names, &there.names).is_empty());
    Ok(if is_same { Meanings::Same } else { Meanings::Differ })
}

fn fields(row: &Row) -> Vec<Option<String>> {
    (0..names::COLUMNS).map(|at| row.get(at)).collect()
}
