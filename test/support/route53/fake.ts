/**
 * Route 53's control plane at its own boundary, with what emulators leave out: changes that stay PENDING, are stranded,
 * refused, protected or throttled, a plane that is down, and health checks that ask. What is in sync is fed to a name server.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { evaluate, type FakeRecord } from './evaluate.ts';
import { HealthCheckers } from './health.ts';
import type { NameServer } from './name-server.ts';
import { child, parseXml, textOf, xml, type Element } from './xml.ts';
import { applyBatch, inOrder, listedName, orderOf, recordOf, recordXml, type FakeChange } from './zone.ts';

const NAMESPACE = 'xmlns="https://route53.amazonaws.com/doc/2013-04-01/"';

interface Pending {
  readonly number: number;
  inSyncAtMs: number;
  readonly records: readonly FakeRecord[];
  inSync: boolean;
}

class Refused extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export interface FakeOptions {
  readonly domain: string;
  readonly nameServer?: NameServer;
  /** Stands for the 10 or 30 s between two looks of a health check. */
  readonly checkIntervalMs?: number;
  /** Where a health check finds what its configuration names, when the test is on another network than the target. */
  readonly reach?: (url: string) => string;
}

export class FakeRoute53 {
  readonly zone = 'Z0FAKE00000000000001';
  readonly checkers: HealthCheckers;
  /** What names outside the zone are answered with. */
  readonly outside = new Map<string, readonly string[]>();
  /** How long a change stays PENDING; Infinity for ever. */
  pendingMs = 0;
  /** So many of the next changes are accepted and lost: the zone stays, and nobody knows the change. */
  stranding = 0;
  /** So many of the next requests are throttled. */
  throttling = 0;
  /** Connections end without an answer. */
  down = false;
  /** Ends the connection of a request, counted from 1, before it is looked at or after it was carried out. */
  strike: ((request: number) => 'before' | 'after' | undefined) | undefined;
  pageSize = 300;
  /** Runs when a batch has come and before it is looked at: somebody who is faster. */
  beforeChange: (() => void) | undefined;
  /** Every batch that came, also those refused. */
  readonly batches: (readonly FakeChange[])[] = [];
  private readonly options: FakeOptions;
  private records: FakeRecord[] = [];
  private readonly protectedSets = new Set<string>();
  private readonly changes = new Map<string, Pending>();
  private readonly server = createServer((request, response) => void this.serve(request, response));
  private feeding: Promise<void> = Promise.resolve();
  private live: readonly FakeRecord[] = [];
  private counter = 0;
  private requests = 0;
  /** The change whose records are live: what was made before it does not come over it when it arrives later. */
  private liveSince = 0;

  constructor(options: FakeOptions) {
    this.options = options;
    this.checkers = new HealthCheckers(options.checkIntervalMs ?? 50, () => this.feed(), options.reach);
  }

