import { describe, expect, test } from 'vitest';
import { dockerFailure } from '../../src/docker/errors.ts';
import { releaseStep } from '../../src/docker/freeze-judge.ts';
import type { FreezeJournal } from '../../src/docker/freeze-journal.ts';
import { stillHeld } from '../../src/docker/freeze-prove.ts';
import { breaks } from '../../src/docker/freeze-watch.ts';
import { dependencies, stopLevels } from '../../src/docker/order.ts';
import { isAlive, ownIdentity, parseIdentity, printIdentity } from '../../src/docker/process-identity.ts';
import { demultiplex } from '../../src/docker/run.ts';
import type { ContainerFacts, FrozenContainer } from '../../src/docker/types.ts';

const STARTED = '2026-01-01T00:00:00.000000001Z';
const TOUCHED = Date.parse('2026-01-01T01:00:00Z');
const container: FrozenContainer = { id: 'c', name: 'ledger', startedAt: STARTED, level: 0, stopSeconds: 10 };

function facts(more: Partial<ContainerFacts>): ContainerFacts {
  return {
    id: 'c',
    name: 'ledger',
    image: 'i',
    state: 'running',
    startedAt: STARTED,
    health: 'none',
    labels: {},
    volumes: [],
    writes: [],
    ...more,
  };
}

function journal(mode: 'pause' | 'stop', more: Partial<FreezeJournal> = {}): FreezeJournal {
  return {
    format: 1,
    intent: {
      freezeId: 'f',
      system: 's',
      mode,
      budgetSeconds: 30,
      volumes: ['v'],
      plannedAtMs: TOUCHED,
      containers: [container],
    },
    worker: ownIdentity(),
    beganAtMs: TOUCHED,
    beganMonotonicMs: 0,
    touchedAtMs: { c: TOUCHED },
    notOurs: [],
    released: [],
    ...more,
  };
}

describe('what is released', () => {
  const step = (mode: 'pause' | 'stop', found: ContainerFacts | undefined, more: Partial<FreezeJournal> = {}): string =>
    releaseStep(journal(mode, more), container, { facts: found, nowMs: TOUCHED + 60_000, quiet: false }).do;
  const later = new Date(TOUCHED + 5000).toISOString();

  test('what this freeze holds, and only that', () => {
    expect(step('pause', facts({ state: 'paused' }))).toBe('unpause');
    expect(step('stop', facts({ state: 'exited' }))).toBe('start');
    expect(step('pause', facts({ state: 'exited' }))).toBe('nothing');
    expect(step('stop', facts({ state: 'paused' }))).toBe('nothing');
    expect(step('pause', undefined)).toBe('nothing');
  });

  test('never what it did not touch, somebody else held first, was started since, or was released already', () => {
    expect(step('pause', facts({ state: 'paused' }), { touchedAtMs: {} })).toBe('nothing');
    expect(step('pause', facts({ state: 'paused' }), { notOurs: ['c'] })).toBe('nothing');
    expect(step('pause', facts({ state: 'paused' }), { released: ['c'] })).toBe('nothing');
    expect(step('stop', facts({ state: 'exited', startedAt: later }))).toBe('nothing');
  });

  test('a call that may still be under way is waited for: it could take effect after its caller died', () => {
    const at = (mode: 'pause' | 'stop', afterMs: number, quiet: boolean): string =>
      releaseStep(journal(mode), container, { facts: facts({}), nowMs: TOUCHED + afterMs, quiet }).do;
    expect(at('pause', 1000, false)).toBe('wait');
    expect(at('pause', 1000, true)).toBe('nothing');
    expect(at('pause', 4000, false)).toBe('nothing');
    expect(at('stop', 12_000, false)).toBe('wait');
    expect(at('stop', 14_000, false)).toBe('nothing');
  });
});

