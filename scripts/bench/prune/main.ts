/** Planning a prune of a large vault: how long it takes and how much memory, in a process of its own. */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Target } from '../targets.ts';
import { FULL, makeVault } from './vault.ts';

const run = promisify(execFile);
const WALL_SECONDS_MAX = 60;
const PEAK_MIB_MAX = 1024;
const TITLE = '## Planning a prune';

export interface PruneFigures {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  readonly keeps: number;
  readonly removes: number;
  readonly namedObjects: number;
  readonly freesObjects: number;
}

export interface PruneResults {
  readonly command: string;
  readonly machine: string;
  readonly date: string;
  readonly backups: number;
  readonly chunks: number;
  readonly namedByEach: number;
  readonly figures: PruneFigures;
}

export async function benchmarkPrune(
  scratch: string,
  backups: number,
  say: (text: string) => void,
): Promise<Omit<PruneResults, 'command' | 'machine' | 'date'>> {
  const size = { ...FULL, backups };
  const directory = join(scratch, 'prune');
  await mkdir(directory);
  say(`a vault of ${backups} backups`);
  const vault = await makeVault(directory, size, say);
  const last = String(Math.floor(backups * 0.9));
  const script = join(import.meta.dirname, 'plan.ts');
  const { stdout } = await run(process.execPath, [script, JSON.stringify(vault), last]);
  const figures = JSON.parse(stdout) as PruneFigures;
  return { backups, chunks: vault.chunks, namedByEach: size.leaves * size.chunksInLeaf, figures };
}

export function pruneTargets({ figures }: PruneResults): Target[] {
  const { wallSeconds, peakMiB } = figures;
  return [
    {
      what: 'planning a prune: time',
      wanted: `under ${WALL_SECONDS_MAX} s`,
      measured: `${wallSeconds.toFixed(1)} s`,
      reached: wallSeconds < WALL_SECONDS_MAX,
    },
    {
      what: 'planning a prune: memory',
      wanted: `under ${PEAK_MIB_MAX} MiB`,
      measured: `${peakMiB.toFixed(0)} MiB`,
      reached: peakMiB < PEAK_MIB_MAX,
    },
  ];
}

export function pruneMarkdown(results: PruneResults): string {
  const { command, machine, date, backups, chunks, namedByEach, figures } = results;
  const count = (value: number): string => value.toLocaleString('en');
  return [
    TITLE,
    '',
    `\`${command}\` on ${date}: ${machine}.`,
    '',
    `A vault of ${count(backups)} hourly backups that each name ${count(namedByEach)} chunks, ${count(chunks)} chunks in all; each`,
    'backup changes one node of checksums and shares the others. Manifests are signed and lie with the nodes in a directory;',
    'the listing of the chunks is made up from their ids, because a prune reads no chunk.',
    '',
    '| keeps | removes | objects named by what stays | would delete | wall | CPU | peak memory |',
    '| ----: | ------: | --------------------------: | -----------: | ---: | --: | ----------: |',
    `| ${count(figures.keeps)} | ${count(figures.removes)} | ${count(figures.namedObjects)} | ${count(figures.freesObjects)} objects | ${figures.wallSeconds.toFixed(1)} s | ${figures.cpuSeconds.toFixed(1)} s | ${figures.peakMiB.toFixed(0)} MiB |`,
    '',
  ].join('\n');
}

/** The document without this section, and the section; it is the last one of the document. */
export function splitPrune(document: string): { readonly before: string; readonly prune: string } {
  const at = document.indexOf(`\n${TITLE}\n`);
  if (at === -1) return { before: document, prune: '' };
  return { before: document.slice(0, at + 1), prune: document.slice(at + 1) };
}
