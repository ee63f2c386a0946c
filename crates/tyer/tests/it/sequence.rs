//! What several requests come to: deleted and made anew, without its protection, with its last backup.

use serde_json::Value;
use xtask::instance::{Login, Shape};

use crate::bed::{Bed, Refused, ask, record};
use crate::proposals::propose;

const SETUP: &str = "CREATE TABLE notes (id int); INSERT INTO notes VALUES (1), (2);
    ALTER TABLE notes ENABLE ROW LEVEL SECURITY; ALTER TABLE notes OWNER TO tyer";

/// Where everything is held; or, in staging, where writes flow.
async fn bed(environment: &'static str) -> Bed {
    let bed = Bed::new(Shape { environment, ..Shape::default() }).await;
    bed.truth(SETUP);
    bed
}

/// Holds it, has it approved by the two and runs it again.
async fn approved(bed: &mut Bed, agent: &tokio_postgres::Client, sql: &str) -> String {
    let hold = ask(agent, sql).await.expect_err(sql).hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    ask(agent, sql).await.expect(sql);
    hold
}

fn comes_to(hold: &Value) -> String {
    hold["facts"]["sequences"].to_string()
}

async fn refused(bed: &Bed, login: &Login, sql: &str) -> Refused {
    ask(&bed.connect(login).await, sql).await.expect_err(sql)
}

/// The names of the patterns in the newest leaf of that kind.
fn named(bed: &Bed, kind: &str) -> String {
    let leaves = bed.leaves_of(kind);
    let newest = leaves.iter().max_by_key(|leaf| leaf["index"].as_u64().or(leaf["leaf"].as_u64()));
    record(newest.expect("a leaf"))["request"]["facts"]["sequences"].to_string()
}

#[tokio::test]
async fn a_create_after_a_drop_is_dangerous_over_another_connection_too() {
    let mut bed = bed("production").await;
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    let drop = approved(&mut bed, &agent, "DROP TABLE notes").await;
    let card = bed.hold(&drop).await;
    assert_eq!(comes_to(&card), "[]");
    let risk = "If relation:notes is made anew afterwards, what goes now does not come back";
    assert!(card["facts"]["risk"].as_str().is_some_and(|it| it.starts_with(risk)), "{card}");
    let other = bed.connect(&login).await;
    let create = "CREATE TABLE notes (id int)";
    let hold = ask(&other, create).await.unwrap_err().hold();
    let card = bed.hold(&hold).await;
    assert_eq!(card["needs"]["peers"], 2, "a create alone asks one: {card}");
    assert_eq!(card["needs"]["owners"], 1, "{card}");
    let said = comes_to(&card);
    assert!(card["facts"]["risk"].is_null(), "by now it is seen: {card}");
    assert!(said.contains("(drops table notes), this deletes and recreates relation:notes"), "{said}");
    assert!(card["policies"].to_string().contains("guarded/production-sequence"), "{card}");
    let shown = bed.tyer.run(&["show", &hold]).expect("the hold");
    assert!(shown.contains("deletes and recreates relation:notes"), "{shown}");
    bed.alice.approve(&hold).await.expect("alice");
    assert_eq!(ask(&other, create).await.unwrap_err().code, "55000", "one of two");
    bed.bob.approve(&hold).await.expect("bob");
    ask(&other, create).await.expect("both");
    assert!(named(&bed, "cleared").contains("\"pattern\":\"recreate\""), "{}", named(&bed, "cleared"));
    // Another session has destroyed nothing.
    let hold = ask(&bed.agent().await, "CREATE TABLE more (id int)").await.unwrap_err().hold();
    assert_eq!(bed.hold(&hold).await["needs"]["peers"], 1);
    bed.verify();
}

#[tokio::test]
async fn one_text_and_a_load_are_named_and_a_swap_of_names() {
    let mut bed = bed("production").await;
    let agent = bed.agent().await;
    let hold = ask(&agent, "DROP TABLE notes; CREATE TABLE notes (id int)").await.unwrap_err().hold();
    let said = comes_to(&bed.hold(&hold).await);
    assert!(said.contains("By itself this request deletes and recreates relation:notes"), "{said}");
    approved(&mut bed, &agent, "TRUNCATE notes").await;
    let hold = ask(&agent, "COPY notes FROM STDIN").await.unwrap_err().hold();
    let card = bed.hold(&hold).await;
    assert!(comes_to(&card).contains("(empties notes), this deletes and recreates"), "{card}");
    assert_eq!(card["needs"]["peers"], 2, "{card}");
    let agent = bed.agent().await;
    let swap = "ALTER TABLE notes RENAME TO old; CREATE TABLE notes (id int); DROP TABLE old";
    let hold = ask(&agent, swap).await.unwrap_err().hold();
    let said = comes_to(&bed.hold(&hold).await);
    assert!(said.contains("deletes and recreates relation:notes"), "{said}");
}

