/** Section `failover`: the sites that may run the system, and how one takes it over from another. */
import { z } from 'zod';
import { buildDns } from './dns-build.ts';
import { dnsSchema } from './dns-schema.ts';
import { durationSeconds } from './durations.ts';
import type { FailoverConfig, VantageConfig, VantageProbe } from './failover-types.ts';
import { buildSchedule } from './schedule-build.ts';
import { scheduleSchema } from './schedule-schema.ts';
import { count, duration, name, text } from './schema-parts.ts';
import { buildProbe, commandSchema, httpSchema } from './validation-schema.ts';

export const FAILOVER_DEFAULTS = {
  fencing: 'lease',
  lease: '60s',
  stop: '30s',
  quorum: 1,
  looks: 3,
  over: '30s',
  answerWithin: '10s',
  confirm: '5m',
  publicCheck: '10m',
  look: '15s',
  answer: '1h',
  raise: '5m',
} as const;

const vantage = z.strictObject({
  place: text('Where it looks from: two in one place count once. Default: the site of this file.').optional(),
  http: httpSchema.describe('A page of the system at the active site.').optional(),
  command: commandSchema
    .describe(
      'Ends with 0 when the system answers, with 1 when it is silent, with 2 when it can not see anything itself.',
    )
    .optional(),
  reference: httpSchema
    .describe('With `http`: a page elsewhere that always answers. When it is silent, too, nothing was seen.')
    .optional(),
});

export const failoverSchema = z
  .strictObject({
    sites: z.array(name('A site.')).min(2, 'name at least two sites').describe('All that may run the system.'),
    authority: z
      .string()
      .describe('The store that says which site is active: outside all sites, with create-only writes.'),
    fencing: z
      .enum(['lease', 'confirmed', 'attested'])
      .describe(
        'How the site before is known not to run any more. `lease` (default): a guard at each site stops the stack when it ' +
          'can not renew its lease. `confirmed`: the command `confirm` says that it is stopped. `attested`: a person does.',
      )
      .optional(),
    lease: duration(`How long one renewal lets the stack run. Default ${FAILOVER_DEFAULTS.lease}.`).optional(),
    stop: duration(`The longest that the stack takes to stop. Default ${FAILOVER_DEFAULTS.stop}.`).optional(),
    confirm: z
      .strictObject({
        command: commandSchema.describe(
          'Ends with 0 when the site HOLDFAST_FROM_SITE is known to be stopped, such as by its provider.',
        ),
        within: duration(`How long that may take. Default ${FAILOVER_DEFAULTS.confirm}.`).optional(),
      })
      .describe('With `fencing: confirmed`.')
      .optional(),
    automatic: z
      .strictObject({ downFor: duration('How long the site must have been seen down.') })
      .describe('Takes over without a person, where a lease fences. Default: a person approves.')
      .optional(),
    assess: z
      .strictObject({
        from: z.record(z.string(), vantage).describe('Places that look, by name.'),
        quorum: count(`Of places that have to agree. Default ${FAILOVER_DEFAULTS.quorum}.`).optional(),
        looks: count(`Of each. Default ${FAILOVER_DEFAULTS.looks}.`).optional(),
        answerWithin: duration(
          `How long one look waits for its answer. Default ${FAILOVER_DEFAULTS.answerWithin}.`,
        ).optional(),
        over: duration(`From the first look to the last. Default ${FAILOVER_DEFAULTS.over}.`).optional(),
      })
      .describe('Is the active site really down?'),
    rpo: duration('The most that a failover may lose. Default: the smallest `rpo` of the plans.').optional(),
    check: z
      .strictObject({
        http: httpSchema,
        within: duration(`How long it may take, DNS among it. Default ${FAILOVER_DEFAULTS.publicCheck}.`).optional(),
      })
      .describe('The system through its public name, after DNS was changed.')
      .optional(),
    dns: dnsSchema.optional(),
    handover: z
      .strictObject({
        look: duration(
          `How often this site looks whether another one asks for the system. Default ${FAILOVER_DEFAULTS.look}.`,
        ).optional(),
        answer: duration(
          `How long the one that asks waits until the active site has stopped and made its last backup. Default ${FAILOVER_DEFAULTS.answer}.`,
        ).optional(),
        raise: duration(
          `How long a site that has stopped waits for the other to take over, before it starts again. Default ${FAILOVER_DEFAULTS.raise}.`,
        ).optional(),
      })
      .describe('A planned change of sites: one asks, the other stops and answers.')
      .optional(),
    warm: z
      .boolean()
      .describe('A site that is not active restores every new backup ahead of a failover. Default false.')
      .optional(),
    readiness: scheduleSchema
      .describe('When it is looked at whether this site could take over: `holdfast failover <system> --readiness`.')
      .optional(),
    rehearsal: scheduleSchema
      .describe('When a failover is rehearsed, without fence and names: `holdfast failover <system> --rehearse`.')
      .optional(),
  })
  .describe('The sites that may run the system, and how one takes over from another.');

