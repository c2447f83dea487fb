/** Reading a whole store back: content by checksum and opened, and presence, of a vault in a directory. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PARTS } from '../../../src/policy/read-back.ts';
import { openStore } from '../../../src/stores/index.ts';
import {
  generateKeys,
  initVault,
  openWriterVault,
  parseChunkIdKey,
  type VaultKeySet,
} from '../../../src/vault/index.ts';
import { signerOf } from '../../../src/vault/envelope.ts';
import { readStoreBack } from '../../../src/vault/verify/store-reading.ts';
import { readTrustRoots } from '../../../src/vault/trust.ts';
import { Random } from '../random.ts';

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;
const SYSTEM = 'bench';
const TITLE = '## Verifying a store';

export interface VerifyFigures {
  readonly how: string;
  readonly objects: number;
  readonly storedMiB: number;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}

export interface VerifyResults {
  readonly command: string;
  readonly machine: string;
  readonly date: string;
  readonly sizeMiB: number;
  readonly figures: readonly VerifyFigures[];
}

/** The vault holds one backup of so many MiB that do not compress, in chunks of a MiB. */
export async function benchmarkVerify(
  scratch: string,
  { sizeMiB, seed }: { readonly sizeMiB: number; readonly seed: number },
  say: (text: string) => void,
): Promise<Pick<VerifyResults, 'sizeMiB' | 'figures'>> {
  const directory = join(scratch, 'verify');
  await mkdir(directory);
  const store = await openStore(
    { name: 'bench', kind: 'directory', path: join(directory, 'store'), mustBeMounted: false },
    () => Promise.reject(new Error('a directory needs no secret')),
  );
  const keys = generateKeys(SYSTEM);
  say(`a vault of ${sizeMiB} MiB`);
  const vaultId = await fill(store, keys, directory, { sizeMiB, seed });
  const common = {
    store,
    vaultId,
    system: SYSTEM,
    roots: await readTrustRoots(store, vaultId, keys.root.fingerprint),
    signal: new AbortController().signal,
    parts: Array.from({ length: PARTS }, (_, part) => part),
    signer: signerOf(keys.signer.privateKey),
  };
  const ways = [
    { how: 'presence', level: 'presence', identities: undefined },
    { how: 'content, by checksum', level: 'content', identities: undefined },
    { how: 'content, opened', level: 'content', identities: [keys.operations.identity] },
  ] as const;
  const figures: VerifyFigures[] = [];
  for (const { how, level, identities } of ways) {
    say(how);
    const cpu = process.cpuUsage();
    const began = performance.now();
    const records = await readStoreBack({ ...common, host: 'bench', level, identities, run: how });
    const wallSeconds = (performance.now() - began) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    if (!records.every(({ ok }) => ok)) throw new Error('the vault of the benchmark is not whole');
    figures.push({
      how,
      objects: records.reduce((sum, one) => sum + one.objectsChecked, 0),
      storedMiB: records.reduce((sum, one) => sum + one.bytesChecked, 0) / MIB,
      wallSeconds,
      cpuSeconds: (user + system) / 1e6,
    });
  }
  await store.close();
  return { sizeMiB, figures };
}

function randomBytesOf(seed: number, bytes: number): Uint8Array {
  const random = new Random(seed);
  return new Uint8Array(Uint32Array.from({ length: bytes / 4 }, () => random.word()).buffer);
}

async function fill(
  store: Awaited<ReturnType<typeof openStore>>,
  keys: VaultKeySet,
  directory: string,
  { sizeMiB, seed }: { readonly sizeMiB: number; readonly seed: number },
): Promise<string> {
  const recipients = [keys.operations.recipient, keys.escrow.recipient];
  const chunkIdKey = parseChunkIdKey(keys.chunkIdKey);
  const { publicKey, privateKey: signerKey } = keys.signer;
  const validFrom = new Date(Date.now() - DAY_MS);
  const validUntil = new Date(Date.now() + DAY_MS);
  const { vaultId, rootFingerprint } = await initVault({
    store,
    system: SYSTEM,
    recipients,
    chunkIdKey,
    rootKey: keys.root.privateKey,
    signers: [{ name: 'bench', publicKey, role: 'capture', validFrom, validUntil }],
  });
  const writerKeys = { recipients, chunkIdKey, signerKey, rootFingerprint };
  const state = join(directory, 'state');
  const writer = await openWriterVault({ store, system: SYSTEM, keys: writerKeys, stateDirectory: state });
  const ticket = await writer.begin({ captureId: 'bench', plan: 'daily', startedAtMs: Date.now() });
  const session = await writer.session(ticket, 'data', { signal: new AbortController().signal });
  const { ref, counts } = await session.store({
    name: 'data',
    mediaType: 'application/octet-stream',
    async *segments() {
      yield await Promise.resolve({
        kind: 'stream' as const,
        cut: 'fixed' as const,
        async *open() {
          for (let at = 0; at < sizeMiB; at += 1) yield await Promise.resolve(randomBytesOf(seed + at, MIB));
        },
      });
    },
  });
  await session.finish();
  await session.close();
  const at = ticket.startedAt;
  const component = {
    name: 'data',
    kind: 'files',
    tier: 'important',
    host: 'bench',
    capturedAt: at,
    artifacts: [ref],
    facts: {},
    warnings: [],
    counts,
  } as const;
  await writer.commit({
    ticket,
    system: SYSTEM,
    site: 'bench',
    purpose: 'backup',
    pointAt: at,
    generation: 1,
    components: [component],
    systemFileText: '',
    freezes: [],
  });
  await writer.close();
  return vaultId;
}

export function verifyMarkdown({ command, machine, date, sizeMiB, figures }: VerifyResults): string {
  const rows = figures.map(({ how, objects, storedMiB, wallSeconds, cpuSeconds }) => {
    const read = how === 'presence' ? '–' : `${(storedMiB / wallSeconds).toFixed(0)} MiB/s`;
    const perCpu = how === 'presence' ? '–' : `${(storedMiB / cpuSeconds).toFixed(0)} MiB/s`;
    const rate = (objects / wallSeconds).toFixed(0);
    return `| ${how} | ${objects} | ${wallSeconds.toFixed(2)} s | ${cpuSeconds.toFixed(2)} s | ${read} | ${perCpu} | ${rate} |`;
  });
  return [
    TITLE,
    '',
    `\`${command}\` on ${date}: ${machine}.`,
    '',
    `A vault of ${sizeMiB} MiB that do not compress, in a directory, all of it read back (\`verify --whole --all\`), from the page cache.`,
    '',
    '| how | objects | wall | CPU | a second | a CPU second | objects a second |',
    '| --- | ------: | ---: | --: | -------: | -----------: | ---------------: |',
    ...rows,
    '',
  ].join('\n');
}

/** The document without this section and what follows, and the rest. */
export function splitVerify(document: string): { readonly before: string; readonly verify: string } {
  const at = document.indexOf(`\n${TITLE}\n`);
  if (at === -1) return { before: document, verify: '' };
  return { before: document.slice(0, at + 1), verify: document.slice(at + 1) };
}
