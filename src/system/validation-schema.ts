/** Sections `checks`, `reconcile` and `objectives`: what must hold of a system that is back, and how soon. */
import { z } from 'zod';
import { durationSeconds } from './durations.ts';
import { duration, name, text } from './schema-parts.ts';
import type { CommandProbe, HttpProbe, Objectives, Reconciliation, SqlProbe, SystemCheck } from './validation-types.ts';

export const VALIDATION_DEFAULTS = { http: '120s', sql: '60s', command: '60s', reconcile: '10m' } as const;

const plain = z.union([z.string(), z.number(), z.boolean(), z.null()]);

export const httpSchema = z
  .strictObject({
    url: z
      .string()
      .regex(/^https?:\/\/[^\s@]+$/, 'write an address that begins with http:// or https://, without a user in it')
      .describe('Asked from the host. In a drill, its origin is that of the isolated copy.'),
    status: z
      .int('write a whole number')
      .min(100)
      .max(599)
      .describe('The status that is wanted. Default: any of 200 to 299.')
      .optional(),
    json: z
      .record(z.string(), plain)
      .describe('By path into the JSON body, such as `dependencies.tigerbeetle: healthy`.')
      .optional(),
    contains: text('A text that the body holds.').optional(),
  })
  .describe('A page, asked again until it answers as wanted.');

const query = {
  component: text('A component of the kind postgres or sqlite.'),
  query: text('Run in a transaction that can not write.'),
  database: text('PostgreSQL. Default: the only database of the component, or the maintenance database.').optional(),
};

export const sqlSchema = z
  .strictObject({
    ...query,
    equals: plain.describe('The one value of the one row.').optional(),
    atLeast: z.number('write a number').describe('It is at least this.').optional(),
    atMost: z.number('write a number').describe('It is at most this.').optional(),
    notEmpty: z.literal(true).describe('It is neither null nor an empty text.').optional(),
  })
  .describe('A query of one value, asked again until it is as wanted.');

export const commandSchema = z
  .array(z.string())
  .min(1, 'name a program')
  .describe('A program and its arguments, run once, in the directory of the Compose project.');

const around = {
  service: text(
    'A Compose service: the command runs in its container, which needs a shell; the port of a `url` is that of its container. Default: the host.',
  ).optional(),
  inDrills: z
    .boolean()
    .describe(
      'On the host: it asks only what its environment names (HOLDFAST_…), so a drill runs it too. Default false.',
    )
    .optional(),
  host: name('The host that asks. Default: that of the component or of the services.').optional(),
};

const check = z.strictObject({
  http: httpSchema.optional(),
  sql: sqlSchema.optional(),
  command: commandSchema.optional(),
  ...around,
  within: duration(
    `How long it may take to hold. Default ${VALIDATION_DEFAULTS.http} for http, ${VALIDATION_DEFAULTS.sql} for the others.`,
  ).optional(),
  severity: z
    .enum(['fatal', 'warning'])
    .describe('`fatal` (default): the system is not back without it. `warning`: it is told.')
    .optional(),
});

const reconciliation = z.strictObject({
  command: commandSchema.optional(),
  sql: z
    .strictObject(query)
    .describe('Answers with a row for each difference: its name, what is expected, what was found.')
    .optional(),
  ...around,
  within: duration(`How long it may take. Default ${VALIDATION_DEFAULTS.reconcile}.`).optional(),
});

export const checksSchema = z
  .record(z.string(), check)
  .describe('What must hold of the running system, by name: after a restore and in a drill.');

export const reconcileSchema = z
  .record(z.string(), reconciliation)
  .describe('The restored state against an outside truth, by name; differences are reported, and nothing is changed.');

const rto = (whose: string) => duration(`How soon ${whose} to be back.`).optional();

export const objectivesSchema = z
  .strictObject({
    rto: rto('the whole system has'),
    tiers: z
      .strictObject({
        critical: rto('critical components have'),
        important: rto('important components have'),
        reference: rto('reference components have'),
      })
      .describe('By tier.')
      .optional(),
    components: z.record(z.string(), duration('How soon it has to be back.')).describe('By component.').optional(),
  })
  .describe('Recovery time objectives; what may be lost is said by the `rpo` of the plans.');

