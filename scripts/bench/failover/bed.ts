/** Two sites and a witness with the stores, each a machine of its own; a ledger of the sample runs at the first. */
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { interpolate, readCompose } from '../../../sample/stack/compose-file.ts';
import { ensureSampleImage } from '../../../sample/stack/image.ts';
import { SAMPLE_LABEL } from '../../../sample/stack/labels.ts';
import { createProject, PROJECT_LABEL } from '../../../sample/stack/project.ts';
import { sampleSystemFile } from '../../../sample/stack/system-file.ts';
import { S3_ACCESS_KEY, S3_SECRET_KEY, startS3Server, type S3Server } from '../../../test/support/s3-server.ts';
import { ensurePackages } from '../../setup/packages.ts';
import { network, type Network } from '../../two-sites/network.ts';
import { mountsOf, PORT, Site, STACK, SYSTEM } from '../../two-sites/site.ts';
import { Relay } from '../../two-sites/witness.ts';
import { writeFullLedger } from './ledger-file.ts';

const SAMPLE = path.join(import.meta.dirname, '..', '..', '..', 'sample', 'm2m');
const STORE_PORT = 9000;
const VOLUME = `${SYSTEM}-tigerbeetle-data`;
const LEDGER_FILE = '0_0.tigerbeetle';
export const PLAN = 'all';
export const LEASE_SECONDS = 10;
export const STOP_SECONDS = 10;
/** Of the ledger while it runs. */
const TRANSFERS_PER_SECOND = 100;

export interface LedgerSites {
  readonly sites: readonly [Site, Site];
  /** From the disk that stays behind: what nobody has to read from anywhere. */
  [Symbol.asyncDispose](): Promise<void>;
}

interface Laid {
  readonly base: string;
  readonly net: Network;
  readonly store: Relay;
  readonly s3: S3Server;
  readonly sites: readonly [Site, Site];
}

