/**
 * The ledger as a small server, for a container. A torn file is never served: the port opens, `/health` says 503 and
 * why, so that an open port proves nothing, as with the real one.
 *
 *   GET  /health            {status, records, head, checkpoint, ...}, 200 or 503
 *   GET  /balance?account=N {account, debits, credits, transfers}
 *   GET  /credited          the numbers of the accounts that were ever credited
 *   POST /transfers         [{debit, credit, amount}, ...] durable when answered
 *   POST /load              {perSecond}: 0 stops the steady load
 */
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Ledger, createLedger } from './ledger.ts';
import { loadTransfer } from './load.ts';
import { TornLedger } from './recover.ts';

export interface LedgerServerOptions {
  readonly path: string;
  /** Used when there is no file yet. */
  readonly fileBytes: number;
  readonly accounts: number;
  readonly host: string;
  readonly port: number;
  readonly seed: number;
  readonly loadPerSecond: number;
}

export interface LedgerServer {
  readonly port: number;
  readonly ledger: Ledger | undefined;
  close(): Promise<void>;
}

const TICK_MS = 50;
const BODY_BYTES_MAX = 1024 * 1024;

async function openOrCreate(options: LedgerServerOptions): Promise<Ledger | readonly string[]> {
  if (!existsSync(options.path)) await createLedger(options.path, options);
  try {
    return await Ledger.open(options.path);
  } catch (error) {
    if (error instanceof TornLedger) return error.problems;
    throw error;
  }
}

/** Makes transfers at a steady rate; what a slow disk delays is not made up for. */
class SteadyLoad {
  perSecond: number;
  failure: string | undefined;
  private readonly timer: NodeJS.Timeout;
  private owed = 0;
  private busy = false;

  constructor(ledger: Ledger, seed: number, perSecond: number) {
    this.perSecond = perSecond;
    const accounts = ledger.state.accounts;
    this.timer = setInterval(() => {
      this.owed = Math.min(this.owed + (this.perSecond * TICK_MS) / 1000, Math.max(1, this.perSecond));
      const count = Math.floor(this.owed);
      if (count === 0 || this.busy) return;
      this.owed -= count;
      this.busy = true;
      ledger
        .apply(count, (number) => loadTransfer(seed, number, accounts))
        .catch((error: unknown) => {
          this.failure = error instanceof Error ? error.message : String(error);
        })
        .finally(() => {
          this.busy = false;
        });
    }, TICK_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > BODY_BYTES_MAX) throw new RangeError('the request is too large');
    chunks.push(chunk as Buffer);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}

function health(ledger: Ledger | undefined, load: SteadyLoad | undefined, problems: readonly string[]) {
  const all = load?.failure === undefined ? problems : [...problems, load.failure];
  return {
    status: all.length === 0 ? 'ok' : 'failed',
    ...ledger?.state,
    loadPerSecond: load?.perSecond,
    problems: all,
  };
}

async function transfers(ledger: Ledger, request: IncomingMessage): Promise<unknown> {
  const body = await bodyOf(request);
  if (!Array.isArray(body) || body.length === 0) throw new RangeError('expected a list of transfers');
  const list = body as { debit: number; credit: number; amount: number }[];
  for (const { debit, credit, amount } of list) {
    if (![debit, credit, amount].every((value) => Number.isSafeInteger(value) && value >= 0) || debit === credit) {
      throw new RangeError('a transfer needs two different accounts and an amount');
    }
  }
  let at = 0;
  return ledger.apply(list.length, () => {
    const { debit, credit, amount } = list[at++] as (typeof list)[number];
    return { debit, credit, amount, timestampMs: Date.now() };
  });
}

async function route(
  ledger: Ledger,
  load: SteadyLoad,
  request: IncomingMessage,
): Promise<{ status: number; body: unknown }> {
  const url = new URL(request.url ?? '/', 'http://ledger');
  if (request.method === 'GET' && url.pathname === '/balance') {
    const account = Number(url.searchParams.get('account') ?? 'none');
    const balance = ledger.balance(account);
    if (balance === undefined) return { status: 404, body: { error: 'no such account' } };
    return { status: 200, body: { account, ...balance } };
  }
  if (request.method === 'GET' && url.pathname === '/credited') {
    const numbers = Array.from({ length: ledger.state.accounts }, (_, number) => number);
    return { status: 200, body: numbers.filter((number) => (ledger.balance(number)?.credits ?? 0) > 0) };
  }
  if (request.method === 'POST' && url.pathname === '/transfers') {
    return { status: 200, body: await transfers(ledger, request) };
  }
  if (request.method === 'POST' && url.pathname === '/load') {
    const { perSecond } = (await bodyOf(request)) as { perSecond: number };
    if (!Number.isFinite(perSecond) || perSecond < 0) throw new RangeError('perSecond is a number from 0 on');
    load.perSecond = perSecond;
    return { status: 200, body: { perSecond } };
  }
  return { status: 404, body: { error: 'no such thing' } };
}

/** Resolves when the port is open; whether the ledger serves is what `/health` says. */
export async function startLedgerServer(options: LedgerServerOptions): Promise<LedgerServer> {
  const opened = await openOrCreate(options);
  const ledger = opened instanceof Ledger ? opened : undefined;
  const problems = opened instanceof Ledger ? [] : opened;
  const load = ledger === undefined ? undefined : new SteadyLoad(ledger, options.seed, options.loadPerSecond);
  const server: Server = createServer((request, response) => {
    if (request.url === '/health') {
      const body = health(ledger, load, problems);
      answer(response, body.status === 'ok' ? 200 : 503, body);
    } else if (ledger === undefined || load === undefined) {
      answer(response, 503, { error: 'the ledger is torn', problems });
    } else {
      route(ledger, load, request).then(
        ({ status, body }) => answer(response, status, body),
        (error: unknown) => answer(response, 400, { error: error instanceof Error ? error.message : 'failed' }),
      );
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    ledger,
    close: async () => {
      load?.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await ledger?.close();
    },
  };
}

async function main(environment: NodeJS.ProcessEnv): Promise<void> {
  const server = await startLedgerServer({
    path: environment['LEDGER_FILE'] ?? '/data/0_0.tigerbeetle',
    fileBytes: Number(environment['LEDGER_MIB'] ?? '16') * 1024 * 1024,
    accounts: Number(environment['LEDGER_ACCOUNTS'] ?? '1260'),
    host: environment['LEDGER_HOST'] ?? '0.0.0.0',
    port: Number(environment['LEDGER_PORT'] ?? '3000'),
    seed: Number(environment['LEDGER_SEED'] ?? '1'),
    loadPerSecond: Number(environment['LEDGER_LOAD'] ?? '0'),
  });
  console.log(JSON.stringify({ listening: server.port, ...server.ledger?.state }));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      void server.close().then(() => process.exit(0));
    });
  }
}

if (import.meta.main) await main(process.env);
