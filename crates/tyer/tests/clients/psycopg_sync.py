"""psycopg 3, synchronous, on its own libpq: what an application does with it, printed."""

import datetime
import decimal
import sys
import threading
import uuid

import psycopg
from psycopg import pq
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb


def show(what, *values):
    print(what, *(repr(value) for value in values), flush=True)


def attempt(what, call, *arguments, **named):
    try:
        show(what, call(*arguments, **named))
    except psycopg.Error as error:
        diag = error.diag
        show(
            what, type(error).__name__, error.sqlstate, diag.severity, diag.message_primary,
            diag.message_detail, diag.message_hint, diag.statement_position, diag.context,
            diag.schema_name, diag.table_name, diag.column_name, diag.constraint_name,
        )


def rows(cursor):
    return (
        cursor.statusmessage,
        cursor.rowcount,
        [(c.name, c.type_code, c.internal_size, c.precision) for c in cursor.description or []],
        cursor.fetchall() if cursor.description else None,
    )


def connected():
    return psycopg.connect(autocommit=True, application_name="probe")


def parameters(conn):
    for name in (
        "server_version", "server_encoding", "client_encoding", "application_name", "DateStyle",
        "IntervalStyle", "TimeZone", "integer_datetimes", "standard_conforming_strings",
        "is_superuser", "in_hot_standby", "default_transaction_read_only",
    ):
        show("parameter", name, conn.info.parameter_status(name))
    conn.execute("SET timezone = 'Asia/Tokyo'")
    show("parameter changed", conn.info.parameter_status("TimeZone"))
    conn.execute("SET application_name = 'probing'")
    show("parameter changed", conn.info.parameter_status("application_name"))
    conn.execute("RESET timezone")
    show("parameter reset", conn.info.parameter_status("TimeZone"))


def kinds(conn):
    values = (
        1, True, decimal.Decimal("12345678901234567890.123456789"), 0.1, bytes(range(256)),
        Jsonb({"a": [1, None, "é"]}), [1, None, 3],
        datetime.datetime(2020, 2, 29, 12, 0, 0, 123456, tzinfo=datetime.timezone.utc),
        datetime.timedelta(days=3, seconds=4), uuid.UUID(int=7), "sad",
    )
    columns = "id, flag, amount, ratio, bytes, doc, list, at, span, key, mood"
    marks = ", ".join(["%s"] * len(values))
    for binary in (False, True):
        with conn.cursor(binary=binary) as cursor:
            cursor.execute(
                f"INSERT INTO probe.kinds ({columns}) VALUES ({marks}) "
                "ON CONFLICT (id) DO UPDATE SET flag = false RETURNING id, flag", values
            )
            show("insert", binary, rows(cursor))
            cursor.execute(f"SELECT {columns} FROM probe.kinds ORDER BY id")
            show("select", binary, rows(cursor))
            cursor.execute("SELECT 1::int2, 2::int8, 3::oid, 4.5::float4, 'x'::char(3), '10:00'::time, NULL, "
                           "'(1,a)'::probe.pair, '[1,5)'::int4range, '10.0.0.1/8'::inet")
            show("types", binary, rows(cursor))
    attempt("domain", conn.execute, "INSERT INTO probe.kinds (id, small) VALUES (%s, %s)", (9, -1))
    attempt("enum", conn.execute, "INSERT INTO probe.kinds (id, mood) VALUES (%s, %s)", (9, "grim"))


def errors(conn):
    for sql in (
        "SELECT 1/0", "SELECT 'x'::int", "SELECT nothing", "SELECT * FROM nowhere", "SELECT no_function()",
        "SELEC 1", "SELECT 1; SELECT", "SELECT 1; SELECT 2 +", "INSERT INTO probe.things (name) VALUES (NULL)",
        "INSERT INTO probe.things (name, size) VALUES ('x', 0)", "", "   ", "-- nothing",
    ):
        attempt(sql, lambda: rows(conn.execute(sql)))
        attempt(sql + " (extended)", lambda: rows(conn.execute(sql + "/* %s */" if sql else sql, None)))
        attempt(sql + " (prepared)", lambda: rows(conn.execute(sql, prepare=True)))
    attempt("parameter", lambda: rows(conn.execute("SELECT 10 / %s::int", (0,))))
    conn.execute("SET statement_timeout = '100ms'")
    attempt("timeout", conn.execute, "SELECT pg_sleep(10)")
    conn.execute("SET statement_timeout = '10min'")
    attempt("several", lambda: rows(conn.execute("SELECT 1; SELECT 2; SELECT 1/0")))
    cursor = conn.execute("SELECT 1 AS a; INSERT INTO probe.things (name) VALUES ('several'); SELECT 2 AS b")
    show("results", rows(cursor), cursor.nextset(), cursor.statusmessage, cursor.nextset(), rows(cursor))


