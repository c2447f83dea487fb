import { Option, type Command } from 'commander';
import { POLICY_ROLES, type PolicyRole } from '../policy/store-rights.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface PolicyOptions extends CommonOptions {
  readonly role: PolicyRole;
  readonly principal?: string;
  readonly kmsKey?: string;
}

export function definePolicy(program: Command): void {
  addCommand(program, 'policy <system> [store]', {
    summary: 'the least rights on a bucket, for IAM',
    description:
      'Prints what a role needs of an S3, Google Cloud Storage or Azure store and no more: a host that captures, one that\n' +
      'verifies, one that keeps the store (copies into it, prunes, heals, extends locks), one that restores. For S3 an IAM\n' +
      'policy, or with --principal a policy of the bucket; for Google custom roles with their bindings; for Azure a role\n' +
      'with the condition of its assignment. Connects to nothing and changes nothing.',
    examples: ['policy my-stack --role capture', 'policy ./my-stack.yaml s3 --role prune --kms-key arn:aws:kms:…'],
  })
    .addOption(new Option('--role <role>', 'for whom').choices(POLICY_ROLES).makeOptionMandatory())
    .option('--principal <arn>', 'S3: print a policy of the bucket for this user or role')
    .option('--kms-key <arn>', 'S3: the key of SSE-KMS, where the bucket has one')
    .action((system: string, store: string | undefined, options: PolicyOptions) =>
      perform(options, (shell) => policy(shell, system, store, options)),
    );
}

async function policy(
  shell: Shell,
  systemName: string,
  storeName: string | undefined,
  options: PolicyOptions,
): Promise<ExitCode> {
  const [{ loadSystem, loadSystemFile }, { bucketStore }, made] = await Promise.all([
    import('../system/load.ts'),
    import('./bucket-store.ts'),
    import('./policy-texts.ts'),
  ]);
  const system = /[/.]/.test(systemName) ? await loadSystemFile(systemName) : await loadSystem(systemName);
  const store = bucketStore(system, storeName);
  const printed = made.policyOf(system, store, options);
  const { role } = options;
  shell.result({ system: system.name, store: store.name, role, policy: printed }, () =>
    JSON.stringify(printed, null, 2),
  );
  for (const note of made.policyNotes(store, options)) shell.say(note);
  return 0;
}
