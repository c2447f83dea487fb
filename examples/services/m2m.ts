/** The M2M connector: each payment is a transfer in the ledger, a move in the wallet and a line of the audit log. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { serve } from './http.ts';

const LEDGER = process.env['LEDGER_URL'] ?? 'http://ledger:3000';
const DIRECTORY = process.env['WALLET_DIRECTORY'] ?? '/wallet';
const WALLETS = 50;
const WALLET_START = 1_000_000;

const [wallets, audit] = ['agent-wallets.db', 'audit-log.db'].map((name) => {
  const database = new DatabaseSync(join(DIRECTORY, name), { timeout: 30_000 });
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  return database;
}) as [DatabaseSync, DatabaseSync];
wallets.exec('CREATE TABLE IF NOT EXISTS agent_wallets (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)');
audit.exec('CREATE TABLE IF NOT EXISTS audit_log (id INTEGER PRIMARY KEY, at TEXT NOT NULL)');
const open = wallets.prepare('INSERT OR IGNORE INTO agent_wallets (id, balance) VALUES (?, ?)');
for (let id = 0; id < WALLETS; id += 1) open.run(id, WALLET_START);

async function ledger(path: string, body?: unknown): Promise<unknown> {
  const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const answer = await fetch(`${LEDGER}${path}`, { ...sent, signal: AbortSignal.timeout(5_000) });
  if (!answer.ok) throw new Error(`the ledger answers ${answer.status}: ${(await answer.text()).slice(0, 200)}`);
  return answer.json();
}

/** The ledger first: it is the truth. Account n is credited by payment n, from account 0. */
async function pay(id: number): Promise<void> {
  await ledger('/transfers', [{ debit: 0, credit: id, amount: 1 }]);
  wallets.exec('BEGIN IMMEDIATE');
  const move = wallets.prepare('UPDATE agent_wallets SET balance = balance + ? WHERE id = ?');
  move.run(-1, id % WALLETS);
  move.run(1, (id + 1) % WALLETS);
  wallets.exec('COMMIT');
  audit.prepare('INSERT OR IGNORE INTO audit_log (id, at) VALUES (?, ?)').run(id, new Date().toISOString());
}

/** Throws while the ledger does not serve. */
async function ledgerState(): Promise<Record<string, unknown>> {
  const { records, head } = (await ledger('/health')) as Record<string, unknown>;
  return { records, head };
}

/** Moves between wallets leave their sum as it is: a copy that caught half of one shows. */
async function health(): Promise<Record<string, unknown>> {
  const state = await ledgerState();
  const row = wallets.prepare('SELECT count(*) AS wallets, sum(balance) AS total FROM agent_wallets').get();
  const { wallets: count = 0, total = 0 } = row ?? {};
  if (count !== WALLETS || total !== WALLETS * WALLET_START) {
    throw new Error(`${String(count)} wallets hold ${String(total)} in all`);
  }
  return { dependencies: { tigerbeetle: 'healthy' }, ...state, wallets: count, total };
}

serve('payments', {
  add: pay,
  ids: async () => (await ledger('/credited')) as number[],
  health,
  close: () => [wallets, audit].forEach((database) => database.close()),
});
