/** The shape of channels and of escalation in a system file. */
import { z } from 'zod';
import { CHECKS, SEVERITIES } from '../policy/findings.ts';
import { CHANNEL_EVENTS } from '../policy/notices.ts';
import { PLACEHOLDERS } from '../policy/templates.ts';
import { absolutePath, duration, secret, text } from './schema-parts.ts';

export const NOTIFY_DEFAULTS = {
  commandTimeout: '30s',
  emailTls: 'starttls',
  emailPort: { none: 25, starttls: 587, tls: 465 },
  repeat: '4h',
  settle: '10m',
  acknowledgedFor: '24h',
  countFrom: 'outage',
} as const;

const placeholders = PLACEHOLDERS.map((one) => `{${one}}`).join(' ');
const address = (what: string) =>
  z
    .string()
    .regex(/^[^\r\n]*[^\s@<>]+@[^\s@<>]+>?$/, 'write an address such as ops@example.net or Ops <ops@example.net>')
    .describe(what);

const common = {
  on: z
    .array(z.enum(CHANNEL_EVENTS))
    .min(1, 'name at least one event, or leave `on` out')
    .describe('What it is told beside what `escalation` sends it. Default: nothing.')
    .optional(),
  template: text(`The message, with placeholders: ${placeholders}. Default: title and text.`).optional(),
};

export const channelSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('slack'),
    url: secret("The incoming webhook's address, which is a secret as a whole."),
    ...common,
  }),
  z.strictObject({
    kind: z.literal('webhook'),
    url: secret('The address to post to.'),
    signingKey: secret('Signs each message as standardwebhooks.com has it: whsec_ and base64, or base64.').optional(),
    ...common,
  }),
  z.strictObject({
    kind: z.literal('email'),
    server: text('The mail server.'),
    port: z
      .int('write a whole number')
      .min(1)
      .max(65_535)
      .describe('Default 587, 465 with `tls: tls`, 25 with `tls: none`.')
      .optional(),
    tls: z
      .enum(['none', 'starttls', 'tls'])
      .describe(`Default ${NOTIFY_DEFAULTS.emailTls}; the certificate is checked.`)
      .optional(),
    caFile: absolutePath('A certificate authority to trust for this server.').optional(),
    user: text('The account there.').optional(),
    password: secret('Of the account.').optional(),
    from: address('The sender.'),
    to: z.array(address('A recipient.')).min(1, 'name at least one recipient').describe('The recipients.'),
    subject: text(`The subject, with placeholders: ${placeholders}. Default: the title.`).optional(),
    ...common,
  }),
  z.strictObject({
    kind: z.literal('command'),
    command: z
      .array(z.string().min(1, 'write some text'))
      .min(1, 'name a program')
      .describe('A program and its arguments; it reads the event as JSON. Exit 0 means delivered.'),
    timeout: duration(`Default ${NOTIFY_DEFAULTS.commandTimeout}.`).optional(),
    ...common,
  }),
]);

const level = z.strictObject({
  name: text('How people call it, such as `L2` or `team lead`.'),
  after: duration('When it is told, such as 30m; 0s for at once.'),
  notify: z.array(z.string()).min(1, 'name at least one channel').describe('Channels of `notify`.'),
  contact: text('Who that is and how to reach them, for the runbook. No secret.').optional(),
  action: text('What they are to do, for the runbook.').optional(),
});

const escalationParts = {
  levels: z.array(level).min(1, 'name at least one level').describe('Who is told, by time, the soonest first.'),
  countFrom: z
    .enum(['outage', 'notice'])
    .describe('Times count since the trouble began, or since it was noticed. Default outage.')
    .optional(),
  repeat: duration(`Who was told is reminded after so long. Default ${NOTIFY_DEFAULTS.repeat}.`).optional(),
  settle: duration(
    `A trouble that is gone for so long is over; one that comes back before is no news. Default ${NOTIFY_DEFAULTS.settle}.`,
  ).optional(),
  acknowledgedFor: duration(
    `How long an acknowledgement holds. Default ${NOTIFY_DEFAULTS.acknowledgedFor}.`,
  ).optional(),
};

export const ESCALATION_CLASSES: readonly string[] = [...CHECKS, ...SEVERITIES];

export const escalationSchema = z
  .strictObject({
    ...escalationParts,
    classes: z
      .record(z.string(), z.strictObject({ ...escalationParts, levels: escalationParts.levels.optional() }))
      .describe('Otherwise for a check, such as `corruption`, or a severity: `critical`, `warning`.')
      .optional(),
  })
  .describe('Who is told of trouble, and when, until somebody acknowledges it or it is gone.');
