/** Copying a vault between two S3 servers: Holdfast and `rclone copy` on the same objects in one run. */
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Artifact } from '../../../src/part.ts';
import { openStore } from '../../../src/stores/index.ts';
import { compileCacheDirectory } from '../../../src/system/cache.ts';
import type { StoreAddress } from '../../../src/system/types.ts';
import { generateKeys, initVault, openWriterVault, parseChunkIdKey } from '../../../src/vault/index.ts';
import {
  resolveS3Secret,
  S3_ACCESS_KEY,
  S3_REGION,
  S3_SECRET_KEY,
  s3StoreConfig,
  startS3Server,
  type S3Server,
} from '../../../test/support/s3-server.ts';
import { artifactOf, backUp, noise, recipeSegment, SYSTEM } from '../../../test/support/vault.ts';
import { writeLedgerData } from '../ledger-data.ts';
import { measure, processCpuSeconds, treeBytes, type Measured } from '../measure.ts';
import { alternately } from './report.ts';

const MIB = 1024 * 1024;
const BUFFER_BYTES = 4 * MIB;
const SMALL_BYTES = 2048;
const DAY_MS = 86_400_000;
const CHILD = join(import.meta.dirname, 'child.ts');

export type CopyData = 'ledger' | 'small';

export interface CopyFigure extends Measured {
  readonly contender: string;
  readonly data: CopyData;
  /** What both servers needed for it. */
  readonly serversCpuSeconds: number;
}

export interface CopyResults {
  readonly runs: number;
  readonly rclone: string;
  readonly objects: Readonly<Record<CopyData, number>>;
  readonly bytes: Readonly<Record<CopyData, number>>;
  readonly figures: readonly CopyFigure[];
}

export interface CopyTask {
  readonly system: string;
  readonly source: StoreAddress;
  readonly target: StoreAddress;
  readonly rootFingerprint: string;
  readonly signerKey: string;
}

export interface CopyBenchOptions {
  readonly scratch: string;
  readonly runs: number;
  readonly sizeMiB: number;
  readonly smallObjects: number;
  readonly seed: number;
  readonly say: (text: string) => void;
}

/** Rclone as it comes, and with as many transfers at once as we use. */
const RCLONE = [
  { name: 'rclone', args: [] },
  { name: 'rclone, 48 at once', args: ['--transfers=48', '--checkers=48'] },
] as const;

export async function benchmarkCopies(options: CopyBenchOptions): Promise<CopyResults> {
  const { runs, say, scratch } = options;
  const start = () => startS3Server(undefined, { keepAlive: true });
  const [from, to] = await Promise.all([start(), start()]);
  try {
    const figures: CopyFigure[] = [];
    const objects = { ledger: 0, small: 0 };
    const bytes = { ledger: 0, small: 0 };
    for (const data of ['ledger', 'small'] as const) {
      say(`copies: making the vault ${data}`);
      const vault = await makeVault(from, data, options);
      objects[data] = vault.objects;
      bytes[data] = await treeBytes(join(from.bucketPath, data));
      for (let run = 0; run < runs; run += 1) {
        const contenders = alternately(
          [ours(from, to, data, vault, scratch), ...rclones(from, to, data, scratch)],
          run,
        );
        for (const one of contenders) {
          const { name } = one;
          const serversCpu = () => processCpuSeconds(from.pid) + processCpuSeconds(to.pid);
          const before = serversCpu();
          const measured = await one.copy(`${data}-${randomUUID()}`);
          const figure = { contender: name, data, ...measured, serversCpuSeconds: serversCpu() - before };
          const cpu = `${figure.cpuSeconds.toFixed(2)} CPU s, servers ${figure.serversCpuSeconds.toFixed(2)}`;
          say(`  ${data}, ${name}: ${figure.wallSeconds.toFixed(2)} s, ${cpu}`);
          figures.push(figure);
        }
      }
    }
    const version = (await import('node:child_process')).execFileSync('rclone', ['version']).toString();
    return { runs, rclone: version.split('\n')[0] ?? '', objects, bytes, figures };
  } finally {
    await Promise.all([from.stop(), to.stop()]);
  }
}

interface Made {
  readonly rootFingerprint: string;
  readonly signerKey: string;
  readonly objects: number;
}

interface Copier {
  readonly name: string;
  /** Into an empty prefix. */
  copy(prefix: string): Promise<Measured>;
}

