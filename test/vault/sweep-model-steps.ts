/** What each process of the model may do next, a step for each request to the store. */
import {
  leftSweeps,
  mayClearCopy,
  mayDelete,
  nextSweepAction,
  sweepInTheWay,
  sweepsToHeed,
  type OpenRecord,
  type SweepMarks,
} from '../../src/policy/sweep.ts';
import {
  at,
  changed,
  MARK,
  MANIFEST,
  NONE,
  S,
  SWEEP_FIELDS,
  TOMBSTONE,
  W,
  WRITER_FIELDS,
  marksOf,
  type ModelOptions,
  type State,
} from './sweep-model-state.ts';

export class ModelSteps {
  protected readonly options: ModelOptions;
  protected readonly writers: number;
  protected readonly all: number;
  protected readonly sweepsAt: number;
  protected readonly tailAt: number;
  protected readonly choices: OpenRecord[][][] = [];
  protected readonly markSets: SweepMarks[][] = [];

  constructor(options: ModelOptions) {
    this.options = options;
    this.writers = options.captures + options.copies;
    this.all = (1 << options.chunks) - 1;
    this.sweepsAt = this.writers * WRITER_FIELDS;
    // chunks there, the backup to be pruned, the cache of the capturing host, the last sweep it has seen, crashes left, cleared
    this.tailAt = this.sweepsAt + options.sweeps * SWEEP_FIELDS;
  }

  protected *steps(state: State): Generator<[string, State]> {
    for (let writer = 0; writer < this.writers; writer += 1) {
      for (const [what, after] of this.writerSteps(state, writer)) yield [`${this.nameOf(writer)}: ${what}`, after];
    }
    for (let sweep = 0; sweep < this.options.sweeps; sweep += 1) {
      for (const [what, after] of this.sweepSteps(state, sweep)) yield [`sweep ${sweep + 1}: ${what}`, after];
    }
  }

  /** The first captures share a host and its cache; a copy looks at the store instead. */
  protected *writerSteps(state: State, writer: number): Generator<[string, State]> {
    const base = writer * WRITER_FIELDS;
    const to = (step: number, change?: (after: State) => void): State => changed(state, base, step, change);
    const step = this.step(state, writer);
    const isCopy = writer >= this.options.captures;
    if (step >= W.committed && step !== W.superseded && step !== W.clear) return;
    const sweeps = this.marks(state);
    switch (step) {
      case W.look:
        if (this.name(state, writer) === TOMBSTONE) yield ['finds itself settled', to(W.superseded)];
        else if (sweepInTheWay(sweeps, false) === undefined) yield ['sees no sweep', to(W.record)];
        break;
      case W.record:
        yield ['is recorded', to(W.lookAgain, (after) => (after[base + 1] = 1))];
        break;
      case W.lookAgain:
        if (this.name(state, writer) === TOMBSTONE) yield ['finds itself settled', to(W.superseded)];
        else if (sweepInTheWay(sweeps, true) === undefined) yield ['sees no sweep deleting', to(W.heed)];
        break;
      case W.heed:
        yield ['learns what is there', this.heed(state, writer, isCopy, sweeps)];
        break;
      case W.put:
        yield* this.put(state, writer, isCopy);
        break;
      case W.commit:
        if (this.name(state, writer) === NONE)
          yield ['commits', to(W.committed, (after) => (after[base + 2] = MANIFEST))];
        else yield ['is superseded', to(W.superseded)];
        break;
      case W.superseded:
        // Nothing of this attempt runs any more: that is what the lock says.
        if (isCopy && at(state, this.tailAt + 5) === 0 && this.mayClear(sweeps))
          yield ['may clear its tombstone', to(W.clear)];
        break;
      case W.clear: {
        const clear = (after: State): void => {
          after[base + 1] = 0;
          after[base + 2] = NONE;
          after[base + 3] = 0;
          after[this.tailAt + 5] = 1;
        };
        yield ['clears its tombstone', to(W.look, clear)];
        break;
      }
      default:
        break;
    }
    const running = step !== W.committed && step !== W.superseded && step !== W.dead;
    if (running && step !== W.look && at(state, this.tailAt + 4) > 0) {
      const crash = (after: State): void => {
        after[this.tailAt + 4] = at(state, this.tailAt + 4) - 1;
        after[base + 3] = 0;
        after[base + 4] = 0;
      };
      yield ['dies', to(W.dead, crash)];
      yield ['dies and is tried again', to(W.look, crash)];
    }
  }

  protected mayClear(sweeps: readonly SweepMarks[]): boolean {
    return mayClearCopy({ lockHeld: true, why: 'swept', ageMs: Infinity }, sweeps);
  }

