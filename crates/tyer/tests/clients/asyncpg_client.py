"""asyncpg: its own protocol implementation, with binary types that it looks up in the catalog."""

import asyncio
import datetime
import decimal
import ipaddress
import uuid

import asyncpg


def show(what, *values):
    print(what, *(repr(value) for value in values), flush=True)


async def attempt(what, awaitable):
    try:
        show(what, await awaitable)
    except asyncpg.PostgresError as error:
        fields = {key: value for key, value in error.as_dict().items() if "file" not in key and "line" not in key}
        show(what, type(error).__name__, sorted(fields.items()))
    except (TimeoutError, asyncio.CancelledError) as error:
        show(what, type(error).__name__)


async def kinds(conn):
    columns = "id, flag, amount, ratio, bytes, doc, list, at, span, key, mood, pair, small, net, range"
    values = (
        1, True, decimal.Decimal("12345678901234567890.123456789"), 0.1, bytes(range(256)), '{"a": [1, null]}',
        [1, None, 3], datetime.datetime(2020, 2, 29, tzinfo=datetime.timezone.utc), datetime.timedelta(days=3),
        uuid.UUID(int=7), "sad", (1, "two"), 5, ipaddress.ip_interface("10.0.0.1/8"), asyncpg.Range(1, 5),
    )
    marks = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    show("insert", await conn.execute(f"INSERT INTO probe.kinds ({columns}) VALUES ({marks})", *values))
    show("select", await conn.fetch(f"SELECT {columns} FROM probe.kinds"))
    statement = await conn.prepare(f"SELECT {columns} FROM probe.kinds WHERE id = $1 AND mood = ANY($2)")
    show("attributes", [(a.name, a.type.name, a.type.kind, a.type.schema) for a in statement.get_attributes()])
    show("parameters", [(p.name, p.kind) for p in statement.get_parameters()])
    show("again", await statement.fetch(1, ["sad", "glad"]), statement.get_statusmsg())
    await conn.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=lambda text: ("json", text))
    show("codec", await conn.fetchval("SELECT doc FROM probe.kinds"))
    await conn.reset_type_codec("jsonb", schema="pg_catalog")
    await attempt("domain", conn.execute("INSERT INTO probe.kinds (id, small) VALUES ($1, $2)", 2, -1))
    await attempt("enum", conn.execute("INSERT INTO probe.kinds (id, mood) VALUES ($1, $2)", 2, "grim"))


async def errors(conn):
    for query in ("SELECT 1/0", "SELECT nothing", "SELECT * FROM nowhere", "SELEC 1", "SELECT", "", "SELECT 1; SELECT 2"):
        await attempt(query, conn.fetch(query))
        if query:
            await attempt(query + " (simple)", conn.execute(query))
    await attempt("unique", conn.executemany("INSERT INTO probe.things (name) VALUES ($1)", [("a",), ("b",), ("a",)]))
    show("none of them", await conn.fetchval("SELECT count(*) FROM probe.things"))
    await attempt("parameter", conn.fetch("SELECT 10 / $1::int", 0))
    await attempt("not null", conn.execute("INSERT INTO probe.things (name) VALUES ($1)", None))


async def transactions(conn):
    async with conn.transaction():
        await conn.execute("INSERT INTO probe.things (name) VALUES ('outer')")
        try:
            async with conn.transaction():
                await conn.execute("INSERT INTO probe.things (name) VALUES ('inner')")
                await conn.execute("INSERT INTO probe.things (name) VALUES ('outer')")
        except asyncpg.UniqueViolationError as error:
            show("savepoint", error.sqlstate)
        await conn.execute("INSERT INTO probe.things (name) VALUES ('last')")
    show("kept", await conn.fetch("SELECT id, name FROM probe.things ORDER BY name"))
    async with conn.transaction(isolation="serializable", readonly=True):
        show("isolation", await conn.fetchval("SHOW transaction_isolation"))
        await attempt("read only", conn.execute("INSERT INTO probe.things (name) VALUES ('never')"))