function ours(from: S3Server, to: S3Server, data: CopyData, made: Made, scratch: string): Copier {
  return {
    name: 'holdfast',
    copy: (prefix) => {
      const { rootFingerprint, signerKey } = made;
      const task: CopyTask = {
        system: SYSTEM,
        source: s3StoreConfig(from, { prefix: data }),
        target: s3StoreConfig(to, { prefix }),
        rootFingerprint,
        signerKey,
      };
      return measure({
        command: [process.execPath, CHILD, JSON.stringify(task)],
        // As every command of ours has it.
        environment: { NODE_COMPILE_CACHE: compileCacheDirectory() },
        syncPath: scratch,
      });
    },
  };
}

function rclones(from: S3Server, to: S3Server, data: CopyData, scratch: string): Copier[] {
  // Its client can't take a bundle that this machine may name for the SDKs, and both servers are without TLS.
  const environment = { ...remote('FROM', from), ...remote('TO', to), RCLONE_CONFIG: '/dev/null', AWS_CA_BUNDLE: '' };
  return RCLONE.map(({ name, args }) => ({
    name,
    copy: (prefix) =>
      measure({
        command: ['rclone', 'copy', ...args, `from:${from.bucket}/${data}`, `to:${to.bucket}/${prefix}`],
        environment,
        syncPath: scratch,
      }),
  }));
}

function remote(name: string, server: S3Server): Record<string, string> {
  const settings = {
    TYPE: 's3',
    PROVIDER: 'Other',
    ENDPOINT: server.url,
    REGION: S3_REGION,
    ACCESS_KEY_ID: S3_ACCESS_KEY,
    SECRET_ACCESS_KEY: S3_SECRET_KEY,
    FORCE_PATH_STYLE: 'true',
  };
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [`RCLONE_CONFIG_${name}_${key}`, value]));
}

export async function makeVault(server: S3Server, data: CopyData, options: CopyBenchOptions): Promise<Made> {
  const keys = generateKeys(SYSTEM);
  const recipients = [keys.operations.recipient, keys.escrow.recipient];
  const chunkIdKey = parseChunkIdKey(keys.chunkIdKey);
  const store = await openStore(s3StoreConfig(server, { prefix: data }), resolveS3Secret);
  const [from, until] = [new Date(Date.now() - DAY_MS), new Date(Date.now() + DAY_MS)];
  const signers = [
    { name: 'a', publicKey: keys.signer.publicKey, role: 'capture', validFrom: from, validUntil: until },
  ] as const;
  await initVault({ store, system: SYSTEM, recipients, chunkIdKey, rootKey: keys.root.privateKey, signers });
  const { root, signer } = keys;
  const writerKeys = { recipients, chunkIdKey, signerKey: signer.privateKey, rootFingerprint: root.fingerprint };
  const stateDirectory = join(options.scratch, `state-${data}`);
  const writer = await openWriterVault({ store, system: SYSTEM, keys: writerKeys, stateDirectory });
  try {
    const artifact = data === 'ledger' ? await ledgerArtifact(options) : smallArtifact(options);
    await backUp(writer, { captureId: 'bench', artifacts: [artifact] });
  } finally {
    await writer.close();
  }
  let objects = 0;
  for await (const { sizeBytes } of store.list('')) objects += Number(sizeBytes >= 0);
  await store.close();
  return { rootFingerprint: root.fingerprint, signerKey: signer.privateKey, objects };
}

/** Chunks of a MiB, of which half is left when they are sealed. */
async function ledgerArtifact({ scratch, sizeMiB, seed }: CopyBenchOptions): Promise<Artifact> {
  const path = join(scratch, 'copied-ledger');
  await writeLedgerData(path, sizeMiB * MIB, seed);
  async function* read(): AsyncGenerator<Uint8Array> {
    await using file = await open(path);
    for (let at = 0; at < sizeMiB * MIB; at += BUFFER_BYTES) {
      const bytes = Buffer.allocUnsafeSlow(Math.min(BUFFER_BYTES, sizeMiB * MIB - at));
      await file.read(bytes, 0, bytes.length, at);
      yield bytes;
    }
  }
  return artifactOf('ledger', [{ kind: 'stream', cut: 'fixed', open: read }]);
}

/** A chunk for each: the worst that a vault can come to. */
function smallArtifact({ smallObjects, seed }: CopyBenchOptions): Artifact {
  const one = (n: number): Uint8Array => noise(seed * 1_000_003 + n, SMALL_BYTES);
  const segments = Array.from({ length: Math.ceil(smallObjects / 1000) }, (_, group) =>
    recipeSegment(
      `g${group}`,
      Array.from({ length: Math.min(1000, smallObjects - group * 1000) }, (__, n) => one(group * 1000 + n)),
    ),
  );
  return artifactOf('small', segments);
}
