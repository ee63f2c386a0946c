//! How connections begin and end: bounds with an error of their own each, settings that come along, and a
//! stop that lets work finish.

use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_postgres::{Client, NoTls};
use xtask::cluster::DATABASE;
use xtask::instance::{Login, Shape};

use crate::bed::{Bed, Refused, ask};

/// `StartupMessage` of protocol 3.0.
fn startup(user: &str, database: &str) -> Vec<u8> {
    let fields = format!("user\0{user}\0database\0{database}\0\0");
    let length = u32::try_from(8 + fields.len()).expect("a short message");
    [&length.to_be_bytes()[..], &196_608_u32.to_be_bytes(), fields.as_bytes()].concat()
}

async fn connect(bed: &Bed, login: &Login, options: &str) -> Result<Client, Refused> {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(bed.tyer.door).user(&login.session).password(&login.password);
    config.dbname(DATABASE).options(options);
    let (client, connection) = config.connect(NoTls).await.map_err(|error| Refused::of(&error))?;
    tokio::spawn(connection);
    Ok(client)
}

fn terminate(bed: &Bed) {
    let process = bed.tyer.process().expect("a process").to_string();
    let sent = Command::new("kill").args(["-TERM", &process]).status().expect("kill");
    assert!(sent.success());
}

#[tokio::test]
async fn there_is_room_for_so_many_and_the_next_is_told() {
    let sections = "[limits]\nconnections = 3\nconnections_per_session = 2";
    let bed = Bed::new(Shape { sections, ..Shape::default() }).await;
    let (one, other) = (bed.session(&[]), bed.session(&[]));
    let mut open = Vec::new();
    for _ in 0..2 {
        open.push(connect(&bed, &one, "").await.expect("within the session's limit"));
    }
    let refused = connect(&bed, &one, "").await.expect_err("the session's limit");
    assert_eq!(refused.code, "53300", "{refused:?}");
    assert!(refused.message.contains("this session has 2 connections"), "{refused:?}");
    // The one that was refused takes room until it is gone.
    let mut another = connect(&bed, &other, "").await;
    for _ in 0..200 {
        if another.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
        another = connect(&bed, &other, "").await;
    }
    open.push(another.expect("another session"));
    let refused = connect(&bed, &other, "").await.expect_err("the door's limit");
    assert_eq!(refused.code, "53300", "{refused:?}");
    assert!(refused.hint.contains("limits.connections"), "{refused:?}");
    for client in &open {
        assert!(ask(client, "SELECT 1").await.is_ok(), "those that are open go on");
    }
    drop(open);
    for _ in 0..200 {
        if let Ok(client) = connect(&bed, &other, "").await {
            assert!(ask(&client, "SELECT 1").await.is_ok());
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("there is room again once the others have left");
}

#[tokio::test]
async fn whoever_takes_too_long_to_prove_who_they_are_is_told() {
    let bed = Bed::new(Shape { sections: "[limits]\nlogin_seconds = 1", ..Shape::default() }).await;
    let login = bed.session(&[]);
    let mut tcp = tokio::net::TcpStream::connect(("127.0.0.1", bed.tyer.door)).await.expect("the door");
    tcp.write_all(&startup(&login.session, DATABASE)).await.expect("sent");
    let mut said = Vec::new();
    tcp.read_to_end(&mut said).await.expect("the door closes");
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("SCRAM-SHA-256"), "{said}");
    assert!(said.contains("C57014\0") && said.contains("due to timeout"), "{said}");
}

#[tokio::test]
async fn settings_that_come_along_are_those_that_need_no_asking() {
    let bed = Bed::new(Shape::default()).await;
    let login = bed.session(&[]);
    let client = connect(&bed, &login, "-c statement_timeout=5s -c jit=off").await.expect("harmless");
    assert_eq!(ask(&client, "SHOW statement_timeout").await.unwrap(), ["5s", "#0"]);
    for options in ["-c search_path=evil", "-c row_security=off", "-c statement_timeout=0"] {
        let refused = connect(&bed, &login, options).await.expect_err(options);
        assert_eq!(refused.code, "42501", "{options}: {refused:?}");
        assert!(refused.hint.contains("ask for it by SET"), "{options}: {refused:?}");
    }
    let observed = Bed::new(Shape { upstream: "mode = \"observe\"", ..Shape::default() }).await;
    let login = observed.session(&[]);
    let client = connect(&observed, &login, "-c search_path=evil").await.expect("only observed");
    assert_eq!(ask(&client, "SHOW search_path").await.unwrap(), ["evil", "#0"]);
}

#[tokio::test]
async fn a_stop_lets_transactions_finish_and_idle_connections_go() {
    let mut bed = Bed::new(Shape { environment: "staging", ..Shape::default() }).await;
    let (busy, idle) = (bed.agent().await, bed.agent().await);
    for sql in ["BEGIN", "UPDATE customers SET name = 'drained' WHERE id = 1"] {
        ask(&busy, sql).await.expect(sql);
    }
    terminate(&bed);
    for _ in 0..200 {
        if idle.is_closed() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(idle.is_closed() && !busy.is_closed(), "only what is idle is told to go");
    ask(&busy, "COMMIT").await.expect("what was under way finishes");
    assert_eq!(bed.truth("SELECT name FROM customers WHERE id = 1"), "drained");
    bed.tyer.resume().expect("a restart");
    bed.verify();
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_ended_and_told() {
    let sections = "[limits]\ndrain_seconds = 1";
    let mut bed = Bed::new(Shape { environment: "staging", sections, ..Shape::default() }).await;
    let login = bed.session(&[]);
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(bed.tyer.door).user(&login.session).password(&login.password);
    let (client, connection) = config.dbname(DATABASE).connect(NoTls).await.expect("a connection");
    let ended = tokio::spawn(connection);
    for sql in ["BEGIN", "UPDATE customers SET name = 'lost' WHERE id = 1"] {
        ask(&client, sql).await.expect(sql);
    }
    terminate(&bed);
    let said = ended.await.expect("the driver").expect_err("the connection was ended");
    assert_eq!(Refused::of(&said).code, "57P01", "{said:?}");
    assert_ne!(bed.truth("SELECT name FROM customers WHERE id = 1"), "lost");
    bed.tyer.resume().expect("a restart");
    bed.verify();
}
