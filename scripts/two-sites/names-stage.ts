/**
 * The public names of two sites in a zone of Route 53, whose fake stands where the witness is and feeds a name server: the sites
 * ask both over the network, and the users go where the name server says.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FakeRoute53 } from '../../test/support/route53/fake.ts';
import { startNameServer, type NameServer } from '../../test/support/route53/name-server.ts';
import { ask, type Bed } from './bed.ts';
import { endChild } from './children.ts';
import { SYSTEM, type Site } from './site.ts';
import { Relay } from './witness.ts';

const DOMAIN = 'example.test';
const [PLANE_PORT, CHECK_PORT, NAMES_PORT] = [9053, 9054, 5353];
const RESOLVED_EVERY_MS = 100;
/** Led by changes of the zone, and by a switch that needs none. */
export const NAMES = { changed: `shop.${DOMAIN}`, switched: `pay.${DOMAIN}` } as const;

export class NamesStage {
  readonly fake: FakeRoute53;
  /** The name that the users go by. */
  follows: string = NAMES.changed;
  private readonly bed: Bed;
  private readonly nameServer: NameServer;
  private readonly ends: (() => Promise<void>)[] = [];
  private readonly over = new AbortController();

  private constructor(bed: Bed, nameServer: NameServer, fake: FakeRoute53) {
    this.bed = bed;
    this.nameServer = nameServer;
    this.fake = fake;
  }

  /** On a bed that has begun: from now on its names are led so. The first site is the primary of the switch. */
  static async join(bed: Bed): Promise<NamesStage> {
    const nameServer = await startNameServer();
    const local = { port: 0 };
    const reach = (url: string): string => `http://127.0.0.1:${local.port}${new URL(url).pathname}`;
    const fake = await FakeRoute53.start({ domain: DOMAIN, nameServer, checkIntervalMs: 200, reach });
    const stage = new NamesStage(bed, nameServer, fake);
    try {
      await stage.open(local);
    } catch (error) {
      await stage.close();
      throw error;
    }
    return stage;
  }

  private async open(local: { port: number }): Promise<void> {
    const { bed, fake } = this;
    const witness = bed.net.machines.get('witness');
    if (witness === undefined) throw new Error('no witness');
    const plane = await Relay.open(witness, PLANE_PORT, Number(new URL(fake.url).port), bed.base);
    this.ends.push(() => plane.close());
    const page = await this.switchPage();
    local.port = (page.address() as AddressInfo).port;
    const check = await Relay.open(witness, CHECK_PORT, local.port, bed.base);
    this.ends.push(() => check.close());
    await this.serveNames(witness.within);
    const [one] = bed.sites;
    const first = [one.machine.address];
    fake.put(
      { name: NAMES.changed, type: 'A', ttl: 1, values: first },
      { name: NAMES.switched, type: 'A', ttl: 1, values: first },
    );
    for (const site of bed.sites) {
      const text = await readFile(site.systemFile, 'utf8');
      await writeFile(site.systemFile, text.replace(/ {2}dns:\n[\s\S]*?(?=approval:)/, this.section(witness.address)));
    }
    await ask(bed.sites[1], 'dns', bed.sites[1].systemFile, '--prepare', '--yes');
    await fake.fed();
    void this.resolve();
  }

  private get switchFile(): string {
    return path.join(this.bed.base, 'switched');
  }

  /** What the health checkers ask: it answers while the switch is on. */
  private async switchPage(): Promise<HttpServer> {
    const page = createHttpServer((_request, response) =>
      response.writeHead(existsSync(this.switchFile) ? 200 : 404).end(),
    );
    page.listen(0, '127.0.0.1');
    await once(page, 'listening');
    this.ends.push(async () => {
      page.closeAllConnections();
      await new Promise((resolve) => page.close(resolve));
    });
    return page;
  }