async def cursors(conn):
    async with conn.transaction():
        total = 0
        async for record in conn.cursor("SELECT id FROM orders ORDER BY id", prefetch=1000):
            total += record["id"]
        show("iterated", total)
        cursor = await conn.cursor("SELECT id, name FROM customers ORDER BY id")
        show("fetch", await cursor.fetch(3), await cursor.forward(5), await cursor.fetchrow())


async def copies(conn):
    records = [(f"record {n}", decimal.Decimal(n + 1)) for n in range(2000)]
    show("records", await conn.copy_records_to_table("things", schema_name="probe", columns=["name", "size"], records=records))
    await attempt("fails", conn.copy_records_to_table(
        "things", schema_name="probe", columns=["name"], records=[("fresh",), ("record 1",)]))

    class Sink:
        total = 0

        async def __call__(self, block):
            Sink.total += len(block)

    show("query", await conn.copy_from_query("SELECT id, name FROM customers ORDER BY id", output=Sink()), Sink.total)
    show("table", await conn.copy_from_table("things", schema_name="probe", output=Sink(), format="csv", header=True), Sink.total)

    async def source():
        for n in range(100):
            yield f"{n}\t\\N\n".encode()

    show("in", await conn.copy_to_table("parts", schema_name="probe", source=source()))


async def listeners(conn, other):
    heard = asyncio.Queue()
    await conn.add_listener("probing", lambda _, pid, channel, payload: heard.put_nowait(
        (pid == other.get_server_pid(), channel, payload)))
    async with other.transaction():
        await other.execute("NOTIFY probing, 'one'")
        await other.execute("NOTIFY probing, 'two'")
    await other.execute("SELECT pg_notify('probing', $1)", "x" * 7000)
    for _ in range(3):
        pid, channel, payload = await asyncio.wait_for(heard.get(), 5)
        show("heard", pid, channel, payload[:10])
    await conn.remove_listener("probing", lambda *_: None)
    notices = []
    conn.add_log_listener(lambda _, message: notices.append((message.severity, message.sqlstate, message.message)))
    await conn.execute("DROP TABLE IF EXISTS probe.never")
    await conn.execute("COMMIT")
    await asyncio.sleep(0)
    show("notices", notices)
    show("settings", conn.get_settings().TimeZone, conn.get_settings().server_version)


async def timeouts(conn):
    await attempt("timeout", conn.fetch("SELECT pg_sleep(30)", timeout=0.3))
    show("after", await conn.fetchval("SELECT 'usable'"))
    task = asyncio.create_task(conn.fetch("SELECT pg_sleep(30)"))
    await asyncio.sleep(0.3)
    task.cancel()
    await attempt("cancelled", task)
    show("after", await conn.fetchval("SELECT 'usable'"))
    await conn.execute("SET statement_timeout = '100ms'")
    await attempt("statement timeout", conn.fetch("SELECT pg_sleep(30)"))
    await conn.execute("RESET statement_timeout")
    show("many", await conn.fetchmany("SELECT $1::int * 2", [(n,) for n in range(50)]))


async def pool():
    async with asyncpg.create_pool(min_size=4, max_size=4) as made:
        async def one(n):
            async with made.acquire() as conn:
                return await conn.fetchval("SELECT $1::int + 1", n)

        show("pool", await asyncio.gather(*(one(n) for n in range(40))))


async def main():
    conn, other = await asyncpg.connect(ssl=False), await asyncpg.connect(ssl=False)
    show("server", conn.get_server_version(), conn.get_server_pid() > 0)
    for part, arguments in (
        (kinds, (conn,)), (errors, (conn,)), (transactions, (conn,)), (cursors, (conn,)), (copies, (conn,)),
        (listeners, (conn, other)), (timeouts, (conn,)), (pool, ()),
    ):
        print("==", part.__name__, flush=True)
        await part(*arguments)
    await conn.reset()
    await conn.close()
    await other.close()


asyncio.run(main())
