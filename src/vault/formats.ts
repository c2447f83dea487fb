/** The JSON of a vault's small records, checked when read. Unknown fields are let through: newer writers may add some. */
import { z } from 'zod';

import { HoldfastError } from '../failures.ts';
import type { AuditHeadSeen } from '../policy/audit-chain.ts';
import { FORMAT } from './names.ts';
import type { ManifestBody, ProofBody } from './types.ts';

const format = z.literal(FORMAT);
const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();
const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'not a time');

/** `holdfast.json`. */
export const headSchema = z.object({
  format,
  vaultId: z.string().min(8),
  system: z.string().min(1),
  createdAt: time,
});
export type VaultHead = z.infer<typeof headSchema>;

/** A signed record: the exact bytes of `body` carry the signature, an armored SSHSIG. */
export const envelopeSchema = z.object({ body: z.string(), signature: z.string() });
export type Envelope = z.infer<typeof envelopeSchema>;

export const SIGNER_ROLES = ['capture', 'keeper', 'operator'] as const;
export type SignerRole = (typeof SIGNER_ROLES)[number];

/** The body of `signers/<n>.json`: the root's word on a key. Of several on one key the highest `n` counts. */
export const signerSchema = z.object({
  format,
  vaultId: z.string(),
  n: z.number().int().positive(),
  name: z.string(),
  publicKey: z.string(),
  role: z.enum(SIGNER_ROLES),
  validFrom: time,
  validUntil: time,
  /** SHA-256 of `holdfast.json`, which carries no signature of its own; absent in those of earlier versions. */
  headSha256: hex64.exactOptional(),
});
export type SignerStatement = z.infer<typeof signerSchema>;

/** The body of `keys/<epoch>`. `sealed` is base64 of an age file; `check` tells a wrong key without opening it. */
export const keySchema = z.object({
  format,
  vaultId: z.string(),
  epoch: z.string(),
  recipients: z.array(z.string()),
  sealed: z.string(),
  check: z.string(),
});
export type KeyRecord = z.infer<typeof keySchema>;

/** The body of `captures/<id>.json`: written before the sweeps are read, so that a sweep knows what may still come. */
export const captureSchema = z.object({
  format,
  vaultId: z.string(),
  captureId: z.string(),
  backupId: z.string(),
  manifestKey: z.string(),
  plan: z.string(),
  epoch: z.string(),
  startedAt: time,
  signer: z.string(),
  /** A copy of a backup that another store has. */
  copy: z.literal(true).exactOptional(),
});
export type CaptureRecord = z.infer<typeof captureSchema>;

/** What stands at a manifest's name when the capture was settled without one. */
export const tombstoneSchema = z.object({
  format,
  kind: z.literal('tombstone'),
  key: z.string(),
  vaultId: z.string(),
  captureId: z.string(),
  why: z.enum(['abandoned', 'swept']),
  at: time,
  signer: z.string(),
});
export type Tombstone = z.infer<typeof tombstoneSchema>;

export const artifactRefSchema = z.object({
  name: z.string().min(1),
  mediaType: z.enum(['application/x-tar', 'application/vnd.sqlite3', 'application/json', 'application/octet-stream']),
  lengthBytes: count,
  root: hex64,
  depth: z.number().int().min(1).max(8),
  chunks: count,
  sums: hex64.exactOptional(),
});

const countsSchema = z.object({
  chunksNew: count,
  chunksReused: count,
  readBytes: count,
  storedBytes: count,
  filesSeen: count,
  changed: z.array(z.string()),
  changedCount: count,
});

/** The newest record of an audit log. */
export const auditHeadSchema: z.ZodType<AuditHeadSeen> = z.object({
  log: z.string().regex(/^[0-9a-f]{16}$/),
  n: z.number().int().positive(),
  sha256: hex64,
});

export const manifestSchema: z.ZodType<ManifestBody> = z.object({
  format,
  key: z.string(),
  vaultId: z.string(),
  system: z.string(),
  site: z.string(),
  plan: z.string(),
  id: z.string(),
  captureId: z.string(),
  purpose: z.enum(['backup', 'safety']),
  tag: z.string().exactOptional(),
  startedAt: time,
  pointAt: time,
  finishedAt: time,
  epoch: z.string(),
  generation: count,
  components: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      tier: z.enum(['critical', 'important', 'reference']),
      host: z.string(),
      capturedAt: time,
      artifacts: z.array(artifactRefSchema),
      facts: z.record(z.string(), z.unknown()),
      warnings: z.array(z.string()),
      counts: countsSchema,
    }),
  ),
  systemFile: artifactRefSchema,
  freezes: z.array(
    z.object({
      mode: z.enum(['pause', 'stop']),
      containers: z.array(z.string()),
      startedAt: time,
      downtimeMs: z.number(),
    }),
  ),
  signer: z.string(),
  sequence: z.number().int().positive(),
  previousSha256: hex64.nullable(),
  auditHeads: z.array(auditHeadSchema).exactOptional(),
  holdfastVersion: z.string(),
});

export const proofSchema: z.ZodType<ProofBody> = z.object({
  format,
  vaultId: z.string(),
  manifestKey: z.string(),
  manifestSha256: z.string(),
  level: z.enum(['presence', 'content', 'restored']),
  at: time,
  ok: z.boolean(),
  objectsChecked: count,
  bytesChecked: count,
  bad: z.array(z.object({ key: z.string(), code: z.string(), what: z.string() })),
  moreBad: count,
  signer: z.string(),
});

/** A node of a list tree. At level 0 entries are chunks, above that nodes of the level below, with all they hold. */
export const listNodeSchema = z.object({
  format,
  level: z.number().int().min(0).max(7),
  entries: z.array(z.tuple([hex64, count, count])),
});
export type ListNode = z.infer<typeof listNodeSchema>;

/** A node of the tree of stored checksums: objects as [key, stored bytes, SHA-256 of them or null], and child nodes. */
export const sumsNodeSchema = z.object({
  format,
  objects: z.array(z.tuple([z.string(), count, hex64.nullable()])),
  children: z.array(hex64),
});
export type SumsNode = z.infer<typeof sumsNodeSchema>;

/** Parses bytes as JSON of a schema. What does not fit is `code` with the reason and the object's key. */
export function parseRecord<T>(
  schema: z.ZodType<T>,
  bytes: Uint8Array | string,
  key: string,
  code: 'ObjectCorrupt' | 'Untrusted' | 'VaultFormat' = 'ObjectCorrupt',
): T {
  let value: unknown;
  try {
    value = JSON.parse(typeof bytes === 'string' ? bytes : new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new HoldfastError(code, `${key} is not JSON`, { cause, details: { key } });
  }
  if (isOtherFormat(value)) {
    throw new HoldfastError('VaultFormat', `${key} has format ${value.format}, this program knows ${FORMAT}`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue === undefined ? '' : `: ${issue.path.join('.')} ${issue.message}`;
  throw new HoldfastError(code, `${key} does not follow its format${where}`, { details: { key } });
}

function isOtherFormat(value: unknown): value is { format: number } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'format' in value &&
    typeof value.format === 'number' &&
    value.format !== FORMAT
  );
}

/** Bytes of a record as they are stored: one line of JSON and a newline. */
export function recordBytes(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}
