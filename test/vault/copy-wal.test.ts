/** A write-ahead log in a second store: what a copy brings there, and what can be restored from it alone. */
import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { createHostContext } from '../../src/activities/host-context.ts';
import { findRecoveryPoint, withLogOf } from '../../src/activities/recovery-point.ts';
import { formatLsn } from '../../src/policy/lsn.ts';
import { basePointIn, type BasePoint } from '../../src/policy/reachable.ts';
import type { Store } from '../../src/stores/store.ts';
import { loadSystemFile, type System } from '../../src/system/index.ts';
import { openCopy, type VaultCopy } from '../../src/vault/copy/copy.ts';
import { joinVault } from '../../src/vault/join.ts';
import { keysIn } from '../../src/vault/listed.ts';
import { makeTestVault, noise, openDirectory, SYSTEM, type TestVault } from '../support/vault.ts';

const MIB = 1024 * 1024;
const SEGMENT = 8 * MIB;
const CLUSTER = '7123456789';
/** Its signer is admitted since a day. */
const AT_MS = Math.floor(Date.now() / 1000 - 6 * 3600) * 1000;
const signal = new AbortController().signal;
const quiet = (): void => undefined;
const log = noise(21, SEGMENT);

const FACTS = {
  method: 'base',
  systemIdentifier: CLUSTER,
  timeline: 1,
  startLsn: formatLsn(BigInt(SEGMENT)),
  endLsn: formatLsn(BigInt(SEGMENT + 500)),
  endedAt: new Date(AT_MS).toISOString(),
};

function base(): BasePoint {
  const found = basePointIn('b', FACTS);
  if (found === undefined) throw new Error('these facts are of no base backup');
  return found;
}

/** Pieces of one segment, as a receiver stores them. */
async function storeLog(vault: TestVault, ...pieces: readonly (readonly [from: number, to: number])[]): Promise<void> {
  const writer = await vault.walWriter('main');
  for (const [from, to] of pieces) {
    await writer.storeRange({
      systemIdentifier: CLUSTER,
      timeline: 1,
      segmentBytes: SEGMENT,
      from: BigInt(SEGMENT + from),
      bytes: log.slice(from, to),
      receivedAtMs: AT_MS + to,
      coversUntilMs: AT_MS + to,
    });
  }
  await writer.close();
}

async function secondStore(vault: TestVault): Promise<{ store: Store; copy: VaultCopy; path: string }> {
  const path = join(vault.directory, 'nas');
  const store = await openDirectory(path);
  await joinVault(vault.store, store, SYSTEM);
  const copy = await openCopy({
    target: store,
    sources: [vault.store],
    system: SYSTEM,
    rootFingerprint: vault.keys.root.fingerprint,
    signerKey: vault.keys.signer.privateKey,
    signal,
  });
  return { store, copy, path };
}

async function rangesIn(store: Store): Promise<string[]> {
  const found = await keysIn(store, 'wal/');
  const offset = (lsn = ''): number => Number.parseInt(lsn, 16) - SEGMENT;
  return found.map((key) => {
    const [from, to] = key.split('.').at(-1)?.split('-') ?? [];
    return `${offset(from)}-${offset(to)}`;
  });
}

test('[G1] a log whose blocks grew: only the longest pieces are copied, and a repeat sends nothing', async () => {
  await using vault = await makeTestVault();
  const { store, copy } = await secondStore(vault);
  await storeLog(vault, [0, 1000], [1000, 5000], [0, 4 * MIB], [4 * MIB, 4 * MIB + 700]);
  expect(await copy.copyWal('main', [base()], quiet)).toMatchObject({ pieces: 2, refusedCount: 0 });
  expect(await rangesIn(store)).toEqual([`0-${4 * MIB}`, `${4 * MIB}-${4 * MIB + 700}`]);
  expect(await copy.copyWal('main', [base()], quiet)).toMatchObject({ pieces: 0, refusedCount: 0 });
});

test('a block is damaged and the pieces it grew from are whole: they are copied, and the block is told', async () => {
  await using vault = await makeTestVault();
  const { store, copy } = await secondStore(vault);
  await storeLog(vault, [0, 1000], [1000, 5000], [0, 4 * MIB]);
  for await (const { key, sizeBytes } of vault.store.list('wal/')) {
    if (sizeBytes < MIB) continue;
    await using file = await open(join(vault.storePath, key), 'r+');
    await file.write(Buffer.from('bit rot'), 0, 7, Math.floor(sizeBytes / 2));
  }
  expect(await copy.copyWal('main', [base()], quiet)).toMatchObject({ pieces: 2, refusedCount: 1 });
  expect(await rangesIn(store)).toEqual(['0-1000', '1000-5000']);
});

