import { expect, test } from 'vitest';
import type { CleanPointResult } from '../../src/workflows/contract.ts';
import { playOn } from './server.ts';
import { uniqueName } from './stage.ts';
import { failWith } from './world.ts';

const play = playOn();
const asked = (more: object = {}) => ({ system: uniqueName('sys'), command: 'scan', ...more });

test('bad ones beside good ones, one frozen, one broken: the newest clean one is named, and all copies go [B8]', async () => {
  const script = {
    restoreBeside: (_call: number, input: unknown) => {
      const { manifestKey } = input as { manifestKey: string };
      if (manifestKey.includes('b3')) failWith('ArchiveBroken', 'it ends in the middle');
      if (manifestKey.includes('b4')) failWith('BadInput', 'nothing that tells of what is in it');
    },
  };
  await play.inWorld({ script }, async (world) => {
    world.cleanCandidates = [
      { backup: 'b0' },
      { backup: 'b1', skip: 'it is frozen' },
      { backup: 'b2' },
      { backup: 'b3' },
      { backup: 'b4' },
      { backup: 'b5', content: 'b2' },
      { backup: 'b6' },
    ];
    world.infected.add('b0').add('b6');
    const result = await play.run<CleanPointResult>('cleanPoint', asked());
    expect(result).toMatchObject({
      outcome: 'found',
      backup: 'b2',
      notClean: ['b0', 'b3', 'b6'],
      undecided: ['b4'],
      notLooked: [{ backup: 'b1', why: 'it is frozen' }],
      restore: expect.stringMatching(/^holdfast restore \S+ b2 --store main$/) as string,
    });
    expect(result.verdicts.map(({ state }) => state)).toEqual('bad clean bad unknown clean bad'.split(' '));
    // The same content is restored once.
    expect(world.count('lookClean')).toBe(3);
    expect(world.besides.size).toBe(0);
    expect(world.swapped.size).toBe(0);

    world.infected.add('b2');
    expect(await play.run('cleanPoint', asked())).toMatchObject({
      outcome: 'none',
      notClean: ['b0', 'b2', 'b3', 'b5', 'b6'],
    });
    // A frozen one is no obstacle for halving either, and what is not needed is said.
    world.infected.clear();
    world.infected.add('b0');
    world.cleanCandidates = [0, 1, 2, 5, 6, 7, 8].map((number) => ({ backup: `b${number}` }));
    const half = await play.run<CleanPointResult>('cleanPoint', asked({ bisect: true }));
    expect(half).toMatchObject({ outcome: 'found', backup: 'b1' });
    expect(half.notLooked.length).toBeGreaterThan(2);
    const late = await play.run<CleanPointResult>('cleanPoint', asked({ limitSeconds: -0 }));
    expect(late.verdicts.length + late.notLooked.length).toBe(7);
  });
});
