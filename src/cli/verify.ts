import { Option, type Command } from 'commander';
import type { VerifyInput, VerifyResult, VerifyStoreInput, VerifyStoreResult } from '../workflows/contract.ts';
import { HoldfastError } from '../failures.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly level?: 'presence' | 'content';
  readonly store?: string;
  readonly plan?: string;
  readonly whole?: boolean;
  readonly all?: boolean;
  readonly heal?: boolean;
}

export function defineVerify(program: Command): void {
  addCommand(program, 'verify <system> [backup]', {
    summary: 'read a backup, or a whole store, back and say whether it is whole',
    description:
      'Level `content` (default) fetches, opens and compares every chunk and needs the identity on the host; `presence`\n' +
      'needs no key. The verdict is signed and kept beside the backup. A bad backup is an answer: exit 1.\n\n' +
      'With `--whole` everything in the stores is looked at: objects, manifests, proofs, the write-ahead log. Run daily\n' +
      'it reads the share that is due, so that all is read back within `verifyEvery` of the store; `--all` reads\n' +
      'everything now. No key is needed; with an identity objects are opened as well. `--heal` replaces what is bad from\n' +
      'another store; what no store has is put aside, so that the next backup stores it again.',
    examples: [
      'verify m2m-connector',
      'verify m2m-connector 82eed6cab96c --level presence --store nas --json',
      'verify m2m-connector --whole',
      'verify m2m-connector --whole --all --heal --store nas',
    ],
  })
    .addOption(new Option('--level <level>', 'default: content').choices(['presence', 'content']))
    .option('--store <name>', 'the copy in this store')
    .option('--whole', 'the stores as a whole: the share that is due')
    .option('--all', 'with --whole: everything now')
    .option('--heal', 'with --whole: replace what is bad from another store')
    .option('--plan <name>', 'the newest of this plan, when no backup is named')
    .action((system: string, backup: string | undefined, options: Options) =>
      perform(options, (shell) => verify(shell, system, backup, options)),
    );
}

async function verify(shell: Shell, system: string, backup: string | undefined, options: Options): Promise<ExitCode> {
  if (options.whole !== true && (options.all === true || options.heal === true)) {
    throw new HoldfastError('BadInput', '--all and --heal belong to --whole');
  }
  if (options.whole !== true) return verifyBackup(shell, system, backup, options);
  if (backup !== undefined || options.plan !== undefined) {
    throw new HoldfastError('BadInput', '--whole looks at all backups: name neither a backup nor a plan');
  }
  return verifyWhole(shell, system, options);
}

async function verifyWhole(shell: Shell, system: string, options: Options): Promise<ExitCode> {
  const { store, level, all, heal } = options;
  const { workflowIds, WORKFLOWS } = await import('../workflows/contract.ts');
  const input: VerifyStoreInput = {
    system,
    ...(store === undefined ? {} : { store }),
    ...(level === undefined ? {} : { level }),
    ...(all === undefined ? {} : { all }),
    ...(heal === undefined ? {} : { heal }),
  };
  const result = await verdictOf<VerifyStoreResult>(shell, options, {
    type: WORKFLOWS.verifyStore,
    workflowId: workflowIds.verifyStore(system, store),
    input,
    summary: `verification of ${store ?? 'the stores'} of ${system}`,
    already: 'this is being verified already; waiting for that verdict',
  });
  if (result === undefined) return 2;
  const { showVerifyStoreResult } = await import('./verify-texts.ts');
  return showVerifyStoreResult(shell, result);
}

async function verifyBackup(shell: Shell, system: string, backup = 'latest', options: Options): Promise<ExitCode> {
  const { store, level, plan } = options;
  const { workflowIds, WORKFLOWS } = await import('../workflows/contract.ts');
  const input: VerifyInput = {
    system,
    backup,
    ...(level === undefined ? {} : { level }),
    ...(store === undefined ? {} : { store }),
    ...(plan === undefined ? {} : { plan }),
  };
  const result = await verdictOf<VerifyResult>(shell, options, {
    type: WORKFLOWS.verify,
    workflowId: workflowIds.verify(system, backup),
    input,
    summary: `verification of ${system} ${backup}`,
    already: 'this backup is being verified already; waiting for that verdict',
  });
  if (result === undefined) return 2;
  const { showVerifyResult } = await import('./result-texts.ts');
  return showVerifyResult(shell, result);
}

interface Verification {
  readonly type: string;
  readonly workflowId: string;
  readonly input: VerifyInput | VerifyStoreInput;
  readonly summary: string;
  /** Said when the same is under way; that verdict is then waited for. */
  readonly already: string;
}

/** Undefined when the person left before the verdict. */
async function verdictOf<T>(shell: Shell, { store }: Options, asked: Verification): Promise<T | undefined> {
  const [{ connectEngine }, { startOperation, follow, findOperation }, { checkSystem, checkStores }] =
    await Promise.all([import('../engine/connect.ts'), import('./operation.ts'), import('./names.ts')]);
  const { already, ...operation } = asked;
  await checkSystem(operation.input.system);
  await checkStores(operation.input.system, store);
  await using engine = await connectEngine();
  const started = await startOperation(engine, shell, operation);
  if (started === undefined) shell.say(already);
  const followed = await follow<T>(engine, shell, started ?? (await findOperation(engine, operation.workflowId)));
  return followed.state === 'left' ? undefined : followed.result;
}