export type FailoverFile = z.output<typeof failoverSchema>;

/** `site` is that of the file. */
export function buildFailover(file: FailoverFile, site: string, rpoSeconds: number | undefined): FailoverConfig {
  const seconds = (written: string | undefined, or: string): number => durationSeconds(written ?? or);
  const { assess, automatic, confirm, check } = file;
  const rpo = file.rpo === undefined ? rpoSeconds : durationSeconds(file.rpo);
  return {
    sites: [...new Set(file.sites)],
    authority: file.authority,
    fencing: file.fencing ?? FAILOVER_DEFAULTS.fencing,
    leaseSeconds: seconds(file.lease, FAILOVER_DEFAULTS.lease),
    stopSeconds: seconds(file.stop, FAILOVER_DEFAULTS.stop),
    assess: {
      from: Object.entries(assess.from).map(([vantageName, one]) => buildVantage(vantageName, one, site)),
      quorum: assess.quorum ?? FAILOVER_DEFAULTS.quorum,
      looks: assess.looks ?? FAILOVER_DEFAULTS.looks,
      overSeconds: seconds(assess.over, FAILOVER_DEFAULTS.over),
      answerWithinSeconds: seconds(assess.answerWithin, FAILOVER_DEFAULTS.answerWithin),
    },
    dns: buildDns(file.dns),
    handover: {
      lookSeconds: seconds(file.handover?.look, FAILOVER_DEFAULTS.look),
      answerSeconds: seconds(file.handover?.answer, FAILOVER_DEFAULTS.answer),
      raiseSeconds: seconds(file.handover?.raise, FAILOVER_DEFAULTS.raise),
    },
    warm: file.warm === true,
    ...(file.readiness === undefined ? {} : { readiness: buildSchedule(file.readiness) }),
    ...(file.rehearsal === undefined ? {} : { rehearsal: buildSchedule(file.rehearsal) }),
    ...(rpo === undefined ? {} : { rpoSeconds: rpo }),
    ...(automatic === undefined ? {} : { automatic: { downForSeconds: durationSeconds(automatic.downFor) } }),
    ...(confirm === undefined
      ? {}
      : {
          confirm: { command: confirm.command, withinSeconds: seconds(confirm.within, FAILOVER_DEFAULTS.confirm) },
        }),
    ...(check === undefined
      ? {}
      : {
          check: {
            probe: buildProbe({ http: check.http, command: undefined }),
            withinSeconds: seconds(check.within, FAILOVER_DEFAULTS.publicCheck),
          },
        }),
  };
}

function buildVantage(
  vantageName: string,
  { place, http, command, reference }: FailoverFile['assess']['from'][string],
  site: string,
): VantageConfig {
  const probe: VantageProbe = buildProbe({ http, command });
  return {
    name: vantageName,
    place: place ?? site,
    probe,
    ...(reference === undefined ? {} : { reference: buildProbe({ http: reference, command: undefined }) }),
  };
}
