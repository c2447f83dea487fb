import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mustBeTypedHere } from '../../src/activities/clean-checks.ts';
import { noteTyped, wasTyped } from '../../src/system/typed.ts';

let state: string;
beforeEach(() => {
  state = mkdtempSync(path.join(tmpdir(), 'holdfast-typed-'));
});
afterEach(() => {
  rmSync(state, { recursive: true });
});

describe('what was typed on this machine', () => {
  it('a text that was typed: known; another one, or the same on another machine: not', () => {
    noteTyped(state, 'clamscan "$HOLDFAST_SCRATCH"');
    expect(wasTyped(state, 'clamscan "$HOLDFAST_SCRATCH"')).toBe(true);
    expect(wasTyped(state, 'clamscan "$HOLDFAST_SCRATCH" ')).toBe(false);
    expect(wasTyped(path.join(state, 'elsewhere'), 'clamscan "$HOLDFAST_SCRATCH"')).toBe(false);
  });

  it('notes of more than a week ago go when something is typed, and hold only digests', () => {
    noteTyped(state, 'old');
    noteTyped(state, 'new', Date.now() + 8 * 24 * 3600 * 1000);
    expect(wasTyped(state, 'old')).toBe(false);
    expect(readdirSync(path.join(state, 'typed'))).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  });

  it('[B8] a search started with a command of its own by the engine alone: refused, and it says where to type it', () => {
    const context = { host: 'alpha', stateDirectory: () => state };
    const ask = (command: string) => () => {
      mustBeTypedHere(context, { system: 'shop', command });
    };
    expect(ask('cat /etc/shadow')).toThrow(/the command was not typed on alpha/);
    noteTyped(state, 'true');
    expect(ask('true')).not.toThrow();
    expect(() => {
      mustBeTypedHere(context, { system: 'shop', query: 'db: select 1' });
    }).toThrow(/the query was not typed/);
    expect(() => {
      mustBeTypedHere(context, { system: 'shop' });
    }).not.toThrow();
  });
});
