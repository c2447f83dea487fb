import type { Command } from 'commander';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

export interface RowsOptions extends CommonOptions {
  readonly table: readonly string[];
  readonly where?: readonly string[];
  readonly backup?: string;
  readonly before?: string;
  readonly plan?: string;
  readonly store?: string;
  readonly database?: string;
  readonly onChanged?: string;
  readonly dryRun?: boolean;
  readonly keepCopy?: boolean;
  readonly approve?: string;
  readonly by?: string;
  readonly wait?: boolean;
}

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

export function defineRows(program: Command): void {
  addCommand(program, 'rows <system> <component>', {
    summary: 'put single rows of a table back, without touching the rest',
    description:
      'Restores the backup into a separate database, compares it with the live one, and shows what is missing, what\n' +
      'differs and what would break a constraint. After approval the missing rows are added in one transaction, while\n' +
      'everybody goes on working. Rows that differ stay as they are, unless --on-changed restore is given.\n' +
      'Which rows they are stands in a file on the host, for its owner only.',
    examples: [
      'rows my-stack database --table deposits --where "user_id = 7" --dry-run',
      'rows my-stack database --table deposits --where "user_id = 7"',
      'rows my-stack database --table users --where "id = 7" --table deposits --where "user_id = 7"',
      'rows my-stack database --table settings --on-changed restore --backup 82eed6cab96c',
    ],
  })
    .requiredOption('--table <name>', 'this table (may be repeated)', collect)
    .option('--where <condition>', 'only rows for which this SQL is true; repeated, one for each --table', collect)
    .option('--on-changed <what>', 'rows that differ: keep (default) or restore')
    .option('--backup <id>', 'from this backup (default: the newest)')
    .option('--before <time>', 'from the newest backup before this time (RFC 3339)')
    .option('--plan <name>', 'the newest backup of this plan')
    .option('--store <name>', 'from this store')
    .option('--database <name>', 'of a PostgreSQL component with several databases')
    .option('--dry-run', 'show what would change and end')
    .option('--keep-copy', 'keep the separate database for inspection')
    .option('--approve <digest>', 'the digest of a preview that was shown and approved before')
    .option('--by <name>', 'who approves (default: the user of this machine)')
    .option('--wait', 'without a terminal: wait until somebody approves or rejects')
    .action((system: string, component: string, options: RowsOptions) =>
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
