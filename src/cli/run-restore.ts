/** One restore through the engine: started, its plan shown, a person asked, followed to its end. */
import { randomUUID } from 'node:crypto';
import type { Engine } from '../engine/connect.ts';
import { HoldfastError } from '../failures.ts';
import {
  workflowIds,
  WORKFLOWS,
  type RestoreInput,
  type RestorePlan,
  type RestoreResult,
} from '../workflows/contract.ts';
import { coloursFor } from '../observe/colours.ts';
import { Asking } from './asking.ts';
import { choiceOf } from './choice.ts';
import { whoAmI } from './names.ts';
import { follow, startOperation } from './operation.ts';
import { approvalText, planText } from './plan-text.ts';
import type { RestoreOptions } from './restore.ts';
import { showRestoreResult } from './result-texts.ts';
import type { ExitCode, Shell } from './shell.ts';

/** Throws BadInput for options that contradict each other. */
export async function restoreInput(
  system: string,
  backup: string | undefined,
  options: RestoreOptions,
): Promise<RestoreInput> {
  const refuse = (what: string): never => {
    throw new HoldfastError('BadInput', what);
  };
  if (options.dryRun === true && options.verifyOnly === true) refuse('--dry-run and --verify-only exclude each other');
  if (options.path !== undefined && options.component?.length !== 1) {
    refuse('--path needs exactly one --component, whose paths they are');
  }
  if (options.whole === true) refuseWithWhole(backup, options, refuse);
  else if (options.together === true) refuse('--together belongs to --whole');
  else if (options.fallBacks !== undefined) refuse('--fall-backs belongs to --whole');
  return {
    system,
    ...(options.whole === true ? { whole: true } : {}),
    ...(options.together === true ? { together: true } : {}),
    ...(options.fallBacks === undefined ? {} : { fallBacks: wholeNumber(options.fallBacks, refuse) }),
    ...choiceOf(options, backup),
    ...(options.component === undefined ? {} : { components: options.component.join(',') }),
    ...(options.path === undefined ? {} : { paths: options.path.join(',') }),
    ...(options.target === undefined ? {} : { target: options.target }),
    ...(options.dryRun === true ? { mode: 'plan' } : options.verifyOnly === true ? { mode: 'verify' } : {}),
    ...(options.approve === undefined ? {} : { approve: options.approve, approvedBy: options.by ?? (await whoAmI()) }),
    ...(options.thaw === undefined ? {} : { thaw: options.thaw }),
    ...(options.skipSafetyBackup === true ? { skipSafetyBackup: true } : {}),
    ...(options.apart === true ? { apart: true } : {}),
  };
}

function wholeNumber(text: string, refuse: (what: string) => never): number {
  return /^\d{1,3}$/.test(text) ? Number(text) : refuse(`--fall-backs takes a whole number, not ${text}`);
}

function refuseWithWhole(
  backup: string | undefined,
  { path, target, toTime, toLsn, toName, toEnd }: RestoreOptions,
  refuse: (what: string) => never,
): void {
  if (backup !== undefined) refuse('--whole chooses its backups: say the moment with --before, not a backup');
  if (path !== undefined || target !== undefined) refuse('--whole restores in place: leave out --path and --target');
  if ([toTime, toLsn, toName, toEnd].some((given) => given !== undefined)) {
    refuse('--whole takes one moment for everything: say it with --before');
  }
}

export async function runRestore(
  shell: Shell,
  engine: Engine,
  system: string,
  backup: string | undefined,
  options: RestoreOptions,
): Promise<ExitCode> {
  const input = await restoreInput(system, backup, options);
  const touchesLive = input.mode === undefined && input.target === undefined;
  // Only what replaces something live has the one name; a look or a copy elsewhere may run beside it.
  const workflowId = touchesLive ? workflowIds.restore(system) : `${workflowIds.restore(system)}/${randomUUID()}`;
  const summary = `restore of ${system}${input.mode === undefined ? '' : ` (${input.mode} only)`}`;
  const handle = await startOperation(engine, shell, { type: WORKFLOWS.restore, workflowId, input, summary });
  if (handle === undefined) {
    throw new HoldfastError('SystemBusy', `a restore of ${system} is under way already`, {
      hint: `Watch it with \`holdfast watch ${workflowId}\`; a waiting one ends with \`holdfast reject ${system}\`.`,
    });
  }
  const asking = new Asking<RestorePlan>(shell, handle, options, {
    plan: (plan) => planText(plan, coloursFor(process.stderr), Date.now()),
    next: (plan) => approvalText(system, plan),
  });
  const followed = await follow<RestoreResult>(engine, shell, handle, {
    onProgress: (progress, view) => asking.heed(progress, view),
  });
  if (followed.state === 'left') return asking.left();
  if (!shell.json && followed.result.outcome === 'planned') return showPlan(shell, followed.result);
  return showRestoreResult(shell, followed.result);
}

function showPlan(shell: Shell, result: RestoreResult): ExitCode {
  shell.result(result, (colours) => planText(result.plan, colours, Date.now()));
  return result.plan.whole?.missing.some(({ needed }) => needed) === true ? 1 : 0;
}
