/** What every command has: results on stdout, everything else on stderr, errors told in one voice, an exit code. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { coloursFor, type Colours } from '../observe/colours.ts';
import { exitCodeOf, tell, type ExitCode, type ToldError } from '../observe/told.ts';

export type { ExitCode } from '../observe/told.ts';

export interface CommonOptions {
  readonly json?: boolean;
  readonly verbose?: boolean;
}

export class Shell {
  readonly json: boolean;
  readonly verbose: boolean;
  /** For stdout. */
  readonly colours: Colours;
  /** True when a person can be asked: both ends are a terminal and no program wants JSON. */
  readonly interactive: boolean;

  constructor(options: CommonOptions) {
    this.json = options.json === true;
    this.verbose = options.verbose === true;
    this.colours = coloursFor(process.stdout);
    this.interactive = !this.json && process.stdin.isTTY && process.stderr.isTTY;
  }

  /** The command's answer: one JSON document, or text for people. Called once. */
  result(value: unknown, text: (colours: Colours) => string): void {
    const shown = this.json ? JSON.stringify(value, withoutBigints, 2) : text(this.colours);
    process.stdout.write(shown.endsWith('\n') || shown === '' ? shown : `${shown}\n`);
  }

  /** A message for people, on stderr. */
  say(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  /** Only with --verbose: what is done underneath, such as the same thing said to `temporal`. */
  detail(text: string): void {
    if (this.verbose) this.say(coloursFor(process.stderr).dim(text));
  }
}

function withoutBigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

export interface CommandTexts {
  readonly summary: string;
  /** What it promises, in a few sentences. */
  readonly description: string;
  readonly examples: readonly string[];
}

/** A command with the options that all have, and its examples under its help. */
export function addCommand(program: Command, usage: string, texts: CommandTexts): Command {
  const examples = texts.examples.map((example) => `  $ holdfast ${example}`).join('\n');
  return (
    program
      .command(usage)
      .summary(texts.summary)
      // Only empty lines part paragraphs: the width is the terminal's business.
      .description(texts.description.replace(/(?<!\n)\n(?!\n)/g, ' '))
      .addOption(new Option('--json', 'one JSON document on stdout; messages stay on stderr'))
      .addOption(new Option('-v, --verbose', 'also say what is done underneath'))
      .addHelpText(
        'after',
        `\nExamples:\n${examples}\n\nExit codes: 0 done, 1 the answer is no, 2 it could not be told.`,
      )
  );
}

/** Runs a command's body and ends the process with its exit code, errors told. */
export async function perform(options: CommonOptions, body: (shell: Shell) => Promise<ExitCode>): Promise<void> {
  const shell = new Shell(options);
  let code: ExitCode;
  try {
    code = await body(shell);
  } catch (error) {
    const told = tell(error);
    showError(shell, told, error);
    code = exitCodeOf(told);
  }
  await flushed(process.stdout);
  await flushed(process.stderr);
  // Nothing that a library left open may keep a finished command alive.
  process.exit(code);
}

function flushed(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => void stream.write('', () => resolve()));
}

export function showError(shell: Shell, told: ToldError, error: unknown): void {
  const colours = coloursFor(process.stderr);
  if (shell.json) shell.result({ ok: false, error: told }, () => '');
  shell.say(`${colours.red('error')} ${told.message} ${colours.dim(`[${told.code}]`)}`);
  for (const cause of told.causes) shell.say(`  ${colours.dim('because')} ${cause}`);
  shell.say(`  ${colours.cyan('try')} ${told.hint}`);
  const { HOLDFAST_DEBUG: debug } = process.env;
  if (debug !== undefined && debug !== '' && error instanceof Error) shell.say(error.stack ?? '');
}