export type ChecksFile = z.output<typeof checksSchema>;
export type ReconcileFile = z.output<typeof reconcileSchema>;
export type ObjectivesFile = z.output<typeof objectivesSchema>;

/** Where something that names no host is asked. */
export interface Hosts {
  readonly components: readonly { readonly name: string; readonly host: string }[];
  /** The host of the services. */
  readonly services: string;
}

export function buildChecks(file: ChecksFile = {}, hosts: Hosts): SystemCheck[] {
  return Object.entries(file).map(([checkName, written]) => {
    const probe = probeOf(written);
    return {
      name: checkName,
      probe,
      host: written.host ?? hostOf(probe, hosts),
      withinSeconds: durationSeconds(written.within ?? VALIDATION_DEFAULTS[probe.kind]),
      severity: written.severity ?? 'fatal',
    };
  });
}

export function buildReconcile(file: ReconcileFile = {}, hosts: Hosts): Reconciliation[] {
  return Object.entries(file).map(([ownName, written]) => {
    const probe = written.sql === undefined ? commandOf(written) : queryOf(written.sql);
    return {
      name: ownName,
      probe,
      host: written.host ?? hostOf(probe, hosts),
      withinSeconds: durationSeconds(written.within ?? VALIDATION_DEFAULTS.reconcile),
    };
  });
}

export function buildObjectives(file: ObjectivesFile = {}): Objectives {
  const seconds = (map: Readonly<Record<string, string | undefined>>): Record<string, number> =>
    Object.fromEntries(
      Object.entries(map).flatMap(([key, value]) => (value === undefined ? [] : [[key, durationSeconds(value)]])),
    );
  return {
    ...(file.rto === undefined ? {} : { rtoSeconds: durationSeconds(file.rto) }),
    tiers: seconds(file.tiers ?? {}),
    components: seconds(file.components ?? {}),
  };
}

function probeOf(written: ChecksFile[string]): SystemCheck['probe'] {
  if (written.http !== undefined) return httpOf(written.http, written.service);
  if (written.sql === undefined) return commandOf(written);
  return sqlOf(written.sql);
}

/** A page or a command of the host. */
export function buildProbe(written: Pick<ChecksFile[string], 'http' | 'command'>): HttpProbe | CommandProbe {
  return written.http === undefined ? commandOf(written) : httpOf(written.http, undefined);
}

export function sqlOf(written: z.output<typeof sqlSchema>): SqlProbe {
  const { equals, atLeast, atMost, notEmpty } = written;
  return {
    ...queryOf(written),
    ...(equals === undefined ? {} : { equals }),
    ...(atLeast === undefined ? {} : { atLeast }),
    ...(atMost === undefined ? {} : { atMost }),
    ...(notEmpty === undefined ? {} : { notEmpty }),
  };
}

function httpOf(
  { url, status, json, contains }: NonNullable<ChecksFile[string]['http']>,
  service: string | undefined,
): HttpProbe {
  return {
    kind: 'http',
    url,
    json: json ?? {},
    ...(service === undefined ? {} : { service }),
    ...(status === undefined ? {} : { status }),
    ...(contains === undefined ? {} : { contains }),
  };
}

function queryOf(written: NonNullable<ReconcileFile[string]['sql']>): Pick<SqlProbe, 'kind' | 'component' | 'query'> {
  const { component, database } = written;
  return { kind: 'sql', component, query: written.query, ...(database === undefined ? {} : { database }) };
}

/** The cross checks have made sure that there is one. */
function commandOf(written: Pick<ChecksFile[string], 'command' | 'service' | 'inDrills'>): CommandProbe {
  return {
    kind: 'command',
    command: written.command ?? [],
    ...(written.service === undefined ? {} : { service: written.service }),
    inDrills: written.inDrills ?? false,
  };
}

function hostOf(probe: SystemCheck['probe'] | Reconciliation['probe'], { components, services }: Hosts): string {
  if (probe.kind !== 'sql') return services;
  return components.find((component) => component.name === probe.component)?.host ?? services;
}
