//! Code of the database's own that a request may run, each with a version: what people agree to is that body, and
//! another one under the same name is another consequence.
//!
//! Code comes in by a word of the request, by what belongs to a table that it names or that goes along (triggers, rules
//! and views, policies, defaults, constraints, indexes over expressions, domains), or by a word of such code. Words are
//! compared whatever the search path is, so more may be found than will run, never less of what is found this way. What
//! code puts together while it runs is not seen.

use std::collections::BTreeSet;

use tokio_postgres::{Client, Error};
use tyer_core::facts::Code;
use tyer_core::intent::Digest;
use tyer_wire::postgres::probe;

use super::Gathered;

/// Pieces of code that a card lists; those beyond it have one version together.
const CODE_MAX: usize = 40;

/// What the server came with has numbers below 16384. Whole rows of the catalogue are digested, without privileges.
const CODE: &str = "
    WITH RECURSIVE own AS (SELECT p.* FROM pg_catalog.pg_proc p WHERE p.oid >= 16384),
    tables(oid) AS (
        SELECT c.oid FROM pg_catalog.pg_class c
         WHERE c.relname::text = ANY ($1::text[]) AND c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        UNION
        SELECT next.oid FROM tables t CROSS JOIN LATERAL (
            SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = t.oid
            UNION ALL
            SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = t.oid
            UNION ALL
            SELECT k.conrelid FROM pg_catalog.pg_constraint k
             WHERE k.confrelid = t.oid AND k.contype = 'f'
               AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))
            UNION ALL
            SELECT d.refobjid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d
                ON d.objid = r.oid AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
             WHERE r.ev_class = t.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
               AND d.refobjid >= 16384
        ) next(oid)),
    types(oid) AS (
        (SELECT t.oid FROM pg_catalog.pg_type t WHERE t.oid >= 16384 AND t.typname::text = ANY ($1::text[])
         UNION
         SELECT a.atttypid FROM tables t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid
          WHERE a.attnum > 0 AND a.atttypid >= 16384)
        UNION
        SELECT next.oid FROM types JOIN pg_catalog.pg_type t ON t.oid = types.oid
         CROSS JOIN LATERAL (SELECT t.typelem UNION ALL SELECT t.typbasetype) next(oid)
         WHERE next.oid >= 16384),
    parts(class, oid, label, version) AS (
        SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, g.oid,
               'trigger ' || g.tgname || ' of ' || g.tgrelid::pg_catalog.regclass, pg_catalog.to_jsonb(g)
          FROM tables t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid
         WHERE NOT g.tgisinternal AND g.tgenabled <> 'D'
        UNION ALL
        SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, r.oid, CASE r.ev_type
                 WHEN '1' THEN 'the query of ' ELSE 'rule ' || r.rulename || ' of ' END
                 || r.ev_class::pg_catalog.regclass, pg_catalog.to_jsonb(r)
          FROM tables t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid WHERE r.ev_enabled <> 'D'
        UNION ALL
        SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, y.oid,
               'policy ' || y.polname || ' of ' || y.polrelid::pg_catalog.regclass, pg_catalog.to_jsonb(y)
          FROM tables t JOIN pg_catalog.pg_policy y ON y.polrelid = t.oid
        UNION ALL
        SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, t.oid, NULL, NULL FROM tables t
        UNION ALL
        SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid, NULL, NULL
          FROM tables t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
        UNION ALL
        SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid, NULL, NULL
          FROM tables t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid
        UNION ALL
        SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, a.oid, NULL, NULL
          FROM tables t JOIN pg_catalog.pg_attrdef a ON a.adrelid = t.oid
        UNION ALL
        SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid, NULL, NULL
          FROM types t JOIN pg_catalog.pg_constraint k ON k.contypid = t.oid
        UNION ALL
        SELECT 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, e.oid, 'event trigger ' || e.evtname,
               pg_catalog.to_jsonb(e)
          FROM pg_catalog.pg_event_trigger e WHERE e.evtenabled <> 'D' AND $2),
    needed(class, oid) AS (
        SELECT DISTINCT d.refclassid, d.refobjid FROM parts p JOIN pg_catalog.pg_depend d
            ON d.classid = p.class AND d.objid = p.oid WHERE d.refobjid >= 16384),
    code(oid) AS (
        (SELECT own.oid FROM own WHERE own.proname::text = ANY ($1::text[])
         UNION
         SELECT needed.oid FROM needed WHERE needed.class = 'pg_catalog.pg_proc'::pg_catalog.regclass
         UNION
         SELECT o.oprcode::oid FROM pg_catalog.pg_operator o
          WHERE o.oid >= 16384 AND (o.oprname::text = ANY ($1::text[]) OR EXISTS (
                SELECT FROM needed WHERE needed.oid = o.oid
                   AND needed.class = 'pg_catalog.pg_operator'::pg_catalog.regclass))
         UNION
         SELECT k.castfunc FROM pg_catalog.pg_cast k WHERE k.oid >= 16384)
        UNION
        SELECT next.oid FROM code JOIN own ON own.oid = code.oid CROSS JOIN LATERAL (
            SELECT other.oid FROM pg_catalog.regexp_matches(own.prosrc, '[[:alnum:]_$]+', 'g') word
              JOIN own other ON other.proname::text = pg_catalog.lower(word[1]) OR other.proname::text = word[1]
            UNION ALL
            SELECT d.refobjid FROM pg_catalog.pg_depend d
             WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = own.oid
               AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass) next(oid))
    SELECT DISTINCT found.label, pg_catalog.sha256(pg_catalog.textsend(found.version::text)) FROM (
        SELECT p.label, p.version FROM parts p WHERE p.label IS NOT NULL
        UNION ALL
        SELECT 'function ' || n.nspname || '.' || own.proname || '('
               || pg_catalog.pg_get_function_identity_arguments(own.oid) || ')',
               pg_catalog.to_jsonb(own) - 'proacl'
          FROM code JOIN own ON own.oid = code.oid
          JOIN pg_catalog.pg_namespace n ON n.oid = own.pronamespace) found(label, version)
     ORDER BY 1, 2";

