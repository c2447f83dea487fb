import type { Command } from 'commander';
import type { Engine } from '../engine/connect.ts';
import type { HousekeepingInput, HousekeepingResult } from '../workflows/contract.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly dryRun?: boolean;
}

export function defineHousekeep(program: Command): void {
  addCommand(program, 'housekeep <system> [task]', {
    summary: 'remove old files, once a backup of them has been read back',
    description:
      'Does what the section `housekeeping` of the system file says; without a task, all of it, one after another. A file\n' +
      'goes only when it is old enough, is none of the newest that always stay, no process has it open, and the newest\n' +
      'backup in each store that counts was read to its end and gave that very file back. `--dry-run` reads as much and\n' +
      'removes nothing. The result names a list with every old file and what became of it.\n' +
      'Exit 1 when a file could not be removed.',
    examples: ['housekeep tbcv --dry-run', 'housekeep tbcv checkpoints'],
  })
    .option('--dry-run', 'say what would go')
    .action((system: string, task: string | undefined, options: Options) =>
      perform(options, (shell) => housekeep(shell, system, task, options)),
    );
}

async function housekeep(shell: Shell, name: string, only: string | undefined, options: Options): Promise<ExitCode> {
  const [{ loadSystem }, { connectEngine }, { showHousekeeping, tasksOf }] = await Promise.all([
    import('../system/load.ts'),
    import('../engine/connect.ts'),
    import('./housekeep-texts.ts'),
  ]);
  const tasks = tasksOf(await loadSystem(name), only);
  await using engine = await connectEngine();
  const results: HousekeepingResult[] = [];
  for (const task of tasks) {
    const input: HousekeepingInput = { system: name, task, ...(options.dryRun === true ? { dryRun: true } : {}) };
    const result = await runOne(shell, engine, input);
    if (result === undefined) return 2;
    results.push(result);
  }
  return showHousekeeping(shell, results);
}

/** Undefined when the person has left it to itself. */
async function runOne(shell: Shell, engine: Engine, input: HousekeepingInput): Promise<HousekeepingResult | undefined> {
  const [{ startOperation, follow, findOperation }, { workflowIds, WORKFLOWS }] = await Promise.all([
    import('./operation.ts'),
    import('../workflows/contract.ts'),
  ]);
  const { system, task } = input;
  const workflowId = workflowIds.housekeeping(system, task);
  const summary = `housekeeping ${task} of ${system}`;
  const started = await startOperation(engine, shell, { type: WORKFLOWS.housekeeping, workflowId, input, summary });
  if (started === undefined) shell.say(`${task} runs already; following that run`);
  const handle = started ?? (await findOperation(engine, workflowId));
  const followed = await follow<HousekeepingResult>(engine, shell, handle);
  return followed.state === 'left' ? undefined : followed.result;
}