test('[G2] the store of the log is lost: a point in time is reached by the copy of the log alone', async () => {
  await using vault = await makeTestVault();
  const { copy, path } = await secondStore(vault);
  await storeLog(vault, [0, 1000], [0, 4 * MIB]);
  const manifestKey = await commitBase(vault);
  await copy.copy(manifestKey, quiet);
  await copy.copyWal('main', [base()], quiet);
  const system = await systemOf(vault, { disk: vault.storePath, nas: path });
  const context = createHostContext('alpha');
  const recoverTo = `time:${new Date(AT_MS + 3000).toISOString()}`;
  const asked = { system: SYSTEM, components: 'main', recoverTo };
  const before = await findRecoveryPoint(context, system, asked, signal);
  expect(before).toMatchObject({ store: 'disk', recoverTo, warnings: [] });

  await rm(vault.storePath, { recursive: true });
  const point = await findRecoveryPoint(context, system, asked, signal);
  expect(point).toMatchObject({ store: 'nas', recoverTo });
  expect(point.warnings.join()).toContain('the log of main is read from nas');
  const record = point.entry.body.components.find(({ name }) => name === 'main');
  const read = await withLogOf(context, system, { name: 'main', record, recoverTo }, signal, async ({ wal }) => {
    const source = await wal?.(CLUSTER);
    const [file] = (await source?.files()) ?? [];
    const parts: Uint8Array[] = [];
    for await (const bytes of source?.read(file?.name ?? '', signal) ?? []) parts.push(bytes);
    return Buffer.concat(parts);
  });
  expect(read.subarray(0, 4 * MIB).equals(Buffer.from(log.subarray(0, 4 * MIB)))).toBe(true);
  await expect(
    findRecoveryPoint(
      context,
      system,
      { ...asked, recoverTo: `time:${new Date(AT_MS + SEGMENT).toISOString()}` },
      signal,
    ),
  ).rejects.toMatchObject({ code: 'StoreNotMounted' });
  await context.close();
});

async function commitBase(vault: TestVault): Promise<string> {
  const writer = await vault.writer();
  const ticket = await writer.begin({ captureId: 'base', plan: 'daily', startedAtMs: Date.now() });
  const none = { chunksNew: 0, chunksReused: 0, readBytes: 0, storedBytes: 0, filesSeen: 0 };
  const { manifestKey } = await writer.commit({
    ticket,
    system: SYSTEM,
    site: 'home',
    purpose: 'backup',
    pointAt: ticket.startedAt,
    generation: 1,
    components: [
      {
        name: 'main',
        kind: 'postgres',
        tier: 'critical',
        host: 'alpha',
        capturedAt: ticket.startedAt,
        artifacts: [],
        facts: FACTS,
        warnings: [],
        counts: { ...none, changed: [], changedCount: 0 },
      },
    ],
    systemFileText: `system: ${SYSTEM}\n`,
    freezes: [],
  });
  await writer.close();
  return manifestKey;
}

/** From a file, with the keys of the vault. */
async function systemOf(vault: TestVault, stores: Readonly<Record<string, string>>): Promise<System> {
  const { keys, directory } = vault;
  const secret = async (name: string, text: string): Promise<string> => {
    await writeFile(join(directory, name), text, { mode: 0o600 });
    return `{ file: ${join(directory, name)} }`;
  };
  const text = [
    `system: ${SYSTEM}`,
    'site: home',
    'hosts: [alpha]',
    'stores:',
    ...Object.entries(stores).flatMap(([name, path]) => [`  ${name}:`, '    kind: directory', `    path: ${path}`]),
    'components:',
    '  main:',
    '    kind: postgres',
    '    tier: critical',
    '    method: base',
    '    server: { port: 5432, backup: { user: postgres } }',
    `    dataDirectory: ${join(directory, 'pgdata')}`,
    '    wal: { store: disk }',
    'plans:',
    `  daily: { components: [main], stores: [${Object.keys(stores).join(', ')}] }`,
    'keys:',
    `  recipients: [${keys.operations.recipient}, ${keys.escrow.recipient}]`,
    `  chunkIdKey: ${await secret('chunk-id-key', keys.chunkIdKey)}`,
    `  signer: ${await secret('signer', keys.signer.privateKey)}`,
    `  identity: ${await secret('identity', keys.operations.identity)}`,
    `  rootFingerprint: ${keys.root.fingerprint}`,
    '',
  ].join('\n');
  const file = join(directory, 'system.yaml');
  await writeFile(file, text);
  return loadSystemFile(file);
}
