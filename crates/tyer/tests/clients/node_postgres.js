// node-postgres with its cursors, streams and COPY: what an application does with it, printed.
'use strict';

const { Readable, Writable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { Client, Pool, types } = require('pg');
const Cursor = require('pg-cursor');
const QueryStream = require('pg-query-stream');
const copy = require('pg-copy-streams');

types.setTypeParser(20, BigInt);
const show = (what, ...values) =>
  console.log(what, ...values.map((v) => JSON.stringify(v, (_, it) => (typeof it === 'bigint' ? `${it}n` : it))));
const result = (r) => Array.isArray(r) ? r.map(result)
  : [r.command, r.rowCount, r.fields.map((f) => [f.name, f.dataTypeID < 16384 ? f.dataTypeID : 'ours', f.dataTypeSize, f.format]), r.rows];
const failure = (e) => ['name', 'code', 'severity', 'message', 'detail', 'hint', 'position', 'where', 'schema', 'table',
  'column', 'constraint', 'routine'].map((key) => e[key]);

async function attempt(what, call) {
  try {
    show(what, result(await call()));
  } catch (error) {
    show(what, failure(error));
  }
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function queries(client) {
  await attempt('simple', () => client.query('SELECT 1 AS a, NULL AS b, now() IS NOT NULL AS c'));
  await attempt('parameters', () => client.query('SELECT $1::int + 1 AS n, $2::text, $3::jsonb, $4::bytea', [1, "quo'te", { a: [1] }, Buffer.from([0, 255])]));
  await attempt('array mode', () => client.query({ text: 'SELECT 1, 2', rowMode: 'array' }));
  for (const n of [1, 2, 3]) {
    await attempt('named', () => client.query({ name: 'by id', text: 'SELECT name FROM customers WHERE id = $1', values: [n] }));
  }
  await attempt('other text', () => client.query({ name: 'by id', text: 'SELECT 1' }));
  await attempt('several', () => client.query("SELECT 1 AS a; INSERT INTO probe.things (name) VALUES ('js'); SELECT 2 AS b"));
  await attempt('empty', () => client.query(''));
  await attempt('binary', () => client.query({ text: 'SELECT $1::int8 AS big, $2::float8', values: ['12', 0.5], binary: true }));
  await attempt('kinds', () => client.query('INSERT INTO probe.kinds (id, flag, list, mood, doc) VALUES ($1, $2, $3, $4, $5) RETURNING *',
    [1, true, [1, 2], 'sad', JSON.stringify([1])]));
  const all = await Promise.all(Array.from({ length: 100 }, (_, n) => client.query('SELECT $1::int AS n', [n])));
  show('queued', all.map((r) => r.rows[0].n));
}

async function errors(client) {
  for (const text of ['SELECT 1/0', 'SELEC 1', 'SELECT nothing', 'SELECT * FROM nowhere', 'SELECT 1; SELECT 1/0; SELECT 3']) {
    await attempt(text, () => client.query(text));
    await attempt(`${text} (extended)`, () => client.query({ text, values: [], queryMode: 'extended' }));
  }
  await attempt('check', () => client.query('INSERT INTO probe.things (name, size) VALUES ($1, $2)', ['x', -1]));
  await attempt('unique', () => client.query('INSERT INTO probe.things (name) VALUES ($1)', ['js']));
  await attempt('too few', () => client.query('SELECT $1::int, $2::int', [1]));
  await attempt('not an int', () => client.query('SELECT $1::int', ['x']));
  await client.query("SET statement_timeout = '100ms'");
  await attempt('timeout', () => client.query('SELECT pg_sleep(30)'));
  await client.query('RESET statement_timeout');
  const pid = (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
  show('pid', pid === client.processID);
}

async function transactions(client) {
  await client.query('BEGIN');
  await client.query("INSERT INTO probe.things (name) VALUES ('in')");
  await client.query('SAVEPOINT here');
  await attempt('fails', () => client.query("INSERT INTO probe.things (name) VALUES ('in')"));
  await attempt('aborted', () => client.query('SELECT 1'));
  await client.query('ROLLBACK TO SAVEPOINT here');
  await attempt('goes on', () => client.query('SELECT count(*) FROM probe.things'));
  await attempt('commit', () => client.query('COMMIT'));
  await attempt('again', () => client.query('COMMIT'));
}

async function cursors(client) {
  await client.query('BEGIN');
  const cursor = client.query(new Cursor('SELECT id FROM orders WHERE id > $1 ORDER BY id', [10]));
  show('cursor', await cursor.read(3), await cursor.read(2));
  await cursor.close();
  const failing = client.query(new Cursor('SELECT 1 / (5 - n) AS v FROM generate_series(1, 10) AS n'));
  show('before', await failing.read(3));
  await failing.read(5).catch((error) => show('cursor fails', failure(error)));
  await client.query('ROLLBACK');
  let total = 0n;
  for await (const row of client.query(new QueryStream('SELECT id FROM orders', [], { batchSize: 250 }))) total += row.id;
  show('streamed', total);
  for await (const row of client.query(new QueryStream('SELECT id FROM orders ORDER BY id'))) {
    show('left early', row);
    break;
  }
  await attempt('usable', () => client.query("SELECT 'usable' AS it"));
}

async function copies(client) {
  const lines = Readable.from(Array.from({ length: 3000 }, (_, n) => `copied ${n}\t${n + 1}\n`));
  const into = client.query(copy.from('COPY probe.things (name, size) FROM STDIN'));
  await pipeline(lines, into);
  show('in', into.rowCount);
  const out = client.query(copy.to('COPY (SELECT id, name FROM customers ORDER BY id) TO STDOUT'));
  let bytes = 0;
  await pipeline(out, new Writable({ write: (block, _, next) => { bytes += block.length; next(); } }));
  show('out', bytes, out.rowCount);
  const bad = client.query(copy.from('COPY probe.things (name, size) FROM STDIN'));
  await pipeline(Readable.from(['fine\t1\nbad\tworse\n']), bad).catch((error) => show('bad', failure(error)));
  const gone = client.query(copy.from('COPY probe.things (name) FROM STDIN'));
  await pipeline(Readable.from((function* () { yield 'half'; throw new Error('the source broke'); })()), gone)
    .catch((error) => show('given up', error.message.includes('broke') || failure(error)));
  await attempt('usable', () => client.query("SELECT count(*) FROM probe.things WHERE name LIKE 'copied%'"));
}

async function messages(client) {
  const other = new Client();
  await other.connect();
  const heard = [];
  client.on('notification', (m) => heard.push([m.channel, m.payload, m.processId === other.processID]));
  client.on('notice', (m) => heard.push([m.severity, m.code, m.message]));
  await client.query('LISTEN probing');
  await other.query("NOTIFY probing, 'one'");
  await other.query("NOTIFY probing");
  await client.query('DROP TABLE IF EXISTS probe.never');
  await client.query('COMMIT');
  for (let n = 0; n < 50 && heard.length < 4; n++) await sleep(50);
  show('heard', heard.sort());
  const slow = client.query('SELECT pg_sleep(30)').catch((error) => show('cancelled', failure(error)));
  await sleep(300);
  // As the driver's own cancel does: a connection of its own with this one's key.
  const cancelling = new Client();
  cancelling.connection.once('connect', () => cancelling.connection.cancel(client.processID, client.secretKey));
  cancelling.connection.on('error', () => {});
  cancelling.connection.connect(client.port, client.host);
  await slow;
  await attempt('usable', () => client.query("SELECT 'usable' AS it"));
  await other.end();
}

async function pools() {
  const pool = new Pool({ max: 5 });
  const all = await Promise.all(Array.from({ length: 60 }, (_, n) => pool.query('SELECT $1::int * 2 AS n', [n])));
  show('pool', all.map((r) => r.rows[0].n));
  await pool.end();
}

(async () => {
  const client = new Client();
  await client.connect();
  for (const part of [queries, errors, transactions, cursors, copies, messages, pools]) {
    console.log('==', part.name);
    await part(client);
  }
  await client.end();
})().catch((error) => { console.error(error); process.exit(1); });
