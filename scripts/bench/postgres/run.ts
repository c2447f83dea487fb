/** One run: every step for every contender on the same state of the same server, in an order that turns. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { giveToServer } from '../../../test/support/postgres/cluster-files.ts';
import type { PostgresServer } from '../../../test/support/postgres.ts';
import type { Measured } from '../measure.ts';
import { turned } from '../run.ts';
import { serverCpuSeconds } from './contender.ts';
import type { Family, PostgresContender } from './contender.ts';
import { changeRows, databaseBytes, fillServer, fingerprint } from './data.ts';

export type PostgresStep = 'first' | 'recent' | 'random' | 'restore';
/** Restores come last: what they make in the server must not be in anybody's backup. */
export const STEPS: readonly PostgresStep[] = ['first', 'recent', 'random', 'restore'];

export interface PostgresFigure extends Measured {
  readonly contender: string;
  readonly family: Family;
  readonly step: PostgresStep;
  readonly run: number;
  /** Of the server's processes, everything they start included. */
  readonly serverCpuSeconds: number;
  readonly readySeconds?: number;
  /** What the step added to the repository, log apart; nothing for a restore. */
  readonly addedBytes: number;
  readonly addedWalBytes: number;
}

export interface PostgresRunOptions {
  readonly run: number;
  readonly seed: number;
  readonly scale: number;
  readonly scratch: string;
  readonly server: PostgresServer;
  readonly contenders: readonly PostgresContender[];
  readonly say: (text: string) => void;
}

export interface PostgresRun {
  readonly figures: readonly PostgresFigure[];
  readonly databaseBytes: number;
  readonly changedRows: number;
}

/** Throws when a contender fails or restores something else than was backed up. */
export async function runPostgresOnce(options: PostgresRunOptions): Promise<PostgresRun> {
  const { server, scale, contenders, say } = options;
  say(`pgbench data, scale ${scale}`);
  await fillServer(server, scale);
  const bytes = await databaseBytes(server);
  for (const contender of contenders) await contender.prepare(server);
  const figures: PostgresFigure[] = [];
  let changedRows = 0;
  let wanted = '';
  let turn = options.run;
  for (const step of STEPS) {
    if (step === 'recent' || step === 'random') {
      changedRows = await changeRows(server, scale, step, options.seed + options.run);
      say(`${changedRows} rows changed (${step})`);
    }
    if (step === 'restore') wanted = await fingerprint(server);
    for (const contender of turned(contenders, turn++)) {
      const figure = await takeStep(options, contender, step, wanted);
      figures.push(figure);
      const added = (figure.addedBytes / 1024 / 1024).toFixed(1);
      say(`${step} ${contender.name}: ${figure.wallSeconds.toFixed(2)} s, ${added} MiB added`);
    }
  }
  return { figures, databaseBytes: bytes, changedRows };
}

async function takeStep(
  options: PostgresRunOptions,
  contender: PostgresContender,
  step: PostgresStep,
  wanted: string,
): Promise<PostgresFigure> {
  const before = await contender.stored();
  const cpuBefore = serverCpuSeconds(options.server);
  const { readySeconds, ...cost } =
    step === 'restore' ? await restore(options, contender, wanted) : { ...(await contender.backup()) };
  const cpu = serverCpuSeconds(options.server) - cpuBefore;
  const after = await contender.stored();
  return {
    contender: contender.name,
    family: contender.family,
    step,
    run: options.run,
    wallSeconds: cost.wallSeconds,
    cpuSeconds: cost.cpuSeconds,
    peakMiB: cost.peakMiB,
    serverCpuSeconds: cpu,
    addedBytes: after.backupBytes - before.backupBytes,
    addedWalBytes: after.walBytes - before.walBytes,
    ...(readySeconds === undefined ? {} : { readySeconds }),
  };
}

/** What was restored stays until the end: removing it would be charged to whoever writes next (see ../run.ts). */
async function restore(options: PostgresRunOptions, contender: PostgresContender, wanted: string) {
  const name = contender.name.replaceAll(/[^a-zA-Z0-9]+/g, '-');
  const directory = join(options.scratch, `restored-${options.run}-${name}`);
  await mkdir(directory, { mode: 0o755 });
  await giveToServer(directory);
  const { fingerprint: found, ...cost } = await contender.restore(directory);
  if (found !== wanted) throw new Error(`${contender.name} brought back ${found} where ${wanted} was backed up`);
  return cost;
}
