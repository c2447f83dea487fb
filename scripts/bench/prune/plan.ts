/** The process that is measured: plans a prune of the vault and prints what it found and what it took. */
import { open } from 'node:fs/promises';
import { planPrune } from '../../../src/vault/sweep/prune-plan.ts';
import { readHead } from '../../../src/vault/head.ts';
import { objectKey } from '../../../src/vault/names.ts';
import { readTrustRoots } from '../../../src/vault/trust.ts';
import type { ObjectInfo, Store } from '../../../src/stores/index.ts';
import { CHUNK_BYTES, openDirectory, SYSTEM, type BenchVault } from './vault.ts';

const BATCH = 4096;

async function* chunkInfos(idsPath: string): AsyncGenerator<ObjectInfo> {
  const file = await open(idsPath);
  try {
    const buffer = Buffer.alloc(32 * BATCH);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return;
      for (let at = 0; at < bytesRead; at += 32) {
        yield {
          key: objectKey('chunks', buffer.toString('hex', at, at + 32)),
          sizeBytes: CHUNK_BYTES,
          modifiedAtMs: 0,
        };
      }
    }
  } finally {
    await file.close();
  }
}

const vault = JSON.parse(process.argv[2] ?? '{}') as BenchVault;
const last = Number(process.argv[3]);
const directory = await openDirectory(vault.storePath);
const store: Store = {
  label: directory.label,
  kind: directory.kind,
  put: (key, bytes, options) => directory.put(key, bytes, options),
  get: (key, options) => directory.get(key, options),
  head: (key) => directory.head(key),
  delete: (key) => directory.delete(key),
  sync: () => directory.sync(),
  close: () => directory.close(),
  list: (prefix, options) => (prefix === 'chunks/' ? chunkInfos(vault.idsPath) : directory.list(prefix, options)),
};
const began = performance.now();
const { vaultId } = await readHead(store, SYSTEM);
const roots = await readTrustRoots(store, vaultId, vault.rootFingerprint);
const schedule = { cron: '0 * * * *', timeZone: 'UTC' };
const plan = {
  name: 'hourly',
  components: [],
  onChange: false,
  stores: ['bench'],
  keep: { last },
  keepIn: {},
  verify: 'presence',
  schedule,
} as const;
const found = await planPrune(
  { store, vaultId, roots },
  {
    system: { plans: [plan], keepAsideSeconds: 0 },
    storeName: 'bench',
    nowMs: Date.now(),
    signal: new AbortController().signal,
  },
);
const { user, system } = process.cpuUsage();
console.log(
  JSON.stringify({
    wallSeconds: (performance.now() - began) / 1000,
    cpuSeconds: (user + system) / 1e6,
    peakMiB: process.resourceUsage().maxRSS / 1024,
    keeps: found.decisions.filter(({ keep }) => keep).length,
    removes: found.removes.length,
    namedObjects: found.namedObjects,
    freesObjects: found.frees.objects,
    blocked: found.blocked,
    anomalies: found.anomalies.length,
  }),
);