/** Needs root. The system runs at the first site, which is active; the other one is ready, and has nothing of it. */
export async function ledgerSites(
  { sizeMiB, seed, scratch = tmpdir() }: { readonly sizeMiB: number; readonly seed: number; readonly scratch?: string },
  say: (text: string) => void,
): Promise<LedgerSites> {
  await ensurePackages(['ip', 'iptables', 'dockerd'], 'two sites with a network between them');
  const base = await mkdtemp(path.join(scratch, 'holdfast-sites-'));
  const net = await network(['frankfurt', 'dublin', 'witness'], (name) => mountsOf(base, name));
  const machine = (name: string) => net.machines.get(name) ?? fail(`no machine ${name}`);
  const s3 = await startS3Server();
  const store = await Relay.open(machine('witness'), STORE_PORT, s3.port, base);
  const keys = { SHOP_KEY_ID: S3_ACCESS_KEY, SHOP_SECRET: S3_SECRET_KEY };
  const sites = [new Site(base, machine('frankfurt'), keys), new Site(base, machine('dublin'), keys)] as const;
  const laid: Laid = { base, net, store, s3, sites };
  const dispose = async (): Promise<void> => {
    for (const site of sites) await site.close();
    await store.close();
    await s3.stop();
    await net[Symbol.asyncDispose]();
    await rm(base, { recursive: true, force: true });
  };
  try {
    await begin(laid, { sizeMiB, seed }, say);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { sites, [Symbol.asyncDispose]: dispose };
}

async function begin(laid: Laid, size: { sizeMiB: number; seed: number }, say: (text: string) => void): Promise<void> {
  const { base, sites } = laid;
  const [one, other] = sites;
  await Promise.all(sites.map((site) => site.powerOn()));
  const [image = ''] = await Promise.all(sites.map((site) => ensureSampleImage(site.docker)));
  say(`a ledger of ${size.sizeMiB} MiB at ${one.name}`);
  await startStack(one, image, size);
  const kit = path.join(base, 'kit.txt');
  await writeFile(one.systemFile, systemText(laid, one, image));
  await asked(one, 'init', one.systemFile, '--kit', kit);
  const own = parse(await readFile(one.systemFile, 'utf8')) as { keys: unknown };
  const there = JSON.stringify({ keys: own.keys }).replaceAll(one.home, other.home);
  await writeFile(other.systemFile, `${systemText(laid, other, image)}${stringify(JSON.parse(there))}`);
  await asked(other, 'init', other.systemFile, '--kit', kit);
  await asked(one, 'site', SYSTEM, '--activate');
  for (const site of sites) site.startGuard();
  await Promise.all(sites.map((site) => site.startWorkers()));
}

async function startStack(site: Site, image: string, size: { sizeMiB: number; seed: number }): Promise<void> {
  const sample = await readFile(path.join(SAMPLE, 'docker-compose.yml'), 'utf8');
  const text = interpolate(sample.replaceAll(/127\.0\.0\.1::8080/g, `0.0.0.0:${PORT}:8080`), {
    ...{ PROJECT: SYSTEM, IMAGE: image, DIRECTORY: STACK, VOLUME },
    ...{ LEDGER_MIB: String(size.sizeMiB), LEDGER_LOAD: String(TRANSFERS_PER_SECOND), LEDGER_SEED: String(size.seed) },
  });
  await site.docker.createVolume({
    Name: VOLUME,
    Labels: {
      ...{ [SAMPLE_LABEL]: 'stack', [PROJECT_LABEL]: SYSTEM },
      'com.docker.compose.volume': 'tigerbeetle-data',
    },
  });
  const { Mountpoint } = await site.docker.getVolume(VOLUME).inspect();
  await writeFullLedger(path.join(Mountpoint, LEDGER_FILE), size.sizeMiB * 1024 * 1024, size.seed);
  const here = (name: string): string => path.join(site.stackDirectory, name);
  await mkdir(here('wallet'), { recursive: true });
  await mkdir(here('peers'));
  await writeFile(here('peers/one.json'), '{"peer":"one"}\n');
  await writeFile(here('docker-compose.yml'), text);
  await writeFile(here('.env'), 'NODE_ID=sample\n', { mode: 0o600 });
  await writeFile(here('wallet/master-seed.enc'), createHash('sha512').update(String(size.seed)).digest());
  await chmod(here('wallet/master-seed.enc'), 0o600);
  await createProject(site.docker, readCompose(text), { directory: STACK });
}

interface SystemFile {
  site?: string;
  stores: object;
  plans: object;
  failover?: object;
  [section: string]: unknown;
}

function systemText({ store, sites }: Laid, site: Site, image: string): string {
  const stack = { project: SYSTEM, directory: STACK, volume: VOLUME, image, ledgerFile: LEDGER_FILE };
  const host = `${site.name}-1`;
  const sample = sampleSystemFile(
    { ...stack, walletDirectory: `${STACK}/wallet` },
    { storePath: '/', system: SYSTEM, host },
  );
  const file = parse(sample) as SystemFile;
  const s3 = (prefix: string) => ({
    ...{ kind: 's3', bucket: 'vaults', prefix, region: 'us-east-1', endpoint: store.url },
    ...{ accessKeyId: { env: 'SHOP_KEY_ID' }, secretAccessKey: { env: 'SHOP_SECRET' } },
  });
  const other = sites.find(({ name }) => name !== site.name) ?? fail('there is one site only');
  const page = `http://${other.machine.address}:${PORT}/health`;
  const components = ['ledger', 'wallet', 'audit-log', 'seed', 'config', 'stack'];
  return stringify({
    ...file,
    site: site.name,
    stores: { vault: s3('vault'), authority: s3('authority') },
    plans: { [PLAN]: { components, stores: ['vault'], rpo: '1h' } },
    failover: {
      sites: sites.map(({ name }) => name),
      authority: 'authority',
      lease: `${LEASE_SECONDS}s`,
      stop: `${STOP_SECONDS}s`,
      assess: {
        ...{ looks: 3, over: '2s', answerWithin: '2s' },
        from: { here: { http: { url: page }, reference: { url: `${store.url}/`, status: 403 } } },
      },
    },
  });
}

/** Throws with what it said when it does not end with 0. */
export async function asked(site: Site, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await site.holdfast.run(...args);
  if (code === 0) return stdout;
  throw new Error(`${site.name}: holdfast ${args.join(' ')} ended with ${code ?? 'a signal'}: ${stderr}${stdout}`);
}

function fail(what: string): never {
  throw new Error(what);
}
