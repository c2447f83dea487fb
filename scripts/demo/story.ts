/** How the demo talks: chapters, claims that hold or don't, and a summary. Nothing here knows what is shown. */
import { performance } from 'node:perf_hooks';
import pc from 'picocolors';

/** A claim that does not hold ends the demo: what follows would prove nothing. */
export class ClaimFailed extends Error {
  override readonly name = 'ClaimFailed';
}

export class Story {
  private readonly startedAt = performance.now();
  private readonly facts: { what: string; value: string }[] = [];
  private claims = 0;

  title(text: string): void {
    console.log(`\n${pc.bold(text)}`);
  }

  chapter(text: string): void {
    console.log(`\n${pc.bold(pc.cyan(text))} ${pc.dim(`(${this.elapsed()})`)}`);
  }

  say(text: string): void {
    console.log(`  ${text}`);
  }

  /** Prints a tick, or throws ClaimFailed with what was seen. */
  claim(text: string, holds: boolean, seen = ''): void {
    if (!holds) {
      console.log(`  ${pc.red('✗')} ${text}`);
      throw new ClaimFailed(seen === '' ? text : `${text}: ${seen}`);
    }
    this.claims += 1;
    console.log(`  ${pc.green('✓')} ${text}`);
  }

  /** A line of the summary. */
  note(what: string, value: string): void {
    this.facts.push({ what, value });
  }

  /** Runs something and notes how long it took. */
  async timed<T>(what: string, work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    const result = await work();
    this.note(what, `${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    return result;
  }

  summary(): void {
    console.log(`\n${pc.bold('Summary')}`);
    const width = Math.max(...this.facts.map(({ what }) => what.length));
    for (const { what, value } of this.facts) console.log(`  ${what.padEnd(width)}  ${value}`);
    console.log(`\n${pc.green(pc.bold(`All ${this.claims} claims held`))} in ${this.elapsed()}.`);
  }

  private elapsed(): string {
    return `${((performance.now() - this.startedAt) / 1000).toFixed(0)} s`;
  }
}

export function sizeText(bytes: number): string {
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
