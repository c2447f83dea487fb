/** The shop's Compose file and its system file at each site. */
import { PORT, STACK, SYSTEM } from './site.ts';

export const LEASE_SECONDS = 6;
export const STOP_SECONDS = 3;
/** So long a site that has stopped for the other one waits until that takes over. */
export const RAISE_SECONDS = 30;
/** So long a plan waits for a person. */
const APPROVAL_SECONDS = 12;

export function composeText(): string {
  return `name: ${SYSTEM}
services:
  shop:
    image: \${SERVICES_IMAGE}
    command: ['/app/tbcv.ts']
    environment:
      DATABASE: /data/shop.db
      AUDIT_TRAIL: /data/audit.jsonl
    volumes:
      - ${STACK}/data:/data
    ports:
      - 0.0.0.0:${PORT}:8080
    healthcheck:
      test: ['CMD', 'node', '/app/probe.ts', 'http://127.0.0.1:8080/health']
      interval: 1s
      timeout: 10s
      retries: 60
`;
}

export interface Given {
  readonly sites: readonly { readonly name: string; readonly address: string }[];
  /** Of the witness, by their addresses. */
  readonly stores: { readonly authority: string; readonly vault: string; readonly copies: string };
  readonly zone: string;
}

export function systemText(site: string, { sites, stores, zone }: Given): string {
  const s3 = (name: keyof Given['stores']): string =>
    `{ kind: s3, bucket: vaults, prefix: ${name}, region: us-east-1, endpoint: '${stores[name]}', ` +
    'accessKeyId: { env: SHOP_KEY_ID }, secretAccessKey: { env: SHOP_SECRET } }';
  const lead = sites.map(({ name, address }) => `${name}) echo ${address} > ${zone}.new && mv ${zone}.new ${zone};;`);
  const leads = sites.map(({ name, address }) => `${name}) grep -qx ${address} ${zone};;`);
  const program = (cases: readonly string[]): string => `[sh, -c, 'case $HOLDFAST_SITE in ${cases.join(' ')} esac']`;
  // From here at the other site; the store says whether anything can be seen from here.
  const looks = sites
    .filter(({ name }) => name !== site)
    .map(({ address }) => {
      const page = `http://${address}:${PORT}/health`;
      return `      here: { http: { url: '${page}' }, reference: { url: '${stores.authority}/', status: 403 } }`;
    });
  return `system: ${SYSTEM}
site: ${site}
hosts: [${site}-1]
stores:
  vault: ${s3('vault')}
  copies: ${s3('copies')}
  authority: ${s3('authority')}
components:
  database: { kind: sqlite, tier: critical, path: ${STACK}/data/shop.db, usedBy: [shop] }
  stack: { kind: compose, tier: critical, project: ${SYSTEM}, directory: ${STACK}, files: [docker-compose.yml], healthTimeout: 30s, after: [database] }
plans:
  all: { components: [database, stack], stores: [vault, copies], rpo: 1h }
failover:
  sites: [${sites.map(({ name }) => name).join(', ')}]
  authority: authority
  lease: ${LEASE_SECONDS}s
  stop: ${STOP_SECONDS}s
  assess:
    looks: 2
    over: 1s
    answerWithin: 2s
    from:
${looks.join('\n')}
  handover: { look: 1s, answer: 90s, raise: ${RAISE_SECONDS}s }
  dns:
    - kind: command
      name: zone
      read: [cat, ${zone}]
      change: ${program(lead)}
      verify: ${program(leads)}
      ttl: 1s
approval: { limit: ${APPROVAL_SECONDS}s }
keepAside: 1h
`;
}
