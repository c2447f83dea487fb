/** The shapes of what is to be kept, and of what is looked at. */
import { z } from 'zod';
import { absolutePath, duration, name, secret } from './schema-parts.ts';

export const MONITOR_DEFAULTS = {
  sizeChange: '50%',
  diskUsed: '80%',
  clock: '5s',
  pingEvery: '1m',
} as const;

const BYTES_PATTERN = /^[1-9][0-9]*(KiB|MiB|GiB|TiB)$/;
const SHARE_PATTERN = /^(?:[1-9][0-9]?|[1-9][0-9]{2})%$/;

const bytes = (what: string) => z.string().regex(BYTES_PATTERN, 'write a size such as 512MiB or 10GiB').describe(what);
const share = (what: string) => z.string().regex(SHARE_PATTERN, 'write a share such as 80%').describe(what);
const age = z
  .string()
  .regex(/^(?!0+[a-z]$)(?:\d+[wdhms])+$/, 'write a duration such as 90m, 26h or 2d')
  .describe('A duration.');

export const limitsSchema = z
  .strictObject({
    newest: age
      .describe('The oldest that the newest backup may get. Default: `rpo`, else what the schedule makes.')
      .optional(),
    proved: age
      .describe('The oldest that the newest backup may get that was read back or restored. Default: not judged.')
      .optional(),
    copy: z
      .union([age, z.record(z.string(), age)])
      .describe('How long a backup may lack its copies, or by store. Default: as `newest`.')
      .optional(),
    walGap: age
      .describe('How far the stored log of its databases may be behind. Default: some rounds of it.')
      .optional(),
    sizeChange: share(
      `By how much a component's size may differ from the mean of the seven days before. Default ${MONITOR_DEFAULTS.sizeChange}.`,
    ).optional(),
  })
  .describe('What `monitor` holds the plan to.');

export const monitorSchema = z
  .strictObject({
    disks: z
      .array(
        z.strictObject({
          path: absolutePath('Any path on the disk.'),
          host: name('Default: the first of `hosts`.').optional(),
          used: share(`The most of it that may be in use. Default ${MONITOR_DEFAULTS.diskUsed}.`).optional(),
          free: bytes('The least that must be free. Default: not judged.').optional(),
        }),
      )
      .describe('Disks, beside those of directory stores and of HOLDFAST_HOME.')
      .optional(),
    totalSize: bytes('The most that the system may take in one store. Default: not judged.').optional(),
    clock: duration(
      `By how much the clock of a host may differ from the engine's. Default ${MONITOR_DEFAULTS.clock}.`,
    ).optional(),
    ping: z
      .strictObject({
        url: secret('An address that expects to be asked, such as a check of healthchecks.io.'),
        every: duration(`At most so often. Default ${MONITOR_DEFAULTS.pingEvery}.`).optional(),
        tellFailure: z.boolean().describe('Add `/fail` to it while something is wrong. Default false.').optional(),
      })
      .describe('Asked after each look, so that its silence is an alarm elsewhere.')
      .optional(),
  })
  .describe('What `monitor` looks at beside the plans.');
