/** What the shapes of a system file are made of: names, texts, durations, references to secrets. */
import { z } from 'zod';
import { DURATION_PATTERN } from './durations.ts';

export const DEFAULTS = {
  site: 'main',
  host: 'local',
  tier: 'important',
  quiesceMode: 'pause',
  quiesceBudget: '30s',
  approvalLimit: '24h',
  keepAside: '7d',
  healthTimeout: '120s',
  checkTimeout: '60s',
  timeZone: 'UTC',
  region: 'us-east-1',
} as const;

export const NAME_PATTERN = /^[a-z][a-z0-9-]{0,62}$/;

/** Also for a bare number: nobody means a text then. */
export const DURATION_WANTED = 'write a duration such as 30s, 15m, 48h, 30d or 12w';

export const name = (what: string) =>
  z
    .string()
    .regex(NAME_PATTERN, 'write a name of a-z, 0-9 and -, starting with a letter, at most 63 characters')
    .describe(what);
export const text = (what: string) => z.string().min(1, 'write some text').describe(what);
export const duration = (what: string) =>
  z.string({ error: DURATION_WANTED }).regex(DURATION_PATTERN, DURATION_WANTED).describe(what);
export const absolutePath = (what: string) =>
  z
    .string()
    .regex(/^\/[^\0]*$/, 'write an absolute path, starting with /')
    .describe(what);
export const patterns = (what: string) => z.array(z.string().min(1, 'write a pattern')).describe(what);
export const count = (what: string) =>
  z.int('write a whole number').min(1, 'write a number of at least 1').describe(what);

/** Marks what must be a reference, so that a literal value is refused without being repeated in the message. */
export const SECRET_WANTED = 'write a reference: { env: NAME }, { file: /path } or { command: [program, argument] }';

export const secret = (what: string) =>
  z
    .union(
      [
        z.strictObject({
          env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'write the name of an environment variable'),
        }),
        z.strictObject({ file: absolutePath('A file that only its owner may read.') }),
        z.strictObject({
          command: z.array(z.string()).min(1).describe('A program and its arguments; it prints the secret.'),
        }),
      ],
      SECRET_WANTED,
    )
    .describe(`${what} A reference, never the value itself.`);

export const base = {
  tier: z
    .enum(['critical', 'important', 'reference'])
    .describe(`Orders captures, restores and alarms. Default ${DEFAULTS.tier}.`)
    .optional(),
  host: name('The host whose worker does the work. Default: the first of `hosts`.').optional(),
  after: z.array(z.string()).describe('Components that are restored and started before this one.').optional(),
};
