/** The recovery kit: all that is needed to restore on a bare machine. A secret; printed and put in a safe. */
import { z } from 'zod';

import { HoldfastError } from '../failures.ts';

/** Where the vault is, without credentials: those come from their own place. Flat, so that it can be typed from paper. */
const storeSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('directory'), path: z.string().min(1) }),
  z.object({
    kind: z.literal('s3'),
    bucket: z.string().min(1),
    prefix: z.string(),
    region: z.string(),
    endpoint: z.string().exactOptional(),
    pathStyle: z.stringbool().or(z.boolean()).default(false),
  }),
  z.object({
    kind: z.literal('gcs'),
    bucket: z.string().min(1),
    prefix: z.string(),
    endpoint: z.string().exactOptional(),
  }),
  z.object({
    kind: z.literal('azure'),
    account: z.string().min(1),
    container: z.string().min(1),
    prefix: z.string(),
    endpoint: z.string().exactOptional(),
  }),
  z.object({
    kind: z.literal('sftp'),
    host: z.string().min(1),
    port: z.coerce.number().int().min(1).max(65_535),
    user: z.string().min(1),
    path: z.string().startsWith('/'),
    hostKey: z.string().startsWith('SHA256:'),
  }),
]);

const kitSchema = z.object({
  format: z.coerce.number().pipe(z.literal(1)),
  system: z.string().min(1),
  vaultId: z.string().min(1),
  store: storeSchema,
  /** `AGE-SECRET-KEY-1…` */
  identity: z.string().startsWith('AGE-SECRET-KEY-1'),
  rootFingerprint: z.string().startsWith('SHA256:'),
});

export type KitStore = z.infer<typeof storeSchema>;
export type RecoveryKit = z.infer<typeof kitSchema>;

const BEGIN = '-----BEGIN HOLDFAST RECOVERY KIT-----';
const END = '-----END HOLDFAST RECOVERY KIT-----';

/** The kit as text to print and as JSON; `parseRecoveryKit` reads either. */
export function recoveryKit(kit: Omit<RecoveryKit, 'format'>): { text: string; json: string } {
  const whole: RecoveryKit = { format: 1, ...kit };
  const lines = [
    `Holdfast recovery kit of the system ${kit.system}`,
    '',
    'SECRET. Whoever has this page and the store can read every backup. Keep it in a safe,',
    'away from the machines that it brings back. With it one command restores the system:',
    '',
    '  holdfast restore --kit this-file',
    '',
    'Without Holdfast: RECOVERY.md in the root of the vault says how, with age and zstd.',
    '',
    BEGIN,
    ...Object.entries(flatten(whole)).map(([name, value]) => `${name}: ${value}`),
    END,
    '',
  ];
  return { text: lines.join('\n'), json: `${JSON.stringify(whole, null, 2)}\n` };
}

/** Reads a kit in either form. Throws BadInput naming what is missing; the message never repeats the identity. */
export function parseRecoveryKit(text: string): RecoveryKit {
  const parsed = kitSchema.safeParse(text.trimStart().startsWith('{') ? parseJson(text) : parseLines(text));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw new HoldfastError('BadInput', `this is not a whole recovery kit: ${problems}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HoldfastError('BadInput', 'the recovery kit begins like JSON and is none');
  }
}

function parseLines(text: string): unknown {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const begin = lines.indexOf(BEGIN);
  const end = lines.indexOf(END);
  if (begin < 0 || end < begin) {
    throw new HoldfastError('BadInput', `the recovery kit has no lines between "${BEGIN}" and "${END}"`);
  }
  const top: Record<string, unknown> = {};
  const store: Record<string, string> = {};
  for (const line of lines.slice(begin + 1, end)) {
    const [, name = '', value = ''] = /^([A-Za-z.]+):\s*(.*)$/.exec(line) ?? [];
    if (name.startsWith('store.')) store[name.slice('store.'.length)] = value;
    else if (name !== '') top[name] = value;
  }
  return { ...top, store };
}

function flatten(kit: RecoveryKit): Record<string, string> {
  const { store, ...top } = kit;
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(top)) flat[name] = String(value);
  for (const [name, value] of Object.entries(store)) flat[`store.${name}`] = String(value);
  return flat;
}