def prepared(conn):
    conn.prepare_threshold = 2
    conn.prepared_max = 3
    for n in range(6):
        show("threshold", rows(conn.execute("SELECT %s::int + 1", (n,))))
    for n in range(8):
        conn.execute(f"SELECT {n}", prepare=True)
    show("server side", conn.execute("SELECT count(*) FROM pg_prepared_statements").fetchone())
    conn.execute("DEALLOCATE ALL")
    attempt("gone", lambda: rows(conn.execute("SELECT %s::text", ("again",), prepare=True)))


def cursors(conn):
    with conn.transaction():
        with conn.cursor(name="walk", scrollable=True) as cursor:
            cursor.execute("SELECT id, name FROM customers ORDER BY id LIMIT %s", (50,))
            show("fetchone", cursor.fetchone(), cursor.fetchmany(3))
            cursor.scroll(10)
            show("scrolled", cursor.fetchmany(2))
            cursor.itersize = 7
            show("rest", sum(row[0] for row in cursor))
        with conn.cursor(name="raw", row_factory=dict_row) as cursor:
            cursor.execute("SELECT id, placed FROM orders ORDER BY id")
            show("described", [c.name for c in cursor.description], cursor.fetchmany(2))
    client = psycopg.ClientCursor(conn)
    client.execute("SELECT %s, %s", ("quo'te", datetime.date(2020, 1, 1)))
    show("client cursor", rows(client))
    show("stream", sum(row[0] for row in conn.cursor().stream("SELECT id FROM orders")))
    show("executemany", conn.cursor().executemany(
        "INSERT INTO probe.parts (id) VALUES (%s)", [(n,) for n in range(200)]))
    cursor = conn.cursor()
    cursor.executemany("INSERT INTO probe.parts (id) VALUES (%s) RETURNING id", [(n,) for n in (500, 501)],
                       returning=True)
    show("returning", cursor.fetchall(), cursor.nextset(), cursor.fetchall())
    attempt("executemany fails", conn.cursor().executemany,
            "INSERT INTO probe.parts (id) VALUES (%s)", [(600,), (1,), (601,)])
    show("left", conn.execute("SELECT count(*) FROM probe.parts").fetchone())


def copies(conn):
    cursor = conn.cursor()
    with cursor.copy("COPY probe.things (name, size) FROM STDIN") as copy:
        for n in range(1000):
            copy.write_row((f"copied {n}", n + 1))
    show("copied in", cursor.statusmessage, cursor.rowcount)
    with cursor.copy("COPY probe.parts (id) FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int8"])
        for n in range(1000, 1100):
            copy.write_row((n,))
    show("binary in", cursor.statusmessage)
    with cursor.copy("COPY (SELECT id, name FROM customers ORDER BY id LIMIT 3) TO STDOUT") as copy:
        show("out", [bytes(block) for block in copy])
    with cursor.copy("COPY (SELECT id FROM orders) TO STDOUT (FORMAT binary)") as copy:
        show("binary out", sum(len(block) for block in copy))
    show("after", cursor.statusmessage)

    def broken():
        with cursor.copy("COPY probe.things (name, size) FROM STDIN") as copy:
            copy.write("fine\t1\nbad\tnot a number\n")
            for _ in range(1000):
                copy.write("more\t1\n" * 1000)

    def given_up():
        with cursor.copy("COPY probe.things (name, size) FROM STDIN") as copy:
            copy.write_row(("given up", 1))
            raise ZeroDivisionError("by the client")

    attempt("broken", broken)
    try:
        given_up()
    except ZeroDivisionError as error:
        show("given up", str(error))
    show("alive", conn.execute("SELECT count(*) FROM probe.things WHERE name LIKE 'copied%'").fetchone())


def transactions(conn):
    show("status", conn.info.transaction_status)
    with conn.transaction() as outer:
        conn.execute("INSERT INTO probe.things (name) VALUES ('outer')")
        try:
            with conn.transaction("inner"):
                conn.execute("INSERT INTO probe.things (name) VALUES ('inner')")
                conn.execute("INSERT INTO probe.things (name) VALUES ('outer')")
        except psycopg.errors.UniqueViolation as error:
            show("inner", error.sqlstate, conn.info.transaction_status)
        with conn.transaction():
            conn.execute("INSERT INTO probe.things (name) VALUES ('second')")
            raise psycopg.Rollback()
    show("kept", conn.execute("SELECT name FROM probe.things WHERE name IN ('outer', 'inner', 'second')").fetchall())
    conn.autocommit = False
    conn.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
    conn.read_only = True
    attempt("read only", conn.execute, "INSERT INTO probe.things (name) VALUES ('never')")
    show("status", conn.info.transaction_status)
    attempt("aborted", conn.execute, "SELECT 1")
    conn.rollback()
    conn.read_only = None
    conn.isolation_level = None
    conn.execute("INSERT INTO probe.parts VALUES (9000, 99999)")
    attempt("deferred", conn.commit)
    show("status", conn.info.transaction_status)
    conn.autocommit = True


