// The JDBC driver of PostgreSQL: what an application does with it, printed.

import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.*;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

public class Jdbc {
    interface Call { Object run() throws Exception; }

    static void show(Object... values) {
        var words = new ArrayList<String>();
        for (var value : values) words.add(value instanceof int[] many ? Arrays.toString(many) : String.valueOf(value));
        System.out.println(String.join(" | ", words));
    }

    static void attempt(String what, Call call) throws Exception {
        try {
            show(what, call.run());
        } catch (BatchUpdateException error) {
            show(what, "batch", error.getSQLState(), Arrays.toString(error.getUpdateCounts()), said(error.getNextException()));
        } catch (SQLException error) {
            show(what, said(error));
        }
    }

    static String said(SQLException error) {
        ServerErrorMessage server = error instanceof PSQLException it ? it.getServerErrorMessage() : null;
        if (server == null) return error.getClass().getSimpleName() + " " + error.getSQLState() + " " + error.getMessage();
        return String.join(", ", error.getClass().getSimpleName(), server.getSQLState(), server.getSeverity(), server.getMessage(),
            server.getDetail(), server.getHint(), "at " + server.getPosition(), server.getTable(), server.getConstraint());
    }

    static Connection connected(String... options) throws SQLException {
        var env = System.getenv();
        var settings = new Properties();
        settings.put("user", env.get("PGUSER"));
        settings.put("password", env.get("PGPASSWORD"));
        settings.put("sslmode", "disable");
        for (int n = 0; n < options.length; n += 2) settings.put(options[n], options[n + 1]);
        return DriverManager.getConnection("jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE"), settings);
    }

    static String rows(ResultSet found) throws SQLException {
        var meta = found.getMetaData();
        var out = new StringBuilder();
        for (int c = 1; c <= meta.getColumnCount(); c++)
            out.append(meta.getColumnLabel(c)).append(':').append(meta.getColumnTypeName(c)).append(':').append(meta.getPrecision(c)).append(' ');
        while (found.next()) {
            out.append('[');
            for (int c = 1; c <= meta.getColumnCount(); c++) out.append(found.getString(c)).append(',');
            out.append(']');
        }
        return out.toString();
    }

    static void prepared(Connection conn) throws Exception {
        try (var statement = conn.prepareStatement("SELECT ?::int + 1 AS n, ?::text AS t, ?::numeric AS d, ?::timestamptz IS NULL AS z")) {
            for (int n = 0; n < 12; n++) {
                statement.setInt(1, n);
                statement.setString(2, "text " + n);
                statement.setBigDecimal(3, new BigDecimal("1.50"));
                statement.setNull(4, Types.TIMESTAMP_WITH_TIMEZONE);
                show("prepared", rows(statement.executeQuery()));
            }
            show("meta", statement.getMetaData().getColumnTypeName(1), statement.getParameterMetaData().getParameterTypeName(3));
        }
        try (var insert = conn.prepareStatement("INSERT INTO probe.things (name, size) VALUES (?, ?)", Statement.RETURN_GENERATED_KEYS)) {
            insert.setString(1, "keyed");
            insert.setInt(2, 3);
            show("insert", insert.executeUpdate());
            show("keys", rows(insert.getGeneratedKeys()));
        }
    }

    static void batches(Connection conn) throws Exception {
        try (var insert = conn.prepareStatement("INSERT INTO probe.parts (id) VALUES (?)")) {
            for (int n = 0; n < 1000; n++) {
                insert.setLong(1, n);
                insert.addBatch();
            }
            show("batch", Arrays.stream(insert.executeBatch()).sum());
            for (long n : new long[] {2000, 2001, 5, 2002}) {
                insert.setLong(1, n);
                insert.addBatch();
            }
            attempt("batch fails", () -> insert.executeBatch());
        }
        try (var several = conn.createStatement()) {
            several.addBatch("INSERT INTO probe.things (name) VALUES ('b1')");
            several.addBatch("UPDATE probe.things SET size = 1 WHERE name = 'b1'");
            several.addBatch("SELECT 1/0");
            several.addBatch("INSERT INTO probe.things (name) VALUES ('b2')");
            attempt("mixed", () -> several.executeBatch());
            show("left", rows(several.executeQuery("SELECT name, size FROM probe.things WHERE name LIKE 'b_'")));
            show("parts", rows(several.executeQuery("SELECT count(*) FROM probe.parts WHERE id >= 2000")));
        }
    }

    static void fetches(Connection conn) throws Exception {
        conn.setAutoCommit(false);
        try (var statement = conn.prepareStatement("SELECT id FROM orders ORDER BY id")) {
            statement.setFetchSize(777);
            long total = 0;
            try (var found = statement.executeQuery()) {
                while (found.next()) total += found.getLong(1);
            }
            show("fetched", total);
            statement.setMaxRows(10);
            show("limited", rows(statement.executeQuery()));
        }
        try (var one = conn.prepareStatement("SELECT id FROM orders ORDER BY id"); var two = conn.prepareStatement("SELECT id, name FROM customers ORDER BY id")) {
            one.setFetchSize(2);
            two.setFetchSize(3);
            var first = one.executeQuery();
            var second = two.executeQuery();
            var seen = new StringBuilder();
            for (int n = 0; n < 10; n++) {
                first.next();
                second.next();
                seen.append(first.getLong(1)).append('/').append(second.getString(2)).append(' ');
            }
            show("two portals", seen);
        }
        try (var failing = conn.prepareStatement("SELECT 1 / (7 - n) FROM generate_series(1, 10) AS n")) {
            failing.setFetchSize(2);
            attempt("fails on the way", () -> rows(failing.executeQuery()));
        }
        conn.rollback();
        conn.setAutoCommit(true);
    }

    static void errors(Connection conn) throws Exception {
        try (var statement = conn.createStatement()) {
            for (var sql : new String[] {"SELECT 1/0", "SELEC 1", "SELECT nothing", "SELECT * FROM nowhere", "INSERT INTO probe.things (name) VALUES (NULL)",
                "INSERT INTO probe.things (name, size) VALUES ('n', -1)", "", "SELECT 1; SELECT 1/0; SELECT 2"})
                attempt(sql, () -> statement.execute(sql));
            show("several", statement.execute("SELECT 1; INSERT INTO probe.things (name) VALUES ('j1'), ('j2'); SELECT 2"), statement.getMoreResults(),
                statement.getUpdateCount(), statement.getMoreResults());
            statement.setQueryTimeout(1);
            attempt("query timeout", () -> statement.executeQuery("SELECT pg_sleep(30)"));
            statement.setQueryTimeout(0);
            var cancelling = new Thread(() -> {
                try {
                    Thread.sleep(300);
                    statement.cancel();
                } catch (Exception error) {
                    show("cancel", error);
                }
            });
            cancelling.start();
            attempt("cancelled", () -> statement.executeQuery("SELECT pg_sleep(30)"));
            cancelling.join();
            show("usable", rows(statement.executeQuery("SELECT 'usable' AS it")));
            statement.execute("DROP TABLE IF EXISTS probe.never");
            for (var warning = statement.getWarnings(); warning != null; warning = warning.getNextWarning()) show("warning", warning.getSQLState(), warning.getMessage());
        }
    }

    static void transactions(Connection conn) throws Exception {
        conn.setAutoCommit(false);
        try (var statement = conn.createStatement()) {
            statement.executeUpdate("INSERT INTO probe.things (name) VALUES ('t1')");
            var here = conn.setSavepoint("here");
            attempt("duplicate", () -> statement.executeUpdate("INSERT INTO probe.things (name) VALUES ('t1')"));
            attempt("aborted", () -> statement.executeQuery("SELECT 1"));
            conn.rollback(here);
            show("after", rows(statement.executeQuery("SELECT count(*) FROM probe.things WHERE name = 't1'")));
            conn.commit();
            conn.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            conn.setReadOnly(true);
            attempt("read only", () -> statement.executeUpdate("INSERT INTO probe.things (name) VALUES ('t2')"));
            conn.rollback();
        }
        try (var saving = connected("autosave", "always"); var statement = saving.createStatement()) {
            saving.setAutoCommit(false);
            for (var name : new String[] {"s1", "s1", "s2"}) attempt("autosave " + name, () -> statement.executeUpdate("INSERT INTO probe.things (name) VALUES ('" + name + "')"));
            saving.commit();
            show("saved", rows(statement.executeQuery("SELECT name FROM probe.things WHERE name LIKE 's_' ORDER BY 1")));
            saving.commit();
        }
    }

    static void copies(Connection conn) throws Exception {
        var copy = new CopyManager(conn.unwrap(org.postgresql.core.BaseConnection.class));
        var lines = new StringBuilder();
        for (int n = 0; n < 2000; n++) lines.append("copied ").append(n).append('\t').append(n + 1).append('\n');
        show("in", copy.copyIn("COPY probe.things (name, size) FROM STDIN", new StringReader(lines.toString())));
        var out = new StringWriter();
        show("out", copy.copyOut("COPY (SELECT id, name FROM customers ORDER BY id) TO STDOUT", out), out.getBuffer().length());
        attempt("broken", () -> copy.copyIn("COPY probe.things (name, size) FROM STDIN", new StringReader("x\ty\n")));
        attempt("given up", () -> {
            var stream = copy.copyIn("COPY probe.things (name) FROM STDIN");
            stream.writeToCopy("half".getBytes(), 0, 4);
            stream.cancelCopy();
            return "cancelled";
        });
        try (var statement = conn.createStatement()) {
            show("usable", rows(statement.executeQuery("SELECT count(*) FROM probe.things WHERE name LIKE 'copied%'")));
        }
    }

    static void others() throws Exception {
        for (var mode : new String[] {"simple", "extended", "extendedForPrepared", "extendedCacheEverything"}) {
            try (var conn = connected("preferQueryMode", mode, "prepareThreshold", "1", "binaryTransfer", "true"); var statement = conn.prepareStatement("SELECT ?::int8 AS n, ?::uuid AS u")) {
                for (int n = 0; n < 3; n++) {
                    statement.setLong(1, n);
                    statement.setObject(2, UUID.nameUUIDFromBytes(new byte[] {(byte) n}));
                    show(mode, rows(statement.executeQuery()));
                }
                var notes = conn.unwrap(PGConnection.class);
                try (var plain = conn.createStatement()) {
                    plain.execute("LISTEN probing");
                    plain.execute("NOTIFY probing, 'heard'");
                    for (var note : notes.getNotifications(2000)) show("note", note.getName(), note.getParameter(), note.getPID() == notes.getBackendPID());
                }
            }
        }
        try (var conn = connected()) {
            var meta = conn.getMetaData();
            show("tables", rows(meta.getTables(null, "probe", "%", new String[] {"TABLE"})));
            show("columns", rows(meta.getColumns(null, "probe", "things", "%")).length() > 100);
            show("keys", rows(meta.getPrimaryKeys(null, "probe", "things")), rows(meta.getImportedKeys(null, "probe", "parts")));
            show("valid", conn.isValid(1), conn.getSchema(), conn.getCatalog());
        }
    }

    public static void main(String[] arguments) throws Exception {
        try (var conn = connected("prepareThreshold", "3")) {
            prepared(conn);
            batches(conn);
            fetches(conn);
            errors(conn);
            copies(conn);
            transactions(conn);
        }
        others();
    }
}
