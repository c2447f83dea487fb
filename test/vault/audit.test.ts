import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { judgeAuditLogs, type AuditJudged } from '../../src/policy/audit-chain.ts';
import { judgeAuditRuns } from '../../src/policy/audit-engine.ts';
import { generateSshKeyPair } from '../../src/seal/index.ts';
import { HoldfastError } from '../../src/failures.ts';
import type { Store } from '../../src/stores/index.ts';
import { appendAudit, headsIn, type Appended } from '../../src/vault/audit/append.ts';
import { headsInManifests, readAuditLogs } from '../../src/vault/audit/read.ts';
import { auditBytes } from '../../src/vault/audit/record.ts';
import { openCopy } from '../../src/vault/copy/copy.ts';
import { signerOf } from '../../src/vault/envelope.ts';
import { joinVault } from '../../src/vault/join.ts';
import { readTrustRoots } from '../../src/vault/trust.ts';
import { checkRecord } from '../../src/vault/verify/record-check.ts';
import type { AuditEvent } from '../../src/workflows/contract.ts';
import {
  artifactOf,
  backUp,
  captureInto,
  commitOf,
  makeTestVault,
  noise,
  openDirectory,
  streamSegment,
  SYSTEM,
  type TestVault,
} from '../support/vault.ts';
import { watched } from '../support/watched-store.ts';

let vault: TestVault;
let other: Store;

beforeEach(async () => {
  vault = await makeTestVault();
  other = await openDirectory(join(vault.directory, 'other'));
  await joinVault(vault.store, other, SYSTEM);
});

afterEach(async () => {
  await other.close();
  await vault[Symbol.asyncDispose]();
});

function event(over: Partial<AuditEvent> = {}): AuditEvent {
  const ids = { id: randomUUID(), workflowId: 'shop/restore', runId: 'run-1' };
  return { ...ids, what: 'asked', at: new Date().toISOString(), operation: 'restore', by: 'ana@desk', ...over };
}

const places = () => [
  { name: 'nas', store: vault.store },
  { name: 'cloud', store: other },
];

function append(given: AuditEvent, at = places(), privateKey = vault.keys.signer.privateKey): Promise<Appended> {
  return appendAudit(at, { vaultId: vault.vaultId, signer: signerOf(privateKey) }, given);
}

async function judge(at = places(), nowMs = Date.now()): Promise<AuditJudged> {
  const { vaultId } = vault;
  const seen = await Promise.all(
    at.map(async ({ name, store }) => {
      const roots = await readTrustRoots(store, vaultId, vault.keys.root.fingerprint);
      return readAuditLogs({ store, vaultId, roots }, name);
    }),
  );
  return judgeAuditLogs(seen, [], nowMs);
}

const fileOf = (key: string): string => join(vault.storePath, key);
const kinds = ({ problems }: AuditJudged): string[] => problems.map(({ kind }) => kind);

