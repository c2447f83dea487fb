/**
 * The sample connector: answers `/health` with its dependency on the ledger, and keeps two SQLite files busy, as a
 * wallet would. The sum over all wallets never changes, so a copy that caught half a transaction shows.
 */
import { createServer } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const WALLETS = 50;
const WALLET_START = 1_000_000;
const WRITE_EVERY_MS = 200;

export interface Wallet {
  transfer(step: number): void;
  counts(): { wallets: number; total: number; audit: number };
  close(): void;
}

/** Opens or creates agent-wallets.db and audit-log.db in a directory. */
export function openWallet(directory: string): Wallet {
  const wallets = new DatabaseSync(join(directory, 'agent-wallets.db'));
  const audit = new DatabaseSync(join(directory, 'audit-log.db'));
  for (const database of [wallets, audit]) database.exec('PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 10000');
  wallets.exec('CREATE TABLE IF NOT EXISTS agent_wallets (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)');
  audit.exec('CREATE TABLE IF NOT EXISTS audit_log (id INTEGER PRIMARY KEY, at TEXT NOT NULL, what TEXT NOT NULL)');
  const insert = wallets.prepare('INSERT OR IGNORE INTO agent_wallets (id, balance) VALUES (?, ?)');
  for (let id = 0; id < WALLETS; id += 1) insert.run(id, WALLET_START);
  const move = wallets.prepare('UPDATE agent_wallets SET balance = balance + ? WHERE id = ?');
  const log = audit.prepare('INSERT INTO audit_log (at, what) VALUES (?, ?)');
  return {
    transfer(step) {
      wallets.exec('BEGIN IMMEDIATE');
      move.run(-1, step % WALLETS);
      move.run(1, (step + 1) % WALLETS);
      wallets.exec('COMMIT');
      log.run(new Date().toISOString(), `wallet ${step % WALLETS} paid its neighbour`);
    },
    counts() {
      const row = wallets.prepare('SELECT count(*) AS wallets, sum(balance) AS total FROM agent_wallets').get();
      const entries = audit.prepare('SELECT count(*) AS audit FROM audit_log').get();
      return { wallets: Number(row?.['wallets']), total: Number(row?.['total']), audit: Number(entries?.['audit']) };
    },
    close() {
      wallets.close();
      audit.close();
    },
  };
}

async function ledgerHealth(url: string): Promise<Record<string, unknown>> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) });
    const body = (await response.json()) as Record<string, unknown>;
    return { status: response.ok ? 'up' : 'down', records: body['records'] };
  } catch (error) {
    return { status: 'down', problem: error instanceof Error ? error.message : String(error) };
  }
}

function serve(wallet: Wallet, ledgerUrl: string, port: number): void {
  let failure: string | undefined;
  let step = 0;
  const timer = setInterval(() => {
    try {
      wallet.transfer(step++);
      failure = undefined;
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
  }, WRITE_EVERY_MS);
  const server = createServer((request, response) => {
    if (request.url !== '/health') {
      response.writeHead(404).end();
      return;
    }
    void ledgerHealth(ledgerUrl).then((tigerbeetle) => {
      const ok = tigerbeetle['status'] === 'up' && failure === undefined;
      const body = { status: ok ? 'healthy' : 'unhealthy', dependencies: { tigerbeetle }, failure, ...wallet.counts() };
      response.writeHead(ok ? 200 : 503, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
    });
  });
  server.listen(port, () => console.log(JSON.stringify({ listening: port })));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      clearInterval(timer);
      wallet.close();
      process.exit(0);
    });
  }
}

if (import.meta.main) {
  const environment = process.env;
  serve(
    openWallet(environment['WALLET_DIRECTORY'] ?? '/wallet'),
    environment['LEDGER_URL'] ?? 'http://ledger:3000',
    Number(environment['CONNECTOR_PORT'] ?? '8080'),
  );
}
