import type { Command } from 'commander';
import { addCommand, perform, type CommonOptions } from './shell.ts';

export interface InitOptions extends CommonOptions {
  readonly example?: boolean;
  readonly kit?: string;
  readonly writeOnly?: boolean;
}

export function defineInit(program: Command): void {
  addCommand(program, 'init <file>', {
    summary: 'make keys, vaults and the recovery kit of a system',
    description:
      'Reads the system file, makes its keys under HOLDFAST_HOME, adds the section `keys` to the file, makes the vault\n' +
      'in every store, and registers the system on this machine. The recovery kit is shown once, or written to --kit:\n' +
      'print it and put it in a safe, away from the machine. Nothing that exists is overwritten, and a repeat goes on\n' +
      'where an interrupted one stopped.',
    examples: [
      'init --example my-stack.yaml',
      'init my-stack.yaml --kit /media/usb/my-stack-kit.txt',
      'init my-stack.yaml --write-only',
    ],
  })
    .option('--example', 'write a commented model file there and end')
    .option(
      '--kit <file>',
      'write the recovery kit here (mode 0600); where the file has its keys already: read from it what is missing',
    )
    .option('--write-only', 'keep no key on this machine that can read backups; it can then neither verify nor restore')
    .action((file: string, options: InitOptions) =>
      perform(options, async (shell) => {
        const { init, writeExample } = await import('./run-init.ts');
        return options.example === true ? writeExample(shell, file) : init(shell, file, options);
      }),
    );
}
