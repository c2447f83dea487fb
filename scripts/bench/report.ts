/** The benchmark's figures as Markdown, and as a chart that needs nothing but a browser. Pure. */
import type { DataSet } from './contender.ts';
import type { Figure, Step } from './run.ts';
import { judge, medians } from './targets.ts';

export interface Results {
  readonly command: string;
  readonly machine: string;
  readonly date: string;
  readonly runs: number;
  readonly ledgerBytes: number;
  readonly files: number;
  readonly filesBytes: number;
  readonly contenders: readonly { readonly name: string; readonly description: string }[];
  readonly figures: readonly Figure[];
  readonly zstdSeconds: number | undefined;
  readonly freezes: readonly { readonly what: string; readonly milliseconds: number }[];
}

const TITLES: Record<Step, string> = {
  first: 'First backup',
  unchanged: 'Nothing changed',
  changed: '1 % of the blocks changed in place',
  restore: 'Full restore',
  verify: 'Verification (everything read back)',
};
const COLOURS = ['#2f6f4f', '#7fb79a', '#b8563f', '#50648c', '#8f9bb3'];

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}

function table(results: Results, data: DataSet, step: Step): string {
  const rows = [...medians(results.figures, data, step)].map(([name, { wall, cpu, peak, stored }]) => {
    const ratio = (data === 'ledger' ? results.ledgerBytes : results.filesBytes) / stored;
    const cells = [name, wall.toFixed(2), cpu.toFixed(2), peak.toFixed(0), mebibytes(stored), ratio.toFixed(2)];
    return `| ${cells.join(' | ')} |`;
  });
  if (rows.length === 0) return '';
  return [
    `### ${TITLES[step]}`,
    '',
    '| | wall s | CPU s | peak MiB | stored MiB | source / stored |',
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
    '',
  ].join('\n');
}

const INTRODUCTION = `Medians over the runs; peak memory is the highest. Every step was done by all before the next step, in an order that
turns. All compress and encrypt, and each writes to an empty local repository whose filesystem is synced before the
clock stops. The source lies in the page cache for all of them. Every restore is compared with its source, file by file.

\`holdfast\` is from the command to the committed manifest (or the restored copy) with the engine running: its CPU is
that of the command and of both workers, its memory that of the host worker. \`holdfast, alone\` is the
capture or restore as a program of its own, without Temporal. For the others, CPU is that of the command and its
children, memory their peak. \`source / stored\` after a changed backup counts both backups.
`;

export function markdown(results: Results): string {
  const targets = judge(results.figures, results.zstdSeconds);
  const lines = targets.map(
    ({ what, wanted, measured, reached }) =>
      `| ${what} | ${wanted} | ${measured} | ${reached ? 'reached' : '**not reached**'} |`,
  );
  const freezes = results.freezes.map(({ what, milliseconds }) => `- ${what}: ${milliseconds.toFixed(0)} ms`);
  return [
    '# Benchmarks',
    '',
    `Made by \`${results.command}\` on ${results.date}: ${results.runs} runs on ${results.machine}.`,
    '',
    INTRODUCTION,
    ...results.contenders.map(({ name, description }) => `- ${name}: ${description}`),
    results.zstdSeconds === undefined
      ? ''
      : `- \`zstd -1 -T2\` of the ledger, synced: ${results.zstdSeconds.toFixed(2)} s`,
    '',
    '![Wall time of each step](pictures/benchmarks.svg)',
    '',
    '## What was to be reached',
    '',
    '| | wanted | measured | |',
    '| --- | --- | --- | --- |',
    ...lines,
    '',
    ...(freezes.length === 0 ? [] : ['Length of the freeze:', '', ...freezes, '']),
    `## Ledger: one file of ${mebibytes(results.ledgerBytes)} MiB`,
    '',
    ...(['first', 'unchanged', 'changed', 'restore', 'verify'] as const).map((step) => table(results, 'ledger', step)),
    `## Small files: ${results.files}, ${mebibytes(results.filesBytes)} MiB`,
    '',
    ...(['first', 'unchanged', 'restore', 'verify'] as const).map((step) => table(results, 'files', step)),
  ]
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trimEnd()
    .concat('\n');
}

/** Horizontal bars, one group a step, each group on its own scale. */
export function chart(results: Results): string {
  const groups = (['ledger', 'files'] as const).flatMap((data) =>
    (['first', 'unchanged', 'changed', 'restore', 'verify'] as const).flatMap((step) => {
      const bars = [...medians(results.figures, data, step)].map(([name, { wall }]) => ({ name, wall }));
      const title = `${data === 'ledger' ? 'Ledger' : 'Small files'}: ${TITLES[step].toLowerCase()}`;
      return bars.length === 0 ? [] : [{ title, bars }];
    }),
  );
  let y = 24;
  const parts: string[] = [];
  for (const { title, bars } of groups) {
    parts.push(`<text x="16" y="${y}" font-weight="bold">${title}</text>`);
    y += 10;
    const longest = Math.max(...bars.map(({ wall }) => wall));
    bars.forEach(({ name, wall }, at) => {
      const width = Math.max(1, (wall / longest) * 420);
      parts.push(
        `<text x="150" y="${y + 12}" text-anchor="end">${name}</text>`,
        `<rect x="158" y="${y}" width="${width.toFixed(1)}" height="15" fill="${COLOURS[at % COLOURS.length] ?? ''}"/>`,
        `<text x="${(164 + width).toFixed(1)}" y="${y + 12}">${wall.toFixed(2)} s</text>`,
      );
      y += 19;
    });
    y += 22;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="680" height="${y}" viewBox="0 0 680 ${y}" font-family="sans-serif" font-size="12">`,
    `<rect width="680" height="${y}" fill="#ffffff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}
