//! `tyer propose`: a file held as one unit and run from the text; and how a leaf is opened afterwards.

use std::process::{Command, Output};

use xtask::instance::{Login, Shape};

use crate::bed::{Bed, ask, program};

const MIGRATION: &str = "ALTER TABLE customers ADD COLUMN region text;\n\
    DELETE FROM payments;\n\
    DROP VIEW open_orders";

pub(crate) fn propose(bed: &Bed, login: &Login, text: &str) -> Output {
    let file = bed.tyer.directory().join("migration.sql");
    std::fs::write(&file, text).expect("a file");
    Command::new(program())
        .args(["propose", "sql"])
        .arg(file)
        .env("PGUSER", &login.session)
        .env("PGPASSWORD", &login.password)
        .env("TYER_URL", bed.tyer.http().origin())
        .output()
        .expect("tyer")
}

#[tokio::test]
async fn a_file_is_held_as_one_unit_and_runs_once() {
    let mut bed = Bed::new(Shape::default()).await;
    let login = bed.session(&[]);
    let code =
        |output: &Output| (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned());
    let (held, said) = code(&propose(&bed, &login, MIGRATION));
    assert_eq!(held, Some(3), "{said}");
    assert!(said.contains("held as H-1"), "{said}");
    bed.alice.approve("H-1").await.expect("alice");
    bed.bob.approve("H-1").await.expect("bob");
    // Another text is another request, however little differs.
    assert_eq!(code(&propose(&bed, &login, &format!("{MIGRATION};"))).0, Some(3));
    let (done, said) = code(&propose(&bed, &login, MIGRATION));
    assert_eq!(done, Some(0), "{said}");
    assert_eq!(bed.truth("SELECT count(*) FROM payments"), "0");
    assert_eq!(bed.truth("SELECT to_regclass('open_orders') IS NULL"), "t");
    assert_eq!(code(&propose(&bed, &login, MIGRATION)).0, Some(3), "an approval is used once");
    bed.verify();
}

#[tokio::test]
async fn a_text_that_fails_half_way_leaves_nothing() {
    let mut bed = Bed::new(Shape::default()).await;
    let login = bed.session(&[]);
    let text = "DELETE FROM payments; INSERT INTO nowhere VALUES (1)";
    assert_eq!(propose(&bed, &login, text).status.code(), Some(3));
    bed.alice.approve("H-1").await.expect("alice");
    bed.bob.approve("H-1").await.expect("bob");
    assert_eq!(propose(&bed, &login, text).status.code(), Some(1), "the database failed it");
    assert_ne!(bed.truth("SELECT count(*) FROM payments"), "0", "one unit: all or nothing");
    let settled = bed.leaves_of("settled");
    assert!(settled.iter().any(|leaf| leaf.to_string().contains("42P01")), "{settled:?}");
    let wrong = Login { session: login.session, password: "wrong".to_owned() };
    assert_eq!(propose(&bed, &wrong, text).status.code(), Some(4), "only minted credentials propose");
    bed.verify();
}

#[tokio::test]
async fn a_receipt_opens_what_a_leaf_only_commits_to() {
    let bed = Bed::new(Shape { environment: "staging", ..Shape::default() }).await;
    let agent = bed.agent().await;
    ask(&agent, "UPDATE customers SET name = 'Zebulon' WHERE id = 1").await.expect("staging flows");
    let cleared = bed.leaves_of("cleared");
    assert!(!cleared[0].to_string().contains("Zebulon"), "literals are not in leaves: {}", cleared[0]);
    let index = cleared[0]["index"].to_string();
    let receipt = bed.tyer.run(&["ledger", "receipt", &index]).expect("a receipt");
    assert!(!receipt.contains("Zebulon"), "{receipt}");
    let opened = bed.tyer.run(&["ledger", "receipt", &index, "--reveal"]).expect("a receipt");
    assert!(opened.contains("Zebulon"), "{opened}");
}

#[tokio::test]
async fn by_default_every_action_asks_its_controller() {
    let mut bed = Bed::new(Shape { preset: "ask", environment: "staging", ..Shape::default() }).await;
    let agent = bed.agent().await;
    let hold = ask(&agent, "SELECT name FROM customers WHERE id = 1").await.unwrap_err();
    assert!(hold.message.contains("the controller's own agreement"), "{hold:?}");
    assert!(ask(&agent, "BEGIN").await.is_ok() && ask(&agent, "COMMIT").await.is_ok(), "free");
    assert!(bed.bob.approve(&hold.hold()).await.is_ok(), "others may agree, which is not enough");
    assert!(ask(&agent, "SELECT name FROM customers WHERE id = 1").await.is_err());
    bed.carol.approve(&hold.hold()).await.expect("the controller agrees");
    assert!(ask(&agent, "SELECT name FROM customers WHERE id = 1").await.is_ok());
    assert!(ask(&agent, "SELECT name FROM customers WHERE id = 2").await.is_ok(), "once a shape");
    assert!(ask(&agent, "SELECT id FROM customers WHERE id = 2").await.is_err(), "another shape asks");
    bed.verify();
}
