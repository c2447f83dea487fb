/** Where the time of a round goes. */
export interface Phase {
  readonly name: string;
  readonly ms: number;
}

/** One phase follows the other; what goes on beside them is told in brackets. */
export class Phases {
  private readonly besides: Phase[] = [];
  private readonly begun: { readonly name: string; readonly atMs: number }[] = [];

  begin(name: string): void {
    this.begun.push({ name, atMs: performance.now() });
  }

  async beside<T>(name: string, work: Promise<T>): Promise<T> {
    const fromMs = performance.now();
    const value = await work;
    this.besides.push({ name: `(${name})`, ms: performance.now() - fromMs });
    return value;
  }

  /** The last one until now. */
  table(): Phase[] {
    const after = this.begun.map(({ name, atMs }, index) => ({
      name,
      ms: (this.begun[index + 1]?.atMs ?? performance.now()) - atMs,
    }));
    return [...after, ...this.besides];
  }
}

export function toldOfPhases(phases: readonly Phase[]): string {
  return phases.map(({ name, ms }) => `${name} ${(ms / 1000).toFixed(1)}`).join(', ');
}
