/** What a simulation in made-up time is built of: events in their order, and numbers that a seed repeats. */

export interface Event {
  readonly at: number;
  readonly n: number;
  readonly run: () => void;
}

/** A binary heap. Events of one moment come in the order in which they were added. */
export class EventQueue {
  private readonly heap: Event[] = [];
  private added = 0;

  add(at: number, run: () => void): void {
    this.added += 1;
    const event = { at, n: this.added, run };
    let place = this.heap.push(event) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = this.heap[parent];
      if (above === undefined || isBefore(above, event)) break;
      this.heap[place] = above;
      place = parent;
    }
    this.heap[place] = event;
  }

  take(): Event | undefined {
    const [first] = this.heap;
    const last = this.heap.pop();
    if (first === undefined || last === undefined || this.heap.length === 0) return first;
    let place = 0;
    for (;;) {
      const [child, at] = this.earlierChild(place);
      if (child === undefined || isBefore(last, child)) break;
      this.heap[place] = child;
      place = at;
    }
    this.heap[place] = last;
    return first;
  }

  private earlierChild(place: number): readonly [Event | undefined, number] {
    const [left, right] = [2 * place + 1, 2 * place + 2];
    const [one, two] = [this.heap[left], this.heap[right]];
    return one !== undefined && two !== undefined && isBefore(two, one) ? [two, right] : [one, left];
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.n < other.n);
}

/** Mulberry32: small, fast, and the same on every machine. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
