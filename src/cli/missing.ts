import type { Command } from 'commander';
import { addApproval, collect, type ApprovalOptions } from './choice-options.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

export interface MissingOptions extends CommonOptions, ApprovalOptions {
  readonly path?: readonly string[];
  readonly changed?: boolean;
  readonly backup?: string;
  readonly before?: string;
  readonly plan?: string;
  readonly store?: string;
  readonly undo?: string;
  readonly dryRun?: boolean;
}

export function defineMissing(program: Command): void {
  const command = addCommand(program, 'missing <system> <component>', {
    summary: 'put back only the files that are gone, without touching the rest',
    description:
      'Compares a tree of files, or a volume, with a backup and shows what is gone. After approval exactly that comes\n' +
      'back, with owners, modes, times and attributes, while everybody goes on working. Nothing that exists is ever\n' +
      'overwritten: what has appeared meanwhile is left and told.\n' +
      'With --changed, files that differ are replaced too, and the present ones are kept aside.\n' +
      'The names stand in a file on the host, for its owner only.\n\n' +
      '--undo takes a run back: what it put there and nobody has changed since goes again.',
    examples: [
      'missing my-stack uploads --dry-run',
      'missing my-stack uploads',
      'missing my-stack uploads --path 2026/11 --path avatars',
      'missing my-stack uploads --before 2026-11-20T00:00:00Z',
      'missing my-stack uploads --changed',
      'missing my-stack uploads --undo 3e0f7c1e-5a53-4a2c-8a53-0f3a3a6d1b11',
    ],
  })
    .option('--path <path>', 'only this path inside the component (may be repeated)', collect)
    .option('--changed', 'also replace files that differ; the present ones are kept aside')
    .option('--backup <id>', 'from this backup (default: the newest that holds the component)')
    .option('--before <time>', 'from the newest backup before this time (RFC 3339)')
    .option('--plan <name>', 'from the newest backup of this plan')
    .option('--store <name>', 'from this store')
    .option('--undo <run>', 'take back what this run put there')
    .option('--dry-run', 'show what is missing and end');
  addApproval(command, 'preview').action((system: string, component: string, options: MissingOptions) =>
    perform(options, (shell) => missing(shell, system, component, options)),
  );
}

async function missing(shell: Shell, system: string, component: string, options: MissingOptions): Promise<ExitCode> {
  const [{ checkSystem }, { connectEngine }, { missingInput, runMissing }] = await Promise.all([
    import('./names.ts'),
    import('../engine/connect.ts'),
    import('./run-missing.ts'),
  ]);
  await checkSystem(system);
  const input = await missingInput(system, component, options);
  await using engine = await connectEngine();
  return await runMissing(shell, engine, input, options);
}
