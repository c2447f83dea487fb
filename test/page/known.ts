/** Knowledge as the page has it, for what is rendered from it. */
import type { Knowledge, OperationFacts, SystemFacts } from '../../src/page/facts.ts';
import type { KnownBackup } from '../../src/status/catalogues.ts';

export const NOW_MS = Date.parse('2026-11-21T12:00:00Z');
export const ago = (seconds: number): string => new Date(NOW_MS - seconds * 1000).toISOString();

export function backup(options: {
  id: string;
  plan?: string;
  ageSeconds: number;
  ok?: boolean;
  tag?: string;
}): KnownBackup {
  const { id, plan = 'daily', ageSeconds, ok, tag } = options;
  const at = ago(ageSeconds);
  const artifact = {
    name: 'data.tar',
    mediaType: 'application/x-tar',
    lengthBytes: 2048,
    root: 'r',
    depth: 1,
    chunks: 1,
  } as const;
  const counts = {
    chunksNew: 1,
    chunksReused: 0,
    readBytes: 2048,
    storedBytes: 512,
    filesSeen: 3,
    changed: [],
    changedCount: 0,
  };
  const key = `backups/${plan}/x-${id}.json`;
  const proof = {
    format: 1,
    vaultId: 'v',
    manifestKey: key,
    manifestSha256: 's',
    level: 'content',
    at,
    ok: ok ?? true,
    objectsChecked: 3,
    bytesChecked: 99,
    bad: [],
    moreBad: ok === false ? 2 : 0,
    signer: '',
  } as const;
  const proofs = ok === undefined ? [] : [proof];
  return {
    stores: ['nas'],
    verdicts: proofs.map((one) => ({ store: 'nas', proof: one })),
    entry: {
      key,
      sha256: 's',
      trust: { ok: true },
      proofs,
      body: {
        format: 1,
        key,
        vaultId: 'v',
        system: 'shop',
        site: 'main',
        plan,
        id,
        captureId: 'c',
        purpose: 'backup',
        ...(tag === undefined ? {} : { tag }),
        startedAt: at,
        pointAt: at,
        finishedAt: new Date(Date.parse(at) + 2000).toISOString(),
        epoch: '1',
        generation: 1,
        components: [
          {
            name: 'config',
            kind: 'files',
            tier: 'important',
            host: 'local',
            capturedAt: at,
            artifacts: [artifact],
            facts: {},
            warnings: [],
            counts,
          },
        ],
        systemFile: artifact,
        freezes: [],
        signer: '',
        sequence: 1,
        previousSha256: null,
        holdfastVersion: '0.1.0',
      },
    },
  };
}

/** One system with one plan that promises a day. */
export function shop(more: Partial<SystemFacts> = {}): SystemFacts {
  const newest = { id: 'aaaaaaaaaaaa', pointAt: ago(3600), finishedAt: ago(3590), ageSeconds: 3600 };
  return {
    name: 'shop',
    lookedAtMs: NOW_MS - 5000,
    backups: [backup({ id: 'aaaaaaaaaaaa', ageSeconds: 3600, ok: true })],
    findings: [],
    unknown: [],
    status: {
      system: 'shop',
      plans: [{ plan: 'daily', backups: 1, state: 'fresh', why: '' }],
      operations: [],
      logs: [],
      slots: [],
      stores: [],
      behind: [],
      copies: [],
      schedules: [],
      unread: [],
    },
    numbers: {
      plans: [
        {
          plan: 'daily',
          backups: 1,
          newest,
          limits: { newestSeconds: 86_400, sizeChange: 0.5 },
          series: [],
          copies: [{ store: 'nas', backups: 1, newest }],
        },
      ],
      stores: [],
      logs: [],
      disks: [],
      clocks: [],
      runs: [],
      engineRunning: true,
    },
    ...more,
  };
}

export function known(
  systems: readonly SystemFacts[] = [shop()],
  engine: Partial<Knowledge['engine']> = {},
): Knowledge {
  return {
    lookedAtMs: NOW_MS - 5000,
    systems,
    engine: {
      running: true,
      lookedAtMs: NOW_MS - 1000,
      answeredAtMs: NOW_MS - 1000,
      ui: { url: 'http://127.0.0.1:8233', namespace: 'default' },
      operations: [],
      incidents: [],
      healed: [],
      ended: [],
      ...engine,
    },
  };
}

export function operation(more: Partial<OperationFacts> = {}): OperationFacts {
  return {
    workflowId: 'shop/restore',
    runId: 'run-1',
    type: 'restore',
    startedAt: ago(60),
    phase: 'approval',
    waitingFor: 'approval',
    digest: 'be49b13aa875be49b13aa875',
    steps: [],
    amounts: [],
    ...more,
  };
}
