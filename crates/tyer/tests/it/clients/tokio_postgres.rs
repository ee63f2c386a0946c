//! tokio-postgres: pipelined futures, portals with row limits, COPY, cancel, notifications, binary values.

use std::fmt::Debug;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutStream};
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Error, IsolationLevel, NoTls, SimpleQueryMessage};
use tokio_stream::StreamExt as _;
use xtask::cluster::DATABASE;

use super::{EMPTY, Ground, Seat, same};
use crate::bed::Bed;

/// What one connection was told.
struct Transcript {
    client: Client,
    said: Vec<String>,
    heard: Arc<Mutex<Vec<String>>>,
}

#[tokio::test]
async fn tokio_postgres_says_the_same() {
    for ground in Ground::ALL {
        check(ground).await;
    }
}

async fn check(ground: Ground) {
    let bed = ground.bed().await;
    compare(&bed).await;
    bed.verify();
}

/// Past Tyer and through the door, where the tables are there already.
pub(crate) async fn compare(bed: &Bed) {
    let mut transcripts = Vec::new();
    for seat in [Seat::direct(bed), Seat::door(bed)] {
        bed.cluster.query(EMPTY).expect("empty tables");
        let mut transcript = Transcript::open(&seat).await;
        transcript.queries().await;
        transcript.pipelines().await;
        transcript.portals().await;
        transcript.copies().await;
        transcript.transactions().await;
        transcript.cancelled().await;
        transcript.messages(&seat).await;
        transcripts.push(seat.mask(&transcript.said.join("\n")));
    }
    same(&transcripts[0], &transcripts[1]);
    assert!(transcripts[0].lines().count() > 60, "{}", transcripts[0]);
}

/// An error with every field that does not name a place in the server's source.
fn failure(error: &Error) -> String {
    match error.as_db_error() {
        Some(db) => format!(
            "{} {} {} {:?} {:?} {:?} {:?} {:?} {:?}",
            db.severity(),
            db.code().code(),
            db.message(),
            db.detail(),
            db.hint(),
            db.position(),
            db.where_(),
            db.table(),
            db.constraint()
        ),
        None => error.to_string(),
    }
}

fn shown<T: Debug>(result: Result<T, Error>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => failure(&error),
    }
}

fn simple(messages: Vec<SimpleQueryMessage>) -> Vec<String> {
    let one = |message| match message {
        SimpleQueryMessage::Row(row) => {
            (0..row.len()).map(|at| format!("{:?},", row.get(at))).collect()
        }
        SimpleQueryMessage::CommandComplete(count) => format!("#{count}"),
        SimpleQueryMessage::RowDescription(columns) => {
            columns.iter().map(|column| format!("{}:", column.name())).collect()
        }
        _ => "?".to_owned(),
    };
    messages.into_iter().map(one).collect()
}

