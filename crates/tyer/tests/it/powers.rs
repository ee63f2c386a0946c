//! What Tyer's own role could do: a door whose role has more power than was allowed lets nobody in.

use xtask::instance::{Login, Shape};

use crate::bed::{Bed, Refused, ask, connect};
use crate::proposals::propose;

/// What gives the role a power, what takes it away, and how it is called.
const WAYS: [(&str, &str, &str); 12] = [
    ("ALTER ROLE tyer SUPERUSER", "ALTER ROLE tyer NOSUPERUSER", "superuser"),
    ("ALTER ROLE tyer REPLICATION", "ALTER ROLE tyer NOREPLICATION", "replication"),
    ("ALTER ROLE tyer BYPASSRLS", "ALTER ROLE tyer NOBYPASSRLS", "bypassrls"),
    ("ALTER ROLE tyer CREATEROLE", "ALTER ROLE tyer NOCREATEROLE", "createrole"),
    ("CREATE ROLE other SUPERUSER; GRANT other TO tyer", "DROP ROLE other", "superuser"),
    ("CREATE ROLE other REPLICATION; GRANT other TO tyer", "DROP ROLE other", "replication"),
    ("CREATE ROLE other BYPASSRLS; GRANT other TO tyer", "DROP ROLE other", "bypassrls"),
    ("CREATE ROLE other CREATEROLE; GRANT other TO tyer", "DROP ROLE other", "createrole"),
    (
        "GRANT pg_execute_server_program TO tyer",
        "REVOKE pg_execute_server_program FROM tyer",
        "execute_server_program",
    ),
    (
        "GRANT pg_read_server_files TO tyer",
        "REVOKE pg_read_server_files FROM tyer",
        "read_server_files",
    ),
    (
        "ALTER ROLE tyer NOINHERIT; GRANT pg_write_server_files TO tyer",
        "REVOKE pg_write_server_files FROM tyer; ALTER ROLE tyer INHERIT",
        "write_server_files",
    ),
    (
        "CREATE ROLE near; CREATE ROLE far; GRANT pg_write_server_files TO far; ALTER ROLE far BYPASSRLS;
         GRANT far TO near; GRANT near TO tyer",
        "DROP ROLE near; DROP ROLE far",
        "bypassrls, write_server_files",
    ),
];

async fn refused(bed: &Bed, login: &Login) -> Refused {
    let refused = connect(bed.tyer.door, &login.session, &login.password).await.expect_err("let in");
    Refused::of(&refused)
}

fn doctor(bed: &Bed) -> String {
    let said = bed.tyer.output(&["doctor"]).expect("doctor").stdout;
    String::from_utf8_lossy(&said).into_owned()
}

async fn not_ready(bed: &Bed) -> String {
    let (status, ready) = bed.tyer.http().get("/readyz").await.expect("an answer");
    assert_eq!(status, 503, "{ready}");
    ready["unsafe"].to_string()
}

#[tokio::test]
async fn a_role_with_a_power_is_refused_at_the_next_login() {
    let bed = Bed::new(Shape::default()).await;
    let login = bed.session(&[]);
    let before = bed.connect(&login).await;
    for (give, take, powers) in WAYS {
        bed.truth(give);
        let said = refused(&bed, &login).await;
        assert_eq!(said.code, "57P03", "{give}: {said:?}");
        assert!(said.message.contains("more power than was allowed"), "{give}: {said:?}");
        assert!(said.hint.contains("tyer doctor"), "{give}: {said:?}");
        let words = not_ready(&bed).await;
        assert!(words.contains(&format!("\"role_too_powerful orders {powers}\"")), "{give}: {words}");
        let said = doctor(&bed);
        assert!(
            said.contains(&format!("the role tyer has {powers}; take that away")),
            "{give}: {said}"
        );
        bed.truth(take);
        let agent = bed.connect(&login).await;
        assert_eq!(ask(&agent, "SELECT count(*) FROM executives").await.expect(take).len(), 2);
        assert!(!not_ready(&bed).await.contains("role_too_powerful"), "{take}");
    }
    assert!(doctor(&bed).contains("reached as tyer, an ordinary role"));
    // Who was let in before is not looked at again.
    ask(&before, "SELECT 1").await.expect("an open connection");
    bed.verify();
}

#[tokio::test]
async fn a_role_that_cannot_be_asked_about_is_refused_and_no_search_path_hides_it() {
    let bed = Bed::new(Shape::default()).await;
    let login = bed.session(&[]);
    bed.truth("REVOKE SELECT ON pg_catalog.pg_roles FROM PUBLIC");
    assert_eq!(refused(&bed, &login).await.code, "08006");
    bed.truth("GRANT SELECT ON pg_catalog.pg_roles TO PUBLIC");
    bed.connect(&login).await;
    bed.truth(
        "CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO tyer; CREATE TABLE evil.pg_roles (oid oid);
         CREATE FUNCTION evil.concat_ws(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS $$ SELECT '' $$;
         CREATE FUNCTION evil.pg_has_role(name, oid, text) RETURNS bool LANGUAGE sql AS $$ SELECT false $$;
         ALTER ROLE tyer SET search_path = evil, pg_catalog; ALTER ROLE tyer CREATEROLE",
    );
    assert_eq!(refused(&bed, &login).await.code, "57P03");
    // The role that it begins as counts, and the one that it logs in as.
    bed.truth("ALTER ROLE tyer NOCREATEROLE; ALTER ROLE tyer RESET search_path");
    bed.truth("CREATE ROLE plain; GRANT plain TO tyer; ALTER ROLE tyer SET role = plain; ALTER ROLE tyer REPLICATION");
    assert_eq!(refused(&bed, &login).await.code, "57P03");
}

#[tokio::test]
async fn what_is_allowed_is_named_and_nothing_more_is() {
    let upstream = "allow_role_powers = [\"createrole\", \"bypassrls\"]";
    let bed = Bed::new(Shape { upstream, ..Shape::default() }).await;
    let login = bed.session(&[]);
    assert!(doctor(&bed).contains("allow_role_powers names bypassrls, createrole without need"));
    bed.truth("ALTER ROLE tyer CREATEROLE");
    bed.connect(&login).await;
    assert!(not_ready(&bed).await.contains("role_powers_allowed orders createrole"));
    let said = doctor(&bed);
    assert!(said.contains("the role tyer has createrole, which allow_role_powers lets pass"), "{said}");
    assert!(said.contains("allow_role_powers names bypassrls without need"), "{said}");
    bed.truth("GRANT pg_execute_server_program TO tyer");
    assert_eq!(refused(&bed, &login).await.code, "57P03");
    let words = not_ready(&bed).await;
    assert!(words.contains("role_too_powerful orders execute_server_program"), "{words}");
    let proposed = propose(&bed, &login, "DELETE FROM payments");
    let said = String::from_utf8_lossy(&proposed.stderr).into_owned();
    assert!(said.contains("more power than was allowed"), "{said}");
}