  private async serveNames(within: readonly string[]): Promise<void> {
    const socket = path.join(this.bed.base, 'names.sock');
    const port = Number(this.nameServer.address.split(':').at(-1));
    const server: Server = createServer((from) => {
      const to = connect(port, '127.0.0.1');
      from.on('error', () => to.destroy());
      to.on('error', () => from.destroy());
      from.pipe(to);
      to.pipe(from);
    });
    server.listen(socket);
    await once(server, 'listening');
    this.ends.push(() => new Promise((resolve) => server.close(() => resolve())));
    const script = path.join(import.meta.dirname, 'names-child.ts');
    const command = [...within, process.execPath, script, String(NAMES_PORT), socket];
    const child: ChildProcess = spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    this.ends.push(() => endChild(child));
    if (child.stdout !== null) await once(child.stdout, 'data');
  }

  private section(witness: string): string {
    const [one, other] = this.bed.sites;
    const sites = `{ ${this.bed.sites.map(({ name, machine }) => `${name}: [${machine.address}]`).join(', ')} }`;
    const around = [
      `      zone: ${this.fake.zone}`,
      `      endpoint: http://${witness}:${PLANE_PORT}`,
      '      accessKeyId: { env: SHOP_KEY_ID }',
      '      secretAccessKey: { env: SHOP_SECRET }',
      `      nameservers: ['${witness}:${NAMES_PORT}']`,
      `      resolvers: ['${witness}:${NAMES_PORT}']`,
      '      inSyncWithin: 20s',
      '      answeredWithin: 20s',
    ];
    const records = (name: string): string => `      records: [{ name: ${name}, type: A, ttl: 1s, sites: ${sites} }]`;
    const file = this.switchFile;
    return [
      '  dns:',
      '    - kind: route53',
      ...around,
      records(NAMES.changed),
      '    - kind: route53-health',
      ...around.filter((line) => !line.includes('inSyncWithin')),
      `      primary: ${one.name}`,
      `      standby: ${other.name}`,
      `      switch: { kind: command, on: [touch, ${file}], off: [rm, -f, ${file}] }`,
      `      check: { url: 'http://${witness}:${CHECK_PORT}/on', interval: 10s, failureThreshold: 2 }`,
      records(NAMES.switched),
      '',
    ].join('\n');
  }

  /** What the users' resolver does, which keeps no answer: where the name leads is written down for them. */
  private async resolve(): Promise<void> {
    const resolver = new Resolver({ timeout: 1000, tries: 1 });
    resolver.setServers([this.nameServer.address]);
    const { signal } = this.over;
    while (!signal.aborted) {
      const [address] = await resolver.resolve4(this.follows).catch(() => []);
      if (address !== undefined && address !== this.bed.leadsTo) {
        const zone = path.join(this.bed.base, 'zone');
        await writeFile(`${zone}.new`, `${address}\n`);
        await rename(`${zone}.new`, zone);
      }
      await sleep(RESOLVED_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** As the name servers say of both. */
  async leadTo(site: Site): Promise<boolean> {
    const resolver = new Resolver({ timeout: 1000, tries: 1 });
    resolver.setServers([this.nameServer.address]);
    const said = await Promise.all(Object.values(NAMES).map((name) => resolver.resolve4(name).catch(() => [])));
    return said.every((answers) => answers.join() === site.machine.address);
  }

  /** What was struck of the control plane answers again, and what is PENDING arrives. */
  mend(): void {
    Object.assign(this.fake, { down: false, throttling: 0, stranding: 0, pendingMs: 0, strike: undefined });
    this.fake.unprotect();
    this.fake.arrive();
  }

  /** What a failover has left is led by a person. */
  async leadByHand(site: Site): Promise<void> {
    await ask(site, 'dns', SYSTEM, '--lead', '--yes');
  }

  async close(): Promise<void> {
    this.over.abort();
    for (const end of this.ends.toReversed()) await end();
    await this.fake.stop();
    await this.nameServer.stop();
    await rm(this.switchFile, { force: true });
  }
}
