/** Reports of drills: signed, create-only records of what was restored, how long it took and what was seen. */
import { z } from 'zod';
import type { Store } from '../stores/store.ts';
import { NAMESPACES, signRecord, type Signer } from './envelope.ts';
import { keysIn } from './listed.ts';
import { compactTime, FORMAT } from './names.ts';
import { mapBounded } from './mutex.ts';
import { putRecord, readTrusted, type ReportPlace } from './reports.ts';

const PREFIX = 'reports/drill/';
const READS_AT_ONCE = 16;

const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'not a time');
const seconds = z.number().nonnegative();
const source = z.object({
  backup: z.string(),
  plan: z.string(),
  store: z.string(),
  manifestKey: z.string(),
  pointAt: time,
  ageSeconds: seconds,
  whole: z.boolean(),
});
const component = z.object({
  name: z.string(),
  kind: z.string(),
  host: z.string(),
  sizeBytes: z.number(),
  backup: z.string(),
});

const drillReport = z.object({
  system: z.string(),
  kind: z.string(),
  drillId: z.string(),
  by: z.string(),
  startedAt: time,
  finishedAt: time,
  outcome: z.enum(['passed', 'failed', 'broken']),
  sources: z.array(source),
  components: z.array(component),
  checks: z.array(z.object({ component: z.string(), name: z.string(), ok: z.boolean(), detail: z.string() })),
  phases: z.array(z.object({ name: z.string(), seconds })),
  rtoSeconds: seconds,
  rtoObjectiveSeconds: seconds.exactOptional(),
  losses: z.array(
    z.object({ plan: z.string(), ageSeconds: seconds.exactOptional(), objectiveSeconds: seconds.exactOptional() }),
  ),
  stack: z
    .object({ services: z.number(), isolated: z.array(z.string()), refused: z.array(z.string()) })
    .exactOptional(),
  comparison: z
    .object({ drills: z.number(), medianRtoSeconds: seconds, change: z.number(), isRegression: z.boolean() })
    .exactOptional(),
  failure: z.object({ code: z.string(), message: z.string() }).exactOptional(),
  warnings: z.array(z.string()),
});

const recordSchema = z.object({
  format: z.literal(FORMAT),
  kind: z.literal('drill'),
  /** Its own key, so that a copy under another name shows. */
  key: z.string(),
  vaultId: z.string(),
  at: time,
  report: drillReport,
  signer: z.string(),
});

export type StoredDrill = z.infer<typeof drillReport>;

/** The same drill has the same key in every store, and at a repeat. */
export function drillReportKey({ startedAt, drillId }: Pick<StoredDrill, 'startedAt' | 'drillId'>): string {
  return `${PREFIX}${compactTime(Date.parse(startedAt))}-${drillId.replaceAll(/[^\w-]/g, '').slice(0, 12)}/report.json`;
}

/** A repeat finds it written. */
export async function writeDrillReport(
  store: Store,
  { vaultId, signer }: { readonly vaultId: string; readonly signer: Signer },
  report: StoredDrill,
): Promise<string> {
  const key = drillReportKey(report);
  const body = {
    format: FORMAT,
    kind: 'drill',
    key,
    vaultId,
    at: report.finishedAt,
    report,
    signer: signer.fingerprint,
  };
  await putRecord(store, key, signRecord(body, NAMESPACES.report, signer));
  return key;
}

const REMEMBERED = 1000;

/** The newest of them that can be trusted, newest first. What is in `memory`, by vault and key, is not read again. */
export async function readDrillReports(
  store: Store,
  place: ReportPlace,
  most: number,
  memory = new Map<string, StoredDrill>(),
): Promise<StoredDrill[]> {
  const keys = (await keysIn(store, PREFIX)).filter((key) => key.endsWith('/report.json')).toSorted();
  const newest = keys.toReversed().slice(0, most);
  const read = await mapBounded(newest, READS_AT_ONCE, async (key) => {
    const known = memory.get(`${place.vaultId} ${key}`);
    if (known !== undefined) return known;
    const record = await readTrusted(store, place, key, recordSchema);
    if (record === undefined) return undefined;
    if (memory.size >= REMEMBERED) memory.clear();
    memory.set(`${place.vaultId} ${key}`, record.report);
    return record.report;
  });
  return read.flatMap((report) => (report === undefined ? [] : [report]));
}
