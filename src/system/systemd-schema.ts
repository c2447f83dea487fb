/** A component of the kind systemd in a system file: its shape, what must make sense in it, and how it is built. */
import { z } from 'zod';
import { durationSeconds } from './durations.ts';
import { present } from './present.ts';
import type { Report } from './report.ts';
import { base, DEFAULTS, duration, text } from './schema-parts.ts';
import { buildProbe, commandSchema, httpSchema } from './validation-schema.ts';
import type { CommandProbe, HttpProbe } from './validation-types.ts';

/** systemd.unit(5): a name of these characters, and what kind of unit it is. */
const UNIT_PATTERN =
  /^[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\@-]*\.(?:service|socket|timer|path|target|mount|automount|slice|swap)$/;

const unit = z
  .string()
  .regex(UNIT_PATTERN, 'write the whole name of a unit, such as my-app.service or my-app@one.service')
  .describe('A unit, such as my-app.service.');

export const UNIT_SCOPES = ['system', 'user'] as const;
export type UnitScope = (typeof UNIT_SCOPES)[number];

export const systemdComponent = z.strictObject({
  kind: z.literal('systemd'),
  units: z.array(unit).min(1, 'name at least one unit').describe('The units that belong to the system.'),
  scope: z.enum(UNIT_SCOPES).describe('`system` (default), or `user`: units of an account.').optional(),
  user: text('With `scope: user`: the account. Default: that of the worker.').optional(),
  keepUp: z
    .boolean()
    .describe('A restore of other components does not stop them, such as a database server. Default false.')
    .optional(),
  health: z
    .record(z.string(), z.strictObject({ http: httpSchema.optional(), command: commandSchema.optional() }))
    .describe('By unit: what must hold before what comes after it is started. Default: that it is active and stays so.')
    .optional(),
  healthTimeout: duration(`How long a start may take to become healthy. Default ${DEFAULTS.healthTimeout}.`).optional(),
  ...base,
});

type SystemdFile = z.output<typeof systemdComponent>;

/** What a component of this kind has beside what all have. */
export interface SystemdSettings {
  readonly kind: 'systemd';
  readonly units: readonly string[];
  readonly scope: UnitScope;
  /** Absent: the machine, or the worker's own account. */
  readonly user?: string;
  /** Not stopped while other components are restored. */
  readonly keepUp: boolean;
  /** By unit. */
  readonly health: Readonly<Record<string, HttpProbe | CommandProbe>>;
  readonly healthTimeoutSeconds: number;
}

export function buildSystemd(file: SystemdFile): SystemdSettings {
  return {
    kind: 'systemd',
    units: [...new Set(file.units)],
    scope: file.scope ?? 'system',
    ...present({ user: file.user }),
    keepUp: file.keepUp ?? false,
    health: Object.fromEntries(
      Object.entries(file.health ?? {}).map(([name, { http, command }]) => [name, buildProbe({ http, command })]),
    ),
    healthTimeoutSeconds: durationSeconds(file.healthTimeout ?? DEFAULTS.healthTimeout),
  };
}

export function checkSystemd(name: string, file: SystemdFile, report: Report): void {
  const path = ['components', name];
  if (file.user !== undefined && file.scope !== 'user') {
    report([...path, 'user'], '`user` belongs to `scope: user`: add that, or remove this');
  }
  for (const [of, { http, command }] of Object.entries(file.health ?? {})) {
    if (!file.units.includes(of)) report([...path, 'health', of], `\`${of}\` is none of the units`, true);
    if ((http === undefined) === (command === undefined)) {
      report([...path, 'health', of], 'write one of `http`, `command`');
    }
  }
}
