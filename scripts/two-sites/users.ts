/** The users of the shop, who note what was acknowledged to them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, closeSync, readSync, existsSync } from 'node:fs';
import path from 'node:path';
import { endChild, ENDS_WITH_US } from './children.ts';
import type { Machine } from './network.ts';

export interface Acknowledged {
  readonly id: number;
  readonly at: number;
}

export class Users {
  private readonly zone: string;
  private readonly log: string;
  private readonly read: Acknowledged[] = [];
  private at = 0;
  private rest = '';
  private client: ChildProcess | undefined;

  constructor(directory: string, zone: string) {
    this.zone = zone;
    this.log = path.join(directory, 'acknowledged.jsonl');
  }

  start(world: Machine, port: number): void {
    const script = path.join(import.meta.dirname, 'client-child.ts');
    const words = [this.zone, this.log, String(port)];
    const [program, ...args] = [...ENDS_WITH_US, ...world.within, process.execPath, script, ...words];
    this.client = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  }

  async stop(): Promise<void> {
    if (this.client !== undefined) await endChild(this.client, 'SIGTERM');
    this.client = undefined;
  }

  /** All of them so far; only what is new is read. */
  acknowledged(): readonly Acknowledged[] {
    if (!existsSync(this.log)) return this.read;
    const file = openSync(this.log, 'r');
    try {
      const bytes = Buffer.alloc(64 * 1024);
      for (let n = readSync(file, bytes, 0, bytes.length, this.at); n > 0;) {
        this.at += n;
        const lines = `${this.rest}${bytes.toString('utf8', 0, n)}`.split('\n');
        this.rest = lines.pop() ?? '';
        this.read.push(...lines.map((line) => JSON.parse(line) as Acknowledged));
        n = readSync(file, bytes, 0, bytes.length, this.at);
      }
    } finally {
      closeSync(file);
    }
    return this.read;
  }
}
