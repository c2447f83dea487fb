/**
 * What is left when the server is killed under load and its disk thrown away: everybody keeps the log of the same server
 * at the same time, and brings it back on a new cluster from the repository alone.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { recordAcknowledged } from '../../../test/support/postgres/acknowledged.ts';
import { giveToServer } from '../../../test/support/postgres/cluster-files.ts';
import { environmentOf } from '../../../test/support/postgres.ts';
import type { PostgresServer } from '../../../test/support/postgres.ts';
import { fillServer, startBenchServer } from './data.ts';

export interface Recovered {
  /** Replayed to the end of what was kept, and open for writes. */
  readonly server: PostgresServer;
  readonly restoreSeconds: number;
  /** From the start of the new server to its first writable moment. */
  readonly replaySeconds: number;
}

export interface LogKeeper {
  readonly name: string;
  /** Takes a base backup; from then on the log is kept as it comes. */
  keep(server: PostgresServer): Promise<void>;
  /** The server is gone. `directory` is empty; its own `data` is what a server is started on. */
  recover(directory: string): Promise<Recovered>;
  close(): Promise<void>;
}

export interface RecoveryFigure {
  readonly contender: string;
  readonly restoreSeconds: number;
  readonly replaySeconds: number;
  readonly acknowledged: number;
  readonly lost: number;
  /** From the oldest transaction that was acknowledged and lost to the kill. */
  readonly lostSeconds: number;
}

export interface RecoveryResult {
  readonly loadSeconds: number;
  readonly walBytes: number;
  readonly figures: readonly RecoveryFigure[];
}

export async function measureRecovery(options: {
  readonly scratch: string;
  readonly scale: number;
  readonly loadSeconds: number;
  readonly keepers: readonly LogKeeper[];
  readonly say: (text: string) => void;
}): Promise<RecoveryResult> {
  const { scratch, scale, loadSeconds, keepers, say } = options;
  const server = await startBenchServer(scratch);
  try {
    await fillServer(server, scale);
    for (const keeper of keepers) await keeper.keep(server);
    const started = await position(server);
    const recorder = await recordAcknowledged(server, { database: 'bench' });
    say(`pgbench with 4 clients for ${loadSeconds} s, then SIGKILL`);
    const load = startLoad(server, loadSeconds * 2);
    await sleep(loadSeconds * 1000);
    const walBytes = (await position(server)) - started;
    const killedAtMs = performance.now();
    await server.kill();
    await Promise.all([recorder.ended(), load]);
    await rm(server.data, { recursive: true });
    const figures: RecoveryFigure[] = [];
    for (const keeper of keepers) {
      const directory = join(scratch, `recovered-${keeper.name.replaceAll(/[^a-zA-Z0-9]+/g, '-')}`);
      await mkdir(directory, { mode: 0o755 });
      await giveToServer(directory);
      const recovered = await keeper.recover(directory);
      try {
        const { acknowledged, lost, seconds } = await recorder.lossOn(recovered.server, killedAtMs);
        const { restoreSeconds, replaySeconds } = recovered;
        const contender = keeper.name;
        figures.push({ contender, restoreSeconds, replaySeconds, acknowledged, lost, lostSeconds: seconds });
        say(`${contender}: ${lost} of ${acknowledged} acknowledged transactions lost, ${seconds.toFixed(2)} s`);
      } finally {
        await recovered.server.dispose();
      }
    }
    return { loadSeconds, walBytes, figures };
  } finally {
    await server.dispose();
  }
}

/** Bytes of log written so far. */
async function position(server: PostgresServer): Promise<number> {
  return Number(await server.value(`SELECT pg_current_wal_insert_lsn() - '0/0'`));
}

/** Ends by itself when its server is killed, with a status that says so and is not asked for. */
async function startLoad(server: PostgresServer, seconds: number): Promise<void> {
  const args = ['--client=4', '--jobs=1', `--time=${seconds}`, '--no-vacuum', 'bench'];
  const env = { PATH: process.env['PATH'], ...environmentOf(server.connection()) };
  const child = spawn(join(server.bin, 'pgbench'), args, { env, stdio: 'ignore' });
  await once(child, 'close');
}