/// Asks which code a request may run. `defines` says that it may do more than to rows.
pub(super) async fn ask(
    client: &Client,
    (text, defines): (&str, bool),
    gathered: &mut Gathered,
) -> Result<(), Error> {
    let about = "what code of the database's own runs";
    let Some(words) = probe::words(text) else {
        gathered.unknown(format!("{about}: the request is too much to be looked through"));
        return Ok(());
    };
    let found = gathered.query(client, about, (CODE, &[&words, &defines])).await?;
    let code: Vec<Code> = found
        .unwrap_or_default()
        .into_iter()
        .filter_map(|row| {
            let version: Vec<u8> = row.get(1);
            Some(Code { name: row.get(0), version: Digest(version.try_into().ok()?) })
        })
        .collect();
    gathered.facts.code = listed(&code);
    Ok(())
}

/// What is listed: names that stand for several pieces, and all beyond the bound, become one.
fn listed(all: &[Code]) -> Vec<Code> {
    let together = |pieces: &[Code]| {
        let versions: Vec<&[u8]> = pieces.iter().map(|piece| piece.version.0.as_slice()).collect();
        Digest::of_parts(&versions)
    };
    let mut listed: Vec<Code> = all
        .chunk_by(|one, next| one.name == next.name)
        .filter_map(|pieces| Some((pieces.first()?.name.clone(), pieces)))
        .map(|(name, pieces)| match pieces {
            [one] => one.clone(),
            pieces => Code { name, version: together(pieces) },
        })
        .collect();
    if listed.len() > CODE_MAX {
        let rest = listed.split_off(CODE_MAX);
        let names: BTreeSet<&str> = rest.iter().map(|piece| piece.name.as_str()).collect();
        let name = format!("{} more pieces of code", names.len());
        listed.push(Code { name, version: together(&rest) });
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_listed_by_itself_still_has_a_version() {
        let piece =
            |name: &str, version: u8| Code { name: name.to_owned(), version: Digest([version; 32]) };
        let many = |last: u8| {
            let names =
                (0..u8::try_from(CODE_MAX + 2).unwrap()).map(|at| piece(&format!("{at:03}"), at));
            listed(&names.chain([piece("zz", last)]).collect::<Vec<_>>())
        };
        assert_eq!(listed(&[piece("a", 1), piece("b", 2)]), [piece("a", 1), piece("b", 2)]);
        let twice = |last| listed(&[piece("a", 1), piece("a", last)]);
        assert_eq!((twice(2).len(), &twice(2)[0].name), (1, &"a".to_owned()));
        assert_ne!(twice(2), twice(3));
        assert_eq!(many(1).len(), CODE_MAX + 1);
        assert_eq!(many(1).last().unwrap().name, "3 more pieces of code");
        assert_ne!(many(1), many(2));
    }
}
