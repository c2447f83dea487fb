import type { Command } from 'commander';
import { addApproval, addChoice, collect, type ApprovalOptions, type ChoiceOptions } from './choice-options.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

export interface RowsOptions extends CommonOptions, ChoiceOptions, ApprovalOptions {
  readonly table: readonly string[];
  readonly where?: readonly string[];
  readonly backup?: string;
  readonly from?: readonly string[];
  readonly backups?: string;
  readonly valid?: readonly string[];
  readonly database?: string;
  readonly onChanged?: string;
  readonly dryRun?: boolean;
  readonly keepCopy?: boolean;
}

export function defineRows(program: Command): void {
  const command = addCommand(program, 'rows <system> <component>', {
    summary: 'put single rows of a table back, without touching the rest',
    description:
      'Restores the backup into a separate database (a database cluster as it was at any reachable moment), compares it\n' +
      'with the live one, and shows what is missing, what differs and what would break a constraint. After approval the\n' +
      'missing rows are added in one transaction, while everybody goes on working. Rows that differ stay as they are,\n' +
      'unless --on-changed restore is given.\n' +
      'Which rows they are stands in a file on the host, for its owner only.',
    examples: [
      'rows my-stack database --table deposits --where "user_id = 7" --dry-run',
      'rows my-stack database --table deposits --where "user_id = 7"',
      'rows my-stack database --table users --where "id = 7" --table deposits --where "user_id = 7"',
      'rows my-stack database --table settings --on-changed restore --backup 82eed6cab96c',
      'rows my-stack database --table users --backups 5 --valid "balance >= 0" --on-changed restore',
      'rows my-stack cluster --database app --table orders --to-time 2026-11-21T14:02:00Z',
    ],
  })
    .requiredOption('--table <name>', 'this table (may be repeated)', collect)
    .option('--where <condition>', 'only rows for which this SQL is true; repeated, one for each --table', collect)
    .option('--on-changed <what>', 'rows that differ: keep (default) or restore')
    .option('--from <id>', 'from several backups made one (repeated); for each key the newest valid row', collect)
    .option('--backups <number>', 'the same of so many, from the newest on')
    .option(
      '--valid <condition>',
      'what holds of a good row: others are passed over; repeated, one for each --table',
      collect,
    )
    .option('--backup <id>', 'from this backup (default: the newest)')
    .option('--database <name>', 'of a PostgreSQL component with several databases')
    .option('--dry-run', 'show what would change and end')
    .option('--keep-copy', 'keep the separate database for inspection');
  addApproval(addChoice(command), 'preview').action((system: string, component: string, options: RowsOptions) =>
    perform(options, (shell) => rows(shell, system, component, options)),
  );
}

async function rows(shell: Shell, system: string, component: string, options: RowsOptions): Promise<ExitCode> {
  const [{ checkSystem }, { connectEngine }, { rowsInput, runRows }] = await Promise.all([
    import('./names.ts'),
    import('../engine/connect.ts'),
    import('./run-rows.ts'),
  ]);
  await checkSystem(system);
  const input = await rowsInput(system, component, options);
  await using engine = await connectEngine();
  return await runRows(shell, engine, input, options);
}
