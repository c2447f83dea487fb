/** The figures of copies as Markdown, and what they are to reach. Pure. */
import { median, type Target } from '../targets.ts';
import type { CopyData, CopyFigure, CopyResults } from './main.ts';

const COPY_TITLE = '## Copies between two S3 servers';
const OURS = 'holdfast';
const NAMES: Record<CopyData, string> = { ledger: 'Chunks of a MiB', small: 'Small objects' };

/** Turned by one each run, so that nobody is always first. */
export function alternately<T>(all: readonly T[], run: number): T[] {
  return all.map((_, at) => all[(at + run) % all.length] as T);
}

interface Middle {
  readonly name: string;
  readonly wall: number;
  readonly cpu: number;
  readonly servers: number;
  readonly peak: number;
}

function middles(figures: readonly CopyFigure[], data: CopyData): Middle[] {
  const own = figures.filter((one) => one.data === data);
  return [...new Set(own.map(({ contender }) => contender))].map((name) => {
    const found = own.filter(({ contender }) => contender === name);
    return {
      name,
      wall: median(found.map(({ wallSeconds }) => wallSeconds)),
      cpu: median(found.map(({ cpuSeconds }) => cpuSeconds)),
      servers: median(found.map(({ serversCpuSeconds }) => serversCpuSeconds)),
      peak: Math.max(...found.map(({ peakMiB }) => peakMiB)),
    };
  });
}

/** No slower than the fastest way of the other. */
export function copyTargets({ figures }: CopyResults): Target[] {
  return (['ledger', 'small'] as const).flatMap((data) => {
    const all = middles(figures, data);
    const ours = all.find(({ name }) => name === OURS);
    const best = Math.min(...all.filter(({ name }) => name !== OURS).map(({ wall }) => wall));
    if (ours === undefined || !Number.isFinite(best)) return [];
    const measured = `${(best / ours.wall).toFixed(2)} times (${ours.wall.toFixed(2)} s, ${best.toFixed(2)} s)`;
    const what = `copy, ${NAMES[data].toLowerCase()}, against the fastest rclone`;
    return [{ what, wanted: 'no slower', measured, reached: ours.wall <= best }];
  });
}

export function copyMarkdown(
  results: CopyResults,
  about: { readonly command: string; readonly machine: string; readonly date: string },
): string {
  const tables = (['ledger', 'small'] as const).flatMap((data) => {
    const mib = results.bytes[data] / 1024 / 1024;
    const rows = middles(results.figures, data).map(({ name, wall, cpu, servers, peak }) => {
      const speed = `${(mib / wall).toFixed(0)} | ${(results.objects[data] / wall).toFixed(0)}`;
      return `| ${name} | ${wall.toFixed(2)} | ${cpu.toFixed(2)} | ${servers.toFixed(2)} | ${peak.toFixed(0)} | ${speed} |`;
    });
    return [
      `### ${NAMES[data]}: ${results.objects[data]} objects, ${mib.toFixed(0)} MiB`,
      '',
      "| | wall s | CPU s | servers' CPU s | peak MiB | MiB/s | objects/s |",
      '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
      ...rows,
      '',
    ];
  });
  return [
    COPY_TITLE,
    '',
    `Made by \`${about.command}\` on ${about.date}: medians of ${results.runs} runs on ${about.machine}; ${results.rclone}.`,
    '',
    'Two versitygw on loopback, on the same two cores as what copies; every copy goes into an empty prefix. Holdfast compares',
    'each object with the checksum of its capture, sends that checksum along, compares it with what the target says it has',
    'stored, and commits the manifest last; its start, Node and the SDK, counts.',
    '',
    ...tables,
    ...copyTargets(results).map(
      ({ what, measured, reached }) => `- ${what}: ${measured}, ${reached ? 'reached' : '**not reached**'}`,
    ),
    '',
  ].join('\n');
}

/** Takes the section out of a document, wherever it stands. */
export function splitCopies(document: string): { readonly rest: string; readonly section: string } {
  const at = document.indexOf(`${COPY_TITLE}\n`);
  if (at === -1) return { rest: document, section: '' };
  const next = document.indexOf('\n## ', at + COPY_TITLE.length);
  const end = next === -1 ? document.length : next + 1;
  return { rest: document.slice(0, at) + document.slice(end), section: document.slice(at, end) };
}
