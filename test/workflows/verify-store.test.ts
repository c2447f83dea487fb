/** Looking at whole stores: one after another, and one that cannot be asked keeps none of the others from it. */
import { describe, expect, test } from 'vitest';
import type { VerifyStoreResult } from '../../src/workflows/contract.ts';
import { failureOf } from './play.ts';
import { playOn } from './server.ts';
import { failWith } from './world.ts';

const play = playOn();

describe('[M6] verifyStore', () => {
  test('every store of the system, with what was asked; all of it for presence', async () => {
    await play.inWorld({}, async (world) => {
      const result = await play.run<VerifyStoreResult>('verifyStore', {
        system: 'sys-1',
        level: 'presence',
        heal: true,
      });
      expect(result).toMatchObject({ ok: true, failed: [], stores: [{ store: 'main' }, { store: 'away' }] });
      const inputs = world.calls.filter(({ name }) => name === 'verifyStore').map(({ input }) => input);
      const common = { system: 'sys-1', level: 'presence', all: true, heal: true };
      expect(inputs).toMatchObject([
        { ...common, store: 'main' },
        { ...common, store: 'away' },
      ]);
      expect(world.count('writeReport')).toBe(1);
    });
  });

  test('a store that is denied: it is told, the other one is looked at', async () => {
    const script = { verifyStore: (call: number) => (call === 1 ? failWith('StoreDenied', 'no entry') : undefined) };
    await play.inWorld({ script }, async () => {
      const result = await play.run<VerifyStoreResult>('verifyStore', { system: 'sys-2' });
      expect(result).toMatchObject({
        ok: false,
        failed: [{ store: 'main', code: 'StoreDenied', message: 'no entry' }],
        stores: [{ store: 'away', level: 'content' }],
      });
    });
  });

  test('a field that is none: refused with what is allowed', async () => {
    await play.inWorld({}, async () => {
      const failed = await failureOf(play.run('verifyStore', { system: 'sys-3', backup: 'latest' }));
      expect(failed.type).toBe('BadInput');
      expect(failed.message).toContain('heal');
    });
  });
});
