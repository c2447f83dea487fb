/** A service as its systemd unit has it run, on a machine where no systemd does: the same program, environment, and signals. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';

export interface UnitFile {
  readonly environment: Readonly<Record<string, string>>;
  readonly command: readonly string[];
}

/** Of a unit's text: what the examples use. Pure. */
export function readUnit(text: string): UnitFile {
  const values = (name: string): string[] =>
    [...text.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map((match) => match[1] ?? '');
  const pairs = values('Environment').map((pair) => [
    pair.slice(0, pair.indexOf('=')),
    pair.slice(pair.indexOf('=') + 1),
  ]);
  const [command = ''] = values('ExecStart');
  return { environment: Object.fromEntries(pairs) as Record<string, string>, command: command.split(' ') };
}

export class Unit {
  private readonly file: string;
  private readonly overrides: Readonly<Record<string, string>>;
  private child: ChildProcess | undefined;

  /** `overrides`: of its environment, on this machine. */
  constructor(file: string, overrides: Readonly<Record<string, string>>) {
    this.file = file;
    this.overrides = overrides;
  }

  /** Reads the unit anew, as after `daemon-reload`. Whether it serves is what its health says. */
  async start(): Promise<void> {
    const { environment, command } = readUnit(await readFile(this.file, 'utf8'));
    const [, ...args] = command;
    this.child = spawn(process.execPath, args, {
      env: { PATH: process.env['PATH'], NODE_NO_WARNINGS: '1', ...environment, ...this.overrides },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  /** Resolves when it has ended; harmless when it does not run. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}
