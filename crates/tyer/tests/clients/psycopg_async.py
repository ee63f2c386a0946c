"""psycopg 3 with asyncio: several connections at once, what each saw, printed in order."""

import asyncio

import psycopg
from psycopg import sql


def show(what, *values):
    print(what, *(repr(value) for value in values), flush=True)


async def attempt(what, awaitable):
    try:
        show(what, await awaitable)
    except psycopg.Error as error:
        show(what, type(error).__name__, error.sqlstate, error.diag.message_primary, error.diag.message_detail)


async def worker(number):
    async with await psycopg.AsyncConnection.connect(autocommit=True) as conn:
        total = 0
        for n in range(20):
            async with conn.transaction():
                await conn.execute("INSERT INTO probe.parts (id) VALUES (%s)", (number * 1000 + n,))
                cursor = await conn.execute("SELECT count(*) FROM probe.parts WHERE id / 1000 = %s", (number,))
                total += (await cursor.fetchone())[0]
        return total


async def locks():
    """One waits for the other's lock; the second gives up by a time limit of its own."""
    async with await psycopg.AsyncConnection.connect() as one, await psycopg.AsyncConnection.connect() as two:
        await one.execute("UPDATE probe.things SET size = 2 WHERE name = 'locked'")
        await two.execute("SET lock_timeout = '100ms'")
        await attempt("lock", one_of(two, "UPDATE probe.things SET size = 3 WHERE name = 'locked'"))
        await two.rollback()
        await one.commit()
        await attempt("free", one_of(two, "SELECT size FROM probe.things WHERE name = 'locked' FOR UPDATE NOWAIT"))
        await attempt("busy", one_of(one, "SELECT size FROM probe.things WHERE name = 'locked' FOR UPDATE NOWAIT"))


async def deadlock():
    async with await psycopg.AsyncConnection.connect() as one, await psycopg.AsyncConnection.connect() as two:
        update = "UPDATE probe.things SET size = size + 1 WHERE name = %s"
        await one.execute(update, ("locked",))
        await two.execute(update, ("other",))
        both = await asyncio.gather(one.execute(update, ("other",)), two.execute(update, ("locked",)),
                                    return_exceptions=True)
        show("deadlock", sorted(getattr(result, "sqlstate", None) or "fine" for result in both))


async def tasks(conn):
    """A task that is cancelled cancels its query; the connection stays usable."""
    task = asyncio.create_task(conn.execute("SELECT pg_sleep(30)"))
    await asyncio.sleep(0.3)
    task.cancel()
    try:
        await task
    except (asyncio.CancelledError, psycopg.Error) as error:
        show("task", type(error).__name__, getattr(error, "sqlstate", None))
    if conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        await conn.rollback()
    await attempt("after", one_of(conn, "SELECT 'usable'"))
    try:
        async with asyncio.timeout(0.3):
            await conn.execute("SELECT pg_sleep(30)")
    except (TimeoutError, psycopg.Error) as error:
        show("timeout", type(error).__name__)
    await attempt("after", one_of(conn, "SELECT 'usable'"))


async def one_of(conn, query, parameters=None):
    return await (await conn.execute(query, parameters)).fetchone()


async def heard(conn):
    async with await psycopg.AsyncConnection.connect(autocommit=True) as other:
        await conn.execute("LISTEN probing")
        for n in range(3):
            await other.execute(sql.SQL("NOTIFY probing, {}").format(f"payload {n}"))
        async for notice in conn.notifies(timeout=5, stop_after=3):
            show("notified", notice.channel, notice.payload)
        await conn.execute("UNLISTEN *")


async def streams(conn):
    async with conn.transaction(), conn.cursor(name="rows") as cursor:
        await cursor.execute("SELECT id, total_cents FROM orders ORDER BY id")
        total = 0
        async for row in cursor:
            total += row[1]
        show("cursor", total)
    async with conn.cursor() as cursor:
        async with cursor.copy("COPY probe.things (name, size) FROM STDIN") as copy:
            for n in range(500):
                await copy.write_row((f"async {n}", 1))
        show("copied", cursor.statusmessage)
        async with cursor.copy("COPY (SELECT id FROM customers) TO STDOUT") as copy:
            show("rows out", len([row async for row in copy.rows()]))
    async with conn.pipeline():
        cursors = [await conn.execute("SELECT %s::text", (f"p{n}",)) for n in range(50)]
        show("pipelined", [(await cursor.fetchone())[0] for cursor in cursors])


async def main():
    async with await psycopg.AsyncConnection.connect(autocommit=True) as conn:
        await conn.execute("INSERT INTO probe.things (name) VALUES ('locked'), ('other')")
        show("workers", await asyncio.gather(*(worker(n) for n in range(1, 9))))
        await locks()
        await deadlock()
        await tasks(conn)
        await heard(conn)
        await streams(conn)
        await conn.execute("BEGIN")
        await attempt("error", conn.execute("SELECT 1/0"))
        show("status", conn.info.transaction_status)
        await conn.execute("ROLLBACK")
        show("status", conn.info.transaction_status)


asyncio.run(main())
