/** The PostgreSQL part of `npm run bench`. */
import { chmod } from 'node:fs/promises';
import { startBenchServer } from './data.ts';
import type { PostgresContender } from './contender.ts';
import { dumpAndRestic } from './dump-restic.ts';
import { holdfastPostgres } from './holdfast.ts';
import { pgBackRest } from './pgbackrest.ts';
import { measureRecovery } from './recovery.ts';
import type { LogKeeper } from './recovery.ts';
import type { PostgresResults } from './report.ts';
import { runPostgresOnce } from './run.ts';
import type { PostgresRun } from './run.ts';

export interface PostgresOptions {
  /** Where data and repositories lie; made passable for the server's account. */
  readonly scratch: string;
  readonly runs: number;
  readonly scale: number;
  /** Of the server that is killed under load, and for how long it is loaded before. */
  readonly recovery: { readonly scale: number; readonly loadSeconds: number };
  readonly seed: number;
  readonly others: boolean;
  readonly environment: Readonly<Record<string, string>>;
  readonly say: (text: string) => void;
}

type Measured = Pick<PostgresResults, 'runs' | 'scale' | 'databaseBytes' | 'contenders' | 'figures' | 'recovery'>;

export async function benchmarkPostgres(options: PostgresOptions): Promise<Measured> {
  const { scratch, runs, scale, seed, say } = options;
  await chmod(scratch, 0o755);
  const ours = holdfastPostgres(scratch, options.environment);
  const rivals = options.others
    ? [pgBackRest(scratch, 'default'), pgBackRest(scratch, 'zst'), dumpAndRestic(scratch)]
    : [];
  const contenders: PostgresContender[] = [...ours.contenders, ...rivals];
  const closeAll = async (): Promise<void> => {
    for (const contender of contenders) await contender.close();
    await ours.close();
  };
  const done: PostgresRun[] = [];
  try {
    for (let run = 0; run < runs; run += 1) {
      say(`PostgreSQL, run ${run + 1} of ${runs}`);
      const server = await startBenchServer(scratch);
      try {
        done.push(await runPostgresOnce({ run, seed, scale, scratch, server, contenders, say }));
      } finally {
        await server.dispose();
      }
    }
    const described = await Promise.all(
      contenders.map(async (one) => ({ name: one.name, description: await one.describe() })),
    );
    for (const contender of contenders) await contender.close();
    return {
      runs,
      scale,
      databaseBytes: done[0]?.databaseBytes ?? 0,
      contenders: described,
      figures: done.flatMap(({ figures }) => figures),
      recovery: await recovery(options, ours.keeper),
    };
  } finally {
    await closeAll();
  }
}

async function recovery(options: PostgresOptions, ours: LogKeeper) {
  const { scratch, say } = options;
  const keepers: LogKeeper[] = options.others ? [ours, archiving(scratch)] : [ours];
  try {
    return await measureRecovery({ scratch, ...options.recovery, keepers, say });
  } finally {
    for (const keeper of keepers) await keeper.close();
  }
}

/** Finished segments only; with a timeout of a minute, as its guide suggests for servers with little traffic. */
function archiving(scratch: string): LogKeeper {
  const repository = pgBackRest(scratch, 'zst');
  return {
    name: repository.name,
    async keep(server) {
      await repository.prepare(server);
      await repository.backup();
      await server.sql(`ALTER SYSTEM SET archive_timeout = '60s'`);
      await repository.archive(true);
    },
    recover: (directory) => repository.restoreToEnd(directory),
    close: () => repository.close(),
  };
}
