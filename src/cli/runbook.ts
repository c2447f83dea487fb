import type { Command } from 'commander';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly out?: string;
}

export function defineRunbook(program: Command): void {
  addCommand(program, 'runbook <system>', {
    summary: 'what to do when it is broken, for this system, as Markdown',
    description:
      'Written from the system file: parts and objectives, stores, who is called, and for each kind of trouble the steps with\n' +
      "this system's own names, also without Holdfast at all. What the file does not declare is said to be missing. It holds\n" +
      'no secret, and the same file gives the same text. Needs no engine and no store.',
    examples: ['runbook m2m-connector', 'runbook m2m-connector --out m2m-connector-runbook.md'],
  })
    .option('--out <file>', 'write it there instead of printing it')
    .action((system: string, options: Options) => perform(options, (shell) => runbook(shell, system, options)));
}

async function runbook(shell: Shell, name: string, { out }: Options): Promise<ExitCode> {
  const [{ writeFile }, { loadSystem }, { runbookOf }, { missingText }, { recoveryCommands }] = await Promise.all([
    import('node:fs/promises'),
    import('../system/load.ts'),
    import('../observe/runbook/runbook.ts'),
    import('../observe/runbook/facts.ts'),
    import('../vault/guide.ts'),
  ]);
  const system = await loadSystem(name);
  const markdown = runbookOf(system, recoveryCommands());
  if (out !== undefined) await writeFile(out, markdown);
  const missing = missingText(system);
  shell.result({ system: system.name, missing, ...(out === undefined ? { markdown } : { file: out }) }, () =>
    out === undefined ? markdown : [`written: ${out}`, ...missing.map((what) => `not declared: ${what}`)].join('\n'),
  );
  return 0;
}
