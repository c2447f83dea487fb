/** Whether this site could take a system over now, by the engine of this site; with `rehearse` rehearsed, too. */
import type { Engine } from '../engine/connect.ts';
import { HoldfastError } from '../failures.ts';
import { coloursFor, type Colours } from '../observe/colours.ts';
import { formatSeconds } from '../observe/format.ts';
import { loadSystem } from '../system/load.ts';
import { workflowIds, WORKFLOWS, type ReadinessInput, type ReadinessResult } from '../workflows/contract.ts';
import { findOperation, follow, startOperation } from './operation.ts';
import type { ExitCode, Shell } from './shell.ts';

/** Exit 0: ready, also with warnings; 1: not ready, or the rehearsal failed; 2: it was left before it ended. */
export async function runReadiness(
  shell: Shell,
  engine: Engine,
  system: string,
  { rehearse }: { readonly rehearse: boolean },
): Promise<ExitCode> {
  const { failover } = await loadSystem(system);
  if (failover === undefined) {
    throw new HoldfastError('BadInput', `${system} has no section \`failover\`: it runs at one site alone`);
  }
  const input: ReadinessInput = { system, ...(rehearse ? { rehearse } : {}) };
  const workflowId = rehearse ? workflowIds.rehearsal(system) : workflowIds.readiness(system);
  const summary = rehearse ? `rehearsal of a failover of ${system}` : `could ${system} be taken over here?`;
  const started = await startOperation(engine, shell, { type: WORKFLOWS.readiness, workflowId, input, summary });
  if (started === undefined) shell.say('the same runs already; following that one');
  const handle = started ?? (await findOperation(engine, workflowId));
  const followed = await follow<ReadinessResult>(engine, shell, handle);
  if (followed.state === 'left') return 2;
  const { result } = followed;
  shell.result(result, (colours) => readinessText(system, result, colours));
  return result.ok ? 0 : 1;
}

export function readinessText(
  system: string,
  result: ReadinessResult,
  colours: Colours = coloursFor(process.stdout),
): string {
  const { verdict, checks, site, rehearsal } = result;
  const colour = { ok: colours.green, warning: colours.yellow, 'not-ready': colours.red };
  // What keeps it from being taken over comes first, and what is well last, in one line.
  const lines = checks
    .filter((one) => one.verdict !== 'ok')
    .toSorted((one, other) => WORST_FIRST.indexOf(one.verdict) - WORST_FIRST.indexOf(other.verdict))
    .flatMap(({ check, verdict: one, reasons }) => [
      `${colour[one](one.padEnd(9))} ${check}`,
      ...reasons.map((reason) => `${' '.repeat(10)}${reason}`),
      `${' '.repeat(10)}${colours.dim(`next: ${NEXT[check](system)}`)}`,
    ]);
  const well = checks.filter((one) => one.verdict === 'ok').map(({ check }) => check);
  return [
    `${system} at ${site}: ${colour[verdict](verdict === 'not-ready' ? 'not ready to take it over' : 'ready to take it over')}`,
    ...lines,
    ...(well.length === 0 ? [] : [`${colours.green('ok'.padEnd(9))} ${well.join(', ')}`]),
    ...(rehearsal === undefined ? [] : rehearsalLines(rehearsal)),
  ].join('\n');
}

const WORST_FIRST = ['not-ready', 'warning', 'ok'] as const;

/** What a person does about each. */
const NEXT: Readonly<Record<ReadinessResult['checks'][number]['check'], (system: string) => string>> = {
  hosts: () => 'start Holdfast there: holdfast up',
  generation: (system) => `who is active, and who says so: holdfast site ${system}`,
  credentials: (system) => `what is missing, one by one: holdfast doctor ${system}`,
  room: () => 'make room there, or give the place a larger disk',
  images: () => 'docker pull them here, or keep them in the backup (images of the Compose component)',
  backups: (system) => `which there are, and where: holdfast list ${system}`,
  guard: (system) => `let the guard run here: holdfast site ${system}; docs/sites.md`,
  restart: () => "set restart: 'no' in the Compose file: only the guard starts the stack",
  dns: (system) => `what differs: holdfast dns ${system} --audit`,
  drift: () => 'compare the two system files, and bring them together',
  rehearsal: (system) => `rehearse it: holdfast failover ${system} --rehearse`,
};

function rehearsalLines(rehearsal: NonNullable<ReadinessResult['rehearsal']>): string[] {
  const { outcome, why, restoreSeconds, fenceSeconds, wouldTakeSeconds } = rehearsal;
  if (restoreSeconds === undefined || wouldTakeSeconds === undefined) return [`rehearsal ${outcome}: ${why ?? ''}`];
  const fence = fenceSeconds === undefined ? 'the fence apart' : `${formatSeconds(fenceSeconds)} of it the lease`;
  return [
    `rehearsal ${outcome}${why === undefined ? '' : `: ${why}`}; restored and checked in ${formatSeconds(restoreSeconds)}`,
    `a failover would take about ${formatSeconds(wouldTakeSeconds)} (${fence}), beside the approval and the names`,
  ];
}
