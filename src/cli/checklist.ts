import { Option, type Command } from 'commander';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

export interface ChecklistOptions extends CommonOptions {
  readonly sign?: string;
  readonly by?: string;
  readonly note?: string;
  readonly show?: boolean;
  readonly format?: 'text' | 'markdown' | 'html';
}

export function defineChecklist(program: Command): void {
  addCommand(program, 'checklist <system> [list]', {
    summary: 'go through a checklist, and keep the report',
    description:
      'Lists: before-backup, after-backup, restore-test, monthly, audit; without one they are named, with how each ended\n' +
      'last. The program answers what it can see, and says what to do about the rest; people sign for what only they can\n' +
      'know, with `--sign`. Report and signatures are kept in the stores, signed; as files they are under `reports/`.\n' +
      'Exit 0 when it is complete, 1 when something is wrong or waits for a signature, 2 when it could not be told.',
    examples: [
      'checklist tbcv before-backup',
      'checklist tbcv monthly --format markdown > monthly.md',
      "checklist tbcv monthly --sign contacts --by ann --note 'asked all three'",
      'checklist tbcv monthly --show',
    ],
  })
    .option('--sign <point>', 'sign for a point of the newest report of this list')
    .option('--by <name>', 'who signs, or goes through it (default: you)')
    .option('--note <text>', 'what was seen, with --sign')
    .option('--show', 'the newest report, without looking again')
    .addOption(new Option('--format <format>', 'default: text').choices(['text', 'markdown', 'html']))
    .action((system: string, list: string | undefined, options: ChecklistOptions) =>
      perform(options, (shell) => checklist(shell, system, list, options)),
    );
}

async function checklist(
  shell: Shell,
  name: string,
  list: string | undefined,
  options: ChecklistOptions,
): Promise<ExitCode> {
  const [{ loadSystem }, runs] = await Promise.all([import('../system/load.ts'), import('./run-checklist.ts')]);
  const system = await loadSystem(name);
  if (list === undefined) return runs.overview(shell, system);
  if (options.sign !== undefined) return runs.sign(shell, system, list, { ...options, sign: options.sign });
  return options.show === true ? runs.show(shell, system, list, options) : runs.goThrough(shell, system, list, options);
}