#[tokio::test]
async fn an_approved_create_is_held_anew_once_it_would_complete_something() {
    let mut bed = bed("production").await;
    let agent = bed.agent().await;
    let create = "CREATE TABLE IF NOT EXISTS notes (id int)";
    let hold = ask(&agent, create).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    approved(&mut bed, &agent, "DROP TABLE notes").await;
    let anew = ask(&agent, create).await.unwrap_err().hold();
    assert_ne!(anew, hold);
    let card = bed.hold(&anew).await;
    assert_eq!(card["needs"]["peers"], 2, "{card}");
    assert!(card["facts"]["differences"].to_string().contains("recreate"), "{card}");
}

#[tokio::test]
async fn a_drop_that_was_rolled_back_is_forgotten() {
    let bed = bed("staging").await;
    let agent = bed.agent().await;
    for sql in ["BEGIN", "DROP TABLE notes", "ROLLBACK", "INSERT INTO notes VALUES (3)"] {
        ask(&agent, sql).await.expect(sql);
    }
    assert_eq!(named(&bed, "cleared"), "null");
    for sql in ["BEGIN", "TRUNCATE notes", "INSERT INTO notes VALUES (3)"] {
        ask(&agent, sql).await.expect(sql);
    }
    assert!(named(&bed, "cleared").contains("recreate"));
}

#[tokio::test]
async fn a_protection_that_goes_first_is_named() {
    let mut bed = bed("production").await;
    let agent = bed.agent().await;
    approved(&mut bed, &agent, "ALTER TABLE notes DISABLE ROW LEVEL SECURITY").await;
    let hold = ask(&agent, "DELETE FROM notes WHERE id = 1").await.unwrap_err().hold();
    let said = comes_to(&bed.hold(&hold).await);
    assert!(said.contains("destroys relation:notes after a protection was switched off"), "{said}");
}

#[tokio::test]
async fn nothing_goes_within_a_week_of_its_last_backup_by_the_same_controller() {
    let mut bed = bed("staging").await;
    let agent = bed.agent().await;
    for sql in ["CREATE TABLE backup AS SELECT * FROM notes", "DROP TABLE backup"] {
        ask(&agent, sql).await.expect(sql);
    }
    let login = bed.session(&[]);
    let said = refused(&bed, &login, "DROP TABLE notes").await;
    assert_eq!(said.code, "42501", "{said:?}");
    assert!(
        said.message
            .contains("the last known backup of relation:notes was removed by a session of carol"),
        "{said:?}"
    );
    assert!(said.hint.contains("make another copy"), "{said:?}");
    let leaf = bed.leaves_of("refused").pop().expect("a leaf");
    assert_eq!(record(&leaf)["reason"], "last_backup", "{leaf}");
    assert!(named(&bed, "refused").contains("backup_then_destroy"));
    bed.tyer.kill();
    bed.tyer.resume().expect("a restart");
    let said = refused(&bed, &login, "TRUNCATE notes").await;
    assert!(said.message.contains("last known backup"), "{said:?}");
    let proposed = propose(&bed, &login, "DROP TABLE public.notes");
    let said = String::from_utf8_lossy(&proposed.stderr).into_owned();
    assert!(said.contains("last known backup"), "{said}");
    assert_eq!(bed.truth("SELECT count(*) FROM notes"), "2");
    // Rows that match a condition may go, and all of it for somebody else.
    ask(&bed.connect(&login).await, "DELETE FROM notes WHERE id = 1").await.expect("some rows");
    let other = bed.tyer.session("kiro", "alice", &[]).expect("a session");
    ask(&bed.connect(&other).await, "DROP TABLE notes").await.expect("another controller");
    bed.verify();
}

#[tokio::test]
async fn nothing_goes_together_with_its_last_backup_and_a_new_copy_lets_it_go() {
    let bed = bed("staging").await;
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    ask(&agent, "SELECT * INTO backup FROM notes").await.expect("a copy");
    let both = refused(&bed, &login, "DROP TABLE notes, backup").await;
    assert!(both.message.contains("leave no backup of it that is known"), "{both:?}");
    ask(&agent, "DROP TABLE backup").await.expect("the backup alone");
    assert_eq!(refused(&bed, &login, "DROP TABLE notes").await.code, "42501");
    // Part of it is no copy.
    ask(&agent, "CREATE TABLE part AS SELECT * FROM notes WHERE id = 1").await.expect("a part");
    ask(&agent, "CREATE TABLE none AS SELECT * FROM notes WITH NO DATA").await.expect("nothing");
    assert_eq!(refused(&bed, &login, "DROP TABLE notes").await.code, "42501");
    ask(&agent, "CREATE TABLE whole AS TABLE notes").await.expect("a copy");
    ask(&agent, "DROP TABLE notes").await.expect("there is a backup again");
}
