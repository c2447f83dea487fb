/** A site that shares its store with another one, `far`: a shop and its papers, and which of the two is active. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, vi } from 'vitest';
import { siteSigner, withAuthority } from '../../src/sites/authority.ts';
import { loadSystem } from '../../src/system/index.ts';
import { clearGeneration, raiseGeneration } from '../../src/vault/sites/generation.ts';
import { writeRenewal } from '../../src/vault/sites/renewal.ts';
import { makeSite, type Site } from './site.ts';

export interface ShopSite {
  readonly site: Site;
  /** Written into the shop and beside its papers. */
  readonly trade: (what: string) => Promise<void>;
  /** Sorted; nothing of the shop is touched. */
  readonly trades: () => Promise<unknown[]>;
  /** Both are gone, as on a machine that stands by. */
  readonly lose: () => Promise<void>;
  /** Raised and cleared for a site, whose guard then renews its lease where times are given. */
  readonly putOn: (of: string, n: number, times?: { leaseMs: number; stopMs: number }) => Promise<void>;
}

/** To be called once in a test file; `failover` are the further lines of that section. */
export function shopSite(failover: readonly string[]): ShopSite {
  let made: Site | undefined;
  const site = (): Site => {
    if (made === undefined) throw new Error('There is no site yet: use this in a test.');
    return made;
  };
  const shop = (): string => site().data('shop.sqlite');
  beforeAll(async () => {
    made = await makeSite((data) => describeShop(data, failover));
    vi.stubEnv('HOLDFAST_HOME', path.join(made.directory, 'home'));
    await made.startWorkers();
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await made?.[Symbol.asyncDispose]();
  });
  return {
    get site() {
      return site();
    },
    trade: async (what) => {
      await mkdir(site().data('papers'), { recursive: true });
      await writeFile(path.join(site().data('papers'), `${what}.txt`), what);
      using database = new DatabaseSync(shop());
      database.exec('CREATE TABLE IF NOT EXISTS trades (what TEXT)');
      database.prepare('INSERT INTO trades VALUES (?)').run(what);
    },
    trades: async () => {
      const copy = `${shop()}.look`;
      await writeFile(copy, await readFile(shop()));
      try {
        using database = new DatabaseSync(copy);
        const rows = database.prepare('SELECT what FROM trades ORDER BY what').all();
        return rows.map((row) => row['what']);
      } finally {
        await rm(copy);
      }
    },
    lose: async () => {
      await rm(shop());
      await rm(site().data('papers'), { recursive: true });
    },
    putOn: (of, n, times) => putOn(site(), { of, n, times }),
  };
}

function describeShop(data: (name: string) => string, failover: readonly string[]): string {
  return [
    'components:',
    `  shop: { kind: sqlite, path: ${data('shop.sqlite')}, tier: critical }`,
    `  papers: { kind: files, path: ${data('papers')} }`,
    'plans:',
    '  daily: { components: [shop, papers], stores: [disk], rpo: 1d }',
    'failover:',
    '  sites: [home, far]',
    '  authority: disk',
    ...failover.map((line) => `  ${line}`),
  ].join('\n');
}

async function putOn(
  site: Site,
  { of, n, times }: { of: string; n: number; times: Parameters<ShopSite['putOn']>[2] },
): Promise<void> {
  const system = await loadSystem(site.system);
  const by = { signer: await siteSigner(system), atMs: Date.now() };
  await withAuthority(system, async (authority) => {
    // What the site before had written is taken over whole, so that its backups belong to the history.
    const origin = n === 1 ? {} : { origin: { generation: n - 1 } };
    const raised = await raiseGeneration(authority, { n, site: of, raiseId: `raise-${n}`, ...origin }, by);
    if (raised.kind !== 'raised') throw new Error('somebody else was first');
    await clearGeneration(authority, raised.record, { fencing: 'first', evidence: 'a test' }, by);
    if (times !== undefined) await writeRenewal(authority, { site: of, host: `${of}-1` }, { times, ...by });
  });
}
