// drizzle-orm's migrator over node-postgres.
'use strict';

const path = require('node:path');
const { Client } = require('pg');
const { drizzle } = require('drizzle-orm/node-postgres');
const { migrate } = require('drizzle-orm/node-postgres/migrator');

(async () => {
  const client = new Client();
  await client.connect();
  try {
    await migrate(drizzle(client), { migrationsFolder: path.join(__dirname, 'drizzle') });
  } finally {
    await client.end();
  }
})().catch((error) => {
  console.error(error, error.cause);
  process.exit(1);
});
