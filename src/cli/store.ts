import type { Command } from 'commander';
import type { SetupPlan } from '../policy/bucket-setup.ts';
import type { Colours } from '../observe/colours.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface SetupOptions extends CommonOptions {
  readonly apply?: boolean;
  readonly kmsKey?: string;
  readonly keepVersions: string;
  readonly replicateTo?: string;
  readonly role?: string;
  readonly awsChain?: boolean;
}

export function defineStore(program: Command): void {
  const store = program.command('store').summary('the settings of a bucket').description('The settings of a bucket.');
  addCommand(store, 'setup <system> [store]', {
    summary: 'what an S3 bucket lacks, and with --apply makes it so',
    description:
      'Compares the bucket with what its store in the system file needs: that it exists, versions, Object Lock with a default\n' +
      'when the store is `immutable`, encryption, no public access, removal of incomplete uploads and old versions, and on\n' +
      "request replication to another region. Without --apply nothing is changed. Others' lifecycle rules that would delete\n" +
      'or freeze backups are told and never touched.',
    examples: ['store setup my-stack', 'store setup my-stack s3 --kms-key alias/backups --apply'],
  })
    .option('--apply', 'make the changes that are shown')
    .option('--kms-key <key>', 'encrypt with this key of KMS (SSE-KMS); default SSE-S3, or what the bucket has')
    .option('--keep-versions <days>', 'how long a version that was deleted or replaced stays', '30')
    .option('--replicate-to <arn>', 'the bucket in another region that everything is replicated to')
    .option('--role <arn>', 'the role that S3 replicates as')
    .option('--aws-chain', "the AWS SDK's own credentials instead of those of the system file")
    .action((system: string, name: string | undefined, options: SetupOptions) =>
      perform(options, (shell) => setup(shell, system, name, options)),
    );
}

async function setup(
  shell: Shell,
  systemName: string,
  name: string | undefined,
  options: SetupOptions,
): Promise<ExitCode> {
  const [
    { loadSystem, loadSystemFile },
    { bucketStore },
    { setupWishes, withLogin },
    { applySetup, openBucketSettings },
    secrets,
  ] = await Promise.all([
    import('../system/load.ts'),
    import('./bucket-store.ts'),
    import('./setup-wishes.ts'),
    import('../stores/s3-setup.ts'),
    import('../system/secrets.ts'),
  ]);
  const [{ planSetup }, { tellAudit }] = await Promise.all([
    import('../policy/bucket-setup.ts'),
    import('./audited.ts'),
  ]);
  const system = /[/.]/.test(systemName) ? await loadSystemFile(systemName) : await loadSystem(systemName);
  const store = bucketStore(system, name);
  const { config, wishes } = setupWishes(store, options);
  const settings = await openBucketSettings(withLogin(config, options.awsChain === true), secrets.resolveSecret);
  try {
    const apply = options.apply === true;
    const { made, left } = apply
      ? await applySetup(settings, wishes, ({ then }) => shell.say(`made: ${then}`))
      : { made: [], left: planSetup(await settings.read(), wishes) };
    const bucket = { system: system.name, store: store.name, bucket: config.bucket };
    shell.result(
      { ...bucket, applied: apply, changed: made, left: left.steps, dangers: left.dangers, notes: left.notes },
      (colours) => planText(colours, settings.label, left, apply ? made.length : undefined),
    );
    if (made.length > 0) {
      const about = `${store.name}: ${made.map(({ then }) => then).join(', ')}`;
      await tellAudit(shell, system, { operation: 'store setup', outcome: 'changed', about });
    }
    return left.steps.length === 0 && left.dangers.length === 0 ? 0 : 1;
  } finally {
    settings.close();
  }
}

/** `changed` is how many changes were made, undefined when none were to be made. */
function planText(
  colours: Colours,
  label: string,
  { steps, dangers, notes }: SetupPlan,
  changed: number | undefined,
): string {
  const lines = steps.map(({ now, then }) => `  ${colours.yellow('change')}  ${now} → ${then}`);
  const done = changed === undefined ? '' : `${changed} changed, `;
  const head = steps.length === 0 ? `${label}: ${done}as it should be` : `${label}: ${done}${steps.length} to change`;
  return [
    head,
    ...lines,
    ...dangers.map((danger) => `  ${colours.red('danger')}  ${danger}`),
    ...notes.map((note) => `  note    ${note}`),
    ...(steps.length > 0 && changed === undefined ? ['Nothing was changed; --apply makes it so.'] : []),
  ].join('\n');
}
