/** Watan: deposits on the accounts of users. `watan.ts worker` keeps their sessions instead. */
import pg from 'pg';
import { serve } from './http.ts';

const USERS = 200;
const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 4 });
// A connection that is ended while it is idle, as by a restore: the next query opens another one.
pool.on('error', (error) => console.error(error.message));

/** The deposit and the balance that it changes, in one transaction. */
async function deposit(id: number): Promise<void> {
  const user = 1 + (id % USERS);
  await pool.query(
    `WITH new AS (INSERT INTO deposit (id, user_id, amount) VALUES ($1, $2, 1.5) ON CONFLICT DO NOTHING RETURNING 1)
     UPDATE users SET balance = balance + 1.5 WHERE id = $2 AND EXISTS (SELECT FROM new)`,
    [id, user],
  );
}

async function ids(): Promise<number[]> {
  const { rows } = await pool.query<{ id: string }>('SELECT id FROM deposit ORDER BY id');
  return rows.map(({ id }) => Number(id));
}

/** Every balance is the sum of its deposits: a copy that caught half of a transaction shows. */
async function health(): Promise<Record<string, unknown>> {
  const { rows } = await pool.query<{ users: string; wrong: string }>(
    `SELECT count(*) AS users, count(*) FILTER (WHERE balance <> coalesce(total, 0)) AS wrong
     FROM users LEFT JOIN (SELECT user_id, sum(amount) AS total FROM deposit GROUP BY 1) d ON user_id = users.id`,
  );
  const { users, wrong } = rows[0] ?? { users: '0', wrong: '0' };
  if (Number(users) < USERS) throw new Error(`${users} of ${USERS} users`);
  if (Number(wrong) > 0) throw new Error(`${wrong} balances are not the sum of their deposits`);
  return { users: Number(users) };
}

if (process.argv[2] === 'worker') {
  setInterval(() => {
    pool
      .query('INSERT INTO sessions (user_id) VALUES (1 + floor(random() * $1))', [USERS])
      .catch((error: unknown) => console.error(String(error)));
  }, 500);
  process.once('SIGTERM', () => process.exit(0));
} else {
  serve('deposits', { add: deposit, ids, health, close: () => pool.end() });
}
