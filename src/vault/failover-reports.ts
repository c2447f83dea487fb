/** Reports of failovers: signed, create-only records of who took over from whom, what was lost, how long it took. */
import { z } from 'zod';
import type { Store } from '../stores/store.ts';
import { NAMESPACES, signRecord, type Signer } from './envelope.ts';
import { keysIn } from './listed.ts';
import { mapBounded } from './mutex.ts';
import { compactTime, FORMAT } from './names.ts';
import { putRecord, readTrusted, type ReportPlace } from './reports.ts';

const PREFIX = 'reports/failovers/';
const READS_AT_ONCE = 16;

const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'not a time');
const seconds = z.number().nonnegative();
const active = z.object({ n: z.number(), site: z.string() });

const failoverReport = z.object({
  system: z.string(),
  failoverId: z.string(),
  startedAt: time,
  finishedAt: time,
  outcome: z.enum(['done', 'rolled-back']),
  ok: z.boolean(),
  site: z.string(),
  from: z.object({ generation: z.number(), site: z.string() }),
  generation: active,
  digest: z.string(),
  approvedBy: z.string(),
  /** Where the names led when it had ended. */
  names: z.array(z.object({ title: z.string(), standing: z.string() })).exactOptional(),
  fencing: z.enum(['lease', 'confirmed', 'attested']),
  evidence: z.string().exactOptional(),
  backups: z.array(z.string()),
  dataLossSeconds: seconds,
  rpoSeconds: seconds.exactOptional(),
  rto: z
    .object({
      seconds,
      waited: z.object({
        approvalSeconds: seconds,
        fenceSeconds: seconds,
        namesSeconds: seconds,
        handoverSeconds: seconds.exactOptional(),
      }),
      ownSeconds: seconds,
    })
    .exactOptional(),
  /** Of a planned change: from when the other site stopped until the system was asked here. */
  planned: z.object({ downSeconds: seconds }).exactOptional(),
  phases: z.array(z.object({ name: z.string(), seconds })),
  why: z.string().exactOptional(),
  warnings: z.array(z.string()),
});

const recordSchema = z.object({
  format: z.literal(FORMAT),
  kind: z.literal('failover'),
  /** Its own key, so that a copy under another name shows. */
  key: z.string(),
  vaultId: z.string(),
  at: time,
  report: failoverReport,
  signer: z.string(),
});

export type StoredFailover = z.infer<typeof failoverReport>;

/** The same failover has the same key in every store, and at a repeat. */
export function failoverReportKey({ startedAt, failoverId }: Pick<StoredFailover, 'startedAt' | 'failoverId'>): string {
  const id = failoverId.replaceAll(/[^\w-]/g, '').slice(0, 12);
  return `${PREFIX}${compactTime(Date.parse(startedAt))}-${id}/report.json`;
}

/** A repeat finds it written. */
export async function writeFailoverReport(
  store: Store,
  { vaultId, signer }: { readonly vaultId: string; readonly signer: Signer },
  report: StoredFailover,
): Promise<void> {
  const key = failoverReportKey(report);
  const at = report.finishedAt;
  const body = { format: FORMAT, kind: 'failover', key, vaultId, at, report, signer: signer.fingerprint };
  await putRecord(store, key, signRecord(body, NAMESPACES.report, signer));
}

/** The newest of them that can be trusted, newest first. */
export async function readFailoverReports(store: Store, place: ReportPlace, most: number): Promise<StoredFailover[]> {
  const keys = (await keysIn(store, PREFIX)).filter((key) => key.endsWith('/report.json')).toSorted();
  const read = await mapBounded(keys.toReversed().slice(0, most), READS_AT_ONCE, async (key) => {
    const record = await readTrusted(store, place, key, recordSchema);
    return record?.report;
  });
  return read.flatMap((report) => (report === undefined ? [] : [report]));
}
