/** The shape of the names that a failover leads elsewhere. */
import { z } from 'zod';
import { absolutePath, count, DEFAULTS, duration, name, secret, text } from './schema-parts.ts';

export const DNS_TYPES = ['A', 'AAAA', 'CNAME', 'TXT', 'MX'] as const;
export type DnsType = (typeof DNS_TYPES)[number];

export const DNS_DEFAULTS = {
  ttl: '60s',
  weight: 100,
  inSyncWithin: '5m',
  answeredWithin: '2m',
  commandTimeout: '60s',
  checkInterval: '10s',
  failureThreshold: 3,
} as const;

const domain = (what: string) =>
  z
    .string()
    .regex(/^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*\.?$/, {
      error: 'write a whole name such as ledger.example.net',
    })
    .describe(what);
const zone = (what: string) =>
  z
    .string()
    .regex(/^Z[A-Z0-9]+$/, 'write the id of a hosted zone, such as Z0123456789ABCDEFGHIJ')
    .describe(what);
const command = (what: string) =>
  z
    .array(z.string().min(1, 'write some text'))
    .min(1, 'name a program')
    .describe(`${what} A program and its arguments.`);
const ttl = duration(`How long an answer may be remembered. Default ${DNS_DEFAULTS.ttl}.`).optional();
const type = z.enum(DNS_TYPES).describe('Of the record.');

const alias = z
  .strictObject({
    zone: zone('The hosted zone of the target, such as that of load balancers of its region.'),
    name: domain('The DNS name of the target.'),
    evaluateTargetHealth: z.boolean().describe('Default false.').optional(),
  })
  .describe('An AWS resource.');
const HELD = 'write a list of values, { alias: … } or { set: <set identifier> }';
const held = z
  .union(
    [
      z.array(text('A value.')).min(1, 'name at least one value'),
      z.strictObject({ alias }),
      z.strictObject({ set: text('The set identifier of the record set that is this site’s.') }),
    ],
    HELD,
  )
  .describe('What the name leads to while this site is active.');

const record = z.strictObject({
  name: domain('The name, in full.'),
  type,
  ttl,
  routing: z
    .enum(['simple', 'weighted', 'failover'])
    .describe(
      '`simple`: one record set, replaced. `weighted`: one for each site, whose weights are changed. `failover`: two, whose roles are swapped. Default simple.',
    )
    .optional(),
  weight: z
    .int('write a whole number')
    .min(1)
    .max(255)
    .describe(`Of the active site's record set, with \`weighted\`. Default ${DNS_DEFAULTS.weight}.`)
    .optional(),
  sites: z.record(z.string(), held).describe('By site.'),
});

const access = {
  zone: zone('The hosted zone.'),
  region: text(`Default ${DEFAULTS.region}, where the control plane is.`).optional(),
  endpoint: z
    .string()
    .regex(/^https?:\/\/[^@\s]+$/, 'write an address such as https://route53.example.net, without credentials')
    .describe('Another server of the same interface. Default: AWS.')
    .optional(),
  caFile: absolutePath('A certificate authority to trust for this endpoint.').optional(),
  accessKeyId: secret("Default: the AWS SDK's own credential chain.").optional(),
  secretAccessKey: secret("Default: the AWS SDK's own credential chain.").optional(),
};

const asked = {
  resolvers: z
    .array(text('An address, or address:port.'))
    .describe('Resolvers to ask what the names lead to. Default: those of the machine.')
    .optional(),
  nameservers: z
    .array(text('A host, or host:port.'))
    .describe('Authoritative servers to ask. Default: those that the zone is delegated to.')
    .optional(),
  answeredWithin: duration(
    `How long the authoritative servers may take to answer with the change. Default ${DNS_DEFAULTS.answeredWithin}.`,
  ).optional(),
};

const healthSwitch = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('file'),
      path: absolutePath('A file on the standby, served at the address of `check`.'),
    }),
    z.strictObject({
      kind: z.literal('store'),
      store: text('A store of this file, whose objects the checkers may read at the address of `check`.'),
      key: z
        .string()
        .regex(/^[A-Za-z0-9_-]+([./-][A-Za-z0-9_-]+)*$/, 'write a key of letters, digits, . _ - and /')
        .describe('The object.'),
    }),
    z.strictObject({
      kind: z.literal('command'),
      on: command('Makes the address of `check` answer.'),
      off: command('Makes it answer no more.'),
      timeout: duration(`Default ${DNS_DEFAULTS.commandTimeout}.`).optional(),
    }),
  ])
  .describe('What the standby writes to take the names over, and removes to give them back.');

export const dnsSchema = z
  .array(
    z.discriminatedUnion('kind', [
      z.strictObject({
        kind: z.literal('route53'),
        ...access,
        records: z
          .array(record)
          .min(1, 'name at least one record')
          .describe('Record sets that follow the active site.'),
        inSyncWithin: duration(`How long a change may stay PENDING. Default ${DNS_DEFAULTS.inSyncWithin}.`).optional(),
        ...asked,
      }),
      z.strictObject({
        kind: z.literal('route53-health'),
        ...access,
        primary: name('The site whose record set is PRIMARY.'),
        standby: name('The site that has the switch, and takes the names over with it.'),
        switch: healthSwitch,
        check: z
          .strictObject({
            url: z
              .string()
              .regex(/^https?:\/\/[^@\s/]+\/[^\s]*$/, 'write an address such as https://switch.example.net/ledger')
              .describe(
                'What the checkers ask: at the standby, and answered with 2xx or 3xx only while the switch is on.',
              ),
            search: z.string().min(1).max(255).describe('A text that the answer must hold.').optional(),
            interval: z
              .enum(['10s', '30s'])
              .describe(`Between two looks of each checker. Default ${DNS_DEFAULTS.checkInterval}.`)
              .optional(),
            failureThreshold: count(`Looks in a row that decide, at most 10. Default ${DNS_DEFAULTS.failureThreshold}.`)
              .max(10, 'write at most 10')
              .optional(),
          })
          .describe('The inverted health check of the PRIMARY record sets.'),
        records: z.array(record).min(1, 'name at least one record').describe('With what each of the two sites has.'),
        ...asked,
      }),
      z.strictObject({
        kind: z.literal('command'),
        name: text('What it changes, for people.'),
        read: command('Prints how it stands now; what it prints is kept and shown, so no secret.').optional(),
        change: command('Leads the names to $HOLDFAST_SITE. It may run twice.'),
        verify: command('Exit 0 when the names lead to $HOLDFAST_SITE.').optional(),
        timeout: duration(`Of each command. Default ${DNS_DEFAULTS.commandTimeout}.`).optional(),
        ttl,
        secrets: z
          .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), secret('Given to the commands as this variable.'))
          .describe('Variables of the commands, such as a token.')
          .optional(),
      }),
    ]),
  )
  .describe('Names that lead to the active site. DNS moves readers and fences nobody.');

export type DnsFile = z.output<typeof dnsSchema>;
