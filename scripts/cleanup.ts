/** What a program has started and made, undone at its end, whatever that end is. */

/** Undone in reverse, once, whatever happens; one that fails does not keep the others from being tried. */
export class Cleanup {
  private readonly steps: (() => Promise<unknown>)[] = [];
  private done: Promise<boolean> | undefined;

  add(step: () => Promise<unknown>): void {
    this.steps.push(step);
  }

  /** False when something could not be undone; what and why has been said on stderr. */
  run(): Promise<boolean> {
    this.done ??= this.undo();
    return this.done;
  }

  /** Ctrl-C and its like: undo, then end with 130. */
  onSignals(): void {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        console.error('\nEnding; cleaning up …');
        void this.run().then((clean) => process.exit(clean ? 130 : 1));
      });
    }
  }

  private async undo(): Promise<boolean> {
    let clean = true;
    // A step may be added while others are undone: the loop looks again.
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) {
      try {
        await step();
      } catch (error) {
        clean = false;
        console.error(`could not clean up: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return clean;
  }
}
