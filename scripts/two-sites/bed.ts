/** Two sites, a witness with the stores and the zone, and a world of users: each a machine of its own, with a network between them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { interpolate, readCompose } from '../../sample/stack/compose-file.ts';
import { createProject } from '../../sample/stack/project.ts';
import { S3_ACCESS_KEY, S3_SECRET_KEY, startS3Server, type S3Server } from '../../test/support/s3-server.ts';
import { ensurePackages } from '../setup/packages.ts';
import { endChild } from './children.ts';
import { network, type Network } from './network.ts';
import { mountsOf, PORT, Site, STACK, SYSTEM } from './site.ts';
import { composeText, systemText } from './texts.ts';
import { SiteWatch } from './watch.ts';
import { Relay } from './witness.ts';

const STORE_PORT = 9000;

export interface Acknowledged {
  readonly id: number;
  readonly at: number;
}

export class Bed {
  readonly base: string;
  readonly net: Network;
  readonly sites: readonly [Site, Site];
  readonly watches: readonly [SiteWatch, SiteWatch];
  readonly store: Relay;
  private readonly s3: S3Server;
  /** Of earlier rounds, where it was said what would be lost. */
  readonly lostBefore = new Set<number>();
  private client: ChildProcess | undefined;

  private constructor(given: { base: string; net: Network; sites: readonly [Site, Site]; store: Relay; s3: S3Server }) {
    this.base = given.base;
    this.net = given.net;
    this.sites = given.sites;
    this.store = given.store;
    this.s3 = given.s3;
    this.watches = [new SiteWatch(given.sites[0].name), new SiteWatch(given.sites[1].name)];
  }

  /** Needs root, and what is in scripts/setup for tests. */
  static async open(): Promise<Bed> {
    await ensurePackages(['ip', 'iptables', 'dockerd'], 'two sites with a network between them');
    const base = await mkdtemp(path.join(tmpdir(), 'holdfast-sites-'));
    const names = ['frankfurt', 'dublin', 'witness', 'world'];
    const net = await network(names, (name) => mountsOf(base, name));
    const machine = (name: string) => net.machines.get(name) ?? fail(`no machine ${name}`);
    const s3 = await startS3Server();
    const store = await Relay.open(machine('witness'), STORE_PORT, s3.port, base);
    const environment = { SHOP_KEY_ID: S3_ACCESS_KEY, SHOP_SECRET: S3_SECRET_KEY };
    const sites = [
      new Site(base, machine('frankfurt'), environment),
      new Site(base, machine('dublin'), environment),
    ] as const;
    return new Bed({ base, net, sites, store, s3 });
  }

  /** The system runs at the first site and is backed up; the second one is ready to take over. */
  async begin(): Promise<void> {
    const [one, other] = this.sites;
    await Promise.all(this.sites.map((site) => site.powerOn()));
    for (const [index, site] of this.sites.entries()) await this.watches[index]?.follow(site.docker);
    const [image] = await Promise.all(this.sites.map((site) => site.image()));
    await this.startStack(one, image ?? '');
    this.lead(one);
    const addresses = this.sites.map(({ name, machine }) => ({ name, address: machine.address }));
    const given = { sites: addresses, store: this.store.url, zone: path.join(this.base, 'zone') };
    await writeFile(one.systemFile, systemText(one.name, given));
    const kit = path.join(this.base, 'kit.txt');
    await ask(one, 'init', one.systemFile, '--kit', kit);
    // The same keys by the same references; which files they are is each machine's own.
    const keys = /^keys:[\s\S]*/m.exec(await readFile(one.systemFile, 'utf8'))?.[0] ?? '';
    await writeFile(other.systemFile, systemText(other.name, given) + keys.replaceAll(one.home, other.home));
    await ask(other, 'init', other.systemFile, '--kit', kit);
    await ask(one, 'site', SYSTEM, '--activate');
    for (const site of this.sites) site.startGuard();
    await Promise.all(this.sites.map((site) => site.startWorkers()));
  }

  private async startStack(site: Site, image: string): Promise<void> {
    await mkdir(path.join(site.stackDirectory, 'data'), { recursive: true });
    await writeFile(path.join(site.stackDirectory, 'docker-compose.yml'), composeText());
    await writeFile(path.join(site.stackDirectory, '.env'), `SERVICES_IMAGE=${image}\n`, { mode: 0o600 });
    await writeFile(path.join(site.stackDirectory, 'audit.jsonl'), '');
    const compose = readCompose(interpolate(composeText(), { SERVICES_IMAGE: image }));
    await createProject(site.docker, compose, { directory: STACK });
  }

  watchOf({ name }: Site): SiteWatch {
    return this.sites[0].name === name ? this.watches[0] : this.watches[1];
  }

  /** Whatever of the site does not run is started, as a machine does it by itself when its power is back. */
  async boot(site: Site): Promise<void> {
    if (!site.isOn) {
      await site.powerOn();
      await this.watchOf(site).follow(site.docker);
      site.startGuard();
    }
    if (site.upPid === undefined) await site.startWorkers();
  }

  /** What has ended counts no more. */
  forgetTimes(): void {
    for (const watch of this.watches) watch.ran.length = 0;
  }

  /** As the zone says at present. */
  get leadsTo(): string {
    return readFileSync(path.join(this.base, 'zone'), 'utf8').trim();
  }

  lead(site: Site): void {
    writeFileSync(path.join(this.base, 'zone'), `${site.machine.address}\n`);
  }

  startClient(): void {
    const world = this.net.machines.get('world') ?? fail('no world');
    const script = path.join(import.meta.dirname, 'client-child.ts');
    const words = [path.join(this.base, 'zone'), path.join(this.base, 'acknowledged.jsonl'), String(PORT)];
    const [program = '', ...args] = [...world.within, process.execPath, script, ...words];
    this.client = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  }

  async acknowledged(): Promise<Acknowledged[]> {
    const text = await readFile(path.join(this.base, 'acknowledged.jsonl'), 'utf8').catch(() => '');
    const lines = text.split('\n').filter((line) => line.endsWith('}'));
    return lines.map((line) => JSON.parse(line) as Acknowledged);
  }

  async stopClient(): Promise<void> {
    if (this.client !== undefined) await endChild(this.client, 'SIGTERM');
    this.client = undefined;
  }

  async close(): Promise<void> {
    await this.stopClient();
    this.store.away(false);
    for (const site of this.sites) {
      site.wake();
      await site.close();
    }
    await this.store.close();
    await this.s3.stop();
    await this.net[Symbol.asyncDispose]();
    await rm(this.base, { recursive: true, force: true });
  }
}

/** Throws with what it said when it does not end with 0. */
export async function ask(site: Site, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await site.holdfast.run(...args);
  if (code !== 0)
    throw new Error(`${site.name}: holdfast ${args.join(' ')} ended with ${code ?? 'a signal'}: ${stderr}${stdout}`);
  return stdout;
}

function fail(what: string): never {
  throw new Error(what);
}
