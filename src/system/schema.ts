/** The shape of a system file. Descriptions and defaults are what editors show; `build.ts` fills the defaults in. */
import { z } from 'zod';
import { cleanPointSchema } from './clean-point-schema.ts';
import { databaseChecks } from './database-checks.ts';
import { limitsSchema, monitorSchema } from './monitor-schema.ts';
import { channelSchema, escalationSchema } from './notify-schema.ts';
import { gitSchema } from './git-schema.ts';
import { drillsSchema } from './drill-schema.ts';
import { failoverSchema } from './failover-schema.ts';
import { housekeepingSchema } from './housekeeping-schema.ts';
import { postgresComponent } from './postgres-schema.ts';
import { absolutePath, base, DEFAULTS, duration, name, patterns, secret, text } from './schema-parts.ts';
import { maintenanceSchema, scheduleSchema } from './schedule-schema.ts';
import { keepSchema, ruleSchema, storeSchema } from './store-schema.ts';
import { systemdComponent } from './systemd-schema.ts';
import { checksSchema, objectivesSchema, reconcileSchema } from './validation-schema.ts';

export { DEFAULTS, NAME_PATTERN, SECRET_WANTED } from './schema-parts.ts';

const quiesceMode = z.enum(['pause', 'stop', 'none']).describe('How writers are held still while a component is read.');
const quiesce = z
  .union([
    quiesceMode,
    z.strictObject({
      mode: quiesceMode,
      budget: duration(
        `The longest a container may stay paused or stopped. Default ${DEFAULTS.quiesceBudget}.`,
      ).optional(),
    }),
  ])
  .describe('`pause`, `stop` or `none`, or `{ mode: pause, budget: 30s }`.');

const check = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('ledger'),
      file: text('The ledger file inside the volume.'),
      image: text('An image that holds the checking program.').optional(),
    }),
    z.strictObject({
      kind: z.literal('tigerbeetle'),
      file: text('The data file inside the volume, such as 0_0.tigerbeetle.'),
      binary: absolutePath('A tigerbeetle binary of the release that wrote the file.').optional(),
      image: text('An image of that release.').optional(),
    }),
    z.strictObject({
      kind: z.literal('command'),
      command: z.array(z.string()).min(1).describe('Run on a scratch copy; exit 0 means good. {} is the copy.'),
      timeout: duration(`Default ${DEFAULTS.checkTimeout}.`).optional(),
    }),
  ])
  .describe('How what was captured or restored is judged. An open port proves nothing.');

const component = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('volume'),
    volume: text('The Docker volume.'),
    quiesce: quiesce.optional(),
    exclude: patterns('Paths inside the volume to leave out.').optional(),
    check: check.optional(),
    ...base,
  }),
  z.strictObject({
    kind: z.literal('files'),
    path: absolutePath('A directory or one file.'),
    include: patterns('Only these; default everything.').optional(),
    exclude: patterns('All but these.').optional(),
    minimumAge: duration('Only files that are at least this old. Default: all.').optional(),
    exceptComponents: z
      .boolean()
      .describe('Leave out what other components of this host hold, such as databases below it. Default false.')
      .optional(),
    ...base,
  }),
  z.strictObject({
    kind: z.literal('sqlite'),
    path: absolutePath('The database file.'),
    requiredTables: z.array(z.string().min(1)).describe('Tables that must be there, or the capture fails.').optional(),
    checks: databaseChecks.optional(),
    usedBy: z
      .array(z.string().min(1))
      .describe('Compose services or containers to stop while a restore swaps the file in.')
      .optional(),
    ...base,
  }),
  z.strictObject({
    kind: z.literal('compose'),
    project: text('The Compose project name.'),
    directory: absolutePath('The project directory.'),
    files: z
      .array(z.string().min(1))
      .min(1)
      .describe('Compose files, relative to the directory. Default: compose.yaml.')
      .optional(),
    healthTimeout: duration(
      `How long a start may take to become healthy. Default ${DEFAULTS.healthTimeout}.`,
    ).optional(),
    saveImages: z.boolean().describe('Store the images too. Default false.').optional(),
    ...base,
  }),
  postgresComponent,
  systemdComponent,
]);

