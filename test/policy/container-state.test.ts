import { describe, expect, test } from 'vitest';
import { judgeContainer, type ContainerSeen } from '../../src/policy/container-state.ts';

const NOW = Date.parse('2026-11-22T01:00:00Z');
const ENDED = '2026-11-22T00:30:00Z';

const seen = (change: Partial<ContainerSeen> = {}): ContainerSeen => ({
  id: 'c1',
  name: 'shop-ledger-1',
  service: 'ledger',
  state: 'exited',
  health: 'none',
  exitCode: 1,
  error: '',
  oomKilled: false,
  restartPolicy: 'no',
  mostRestarts: 0,
  restarts: 0,
  startedAt: '2026-11-22T00:00:00Z',
  finishedAt: ENDED,
  ...change,
});

const judged = (change: Partial<ContainerSeen>) => judgeContainer(seen(change), NOW);
const broken = (what: string, more: object = {}) => ({ kind: 'broken', how: 'down', what, since: ENDED, ...more });

describe('a container [M6]', () => {
  test('that fell over: down, with its exit code and since when', () => {
    expect(judged({})).toEqual(broken('has stopped (exit 1)'));
    expect(judged({ exitCode: 137, stoppedByHand: false })).toEqual(broken('has stopped (exit 137)'));
    expect(judged({ exitCode: 137, oomKilled: true })).toEqual(broken('has stopped (exit 137, out of memory)'));
    expect(judged({ exitCode: 128, error: 'port is taken\nmore' })).toEqual(
      broken('has stopped (exit 128): port is taken'),
    );
    expect(judged({ restartPolicy: 'on-failure', mostRestarts: 3, restarts: 3 })).toEqual(
      broken('has stopped (exit 1)'),
    );
    expect(judged({ state: 'dead' })).toMatchObject({ how: 'down' });
    expect(judged({ state: 'created', exitCode: 0 })).toMatchObject({ how: 'down', what: 'was never started' });
  });

  test('that somebody stopped or paused: left as it is; a task that has done its work is fine', () => {
    expect(judged({ exitCode: 143, stoppedByHand: true })).toMatchObject({ kind: 'left' });
    expect(judged({ restartPolicy: 'always', stoppedByHand: true })).toMatchObject({ kind: 'left' });
    expect(judged({ state: 'paused' })).toMatchObject({ kind: 'left' });
    expect(judged({ exitCode: 0 })).toEqual({ kind: 'fine' });
    expect(judged({ exitCode: 0, restartPolicy: 'on-failure' })).toEqual({ kind: 'fine' });
  });

  test('of which the engine has forgotten how it ended: down, and in doubt where a stop looks the same', () => {
    const doubt = { doubt: 'it may have been stopped by hand: the engine does not remember' };
    expect(judged({ exitCode: 143 })).toEqual(broken('has stopped (exit 143)', doubt));
    expect(judged({ exitCode: 0, restartPolicy: 'unless-stopped' })).toEqual(broken('has stopped (exit 0)', doubt));
    expect(judged({ exitCode: 0, restartPolicy: 'always', stoppedByHand: false })).toEqual(
      broken('has stopped (exit 0)'),
    );
  });

  test('that does not stay up, or is unhealthy: broken; one that is starting, or healthy again for a while: fine', () => {
    const lately = new Date(NOW - 5000).toISOString();
    expect(judged({ state: 'restarting' })).toMatchObject({ how: 'looping' });
    expect(judged({ state: 'running', restarts: 7, startedAt: lately })).toMatchObject({ how: 'looping' });
    expect(judged({ state: 'running', restarts: 7 })).toEqual({ kind: 'fine' });
    expect(judged({ state: 'running', health: 'unhealthy', unhealthySince: ENDED })).toEqual({
      kind: 'broken',
      how: 'unhealthy',
      what: 'is unhealthy',
      since: ENDED,
    });
    for (const health of ['none', 'starting', 'healthy'] as const) {
      expect(judged({ state: 'running', health })).toEqual({ kind: 'fine' });
    }
  });
});