describe('what breaks a freeze', () => {
  const { intent } = journal('pause');
  const event = (type: string, action: string, subject: string, attributes = {}): string | undefined =>
    breaks(intent, { type, action, subject, attributes });

  test('any life of its containers, and a new writer of its volumes', () => {
    expect(event('container', 'unpause', 'c')).toContain('unpause');
    expect(event('container', 'die', 'c')).toContain('die');
    expect(event('container', 'unpause', 'other')).toBeUndefined();
    expect(event('volume', 'mount', 'v', { 'read/write': 'true' })).toContain('volume v');
    expect(event('volume', 'mount', 'v', { 'read/write': 'false' })).toBeUndefined();
    expect(event('volume', 'mount', 'w', { 'read/write': 'true' })).toBeUndefined();
    expect(
      breaks({ ...intent, mode: 'stop' }, { type: 'container', action: 'die', subject: 'c', attributes: {} }),
    ).toBeUndefined();
  });

  test('another start, another state, or none at all', () => {
    expect(stillHeld('pause', container, facts({ state: 'paused' }))).toBeUndefined();
    expect(stillHeld('stop', container, facts({ state: 'exited' }))).toBeUndefined();
    expect(stillHeld('pause', container, facts({ state: 'running' }))).toContain('running');
    expect(stillHeld('pause', container, facts({ state: 'paused', startedAt: 'x' }))).toContain('started again');
    expect(stillHeld('stop', container, undefined)).toContain('removed');
  });
});

describe('the order of containers', () => {
  const service = (id: string, needs: string): Parameters<typeof stopLevels>[0][number] => ({
    id,
    project: 'p',
    service: id,
    labels: { 'com.docker.compose.depends_on': needs },
  });

  test('dependents stop before what they depend on, in as few steps as there are', () => {
    const levels = stopLevels([
      service('db', ''),
      service('web', 'api:service_started:false'),
      service('api', 'db:service_healthy:true'),
      service('cron', 'db:service_healthy:true'),
    ]);
    expect(Object.fromEntries(levels)).toEqual({ web: 0, api: 1, cron: 1, db: 2 });
    expect(dependencies({ 'com.docker.compose.depends_on': 'db:service_healthy:true,x' })).toEqual([
      { service: 'db', condition: 'service_healthy' },
      { service: 'x', condition: 'service_started' },
    ]);
  });

  test('a circle is no trap', () => {
    const levels = stopLevels([service('a', 'b:service_started:false'), service('b', 'a:service_started:false')]);
    expect([...levels.keys()].sort()).toEqual(['a', 'b']);
  });
});

describe('small things that others rely on', () => {
  test('a process is alive until it ends; a number that was given out again is another process', () => {
    const own = ownIdentity();
    expect(isAlive(own)).toBe(true);
    expect(isAlive({ ...own, startTicks: '1' })).toBe(false);
    expect(isAlive({ ...own, bootId: 'another' })).toBe(false);
    expect(parseIdentity(printIdentity(own))).toEqual(own);
    expect(parseIdentity('nonsense')).toBeUndefined();
  });

  test('output of a container loses its frames, that of a terminal has none', () => {
    const frame = (text: string): Buffer => {
      const head = Buffer.alloc(8);
      head[0] = 1;
      head.writeUInt32BE(text.length, 4);
      return Buffer.concat([head, Buffer.from(text)]);
    };
    expect(demultiplex(Buffer.concat([frame('one\n'), frame('two\n')])).toString()).toBe('one\ntwo\n');
    expect(demultiplex(Buffer.from('plain text of a terminal')).toString()).toBe('plain text of a terminal');
  });

  test('the engine is silent, refuses, or knows nothing of it: each is another failure', () => {
    const about = { doing: 'inspect it', kind: 'container' } as const;
    const code = (error: object, kind: 'container' | 'volume' = 'container'): string =>
      dockerFailure(Object.assign(new Error('no'), error), { ...about, kind }).code;
    expect(code({ code: 'ECONNREFUSED' })).toBe('DockerUnreachable');
    expect(code({ code: 'EACCES' })).toBe('DockerUnreachable');
    expect(code({ statusCode: 404 })).toBe('ContainerMissing');
    expect(code({ statusCode: 404 }, 'volume')).toBe('VolumeMissing');
    expect(code({ statusCode: 409 }, 'volume')).toBe('VolumeInUse');
    expect(code({ statusCode: 500 })).toBe('DockerRefused');
  });
});
