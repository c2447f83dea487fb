/** Two sites, a witness with the stores and the zone, and a world of users: each a machine of its own, with a network between them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { interpolate, readCompose } from '../../sample/stack/compose-file.ts';
import { createProject } from '../../sample/stack/project.ts';
import { S3_ACCESS_KEY, S3_SECRET_KEY, startS3Server, type S3Server } from '../../test/support/s3-server.ts';
import { ensurePackages } from '../setup/packages.ts';
import { ownBed, PREFIX, removeLeftovers } from './leftovers.ts';
import { NamesWatch } from './names-watch.ts';
import { network, type Network } from './network.ts';
import { mountsOf, PORT, Site, STACK, SYSTEM } from './site.ts';
import { composeText, systemText } from './texts.ts';
import { Users } from './users.ts';
import { SiteWatch } from './watch.ts';
import { Relay } from './witness.ts';

const SITES = ['frankfurt', 'dublin'] as const;
/** Of the authority store, the vault, and the copies that are made of it: three services for who is outside. */
const STORE_PORTS = [9000, 9001, 9002] as const;

export class Bed {
  readonly base: string;
  readonly net: Network;
  readonly sites: readonly [Site, Site];
  readonly watches: readonly [SiteWatch, SiteWatch];
  readonly names: NamesWatch;
  readonly users: Users;
  /** The authority store. */
  readonly store: Relay;
  readonly vault: Relay;
  readonly copies: Relay;
  readonly s3: S3Server;
  /** Of earlier rounds, where it was said what would be lost. */
  readonly lostBefore = new Set<number>();
  /** The guards have something to do. */
  isLeased = true;

  private constructor(given: {
    base: string;
    net: Network;
    sites: readonly [Site, Site];
    stores: readonly [Relay, Relay, Relay];
    s3: S3Server;
  }) {
    this.base = given.base;
    this.net = given.net;
    this.sites = given.sites;
    [this.store, this.vault, this.copies] = given.stores;
    this.s3 = given.s3;
    this.names = new NamesWatch(this.zone);
    this.users = new Users(given.base, this.zone);
    this.watches = [new SiteWatch(given.sites[0].name), new SiteWatch(given.sites[1].name)];
  }

  /** Needs root, and what is in scripts/setup for tests. */
  static async open(): Promise<Bed> {
    await ensurePackages(['ip', 'iptables', 'dockerd'], 'two sites with a network between them');
    await removeLeftovers(SITES);
    const base = await mkdtemp(path.join(tmpdir(), PREFIX));
    ownBed(base);
    const names = [...SITES, 'witness', 'world'];
    const net = await network(names, (name) => mountsOf(base, name));
    const machine = (name: string) => net.machines.get(name) ?? fail(`no machine ${name}`);
    const s3 = await startS3Server();
    const relay = (port: number) => Relay.open(machine('witness'), port, s3.port, base);
    const stores = [await relay(STORE_PORTS[0]), await relay(STORE_PORTS[1]), await relay(STORE_PORTS[2])] as const;
    const environment = { SHOP_KEY_ID: S3_ACCESS_KEY, SHOP_SECRET: S3_SECRET_KEY };
    const sites = [
      new Site(base, machine(SITES[0]), environment),
      new Site(base, machine(SITES[1]), environment),
    ] as const;
    for (const site of sites) await site.openDoor();
    return new Bed({ base, net, sites, stores, s3 });
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
    const stores = { authority: this.store.url, vault: this.vault.url, copies: this.copies.url };
    const given = { sites: addresses, stores, zone: this.zone };
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
      if (this.isLeased) site.startGuard();
    }
    if (site.upPid === undefined) await site.startWorkers();
  }

  /** What has ended counts no more. */
  forgetTimes(): void {
    for (const watch of this.watches) watch.forget();
    this.names.forget();
  }

  /** Holds the address to which the public name leads. */
  private get zone(): string {
    return path.join(this.base, 'zone');
  }

  get stores(): readonly Relay[] {
    return [this.store, this.vault, this.copies];
  }

  /** Whatever was struck of them: all answer, and with what they hold. */
  storesBack(): void {
    for (const store of this.stores) {
      store.away(false);
      store.lead(this.s3.port);
    }
  }

  /** As the zone says at present. */
  get leadsTo(): string {
    return readFileSync(this.zone, 'utf8').trim();
  }

  lead(site: Site): void {
    writeFileSync(this.zone, `${site.machine.address}\n`);
  }

  startClient(): void {
    this.users.start(this.net.machines.get('world') ?? fail('no world'), PORT);
  }

  async close(): Promise<void> {
    await this.users.stop();
    await this.names.close();
    this.storesBack();
    for (const site of this.sites) {
      site.wake();
      await site.close();
    }
    for (const store of this.stores) await store.close();
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
