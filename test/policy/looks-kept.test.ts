import { expect, it } from 'vitest';
import { retentionFinding } from '../../src/cli/examine-namespace.ts';
import { forgetLooksAfter } from '../../src/engine/forget-looks.ts';
import { looksKept } from '../../src/policy/looks-kept.ts';
import { systemFrom, systemOf } from '../system/small-system.ts';

const DAY = 86_400;
const NOW = Date.parse('2026-11-21T12:00:00Z');

it('a look each minute: two runs each, as many as the namespace keeps; seldomer: fewer', () => {
  expect(looksKept([systemOf('shop', {})], DAY, NOW)).toEqual({ runs: 2880, bytes: 1440 * 12_800 });
  const seldom = systemFrom('till', [
    'stores: { nas: { kind: directory, path: /mnt/nas } }',
    'components: { files: { kind: files, path: /srv } }',
    'plans: { daily: { components: [files], stores: [nas] } }',
    'maintenance: { monitor: { every: 10m } }',
  ]);
  expect(looksKept([systemOf('shop', {}), seldom], 10 * DAY, NOW).runs).toBe(28_800 + 2880);
});

it('a namespace that keeps too little, or too much of looks: told with what to do; one that is told to forget them: well', () => {
  const systems = [systemOf('shop', {})];
  const of = (days: number, forgets = false) =>
    retentionFinding(systems, { namespace: 'ours', keptSeconds: days * DAY, forgets }, NOW);
  expect(of(1)).toMatchObject({ state: 'warn', doThis: expect.stringContaining('--retention 90d') as string });
  expect(of(30).state).toBe('ok');
  expect(of(90)).toMatchObject({ state: 'warn', doThis: expect.stringContaining('--forget-looks 24h') as string });
  expect(of(90, true).state).toBe('ok');
});

it('after how long looks go: as it is asked for, else as the environment says; nonsense is refused', () => {
  const environment = { HOLDFAST_FORGET_LOOKS: '2d' };
  expect([forgetLooksAfter(undefined, {}), forgetLooksAfter(undefined, environment)]).toEqual([undefined, 2 * DAY]);
  expect([forgetLooksAfter('24h', environment), forgetLooksAfter('off', environment)]).toEqual([DAY, undefined]);
  expect(() => forgetLooksAfter('soon', {})).toThrow(expect.objectContaining({ code: 'BadInput' }) as Error);
});
