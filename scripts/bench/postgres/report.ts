/** The PostgreSQL figures as a section of the report, and what was to be reached. Pure. */
import { median } from '../targets.ts';
import type { Target } from '../targets.ts';
import type { Family } from './contender.ts';
import type { RecoveryResult } from './recovery.ts';
import type { PostgresFigure, PostgresStep } from './run.ts';

export interface PostgresResults {
  readonly command: string;
  readonly machine: string;
  readonly date: string;
  readonly runs: number;
  readonly scale: number;
  readonly databaseBytes: number;
  readonly contenders: readonly { readonly name: string; readonly description: string }[];
  readonly figures: readonly PostgresFigure[];
  readonly recovery: RecoveryResult | undefined;
}

export const OURS_BASE = 'holdfast base';
export const OURS_DUMP = 'holdfast dump';
const TITLE = '## PostgreSQL';
const STORED_SHARE_MAX = 0.5;
const RECOVERY_POINT_SECONDS_MAX = 10;

const STEP_TITLES: Readonly<Record<PostgresStep, string>> = {
  first: 'first backup',
  recent: '1 % of the rows changed: the newest ones, side by side',
  random: '1 % of the rows changed, anywhere: nearly half of the pages differ',
  restore: 'restore of the newest backup',
};
const FAMILY_TITLES: Readonly<Record<Family, string>> = { base: 'Base backup', dump: 'Dump' };

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}

interface Medians {
  readonly wall: number;
  readonly ready: number | undefined;
  readonly cpu: number;
  readonly serverCpu: number;
  readonly peak: number;
  readonly added: number;
  readonly addedWal: number;
}

export function postgresMedians(
  figures: readonly PostgresFigure[],
  family: Family,
  step: PostgresStep,
): Map<string, Medians> {
  const ofStep = figures.filter((figure) => figure.family === family && figure.step === step);
  const names = [...new Set(ofStep.map(({ contender }) => contender))];
  return new Map(
    names.map((name) => {
      const found = ofStep.filter(({ contender }) => contender === name);
      const ready = found.flatMap(({ readySeconds }) => (readySeconds === undefined ? [] : [readySeconds]));
      return [
        name,
        {
          wall: median(found.map(({ wallSeconds }) => wallSeconds)),
          ready: ready.length === 0 ? undefined : median(ready),
          cpu: median(found.map(({ cpuSeconds }) => cpuSeconds)),
          serverCpu: median(found.map((one) => one.serverCpuSeconds)),
          peak: Math.max(...found.map(({ peakMiB }) => peakMiB)),
          added: median(found.map(({ addedBytes }) => addedBytes)),
          addedWal: median(found.map(({ addedWalBytes }) => addedWalBytes)),
        },
      ];
    }),
  );
}

export function postgresTargets({ figures, recovery }: Pick<PostgresResults, 'figures' | 'recovery'>): Target[] {
  const second = postgresMedians(figures, 'base', 'recent');
  const ours = second.get(OURS_BASE);
  const others = [...second].filter(([name]) => name !== OURS_BASE).map(([, value]) => value);
  const targets: Target[] = [];
  if (ours !== undefined && others.length > 0) {
    const smallest = Math.min(...others.map(({ added }) => added));
    const fastest = Math.min(...others.map(({ wall }) => wall));
    targets.push(
      {
        what: 'second base backup: stored, against the smallest incremental of pgBackRest',
        wanted: `at most ${STORED_SHARE_MAX} times`,
        measured: `${(ours.added / smallest).toFixed(2)} times (${mebibytes(ours.added)} of ${mebibytes(smallest)} MiB)`,
        reached: ours.added <= smallest * STORED_SHARE_MAX,
      },
      {
        what: 'second base backup: time, against the fastest incremental of pgBackRest',
        wanted: 'no longer',
        measured: `${ours.wall.toFixed(2)} s, ${fastest.toFixed(2)} s`,
        reached: ours.wall <= fastest,
      },
    );
  }
  const loss = recovery?.figures.find(({ contender }) => contender === OURS_BASE);
  if (loss !== undefined) {
    targets.push({
      what: 'recovery point when the server is killed under pgbench',
      wanted: `under ${RECOVERY_POINT_SECONDS_MAX} s`,
      measured: `${loss.lostSeconds.toFixed(2)} s (${loss.lost} of ${loss.acknowledged} acknowledged transactions)`,
      reached: loss.lostSeconds < RECOVERY_POINT_SECONDS_MAX,
    });
  }
  return targets;
}

