/**
 * A model of captures, a copy and sweeps on one store, whose decisions are those of src/policy/sweep.ts. Every step is one
 * request to the store; every process may die before any step. Explored breadth-first, each state once.
 */
import { at, MANIFEST, S, W, WRITER_FIELDS, type State } from './sweep-model-state.ts';
import { ModelSteps } from './sweep-model-steps.ts';
import { StateSet } from './state-set.ts';

export type { ModelOptions } from './sweep-model-state.ts';

export interface Outcome {
  readonly states: number;
  /** The steps that lead to a manifest with a deleted chunk. */
  readonly loss?: readonly string[];
  /** How many final states had each of these: what the model never does proves nothing. */
  readonly seen: Record<'committed' | 'superseded' | 'deleted' | 'gaveWay' | 'cleared', number>;
}

export class Model extends ModelSteps {
  /** All chunks are there and known to the host; one old backup names them and is about to be pruned. */
  initial(): State {
    const state: State = new Array<number>(this.tailAt + 6).fill(0);
    state[this.tailAt] = this.all;
    state[this.tailAt + 1] = MANIFEST;
    state[this.tailAt + 2] = this.all;
    state[this.tailAt + 4] = this.options.crashes;
    return state;
  }

  explore(): Outcome {
    const { maxStates = Infinity } = this.options;
    const seen = { committed: 0, superseded: 0, deleted: 0, gaveWay: 0, cleared: 0 };
    const states = new StateSet(this.widths());
    states.add(this.initial(), -1);
    for (let index = 0; index < states.size; index += 1) {
      const state = states.get(index);
      if (this.isLoss(state)) return { states: states.size, loss: this.pathTo(states, index), seen };
      this.count(state, seen);
      for (const [, after] of this.steps(state)) states.add(this.canonical(after), index);
      if (states.size > maxStates) throw new Error(`more than ${maxStates} states`);
    }
    return { states: states.size, seen };
  }

  /** Bits of each field. */
  private widths(): number[] {
    const { chunks, sweeps, crashes } = this.options;
    const index = Math.ceil(Math.log2(chunks)) || 1;
    const writer = [4, 1, 2, chunks, index];
    const sweep = [4, 4, chunks, chunks, 1, index, 1];
    const bits = (most: number): number => Math.max(1, Math.ceil(Math.log2(most + 1)));
    return [
      ...Array.from({ length: this.writers }, () => writer).flat(),
      ...Array.from({ length: sweeps }, () => sweep).flat(),
      ...[chunks, 1, chunks, bits(sweeps), bits(crashes), 1],
    ];
  }

  /** The steps by names: those of the parent that lead here. */
  private pathTo(states: StateSet, index: number): string[] {
    const steps: string[] = [];
    for (let at_ = index; states.parentOf(at_) >= 0; at_ = states.parentOf(at_)) {
      const wanted = states.get(at_).join();
      const parent = states.get(states.parentOf(at_));
      for (const [what, after] of this.steps(parent)) {
        if (this.canonical(after).join() !== wanted) continue;
        steps.push(what);
        break;
      }
    }
    return steps.toReversed();
  }

  /**
   * What no later step reads is set to nothing, and captures that want the same stand in one order: fewer states that
   * differ in nothing that matters.
   */
  private canonical(state: State): State {
    for (let writer = 0; writer < this.writers; writer += 1) {
      const base = writer * WRITER_FIELDS;
      const step = at(state, base);
      if (step < W.put || step > W.commit) state[base + 3] = 0;
    }
    for (let sweep = 0; sweep < this.options.sweeps; sweep += 1) {
      const base = this.sweepAt(sweep);
      const over = at(state, base) === S.done || at(state, base) === S.dead;
      if (over) state.fill(0, base + 3, base + 6);
      else if (at(state, base) === S.act) state[base + 3] = 0;
    }
    for (let writer = 0; writer + 2 < this.options.captures; writer += 1) this.order(state, writer, writer + 2);
    return state;
  }

  private order(state: State, one: number, other: number): void {
    const [a, b] = [one * WRITER_FIELDS, other * WRITER_FIELDS];
    const first = state.slice(a, a + WRITER_FIELDS);
    const second = state.slice(b, b + WRITER_FIELDS);
    const differing = first.findIndex((value, field) => value !== second[field]);
    if (differing < 0 || at(first, differing) < at(second, differing)) return;
    second.forEach((value, field) => (state[a + field] = value));
    first.forEach((value, field) => (state[b + field] = value));
  }

  /** A committed manifest names a chunk that is not there. */
  private isLoss(state: State): boolean {
    const there = at(state, this.tailAt);
    for (let writer = 0; writer < this.writers; writer += 1) {
      if (this.name(state, writer) === MANIFEST && (there & this.wants(writer)) !== this.wants(writer)) return true;
    }
    return false;
  }

  private count(state: State, seen: Outcome['seen']): void {
    for (let writer = 0; writer < this.writers; writer += 1) {
      if (this.step(state, writer) === W.committed) seen.committed += 1;
      if (this.step(state, writer) === W.superseded) seen.superseded += 1;
    }
    if (at(state, this.tailAt) !== this.all) seen.deleted += 1;
    if (at(state, this.tailAt + 5) > 0) seen.cleared += 1;
    for (let sweep = 0; sweep < this.options.sweeps; sweep += 1) {
      if (at(state, this.sweepAt(sweep) + 6) > 0) seen.gaveWay += 1;
    }
  }
}