impl Transcript {
    async fn open(seat: &Seat) -> Self {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(seat.port).user(&seat.user).password(&seat.password);
        let (client, mut connection) =
            config.dbname(DATABASE).connect(NoTls).await.expect("a connection");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                let line = match message {
                    AsyncMessage::Notice(notice) => {
                        format!("{} {}", notice.code().code(), notice.message())
                    }
                    AsyncMessage::Notification(note) => {
                        format!("{} {}", note.channel(), note.payload())
                    }
                    _ => "?".to_owned(),
                };
                ear.lock().expect("one writer").push(line);
            }
        });
        Self { client, said: Vec::new(), heard }
    }

    fn show(&mut self, what: &str, value: impl Debug) {
        self.said.push(format!("{what}: {value:?}"));
    }

    async fn queries(&mut self) {
        for sql in [
            "SELECT 1 AS a, NULL AS b",
            "SELECT 1; INSERT INTO probe.things (name) VALUES ('rust') RETURNING id; SELECT 2",
            "",
            "SELECT 1/0",
            "SELEC 1",
            "SELECT 'a', nothing",
            "INSERT INTO probe.things (name) VALUES ('rust')",
            "SELECT 1; SELECT 1/0; SELECT 2",
        ] {
            let answer = self.client.simple_query(sql).await.map(simple);
            self.show(sql, shown(answer));
            let answer = self.client.query(sql, &[]).await.map(|rows| rows.len());
            self.show(sql, shown(answer));
        }
        let sql = "SELECT $1::int8 AS n, $2::text AS t, $3::bytea AS b, ARRAY[$4::float8] AS f";
        let statement = self.client.prepare(sql).await.expect("a statement");
        self.show("parameters", statement.params().to_vec());
        let columns: Vec<_> = statement.columns().iter().map(|it| (it.name(), it.type_())).collect();
        self.said.push(format!("{columns:?}"));
        for n in 0..3_i64 {
            let bytes = vec![0_u8, 255, 10];
            let row = self.client.query_one(&statement, &[&n, &"é", &bytes, &0.1_f64]).await;
            let row = row.map(|row| {
                let values: (i64, String, Vec<u8>, Vec<f64>) =
                    (row.get(0), row.get(1), row.get(2), row.get(3));
                values
            });
            self.show("row", shown(row));
        }
        let typed =
            self.client.prepare_typed("SELECT $1 + 1", &[Type::INT4]).await.expect("a statement");
        let row = self.client.query_one(&typed, &[&41_i32]).await.map(|row| row.get::<_, i32>(0));
        self.show("typed", shown(row));
        let pair = self.client.query_one("SELECT mood::text, size FROM probe.kinds, probe.things", &[]);
        let pair = pair.await.map(|row| row.len()).map_err(|error| error.to_string());
        self.show("none", pair);
    }

    async fn pipelines(&mut self) {
        let ask = |n: i32| {
            let client = &self.client;
            async move {
                let row = client.query_one("SELECT 100 / ($1::int - 25)", &[&n]).await;
                shown(row.map(|row| row.get::<_, i32>(0)))
            }
        };
        // All are sent before the first is answered; one of them fails alone.
        let (a, b, c, d, e) = tokio::join!(ask(5), ask(15), ask(25), ask(35), ask(45));
        self.show("pipelined", [a, b, c, d, e]);
        let insert =
            self.client.prepare("INSERT INTO probe.parts (id) VALUES ($1)").await.expect("a statement");
        let put = |id: i64| {
            let (client, insert) = (&self.client, &insert);
            async move { shown(client.execute(insert, &[&id]).await) }
        };
        let (a, b, c, d) = tokio::join!(put(1), put(2), put(1), put(3));
        self.show("inserted", [a, b, c, d]);
        let rows = self.client.query("SELECT id FROM probe.parts ORDER BY id", &[]).await;
        self.show(
            "left",
            shown(rows.map(|rows| rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>())),
        );
    }

    async fn portals(&mut self) {
        let transaction = self.client.transaction().await.expect("begin");
        let one = transaction.bind("SELECT id FROM orders ORDER BY id", &[]).await;
        let two =
            transaction.bind("SELECT name FROM customers WHERE id > $1 ORDER BY id", &[&10_i64]).await;
        let (one, two) = match (one, two) {
            (Ok(one), Ok(two)) => (one, two),
            (one, two) => {
                self.said.extend(one.err().iter().map(failure));
                self.said.extend(two.err().iter().map(failure));
                return;
            }
        };
        let mut said = Vec::new();
        for limit in [2, 3, 1] {
            let rows = transaction.query_portal(&one, limit).await;
            said.push(shown(rows.map(|rows| rows.iter().map(|row| row.get(0)).collect::<Vec<i64>>())));
            let rows = transaction.query_portal(&two, limit).await;
            said.push(shown(
                rows.map(|rows| rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()),
            ));
        }
        drop(one);
        let rest = transaction.query_portal(&two, 0).await;
        said.push(shown(rest.map(|rows| rows.len())));
        let failing = transaction.bind("SELECT 1 / (3 - n) FROM generate_series(1, 9) AS n", &[]).await;
        if let Ok(failing) = &failing {
            for _ in 0..3 {
                said.push(shown(transaction.query_portal(failing, 1).await.map(|rows| rows.len())));
            }
        }
        said.push(shown(failing.map(drop)));
        said.push(shown(transaction.commit().await));
        self.said.extend(said);
    }

    async fn copies(&mut self) {
        let sink = self.client.copy_in("COPY probe.parts (id, thing) FROM STDIN (FORMAT binary)").await;
        let mut writer =
            pin!(BinaryCopyInWriter::new(sink.expect("a copy"), &[Type::INT8, Type::INT4]));
        for id in 100..2100_i64 {
            writer.as_mut().write(&[&id, &None::<i32>]).await.expect("a row");
        }
        let count = writer.finish().await;
        self.show("copied in", shown(count));
        let sink = self.client.copy_in("COPY probe.parts (id) FROM STDIN (FORMAT binary)").await;
        let mut writer = pin!(BinaryCopyInWriter::new(sink.expect("a copy"), &[Type::INT8]));
        writer.as_mut().write(&[&100_i64]).await.expect("a row");
        let count = writer.finish().await;
        self.show("twice", shown(count));
        // Dropped before its end: the driver tells the server that the copy failed.
        drop(
            self.client
                .copy_in::<_, bytes::Bytes>("COPY probe.parts (id) FROM STDIN")
                .await
                .expect("a copy"),
        );
        let out =
            self.client.copy_out("COPY (SELECT id FROM probe.parts) TO STDOUT (FORMAT binary)").await;
        let mut rows = pin!(BinaryCopyOutStream::new(out.expect("a copy"), &[Type::INT8]));
        let (mut count, mut sum) = (0, 0);
        while let Some(row) = rows.next().await {
            count += 1;
            sum += row.expect("a row").get::<i64>(0);
        }
        self.show("copied out", (count, sum));
        let out = self
            .client
            .copy_out("COPY (SELECT 1 / (2 - n) FROM generate_series(1, 3) AS n) TO STDOUT")
            .await;
        let mut blocks = pin!(out.expect("a copy"));
        while let Some(block) = blocks.next().await {
            let failed = block.is_err();
            self.show("block", shown(block));
            if failed {
                break;
            }
        }
        let wrong = self.client.copy_out("COPY nowhere TO STDOUT").await;
        self.show("nowhere", shown(wrong.map(drop)));
    }

    async fn transactions(&mut self) {
        let mut transaction = self.client.transaction().await.expect("begin");
        let insert = "INSERT INTO probe.things (name) VALUES ($1)";
        let mut said = vec![shown(transaction.execute(insert, &[&"one"]).await)];
        let savepoint = transaction.savepoint("here").await.expect("a savepoint");
        said.push(shown(savepoint.execute(insert, &[&"one"]).await));
        said.push(shown(savepoint.rollback().await));
        let savepoint = transaction.transaction().await.expect("a savepoint");
        said.push(shown(savepoint.execute(insert, &[&"two"]).await));
        said.push(shown(savepoint.commit().await));
        said.push(shown(transaction.commit().await));
        let strict = self.client.build_transaction().isolation_level(IsolationLevel::Serializable);
        let strict = strict.read_only(true).deferrable(true).start().await.expect("begin");
        said.push(shown(strict.execute(insert, &[&"three"]).await));
        said.push(shown(strict.query("SELECT 1", &[]).await.map(|rows| rows.len())));
        said.push(shown(strict.commit().await));
        let rows = self.client.query("SELECT name FROM probe.things ORDER BY id", &[]).await;
        said.push(shown(rows.map(|rows| rows.iter().map(|row| row.get(0)).collect::<Vec<String>>())));
        self.said.extend(said);
    }

    async fn cancelled(&mut self) {
        let token = self.client.cancel_token();
        let cancel = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            token.cancel_query(NoTls).await
        };
        let (slept, cancelled) = tokio::join!(self.client.query("SELECT pg_sleep(30)", &[]), cancel);
        self.show("slept", shown(slept.map(|rows| rows.len())));
        self.show("cancelled", shown(cancelled));
        let usable = self.client.query_one("SELECT 'usable'", &[]).await;
        self.show("usable", shown(usable.map(|row| row.get::<_, String>(0))));
    }

    async fn messages(&mut self, seat: &Seat) {
        let other = Self::open(seat).await;
        self.client
            .batch_execute("LISTEN probing; DROP TABLE IF EXISTS probe.never; COMMIT")
            .await
            .expect("listen");
        other
            .client
            .batch_execute("BEGIN; NOTIFY probing, 'one'; NOTIFY probing, 'two'; COMMIT")
            .await
            .expect("notify");
        other.client.execute("SELECT pg_notify('probing', $1)", &[&"three"]).await.expect("notify");
        for _ in 0..100 {
            if self.heard.lock().expect("one writer").len() >= 5 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let heard = self.heard.lock().expect("one writer").clone();
        self.said.extend(heard);
    }
}
