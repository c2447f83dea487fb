/** One failover through the engine: started, its plan shown, a person asked, followed to its end. */
import { randomUUID } from 'node:crypto';
import type { Engine } from '../engine/connect.ts';
import { HoldfastError } from '../failures.ts';
import { coloursFor } from '../observe/colours.ts';
import { failoverHistory } from '../status/failover-runs.ts';
import { withAuthority } from '../sites/authority.ts';
import { parseDurationSeconds } from '../system/durations.ts';
import { loadSystem } from '../system/load.ts';
import { readGenerations } from '../vault/sites/generation.ts';
import {
  workflowIds,
  WORKFLOWS,
  type FailoverInput,
  type FailoverPlan,
  type FailoverResult,
} from '../workflows/contract.ts';
import { Asking } from './asking.ts';
import { failoverPlanText, failoversTable, showFailoverResult } from './failover-texts.ts';
import type { FailoverOptions, FailoversOptions } from './failover.ts';
import { whoAmI } from './names.ts';
import { follow, startOperation } from './operation.ts';
import { approvalText } from './plan-text.ts';
import type { ExitCode, Shell } from './shell.ts';

const SHOWN = 20;

async function failoverInput(system: string, options: FailoverOptions): Promise<FailoverInput> {
  const { plan, backup, attest, approve, by, fallBacksUnasked: unasked } = options;
  if (plan === true && approve !== undefined) {
    throw new HoldfastError('BadInput', '--plan prints and ends: leave out --approve');
  }
  const { planned, andBack } = options;
  if (andBack !== undefined && planned !== true) {
    throw new HoldfastError('BadInput', '--and-back belongs to --planned: who takes over from a lost site stays');
  }
  return {
    system,
    ...(plan === true ? { mode: 'plan' as const } : {}),
    ...(planned === true ? { planned } : {}),
    ...(andBack === undefined ? {} : { backAfterSeconds: backAfterSeconds(andBack) }),
    ...(backup === undefined ? {} : { backup }),
    ...(attest === undefined ? {} : { attestedBy: attest }),
    ...(unasked === undefined ? {} : { fallBacksUnasked: numberOf(unasked) }),
    ...(approve === undefined ? {} : { approve, approvedBy: by ?? (await whoAmI()) }),
  };
}

function numberOf(unasked: string): number {
  if (/^\d+$/.test(unasked)) return Number(unasked);
  throw new HoldfastError('BadInput', `--fall-backs-unasked ${unasked} is no whole number`);
}

export async function runFailover(
  shell: Shell,
  engine: Engine,
  system: string,
  options: FailoverOptions,
): Promise<ExitCode> {
  const { site, failover } = await loadSystem(system);
  if (failover === undefined) {
    throw new HoldfastError('BadInput', `${system} has no section \`failover\`: it runs at one site alone`, {
      hint: 'On a new machine with nothing but the recovery kit: holdfast restore --from-store … --kit …',
    });
  }
  if (options.back === true) await requireWasHere(system);
  const input = await failoverInput(system, options);
  const usual = workflowIds.failover(system);
  // A look may run beside a failover.
  const workflowId = input.mode === 'plan' ? `${usual}/${randomUUID()}` : usual;
  const summary = `failover of ${system} to ${site}${input.mode === 'plan' ? ' (plan only)' : ''}`;
  const handle = await startOperation(engine, shell, { type: WORKFLOWS.failover, workflowId, input, summary });
  if (handle === undefined) {
    throw new HoldfastError('SystemBusy', `a failover of ${system} is under way already`, {
      hint: `Watch it with \`holdfast watch ${workflowId}\`; a waiting one ends with \`holdfast reject ${system}\`.`,
    });
  }
  const asking = new Asking<FailoverPlan>(shell, handle, options, {
    plan: (plan) => failoverPlanText(plan, coloursFor(process.stderr), Date.now()),
    next: (plan) => approvalText(system, plan),
    meanwhile: ({ nextGeneration, from }) =>
      nextGeneration > from.generation + 1 ? `${from.site} is fenced, and nothing runs here yet` : undefined,
  });
  const followed = await follow<FailoverResult>(engine, shell, handle, {
    onProgress: (progress, view) => asking.heed(progress, view),
  });
  return followed.state === 'left' ? asking.left() : showFailoverResult(shell, followed.result);
}

function backAfterSeconds(written: string): number {
  const seconds = parseDurationSeconds(written);
  if (seconds !== undefined) return seconds;
  throw new HoldfastError('BadInput', `--and-back ${written} is no duration such as 30m, 1h`);
}

/** Throws BadInput where this site never ran the system. */
async function requireWasHere(name: string): Promise<void> {
  const system = await loadSystem(name);
  const records = await withAuthority(system, readGenerations);
  if (records.some(({ site }) => site === system.site)) return;
  throw new HoldfastError('BadInput', `${name} has never run at ${system.site}: there is nothing to come back to`, {
    hint: `To bring it here all the same: holdfast failover ${name} --planned`,
  });
}

export async function showFailovers(shell: Shell, name: string, options: FailoversOptions): Promise<ExitCode> {
  const limit = options.limit === undefined ? SHOWN : Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) {
    throw new HoldfastError('BadInput', `--limit ${options.limit ?? ''} is no whole number of at least 1`);
  }
  const { reports, unread } = await failoverHistory(await loadSystem(name), limit);
  for (const words of unread) shell.say(`could not be read: ${words}`);
  shell.result({ system: name, failovers: reports, unread }, (colours) =>
    reports.length === 0
      ? 'no failovers yet; see what one would do: ' + `holdfast failover ${name} --plan`
      : failoversTable(reports, colours),
  );
  return 0;
}