const plan = z.strictObject({
  components: z.array(z.string()).min(1, 'name at least one component').describe('What is captured together.'),
  stores: z
    .array(z.string())
    .min(1, 'name at least one store')
    .describe('The first takes the capture; others are copies.'),
  schedule: scheduleSchema.optional(),
  onChange: z.boolean().describe('Also run whenever files of its components change. Default false.').optional(),
  quiesce: quiesce
    .describe("Overrides the components' own: with `stop`, all of it is captured inside one stop.")
    .optional(),
  keep: keepSchema.describe('What `prune` keeps; a backup that any rule keeps stays. Default: everything.').optional(),
  keepIn: z
    .record(z.string(), keepSchema)
    .describe('By store, instead of `keep`. A copy is made only of what its store would keep.')
    .optional(),
  verify: z
    .enum(['presence', 'content'])
    .describe('How the fresh backup is read back before the run ends. Default presence; content needs `keys.identity`.')
    .optional(),
  git: gitSchema.optional(),
  rpo: duration('The most data, in time, that may be lost; `status` warns when the newest backup is older.').optional(),
  limits: limitsSchema.optional(),
});

const keys = z
  .strictObject({
    recipients: z
      .array(z.string().regex(/^age1[0-9a-z]{58}$/, 'write an age recipient, age1… (62 characters)'))
      .min(2, 'name at least two recipients: operations and escrow')
      .describe('age recipients that can read the backups: operations and escrow at least.'),
    chunkIdKey: secret('The key that names chunks.'),
    signer: secret('The OpenSSH Ed25519 key that signs manifests.'),
    keeper: secret('Only on hosts that maintain stores: the key that signs prunes. Default: `signer`.').optional(),
    identity: secret('Only on hosts that verify or restore: an age identity.').optional(),
    rootFingerprint: z
      .string()
      .regex(/^SHA256:[A-Za-z0-9+/]{43}$/, 'write the fingerprint of the root key, SHA256:… (50 characters)')
      .describe('The fingerprint of the offline root, as in the recovery kit.'),
  })
  .describe('Made by `holdfast init`, which writes this section.');

export const systemFileSchema = z
  .strictObject({
    system: name('The name of the system, used in every command.'),
    site: name(`Where it runs. Default ${DEFAULTS.site}.`).optional(),
    hosts: z
      .array(name('A host.'))
      .min(1, 'name at least one host')
      .describe(`The machines with a Holdfast worker. Default [${DEFAULTS.host}].`)
      .optional(),
    stores: z.record(z.string(), storeSchema).describe('Where backups lie, by name.'),
    keys: keys.optional(),
    components: z.record(z.string(), component).describe('What holds state, by name.'),
    plans: z.record(z.string(), plan).describe('What is captured together, when and how, by name.'),
    maintenance: maintenanceSchema.optional(),
    compose: name('The compose component that holds the services. Default: the only one.').optional(),
    approval: z
      .strictObject({
        limit: duration(`How long a plan waits for approval. Default ${DEFAULTS.approvalLimit}.`).optional(),
        fourEyes: z
          .boolean()
          .describe('Who asked for a plan may not approve it: two people, by the names they give. Default false.')
          .optional(),
      })
      .describe('Before anything is overwritten a person approves the printed plan.')
      .optional(),
    notify: z.record(z.string(), channelSchema).describe('Where messages go, by name.').optional(),
    escalation: escalationSchema.optional(),
    housekeeping: housekeepingSchema.optional(),
    checks: checksSchema.optional(),
    reconcile: reconcileSchema.optional(),
    objectives: objectivesSchema.optional(),
    drills: drillsSchema.optional(),
    failover: failoverSchema.optional(),
    cleanPoint: cleanPointSchema.optional(),
    rule: ruleSchema.optional(),
    monitor: monitorSchema.optional(),
    prices: absolutePath('A table of prices, for `storage` and `restore` to tell costs by.').optional(),
    keepAside: duration(
      `How long the replaced state is kept after a restore. Default ${DEFAULTS.keepAside}.`,
    ).optional(),
  })
  .describe('A Holdfast system file');

export type SystemFile = z.output<typeof systemFileSchema>;

/** JSON Schema (draft 2020-12) for editors: what a person may write. */
export function systemJsonSchema(): Record<string, unknown> {
  return { title: 'Holdfast system file', ...z.toJSONSchema(systemFileSchema, { io: 'input' }) };
}
