import type { Command } from 'commander';
import type { LogLevel, LogLine } from '../observe/log-lines.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly follow?: boolean;
  readonly level?: string;
  readonly lines?: string;
}

const USUAL_LINES = 200;

export function defineLogs(program: Command): void {
  addCommand(program, 'logs [system]', {
    summary: 'what the engine and the workers of this machine have logged',
    description:
      'The logs of the Temporal server and of every worker of this machine, merged by time. With a system only the lines\n' +
      'that tell of it. --json prints each line as it was written, with `from` beside it.',
    examples: ['logs', 'logs m2m-connector --level warn', 'logs --follow', 'logs --json --lines 1000'],
  })
    .option('-f, --follow', 'go on with what is logged from now on, until Ctrl-C')
    .option('--level <level>', 'this one and graver: trace, debug, info, warn, error, fatal', 'info')
    .option('--lines <number>', `how many of the last lines (default: ${USUAL_LINES})`)
    .action((system: string | undefined, options: Options) =>
      perform(options, (shell) => logs(shell, system, options)),
    );
}

async function logs(shell: Shell, system: string | undefined, options: Options): Promise<ExitCode> {
  const [{ LogReader }, { isChosen, LOG_LEVELS }, { lineJson, lineText }, { HoldfastError }] = await Promise.all([
    import('../engine/log-reader.ts'),
    import('../observe/log-lines.ts'),
    import('./log-texts.ts'),
    import('../failures.ts'),
  ]);
  const level = LOG_LEVELS.find((one) => one === options.level);
  if (level === undefined) {
    throw new HoldfastError('BadInput', `${options.level ?? ''} is no level; there are ${LOG_LEVELS.join(', ')}`);
  }
  const most = Number(options.lines ?? USUAL_LINES);
  if (!Number.isInteger(most) || most < 0) throw new HoldfastError('BadInput', '--lines takes a number from 0 on');
  const choice: { system: string | undefined; level: LogLevel } = { system, level };
  const print = (line: LogLine): void => {
    process.stdout.write(`${shell.json ? lineJson(line) : lineText(line, shell.colours)}\n`);
  };
  const reader = new LogReader();
  for (const line of await reader.last((one) => isChosen(one, choice), most)) print(line);
  if (options.follow !== true) return 0;
  const over = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => over.abort());
  for await (const lines of reader.follow(over.signal)) {
    for (const line of lines) if (isChosen(line, choice)) print(line);
  }
  return 0;
}