  protected heed(state: State, writer: number, isCopy: boolean, sweeps: readonly SweepMarks[]): State {
    const base = writer * WRITER_FIELDS;
    return changed(state, base, W.put, (after) => {
      if (isCopy) {
        const there = at(state, this.tailAt);
        after[base + 3] = there;
        // What is left out needs no request, so it is no step of its own.
        if ((there & this.wants(writer)) === this.wants(writer)) after[base] = W.commit;
        return;
      }
      const seen = String(at(state, this.tailAt + 3));
      let cache = at(state, this.tailAt + 2);
      for (const sweep of sweepsToHeed(sweeps, seen)) {
        if (this.options.broken !== 'cache-ignores-sweeps')
          cache &= ~at(state, this.sweepAt(Number(sweep.name) - 1) + 2);
        after[this.tailAt + 3] = Math.max(at(after, this.tailAt + 3), Number(sweep.name));
      }
      after[this.tailAt + 2] = cache;
      if ((cache & this.wants(writer)) === this.wants(writer)) after[base] = W.commit;
    });
  }

  /** One chunk after the other: a known one is left out, another is put create-only, and "exists" is as good. */
  protected *put(state: State, writer: number, isCopy: boolean): Generator<[string, State]> {
    const base = writer * WRITER_FIELDS;
    const index = at(state, base + 4);
    const bit = 1 << index;
    const known = isCopy ? at(state, base + 3) : at(state, this.tailAt + 2);
    const wanted = (this.wants(writer) & bit) !== 0;
    const step = index + 1 === this.options.chunks ? W.commit : W.put;
    const next = (after: State): void => void (after[base + 4] = step === W.commit ? 0 : index + 1);
    if (!wanted || (known & bit) !== 0) {
      yield [`has chunk ${index}`, changed(state, base, step, next)];
      return;
    }
    const store = (after: State): void => {
      next(after);
      after[this.tailAt] = at(state, this.tailAt) | bit;
      if (!isCopy) after[this.tailAt + 2] = at(state, this.tailAt + 2) | bit;
    };
    yield [`stores chunk ${index}`, changed(state, base, step, store)];
  }

  protected *sweepSteps(state: State, sweep: number): Generator<[string, State]> {
    const base = this.sweepAt(sweep);
    const to = (step: number, change?: (after: State) => void): State => changed(state, base, step, change);
    const step = at(state, base);
    const others = this.sweepLives(state, sweep);
    switch (step) {
      case S.waiting:
        // One at a time: the lock of the store's host.
        if (!others && (sweep === 0 || at(state, this.sweepAt(sweep - 1)) !== S.waiting)) yield ['begins', to(S.end)];
        break;
      case S.end: {
        const end = (after: State): void => {
          for (const left of leftSweeps(this.marks(state), String(sweep + 1))) {
            const other = this.sweepAt(Number(left.name) - 1) + 1;
            if (at(state, other) > 0) after[other] = at(state, other) | MARK.done;
          }
        };
        yield ['ends what a dead one left', to(at(state, this.tailAt + 1) === NONE ? S.list : S.prune, end)];
        break;
      }
      case S.prune:
        yield ['removes the old backup', to(S.list, (after) => (after[this.tailAt + 1] = NONE))];
        break;
      case S.list:
        yield ['lists the manifests', to(S.condemn, (after) => (after[base + 3] = this.named(state)))];
        break;
      case S.condemn: {
        const condemn = (after: State): void => {
          after[base + 1] = MARK.condemned;
          after[base + 2] = at(state, this.tailAt) & ~at(state, base + 3);
        };
        yield ['condemns', to(S.act, condemn)];
        break;
      }
      case S.act:
        yield* this.act(state, sweep);
        break;
      case S.relist: {
        const named = this.options.broken === 'no-second-listing' ? at(state, base + 3) : this.named(state);
        yield ['lists the manifests again', to(S.remove, (after) => (after[base + 3] = named))];
        break;
      }
      case S.remove:
        yield this.remove(state, sweep);
        break;
      default:
        break;
    }
    if (step !== S.waiting && step !== S.done && step !== S.dead && at(state, this.tailAt + 4) > 0) {
      const crash = (after: State): void => void (after[this.tailAt + 4] = at(state, this.tailAt + 4) - 1);
      yield ['dies', to(S.dead, crash)];
      if (step > S.act) yield ['dies and goes on', to(S.act, crash)];
    }
  }

