/** Every interleaving of captures, a copy and sweeps, on the decisions that the program itself calls. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Model, type Outcome } from './sweep-model.ts';

const run = promisify(execFile);

describe('the sweep protocol, every interleaving', () => {
  it('three captures, a copy and two sweeps: no committed manifest ever names a deleted chunk', async () => {
    // In a process of its own, where modules are what they are: many times faster than inside the test runner.
    const { stdout } = await run(process.execPath, [path.resolve(import.meta.dirname, '../../scripts/model.ts')]);
    const found = JSON.parse(stdout) as Outcome;
    expect(found.loss).toBeUndefined();
    expect(found.states).toBeGreaterThan(1_000_000);
    // What never happens in a model is not checked by it.
    for (const [what, states] of Object.entries(found.seen)) expect(states, what).toBeGreaterThan(0);
  });

  it('processes die at any step, twice: still none', () => {
    for (const size of [
      { captures: 1, copies: 0, sweeps: 2, chunks: 2 },
      { captures: 1, copies: 1, sweeps: 1, chunks: 1 },
    ]) {
      expect(new Model({ ...size, crashes: 2 }).explore().loss).toBeUndefined();
    }
  });

  it('without the settling step: the check finds a manifest that names a deleted chunk', () => {
    const found = new Model({
      captures: 3,
      copies: 1,
      sweeps: 2,
      chunks: 1,
      crashes: 0,
      broken: 'no-settling',
    }).explore();
    expect(found.loss?.at(-1)).toMatch(/deletes chunk|commits/);
  });

  it('without the second listing, or with a cache that heeds no sweep: it finds those too', () => {
    const size = { captures: 2, copies: 0, sweeps: 1, chunks: 1, crashes: 0 };
    expect(new Model({ ...size, broken: 'no-second-listing' }).explore().loss).toBeDefined();
    expect(new Model({ ...size, broken: 'cache-ignores-sweeps' }).explore().loss).toBeDefined();
  });
});
