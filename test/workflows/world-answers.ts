/** What the scripted world answers when a test says nothing else. */
import { cancelled, heartbeat } from '@temporalio/activity';
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type {
  CopyTurn,
  DnsActivities,
  LookActivities,
  ReadinessActivities,
  RestartActivities,
  StandbyActivities,
  SystemJudged,
  UrgentActivities,
} from '../../src/activities/types.ts';
import type { HostLook, HostSeen } from '../../src/policy/host-look.ts';
import { KEPT_REASONS } from '../../src/policy/housekeeping.ts';
import type { ChecklistResult, HousekeepingOutcome, RowsPlan } from '../../src/workflows/contract.ts';

export const HOST = 'alpha';

/** Heartbeats until it is cancelled, as a long capture does. */
export async function untilCancelled(): Promise<never> {
  const timer = setInterval(() => {
    heartbeat({ phase: 'capture' });
  }, 50);
  try {
    return await cancelled();
  } finally {
    clearInterval(timer);
  }
}

export const NOTHING_COPIED: CopyTurn = {
  left: 0,
  backups: 0,
  objects: 0,
  bytes: 0,
  replaced: 0,
  walPieces: 0,
  walBytes: 0,
  refused: [],
  refusedCount: 0,
  verified: [],
  silent: [],
};

export function componentRecord(name: string) {
  const counts = { chunksNew: 1, chunksReused: 2, readBytes: 10, storedBytes: 5, filesSeen: 1 };
  return {
    name,
    kind: 'files',
    tier: 'critical' as const,
    host: HOST,
    capturedAt: '2026-11-21T02:00:00Z',
    artifacts: [],
    facts: {},
    warnings: [],
    counts: { ...counts, changed: [], changedCount: 0 },
  };
}

export function proof(manifestKey: string, level: 'presence' | 'content') {
  return {
    format: 1 as const,
    vaultId: 'v',
    manifestKey,
    manifestSha256: 'ab',
    level,
    at: '2026-11-21T02:00:00Z',
    ok: true,
    objectsChecked: 3,
    bytesChecked: 30,
    bad: [],
    moreBad: 0,
    signer: 's',
  };
}

export function gone(list: string): ChecklistResult {
  const points = { pass: 3, fail: 0, unknown: 0, open: 2, signed: 0 };
  return { list, outcome: 'open', report: `reports/${list}/1/report.json`, points };
}

export function housekept(task: string, dryRun: boolean): HousekeepingOutcome {
  const kept = Object.fromEntries(KEPT_REASONS.map((reason) => [reason, 0])) as HousekeepingOutcome['kept'];
  const stores = [{ store: 'main', backup: 'backup-1' }];
  const removed = { units: 'files' as const, removed: 2, removedBytes: 20, failed: 0 };
  return {
    task,
    component: 'config',
    dryRun,
    found: 5,
    ...removed,
    kept: { ...kept, young: 3 },
    stores,
    list: '/list',
  };
}

export function storeVerdict(store: string, level: 'presence' | 'content') {
  const counts = { parts: 9, objectsChecked: 3, bytesChecked: 30, unjudged: 0, moreBad: 0 };
  return { store, level, ok: true, opened: true, bad: [], fraction: 0.5, ...counts };
}

/** What is short and the same in every world. Of a restart the name of the service says how it ends. */
export function urgentAnswers(standby: {
  activities(): StandbyActivities & ReadinessActivities;
}): LookActivities &
  RestartActivities &
  StandbyActivities &
  ReadinessActivities &
  DnsActivities &
  Pick<UrgentActivities, 'ping' | 'startServers' | 'stopServers'> {
  return {
    ...standby.activities(),
    ...noNames(),
    startServers: () => Promise.resolve({ started: ['db'] }),
    stopServers: () => Promise.resolve(),
    ping: () => Promise.resolve({ host: HOST, version: '0' }),
    lookAround: () => Promise.resolve(hostLook(HOST)),
    findBroken: ({ service = 'ledger' }) => {
      const about = { id: service, name: `sys-${service}-1`, service, startedAt: '2026-11-21T01:00:00Z' };
      const target = {
        ...about,
        what: 'has stopped (exit 1)',
        since: '2026-11-21T02:00:00Z',
        log: '/reports/restart/1.log',
      };
      const left = [{ name: `sys-${service}-1`, why: 'is paused' }];
      if (service === 'held') return Promise.resolve({ targets: [], left });
      const targets = service === 'unknown' ? [] : [{ ...target, stop: false, level: 0, stopSeconds: 10 }];
      return Promise.resolve({ targets, left: [] });
    },
    restartContainers: ({ targets }) => {
      const end = ({ name, service }: (typeof targets)[number]) =>
        service === 'sick' ? { name, ok: false, now: 'exited (exit 1)' } : { name, ok: true, now: 'healthy' };
      return Promise.resolve({
        containers: targets.map(end),
        dependants: [{ name: 'sys-api-1', ok: true, now: 'up' }],
      });
    },
  };
}

/** Of a system whose file names none. */
function noNames(): DnsActivities {
  const settled = { inSyncAt: '2026-11-21T02:00:00Z', oldAnswerUntil: '2026-11-21T02:00:00Z', resubmitted: 0 };
  return {
    planDns: ({ toSite }) => Promise.resolve({ toSite, entries: [], lines: [], warnings: [] }),
    swapDns: () => Promise.resolve({ entries: [] }),
    awaitDns: () => Promise.resolve(settled),
    revertDns: () => Promise.resolve(settled),
    checkAnswers: () => Promise.resolve({ answers: [], lines: [] }),
    standDns: () => Promise.resolve({ entries: [] }),
  };
}

/** A host where all is well, by its own clock. */
export function hostLook(host: string): HostLook {
  const nothing = { disks: [], disksUnseen: [], components: [], componentsUnseen: [], tools: [], rights: [] };
  return { host, nowMs: Date.now(), ...nothing };
}

/** One finding that stands, and one for each silent host. */
export function judgedWith(system: string, hosts: readonly HostSeen[]): SystemJudged {
  const finding = { system, severity: 'critical', what: 'it is late', hint: 'Run it.' } as const;
  const silent = hosts.filter(({ look }) => look === undefined);
  const findings = [
    { ...finding, check: 'freshness', subject: 'daily' } as const,
    ...silent.map(({ host, silent: why = '' }) => ({ ...finding, check: 'engine' as const, subject: host, what: why })),
  ];
  return { findings, findingsCount: findings.length, unknown: [] };
}

/** A preview with so many rows missing. */
export function rowsPlan(
  table: string,
  { backupInUse, rowsMissing }: { readonly backupInUse: string; readonly rowsMissing: number },
): RowsPlan {
  const affected = String(rowsMissing % 10).repeat(64);
  return {
    digest: affected,
    affectedSha256: affected,
    backup: backupInUse,
    manifestKey: 'backups/daily/x.json',
    store: 'main',
    pointAt: '2026-11-21T02:00:00Z',
    ageSeconds: 60,
    component: 'config',
    kind: 'sqlite',
    host: HOST,
    onChanged: 'keep',
    tables: [
      {
        table,
        matchedBy: 'primary key',
        key: ['id'],
        selected: 5,
        missing: rowsMissing,
        changed: 0,
        changedColumns: [],
        conflicts: [],
        same: 5 - rowsMissing,
        notes: [],
      },
    ],
    copy: '/copy.sqlite',
    keysFile: '/keys.jsonl',
    warnings: [],
  };
}

export async function isRunning(client: Client, workflowId: string): Promise<boolean> {
  try {
    return (await client.workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
