/** Prunes through the engine: all started, then followed one by one; a person is asked where too much would go. */
import type { PruneSummary } from '../activities/types.ts';
import { connectEngine } from '../engine/connect.ts';
import { coloursFor } from '../observe/colours.ts';
import { workflowIds, WORKFLOWS, type PruneInput, type PruneResult } from '../workflows/contract.ts';
import { Asking } from './asking.ts';
import { findOperation, follow, startOperation } from './operation.ts';
import { pruneApprovalText, pruneText, showPruneResults, summaryText } from './prune-texts.ts';
import type { PruneOptions } from './prune.ts';
import type { ExitCode, Shell } from './shell.ts';

/** 2 when one was left, or waits for a person who isn't here: the others go on in the engine, and are named. */
export async function runPrunes(shell: Shell, inputs: readonly PruneInput[], options: PruneOptions): Promise<ExitCode> {
  await using engine = await connectEngine();
  const runs = [];
  for (const input of inputs) {
    const { system, store } = input;
    const workflowId = workflowIds.prune(system, store);
    const start = { type: WORKFLOWS.prune, workflowId, input, summary: `${system}: prune of ${store}` };
    const started = await startOperation(engine, shell, start);
    if (started === undefined) shell.say(`${store} is being pruned already; following that run`);
    runs.push({ system, store, workflowId, handle: started ?? (await findOperation(engine, workflowId)) });
  }
  const operations = runs.map(({ workflowId }) => workflowId);
  if (options.detach === true) {
    shell.result({ outcome: 'started', operations }, () =>
      operations.map((id) => `started; watch it with: holdfast watch ${id}`).join('\n'),
    );
    return 0;
  }
  const results: (PruneResult & { store: string })[] = [];
  for (const { system, store, workflowId, handle } of runs) {
    const asking = new Asking<PruneSummary>(shell, handle, options, {
      plan: (plan) => summaryText(store, plan, coloursFor(process.stderr)),
      next: (plan) => pruneApprovalText(system, plan, workflowId),
    });
    const followed = await follow<PruneResult>(engine, shell, handle, {
      onProgress: (progress, view) => asking.heed(progress, view),
    });
    if (followed.state === 'left') {
      for (const result of results) shell.say(pruneText(result, coloursFor(process.stderr)));
      for (const id of operations.slice(results.length + 1)) shell.say(`goes on: holdfast watch ${id}`);
      return asking.left();
    }
    results.push({ store, ...followed.result });
  }
  return showPruneResults(shell, results);
}