  /** Every view that is possible: how old a record is, and how long was waited, the model leaves open. */
  protected *act(state: State, sweep: number): Generator<[string, State]> {
    const base = this.sweepAt(sweep);
    const marks = this.marks(state)[sweep] as SweepMarks;
    const swept = at(state, base + 4) > 0;
    const mark = (bit: number): State =>
      changed(state, base, S.act, (after) => (after[base + 1] = at(state, base + 1) | bit));
    const found = new Set<string>();
    for (const open of this.openRecords(state)) {
      for (const [graceOver, patienceOver] of [
        [false, false],
        [true, false],
        [true, true],
      ] as const) {
        const action = nextSweepAction({ marks, graceOver, patienceOver, open, swept });
        const once = action.kind === 'settle' ? `settle ${action.records[0]?.backupId ?? ''}` : action.kind;
        if (found.has(once)) continue;
        found.add(once);
        if (action.kind === 'close') yield ['closes', mark(MARK.closing)];
        if (action.kind === 'mark') yield ['marks itself deleting', mark(MARK.deleting)];
        if (action.kind === 'delete') yield ['finds nothing open', changed(state, base, S.relist)];
        if (action.kind === 'settle') yield this.settle(state, sweep, action.records);
        if (action.kind === 'finish') yield ['is done', this.done(state, base)];
        if (action.kind === 'giveWay') {
          if (this.options.broken === 'no-settling')
            yield ['takes no notice of what is open', changed(state, base, S.relist)];
          else yield ['gives way', changed(this.done(state, base), base, S.done, (after) => (after[base + 6] = 1))];
        }
      }
    }
  }

  /** A tombstone for the first of them: the others follow, each a step of its own. */
  protected settle(state: State, sweep: number, records: readonly OpenRecord[]): [string, State] {
    const base = this.sweepAt(sweep);
    if (this.options.broken === 'no-settling')
      return ['takes no notice of what is open', changed(state, base, S.relist)];
    const writer = Number(records[0]?.backupId);
    return [
      `settles ${this.nameOf(writer)}`,
      changed(state, base, S.act, (after) => (after[writer * WRITER_FIELDS + 2] = TOMBSTONE)),
    ];
  }

  /** One chunk a step. */
  protected remove(state: State, sweep: number): [string, State] {
    const base = this.sweepAt(sweep);
    const index = at(state, base + 5);
    const bit = 1 << index;
    const object = { condemned: (at(state, base + 2) & bit) !== 0, named: (at(state, base + 3) & bit) !== 0 };
    const last = index + 1 === this.options.chunks;
    const after = changed(state, base, last ? S.act : S.remove, (next) => {
      next[base + 5] = last ? 0 : index + 1;
      if (last) next[base + 4] = 1;
      if (mayDelete(object)) next[this.tailAt] = at(state, this.tailAt) & ~bit;
    });
    return [mayDelete(object) ? `deletes chunk ${index}` : `leaves chunk ${index}`, after];
  }

  protected done(state: State, base: number): State {
    return changed(state, base, S.done, (after) => (after[base + 1] = at(state, base + 1) | MARK.done));
  }

  /** What may be open, with every choice of which of them are old enough to be settled. */
  protected openRecords(state: State): readonly OpenRecord[][] {
    let open = 0;
    for (let writer = 0; writer < this.writers; writer += 1) {
      if (at(state, writer * WRITER_FIELDS + 1) === 1 && this.name(state, writer) === NONE) open |= 1 << writer;
    }
    const known = this.choices[open];
    if (known !== undefined) return known;
    const writers = Array.from({ length: this.writers }, (_, writer) => writer).filter((one) => open & (1 << one));
    const choices = Array.from({ length: 1 << writers.length }, (_, old) =>
      writers.map((one, index) => ({ backupId: String(one), old: (old & (1 << index)) !== 0, settleable: true })),
    );
    this.choices[open] = choices;
    return choices;
  }

  protected named(state: State): number {
    let named = at(state, this.tailAt + 1) === MANIFEST ? this.all : 0;
    for (let writer = 0; writer < this.writers; writer += 1) {
      if (this.name(state, writer) === MANIFEST) named |= this.wants(writer);
    }
    return named;
  }

  protected sweepLives(state: State, except: number): boolean {
    for (let sweep = 0; sweep < this.options.sweeps; sweep += 1) {
      const step = at(state, this.sweepAt(sweep));
      if (sweep !== except && step !== S.waiting && step !== S.done && step !== S.dead) return true;
    }
    return false;
  }

  protected marks(state: State): SweepMarks[] {
    let bits = 0;
    for (let sweep = 0; sweep < this.options.sweeps; sweep += 1) bits |= this.bitsOf(state, sweep) << (4 * sweep);
    return (this.markSets[bits] ??= Array.from({ length: this.options.sweeps }, (_, sweep) =>
      marksOf(sweep, this.bitsOf(state, sweep)),
    ));
  }

  protected bitsOf(state: State, sweep: number): number {
    return at(state, this.sweepAt(sweep) + 1);
  }

  /** The first wants every chunk, the second the first chunk, and so on in turn. */
  protected wants(writer: number): number {
    return writer % 2 === 0 ? this.all : 1;
  }

  protected step(state: State, writer: number): number {
    return at(state, writer * WRITER_FIELDS);
  }

  protected name(state: State, writer: number): number {
    return at(state, writer * WRITER_FIELDS + 2);
  }

  protected nameOf(writer: number): string {
    return writer < this.options.captures ? `capture ${writer + 1}` : `copy ${writer - this.options.captures + 1}`;
  }

  protected sweepAt(sweep: number): number {
    return this.sweepsAt + sweep * SWEEP_FIELDS;
  }
}
