/** Putting back what is missing through the engine: started, its preview shown, a person asked, followed to its end. */
import { randomUUID } from 'node:crypto';
import type { Engine } from '../engine/connect.ts';
import { HoldfastError } from '../failures.ts';
import { coloursFor } from '../observe/colours.ts';
import {
  workflowIds,
  WORKFLOWS,
  type MissingInput,
  type MissingPlan,
  type MissingResult,
} from '../workflows/contract.ts';
import { Asking } from './asking.ts';
import { choiceOf } from './choice.ts';
import { missingPlanText, showMissingResult } from './missing-texts.ts';
import type { MissingOptions } from './missing.ts';
import { whoAmI } from './names.ts';
import { follow, startOperation } from './operation.ts';
import { approvalText } from './plan-text.ts';
import type { ExitCode, Shell } from './shell.ts';

/** Throws BadInput for options that contradict each other. */
export async function missingInput(system: string, component: string, options: MissingOptions): Promise<MissingInput> {
  const { path = [], changed, backup, undo, before, plan, store } = options;
  const others = [backup, before, plan, store].some((given) => given !== undefined) || path.length > 0;
  if (undo !== undefined && (others || changed === true)) {
    throw new HoldfastError('BadInput', '--undo names all that it needs: leave the other choices out');
  }
  const comma = path.find((one) => one.includes(','));
  if (comma !== undefined) throw new HoldfastError('BadInput', `--path ${comma}: name the directory above it instead`);
  return {
    system,
    component,
    ...choiceOf({ ...(before === undefined ? {} : { before }), ...given({ plan, store }) }, backup),
    ...(path.length === 0 ? {} : { paths: path.join(',') }),
    ...(changed === true ? { changed } : {}),
    ...given({ undo }),
    ...(options.dryRun === true ? { mode: 'plan' } : {}),
    ...(options.approve === undefined ? {} : { approve: options.approve, approvedBy: options.by ?? (await whoAmI()) }),
  };
}

function given<K extends string>(options: Readonly<Record<K, string | undefined>>): Partial<Record<K, string>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<
    Record<K, string>
  >;
}

export async function runMissing(
  shell: Shell,
  engine: Engine,
  input: MissingInput,
  options: MissingOptions,
): Promise<ExitCode> {
  const { system, component } = input;
  const name = workflowIds.restoreMissing(system, component);
  // A look may run beside another; only what writes has the one name.
  const workflowId = input.mode === 'plan' ? `${name}/${randomUUID()}` : name;
  const what = input.undo === undefined ? 'missing files back into' : `run ${input.undo} taken back in`;
  const summary = `${what} ${component} of ${system}${input.mode === 'plan' ? ' (preview)' : ''}`;
  const handle = await startOperation(engine, shell, { type: WORKFLOWS.restoreMissing, workflowId, input, summary });
  if (handle === undefined) {
    throw new HoldfastError('SystemBusy', `files of ${component} of ${system} are being put back already`, {
      hint: `Watch it with \`holdfast watch ${workflowId}\`; a waiting one ends with \`holdfast reject ${system}\`.`,
    });
  }
  const asking = new Asking<MissingPlan>(shell, handle, options, {
    plan: (plan) => missingPlanText(plan, coloursFor(process.stderr)),
    next: (plan) => approvalText(system, plan),
  });
  const followed = await follow<MissingResult>(engine, shell, handle, {
    onProgress: (progress, view) => asking.heed(progress, view),
  });
  return followed.state === 'left' ? asking.left() : showMissingResult(shell, system, followed.result);
}
