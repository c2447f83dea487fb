/** Putting rows back through the engine: started, its preview shown, a person asked, followed to its end. */
import { randomUUID } from 'node:crypto';
import type { Engine } from '../engine/connect.ts';
import { HoldfastError } from '../failures.ts';
import { coloursFor } from '../observe/colours.ts';
import { workflowIds, WORKFLOWS, type RowsInput, type RowsPlan, type RowsResult } from '../workflows/contract.ts';
import { Asking } from './asking.ts';
import { choiceOf } from './choice.ts';
import { whoAmI } from './names.ts';
import { follow, startOperation } from './operation.ts';
import { approvalText } from './plan-text.ts';
import type { RowsOptions } from './rows.ts';
import { rowsPlanText, showRowsResult } from './rows-texts.ts';
import type { ExitCode, Shell } from './shell.ts';

/** Throws BadInput for options that contradict each other; the condition itself is judged on the host. */
export async function rowsInput(system: string, component: string, options: RowsOptions): Promise<RowsInput> {
  const { table, backup, database, onChanged } = options;
  if (onChanged !== undefined && onChanged !== 'keep' && onChanged !== 'restore') {
    throw refused(`--on-changed ${onChanged}: write keep or restore`);
  }
  const where = conditions(table, options.where ?? []);
  const valid = conditions(table, options.valid ?? []);
  const { from = [], backups } = options;
  if (backups !== undefined && !/^[1-9]\d*$/.test(backups)) throw refused(`--backups ${backups} is no whole number`);
  return {
    system,
    component,
    table: table.join(','),
    ...(where === undefined ? {} : { where }),
    ...(from.length === 0 ? {} : { from: from.join(',') }),
    ...(backups === undefined ? {} : { backups: Number(backups) }),
    ...(valid === undefined ? {} : { valid }),
    ...choiceOf(options, backup),
    ...(database === undefined ? {} : { database }),
    ...(onChanged === undefined ? {} : { onChanged }),
    ...(options.dryRun === true ? { mode: 'plan' } : {}),
    ...(options.approve === undefined ? {} : { approve: options.approve, approvedBy: options.by ?? (await whoAmI()) }),
    ...(options.keepCopy === true ? { keepCopy: true } : {}),
  };
}

/** One for all tables, or as many as tables in the same order. */
function conditions(tables: readonly string[], where: readonly string[]): string | undefined {
  if (where.length <= 1) return where[0];
  if (where.length !== tables.length) {
    throw refused(`${where.length} conditions for ${tables.length} tables: give one for all, or one for each`);
  }
  return tables.map((table, index) => `${table}: ${where[index] ?? ''}`).join('; ');
}

function refused(what: string): HoldfastError {
  return new HoldfastError('BadInput', what);
}

export async function runRows(shell: Shell, engine: Engine, input: RowsInput, options: RowsOptions): Promise<ExitCode> {
  const { system, component } = input;
  const name = workflowIds.restoreRows(system, component);
  // A look may run beside another; only what writes has the one name.
  const workflowId = input.mode === 'plan' ? `${name}/${randomUUID()}` : name;
  const summary = `rows of ${input.table} back into ${component} of ${system}${input.mode === 'plan' ? ' (preview)' : ''}`;
  const handle = await startOperation(engine, shell, { type: WORKFLOWS.restoreRows, workflowId, input, summary });
  if (handle === undefined) {
    throw new HoldfastError('SystemBusy', `rows of ${component} of ${system} are being put back already`, {
      hint: `Watch it with \`holdfast watch ${workflowId}\`; a waiting one ends with \`holdfast reject ${system}\`.`,
    });
  }
  const asking = new Asking<RowsPlan>(shell, handle, options, {
    plan: (plan) => rowsPlanText(plan, coloursFor(process.stderr)),
    next: (plan) => approvalText(system, plan),
  });
  const followed = await follow<RowsResult>(engine, shell, handle, {
    onProgress: (progress, view) => asking.heed(progress, view),
  });
  return followed.state === 'left' ? asking.left() : showRowsResult(shell, followed.result);
}
