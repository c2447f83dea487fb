/** Where the public name has led, moment by moment. */
import { statSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ran } from './watch.ts';

const EVERY_MS = 20;

export interface Led {
  readonly atNs: bigint;
  readonly to: string;
}

/** Looks at a file that holds one address, until it is closed. */
export class NamesWatch {
  readonly led: Led[] = [];
  private readonly file: string;
  private isOpen = true;
  private readonly looking: Promise<void>;

  constructor(file: string) {
    this.file = file;
    this.looking = this.look();
  }

  private async look(): Promise<void> {
    while (this.isOpen) {
      this.see();
      await sleep(EVERY_MS);
    }
  }

  private see(): void {
    const stat = statSync(this.file, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined || stat.mtimeNs === this.led.at(-1)?.atNs) return;
    this.led.push({ atNs: stat.mtimeNs, to: readFileSync(this.file, 'utf8').trim() });
  }

  /** What was before counts no more, but for where it leads. */
  forget(): void {
    this.led.splice(0, this.led.length - 1);
  }

  async close(): Promise<void> {
    this.isOpen = false;
    await this.looking;
  }
}

/** Pure: the changes that led to another place than before, and to no healthy site. */
export function ledAstray(led: readonly Led[], healthy: readonly (Ran & { readonly address: string })[]): Led[] {
  return led.filter(({ atNs, to }, index) => {
    const before = led[index - 1];
    if (before === undefined || before.to === to) return false;
    return !healthy.some(({ address, fromNs, toNs }) => address === to && fromNs <= atNs && atNs <= toNs);
  });
}
