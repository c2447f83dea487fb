/** Reports and the signatures under them: signed, create-only records that say what was looked at, when and by whom. */
import { z } from 'zod';
import { HoldfastError } from '../failures.ts';
import type { Store } from '../stores/store.ts';
import { NAMESPACES, readRecord, signRecord, type Signer } from './envelope.ts';
import { keysIn } from './listed.ts';
import { compactTime, FORMAT, sha256Hex } from './names.ts';
import { checkClaim, type TrustRoots } from './trust.ts';

const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'not a time');
const answer = z.object({
  id: z.string(),
  text: z.string(),
  state: z.enum(['pass', 'fail', 'unknown', 'open', 'signed']),
  evidence: z.string(),
  todo: z.string().exactOptional(),
});

const reportSchema = z.object({
  format: z.literal(FORMAT),
  kind: z.literal('checklist'),
  /** Its own key, so that a copy under another name shows. */
  key: z.string(),
  vaultId: z.string(),
  list: z.string(),
  at: time,
  by: z.string(),
  answers: z.array(answer),
  signer: z.string(),
});
export type ReportBody = z.infer<typeof reportSchema>;

const signatureSchema = z.object({
  format: z.literal(FORMAT),
  kind: z.literal('sign-off'),
  key: z.string(),
  vaultId: z.string(),
  /** The report that it belongs to. */
  report: z.string(),
  point: z.string(),
  by: z.string(),
  at: time,
  note: z.string().exactOptional(),
  signer: z.string(),
});
export type SignatureBody = z.infer<typeof signatureSchema>;

export interface ReportPlace {
  readonly vaultId: string;
  readonly roots: TrustRoots;
}

type Given = { readonly vaultId: string; readonly signer: Signer };

/** `reports/<list>/<time>-<digest>/report.json`. The same report in another store has the same key. */
export function reportKeyOf(list: string, atMs: number, content: string): string {
  return `reports/${list}/${compactTime(atMs)}-${sha256Hex(Buffer.from(content)).slice(0, 12)}/report.json`;
}

/** A repeat finds it written. */
export async function writeReport(
  store: Store,
  { vaultId, signer }: Given,
  report: Pick<ReportBody, 'key' | 'list' | 'at' | 'by' | 'answers'>,
): Promise<void> {
  const body = { format: FORMAT, kind: 'checklist', vaultId, ...report, signer: signer.fingerprint };
  await putRecord(store, report.key, signRecord(body, NAMESPACES.report, signer));
}

/** The key of the signature, beside its report. */
export async function writeSignature(
  store: Store,
  { vaultId, signer }: Given,
  given: Pick<SignatureBody, 'report' | 'point' | 'by' | 'at'> & { readonly note?: string },
): Promise<string> {
  const { report, point, by, at, note } = given;
  const digest = sha256Hex(Buffer.from([report, point, by, at, note ?? ''].join('\n'))).slice(0, 12);
  const key = `${report.slice(0, report.lastIndexOf('/'))}/${compactTime(Date.parse(at))}-${digest}.sign-off.json`;
  const body = {
    ...{ format: FORMAT, kind: 'sign-off', key, vaultId, report, point, by, at },
    ...(note === undefined ? {} : { note }),
    signer: signer.fingerprint,
  };
  await putRecord(store, key, signRecord(body, NAMESPACES.report, signer));
  return key;
}

/** Create-only, and durable. */
export async function putRecord(store: Store, key: string, bytes: Buffer): Promise<void> {
  await store.put(key, bytes, { createOnly: true });
  await store.sync();
}

export interface StoredReport {
  readonly body: ReportBody;
  readonly signatures: readonly SignatureBody[];
}

/** The newest report of a list that can be trusted, with what was signed under it; undefined when there is none. */
export async function newestReport(store: Store, place: ReportPlace, list: string): Promise<StoredReport | undefined> {
  const keys = await keysIn(store, `reports/${list}/`);
  const newestFirst = keys
    .filter((one) => one.endsWith('/report.json'))
    .toSorted()
    .toReversed();
  for (const key of newestFirst) {
    const body = await readTrusted(store, place, key, reportSchema);
    if (body === undefined) continue;
    const directory = key.slice(0, key.lastIndexOf('/') + 1);
    const own = keys.filter((one) => one.startsWith(directory) && one.endsWith('.sign-off.json'));
    const read = await Promise.all(own.map((one) => readTrusted(store, place, one, signatureSchema)));
    return { body, signatures: read.flatMap((one) => (one?.report === key ? [one] : [])) };
  }
  return undefined;
}

/** Undefined for what can't be trusted: it says nothing. Verification of the store names it. */
export async function readTrusted<T extends { key: string; at: string; signer: string; vaultId: string }>(
  store: Store,
  { roots, vaultId }: ReportPlace,
  key: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  try {
    const record = readRecord(schema, await store.get(key), key);
    if (record.body.key !== key)
      throw new HoldfastError('Untrusted', `${key} holds what was written as ${record.body.key}`);
    checkClaim(roots, record, { namespace: NAMESPACES.report, vaultId, at: record.body.at });
    return record.body;
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.waitingHelps || error.code === 'StoreDenied') throw error;
    return undefined;
  }
}
