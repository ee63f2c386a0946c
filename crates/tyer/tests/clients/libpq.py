"""The newest libpq as an agent's client: every way in that it knows, and cancelling by each."""

import os
import socket
import struct
import threading

import psycopg

WAYS = (
    ("as it comes", {}),
    ("with TLS at once", {"sslnegotiation": "direct"}),
    ("bound to the channel", {"channel_binding": "require"}),
    ("with TLS at once, bound", {"sslnegotiation": "direct", "channel_binding": "require"}),
    ("by 3.0", {"max_protocol_version": "3.0"}),
    ("by 3.2", {"min_protocol_version": "3.2", "max_protocol_version": "3.2"}),
    ("by the latest", {"min_protocol_version": "latest", "max_protocol_version": "latest"}),
    ("by SCRAM or not at all", {"require_auth": "scram-sha-256"}),
    ("with GSSAPI if there is any", {"gssencmode": "prefer"}),
    ("in clear on this machine", {"sslmode": "disable"}),
    ("by MD5 or not at all", {"require_auth": "md5"}),
    ("without a password", {"require_auth": "none"}),
    ("bound in clear", {"sslmode": "disable", "channel_binding": "require"}),
    ("trusting another authority", {"sslrootcert": os.environ["OTHER_AUTHORITY"]}),
    ("expecting another host", {"host": "elsewhere.test", "hostaddr": "127.0.0.1"}),
    ("with a wrong password", {"password": "wrong"}),
)


def reason(error):
    """The first complaint, without where the door is and who one is."""
    said = str(error).strip().splitlines()[0].split(" failed: ")[-1]
    return said.removeprefix("FATAL:  ").split(" for user ")[0]


def cancelled(conn, cancel):
    ended = threading.Event()

    def again():
        # The first one may come before there is anything to cancel.
        while not ended.wait(0.2):
            cancel()

    canceller = threading.Thread(target=again)
    canceller.start()
    try:
        conn.execute("SELECT pg_sleep(30)")
        return "not cancelled"
    except psycopg.errors.QueryCanceled:
        return "cancelled"
    finally:
        ended.set()
        canceller.join()


def come(way):
    usual = {"host": "localhost", "sslmode": "verify-full", "sslrootcert": os.environ["AUTHORITY"]}
    with psycopg.connect(**{**usual, **way}, autocommit=True) as conn:
        version = conn.info.full_protocol_version
        tls = "TLS" if conn.pgconn.ssl_in_use else "clear"
        one = conn.execute("SELECT %s::int", (version,)).fetchone()[0]
        ends = cancelled(conn, conn.cancel), cancelled(conn, conn.cancel_safe)
        return (one, tls, *ends, conn.execute("SELECT 'usable'").fetchone()[0])


def encryption_by_gssapi():
    """What libpq asks only where there are credentials of Kerberos, and then what it may go on with."""
    with socket.create_connection(("localhost", int(os.environ["PGPORT"]))) as door:
        said = []
        for code in (80877104, 80877103):
            door.sendall(struct.pack("!ii", 8, code))
            said.append(door.recv(1))
        return said


def main():
    print("libpq", psycopg.pq.version() // 10000)
    for name, way in WAYS:
        try:
            print(name, *come(way), sep=", ")
        except psycopg.Error as error:
            print(name, reason(error), sep=": ")
    print("GSSAPI, then TLS:", *encryption_by_gssapi())


main()