function table(results: PostgresResults, family: Family, step: PostgresStep): string[] {
  const all = postgresMedians(results.figures, family, step);
  if (all.size === 0) return [];
  const isRestore = step === 'restore';
  const rows = [...all].map(([name, each]) => {
    const costs = [each.wall.toFixed(2), each.cpu.toFixed(2), each.serverCpu.toFixed(2), each.peak.toFixed(0)];
    const stored = [mebibytes(each.added), mebibytes(each.addedWal), (results.databaseBytes / each.added).toFixed(2)];
    const cells = isRestore ? [...costs, each.ready?.toFixed(2) ?? ''] : [...costs, ...stored];
    return `| ${[name, ...cells].join(' | ')} |`;
  });
  const last = isRestore ? ['to ready s'] : ['added MiB', 'its log MiB', 'database / added'];
  const head = ['', 'wall s', 'CPU s', "server's CPU s", 'peak MiB', ...last];
  return [
    `### ${FAMILY_TITLES[family]}: ${STEP_TITLES[step]}`,
    '',
    `| ${head.join(' | ')} |`,
    `| --- |${' ---: |'.repeat(head.length - 1)}`,
    ...rows,
    '',
  ];
}

function recoveryTable({ loadSeconds, walBytes, figures }: RecoveryResult): string[] {
  const rows = figures.map((each) => {
    const times = [each.restoreSeconds.toFixed(2), each.replaySeconds.toFixed(2)];
    return `| ${[each.contender, ...times, each.acknowledged, each.lost, each.lostSeconds.toFixed(2)].join(' | ')} |`;
  });
  return [
    '### Killed under load',
    '',
    `A server of its own under \`pgbench -c 4\` and two recording clients for ${loadSeconds} s, ${mebibytes(walBytes)} MiB of log; then SIGKILL, and its`,
    'disk is thrown away. Everybody kept the log of that same server at the same time and replays it on a new cluster.',
    '`lost s` is from the oldest transaction that was acknowledged and is not there to the kill.',
    '',
    '| | restore s | start and replay s | acknowledged | lost | lost s |',
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
    '',
  ];
}

const INTRODUCTION = `Everybody takes the same state of the same server (fsync, checksums, no autovacuum between two of them), step by step in
an order that turns; all compress and encrypt into an empty local repository that is synced before the clock stops. What
was restored is compared with the original by a count and sums over all rows. The server's CPU is apart, and holds that of
\`archive_command\`. \`added\` is what the step added to the repository, its \`log\` what of the write-ahead log lies beside it.`;

/** From its heading to the end of the document. */
export function postgresMarkdown(results: PostgresResults): string {
  const targets = postgresTargets(results).map(
    ({ what, wanted, measured, reached }) =>
      `| ${what} | ${wanted} | ${measured} | ${reached ? 'reached' : '**not reached**'} |`,
  );
  return [
    TITLE,
    '',
    `Made by \`${results.command}\` on ${results.date}: ${results.runs} runs on ${results.machine}; pgbench data of scale ${results.scale}, ${mebibytes(results.databaseBytes)} MiB.`,
    '',
    INTRODUCTION,
    '',
    ...results.contenders.map(({ name, description }) => `- ${name}: ${description}`),
    '',
    ...(targets.length === 0 ? [] : ['| | wanted | measured | |', '| --- | --- | --- | --- |', ...targets, '']),
    ...(['base', 'dump'] as const).flatMap((family) =>
      (['first', 'recent', 'random', 'restore'] as const).flatMap((step) => table(results, family, step)),
    ),
    ...(results.recovery === undefined ? [] : recoveryTable(results.recovery)),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n');
}

/** The PostgreSQL section is the last one: what lies before it, and it; each empty when it isn't there. */
export function splitReport(document: string): { readonly before: string; readonly postgres: string } {
  const at = document.indexOf(`\n${TITLE}\n`);
  if (at === -1) return { before: document, postgres: '' };
  return { before: document.slice(0, at + 1), postgres: document.slice(at + 1) };
}

export function joinReport(before: string, postgres: string): string {
  const parts = [before.trimEnd(), postgres.trimEnd()].filter((part) => part !== '');
  return `${parts.join('\n\n')}\n`;
}
