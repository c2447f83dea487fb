import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { AZURE_KEY, startAzureServer, type AzureServer } from '../support/azure-server.ts';
import { startGcsServer, type GcsServer } from '../support/gcs-server.ts';
import { startSftpServer, type SftpServer } from '../support/sftp-server.ts';
import { holdfastJson, up, type RunningUp } from './holdfast.ts';

/** Stores of every kind that is neither a directory nor S3, from `init` to the restore on a bare machine. */
// Whole operations of real servers, on a machine that may be busy.
vi.setConfig({ testTimeout: 300_000 });

/** Bytes that no text encoding would leave as they are. */
const BLOB = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, index) => (index * 31 + (index >> 8)) & 0xff));
const KINDS = ['sftp', 'gcs', 'azure'] as const;

let directory: string;
let gcs: GcsServer;
let azure: AzureServer;
let sftp: SftpServer;
let running: RunningUp | undefined;
const at = (...names: string[]): string => path.join(directory, ...names);

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-glass-stores-'));
  [gcs, azure, sftp] = await Promise.all([startGcsServer(), startAzureServer(), startSftpServer()]);
  await mkdir(at('data', 'sub'), { recursive: true });
  await writeFile(at('data', 'sub', 'blob'), BLOB);
  await writeFile(at('sftp-key'), sftp.clientKey, { mode: 0o600 });
  await writeFile(
    at('shop.yaml'),
    [
      'system: shop',
      'stores:',
      `  sftp: { kind: sftp, host: 127.0.0.1, port: ${sftp.port}, user: ${userInfo().username}, path: ${sftp.data}/shop,`,
      `      hostKey: '${sftp.fingerprints.ed25519}', privateKey: { file: ${at('sftp-key')} } }`,
      `  gcs: { kind: gcs, bucket: ${gcs.bucket}, endpoint: '${gcs.url}' }`,
      `  azure: { kind: azure, account: ${azure.account}, container: ${azure.container}, endpoint: '${azure.url}',`,
      '      accountKey: { env: SHOP_AZURE_KEY } }',
      'components:',
      `  config: { kind: files, path: ${at('data')} }`,
      'plans:',
      ...KINDS.map(
        (kind) =>
          `  to-${kind}: { components: [config], stores: [${kind}], rpo: 1d, keepIn: { ${kind}: { last: 9 } } }`,
      ),
      'rule: { copies: 2, media: 2, offsite: 0, immutable: 0 }',
      '',
    ].join('\n'),
  );
});

afterAll(async () => {
  await running?.stop();
  await Promise.all([gcs.stop(), azure.stop(), sftp.stop()]);
  await rm(directory, { recursive: true, force: true });
});

it('[M6] vaults on SFTP, at Google and in Azure: made, probed, backed up into; each alone brings every byte back', async () => {
  const home = at('home');
  const secrets = { SHOP_AZURE_KEY: AZURE_KEY };
  const made = await holdfastJson<{ vaults: { store: string }[] }>(
    home,
    ['init', at('shop.yaml'), '--kit', at('kit.txt')],
    0,
    secrets,
  );
  expect(made.vaults.map(({ store }) => store)).toEqual([...KINDS]);
  expect(await readFile(at('kit.txt'), 'utf8')).toContain(`store.hostKey: ${sftp.fingerprints.ed25519}`);

  running = await up(home, [], secrets);
  for (const kind of KINDS) {
    const backup = await holdfastJson<object>(home, ['backup', 'shop', `to-${kind}`], 0, secrets);
    expect(backup).toMatchObject({ outcome: 'done' });
  }
  const { findings } = await holdfastJson<{ findings: { state: string; what: string }[] }>(
    home,
    ['doctor', 'shop'],
    0,
    secrets,
  );
  const ofStores = findings.filter(({ what }) => /^(store|secret stores)/.test(what));
  expect(ofStores.filter(({ state }) => state === 'fail')).toEqual([]);
  for (const kind of KINDS) expect(ofStores.map(({ what }) => what)).toContain(`store ${kind}: create-only`);
  await running.stop();
  running = undefined;
  for (const lost of ['home', 'shop.yaml', 'data']) await rm(at(lost), { recursive: true });

  const places: Record<(typeof KINDS)[number], readonly string[]> = {
    // The kit names it.
    sftp: [],
    gcs: ['--from-store', `gs://${gcs.bucket}?endpoint=${gcs.url}`],
    azure: ['--from-store', `azure://${azure.account}/${azure.container}?endpoint=${azure.url}`],
  };
  const ofThePrograms = { HOLDFAST_SFTP_KEY_FILE: at('sftp-key'), AZURE_STORAGE_KEY: AZURE_KEY };
  const restore = async (kind: (typeof KINDS)[number]): Promise<void> => {
    const glass = ['restore', '--kit', at('kit.txt'), ...places[kind], '--component', 'config'];
    const where = ['--target', at(`restored-${kind}`)];
    const restored = await holdfastJson<object>(at(`bare-${kind}`), [...glass, ...where], 0, ofThePrograms);
    expect(restored).toMatchObject({ outcome: 'restored' });
    expect(BLOB.equals(await readFile(at(`restored-${kind}`, 'sub', 'blob'))), kind).toBe(true);
  };
  await Promise.all(KINDS.map(restore));
});
