import type { Command } from 'commander';
import { collect } from './choice-options.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

export interface CleanPointOptions extends CommonOptions {
  readonly component?: readonly string[];
  readonly plan?: string;
  readonly store?: string;
  readonly backups?: string;
  readonly before?: string;
  readonly check?: string;
  readonly query?: string;
  readonly entropy: boolean;
  readonly changes: boolean;
  readonly bisect?: boolean;
  readonly limit?: string;
}

export function defineCleanPoint(program: Command): void {
  addCommand(program, 'clean-point <system>', {
    summary: 'find the newest backup that is known to be clean, after an attack',
    description:
      'Restores each of the newest backups into scratch, one after another, judges it there and removes it again; what is\n' +
      'live is never touched. Judged by a command (a virus scanner), by queries, by files that became unreadable, and by\n' +
      'how much changed at once. Older is not taken for cleaner: every backup is looked at and told.\n' +
      'Without options it does what the system file has under `cleanPoint`.\n\n' +
      'The command is asked at $HOLDFAST_SCRATCH, where the machine allows it without network, without the sockets\n' +
      'of daemons and with everything read-only: exit 0 is clean, 1 is not, anything else is no answer. Exit 1 when no backup is clean.',
    examples: [
      'clean-point my-stack',
      `clean-point my-stack --check 'clamscan --recursive --infected "$HOLDFAST_SCRATCH"'`,
      `clean-point my-stack --query "database: select count(*) = 0 from users where name like '%<script%'"`,
      'clean-point my-stack --component uploads --backups 30 --bisect',
      'clean-point my-stack --before 2026-11-20T00:00:00Z --limit 2h',
    ],
  })
    .option('--component <name>', 'only this component (may be repeated)', collect)
    .option('--check <command>', 'for a shell; asked of every copy of files')
    .option('--query <component: sql>', 'true in a clean database')
    .option('--no-entropy', 'do not look whether files became unreadable')
    .option('--no-changes', 'do not look how much changed at once')
    .option('--backups <number>', 'how many are looked at, from the newest on (default: 10)')
    .option('--before <time>', 'only backups before this time (RFC 3339)')
    .option('--plan <name>', 'only backups of this plan')
    .option('--store <name>', 'from this store')
    .option('--bisect', 'fewer looks, if what has come once has stayed in all later backups')
    .option('--limit <time>', 'after so long no further backup is begun, such as 2h (default: 24h)')
    .action((system: string, options: CleanPointOptions) => perform(options, (shell) => find(shell, system, options)));
}

async function find(shell: Shell, system: string, options: CleanPointOptions): Promise<ExitCode> {
  const [{ checkSystem }, { connectEngine }, { cleanPointInput, runCleanPoint }] = await Promise.all([
    import('./names.ts'),
    import('../engine/connect.ts'),
    import('./run-clean-point.ts'),
  ]);
  await checkSystem(system);
  const input = cleanPointInput(system, options);
  await using engine = await connectEngine();
  return await runCleanPoint(shell, engine, input);
}
