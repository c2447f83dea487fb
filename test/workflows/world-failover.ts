/** What a failover meets in the scripted world: a site that is down, a backup that can be restored, an authority store. */
import { ApplicationFailure } from '@temporalio/common';
import type { DnsActivities } from '../../src/activities/failover/dns-types.ts';
import type {
  FailoverActivities,
  FailoverFactsActivities,
  FailoverGathered,
  FailoverSetup,
} from '../../src/activities/failover-types.ts';
import type { VantageReport } from '../../src/policy/failover/assess.ts';
import { takeoverDigest } from '../../src/policy/failover/digest.ts';

/** Read whenever it is asked, so that a test may change it between two runs. */
export interface FailoverWorld {
  /** What the one vantage sees, each time it is asked. Default: silent. */
  saw?: (call: number) => VantageReport['saw'];
  gathered?: Partial<FailoverGathered>;
  setup?: Partial<FailoverSetup>;
  /** Somebody else is first to raise. */
  taken?: boolean;
  publicCheck?: boolean;
  /** Names are declared; where they lead can't be changed half-way. */
  names?: 'led' | 'refused';
}

const POINT_MS = Date.parse('2026-11-21T02:00:00Z');
const HOUR_MS = 3_600_000;
/** As the world's plan of a restore calls what it falls back to. */
const OLDER = ['', '-older-1', '-older-2', '-older-3'];
const LONG_MS = 60_000;
const SETTLED = { inSyncAt: '2026-11-21T03:00:00Z', oldAnswerUntil: '2026-11-21T03:01:00Z', resubmitted: 0 };

/** Who is active, by the authority store of this world: the newest is the last. */
export class WorldSites {
  readonly generations: { n: number; site: string; cleared: boolean; raiseId: string }[] = [
    { n: 1, site: 'away', cleared: true, raiseId: 'first' },
  ];
  readonly held = new Set<string>();
  readonly reports: unknown[] = [];
  names = 'away';

  reset(): void {
    this.generations.splice(1);
    this.held.clear();
    this.reports.splice(0);
  }

  get active(): string {
    const newest = this.generations.at(-1);
    return `${newest?.n} ${newest?.site} ${newest?.cleared === true ? 'cleared' : 'raised'}`;
  }
}

export function failoverFacts(host: string, world: FailoverWorld): FailoverFactsActivities {
  return {
    describeFailover: ({ system }) =>
      Promise.resolve({
        system,
        site: 'home',
        hosts: [host],
        fencing: 'lease',
        leaseSeconds: 0.01,
        rule: { quorum: 1, looks: 1, overMs: 0 },
        publicCheck: world.publicCheck !== undefined,
        approvalLimitSeconds: 600,
        answerSeconds: 600,
        ...(world.names === undefined ? {} : { names: true as const }),
        ...world.setup,
      }),
    digestFailover: ({ takeover, parts }) => Promise.resolve({ digest: takeoverDigest(takeover, parts) }),
  };
}

/** Two zones, one of which may refuse. */
const NAMED = ['zone a', 'zone b'].map((title, index) => ({
  ...({ kind: 'route53', index, title, zone: title, changes: [], checks: [], oldTtlSeconds: 0 } as const),
}));

export function failoverActivities(sites: WorldSites, world: FailoverWorld): FailoverActivities & DnsActivities {
  let looks = 0;
  return {
    assessSite: () => {
      looks += 1;
      const seen = {
        saw: world.saw?.(looks) ?? ('silent' as const),
        looks: 9,
        overMs: LONG_MS,
        detail: 'as the world says',
      };
      return Promise.resolve([{ vantage: 'here', place: 'home', ...seen }]);
    },
    gatherFailover: () => {
      const { n, site, cleared } = sites.generations.at(-1) ?? { n: 0, site: '', cleared: false };
      return Promise.resolve({
        generation: { n, site, cleared },
        generations: [{ n: 1 }],
        copies: OLDER.map((suffix, hours) => {
          return { backup: `backup-1${suffix}`, store: 'main', generation: 1, pointAtMs: POINT_MS - hours * HOUR_MS };
        }),
        storesUnread: [],
        notReady: [],
        ...world.gathered,
      });
    },
    holdSite: ({ system }) => Promise.resolve(void sites.held.add(system)),
    releaseSite: ({ system }) => Promise.resolve(void sites.held.delete(system)),
    raiseSite: ({ n, raiseId }) => {
      if (world.taken === true) {
        sites.generations.push({ n, site: 'third', cleared: false, raiseId: 'theirs' });
        return Promise.resolve({ kind: 'taken', n, site: 'third' });
      }
      if (sites.generations.at(-1)?.raiseId !== raiseId) {
        sites.generations.push({ n, site: 'home', cleared: false, raiseId });
      }
      return Promise.resolve({ kind: 'raised', n, sha256: 'e'.repeat(64) });
    },
    awaitFence: () => Promise.resolve({ fencing: 'lease', evidence: 'no lease is left' }),
    clearSite: ({ n }) => {
      for (const one of sites.generations) if (one.n === n) one.cleared = true;
      return Promise.resolve();
    },
    takeBack: ({ n, raiseId, toSite }) => {
      const newest = sites.generations.at(-1) ?? { n: 0, site: '', raiseId: '' };
      const ours = newest.raiseId.startsWith(raiseId);
      if (!ours && newest.n >= n) return Promise.resolve({ n: newest.n, site: newest.site, did: 'theirs' });
      sites.generations.push({ n: newest.n + 1, site: toSite, cleared: true, raiseId: `${raiseId}/back` });
      return Promise.resolve({ n: newest.n + 1, site: toSite, did: ours ? 'given-back' : 'withheld' });
    },
    planDns: ({ toSite }) => Promise.resolve({ toSite, entries: NAMED, lines: ['www: a to b'], warnings: [] }),
    swapDns: ({ planned }) => {
      if (world.names === 'refused' && planned.entries[0]?.title === 'zone b') {
        return Promise.reject(ApplicationFailure.nonRetryable('scripted', 'DnsChanged'));
      }
      sites.names = 'home';
      return Promise.resolve({ entries: [] });
    },
    awaitDns: () => Promise.resolve(SETTLED),
    revertDns: () => {
      sites.names = 'away';
      return Promise.resolve(SETTLED);
    },
    checkAnswers: () => Promise.resolve({ answers: [], lines: ['resolver: www is b'] }),
    standDns: ({ planned }) =>
      Promise.resolve({
        entries: planned.entries.map(({ index, title }) => ({
          index,
          standing: 'as before',
          words: `${title} leads away`,
        })),
      }),
    checkPublic: () => {
      const ok = world.publicCheck !== false;
      return Promise.resolve({ ok, detail: ok ? 'answered 200' : 'answered 503' });
    },
    keepFailover: ({ report }) => {
      sites.reports.push(report);
      return Promise.resolve({ key: 'reports/failovers/x/report.json', unread: [] });
    },
  };
}