describe('the audit log', () => {
  test('events one after the other: one chain, the same bytes in every store, whole', async () => {
    for (const what of ['asked', 'approved', 'ended'] as const) await append(event({ what }));
    const judged = await judge();
    expect(judged).toMatchObject({
      ok: true,
      problems: [],
      notes: [],
      logs: [{ newest: 3, author: 'host-a', admitted: true }],
    });
    expect(judged.events.map(({ event: { what } }) => what)).toEqual(['asked', 'approved', 'ended']);
    expect(await headsIn(other)).toEqual(await headsIn(vault.store));
  });

  test('the same event again, also after others and from two writers at once: it is written once', async () => {
    const first = event();
    await append(first);
    await append(event());
    expect((await append(first)).key).toMatch(/00000001\.json$/);
    const late = event({ what: 'ended' });
    await Promise.all([append(late), append(late)]);
    expect((await judge()).events.map(({ n }) => n)).toEqual([1, 2, 3]);
  });

  test('several writers of one key at once: each event has a place of its own in one chain', async () => {
    await Promise.all(Array.from({ length: 6 }, () => append(event())));
    const judged = await judge();
    expect(judged).toMatchObject({ ok: true, logs: [{ newest: 6 }] });
    expect(judged.events).toHaveLength(6);
  });

  test('a store is away: the others take it, it is told, and a repeat or a copy brings what it lacks', async () => {
    await append(event());
    const at = join(vault.directory, 'other');
    await rename(at, `${at}.away`);
    await writeFile(at, 'not a directory');
    const missed = event();
    expect(await append(missed)).toMatchObject({ stores: ['nas'], lacking: [{ store: 'cloud' }] });
    await append(event(), [{ name: 'nas', store: vault.store }]);
    await rm(at);
    await rename(`${at}.away`, at);
    await other.close();
    other = await openDirectory(at);

    const late = await judge();
    expect(late).toMatchObject({ ok: true, notes: [expect.stringContaining('cloud lacks 2-3 of 3')] });
    expect(kinds(await judge(places(), Date.now() + 2 * 86_400_000))).toEqual(['cut']);

    expect(await append(missed)).toMatchObject({ stores: ['nas', 'cloud'], lacking: [] });
    const copy = await openCopy({
      ...{ target: other, sources: [vault.store], system: SYSTEM, signal: new AbortController().signal },
      rootFingerprint: vault.keys.root.fingerprint,
      signerKey: vault.keys.signer.privateKey,
    });
    await copy.carryAudit();
    expect(await judge()).toMatchObject({ ok: true, notes: [] });
  });

  test('two stores are away by turns: who writes remembers its own log, and it stays one chain', async () => {
    const [nas, cloud] = places();
    if (nas === undefined || cloud === undefined) throw new Error('two places');
    const store = await openDirectory(join(vault.directory, 'memory'));
    const memory = { name: 'this host', store, memory: true } as const;
    expect(await append(event(), [nas, memory])).toMatchObject({ stores: ['nas'], lacking: [] });
    expect((await append(event(), [cloud, memory])).key).toMatch(/00000002/);
    await append(event(), [nas, memory]);
    expect(await judge()).toMatchObject({
      ok: true,
      logs: [{ newest: 3 }],
      notes: [expect.stringContaining('cloud lacks 3')],
    });
    await expect(append(event(), [memory])).rejects.toThrow('needs a store');
    await store.close();
  });

  test('cut out, edited, reordered, replaced, cut off everywhere: each shows; a cut-off end by another log that saw it', async () => {
    const keys: string[] = [];
    for (let n = 0; n < 4; n += 1) keys.push((await append(event({ why: `number ${n}` }), places().slice(0, 1))).key);
    const one = places().slice(0, 1);
    const [first = '', second = '', third = '', fourth = ''] = keys;
    const whole = new Map(await Promise.all(keys.map(async (key) => [key, await readFile(fileOf(key))] as const)));
    const bytesOf = (key: string): Buffer => whole.get(key) ?? Buffer.alloc(0);
    const mend = () => Promise.all([...whole].map(([key, bytes]) => writeFile(fileOf(key), bytes)));
    expect((await judge(one)).ok).toBe(true);

    await rm(fileOf(second));
    expect(kinds(await judge(one))).toContain('cut');
    await mend();
    await writeFile(fileOf(second), bytesOf(second).toString().replace('number 1', 'number 7'));
    expect(kinds(await judge(one))).toEqual(['edited']);
    await mend();
    await writeFile(fileOf(second), bytesOf(third));
    await writeFile(fileOf(third), bytesOf(second));
    expect(kinds(await judge(one))).toEqual(['edited', 'edited']);
    await mend();
    // By whoever holds the signer's key: the record itself holds, and the next one says that it is not the one it followed.
    const { vaultId } = vault;
    const forged = { vaultId, n: 2, previousSha256: null, heads: [], event: event(), at: new Date().toISOString() };
    await writeFile(fileOf(second), auditBytes(forged, signerOf(vault.keys.signer.privateKey)));
    expect(kinds(await judge(one))).toContain('unlinked');
    await mend();
    expect(kinds(await judge([...one, { name: 'copy', store: other }], Date.now() + 2 * 86_400_000))).toEqual(['cut']);

    const stranger = generateSshKeyPair('bare machine');
    await append(event({ what: 'ended', by: 'eve' }), one, stranger.privateKey);
    expect(await judge(one)).toMatchObject({ ok: true, notes: [expect.stringContaining('has not admitted')] });
    await rm(fileOf(fourth));
    expect(kinds(await judge(one))).toEqual(['cut']);
    expect(first).not.toBe('');
  });

  test('audit/ can be neither listed nor read: the backup is made, without what it would say of the log, and that is told', async () => {
    const denied = (what: string): HoldfastError => new HoldfastError('StoreDenied', `${what} is denied`);
    await append(event());
    const { store } = vault;
    for (const part of ['list', 'get'] as const) {
      const refusing: Store = {
        ...watched(store),
        list: (prefix, options) => {
          if (part === 'list' && prefix.startsWith('audit/')) throw denied('list');
          return store.list(prefix, options);
        },
        get: (key, options) =>
          part === 'get' && key.startsWith('audit/') ? Promise.reject(denied('get')) : store.get(key, options),
      };
      const writer = await vault.writer({ store: refusing });
      const artifacts = [artifactOf('a', [streamSegment(noise(61, 10))])];
      const ticket = await writer.begin({ captureId: `without-${part}`, plan: 'daily', startedAtMs: Date.now() });
      const { refs, counts } = await captureInto(writer, ticket, { artifacts });
      const made = await commitOf(writer, ticket, refs, counts);
      await writer.close();
      expect(made.warnings).toEqual([expect.stringContaining(`vouches for nothing in it: ${part} is denied`)]);
      expect(made.body.auditHeads).toBeUndefined();
    }
  });

  test('the end is cut off in every store: the manifest of a backup that came later names it; a store that is away may have it', async () => {
    await append(event());
    const last = await append(event({ what: 'ended' }));
    const writer = await vault.writer();
    const { manifestKey } = await backUp(writer, {
      captureId: 'run-1',
      artifacts: [artifactOf('a', [streamSegment(noise(1, 10))])],
    });
    await writer.close();
    const roots = await readTrustRoots(vault.store, vault.vaultId, vault.keys.root.fingerprint);
    const from = { store: vault.store, vaultId: vault.vaultId, roots };
    const named = await headsInManifests(from);
    expect(named).toMatchObject([{ n: 2, by: manifestKey }]);
    const judgeNow = async (unread: string[]) =>
      judgeAuditLogs([await readAuditLogs(from, 'nas')], named, Date.now(), unread);
    expect(await judgeNow([])).toMatchObject({ ok: true, notes: [] });
    await rm(fileOf(last.key));
    expect(await judgeNow([])).toMatchObject({
      problems: [{ kind: 'cut', what: expect.stringContaining(manifestKey) as unknown }],
    });
    expect(await judgeNow(['cloud'])).toMatchObject({
      ok: true,
      notes: [expect.stringContaining('cloud could not be read')],
    });
  });

  test('what the engine knows: written and nowhere, or stopped, is a cut; what it refused is somebody who tried', () => {
    const closedAt = '2026-11-22T00:00:00.000Z';
    const runs = [
      { event: 'there', end: 'written', closedAt },
      { event: 'gone', end: 'written', closedAt, key: 'audit/0123456789abcdef/00000007.json' },
      { event: 'ended by hand', end: 'stopped', closedAt },
      { event: 'forged', end: 'refused', closedAt },
    ] as const;
    const { problems, notes } = judgeAuditRuns(runs, new Set(['there']));
    expect(problems).toMatchObject([
      { kind: 'cut', log: '0123456789abcdef', what: expect.stringContaining('00000007') as unknown },
      { kind: 'cut', what: expect.stringContaining('ended by hand') as unknown },
    ]);
    expect(notes).toEqual([expect.stringContaining('forged')]);
  });

  test('verification of a whole store judges each record by itself, also those of a key that nobody admitted', async () => {
    const stranger = generateSshKeyPair('bare machine');
    const own = await append(event());
    const strange = await append(event(), places(), stranger.privateKey);
    const roots = await readTrustRoots(vault.store, vault.vaultId, vault.keys.root.fingerprint);
    for (const { key } of [own, strange]) {
      const bytes = await readFile(fileOf(key));
      expect(checkRecord({ vaultId: vault.vaultId, roots }, key, bytes)).toBe(true);
      const bent = Buffer.from(bytes.toString().replace('ana', 'bob'));
      expect(() => checkRecord({ vaultId: vault.vaultId, roots }, key, bent)).toThrow(/signature|signed/i);
      expect(() => checkRecord({ vaultId: vault.vaultId, roots }, key.replace('0001', '0002'), bytes)).toThrow(
        'written as',
      );
    }
    expect(await readdir(join(vault.storePath, 'audit'))).toHaveLength(2);
  });
});