  static async start(options: FakeOptions): Promise<FakeRoute53> {
    const fake = new FakeRoute53(options);
    await options.nameServer?.addZone(options.domain);
    await new Promise<void>((resolve) => fake.server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Somebody else's doing, in sync at once. */
  put(...records: readonly FakeRecord[]): void {
    for (const record of records) {
      const whole = { ...record, name: listedName(record.name) };
      this.records = inOrder([...this.records.filter((one) => orderOf(one) !== orderOf(whole)), whole]);
    }
    this.live = this.records;
    this.liveSince = this.counter;
    this.feed();
  }

  /** What is PENDING is in sync now. */
  arrive(): void {
    for (const one of this.changes.values()) one.inSyncAtMs = 0;
    this.settle();
  }

  protect(name: string, type: string): void {
    this.protectedSets.add(`${listedName(name)} ${type}`);
  }

  unprotect(): void {
    this.protectedSets.clear();
  }

  held(name: string): FakeRecord[] {
    return this.records.filter((one) => one.name === listedName(name));
  }

  /** Until the name server has what is in sync. */
  async fed(): Promise<void> {
    await this.feeding;
  }

  async stop(): Promise<void> {
    await this.checkers.stop();
    await this.feeding;
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private feed(): void {
    const { nameServer, domain } = this.options;
    if (nameServer === undefined) return;
    this.feeding = this.feeding.then(async () => {
      const isHealthy = (id: string): boolean => this.checkers.isHealthy(id);
      await nameServer.hold(domain, evaluate(this.live, { isHealthy, outside: this.outside }));
    });
    // Told by `fed` and `stop`.
    this.feeding.catch(() => undefined);
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.requests += 1;
    const struck = this.strike?.(this.requests);
    if (this.down || struck === 'before') {
      request.socket.destroy();
      return;
    }
    try {
      if (this.throttling > 0) {
        this.throttling -= 1;
        throw new Refused(400, 'Throttling', 'Rate exceeded');
      }
      const url = new URL(request.url ?? '/', 'http://fake');
      const answer = this.answer(request.method ?? 'GET', url, Buffer.concat(chunks).toString('utf8'));
      if (struck === 'after') {
        request.socket.destroy();
        return;
      }
      reply(response, answer.status, answer.body);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const { status, code, message } = error;
      const told = xml('Error', [xml('Type', 'Sender'), xml('Code', code), xml('Message', message)]);
      reply(response, status, rooted('ErrorResponse', `${told}${xml('RequestId', 'fake')}`));
    }
  }

  private answer(method: string, url: URL, body: string): { status: number; body: string } {
    const [, version, kind, id = '', below] = url.pathname.split('/');
    if (version !== '2013-04-01') throw new Refused(404, 'UnknownOperation', url.pathname);
    const ok = (text: string) => ({ status: 200, body: text });
    if (kind === 'change' && method === 'GET') return ok(this.getChange(id));
    if (kind === 'healthcheck') return this.healthCheck(method, url, body);
    if (kind !== 'hostedzone') throw new Refused(404, 'UnknownOperation', url.pathname);
    if (id !== this.zone) throw new Refused(404, 'NoSuchHostedZone', `No hosted zone found with ID: ${id}`);
    if (below === undefined) return ok(this.getZone());
    if (below === 'rrsetprotection') return ok(this.listProtections());
    if (below === 'rrset' && method === 'GET') return ok(this.list(url.searchParams));
    if (below === 'rrset' && method === 'POST') return ok(this.change(parseXml(body)));
    throw new Refused(404, 'UnknownOperation', url.pathname);
  }

  private list(query: URLSearchParams): string {
    const from = {
      name: listedName(query.get('name') ?? ''),
      type: query.get('type') ?? '',
      setIdentifier: query.get('identifier') ?? '',
    };
    const all = this.records.filter((one) => orderOf(one) >= orderOf(from));
    const most = Math.min(this.pageSize, Number(query.get('maxitems') ?? this.pageSize));
    const next = all[most];
    return rooted(
      'ListResourceRecordSetsResponse',
      [
        xml('ResourceRecordSets', all.slice(0, most).map(recordXml)),
        xml('IsTruncated', next !== undefined),
        ...(next === undefined
          ? []
          : [
              xml('NextRecordName', next.name),
              xml('NextRecordType', next.type),
              ...(next.setIdentifier === undefined ? [] : [xml('NextRecordIdentifier', next.setIdentifier)]),
            ]),
        xml('MaxItems', most),
      ].join(''),
    );
  }

  private change(root: Element): string {
    const changes = child(child(root, 'ChangeBatch'), 'Changes')?.children ?? [];
    const batch = changes.map((one): FakeChange => {
      const record = child(one, 'ResourceRecordSet');
      if (record === undefined) throw new Refused(400, 'InvalidInput', 'a change without a record set');
      return { action: textOf(one, 'Action') ?? '', record: recordOf(record) };
    });
    this.batches.push(batch);
    this.beforeChange?.();
    this.beforeChange = undefined;
    const applied = applyBatch(this.records, batch, {
      domain: this.options.domain,
      isProtected: (name, type) => this.protectedSets.has(`${name} ${type}`),
      hasCheck: (id) => this.checkers.checks.has(id),
    });
    if ('refused' in applied) throw new Refused(400, 'InvalidChangeBatch', `[${applied.refused}]`);
    this.counter += 1;
    const id = `C${String(this.counter).padStart(12, '0')}`;
    if (this.stranding > 0) {
      this.stranding -= 1;
      return rooted('ChangeResourceRecordSetsResponse', changeInfo(id, 'PENDING'));
    }
    this.records = applied.records;
    const at = { number: this.counter, inSyncAtMs: Date.now() + this.pendingMs };
    const pending = { ...at, records: applied.records, inSync: false };
    this.changes.set(id, pending);
    this.settle();
    if (!pending.inSync && Number.isFinite(this.pendingMs)) setTimeout(() => this.settle(), this.pendingMs + 1).unref();
    // It is never in sync when it is answered.
    return rooted('ChangeResourceRecordSetsResponse', changeInfo(id, 'PENDING'));
  }

  private settle(): void {
    for (const one of this.changes.values()) {
      if (one.inSync || Date.now() < one.inSyncAtMs) continue;
      one.inSync = true;
      if (one.number < this.liveSince) continue;
      this.liveSince = one.number;
      this.live = one.records;
      this.feed();
    }
  }

  private getChange(id: string): string {
    const change = this.changes.get(id);
    if (change === undefined) throw new Refused(404, 'NoSuchChange', `Could not find resource with ID: ${id}`);
    this.settle();
    return rooted('GetChangeResponse', changeInfo(id, change.inSync ? 'INSYNC' : 'PENDING'));
  }

  private getZone(): string {
    const zone = [
      xml('Id', `/hostedzone/${this.zone}`),
      xml('Name', `${this.options.domain}.`),
      xml('CallerReference', 'fake'),
      xml('Config', [xml('PrivateZone', false)]),
    ];
    const server = this.options.nameServer?.address ?? 'ns-1.awsdns-01.test';
    const servers = xml('NameServers', [xml('NameServer', server)]);
    return rooted('GetHostedZoneResponse', `${xml('HostedZone', zone)}${xml('DelegationSet', [servers])}`);
  }

  private listProtections(): string {
    const sets = [...this.protectedSets].map((one) => {
      const [name = '', type = ''] = one.split(' ');
      return xml('ResourceRecordSetProtection', [xml('RecordName', name), xml('RecordType', type)]);
    });
    return rooted('ListResourceRecordSetProtectionsResponse', xml('ResourceRecordSetProtections', sets));
  }

  private healthCheck(method: string, url: URL, body: string): { status: number; body: string } {
    const [, , , id, below] = url.pathname.split('/');
    if (method === 'POST' && id === undefined) return { status: 201, body: this.createCheck(parseXml(body), body) };
    const check = this.checkers.checks.get(id ?? '');
    if (check === undefined)
      throw new Refused(404, 'NoSuchHealthCheck', `No health check exists with the ID ${id ?? ''}`);
    if (method === 'DELETE') {
      if (this.records.some(({ healthCheckId }) => healthCheckId === check.id)) {
        throw new Refused(400, 'HealthCheckInUse', 'The health check is in use');
      }
      this.checkers.checks.delete(check.id);
      return { status: 200, body: rooted('DeleteHealthCheckResponse', '') };
    }
    if (below === 'status') {
      const said = this.checkers.isHealthy(check.id) ? 'Success: HTTP Status Code 200, OK' : 'Failure: it is unhealthy';
      const observation = xml('HealthCheckObservation', [
        xml('Region', 'eu-west-1'),
        xml('IPAddress', '127.0.0.1'),
        xml('StatusReport', [xml('Status', said), xml('CheckedTime', new Date().toISOString())]),
      ]);
      return {
        status: 200,
        body: rooted('GetHealthCheckStatusResponse', xml('HealthCheckObservations', [observation])),
      };
    }
    return { status: 200, body: rooted('GetHealthCheckResponse', this.checkXml(check.id)) };
  }

  private readonly sources = new Map<string, string>();

  private createCheck(root: Element, body: string): string {
    const callerReference = textOf(root, 'CallerReference') ?? '';
    const config = child(root, 'HealthCheckConfig');
    if (config === undefined) throw new Refused(400, 'InvalidInput', 'no configuration');
    const source = /<HealthCheckConfig>[\s\S]*<\/HealthCheckConfig>/.exec(body)?.[0] ?? '';
    const same = [...this.checkers.checks.values()].find((one) => one.callerReference === callerReference);
    if (same !== undefined && this.sources.get(same.id) === source)
      return rooted('CreateHealthCheckResponse', this.checkXml(same.id));
    if (same !== undefined)
      throw new Refused(409, 'HealthCheckAlreadyExists', 'A health check with this reference exists');
    this.counter += 1;
    const id = `fake-check-${this.counter}`;
    this.sources.set(id, source);
    this.checkers.add({ id, callerReference, config, version: 1 });
    return rooted('CreateHealthCheckResponse', this.checkXml(id));
  }

  private checkXml(id: string): string {
    const check = this.checkers.checks.get(id);
    return `<HealthCheck>${xml('Id', id)}${xml('CallerReference', check?.callerReference ?? '')}${this.sources.get(id) ?? ''}${xml('HealthCheckVersion', check?.version ?? 1)}</HealthCheck>`;
  }
}

function changeInfo(id: string, status: string): string {
  return xml('ChangeInfo', [
    xml('Id', `/change/${id}`),
    xml('Status', status),
    xml('SubmittedAt', new Date().toISOString()),
  ]);
}

function rooted(name: string, inner: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name} ${NAMESPACE}>${inner}</${name}>`;
}

function reply(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/xml' });
  response.end(body);
}
