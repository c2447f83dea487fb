/** The shape of stores in a system file, of the rule their copies meet, and of what is kept in them. */
import { z } from 'zod';
import { absolutePath, count, DEFAULTS, duration, name, secret, text } from './schema-parts.ts';

export const STORE_DEFAULTS = { sftpPort: 22, verifyEvery: '30d' } as const;

const RATE_PATTERN = /^[1-9][0-9]*(KiB|MiB|GiB)$/;
const rate = (what: string) => z.string().regex(RATE_PATTERN, 'write a rate a second such as 10MiB').describe(what);

const prefix = z
  .string()
  .regex(/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*\/?$/, 'write a prefix of letters, digits, . _ - and /')
  .describe('Default: the name of the system.')
  .optional();

const endpoint = (what: string) =>
  z
    .string()
    .regex(/^https?:\/\/[^@\s]+$/, 'write an address such as https://s3.example.net, without credentials')
    .describe(what)
    .optional();

const immutable = z
  .strictObject({
    mode: z
      .enum(['governance', 'compliance'])
      .describe('Who may lift a lock before its time: a role with a right of its own, or nobody.'),
    for: duration('How long an object stays locked once it is written; extended for what is kept.'),
  })
  .describe('Locks that the store itself enforces. The bucket must have been made for it: `holdfast store setup`.');

/** What every store has. */
const common = {
  place: text('Where it is, for the rule: a region, a room. Default: the region, else the site.').optional(),
  medium: text('What it lies on, for the rule. Default: disk, object storage or server, by its kind.').optional(),
  parallelism: count('Requests at once. Default: by the kind.').optional(),
  bandwidth: rate('The most bytes a second of one process, both ways together. Default: no limit.').optional(),
  verifyEvery: duration(
    `The time in which \`verify --whole\`, run regularly, reads all of it back. Default ${STORE_DEFAULTS.verifyEvery}.`,
  ).optional(),
  maintainedBy: name('The host that copies into it, prunes and verifies it. Default: the first of `hosts`.').optional(),
};

const s3Login = {
  accessKeyId: secret("Default: the AWS SDK's own credential chain.").optional(),
  secretAccessKey: secret("Default: the AWS SDK's own credential chain.").optional(),
};
const gcsLogin = { credentials: secret("A service account's JSON. Default: the SDK's own chain.").optional() };
const azureLogin = {
  accountKey: secret("The account's key. Default: the SDK's own chain.").optional(),
  sasToken: secret('A shared access signature instead of the key.').optional(),
};
const maintainer = <Login extends z.ZodRawShape>(login: Login) =>
  z
    .strictObject(login)
    .describe('Credentials for pruning, reading back and extending locks, on the host that maintains it.')
    .optional();

export const storeSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('directory'),
    path: absolutePath('A directory of this system alone; a NAS mount is one too.'),
    mustBeMounted: z.boolean().describe('Refuse when the path is not a mount of its own. Default false.').optional(),
    ...common,
  }),
  z.strictObject({
    kind: z.literal('s3'),
    bucket: text('The bucket.'),
    prefix,
    region: text(`Default ${DEFAULTS.region}.`).optional(),
    endpoint: endpoint('Any S3-compatible server. Default: AWS.'),
    pathStyle: z.boolean().describe('Bucket in the path. Default: true when there is an endpoint.').optional(),
    ...s3Login,
    maintainer: maintainer(s3Login),
    caFile: absolutePath('A certificate authority to trust for this endpoint.').optional(),
    storageClass: text('Of the objects that a backup is made of, such as STANDARD_IA or DEEP_ARCHIVE.').optional(),
    immutable: immutable.optional(),
    ...common,
  }),
  z.strictObject({
    kind: z.literal('gcs'),
    bucket: text('The bucket.'),
    prefix,
    endpoint: endpoint('Another server of the same interface. Default: Google.'),
    ...gcsLogin,
    maintainer: maintainer(gcsLogin),
    storageClass: text('Of the objects that a backup is made of, such as NEARLINE or ARCHIVE.').optional(),
    immutable: immutable.optional(),
    ...common,
  }),
  z.strictObject({
    kind: z.literal('azure'),
    account: text('The storage account.'),
    container: text('The container.'),
    prefix,
    endpoint: endpoint('Another address of the account. Default: https://<account>.blob.core.windows.net.'),
    ...azureLogin,
    maintainer: maintainer(azureLogin),
    storageClass: text('The access tier of the objects that a backup is made of: Cool, Cold or Archive.').optional(),
    immutable: immutable.optional(),
    ...common,
  }),
  z.strictObject({
    kind: z.literal('sftp'),
    host: text('A name or an IP address.'),
    port: z.int('write a whole number').min(1).max(65_535).describe(`Default ${STORE_DEFAULTS.sftpPort}.`).optional(),
    user: text('The account there.'),
    path: absolutePath('A directory of this system alone, on the server.'),
    hostKey: z
      .string()
      .regex(/^SHA256:[A-Za-z0-9+/]{43}$/, 'write the fingerprint of the host key, SHA256:… (50 characters)')
      .describe('The fingerprint of the server, as `ssh-keygen -lf` prints it.'),
    privateKey: secret('An OpenSSH private key without passphrase.').optional(),
    password: secret('Instead of a key.').optional(),
    ...common,
  }),
]);

export const keepSchema = z.strictObject({
  last: count('The newest n.').optional(),
  hourly: count('The newest of each of n hours.').optional(),
  daily: count('The newest of each of n days.').optional(),
  weekly: count('The newest of each of n weeks.').optional(),
  monthly: count('The newest of each of n months.').optional(),
  yearly: count('The newest of each of n years.').optional(),
  within: duration('Everything younger than this.').optional(),
  tags: z.array(text('A tag of `backup --tag`.')).min(1).describe('Everything with one of these tags.').optional(),
  proved: count('At least so many proved backups, whatever else is said. Default 1.').optional(),
});

export const ruleSchema = z
  .strictObject({
    copies: count('Copies in all, the live data counted as one. Default 3.').optional(),
    media: count('Kinds of media they lie on. Default 2.').optional(),
    offsite: z
      .int('write a whole number')
      .min(0)
      .describe('Copies in another place than the site. Default 1.')
      .optional(),
    immutable: z.int('write a whole number').min(0).describe('Copies that a store locks. Default 1.').optional(),
    errors: z.int('write a whole number').min(0).describe('Errors of the last verification. Default 0.').optional(),
  })
  .describe('What every plan must meet (3-2-1-1-0); a file whose stores cannot is refused. Default: no rule.');
