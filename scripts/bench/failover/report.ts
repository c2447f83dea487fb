/** The failover's section of docs/benchmarks.md. */
import type { FailoverFigures } from './main.ts';

const TITLE = '## Failover';
/** Seconds of its own. */
const WANTED = { cold: 60, warm: 15 } as const;
const NOTICED_SECONDS = 0.05;

export interface FailoverResults {
  readonly command: string;
  readonly machine: string;
  readonly date: string;
  readonly figures: readonly FailoverFigures[];
}

export function failoverTargets({ figures }: Pick<FailoverResults, 'figures'>): {
  readonly what: string;
  readonly wanted: string;
  readonly measured: string;
  readonly reached: boolean;
}[] {
  return figures.map(({ how, rto }) => ({
    what: `failover, ${how}: what it takes by itself`,
    wanted: `under ${WANTED[how]} s`,
    measured: `${rto.ownSeconds.toFixed(1)} s`,
    reached: rto.ownSeconds < WANTED[how],
  }));
}

export function failoverMarkdown(results: FailoverResults): string {
  const { command, machine, date, figures } = results;
  const [first] = figures;
  const size = first?.sizeMiB ?? 0;
  const targets = failoverTargets(results).map(
    ({ what, wanted, measured, reached }) =>
      `| ${what} | ${wanted} | ${measured} | ${reached ? 'reached' : '**not reached**'} |`,
  );
  return [
    TITLE,
    '',
    `\`${command}\` on ${date}: ${machine}.`,
    '',
    `A ledger of ${size} MiB in a volume, full of chained records of which a quarter is random (zstd -1 makes 46 % of it), under`,
    '100 transfers a second, with a connector, two SQLite files and configuration. Two sites, each with a network, a Docker engine,',
    'an engine of Holdfast, workers and a guard of its own, and an S3 server (versitygw) at a third place, all on the same cores.',
    'The power of the active site is cut. `cold`: the other site has the images and nothing else. `warm`: the way back, to the first',
    'site, which has come back and restored the newest backup ahead. The looks take 2 s by declaration; lease and stop time are 10 s each.',
    '',
    '|  | wanted | measured |  |',
    '| --- | --- | --- | --- |',
    ...targets,
    '',
    ...table('seconds of', figures, ({ phases }) => phases),
    '',
    'Of the restore within it:',
    '',
    ...table('seconds of', figures, ({ restore }) => restore),
    '',
    ...figures.map(({ how, load, rto: { seconds, waited } }) => {
      const waits = `approval ${waited.approvalSeconds.toFixed(1)} s, fence ${waited.fenceSeconds.toFixed(1)} s, names ${waited.namesSeconds.toFixed(1)} s`;
      return `- ${how}: ${seconds.toFixed(1)} s in all, waits among it (${waits}); load average ${load.toFixed(1)} at its start`;
    }),
    '',
  ].join('\n');
}

type Phases = FailoverFigures['restore'];

function table(title: string, figures: readonly FailoverFigures[], of: (figure: FailoverFigures) => Phases): string[] {
  const names = [...new Set(figures.flatMap((figure) => of(figure).map(({ name }) => name)))];
  const rows = names.flatMap((name) => {
    const cells = figures.map((figure) => of(figure).find((phase) => phase.name === name)?.seconds);
    if (cells.every((seconds) => (seconds ?? 0) < NOTICED_SECONDS)) return [];
    return [`| ${name} | ${cells.map((seconds) => seconds?.toFixed(1) ?? '').join(' | ')} |`];
  });
  return [
    `| ${title} | ${figures.map(({ how }) => how).join(' | ')} |`,
    `| --- | ${figures.map(() => '---:').join(' | ')} |`,
    ...rows,
  ];
}

/** The document without this section, and the section; it is the last one of the document. */
export function splitFailover(document: string): { readonly before: string; readonly failover: string } {
  const at = document.indexOf(`\n${TITLE}\n`);
  if (at === -1) return { before: document, failover: '' };
  return { before: document.slice(0, at + 1), failover: document.slice(at + 1) };
}