def notices(conn):
    heard = []
    conn.add_notice_handler(lambda diag: heard.append((diag.severity, diag.sqlstate, diag.message_primary)))
    conn.execute("CREATE TABLE IF NOT EXISTS probe.things (id int)")
    conn.execute("DROP TABLE IF EXISTS probe.never")
    conn.execute("COMMIT")
    conn.execute("SET client_min_messages = error")
    conn.execute("COMMIT")
    conn.execute("RESET client_min_messages")
    show("notices", heard)
    with connected() as other:
        conn.execute("LISTEN probing")
        other.execute("NOTIFY probing, 'one'")
        other.execute("SELECT pg_notify('probing', %s)", ("two" * 1000,))
        other.execute("NOTIFY elsewhere")
        for notice in conn.notifies(timeout=5, stop_after=2):
            show("notified", notice.channel, notice.payload, notice.pid == other.info.backend_pid)
        conn.execute("UNLISTEN probing")


def cancels(conn):
    for cancel in (conn.cancel, conn.cancel_safe):
        timer = threading.Timer(0.3, cancel)
        timer.start()
        attempt("cancelled", conn.execute, "SELECT pg_sleep(30)")
        timer.join()
    show("usable", rows(conn.execute("SELECT 'usable'")))


def pipelines(conn):
    with conn.pipeline():
        results = [conn.execute("SELECT %s::int * 2", (n,)) for n in range(100)]
    show("pipelined", [cursor.fetchone()[0] for cursor in results])
    with conn.pipeline() as pipeline:
        first = conn.execute("INSERT INTO probe.parts VALUES (7000, NULL)")
        pipeline.sync()
        second = conn.execute("SELECT count(*) FROM probe.parts WHERE id = 7000")
        show("synced", first.statusmessage, second.fetchone())

    def failing():
        with conn.pipeline():
            conn.execute("INSERT INTO probe.parts VALUES (7001, NULL)")
            conn.execute("INSERT INTO probe.parts VALUES (7000, NULL)")
            conn.execute("INSERT INTO probe.parts VALUES (7002, NULL)")

    attempt("pipeline fails", failing)
    show("all or nothing", conn.execute("SELECT id FROM probe.parts WHERE id >= 7000 ORDER BY id").fetchall())
    with conn.pipeline(), conn.transaction():
        conn.cursor().executemany("INSERT INTO probe.parts (id) VALUES (%s)", [(n,) for n in range(8000, 8300)])
        counted = conn.execute("SELECT count(*) FROM probe.parts WHERE id >= 8000 AND id < 9000")
    show("in a transaction", counted.fetchone())


def raw_pipeline(conn):
    """libpq's own pipeline calls, with errors, flushes and several syncs in flight."""
    raw = conn.pgconn
    raw.enter_pipeline_mode()
    raw.send_prepare(b"twice", b"SELECT $1::int * 2")
    raw.send_query_prepared(b"twice", [b"21"])
    raw.send_describe_prepared(b"twice")
    raw.send_flush_request()
    raw.flush()
    for _ in range(4):
        answer = raw.get_result()
        show("raw", answer and (pq.ExecStatus(answer.status).name, answer.command_status, answer.ntuples))
    raw.pipeline_sync()
    raw.send_query_params(b"SELECT 1/0", None)
    raw.send_query_prepared(b"twice", [b"1"])
    raw.pipeline_sync()
    raw.send_query_params(b"SELECT n FROM generate_series(1, 3) AS n", None)
    raw.pipeline_sync()
    raw.flush()
    synced = 0
    while synced < 3:
        answer = raw.get_result()
        show("raw", answer and (pq.ExecStatus(answer.status).name, answer.command_status, answer.ntuples,
                                answer.error_field(pq.DiagnosticField.SQLSTATE)))
        synced += bool(answer) and answer.status == pq.ExecStatus.PIPELINE_SYNC
    raw.exit_pipeline_mode()
    raw.send_query(b"SELECT n FROM generate_series(1, 3) AS n")
    raw.set_single_row_mode()
    while (answer := raw.get_result()) is not None:
        show("single row", pq.ExecStatus(answer.status).name, answer.ntuples, answer.get_value(0, 0))


def large(conn):
    value = "é" * (400 << 10)
    show("value back", conn.execute("SELECT %s::text", (value,)).fetchone()[0] == value)
    made = conn.execute("SELECT repeat('x', 64 << 20)").fetchone()[0]
    show("64 MB", len(made))
    text = "SELECT " + " + ".join(["1"] * 40)
    show("long text", conn.execute(text).fetchone())
    wide = "SELECT " + ", ".join(f"{n} AS c{n}" for n in range(1600))
    show("wide", len(conn.execute(wide).fetchone()))
    many = conn.execute("SELECT " + " || ".join(["%s::text"] * 40), ["p"] * 40).fetchone()
    show("parameters", len(many[0]))


def main():
    with connected() as conn:
        show("pid", conn.info.backend_pid > 0, conn.info.server_version, conn.info.status)
        for part in (parameters, kinds, errors, prepared, cursors, copies, transactions, notices, cancels,
                     pipelines, raw_pipeline, large):
            print("==", part.__name__, flush=True)
            part(conn)
        show("end", conn.info.transaction_status)


if __name__ == "__main__":
    sys.exit(main())
